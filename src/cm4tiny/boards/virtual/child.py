# SPDX-License-Identifier: Apache-2.0
"""The processes that emulate chips: a helper that has everything loaded, and one fork of it for each board.

A program starts the helper once (``process.py``). It does nothing but fork: a fork of the program itself would copy its locks and threads.
A board's process builds its machine, gives up everything else (``confine.py``), and serves one socket until that closes. When the
program ends, however it ends, the helper's socket closes and the helper ends; the kernel then kills the boards' processes.

A request is a length and a pickle, a reply a fixed header with the machine's clocks and output, then a pickle that the other side reads
with a list of allowed classes (the emulator may have been subverted by then).
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import pickle
import select
import signal
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from cm4tiny.boards.virtual import confine
from cm4tiny.boards.virtual.native import NativeMachine, load_library
from cm4tiny.errors import BoardError, Cm4TinyError

LENGTH = struct.Struct("<I")
HEADER = struct.Struct("<BQQQIII")
"""Kind, picoseconds, ticks, hertz, baud; length of the output and of the pickle."""
VALUE, ERROR = 0, 1
MAX_REPLY_BYTES = 1 << 30
MAX_ITEMS = 1 << 16
"""Of a list in one reply: pickling takes memory too."""
_PARENT_POLL_S = 0.5
_REPORTED = {"run", "hear", "skip_until"}
"""After these the notes are handed over as well, whether a command was let in, whether there is no fault, and lines with their times."""


@dataclass(frozen=True)
class Array:
    """A numpy array on its way."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


