# SPDX-License-Identifier: Apache-2.0
"""A port that is gone, stuck, taken or renamed, and the tools that write a board's flash."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import serial
from support.fake_usb import FakeBoard, FakeOpenOcd, listing
from support.faulty_port import WAYS, FaultyPort
from support.tiny_elf import tiny_elf

from cm4tiny.boards.boards import find_board
from cm4tiny.boards.links import SerialLink
from cm4tiny.boards.nucleo import board as nucleo_board
from cm4tiny.boards.nucleo import ports, tools
from cm4tiny.boards.nucleo.board import BoardOptions, NucleoBoard, await_port
from cm4tiny.boards.nucleo.claim import ClaimTarget
from cm4tiny.boards.nucleo.flashers import MassStorage, OpenOcd, Wiring, check_drive
from cm4tiny.boards.nucleo.tools import run_tool
from cm4tiny.deadline import Deadline
from cm4tiny.locks import acquire
from ledger.outcome import Outcome, attempt

LIMIT_S = 5.0
"""A fault that should end at once and takes longer is handled badly, whatever is said then."""

CALLS: dict[str, Callable[[SerialLink], object]] = {
    "open": lambda link: None,
    "write": lambda link: link.write(b"name%"),
    "flush": lambda link: link.write(b"name%"),
    "in_waiting": lambda link: link.read(Deadline(60)),
    "read": lambda link: link.read(Deadline(60)),
    "none-read": lambda link: link.read(Deadline(60)),
    "timeout": lambda link: link.read(Deadline(60)),
    "reset_input_buffer": lambda link: link.discard_input(),
    "close": lambda link: link.close(),
}


def _in_time(action: Callable[[], Outcome]) -> Outcome:
    began = time.monotonic()
    outcome = attempt(action)
    took = time.monotonic() - began
    return outcome if took < LIMIT_S else Outcome("wrong", outcome.name, f"took {took:.1f} s: {outcome.text}")


def unplugged(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A port breaks at ``call`` in one ``way`` (tests/support/faulty_port.py)."""

    def use() -> Outcome:
        CALLS[inputs["call"]](SerialLink("/dev/ttyACM0"))
        return Outcome("wrong", "", "nothing was noticed")

    port = FaultyPort(inputs["call"], WAYS.get(inputs["way"]), empty=inputs["way"] == "empty")
    with mock.patch.object(serial, "serial_for_url", port.url):
        return _in_time(use)


