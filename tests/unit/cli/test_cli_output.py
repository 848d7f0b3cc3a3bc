# SPDX-License-Identifier: Apache-2.0
"""Standard output that nobody reads, that is full or closed, and what nobody expected: a message and a status, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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

    def broken() -> None:
        raise TypeError("no")

    monkeypatch.setattr("cm4tiny.cli.boards.list_boards", broken)
    assert main(["boards", "--json"]) == ExitStatus.FAILED
    told = json.loads(capsys.readouterr().out)["error"]
    assert "TypeError: no" in told["what"] and "defect" in told["why"]
    assert "TypeError: no" in Path(told["hint"].removeprefix("report it with ")).read_text(encoding="utf-8")
