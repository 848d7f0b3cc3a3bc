# SPDX-License-Identifier: Apache-2.0
"""Temporary folders go with their run, also with one that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cm4tiny.scratch import scratch_folder, sweep

HOLD = """
import sys, time
from pathlib import Path
from cm4tiny.scratch import scratch_folder
with scratch_folder("probe", Path(sys.argv[1])) as folder:
    (folder / "half").write_text("x")
    print(folder, flush=True)
    time.sleep(60)
"""


def held(place: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(place)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_is_gone_after_the_block_and_after_an_error(tmp_path: Path) -> None:
    with scratch_folder("probe", tmp_path) as folder:
        (folder / "file").write_text("x")
    with pytest.raises(RuntimeError), scratch_folder("probe", tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_may_be_moved_away_by_the_block(tmp_path: Path) -> None:
    with scratch_folder("probe", tmp_path) as folder:
        folder.rename(tmp_path / "result")
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_uses_is_not(tmp_path: Path) -> None:
    dead, left = held(tmp_path)
    alive, used = held(tmp_path)
    try:
        assert sweep(tmp_path) == []
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        assert left.is_dir()
        with scratch_folder("other", tmp_path):
            assert not left.exists()
            assert (used / "half").is_file()
    finally:
        alive.kill()
        for process in (dead, alive):
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def test_other_names_links_and_files_stay(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "cm4tiny-probe-1-abcdefgh").symlink_to("target")
    (tmp_path / "cm4tiny-probe-2-abcdefgh").write_text("a file")
    (tmp_path / "cm4tiny-probe-x-abcdefgh").mkdir()
    (tmp_path / "mine").mkdir()
    assert sweep(tmp_path) == []


def test_a_folder_of_an_earlier_version_goes_after_a_day(tmp_path: Path) -> None:
    for name in ("cm4tiny-ask-a1b2c3d4", ".new-a1b2c3d4", ".staging-a1b2c3d4", "cm4tiny-e1b2c3d4"):
        (tmp_path / name).mkdir()
    assert sweep(tmp_path) == []
    for path in tmp_path.iterdir():
        os.utime(path, (time.time() - 90_000,) * 2)
    assert len(sweep(tmp_path)) == 4
