# SPDX-License-Identifier: Apache-2.0
"""Several boards at once: a job is a board, a benchmark and a mode; as many run side by side as there are workers.

The first job that fails stops the others between two reads; so does Ctrl-C. Journals of accuracy runs stay, so that the same call continues
where it stopped. A lock file keeps two runs out of one output directory.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cm4tiny.errors import InterruptedRunError, UsageError, nearest
from cm4tiny.events import SILENT, Event, EventStream
from cm4tiny.locks import acquire
from cm4tiny.runner.accuracy import AccuracyResult, run_accuracy
from cm4tiny.runner.dut import Dut
from cm4tiny.runner.energy import EnergyResult, run_energy
from cm4tiny.runner.performance import PerformanceResult, run_performance
from cm4tiny.runner.rules import Rules
from cm4tiny.runner.session import Clock, SessionWriter, file_errors, utc_now, virtual_now

if TYPE_CHECKING:
    from cm4tiny.benchmarks import Benchmark, DataSet
    from cm4tiny.boards import Calls, Link, PowerMonitor, PowerSettings

MODES = ("performance", "accuracy", "energy")
LOCK_FILE = ".lock"
DBANK = 1 << 22
"""The option bytes as the flash interface has loaded them; the bit that makes the flash two banks (RM0432 3.7.8)."""
POLL_S = 0.1
"""How often the main thread looks up from waiting, so that Ctrl-C takes effect at once."""


class Board(Protocol):
    """What a job needs of a board. ``power`` (energy runs) and ``cycles`` (a counter) are optional attributes."""

    @property
    def link(self) -> Link:
        """The byte stream to the device."""
        ...

    def close(self) -> None:
        """Lets go of the board."""
        ...


@dataclass(frozen=True)
class Job:
    """One run on one board.

    Attributes:
        board: opens the board; called in the worker, the board is closed there too.
        benchmark, data_set: what is run.
        mode: ``"performance"``, ``"accuracy"`` or ``"energy"``.
        simulated: label for the session's files, empty for hardware (see :class:`SessionWriter`).
        open_division: why the image is one of the open division, empty if it is not known to be.
        own_model: the image was made from a model of the user's instead of the benchmark's.
        verified: whether the image was executed and compared with a reference after its build; None: not known.
        image: sha256 of the firmware image, for the accuracy run's journal.
        chunk_bytes: most data bytes in a ``db`` line; None: as many as the device proves.
        iterations: inferences in a window; None: calibrated.
        rules: None: the official ones.
        name: of the job's folders; unique in a pool. Default ``<benchmark>-<mode>``.
        now: wall clock of the session's files; None: virtual time for a simulated run, UTC for a real board.
    """

    board: Callable[[], Board]
    benchmark: Benchmark
    data_set: DataSet
    mode: str
    simulated: str = ""
    open_division: str = ""
    own_model: bool = False
    verified: bool | None = None
    image: str = ""
    chunk_bytes: int | None = None
    iterations: int | None = None
    rules: Rules | None = None
    name: str = ""
    now: Clock | None = None

    @property
    def id(self) -> str:
        """The name, or what stands in for it."""
        return self.name or f"{self.benchmark.id}-{self.mode}"


@dataclass(frozen=True)
class JobResult:
    """The outcome of one job: its result, the folder of its session, and what the board says of itself (None if it cannot).

    Attributes:
        clock_mhz, supply_v: core clock, supply voltage.
        power: a simulated board's clock and power settings at the end of the run.
        stall: the share of its work that waited for flash.
        strict: False if a virtual board went on where the chip would not; True for hardware, too.
        option_bytes: a virtual board's FLASH_OPTR.
        notes: what a virtual board met that it does not model, or that the chip would not do.
        calls: how many inferences a virtual board was asked for, and how many it executed.
    """

    job: Job
    result: PerformanceResult | AccuracyResult | EnergyResult
    session: Path
    clock_mhz: float | None = None
    supply_v: float | None = None
    power: PowerSettings | None = None
    stall: float | None = None
    strict: bool = True
    option_bytes: int | None = None
    notes: tuple[str, ...] = ()
    calls: Calls | None = None


def run_jobs(
    jobs: Sequence[Job], out_dir: Path, *, workers: int = 1, events: EventStream = SILENT, stop: threading.Event | None = None
) -> list[JobResult]:
    """Runs all jobs and returns their results in the order of the jobs.

    Sessions go to ``out_dir/sessions/<job id>/``, journals to ``out_dir/journals/<job id>.jsonl``.

    Args:
        workers: how many jobs run at a time.
        events: receives those of all jobs, one event at a time.
        stop: set it to stop all jobs.

    Raises:
        BusyError: another run uses ``out_dir``.
        UsageError: no such mode, or two jobs of one name.
        Cm4TinyError: that of the job that failed first; the others were stopped.
        KeyboardInterrupt: after all jobs have stopped.
    """
    _check(jobs)
    stop = stop if stop is not None else threading.Event()
    stream = _serial(events)
    with lock(out_dir), ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="board") as pool:
        futures = [pool.submit(_run, job, out_dir, stream, stop) for job in jobs]
        try:
            _wait(futures)
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            wait(futures)
            raise
        return [future.result() for future in futures]


def _check(jobs: Sequence[Job]) -> None:
    ids = [job.id for job in jobs]
    for job in jobs:
        if job.mode not in MODES:
            raise UsageError(f"there is no mode {job.mode!r}", hint=nearest(job.mode, MODES) or f"use one of {', '.join(MODES)}")
        if ids.count(job.id) > 1:
            raise UsageError(f"two jobs are named {job.id!r}", hint="give each job a name of its own")


def _serial(events: EventStream) -> EventStream:
    """A stream that hands over one event at a time, whatever thread it comes from."""
    guard = threading.Lock()

    def forward(event: Event) -> None:
        with guard:
            events.emit(event)

    return EventStream(forward)


@contextlib.contextmanager
def lock(out_dir: Path) -> Iterator[None]:
    """Holds an output directory for this run; :class:`BusyError` if another run holds it."""
    with file_errors(out_dir):
        out_dir.mkdir(parents=True, exist_ok=True)
    with acquire(out_dir / LOCK_FILE, subject=str(out_dir), hint="wait for it to end, or choose another output directory"):
        yield


def _wait(futures: list[Future[JobResult]]) -> None:
    """Returns when all jobs are done; raises the error of the first that failed."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=POLL_S, return_when=FIRST_COMPLETED)
        errors = [error for error in (future.exception() for future in done) if error is not None]
        if errors:
            raise next((error for error in errors if not isinstance(error, InterruptedRunError)), errors[0])


