# SPDX-License-Identifier: Apache-2.0
"""Every family of int16 kernels refuses a place that does not hold the image its layer sees: one guard, no sibling without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cm4tiny.firmware.kernels.add import plan_add
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16 import add, conv, convert, dense, depthwise, pool, winograd
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, KernelLimitError, plan_int16
from cm4tiny.firmware.kernels.int16.storage import Storage, nchw, nhwc
from cm4tiny.firmware.kernels.quant import Multiplier

PADDED = (1, 1, 1, 1)
Case = tuple[Callable[[Storage, Storage], object], Storage, Storage]


def requant(weights: np.ndarray) -> Int16Requant:
    rows = weights.reshape(len(weights), -1)
    multipliers = [Multiplier((1 << 30) + 12345, -7)] * len(rows)
    zeros = np.zeros(len(rows), np.int32)
    return plan_int16(rows, zeros, multipliers, input_zero_point=-128, output_zero_point=-128, low=-128, high=127)


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(-100, 101, shape).astype(np.int8)


def conv_case() -> Case:
    w = weights(4, 3, 3, 4)
    window = Window(8, 8, 4, (3, 3), (1, 1), PADDED)
    return lambda s, t: conv.candidates(window, w, requant(w), s, t), nhwc(8, 8, 4, PADDED), nhwc(8, 8, 4)


def winograd_case() -> Case:
    w = weights(4, 3, 3, 4)
    window = Window(8, 8, 4, (3, 3), (1, 1), PADDED)
    return lambda s, t: winograd.candidates(window, w, requant(w), s, t), nhwc(8, 8, 4, PADDED), nhwc(8, 8, 4)


def depthwise_case() -> Case:
    w, window = weights(4, 3, 3), Window(8, 8, 4, (3, 3), (1, 1), PADDED)
    kernel = np.ascontiguousarray(w.transpose(1, 2, 0))
    return lambda s, t: depthwise.candidates(window, kernel, requant(w), s, t), nchw(8, 8, 4, PADDED), nhwc(8, 8, 4)


def depthwise_nhwc_case() -> Case:
    w, window = weights(4, 5, 5), Window(8, 8, 4, (5, 5), (1, 1), (2, 2, 2, 2))
    kernel = np.ascontiguousarray(w.transpose(1, 2, 0))
    return lambda s, t: depthwise.candidates(window, kernel, requant(w), s, t), nhwc(8, 8, 4, (2, 2, 2, 2)), nhwc(8, 8, 4)


def pool_case() -> Case:
    window = Window(8, 8, 4, (2, 2), (2, 2))
    return lambda s, t: pool.candidates(window, 0, s, t, low=-128, high=127), nhwc(8, 8, 4), nhwc(4, 4, 4)


def dense_case() -> Case:
    w = weights(4, 256)
    return lambda s, t: dense.candidates(1, w, requant(w), s, t), nhwc(8, 8, 4), nhwc(1, 1, 4)


def dense_rows_case() -> Case:
    w = weights(4, 4)
    return lambda s, t: dense.candidates(64, w, requant(w), s, t), nhwc(8, 8, 4), nhwc(8, 8, 4)


def add_case() -> Case:
    plan = plan_add((0.04, -128), (0.1, 4), (0.05, -128), low=-128, high=127)
    return lambda s, t: add.candidates(plan, s, nhwc(8, 8, 4), t), nhwc(8, 8, 4), nhwc(8, 8, 4)


def relayout_case() -> Case:
    return convert.relayout, nhwc(8, 8, 4), nchw(8, 8, 4, PADDED)


CASES = {
    "conv": conv_case,
    "winograd": winograd_case,
    "depthwise": depthwise_case,
    "depthwise pixels": depthwise_nhwc_case,
    "pool": pool_case,
    "dense": dense_case,
    "dense rows": dense_rows_case,
    "add": add_case,
    "relayout": relayout_case,
}
BORDERED = ("conv", "winograd", "depthwise", "depthwise pixels")


def reshaped(storage: Storage) -> Storage:
    """As many values as an image of another shape."""
    make = nhwc if storage.layout == "NHWC" else nchw
    return make(storage.height // 2, storage.width * 2, storage.channels, storage.border)


@pytest.mark.parametrize("family", CASES)
def test_what_fits_is_offered(family: str) -> None:
    offer, source, target = CASES[family]()
    assert offer(source, target)


@pytest.mark.parametrize("family", [name for name in CASES if name != "dense"])  # one vector may be any image without gaps
def test_an_input_of_another_shape_is_refused(family: str) -> None:
    offer, source, target = CASES[family]()
    with pytest.raises(KernelLimitError, match=r"shape|pixels"):
        offer(reshaped(source), target)


@pytest.mark.parametrize("family", CASES)
def test_an_output_of_another_shape_is_refused(family: str) -> None:
    offer, source, target = CASES[family]()
    other = nhwc(2, 2, 1) if family == "dense" else reshaped(target)
    with pytest.raises(KernelLimitError, match=r"shape|pixel"):
        offer(source, other)


@pytest.mark.parametrize("family", [name for name in CASES if name != "dense"])
def test_other_channels_are_refused(family: str) -> None:
    offer, source, target = CASES[family]()
    with pytest.raises(KernelLimitError, match=r"shape|pixels"):
        offer(source, replace(target, channels=target.channels - 2))


@pytest.mark.parametrize("family", BORDERED)
@pytest.mark.parametrize("side", range(4))
def test_a_border_that_is_too_narrow_is_refused_on_every_side(family: str, side: int) -> None:
    offer, source, target = CASES[family]()
    border = tuple(n - (i == side) for i, n in enumerate(source.border))
    make = nhwc if source.layout == "NHWC" else nchw
    with pytest.raises(KernelLimitError, match="has a border of"):
        offer(make(source.height, source.width, source.channels, border), target)


def test_memory_without_gaps_can_be_seen_as_another_image() -> None:
    assert nhwc(4, 6, 2).viewed((2, 12, 2)) == nhwc(2, 12, 2)
    assert nhwc(4, 6, 2, PADDED).viewed((2, 12, 2)) is None  # a border is a gap
    assert nhwc(4, 6, 3, pixel=4).viewed((2, 12, 3)) is None
    assert nchw(4, 6, 2).viewed((2, 12, 2)) is None
    assert nhwc(1, 15, 1).viewed((3, 5, 1)) is None  # rows of five values would need a gap to start at whole words
    assert nhwc(4, 6, 2).viewed((4, 6, 3)) is None  # not as many values
