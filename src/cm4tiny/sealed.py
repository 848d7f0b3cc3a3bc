# SPDX-License-Identifier: Apache-2.0
"""Folders in the cache that are trusted for their bytes and not for a marker: tool chains, C libraries, sources.

:func:`seal` writes ``sealed.json`` into a folder that was just filled from a checked origin: the digest, the size and the executable bit of
every file, and where symbolic links lead. :func:`damage` compares all of it with what is there, so a flipped bit, a cut file, a lost or an
added one is found before a program of the folder is started or a file of it is compiled. It is a guard against damage, not against somebody
who can write into the cache: they can seal the folder again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cm4tiny.digests import known_sha256_of_all
from cm4tiny.files import write_atomically

SEAL = "sealed.json"
FORMAT = 1


def seal(folder: Path) -> None:
    """Writes down what is in a folder. Raises OSError."""
    files, links = _contents(folder)
    digests = known_sha256_of_all([folder / name for name in files])
    rows = {name: [digest, *row] for (name, row), digest in zip(files.items(), digests, strict=True)}
    text = json.dumps({"format": FORMAT, "files": rows, "links": links}, indent=0, sort_keys=True)
    write_atomically(folder / SEAL, text + "\n")


def damage(folder: Path) -> str:
    """What is not as it was when the folder was sealed, in a few words; empty if everything is."""
    try:
        record = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        rows, links, known = record["files"], record["links"], record["format"] == FORMAT
    except FileNotFoundError:
        return f"it has no {SEAL}: it is incomplete, or an older version made it"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return f"its {SEAL} cannot be read ({error})"
    if not known or not isinstance(rows, dict) or not isinstance(links, dict):
        return f"its {SEAL} is not one of this version"
    try:
        files, found_links = _contents(folder)
        return _difference(folder, rows, files) or _names("links", links, found_links)
    except OSError as error:
        return f"{error.filename or folder} cannot be read ({error.strerror})"


def _difference(folder: Path, rows: dict[str, Any], files: dict[str, list[Any]]) -> str:
    other = _names("files", rows, files)
    if other:
        return other
    for name, row in rows.items():
        if not isinstance(row, list) or row[1:] != files[name]:
            return f"{name} has {files[name][0]} bytes{'' if files[name][1] else ', not executable'}: it was changed"
    digests = known_sha256_of_all([folder / name for name in rows])
    changed = next((name for (name, row), digest in zip(rows.items(), digests, strict=True) if row[0] != digest), "")
    return f"{changed} has other bytes than when it was stored" if changed else ""


def _names(kind: str, expected: dict[str, Any], found: dict[str, Any]) -> str:
    missing = sorted(set(expected) - set(found))
    if missing:
        return f"{missing[0]} is missing"
    added = sorted(set(found) - set(expected))
    if added:
        return f"{added[0]} was added"
    if kind == "links" and expected != found:
        return f"the link {next(name for name in sorted(found) if expected[name] != found[name])} leads elsewhere"
    return ""


def _contents(folder: Path) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Size and executable bit of each file, and the targets of the links, by path below the folder."""
    files: dict[str, list[Any]] = {}
    links: dict[str, str] = {}
    for entry, name in _walk(folder, ""):
        if entry.is_symlink():
            links[name] = os.readlink(entry.path)  # noqa: PTH115 - the text, not a path
        else:
            status = entry.stat(follow_symlinks=False)
            files[name] = [status.st_size, bool(status.st_mode & 0o100)]
    return files, links


def _walk(folder: Path, prefix: str) -> Iterator[tuple[os.DirEntry[str], str]]:
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        name = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{name}/")
        elif not (prefix == "" and entry.name in (SEAL, f".{SEAL}.new")):
            yield entry, name
