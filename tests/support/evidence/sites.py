# SPDX-License-Identifier: Apache-2.0
"""What can be mutated in a submission, and how: each mutation is a small object that knows its place and its kind."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")
LONG = 1000
_TWICE = "\u0001twice\u0001"
NUMBER_KINDS = ("changed", "removed", "doubled", "swapped")
LINE_KINDS = ("line-removed", "line-doubled", "line-swapped")
FILE_KINDS = ("file-removed", "file-emptied", "file-cut", "file-doubled", "file-utf16")


@dataclass(frozen=True)
class Site:
    """One mutation.

    Attributes:
        file: relative to the submission's root.
        kind: one of the kinds above; JSON fields have those of numbers.
        group: mutations of one group are alike (the same field of other entries, the same number of other lines).
        at: where: a path in a JSON document, or line and number of a text.
    """

    file: str
    kind: str
    group: str
    at: tuple[Any, ...] = ()

    @property
    def id(self) -> str:
        """Names the mutation in a protocol."""
        return f"{self.file} {self.kind} {'/'.join(map(str, self.at))}"


def files_of(root: Path) -> list[Path]:
    """The files that hold claims and evidence, and the descriptions of systems."""
    names = {"log.txt", "results.txt", "results.json"}
    found = [path for path in root.rglob("*") if path.name in names or (path.suffix == ".json" and path.parent.name == "systems")]
    return sorted(found)


def sites(root: Path, seed: int) -> Iterator[Site]:
    """Every mutation of every such file; of lists of more than ``LONG`` numbers a seeded part, their ends and the edges of windows."""
    rng = random.Random(seed)
    for path in files_of(root):
        name = path.relative_to(root).as_posix()
        role = "/".join(path.parts[-3:]) if path.parent.name != "systems" else "system"
        for kind in FILE_KINDS:
            yield Site(name, kind, f"{role} {kind}")
        if path.suffix == ".json":
            yield from _json_sites(name, role, json.loads(path.read_bytes()), rng)
        else:
            yield from _text_sites(name, role, path.read_text(encoding="utf-8"))


def _json_sites(name: str, role: str, document: Any, rng: random.Random) -> Iterator[Site]:
    def below(value: Any, at: tuple[Any, ...], form: str, edges: list[int]) -> Iterator[Site]:
        if at:
            for kind in NUMBER_KINDS:
                yield Site(name, kind, f"{role} {form} {kind}", at)
        if isinstance(value, dict):
            for key, item in value.items():
                yield from below(item, (*at, key), f"{form}.{key}", _edges(value) if key == "samples" else [])
        elif isinstance(value, list):
            for place in range(len(value)) if len(value) <= LONG else _part(len(value), edges, rng):
                yield from below(value[place], (*at, place), f"{form}[*]", [])

    yield from below(document, (), "", [])


def _edges(power: dict[str, Any]) -> list[int]:
    return [stamp[1] + shift for stamp in power["timestamps"] for shift in (-1, 0)]


def _part(length: int, edges: list[int], rng: random.Random) -> list[int]:
    return sorted({*rng.sample(range(length), LONG // 4), 0, 1, length - 2, length - 1, *edges})


def _text_sites(name: str, role: str, text: str) -> Iterator[Site]:
    for number, line in enumerate(text.splitlines()):
        form = NUMBER.sub("#", line)
        for kind in LINE_KINDS:
            yield Site(name, kind, f"{role} {form[:60]} {kind}", (number,))
        for place, _ in enumerate(NUMBER.finditer(line)):
            for kind in NUMBER_KINDS:
                yield Site(name, kind, f"{role} {form[:60]} {min(place, 12)} {kind}", (number, place))


# --- applying them ----------------------------------------------------------------------------------------------------------------
def mutated(site: Site, data: bytes, rng: random.Random) -> bytes | None:
    """The file after the mutation; the data itself if nothing changed; None if the file is gone."""
    if site.kind.startswith("file-"):
        return _file(site.kind, data)
    if site.file.endswith(".json"):
        return _json(site, data, rng)
    return _text(site, data.decode("utf-8"), rng).encode("utf-8")


def _file(kind: str, data: bytes) -> bytes | None:
    if kind == "file-utf16":
        return data.decode("utf-8").encode("utf-16")
    return {"file-removed": None, "file-emptied": b"", "file-cut": data[: len(data) // 2], "file-doubled": data + data}[kind]


def other_number(text: str, rng: random.Random) -> str:
    """A number's text with one digit changed."""
    place = rng.choice([place for place, char in enumerate(text) if char.isdigit()])
    return text[:place] + rng.choice([digit for digit in "0123456789" if digit != text[place]]) + text[place + 1 :]


