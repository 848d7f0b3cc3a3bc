# SPDX-License-Identifier: Apache-2.0
"""Winograd's convolution: assembly, portable version and a direct convolution in numpy agree bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.micro_runner import OUTPUT_FILL, Place, run_host, run_target

from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16 import winograd
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, plan_int16
from cm4tiny.firmware.kernels.int16.storage import Storage, nchw, nhwc
from cm4tiny.firmware.kernels.int16.winograd import STRIDE_1, STRIDE_2, candidates
from cm4tiny.firmware.kernels.int16.winograd_code import COMPONENTS, INVERSE_OF_9, Form, Result, WinogradShape, product
from cm4tiny.firmware.kernels.int16.winograd_method import Method
from cm4tiny.firmware.kernels.quant import quantize_multiplier

SAME = (1, 1, 1, 1)
WEIGHTS = ("random", "top", "bottom", "checkers", "signs")
INPUTS = ("random", "top", "bottom", "ends")
METHODS = pytest.mark.parametrize("method", [STRIDE_1, STRIDE_2], ids=lambda m: m.id)
STRIDES = pytest.mark.parametrize("stride", [1, 2])


def some_weights(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> Any:
    index = np.indices(shape).sum(axis=0)
    made = {
        "random": lambda: np.clip(np.round(rng.normal(0, 40, shape)), -127, 127),
        "top": lambda: np.full(shape, 127),
        "bottom": lambda: np.full(shape, -128),
        "checkers": lambda: np.where(index % 2, 127, -127),
        "signs": lambda: rng.choice([-127, 127], shape),
    }
    return made[kind]().astype(np.int8)


def some_input(rng: np.random.Generator, kind: str, shape: tuple[int, ...], zero_point: int) -> Any:
    low, high = -128 - zero_point, 127 - zero_point
    made = {
        "random": lambda: rng.integers(low, high + 1, shape),
        "top": lambda: np.full(shape, high),
        "bottom": lambda: np.full(shape, low),
        "ends": lambda: rng.choice([low, high], shape),
    }
    return made[kind]().astype(np.int16)


def sums(x: Any, weights: Any, padding: tuple[int, int, int, int], stride: int = 1) -> Any:
    """A direct convolution: [h, w, in], [out, 3, 3, in] -> [h, w, out]."""
    top, left, bottom, right = padding
    padded = np.pad(x.astype(np.int64), ((top, bottom), (left, right), (0, 0)))
    height, width = padded.shape[0] - 2, padded.shape[1] - 2
    total = np.zeros((height, width, weights.shape[0]), np.int64)
    for y in range(3):
        for z in range(3):
            total += padded[y : y + height, z : z + width] @ weights[:, y, z].astype(np.int64).T
    return total[::stride, ::stride]


def places(s: Storage) -> Any:
    y, x, c = np.meshgrid(np.arange(s.height), np.arange(s.width), np.arange(s.channels), indexing="ij")
    return s.origin + y * s.row + x * s.pixel + c * s.channel


def stored(x: Any, s: Storage) -> Any:
    buffer = np.zeros(s.elements, np.int16)
    buffer[places(s)] = x
    return buffer


def some_requant(rng: np.random.Generator, weights: Any, scale: float, zero_point: int, output_zero_point: int, relu: bool) -> Int16Requant:
    """Spreads sums of about ``scale`` over the output's range."""
    count = weights.shape[0]
    multipliers = [quantize_multiplier(float(f)) for f in 200 / scale * rng.uniform(0.5, 1.5, count)]
    bias = rng.integers(-int(scale) // 4, int(scale) // 4 + 1, count).astype(np.int32)
    zero = -128 if relu else output_zero_point
    return plan_int16(
        weights.reshape(count, -1), bias, multipliers, input_zero_point=zero_point, output_zero_point=zero, low=-128, high=127
    )


def check(
    size: tuple[int, int], channels: tuple[int, int], *, kinds: tuple[str, str] = ("random", "random"), zero_point: int = -128,
    output_zero_point: int = -128, relu: bool = True, padding: Any = SAME, source: Storage | None = None, target: Storage | None = None,
    stride: int = 1, every: int = 1, seed: int = 0,
) -> None:  # fmt: skip
    rng = np.random.default_rng([seed, *size, *channels])
    weights = some_weights(rng, kinds[0], (channels[1], 3, 3, channels[0]))
    x = some_input(rng, kinds[1], (*size, channels[0]), zero_point)
    total = sums(x, weights, padding, stride)
    scale = max(float(np.abs(total).max()), 1000.0)
    requant = some_requant(rng, weights, scale, zero_point, output_zero_point, relu)
    want = requant.apply(2 * total + requant.bias)
    window = Window(*size, channels[0], (3, 3), (stride, stride), padding)
    source = source or nhwc(*size, channels[0], SAME)
    target = target or nhwc(*window.output, channels[1], SAME)
    expected = np.full(target.elements, OUTPUT_FILL * 257, np.int16)
    expected[places(target)] = want
    for candidate in candidates(window, weights, requant, source, target, input_zero_point=zero_point)[::every]:
        kernel = candidate.make()
        for run in (run_target, run_host):
            found = run(kernel, stored(x, source), cells=target.elements).buffers[0]
            assert np.array_equal(found, expected), (candidate.id, run)


@pytest.mark.parametrize("size", [(4, 4), (8, 8), (4, 12), (5, 7), (9, 6), (7, 11)])
def test_every_size_is_exact(size: tuple[int, int]) -> None:
    check(size, (4, 4))
    check(size, (4, 6), zero_point=3, output_zero_point=-20, relu=False, every=3)


@pytest.mark.parametrize("size", [(8, 9), (9, 8), (16, 16), (8, 24), (9, 11), (13, 18)])
def test_every_size_is_exact_with_stride_2(size: tuple[int, int]) -> None:
    check(size, (4, 4), stride=2)
    check(size, (4, 6), stride=2, padding=(0, 0, 1, 1), zero_point=3, output_zero_point=-20, relu=False, every=3)


@STRIDES
@pytest.mark.parametrize("channels", [(2, 1), (2, 3), (6, 5), (16, 16), (18, 2), (30, 2), (32, 4), (34, 3), (40, 2), (64, 6)])
def test_every_number_of_channels_is_exact(stride: int, channels: tuple[int, int]) -> None:
    check((8 * stride, 8 * stride), channels, stride=stride, every=5)
    check((5 * stride, 4 * stride), channels, stride=stride, zero_point=-1, output_zero_point=7, relu=False, every=5)


@STRIDES
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("inputs", INPUTS)
def test_extreme_weights_and_inputs_are_exact(stride: int, weights: str, inputs: str) -> None:
    check((6 * stride, 5 * stride), (16, 4), stride=stride, kinds=(weights, inputs), every=5)
    more = {"zero_point": 127, "output_zero_point": 127, "relu": False, "every": 5}
    check((4 * stride, 6 * stride), (34, 3), stride=stride, kinds=(weights, inputs), **more)


def test_the_largest_sums_that_the_proof_admits_are_exact() -> None:
    check((4, 4), (114, 2), kinds=("top", "top"))
    check((4, 4), (114, 2), kinds=("top", "bottom"), zero_point=127, relu=False)


@pytest.mark.parametrize("zero_point", [-128, -127, -5, 0, 126, 127])
def test_every_zero_point_is_exact(zero_point: int) -> None:
    check((7, 6), (8, 4), zero_point=zero_point, every=4)
    check((14, 12), (8, 4), stride=2, zero_point=zero_point, every=4)
    check((7, 6), (8, 4), kinds=("signs", "ends"), zero_point=zero_point, output_zero_point=zero_point, relu=False, every=4)


@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 1, 0, 0), (0, 0, 1, 1), (1, 0, 0, 1)])
def test_every_padding_is_exact(padding: tuple[int, int, int, int]) -> None:
    check((8, 7), (6, 4), padding=padding, every=3)
    check((14, 16), (6, 4), stride=2, padding=padding, every=3)


