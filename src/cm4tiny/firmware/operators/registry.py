# SPDX-License-Identifier: Apache-2.0
"""Which operators there are: every file of this folder with an ``OPERATOR``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from cm4tiny.firmware.operators.base import Operator

_PACKAGE = __name__.rpartition(".")[0]


@lru_cache(maxsize=1)
def operators() -> Mapping[str, Operator]:
    """All operators by module name, in alphabetical order."""
    found = {}
    for module in sorted(pkgutil.iter_modules([str(Path(__file__).parent)]), key=lambda m: m.name):
        operator = getattr(importlib.import_module(f"{_PACKAGE}.{module.name}"), "OPERATOR", None)
        if isinstance(operator, Operator):
            found[module.name] = operator
    return found


@lru_cache(maxsize=1)
def by_kind() -> Mapping[str, Operator]:
    """All operators by their names in ``schema.fbs``.

    Raises:
        ValueError: two files claim one name.
    """
    found: dict[str, Operator] = {}
    for module, operator in operators().items():
        for kind in operator.kinds:
            if kind in found:
                raise ValueError(f"{kind} is registered twice, by {module} too")
            found[kind] = operator
    return found
