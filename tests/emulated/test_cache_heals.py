# SPDX-License-Identifier: Apache-2.0
"""The main job on a damaged machine: whatever a run executes or loads is replaced when it is not what it was, and the figures stay."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cm = Callable[..., Any]
JOB = "--tags=reproduce,mlperf,tiny,_kws,_accuracy"


def flip(path: Path) -> None:
    """One flipped bit in the middle; size and time of modification stay."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def cut(path: Path) -> None:
    """The second half is lost."""
    os.truncate(path, path.stat().st_size // 2)


def deciding(report: dict[str, Any]) -> Any:
    """What a repeated run must give again."""
    results = [{key: value for key, value in entry.items() if key != "session"} for entry in report["results"]]
    files = [file for file in report["files"] if file["role"] != "session"]
    return results, files, report["emulator"], report["tools"]


def kept(cm: Cm, home: Path) -> tuple[Path, Path]:
    """The image that the build step hands over, and the emulator's library of a home."""
    done = cm("run", "script", "--tags=build,firmware,mlperf,tiny,_kws", "--j")
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout[done.stdout.index("{") :])
    (library,) = (home / "cache" / "virtual-board").glob("board-*.so")
    return Path(answer["new_env"]["CM_TINY_FIRMWARE_KWS_PERFORMANCE"]), library


def test_a_damaged_image_and_emulator_are_rebuilt_by_the_steps_that_use_them(cm: Cm, cm_home: Path) -> None:
    def run() -> str:
        said = ""
        for tags in ("build,firmware,mlperf,tiny,_kws", "get,tiny,board"):
            done = cm("run", "script", f"--tags={tags}")
            assert done.returncode == 0, done.stdout + done.stderr
            said += done.stdout + done.stderr
        return said

    run()
    elf, library = kept(cm, cm_home)
    good = elf.read_bytes(), library.read_bytes()
    flip(elf)
    cut(library)
    said = run()
    assert (elf.read_bytes(), library.read_bytes()) == good
    assert "kws-performance.elf has other content" in said and "it is built again" in said
    assert "other content" not in run()


@pytest.mark.long
@pytest.mark.parametrize("damage", [flip, cut])
def test_the_figures_of_the_job_stay(damage: Callable[[Path], None], cm: Cm, cm_home: Path, tmp_path: Path) -> None:
    def run(name: str) -> dict[str, Any]:
        done = cm("run", "script", JOB, f"--outdirname={tmp_path / name}")
        assert done.returncode == 0, done.stdout + done.stderr
        report: dict[str, Any] = json.loads((tmp_path / name / "report.json").read_text())
        return report

    first = run("first")
    for path in kept(cm, cm_home):
        damage(path)
    assert deciding(run("second")) == deciding(first)
