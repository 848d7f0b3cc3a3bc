# SPDX-License-Identifier: Apache-2.0
"""The rules that a run is held to, as data: ``rules.yaml`` next to this file names the source of every value."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from cm4tiny.errors import AssetError

_TABLE = Path(__file__).with_name("rules.yaml")
_SCHEMA = Path(__file__).with_name("rules.schema.json")


@dataclass(frozen=True)
class Rules:
    """What a run must do to count.

    Attributes:
        windows: measured windows, each on an input of its own; the median counts.
        min_window_s: shortest window.
        min_iterations: fewest inferences in a window.
        performance_files: inputs that the windows use: the first ones of ``y_labels.csv``.
        warmups: unmeasured inferences before a window, by mode and benchmark id.
        sources: where each value comes from.
    """

    windows: int
    min_window_s: float
    min_iterations: int
    performance_files: int
    warmups: dict[str, dict[str, int]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def breaches(self, windows: list[tuple[int, float]]) -> tuple[str, ...]:
        """What is wrong with windows of (iterations, seconds): one sentence each, none if all is well."""
        found = []
        if len(windows) != self.windows:
            found.append(f"{len(windows)} windows instead of {self.windows}")
        for number, (iterations, seconds) in enumerate(windows, 1):
            if seconds < self.min_window_s:
                found.append(f"window {number} took {seconds:.3f} s, less than {self.min_window_s:g} s")
            if iterations < self.min_iterations:
                found.append(f"window {number} has {iterations} inferences, fewer than {self.min_iterations}")
        return tuple(found)


def load_rules(path: Path = _TABLE) -> Rules:
    """Reads and checks a table of rules; :class:`AssetError` says what is wrong with it."""
    try:
        table: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        jsonschema.validate(table, json.loads(_SCHEMA.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, jsonschema.ValidationError) as error:
        raise AssetError(
            f"the table of rules {path.name} cannot be used", why=str(error).splitlines()[0], hint="restore the file"
        ) from error
    return Rules(
        windows=table["windows"]["value"],
        min_window_s=float(table["min_window_s"]["value"]),
        min_iterations=table["min_iterations"]["value"],
        performance_files=table["performance_files"]["value"],
        warmups={mode: dict(table["warmups"][mode]) for mode in ("performance", "energy")},
        sources={key: " ".join(entry["source"].split()) for key, entry in table.items()},
    )


@cache
def official_rules() -> Rules:
    """The rules of MLPerf Tiny."""
    return load_rules()
