# SPDX-License-Identifier: Apache-2.0
"""How long a run will take: the parts of its plan, what each is expected to take, and what it took so far.

Phases follow each other, the parts of one phase run side by side. What is expected comes from earlier runs on this machine
(:mod:`cm4tiny.cli.durations`), else from :data:`USUAL_S`; as parts end, what is left is scaled by what they took.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

WAITING, RUNNING, DONE, CACHED, FAILED = "waiting", "running", "done", "cached", "failed"
PREPARE, BUILD, MEASURE, REPORT = range(4)

#: Seconds by the beginning of a part's key, as on two cores of a desktop processor; a first guess, which the run itself corrects.
USUAL_S: Mapping[str, float] = {
    "board": 3.0,
    "firmware ": 6.0,
    "ad performance": 1.5,
    "ic performance": 8.0,
    "kws performance": 3.0,
    "vww performance": 7.0,
    "ad energy": 2.0,
    "ic energy": 8.0,
    "kws energy": 4.0,
    "vww energy": 8.0,
    "ad accuracy": 12.0,
    "ic accuracy": 4.0,
    "kws accuracy": 3.0,
    "vww accuracy": 8.0,
    "profile": 10.0,
}
_OTHER_S = 5.0
_TRUST_S = 4.0
"""So many seconds of expectation weigh as much as what was seen, when the two are combined."""


def usual_s(key: str) -> float:
    """What a part takes where nothing better is known."""
    return next((seconds for beginning, seconds in USUAL_S.items() if key.startswith(beginning)), _OTHER_S)


@dataclass
class Part:
    """A piece of a run that a person can name.

    Args:
        key: its name, ``"kws performance"``; also that of the events that tell of it.
        phase: which phase it belongs to.
        expected_s: what it is expected to take.
        state: one of the words above.
        began_s, took_s: on the clock of the events.
        share: how much of it is done, from 0 to 1.
        note: its outcome, or what it is at.
    """

    key: str
    phase: int = PREPARE
    expected_s: float = _OTHER_S
    state: str = WAITING
    began_s: float = 0.0
    took_s: float = 0.0
    share: float = 0.0
    note: str = ""

    @property
    def is_open(self) -> bool:
        """It is not over."""
        return self.state in (WAITING, RUNNING)

    def left_s(self, now_s: float, scale: float) -> float:
        """What it still takes."""
        if not self.is_open:
            return 0.0
        if self.state == WAITING:
            return self.expected_s * scale
        elapsed = now_s - self.began_s
        planned = max(self.expected_s * scale - elapsed, 0.05 * self.expected_s)
        if self.share <= 0.02:
            return planned
        seen = elapsed * (1 - self.share) / self.share
        return self.share * seen + (1 - self.share) * planned


@dataclass
class Forecast:
    """The parts of a run and its end.

    Args:
        parts: in the order in which they are shown.
        width: how many run side by side.
        began_s: on the clock of the events.
    """

    parts: list[Part] = field(default_factory=list)
    width: int = 1
    began_s: float = 0.0
    _shown: float = 0.0

    def part(self, key: str) -> Part | None:
        """A part by its key."""
        return next((part for part in self.parts if part.key == key), None)

    def scale(self, now_s: float) -> float:
        """What parts took, or took so far, by what was expected of them."""
        seen = [(part.took_s, part.expected_s) for part in self.parts if part.state == DONE]
        seen += [(now_s - part.began_s, part.share * part.expected_s) for part in self.parts if part.state == RUNNING and part.share > 0.1]
        took = sum(passed for passed, expected in seen if expected > 0)
        expected = sum(expected for _, expected in seen)
        return min(20.0, max(0.05, (took + _TRUST_S) / (expected + _TRUST_S)))

    def left_s(self, now_s: float) -> float | None:
        """Seconds to the end; None where nothing is planned and nothing that runs says how far it is."""
        open_parts = [part for part in self.parts if part.is_open]
        if not any(part.expected_s for part in self.parts):
            paces = [(now_s - part.began_s) * (1 - part.share) / part.share for part in open_parts if part.share > 0.02]
            return max(paces) if paces else None
        scale, total = self.scale(now_s), 0.0
        for phase in {part.phase for part in open_parts}:
            lefts = [part.left_s(now_s, scale) for part in open_parts if part.phase == phase]
            total += max(max(lefts), sum(lefts) / max(1, self.width))
        return total

    def share(self, now_s: float) -> float:
        """How much is done, from 0 to 1; it never shrinks."""
        left, elapsed = self.left_s(now_s), now_s - self.began_s
        if left is not None and elapsed + left > 0:
            self._shown = max(self._shown, elapsed / (elapsed + left))
        return min(1.0, self._shown)

    def count(self, *states: str) -> int:
        """How many parts are in one of these states."""
        return sum(part.state in states for part in self.parts)


def clock(seconds: float) -> str:
    """``m:ss``, or ``h:mm:ss``."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def took(seconds: float) -> str:
    """A time that has passed: with a decimal where it is short."""
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)


def rough(seconds: float) -> str:
    """A time to come, no more exact than it is known."""
    step = 1 if seconds < 10 else 5 if seconds < 120 else 30
    return clock(step * max(1, round(seconds / step)))


def with_expectations(parts: Iterable[Part], learned: Mapping[str, float]) -> list[Part]:
    """The parts, each with what it is expected to take: as it took before, else as usual."""
    found = []
    for part in parts:
        part.expected_s = learned.get(part.key, usual_s(part.key))
        found.append(part)
    return found
