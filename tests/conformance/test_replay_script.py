# SPDX-License-Identifier: Apache-2.0
"""The replay as a CM script: what a user types, what lies in the folder afterwards, and the exit status."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.sessions import five_windows, result_folder, write

Cm = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def rounds(tmp_path: Path) -> Path:
    """A true claim in v1.1, a false one in v0.7."""
    root = tmp_path / "rounds"
    write(result_folder(root) / "performance", log=five_windows().log(), results=five_windows().results())
    false = five_windows().results(median="9.000")
    write(result_folder(root, round_id="v0.7") / "performance", log=five_windows().log(), results=false)
    return root


def test_a_round_whose_claims_hold_ends_with_0(cm: Cm, rounds: Path, tmp_path: Path) -> None:
    done = cm("run", "script", "--tags=replay,mlperf,tiny,_v1.1", f"--path={rounds}", "--outdirname=out", "--offline", "--jobs=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["audit.json", "junit.xml", "replay.csv"]
    assert "v1.1   throughput" in done.stdout


def test_a_round_with_a_false_claim_ends_with_3_and_leaves_the_files(cm: Cm, rounds: Path, tmp_path: Path) -> None:
    done = cm("run", "script", "--tags=replay,mlperf,tiny", "--path=rounds", "--outdirname=out", "--offline", "--jobs=2")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "throughput 9.000 claimed, 8.332 recomputed" in done.stdout + done.stderr
    assert (tmp_path / "out" / "replay.csv").read_text().count("\n") == 3
    expect = f"--expect={tmp_path / 'out' / 'replay.csv'}"
    again = cm("run", "script", "--tags=replay,mlperf,tiny", "--path=rounds", "--outdirname=again", "--offline", "--jobs=1", expect)
    assert again.returncode == 0, again.stdout + again.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing to replay"),
        (("--path=absent", "--offline"), "--path=absent does not exist"),
        (("--path=rounds", "--offline", "--jobs=none"), "--jobs=none is not a number"),
        (("--path=rounds", "--labels=absent"), "--labels=absent does not exist"),
    ],
)
def test_a_replay_that_cannot_be_done_ends_with_1_and_a_hint(cm: Cm, rounds: Path, options: tuple[str, ...], said: str) -> None:
    done = cm("run", "script", "--tags=replay,mlperf,tiny", *options)
    assert done.returncode == 1
    assert said in done.stdout + done.stderr
    assert "hint" in done.stdout + done.stderr


def test_a_published_round_gives_the_expected_table(cm: Cm, shared: Path, tmp_path: Path) -> None:
    archives = sorted((shared / "replay").glob("v0.5*.tar.xz"))
    if not archives:
        pytest.skip("needs ../shared/replay")
    for archive in archives:
        with tarfile.open(archive) as tar:
            tar.extractall(tmp_path / "rounds", filter="data")
    (labels,) = (shared / "mirror/github/mlcommons/tiny").iterdir()
    options = (f"--expect={shared / 'replay' / 'expected.csv'}", f"--labels={labels}", "--path=rounds", "--outdirname=out", "--jobs=1")
    done = cm("run", "script", "--tags=replay,mlperf,tiny,_v0.5", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all                            21     0         34        10" in done.stdout
