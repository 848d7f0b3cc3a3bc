# SPDX-License-Identifier: Apache-2.0
"""Standard output that is closed, full or read by nobody is not a defect of a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.micro_cm import Cm

REQUESTS = [("--tags=a",), ("--tags=a", "--plan"), ("--tags=a", "--help"), ("--tags=a", "--j")]


@pytest.fixture
def cm(micro: Any) -> Cm:
    micro.script("a")
    called = Cm(micro)
    called("find", "repo")  # cmind writes its index, and says so, in the first call
    return called


def run(cm: Cm, arguments: tuple[str, ...], redirection: str) -> subprocess.CompletedProcess[str]:
    """Through a shell, which can close a stream and build a pipe."""
    words = " ".join(("cm", "run", "script", *arguments))
    script = f'set -o pipefail; cm() {{ "{sys.executable}" -m cmind "$@"; }}; {words} {redirection}'
    return subprocess.run(["bash", "-c", script], env=cm.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("arguments", REQUESTS, ids=" ".join)
@pytest.mark.parametrize(("redirection", "status"), [(">&-", 0), ("| (exec 0<&-; sleep 1)", 141), (">/dev/full", 1)])
def test_output_that_cannot_be_written_ends_in_a_status_and_no_traceback(
    cm: Cm, arguments: tuple[str, ...], redirection: str, status: int
) -> None:
    done = run(cm, arguments, redirection)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr and "defect" not in done.stderr
    assert ("standard output cannot be written" in done.stderr) == (status == 1)


def test_a_run_whose_output_is_closed_does_its_work(cm: Cm, micro: Any, tmp_path: Path) -> None:
    assert run(cm, ("--tags=a",), ">&- 2>&-").returncode == 0
    assert micro.ran == ["a"]
