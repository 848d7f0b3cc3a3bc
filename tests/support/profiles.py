# SPDX-License-Identifier: Apache-2.0
"""Profiles and models made by hand, for tests that need no board."""

from __future__ import annotations

from typing import Any

from cm4tiny.firmware.model_tables import ModelTables, OperatorEntry, TensorEntry
from cm4tiny.profiling.model import Cost, Footprint, FunctionCost, LayerProfile, Profile


def cost(cycles: int, icache: int = 0, dcache: int = 0) -> Cost:
    return Cost(1000 * cycles, cycles // 2, icache // 5, dcache // 5, 1000 * icache, 1000 * dcache)


def layer(name: str = "layer00_conv", cycles: int = 1000, macs: int | None = 500, **changes: Any) -> LayerProfile:
    values: dict[str, Any] = {
        "name": name,
        "function": name,
        "kind": "conv",
        "output_shape": (1, 5, 5, 8),
        "macs": macs,
        "cost": cost(cycles, cycles // 10, cycles // 20),
        "footprint": Footprint(200, 300, 400),
        "functions": (FunctionCost("kernel", cost(cycles // 2)), FunctionCost("", cost(cycles // 4))),
    }
    return LayerProfile(**{**values, **changes})


def profile(*layers: LayerProfile, **changes: Any) -> Profile:
    """A profile whose parts add up."""
    layers = layers or (layer(), layer("layer01_softmax", 200, 0))
    own = cost(50)
    parts = [*(entry.cost for entry in layers), own]
    sums = {name: sum(getattr(part, name) for part in parts) for name in Cost.__dataclass_fields__}
    values: dict[str, Any] = {
        "benchmark": "kws",
        "engine": "microtvm",
        "image": "kws-performance.elf",
        "sha256": "0" * 64,
        "hclk_hz": 120_000_000,
        "root": "cm4tiny_model_run",
        "match": "names",
        "layers": layers,
        "own": own,
        "interrupts": None,
        "whole": Cost(**sums),
        "footprint": Footprint(500, 600, 700),
        "outside_cycles": 33.5,
        "notes": (),
        "assets": "embedded",
    }
    return Profile(**{**values, **changes})


class Model:
    """A model's tables, operator by operator; methods return the index of the output tensor."""

    def __init__(self) -> None:
        self._tensors: list[TensorEntry] = []
        self._operators: list[OperatorEntry] = []
        self.input = self._tensor((1, 8, 8, 4))

    def _tensor(self, shape: tuple[int, ...], dtype: str = "int8", constant: bool = False) -> int:
        self._tensors.append(TensorEntry(f"t{len(self._tensors)}", shape, dtype, constant, (0.1,), (0,), 0))
        return len(self._tensors) - 1

    def op(self, kind: str, inputs: tuple[int, ...], output: tuple[int, ...], weights: tuple[int, ...] = ()) -> int:
        extra = (self._tensor(weights, constant=True), self._tensor(weights[:1], "int32", constant=True)) if weights else ()
        out = self._tensor(output)
        self._operators.append(OperatorEntry(kind, (*inputs, *extra), (out,), None, 0))
        return out

    def tables(self) -> ModelTables:
        return ModelTables(tuple(self._tensors), tuple(self._operators), (self.input,), (len(self._tensors) - 1,))
