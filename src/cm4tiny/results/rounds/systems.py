# SPDX-License-Identifier: Apache-2.0
"""Finds and reads system descriptions (``DIV/SUB/systems/...json``).

The official template holds several keys twice ("Inference Framework", "Software Libraries", "Software Notes"...): a plain JSON parser keeps
the last value, which is empty in 19 of the published files. Here the first value that is not empty counts. Six published files are no
valid JSON; what is wrong with them (a missing or superfluous comma, a control character, a missing brace) is repaired and recorded.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.fetch.lfs import pointer_note
from cm4tiny.results.rounds.model import Quirk
from cm4tiny.results.rounds.table import layouts

MAX_BYTES = 1 << 20
_NO_COMMA = re.compile(r'(["}\]])([ \t\r]*\n\s*")')
_JUNK = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True)
class System:
    """A system description.

    Attributes:
        values: the keys, without blanks around them, with the first value that is not empty; nested objects stay objects.
        duplicates: keys that stand more than once.
        lost: duplicate keys whose last value is empty although an earlier one is not: what a plain parser would lose.
        repaired: what had to be repaired, empty for valid JSON.
        problem: why nothing could be read, else empty.
    """

    values: dict[str, Any]
    duplicates: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    repaired: str = ""
    problem: str = ""

    def text(self, key: str) -> str:
        """A value as one line of text; nested values are joined by ``", "``."""
        return _flat(self.values.get(key, ""))

    @property
    def status(self) -> str:
        """``available``, ``preview``, ``rdi`` or what the file says, in lower case."""
        return self.text("Status").lower()


def _flat(value: object, depth: int = 0) -> str:
    if isinstance(value, dict) and depth < 4:
        return ", ".join(f"{key}: {_flat(item, depth + 1)}" for key, item in value.items() if item not in ("", None))
    if isinstance(value, list) and depth < 4:
        return ", ".join(_flat(item, depth + 1) for item in value)
    return "" if value is None else " ".join(str(value).split())


class _Pairs:
    def __init__(self) -> None:
        self.duplicates: list[str] = []
        self.lost: list[str] = []

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for raw, value in pairs:
            key = raw.strip()
            if key in merged:
                self.duplicates.append(key)
                if value in ("", None) and merged[key] not in ("", None):
                    self.lost.append(key)
            if key not in merged or merged[key] in ("", None):
                merged[key] = value
        return merged


def _repairs(text: str) -> list[tuple[str, str]]:
    """Ever stronger repairs: what is done, and the text after it."""
    plain = re.sub(r"[\x00-\x08\x0b-\x1f]", " ", text)  # line ends inside strings are accepted as they are (strict=False)
    missing = _NO_COMMA.sub(r"\1,\2", plain)
    superfluous = re.sub(r",(\s*(?:[}\]]|\Z))", r"\1", plain)
    closed = superfluous + "}" * max(0, superfluous.count("{") - superfluous.count("}"))
    return [
        ("", text),
        ("a control character in a text was accepted", plain),
        ("a missing comma was added", missing),
        ("a superfluous comma was removed", superfluous),
        ("a superfluous comma was removed and a brace closed", closed),
        ("commas were repaired and a brace closed", _NO_COMMA.sub(r"\1,\2", closed)),
    ]


def read_system(path: Path) -> System:
    """Reads a system description. No content makes it fail; ``problem`` says if nothing could be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return System({}, problem="larger than 1 MiB")
        data = path.read_bytes()
        if note := pointer_note(data):
            return System({}, problem=note)
        text = data.decode("utf-8-sig", "replace")
    except OSError as error:
        return System({}, problem=error.strerror or str(error))
    for repaired, candidate in _repairs(text):
        pairs = _Pairs()
        try:
            values = json.loads(candidate, object_pairs_hook=pairs, strict=not repaired)
        except (ValueError, RecursionError):
            continue
        if not isinstance(values, dict):
            return System({}, problem="no JSON object")
        return System(values, tuple(dict.fromkeys(pairs.duplicates)), tuple(dict.fromkeys(pairs.lost)), repaired)
    return System({}, problem="no JSON")


def _plain(name: str) -> str:
    lowered = name.lower()
    for word in layouts()["system_words"]:
        lowered = lowered.replace(word, "")
    return _JUNK.sub("", lowered)


def find_system_json(root: Path, submitter: str, system: str) -> tuple[Path | None, tuple[Quirk, ...]]:
    """The description of ``system`` below ``submitter/systems``, and what is unusual about its name.

    Exactly ``SYSTEM.json`` is what the rules ask for; otherwise names are compared without dashes, underscores and the words "system
    description", and a description in a folder of the system's name is taken.
    """
    folder = root / submitter / "systems"
    here = f"{submitter}/systems"
    if folder.is_symlink() or not folder.is_dir():
        return None, (Quirk("system-json-missing", here),)
    candidates = sorted(
        file
        for pattern in ("*.json", "*/*.json")
        for file in folder.glob(pattern)
        if file.is_file() and not file.is_symlink() and not file.parent.is_symlink() and not file.name.startswith(".")
    )
    ranked = sorted((rank, str(file), file) for file in candidates if (rank := _rank(file, folder, system)) is not None)
    if not ranked:
        return None, (Quirk("system-json-missing", here, system),)
    rank, _, best = ranked[0]
    relative = best.relative_to(root).as_posix()
    return best, () if rank == 0 else (Quirk("system-json-name", relative, system),)


def _rank(file: Path, folder: Path, system: str) -> int | None:
    stem, parts = _plain(file.stem), [_plain(part) for part in system.split("/")]
    if file.parent == folder and file.stem == system:
        return 0
    if file.stem == system or stem == "".join(parts):
        return 1
    if file.parent != folder and _plain(file.parent.name) == parts[-1]:
        return 2
    if len(parts) > 1 and all(part and part in stem for part in parts):
        return 3
    return 4 if len(parts) == 1 and len(stem) >= 3 and parts[0].startswith(stem) else None
