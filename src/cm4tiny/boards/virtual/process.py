# SPDX-License-Identifier: Apache-2.0
"""The program's side of a chip that is emulated in a process of its own: see ``child.py`` for the other side.

Nothing that firmware does to its emulator reaches the program: a crash, a loop without end or memory that runs out is an error of that
board.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from cm4tiny import errors
from cm4tiny.boards.boards import BoardDescription
from cm4tiny.boards.virtual.build import NativeLibrary, native_library
from cm4tiny.boards.virtual.child import ERROR, HEADER, LENGTH, MAX_ITEMS, MAX_REPLY_BYTES, read_value, receive_exactly
from cm4tiny.boards.virtual.confine import DEFAULT_MEMORY_BYTES, SLICE_CPU_S, Confinement
from cm4tiny.boards.virtual.machine import Fault, Machine, Note, StopReason
from cm4tiny.boards.virtual.native import NativeMachine
from cm4tiny.boards.virtual.silicon import malformed
from cm4tiny.errors import BoardError, Cm4TinyError
from cm4tiny.settings import sanitizing

_START = "import sys; sys.path[:] = sys.argv[2:]; from cm4tiny.boards.virtual.child import main; main(int(sys.argv[1]))"
_END_S = 1.0
_GROWING = ("edges_ps", "pin_changes", "clock_changes", "setting_changes", "spans", "broken_rules")
"""Lists that only grow: what is known is not sent again."""
_FOR_EVER = 2**64 - 1


class _Helper:
    """The helper process of this program, and its socket."""

    def __init__(self, library: NativeLibrary) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", _START, str(theirs.fileno()), *(path or str(Path.cwd()) for path in sys.path)]
            try:
                self.process = subprocess.Popen(
                    command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
                )
            except OSError as error:
                raise _not_started(str(error)) from error
        try:
            self._send(pickle.dumps(library), None)
            if self._control.recv(1) != b"+":
                raise EOFError
        except (OSError, EOFError) as error:
            self.close()
            raise _not_started(f"it ended with status {self.process.returncode}") from error

    def start(self, descriptor: int, settings: dict[str, Any], memory_bytes: int) -> int:
        """Forks a board's process; its number. Raises OSError, EOFError."""
        with self._lock:
            self._send(pickle.dumps(("start", settings, memory_bytes)), descriptor)
            pid = self._answer()
        if pid < 0:
            raise _not_started(os.strerror(-pid))
        return pid

    def end(self, pid: int) -> int | None:
        """Ends a board's process; its status, None if the helper itself is gone and all boards with it."""
        try:
            with self._lock:
                self._send(pickle.dumps(("end", pid)), None)
                return self._answer()
        except (OSError, EOFError):
            return None

    def close(self) -> None:
        """Ends the helper, and with it all its boards."""
        self._control.close()
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def _send(self, text: bytes, descriptor: int | None) -> None:
        head = LENGTH.pack(len(text))
        if descriptor is None:
            self._control.sendall(head + text)
        else:
            socket.send_fds(self._control, [head], [descriptor])
            self._control.sendall(text)

    def _answer(self) -> int:
        return int(struct.unpack("<q", receive_exactly(self._control, 8))[0])


_helpers: dict[NativeLibrary, _Helper] = {}
_starting = threading.Lock()


def _helper_for(library: NativeLibrary) -> _Helper:
    with _starting:
        known = _helpers.get(library)
        if known is None or not known.runs:
            known = _helpers[library] = _Helper(library)
        return known


def _after_fork() -> None:
    """A fork of the program has no helper and no boards: those are the program's."""
    global _starting
    _starting = threading.Lock()
    for helper in _helpers.values():
        helper._control.close()
        helper.process.returncode = 0  # not a child of this process
    _helpers.clear()


def _close_all() -> None:
    for helper in _helpers.values():
        helper.close()
    _helpers.clear()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close_all)


def _not_started(why: str) -> BoardError:
    return BoardError("the process of the virtual board did not start", why=why, hint="free memory and processes, and run again")


def open_machine(
    label: str, *, board: BoardDescription | None = None, memory_bytes: int = DEFAULT_MEMORY_BYTES, **settings: Any
) -> Machine:
    """A machine in a process of its own.

    Args:
        label: what errors call its firmware.
        board: that is emulated; None: the default board.
        memory_bytes: limit of the process's address space; 0: none. Without effect under CM_TINY_SANITIZE, whose shadow memory is larger.
        settings: of :class:`~cm4tiny.boards.virtual.native.NativeMachine`.

    Raises:
        ToolchainError, CompileError: its C code cannot be built. BoardError: it does not start.
    """
    limit = 0 if sanitizing() else memory_bytes
    return cast(Machine, ChildMachine(label, native_library(board), limit, settings))