def _run(job: Job, out_dir: Path, events: EventStream, stop: threading.Event) -> JobResult:
    if stop.is_set():
        raise InterruptedRunError(f"{job.id} was stopped before it began")
    board = job.board()
    try:
        dut = Dut(board.link, chunk_bytes=job.chunk_bytes, stop=stop, events=events)
        root, journal = out_dir / "sessions" / job.id, out_dir / "journals" / f"{job.id}.jsonl"
        now = job.now or (virtual_now(board.link.clock) if job.simulated else utc_now)
        strict, option_bytes = _is_strict(board), _option_bytes(board)
        with SessionWriter(root, simulated=job.simulated, strict=strict, open_division=job.open_division, now=now) as session:
            session.closing_label = lambda: periodic_text(_calls(board))
            if option_bytes is not None:
                session.log(option_bytes_text(option_bytes))
            session.closing = lambda: [f"Board: {note}" for note in _notes(board)]
            result = _measure(job, journal, board, dut, session, events)
            return JobResult(job, result, session.folder, *_conditions(board), strict, option_bytes, _notes(board), _calls(board))
    finally:
        board.close()


def _is_strict(board: Board) -> bool:
    """Read back from the board; hardware has no such mode."""
    statistics = getattr(board, "statistics", None)
    return bool(getattr(statistics(), "strict", True)) if statistics else True


def _notes(board: Board) -> tuple[str, ...]:
    statistics = getattr(board, "statistics", None)
    return tuple(getattr(statistics(), "notes", ())) if statistics else ()


def _calls(board: Board) -> Calls | None:
    calls = getattr(board, "calls", None)
    return calls() if calls else None


def periodic_text(calls: Calls | None) -> str:
    """A label for the session: how many inferences its figures rest on, and how many of them ran; empty if all did."""
    if calls is None or not calls.proven:
        return ""
    return f"{calls.count} inferences, {calls.executed} executed, the rest proven periodic"


def _option_bytes(board: Board) -> int | None:
    read = getattr(board, "option_bytes", None)
    return read() if read else None


def option_bytes_text(optr: int) -> str:
    """A line for the session's log: what of FLASH_OPTR decides how flash is read (RM0432 3.7.8)."""
    banks = "two banks, read in words of 64 bits" if optr & DBANK else "one bank, read in words of 128 bits"
    return f"Board: FLASH_OPTR is 0x{optr:08x}: DBANK = {int(bool(optr & DBANK))} ({banks})"


def _conditions(board: Board) -> tuple[float | None, float | None, PowerSettings | None, float | None]:
    """Core clock in MHz and supply voltage, where the board counts cycles or has a power monitor; a simulated one's settings and stalls."""
    statistics, power = getattr(board, "statistics", None), getattr(board, "power", None)
    settings, work = getattr(board, "power_settings", None), getattr(board, "stalled_and_worked", None)
    stalled, worked = work() if work else (0.0, 0.0)
    return (
        statistics().hclk_hz / 1e6 if statistics else None,
        power.voltage_v if power else None,
        settings() if settings and getattr(board, "models_current", True) else None,
        stalled / worked if worked else None,
    )


def _measure(
    job: Job, journal: Path, board: Board, dut: Dut, session: SessionWriter, events: EventStream
) -> PerformanceResult | AccuracyResult | EnergyResult:
    if job.mode == "accuracy":
        return run_accuracy(dut, job.benchmark, job.data_set, session, journal=journal, image=job.image, events=events)
    if job.mode == "energy":
        power: PowerMonitor | None = getattr(board, "power", None)
        if power is None:
            raise UsageError(
                f"{job.id} needs a power monitor, the board {dut.link.name} has none", hint="connect one, or leave out energy runs"
            )
        return run_energy(dut, power, job.benchmark, job.data_set, session, iterations=job.iterations, rules=job.rules, events=events)
    counts = hasattr(board, "cycles")
    return run_performance(
        dut,
        job.benchmark,
        job.data_set,
        session,
        iterations=job.iterations,
        rules=job.rules,
        cycles=(lambda: int(getattr(board, "cycles"))) if counts else None,  # noqa: B009
        events=events,
    )
