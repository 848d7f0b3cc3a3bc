# SPDX-License-Identifier: Apache-2.0
"""The layout pass: forms of tensors, conversions in between, fallbacks."""

from __future__ import annotations

import numpy as np

from cm4tiny.firmware.graph import Add, AveragePool, Conv, Dense, Graph, Layer, Softmax, Tensor
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.microtvm.layout import Action, lay_out

RNG = np.random.default_rng(0)


def tensor(key: int, *shape: int, zero_point: int = -128) -> Tensor:
    return Tensor(key, (1, *shape), 0.1, zero_point)


def conv(x: Tensor, y: Tensor, kernel: int, *, depthwise: bool = False, stride: int = 1, **clamp: int) -> Conv:
    _, height, width, channels = x.shape
    pad = kernel // 2
    window = Window(height, width, channels, (kernel, kernel), (stride, stride), (pad, pad, pad, pad))
    weights = RNG.integers(-100, 100, (y.shape[3], kernel, kernel, 1 if depthwise else channels)).astype(np.int8)
    return Conv(
        inputs=(x,), output=y, window=window, weights=weights, bias=np.zeros(y.shape[3], np.int32),
        weight_scales=np.full(1, 0.002, np.float32), depthwise=depthwise, **clamp,
    )  # fmt: skip


def graph(*layers: Layer) -> Graph:
    return Graph(layers[0].inputs[0], layers[-1].output, layers)


def shown(actions: tuple[Action, ...]) -> list[str]:
    return [a.kind or type(a.layer).__name__ for a in actions]


def separable() -> Graph:
    t = [tensor(0, 8, 8, 4), *(tensor(i, 8, 8, 16) for i in (1, 2, 3))]
    return graph(conv(t[0], t[1], 1), conv(t[1], t[2], 3, depthwise=True), conv(t[2], t[3], 1))


def test_a_depthwise_layer_reads_planes_with_its_border_and_others_read_pixels():
    actions = lay_out(separable())
    assert shown(actions) == ["widen", "Conv", "Conv", "Conv", "narrow"]
    planes, pixels = actions[1].writes.storage, actions[2].writes.storage
    assert planes is not None
    assert (planes.layout, planes.border) == ("NCHW", (1, 1, 1, 1))
    assert pixels is not None
    assert (pixels.layout, pixels.border) == ("NHWC", (0, 0, 0, 0))


def test_a_residual_tensor_has_one_form_with_the_largest_border():
    x, a, b, c = tensor(0, 8, 8, 4), tensor(1, 8, 8, 8), tensor(2, 8, 8, 8), tensor(3, 8, 8, 8)
    actions = lay_out(graph(conv(x, a, 1), conv(a, b, 3), Add(inputs=(a, b), output=c)))
    assert shown(actions) == ["widen", "Conv", "Conv", "Add", "narrow"]
    assert actions[1].writes.storage is not None
    assert actions[1].writes.storage.border == (1, 1, 1, 1)
    assert actions[3].reads[0] == actions[1].writes


def test_consumers_that_disagree_get_a_conversion():
    x, a, b, c, d = (tensor(i, 8, 8, 8) for i in range(5))
    layers = (conv(x, a, 1), conv(a, b, 3, depthwise=True), conv(a, c, 1), Add(inputs=(b, c), output=d))
    actions = lay_out(graph(*layers))
    assert shown(actions).count("relayout") == 1
    assert [len({v.storage.layout for v in a.reads if v.storage}) for a in actions if a.layer] == [1] * 4


def test_a_layer_outside_the_limits_is_int8_between_conversions_and_says_why():
    t = [tensor(i, 8, 8, 8) for i in range(4)]
    actions = lay_out(graph(conv(t[0], t[1], 1), conv(t[1], t[2], 1, high=90), conv(t[2], t[3], 1)))
    assert shown(actions) == ["widen", "Conv", "narrow", "Conv", "widen", "Conv", "narrow"]
    assert [bool(a.reason) for a in actions if a.layer] == [False, True, False]
    assert "clamps its output" in actions[3].reason
    assert [c.id for c in actions[3].candidates] == ["packed"]


def test_a_layer_without_any_wide_kernel_is_no_fallback():
    x, a, b = tensor(0, 4, 4, 8), tensor(1, 4, 4, 8, zero_point=3), tensor(2, 4, 4, 8)
    actions = lay_out(graph(conv(x, a, 1), Softmax(inputs=(a,), output=b)))
    assert shown(actions) == ["widen", "Conv", "narrow", "Softmax"]
    assert actions[-1].reason == ""


def test_three_channels_at_stride_one_are_filled_up_to_four():
    actions = lay_out(graph(conv(tensor(0, 8, 8, 3), tensor(1, 8, 8, 8), 3)))
    storage = actions[0].writes.storage
    assert storage is not None
    assert storage.pixel == 4


def test_a_flattened_image_is_read_as_a_dense_vector():
    x, a, y = tensor(0, 4, 4, 4), tensor(1, 4, 4, 8), Tensor(2, (1, 10), 0.1, 0)
    flat = Tensor(1, (1, 128), 0.1, -128)
    dense = Dense(
        inputs=(flat,), output=y, weights=RNG.integers(-9, 9, (10, 128)).astype(np.int8), bias=np.zeros(10, np.int32),
        weight_scales=np.full(1, 0.002, np.float32),
    )  # fmt: skip
    actions = lay_out(graph(conv(x, a, 1), dense))
    assert shown(actions) == ["widen", "Conv", "Dense", "narrow"]
    assert actions[2].reads[0].storage is not None
    assert actions[2].reads[0].storage.flat


def test_int8_only_means_no_conversion_at_all():
    actions = lay_out(separable(), int16=False)
    assert shown(actions) == ["Conv", "Conv", "Conv"]
    assert all(a.writes.storage is None for a in actions)


def test_the_same_graph_gives_the_same_actions():
    x, a = tensor(0, 4, 4, 4), tensor(1, 1, 1, 4)
    pool = AveragePool(inputs=(x,), output=a, window=Window(4, 4, 4, (4, 4), (1, 1)))
    assert [c.id for act in lay_out(graph(pool)) for c in act.candidates] == [c.id for act in lay_out(graph(pool)) for c in act.candidates]
