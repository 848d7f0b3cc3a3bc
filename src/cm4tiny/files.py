# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all: written under a temporary name in the same folder, then renamed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_READABLE = 0o644


@contextlib.contextmanager
def replacing(path: Path, *, mode: int = _READABLE) -> Iterator[Path]:
    """A temporary file next to ``path`` that takes its place when the block ends well, and is removed when it does not.

    Args:
        path: the file; its folder exists.
        mode: the file's permissions.

    Raises:
        OSError: the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
    try:
        yield temporary
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def move_into_place(finished: Path, path: Path) -> Path:
    """Gives a finished file its name, in the place of an older one; returns ``path``.

    For what was not made by :func:`replacing`: a part of a download outlives the process on purpose, so that the next one continues it; a
    compiler writes into a folder of its own. Both lie on the file system of ``path``. A folder is moved if ``path`` does not exist.

    Raises:
        OSError: the folder cannot be written.
    """
    return finished.replace(path)


def replace_folder(fresh: Path, home: Path, aside: Path) -> None:
    """Puts a finished folder in the place of an older one, which goes to ``aside`` and comes back if that fails.

    All three lie on one file system; ``aside`` does not exist. Between the two renames a reader finds no folder: the caller holds a lock.

    Raises:
        OSError: a folder cannot be moved.
    """
    if home.exists():
        home.rename(aside)
    try:
        fresh.rename(home)
    except OSError:
        with contextlib.suppress(OSError):
            aside.rename(home)
        raise


def write_atomically(path: Path, content: str | bytes, *, mode: int = _READABLE, sync: bool = False) -> Path:
    """Writes a file, and its folder where it is missing, so that readers see the old content or the new one, never a part.

    Args:
        path: the file.
        content: a text is written as UTF-8.
        mode: the file's permissions.
        sync: wait until the disk has it, so that it survives a power cut.

    Returns:
        ``path``.

    Raises:
        OSError: it cannot be written. UnicodeEncodeError: the text has no UTF-8 form.
    """
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, mode=mode) as temporary, temporary.open("wb") as stream:
        stream.write(data)
        if sync:
            stream.flush()
            os.fsync(stream.fileno())
    return path
