# SPDX-License-Identifier: Apache-2.0
"""What the machine of the virtual board must be able to do, and the values it hands over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cm4tiny.boards.virtual.silicon import BrokenRule
from cm4tiny.boards.virtual.trace import Ranges, Traced

PS_PER_S = 10**12
MAX_CLOCK_CHANGES = 1 << 16
"""So many changes of the clock are kept (core.h)."""
MAX_SETTING_CHANGES = 1 << 16
"""So many changes of settings are kept (core.h)."""
MAX_SPANS = 1 << 20
"""So many spans are kept (core.h)."""


class StopReason(IntEnum):
    """Why a run came back to the host."""

    LIMIT = 1
    """Virtual time reached the limit."""
    IDLE = 2
    """The firmware polls an empty receiver; virtual time stands until a byte comes or the host lets it pass."""
    LINE = 3
    """The firmware sent a line feed."""
    PARKED = 4
    """The firmware is in an endless loop of one instruction."""
    FAULT = 5
    """The firmware crashed."""
    QUIET = 6
    """Firmware that receives by interrupt has been silent for a virtual second: bytes may be let in; without any it just continues."""
    SLICE = 7
    """Nothing happened; a fraction of a second of the host's time has passed. Machines run on by themselves, so nobody else sees it."""
    MEMORY = 8
    """The host's memory is used up."""
    REFUSED = 9
    """Strict: the firmware broke a rule of silicon."""


class FaultKind(IntEnum):
    """What crashed."""

    NONE = 0
    READ = 1
    WRITE = 2
    FETCH = 3
    INSTRUCTION = 4
    FLASH_WRITE = 5
    BREAKPOINT = 6
    SUPERVISOR_CALL = 7
    FPU_DISABLED = 8
    EXCEPTION_RETURN = 9
    OTHER = 10
    STACKING = 11
    VECTOR = 12
    DIVISION = 13
    UNALIGNED = 14
    STATE = 15


@dataclass(frozen=True)
class Fault:
    """A crash: what, where, and the core's registers then. ``detail`` is unicorn's error or exception number.

    Attributes:
        exception: the exception that was taken for it (3 is HardFault), 0 if none was.
        interrupted: the exception that was being handled then, 0 for none.
        cfsr, hfsr: the fault status registers (DDI0403 sections B3.2.15 and B3.2.16).
        locked_up: the core could not take the fault and stopped.
    """

    kind: FaultKind
    address: int
    detail: int
    pc: int
    lr: int
    sp: int
    xpsr: int
    registers: tuple[int, ...]
    exception: int = 0
    interrupted: int = 0
    cfsr: int = 0
    hfsr: int = 0
    locked_up: bool = False


class NoteKind(IntEnum):
    """Things worth telling once."""

    READ = 1
    WRITE = 2
    FEATURE = 3
    PARKED = 4
    FAULT = 5
    LIST_FULL = 7
    SATURATION = 8
    RULE = 9
    """``address`` is the place of the broken rule in the list of them."""


@dataclass(frozen=True)
class Note:
    """``address`` is what it is about, ``pc`` the start of the basic block that did it."""

    kind: NoteKind
    address: int
    pc: int


@dataclass(frozen=True)
class ClockChange:
    """From this point on the core runs at ``hclk_hz``."""

    time_ps: int
    ticks: int
    hclk_hz: int


@dataclass(frozen=True)
class SettingChange:
    """A register of clocks or power got another value: RCC, PWR, FLASH_ACR, and the bits of the pins that switch an external SMPS.

    A register that never changed is 0. A reset shows as changes to the values after a reset.
    """

    time_ps: int
    ticks: int
    address: int
    value: int


class SpanKind(IntEnum):
    """What the core does where it does not work on its program."""

    POLL = 1
    """It asks a UART again and again, with less than ``idle_gap`` cycles between: it waits for a command, takes one in, or prints."""
    SLEEP = 2
    """WFI or WFE."""
    DEEP_SLEEP = 3
    """The same with SCR.SLEEPDEEP: Stop, Standby or Shutdown on the chip, taken as sleep here."""
    LOOP = 4
    """An endless loop of one instruction, which runs."""


@dataclass(frozen=True)
class PinChange:
    """An output pin got a new level. ``pin`` is the port's number times 16 plus the pin's: PF13 is 5 * 16 + 13."""

    time_ps: int
    pin: int
    level: int


@dataclass(frozen=True)
class Counters:
    """Totals since the board was made. Data-cache figures are exact while profiling and means afterwards."""

    cycles: int = 0
    instructions: int = 0
    blocks_run: int = 0
    taken_transfers: int = 0
    icache_misses: int = 0
    dcache_misses: int = 0
    icache_stall_cycles: int = 0
    dcache_stall_cycles: int = 0
    skipped_cycles: int = 0
    profiled_cycles: int = 0
    profile_phases: int = 0
    resets: int = 0
    blocks_known: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    exceptions: int = 0
    polling_cycles: int = 0
    sleeping_cycles: int = 0
    deep_sleep_cycles: int = 0
    looping_cycles: int = 0


class Refusal(IntEnum):
    """Why calls of a function were not proven to be the same; mirrored in witness.h."""

    DIFFERENT = 1
    """More of RAM is different at each call than a counter and its copies."""
    REGISTERS = 2
    CACHES = 3
    """Not yet the same; they come to rest."""
    NEW_CODE = 4
    """Code ran for the first time."""
    EVENT = 5
    """An exception was taken, or a peripheral did something."""
    RECORD = 6
    """The iteration is too long to be recorded."""
    USES_COUNTER = 7
    """The loop does more with its counter than to change and compare it."""
    CALLEE_USES_COUNTER = 8
    """What the loop calls does."""
    EXITS = 9
    """The loop has another exit than one, or none."""
    RERUN = 10
    """Run with another counter, the iteration does something else."""
    END = 11
    """The loop does not end where it should."""
    SHORT = 12
    """Too few iterations are left to be worth it."""
    STATE = 13
    """The machine is in a state of which nothing is proven: it traces, profiles RAM, or handles an exception."""


