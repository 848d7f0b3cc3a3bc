# SPDX-License-Identifier: Apache-2.0
"""How close the virtual board comes to published results: one row per image or build, and what the rows say together.

A row is measured by the device's own time stamps over a window of inferences; counts are those of the board over the same window. Rows are
kept as JSON, so that several programs can add theirs before the table is written.
"""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cm4tiny.benchmarks import Benchmark, get_benchmark
from cm4tiny.boards import BoardStatistics, VirtualBoard
from cm4tiny.boards.virtual import CycleModel
from cm4tiny.errors import ResultsError
from cm4tiny.images.streaming import Recording, run_streaming
from cm4tiny.runner.dut import Dut

WINDOW_CYCLES = 300_000_000
"""About two and a half virtual seconds at 120 MHz: 1 us of a time stamp is below 1e-6 of it."""


@dataclass(frozen=True)
class Row:
    """One image or build.

    Attributes:
        id: ``"bosch-v1.2-kws"``, ``"octoml-v1.0-native-kws"``.
        kind: ``"image"`` (the published bytes), ``"build"`` (the published sources, compiled here) or ``"stream"`` (an image of the
            streaming benchmark: its throughput is estimated from its duty cycle, published and predicted).
        predicted, published: throughput, inferences per second; published is None where nothing was.
        instructions, cycles, icache_misses, dcache_misses: per inference.
        pairs: what the fitted constant of the cycle model weighs, per inference: the cycles that the second halves of 128-bit pairs would
            cost at full price; None where that was not measured.
        equal, compared: inputs whose ``m-results`` equal the published run's, of how many; None where none were compared.
        note: a remark.
        stall_cycles: cycles of an inference that wait for flash, for the energy model; None in rows of earlier versions.
    """

    id: str
    kind: str
    benchmark: str
    predicted: float
    published: float | None = None
    instructions: float = 0.0
    cycles: float = 0.0
    icache_misses: float = 0.0
    dcache_misses: float = 0.0
    pairs: float | None = None
    equal: int | None = None
    compared: int | None = None
    note: str = ""
    stall_cycles: float | None = None

    @property
    def ratio(self) -> float | None:
        """Predicted over published."""
        return self.predicted / self.published if self.published else None


