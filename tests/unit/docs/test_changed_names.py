# SPDX-License-Identifier: Apache-2.0
"""The changelog's table of names that changed says the truth: what it calls an alias is one, and what it calls today's name exists."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from cm4tiny.firmware.build_spec import prunes_channels
from cm4tiny.paths import cm_repo

ROOT = Path(__file__).parents[3]
TABLE = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("### Names that changed\n", 1)[1].split("\n## ", 1)[0]
ROWS = [[cell.strip() for cell in line[1:-1].split("|")] for line in TABLE.splitlines() if line.startswith("| ")][1:]
VARIATIONS = [
    yaml.safe_load(path.read_text(encoding="utf-8")).get("variations", {}) for path in sorted(cm_repo().glob("script/*/_cm.yaml"))
]


def of_kind(kind: str) -> list[tuple[str, str]]:
    found = [(re.findall(r"`([^`]+)`", row[1]), re.findall(r"`([^`]+)`", row[2])) for row in ROWS if row[0] == kind]
    return [(old[0], new[0]) for old, new in found if new]


def test_every_row_has_four_cells() -> None:
    assert len(ROWS) > 20 and {len(row) for row in ROWS} == {4}


def test_variations_of_before_are_aliases_of_todays() -> None:
    renamed = {old.lstrip("_"): new.lstrip("_") for old, new in of_kind("variation")}
    found = {name: row["alias"] for variations in VARIATIONS for name, row in variations.items() if name in renamed}
    assert found == renamed
    assert all(new in variations for old, new in renamed.items() for variations in VARIATIONS if old in variations)


def test_both_values_of_an_environment_key_are_understood() -> None:
    values = {old.partition("=")[2]: new.partition("=")[2] for old, new in of_kind("environment") if old.startswith("CM_TINY_DEAD")}
    assert len(values) == 2 and all(prunes_channels(old) == prunes_channels(new) for old, new in values.items())


def test_modules_of_today_exist() -> None:
    new = " ".join(row[2] for row in ROWS if row[0].startswith("Python"))
    modules = [
        name for name in re.findall(r"`(cm4tiny(?:\.\w+)+)`", new) if not name.endswith((".replay.replay", "LabelLists", "Deadline"))
    ]
    folder = ROOT / "src"
    assert modules and [name for name in modules if not list(folder.glob(f"{name.replace('.', '/')}*"))] == []