def test_sources_and_targets_of_other_layouts_are_exact() -> None:
    check((6, 8), (4, 4), target=nchw(6, 8, 4, (1, 1, 1, 1)), every=3)
    check((6, 8), (4, 4), target=nchw(6, 8, 4), every=3)
    check((12, 16), (4, 4), stride=2, target=nchw(6, 8, 4), every=3)
    check((6, 8), (4, 3), target=nhwc(6, 8, 3, (0, 1, 0, 0), pixel=4), every=3)
    check((6, 8), (4, 4), source=nhwc(6, 8, 4, (2, 1, 3, 2), pixel=6), every=3)


def test_several_blocks_of_output_channels_are_exact() -> None:
    check((16, 16), (2, 10), target=nchw(16, 16, 10), every=5)
    check((16, 16), (2, 9), every=5)
    check((16, 17), (2, 9), stride=2, padding=(1, 0, 1, 1), target=nchw(8, 8, 9, SAME))


def test_an_odd_number_of_channels_is_exact_if_pixels_are_whole_words() -> None:
    check((8, 8), (3, 4), source=nhwc(8, 8, 3, SAME, pixel=4))
    check((5, 6), (5, 2), source=nhwc(5, 6, 5, SAME, pixel=6), zero_point=4, relu=False)


@pytest.mark.parametrize(
    ("size", "channels", "stride", "limit"),
    [(32, (16, 16), 1, 0.53), (16, (32, 32), 1, 0.395), (8, (64, 64), 1, 0.34), (32, (16, 32), 2, 0.94), (16, (32, 64), 2, 0.79)],
)
def test_layers_of_the_image_classifier_are_exact_and_cheap(size: int, channels: tuple[int, int], stride: int, limit: float) -> None:
    rng = np.random.default_rng(11)
    padding = SAME if stride == 1 else (0, 0, 1, 1)
    weights = some_weights(rng, "random", (channels[1], 3, 3, channels[0]))
    x = some_input(rng, "random", (size, size, channels[0]), -128)
    total = sums(x, weights, padding, stride)
    requant = some_requant(rng, weights, float(np.abs(total).max()), -128, -128, True)
    window = Window(size, size, channels[0], (3, 3), (stride, stride), padding)
    source, target = nhwc(size, size, channels[0], SAME), nhwc(*window.output, channels[1], SAME)
    found = []
    for candidate in candidates(window, weights, requant, source, target, input_zero_point=-128):
        run = run_target(candidate.make(), stored(x, source), cells=target.elements, strict=False)
        assert np.array_equal(run.buffers[0][places(target)], requant.apply(2 * total + requant.bias))
        assert candidate.cycles == pytest.approx(run.cycles, rel=0.03), candidate.id
        found.append(run.cycles / (total.shape[0] * total.shape[1] * weights.size))
    assert min(found) < limit


