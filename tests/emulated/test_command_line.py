# SPDX-License-Identifier: Apache-2.0
"""``cm4tiny run`` as a user meets it: without CM set up, on a pipe and on a terminal; what it leaves is what ``cm run script`` leaves."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.cm_command import run_cm

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "cm4tiny", "run", "kws", "--mode", "accuracy"]


def environment(home: Path) -> dict[str, str]:
    env = {**os.environ, "HOME": str(home), "CM_REPOS": str(home / "CM"), "CM_TINY_CACHE": str(home / "cache"), "CM_TINY_OFFLINE": "yes"}
    return {key: value for key, value in env.items() if key not in ("CI", "COLUMNS")} | {"TERM": "xterm"}


def call(home: Path, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *more], cwd=folder, env=environment(home), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, subprocess.CompletedProcess[str]]:
    """A home without CM, a folder, and the first run in it."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("folder")
    done = call(home, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return home, folder, done


def test_a_first_run_says_its_end_from_the_start_and_answers_at_its_end(
    first: tuple[Path, Path, subprocess.CompletedProcess[str]],
) -> None:
    home, folder, done = first
    lines = done.stderr.splitlines()
    assert re.fullmatch(r"cm4tiny run: kws, accuracy; about [0-9:]+", lines[0])
    assert all(re.match(r"\[ *[0-9]+ %\] ", line) for line in lines[1:]), done.stderr
    assert "firmware kws: " in done.stderr and "kws accuracy: " in done.stderr
    for part in (
        "kws",
        "this run",
        "outputs equal those of the reference",
        "simulated, embedded model",
        "Report: ",
        "Done in ",
    ):
        assert part in done.stdout
    assert "nothing came from the cache" in done.stdout
    assert not (home / "CM" / "repos.json").exists() and not (home / "CM" / "index.json").exists()
    assert (folder / "mlperf-tiny-results" / "report.json").is_file()


def test_the_same_job_by_cm_takes_its_results_and_leaves_the_same_report(
    first: tuple[Path, Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    home, folder, _ = first
    added = run_cm(home, tmp_path, "add", "repo", f"--path={ROOT}")
    assert added.returncode == 0, added.stdout + added.stderr
    done = run_cm(home, tmp_path, "run", "script", "--tags=reproduce,mlperf,tiny,_kws,_accuracy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "firmware kws performance" not in done.stdout + done.stderr, "the image came from the cache"
    ours, theirs = (place / "mlperf-tiny-results" / "report.json" for place in (folder, tmp_path))
    assert ours.read_bytes() == theirs.read_bytes()


def test_json_is_one_object_and_counts_what_came_from_the_cache(
    first: tuple[Path, Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = call(first[0], tmp_path, "--json", "-o", "out")
    told: dict[str, Any] = json.loads(done.stdout)
    (run,) = told["result"]["runs"]
    assert (told["exit_status"], run["from_cache"]) == (0, 1)
    assert run["report"] == json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert run["verdicts"]


class Screen:
    """A command on a terminal of 80 columns."""

    def __init__(self, home: Path, folder: Path) -> None:
        import fcntl
        import struct
        import termios

        self.end, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            COMMAND, cwd=folder, env=environment(home), stdin=other, stdout=other, stderr=other, start_new_session=True
        )
        os.close(other)
        self.text = ""

    def read_until(self, word: str, limit_s: float = 120) -> str:
        end = time.monotonic() + limit_s
        while word not in self.text and time.monotonic() < end:
            if select.select([self.end], [], [], 0.2)[0]:
                try:
                    data = os.read(self.end, 65536)
                except OSError:
                    break
                self.text += data.decode("utf-8", errors="replace")
            elif self.process.poll() is not None:
                break
        return self.text


def test_on_a_terminal_there_is_one_area_and_no_line_gets_into_it(
    first: tuple[Path, Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    screen = Screen(first[0], tmp_path)
    text = screen.read_until("Done in ")
    assert screen.process.wait(60) == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "total" in plain and "= firmware kws" in plain and "from the cache" in plain and "about" in plain
    assert "[start]" not in plain and "[done]" not in plain and "! load" not in plain
    assert "1 step from the cache (firmware kws)" in plain


def test_control_c_ends_the_run_and_gives_the_terminal_back(
    first: tuple[Path, Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    screen = Screen(first[0], tmp_path)
    screen.read_until("kws accuracy")
    os.killpg(screen.process.pid, signal.SIGINT)
    text = screen.read_until("interrupted")
    assert screen.process.wait(60) == 130
    assert "Traceback" not in text and text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l"), "the cursor is shown again"
