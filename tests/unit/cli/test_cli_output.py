# SPDX-License-Identifier: Apache-2.0
"""Standard output that nobody reads, that is full or closed, and what nobody expected: a message and a status, no traceback."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cm4tiny.boards.virtual.server import Addresses
from cm4tiny.cli import virtual_board
from cm4tiny.cli.exit_status import ExitStatus
from cm4tiny.cli.main import main

START = [sys.executable, "-m", "cm4tiny"]


def shell(line: str, home: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "HOME": str(home), "CM": " ".join(START)}
    return subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("$CM steps | true; exit ${PIPESTATUS[0]}", None, ""),
        ("$CM boards --json > /dev/full", ExitStatus.FAILED, "standard output cannot be written"),
        ("$CM steps >&-", ExitStatus.OK, ""),
        ("$CM rum > /dev/full", ExitStatus.USAGE, "'rum' is not a verb"),
        ("$CM rum --json > /dev/full", ExitStatus.FAILED, "standard output cannot be written"),
    ],
)
def test_output_that_cannot_be_written(tmp_path: Path, line: str, status: int | None, said: str) -> None:
    done = shell(line, tmp_path)
    assert "Traceback" not in done.stderr and said in done.stderr
    assert done.returncode in ((ExitStatus.OK, ExitStatus.READER_GONE) if status is None else (status,))


def test_a_defect_is_called_one_and_its_traceback_goes_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CM_REPOS", str(tmp_path))

    def broken(**_: object) -> None:
        raise TypeError("no")

    monkeypatch.setattr("cm4tiny.cli.boards.list_boards", broken)
    assert main(["boards", "--json"]) == ExitStatus.FAILED
    told = json.loads(capsys.readouterr().out)["error"]
    assert "TypeError: no" in told["what"] and "defect" in told["why"]
    assert "TypeError: no" in Path(told["hint"].removeprefix("report it with ")).read_text(encoding="utf-8")


@pytest.mark.parametrize("announce", [virtual_board._announce, virtual_board._as_json])
def test_the_addresses_of_a_served_board_leave_at_once(announce: Callable[[Addresses], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that reads them through a pipe would wait for ever: the command itself runs on."""
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(pipe, 1 << 16), write_through=False))  # type: ignore[arg-type]
    announce(Addresses("127.0.0.1:5000", "/dev/pts/7"))
    assert b"/dev/pts/7" in pipe.getvalue() and b"127.0.0.1:5000" in pipe.getvalue()
