# SPDX-License-Identifier: Apache-2.0
"""The fields of a report one by one, by their JSON path, and what two reports have different."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ROUNDING = 1e-12
"""How far two machines may differ in a figure that is added up from many: numpy adds in another order on another processor."""
ABSENT = "nothing"
_SHOWN = 120


@dataclass(frozen=True)
class Contradiction:
    """A field of the report that does not follow from its evidence.

    Attributes:
        where: JSON path in the report (``$.results[0].value``), or the name of a file.
        text: what is wrong, with both values.
    """

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def shown(value: Any) -> str:
    """A value in a message, in one line and not longer than a line."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """All fields below a value that have no fields themselves; an empty object or list is one."""
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from leaves(one, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for number, one in enumerate(value):
            yield from leaves(one, f"{path}[{number}]")
    else:
        yield path, value


def differences(said: Any, found: Any, path: str, source: str) -> Iterator[Contradiction]:
    """Where a report says something else than its evidence.

    Args:
        said: what the report has.
        found: what the evidence gives.
        source: what the evidence is, for the text: ``"outcome.json"``.
    """
    if isinstance(said, dict) and isinstance(found, dict):
        for key in {**said, **found}:
            if key not in said or key not in found:
                yield _finding(f"{path}.{key}", said.get(key, ABSENT), found.get(key, ABSENT), source)
            else:
                yield from differences(said[key], found[key], f"{path}.{key}", source)
    elif isinstance(said, list) and isinstance(found, list):
        if len(said) != len(found):
            yield Contradiction(path, f"the report has {len(said)} of them, {source} gives {len(found)}")
        for number, (one, other) in enumerate(zip(said, found, strict=False)):
            yield from differences(one, other, f"{path}[{number}]", source)
    elif not equal(said, found):
        yield _finding(path, said, found, source)


def _finding(path: str, said: Any, found: Any, source: str) -> Contradiction:
    return Contradiction(path, f"the report says {shown(said)}, {source} gives {shown(found)}")


def equal(one: Any, other: Any) -> bool:
    """Whether two fields are the same, numbers up to :data:`ROUNDING`. ``true`` is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or (isinstance(one, float) and isinstance(other, float) and math.isclose(one, other, rel_tol=ROUNDING))
    return type(one) is type(other) and bool(one == other)