@contextlib.contextmanager
def _terminal() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        yield master, os.ttyname(slave)
    finally:
        for descriptor in (master, slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def hung_up(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The other end of a pseudo terminal closes; then ``call``."""

    def use() -> Outcome:
        with _terminal() as (master, path):
            link = SerialLink(path)
            os.close(master)
            CALLS[inputs["call"]](link)
        return Outcome("wrong", "", "nothing was noticed")

    return _in_time(use)


def stalled(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A line that takes nothing: ``how`` is ``flow-control``, ``nobody-reads`` or ``driver``."""

    def use() -> Outcome:
        how, port = inputs["how"], FaultyPort("flush", hang=True)
        with contextlib.ExitStack() as stack:
            _, path = stack.enter_context(_terminal())
            if how == "driver":
                stack.enter_context(mock.patch.object(serial, "serial_for_url", port.url))
            link = SerialLink(path, write_s=0.1)
            if how == "flow-control":
                descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
                termios.tcflow(descriptor, termios.TCOOFF)
                os.close(descriptor)
            try:
                link.write(b"x" * (1_000_000 if how == "nobody-reads" else 10))
            finally:
                port.released.set()
                link.close()
        return Outcome("wrong", "", "the bytes counted as sent")

    return _in_time(use)


# --- one board, many names -----------------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def _desk(folder: Path, *serials: str) -> Iterator[tuple[list[FakeBoard], FakeOpenOcd]]:
    boards = [FakeBoard(folder, number, f"ttyACM{i}") for i, number in enumerate(serials)]
    tool = FakeOpenOcd()
    (folder / "a.elf").write_bytes(tiny_elf())
    with (
        mock.patch.dict(os.environ, {"CM_TINY_CACHE": str(folder / "cache")}),
        mock.patch.object(nucleo_board, "RESTART_S", 0.0),
        mock.patch.object(nucleo_board, "choose", lambda row, wiring, wanted: OpenOcd(row, wiring, tool)),
        mock.patch.object(ports.list_ports, "comports", lambda: listing(*boards)),
    ):
        try:
            yield boards, tool
        finally:
            for board in boards:
                board.unplug()


def _name(board: FakeBoard, name: str) -> str:
    return {"by-id": str(board.by_id), "device": str(board.device), "socket": "socket://127.0.0.1:9", "usb": ""}[name]


def second_run(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A run holds a board by the name ``first``; another one opens it by the name ``second``."""
    with _desk(folder, "066BFF01") as (boards, tool):
        held = NucleoBoard(folder / "a.elf", BoardOptions(port=_name(boards[0], inputs["first"])))

        def use() -> Outcome:
            NucleoBoard(folder / "a.elf", BoardOptions(port=_name(boards[0], inputs["second"]))).close()
            return Outcome("wrong", "", "the board was taken away from the first run")

        try:
            outcome = _in_time(use)
        finally:
            held.close()
        return outcome if tool.writes == 1 else Outcome("wrong", outcome.name, f"flashed {tool.writes} times: {outcome.text}")


def port_in_use(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """Another program has locked the port; a run wants to flash the board."""
    with _desk(folder, "066BFF01") as (boards, tool):
        other = SerialLink(os.path.realpath(boards[0].device))

        def use() -> Outcome:
            NucleoBoard(folder / "a.elf", BoardOptions()).close()
            return Outcome("wrong", "", "two programs use the port")

        try:
            outcome = _in_time(use)
        finally:
            other.close()
        return outcome if not tool.asked else Outcome("wrong", outcome.name, f"{len(tool.asked)} commands were run: {outcome.text}")


def two_boards(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """Two boards are plugged in; ``port`` names one by its device, or is a ``url`` that says nothing."""
    with _desk(folder, "066BFF01", "066BFF02") as (boards, tool):
        port = str(boards[1].device) if inputs["port"] == "device" else "loop://"

        def use() -> Outcome:
            NucleoBoard(folder / "a.elf", BoardOptions(port=port)).close()
            right = all("adapter serial 066BFF02" in command for command in tool.asked) and tool.writes == 1
            return Outcome("correct" if right else "wrong", "", str(tool.asked))

        return _in_time(use)


class _Clock:
    def __init__(self, at: Mapping[float, Callable[[], None]]) -> None:
        self.now, self.at = 0.0, dict(at)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for moment in [m for m in self.at if m <= self.now]:
            self.at.pop(moment)()


def port_returns(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """After flashing the port goes away and comes back ``after`` so many seconds as ``name``; 0: never."""
    with _desk(folder, "066BFF01") as (boards, _):
        board, name = boards[0], inputs.get("name", "ttyACM0")
        link = SerialLink(str(board.device))
        later: dict[float, Callable[[], None]] = {0.2: board.unplug}
        if inputs["after"]:
            later[inputs["after"]] = lambda: board.plug(name)
        clock = _Clock(later)

        def use() -> Outcome:
            target = ClaimTarget(find_board(), str(board.device), board.serial)
            again = await_port(link, target, 115200, clock=clock, sleep=clock.sleep)
            board.say(b"m-ready\r\n")
            right = again.read(Deadline(5)) == b"m-ready\r\n"
            again.close()
            return Outcome("correct" if right else "wrong", "", again.name)

        with mock.patch.object(nucleo_board, "RESTART_S", 1.0):
            outcome = _in_time(use)
        return outcome if clock.now < 22 else Outcome("wrong", outcome.name, f"waited {clock.now:.0f} s: {outcome.text}")


# --- locks ---------------------------------------------------------------------------------------------------------------------------
def killed_holder(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A process that holds a lock is killed with SIGKILL."""
    program = "import sys, time, pathlib, cm4tiny.locks as l; k = l.acquire(pathlib.Path(sys.argv[1])); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", program, str(folder / "a.lock")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()

    def use() -> Outcome:
        acquire(folder / "a.lock").release()
        return Outcome("correct", "", "taken")

    return _in_time(use)


def no_flock(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The file system answers ``flock`` with the error ``errno``."""

    def refuse(*_: object) -> None:
        raise OSError(getattr(errno, inputs["errno"]), "not implemented")

    def use() -> Outcome:
        acquire(folder / "a.lock", wait_s=3600).release()
        return Outcome("wrong", "", "a lock that excludes nobody")

    with mock.patch.object(fcntl, "flock", refuse):
        return _in_time(use)


# --- flash tools ---------------------------------------------------------------------------------------------------------------------
def tool_runs_wild(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A flash tool does not stop writing, hangs, or leaves a child that keeps its output open (``how``)."""
    programs = {
        "flood": "while True: print('Error: timed out while waiting for target halted')",
        "hang": "import time; print('waiting', flush=True); time.sleep(60)",
        "child": "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print('Verified OK')",
    }

    def use() -> Outcome:
        outcome = run_tool([sys.executable, "-c", programs[inputs["how"]]], 0.5 if inputs["how"] == "hang" else 30.0)
        return Outcome("correct" if outcome.text == "Verified OK\n" else "wrong", "", outcome.text)

    with mock.patch.object(tools, "FLOOD_BYTES", 1_000_000):
        return _in_time(use)


def drive(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """What the ST-LINK's drive does after the copy: ``then`` is ``fails-late``, ``vanishes``, ``returns`` or ``ignores``."""
    path, away, then = folder / "NODE_L4R5ZI", folder / "away", inputs["then"]
    path.mkdir()
    (path / "DETAILS.TXT").write_text("Version: 0221\n")
    (folder / "a.bin").write_bytes(b"image")

    def take() -> None:
        if then != "ignores":
            (path / "FIRMWARE.BIN").unlink()
        if then in ("vanishes", "returns"):
            path.rename(away)

    def later() -> None:
        if then == "returns":
            away.rename(path)
        elif then == "fails-late":
            (path / "FAIL.TXT").write_text("SWD/JTAG communication failure\n")

    clock = _Clock({0.3: take, 0.9: later})

    def use() -> Outcome:
        MassStorage(find_board(), Wiring(drive=str(path)), clock=clock, sleep=clock.sleep).write(folder / "a.bin")
        return Outcome("correct" if then == "returns" else "wrong", "", "counted as flashed")

    return _in_time(use)


def other_variant(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The mounted drive is that of another board with the same chip and probe."""

    def use() -> Outcome:
        check_drive(find_board(), lambda: [Path("/media") / inputs["drive"]])
        return Outcome("wrong", "", "taken for the board that was asked for")

    return attempt(use)
