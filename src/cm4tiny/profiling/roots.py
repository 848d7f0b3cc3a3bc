# SPDX-License-Identifier: Apache-2.0
"""The function of an engine that calls the layers, found in an image's symbol table. Which functions do so is data (``roots.yaml``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.boards.virtual.loader import FunctionSymbol
from cm4tiny.errors import FirmwareError, UsageError, nearest
from cm4tiny.profiling.names import base_name, short_name

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Root:
    """The function to trace.

    Attributes:
        symbol: where it lies.
        engine: whose it is, human-readable; empty for a function that the user named.
        helpers: patterns of callees that are not layers.
        match: ``"names"``, ``"order"``, ``"operators"``, or empty: callees are not matched with a model.
    """

    symbol: FunctionSymbol
    engine: str = ""
    helpers: tuple[str, ...] = ()
    match: str = ""

    def is_helper(self, function: str) -> bool:
        """Whether a callee belongs to the work between the layers: a helper, or a part of the root that the compiler moved out."""
        own_part = base_name(function) == base_name(self.symbol.name)
        return own_part or any(re.search(pattern, base_name(function)) for pattern in self.helpers)


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return load_table(_HERE / "roots.yaml", _HERE / "roots.schema.json")


def find_root(functions: Sequence[FunctionSymbol], image: str, wanted: str = "") -> Root:
    """The function whose callees are the layers.

    Args:
        functions: of the image's symbol table.
        image: its name, for messages.
        wanted: name of a function that the user chose, as in the symbol table or without C++ parameters.

    Raises:
        FirmwareError: the image has no symbols, or no function that is known to call layers.
        UsageError: the function does not exist, or there is more than one.
    """
    if not functions:
        raise FirmwareError(
            f"{image} has no symbols, so its layers cannot be told apart",
            why="a .hex or .bin file has none, and strip removes an ELF's",
            hint="give the ELF that it was made from: --image=FILE.elf; or that ELF next to the image: --symbols=FILE.elf",
        )
    rows = _table()["roots"]
    if wanted:
        symbol = _wanted(functions, image, wanted)
        row = next((row for row in rows if re.search(row["function"], base_name(symbol.name))), None)
        return _root(symbol, row) if row else Root(symbol)
    for row in rows:
        found = [s for s in functions if re.search(row["function"], base_name(s.name)) and s.size]
        if len(found) > 1:
            names = ", ".join(s.name for s in found)
            raise UsageError(f"{image} has {len(found)} functions that may call the layers", why=names, hint="choose one: --root=NAME")
        if found:
            return _root(found[0], row)
    raise FirmwareError(
        f"no function of {image} is known to call the layers of a model",
        why=f"known are those of: {'; '.join(row['engine'] for row in rows)}",
        hint="name the function whose callees are the layers: --root=NAME (the layers must not be inlined into it)",
    )


def _root(symbol: FunctionSymbol, row: dict[str, Any]) -> Root:
    return Root(symbol, row["engine"], tuple(row["helpers"]), row["match"])


def _wanted(functions: Sequence[FunctionSymbol], image: str, wanted: str) -> FunctionSymbol:
    found = [s for s in functions if wanted in (s.name, base_name(s.name))] or [s for s in functions if short_name(s.name) == wanted]
    if not found:
        names = [short_name(s.name) for s in functions]
        raise UsageError(
            f"{image} has no function '{wanted}'", hint=nearest(wanted, names) or "arm-none-eabi-nm lists the functions of an ELF"
        )
    if len(found) > 1:
        raise UsageError(
            f"{image} has {len(found)} functions '{wanted}'",
            why=", ".join(s.name for s in found),
            hint="give the name as the ELF spells it",
        )
    return found[0]


def kinds_of(callee: str, inside: Iterable[str]) -> tuple[str, ...]:
    """The operator kinds that a layer's functions speak of; empty if they speak of none."""
    names = (callee, *inside)
    return next((tuple(row["kinds"]) for row in _table()["kinds"] for name in names if re.search(row["pattern"], name)), ())
