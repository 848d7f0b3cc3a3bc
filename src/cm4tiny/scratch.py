# SPDX-License-Identifier: Apache-2.0
"""Temporary folders that do not outlive their run, even one that was killed.

Each holds a ``flock`` of its owner, which the kernel releases however the owner ends, also where two containers share the folder and see
different process numbers. Before the first one is made in a place, those without an owner are removed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"\.?cm4tiny-[a-z-]+-(?P<pid>[0-9]+)-[a-z0-9_]{8}")
_OLDER = re.compile(r"\.?cm4tiny-[a-z-]*[a-z0-9_]{8}|\.(?:new|staging)-[a-z0-9_]{8}")
"""Names without a lock: of earlier versions, and of a folder that is about to get its lock and name. They are removed a day later."""

_FULL_BYTES = 1 << 16
_OLD_S = 24 * 3600.0
_swept: set[tuple[str, int]] = set()


@contextlib.contextmanager
def scratch_folder(purpose: str, base: Path | None = None) -> Iterator[Path]:
    """An empty folder for the time of the block.

    Args:
        purpose: small letters and hyphens; part of its name.
        base: where it lies (hidden there); None: the system's folder for temporary files.

    Raises:
        OSError: it cannot be made.
    """
    parent = _temporary_folder() if base is None else base
    _sweep_once(parent)
    hidden = "" if base is None else "."
    unnamed = Path(tempfile.mkdtemp(prefix=f"{hidden}cm4tiny-", dir=parent))
    descriptor = None
    folder = unnamed.with_name(f"{hidden}cm4tiny-{purpose}-{os.getpid()}-{unnamed.name[-8:]}")
    try:
        descriptor = _lock(unnamed)
        unnamed.rename(folder)
        yield folder
    finally:
        shutil.rmtree(folder if folder.exists() else unnamed, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        place = os.environ.get("TMPDIR") or "/tmp"
        if Path(place).is_dir() and shutil.disk_usage(place).free < _FULL_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place) from None
        raise


def sweep(place: Path) -> list[Path]:
    """Removes what ended runs of this user left in a place, and returns what it removed."""
    removed = []
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if _abandoned(entry):
                shutil.rmtree(entry.path, ignore_errors=True)
                removed.append(Path(entry.path))
    return removed


def _sweep_once(place: Path) -> None:
    key = (str(place), os.getpid())
    if key not in _swept:
        _swept.add(key)
        sweep(place)


def _abandoned(entry: os.DirEntry[str]) -> bool:
    named = _NAME.fullmatch(entry.name)
    if named is None and _OLDER.fullmatch(entry.name) is None:
        return False
    try:
        status = entry.stat(follow_symlinks=False)
        if not entry.is_dir(follow_symlinks=False) or status.st_uid != os.geteuid():
            return False
        if named is None:
            return time.time() - status.st_mtime > _OLD_S and _free(Path(entry.path), -1)
        return _free(Path(entry.path), int(named["pid"]))
    except OSError:
        return False


def _free(folder: Path, owner: int) -> bool:
    """True if nobody holds the folder; where the file system has no flock, if there is no process of that number."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EINTR):
            return False
        return owner > 0 and not Path(f"/proc/{owner}").exists()
    finally:
        os.close(descriptor)


def _lock(folder: Path) -> int | None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # no flock here; the name says whose it is
        os.close(descriptor)
        return None
    return descriptor