def synthetic_input(benchmark: Benchmark, seed: int = 1) -> bytes:
    """Bytes of the right size and kind; the time of an inference does not depend on their values by more than a few cycles in 10^5."""
    chance = random.Random(seed)
    if benchmark.input_kind == "float32":
        return b"".join(struct.pack("<f", chance.gauss(-5, 10)) for _ in range(benchmark.input_bytes // 4))
    return chance.randbytes(benchmark.input_bytes)


def measure(
    path: Path, benchmark_id: str, *, row_id: str, kind: str = "image", published: float | None = None, constants: bool = True
) -> Row:
    """Runs an image or an ELF and makes its row; outputs are compared elsewhere.

    Args:
        constants: also run it under two other cycle models, to tell what the fitted constant counts.

    Raises:
        FirmwareError, DeviceFaultError, RunnerError: it does not load, crashes, or does not answer.
    """
    benchmark = get_benchmark(benchmark_id)
    window = _window(path, benchmark, CycleModel(), WINDOW_CYCLES)
    pairs = None
    if constants:
        plain, paired = (
            _window(path, benchmark, model, WINDOW_CYCLES // 10).cycles
            for model in (CycleModel(pair_per_mille=0), CycleModel(pair_per_mille=1000))
        )
        pairs = paired - plain
    return replace(window, id=row_id, kind=kind, published=published, pairs=pairs)


def _window(path: Path, benchmark: Benchmark, model: CycleModel, cycles: int) -> Row:
    with VirtualBoard(path, model=model, strict=False) as board:
        dut = Dut(board.link)
        dut.expect_model(benchmark.model_id)
        dut.load(synthetic_input(benchmark))
        before = board.cycles
        dut.infer(1, prove=False)  # nothing but the command itself between the counts
        count = max(2, cycles // (board.cycles - before))
        dut.infer(count, prove=False)  # the profiling phase ends here
        start = board.statistics()
        inference = dut.infer(count, prove=False)
        end = board.statistics()
        assert inference.elapsed_us
        return Row(
            id=path.stem,
            kind="image",
            benchmark=benchmark.id,
            predicted=count * 1e6 / inference.elapsed_us,
            instructions=(end.instructions - start.instructions) / count,
            cycles=(end.cycles - start.cycles) / count,
            icache_misses=(end.icache_misses - start.icache_misses) / count,
            dcache_misses=(end.dcache_misses - start.dcache_misses) / count,
            stall_cycles=(_stalls(end) - _stalls(start)) / count,
        )


def _stalls(statistics: BoardStatistics) -> int:
    return statistics.icache_stall_cycles + statistics.dcache_stall_cycles


def measure_streaming(path: Path, recording: Recording, *, row_id: str, published: float | None = None) -> Row:
    """The row of a streaming image: what it did with a recording.

    Raises:
        FirmwareError, DeviceFaultError, RunnerError: it does not load, crashes, or does not answer.
    """
    result = run_streaming(path, recording)
    note = f"duty cycle {result.duty_cycle:.3f} of {1000 * result.period_s:.3f} ms; {result.found} of {result.windows} words found, "
    return Row(row_id, "stream", "sww", result.throughput, published, note=f"{note}{result.false_positives} false")


# --- what the rows say together -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Errors:
    """Relative errors of predicted throughput: root mean square, the largest, and whose that is."""

    rms: float
    worst: float
    worst_id: str
    rows: int


def errors_of(rows: Iterable[Row]) -> Errors | None:
    """Over the rows that have something published; None if there are none."""
    deviations = [(row.ratio - 1.0, row.id) for row in rows if row.ratio is not None]
    if not deviations:
        return None
    worst = max(deviations, key=lambda item: abs(item[0]))
    return Errors(math.sqrt(sum(d * d for d, _ in deviations) / len(deviations)), worst[0], worst[1], len(deviations))


@dataclass(frozen=True)
class Fit:
    """The fitted constant by a grid search, the share of a miss that a pair's second half costs; and the errors with it, of all rows and of
    rows that were left out of their own fit."""

    pair: float
    rms: float
    worst: float
    left_out_rms: float
    left_out_worst: float


PAIR_GRID = tuple(step / 10 for step in range(0, 11))


def _deviation(row: Row, pair: float) -> float:
    """Error of a row under another constant: its cycles are linear in it."""
    assert row.pairs is not None and row.ratio is not None
    change = (pair - CycleModel().pair_per_mille / 1000) * row.pairs
    return row.ratio * row.cycles / (row.cycles + change) - 1.0


def _rms(values: Sequence[float]) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values))


def _best(rows: Sequence[Row], pair: Sequence[float]) -> float:
    return min(pair, key=lambda choice: _rms([_deviation(row, choice) for row in rows]))


def fit(rows: Iterable[Row], *, pair: Sequence[float] = PAIR_GRID) -> Fit:
    """Fits the constant to all rows, and each row's error by the fit to the others (leave-one-out).

    Raises:
        ResultsError: fewer than three rows have everything that it takes.
    """
    usable = [row for row in rows if row.ratio is not None and row.pairs is not None]
    if len(usable) < 3:
        raise ResultsError("too few rows for a fit", why=f"{len(usable)} have a published result and counts", hint="measure more images")
    constant = _best(usable, pair)
    all_in = [_deviation(row, constant) for row in usable]
    left_out = []
    for index, row in enumerate(usable):
        others = usable[:index] + usable[index + 1 :]
        left_out.append(_deviation(row, _best(others, pair)))
    return Fit(constant, _rms(all_in), max(all_in, key=abs), _rms(left_out), max(left_out, key=abs))


# --- rows as files --------------------------------------------------------------------------------------------------------------------


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Writes rows as JSON."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


def read_rows(path: Path) -> tuple[Row, ...]:
    """Reads rows.

    Raises:
        ResultsError: no such file, or not of rows.
    """
    try:
        return tuple(Row(**item) for item in json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ResultsError(f"{path} holds no rows of the fidelity table", why=str(error), hint="write it again") from error
