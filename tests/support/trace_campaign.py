# SPDX-License-Identifier: Apache-2.0
"""Random faults in what a power monitor delivers, as they happen on its way to the host, and what becomes of figures and records."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from support.faulty_monitor import ACTIVE_W, PERIOD_S, Damage, FaultyMonitor
from support.prompt_dut import PromptDut
from unit.runner.fake_dut import FIXED_NOW, FakeDut, make_data_set

from cm4tiny.benchmarks import DataSet
from cm4tiny.boards.power import PowerTrace
from cm4tiny.errors import Cm4TinyError
from cm4tiny.runner import Dut, Rules, SessionWriter, official_rules, run_energy

RULES = Rules(windows=3, min_window_s=10.0, min_iterations=10, performance_files=1, warmups=official_rules().warmups)
TRUE_UJ = ACTIVE_W * 0.05 * 1e6
LIMIT = 0.005
"""A result that is off by more than this is wrong."""


def _digit(trace: PowerTrace, dice: random.Random) -> PowerTrace:
    """A digit of one sample, printed as an LPM01A prints it (``6409-07``), becomes another one; or its sign or exponent changes."""
    place = dice.randrange(len(trace.joules))
    exponent = int(np.floor(np.log10(trace.joules[place]))) - 3
    text = f"{round(trace.joules[place] / 10.0**exponent):04d}{exponent:+03d}"
    at = dice.randrange(len(text))
    text = text[:at] + dice.choice("0123456789+-. ") + text[at + 1 :]
    try:
        value = float(f"{text[:4]}e{text[4:]}")
    except ValueError:
        value = float("nan")  # a torn line counts as NaN, as in MLCommons' runner
    changed = trace.joules.copy()
    changed[place] = value
    return replace(trace, joules=changed)


def _cut(trace: PowerTrace, dice: random.Random) -> PowerTrace:
    """Samples are lost; the time stamps behind them come earlier by as many."""
    first, count = dice.randrange(len(trace.joules)), dice.choice((1, 2, 10, 100, 500))
    shift = PERIOD_S * len(trace.joules[first : first + count])
    stamps = tuple(at - shift if at > first * PERIOD_S else at for at in trace.timestamps_s)
    return replace(trace, joules=np.delete(trace.joules, slice(first, first + count)), timestamps_s=stamps, marks=())


def _repeat(trace: PowerTrace, dice: random.Random) -> PowerTrace:
    """Samples are delivered twice."""
    first, count = dice.randrange(len(trace.joules)), dice.choice((1, 2, 10, 100, 500))
    again = trace.joules[first : first + count]
    stamps = tuple(at + PERIOD_S * len(again) if at > first * PERIOD_S else at for at in trace.timestamps_s)
    return replace(trace, joules=np.insert(trace.joules, first, again), timestamps_s=stamps, marks=())


def _zeros(trace: PowerTrace, dice: random.Random) -> PowerTrace:
    """Lost samples are delivered as 0 or NaN."""
    first, count = dice.randrange(len(trace.joules)), dice.choice((1, 10, 100))
    changed = trace.joules.copy()
    changed[first : first + count] = dice.choice((0.0, float("nan")))
    return replace(trace, joules=changed)


def _end(trace: PowerTrace, dice: random.Random) -> PowerTrace:
    """The monitor stops somewhere."""
    samples = dice.randrange(len(trace.joules))
    stamps = tuple(at for at in trace.timestamps_s if at <= samples * PERIOD_S)
    return replace(trace, joules=trace.joules[:samples], timestamps_s=stamps, counters=None, marks=())


def _lose_stamp(trace: PowerTrace, dice: random.Random) -> PowerTrace:
    """A time stamp is lost, with or without its number being missed."""
    stamps, numbers = list(trace.timestamps_s), list(trace.counters or ())
    place = dice.randrange(len(stamps))
    del stamps[place], numbers[place]
    return replace(trace, timestamps_s=tuple(stamps), counters=tuple(numbers) if dice.random() < 0.5 else None)


def _foreign_stamp(trace: PowerTrace, dice: random.Random) -> PowerTrace:
    """An edge that the device did not make."""
    at = dice.uniform(0, len(trace.joules) * PERIOD_S)
    return replace(trace, timestamps_s=tuple(sorted((*trace.timestamps_s, at))), counters=None)


def _lose_and_add(trace: PowerTrace, dice: random.Random) -> PowerTrace:
    """A time stamp is lost, and a foreign edge takes its place."""
    kept = trace.timestamps_s[dice.randrange(2)]
    return replace(trace, timestamps_s=tuple(sorted((kept, dice.uniform(0, len(trace.joules) * PERIOD_S)))), counters=None)


def _late_stamp(trace: PowerTrace, dice: random.Random) -> PowerTrace:
    """A time stamp is delivered late, or early."""
    stamps = list(trace.timestamps_s)
    stamps[dice.randrange(len(stamps))] += dice.choice((-1, 1)) * 10.0 ** dice.uniform(-3, 1)
    return replace(trace, timestamps_s=tuple(stamps))


def _number(trace: PowerTrace, dice: random.Random) -> PowerTrace:
    """The number of a time stamp has another digit."""
    numbers = list(trace.counters or ())
    numbers[dice.randrange(len(numbers))] = dice.randrange(100)
    return replace(trace, counters=tuple(numbers))


def _mark(trace: PowerTrace, dice: random.Random) -> PowerTrace:
    """The instrument's time has another digit."""
    marks = list(trace.marks)
    place = dice.randrange(len(marks))
    marks[place] = (marks[place][0], marks[place][1] + dice.choice((-1, 1)) * 10.0 ** dice.randrange(-3, 3))
    return replace(trace, marks=tuple(marks))


