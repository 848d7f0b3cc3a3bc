# SPDX-License-Identifier: Apache-2.0
"""NOTICE lists what is fetched, each with the licence that its package states."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
NOTICE = (ROOT / "NOTICE").read_text(encoding="utf-8")
TOOLS = {"test", "lint", "docs", "assets", "dev"}
"""Extras for those who work on the project; nothing of them is fetched by a user."""
STATED = {
    "MIT": ("MIT",),
    "MIT-CMU": ("MIT-CMU",),
    "Apache-2.0": ("Apache",),
    "BSD-3-Clause": ("BSD",),
    "BSD-2-Clause": ("BSD-2-Clause",),
    "public domain": ("Public",),
    "GPL-2.0": ("BSD",),  # unicorn's library is GPL-2.0; the metadata speak of its Python binding, as NOTICE says
}


def declared() -> set[str]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        tomllib = pytest.importorskip("tomli", reason="reads pyproject.toml; part of pytest before Python 3.11")
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [row for extra, rows in project["optional-dependencies"].items() if extra not in TOOLS for row in rows]
    return {re.split(r"[=<>;\[ ]", row)[0].lower() for row in [*project["dependencies"], *extras]}


def listed() -> dict[str, str]:
    """Package -> licence, from the lines of the list: names, then their licence in brackets."""
    text = " ".join(NOTICE.partition("Fetched at installation or run time")[2].split())
    found: dict[str, str] = {}
    for part in text.split(")"):
        names, bracket, licence = part.rpartition("(")
        for name in re.split(r",| or | and |[:;]| - | for ", names) if bracket else ():
            word = name.strip().split(" ")[0].lower()
            found.setdefault(word, licence.partition(";")[0].strip())
    return found


def test_every_dependency_is_listed() -> None:
    assert declared() - set(listed()) == set()


@pytest.mark.parametrize("name", sorted(declared()))
def test_a_licence_is_the_one_that_the_package_states(name: str) -> None:
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed here (another Python version or extra)")
    stated = " ".join(str(metadata.get(key) or "") for key in ("License-Expression", "License")) + " ".join(
        row for row in metadata.get_all("Classifier") or () if row.startswith("License")
    )
    if not stated.strip():
        pytest.skip(f"{name} states no licence")
    assert any(word in stated for word in STATED[listed()[name]]), f"{name}: NOTICE says {listed()[name]}, the package {stated[:80]}"
