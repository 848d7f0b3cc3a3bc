# SPDX-License-Identifier: Apache-2.0
"""Who uses a serial device: processes that have it open, and the terminal behind a TCP port."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cm4tiny.boards.processes import terminals_behind, users_of

SERVER = """
import os, socket, sys, time
device = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
time.sleep(60)
"""


@pytest.fixture
def server() -> Iterator[tuple[Path, int, int]]:
    """A process that serves a terminal on a TCP port: the terminal, the port, its pid."""
    master, slave = os.openpty()
    path = os.ttyname(slave)
    process = subprocess.Popen([sys.executable, "-c", SERVER, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield Path(path), int(process.stdout.readline()), process.pid
    process.kill()
    process.communicate()
    os.close(master)
    os.close(slave)


def test_a_program_that_has_the_device_open_is_named(server: tuple[Path, int, int], tmp_path: Path) -> None:
    path, _, pid = server
    assert [found for found, _ in users_of(path)] == [pid]
    (tmp_path / "by-id").symlink_to(path)
    assert [found for found, _ in users_of(tmp_path / "by-id")] == [pid]
    assert users_of(tmp_path) == [] and users_of(tmp_path / "absent") == []


def test_the_terminal_behind_a_port_of_this_machine_is_found(server: tuple[Path, int, int]) -> None:
    path, port, _ = server
    for host in ("127.0.0.1", "localhost"):
        assert terminals_behind(host, port) == {path.stat().st_rdev}
    assert terminals_behind("192.0.2.1", port) == frozenset()
    assert terminals_behind("no such host", port) == frozenset()
