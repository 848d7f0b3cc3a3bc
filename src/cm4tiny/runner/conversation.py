"""Question and answer with a device under test: a command out, everything up to ``m-ready`` in.

The protocol is that of the MLPerf Tiny reference API: a command ends with ``%``, its answer with ``m-ready``. A device that says
nothing, nonsense, too much, or that starts anew in the middle gets an error of its own, because a caller decides differently on each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cm4tiny.deadline import Deadline
from cm4tiny.errors import DeadlineError, DeviceResetError, ProtocolError
from cm4tiny.runner.link_reader import LinkReader
from cm4tiny.runner.messages import DutMessage, Error, InitDone, Malformed, Name, Ready, TimestampMode, noise

if TYPE_CHECKING:
    from cm4tiny.boards import Link

TERMINATOR = b"%"
MAX_ANSWER_BYTES = 4 << 20
"""An answer longer than this is not one: the longest sound one, ``db print`` of 27648 bytes, has 114 kB."""
NOISE_SHARE = 0.2
BOOT_S = 2.0
QUIET_S = 0.1

CURE_SILENT = (
    "check that the board is powered and runs a benchmark image (not a wrong or an empty one), that the port is the board's own, that the "
    "baud rate is the firmware's (115200 for performance and accuracy, 9600 for energy images as a rule) and that TX and RX are not swapped"
)
CURE_NOISE = "the baud rate is most likely wrong: try 115200, 9600 and 921600; then check ground and cable"

M = TypeVar("M", bound=DutMessage)


@dataclass(frozen=True)
class Answer:
    """All messages up to and without ``m-ready``."""

    command: str
    messages: tuple[DutMessage, ...]

    def all(self, kind: type[M]) -> tuple[M, ...]:
        """The messages of one kind, in order."""
        return tuple(m for m in self.messages if isinstance(m, kind))

    def one(self, kind: type[M]) -> M | None:
        """The first message of one kind, or None."""
        return next((m for m in self.messages if isinstance(m, kind)), None)

    @property
    def lines(self) -> str:
        """The answer's last lines, for an error text."""
        return " | ".join(m.line for m in self.messages[-4:])[:300] or "nothing"

    def check(self) -> Answer:
        """The answer itself, if it holds neither an error of the device nor a malformed line; else :class:`ProtocolError`."""
        error = self.one(Error)
        if error is not None:
            raise ProtocolError(f"the device refused '{shorten(self.command)}': {error.line}")
        malformed = self.one(Malformed)
        if malformed is not None:
            raise ProtocolError(f"the device's answer to '{shorten(self.command)}' is malformed: {malformed.why}", why=malformed.line[:200])
        return self


def shorten(command: str) -> str:
    """A command as it is shown to people: a long line of hex digits is cut."""
    return command if len(command) <= 40 else f"{command[:24]}... ({len(command)} characters)"


class Conversation:
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
        self.resyncs = 0

    def deadline(self, seconds: float) -> Deadline:
        """A deadline on the device's own clock."""
        return Deadline(seconds, self.link.clock)

    def ask(self, command: str, seconds: float) -> Answer:
        """Sends a command and waits for its whole answer.

        Raises:
            DeadlineError: no ``m-ready`` in time.
            ProtocolError: noise instead of text, a line or an answer without end.
            DeviceResetError: the device's start-up messages came instead.
            LinkError: the device is gone.
            InterruptedRunError: the stop flag is set.
        """
        self._reader.check_stop()
        self.link.write(command.encode("ascii") + TERMINATOR)
        return Answer(command, self._collect(command, self.deadline(seconds)))

    def _collect(self, command: str, deadline: Deadline) -> tuple[DutMessage, ...]:
        heard = bytearray()
        messages: list[DutMessage] = []
        start = self._reader.received
        while True:
            item = self._reader.next(deadline)
            if item is None:
                raise self._silence(command, deadline, bytes(heard) + self._reader.partial)
            raw, message = item
            heard += raw[:2000] if len(heard) < 20000 else b""
            if isinstance(message, Ready):
                return tuple(messages)
            if isinstance(message, InitDone | TimestampMode):
                raise self._restarted(command, message)
            messages.append(message)
            if self._reader.received - start > MAX_ANSWER_BYTES:
                raise ProtocolError(
                    f"the answer to '{shorten(command)}' does not end: more than {MAX_ANSWER_BYTES} bytes",
                    why=f"last line: {message.line[:100]}",
                    cure="check that the image on the board is a benchmark image without debug output",
                )

    def _silence(self, command: str, deadline: Deadline, heard: bytes) -> DeadlineError | ProtocolError:
        if noise(heard) > NOISE_SHARE:
            return ProtocolError(
                f"noise instead of an answer to '{shorten(command)}'", why=f"received {len(heard)} bytes: {heard[-60:]!r}", cure=CURE_NOISE
            )
        what = f"no complete answer to '{shorten(command)}' within {deadline.seconds:.1f} s on {self.link.name}"
        arrived = f"awaited 'm-ready', received {heard[-120:]!r}" if heard else "awaited 'm-ready', received nothing"
        return DeadlineError(what, why=arrived, cure=CURE_SILENT)

    def _restarted(self, command: str, message: DutMessage) -> DeviceResetError:
        if isinstance(message, TimestampMode):
            self.timestamp_mode = message.mode
        return DeviceResetError(
            f"the device restarted during '{shorten(command)}'",
            why=f"it sent its start-up message '{message.line}' in place of an answer",
            cure="check the supply voltage and the USB cable, and that nobody else uses the board; then start the run again",
        )

    def listen(self, seconds: float = BOOT_S) -> None:
        """Hears out a device that may just be starting: until its ``m-ready``, or until the time is over. Notes the time-stamp mode."""
        deadline = self.deadline(seconds)
        heard_init = False
        while (item := self._reader.next(deadline)) is not None:
            message = item[1]
            heard_init = heard_init or isinstance(message, InitDone)
            if isinstance(message, TimestampMode):
                self.timestamp_mode = message.mode
            if isinstance(message, Ready) and heard_init:
                return

    def resync(self, seconds: float, *, attempts: int = 3) -> Name:
        """Finds a common starting point: after this the device waits for a command and nothing of an old answer is left.

        ``name`` is the harmless command that does it; a device that holds half a command answers the first one with an error, so only
        an answer with a name in it counts. An empty command would do too, but the reference firmware hands it to ``strncmp`` as NULL.
        """
        self.resyncs += 1
        error: DeadlineError | ProtocolError | None = None
        for _ in range(attempts):
            self._drain()
            try:
                answer = self.ask("name", seconds)
            except (DeadlineError, ProtocolError) as failure:
                error = failure
                continue
            name = answer.one(Name)
            if name is not None:
                self._drain()
                return name
            error = ProtocolError(
                "the device does not tell its name",
                why=f"awaited 'm-name-dut-[...]', received {answer.lines}",
                cure="the device on this port is not an MLPerf Tiny device under test: choose another port or flash a benchmark image",
            )
        assert error is not None
        raise error

    def _drain(self) -> None:
        limit = self.deadline(BOOT_S)
        start = self._reader.received
        while not limit.expired and self._reader.received - start < MAX_ANSWER_BYTES:
            try:
                if self._reader.next(self.deadline(QUIET_S)) is None:
                    break
            except ProtocolError:
                self._reader.discard()
        self._reader.discard()