class ChildMachine:
    """Stands for a :class:`~cm4tiny.boards.virtual.native.NativeMachine` in another process: what it does not know it asks for by name."""

    def __init__(self, label: str, library: NativeLibrary, memory_bytes: int, settings: dict[str, Any]) -> None:
        self.label = label
        self._memory_bytes = memory_bytes
        self._owner = os.getpid()
        self._pid = 0
        self._stopped = self._closed = False
        self._why_gone = ""
        self._output = bytearray()
        self._received: list[bytes] = []
        self._notes: list[Note] = []
        self._lines: list[tuple[int, bytes]] = []
        self._lists: dict[str, Any] = {}
        self.fed = self._faultless = False
        self.time_ps = self.ticks = self.hclk_hz = self._line_baud = 0
        self._link, theirs = socket.socketpair()
        with theirs:
            for attempt in range(2):
                self._helper = _helper_for(library)
                try:
                    self._pid = self._helper.start(theirs.fileno(), settings, memory_bytes)
                    break
                except (OSError, EOFError) as error:  # it ended: another one is started, once
                    self._helper.close()
                    if attempt:
                        self._link.close()
                        raise _not_started("its helper ended") from error
        try:
            self.confinement: Confinement = self._reply()
        except BaseException:
            self.close()
            raise
        if self.confinement.memory_bytes != memory_bytes:
            self.close()
            raise _not_started(f"its memory is limited to {self.confinement.memory_bytes} bytes instead of {memory_bytes}")

    # --- the wire ---------------------------------------------------------------------------------------------------------------------

    def _ask(self, name: str, *arguments: Any) -> Any:
        if self._closed:
            raise BoardError("the virtual board is closed", hint="open a new one")
        if self._why_gone:
            raise self._gone()
        received, self._received = self._received, []
        self._faultless = False
        text = pickle.dumps((received, name, arguments), protocol=5)
        try:
            self._link.sendall(LENGTH.pack(len(text)) + text)
        except OSError as error:
            raise self._gone() from error
        except BaseException:
            self._end_process("a call was interrupted")
            raise
        return self._reply()

    def _reply(self) -> Any:
        try:
            kind, time_ps, ticks, hclk_hz, baud, output_bytes, value_bytes = HEADER.unpack(receive_exactly(self._link, HEADER.size))
            if output_bytes + value_bytes > MAX_REPLY_BYTES:
                self._end_process("it sent more than it may")
                raise self._gone()
            body = receive_exactly(self._link, output_bytes + value_bytes)
        except (OSError, EOFError) as error:
            raise self._gone() from error
        except BaseException:  # Ctrl-C: the reply to come would be taken for that of a later call
            self._end_process("a call was interrupted")
            raise
        self.time_ps, self.ticks, self.hclk_hz, self._line_baud = time_ps, ticks, hclk_hz, baud
        self._output += body[:output_bytes]
        value = read_value(body[output_bytes:])
        if kind == ERROR:
            name, what, why, hint = value
            known = getattr(errors, name, BoardError)
            raise (known if isinstance(known, type) and issubclass(known, Cm4TinyError) else BoardError)(what, why=why, hint=hint)
        return value

    def _gone(self) -> BoardError:
        """The error for a process that ended; the first one says why."""
        if self._stopped:
            return BoardError("the virtual board was stopped", why="it was closed while it ran", hint="open a new one")
        if not self._why_gone:
            status = self._helper.end(self._pid)
            self._why_gone = _text_of(status, self._memory_bytes)
        return BoardError(
            f"the process that emulates {self.label} ended",
            why=self._why_gone,
            hint="open the board again; if this firmware does it each time, report it with the firmware; other boards are not affected",
        )

    def _end_process(self, why: str) -> None:
        if not self._why_gone and self._owner == os.getpid():
            self._why_gone = why
            self._helper.end(self._pid)

    # --- what is asked all the time -------------------------------------------------------------------------------------------------

    def run(self, until_ps: int, silent_until_ps: int = 0, command: bytes = b"") -> StopReason:
        return _reason(self._run("run", min(until_ps, _FOR_EVER), min(silent_until_ps, _FOR_EVER), command))

    def hear(self, until_ps: int, silent_until_ps: int, command: bytes, prompt: bytes) -> StopReason:
        return _reason(self._run("hear", min(until_ps, _FOR_EVER), min(silent_until_ps, _FOR_EVER), command, prompt))

    def take_lines(self) -> list[tuple[int, bytes]]:
        lines, self._lines = self._lines, []
        return lines

    def skip_until(self, time_ps: int) -> None:
        self._run("skip_until", min(time_ps, _FOR_EVER))

    def _run(self, name: str, *arguments: int | bytes) -> Any:
        match self._ask(name, *arguments):
            case (reason, [*notes], bool(fed), bool(faultless), [*lines]) if _are_notes(notes) and self._are_lines(lines):
                self._notes += notes
                self._lines += lines
                self.fed, self._faultless = fed, faultless
                return reason
        raise malformed("an answer of another form")

    def _are_lines(self, lines: list[Any]) -> bool:
        """Whether these are times and what was said then, in order."""
        times = [line[0] for line in lines if isinstance(line, tuple) and list(map(type, line)) == [int, bytes]]
        return len(times) == len(lines) and times == sorted(times) and (not times or times[-1] <= self.time_ps)

    def fault(self) -> Fault | None:
        """Asked for only where the last answer did not say that there is none."""
        if self._faultless:
            return None
        found = self._ask("fault")
        if found is None or isinstance(found, Fault):
            return found
        raise malformed("a fault of another form")

    def receive(self, data: bytes) -> None:
        """Goes with the next request: no time passes in between."""
        self._received.append(data)

    def take_output(self) -> bytes:
        output = bytes(self._output)
        self._output.clear()
        return output

    def take_notes(self) -> tuple[Note, ...]:
        notes, self._notes = tuple(self._notes), []
        return notes

    def line_baud(self) -> int:
        return self._line_baud

    # --- everything else --------------------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        found = None if name.startswith("_") else getattr(NativeMachine, name, None)
        if found is None:
            raise AttributeError(f"a machine has no '{name}'")
        if isinstance(found, property):
            return self._ask(name)
        return self._since(name) if name in _GROWING else lambda *arguments: self._ask(name, *arguments)

    def _since(self, name: str) -> Callable[[], Any]:
        def look() -> Any:
            known = self._lists.get(name)
            begin = 0 if known is None else len(known)
            pieces = [] if known is None else [known]
            while True:
                more = self._ask("since", name, begin)
                begin += len(more)
                if len(more) or not pieces:
                    pieces.append(more)
                if len(more) < MAX_ITEMS:
                    break
            if len(pieces) > 1:
                known = np.concatenate(pieces) if isinstance(more, np.ndarray) else tuple(itertools.chain.from_iterable(pieces))
            else:
                known = pieces[0]
            self._lists[name] = known
            return known

        return look

    @property
    def pid(self) -> int:
        """The process."""
        return self._pid

    def stop(self) -> None:
        self._stopped = True
        self._end_process("it was stopped")

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._pid:
            self._end_process("it was closed")
        self._link.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()


