# SPDX-License-Identifier: Apache-2.0
"""Rules on the record of a session of the MLCommons runner: log, results.json and results.txt agree.

The comparison itself is :mod:`cm4tiny.results.rounds.record`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cm4tiny.results.audit.rule import Violation, rule
from cm4tiny.results.audit.views import SessionView, some
from cm4tiny.results.rounds.model import DiscrepancyPart

_RUNNER = "MLCommons runner main.py, runner script.py, runner streaming_ww_utils.py"
_SHOWN = 3


def _of(part: DiscrepancyPart) -> Callable[[SessionView], Iterator[Violation]]:
    def check(view: SessionView) -> Iterator[Violation]:
        found = [str(one) for one in view.session.discrepancies if one.part == part]
        if found:
            yield Violation(view.path, some(found, _SHOWN, separator="; "))

    return check


rule(
    "record.form",
    "results.json is whole and holds the fields that the runner writes",
    severity="error",
    scope="session",
    source=f"{_RUNNER}: json.dump(result)",
    why="A record that is cut, empty, holds NaN, a key twice, or lacks a field is not what the runner wrote: it cannot be evidence.",
    since=(1, 3),
)(_of("form"))

rule(
    "record.sums",
    "Figures in results.json follow from each other",
    severity="error",
    scope="session",
    source=f"{_RUNNER}: elapsed_time, throughput, print_energy_results (consecutive time stamps), process_dutycycle",
    why="Time stamps, lengths, speeds, counters and voltage are recorded more than once. Where they differ, one of them was changed.",
    since=(1, 3),
)(_of("sums"))

rule(
    "record.log",
    "log.txt and results.json say the same of each inference",
    severity="error",
    scope="session",
    source=f"{_RUNNER}: what is printed is what is recorded",
    why=(
        "Inputs, iterations, warm-ups, lengths, speeds, vectors, samples and detections stand in both. A claim that one of them supports "
        "and the other contradicts is not supported."
    ),
    since=(1, 3),
    warning_before=(1, 4),
)(_of("log"))

rule(
    "record.results",
    "results.txt says what results.json gives, line by line",
    severity="error",
    scope="session",
    source=f"{_RUNNER}: summarize_result, print_energy_results, summarize_sww_result",
    why="Each figure of results.txt is computed from results.json, to the last digit. An earlier build, used in v1.3, prints fewer lines.",
    since=(1, 3),
    warning_before=(1, 4),
)(_of("results"))

rule(
    "record.summary",
    "The log ends with what results.txt holds",
    severity="error",
    scope="session",
    source=f"{_RUNNER}: print_tee",
    why="The runner prints each line of results.txt into the log as well.",
    since=(1, 3),
    warning_before=(1, 4),
)(_of("summary"))
