# SPDX-License-Identifier: Apache-2.0
"""A graph that contradicts itself never reaches a kernel, int16 or int8."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cm4tiny.errors import FirmwareError
from cm4tiny.firmware.graph import Add, AveragePool, Conv, Copy, Dense, Graph, Layer, Softmax, Tensor
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.microtvm.consistency import check_graph


def tensor(key: int, *shape: int) -> Tensor:
    return Tensor(key, (1, *shape), 0.1, 3)


def conv(**changes: Any) -> Conv:
    layer = Conv(
        inputs=(tensor(0, 4, 4, 2),), output=tensor(1, 4, 4, 3), window=Window(4, 4, 2, (1, 1), (1, 1)),
        weights=np.ones((3, 1, 1, 2), np.int8), bias=np.zeros(3, np.int32), weight_scales=np.ones(1, np.float32),
    )  # fmt: skip
    return replace(layer, **changes)


def depthwise(**changes: Any) -> Conv:
    return conv(depthwise=True, weights=np.ones((4, 1, 1, 1), np.int8), bias=np.zeros(4, np.int32), output=tensor(1, 4, 4, 4), **changes)


def dense(**changes: Any) -> Dense:
    layer = Dense(
        inputs=(tensor(0, 32),), output=tensor(1, 3), weights=np.ones((3, 32), np.int8), bias=np.zeros(3, np.int32),
        weight_scales=np.ones(1, np.float32),
    )  # fmt: skip
    return replace(layer, **changes)


def pool(**changes: Any) -> AveragePool:
    layer = AveragePool(inputs=(tensor(0, 4, 4, 2),), output=tensor(1, 2, 2, 2), window=Window(4, 4, 2, (2, 2), (2, 2)))
    return replace(layer, **changes)


def add(**changes: Any) -> Add:
    return replace(Add(inputs=(tensor(0, 4, 8), tensor(0, 4, 8)), output=tensor(1, 4, 8)), **changes)


def graph(layer: Layer) -> Graph:
    return Graph(layer.inputs[0], layer.output, (layer,))


@pytest.mark.parametrize("make", [conv, depthwise, dense, pool, add])
def test_a_sound_layer_passes(make: Any) -> None:
    check_graph(graph(make()))


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (conv(inputs=(tensor(0, 2, 8, 2),)), r"its input has the shape \[1, 2, 8, 2\], its window is of 4x4x2"),
        (conv(output=tensor(1, 2, 8, 3)), "its output has the shape"),
        (conv(weights=np.ones((3, 1, 2, 2), np.int8)), "its weights have the shape"),
        (conv(weights=np.ones((3, 1, 1, 1), np.int8)), "its weights have the shape"),
        (conv(bias=np.zeros(2, np.int32)), "2 biases"),
        (conv(weight_scales=np.ones(2, np.float32)), "2 scales for 3 outputs"),
        (depthwise(inputs=(tensor(0, 2, 8, 2),)), "its input has the shape"),
        (replace(depthwise(), weights=np.ones((3, 1, 1, 1), np.int8), output=tensor(1, 4, 4, 3)), "no multiple of its 2 channels"),
        (pool(inputs=(tensor(0, 2, 8, 2),)), "its input has the shape"),
        (pool(output=tensor(1, 1, 4, 2)), "its output has the shape"),
        (pool(output=replace(tensor(1, 2, 2, 2), scale=0.2)), "different scales"),
        (dense(inputs=(tensor(0, 31),)), "do not turn 31 values into 3"),
        (dense(bias=np.zeros(4, np.int32)), "4 biases"),
        (add(inputs=(tensor(0, 4, 8), tensor(0, 8, 4))), "it adds the shapes"),
        (Softmax(inputs=(tensor(0, 4),), output=tensor(1, 5)), "4 values into 5"),
        (Copy(inputs=(tensor(0, 4),), output=replace(tensor(1, 4), zero_point=1)), "different scales"),
    ],
)
def test_a_contradiction_is_an_error_with_the_layer(layer: Layer, reason: str) -> None:
    with pytest.raises(FirmwareError, match="layer 0") as caught:
        check_graph(graph(layer))
    assert caught.value.why
    assert re.search(reason, caught.value.why)


def test_a_tensor_is_written_once_and_read_in_its_size() -> None:
    first = conv()
    with pytest.raises(FirmwareError) as caught:
        check_graph(Graph(first.inputs[0], first.output, (first, first)))
    assert caught.value.why == "its output is written twice"
    stranger = replace(dense(), inputs=(tensor(7, 32),))
    with pytest.raises(FirmwareError) as caught:
        check_graph(Graph(tensor(0, 32), stranger.output, (stranger,)))
    assert "was not computed in that size" in caught.value.why
    with pytest.raises(FirmwareError, match="no output"):
        check_graph(Graph(first.inputs[0], tensor(9, 48), (first,)))
