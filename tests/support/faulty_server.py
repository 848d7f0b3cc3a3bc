# SPDX-License-Identifier: Apache-2.0
"""An HTTP server on this machine that serves bytes, and each of the faults that a download must survive."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FaultyServer:
    """Paths decide what happens; ``content`` is what a good answer brings.

    ``/good``: ranges work ``/noranges``: always the whole file. ``/truncated``: half of it, then the connection ends, each time further if
    ranges are asked for. ``/cut-always``: the first ten bytes, whatever is asked. ``/wrong``: other bytes of the same length. ``/longer``,
    ``/shorter``: another length.
    ``/404``, ``/500``. ``/500-once``. ``/redirect``, ``/loop``: to good, to itself. ``/slow``: a byte at a time.
    ``/silent``: headers, then nothing. ``/badrange``: another range than asked. ``/endless``: no length, never ends.
    """

    content: bytes
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    """(path, value of the Range header) of every request."""
    delay_s: float = 0.02
    stopped: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    faulty: FaultyServer

    def log_message(self, *arguments: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        path = self.path.strip("/")
        first = sum(1 for name, _ in self.faulty.asked if name == path) == 0
        self.faulty.asked.append((path, asked))
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            getattr(self, "_" + path.replace("-", "_"), self._missing)(start, first)

    def _head(self, status: int, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _partial(self, start: int, body: bytes, claimed: int | None = None) -> None:
        whole = self.faulty.content
        length = len(whole) - start
        if start:
            self._head(206, length, Content_Range=f"bytes {claimed if claimed is not None else start}-{len(whole) - 1}/{len(whole)}")
        else:
            self._head(200, length)
        self.wfile.write(body)

    def _missing(self, start: int, first: bool) -> None:
        self._head(404, 0)

    def _good(self, start: int, first: bool) -> None:
        if start >= len(self.faulty.content):
            return self._head(416, 0)
        return self._partial(start, self.faulty.content[start:])

    def _noranges(self, start: int, first: bool) -> None:
        self._partial(0, self.faulty.content)

    def _truncated(self, start: int, first: bool) -> None:
        rest = self.faulty.content[start:]
        self._partial(start, rest[: max(1, len(rest) // 2)] if len(rest) > 64 else rest)

    def _cut_always(self, start: int, first: bool) -> None:
        self._partial(0, self.faulty.content[:10])

    def _wrong(self, start: int, first: bool) -> None:
        self._partial(start, bytes(byte ^ 1 for byte in self.faulty.content[start:]))

    def _longer(self, start: int, first: bool) -> None:
        self._head(200, len(self.faulty.content) + 1)
        self.wfile.write(self.faulty.content + b"x")

    def _shorter(self, start: int, first: bool) -> None:
        self._head(200, len(self.faulty.content) - 1)
        self.wfile.write(self.faulty.content[:-1])

    def _500(self, start: int, first: bool) -> None:
        self._head(500, 0)

    def _500_once(self, start: int, first: bool) -> None:
        if first:
            self._head(500, 0)
        else:
            self._good(start, first)

    def _redirect(self, start: int, first: bool) -> None:
        self._head(302, 0, Location="/good")

    def _loop(self, start: int, first: bool) -> None:
        self._head(302, 0, Location="/loop")

    def _slow(self, start: int, first: bool) -> None:
        self._head(200, len(self.faulty.content))
        for byte in self.faulty.content:
            if self.faulty.stopped.wait(self.faulty.delay_s):
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()

    def _silent(self, start: int, first: bool) -> None:
        self._head(200, len(self.faulty.content))
        self.faulty.stopped.wait(30)

    def _badrange(self, start: int, first: bool) -> None:
        self._partial(start, self.faulty.content[start:], claimed=start + 1)

    def _endless(self, start: int, first: bool) -> None:
        self._head(200)
        end = time.monotonic() + 20
        while time.monotonic() < end and not self.faulty.stopped.is_set():
            self.wfile.write(bytes(1 << 16))


@contextlib.contextmanager
def faulty_server(content: bytes) -> Iterator[FaultyServer]:
    """The server, running while the block lasts."""
    faulty = FaultyServer(content)
    handler = type("Handler", (_Handler,), {"faulty": faulty})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    faulty.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield faulty
    finally:
        faulty.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
