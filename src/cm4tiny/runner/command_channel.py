# SPDX-License-Identifier: Apache-2.0
"""Question and answer with a device under test: a command out, everything up to ``m-ready`` in.

The protocol is that of the MLPerf Tiny reference API: a command ends with ``%``, its answer with ``m-ready``. A device that says
nothing, nonsense, too much, or that restarts in the middle gets an error of its own, because a caller decides differently on each.

An answer belongs to its question: what arrived before the command was sent is discarded and reported, nothing may follow ``m-ready``, and
an answer holds the messages of its command and no others (:data:`MESSAGES`).
"""

from __future__ import annotations

import contextlib
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cm4tiny.boards.commands import TERMINATOR
from cm4tiny.deadline import Deadline
from cm4tiny.errors import DeadlineError, DeviceResetError, ProtocolError
from cm4tiny.runner.link_reader import READY, LinkReader
from cm4tiny.runner.messages import (
    Buffer,
    BufferCrc,
    CheckMessage,
    DutMessage,
    Error,
    Expecting,
    Infer,
    InitDone,
    LapUs,
    LoadDone,
    Malformed,
    ModelMessage,
    Name,
    ProfileMessage,
    Ready,
    Results,
    Text,
    TimestampMode,
    Warmup,
    noise,
)
from cm4tiny.runner.retry import DAMAGE, POLICY

if TYPE_CHECKING:
    from cm4tiny.boards import Link

MAX_ANSWER_BYTES = 1 << 18
"""An answer longer than this is not one: the longest of the protocol, ``db print`` of 27648 bytes, has 114 kB."""
NOISE_SHARE = 0.2
NOISE_BYTES = 2000
"""So much noise settles it: an answer is not waited for any longer."""
BOOT_S = 2.0
QUIET_S = 0.1
"""Silence after which a link counts as empty when a common starting point is looked for."""
SETTLE_S = 0.002
"""Silence that must precede a command whose answer is taken at its word: 23 characters at 115200 baud."""
UNREADY_S = 2.0
"""How long an answer that already holds its results, or an error, may take to its ``m-ready``."""

MESSAGES: Mapping[str, tuple[type[DutMessage], ...]] = {
    "name": (Name,),
    "profile": (ProfileMessage, ModelMessage),
    "timestamp": (LapUs,),
    "results": (Results,),
    "infer": (Warmup, Infer, LapUs, Results),
    "check": (CheckMessage,),
    "db load": (Expecting,),
    "db print": (Buffer,),
    "db crc": (BufferCrc,),
    "db": (LoadDone,),
}
"""Command -> messages that its answer may hold, besides errors and text."""
SINGLE = (Name, ProfileMessage, ModelMessage, Results, CheckMessage, Expecting, BufferCrc, LoadDone)
"""Messages that an answer holds once."""

HINT_SILENT = (
    "check that the board is powered and runs a benchmark image (not a wrong or an empty one), that the port is the board's own, that the "
    "baud rate is the firmware's (115200 for performance and accuracy, 9600 for energy images as a rule) and that TX and RX are not swapped"
)
HINT_DAMAGE = (
    "if this happens once, the line was disturbed: use a shorter cable, another USB port or a lower baud rate; if it happens always, the "
    "image on the board does not follow the MLPerf Tiny protocol"
)
HINT_NOISE = "the baud rate is most likely wrong: try 115200, 9600 and 921600; then check ground and cable"

M = TypeVar("M", bound=DutMessage)


@dataclass(frozen=True)
class Answer:
    """All messages up to and without ``m-ready``.

    Attributes:
        arrivals: when each message arrived, on the link's clock.
        took: seconds from the command to ``m-ready``.
        crc: CRC-32 of the answer's bytes up to and without ``m-ready``.
    """

    command: str
    messages: tuple[DutMessage, ...]
    arrivals: tuple[float, ...] = ()
    took: float = 0.0
    crc: int = 0

    def all(self, kind: type[M]) -> tuple[M, ...]:
        """The messages of one kind, in order."""
        return tuple(m for m in self.messages if isinstance(m, kind))

    def one(self, kind: type[M]) -> M | None:
        """The first message of one kind, or None."""
        return next((m for m in self.messages if isinstance(m, kind)), None)

    def arrivals_of(self, kind: type[DutMessage]) -> tuple[float, ...]:
        """When the messages of one kind arrived."""
        return tuple(at for m, at in zip(self.messages, self.arrivals, strict=True) if isinstance(m, kind))

    @property
    def lines(self) -> str:
        """The answer's last lines, for an error text."""
        return " | ".join(dict.fromkeys(m.line for m in self.messages[-4:]))[:300] or "nothing"

    def check(self) -> Answer:
        """The answer itself if it can be one to its command; else :class:`ProtocolError`.

        It can not if it holds an error of the device, a malformed line, a message that belongs to another command, or one twice.
        """
        error = self.one(Error)
        if error is not None:
            raise ProtocolError(f"the device refused '{shorten(self.command)}': {error.line}", hint=HINT_DAMAGE)
        malformed = self.one(Malformed)
        if malformed is not None:
            raise ProtocolError(
                f"the device's answer to '{shorten(self.command)}' is malformed: {malformed.why}",
                why=malformed.line[:200],
                hint=HINT_DAMAGE,
            )
        allowed = MESSAGES[kind_of(self.command)]
        foreign = next((m for m in self.messages if not isinstance(m, (*allowed, Text))), None)
        if foreign is not None:
            raise ProtocolError(
                f"the answer to '{shorten(self.command)}' holds a message of another command", why=foreign.line[:200], hint=HINT_DAMAGE
            )
        for kind in SINGLE:
            if len(self.all(kind)) > 1:
                raise ProtocolError(
                    f"the answer to '{shorten(self.command)}' holds {len(self.all(kind))} lines of one kind, it must hold one",
                    why=self.lines,
                    hint=HINT_DAMAGE,
                )
        return self


