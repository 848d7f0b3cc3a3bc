# SPDX-License-Identifier: Apache-2.0
"""One tree for everything that can go wrong.

An error says what happened, why, and what to do about it; the class is what a caller can decide on. Inside the package errors
are raised; only the CM edge turns one into ``{'return': code, 'error': text}`` (:meth:`Cm4TinyError.as_cm`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any


class Cm4TinyError(Exception):
    """Base of all errors of this project.

    Args:
        what: what happened, one sentence without a full stop at the end.
        why: the cause, if it is known.
        hint: what the user can do. A command to copy stands on a line of its own: ``"list the scripts:\\ncm find script"``.
    """

    cm_code = 1
    returned_kind = ""
    """Class of the error that a step returned to CM, where this one stands for it."""

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        self.what = what
        self.why = why
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        parts = [self.what]
        if self.why:
            parts.append(f"  why: {self.why}")
        if self.hint:
            parts.append("  hint: " + "\n    ".join(line.strip() for line in self.hint.splitlines()))
        return "\n".join(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.what, self.why, self.hint, self.__dict__)

    def as_cm(self) -> dict[str, Any]:
        """The error as a CM return value: ``{'return': n > 0, 'error': text}``, and the name of its class as ``error_kind``.

        cmind prints the text with a "!" appended. A text of several lines ends with a line break, so that the "!" does not become part of
        a command, path or tag that someone copies from its last line.
        """
        text = str(self)
        return {"return": self.cm_code, "error": f"{text}\n" if "\n" in text else text, "error_kind": self.kind}

    @property
    def kind(self) -> str:
        """The name of the class that a caller can decide on."""
        return self.returned_kind or type(self).__name__


def _rebuild(cls: type[Cm4TinyError], what: str, why: str, hint: str, state: dict[str, Any]) -> Cm4TinyError:
    error = cls.__new__(cls)
    Cm4TinyError.__init__(error, what, why=why, hint=hint)
    error.__dict__.update(state)
    return error


# --- engine: CM's script language -------------------------------------------------------------------------------------------
class ScriptError(Cm4TinyError):
    """A CM script, its meta or a request for one is wrong."""


class MetaError(ScriptError):
    """A ``_cm.yaml`` cannot be read or breaks the language."""


class ScriptNotFoundError(ScriptError):
    """No script has the tags that were asked for."""

    cm_code = 16


class AmbiguousScriptError(ScriptError):
    """More than one script has the tags that were asked for."""


class VariationError(ScriptError):
    """A variation does not exist or contradicts another one."""


class DependencyError(ScriptError):
    """A dependency cannot be resolved: a cycle, a version that cannot be met."""


class ScriptFailedError(ScriptError):
    """A script's own code failed: ``customize.py`` raised or a native script returned an error."""


class LockError(ScriptError):
    """A run is not the one that a lock file describes, or the lock file does not exist."""


class CacheError(ScriptError):
    """The cache of script outputs cannot be read or written."""


# --- benchmarks: models and data sets -----------------------------------------------------------------------------------------
class AssetError(Cm4TinyError):
    """A model, a data set or a table of this project is missing, short or damaged."""


class HashMismatchError(AssetError):
    """A file's bytes are not the bytes that its table names."""


# --- firmware: tool chains, compiler, images ----------------------------------------------------------------------------------
class FirmwareError(Cm4TinyError):
    """A firmware image cannot be made or is not usable."""


class ToolchainError(FirmwareError):
    """No usable compiler, or one that lacks what the target needs."""


class ModelError(FirmwareError):
    """A model file is damaged or is not an int8 ``.tflite``."""


class UnsupportedOpError(ModelError):
    """A model holds an operator or a type that the engine does not implement.

    Attributes:
        obstacles: all that stands in the way of the model, if it is more than one thing.
    """

    def __init__(self, what: str, *, why: str = "", hint: str = "", obstacles: tuple[str, ...] = ()) -> None:
        super().__init__(what, why=why, hint=hint)
        self.obstacles = obstacles


class CompileError(FirmwareError):
    """The C compiler or the linker refused."""


class ImageTooLargeError(FirmwareError):
    """A firmware image does not fit into flash or RAM."""


class RamBudgetError(ImageTooLargeError):
    """A model cannot be computed within the RAM that the user allows.

    Attributes:
        needed: the least number of bytes with which the same request succeeds: tried, not estimated.
    """

    def __init__(self, what: str, *, why: str = "", hint: str = "", needed: int = 0) -> None:
        super().__init__(what, why=why, hint=hint)
        self.needed = needed


class VerificationError(FirmwareError):
    """A linked image does not answer what an independent reference answers."""


