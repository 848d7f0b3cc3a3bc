# SPDX-License-Identifier: Apache-2.0
"""cmind's index of artifacts, as far as this engine writes it: under a lock and by one rename; cmind's own writing is neither."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cm4tiny.files import write_atomically
from cm4tiny.resolver.store.cache import LOCAL_REPO

_WAIT_S = 600.0


def index_new_entries(cmind: Any, paths: Iterable[Path], locks: Path) -> None:
    """Adds cache entries to the index.

    Args:
        cmind: the running cmind.
        paths: folders of entries; those that are none any more are left out.
        locks: folder for lock files.
    """
    metas = [(path, _meta_of(path)) for path in paths]
    _change(cmind, [(path, meta) for path, meta in metas if meta], locks, delete=False)


def forget_entries(cmind: Any, entries: Iterable[tuple[Path, dict[str, Any]]], locks: Path) -> None:
    """Takes cache entries, given by path and meta, out of the index."""
    _change(cmind, list(entries), locks, delete=True)


def _meta_of(path: Path) -> dict[str, Any]:
    try:
        meta: dict[str, Any] = json.loads((path / "_cm.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return meta


def _change(cmind: Any, entries: list[tuple[Path, dict[str, Any]]], locks: Path, *, delete: bool) -> None:
    index = getattr(cmind, "index", None)
    if not entries or index is None or not cmind.use_index:
        return
    from cm4tiny.locks import acquire

    file = Path(index.full_path_to_index)
    with acquire(locks / "index.lock", wait_s=_WAIT_S, subject="CM's index"):
        try:
            index.meta = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        for path, meta in entries:
            index.add(meta, str(path), list(LOCAL_REPO), update=not delete, delete=delete)
        write_atomically(file, json.dumps(index.meta))
        index.updated = False
