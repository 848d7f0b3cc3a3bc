# SPDX-License-Identifier: Apache-2.0
"""Several boards at once."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fake_dut import FIXED_NOW, FakeDut, Faults, make_data_set
from test_energy_run import Monitor

import cm4tiny
from cm4tiny.benchmarks import DataSet
from cm4tiny.errors import BusyError, InterruptedRunError, LinkError, UsageError
from cm4tiny.events import Event, EventStream, Finished
from cm4tiny.runner import AccuracyResult, EnergyResult, Job, PerformanceResult, job_pool, run_jobs


@dataclass
class FakeBoard:
    link: FakeDut
    power: Monitor | None = None
    closed: list[bool] = field(default_factory=list)

    @property
    def cycles(self) -> int:
        return self.link.cycles

    def close(self) -> None:
        self.closed.append(True)


@pytest.fixture
def kws(tmp_path: Path) -> DataSet:
    return make_data_set(tmp_path / "data", "kws", 24)


def job(data_set: DataSet, mode: str, link: FakeDut | None = None, *, board: FakeBoard | None = None, **options: object) -> Job:
    made = board or FakeBoard(link or FakeDut())
    return Job(board=lambda: made, benchmark=data_set.benchmark, data_set=data_set, mode=mode, now=lambda: FIXED_NOW, **options)  # type: ignore[arg-type]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)


def test_jobs_of_all_modes_run_side_by_side_and_return_in_order(tmp_path: Path, kws: DataSet) -> None:
    heard: list[Event] = []
    device = FakeDut(energy=True)
    boards = [FakeBoard(FakeDut()), FakeBoard(device, Monitor(device)), FakeBoard(FakeDut())]
    jobs = [
        job(kws, "performance", board=boards[0]),
        job(kws, "energy", board=boards[1], simulated="scripted"),
        job(kws, "accuracy", board=boards[2]),
    ]
    results = run_jobs(jobs, tmp_path / "out", workers=3, events=EventStream(heard.append))
    assert [type(r.result) for r in results] == [PerformanceResult, EnergyResult, AccuracyResult]
    assert isinstance(results[0].result, PerformanceResult) and results[0].result.cycles_per_inference == pytest.approx(6e6, rel=1e-3)
    assert results[2].session == tmp_path / "out" / "sessions" / "kws-accuracy" / "20260102_030405"
    assert {e.step for e in heard if isinstance(e, Finished)} == {"kws performance", "kws accuracy", "kws energy"}
    assert all(board.closed == [True] for board in boards)
    assert not (tmp_path / "out" / "journals" / "kws-accuracy.jsonl").exists()


def test_files_do_not_depend_on_the_number_of_workers(tmp_path: Path, kws: DataSet) -> None:
    def files(workers: int) -> list[bytes]:
        jobs = [replace(job(kws, "accuracy"), name=f"board{i}") for i in range(4)]
        results = run_jobs(jobs, tmp_path / f"out{workers}", workers=workers)
        return [(r.session / name).read_bytes() for r in results for name in ("log.txt", "results.txt", "results.json")]

    assert files(1) == files(4)


def test_the_first_error_stops_the_others_and_keeps_their_journals(tmp_path: Path, kws: DataSet) -> None:
    slow = FakeDut(own=True)
    slow.faults.before = lambda count, command: time.sleep(0.002)
    board = FakeBoard(slow)
    failing = FakeDut(faults=Faults(disconnect_at=60))
    failing.faults.before = lambda count, command: wait_for(lambda: count < 60 or len(slow.infers) > 2)
    jobs = [job(kws, "accuracy", board=board), job(kws, "performance", failing)]
    with pytest.raises(LinkError):
        run_jobs(jobs, tmp_path / "out", workers=2)
    assert board.closed == [True]
    assert (tmp_path / "out" / "journals" / "kws-accuracy.jsonl").exists()
    assert 2 < len(slow.infers) < 24
    again = FakeDut(own=True)
    result = run_jobs([job(kws, "accuracy", again)], tmp_path / "out")[0].result
    assert isinstance(result, AccuracyResult)
    assert 0 <= len(slow.infers) - result.resumed <= 1  # at most the one whose answer was not waited for


def test_jobs_that_wait_for_a_worker_do_not_begin_after_an_error(tmp_path: Path, kws: DataSet) -> None:
    waiting = FakeDut()
    jobs = [job(kws, "performance", FakeDut(faults=Faults(disconnect_at=1))), job(kws, "accuracy", waiting)]
    with pytest.raises(LinkError):
        run_jobs(jobs, tmp_path / "out", workers=1)
    assert len(waiting.infers) < 24


def test_a_stop_from_outside_ends_all_jobs(tmp_path: Path, kws: DataSet) -> None:
    stop = threading.Event()
    device = FakeDut()
    device.faults.before = lambda count, command: stop.set() if len(device.infers) == 5 else None
    with pytest.raises(InterruptedRunError):
        run_jobs([job(kws, "accuracy", device)], tmp_path / "out", stop=stop)
    assert len(device.infers) == 5


def test_two_runs_cannot_use_one_directory(tmp_path: Path, kws: DataSet) -> None:
    with job_pool.lock(tmp_path / "out"), pytest.raises(BusyError, match="another run uses") as error:
        run_jobs([job(kws, "accuracy")], tmp_path / "out")
    assert "this process, since 20" in error.value.why and error.value.hint
    run_jobs([job(kws, "accuracy")], tmp_path / "out")


def test_a_board_that_cannot_be_opened_is_that_error(tmp_path: Path, kws: DataSet) -> None:
    def fail() -> FakeBoard:
        raise LinkError("no such port", hint="choose another")

    with pytest.raises(LinkError, match="no such port"):
        run_jobs([Job(board=fail, benchmark=kws.benchmark, data_set=kws, mode="accuracy")], tmp_path / "out")


def test_wrong_jobs_are_refused_before_anything_runs(tmp_path: Path, kws: DataSet) -> None:
    with pytest.raises(UsageError, match="no mode 'acuracy'") as error:
        run_jobs([job(kws, "acuracy")], tmp_path / "out")
    assert "accuracy" in error.value.hint
    with pytest.raises(UsageError, match="two jobs are named 'kws-accuracy'"):
        run_jobs([job(kws, "accuracy"), job(kws, "accuracy")], tmp_path / "out")
    with pytest.raises(UsageError, match="needs a power monitor"):
        run_jobs([job(kws, "energy")], tmp_path / "out")


CHILD = """
    import sys, time
    from pathlib import Path
    from fake_dut import FakeDut, make_data_set
    from test_job_pool import FakeBoard
    from cm4tiny.runner import Job, run_jobs
    root = Path(sys.argv[1])
    data_set = make_data_set(root / "data2", "kws", 400)
    def board():
        fake = FakeDut()
        fake.faults.before = lambda count, command: time.sleep(0.002)
        return FakeBoard(fake)
    jobs = [Job(board, data_set.benchmark, data_set, "accuracy", name=f"board{i}") for i in range(3)]
    try:
        run_jobs(jobs, root / "out", workers=3)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_ctrl_c_ends_all_boards_quickly_and_keeps_their_journals(tmp_path: Path) -> None:
    folders = (Path(__file__).parent, Path(cm4tiny.__file__).parents[1])  # the same package as in this process
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path)], env={"PYTHONPATH": os.pathsep.join(map(str, folders)), "PATH": ""}
    )
    journals = [tmp_path / "out" / "journals" / f"board{i}.jsonl" for i in range(3)]
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and not all(j.exists() and j.read_bytes().count(b"\n") > 2 for j in journals):
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert child.wait(20) == 130
        assert time.monotonic() - began < 5
    finally:
        child.kill()
        child.wait()
    assert all(j.read_bytes().endswith(b"\n") for j in journals)
