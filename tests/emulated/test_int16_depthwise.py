# SPDX-License-Identifier: Apache-2.0
"""The int16 depthwise convolution: assembly, portable version and numpy agree, whatever the shape, the stride and the requantisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.micro_runner import run_host, run_target

from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.depthwise import candidates, wants_nchw
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, plan_int16
from cm4tiny.firmware.kernels.int16.storage import SLACK, Storage, nchw, nhwc
from cm4tiny.firmware.kernels.quant import Multiplier

FILL = 0x5555
SAME = (1, 1, 1, 1)


def places(s: Storage) -> Any:
    y, x, c = np.meshgrid(np.arange(s.height), np.arange(s.width), np.arange(s.channels), indexing="ij")
    return s.origin + y * s.row + x * s.pixel + c * s.channel


def layer(
    rng: np.random.Generator, channels: int, zero_point: int, shifts: tuple[int, int], kernel: tuple[int, int] = (3, 3)
) -> tuple[Any, Int16Requant]:
    """Weights [ky, kx, channels] and a requantisation; ``zero_point`` -128 is the relu form."""
    weights = rng.integers(-127, 128, (*kernel, channels)).astype(np.int8)
    bias = rng.integers(-20000, 20000, channels).astype(np.int32)
    multipliers = [Multiplier(int(rng.integers(1 << 30, 1 << 31)), -int(rng.integers(*shifts))) for _ in range(channels)]
    rows = weights.reshape(kernel[0] * kernel[1], -1).T
    return weights, plan_int16(rows, bias, multipliers, input_zero_point=-128, output_zero_point=zero_point, low=-128, high=127)


def expected(window: Window, weights: Any, requant: Int16Requant, image: Any) -> Any:
    """[height, width, channels] stored values -> the result's."""
    top, left, bottom, right = window.padding
    padded = np.pad(image.astype(np.int64), ((top, bottom), (left, right), (0, 0)))
    height, width = window.output
    sy, sx = window.strides
    acc = requant.bias.astype(np.int64) + np.zeros((height, width, window.channels), np.int64)
    for ky in range(window.kernel[0]):
        for kx in range(window.kernel[1]):
            acc += 2 * weights[ky, kx].astype(np.int64) * padded[ky : ky + sy * (height - 1) + 1 : sy, kx : kx + sx * (width - 1) + 1 : sx]
    return requant.apply(acc)


def check(window: Window, weights: Any, requant: Int16Requant, source: Storage, target: Storage, image: Any) -> None:
    wide = np.full(source.elements, 0x7FFF, np.int16)
    wide[:-SLACK] = 0
    wide[places(source)] = image
    if source.layout == "NCHW" and source.width % 2 == 0:
        spare = places(source)[:, -1, :] + source.border[3] + 1  # no result depends on what fills the rows up
        wide[spare.reshape(-1)] = 12345
    want = expected(window, weights, requant, image)
    found = candidates(window, weights, requant, source, target)
    for candidate in (c for c in found if c.id.endswith("ram") or c is found[1]):  # in flash lie the same words
        kernel = candidate.make()
        host = run_host(kernel, wide, cells=target.elements).buffers[0]
        run = run_target(kernel, wide, cells=target.elements)
        np.testing.assert_array_equal(host, run.buffers[0], candidate.id)
        np.testing.assert_array_equal(run.buffers[0][places(target)], want, candidate.id)
        rest = np.ones(target.elements, bool)
        rest[places(target)] = False
        assert (run.buffers[0][rest] == FILL).all(), "wrote outside the image"
        assert kernel.code[0].loop_bytes <= ICACHE_BYTES


SHAPES = [
    ((3, 3), (1, 1), SAME, 3),
    ((25, 5), (1, 1), SAME, 2),
    ((6, 6), (1, 1), SAME, 4),
    ((4, 7), (1, 1), SAME, 1),
    ((5, 12), (1, 1), (1, 1, 0, 1), 2),
    ((3, 4), (1, 1), (0, 0, 0, 0), 2),
    ((1, 1), (1, 1), SAME, 2),
    ((2, 20), (1, 1), SAME, 1),
    ((6, 6), (2, 2), (0, 0, 1, 1), 3),
    ((7, 9), (2, 2), SAME, 2),
    ((12, 12), (2, 2), (0, 0, 1, 1), 2),
    ((5, 3), (2, 2), (0, 0, 0, 0), 2),
    ((4, 4), (2, 2), SAME, 3),
]
FORMS = [(-128, (5, 9)), (-128, (0, 12)), (7, (5, 9)), (-128, (3, 5)), (-3, (9, 10))]


CASES = [(shape, FORMS[(i + j) % len(FORMS)]) for i, shape in enumerate(SHAPES) for j in (0, 2)]


@pytest.mark.parametrize(("shape", "form"), CASES, ids=str)
def test_assembly_portable_and_numpy_agree(shape: Any, form: Any) -> None:
    size, strides, padding, channels = shape
    rng = np.random.default_rng(hash((shape, form)) % 1000)
    window = Window(*size, channels, (3, 3), strides, padding)
    weights, requant = layer(rng, channels, *form)
    source = nchw(*size, channels, padding)
    image = rng.integers(0, 256, (*size, channels))
    image.reshape(-1)[::5] = 255
    target = nhwc(*window.output, channels) if channels != 3 else nchw(*window.output, channels, (1, 0, 1, 2))
    check(window, weights, requant, source, target, image)


