# SPDX-License-Identifier: Apache-2.0
"""A full disk is called a full disk, with the folder that is full, whoever met it: Python, a compiler, pip or git."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cm4tiny.errors import DiskFullError
from cm4tiny.paths import user_cache

_NUMBERS = (errno.ENOSPC, errno.EDQUOT)
_TEXTS = ("No space left on device", "Disk quota exceeded")
_FULL_BYTES = 1 << 20
"""With less than this free a folder counts as the full one: compilers ask for more at once."""


def is_full(error: BaseException) -> bool:
    """Whether an exception of the operating system means that a disk or a quota is exhausted."""
    return isinstance(error, OSError) and error.errno in _NUMBERS


def refuse_full_disk(doing: str, output: str, *folders: Path) -> None:
    """Raises DiskFullError if the messages of a program that failed say so.

    Args:
        doing: what was going on, as the subject of a sentence ("compiling the firmware").
        output: the program's messages (in English).
        folders: where it writes, next to the folder for temporary files.
    """
    text = next((text for text in _TEXTS if text in output), "")
    if text:
        raise disk_full(doing, text, *folders, *_temporary())


@contextlib.contextmanager
def naming_full_disk(doing: str, *folders: Path) -> Iterator[None]:
    """Turns the operating system's error about a full disk into DiskFullError; other errors pass."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        places = [Path(error.filename)] if isinstance(error.filename, str) else _temporary()
        raise disk_full(doing, error.strerror or str(error), *places, *folders) from error


def disk_full(doing: str, why: str, *folders: Path) -> DiskFullError:
    """The error; names those of the folders that have no room left, or all if none looks full any more."""
    places = list(dict.fromkeys(_existing(folder) for folder in folders)) or [Path.cwd()]
    full = [place for place in places if _free(place) < _FULL_BYTES] or places
    named = " or ".join(f"{place} ({_free(place)} bytes free)" for place in full)
    return DiskFullError(f"the disk is full: {doing} failed", why=f"{why}: {named}", hint=f"free disk space there{_elsewhere(full)}")


def _temporary() -> list[Path]:
    """Where programs put temporary files: Python passes over a full ``TMPDIR``, compilers do not."""
    given = os.environ.get("TMPDIR")
    with contextlib.suppress(OSError):  # there is none that can be written
        return [Path(given or tempfile.gettempdir()), Path(tempfile.gettempdir())]
    return [Path(given or "/tmp")]


def _existing(place: Path) -> Path:
    place = place.absolute()
    return next(folder for folder in (place, *place.parents) if folder.is_dir())


def _free(folder: Path) -> int:
    try:
        status = os.statvfs(folder)
        return 0 if status.f_files and not status.f_favail else shutil.disk_usage(folder).free
    except OSError:
        return 0


def _elsewhere(folders: list[Path]) -> str:
    """The variables that move these folders."""
    variables = []
    for folder in folders:
        if folder.is_relative_to(user_cache().absolute()):
            variables.append("CM_TINY_CACHE")
        elif any(folder.is_relative_to(_existing(place)) for place in _temporary()):
            variables.append("TMPDIR")
        else:
            variables += ["CM_REPOS", "--outdirname"]
    return f", or choose another folder ({', '.join(dict.fromkeys(variables))})"