def _are_notes(notes: list[Any]) -> bool:
    return all(isinstance(note, Note) and type(note.address) is int for note in notes)


def _reason(number: Any) -> StopReason:
    try:
        return StopReason(number)
    except ValueError:
        raise malformed("an unknown reason for a stop") from None


def _text_of(status: int | None, memory_bytes: int) -> str:
    if status is None:
        return "the helper that started it ended, and all boards with it"
    if not os.WIFSIGNALED(status):
        return f"it ended by itself with status {os.waitstatus_to_exitcode(status)}"
    number = os.WTERMSIG(status)
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    causes = {
        signal.SIGSEGV: "the emulator has a defect that this firmware meets",
        signal.SIGFPE: "the emulator has a defect that this firmware meets",
        signal.SIGABRT: f"the emulator gave up, as it does when its memory of {memory_bytes >> 20} MiB is used up",
        signal.SIGTRAP: f"the emulator gave up, as it does when its memory of {memory_bytes >> 20} MiB is used up",
        signal.SIGXCPU: f"the emulator ran for {SLICE_CPU_S} s without an end: it hung",
        signal.SIGKILL: "somebody killed it, or the host ran out of memory",
    }
    return f"{name}: {causes.get(number, 'somebody ended it')}"  # type: ignore[call-overload]
