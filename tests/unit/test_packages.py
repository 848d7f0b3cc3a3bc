# SPDX-License-Identifier: Apache-2.0
"""Each Python package that this one requires is known to decide figures, or not to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cm4tiny import packages

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.mark.skipif(not PYPROJECT.is_file(), reason="needs the checkout")
def test_every_required_package_is_in_one_of_the_tables() -> None:
    block = re.search(r"^dependencies = \[\n(.*?)^\]", PYPROJECT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert block is not None
    required = {match[1].lower() for match in re.finditer(r'"([A-Za-z0-9_-]+)', block[1])}
    assert required == set(packages.DECIDING) | set(packages.NOT_DECIDING)
    assert not set(packages.DECIDING) & set(packages.NOT_DECIDING)


def test_versions_are_those_that_are_installed() -> None:
    found = packages.versions()
    assert found["unicorn"] == "2.1.4"
    assert set(found) <= set(packages.DECIDING)


PINNED = PYPROJECT.parent / "requirements"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def pins(name: str) -> list[tuple[str, str, str, int]]:
    """(package, version, marker, digests) of each row of a file of pinned requirements."""
    text = (PINNED / name).read_text(encoding="utf-8").replace("\\\n", " ")
    rows = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"([A-Za-z0-9_.-]+)==(\S+)(?: ; ([^-]*?))?((?:\s+--hash=sha256:[0-9a-f]{64})+)\s*", row) for row in rows]
    assert rows and all(found), [row[:80] for row, match in zip(rows, found, strict=True) if match is None]
    return [(m[1].replace("_", "-").lower(), m[2], m[3] or "", m[4].count("sha256:")) for m in found if m is not None]


def environment(python: str) -> dict[str, str]:
    where = {"sys_platform": "linux", "platform_machine": "x86_64", "platform_system": "Linux", "platform_python_implementation": "CPython"}
    return {"python_version": python, "python_full_version": f"{python}.5", **where}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_the_pinned_requirements_are_exact_have_digests_and_satisfy_the_ranges(name: str, python: str) -> None:
    """``python tools/pin_requirements.py`` writes them."""
    from packaging.markers import Marker
    from packaging.requirements import Requirement

    rows = [row for row in pins(name) if not row[2] or Marker(row[2]).evaluate(environment(python))]
    versions = {package: version for package, version, _, _ in rows}
    assert len(versions) == len(rows), "one version of a package for each Python"
    block = re.search(r"^dependencies = \[\n(.*?)^\]", PYPROJECT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert block is not None
    for text in [*re.findall(r'"([^"]+)"', block[1]), "hatchling", "editables"]:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment(python)):
            assert requirement.specifier.contains(versions[requirement.name.lower()]), text


def test_both_files_pin_the_same_version_of_a_package() -> None:
    for python in PYTHONS:
        from packaging.markers import Marker

        run, dev = (
            {p: v for p, v, marker, _ in pins(name) if not marker or Marker(marker).evaluate(environment(python))}
            for name in ("run.txt", "dev.txt")
        )
        assert {p: (v, dev.get(p)) for p, v in run.items() if dev.get(p) != v} == {}


def test_no_file_of_pins_names_a_registry() -> None:
    assert [
        path.name for path in PINNED.glob("*.txt") if re.search(r"https?:|index-url|find-links", path.read_text(encoding="utf-8"))
    ] == []


@pytest.mark.parametrize(
    ("marker", "place", "hint"),
    [
        ("pipx_metadata.json", "pipx/venvs/cm4tiny", "pipx inject cm4tiny 'vl-convert-python>=1.8'"),
        ("uv-receipt.toml", "uv/tools/cm4tiny", "uv tool install --with 'vl-convert-python>=1.8' FROM"),
        ("", "uv/archive-v0/x", "uvx --with 'vl-convert-python>=1.8' --from FROM cm4tiny"),
        ("", "venv", "pip install 'cm4tiny[dashboard]'"),
    ],
)
def test_an_extra_is_added_with_the_tool_that_made_the_environment(
    marker: str, place: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / place
    prefix.mkdir(parents=True)
    if marker:
        (prefix / marker).touch()
    monkeypatch.setattr(packages.sys, "prefix", str(prefix))
    monkeypatch.setattr(
        packages, "requires", lambda name: ["rich>=13", "vl-convert-python>=1.8; extra == 'dashboard'", 'x; extra == "data"']
    )
    assert packages.extra_hint("dashboard").splitlines()[1] == hint
    monkeypatch.setattr(packages, "requires", lambda name: None)
    assert "pip install 'cm4tiny[dashboard]'" in packages.extra_hint("dashboard")
