# SPDX-License-Identifier: Apache-2.0
"""The records of a model's layers: what the compiler knows, and what a model file says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from support.profiles import Model

from cm4tiny.benchmarks import embedded_model
from cm4tiny.firmware.layers import layer_records, operator_layers
from cm4tiny.firmware.microtvm.compiled import CompiledModel, LayerInfo
from cm4tiny.firmware.model_file import read_model


def test_the_compilers_layers_become_records() -> None:
    (record,) = layer_records([LayerInfo("layer00_conv", "conv", (1, 5, 5, 8), 900, 300, 20)])
    assert (
        record
        | {
            "name": "layer00_conv",
            "kind": "conv",
            "output_shape": [1, 5, 5, 8],
            "macs": 900,
            "const_bytes": 300,
            "workspace_bytes": 20,
        }
        == record
    )


def test_more_fields_are_kept_and_what_is_no_plain_value_is_left_out() -> None:
    @dataclass(frozen=True)
    class Layer:
        name: str = "l"
        placement: str = "ram"
        ram_bytes: int = 12
        tried: tuple[str, ...] = ("a", "b")
        kernel: Any = field(default_factory=object)
        costs: tuple[Any, ...] = ({},)

    (record,) = layer_records([Layer()])
    assert record == {"name": "l", "placement": "ram", "ram_bytes": 12, "tried": ["a", "b"]}
    json.dumps(record)


def test_a_compiled_model_hands_its_layers_to_the_build() -> None:
    info = read_model(embedded_model("kws").read_bytes())
    assert info.operators
    model = CompiledModel("", "", None, None, 0, 0, (LayerInfo("a", "conv", (1,), 2, 3, 4),))  # type: ignore[arg-type]
    assert [layer["name"] for layer in model.code.layers] == ["a"]


def test_operators_count_their_multiplications() -> None:
    model = Model()
    a = model.op("CONV_2D", (model.input,), (1, 8, 8, 16), (16, 3, 3, 4))
    b = model.op("DEPTHWISE_CONV_2D", (a,), (1, 4, 4, 16), (1, 3, 3, 16))
    c = model.op("AVERAGE_POOL_2D", (b,), (1, 1, 1, 16))
    model.op("FULLY_CONNECTED", (c,), (1, 10), (10, 16))
    layers = operator_layers(model.tables())
    assert [layer["macs"] for layer in layers] == [8 * 8 * 16 * 3 * 3 * 4, 4 * 4 * 16 * 3 * 3, 0, 160]
    assert [layer["const_bytes"] for layer in layers] == [576 + 4 * 16, 144 + 4, 0, 160 + 4 * 10]
    assert layers[1]["name"] == "depthwise_conv_2d"
    assert layers[1]["output_shape"] == [1, 4, 4, 16]


def test_the_embedded_kws_model_has_as_many_as_its_paper_says() -> None:
    """DS-CNN (S) of "Hello Edge: Keyword Spotting on Microcontrollers" with the 49x10 input of MLPerf Tiny."""
    layers = operator_layers(read_model(embedded_model("kws").read_bytes()))
    assert sum(layer["macs"] for layer in layers) == 2_656_768
