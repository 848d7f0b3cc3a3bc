# SPDX-License-Identifier: Apache-2.0
"""Names and texts use the field's words: phrases of ``banned_phrases.yaml`` stand nowhere in sources, pages and CM scripts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROWS = yaml.safe_load(Path(__file__).with_name("banned_phrases.yaml").read_text(encoding="utf-8"))
FOLDERS = ("src", "cm-repo", "docs", "firmware", "benchmarks", "tools")
SUFFIXES = {".py", ".c", ".h", ".ld", ".md", ".yaml", ".js", ".html", ".toml"}


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in SUFFIXES and path.is_file()]
    files += [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files}


@pytest.mark.parametrize("row", ROWS, ids=[row["phrase"] for row in ROWS])
def test_a_phrase_stands_nowhere(row: dict[str, str], texts: dict[str, str]) -> None:
    phrase = re.compile(row["phrase"])
    found = [f"{name}:{text.count(chr(10), 0, match.start()) + 1}" for name, text in texts.items() for match in phrase.finditer(text)]
    assert not found, f"'{row['phrase']}': write '{row['instead']}'"


def test_the_phrases_are_found_where_they_stand() -> None:
    old = "passed over, made anew, made again, at hand, not to be had, taken again, no script fits, thriftiest, cure, wishes, Campaign, "
    old += "there is no such, farm, Patience, bring_up, wide kernels, past-rounds 2e, Across / Up, 'x' is no number, a line for people, "
    old += (
        "says in words, the board tells its name, packages are told and allowed, it goes on with a note, under way, anew, lies beside it, "
    )
    old += "bytes behind it, a portable twin, OwnRecipe, dead channels"
    assert all(re.search(row["phrase"], old) for row in ROWS)
