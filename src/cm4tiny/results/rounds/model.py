# SPDX-License-Identifier: Apache-2.0
"""What the readers make of a round of results: frozen objects without any judgement in them.

Facts: layouts and formats of the public repositories ``mlcommons/tiny_results_v0.5`` to ``v1.3`` (``docs/replay.md`` lists them) and of the
MLCommons runner (``mlcommons/tiny`` ``benchmark/runner``). Paths inside a round are POSIX text relative to the round's root; nothing here
follows a path that was read from a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

Mode = Literal["accuracy", "performance", "energy"]
Runner = Literal["eembc", "mlc", ""]
DiscrepancyPart = Literal["form", "sums", "log", "results", "summary", "clock", "text"]
Status = Literal["match", "mismatch", "unverifiable", "no-claim"]

MODES: tuple[Mode, ...] = ("accuracy", "performance", "energy")


@cache
def _number(round_id: str) -> tuple[int, int]:
    major, minor = round_id[1:].split(".")
    return int(major), int(minor)


@dataclass(frozen=True)
class Round:
    """A round of MLPerf Tiny: a row of ``rounds.yaml``.

    Attributes:
        id: ``v0.5`` ... ``v1.4``.
        repository: ``owner/name`` of the public results repository, empty while there is none.
        commit: the pinned commit of that repository, 40 hex digits.
        benchmarks: ids of the benchmarks that the round has.
        label_lists: for each benchmark the ids of the label lists that the round accepts, the official one first.
        runners: which runners the round's sessions come from.
        large_files: paths at the pinned commit that hold more than 4 MiB; copies without large files lack them.
    """

    id: str
    repository: str
    commit: str
    benchmarks: tuple[str, ...]
    label_lists: dict[str, tuple[str, ...]]
    runners: tuple[str, ...]
    large_files: frozenset[str]

    @property
    def folder(self) -> str:
        """The usual name of a checkout: ``tiny_results_v1.3``."""
        return f"tiny_results_{self.id}"

    @property
    def number(self) -> tuple[int, int]:
        """``(1, 3)`` for ``v1.3``: what rules compare with."""
        return _number(self.id)


@dataclass(frozen=True)
class Quirk:
    """Something unusual in how files lie or are called. ``kind`` is a key of ``layouts.yaml``; ``path`` is where."""

    kind: str
    path: str
    note: str = ""


@dataclass(frozen=True)
class ModeFiles:
    """The files of one session, found in ``SYS/BENCH/mode``. A path is None where the file is absent.

    Attributes:
        mode: what the session is; ``folder`` may spell it otherwise (``power``, ``enegy``).
        folder: path of the directory, relative to the round's root.
        missing: names of files that the round's repository holds and this copy lacks (files over 4 MiB, and Git LFS pointers).
        pointers: names of files that are Git LFS pointers: the copy has the pointer, not the file.
        others: names of further entries of the directory, AppleDouble files and symbolic links included.
    """

    mode: Mode
    folder: str
    log: Path | None = None
    results: Path | None = None
    script: Path | None = None
    json: Path | None = None
    trace: Path | None = None
    timestamps: Path | None = None
    missing: tuple[str, ...] = ()
    pointers: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def folder_name(self) -> str:
        """The directory's own name."""
        return self.folder.rsplit("/", 1)[-1]

    def lacks(self, role: str, *, pointers: bool = False) -> bool:
        """True if the repository holds the file of that role (``log``, ``json``, ``trace``) and this copy does not.

        Args:
            pointers: only if the copy has a Git LFS pointer in its place.
        """
        return any(_ROLE_END[role](name) for name in (self.pointers if pointers else self.missing))


_ROLE_END = {
    "log": lambda name: name.endswith("log.txt"),
    "json": lambda name: name.endswith("results.json"),
    "trace": lambda name: name.endswith("energy.bin"),
}


@dataclass(frozen=True)
class ResultDir:
    """One published result: a ``SYS/BENCH`` or ``SYS/BENCH/MODEL`` directory.

    Attributes:
        round: the round it belongs to.
        root: the folder of the round's copy on this machine.
        path: the directory, relative to ``root``.
        division: ``closed`` or ``open``.
        submitter: directory name of the organisation.
        system: directory name(s) of the system, ``FRAMEWORK/BOARD`` where there is such a level.
        variant: the model level below the benchmark, else empty.
        benchmark: id of the benchmark, whatever the directory is called.
        benchmark_path: the ``SYS/BENCH`` directory, where the marker ``EEMBC_RUNNER`` lies.
        modes: the sessions' files in the order accuracy, performance, energy.
        system_json: the system description, None if none was found.
        marker: True if ``EEMBC_RUNNER`` marks the benchmark's directory.
        quirks: what is unusual about the layout.
    """

    round: Round
    root: Path
    path: str
    division: str
    submitter: str
    system: str
    variant: str
    benchmark: str
    benchmark_path: str
    modes: tuple[ModeFiles, ...]
    system_json: Path | None = None
    marker: bool = False
    quirks: tuple[Quirk, ...] = ()

    def files(self, mode: Mode) -> ModeFiles | None:
        """The files of a mode, or None."""
        return next((files for files in self.modes if files.mode == mode), None)


