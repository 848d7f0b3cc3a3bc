# SPDX-License-Identifier: Apache-2.0
"""The tests do not depend on how they were started: in the background, or with another copy of the package in front of the checkout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IGNORED = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"


def collect(path: Path, before: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own, on one test of this file."""
    test = f"{Path(__file__)}::test_ctrl_c_reaches_the_tests_and_their_children"
    command = f"{before} exec '{sys.executable}' -m pytest -q -p no:cacheprovider -p no:xdist -o addopts= '{test}'"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **env}
    return subprocess.run(["bash", "-c", command], cwd=path, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_ctrl_c_reaches_the_tests_and_their_children() -> None:
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    assert subprocess.run([sys.executable, "-c", IGNORED], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_run_in_the_background_is_like_any_other() -> None:
    """``trap '' INT`` is what a shell does for a job that it starts with ``&``."""
    done = collect(ROOT, "trap '' INT;")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_another_copy_of_the_package_in_front_of_the_checkout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cm4tiny").mkdir()
    (tmp_path / "cm4tiny" / "__init__.py").touch()
    done = collect(ROOT, PYTHONPATH=str(tmp_path))
    assert done.returncode == 4
    assert "not this checkout; install the checkout editable: pip install -e '.[dev]'" in done.stderr
