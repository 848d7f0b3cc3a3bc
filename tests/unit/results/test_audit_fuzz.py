# SPDX-License-Identifier: Apache-2.0
"""Damaged submissions: whatever is in the files, the audit ends with findings and not with a crash."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from support.session_maker import eembc_performance, eembc_trace, small_lists
from support.streaming_maker import streaming
from support.submission_maker import valid_submission

from cm4tiny.errors import Cm4TinyError
from cm4tiny.results.submission.reviewer import review
from cm4tiny.results.submission.sessions import find_sessions
from cm4tiny.results.tables import final_tables, summary_rows
from cm4tiny.results.tables.files import csv_text, markdown

ROUNDS = int(os.environ.get("CM4TINY_FUZZ_AUDIT", "40"))
SNIPPETS = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"nan",
    b"-1e999",
    b"[" * 3000,
    b'{"a":' * 500,
    b"9" * 400,
    b"m-results-[",
    b"Top-1: ",
    b"\r",
    b"\n" * 50,
    b"'}; //",
]


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = valid_submission(tmp_path_factory.mktemp("valid")).root
    results = root / "closed" / "Example" / "results" / "BOARD_A"
    shutil.rmtree(results / "ic" / "energy")
    eembc_performance(results / "vww" / "performance", "kws")
    eembc_performance(results / "vww" / "energy", "kws")
    eembc_trace(results / "vww" / "energy")
    streaming(results / "sww" / "performance")
    return root


def damage(path: Path, dice: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(dice.randint(1, 8)):
        start = dice.randrange(len(data) + 1)
        end = min(len(data), start + dice.choice([0, 1, 3, 200, 100_000]))
        data[start:end] = dice.choice([*SNIPPETS, bytes(dice.randrange(256) for _ in range(dice.randint(1, 20)))])
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_no_damage_makes_the_audit_fail(seed: int, valid: Path, tmp_path: Path) -> None:
    dice = random.Random(seed)
    tree = tmp_path / "tree"
    shutil.copytree(valid, tree)
    files = sorted(path for path in tree.rglob("*") if path.is_file() and "code" not in path.parts)
    for path in dice.sample(files, dice.randint(1, 6)):
        damage(path, dice)
    found = review(tree, dice.choice(["v1.3", "v1.4"]), labels=small_lists(), jobs=1)
    rows = summary_rows(found.replay.results)
    assert csv_text(rows).count("\n") >= len(rows) + 1
    assert markdown(final_tables(rows, "1.4", "x")).startswith("#")
    try:
        find_sessions([tree / "closed" / "Example" / "results"])
    except Cm4TinyError as error:
        assert str(error)
