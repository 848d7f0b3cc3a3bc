# SPDX-License-Identifier: Apache-2.0
"""A virtual board for other programs: a pseudo terminal and a TCP port on this machine, both like a serial port.

``/dev/pts/N`` suits any program that opens a tty, ``socket://127.0.0.1:PORT`` any that uses pyserial. Clients may come and go; what the
board says goes to all of them, what they say goes to the board. Commands reach the board whole: bytes without the terminator wait for
it, or for a pause in the client's typing.

No client can hold up the board or the others, or fill the memory: one that does not read is disconnected, never served with gaps; while
the board is behind with its commands, nobody is read from.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import termios
import threading
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cm4tiny.boards.virtual.board import STEP, VirtualBoard
from cm4tiny.errors import LinkError
from cm4tiny.events import SILENT, EventStream

LOOPBACK = "127.0.0.1"
FLUSH_AFTER_S = 0.5
"""Host seconds of silence after which an unterminated command is sent as it is."""
SILENT_S = 20
"""Virtual seconds in one loop without a word or a byte taken, after which the firmware may wait for ever: two windows of the benchmark."""
LOOP_BYTES = 256
"""Of code: a loop that waits is shorter, its calls included."""
_SLICE_S = 0.05
_WAIT_S = 0.05
_CHUNK = 65536
_BACKLOG_BYTES = 1 << 20
MAX_CLIENTS = 16
MAX_QUEUED_BYTES = 1 << 20
"""Input that waits for the board before clients have to wait; the longest command of the protocol has 1 kB."""


@dataclass(frozen=True)
class Addresses:
    """Where the board can be reached; None for an end point that was not asked for."""

    tcp: str | None
    pty: str | None


class _Client(Protocol):
    def fileno(self) -> int: ...

    def receive(self) -> bytes:
        """What came; ``b""`` if the client is gone."""

    def send(self, data: bytes) -> bool:
        """Sends, and keeps what the client does not take yet; False if the client is lost."""

    def close(self) -> None: ...


class _Terminal:
    """The master side of a pseudo terminal. The slave stays open here, so that a client may close and open it again."""

    def __init__(self) -> None:
        try:
            self._master, self._slave = os.openpty()
        except OSError as error:
            raise LinkError("no pseudo terminal can be made", why=str(error), hint="use the TCP port instead") from error
        tty.setraw(self._slave, termios.TCSANOW)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._backlog = b""

    def fileno(self) -> int:
        return self._master

    def receive(self) -> bytes:
        return os.read(self._master, _CHUNK)

    def send(self, data: bytes) -> bool:
        # nobody may be there to read: the newest output is kept, the oldest is dropped
        self._backlog = (self._backlog + data)[-_BACKLOG_BYTES:]
        with contextlib.suppress(BlockingIOError):
            while self._backlog:
                self._backlog = self._backlog[os.write(self._master, self._backlog) :]
        return True

    def close(self) -> None:
        os.close(self._master)
        os.close(self._slave)


class _TcpClient:
    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        self._connection = connection
        self._backlog = b""

    def fileno(self) -> int:
        return self._connection.fileno()

    def receive(self) -> bytes:
        try:
            return self._connection.recv(_CHUNK)
        except OSError:
            return b""

    def send(self, data: bytes) -> bool:
        self._backlog += data
        try:
            while self._backlog:
                self._backlog = self._backlog[self._connection.send(self._backlog) :]
        except BlockingIOError:
            return len(self._backlog) <= _BACKLOG_BYTES
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._connection.close()


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise LinkError(f"TCP port {port} cannot be used", why=str(error), hint="give another port, or 0 for any free one") from error
    listener.listen()
    return listener


class _Watch:
    """Notices firmware that waits for ever: it says nothing, takes nothing, and stays in a few instructions."""

    def __init__(self, board: VirtualBoard) -> None:
        self._board = board
        self._since_s, self._first, self._last, self._said = 0.0, 0, 0, False

    def see(self, busy: bool) -> str:
        """After each slice; a human-readable line, once for each time."""
        now_s, at = self._board.time_s, self._board.program_counter()
        if busy or self._since_s == 0 or max(at, self._last) - min(at, self._first) > LOOP_BYTES:
            self._since_s, self._first, self._last, self._said = now_s, at, at, False
            return ""
        self._first, self._last = min(at, self._first), max(at, self._last)
        if self._said or now_s - self._since_s < SILENT_S:
            return ""
        self._said = True
        with self._board.guard:
            self._board.raise_fault()  # a handler that goes round for ever
        first, last = self._board.place(self._first), self._board.place(self._last)
        where = f"at {first}" if first == last else f"between {first} and {last}"
        return (
            f"the firmware has gone round {where} for {SILENT_S} virtual seconds without a word, and does not listen: "
            "it waits for something that may never come (look for a register or a flag that it reads there)"
        )


class _Server:
    def __init__(self, board: VirtualBoard, tcp_port: int | None, pty: bool, events: EventStream) -> None:
        self._board = board
        self._events = events
        self._watch = _Watch(board)
        self._selector = selectors.DefaultSelector()
        self._clients: list[_Client] = []
        self._terminal: _Terminal | None = None
        self._listener = _listen(tcp_port) if tcp_port is not None else None
        self._last_input_s = 0.0
        if self._listener is not None:
            self._selector.register(self._listener, selectors.EVENT_READ, None)
        if pty:
            try:
                self._terminal = _Terminal()
            except LinkError:
                self.close()
                raise
            self._add(self._terminal)
        self.addresses = Addresses(
            f"socket://{LOOPBACK}:{self._listener.getsockname()[1]}" if self._listener else None,
            self._terminal.path if self._terminal else None,
        )

    def run(self, stop: threading.Event) -> None:
        waiting = False
        while not stop.is_set():
            behind = self._board.link.queued_bytes > MAX_QUEUED_BYTES
            heard = not behind and self._hear(_WAIT_S if waiting else 0.0)
            if waiting and not heard and not behind:
                self._send(b"")  # what did not fit before
                continue
            output, waiting, listens = self._board.link.run_until_quiet(_SLICE_S)
            self._send(output)
            if text := self._watch.see(busy=bool(output) or listens or heard):
                self._events.message(STEP, text, "warning")

    def close(self) -> None:
        for client in self._clients:
            client.close()
        if self._listener is not None:
            self._listener.close()
        self._selector.close()

    def _send(self, output: bytes) -> None:
        for client in tuple(self._clients):
            if not client.send(output):
                self._remove(client)

    def _remove(self, client: _Client) -> None:
        self._selector.unregister(client)
        self._clients.remove(client)
        client.close()

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            connection = self._listener.accept()[0]
        except OSError:  # it is gone again, or this process has no descriptor left for it
            time.sleep(_WAIT_S)
            return
        if len(self._clients) >= MAX_CLIENTS:
            connection.close()
        else:
            self._add(_TcpClient(connection))

    def _add(self, client: _Client) -> None:
        self._clients.append(client)
        self._selector.register(client, selectors.EVENT_READ, client)

    def _hear(self, timeout_s: float) -> bool:
        """Takes what clients say; True if there is something new for the board."""
        heard = False
        for key, _ in self._selector.select(timeout_s):
            if key.data is None:
                self._accept()
                continue
            data = key.data.receive()
            if not data:
                self._remove(key.data)
                continue
            self._board.link.write(data)
            self._last_input_s = time.monotonic()
            heard = True
        link = self._board.link
        if link.unterminated and (time.monotonic() - self._last_input_s > FLUSH_AFTER_S or link.queued_bytes > MAX_QUEUED_BYTES):
            self._board.link.flush()
            heard = True
        return heard


def serve(
    board: VirtualBoard,
    *,
    tcp_port: int | None = 0,
    pty: bool = True,
    stop: threading.Event,
    on_ready: Callable[[Addresses], None],
    events: EventStream = SILENT,
) -> None:
    """Runs a board for other programs until ``stop`` is set.

    Args:
        board: it runs in the calling thread; nobody else may read its link meanwhile.
        tcp_port: port on the loopback interface, 0 for any free one, None for no TCP.
        pty: whether to make a pseudo terminal.
        stop: ends the server within about 0.1 s.
        on_ready: called once with where the board can be reached, before it starts.
        events: gets a warning when the firmware seems to wait for ever.

    Raises:
        LinkError: the port is taken, or there is no pseudo terminal.
        DeviceFaultError, SiliconRuleError: the firmware crashed, or the chip would not run it; the clients are disconnected.
    """
    server = _Server(board, tcp_port, pty, events)
    try:
        on_ready(server.addresses)
        server.run(stop)
    finally:
        server.close()
