# SPDX-License-Identifier: Apache-2.0
"""What README says about installing is what pip does, and the extra ``test`` brings what the tests import."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from support.build_hook import load_build_hook

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

DISTRIBUTION = {
    "PIL": "pillow", "sklearn": "scikit-learn", "usb": "pyusb", "vl_convert": "vl-convert-python", "tflite_runtime": "tflite-runtime",
    "tflite_micro": "tflite-micro", "xlsxwriter": "XlsxWriter", "serial": "pyserial", "yaml": "pyyaml", "tvm": "apache-tvm",
    "elftools": "pyelftools", "ai_edge_litert": "ai-edge-litert", "dask": "distributed",
}  # fmt: skip
ORACLES = {"librosa": "compared with only where a developer has it: its result is in the repository as a digest"}


def table(name: str) -> str:
    """The text of a list of pyproject.toml."""
    found = re.search(rf"^{name} = \[(.*?)\]$", PROJECT, re.M | re.S)
    assert found is not None, name
    return found[1]


def packages(text: str) -> set[str]:
    return {name.lower() for name in re.findall(r'"([A-Za-z0-9_-]+)', text) if name != "cm4tiny"}


def in_the_test_extra() -> set[str]:
    text = table("dependencies") + table("test")
    for extra in re.findall(r"cm4tiny\[([a-z,]+)\]", table("test")):
        text += "".join(table(name) for name in extra.split(","))
    return packages(text)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load_build_hook(monkeypatch)


def requires_python() -> str:
    found = re.search(r'^requires-python = "(.*)"$', PROJECT, re.M)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("version", ["3.9.18", "3.8.1", "3.14.0", "2.7.18"])
def test_an_unsuitable_python_is_named_before_anything_is_downloaded(version: str, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook.platform, "python_version", lambda: version)
    with pytest.raises(SystemExit, match=rf"needs Python {re.escape(requires_python())}, and this is Python {version}"):
        hook.SuitablePython().update({"name": "cm4tiny", "requires-python": requires_python()})


@pytest.mark.parametrize("version", ["3.10.0", "3.11.7", "3.12.1", "3.13.9"])
def test_a_suitable_python_passes(version: str, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook.platform, "python_version", lambda: version)
    hook.SuitablePython().update({"name": "cm4tiny", "requires-python": requires_python()})


def test_the_hook_is_part_of_the_build() -> None:
    assert '[tool.hatch.metadata.hooks.custom]\npath = "hatch_build.py"' in PROJECT


def test_readme_names_the_pythons_of_the_metadata() -> None:
    low, high = re.findall(r"3\.(\d+)", requires_python())
    assert f"Python 3.{low} to 3.{int(high) - 1}" in README


def test_every_extra_that_readme_or_a_message_names_exists() -> None:
    texts = [
        README,
        *(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")),
        *(p.read_text() for p in (ROOT / "docs").rglob("*.md")),
    ]
    named = {
        name for text in texts for group in re.findall(r"pip install '(?:\.|cm4tiny)\[([a-z,]+)\]'", text) for name in group.split(",")
    }
    assert "dashboard" in named
    for name in named:
        table(name)


def imported_in(path: Path) -> set[str]:
    """Modules whose absence makes a test skip: arguments of importorskip, loops over them included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "importorskip":
            given = node.args[0]
            if isinstance(given, ast.Constant):
                found.add(str(given.value).partition(".")[0])
            else:
                loops = [loop for loop in ast.walk(tree) if isinstance(loop, ast.For) and node in ast.walk(loop)]
                found |= {str(e.value) for loop in loops for e in ast.walk(loop.iter) if isinstance(e, ast.Constant)}
    return found


def test_no_test_skips_because_the_extra_forgot_a_package() -> None:
    skipping = {(name, path.name) for path in (ROOT / "tests").rglob("*.py") for name in imported_in(path)}
    assert len(skipping) > 5
    brought = in_the_test_extra() | {"tomli"}
    forgotten = [
        (name, where) for name, where in sorted(skipping) if DISTRIBUTION.get(name, name).lower() not in brought and name not in ORACLES
    ]
    assert forgotten == []


def test_the_extra_brings_what_the_official_runner_imports() -> None:
    assert {"matplotlib", "pyusb", "scipy", "scikit-learn"} <= in_the_test_extra()
