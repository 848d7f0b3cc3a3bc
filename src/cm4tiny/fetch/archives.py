# SPDX-License-Identifier: Apache-2.0
"""Unpacks tar and zip archives that somebody else made: nothing leads out of the folder, nothing half-done is ever seen.

Members that are absolute, lead upwards, are links or devices, or are more than the limits allow make the whole archive refused. Files are
written to a folder next to the target, which gets its name only when all are there.
"""

from __future__ import annotations

import contextlib
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from cm4tiny.errors import AssetError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import move_into_place
from cm4tiny.scratch import scratch_folder

_BLOCK = 1 << 18
_PROGRESS_EVERY = 500
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Limits:
    """What an archive may hold at most; the defaults fit the benchmark's own archives (82,783 + 40,504 pictures; 3.7 GB of sound)."""

    members: int = 400_000
    bytes: int = 8 << 30
    ratio: int = 200
    """Unpacked bytes per packed byte, over the whole archive."""


class _Budget:
    def __init__(self, archive: Path, limits: Limits) -> None:
        self.archive = archive
        self.limits = limits
        self.bytes_left = min(limits.bytes, limits.ratio * max(1, archive.stat().st_size))
        self.members = 0

    def member(self) -> None:
        self.members += 1
        if self.members > self.limits.members:
            raise _refused(self.archive, f"it has more than {self.limits.members} members")

    def spend(self, count: int) -> None:
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise _refused(self.archive, f"it unpacks to more than {self.limits.bytes} bytes or {self.limits.ratio} times its size")


@dataclass(frozen=True)
class Member:
    """A regular file of an archive (or of a folder); it must be read before the next one is asked for.

    Attributes:
        source: the archive or folder.
        path: its name there.
        size: its bytes, as the archive says.
        stream: opens it.
    """

    source: Path
    path: PurePosixPath
    size: int
    stream: Callable[[], IO[bytes]]

    def read(self) -> bytes:
        """All its bytes. Raises AssetError if the archive is damaged there."""
        with damage(self.source), self.stream() as stream:
            data = stream.read(self.size + 1)
        self._check(len(data))
        return data

    def copy_to(self, path: Path) -> None:
        """Writes it to a new file. Raises AssetError if the archive is damaged there, FileExistsError if there is a file."""
        with path.open("xb") as file, damage(self.source), self.stream() as stream:
            shutil.copyfileobj(stream, file, _BLOCK)
        self._check(path.stat().st_size)

    def _check(self, found: int) -> None:
        if found != self.size:
            why = f"{self.path} has not the {self.size} bytes that its entry says"
            raise AssetError(f"the archive {self.source} is damaged", why=why, hint="get it again")


@contextlib.contextmanager
def damage(archive: Path) -> Iterator[None]:
    """Turns what the libraries raise for a damaged archive into AssetError."""
    try:
        yield
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the operating system's; decompressors raise theirs without a number
            raise
        raise AssetError(f"the archive {archive} is damaged", why=str(error) or type(error).__name__, hint="get it again") from error


def members(archive: Path, limits: Limits | None = None) -> Iterator[Member]:
    """The regular files of an archive, in its order. Raises AssetError for a damaged or an unsafe one, as far as it was read."""
    budget = _Budget(archive, limits or Limits())
    with damage(archive):
        if zipfile.is_zipfile(archive):
            yield from _zip_members(archive, budget)
        else:
            yield from _tar_members(archive, budget)


def extract(
    archive: Path,
    target: Path,
    *,
    wanted: Callable[[PurePosixPath], str | None] = str,
    limits: Limits | None = None,
    events: EventStream = SILENT,
) -> int:
    """Unpacks an archive into the new folder ``target`` and returns the number of files.

    Args:
        wanted: gives each member's path below ``target``, or None to leave it out. Default: all, under their own paths.

    Raises:
        AssetError: the archive is damaged or unsafe, or two members want one place; ``target`` is not there then.
        FileExistsError: ``target`` exists.
    """
    if target.exists():
        raise FileExistsError(f"{target} exists")
    step = f"unpack {archive.name}"
    with new_folder(target) as folder, events.step(step, None, "files") as outcome:
        count = 0
        for member in members(archive, limits):
            name = wanted(member.path)
            if name is not None:
                _write(archive, member, folder / safe_path(archive, name))
                count += 1
                if count % _PROGRESS_EVERY == 0:
                    events.progress(step, count)
        outcome.note = f"{count} files"
    return count


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder next to ``target`` that becomes ``target`` when the block ends well, and vanishes when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder("new", target.parent) as scratch:
        folder = scratch / "folder"
        folder.mkdir()
        yield folder
        move_into_place(folder, target)


def _write(archive: Path, member: Member, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        member.copy_to(path)
    except FileExistsError as error:
        raise _refused(archive, f"two members are called {member.path}") from error


def safe_path(archive: Path, name: str) -> PurePosixPath:
    """A member's name as a relative path; raises AssetError if it is absolute or leads upwards."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name or ":" in path.parts[0] or "\0" in name:
        raise _refused(archive, f"its member {name!r} leads out of the folder")
    return path


def _refused(archive: Path, why: str) -> AssetError:
    return AssetError(f"the archive {archive} is refused as unsafe", why=why, hint="get the original archive; do not unpack this one")


def _tar_members(archive: Path, budget: _Budget) -> Iterator[Member]:
    with tarfile.open(archive, "r:*") as tar:
        for info in tar:
            budget.member()
            path = safe_path(archive, info.name)
            if info.isdir():
                continue
            if not info.isreg():
                raise _refused(archive, f"its member {info.name!r} is a link or a device")
            budget.spend(info.size)

            def opened(info: tarfile.TarInfo = info) -> IO[bytes]:
                source = tar.extractfile(info)
                assert source is not None  # a regular file
                return source

            yield Member(archive, path, info.size, opened)
        rest = tar.fileobj
        assert rest is not None
        rest.seek(tar.offset)
        while block := rest.read(_BLOCK):  # so that a compressed archive's own check at its very end is made
            budget.spend(len(block))


def _zip_members(archive: Path, budget: _Budget) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            budget.member()
            path = safe_path(archive, info.filename)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                raise _refused(archive, f"its member {info.filename!r} is a link or a device")
            budget.spend(info.file_size)

            def opened(info: zipfile.ZipInfo = info) -> IO[bytes]:
                return file.open(info)

            yield Member(archive, path, info.file_size, opened)