def kind_of(command: str) -> str:
    """The key of :data:`MESSAGES` for a command."""
    words = command.split(" ")
    pair = " ".join(words[:2])
    return pair if pair in MESSAGES else words[0]


def shorten(command: str) -> str:
    """A command as it is shown to people: a long line of hex digits is cut."""
    return command if len(command) <= 40 else f"{command[:24]}... ({len(command)} characters)"


class CommandChannel:
    """Commands and answers on one link.

    Args:
        link: the byte stream to the device. Its clock measures every deadline.
        stop: when set, the next wait raises :class:`InterruptedRunError`.
        on_wait: called now and then while the device is silent.
    """

    def __init__(self, link: Link, stop: threading.Event | None = None, on_wait: Callable[[], None] | None = None) -> None:
        self.link = link
        self._reader = LinkReader(link, stop, on_wait)
        self.timestamp_mode: str | None = None
        self.boot_error = ""  # what the device said before it was ready
        self.resyncs = 0
        self.discarded = 0  # bytes that arrived before a command was sent

    def deadline(self, seconds: float) -> Deadline:
        """A deadline on the device's own clock."""
        return Deadline(seconds, self.link.clock)

    def ask(self, command: str, seconds: float, *, settle: bool = False) -> Answer:
        """Sends a command and waits for its whole answer.

        Args:
            settle: wait for :data:`SETTLE_S` of silence first, so that nothing of an earlier answer can be taken for this one's.

        Raises:
            DeadlineError: no ``m-ready`` in time.
            ProtocolError: noise instead of text, a line or an answer without end, something before the command or after ``m-ready``.
            DeviceResetError: the device's start-up messages came instead.
            LinkError: the device is gone.
            InterruptedRunError: the stop flag is set.
        """
        self._refuse_stale(command, self._reader.settle(SETTLE_S if settle else 0.0))
        self._reader.mark()
        began = self.link.clock()
        self.link.write(command.encode("ascii") + TERMINATOR)
        messages, arrivals = self._collect(command, self.deadline(seconds))
        took = self.link.clock() - began
        said = self._reader.taken()
        rest = self._reader.leftover()
        if rest:
            raise ProtocolError(
                f"the device went on after the 'm-ready' of '{shorten(command)}'", why=f"it sent {rest[:100]!r}", hint=HINT_DAMAGE
            )
        return Answer(command, messages, arrivals, took, zlib.crc32(said[: said.rfind(READY)]))

    def _refuse_stale(self, command: str, stale: bytes) -> None:
        if not stale:
            return
        self.discarded += len(stale)
        raise ProtocolError(
            f"the device spoke before '{shorten(command)}' was sent",
            why=f"{stale[:100]!r} arrived after the 'm-ready' of the command before, and was discarded",
            hint=HINT_DAMAGE,
        )

    def _collect(self, command: str, deadline: Deadline) -> tuple[tuple[DutMessage, ...], tuple[float, ...]]:
        heard, judged = bytearray(), 0
        messages: list[DutMessage] = []
        arrivals: list[float] = []
        start = self._reader.received
        while True:
            line = self._reader.next(deadline)
            if line is None:
                raise self._silence(command, deadline, bytes(heard) + self._reader.partial)
            heard += line.raw[:2000] if len(heard) < 20000 else b""
            if len(heard) > judged + NOISE_BYTES:
                judged = len(heard)
                if noise(bytes(heard)) > NOISE_SHARE:
                    raise self._silence(command, deadline, bytes(heard))
            for message in line.messages:
                if isinstance(message, Ready):
                    self._refuse_more(command, line.messages)
                    return tuple(messages), tuple(arrivals)
                if isinstance(message, InitDone | TimestampMode):
                    raise self._restarted(command, message)
                messages.append(message)
                arrivals.append(line.at)
                if isinstance(message, Results | Error) and deadline.remaining > UNREADY_S:
                    deadline = self.deadline(UNREADY_S)
            if self._reader.received - start > MAX_ANSWER_BYTES:
                raise ProtocolError(
                    f"the answer to '{shorten(command)}' does not end: more than {MAX_ANSWER_BYTES} bytes",
                    why=f"last line: {messages[-1].line[:100]}",
                    hint="check that the image on the board is a benchmark image without debug output",
                )

    @staticmethod
    def _refuse_more(command: str, messages: tuple[DutMessage, ...]) -> None:
        line = messages[-1].line
        if not isinstance(messages[-1], Ready) or line[line.rindex("m-ready") + len("m-ready") :].strip():
            raise ProtocolError(
                f"the device went on after the 'm-ready' of '{shorten(command)}'", why=f"in the line {line[-100:]!r}", hint=HINT_DAMAGE
            )

    def _silence(self, command: str, deadline: Deadline, heard: bytes) -> DeadlineError | ProtocolError:
        if noise(heard) > NOISE_SHARE:
            return ProtocolError(
                f"noise instead of an answer to '{shorten(command)}'", why=f"received {len(heard)} bytes: {heard[-60:]!r}", hint=HINT_NOISE
            )
        what = f"no complete answer to '{shorten(command)}' within {deadline.seconds:.1f} s on {self.link.name}"
        arrived = f"awaited 'm-ready', received {heard[-120:]!r}" if heard else "awaited 'm-ready', received nothing"
        return DeadlineError(what, why=arrived, hint=HINT_SILENT)

    def _restarted(self, command: str, message: DutMessage) -> DeviceResetError:
        if isinstance(message, TimestampMode):
            self.timestamp_mode = message.mode
        return DeviceResetError(
            f"the device restarted during '{shorten(command)}'",
            why=f"it sent its start-up message '{message.line}' in place of an answer",
            hint="check the supply voltage and the USB cable, and that nobody else uses the board; then start the run again",
        )

    def listen(self, seconds: float = BOOT_S) -> None:
        """Waits for the start-up messages of a device that may just be starting: until its ``m-ready``, or until the time is over.

        Notes the time-stamp mode, and what the device could not set up.
        """
        deadline = self.deadline(seconds)
        start = self._reader.received
        heard_init = False
        while self._reader.received - start < MAX_ANSWER_BYTES:
            try:
                line = self._reader.next(deadline)
            except ProtocolError:  # noise; the questions that follow will show
                self._reader.discard()
                continue
            if line is None:
                return
            for message in line.messages:
                heard_init = heard_init or isinstance(message, InitDone)
                if isinstance(message, TimestampMode):
                    self.timestamp_mode = message.mode
                if isinstance(message, Error) and not heard_init:
                    self.boot_error = message.line
                if isinstance(message, Ready) and heard_init:
                    return

    def resync(self, seconds: float, *, patience: float = 0.0) -> Name:
        """Finds a common starting point: after this the device waits for a command and nothing of an old answer is left.

        ``name`` is the harmless command that does it; a device that holds half a command answers the first one with an error, so only
        an answer with a name in it counts. An empty command would do too, but the reference firmware hands it to ``strncmp`` as NULL.

        Args:
            seconds: how long an idle device may take to answer.
            patience: how long it may still be busy with what it was asked before.
        """
        self.resyncs += 1
        error: DeadlineError | ProtocolError | None = None
        limit = self.deadline(patience)
        attempts = endless = 0
        while attempts < POLICY.resyncs or not limit.expired:
            attempts += 1
            try:
                self._drain()
            except ProtocolError as failure:
                endless += 1
                if endless >= POLICY.resyncs:
                    raise
                error = failure
                continue
            try:
                answer = self.ask("name", seconds)
                name = answer.check().one(Name)
            except DAMAGE as failure:
                error = failure
                continue
            if name is not None:
                with contextlib.suppress(ProtocolError):
                    self._drain()
                return name
            error = ProtocolError(
                "the device does not report its name",
                why=f"awaited 'm-name-dut-[...]', received {answer.lines}",
                hint="the device on this port is not an MLPerf Tiny device under test: choose another port or flash a benchmark image",
            )
        assert error is not None
        raise error

    def _drain(self) -> None:
        """Discards what comes in until there is silence; :class:`ProtocolError` if there is none within :data:`BOOT_S`."""
        limit = self.deadline(BOOT_S)
        start = self._reader.received
        last, lines = b"", 0
        while not limit.expired and self._reader.received - start < MAX_ANSWER_BYTES:
            before = self._reader.received
            try:
                line = self._reader.next(self.deadline(QUIET_S))
            except ProtocolError:
                last = self._reader.partial
                self._reader.discard()
                continue
            if line is None and self._reader.received == before:
                self._reader.discard()
                return
            last = self._reader.partial if line is None else line.raw
            lines += line is not None
        self._reader.discard()
        raise self._endless(last, lines, self._reader.received - start)

    def _endless(self, last: bytes, lines: int, count: int) -> ProtocolError:
        if noise(last) > NOISE_SHARE:
            return ProtocolError(
                f"noise on {self.link.name} that does not end", why=f"{count} bytes, lastly {last[-60:]!r}", hint=HINT_NOISE
            )
        kind = "lines that nobody asked for" if lines else "bytes without the end of a line"
        return ProtocolError(
            f"the device does not stop sending: {kind}",
            why=f"{count} bytes within {BOOT_S:g} s, lastly {last[-60:]!r}",
            hint="check the baud rate, that the port is the board's own, and that the image is a benchmark image without debug output",
        )
