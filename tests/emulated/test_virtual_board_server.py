# SPDX-License-Identifier: Apache-2.0
"""A served board over its pseudo terminal and its TCP port, with pyserial at the other end."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import virtual_board_programs as programs
from virtual_board_programs import ECHO, write_elf

from cm4tiny.boards import SerialLink, VirtualBoard
from cm4tiny.boards.virtual import VirtualLink, server
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


def test_a_taken_port_is_refused_with_a_hint(echo: Path) -> None:
    with socket.socket() as other, VirtualBoard(echo) as board:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(LinkError, match="cannot be used") as caught:
            serve(board, tcp_port=other.getsockname()[1], stop=threading.Event(), on_ready=lambda _: None)
    assert "another port" in caught.value.hint


def test_a_crash_ends_the_server_and_disconnects_its_clients(tmp_path: Path) -> None:
    crashing = write_elf(tmp_path, *ECHO[:-2], programs.BKPT)
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
            assert "close the program" in caught.value.hint
        finally:
            first.close()


# --- clients that misbehave ----------------------------------------------------------------------------------------------------------
def connect(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10)


def test_a_client_that_does_not_read_is_given_up_without_a_wait_and_without_gaps() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        deaf = socket.create_connection(listener.getsockname())
        client = server._TcpClient(listener.accept()[0])
    sent, began = b"", time.monotonic()
    while True:
        text = b"%08d\n" % len(sent) * 5000
        sent += text
        if not client.send(text):
            break
    assert time.monotonic() - began < 5
    client.close()
    seen = b""
    with contextlib.suppress(ConnectionError):
        while data := deaf.recv(1 << 20):
            seen += data
    assert len(seen) > 100_000 and sent.startswith(seen)
    deaf.close()


def test_a_client_that_is_given_up_is_removed(echo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server._TcpClient, "send", lambda client, data: not data)
    with served(echo) as addresses:
        assert addresses.tcp and addresses.pty
        with connect(addresses.tcp) as client:
            client.sendall(b"hello%")
            assert client.recv(10) == b""
        assert exchange(addresses.pty, b"hello%") == b"hello%"


def test_more_clients_than_there_is_room_for_are_turned_away(echo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CLIENTS", 3)
    with served(echo, pty=False) as addresses:
        assert addresses.tcp
        clients = [connect(addresses.tcp) for _ in range(3)]
        late = connect(addresses.tcp)
        assert late.recv(10) == b""
        clients.pop().close()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                assert exchange(addresses.tcp, b"hello%") == b"hello%"
                break
            except LinkError:
                time.sleep(0.05)
        for client in [*clients, late]:
            client.close()


def test_a_flood_of_input_is_bounded_and_answered(echo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_QUEUED_BYTES", 4000)
    queued: list[int] = []
    board_write = VirtualLink.write

    def write(link: VirtualLink, data: bytes) -> None:
        board_write(link, data)
        queued.append(link.queued_bytes)

    monkeypatch.setattr(VirtualLink, "write", write)
    text = b"x" * 60_000 + b"%"  # no end for long
    with served(echo, pty=False) as addresses:
        assert addresses.tcp
        assert exchange(addresses.tcp, text) == text
    assert max(queued) <= 4000 + server._CHUNK


def test_a_connection_that_is_gone_before_it_is_accepted_does_not_end_the_server(echo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, failures = socket.socket.accept, [OSError(103, "Software caused connection abort"), OSError(24, "Too many open files")]

    def accept(listener: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise failures.pop()
        return real(listener)

    monkeypatch.setattr(socket.socket, "accept", accept)
    with served(echo, pty=False) as addresses:
        assert addresses.tcp and exchange(addresses.tcp, b"hello%") == b"hello%"
    assert failures == []
