# SPDX-License-Identifier: Apache-2.0
"""Each chip is emulated in a process of its own: what ends there is an error of that board, and nothing is left behind."""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from virtual_board_programs import ECHO, NOP, ask, branch_wide, build_test_firmware, write_elf

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.virtual import child, confine, process
from cm4tiny.boards.virtual.machine import Note, NoteKind, StopReason
from cm4tiny.boards.virtual.process import ChildMachine
from cm4tiny.boards.virtual.silicon import BrokenRule, checked
from cm4tiny.deadline import Deadline
from cm4tiny.errors import BoardError

START = 0x0800_0008


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_test_firmware(tmp_path_factory.mktemp("firmware"))


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    return write_elf(tmp_path, *ECHO)


@pytest.fixture
def busy(tmp_path: Path) -> Path:
    """Firmware that works for ever and says nothing."""
    (tmp_path / "busy").mkdir()
    return write_elf(tmp_path / "busy", NOP, NOP, *branch_wide(START + 4, START))


def says_hello(board: VirtualBoard) -> bool:
    board.link.write(b"hello%")
    return board.link.read(Deadline(1.0, board.link.clock)) == b"hello%"


def process_of(board: VirtualBoard) -> int:
    return int(board.guard.machine.pid)  # type: ignore[attr-defined]


def gone_within(pid: int, seconds: float) -> bool:
    """Whether a process has ended, be it that nobody has asked for its status yet."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
        except (FileNotFoundError, ProcessLookupError):  # it ended before the file was opened, or while it was read
            return True
        time.sleep(0.01)
    return False


# --- what ends a board, and nothing else --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGFPE, signal.SIGABRT, signal.SIGKILL, signal.SIGXCPU, signal.SIGTERM])
def test_a_crash_of_the_emulator_is_an_error_of_that_board_alone(echo: Path, number: signal.Signals) -> None:
    with VirtualBoard(echo, name="board 1") as first, VirtualBoard(echo) as second:
        assert says_hello(first) and says_hello(second)
        os.kill(process_of(first), number)
        with pytest.raises(BoardError, match=r"emulates 'program\.elf' on board 1 ended") as caught:
            says_hello(first)
        assert number.name in caught.value.why and "open the board again" in caught.value.hint
        with pytest.raises(BoardError, match="ended") as again:  # and continues to say so
            first.statistics()
        assert again.value.why == caught.value.why
        assert says_hello(second)
    with VirtualBoard(echo) as third:
        assert says_hello(third)


def test_a_crash_in_the_middle_of_a_run_is_noticed_at_once(busy: Path) -> None:
    with VirtualBoard(busy) as board:
        timer = threading.Timer(0.3, os.kill, (process_of(board), signal.SIGSEGV))
        timer.start()
        begin = time.monotonic()
        with pytest.raises(BoardError, match="ended") as caught:
            board.link.read(Deadline(1e6, board.link.clock))
        assert time.monotonic() - begin < 5 and "SIGSEGV" in caught.value.why


def test_a_board_that_is_closed_while_it_runs_ends_that_run(busy: Path) -> None:
    board = VirtualBoard(busy)
    found: list[BaseException] = []

    def run() -> None:
        try:
            board.link.read(Deadline(1e6, board.link.clock))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.2)
    board.close()
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(found[0], BoardError) and "was stopped" in str(found[0])
    assert gone_within(process_of(board), 1)


def test_memory_without_end_is_an_error_with_the_limit(echo: Path) -> None:
    with VirtualBoard(echo, memory_bytes=2 << 30) as board:
        machine: Any = board.guard.machine
        with pytest.raises(BoardError) as caught:
            for _ in range(60):  # audio that waits: 64 MiB of it at a time
                machine.play(bytes(60 << 20), 16000)
        assert caught.value.hint and "traceback" not in str(caught.value).lower()
        assert says_hello(board)
    with pytest.raises(BoardError, match=r"did not start|no memory|memory"):
        VirtualBoard(echo, memory_bytes=1 << 20)


def test_a_helper_that_was_killed_is_replaced(echo: Path) -> None:
    with VirtualBoard(echo) as board:
        helper = board.guard.machine._helper.process  # type: ignore[attr-defined]
        helper.send_signal(signal.SIGKILL)
        helper.wait(5)
        assert gone_within(process_of(board), 1)
        with pytest.raises(BoardError, match="ended") as caught:
            says_hello(board)
        assert "helper" in caught.value.why
    with VirtualBoard(echo) as board:
        assert says_hello(board)


# --- nothing is left behind ---------------------------------------------------------------------------------------------------------

PROGRAM = """
import sys, threading
from cm4tiny.boards import VirtualBoard
from cm4tiny.deadline import Deadline
from pathlib import Path
def main():
    with VirtualBoard(Path(sys.argv[1])) as board:
        print(board.guard.machine.pid, board.guard.machine._helper.process.pid, flush=True)
        board.link.read(Deadline(1e9, board.link.clock))