@pytest.mark.parametrize("seed", range(8))
def test_random_geometry(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    stride = int(rng.integers(1, 3))
    padding = tuple(int(n) for n in rng.integers(0, 3, 4))
    size = tuple(int(n) for n in rng.integers(3, 10, 2))
    channels = int(rng.integers(1, 4))
    window = Window(*size, channels, (3, 3), (stride, stride), padding)
    weights, requant = layer(rng, channels, *FORMS[seed % len(FORMS)])
    border = (padding[0] + seed % 2, padding[1] + 2 * (seed % 3), padding[2], padding[3] + 1)
    image = rng.integers(-255, 256, (*size, channels))
    target = nchw(*window.output, channels, (0, 1, 1, 0)) if seed % 2 else nhwc(*window.output, channels, (1, 0, 0, 2))
    check(window, weights, requant, nchw(*size, channels, border), target, image)


def test_a_larger_border_and_negative_values_are_allowed() -> None:
    window = Window(5, 6, 2, (3, 3), (1, 1), (0, 1, 1, 0))
    weights, requant = layer(np.random.default_rng(1), 2, 0, (4, 9))
    image = np.random.default_rng(2).integers(-255, 256, (5, 6, 2))
    check(window, weights, requant, nchw(5, 6, 2, (2, 3, 1, 2)), nhwc(*window.output, 2, (1, 1, 1, 1), pixel=6), image)


@pytest.mark.parametrize("extreme", [255, 0])
def test_extreme_weights_and_values_do_not_overflow(extreme: int) -> None:
    window = Window(4, 4, 2, (3, 3), (1, 1), SAME)
    weights = np.full((3, 3, 2), 127, np.int8)
    weights[..., 1] = -127
    bias = np.array([1 << 28, -(1 << 28)], np.int32)
    multipliers = [Multiplier((1 << 31) - 1, -20), Multiplier(1 << 30, -21)]
    requant = plan_int16(weights.reshape(9, 2).T, bias, multipliers, input_zero_point=-128, output_zero_point=-128, low=-128, high=127)
    image = np.full((4, 4, 2), extreme)
    check(window, weights, requant, nchw(4, 4, 2, SAME), nhwc(4, 4, 2), image)


@pytest.mark.parametrize("zero_point", [-128, 3, -40])
@pytest.mark.parametrize("sign", [1, -1])
def test_biases_that_overflow_when_doubled_belong_to_constant_channels_and_stay_exact(zero_point: int, sign: int) -> None:
    weights = np.ones((3, 3, 2), np.int8)
    bias = np.array([sign * ((1 << 30) + 17), 100], np.int32)
    multipliers = [Multiplier(1 << 30, -24), Multiplier(1 << 30, -4)]
    rows = weights.reshape(9, 2).T
    requant = plan_int16(rows, bias, multipliers, input_zero_point=0, output_zero_point=zero_point, low=-128, high=127)
    assert requant.mantissa[0] == 0
    image = np.random.default_rng(3).integers(-128, 128, (4, 4, 2))
    window = Window(4, 4, 2, (3, 3), (1, 1), SAME)
    check(window, weights, requant, nchw(4, 4, 2, SAME), nhwc(4, 4, 2), image)
    check(window, weights, requant, nhwc(4, 4, 2, SAME), nhwc(4, 4, 2), image)


PIXEL_CASES = [
    ((30, 1), (3, 1), (1, 1), (0, 0, 0, 0), 6, FORMS[4]),
    ((24, 1), (10, 1), (1, 1), (0, 0, 0, 0), 4, FORMS[2]),
    ((15, 1), (15, 1), (1, 1), (0, 0, 0, 0), 4, FORMS[0]),
    ((7, 8), (5, 5), (1, 1), (2, 2, 2, 2), 2, FORMS[0]),
    ((9, 7), (3, 3), (2, 1), (1, 1, 1, 1), 4, FORMS[1]),
    ((8, 9), (2, 4), (3, 2), (0, 1, 2, 0), 2, FORMS[2]),
    ((1, 12), (1, 3), (1, 1), (0, 1, 0, 1), 8, FORMS[3]),
]


@pytest.mark.parametrize("case", PIXEL_CASES, ids=str)
def test_other_kernels_are_computed_on_pixels(case: Any) -> None:
    size, kernel, strides, padding, channels, form = case
    rng = np.random.default_rng(sum(kernel))
    window = Window(*size, channels, kernel, strides, padding)
    assert not wants_nchw(window)
    weights, requant = layer(rng, channels, *form, kernel)
    image = rng.integers(-128, 128, (*size, channels)) if form[0] != -128 else rng.integers(0, 256, (*size, channels))
    border = tuple(p + 1 for p in padding) if size[0] == 7 else padding
    check(window, weights, requant, nhwc(*size, channels, border), nhwc(*window.output, channels, border), image)
