"""A served board over its pseudo terminal and its TCP port, with pyserial at the other end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import virtual_board_programs as programs
from virtual_board_programs import ECHO, write_elf

from cm4tiny.boards import SerialLink, VirtualBoard
from cm4tiny.boards.virtual.server import Addresses, serve
from cm4tiny.deadline import Deadline
from cm4tiny.errors import DeviceFaultError, LinkError


@contextmanager
def served(elf: Path, **options: object) -> Iterator[Addresses]:
    stop, ready = threading.Event(), threading.Event()
    told: list[Addresses] = []

    def announce(addresses: Addresses) -> None:
        told.append(addresses)
        ready.set()

    board = VirtualBoard(elf)
    thread = threading.Thread(target=lambda: serve(board, stop=stop, on_ready=announce, **options))  # type: ignore[arg-type]
    thread.start()
    try:
        assert ready.wait(10)
        yield told[0]
    finally:
        stop.set()
        thread.join(10)
        board.close()
    assert not thread.is_alive()


def exchange(url: str, text: bytes) -> bytes:
    link = SerialLink(url)
    try:
        link.write(text)
        deadline, answer = Deadline(10), b""
        while len(answer) < len(text) and not deadline.expired:
            answer += link.read(deadline)
        return answer
    finally:
        link.close()


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    return write_elf(tmp_path, *ECHO)


def test_both_end_points_answer_and_clients_may_come_back(echo: Path) -> None:
    with served(echo) as addresses:
        assert addresses.pty and addresses.tcp
        for url in (addresses.pty, addresses.tcp, addresses.pty, addresses.tcp):
            assert exchange(url, b"hello%") == b"hello%"


def test_an_unterminated_command_is_sent_after_a_pause(echo: Path) -> None:
    with served(echo, pty=False) as addresses:
        assert addresses.pty is None and addresses.tcp
        assert exchange(addresses.tcp, b"no end") == b"no end"


def test_a_large_exchange_arrives_whole(echo: Path) -> None:
    text = bytes(range(48, 58)) * 3000 + b"%"
    with served(echo) as addresses:
        assert addresses.pty and addresses.tcp
        assert exchange(addresses.tcp, text) == text


def test_output_that_nobody_reads_does_not_stop_the_board(echo: Path) -> None:
    with served(echo) as addresses:
        assert addresses.pty and addresses.tcp
        for _ in range(8):  # the pseudo terminal fills up: nobody reads it
            assert exchange(addresses.tcp, b"x" * 999 + b"%") == b"x" * 999 + b"%"


def test_the_port_is_on_the_loopback_interface_only(echo: Path) -> None:
    with served(echo, pty=False) as addresses:
        assert addresses.tcp and addresses.tcp.startswith("socket://127.0.0.1:")


def test_a_taken_port_is_refused_with_a_cure(echo: Path) -> None:
    with socket.socket() as other, VirtualBoard(echo) as board:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(LinkError, match="cannot be used") as caught:
            serve(board, tcp_port=other.getsockname()[1], stop=threading.Event(), on_ready=lambda _: None)
    assert "another port" in caught.value.cure


def test_a_crash_ends_the_server_and_disconnects_its_clients(tmp_path: Path) -> None:
    crashing = write_elf(tmp_path, *ECHO[:11], programs.BKPT)
    ready, told, raised = threading.Event(), [], []
    board = VirtualBoard(crashing)

    def run() -> None:
        try:
            serve(board, stop=threading.Event(), on_ready=lambda addresses: (told.append(addresses), ready.set()))  # type: ignore[func-returns-value]
        except DeviceFaultError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    link = SerialLink(told[0].tcp)
    link.write(b"x%")
    with pytest.raises(LinkError, match="broke"):
        while True:
            assert link.read(Deadline(5)) != b"", "the connection should have ended"
    thread.join(10)
    assert raised and "BKPT" in str(raised[0])
    board.close()


def test_the_terminal_can_be_opened_by_one_program_only(echo: Path) -> None:
    with served(echo, tcp_port=None) as addresses:
        assert addresses.tcp is None and addresses.pty
        first = SerialLink(addresses.pty)
        try:
            with pytest.raises(LinkError, match="cannot open") as caught:
                SerialLink(addresses.pty)
            assert "close the program" in caught.value.cure
        finally:
            first.close()
