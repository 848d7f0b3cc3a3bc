# SPDX-License-Identifier: Apache-2.0
"""Winograd's matrices, the proof of exactness and the limits of the kernel."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16 import winograd, winograd_method
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, KernelLimitError, plan_int16
from cm4tiny.firmware.kernels.int16.storage import Border, nchw, nhwc
from cm4tiny.firmware.kernels.int16.winograd import STRIDE_1, STRIDE_2, candidates
from cm4tiny.firmware.kernels.int16.winograd_code import COMPONENTS, Form, Result, WinogradShape, product
from cm4tiny.firmware.kernels.int16.winograd_method import Method
from cm4tiny.firmware.kernels.quant import quantize_multiplier

PADDED: Border = (1, 1, 1, 1)
METHODS = pytest.mark.parametrize("method", [STRIDE_1, STRIDE_2], ids=lambda m: m.id)


def requant(weights: Any) -> Int16Requant:
    count = weights.shape[0]
    multipliers = [quantize_multiplier(0.001)] * count
    zero = np.zeros(count, np.int32)
    return plan_int16(weights.reshape(count, -1), zero, multipliers, input_zero_point=-128, output_zero_point=-128, low=-128, high=127)


def offered(height: int = 8, width: int = 8, channels: int = 4, outputs: int = 4, **changes: Any) -> Any:
    """Candidates of a layer, with changes to its window or its storage."""
    weights = np.ones((outputs, 3, 3, channels), np.int8)
    source = changes.pop("source", nhwc(height, width, channels, PADDED))
    window = Window(height, width, channels, **{"kernel": (3, 3), "strides": (1, 1), "padding": PADDED, **changes})
    target = nhwc(*window.output, outputs, PADDED)
    return candidates(window, weights, requant(weights), source, target)


@METHODS
def test_the_matrices_compute_a_multiple_of_a_convolution(method: Method) -> None:
    rng = np.random.default_rng(1)
    count = method.b.shape[0]
    assert sorted(method.slices) == [(i, j) for i in range(count) for j in range(count)]
    for _ in range(20):
        d, g = rng.integers(-255, 256, (count, count)), rng.integers(-128, 128, (3, 3))
        n = method.stride
        want = [[(d[n * y : n * y + 3, n * x : n * x + 3] * g).sum() for x in range(4)] for y in range(4)]
        u = (method.g @ g @ method.g.T)[np.ix_(method.component, method.component)]
        got = method.a @ (u * (method.b @ d @ method.b.T)) @ method.a.T
        assert np.array_equal(got, 18 * 2**method.shift * np.array(want))


@METHODS
def test_slices_with_equal_weights_are_neighbours_and_weights_follow_them(method: Method) -> None:
    rng = np.random.default_rng(2)
    weights = rng.integers(-128, 128, (2, 3, 3, 4))
    packed = method.transform_weights(weights)
    sizes = [slices for components, slices in method.groups for _ in range(components)]
    slices = [packed[n] for n, size in enumerate(sizes) for _ in range(size)]
    assert len(packed) == COMPONENTS
    assert len(slices) == len(method.slices)
    for (i, j), found in zip(method.slices, slices, strict=True):
        row, column = method.g[method.component[i]], method.g[method.component[j]]
        assert np.array_equal(found, np.einsum("k,oklc,l->oc", row, weights, column))


@METHODS
@pytest.mark.parametrize("corner", [-128, 127])
def test_every_int8_weight_stays_within_16_bits(method: Method, corner: int) -> None:
    signs = np.sign(np.einsum("ik,jl->ijkl", method.g, method.g)).reshape(-1, 3, 3)
    weights = np.stack([np.where(s < 0, -corner - (corner < 0), corner) for s in signs])[..., None]
    assert np.abs(method.transform_weights(weights)).max() <= 144 * 128 < 1 << 15


def test_layers_of_64_channels_are_proven() -> None:
    rng = np.random.default_rng(2)
    for method in (STRIDE_1, STRIDE_2):
        method.check_ranges(rng.integers(-128, 128, (8, 3, 3, 64)).astype(np.int8))


def test_sums_are_proven_up_to_the_limit_and_refused_beyond_it() -> None:
    STRIDE_1.check_ranges(np.full((2, 3, 3, 114), 127, np.int8))
    weights = np.zeros((2, 3, 3, 116), np.int8)
    weights[1] = -127
    with pytest.raises(KernelLimitError, match="a sum of products may be 33809940, beyond 33554431"):
        STRIDE_1.check_ranges(weights)
    STRIDE_2.check_ranges(weights)
    with pytest.raises(KernelLimitError, match="beyond 536870911"):
        STRIDE_2.check_ranges(np.full((1, 3, 3, 1900), 127, np.int8))


def test_transformed_weights_beyond_16_bits_are_refused() -> None:
    with pytest.raises(KernelLimitError, match="a transformed weight is 43200"):
        STRIDE_1.check_ranges(np.full((1, 3, 3, 2), 300))
    with pytest.raises(KernelLimitError, match="a transformed weight is 36000"):
        STRIDE_2.check_ranges(np.full((1, 3, 3, 2), 1000))


def test_transformed_inputs_beyond_16_bits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    STRIDE_1.check_ranges(np.ones((1, 3, 3, 2)))
    monkeypatch.setattr(winograd_method, "SPAN", 511)
    with pytest.raises(KernelLimitError, match="a transformed input may be 34748"):
        STRIDE_1.check_ranges(np.ones((1, 3, 3, 2)))


@METHODS
def test_the_bound_of_a_transformed_input_holds_for_every_zero_point(method: Method) -> None:
    rows = {(int(np.maximum(r, 0).sum()), int(np.maximum(-r, 0).sum())) for r in method.b}
    for low in range(-255, 1):
        high = low + winograd_method.SPAN
        for (p, n), (q, m) in itertools.product(rows, rows):
            top = (p * q + n * m) * high - (p * m + n * q) * low
            bottom = (p * q + n * m) * low - (p * m + n * q) * high
            assert -17340 <= bottom <= top <= 17340


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"strides": (3, 3)}, "of stride 1 or 2"),
        ({"strides": (1, 2)}, "of stride 1 or 2"),
        ({"dilation": (2, 2)}, "without dilation"),
        ({"height": 3}, "3 x 8 is smaller than a tile"),
        ({"width": 5, "padding": (0, 0, 0, 0)}, "6 x 3 is smaller than a tile"),
        ({"channels": 3}, "whole words"),
        ({"source": nchw(8, 8, 4, PADDED)}, "is not NHWC"),
        ({"source": nhwc(8, 8, 4, (1, 0, 1, 1))}, "has a border of"),
        ({"source": nhwc(8, 8, 4, PADDED, pixel=5)}, "whole words"),
        ({"source": nhwc(8, 8, 4, PADDED, pixel=410)}, "too far apart"),
        ({"strides": (2, 2), "source": nhwc(8, 8, 4, PADDED, pixel=256)}, "too far apart"),
        ({"width": 40000}, "too far apart"),
    ],
)
def test_layers_outside_the_limits_are_refused_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(KernelLimitError, match=reason):
        offered(**changes)


def test_a_layer_with_another_window_is_refused() -> None:
    weights = np.ones((4, 1, 1, 4), np.int8)
    window = Window(8, 8, 4, (1, 1), (1, 1))
    with pytest.raises(KernelLimitError, match="3 x 3 windows"):
        candidates(window, weights, requant(weights), nhwc(8, 8, 4), nhwc(8, 8, 4))


def test_a_layer_whose_loops_do_not_fit_into_the_instruction_cache_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered()
    monkeypatch.setattr(winograd, "ICACHE_BYTES", 800)
    with pytest.raises(KernelLimitError, match="would not fit into the instruction cache"):
        offered()


@METHODS
@pytest.mark.parametrize("tiles", [4, 8, 16, 24])
def test_no_micro_kernel_is_larger_than_the_instruction_cache(method: Method, tiles: int) -> None:
    for channels in (2, 16, 18, 28, 30, 32, 34, 48, 60, 62, 64, 128, 256):
        shape = WinogradShape(tiles, channels, method.groups)
        assert product(shape).bytes <= ICACHE_BYTES
        for row in (10 * channels, 34 * channels + 2, 100 * channels):
            assert method.input_transform(shape, channels, row, unsigned=False).bytes <= ICACHE_BYTES
    for pixel, row, channel in ((16, 544, 1), (1, 34, 1156), (1, 1154, 12346), (682, 68200, 1)):
        result = Result(pixel, row, channel, Form(relu=False, zero_point=77))
        assert method.output_transform(WinogradShape(tiles, 16, method.groups), result).bytes <= ICACHE_BYTES


def test_candidates_have_stable_names_and_say_what_they_need() -> None:
    found = offered(16, 16, 32, 32)
    assert [c.id for c in found] == [f"winograd 4x4 t{t} {place}" for t in (4, 8, 16) for place in ("ram", "flash")]
    for candidate in found:
        kernel = candidate.make()
        assert kernel.ram_bytes == candidate.ram_bytes
        assert sum(kernel.workspaces) == candidate.workspace_bytes
        assert all(f.loop_bytes <= ICACHE_BYTES for f in kernel.code)
        assert candidate.make().code == kernel.code
    weights = 2 * COMPONENTS * 32 * 32
    assert found[0].ram_bytes - found[1].ram_bytes == weights
    assert found[0].cycles < found[1].cycles


def test_candidates_of_stride_2_have_names_of_their_own() -> None:
    found = offered(32, 32, 16, 8, strides=(2, 2), padding=(0, 0, 1, 1))
    assert [c.id for c in found] == [f"winograd 4x4/2 t{t} {place}" for t in (4, 8, 16) for place in ("ram", "flash")]
    assert all(f.loop_bytes <= ICACHE_BYTES for c in found for f in c.make().code)


def test_regions_are_no_larger_than_the_image_and_offsets_stay_in_reach() -> None:
    assert {c.id.split()[2] for c in offered(8, 8, 64, 8)} == {"t4"}
    assert {c.id.split()[2] for c in offered(32, 32, 2, 2)} == {"t4", "t8", "t16"}


def test_an_input_that_is_never_negative_gets_the_faster_transform() -> None:
    weights = np.ones((4, 3, 3, 4), np.int8)
    storage, window = nhwc(8, 8, 4, PADDED), Window(8, 8, 4, (3, 3), (1, 1), PADDED)
    texts = [
        candidates(window, weights, requant(weights), storage, storage, input_zero_point=zero_point)[0].make().code[0].assembly
        for zero_point in (None, -128, -127)
    ]
    assert texts[0] == texts[2] != texts[1]
    assert len(texts[1]) < len(texts[0])
