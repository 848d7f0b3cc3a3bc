# SPDX-License-Identifier: Apache-2.0
"""Accuracy runs: every sample of the data set once; resumable.

Procedure: MLCommons runner, ``tests_accuracy.yaml`` (``loop: download, infer 1 0``), all lines of ``y_labels.csv``; anomaly detection
takes every window of a file and averages. Metrics: :mod:`cm4tiny.benchmarks.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cm4tiny.benchmarks import metrics
from cm4tiny.errors import RunnerError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.runner import report_lines
from cm4tiny.runner.dut import Dut, Identity, Inference
from cm4tiny.runner.journal import Journal, JournalKey, data_set_hash
from cm4tiny.runner.performance import unproved, warn_repeat
from cm4tiny.runner.retry import POLICY
from cm4tiny.runner.session import SessionWriter
from cm4tiny.runner.values import check_results
from cm4tiny.runner.witness import Steady

if TYPE_CHECKING:
    from cm4tiny.benchmarks import Benchmark, DataSet, Sample


@dataclass(frozen=True)
class AccuracyResult:
    """The outcome of an accuracy run.

    Attributes:
        samples: files judged.
        inferences: inferences that they took (more than files for anomaly detection).
        resumed: how many of these an earlier, interrupted run had measured.
        top_1: percent; for anomaly detection the runner's precision-and-recall figure.
        auc: ROC AUC as the MLCommons runner computes it.
        eembc_auc: the simplified AUC that EEMBC's runner prints.
        metric: ``"top-1"`` or ``"auc"``: which of them the rules ask for.
        target: the quality target, in the metric's unit.
        doubts: what the device gave no means to prove; empty for a run that counts.
    """

    benchmark: str
    identity: Identity
    samples: int
    inferences: int
    resumed: int
    top_1: float
    auc: float
    eembc_auc: float
    metric: str
    target: float
    doubts: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """The number that the quality target is about."""
        return self.auc if self.metric == "auc" else self.top_1

    @property
    def target_met(self) -> bool:
        """Whether the unrounded value reaches the quality target of the closed division."""
        return not below_target(self.metric, self.value, self.target)


def run_accuracy(
    dut: Dut,
    benchmark: Benchmark,
    data_set: DataSet,
    session: SessionWriter,
    *,
    journal: Path | None = None,
    image: str = "",
    keep_journal: bool = False,
    events: EventStream = SILENT,
) -> AccuracyResult:
    """Measures the accuracy.

    Args:
        journal: where to note each inference, so that an interrupted run can continue; None: nowhere.
        image: sha256 of the firmware image, part of what a journal belongs to; the device's own name and profile stand in for it.
        keep_journal: leave the journal after a complete run.
        events: receives ``"<id> accuracy"``, in inferences.

    Raises:
        ProtocolError: wrong model, an energy image, or an answer that stays damaged.
        DeadlineError, DeviceResetError, LinkError, InterruptedRunError, ResultsError: see there.
    """
    step = f"{benchmark.id} accuracy"
    work = [(index, sample, data_set.segment_count(sample)) for index, sample in enumerate(data_set.samples)]
    total = sum(count for _, _, count in work)
    with events.step(step, total, "inferences") as outcome:
        identity = dut.expect_model(benchmark.model_id)
        dut.expect_mode("performance")
        report_lines.greet(session, dut, identity)
        session.log(f"No loop count specified.  Using full set ({len(work)} test files)")
        notes: dict[tuple[int, int], Inference] = {}
        if journal is None:
            resumed = 0
            _measure(dut, benchmark, data_set, session, work, notes, None, events, step, total)
        else:
            key = JournalKey(benchmark.id, image or f"{identity.name} {identity.profile}", data_set_hash(data_set))
            with Journal(journal, key) as book:
                resumed = _announce(book, session, events, step)
                notes = book.inferences
                _measure(dut, benchmark, data_set, session, work, notes, book, events, step, total)
        result = _summary(benchmark, identity, work, notes, resumed, unproved(dut))
        for index, sample, count in work:
            for segment in range(count):
                segments = count if sample.stride_bytes else None
                session.entry(report_lines.entry(sample, notes[index, segment], "a", segments=segments, dut=dut))
        for doubt in result.doubts:
            session.result(f"e-[{doubt}]")
        report_lines.accuracy(session, result.top_1, result.auc)
        session.finish()
        if journal is not None and not keep_journal:
            book.remove()
        outcome.note = f"AUC {result.auc:.3f}" if result.metric == "auc" else f"top-1 {result.top_1:.1f} %"
    return result


def below_target(metric: str, value: float, target: float) -> tuple[str, ...]:
    """Says so, of an unrounded value that does not reach the quality target; empty for one that does."""
    return () if value >= target else (f"{metric} {value:g} is below the quality target {target:g}",)


def accuracy_figures(vectors: Sequence[Sequence[Sequence[float]]], labels: Sequence[int]) -> tuple[float, float, float]:
    """Top-1 in per cent (of a single output the runner's precision-and-recall figure), AUC as the MLCommons runner has it, and as EEMBC's.

    Args:
        vectors: files x inferences of a file x outputs; of a file, the mean counts. Inferences of one file, and files, have equal widths.
        labels: of the files.
    """
    rows = [np.mean(np.array([metrics.normalised(one) for one in file], dtype=np.float64), axis=0) for file in vectors]
    raw = np.array([np.mean(file, axis=0) for file in vectors], dtype=np.float64)
    scores, judged = np.array(rows, dtype=np.float64), np.array(labels, dtype=np.int64)
    top_1 = metrics.anomaly_top_1(scores, judged) if scores.shape[1] == 1 else metrics.top_1(raw, judged)
    return top_1, metrics.auc(scores, judged), metrics.eembc_auc(raw, judged)


def _announce(book: Journal, session: SessionWriter, events: EventStream, step: str) -> int:
    if book.note:
        events.message(step, book.note, "warning")
        session.log(f"WARNING: {book.note}")
    resumed = len(book.inferences)
    if resumed:
        text = f"{resumed} inferences were measured by an interrupted run and are taken from its journal"
        events.message(step, text)
        session.log(text)
    return resumed


def _measure(
    dut: Dut,
    benchmark: Benchmark,
    data_set: DataSet,
    session: SessionWriter,
    work: list[tuple[int, Sample, int]],
    notes: dict[tuple[int, int], Inference],
    book: Journal | None,
    events: EventStream,
    step: str,
    total: int,
) -> None:
    steady = None if dut.exact else Steady()
    number = 0
    for index, sample, count in work:
        missing = any((index, segment) not in notes for segment in range(count))
        inputs = data_set.segments(sample) if missing else iter(())
        for segment in range(count):
            number += 1
            data = next(inputs, b"")
            done = notes.get((index, segment))
            report_lines.loading(session, sample, segment)
            inference = done if done is not None else _repeated(dut, partial(_one, dut, benchmark, data, steady), events, step)
            report_lines.loaded(session, inference.warmups, inference.iterations)
            report_lines.window(session, number, inference)
            if done is None:
                if book is not None:
                    book.add(index, segment, inference)
                notes[index, segment] = inference
                events.progress(step, number, total)


def _repeated(dut: Dut, measure: Callable[[], Inference], events: EventStream, step: str) -> Inference:
    return POLICY.run(POLICY.measurements, measure, dut.recover, lambda error: warn_repeat(events, step, error))


def _one(dut: Dut, benchmark: Benchmark, data: bytes, steady: Steady | None) -> Inference:
    dut.load(data)
    for _ in range(1 if steady is None or steady.primed else 2):  # one more at the start, which the others are compared with
        inference = check_results(dut.infer(1, 0), benchmark, confirmed=dut.confirms)
        if steady is not None and inference.elapsed_us is not None:
            steady.accept(inference.elapsed_us, dut.clock_step_us)
    return inference


def _summary(
    benchmark: Benchmark,
    identity: Identity,
    work: list[tuple[int, Sample, int]],
    notes: dict[tuple[int, int], Inference],
    resumed: int,
    doubts: tuple[str, ...],
) -> AccuracyResult:
    if not work:
        raise RunnerError("the data set is empty", hint="use the benchmark's own data set")
    vectors = [[notes[index, segment].results for segment in range(count)] for index, _, count in work]
    top_1, auc, eembc_auc = accuracy_figures(vectors, [sample.label for _, sample, _ in work])
    return AccuracyResult(
        benchmark=benchmark.id,
        identity=identity,
        samples=len(work),
        inferences=sum(count for _, _, count in work),
        resumed=resumed,
        top_1=top_1,
        auc=auc,
        eembc_auc=eembc_auc,
        metric=benchmark.metric,
        target=benchmark.quality_target,
        doubts=doubts,
    )
