# SPDX-License-Identifier: Apache-2.0
"""The files of a source, be it an archive or a folder, one after the other; recipes read them without unpacking anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from cm4tiny.errors import AssetError
from cm4tiny.fetch.archives import Member, members


def pieces(source: Path) -> Iterator[Member]:
    """The regular files of an archive, or of a folder and those below it (paths begin with the folder's own name).

    Raises:
        AssetError: the source does not exist, or is a damaged or unsafe archive.
    """
    if source.is_dir():
        yield from _folder(source)
    elif source.is_file():
        yield from members(source)
    else:
        raise AssetError(f"{source} does not exist", hint="give an existing archive (--archive=FILE) or folder (--path=DIR)")


def _folder(root: Path) -> Iterator[Member]:
    base = root.resolve()
    for folder, folders, names in os.walk(base):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file():
                yield Member(root, PurePosixPath(base.name) / path.relative_to(base).as_posix(), path.stat().st_size, partial(_open, path))


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")
