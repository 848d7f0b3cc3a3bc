# SPDX-License-Identifier: Apache-2.0
"""Rules on what ``results.txt`` claims: that it claims, that the logs give the same, that quality targets are met."""

from __future__ import annotations

import re
from collections.abc import Iterator
from statistics import median

from cm4tiny.results.audit.rule import Violation, rule
from cm4tiny.results.audit.views import ResultView, SessionView, number
from cm4tiny.results.rounds.table import benchmark_facts

_CHECKER = "submission_checker.py"
_TARGETS = "MLPerfTiny_Rules.adoc, Benchmarks, quality target; submission_checker.py: accuracy-target"
_TOP_1 = re.compile(r"Top[- ]1%?\s?[:=]\s*([\d.]+)")
_AUC = re.compile(r"AUC\s?[:=]\s*([\d.]+)")
_CHECKER_TOP_1 = re.compile(r".* Top[- ]1%?\s?[:=] ([\d\.]+)")
_CHECKER_AUC = re.compile(r".* AUC\s?[:=] ([\d\.]+)")
_MEDIAN = re.compile(r"Median throughput is\s+([\d.]+) inf\./sec\.")
_CHECKER_MEDIAN = re.compile(r".* Median throughput is\s+([\d\.]+) inf\./sec\.")
_ENERGY = re.compile(r"Median energy cost is ([\d.]+) uJ/inf")
SWW_LIMIT, SWW_TOTAL = 8, 50


@rule(
    "claims.missing",
    "results.txt has the line that the result is read from",
    severity="error",
    scope="session",
    source=f"{_CHECKER}: ACC_PATTERN, check_performance_dir, check_power_dir, sww_perf_acc",
    why="The run did not end, or its file was edited. The official checker drops such a benchmark, silently if another one follows.",
)
def missing(view: SessionView) -> Iterator[Violation]:
    printed = view.session.printed
    if view.files.results is None or printed is None:
        return
    if view.benchmark == "sww":
        wanted = {"detections": printed.detections, "duty cycle": printed.duty_cycle, "estimated throughput": printed.sww_throughput}
        if view.mode == "energy":
            wanted["power"] = printed.power_mw
    elif view.mode == "accuracy":
        wanted = {"AUC": printed.auc} if view.benchmark == "ad" else {"top-1": printed.top_1}
    elif view.mode == "performance":
        wanted = {"median throughput": printed.throughput}
    else:
        wanted = {"median energy cost": printed.energy}
    absent = [name for name, text in wanted.items() if not text]
    if absent:
        yield Violation(view.path, f"no line with {' and '.join(absent)}")


@rule(
    "claims.spelling",
    "The official checker can read the line",
    severity="error",
    scope="session",
    source=f"{_CHECKER}: the patterns ask for something and a blank before 'Top', 'AUC' and 'Median'",
    why="A line that begins with 'Top-1' is a claim for a reader, and none for the official checker.",
    since=(1, 3),
)
def spelling(view: SessionView) -> Iterator[Violation]:
    lines = view.results_text.splitlines()
    pairs = {
        "accuracy": ((_AUC, _CHECKER_AUC) if view.benchmark == "ad" else (_TOP_1, _CHECKER_TOP_1)),
        "performance": (_MEDIAN, _CHECKER_MEDIAN),
        "energy": (_ENERGY, _ENERGY),
    }
    ours, theirs = pairs[view.mode]
    seen = [line for line in lines if ours.search(line)]
    if view.benchmark != "sww" and seen and not any(theirs.search(line) for line in seen):
        yield Violation(view.path, f"the official checker does not see {seen[-1].strip()!r}")


@rule(
    "claims.mismatch",
    "What is claimed is what the logs give",
    severity="error",
    scope="result",
    source="MLPerfTiny_Rules.adoc, Replicability is mandatory; "
    "tiny_results_v0.7: closed/plumerai/results/DISCO_F746NG/ad/performance (log of another session)",
    why="The official checker does not read logs: a falsified figure passes it. Figures are compared to the digits that are printed.",
)
def mismatch(view: ResultView) -> Iterator[Violation]:
    for check in view.checks:
        if check.status == "mismatch":
            cause = f" ({check.cause})" if check.cause else ""
            yield Violation(check.path, f"{check.metric}: {check.claimed} claimed, {check.recomputed} from the logs{cause}")