@dataclass(frozen=True)
class Tolerated:
    """Something that a reader accepted although it is not as it should be.

    Attributes:
        kind: key of ``docs/replay.md``'s list, e.g. ``glued-line``, ``crlf``, ``stray-cr``, ``bad-vector``.
        file: name of the file in the session's directory.
        line: number of the first line concerned, from 1; 0 for the file as a whole.
        count: how many lines are concerned.
        note: a few words, or the beginning of the first such line.
    """

    kind: str
    file: str
    line: int
    count: int = 1
    note: str = ""


@dataclass(frozen=True)
class Discrepancy:
    """Something in a session's files that is not as the runner writes it, or on which two of them differ.

    Attributes:
        part: what it is about; the audit has a rule for each.
        file: name of the file in the session's directory.
        place: where in it: ``entry 3``, ``line 12``, or empty for the file as a whole.
        text: what is wrong, with both figures.
    """

    part: DiscrepancyPart
    file: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}{', ' + self.place if self.place else ''}: {self.text}"


@dataclass(frozen=True)
class LoggedWindow:
    """One ``infer`` of a performance or energy session.

    Attributes:
        number: from 1, in the order of the log.
        file: basename of the input that was loaded before, empty if the log does not say.
        iterations: measured inferences.
        lap_us: the device's two time stamps, None where the log has none.
        runtime_s: length of the window; from the lap times, ``results.json`` or the log, in that order. None if unknown.
        values: the result vector, empty if none came.
        line: line of the command in the log.
        printed_throughput: what an MLCommons log prints for the window, where nothing more exact is known.
        host_s: length by the host's clock, from the log's own time stamps; None where it has none. The MLCommons runner notes whole
            seconds, with warm-up and transfer of the answers in between.
        warmups: inferences before the window that are not measured.
    """

    number: int
    file: str
    iterations: int
    lap_us: tuple[int, int] | None
    runtime_s: float | None
    values: tuple[float, ...] = ()
    line: int = 0
    printed_throughput: float | None = None
    host_s: float | None = None
    warmups: int = 0

    @property
    def throughput(self) -> float | None:
        """Inferences per second, None if the window's length is unknown or not positive."""
        if self.lap_us is not None:
            elapsed = self.lap_us[1] - self.lap_us[0]
            return self.iterations * 1e6 / elapsed if elapsed > 0 and self.iterations else None
        if self.printed_throughput is not None:
            return self.printed_throughput if self.printed_throughput > 0 else None
        return self.iterations / self.runtime_s if self.runtime_s and self.iterations else None


@dataclass(frozen=True)
class LoggedEnergyWindow:
    """Energy of one window, recomputed from the samples.

    Attributes:
        start_s / stop_s: time stamps of the pin, in the trace's time.
        iterations: inferences between them (0: the log does not say).
        energy_uj: sum of the samples between them.
    """

    start_s: float
    stop_s: float
    iterations: int
    energy_uj: float

    @property
    def runtime_s(self) -> float:
        """Length of the window."""
        return self.stop_s - self.start_s

    @property
    def uj_per_inference(self) -> float:
        """NaN without iterations."""
        return self.energy_uj / self.iterations if self.iterations else float("nan")


@dataclass(frozen=True, eq=False)
class Scores:
    """The result vectors of an accuracy session, one row a file, in the order of first appearance.

    Attributes:
        files: basenames of the inputs.
        values: (files, width) float64; anomaly detection: mean over the file's segments, width 1.
        segments: (files,) how many inferences each row is the mean of.
        lines: (files,) line of each file's first vector in the log.
    """

    files: tuple[str, ...]
    values: npt.NDArray[np.float64]
    segments: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]

    @property
    def width(self) -> int:
        """Entries of a vector."""
        return int(self.values.shape[1]) if self.values.ndim == 2 else 0

    def top(self) -> npt.NDArray[np.int64]:
        """The class of each row: of equal largest entries the first one wins."""
        top: npt.NDArray[np.int64] = np.argmax(self.values, axis=1).astype(np.int64)
        return top


@dataclass(frozen=True)
class Streaming:
    """A streaming-wakeword session.

    Attributes:
        detections_ms: as recorded, the first one marks the start.
        on_s / off_s: start and stop of the duty-cycle recording, in seconds; empty if the session does not keep them.
        power_mw: recomputed mean power, None without samples.
        source: file that the duty cycle came from.
    """

    detections_ms: tuple[int, ...]
    on_s: tuple[float, ...] = ()
    off_s: tuple[float, ...] = ()
    power_mw: float | None = None
    source: str = ""


