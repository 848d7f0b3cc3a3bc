# SPDX-License-Identifier: Apache-2.0
"""Rules on the values themselves: what cannot be, and what a reader should know."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator

import numpy as np

from cm4tiny.results.audit.rule import Violation, rule
from cm4tiny.results.audit.views import ResultView, SessionView, number
from cm4tiny.results.rounds.model import Mode

MAX_INFERENCES_PER_S = 1e6
MAX_UJ, MIN_UJ = 1e9, 1e-3
MAX_POWER_W, MIN_POWER_W = 100.0, 1e-7
_LOOSE_SUM = 0.05


@rule(
    "values.impossible",
    "Claims are possible",
    severity="error",
    scope="session",
    source="this project (docs/audit.md): top-1 up to 100, AUC up to 1, positive speed and energy, power between 0.1 uW and 100 W",
    why="A typing error, a wrong unit, or a falsified file.",
)
def impossible(view: SessionView) -> Iterator[Violation]:
    printed = view.session.printed
    if printed is None:
        return
    limits = {
        "top-1": (printed.top_1, 0.0, 100.0),
        "AUC": (printed.auc, 0.0, 1.0),
        "throughput": (printed.throughput, 1e-6, MAX_INFERENCES_PER_S),
        "energy": (printed.energy, MIN_UJ, MAX_UJ),
        "power": (printed.power_mw, MIN_POWER_W * 1e3, MAX_POWER_W * 1e3),
        "duty cycle": (printed.duty_cycle, 0.0, 1.0),
    }
    for name, (text, low, high) in limits.items():
        value = number(text) if text else None
        if text and (value is None or not math.isfinite(value) or not low <= value <= high):
            yield Violation(view.path, f"{name} {text}")


@rule(
    "values.power",
    "Energy, time and power of a window belong together",
    severity="error",
    scope="session",
    source="this project (docs/audit.md): mean power of a window between 0.1 uW and 100 W",
    why="Samples in another unit, or a trace of another board.",
)
def power(view: SessionView) -> Iterator[Violation]:
    for window in view.session.energy:
        if window.runtime_s <= 0:
            yield Violation(view.path, f"a window from {window.start_s:.3f} s to {window.stop_s:.3f} s")
            return
        watts = window.energy_uj * 1e-6 / window.runtime_s
        if not MIN_POWER_W <= watts <= MAX_POWER_W:
            yield Violation(view.path, f"{watts:.3g} W in a window of {window.runtime_s:.3f} s")
            return


@rule(
    "values.clock",
    "The device's clock goes forward",
    severity="error",
    scope="session",
    source="DUT messages: m-lap-us",
    why="Windows that end before they begin, or begin before the last one ended, were put together by hand.",
)
def clock(view: SessionView) -> Iterator[Violation]:
    laps = [stamp for window in view.session.windows if window.lap_us is not None for stamp in window.lap_us]
    for before, after in itertools.pairwise(laps):
        if after < before and not before - after > 2**31:
            yield Violation(view.path, f"time stamp {after} us comes after {before} us")
            return


@rule(
    "values.identical-windows",
    "Windows are not copies of each other",
    severity="note",
    scope="session",
    source="this project (docs/audit.md); 8 results of v0.7 to v1.2",
    why="Code without branches on data can take the same microseconds five times; a copied window looks the same.",
)
def identical_windows(view: SessionView) -> Iterator[Violation]:
    elapsed = [round(window.runtime_s * 1e6) for window in view.session.windows if window.runtime_s]
    if len(elapsed) > 2 and len(set(elapsed)) == 1 and elapsed[0] % 1000:
        yield Violation(view.path, f"{len(elapsed)} windows of exactly {elapsed[0]} us")


@rule(
    "values.vector-width",
    "A result vector has as many entries as the benchmark has results",
    severity="error",
    scope="session",
    source="tiny_results_v0.7: open/hls4ml-finn/results/arty-a7-100t/ic/CNV-W1A1/accuracy (12 values for 10 classes); "
    "DUT messages: m-results",
    why="Entries beyond the classes take part in the argmax.",
    warning_before=(1, 3),
)
def vector_width(view: SessionView) -> Iterator[Violation]:
    row = view.facts
    scores = view.session.scores
    if row is None or scores is None or not scores.files or view.benchmark == "ad":
        return
    if scores.width != row.results:
        yield Violation(view.path, f"vectors of {scores.width} entries, the benchmark has {row.results}")


@rule(
    "values.not-a-number",
    "Result vectors are finite numbers",
    severity="error",
    scope="session",
    source="DUT messages: m-results",
    why="NaN is larger than nothing and smaller than nothing: the argmax is arbitrary.",
)
def not_a_number(view: SessionView) -> Iterator[Violation]:
    scores = view.session.scores
    if scores is not None and scores.values.size and not np.isfinite(scores.values).all():
        rows = int((~np.isfinite(scores.values)).any(axis=1).sum())
        yield Violation(view.path, f"{rows} of {len(scores.files)} vectors hold NaN or infinity")


@rule(
    "values.constant",
    "Not every input gives the same answer",
    severity="error",
    scope="session",
    source="this project (docs/audit.md)",
    why="A firmware that never runs the model answers always the same.",
)
def constant(view: SessionView) -> Iterator[Violation]:
    scores = view.session.scores
    if scores is not None and len(scores.files) > 9 and bool((scores.values == scores.values[0]).all()):
        yield Violation(view.path, f"{len(scores.files)} equal vectors")


def _answers(view: SessionView | None) -> dict[str, tuple[float, ...]]:
    """The vector of each input that a session has one for."""
    if view is None:
        return {}
    scores = view.session.scores
    if scores is not None:
        return {file: tuple(row) for file, row in zip(scores.files, scores.values.tolist(), strict=True)}
    return {window.file: window.values for window in view.session.windows if window.file and window.values}


def _other_answers(view: ResultView, one: Mode, other: Mode) -> Iterator[Violation]:
    first, second = view.session(one), view.session(other)
    ours, theirs = _answers(first), _answers(second)
    differing = [file for file in ours if file in theirs and ours[file] != theirs[file]]
    if first is not None and differing:
        yield Violation(
            first.path,
            f"{len(differing)} of {len(set(ours) & set(theirs))} inputs have another answer than in the {other} run: {differing[0]}",
        )


@rule(
    "values.same-answer",
    "An energy run gives the answers of the performance run",
    severity="error",
    scope="result",
    source="MLPerfTiny_Rules.adoc, Benchmark Runner: the same code for all modes",
    why="The same firmware gives the same answer to the same input. All energy runs of v1.3 do.",
    since=(1, 3),
    warning_before=(1, 4),
)
def same_answer(view: ResultView) -> Iterator[Violation]:
    yield from _other_answers(view, "energy", "performance")


@rule(
    "values.other-answer",
    "A performance run gives the answers of the accuracy run",
    severity="warning",
    scope="result",
    source="MLPerfTiny_Rules.adoc, Benchmark Runner: the same code for accuracy and performance",
    why="An input that is answered otherwise was sent otherwise, or the firmware is another one. In v1.3 two of 28 results differ.",
    since=(1, 3),
)
def other_answer(view: ResultView) -> Iterator[Violation]:
    if view.result.benchmark != "ad":  # an accuracy run's answers to anomaly detection are means over a file
        yield from _other_answers(view, "performance", "accuracy")


@rule(
    "values.style",
    "Result vectors are probabilities",
    severity="note",
    scope="session",
    source="DUT messages: m-results; tiny_results_v1.1: closed/Skymizer/results/NUCLEO_L4R5ZI-zephyr/kws/accuracy/log.txt (0 to 127)",
    why="Top-1 is right all the same; an AUC over thresholds from 0 to 1 is not what it seems.",
)
def style(view: SessionView) -> Iterator[Violation]:
    scores = view.session.scores
    if scores is None or len(scores.files) < 10 or view.benchmark in ("ad", "sww") or not np.isfinite(scores.values).all():
        return
    values = scores.values
    low, high, sums = float(values.min()), float(values.max()), values.sum(axis=1)
    if high > 1.5 and bool((values == np.round(values)).all()) and low >= 0:
        yield Violation(view.path, f"whole numbers from {low:g} to {high:g}")
    elif set(np.unique(values)) <= {0.0, 1.0}:
        yield Violation(view.path, "one-hot vectors: the AUC says no more than the accuracy")
    elif low < -0.01 or high > 1.01:
        yield Violation(view.path, f"values from {low:g} to {high:g}")
    elif float(np.abs(sums - 1).max()) > _LOOSE_SUM:
        yield Violation(view.path, f"sums from {float(sums.min()):.3f} to {float(sums.max()):.3f}")


@rule(
    "values.on-the-target",
    "An accuracy lies exactly on the target",
    severity="note",
    scope="session",
    source="MLPerfTiny_Rules.adoc, Benchmarks, quality target",
    why="Allowed. One more wrong answer would have been too many, so a reader may want to look at the list that was used.",
)
def on_the_target(view: SessionView) -> Iterator[Violation]:
    row, printed = view.facts, view.session.printed
    if row is None or printed is None or view.mode != "accuracy":
        return
    text = printed.auc if view.benchmark == "ad" else printed.top_1
    if re.fullmatch(r"[\d.]+", text) and number(text) == row.quality_target:
        yield Violation(view.path, f"{text} is the target")