def some_shape(method: Method, tiles: int, channels: int) -> WinogradShape:
    return WinogradShape(tiles, channels, method.groups)


@METHODS
@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize(("tiles", "channels"), [(8, 6), (16, 16), (4, 64)])
def test_the_input_transform_equals_its_portable_on_any_values(method: Method, unsigned: bool, tiles: int, channels: int) -> None:
    rng = np.random.default_rng(5)
    shape = some_shape(method, tiles, channels)
    pixel, row = channels + 2, 9 * (channels + 2) + 4
    function = method.input_transform(shape, pixel, row, unsigned=unsigned)
    x = rng.integers(0 if unsigned else -32768, 256 if unsigned else 32768, 9 * row).astype(np.int16)
    v = np.zeros(shape.slices * shape.v_slice, np.int32)
    arguments = (x, Place(v, offset=1))
    assert np.array_equal(run_target(function, *arguments).buffers[1], run_host(function, *arguments).buffers[1])


def any_words(rng: np.random.Generator, *counts: int) -> list[Any]:
    return [rng.integers(-(2**31), 2**31, n).astype(np.int32) for n in counts]


@pytest.mark.parametrize(
    ("tiles", "channels"), [(4, 2), (16, 4), (12, 16), (8, 16), (4, 30), (8, 30), (8, 32), (4, 32), (4, 34), (8, 44), (4, 64)]
)
def test_the_product_equals_its_portable_on_any_values(tiles: int, channels: int) -> None:
    rng = np.random.default_rng(6)
    shape = some_shape(STRIDE_1, tiles, channels)
    v, w, m = any_words(rng, shape.slices * shape.v_slice, 2 * COMPONENTS * shape.channels, 2 * shape.pair_words)
    for pairs in (1, 2):
        run, portable = (run(product(shape), v, w, m, pairs).buffers[2] for run in (run_target, run_host))
        assert np.array_equal(run, portable)
    shape = some_shape(STRIDE_2, tiles, channels)
    v, w, m = any_words(rng, 5 * 4 * shape.v_slice, 5 * shape.channels, 5 * 4 * shape.m_slice)
    for slices, components in ((1, 1), (4, 5)):
        run, portable = (run(product(shape), v, w, m, slices * shape.quads, components).buffers[2] for run in (run_target, run_host))
        assert np.array_equal(run, portable)


FORMS = [
    *[Form(relu, zero_point) for relu, zero_point in ((True, -128), (False, 0), (False, -128), (False, 127), (False, 9))],
    Form(True, -128, 1, 16),
    Form(True, -128, INVERSE_OF_9 * 8 % (1 << 32), 17),
    Form(True, -128, INVERSE_OF_9, 1),
]


@METHODS
@pytest.mark.parametrize("form", FORMS)
def test_the_output_transform_equals_its_portable_on_any_values(method: Method, form: Form) -> None:
    rng = np.random.default_rng(7)
    for tiles in (4, 16):
        shape = some_shape(method, tiles, 2)
        m, table = any_words(rng, 3 * shape.pair_words, 5 * form.words)
        if not form.short:
            table[3::4] = [0, 3, 12, 20, 31]
        for row, channel in ((200, 1), (12, 1000)):
            function = method.output_transform(shape, Result(3, row, channel, form))
            arguments = (Place(m, offset=tiles // 4 * 8 - 8 + 3), table, np.full(5000, 77, np.int16), 5)
            assert np.array_equal(run_target(function, *arguments).buffers[2], run_host(function, *arguments).buffers[2])


@STRIDES
def test_both_forms_of_requantisation_are_exact(stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    size, channels = (8 * stride, 8 * stride), (4, 4)
    check(size, channels, stride=stride, every=5)
    monkeypatch.setattr(winograd, "shorten", lambda *_: None)
    check(size, channels, stride=stride, every=5)
