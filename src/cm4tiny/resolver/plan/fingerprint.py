# SPDX-License-Identifier: Apache-2.0
"""Fingerprints of what a cached result depends on: a script's files and the Python code behind it.

A version stands still while code changes, in a checkout and between two ``pip install .`` of one, so the files behind a script are hashed
(:mod:`.code_files`): the modules that it imports, what they import in turn, the data next to them, and the C sources where one of them
reads those. The modules of ``cm4tiny.workflows`` that a script binds hold its options, so the keys of the environment that occur in them
are words of the script.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cm4tiny import __version__
from cm4tiny.digests import file_sha256
from cm4tiny.paths import PACKAGE
from cm4tiny.resolver.plan import code_files

_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_WORKFLOW = "cm4tiny.workflows."
_INDIRECT = re.compile(rb"<<<[^>]*#")
"""A meta that makes names of keys from the suffix of a dynamic variation, so that they occur nowhere as words."""

_NOT_CODE = (".md", ".txt~", ".pyc", ".rst")
_PATH_LIMIT = 1024
"""Longer values are not paths; the operating system would refuse to look."""

_READ_LIMIT_BYTES = 1 << 20


def files_below(folder: Path) -> Iterator[Path]:
    """Regular files of a folder in a fixed order, without caches, documentation and hidden ones."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__pycache__")))
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith(_NOT_CODE) and not name.startswith("tmp-"):
                yield Path(root, name)


class Content:
    """Digest of one file, or of the files of one folder, and what occurs in them.

    Args:
        place: the file or folder.
        with_words: collect the identifiers as well.
    """

    digest: str
    words: frozenset[str]
    code_words: frozenset[str]
    imported: frozenset[str]
    indirect: bool

    def __init__(self, place: Path, *, with_words: bool) -> None:
        folder = place if place.is_dir() else place.parent
        digest = hashlib.sha256()
        words: set[str] = set()
        code_words: set[str] = set()
        imported: set[str] = set()
        indirect = False
        for file in files_below(place) if place.is_dir() else [place]:
            digest.update(f"{file.relative_to(folder).as_posix()}\0".encode())
            if file.stat().st_size > _READ_LIMIT_BYTES:
                digest.update(_stamp(file).encode())
                continue
            data = file.read_bytes()
            digest.update(hashlib.sha256(data).digest())
            if with_words:
                found = {word.decode() for word in _WORD.findall(data)}
                words |= found
                if file.name.startswith("_cm."):
                    indirect = indirect or _INDIRECT.search(data) is not None
                else:
                    code_words |= found
            if file.suffix == ".py":
                imported |= code_files.imports(data, PACKAGE)
        if with_words:
            for name in imported:
                bound = PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py")
                if name.startswith(_WORKFLOW) and bound.is_file():
                    words |= content_of(bound).words
                    code_words |= content_of(bound).words
        self.digest = digest.hexdigest()
        self.words = frozenset(words)
        self.code_words = frozenset(code_words)
        self.imported = frozenset(imported)
        self.indirect = indirect


@cache
def content_of(place: Path) -> Content:
    """The :class:`Content` of a script's folder, or of a module that it binds, read once per process."""
    return Content(place, with_words=True)


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"


@cache
def code_version(imported: frozenset[str]) -> str:
    """What names the code behind a script that imports these modules of ``cm4tiny``."""
    digest = hashlib.sha256(__version__.encode())
    for name, file in sorted((_name_of(file), file) for file in code_files.behind(imported, PACKAGE)):
        digest.update(f"{name}:{_content_digest(file)}".encode())
    return f"{__version__}+{digest.hexdigest()[:16]}"


def _name_of(file: Path) -> str:
    """The same in a checkout and in a wheel, whose C sources lie elsewhere."""
    sources = code_files.sources_folder(PACKAGE)
    if file.is_relative_to(sources):
        return f"firmware_sources/{file.relative_to(sources).as_posix()}"
    return file.relative_to(PACKAGE).as_posix()


@cache
def _content_digest(file: Path) -> str:
    return _stamp(file) if file.stat().st_size > _READ_LIMIT_BYTES else file_sha256(file)


def forget_code() -> None:
    """Reads the package's files again when they are asked for."""
    code_files.forget()
    code_version.cache_clear()
    _content_digest.cache_clear()


def file_identity(value: str) -> str:
    """Names the content of a file that a value points to; an empty string if it is not a path of a regular file.

    A relative path counts from the current directory, and only if it looks like one (a slash or a suffix).
    """
    looks_like_one = "/" in value or "." in value
    if not looks_like_one or "\n" in value or "\0" in value or len(value) > _PATH_LIMIT:
        return ""
    file = Path(value)
    try:
        if not file.is_file():
            return ""
    except OSError:  # a name that no file can have
        return ""
    if file.stat().st_size > 4 * _READ_LIMIT_BYTES:
        return _stamp(file)
    return file_sha256(file)
