# SPDX-License-Identifier: Apache-2.0
"""What log and ``results.txt`` must say, computed from the entries of ``results.json`` with the runner's own expressions.

A line may have several right forms: numpy and ``math.fsum`` add up samples differently, so that a last digit may differ.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from cm4tiny.benchmarks import metrics
from cm4tiny.results.rounds.eembc_log import basename
from cm4tiny.results.rounds.model import Mode

Forms = tuple[str, ...]
"""All right forms of one line, with single blanks."""

RULE = "-" * 57
MET = "Runtime requirements have been met."
RATE_HZ = 1000


def file_name(entry: dict[str, Any]) -> str:
    """The name of the input without folders, as logs are read."""
    return basename(str(entry["file"]).encode("utf-8", "replace"))


def groups(entries: Sequence[dict[str, Any]], mode: Mode) -> Iterator[str]:
    """The log's lines for each entry, joined by line feeds."""
    last, segment = "", 0
    for number, entry in enumerate(entries, start=1):
        infer, name = entry["infer"], file_name(entry)
        segment = segment + 1 if entry["stride"] is not None and mode == "accuracy" and name == last else 0
        last = name
        iterations, warmups = infer["iterations"], infer["warmups"]
        lines = [f"Loading file {name} segment {segment}", "Load complete."]
        lines += [f"Running inference with {warmups}/{iterations} (warmup/measured) iterations ...", "done"]
        if mode == "energy":
            power = entry["power"]
            lines.append(f"Captured samples:{len(power['samples'])} timestamps:{len(power['timestamps'])}")
        else:
            elapsed = infer["elapsed_time"]
            lines += [f"Performance results for window {number}:", f"# Inferences : {iterations}", f"Runtime : {elapsed / 1e6:.3f} sec."]
            lines += [f"Throughput : {iterations / (elapsed / 1e6):.3f} inf./sec.", f"m-results : {infer['results']}"]
        yield "\n".join(lines)


def results(entries: Sequence[dict[str, Any]], mode: Mode) -> list[Forms]:
    """The lines of ``results.txt``."""
    if mode == "performance":
        return list(_performance(entries))
    return list(energy(entries)) if mode == "energy" else list(_accuracy(entries))


def _performance(entries: Sequence[dict[str, Any]]) -> Iterator[Forms]:
    speeds = []
    for number, entry in enumerate(entries, start=1):
        infer = entry["infer"]
        yield (f"Performance results for window {number}",)
        yield (f"# Inferences : {infer['iterations']}",)
        yield (f"Runtime: {infer['elapsed_time'] / 1e6} sec.",)
        yield (f"Throughput: {infer['throughput']} inf./sec.",)
        yield from _met(infer["elapsed_time"] / 1e6, infer["iterations"])
        speeds.append(infer["throughput"])
    yield from ((RULE,), (f"Median throughput is {statistics.median(speeds):.3f} inf./sec.",), (RULE,))


def _met(seconds: float, iterations: int) -> Iterator[Forms]:
    """What the runner says of a window of more than ten seconds; this project's runner wants ten inferences, too, and takes ten seconds."""
    if seconds >= 10:
        yield (MET,) if seconds > 10 and iterations >= 10 else (MET, "")


def _accuracy(entries: Sequence[dict[str, Any]]) -> Iterator[Forms]:
    """The two lines as the runner computes them from the classes that ``results.json`` itself states."""
    rows: dict[str, tuple[int, list[tuple[float, ...]]]] = {}
    for entry in entries:
        rows.setdefault(file_name(entry), (int(entry["class"]), []))[1].append(metrics.normalised(entry["infer"]["results"]))
    scores = np.array([np.mean(np.array(vectors, dtype=np.float64), axis=0) for _, vectors in rows.values()])
    labels = np.array([label for label, _ in rows.values()], dtype=np.int64)
    top_1 = metrics.anomaly_top_1(scores, labels) if scores.shape[1] == 1 else metrics.top_1(scores, labels)
    yield from ((f"Top 1% = {top_1:2.1f}",), (f"AUC = {metrics.auc(scores, labels):.3f}",))


def energy(entries: Sequence[dict[str, Any]]) -> Iterator[Forms]:
    """The blocks of an energy run and its median."""
    yield ("Power Edition Output",)
    costs: list[list[float]] = []
    for trial, entry in enumerate(entries):
        power, iterations = entry["power"], entry["infer"]["iterations"]
        first, last = power["timestamps"][-2][1], power["timestamps"][-1][1]
        inside = power["samples"][first:last]
        elapsed = last / RATE_HZ - first / RATE_HZ
        totals = list(dict.fromkeys((float(np.sum(np.array(inside, dtype=np.float64))), math.fsum(inside))))
        costs.append([total / iterations for total in (totals[0], totals[-1])])
        yield (f"Energy data for trial {trial}",)
        short = "" if elapsed >= 10 else " <<<< below minimum duration"
        yield _forms(*(f"Elapsed time : {seconds}{short}" for seconds in (elapsed, (last - first) / RATE_HZ)))
        yield (f"Inferences : {iterations}",)
        yield _forms(*(f"Power : {1e3 * total / elapsed:5.4f} mW." for total in totals))
        yield _forms(*(f"Total Energy : {total * 1e6:.3f} uJ" for total in totals))
        yield _forms(*(f"Energy/Inf : {total / iterations * 1e6:.3f} uJ/inf" for total in totals))
    medians = [1e6 * statistics.median(pair[which] for pair in costs) for which in (0, 1)]
    medians.append(statistics.median(pair[1] * 1e6 for pair in costs))  # this project's runner multiplies first
    yield from ((RULE,), _forms(*(f"Median energy cost is {value:5.4f} uJ/inf." for value in medians)), (RULE,))


def _forms(*texts: str) -> Forms:
    return tuple(dict.fromkeys(" ".join(text.split()) for text in texts))


def first_difference(expected: Sequence[Forms], found: Sequence[tuple[str, int]]) -> tuple[int, str] | None:
    """The first line that is not one of its right forms: its number and what is wrong; None if all agree.

    A line that may be missing has an empty form.
    """
    lines = iter(found)
    left = next(lines, None)
    kept = []
    for forms in expected:
        if "" not in forms or (left is not None and left[0] in forms):
            kept.append(forms)
            left = next(lines, None)
    expected = kept
    for forms, (text, number) in zip(expected, found, strict=False):
        if text not in forms:
            return number, f"{text!r}, results.json gives {forms[0]!r}"
    if len(found) > len(expected):
        text, number = found[len(expected)]
        return number, f"{text!r} is one line too many"
    if len(found) < len(expected):
        return found[-1][1] if found else 0, f"the line {expected[len(found)][0]!r} is missing"
    return None


def single(lines: Iterable[str]) -> list[Forms]:
    """Lines of one right form each."""
    return [(line,) for line in lines]
