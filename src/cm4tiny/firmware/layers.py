# SPDX-License-Identifier: Apache-2.0
"""A model's layers as plain records, for the record of a build (``firmware.json``) and for profiles.

Keys: ``name``, ``kind``, ``output_shape``, ``macs`` (multiply-accumulates of one inference, padding included), ``const_bytes`` (weights and
tables), ``workspace_bytes`` where it is known, and whatever else an engine knows of its layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from cm4tiny.firmware.model_tables import TYPE_BYTES, ModelTables, OperatorEntry

_PLAIN = (str, int, float, bool)


def layer_records(layers: Iterable[Any]) -> tuple[dict[str, Any], ...]:
    """From the compiler's layers (dataclasses): every field that is a plain value or a tuple of such."""
    return tuple({f.name: _plain(getattr(layer, f.name)) for f in fields(layer) if _is_plain(getattr(layer, f.name))} for layer in layers)


def _is_plain(value: Any) -> bool:
    return isinstance(value, _PLAIN) or (isinstance(value, (tuple, list)) and all(isinstance(item, _PLAIN) for item in value))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def operator_layers(tables: ModelTables) -> tuple[dict[str, Any], ...]:
    """From a ``.tflite`` file: one layer per operator."""
    return tuple(
        {
            "name": operator.kind.lower(),
            "kind": operator.kind,
            "output_shape": list(tables.tensors[operator.outputs[0]].shape) if operator.outputs else [],
            "macs": operator_macs(tables, operator),
            "const_bytes": sum(_bytes(tables, i) for i in operator.inputs if tables.tensors[i].constant),
        }
        for operator in tables.operators
    )


def operator_macs(tables: ModelTables, operator: OperatorEntry) -> int:
    """Multiply-accumulates: of convolutions and matrix products; 0 of everything else.

    Weight shapes are those of ``schema.fbs``: CONV_2D [out, y, x, in], DEPTHWISE_CONV_2D [1, y, x, out], FULLY_CONNECTED [out, in].
    """
    if operator.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED") or len(operator.inputs) < 2:
        return 0
    output, weights = tables.tensors[operator.outputs[0]].shape, tables.tensors[operator.inputs[1]].shape
    each = math.prod(weights[1:3]) if operator.kind == "DEPTHWISE_CONV_2D" else math.prod(weights[1:])
    return math.prod(output) * each


def _bytes(tables: ModelTables, index: int) -> int:
    tensor = tables.tensors[index]
    return tensor.size * TYPE_BYTES.get(tensor.dtype, 0)
