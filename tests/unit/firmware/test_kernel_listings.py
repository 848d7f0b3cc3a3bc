# SPDX-License-Identifier: Apache-2.0
"""docs/listings holds what the generators of assembly write, for every kind of kernel, with names in place of registers."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.firmware.kernels.base import HELPERS
from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16 import winograd_stride1, winograd_stride2
from cm4tiny.firmware.kernels.registers import bare
from cm4tiny.firmware.microtvm.select import INT8

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "src" / "cm4tiny" / "firmware"
TOOL: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "kernel_listings.py"))
KINDS: list[str] = list(TOOL["KINDS"])
FOLDER: Path = TOOL["FOLDER"]


@cache
def functions(kind: str) -> tuple[CFunction, ...]:
    return tuple(function for _, found in TOOL["KINDS"][kind]() for function in found)


def kind_of(candidate: str) -> str | None:
    """The longest kind that a candidate's id begins with."""
    return max((kind for kind in KINDS if candidate == kind or candidate.startswith(kind + " ")), key=len, default=None)


def candidate_ids() -> Iterator[str]:
    """What the planner can choose: the ids in the table of measured costs, and those that the kernels' modules write."""
    for layer in json.loads((SOURCES / "microtvm" / "costs.json").read_text(encoding="utf-8"))["layers"].values():
        yield from layer
    for path in sorted((SOURCES / "kernels" / "int16").glob("*.py")):
        for text in re.findall(r'Candidate\(\s*(?:id=)?f?"([^"{]*)', path.read_text(encoding="utf-8")):
            yield text.strip()
    yield from (winograd_stride1.METHOD.id, winograd_stride2.METHOD.id)


@pytest.mark.parametrize("kind", KINDS)
def test_a_listing_is_what_the_generators_write(kind: str) -> None:
    path = FOLDER / TOOL["file_of"](kind)
    assert path.is_file() and path.read_text(encoding="utf-8") == TOOL["listing"](kind), "run: python tools/kernel_listings.py"


def test_there_is_no_other_listing() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(TOOL["file_of"](kind) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_operand_has_a_name_with_a_role(kind: str) -> None:
    assert functions(kind)
    for function in functions(kind):
        assert [line for line in function.assembly if bare(line)] == []
        assert all(row.role for row in function.registers)
        mnemonics = {line.split(" ")[0].removesuffix(".w") for line in function.assembly}
        assert mnemonics.isdisjoint(row.name for row in function.registers)


def test_every_kind_of_candidate_has_a_listing() -> None:
    ids = {name for name in candidate_ids() if name and name != INT8}
    assert len(ids) > 20
    assert sorted(name for name in ids if kind_of(name) is None) == [], "add the kind to tools/kernel_listings.py and docs/kernels.md"


def test_every_generator_of_assembly_has_a_listing() -> None:
    written = set()
    for path in sorted((SOURCES / "kernels").rglob("*.py")):
        written |= set(re.findall(r'\.function\(\s*f?"([a-z_]+)', path.read_text(encoding="utf-8")))
    listed = {function.prefix for kind in KINDS for function in functions(kind)}
    assert {"depthwise", "winograd_product", "clear", "copy"} <= written
    written |= {"mac_", "widen", "widen_rgb"}  # prefixes that are put together elsewhere
    missing = [prefix for prefix in written if not any(name.startswith(prefix) for name in listed)]
    assert missing == [], "add an example to tools/kernel_listings.py"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_section_that_leads_to_its_listing(kind: str) -> None:
    page = (ROOT / "docs" / "kernels.md").read_text(encoding="utf-8")
    section = re.search(rf"^### {re.escape(kind)}\n(.*?)(?=^##)", page, flags=re.M | re.S)
    assert section is not None, f"docs/kernels.md has no section '{kind}'"
    said = set(re.findall(r"\*\*(\w+)", section[1]))
    assert {"Computes", "Candidate", "Cost", "Listing"} <= said, said
    assert f"(listings/{TOOL['file_of'](kind)})" in section[1]


def test_every_section_is_of_a_kind() -> None:
    page = (ROOT / "docs" / "kernels.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^### (.*)$", page, flags=re.M)) == sorted([*KINDS, "Forms of weights and requantisation"])


def test_the_portable_versions_are_valid_c(tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    found = {function.name: function.portable_text() for kind in KINDS for function in functions(kind)}
    program = tmp_path / "portable.c"
    program.write_text("\n".join([HELPERS.read_text(encoding="utf-8"), *found.values()]), encoding="utf-8")
    done = subprocess.run(
        [compiler, "-fsyntax-only", "-Wall", "-Wno-unused-function", "-Werror", str(program)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
