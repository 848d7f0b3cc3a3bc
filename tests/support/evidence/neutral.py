# SPDX-License-Identifier: Apache-2.0
"""Which mutations touch neither a claim nor its evidence: ``neutral.yaml``, applied to what is mutated, before the audit is asked."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from support.evidence.sites import NUMBER, NUMBER_KINDS, Site, neighbour, partner


@cache
def table() -> dict[str, Any]:
    """``neutral.yaml``."""
    loaded: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("neutral.yaml").read_text(encoding="utf-8"))
    return loaded


def reason(site: Site, before: bytes) -> str:
    """Why the mutation is neutral; empty if it is not."""
    if site.kind.startswith("file-"):
        return ""
    if site.file.endswith("results.json"):
        return _record(site, before)
    if site.file.endswith(".json"):
        return _system(site, before)
    lines = before.decode("utf-8").split("\n")
    return _line(site, lines) if site.kind.startswith("line-") else _text(site, lines)


# --- text -------------------------------------------------------------------------------------------------------------------------
def _free(line: str, start: int, end: int, kind: str) -> str:
    for entry in table()["text"]:
        match = re.search(entry["line"], line)
        if match and match.start("free") <= start and end <= match.end("free") and kind in entry.get("kinds", NUMBER_KINDS):
            return str(entry["why"])
    return ""


def _text(site: Site, lines: list[str]) -> str:
    number, place = site.at
    token = list(NUMBER.finditer(lines[number]))[place]
    why = _free(lines[number], token.start(), token.end(), site.kind)
    if why and site.kind == "swapped":
        other = partner(lines, number, place)
        if other is not None and not _free(lines[other[0]], other[1].start(), other[1].end(), site.kind):
            return ""
    return why


def _line(site: Site, lines: list[str]) -> str:
    number = site.at[0]
    if site.kind == "line-swapped" and number + 1 < len(lines):
        return _may(lines[number], site.kind) or _may(lines[number + 1], site.kind) if _header(lines, number) else ""
    return _may(lines[number], site.kind)


def _header(lines: list[str], number: int) -> bool:
    """Lines may change places if one of them may stand anywhere and the other one is not the log's first or last."""
    return not any(lines[place].startswith(("Logging initialized", "Session logged")) for place in (number, number + 1))


def _may(line: str, kind: str) -> str:
    return next((str(entry["why"]) for entry in table()["lines"] if kind in entry["kinds"] and re.search(entry["line"], line)), "")


# --- JSON -------------------------------------------------------------------------------------------------------------------------
def _record(site: Site, before: bytes) -> str:
    form = "".join(f"[{'*'}]" if isinstance(key, int) else f".{key}" for key in site.at)
    mode = site.file.split("/")[-2]
    for entry in table()["json"]:
        fits = entry["path"] == form and site.kind in entry["kinds"] and mode in entry.get("modes", (mode,))
        if fits and ("where" not in entry or _where(site, before) == entry["where"]):
            return str(entry["why"])
    return ""


@cache
def _edges(before: bytes) -> tuple[tuple[int, int], ...]:
    return tuple((entry["power"]["timestamps"][-2][1], entry["power"]["timestamps"][-1][1]) for entry in json.loads(before))


@cache
def _answers(before: bytes) -> tuple[tuple[str, str], ...]:
    return tuple((entry["file"], str(entry["infer"]["results"])) for entry in json.loads(before))


def _where(site: Site, before: bytes) -> str:
    """Whether two entries that change places are of one input and one answer; else whether a sample (and the one that it is swapped with)
    lies inside its window, outside of it, or across an edge."""
    if len(site.at) == 1:
        answers = _answers(before)[site.at[0] : site.at[0] + 2]
        return "alike" if len(answers) == 2 and answers[0] == answers[1] else ""
    first, last = _edges(before)[site.at[0]]
    places = {site.at[-1], site.at[-1] + 1} if site.kind == "swapped" else {site.at[-1]}
    inside = {first <= place < last for place in places}
    return "across" if len(inside) > 1 else "inside" if inside == {True} else "outside"


def _system(site: Site, before: bytes) -> str:
    rules = table()["system"]
    document = json.loads(before)
    names = [str(site.at[0])]
    if site.kind == "swapped":
        names.append(str(neighbour(document, site.at[0])))
    if site.kind in rules["same-value-twice"]["kinds"]:
        return str(rules["same-value-twice"]["why"])
    if any(name in rules["declared"]["except"] for name in names):
        return ""
    if any(name in rules["required"] for name in names) and (site.kind != "changed"):
        return "" if site.kind == "removed" else _full(document, names, rules)
    return str(rules["declared"]["why"]) if site.kind in rules["declared"]["kinds"] else ""


def _full(document: dict[str, Any], names: list[str], rules: dict[str, Any]) -> str:
    """Two declarations that change places are neutral if neither of them is empty: a required field must not become so."""
    return str(rules["declared"]["why"]) if all(str(document.get(name) or "").strip() for name in names) else ""
