# SPDX-License-Identifier: Apache-2.0
"""Reads the cells of a workbook with the standard library: enough to compare tables."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def sheets(path: Path) -> dict[str, dict[tuple[int, int], str]]:
    """Cells as text by sheet and (row, column), from 0; a formula's cell is the formula; merged cells all have the first one's text."""
    with zipfile.ZipFile(path) as archive:
        names = [sheet.attrib["name"] for sheet in ElementTree.fromstring(archive.read("xl/workbook.xml")).iter(f"{_MAIN}sheet")]
        strings: list[str] = []
        if "xl/sharedStrings.xml" in archive.namelist():
            root = ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
            strings = ["".join(text.text or "" for text in item.iter(f"{_MAIN}t")) for item in root.iter(f"{_MAIN}si")]
        return {name: _cells(archive.read(f"xl/worksheets/sheet{n}.xml"), strings) for n, name in enumerate(names, 1)}


def _place(reference: str) -> tuple[int, int]:
    match = re.fullmatch(r"([A-Z]+)(\d+)", reference)
    assert match is not None
    column = 0
    for letter in match[1]:
        column = 26 * column + ord(letter) - 64
    return int(match[2]) - 1, column - 1


def _cells(text: bytes, strings: list[str]) -> dict[tuple[int, int], str]:
    root, found = ElementTree.fromstring(text), {}
    for cell in root.iter(f"{_MAIN}c"):
        formula, value = cell.find(f"{_MAIN}f"), cell.find(f"{_MAIN}v")
        inline = "".join(part.text or "" for part in cell.iter(f"{_MAIN}t"))
        content = inline if value is None else value.text or ""
        if formula is not None:
            content = "=" + (formula.text or "")
        elif cell.attrib.get("t") == "s":
            content = strings[int(content)]
        found[_place(cell.attrib["r"])] = content
    for merged in root.iter(f"{_MAIN}mergeCell"):
        first, last = (_place(part) for part in merged.attrib["ref"].split(":"))
        for row in range(first[0], last[0] + 1):
            for column in range(first[1], last[1] + 1):
                found[(row, column)] = found.get(first, "")
    return found


def rows(cells: dict[tuple[int, int], str]) -> list[list[str]]:
    """Cells as a rectangle."""
    if not cells:
        return []
    height, width = (1 + max(place[n] for place in cells) for n in (0, 1))
    return [[cells.get((row, column), "") for column in range(width)] for row in range(height)]