def _text(site: Site, text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    number = site.at[0]
    if site.kind == "line-removed":
        del lines[number]
    elif site.kind == "line-doubled":
        lines.insert(number, lines[number])
    elif site.kind == "line-swapped":
        if number + 2 < len(lines):
            lines[number], lines[number + 1] = lines[number + 1], lines[number]
    else:
        lines = _number(site, lines, rng)
    return "\n".join(lines)


def partner(lines: list[str], number: int, place: int) -> tuple[int, re.Match[str]] | None:
    """The next number behind that one, in its line or the next ones, that differs from it."""
    own = list(NUMBER.finditer(lines[number]))[place]
    for line in range(number, min(number + 6, len(lines))):
        for match in NUMBER.finditer(lines[line]):
            if (line, match.start()) > (number, own.start()) and match[0] != own[0]:
                return line, match
    return None


def _number(site: Site, lines: list[str], rng: random.Random) -> list[str]:
    number, place = site.at
    line = lines[number]
    token = list(NUMBER.finditer(line))[place]
    if site.kind == "swapped":
        other = partner(lines, number, place)
        if other is None:
            return lines
        where, match = other
        lines[where] = lines[where][: match.start()] + token[0] + lines[where][match.end() :]  # the later one first: places stay right
        line = lines[number]
        lines[number] = line[: token.start()] + match[0] + line[token.end() :]
        return lines
    new = {"changed": other_number(token[0], rng), "removed": "", "doubled": token[0] * 2}[site.kind]
    lines[number] = line[: token.start()] + new + line[token.end() :]
    return lines


class _Document:
    """A JSON document that can hold a key twice, and numbers that are none."""

    def __init__(self, data: bytes) -> None:
        self.content = json.loads(data)

    def text(self) -> bytes:
        return json.dumps(self.content).replace(json.dumps(_TWICE)[1:-1], "").encode()


@lru_cache(maxsize=4)
def _canonical(data: bytes) -> bytes:
    return _Document(data).text()


def _json(site: Site, data: bytes, rng: random.Random) -> bytes:
    document = _Document(data)
    before = _canonical(data)
    holder = document.content
    for key in site.at[:-1]:
        holder = holder[key]
    key = site.at[-1]
    if site.kind == "changed":
        holder[key] = other_value(holder[key], rng)
    elif site.kind == "removed":
        del holder[key]
    elif site.kind == "doubled":
        _double(holder, key)
    else:
        _swap(holder, key)
    after = document.text()
    return data if after == before else after


def _double(holder: Any, key: Any) -> None:
    if isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
        return
    items = list(holder.items())
    holder.clear()
    for name, value in items:
        holder[name] = value
        if name == key:
            holder[_TWICE + name] = value


def neighbour(holder: Any, key: Any) -> Any:
    """The index or key behind ``key``, None at the end."""
    if isinstance(holder, list):
        return key + 1 if key + 1 < len(holder) else None
    keys = list(holder)
    place = keys.index(key) + 1
    return keys[place] if place < len(keys) else None


def _swap(holder: Any, key: Any) -> None:
    other = neighbour(holder, key)
    if other is not None:
        holder[key], holder[other] = holder[other], holder[key]


def other_value(value: Any, rng: random.Random) -> Any:
    """Another value: mostly a near one, sometimes one of another type."""
    if isinstance(value, bool) or value is None:
        return rng.choice([1, "x", not value])
    if isinstance(value, int | float):
        near = _near(value, rng)
        wild = [-value if value else -1, value * 10 + 1, float("nan"), float("inf"), str(value), None, [value]]
        return near if rng.random() < 0.5 else rng.choice(wild)
    if isinstance(value, str):
        if any(char.isdigit() for char in value):
            return rng.choice([other_number(value, rng), other_number(value, rng), "", value + value, None])
        return rng.choice([value[:-1] + ("x" if not value.endswith("x") else "y"), "", value + value, 1, None])
    if isinstance(value, list):
        return rng.choice([[], {}, None, "x", value[: len(value) // 2], value + value])
    return rng.choice([{}, [], None, "x"])


def _near(value: float, rng: random.Random) -> float:
    text = other_number(repr(value), rng)
    try:
        near = type(value)(text)
    except ValueError:
        return value + 1
    return near if near != value else value + 1