class WrongTargetError(FirmwareError):
    """An image was made for another chip."""


# --- boards: links and machines -----------------------------------------------------------------------------------------------
class BoardError(Cm4TinyError):
    """A board, real or virtual, cannot be used."""


class DescriptionError(BoardError):
    """The description of a board or a chip cannot be used; the text names the file and the field."""


class BenchError(BoardError):
    """Something on the bench stops a run: a finding of the doctor."""

    cm_code = 3


class LinkError(BoardError):
    """The serial link broke: no port, no permission, disconnected."""


class PowerError(BoardError):
    """A power monitor failed, or its supply is not what was set."""


class DeviceFaultError(BoardError):
    """The firmware crashed: a fault, an invalid instruction, an access to nothing."""


class SiliconRuleError(DeviceFaultError):
    """The firmware did what the chip does not allow, and ran here in strict mode: a clock that is off, too few wait states, a wrong pin."""


# --- runner: the benchmark protocol -------------------------------------------------------------------------------------------
class RunnerError(Cm4TinyError):
    """A benchmark run cannot continue."""


class DeadlineError(RunnerError):
    """An answer did not come in time."""


class ProtocolError(RunnerError):
    """The device answered with something that the protocol does not allow."""


class PowerTraceError(ProtocolError):
    """What a power monitor recorded is damaged, incomplete or does not agree with the device: no energy follows from it."""


class WitnessError(ProtocolError):
    """A measured value contradicts a second, independent measurement of the same thing."""


class DeviceResetError(RunnerError):
    """The device restarted in the middle of a run."""


class RuleError(RunnerError):
    """A run or a result breaks a rule of MLPerf Tiny."""


class InterruptedRunError(RunnerError):
    """A run was asked to stop before it was done; an accuracy run's journal keeps what was measured."""


# --- results ------------------------------------------------------------------------------------------------------------------
class ResultsError(Cm4TinyError):
    """A session, a report or a table of results cannot be read or written."""


class MismatchError(ResultsError):
    """A claim does not follow from its evidence. The exit status is its own, so that CI can tell it from a replay that broke."""

    cm_code = 3


class BusyError(Cm4TinyError):
    """Another run uses the same directory or board."""


class LockingError(Cm4TinyError):
    """A lock between processes cannot be taken: the file system has no ``flock``, or the lock's file cannot be created."""


class DiskFullError(Cm4TinyError):
    """A disk or a quota is exhausted."""


class NotAvailableError(Cm4TinyError):
    """A part of the project that is not there yet was asked for."""


class UsageError(Cm4TinyError):
    """An option or an argument is wrong."""


def nearest(name: str, candidates: Iterable[str], *, count: int = 3) -> str:
    """A suggestion for a mistyped name: ``"did you mean 'a' or 'b'?"``, or an empty string.

    Only plausible names are suggested (:func:`closest`); one that differs in upper and lower case only is suggested alone.
    """
    close = closest(name, candidates)[:count]
    return f"did you mean {' or '.join(repr(c) for c in close)}?" if close else ""


def closest(name: str, candidates: Iterable[str]) -> list[str]:
    """The candidates that a person who typed ``name`` may have meant, best first.

    Case and leading dashes and underscores do not count. A candidate is plausible if it has the words of ``name``, in any order, if one
    contains the other and is at least half as long, or if at most a third of the letters (at least one, at most three) must be
    changed.
    """
    wanted = _plain(name)
    found: list[tuple[int, str]] = []
    for candidate in dict.fromkeys(candidates):
        other = _plain(candidate)
        if other == wanted:
            rank = 0
        elif _words(wanted) and _words(wanted) <= _words(other):
            rank = 1
        else:
            shorter, longer = sorted((wanted, other), key=len)
            rank = 1 + _edits(wanted, other)
            contained = len(shorter) >= 3 and 2 * len(shorter) >= len(longer) and shorter in longer
            if not contained and rank - 1 > (min(3, max(1, len(shorter) // 3)) if len(shorter) > 1 else 0):
                continue
        found.append((rank, candidate))
    found.sort(key=lambda pair: pair[0])
    return [candidate for rank, candidate in found if rank == 0] or [candidate for _, candidate in found]


def _plain(name: str) -> str:
    return name.lstrip("-_").casefold().replace("-", "_")


def _words(name: str) -> set[str]:
    return {word for word in re.split(r"[_.\s]+", name) if word}


def _edits(first: str, second: str) -> int:
    """How many letters must be inserted, removed, replaced or swapped with their neighbour."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        above, before, row = before, row, [i]
        for j, b in enumerate(second, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if above and j > 1 and a == second[j - 2] and first[i - 2] == b:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
    return row[-1]
