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


PINNED = PYPROJECT.parent / "requirements" / "python-3.12.txt"


@pytest.mark.skipif(not PINNED.is_file(), reason="needs the checkout")
def test_the_pinned_requirements_are_exact_have_digests_and_satisfy_the_ranges() -> None:
    """``python3.12 tools/pin_requirements.py`` writes them."""
    from packaging.requirements import Requirement

    rows = [line for line in PINNED.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found = [re.fullmatch(r"([A-Za-z0-9_.-]+)==(\S+) --hash=sha256:[0-9a-f]{64}", row) for row in rows]
    assert rows and all(found)
    versions = {match[1].replace("_", "-").lower(): match[2] for match in found if match is not None}
    block = re.search(r"^dependencies = \[\n(.*?)^\]", PYPROJECT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert block is not None
    for text in re.findall(r'"([^"]+)"', block[1]):
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"python_version": "3.12"}):
            assert requirement.specifier.contains(versions[requirement.name.lower()]), text