@dataclass(frozen=True)
class PrintedWindow:
    """A window as ``results.txt`` prints it; fields are the printed text, empty where not printed."""

    number: int
    iterations: str = ""
    runtime: str = ""
    throughput: str = ""
    energy_per_inference: str = ""
    energy: str = ""
    power: str = ""


@dataclass(frozen=True)
class Printed:
    """The claims of a ``results.txt``, as text; of a claim that is printed several times the last one counts, as the checker has it.

    Attributes:
        repeats: how often the block of performance windows is repeated (1 for a normal file, 0 without one).
        errors: texts of ``e-[...]`` lines.
        lines: line of each claim by its field's name.
        counts: how often each claim is printed, by its field's name.
        simulated: True if the file says that its numbers are simulated.
    """

    throughput: str = ""
    top_1: str = ""
    auc: str = ""
    energy: str = ""
    power_mw: str = ""
    detections: str = ""
    duty_cycle: str = ""
    period: str = ""
    sww_throughput: str = ""
    windows: tuple[PrintedWindow, ...] = ()
    energy_windows: tuple[PrintedWindow, ...] = ()
    repeats: int = 0
    errors: tuple[str, ...] = ()
    tolerated: tuple[Tolerated, ...] = ()
    lines: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    simulated: bool = False


@dataclass(frozen=True, eq=False)
class LoggedSession:
    """One session as its files describe it. What a file lacks is empty; ``complete`` and ``notes`` say what that means.

    Attributes:
        runner: ``eembc``, ``mlc``, or empty without a log.
        mode: accuracy, performance or energy.
        model: text of ``m-model-[...]``, empty if the log has none.
        device / profile: texts of ``m-name-dut`` and ``m-profile``.
        session_id: of the EEMBC runner, or the MLCommons session's folder.
        run_mode: EEMBC's ``runMode`` (``bmark``, ``single``), else empty.
        iterations_set: EEMBC's ``iterInfer``.
        windows: each ``infer`` of a performance or energy session; empty for accuracy.
        scores: the vectors of an accuracy session, None otherwise.
        energy: windows recomputed from the trace or from ``results.json``; empty without samples.
        timestamps_s: of an EEMBC trace.
        voltage_mv: of an energy session, as the log prints it.
        streaming: of a sww session.
        printed: the claims; None without ``results.txt``.
        infers: number of ``infer`` commands in the log.
        vectors: number of result vectors in the log.
        tolerated: what was accepted although it is not as it should be.
        begun / ended: whether the log has its beginning and its end.
        truncated: reading stopped at a limit.
        notes: problems, as texts, that no field holds.
        sha256: hash of the log, and of ``results.txt``, ``results.json`` and the trace, by name of the role.
        log_bytes: size of the log.
        simulated: the files say that the numbers are simulated.
        discrepancies: where the files of a session of the MLCommons runner contradict each other or are not as it writes them.
        stated_classes: (file, class) as ``results.json`` states them, each pair once.
    """

    runner: Runner
    mode: Mode
    benchmark: str
    folder: str
    model: str = ""
    device: str = ""
    profile: str = ""
    session_id: str = ""
    run_mode: str = ""
    iterations_set: str = ""
    windows: tuple[LoggedWindow, ...] = ()
    scores: Scores | None = None
    energy: tuple[LoggedEnergyWindow, ...] = ()
    timestamps_s: tuple[float, ...] = ()
    voltage_mv: str = ""
    streaming: Streaming | None = None
    printed: Printed | None = None
    infers: int = 0
    vectors: int = 0
    tolerated: tuple[Tolerated, ...] = ()
    begun: bool = False
    ended: bool = False
    truncated: bool = False
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sha256: dict[str, str] = field(default_factory=dict)
    log_bytes: int = 0
    simulated: bool = False
    discrepancies: tuple[Discrepancy, ...] = ()
    stated_classes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Check:
    """One claim next to its recomputation: a row of ``replay.csv``.

    Attributes:
        mode: name of the directory (``performance``, ``enegy``...).
        metric: ``throughput``, ``throughput(energy run)``, ``top-1``, ``auc``, ``energy``, ``TP/FN/FP``, ``sww throughput``, ``sww power``.
        claimed / recomputed: text, to the precision in which the runner prints the claim; empty if there is none.
        cause: why it is not a plain match, or what is remarkable about it; several are joined by ``"; "``.
    """

    round: str
    path: str
    benchmark: str
    mode: str
    runner: str
    metric: str
    claimed: str
    recomputed: str
    status: Status
    cause: str
