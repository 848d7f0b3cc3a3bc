# SPDX-License-Identifier: Apache-2.0
"""Rules on the measured windows: how many, how long, how many inferences, on which inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cm4tiny.results.audit.rule import Violation, rule
from cm4tiny.results.audit.views import SessionView, number, some
from cm4tiny.runner.rules import official_rules

if TYPE_CHECKING:
    from cm4tiny.results.rounds import PrintedWindow

_RUNNER = "EEMBC runner: 'The run must take at least 10 seconds and 10 iterations to be valid'; MLCommons runner main.py"
_SHORT = "tiny_results_v1.1: closed/STMicroelectronics/results/NUCLEO_H7A3ZI_Q/ic/performance/results.txt"
_PRINTED_DIGITS = 0.0015


@dataclass(frozen=True)
class WindowTimes:
    """A window by its number: seconds and inferences, None where nothing says it."""

    number: int
    seconds: float | None
    iterations: int | None


def measured(view: SessionView) -> list[WindowTimes]:
    """The windows of a performance or energy session from the best evidence: samples, log, ``results.txt``."""
    session = view.session
    if view.mode == "energy" and session.energy:
        return [WindowTimes(n, w.runtime_s, w.iterations or None) for n, w in enumerate(session.energy, 1)]
    timed = [WindowTimes(n, w.runtime_s, w.iterations or None) for n, w in enumerate(session.windows, 1)]
    if any(window.seconds is not None for window in timed):
        return timed
    printed: tuple[PrintedWindow, ...] = ()
    if session.printed is not None:
        printed = session.printed.energy_windows if view.mode == "energy" else session.printed.windows
    if printed:
        return [WindowTimes(w.number, number(w.runtime), int(w.iterations) if w.iterations.isdigit() else None) for w in printed]
    return timed


_LOOP_OF_IC02 = ": the runner's tests_performance.yaml has 'loop:' for ic02, a window for each sample, where the others have 'loop 5:'"


def _measures(view: SessionView) -> bool:
    return view.mode in ("performance", "energy") and view.benchmark != "sww"


@rule(
    "windows.count",
    "Five windows are measured",
    severity="error",
    scope="session",
    source="MLCommons runner main.py: loop_count was not exactly 5, Energy mode must include exactly 5 measurements; EEMBC runner",
    why="The result is the median of five. Where a log holds one window only, the other four cannot be seen.",
)
def count(view: SessionView) -> Iterator[Violation]:
    wanted = official_rules().windows
    found = measured(view)
    if _measures(view) and found and len(found) != wanted:
        said = _LOOP_OF_IC02 if view.benchmark == "ic2" and view.mode == "performance" and len(found) > wanted else ""
        yield Violation(view.path, f"{len(found)} window{'s' if len(found) > 1 else ''} instead of {wanted}{said}")


@rule(
    "windows.too-short",
    "A window takes at least 10 seconds",
    severity="error",
    scope="session",
    source=f"{_RUNNER}; {_SHORT}",
    why="Short windows measure the clock's grain. The runners print the result all the same, and the official checker takes it.",
)
def too_short(view: SessionView) -> Iterator[Violation]:
    limit = official_rules().min_window_s
    if not _measures(view):
        return
    short = [window.seconds for window in measured(view) if window.seconds is not None and window.seconds < limit]
    if short:
        yield Violation(view.path, f"{len(short)} window{'s' if len(short) > 1 else ''} below {limit:g} s, the shortest {min(short):.3f} s")


@rule(
    "windows.too-few-inferences",
    "A window holds at least 10 inferences",
    severity="error",
    scope="session",
    source=f"{_RUNNER}; {_SHORT}",
    why="As for short windows.",
)
def too_few(view: SessionView) -> Iterator[Violation]:
    limit = official_rules().min_iterations
    if not _measures(view):
        return
    few = [window.iterations for window in measured(view) if window.iterations is not None and window.iterations < limit]
    if few:
        yield Violation(
            view.path, f"{len(few)} window{'s' if len(few) > 1 else ''} with fewer than {limit} inferences, the fewest {min(few)}"
        )


@rule(
    "windows.inputs",
    "Each window has an input of its own",
    severity="error",
    scope="session",
    source="MLPerfTiny_Rules.adoc, Data Sets: performance data set; MLCommons runner tests_performance.yaml: loop 5: download",
    why="One input five times is one measurement.",
    warning_before=(1, 3),
)
def inputs(view: SessionView) -> Iterator[Violation]:
    if not _measures(view) or view.benchmark == "ad":
        return
    files = [window.file for window in view.session.windows if window.file]
    if len(files) > 1 and len(set(files)) < len(files):
        yield Violation(view.path, f"{len(files)} windows on {len(set(files))} inputs: {some(sorted(set(files)))}")


@rule(
    "windows.other-session",
    "results.txt and log.txt are of one session",
    severity="error",
    scope="session",
    source="tiny_results_v0.7: closed/plumerai/results/DISCO_F746NG/ad/performance/performance_log.txt "
    "(one window, its results.txt lists five; so in 12 logs)",
    why="The log next to a result is its evidence. That the medians agree by luck does not change it.",
)
def other_session(view: SessionView) -> Iterator[Violation]:
    printed = view.session.printed
    if view.mode != "performance" or view.benchmark == "sww" or printed is None or not view.session.windows:
        return
    blocks = max(1, printed.repeats)
    claimed = printed.windows[-(len(printed.windows) // blocks) :] if printed.windows else ()
    if not claimed:
        return
    logged = view.session.windows
    if len(claimed) != len(logged):
        yield Violation(view.path, f"results.txt prints {len(claimed)} windows, the log holds {len(logged)}")
        return
    for theirs, ours in zip(claimed, logged, strict=True):
        printed_value, value = number(theirs.throughput), ours.throughput
        different = printed_value is not None and value is not None and abs(printed_value - value) > max(_PRINTED_DIGITS, 1e-3 * value)
        if different or (theirs.iterations.isdigit() and int(theirs.iterations) != ours.iterations):
            yield Violation(
                view.path,
                f"window {theirs.number}: results.txt prints {theirs.iterations} inferences and {theirs.throughput} inf/s, "
                f"the log holds {ours.iterations} and {value or 0:.3f}",
            )
            return


@rule(
    "windows.energy-printed",
    "Printed energy windows are those of the trace",
    severity="error",
    scope="session",
    source="EEMBC runner: Energy data for window; docs/replay.md, Formulas",
    why="The median may be right by luck while the windows that it is the median of are others.",
    warning_before=(1, 4),
)
def energy_printed(view: SessionView) -> Iterator[Violation]:
    printed, found = view.session.printed, view.session.energy
    if view.mode != "energy" or printed is None or len(printed.energy_windows) != len(found):
        return
    for theirs, ours in zip(printed.energy_windows, found, strict=True):
        energy = ("energy of an inference", theirs.energy_per_inference, ours.uj_per_inference)
        different = [
            f"{name} {text}, the samples {value:.3f}"
            for name, text, value in (energy, ("length", theirs.runtime, ours.runtime_s))
            if (printed_value := number(text)) is not None and abs(printed_value - value) > max(_PRINTED_DIGITS, 10.0 ** -_decimals(text))
        ]
        if different:
            yield Violation(view.path, f"window {theirs.number}: results.txt prints {some(different)}")
            return


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


@rule(
    "windows.time-stamps",
    "An energy trace has a time stamp at both ends of each window, and one before",
    severity="error",
    scope="session",
    source="tiny_results_v1.1: closed/STMicroelectronics/results/NUCLEO_L4R5ZI/ic/energy/trace1-timestamps.json "
    "(10 time stamps, 11 belong to 5 windows)",
    why="With one missing, windows are paired wrongly, or the median is the mean of two.",
)
def time_stamps(view: SessionView) -> Iterator[Violation]:
    stamps = len(view.session.timestamps_s)
    wanted = 2 * official_rules().windows + 1
    if view.mode == "energy" and stamps and stamps != wanted:
        yield Violation(view.path, f"{stamps} time stamps instead of {wanted}")


@rule(
    "windows.runner-complaint",
    "The runner did not complain",
    severity="error",
    scope="session",
    source="EEMBC runner: lines e-[...] in results.txt; the MLCommons runner's 'below minimum duration'",
    why="The runner itself says that the run is not valid, and prints the result all the same.",
)
def runner_complaint(view: SessionView) -> Iterator[Violation]:
    printed = view.session.printed
    errors = list(dict.fromkeys(printed.errors if printed else ()))
    if "below minimum duration" in view.results_text:
        errors.append("below minimum duration")
    if errors:
        yield Violation(view.path, f"results.txt says: {some(errors, 3)}")
