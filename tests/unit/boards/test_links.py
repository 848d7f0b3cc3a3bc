# SPDX-License-Identifier: Apache-2.0
"""Serial links over pseudo terminals, sockets and pyserial's loop, and their errors."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import socket
import termios
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from support.faulty_port import CALLS, WAYS, FaultyPort

from cm4tiny.boards import links
from cm4tiny.boards.links import SerialLink
from cm4tiny.deadline import Deadline
from cm4tiny.errors import LinkError


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.close(slave)
    yield master, path
    with contextlib.suppress(OSError):
        os.close(master)


def test_bytes_go_both_ways_over_a_terminal(terminal: tuple[int, str]) -> None:
    master, path = terminal
    link = SerialLink(path)
    link.write(b"name%")
    assert os.read(master, 100) == b"name%"
    os.write(master, b"m-ready\r\n")
    assert link.read(Deadline(5)) == b"m-ready\r\n"
    link.close()


def test_what_waits_is_read_in_one_piece() -> None:
    link = SerialLink("loop://")
    link.write(b"x" * 3000)
    assert link.read(Deadline(5)) == b"x" * 3000
    link.close()


def test_nothing_comes_and_the_deadline_passes() -> None:
    link = SerialLink("loop://")
    before = time.monotonic()
    assert link.read(Deadline(0.2)) == b""
    assert 0.15 < time.monotonic() - before < 2
    link.close()


def test_bytes_that_come_later_are_waited_for(terminal: tuple[int, str]) -> None:
    master, path = terminal
    link = SerialLink(path)
    timer = threading.Timer(0.2, lambda: os.write(master, b"late"))
    timer.start()
    assert link.read(Deadline(5)) == b"late"
    timer.join()
    link.close()


def test_the_clock_is_the_hosts() -> None:
    link = SerialLink("loop://")
    assert abs(link.clock() - time.monotonic()) < 1
    link.close()


def test_a_terminal_that_goes_away_in_the_middle_is_reported(terminal: tuple[int, str]) -> None:
    master, path = terminal
    link = SerialLink(path)
    threading.Timer(0.2, lambda: os.close(master)).start()
    with pytest.raises(LinkError, match="broke") as caught:
        link.read(Deadline(5))
    assert "cable" in caught.value.hint
    with pytest.raises(LinkError, match="broke"):
        link.write(b"x")


def test_a_socket_that_goes_away_in_the_middle_is_reported() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        link = SerialLink(f"socket://127.0.0.1:{listener.getsockname()[1]}")
        connection, _ = listener.accept()
        connection.sendall(b"bye")
        connection.close()
        with pytest.raises(LinkError, match="broke"):
            while True:
                assert link.read(Deadline(5)) == b"bye"


def test_a_port_is_for_one_program_only(terminal: tuple[int, str]) -> None:
    first = SerialLink(terminal[1])
    with pytest.raises(LinkError, match="cannot open") as caught:
        SerialLink(terminal[1])
    assert "close the program" in caught.value.hint
    first.close()


def test_an_absent_port_is_reported_with_a_hint() -> None:
    with pytest.raises(LinkError, match="cannot open /dev/ttyACM99") as caught:
        SerialLink("/dev/ttyACM99")
    assert "plug the board in" in caught.value.hint


def test_a_refused_connection_is_reported_with_a_hint() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(LinkError, match="cannot open") as caught:
        SerialLink(f"socket://127.0.0.1:{port}")
    assert "other end" in caught.value.hint


@pytest.mark.parametrize(("number", "hint"), [(errno.EACCES, "dialout"), (errno.EBUSY, "close the program"), (errno.EIO, "list the ports")])
def test_each_cause_has_its_hint(monkeypatch: pytest.MonkeyPatch, number: int, hint: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise serial.SerialException(number, os.strerror(number))

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(LinkError) as caught:
        SerialLink("/dev/ttyACM0")
    assert hint in caught.value.hint


def test_a_nonsense_address_is_reported() -> None:
    with pytest.raises(LinkError, match="cannot open nonsense://x"):
        SerialLink("nonsense://x")


# --- a port that is gone ---------------------------------------------------------------------------------------------------------
USES = {
    "open": lambda link: None,
    "write": lambda link: link.write(b"name%"),
    "flush": lambda link: link.write(b"name%"),
    "in_waiting": lambda link: link.read(Deadline(5)),
    "read": lambda link: link.read(Deadline(5)),
    "timeout": lambda link: link.read(Deadline(5)),
    "reset_input_buffer": lambda link: link.discard_input(),
    "close": lambda link: link.close(),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("call", CALLS)
def test_every_way_in_which_an_unplugged_port_shows_itself_is_a_link_error(monkeypatch: pytest.MonkeyPatch, call: str, way: str) -> None:
    port = FaultyPort(call, WAYS[way])
    monkeypatch.setattr(serial, "serial_for_url", port.url)
    with pytest.raises(LinkError, match="/dev/ttyACM0") as caught:
        USES[call](SerialLink("/dev/ttyACM0"))
    assert call in port.calls and caught.value.why and caught.value.hint


def test_a_terminal_that_goes_away_between_write_and_drain_is_reported(terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> None:
    master, path = terminal
    link = SerialLink(path)
    drain = termios.tcdrain

    def unplugged(descriptor: int) -> None:
        os.close(master)
        drain(descriptor)
        termios.tcgetattr(descriptor)  # what tcdrain does not see on a pty, a driver reports

    monkeypatch.setattr(termios, "tcdrain", unplugged)
    with pytest.raises(LinkError, match="broke"):
        link.write(b"name%")
    link.close()


def test_every_call_after_a_hang_up_is_a_link_error_and_nothing_waits(terminal: tuple[int, str]) -> None:
    master, path = terminal
    link = SerialLink(path)
    assert link.usable()
    os.close(master)
    began = time.monotonic()
    for use in (lambda: link.write(b"x"), lambda: link.read(Deadline(60)), link.discard_input):
        with pytest.raises(LinkError, match="broke"):
            use()
    assert not link.usable()
    link.close()
    with pytest.raises(LinkError, match="broke"):
        link.write(b"x")
    assert time.monotonic() - began < 5


def test_a_port_that_returns_nothing_for_ever_is_reported_before_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial, "serial_for_url", FaultyPort(empty=True).url)
    began = time.monotonic()
    with pytest.raises(LinkError, match="broke") as caught:
        SerialLink("/dev/ttyACM0").read(Deadline(60))
    assert time.monotonic() - began < 5 and "nothing" in caught.value.why


def test_a_port_that_waits_and_gets_nothing_is_only_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial, "serial_for_url", FaultyPort().url)
    assert SerialLink("/dev/ttyACM0").read(Deadline(0.3)) == b""


# --- a device that takes nothing ---------------------------------------------------------------------------------------------------
def test_a_line_stopped_by_flow_control_ends_the_write_in_time(terminal: tuple[int, str]) -> None:
    link = SerialLink(terminal[1], write_s=0.2)
    termios.tcflow(os.open(terminal[1], os.O_RDWR | os.O_NOCTTY), termios.TCOOFF)
    began = time.monotonic()
    with pytest.raises(LinkError, match="does not take what is sent") as caught:
        link.write(b"name%")
    link.close()
    assert time.monotonic() - began < 5 and "stopped" in caught.value.why


def test_an_other_end_that_never_reads_ends_the_write_in_time(terminal: tuple[int, str]) -> None:
    link = SerialLink(terminal[1], write_s=0.2)
    began = time.monotonic()
    with pytest.raises(LinkError, match="does not take what is sent"):
        link.write(b"x" * 1_000_000)
    link.close()
    assert time.monotonic() - began < 5


def test_a_peer_behind_a_socket_that_never_reads_ends_the_write_in_time() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        link = SerialLink(f"socket://127.0.0.1:{listener.getsockname()[1]}", write_s=0.2)
        connection, _ = listener.accept()
        began = time.monotonic()
        with pytest.raises(LinkError):
            for _ in range(1000):
                link.write(b"x" * 1_000_000)
        assert time.monotonic() - began < 10
        link.close()
        connection.close()


@pytest.mark.parametrize(("call", "text"), [("flush", "does not take"), ("close", "broke"), ("reset_input_buffer", "broke")])
def test_a_driver_that_never_returns_is_left(monkeypatch: pytest.MonkeyPatch, call: str, text: str) -> None:
    monkeypatch.setattr(links, "CLOSE_S", 0.2)
    port = FaultyPort(call, hang=True)
    monkeypatch.setattr(serial, "serial_for_url", port.url)
    with pytest.raises(LinkError, match=text):
        USES[call](SerialLink("/dev/ttyACM0", write_s=0.2))
    port.released.set()


def test_bytes_that_the_port_did_not_take_are_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    port = FaultyPort()
    monkeypatch.setattr(port, "write", lambda data: len(data) - 1)
    monkeypatch.setattr(serial, "serial_for_url", port.url)
    with pytest.raises(LinkError, match="broke") as caught:
        SerialLink("/dev/ttyACM0").write(b"name%")
    assert "4 of 5" in caught.value.why


# --- the name and the thing --------------------------------------------------------------------------------------------------------
def test_a_name_that_means_another_device_now_is_noticed(tmp_path: Path) -> None:
    pairs = [os.openpty() for _ in range(2)]
    name = tmp_path / "ttyACM0"
    name.symlink_to(os.ttyname(pairs[0][1]))
    link = SerialLink(str(name))
    assert link.usable()
    name.unlink()
    assert not link.usable()
    name.symlink_to(os.ttyname(pairs[1][1]))
    assert not link.usable()
    link.close()
    for descriptor in (d for pair in pairs for d in pair):
        os.close(descriptor)


def test_a_socket_whose_other_end_closed_is_not_usable() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        link = SerialLink(f"socket://127.0.0.1:{listener.getsockname()[1]}")
        connection, _ = listener.accept()
        assert link.usable()
        connection.close()
        assert not link.usable()
        link.close()


def test_what_came_before_is_discarded(terminal: tuple[int, str]) -> None:
    master, path = terminal
    link = SerialLink(path)
    os.write(master, b"m-timestamp-mode-performance\r\n")
    time.sleep(0.05)
    link.discard_input()
    os.write(master, b"m-ready\r\n")
    assert link.read(Deadline(5)) == b"m-ready\r\n"
    link.close()


# --- at any moment -----------------------------------------------------------------------------------------------------------------
def test_a_port_that_goes_away_at_any_moment_is_a_link_error_and_nothing_else() -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(60):
        master, slave = os.openpty()
        tty.setraw(slave)
        link = SerialLink(os.ttyname(slave), write_s=0.2)
        os.close(slave)
        timer = threading.Timer(dice.uniform(0, 0.01), os.close, [master])
        timer.start()
        began = time.monotonic()
        with pytest.raises(LinkError):
            while time.monotonic() - began < 5:
                use = dice.choice(("write", "read", "discard", "usable"))
                if use == "write":
                    link.write(b"x" * dice.choice((1, 50, 5000)))
                elif use == "read":
                    link.read(Deadline(0.002))
                elif use == "discard":
                    link.discard_input()
                else:
                    link.usable()
        timer.join()
        assert time.monotonic() - began < 5
        with contextlib.suppress(LinkError):
            link.close()
