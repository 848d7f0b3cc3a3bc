# SPDX-License-Identifier: Apache-2.0
"""Convolutions on int16 tensors: the assembly on the emulated core, its portable version and TFLite's rule give the same bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from support.int16_layers import Int16Layer, fill, images, int16_layer, interior, storages, untouched_border
from support.micro_runner import run_host, run_target

from cm4tiny.firmware.kernels.base import Candidate
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.conv import candidates
from cm4tiny.firmware.kernels.int16.plan import PLACEMENTS
from cm4tiny.firmware.kernels.int16.storage import Storage, nchw, nhwc


class Case(NamedTuple):
    window: Window
    outputs: int
    layout: str = "NHWC"
    border: tuple[int, int, int, int] = (0, 0, 0, 0)
    relu: bool = True


ONE = (1, 1)
CASES = {
    "1x1 on few pixels to planes": Case(Window(5, 5, 64, ONE, ONE), 8, "NCHW", (1, 1, 1, 1)),
    "1x1 flat": Case(Window(3, 7, 8, ONE, ONE), 16),
    "1x1, three outputs": Case(Window(4, 3, 16, ONE, ONE), 3, "NCHW", (0, 0, 1, 1), False),
    "1x1, one output": Case(Window(4, 4, 30, ONE, ONE), 1),
    "1x1, ten outputs": Case(Window(2, 3, 128, ONE, ONE), 10, relu=False),
    "1x1, odd channels": Case(Window(3, 5, 5, ONE, ONE), 4, "NCHW", (1, 2, 1, 0)),
    "1x1, one pixel": Case(Window(1, 1, 34, ONE, ONE), 6, relu=False),
    "1x1 stride 2": Case(Window(8, 8, 16, ONE, (2, 2)), 8, "NHWC", (1, 1, 1, 1), False),
    "1x1 stride 2, odd size": Case(Window(7, 5, 32, ONE, (2, 2)), 4),
    "1x1 far planes": Case(Window(4, 4, 8, ONE, ONE), 4, "NCHW", (20, 40, 20, 40)),
    "3x3": Case(Window(6, 8, 16, (3, 3), ONE, (1, 1, 1, 1)), 8, "NHWC", (1, 1, 1, 1)),
    "3x3 linear": Case(Window(5, 5, 12, (3, 3), ONE, (1, 1, 1, 1)), 6, relu=False),
    "3x3 stride 2": Case(Window(8, 8, 16, (3, 3), (2, 2), (0, 0, 1, 1)), 8, "NCHW", (1, 1, 1, 1)),
    "3x3 three channels": Case(Window(6, 7, 3, (3, 3), ONE, (1, 1, 1, 1)), 4, "NHWC", (1, 1, 1, 1)),
    "3x3 three channels stride 2": Case(Window(8, 8, 3, (3, 3), (2, 2), (0, 0, 1, 1)), 8, "NCHW", (1, 1, 1, 1)),
    "3x3 wide rows": Case(Window(4, 64, 20, (3, 3), ONE, (1, 1, 1, 1)), 2),
    "10x4 one channel stride 2": Case(Window(19, 10, 1, (10, 4), (2, 2), (4, 1, 4, 1)), 8, "NCHW", (1, 1, 1, 1)),
    "1x3 valid": Case(Window(3, 9, 6, (1, 3), ONE), 4, relu=False),
    "5x1": Case(Window(9, 4, 4, (5, 1), (2, 1), (2, 0, 2, 0)), 5),
    "3x3 dilated": Case(Window(9, 9, 4, (3, 3), ONE, (2, 2, 2, 2), (2, 2)), 4),
    "whole image": Case(Window(3, 3, 8, (3, 3), ONE), 12, relu=False),
}


def check(
    layer: Int16Layer, candidate: Candidate, source: Storage, target: Storage, rng: np.random.Generator, *, strict: bool = True
) -> None:
    kernel = candidate.make()
    for i, image in enumerate(images(rng, layer)):
        cells, expected = fill(source, image), layer.expected(image)
        host = run_host(kernel, cells, cells=target.elements).buffers[0]
        np.testing.assert_array_equal(interior(target, host), expected, err_msg=f"portable version of {candidate.id}")
        assert untouched_border(target, host), candidate.id
        if i < 2:
            core = run_target(kernel, cells, cells=target.elements, strict=strict and i == 0).buffers[0]
            np.testing.assert_array_equal(core, host, err_msg=f"assembly of {candidate.id}")


def some(found: list[Candidate], rng: np.random.Generator, each: int) -> list[Candidate]:
    """The fastest candidate of each placement, and a few others."""
    chosen = []
    for placement in PLACEMENTS:
        own = [c for c in found if c.id.split()[-1] == placement.name]
        chosen += own[:1] + [own[i] for i in rng.permutation(len(own))[:each]]
    return list({c.id: c for c in chosen}.values())


@pytest.mark.parametrize("name", CASES)
def test_assembly_portable_and_reference_agree(name: str) -> None:
    case = CASES[name]
    rng = np.random.default_rng(sorted(CASES).index(name))
    layer = int16_layer(rng, case.window, case.outputs, relu=case.relu)
    source, target = storages(case.window, case.outputs, case.layout, case.border)
    found = candidates(case.window, layer.weights, layer.requant, source, target)
    for i, candidate in enumerate(some(found, rng, 0)):
        check(layer, candidate, source, target, rng, strict=i < 2)


@pytest.mark.parametrize("seed", range(8))
def test_random_layers_agree(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    kernel = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
    padding = tuple(int(rng.integers(0, k)) for k in (*kernel, *kernel))
    strides = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    window = Window(int(rng.integers(4, 9)), int(rng.integers(4, 9)), 2 * int(rng.integers(1, 13)), kernel, strides, padding)
    outputs = int(rng.integers(1, 9))
    layer = int16_layer(rng, window, outputs, relu=bool(rng.integers(2)))
    source, target = storages(window, outputs, str(rng.choice(["NHWC", "NCHW"])), (1, 1, 0, 2))
    found = candidates(window, layer.weights, layer.requant, source, target)
    for i in rng.permutation(len(found))[:3]:
        check(layer, found[i], source, target, rng)


@pytest.mark.parametrize("relu", [True, False])
def test_extreme_weights_give_exact_sums(relu: bool) -> None:
    window = Window(4, 4, 64, ONE, ONE)
    rng = np.random.default_rng(5)
    weights = rng.choice(np.array([-127, 127], np.int8), (4, 1, 1, 64))
    weights[0], weights[1] = 127, -127
    layer = int16_layer(rng, window, 4, relu=relu, weights=weights)
    source, target = storages(window, 4, "NHWC", (0, 0, 0, 0))
    for candidate in some(candidates(window, weights, layer.requant, source, target), rng, 0):
        check(layer, candidate, source, target, rng)


@pytest.mark.parametrize("relu", [True, False])
def test_channels_that_are_constant_because_of_a_huge_bias_keep_their_constant(relu: bool) -> None:
    window = Window(3, 4, 8, ONE, ONE)
    rng = np.random.default_rng(7)
    weights = rng.integers(-2, 3, (6, 1, 1, 8)).astype(np.int8)
    layer = int16_layer(rng, window, 6, relu=relu, weights=weights, bias=(1 << 31) - 1 - 4096, shift=26)
    assert (layer.requant.mantissa == 0).any()
    assert len(np.unique(layer.expected(images(rng, layer)[0]))) > 3
    source, target = storages(window, 6, "NHWC", (0, 0, 0, 0))
    for candidate in some(candidates(window, weights, layer.requant, source, target), rng, 0):
        check(layer, candidate, source, target, rng)


def test_dead_channels_are_filled_and_dead_inputs_are_not_read() -> None:
    window = Window(4, 6, 12, ONE, ONE)
    rng = np.random.default_rng(9)
    layer = int16_layer(rng, window, 9, relu=True)
    layer.weights[:, :, :, :3] = layer.weights[:, :, :, 8:] = 0
    source, target = storages(window, 9, "NCHW", (1, 1, 1, 1))
    constants = np.array([-128, 5, 127, 0], np.int8)
    found = candidates(window, layer.weights, layer.requant, source, target, live_outputs=5, live_inputs=(3, 5), constant_outputs=constants)
    image = images(rng, layer)[0]
    expected = layer.expected(image)
    expected[:, :, 5:] = constants.astype(np.int64) + 128
    for candidate in some(found, rng, 0):
        kernel = candidate.make()
        host = run_host(kernel, fill(source, image), cells=target.elements).buffers[0]
        np.testing.assert_array_equal(interior(target, host), expected)
        assert untouched_border(target, host)
        np.testing.assert_array_equal(run_target(kernel, fill(source, image), cells=target.elements).buffers[0], host)


def test_inputs_with_room_for_a_fourth_channel_are_computed_in_place() -> None:
    window = Window(5, 6, 3, (3, 3), ONE, (1, 1, 1, 1))
    rng = np.random.default_rng(11)
    layer = int16_layer(rng, window, 4, relu=True)
    source, target = nhwc(5, 6, 3, (1, 1, 1, 1), pixel=4), nchw(5, 6, 4)
    check(layer, candidates(window, layer.weights, layer.requant, source, target)[0], source, target, rng)


@pytest.mark.parametrize("name", ["1x1 on few pixels to planes", "3x3", "10x4 one channel stride 2", "3x3 three channels"])
def test_estimates_and_cache_use_are_those_of_the_virtual_board(name: str) -> None:
    case = CASES[name]
    rng = np.random.default_rng(0)
    layer = int16_layer(rng, case.window, case.outputs, relu=case.relu)
    source, target = storages(case.window, case.outputs, case.layout, case.border)
    cells = fill(source, images(rng, layer)[0])
    for candidate in some(candidates(case.window, layer.weights, layer.requant, source, target), rng, 0):
        kernel = candidate.make()
        assert max(f.loop_bytes for f in kernel.code) <= ICACHE_BYTES
        run = run_target(kernel, cells, cells=target.elements, strict=False)
        assert abs(run.cycles - candidate.cycles) < 0.05 * run.cycles + 500, (candidate.id, run.cycles, candidate.cycles)


def test_the_inner_loop_of_a_long_1x1_stays_below_its_documented_cost() -> None:
    window = Window(6, 6, 128, ONE, ONE)
    rng = np.random.default_rng(0)
    layer = int16_layer(rng, window, 16, relu=True)
    source, target = storages(window, 16, "NCHW", (1, 1, 1, 1))
    best = candidates(window, layer.weights, layer.requant, source, target)[0]
    run = run_target(best.make(), fill(source, images(rng, layer)[0]), cells=target.elements, strict=False, runs=2)
    assert run.cycles / (36 * 16 * 128) < 1.06, best.id
