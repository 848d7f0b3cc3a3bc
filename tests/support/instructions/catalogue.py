# SPDX-License-Identifier: Apache-2.0
"""The catalogue of instructions: forms with fields, values that the manual allows for them, and how they are written into halfwords."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CATALOGUE = Path(__file__).with_name("catalogue.yaml")
REGISTERS = (*range(13), 14)
_REGISTER_FIELDS = "dnmatulh"

Fields = dict[str, int]


@dataclass(frozen=True)
class Form:
    """One encoding. ``shifts`` has for each letter the bits of its field, most significant first."""

    group: str
    names: tuple[str, ...]
    bits: str
    shifts: Mapping[str, tuple[int, ...]]
    sets: str
    differ: tuple[str, ...]
    where: str
    only: Mapping[str, tuple[int, ...]]
    memory: str
    size: int
    words: str
    strict: bool

    @property
    def wide(self) -> bool:
        return len(self.bits) == 32

    def is_register(self, letter: str) -> bool:
        return letter in _REGISTER_FIELDS and len(self.shifts[letter]) in (3, 4)

    def registers(self, letter: str) -> tuple[int, ...]:
        """What a register field may hold."""
        return REGISTERS if len(self.shifts[letter]) == 4 else tuple(range(8))

    def listed(self, fields: Fields) -> tuple[int, ...]:
        """The registers of a list, which has R14 as its first bit if it is one of 14."""
        value, width = fields.get(self.words, 0), len(self.shifts.get(self.words, ()))
        numbers = (14, *range(12, -1, -1)) if width == 14 else tuple(range(width - 1, -1, -1))
        return tuple(number for i, number in enumerate(numbers) if value >> (width - 1 - i) & 1)

    def written(self, fields: Fields) -> set[int]:
        """Core registers that the instruction may write to."""
        found = {fields[letter] for letter in self.sets if letter != self.words and letter in fields}
        return found | set(self.listed(fields)) if self.words and self.words in self.sets else found

    def encode(self, fields: Fields) -> list[int]:
        value = int("".join(c if c in "01" else "0" for c in self.bits), 2)
        for letter, shifts in self.shifts.items():
            last = len(shifts) - 1
            for i, shift in enumerate(shifts):
                value |= (fields[letter] >> (last - i) & 1) << shift
        return [value >> 16, value & 0xFFFF] if self.wide else [value]


def _form(group: str, row: Mapping[str, Any]) -> Form:
    bits = row["bits"]
    shifts: dict[str, list[int]] = {}
    for i, letter in enumerate(bits):
        if letter not in "01":
            shifts.setdefault(letter, []).append(len(bits) - 1 - i)
    sets = row.get("sets", "d" if "d" in shifts else "")
    return Form(
        group,
        tuple(row["name"]),
        bits,
        {letter: tuple(places) for letter, places in shifts.items()},
        sets,
        tuple(row.get("differ", ())),
        row.get("where", ""),
        {letter: tuple(values) for letter, values in row.get("only", {}).items()},
        row.get("memory", ""),
        row.get("size", 0),
        row.get("words", ""),
        row.get("strict", False),
    )


@cache
def forms() -> tuple[Form, ...]:
    """All forms of the catalogue."""
    groups = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    return tuple(_form(group["group"], row) for group in groups for row in group["forms"])


# --- values that the manual allows: each rule mends fields in place -------------------------------------------------------------------


def _modified(f: Fields, c: random.Random) -> None:
    """ThumbExpandImm: the three forms with a repeated byte have none of zero."""
    if f["i"] >> 10 == 0 and f["i"] >> 8 and not f["i"] & 0xFF:
        f["i"] |= c.randrange(1, 256)


def _field_extract(f: Fields, c: random.Random) -> None:
    f["i"] = min(f["i"], 31 - f["k"])


def _field_insert(f: Fields, c: random.Random) -> None:
    f["i"], f["k"] = max(f["i"], f["k"]), min(f["i"], f["k"])


def _saturate(f: Fields, c: random.Random) -> None:
    """A shift of zero to the right is the 16-bit form."""
    if f["y"] and not f["k"]:
        f["k"] = c.randrange(1, 32)


def _one_high(f: Fields, c: random.Random) -> None:
    if f["n"] < 8 and f["m"] < 8:
        f["n"] = c.choice((8, 9, 10, 11, 12, 14))


def _same_operands(f: Fields, c: random.Random) -> None:
    f["n"] = f["m"]


def _fixed_16(f: Fields, c: random.Random) -> None:
    """A halfword has 0 to 16 fraction bits: 16 - imm4:i."""
    value = c.randrange(17)
    f["i"] = (value & 1) << 4 | value >> 1


def _not_s31(f: Fields, c: random.Random) -> None:
    if f["M"] == 31:
        f["M"] = c.randrange(31)


def _single_list(f: Fields, c: random.Random) -> None:
    first = f["D"] % 16 * 2 + (f["D"] >> 4)
    f["i"] = c.randrange(1, min(32 - first, 12) + 1)


def _double_list(f: Fields, c: random.Random) -> None:
    f["i"] = 2 * c.randrange(1, min(16 - f["D"], 6) + 1)


def _list(f: Fields, c: random.Random) -> None:
    """Two registers or more, and not the base."""
    place = {14: 13}.get(f["n"], f["n"])
    while bin(f["L"] & ~(1 << place)).count("1") < 2:
        f["L"] |= 1 << c.randrange(14)
    f["L"] &= ~(1 << place)


def _base_not_listed(f: Fields, c: random.Random) -> None:
    while not f["L"] & ~(1 << f["n"]):
        f["L"] |= 1 << c.randrange(8)
    f["L"] &= ~(1 << f["n"])


RULES: Mapping[str, Callable[[Fields, random.Random], None]] = {
    "modified": _modified, "field_extract": _field_extract, "field_insert": _field_insert, "saturate": _saturate, "one_high": _one_high,
    "same_operands": _same_operands, "fixed_16": _fixed_16, "not_s31": _not_s31, "single_list": _single_list, "double_list": _double_list,
    "list": _list, "base_not_listed": _base_not_listed}  # fmt: skip


def random_fields(form: Form, chance: random.Random, spare: Collection[int] = (), avoid: int | None = None) -> Fields:
    """Fields of a valid encoding that writes to none of the registers in ``spare`` and does not name the register ``avoid``."""
    while True:
        fields: Fields = {}
        for letter, shifts in form.shifts.items():
            if letter in form.only:
                fields[letter] = chance.choice(form.only[letter])
            elif form.is_register(letter):
                fields[letter] = chance.choice(form.registers(letter))
            else:
                fields[letter] = chance.getrandbits(len(shifts))
        if form.where:
            RULES[form.where](fields, chance)
        if any(fields[pair[0]] == fields[pair[1]] for pair in form.differ):
            continue
        if spare and not form.written(fields).isdisjoint(spare):
            continue
        if avoid is not None and (
            avoid in form.listed(fields) or any(fields[letter] == avoid for letter in form.shifts if form.is_register(letter))
        ):
            continue
        return fields
