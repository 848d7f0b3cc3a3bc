# SPDX-License-Identifier: Apache-2.0
"""Locks between processes: who holds them, who waits, and what a file system can do to them."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cm4tiny import locks
from cm4tiny.errors import BusyError, LockingError
from cm4tiny.locks import Holder, acquire

CHILD = """
import sys, time
from pathlib import Path
from cm4tiny.locks import acquire
lock = acquire(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def child(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_the_error_names_the_process_that_holds_the_lock_and_since_when(tmp_path: Path) -> None:
    process = child(tmp_path / "a.lock")
    try:
        with pytest.raises(BusyError, match="another run uses the board") as caught:
            acquire(tmp_path / "a.lock", subject="the board", hint="name another board")
        assert f"process {process.pid}, since 20" in caught.value.why and caught.value.hint == "name another board"
    finally:
        process.kill()
        process.communicate()


def test_a_killed_process_leaves_a_file_that_does_not_block(tmp_path: Path) -> None:
    process = child(tmp_path / "a.lock")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (tmp_path / "a.lock").read_text() != ""
    acquire(tmp_path / "a.lock").release()
    assert (tmp_path / "a.lock").read_text() == ""


def test_a_wait_ends_at_its_deadline_and_is_announced_once(tmp_path: Path) -> None:
    clock, told = Clock(), []
    with acquire(tmp_path / "a.lock"), pytest.raises(BusyError, match="still in use by another run after 3 s") as caught:
        acquire(tmp_path / "a.lock", wait_s=3, on_wait=told.append, clock=clock, sleep=clock.sleep)
    assert "this process, since" in caught.value.why
    assert [holder.pid for holder in told if holder] == [os.getpid()]
    assert clock.now == pytest.approx(3, abs=0.1) and max(clock.slept) <= locks.POLL_S


def test_a_lock_that_is_released_meanwhile_is_taken(tmp_path: Path) -> None:
    clock = Clock()
    first = acquire(tmp_path / "a.lock")

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        first.release()

    acquire(tmp_path / "a.lock", wait_s=3, clock=clock, sleep=sleep).release()
    assert len(clock.slept) == 1


def test_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    found: list[BaseException] = []

    def other() -> None:
        try:
            acquire(tmp_path / "a.lock").release()
        except BusyError as error:
            found.append(error)

    with acquire(tmp_path / "a.lock"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(found) == 1
    acquire(tmp_path / "a.lock").release()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL])
def test_a_file_system_without_flock_is_an_error_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    clock = Clock()
    with pytest.raises(LockingError, match="cannot lock files") as caught:
        acquire(tmp_path / "a.lock", wait_s=1000, clock=clock, sleep=clock.sleep)
    assert clock.slept == [] and "local disk" in caught.value.hint and os.strerror(number) in caught.value.why


def test_a_soft_lock_or_nonsense_in_the_file_does_not_count(tmp_path: Path) -> None:
    for text in ("", "1234\nhost\n", "[" * 100_000, '{"pid": "x"}', '{"pid": 1}', "\x00" * 600, "null"):
        (tmp_path / "a.lock").write_text(text)
        with acquire(tmp_path / "a.lock") as lock:
            lock.path.write_text(text)
            with pytest.raises(BusyError, match="another run uses") as caught:
                acquire(tmp_path / "a.lock")
            assert "an unknown process holds" in caught.value.why


def test_a_file_that_was_removed_while_it_was_locked_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[int, int], None] = fcntl.flock
    removed: list[int] = []

    def flock(descriptor: int, operation: int) -> None:
        real(descriptor, operation)
        if not removed:
            removed.append(descriptor)
            (tmp_path / "a.lock").unlink()

    monkeypatch.setattr(fcntl, "flock", flock)
    clock = Clock()
    with acquire(tmp_path / "a.lock", wait_s=1, clock=clock, sleep=clock.sleep):
        monkeypatch.undo()
        with pytest.raises(BusyError):
            acquire(tmp_path / "a.lock")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.ENOTDIR])
def test_a_lock_file_that_cannot_be_created_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.os, "open", refuse)
    with pytest.raises(LockingError, match=r"cannot create the lock file .*a\.lock") as caught:
        acquire(tmp_path / "a.lock")
    assert caught.value.hint


def test_a_holder_elsewhere_is_named_with_its_host() -> None:
    assert str(Holder(7, "2026-11-29 10:00:00+00:00", "build-3")) == "process 7 on build-3, since 2026-11-29 10:00:00+00:00"
