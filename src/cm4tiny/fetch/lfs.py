# SPDX-License-Identifier: Apache-2.0
"""Git LFS pointers: the small text files that stand for large ones in a clone made without Git LFS.

Format: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md ("The Pointer").
"""

from __future__ import annotations

from pathlib import Path

_MAGIC = b"version https://git-lfs.github.com/spec/"
LARGEST_POINTER = 1024
NOTE = "this file is a Git LFS pointer, not the file itself; fetch the content with: git lfs pull"


def pointer_note(data: bytes) -> str:
    """What to say if ``data`` (a file's beginning, or all of it) is a pointer; empty if it is not."""
    return NOTE if data.startswith(_MAGIC) else ""


def is_pointer(path: Path) -> bool:
    """True if the file is a Git LFS pointer; False if it is not, or cannot be read."""
    try:
        if path.stat().st_size > LARGEST_POINTER:
            return False
        with path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False
