# SPDX-License-Identifier: Apache-2.0
"""Convolution by Kronecker's substitution: the assembly on the emulated core, its portable version and TFLite's rule give the same bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.int16_layers import Int16Layer, images, int16_layer, interior, untouched_border
from support.micro_runner import run_host, run_target

from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16 import kronecker
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.kronecker import candidates
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.storage import Storage, nchw, nhwc

KWS = Window(49, 10, 1, (10, 4), (2, 2), (4, 1, 5, 1))
SHAPES = [
    (KWS, 4, "NCHW"),
    (Window(7, 5, 1, (3, 3), (1, 1), (1, 1, 1, 1)), 3, "NHWC"),
    (Window(6, 4, 3, (3, 2), (1, 1)), 2, "NCHW"),
    (Window(9, 9, 2, (3, 3), (2, 2), (0, 0, 1, 1)), 5, "NHWC"),
    (Window(8, 8, 1, (5, 5), (3, 2), (2, 2, 2, 2)), 2, "NHWC"),
    (Window(5, 6, 1, (2, 5), (1, 1), (0, 1, 1, 1)), 2, "NCHW"),
    (Window(6, 3, 1, (4, 1), (1, 2)), 1, "NHWC"),
    (Window(12, 3, 1, (3, 3), (1, 1)), 2, "NHWC"),
]


def place(window: Window, outputs: int, layout: str) -> Storage:
    return (nhwc if layout == "NHWC" else nchw)(*window.output, outputs, (1, 1, 1, 1))


def gentle(rng: np.random.Generator, window: Window, outputs: int) -> Int16Layer:
    """Weights whose sums stay within 21 bits."""
    most = min(127, (1 << 20) // (255 * window.kernel[0] * window.kernel[1] * window.channels) - 1)
    weights = rng.integers(-most, most + 1, (outputs, *window.kernel, window.channels)).astype(np.int8)
    return int16_layer(rng, window, outputs, relu=True, weights=weights, bias=min(3000, 200 * most))


@pytest.fixture(autouse=True)
def every_layer_is_worthwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kronecker, "_WORTHWHILE", 1e9)


@pytest.mark.parametrize(("window", "outputs", "layout"), SHAPES)
def test_assembly_portable_and_reference_agree(window: Window, outputs: int, layout: str) -> None:
    rng = np.random.default_rng(outputs)
    layer, target = gentle(rng, window, outputs), place(window, outputs, layout)
    found = candidates(window, layer.weights, layer.requant, layer.input_zero_point, target)
    assert [candidate.id for candidate in found] == ["kronecker ram", "kronecker flash"]
    for candidate in found:
        kernel = candidate.make()
        assert sum(kernel.workspaces) == candidate.workspace_bytes and kernel.ram_bytes == candidate.ram_bytes
        for i, image in enumerate(images(rng, layer)):
            packed = (image + layer.input_zero_point).astype(np.int8).reshape(-1)
            host = run_host(kernel, packed, cells=target.elements).buffers[0]
            np.testing.assert_array_equal(interior(target, host), layer.expected(image), err_msg=candidate.id)
            assert untouched_border(target, host)
            core = run_target(kernel, packed, cells=target.elements, strict=i == 0)
            np.testing.assert_array_equal(core.buffers[0], host, err_msg=candidate.id)
        assert max(f.loop_bytes for f in kernel.code) <= ICACHE_BYTES
        assert abs(core.cycles - candidate.cycles) < 0.1 * core.cycles + 300, (candidate.id, core.cycles, candidate.cycles)


@pytest.mark.parametrize("ends", [(-128, 127), (127, -128)])
def test_sums_at_the_ends_of_their_fields(ends: tuple[int, int]) -> None:
    """The largest weights that pass, all of one sign in a column, with the input at the end that makes each field as large as it gets."""
    rng = np.random.default_rng(1)
    window = Window(10, 10, 1, (8, 4), (1, 2), (0, 0, 0, 0))
    weights = np.full((2, 8, 4, 1), 127, np.int8)
    weights[:, :, 1::2] *= -1
    layer = int16_layer(rng, window, 2, relu=True, weights=weights, bias=0)
    target = place(window, 2, "NHWC")
    kernel = candidates(window, layer.weights, layer.requant, layer.input_zero_point, target)[0].make()
    image = np.where(np.arange(10)[None, :, None] % 2, ends[0], ends[1]) + np.zeros((10, 10, 1), int)
    for packed in (image, rng.permutation(image.reshape(-1)).reshape(image.shape)):
        found = run_target(kernel, packed.astype(np.int8).reshape(-1), cells=target.elements).buffers[0]
        np.testing.assert_array_equal(interior(target, found), layer.expected(packed - layer.input_zero_point))


def test_it_is_faster_than_the_tiles_of_the_keyword_spotter() -> None:
    rng = np.random.default_rng(0)
    layer, target = gentle(rng, KWS, 64), place(KWS, 64, "NCHW")
    best = candidates(KWS, layer.weights, layer.requant, layer.input_zero_point, target)[0]
    packed = (images(rng, layer)[0] + layer.input_zero_point).astype(np.int8).reshape(-1)
    run = run_target(best.make(), packed, cells=target.elements, strict=False, runs=2)
    assert run.cycles < 1.02 * 40 * 64 * 125


@pytest.mark.parametrize(
    ("window", "outputs", "reason"),
    [
        (Window(8, 8, 1, (3, 3), (1, 1), (1, 1, 1, 1)), 2, "rows are 8 outputs wide"),
        (Window(8, 16, 1, (3, 3), (1, 4)), 2, "strides are"),
        (Window(8, 5, 16, (3, 3), (1, 1), (1, 1, 1, 1)), 2, "words of weights"),
    ],
)
def test_limits_are_named(window: Window, outputs: int, reason: str) -> None:
    layer = gentle(np.random.default_rng(0), window, outputs)
    with pytest.raises(KernelLimitError, match=reason):
        candidates(window, layer.weights, layer.requant, layer.input_zero_point, place(window, outputs, "NHWC"))


def test_sums_that_may_leave_their_field_are_refused() -> None:
    window = Window(10, 5, 1, (10, 4), (1, 1), (0, 1, 0, 2))
    layer = int16_layer(np.random.default_rng(0), window, 2, relu=True, weights=np.full((2, 10, 4, 1), 127, np.int8))
    with pytest.raises(KernelLimitError, match="more than 21 bits"):
        candidates(window, layer.weights, layer.requant, layer.input_zero_point, place(window, 2, "NHWC"))


def test_other_outputs_are_refused() -> None:
    layer = gentle(np.random.default_rng(0), KWS, 4)
    target = place(KWS, 4, "NCHW")
    with pytest.raises(KernelLimitError, match="cannot share a shift"):
        candidates(KWS, layer.weights, replace(layer.requant, relu=False), layer.input_zero_point, target)
    with pytest.raises(KernelLimitError, match="another shape"):
        candidates(KWS, layer.weights, layer.requant, layer.input_zero_point, place(KWS, 5, "NCHW"))


def test_where_other_kernels_are_faster_they_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kronecker, "_WORTHWHILE", 0.1)
    layer = gentle(np.random.default_rng(0), KWS, 4)
    with pytest.raises(KernelLimitError, match="faster"):
        candidates(KWS, layer.weights, layer.requant, layer.input_zero_point, place(KWS, 4, "NCHW"))