FAULTS: tuple[Callable[[PowerTrace, random.Random], PowerTrace], ...] = (
    _digit,
    _cut,
    _repeat,
    _zeros,
    _end,
    _lose_stamp,
    _foreign_stamp,
    _lose_and_add,
    _late_stamp,
    _number,
    _mark,
)


@dataclass
class Counts:
    """What became of the tries; ``wrong`` says how each was made."""

    tries: int = 0
    refused: int = 0
    correct: int = 0
    wrong: list[str] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)


def run_one(
    damage: Damage, data_set: DataSet, folder: Path, *, when: Callable[[int], bool], real_clock: bool, device: FakeDut
) -> list[float]:
    """Energy of an inference by the result and by each record of ``results.json``; recordings for which ``when(number)`` are damaged."""
    monitor = FaultyMonitor(device, simulated=not real_clock)
    monitor.damage = lambda trace: damage(trace) if when(monitor.recordings) else trace
    with SessionWriter(folder, simulated="scripted", now=lambda: FIXED_NOW, folder=folder / "one") as session:
        result = run_energy(Dut(device), monitor, device.benchmark, data_set, session, rules=RULES)
        entries = json.loads((session.folder / "results.json").read_text(encoding="utf-8"))
    figures = [result.microjoules_per_inference, *(window.microjoules_per_inference for window in result.windows)]
    for entry in entries:
        first, last = (captured for _, captured in entry["power"]["timestamps"][-2:])
        figures.append(1e6 * sum(entry["power"]["samples"][first:last]) / entry["infer"]["iterations"])
    return figures


def campaign(seed: int, tries: int, folder: Path, tell: Callable[[int], None] = lambda done: None) -> Counts:
    """Runs so many single faults; try ``n`` of a seed is always the same."""
    data_set, counts = make_data_set(folder / "data", "kws", 2), Counts()
    for number in range(tries):
        dice = random.Random(f"{seed}-{number}")
        fault, real_clock, once, at = FAULTS[number % len(FAULTS)], dice.random() < 0.5, dice.random() < 0.7, dice.randrange(1, 6)
        prompt = dice.random() < 0.5
        words = (
            fault.__name__.strip("_"),
            "once" if once else "from",
            at,
            "real" if real_clock else "same",
            "prompt" if prompt else "late",
        )
        name = "{} {} {}, {} clock, {} texts".format(*words)
        counts.tries += 1
        try:
            figures = run_one(
                lambda trace: fault(trace, dice),  # noqa: B023 - used at once
                data_set,
                folder,
                when=lambda recording: recording == at if once else recording >= at,  # noqa: B023
                real_clock=real_clock,
                device=PromptDut(energy=True) if prompt else FakeDut(energy=True),
            )
        except Cm4TinyError as error:
            counts.refused += 1
            counts.refusals[f"{fault.__name__.strip('_')}: {type(error).__name__}"] += 1
        else:
            if all(abs(figure / TRUE_UJ - 1) <= LIMIT for figure in figures):
                counts.correct += 1
            else:
                counts.wrong.append(f"seed {seed}, try {number}, {name}: {figures} uJ instead of {TRUE_UJ:g}")
        tell(number + 1)
    return counts
