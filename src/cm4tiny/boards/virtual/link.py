# SPDX-License-Identifier: Apache-2.0
"""The in-process link to a virtual board.

The board runs only while somebody reads. What is written waits on the host's side until the firmware has nothing else to do, one
command (up to its terminator) at a time; so neither the size of the writes nor the host's speed shows in the board's cycles.
"""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType
from typing import NamedTuple, Protocol

from cm4tiny.boards.virtual.machine import PS_PER_S, Machine, StopReason
from cm4tiny.deadline import Deadline
from cm4tiny.errors import Cm4TinyError, LinkError


class Guard:
    """A machine and the lock around it: ``with guard as machine``."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._lock = threading.RLock()

    def __enter__(self) -> Machine:
        self._lock.acquire()
        return self.machine

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()


class Emulated(Protocol):
    """What a link asks of its board, which is a :class:`~cm4tiny.boards.virtual.board.VirtualBoard`."""

    name: str
    closed: bool
    guard: Guard

    @property
    def time_s(self) -> float:
        """Virtual time in seconds."""

    def check_line(self) -> None:
        """Raises LinkError if host and firmware disagree on the baud rate."""

    def run_guarded(self, until_ps: int) -> StopReason:
        """Runs the machine; raises on a crash."""

    def hear_guarded(self, until_ps: int, silent_until_ps: int, command: bytes, prompt: bytes) -> StopReason:
        """The same from line to line, over idle time."""

    def raise_fault(self) -> None:
        """Raises DeviceFaultError if the firmware is in a fault handler."""


class Slice(NamedTuple):
    """What came of a run for a server.

    Attributes:
        output: what the board said.
        waits: it has nothing to do before the host speaks; no time passes for it.
        listens: it takes bytes, or has ended: its silence means nothing.
    """

    output: bytes
    waits: bool
    listens: bool


class VirtualLink:
    """A byte stream to a virtual board in this process. Implements :class:`cm4tiny.boards.links.Link`.

    Its clock is that of the emulated core (``exact_clock``), so that it is an exact witness of the firmware's time stamps. Of an answer all
    lines are fetched at once, up to the one that ends with ``prompt``; while they are handed out, one by one, the clock shows the time at
    which each was said.
    """

    exact_clock = True

    def __init__(self, board: Emulated, terminator: bytes, prompt: bytes) -> None:
        self.name = board.name
        self._board = board
        self._terminator = terminator
        self._prompt = prompt
        self._lines: deque[tuple[int, bytes]] = deque()
        self._heard_ps: int | None = None  # when the line was said that was handed out last, until the board runs again
        self._error: Cm4TinyError | None = None  # of the run that said the lines that are still to be handed out
        self._commands: deque[bytes] = deque()
        self._rest = b""
        self._queued = 0  # bytes in the commands
        self._silent_until_ps = 0
        self._closed = False

    def write(self, data: bytes) -> None:
        """Queues bytes for the board; they reach it during :meth:`read`."""
        self._check_open()
        if not self._terminator:
            self._rest = data
            self.flush()
            return
        *commands, self._rest = (self._rest + data).split(self._terminator)
        for command in commands:
            self._queue(command + self._terminator)

    def flush(self) -> None:
        """Lets go an unterminated rest, for firmware that speaks another protocol."""
        if self._rest:
            self._queue(self._rest)
            self._rest = b""

    def expect_silence(self, deadline: Deadline) -> None:
        """The next read is one of several until a later deadline, between which nothing will be written.

        It may then end after its own deadline, where the board can tell at once what happens until then.
        """
        self._silent_until_ps = self._now_ps() + round(deadline.remaining * PS_PER_S)

    def read(self, deadline: Deadline) -> bytes:
        """Runs the board until it has said something (a line, or less if it then waits) or the deadline passes in virtual time.

        An idle board with nothing to say lets virtual time run to the deadline at once.

        Raises:
            DeviceFaultError: the firmware crashed.
            LinkError: the board was closed.
        """
        self._check_open()
        silent_until_ps, self._silent_until_ps = self._silent_until_ps, 0
        with self._board.guard as machine:
            end_ps = self._now_ps() + round(deadline.remaining * PS_PER_S)
            while True:
                output = self._heard(machine)
                if output:
                    self._board.check_line()
                    return output
                if machine.time_ps >= end_ps:
                    self._board.raise_fault()  # in a handler that says nothing and does not end
                    return b""
                self._hear(machine, end_ps, silent_until_ps)

    def _heard(self, machine: Machine) -> bytes:
        """The next line that was fetched, or else what the board has said since."""
        self._heard_ps = None
        if self._lines:
            self._heard_ps, line = self._lines.popleft()
            return line
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return machine.take_output()

    def _hear(self, machine: Machine, end_ps: int, silent_until_ps: int) -> None:
        error: Cm4TinyError | None = None
        try:
            self._board.hear_guarded(end_ps, silent_until_ps, self._next(), self._prompt)
        except Cm4TinyError as raised:
            error = raised
        self._lines.extend(machine.take_lines())
        if machine.fed:
            self._drop_next()
        if error is not None and not self._lines:
            raise error
        self._error = error

    def _now_ps(self) -> int:
        return self._board.guard.machine.time_ps if self._heard_ps is None else self._heard_ps

    def run_until_quiet(self, limit_s: float) -> Slice:
        """Runs to the next line or to idleness, for servers. An unterminated rest stays here until :meth:`flush`.

        Raises:
            DeviceFaultError: the firmware crashed. SiliconRuleError: the chip would not run it.
        """
        self._check_open()
        with self._board.guard as machine:
            reason = self._board.run_guarded(machine.time_ps + round(limit_s * PS_PER_S))
            fed = reason in (StopReason.IDLE, StopReason.QUIET) and self._feed()
            waits = reason in (StopReason.IDLE, StopReason.PARKED) and not fed
            return Slice(machine.take_output(), waits, reason in (StopReason.IDLE, StopReason.QUIET, StopReason.PARKED))

    @property
    def queued_bytes(self) -> int:
        """What was written and has not reached the board."""
        return self._queued + len(self._rest)

    @property
    def unterminated(self) -> bool:
        """True while a part of a command waits for its end."""
        return bool(self._rest)

    def clock(self) -> float:
        """Virtual time in seconds; when the last line was said, as long as nothing was read since."""
        return self._board.time_s if self._heard_ps is None else self._heard_ps / PS_PER_S

    def close(self) -> None:
        """Ends this link; the board stays."""
        self._closed = True

    def clear(self) -> None:
        """Forgets what was written and not yet sent (a reset)."""
        self._commands.clear()
        self._lines.clear()
        self._heard_ps = self._error = None
        self._queued = 0
        self._rest = b""

    def _queue(self, command: bytes) -> None:
        self._commands.append(command)
        self._queued += len(command)

    def _feed(self) -> bool:
        """Hands the idle board its next command."""
        if not self._commands:
            return False
        command = self._commands.popleft()
        self._queued -= len(command)
        self._board.guard.machine.receive(command)
        return True

    def _next(self) -> bytes:
        """What the board gets when it waits: the next command, or an unterminated rest."""
        return self._commands[0] if self._commands else self._rest

    def _drop_next(self) -> None:
        if self._commands:
            self._queued -= len(self._commands.popleft())
        else:
            self._rest = b""

    def _check_open(self) -> None:
        if self._closed or self._board.closed:
            raise LinkError(f"the link to {self.name} is closed", hint="open the board again")