def receive_exactly(link: socket.socket, size: int) -> bytes:
    """So many bytes; raises EOFError at the end of the stream."""
    parts, missing = [], size
    while missing:
        part = link.recv(min(missing, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


# --- a board ------------------------------------------------------------------------------------------------------------------------


def _value_of(machine: NativeMachine, name: str, arguments: tuple[Any, ...]) -> Any:
    if name == "since":  # of a list that grows: the next piece after the first items
        begin = arguments[1]
        value = getattr(machine, arguments[0])()[begin : begin + MAX_ITEMS]
    else:
        value = getattr(machine, name)
        value = value(*arguments) if callable(value) else value
    return Array(value.dtype.str, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


def _reply(machine: NativeMachine | None, link: socket.socket, kind: int, value: Any) -> None:
    output = machine.take_output() if machine is not None else b""
    clocks = (machine.time_ps, machine.ticks, machine.hclk_hz, machine.line_baud()) if machine is not None else (0, 0, 0, 0)
    text = pickle.dumps(value, protocol=5)
    link.sendall(HEADER.pack(kind, *clocks, len(output), len(text)) + output + text)


def _as_error(error: BaseException) -> tuple[str, str, str, str]:
    if isinstance(error, MemoryError):
        return "BoardError", "the process of the virtual board has no memory left", "its limit is reached", "give the board more memory"
    if isinstance(error, Cm4TinyError):
        return type(error).__name__, error.what, error.why, error.hint
    return "BoardError", "defect of the virtual board", f"{type(error).__name__}: {error}", "report this with the firmware"


def _serve_board(link: socket.socket, settings: dict[str, Any], memory_bytes: int) -> None:
    machine: NativeMachine | None = None
    try:
        confine.limit_memory(memory_bytes)
        machine = NativeMachine(**settings)
        machine.before_slice = confine.renew_cpu_limit
        _reply(machine, link, VALUE, confine.confine())
    except (Cm4TinyError, MemoryError, OSError, ValueError) as error:
        _reply(None, link, ERROR, _as_error(error))
        return
    while True:
        try:
            (size,) = LENGTH.unpack(receive_exactly(link, LENGTH.size))
            received, name, arguments = pickle.loads(receive_exactly(link, size))  # by the program that started this process
        except EOFError:
            return
        try:
            confine.renew_cpu_limit()
            for data in received:
                machine.receive(data)
            value = _value_of(machine, name, arguments)
            if name in _REPORTED:
                value = (value, machine.take_notes(), machine.fed, machine.fault() is None, machine.take_lines())
            _reply(machine, link, VALUE, value)
        except Exception as error:  # whatever it is: the program that asked gets it
            _reply(machine, link, ERROR, _as_error(error))


# --- the helper ---------------------------------------------------------------------------------------------------------------------


class _Helper:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: set[int] = set()

    def serve(self) -> None:
        parent = os.getppid()
        library = pickle.loads(self._message()[0])
        load_library(library)
        gc.collect()
        gc.freeze()  # a fork shares what is never written
        self._control.sendall(b"+")
        while os.getppid() == parent:  # besides the end of the stream: another process may have inherited the other end
            if not select.select([self._control], [], [], _PARENT_POLL_S)[0]:
                continue
            try:
                text, descriptors = self._message()
            except (EOFError, OSError):
                return
            what, *arguments = pickle.loads(text)
            answer = self._start(library, descriptors[0], *arguments) if what == "start" else self._end(*arguments)
            self._control.sendall(struct.pack("<q", answer))

    def _message(self) -> tuple[bytes, list[int]]:
        head, descriptors, _, _ = socket.recv_fds(self._control, LENGTH.size, 1)
        if not head:
            raise EOFError
        head += receive_exactly(self._control, LENGTH.size - len(head))
        return receive_exactly(self._control, LENGTH.unpack(head)[0]), descriptors

    def _start(self, library: Any, descriptor: int, settings: dict[str, Any], memory_bytes: int) -> int:
        own = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(descriptor)
            return -(error.errno or 1)
        if pid:
            os.close(descriptor)
            self._children.add(pid)
            return pid
        status = 1
        try:
            confine.die_with_parent(own)
            self._control.close()
            with socket.socket(fileno=descriptor) as link, contextlib.suppress(OSError):
                _serve_board(link, {**settings, "library": library}, memory_bytes)
            status = 0
        finally:
            os._exit(status)

    def _end(self, pid: int) -> int:
        """Ends a board's process, if it still runs; its status as of waitpid(2)."""
        if pid not in self._children:
            return 0
        self._children.discard(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return os.waitpid(pid, 0)[1]


def main(descriptor: int) -> None:
    """The helper: serves a socket that its parent gave it."""
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as control, contextlib.suppress(EOFError, OSError):
        _Helper(control).serve()


# --- reading replies ----------------------------------------------------------------------------------------------------------------

_TRUSTED_MODULES = ("cm4tiny.boards.virtual.machine", "cm4tiny.boards.virtual.trace", "cm4tiny.boards.virtual.silicon")
_TRUSTED = {(__name__, "Array"), (confine.__name__, "Confinement")}


class _Reader(pickle.Unpickler):
    """Builds values only: classes of values of the virtual board, and what pickle has codes for."""

    def find_class(self, module: str, name: str) -> Any:
        found = getattr(sys.modules.get(module), name, None)
        of_value = isinstance(found, type) and (hasattr(found, "__dataclass_fields__") or hasattr(found, "__members__"))
        if ((module, name) in _TRUSTED or module in _TRUSTED_MODULES) and of_value and found.__module__ == module:
            return found
        raise BoardError(
            "the process of a virtual board sent something that is not a value",
            why=f"it names {module}.{name}",
            hint="do not trust this firmware; report it, it may have broken the emulator",
        )


def read_value(text: bytes) -> Any:
    """A value out of a reply."""
    try:
        value = _Reader(io.BytesIO(text)).load()
    except Cm4TinyError:
        raise
    except Exception as error:
        raise BoardError(
            "the process of a virtual board sent something damaged", why=str(error), hint="report this with the firmware"
        ) from error
    return np.frombuffer(value.data, dtype=value.dtype).reshape(value.shape) if isinstance(value, Array) else value
