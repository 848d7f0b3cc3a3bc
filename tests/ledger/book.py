# SPDX-License-Identifier: Apache-2.0
"""Reads the ledger's entries and finds their experiments."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import jsonschema
import yaml

from ledger.outcome import Experiment

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Entry:
    """One kind of fault: its source, the experiment that shows it and the verdict that is expected."""

    area: str
    id: str
    kind: str
    source: str
    experiment: str
    expected: dict[str, Any]
    inputs: dict[str, Any] = field(default_factory=dict)

    def run(self) -> Experiment:
        """The experiment's function."""
        module, name = self.experiment.split(".")
        return cast(Experiment, getattr(importlib.import_module(f"ledger.experiments.{module}"), name))


@cache
def entries() -> tuple[Entry, ...]:
    """All entries, by area and in the order of their files; each file is checked against the schema."""
    schema = json.loads((FOLDER / "ledger.schema.json").read_text(encoding="utf-8"))
    found = []
    for path in sorted((FOLDER / "entries").glob("*.yaml")):
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
        jsonschema.validate(rows, schema)
        found += [Entry(area=path.stem, **row) for row in rows]
    return tuple(found)
