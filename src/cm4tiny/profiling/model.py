# SPDX-License-Identifier: Apache-2.0
"""A profile: what one inference cost, layer by layer; and its form as JSON (``profile.schema.json``)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cm4tiny.boards.energy.settings import PowerSettings
from cm4tiny.boards.power import SUPPLY_V
from cm4tiny.boards.virtual.cycle_model import TICKS_PER_CYCLE
from cm4tiny.boards.virtual.trace import TraceCost
from cm4tiny.results.conditions import HOME_BOARD, SIMULATED, Conditions

SCHEMA_FILE = Path(__file__).resolve().parent / "profile.schema.json"
VERSION = 1
LABEL = f"{SIMULATED}: predicted on the virtual board"


@dataclass(frozen=True)
class Cost:
    """Ticks of 1/1000 cycle, and counts. The stalls are part of ``ticks``; the rest is what the core needs to issue the instructions."""

    ticks: int
    instructions: int
    icache_misses: int
    dcache_misses: int
    icache_stall_ticks: int
    dcache_stall_ticks: int

    @classmethod
    def of(cls, cost: TraceCost) -> Cost:
        """From what the board counted."""
        return cls(cost.ticks, cost.instructions, cost.icache_misses, cost.dcache_misses, cost.icache_stall_ticks, cost.dcache_stall_ticks)

    @property
    def cycles(self) -> float:
        """All cycles."""
        return self.ticks / TICKS_PER_CYCLE

    @property
    def icache_stall_cycles(self) -> float:
        """Cycles of waiting for instructions from flash."""
        return self.icache_stall_ticks / TICKS_PER_CYCLE

    @property
    def dcache_stall_cycles(self) -> float:
        """Cycles of waiting for data from flash."""
        return self.dcache_stall_ticks / TICKS_PER_CYCLE

    @property
    def issue_cycles(self) -> float:
        """Cycles without waiting for flash: instructions, taken branches, loads from RAM."""
        return (self.ticks - self.icache_stall_ticks - self.dcache_stall_ticks) / TICKS_PER_CYCLE

    def as_json(self) -> dict[str, Any]:
        return {
            "cycles": self.cycles,
            "issue_cycles": self.issue_cycles,
            "icache_stall_cycles": self.icache_stall_cycles,
            "dcache_stall_cycles": self.dcache_stall_cycles,
            "instructions": self.instructions,
            "icache_misses": self.icache_misses,
            "dcache_misses": self.dcache_misses,
        }


@dataclass(frozen=True)
class Footprint:
    """Distinct bytes that were used: flash run as code, flash read as data (weights, tables), RAM (activations, workspace, stack)."""

    code_bytes: int
    const_bytes: int
    ram_bytes: int

    def as_json(self) -> dict[str, Any]:
        return {"code_bytes": self.code_bytes, "const_bytes": self.const_bytes, "ram_bytes": self.ram_bytes}


@dataclass(frozen=True)
class FunctionCost:
    """What one function cost inside a layer, without what it called; an empty name is code without a symbol."""

    name: str
    cost: Cost

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, **self.cost.as_json()}


@dataclass(frozen=True)
class LayerProfile:
    """One layer, in order of execution.

    Attributes:
        name: human-readable.
        function: the symbol that the root called.
        kind: of the operator or kernel; empty where it is not known.
        output_shape: empty where it is not known.
        macs: multiply-accumulates; None where the model's operator is not known.
        functions: the most expensive first.
        planned: what the build says of the layer; empty where nothing does.
    """

    name: str
    function: str
    kind: str
    output_shape: tuple[int, ...]
    macs: int | None
    cost: Cost
    footprint: Footprint
    functions: tuple[FunctionCost, ...]
    planned: dict[str, Any] = field(default_factory=dict)

    @property
    def cycles_per_mac(self) -> float | None:
        """None without multiply-accumulates, or where they are not known."""
        return self.cost.cycles / self.macs if self.macs else None

    @property
    def stored_bytes(self) -> int | None:
        """Constants of the layer in flash, also those that are copied to RAM at boot; None where the build does not say."""
        stored = self.planned.get("const_bytes")
        return stored if isinstance(stored, int) else None

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "function": self.function,
            "kind": self.kind or None,
            "output_shape": list(self.output_shape) or None,
            "macs": self.macs,
            "cycles_per_mac": self.cycles_per_mac,
            **self.cost.as_json(),
            **self.footprint.as_json(),
            "stored_bytes": self.stored_bytes,
            "functions": [function.as_json() for function in self.functions],
            "planned": self.planned,
        }


def _sum(values: Iterable[int | None]) -> int | None:
    known = list(values)
    return sum(value for value in known if value is not None) if known and None not in known else None


@dataclass(frozen=True)
class Profile:
    """One inference.

    Attributes:
        benchmark: id, empty if the image answers as none.
        model_id: what the image answers as its model.
        engine: of the build, or what the root function says.
        image, sha256: file name and hash of what ran.
        root: the function whose callees are the layers.
        match: how the layers were found in the model: ``"names"``, ``"order"``, ``"operators"``, or empty.
        whole: the root's call, the sum of all parts.
        own: the root itself and its helpers, what runs between the layers.
        interrupts: exception handlers that broke in; None if there were none.
        outside_cycles: of an inference as the device times it, what lies outside of the root, with the clock's resolution; None without
            time stamps.
        notes: what the reader should know.
        assets: whose model it is: ``"embedded"``, ``"official"``, or empty if nothing says so.
        division: ``"open"`` where the record of the build says so, else empty.
        strict: False if the image ran on where the chip would not run it.
        power: clocks and power settings while it ran.
    """

    benchmark: str
    engine: str
    image: str
    sha256: str
    hclk_hz: int
    root: str
    match: str
    layers: tuple[LayerProfile, ...]
    own: Cost
    interrupts: Cost | None
    whole: Cost
    footprint: Footprint
    outside_cycles: float | None
    notes: tuple[str, ...] = ()
    assets: str = ""
    division: str = ""
    strict: bool = True
    model_id: str = ""
    power: PowerSettings | None = None

    @property
    def conditions(self) -> Conditions:
        """The labels of every figure of the profile."""
        clock = self.hclk_hz / 1e6
        return Conditions(HOME_BOARD, SIMULATED, self.assets, self.division, SUPPLY_V, clock, ("throughput",), strict=self.strict)

    @property
    def title(self) -> str:
        """``"kws, tflm_cmsis_nn"``."""
        return ", ".join(part for part in (self.benchmark or self.model_id, self.engine) if part) or self.image

    @property
    def macs(self) -> int | None:
        """Of all layers; None if one of them is not known."""
        return _sum(layer.macs for layer in self.layers)

    @property
    def stored_bytes(self) -> int | None:
        """Of all layers; None if one of them is not known."""
        return _sum(layer.stored_bytes for layer in self.layers)

    def as_json(self) -> dict[str, Any]:
        return {
            "profile_version": VERSION,
            "simulated": True,
            "label": LABEL,
            "board": f"virtual {HOME_BOARD}",
            "labels": self.conditions.as_json(),
            "hclk_hz": self.hclk_hz,
            "benchmark": self.benchmark or None,
            "model_id": self.model_id or None,
            "engine": self.engine,
            "image": {"name": self.image, "sha256": self.sha256},
            "root": self.root,
            "match": self.match or None,
            "inference": {
                "macs": self.macs,
                **self.whole.as_json(),
                **self.footprint.as_json(),
                "stored_bytes": self.stored_bytes,
                "outside_cycles": self.outside_cycles,
            },
            "layers": [layer.as_json() for layer in self.layers],
            "between_layers": self.own.as_json(),
            "interrupts": self.interrupts.as_json() if self.interrupts else None,
            "notes": list(self.notes),
        }

    def json_text(self) -> str:
        """The JSON, the same bytes for the same profile."""
        return json.dumps(self.as_json(), indent=1) + "\n"
