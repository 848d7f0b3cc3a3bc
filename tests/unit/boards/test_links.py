"""Serial links over pseudo terminals, sockets and pyserial's loop, and their errors."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
import time
import tty
from collections.abc import Iterator

import pytest
import serial

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
    assert "cable" in caught.value.cure
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
    assert "close the program" in caught.value.cure
    first.close()


def test_an_absent_port_is_reported_with_a_cure() -> None:
    with pytest.raises(LinkError, match="cannot open /dev/ttyACM99") as caught:
        SerialLink("/dev/ttyACM99")
    assert "plug the board in" in caught.value.cure


def test_a_refused_connection_is_reported_with_a_cure() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(LinkError, match="cannot open") as caught:
        SerialLink(f"socket://127.0.0.1:{port}")
    assert "other end" in caught.value.cure


@pytest.mark.parametrize(("number", "cure"), [(errno.EACCES, "dialout"), (errno.EBUSY, "close the program"), (errno.EIO, "list the ports")])
def test_each_cause_has_its_cure(monkeypatch: pytest.MonkeyPatch, number: int, cure: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise serial.SerialException(number, os.strerror(number))

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(LinkError) as caught:
        SerialLink("/dev/ttyACM0")
    assert cure in caught.value.cure


def test_a_nonsense_address_is_reported() -> None:
    with pytest.raises(LinkError, match="cannot open nonsense://x"):
        SerialLink("nonsense://x")
