"""Lines out of a link's bytes, with a limit on everything: a stream from a device is not to be trusted to end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from cm4tiny.deadline import Deadline
from cm4tiny.errors import InterruptedRunError, ProtocolError
from cm4tiny.runner.messages import DutMessage, parse_line

if TYPE_CHECKING:
    from cm4tiny.boards import Link

MAX_LINE_BYTES = 16384
"""Longest line that is accepted; the longest of the protocol is far below 1 kB."""
SLICE_S = 0.25
"""Longest single wait on the link, in seconds of its clock: how quickly a stop is noticed."""
MIN_SLICE_S = 0.001
"""Shortest one: a clock that counts whole cycles may never reach a deadline that is a fraction of one away."""


class LinkReader:
    """Buffers a link's bytes and hands out parsed lines.

    Args:
        link: where the bytes come from.
        stop: when set, the next wait raises :class:`InterruptedRunError`.
        on_wait: called after each slice of silence.
    """

    def __init__(self, link: Link, stop: threading.Event | None = None, on_wait: Callable[[], None] | None = None) -> None:
        self._link = link
        self._stop = stop
        self._on_wait = on_wait
        self._buffer = bytearray()
        self.received = 0  # bytes since the link was opened

    def next(self, deadline: Deadline) -> tuple[bytes, DutMessage] | None:
        """The next line, raw and parsed; None when the deadline passed without one.

        Raises:
            ProtocolError: a line longer than :data:`MAX_LINE_BYTES`.
            InterruptedRunError: the stop flag is set.
            LinkError: the device is gone.
        """
        while True:
            end = self._buffer.find(b"\n")
            if end >= 0:
                raw = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                return raw, parse_line(raw)
            if len(self._buffer) > MAX_LINE_BYTES:
                raise ProtocolError(
                    f"the device sent {len(self._buffer)} bytes without the end of a line",
                    why=f"they begin with {bytes(self._buffer[:60])!r}",
                    cure="check the baud rate, and that the port is that of the device under test",
                )
            if not self._fill(deadline):
                return None

    def _fill(self, deadline: Deadline) -> bool:
        while True:
            self.check_stop()
            data = self._link.read(Deadline(max(MIN_SLICE_S, min(SLICE_S, deadline.remaining)), self._link.clock))
            if data:
                self._buffer += data
                self.received += len(data)
                return True
            if deadline.expired:
                return False
            if self._on_wait is not None:
                self._on_wait()

    def check_stop(self) -> None:
        """Raises :class:`InterruptedRunError` when somebody asked this run to stop."""
        if self._stop is not None and self._stop.is_set():
            raise InterruptedRunError("the run was stopped", cure="start the same run again: an accuracy run goes on where it stopped")

    @property
    def partial(self) -> bytes:
        """Bytes of a line that has not ended yet."""
        return bytes(self._buffer)

    def discard(self) -> None:
        """Forgets what is buffered."""
        self._buffer.clear()