@rule(
    "claims.unverifiable",
    "What is claimed can be computed again",
    severity="note",
    scope="result",
    source="MLPerfTiny_Rules.adoc, Replicability is mandatory; tiny_results_v0.7: closed/renesas/results/EK-RA6M4/kws/energy (no trace)",
    why="The evidence was not submitted, or this copy lacks it: the claim may be right.",
)
def unverifiable(view: ResultView) -> Iterator[Violation]:
    for check in view.checks:
        if check.status == "unverifiable" and check.claimed:
            yield Violation(check.path, f"{check.metric} {check.claimed}: {check.cause or 'no evidence'}")


@rule(
    "claims.median",
    "The median is that of the printed windows",
    severity="error",
    scope="session",
    source="MLCommons runner main.py, EEMBC runner: median of the windows",
    why="A claim that does not follow from its own file was edited, or belongs to another run.",
)
def median_of_windows(view: SessionView) -> Iterator[Violation]:
    printed = view.session.printed
    if printed is None or view.benchmark == "sww":
        return
    if view.mode == "energy":
        claim, values = printed.energy, [number(window.energy_per_inference) for window in printed.energy_windows]
    else:
        claim, values = printed.throughput, [number(window.throughput) for window in printed.windows]
    claimed, found = number(claim), [value for value in values if value is not None]
    if claimed is None or not found:
        return
    expected = median(found)
    if abs(claimed - expected) > max(0.0011, 2e-6 * expected):
        yield Violation(view.path, f"the median is {claim}, that of the {len(found)} printed windows {expected:.3f}")


@rule(
    "claims.repeated",
    "results.txt prints its result once",
    severity="warning",
    scope="session",
    source="tiny_results_v1.2: closed/bosch/results/NUCLEO_H7A3ZI_float/ic/performance/results.txt (blocks that are repeated)",
    why="Several blocks are several runs, of which the best could be kept. In all cases known so far the values are equal.",
)
def repeated(view: SessionView) -> Iterator[Violation]:
    patterns = {"accuracy": _TOP_1 if view.benchmark != "ad" else _AUC, "performance": _MEDIAN, "energy": _ENERGY}
    found = view.claims(patterns[view.mode])
    if len(found) > 1:
        different = len(set(found)) > 1
        yield Violation(
            view.path, f"printed {len(found)} times, {'with different values: ' + ', '.join(found) if different else 'equal values'}"
        )


@rule(
    "claims.quality-target",
    "Closed results meet the quality target",
    severity="error",
    scope="result",
    source=_TARGETS,
    why="A faster but worse model is not a result of the closed division.",
)
def quality_target(view: ResultView) -> Iterator[Violation]:
    if view.result.division == "closed":
        yield from _below(view)


@rule(
    "claims.open-below-target",
    "Open results below the closed division's target",
    severity="note",
    scope="result",
    source="MLPerfTiny_Rules.adoc, Relaxed constraints for the Open division: accuracy is reported, not required",
    why="Allowed; readers must not compare such a speed with a closed one.",
)
def open_below_target(view: ResultView) -> Iterator[Violation]:
    if view.result.division == "open":
        yield from _below(view)


def _below(view: ResultView) -> Iterator[Violation]:
    if view.result.benchmark == "sww":
        yield from _sww(view)
        return
    metric, target = _target(view.result.benchmark)
    for check in view.checks:
        value = number(check.claimed or check.recomputed)
        if check.metric == metric and value is not None and value < target:
            yield Violation(check.path, f"{metric} {check.claimed or check.recomputed} is below {target:g}")


def _target(benchmark: str) -> tuple[str, float]:
    row = benchmark_facts(benchmark)
    return (row.metric, row.quality_target) if row is not None else ("top-1", 0.0)


def _sww(view: ResultView) -> Iterator[Violation]:
    for session in view.sessions:
        found = _detections(session)
        if found and (found[1] > SWW_LIMIT or found[2] > SWW_LIMIT):
            yield Violation(session.path, f"{found[1]} false negatives and {found[2]} false positives, at most {SWW_LIMIT} each")


def _detections(view: SessionView) -> tuple[int, int, int] | None:
    text = view.session.printed.detections if view.session.printed else ""
    values = [int(value) for value in re.findall(r"\d+", text)]
    return (values[0], values[1], values[2]) if len(values) == 3 else None


@rule(
    "claims.sww-total",
    "True positives and false negatives are the 50 wakewords of the recording",
    severity="error",
    scope="session",
    source=f"{_CHECKER}, sww_perf_acc: True Positives + False Negatives != 50",
    why="Another recording was played.",
    since=(1, 3),
)
def sww_total(view: SessionView) -> Iterator[Violation]:
    found = _detections(view) if view.benchmark == "sww" else None
    if found and found[0] + found[1] != SWW_TOTAL:
        yield Violation(view.path, f"{found[0]} true positives and {found[1]} false negatives, {SWW_TOTAL} together")