if sys.argv[2] == "thread":
    worker = threading.Thread(target=main, daemon=True)
    worker.start()
    worker.join()
main()
"""


def start_program(elf: Path, where: str = "main") -> tuple[subprocess.Popen[str], list[int]]:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(elf), where],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a background shell ignores it
    )
    assert program.stdout is not None
    return program, [int(word) for word in program.stdout.readline().split()]


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_boards_of_a_program_end_with_it_within_a_second(busy: Path, number: signal.Signals, where: str) -> None:
    program, processes = start_program(busy, where)
    time.sleep(0.2)
    program.send_signal(number)
    assert [gone_within(pid, 1.0) for pid in processes] == [True, True]
    program.wait(5)
    program.communicate()


def test_a_fork_of_the_program_leaves_its_boards_alone(echo: Path) -> None:
    with VirtualBoard(echo) as board:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                board.close()
                with VirtualBoard(echo) as own:
                    status = 0 if says_hello(own) else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert says_hello(board)


def test_ctrl_c_in_a_terminal_reaches_the_program_and_not_the_boards(echo: Path) -> None:
    with VirtualBoard(echo) as board:
        assert os.getsid(process_of(board)) != os.getsid(0)
        os.kill(process_of(board), signal.SIGINT)
        assert says_hello(board)


# --- limits -------------------------------------------------------------------------------------------------------------------------


def test_what_is_in_force_is_read_back(echo: Path) -> None:
    with VirtualBoard(echo) as board:
        found = board.confinement
        assert found is not None
        assert found.memory_bytes == confine.DEFAULT_MEMORY_BYTES
        assert (found.open_files, found.file_bytes, found.no_new_privileges) == (0, 0, True)
        limits = Path(f"/proc/{process_of(board)}/limits").read_text()
        assert next(line for line in limits.splitlines() if line.startswith("Max address space")).split()[3] == str(2 << 30)
        status = Path(f"/proc/{process_of(board)}/status").read_text()
        assert ("Seccomp:\t2" in status) == found.seccomp


ATTEMPTS = {
    "open a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "make a socket": lambda: __import__("socket").socket(),
    "run a program": lambda: os.execv("/bin/true", ["true"]),
    "fork": os.fork,
    "remove a file": lambda: Path("/nonexistent").unlink(),
    "signal another process": lambda: os.kill(os.getppid(), 0),
    "raise its limits": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (10, 10)),
    "look for a file": lambda: Path("/").stat(),
}


@pytest.mark.parametrize("attempt", sorted(ATTEMPTS))
def test_the_process_of_a_chip_cannot(attempt: str) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        answer = b"?"
        try:
            answer = b"+" if confine.confine().seccomp else b"-"
            ATTEMPTS[attempt]()
            answer = b"!"
        except OSError as error:
            answer = answer if error.errno in (errno.EPERM, errno.EMFILE) else b"!"
        finally:
            os.write(writer, answer)
            os._exit(0)
    os.close(writer)
    answer = os.read(reader, 1)
    os.close(reader)
    os.waitpid(pid, 0)
    if answer == b"-":
        pytest.skip("this system installs no seccomp filters")
    assert answer == b"+"


def test_a_loop_without_end_in_the_emulator_runs_into_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confine, "SLICE_CPU_S", 1)
    pid = os.fork()
    if pid == 0:
        confine.confine()
        while True:
            pass
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGXCPU
    assert "hung" in process._text_of(signal.SIGXCPU, 2 << 30)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (None, "the helper that started it ended, and all boards with it"),
        (3 << 8, "it ended by itself with status 3"),
        (signal.SIGSEGV, "SIGSEGV: the emulator has a defect that this firmware meets"),
        (signal.SIGFPE, "SIGFPE: the emulator has a defect that this firmware meets"),
        (signal.SIGABRT, "SIGABRT: the emulator gave up, as it does when its memory of 2048 MiB is used up"),
        (signal.SIGTRAP, "SIGTRAP: the emulator gave up, as it does when its memory of 2048 MiB is used up"),
        (signal.SIGKILL, "SIGKILL: somebody killed it, or the host ran out of memory"),
        (signal.SIGTERM, "SIGTERM: somebody ended it"),
    ],
)
def test_the_end_of_an_emulator_is_explained(status: int | None, text: str) -> None:
    assert process._text_of(status, 2 << 30) == text


# --- what comes back ----------------------------------------------------------------------------------------------------------------


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def test_a_reply_can_only_hold_values() -> None:
    note = Note(NoteKind.READ, 1, 2)
    assert child.read_value(pickle.dumps((note, 5, b"x", {1: (2, 3)}))) == (note, 5, b"x", {1: (2, 3)})
    for evil in (_Evil(), print, ctypes.CDLL, signal.SIGINT, BoardError("x")):
        with pytest.raises(BoardError, match="not a value") as caught:
            child.read_value(pickle.dumps(evil))
        assert caught.value.hint
    with pytest.raises(BoardError, match="damaged"):
        child.read_value(b"\x80\x05]")


@pytest.mark.parametrize(
    "answer",
    [
        (99, []),
        (StopReason.LIMIT, [5]),
        (StopReason.LIMIT, [Note(NoteKind.READ, "here", 2)]),  # type: ignore[arg-type]
        StopReason.LIMIT,
        (StopReason.LIMIT, [Note(NoteKind.RULE, 7, 2)]),
        (StopReason.LIMIT, [Note(NoteKind.RULE, -1, 2)]),
    ],
)
def test_an_answer_to_run_is_checked(echo: Path, monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    with VirtualBoard(echo) as board:
        ask = process.ChildMachine._ask
        monkeypatch.setattr(process.ChildMachine, "_ask", lambda self, name, *a: answer if name == "run" else ask(self, name, *a))
        with pytest.raises(BoardError, match="the process that emulates the board sent") as caught:
            board.run_guarded(1_000_000)
        assert caught.value.why and caught.value.hint


GOOD = BrokenRule("ahb-step", 0x4002_1008, 3, 16_000_000, 8_000_000, True, 0x0800_0000, b"", (0,) * 15, 16_000_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": "no-such-rule"},
        {"rule": ["ahb-step"]},
        {"detail": -1},
        {"detail": "1"},
        {"registers": (0,) * 3},
        {"registers": 5},
        {"block_bytes": bytes(1 << 20)},
        {"block_bytes": "text"},
        {"is_store": 2},
        {"hclk_hz": 1.5},
    ],
)
def test_a_broken_rule_from_another_process_is_checked(changes: dict[str, Any]) -> None:
    assert checked(GOOD) is GOOD
    with pytest.raises(BoardError, match="the table does not hold") as caught:
        checked(dataclasses.replace(GOOD, **changes))
    assert caught.value.hint
    with pytest.raises(BoardError):
        checked(Note(NoteKind.READ, 1, 2))


def test_both_ways_of_running_a_chip_count_the_same(echo: Path) -> None:
    def run(in_process: bool) -> tuple[object, ...]:
        with VirtualBoard(echo, in_process=in_process) as board:
            assert says_hello(board) and says_hello(board)
            assert (board.confinement is None) is in_process
            return board.statistics(), board.time_s, board.read_memory(0x0800_0000, 64), board.guard.machine.spans().tolist()

    assert run(True) == run(False)


def test_a_command_and_its_answer_take_one_request(firmware: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[str] = []
    ask_process = ChildMachine._ask

    def counted(self: ChildMachine, name: str, *arguments: object) -> object:
        requests.append(name)
        return ask_process(self, name, *arguments)

    monkeypatch.setattr(ChildMachine, "_ask", counted)
    with VirtualBoard(firmware) as board:
        ask(board, b"")
        requests.clear()
        for _ in range(20):
            ask(board, b"x%")
            assert board.link.read(Deadline(0.0, board.link.clock)) == b""  # looks whether the firmware crashed
        assert requests == ["hear"] * 20


def test_lines_of_an_answer_are_fetched_at_once_and_handed_out_with_the_times_at_which_they_were_said(firmware: Path) -> None:
    """Line by line the same as from a link that stops at each."""

    def said(prompt: bytes | None, **options: bool) -> list[tuple[float, bytes]]:
        with VirtualBoard(firmware, **options) as board:  # type: ignore[arg-type]
            board.link._prompt = board.link._prompt if prompt is None else prompt
            lines = []
            for command in (b"", b"name%", b"profile%", b"x%"):
                board.link.write(command)
                while not lines or lines[-1][1]:
                    line = board.link.read(Deadline(0.1, board.link.clock))
                    lines.append((board.link.clock(), line))
                assert board.link.clock() == board.time_s
                lines.append((board.time_s, b"-"))
            return lines

    at_once = said(None)
    assert at_once == said(None, in_process=True) == said(b"")
    assert len(at_once) > 12


def test_lines_that_a_process_makes_up_are_refused(firmware: Path) -> None:
    with VirtualBoard(firmware) as board:
        ask(board, b"")
        machine = board.guard.machine
        assert isinstance(machine, ChildMachine)
        late = machine.time_ps + 1
        for lines in ([(late, b"x")], [(2, b"x"), (1, b"x")], [(1, "x")], [(True, b"x")], [1], [(1, b"x", 2)]):
            assert not machine._are_lines(lines)
        assert machine._are_lines([(1, b"x"), (1, b"y")])


def test_a_crash_after_some_lines_is_reported_after_them(tmp_path: Path) -> None:
    """The lines that were said before are handed out first."""
    said = [(5, b"one\n"), (9, b"two\n")]
    elf = write_elf(tmp_path, *ECHO)
    with VirtualBoard(elf, in_process=True) as board:
        machine = board.guard.machine

        def hear(*_: object) -> StopReason:
            machine._lines += said  # type: ignore[attr-defined]
            return StopReason.FAULT

        machine.hear = hear  # type: ignore[method-assign]
        for at, line in said:
            assert board.link.read(Deadline(1.0, board.link.clock)) == line
            assert board.link.clock() == at / 1e12
        with pytest.raises(BoardError, match="stopped for no known reason"):
            board.link.read(Deadline(1.0, board.link.clock))


def test_commands_in_one_write_are_answered_as_one_by_one(firmware: Path) -> None:
    with VirtualBoard(firmware) as together, VirtualBoard(firmware, in_process=True) as apart:
        for board in (together, apart):
            ask(board, b"")
        said = ask(together, b"v%x%i%", answers=3)
        assert said == b"".join(ask(apart, command) for command in (b"v%", b"x%", b"i%"))
        assert together.statistics() == apart.statistics()
