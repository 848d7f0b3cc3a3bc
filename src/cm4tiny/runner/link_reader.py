# SPDX-License-Identifier: Apache-2.0
"""Lines out of a link's bytes, with a limit on everything: a stream from a device is not to be trusted to end."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cm4tiny.deadline import Deadline
from cm4tiny.errors import InterruptedRunError, ProtocolError
from cm4tiny.runner.messages import DutMessage, parse_messages

if TYPE_CHECKING:
    from cm4tiny.boards import Link

MAX_LINE_BYTES = 16384
"""Longest line that is accepted; the longest of the protocol is far below 1 kB."""
SLICE_S = 0.25
"""Longest single wait on the link, in seconds of its clock: how quickly a stop is noticed."""
MIN_SLICE_S = 0.001
"""Shortest one: a clock that counts whole cycles may never reach a deadline that is a fraction of one away."""
UNENDED_S = 0.1
"""How long a line that holds ``m-ready`` may lack its end before it counts as ended."""
READY = b"m-ready"
_LINE_END = re.compile(rb"[\r\n]")
BLANK = b"\r\n\0 \t"


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        raw: its bytes, without the line end.
        messages: what it says, at least one.
        at: when its last byte arrived, on the link's clock.
    """

    raw: bytes
    messages: tuple[DutMessage, ...]
    at: float


class LinkReader:
    """Buffers a link's bytes and hands out parsed lines. A line ends with LF, CR or both; empty lines are skipped.

    Args:
        link: where the bytes come from.
        stop: when set, the next wait raises :class:`InterruptedRunError`.
        on_wait: called after each slice of silence.
    """

    def __init__(self, link: Link, stop: threading.Event | None = None, on_wait: Callable[[], None] | None = None) -> None:
        self._link = link
        self._stop = stop
        self._on_wait = on_wait
        self._expect_silence: Callable[[Deadline], None] | None = getattr(link, "expect_silence", None)
        self._buffer = bytearray()
        self._taken = bytearray()  # bytes of the lines that were handed out since mark()
        self._at = 0.0  # when the last byte of the buffer arrived
        self.received = 0  # bytes since the link was opened

    def next(self, deadline: Deadline) -> Line | None:
        """The next line; None when the deadline passed without one.

        A line that holds ``m-ready`` and gets no line end also counts: some firmware prints none.

        Raises:
            ProtocolError: a line longer than :data:`MAX_LINE_BYTES`.
            InterruptedRunError: the stop flag is set.
            LinkError: the device is gone.
        """
        while True:
            end = _LINE_END.search(self._buffer)
            if end is not None:
                raw = self._take(end.start(), end.end())
                if raw.strip(BLANK):
                    return Line(raw, parse_messages(raw), self._at)
                continue
            if len(self._buffer) > MAX_LINE_BYTES:
                raise ProtocolError(
                    f"the device sent {len(self._buffer)} bytes without the end of a line",
                    why=f"they begin with {bytes(self._buffer[:60])!r}",
                    hint="check the baud rate, and that the port is that of the device under test",
                )
            if deadline.expired and self._buffer:
                return None  # bytes came, but no line in time
            unended = READY in self._buffer
            if not self._fill(Deadline(min(UNENDED_S, deadline.remaining), self._link.clock) if unended else deadline):
                if not unended:
                    return None
                raw = self._take(len(self._buffer), len(self._buffer))
                return Line(raw, parse_messages(raw), self._at)

    def _take(self, line_bytes: int, with_end: int) -> bytes:
        raw = bytes(self._buffer[:line_bytes])
        self._taken += self._buffer[:with_end]
        del self._buffer[:with_end]
        return raw

    def _fill(self, deadline: Deadline) -> bool:
        while True:
            self.check_stop()
            if self._expect_silence is not None:
                self._expect_silence(deadline)
            data = self._link.read(Deadline(max(MIN_SLICE_S, min(SLICE_S, deadline.remaining)), self._link.clock))
            if data:
                self._buffer += data
                self._at = self._link.clock()
                self.received += len(data)
                return True
            if deadline.expired:
                return False
            if self._on_wait is not None:
                self._on_wait()

    def mark(self) -> None:
        """From here on bytes are kept for :meth:`taken`."""
        self._taken.clear()

    def taken(self) -> bytes:
        """The bytes of all lines since :meth:`mark`, line ends included."""
        return bytes(self._taken)

    def leftover(self) -> bytes:
        """Removes and returns what arrived after the last line, without blanks and line ends. Does not wait."""
        rest = bytes(self._buffer).strip(BLANK)
        self._buffer.clear()
        return rest

    def settle(self, seconds: float) -> bytes:
        """Waits until nothing has arrived for so long; removes and returns what did arrive, without blanks.

        Gives up after 20 times as long, or a line's length. 0 seconds: takes what is there already.
        """
        limit = Deadline(20 * seconds, self._link.clock)
        while True:
            self.check_stop()
            data = self._link.read(Deadline(seconds, self._link.clock))
            self._buffer += data
            self.received += len(data)
            if not data or limit.expired or len(self._buffer) > MAX_LINE_BYTES:
                return self.leftover()

    def check_stop(self) -> None:
        """Raises :class:`InterruptedRunError` when somebody asked this run to stop."""
        if self._stop is not None and self._stop.is_set():
            raise InterruptedRunError("the run was stopped", hint="start the same run again: an accuracy run continues where it stopped")

    @property
    def partial(self) -> bytes:
        """Bytes of a line that has not ended yet."""
        return bytes(self._buffer)

    def discard(self) -> None:
        """Forgets what is buffered."""
        self._buffer.clear()