ALL_GUARDS = 15
"""All that is looked at before calls count as proven; mirrored in witness.h. Tests leave one out to see what goes wrong then."""


WRONG_END = 16
"""For tests: predicts the end of a loop five iterations too late."""


@dataclass(frozen=True)
class Calls:
    """Of the function that is called again and again.

    Attributes:
        count: all of them.
        proven: those that were not executed, because they were proven to be like the ones before.
        refused: how often it was tried in vain, by the reason.
        looked_ahead: of how many it was decided whether the loop ends there.
    """

    count: int
    proven: int
    refused: dict[Refusal, int]
    looked_ahead: int = 0

    @property
    def executed(self) -> int:
        return self.count - self.proven


class Machine(Protocol):
    """The emulated chip. Not safe for two threads at once; the board guards it."""

    @property
    def time_ps(self) -> int:
        """Virtual time in picoseconds."""

    @property
    def ticks(self) -> int:
        """Cycles in units of 1/1000."""

    @property
    def hclk_hz(self) -> int:
        """The core's present clock."""

    def write_memory(self, address: int, data: bytes) -> None: ...

    def read_memory(self, address: int, size: int) -> bytes: ...

    def reset(self) -> None: ...

    fed: bool
    """Whether the last run let the command in."""

    def run(self, until_ps: int, silent_until_ps: int = 0, command: bytes = b"") -> StopReason:
        """Runs until something happens that the host wants to know, or until virtual time ``until_ps``.

        Args:
            command: let in when the firmware waits for bytes; the run then goes on, unless there is output or the time is over.
            silent_until_ps: before this time the host will neither say nor ask anything: calls that are proven to be the same may be
                advanced beyond ``until_ps``.
        """

    def hear(self, until_ps: int, silent_until_ps: int, command: bytes, prompt: bytes) -> StopReason:
        """What a reader of the line does, in one go: :meth:`run`, from line to line up to the end of an answer, or over idle time.

        The lines are kept with their times (:meth:`take_lines`). An idle or parked board that says nothing waits until ``until_ps``.

        Args:
            prompt: how the line ends that is the last one; empty: each may be.
        """

    def take_lines(self) -> list[tuple[int, bytes]]:
        """The lines that were heard, each with the virtual time of its end in picoseconds; once each."""

    def skip_until(self, time_ps: int) -> None:
        """Lets an idle or parked board wait: time passes, nothing runs."""

    def receive(self, data: bytes) -> None: ...

    def set_prompt(self, prompt: bytes, settle_cycles: int) -> None:
        """How the line ends with which the firmware asks for its next command; see :class:`~cm4tiny.boards.commands.CommandProtocol`."""

    def advance_calls(self, function: int, guards: int = ALL_GUARDS) -> None:
        """From now on, calls of the function at this address that are proven to be the same are advanced exactly; 0: of none."""

    def skip_polls(self, on: bool) -> None:
        """Whether rounds of a loop that reads a UART's status and finds nothing are advanced exactly instead of run."""

    def calls(self) -> Calls:
        """How often the function was called, and how many of the calls ran."""

    def play(self, frames: bytes, rate_hz: int) -> None:
        """Plays stereo audio, 16-bit little-endian samples, into the chip's SAI from now on."""

    def line_baud(self) -> int:
        """Bits per second by the settings of the UART that speaks; 0 if none spoke, or it is not known."""

    def program_counter(self) -> int: ...

    def stop(self) -> None:
        """Ends a run that another thread is in, and all later ones, within a fraction of a second. Safe from any thread."""

    def take_output(self) -> bytes: ...

    def edges_ps(self) -> tuple[int, ...]: ...

    def pin_changes(self) -> tuple[PinChange, ...]: ...

    def clock_changes(self) -> tuple[ClockChange, ...]: ...

    def peek(self, address: int) -> int:
        """The peripheral register at a word's address as a read would give it, without a read's side effects.

        What a UART, a SAI or a timer has yet to do stays to be done; a random number that was not drawn reads as 0.

        Raises:
            BoardError: no register is modelled there.
        """

    def setting_changes(self) -> tuple[SettingChange, ...]:
        """The first :data:`MAX_SETTING_CHANGES` changes of registers of clocks and power."""

    def spans(self) -> NDArray[np.uint64]:
        """The first :data:`MAX_SPANS` times in which the core did not work: rows of (from ticks, to ticks, :class:`SpanKind`), in order."""

    @property
    def strict(self) -> bool:
        """Whether a broken rule ends the run."""

    def refused_by(self) -> BrokenRule:
        """The rule that ended the run (:attr:`StopReason.REFUSED`)."""

    def broken_rules(self) -> tuple[BrokenRule, ...]:
        """What the firmware did so far that the chip would not: each rule and register once."""

    def take_notes(self) -> tuple[Note, ...]: ...

    def fault(self) -> Fault | None:
        """The fault that the firmware is in, until its handler returns."""

    def counters(self) -> Counters: ...

    def start_trace(self, root: tuple[int, int], functions: Ranges) -> None:
        """Traces the calls of the function at ``root`` (start, size) from now on; needs exact simulation."""

    def stop_trace(self) -> Traced: ...

    def processor_s(self) -> float:
        """Processor time of the process that emulates the chip, in seconds."""

    def close(self) -> None: ...
