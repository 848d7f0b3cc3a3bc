# SPDX-License-Identifier: Apache-2.0
"""Predictions made by hand, for tests that need no board; and a small model that belongs to no benchmark."""

from __future__ import annotations

from typing import Any

import numpy as np
from support.tiny_tflite import TinyTflite, conv, fully_connected, reshape

from cm4tiny.errors import AssetError
from cm4tiny.prediction.engines import refused, with_error
from cm4tiny.prediction.places import NEAREST, fitting, nearest
from cm4tiny.prediction.predict import NOTICES, SCHEMA_NAME
from cm4tiny.results.conditions import HOME_BOARD, OWN, SIMULATED, Conditions


def small_model() -> bytes:
    """Sizes of no benchmark, two layers that multiply, 4,960 MACs."""
    rng, graph = np.random.default_rng(3), TinyTflite()
    x, y, flat, z = (
        graph.tensor(name, shape, scale=0.1)
        for name, shape in (("in", (1, 8, 8, 3)), ("conv", (1, 4, 4, 10)), ("flat", (1, 160)), ("out", (1, 4)))
    )
    weights = graph.tensor("w", (10, 3, 3, 3), scale=0.01, data=rng.integers(-127, 128, (10, 3, 3, 3)))
    dense = graph.tensor("d", (4, 160), scale=0.01, data=rng.integers(-127, 128, (4, 160)))
    bias = graph.tensor("b", (10,), "int32", scale=0.001, data=rng.integers(-999, 999, 10))
    conv(graph, x, weights, bias, y, padding="SAME", strides=(2, 2))
    reshape(graph, y, flat, (1, 160))
    fully_connected(graph, flat, dense, None, z)
    return graph.build([x], [z])


def layer(number: int, **changes: Any) -> dict[str, Any]:
    values = {
        "number": number,
        "name": f"layer0{number}_conv",
        "operator": "conv",
        "kernel": "conv 2x2x2 ram",
        "output_shape": [1, 8, 8, 16],
        "macs": 400_000,
        "cycles": 600_000.0,
        "share_pct": 60.0,
        "cycles_per_mac": 1.5,
        "ram_bytes": 9000,
        "flash_bytes": 500,
        "fallback": None,
    }
    return {**values, **changes}


def predicted(engine: str = "microtvm", milliseconds: float = 8.0) -> dict[str, Any]:
    memory = dict.fromkeys(("flash_weights_bytes", "activations_bytes", "weights_in_ram_bytes", "input_output_bytes", "stack_bytes"), 4000)
    return {
        "engine": engine,
        "state": "predicted",
        "reason": None,
        "cycles": milliseconds * 120e3,
        "cycles_per_mac": 2.4,
        "latency_ms": with_error(milliseconds, "throughput"),
        "throughput_inf_per_s": with_error(1e3 / milliseconds, "throughput", rate=True),
        "energy_uj": with_error(40 * milliseconds, "energy", rate=True),
        "memory": {**memory, "flash_bytes": 30_000, "ram_bytes": 700_000},
        "bit_exact": {"verified": True, "reference": "tflite_runtime BUILTIN_REF", "inputs": 3, "values": 30, "seed": 1}
        | {"differing": 0, "largest": 0, "allowed": 0},
        "image": {"name": "own-performance.elf", "model_id": "wake", "sha256": "0" * 64, "bytes": 40_000},
        "clocked": "LDO, boost, clocked: GPIO F G",
        "layers": [layer(0), layer(1, operator="pool", macs=0, cycles_per_mac=None, fallback="its window is <too> large", share_pct=30.0)],
        "between_layers_cycles": 34.0,
    }


def prediction(**changes: Any) -> dict[str, Any]:
    """Two engines with figures and one without."""
    error = AssetError("sources are not available", why="no network", hint="give a mirror")
    rows = [predicted(), predicted("tflm", 21.0), refused("tflm_cmsis_nn", error)]
    tensor = {"shape": [1, 16, 16, 1], "dtype": "int8", "scale": 0.5, "zero_point": 3, "values": 256}
    labels = Conditions(HOME_BOARD, SIMULATED, OWN, "", 1.8, 120.0, ("throughput", "energy"))
    model = {"name": "wake", "file": "<b>wake|word.tflite", "sha256": "1" * 64, "bytes": 5000, "macs": 400_000}
    found = {
        "schema": SCHEMA_NAME,
        "notices": list(NOTICES),
        "model": {**model, "operators": {"CONV_2D": 1}, "parameters": 900, "constants_bytes": 1000, "input": tensor, "output": tensor},
        "board": HOME_BOARD,
        "labels": labels.as_json(),
        "engines": rows,
        "boards": fitting(rows),
        "nearest": {"means": NEAREST, "benchmarks": nearest(400_000)},
        "tools": {"cm4tiny": "0.1.0"},
    }
    return {**found, **changes}
