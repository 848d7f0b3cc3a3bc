# SPDX-License-Identifier: Apache-2.0
"""Exclusive locks between processes: one file, ``flock``, a deadline, and a holder that can be named.

The kernel releases a lock when its process ends, however it ends: a file that a killed process left behind does not block. Where the file
system has no ``flock`` the lock is refused with an error; there is no fallback to the existence of a file, which outlives its owner.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

from cm4tiny.deadline import Deadline
from cm4tiny.errors import BusyError, LockingError

POLL_S = 0.05
_INFO_BYTES = 512
_NO_FLOCK = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL)


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock, by what it wrote into the file. ``since`` is a local time with its offset."""

    pid: int
    since: str
    host: str

    def __str__(self) -> str:
        where = "" if self.host == socket.gethostname() else f" on {self.host}"
        who = "this process" if self.pid == os.getpid() and not where else f"process {self.pid}{where}"
        return f"{who}, since {self.since}"


class HeldLock:
    """A lock that is held, until :meth:`release` or the end of a ``with`` block."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Lets others have the lock; a second call does nothing. The file stays: removing it would break a lock that is being taken."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def __enter__(self) -> HeldLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def acquire(
    path: Path,
    *,
    wait_s: float = 0.0,
    subject: str = "",
    hint: str = "wait for the other run to end, or stop it",
    on_wait: Callable[[Holder | None], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> HeldLock:
    """Takes an exclusive lock.

    Args:
        path: the lock's file; it and its folder are created. Threads of one process exclude each other too.
        wait_s: how long to wait for another holder; 0 tries once.
        subject: what the lock protects, as the subject of the error's sentence ("the board with the probe 066B").
        hint: what a user can do when the wait was in vain.
        on_wait: called once, with the holder if it is known, before the first wait.
        clock, sleep: the host's.

    Raises:
        BusyError: somebody else holds it; ``why`` names the process and since when.
        LockingError: the file system cannot lock, or the file cannot be created.
    """
    deadline = Deadline(wait_s, clock)
    waited = False
    while True:
        descriptor = _open(path)
        try:
            if _try(descriptor, path) and _same(descriptor, path):
                _sign(descriptor)
                return HeldLock(path, descriptor)
            holder = _read(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if deadline.expired:
            after = f" after {wait_s:g} s" if wait_s else ""
            raise BusyError(
                f"{subject or path} is still in use by another run{after}" if wait_s else f"another run uses {subject or path}",
                why=f"{f'{holder},' if holder else 'an unknown process'} holds {path}",
                hint=hint,
            )
        if on_wait is not None and not waited:
            on_wait(holder)
        waited = True
        sleep(max(0.001, min(POLL_S, deadline.remaining)))


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise LockingError(
            f"cannot create the lock file {path}",
            why="the disk is full" if full else error.strerror or str(error),
            hint="free some space" if full else "check that the folder exists and that you may write to it",
        ) from error


def _try(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EINTR):
            return False
        if error.errno not in _NO_FLOCK:
            raise LockingError(f"cannot lock {path}", why=error.strerror or str(error), hint="check the disk that holds it") from error
        raise LockingError(
            f"the file system of {path.parent} cannot lock files",
            why=f"flock: {error.strerror or error}",
            hint="use a folder on a local disk (CM_TINY_CACHE, CM_HOME or --outdirname), or mount the network disk with locking",
        ) from error
    return True


def _same(descriptor: int, path: Path) -> bool:
    """False if the file was removed or replaced between opening and locking: such a lock excludes nobody."""
    try:
        named = path.stat()
    except OSError:
        return False
    locked = os.fstat(descriptor)
    return (locked.st_dev, locked.st_ino) == (named.st_dev, named.st_ino)


def _sign(descriptor: int) -> None:
    holder = Holder(os.getpid(), datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"), socket.gethostname())
    with contextlib.suppress(OSError):  # the lock holds without it, for instance on a full disk
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)


def _read(descriptor: int) -> Holder | None:
    try:
        found = json.loads(os.pread(descriptor, _INFO_BYTES, 0))
        return Holder(int(found["pid"]), str(found["since"])[:40], str(found["host"])[:80])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
