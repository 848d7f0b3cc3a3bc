# SPDX-License-Identifier: Apache-2.0
"""What the int16 kernels cannot do is refused, with the reason, so that the layer gets another kernel."""

from __future__ import annotations

import numpy as np
import pytest

from cm4tiny.firmware.kernels.add import AddPlan, plan_add
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16 import add, depthwise, pool
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError, plan_int16
from cm4tiny.firmware.kernels.int16.storage import Storage, nchw, nhwc
from cm4tiny.firmware.kernels.quant import Multiplier

SAME = (1, 1, 1, 1)
SCALES = ((0.04, -128), (0.1, 4), (0.05, -128))


def depthwise_candidates(window: Window, source: Storage, target: Storage) -> list[depthwise.Candidate]:
    weights = np.random.default_rng(1).integers(-127, 128, (*window.kernel, window.channels)).astype(np.int8)
    rows = weights.reshape(-1, window.channels).T
    multipliers = [Multiplier((1 << 30) + 12345, -7)] * window.channels
    bias = np.zeros(window.channels, np.int32)
    requant = plan_int16(rows, bias, multipliers, input_zero_point=-128, output_zero_point=-128, low=-128, high=127)
    return depthwise.candidates(window, weights, requant, source, target)


SAME_WINDOW = Window(6, 6, 4, (3, 3), (1, 1), SAME)
LARGE_WINDOW = Window(6, 6, 4, (5, 5), (1, 1), (2, 2, 2, 2))
LARGE_SOURCE = nhwc(6, 6, 4, (2, 2, 2, 2))


@pytest.mark.parametrize(
    ("reason", "window", "source", "target"),
    [
        ("kernel is not 3x3", Window(6, 6, 4, (5, 5), (1, 1), SAME), nchw(6, 6, 4, SAME), nhwc(4, 4, 4)),
        ("strides", Window(6, 6, 4, (3, 3), (1, 2), SAME), nchw(6, 6, 4, SAME), nhwc(6, 3, 4)),
        ("border", SAME_WINDOW, nchw(6, 6, 4, (1, 0, 1, 1)), nhwc(6, 6, 4)),
        ("whole words", SAME_WINDOW, nchw(6, 6, 4, (1, 2, 1, 1)), nhwc(6, 6, 4)),
        ("another shape", SAME_WINDOW, nchw(6, 6, 4, SAME), nhwc(5, 6, 4)),
        ("too long", Window(6, 6, 2, (3, 3), (1, 1), SAME), nchw(6, 6, 2, SAME), nhwc(6, 6, 2, pixel=4000)),
        ("dilation", Window(6, 6, 4, (3, 3), (1, 1), (2, 2, 2, 2), (2, 2)), LARGE_SOURCE, nhwc(6, 6, 4)),
        ("odd", Window(6, 6, 3, (5, 5), (1, 1), (2, 2, 2, 2)), nhwc(6, 6, 3, (2, 2, 2, 2)), nhwc(6, 6, 3)),
        ("not NHWC", LARGE_WINDOW, LARGE_SOURCE, nchw(6, 6, 4)),
        ("border", LARGE_WINDOW, nhwc(6, 6, 4, SAME), nhwc(6, 6, 4)),
        ("whole words", LARGE_WINDOW, nhwc(6, 6, 4, (2, 2, 2, 2), pixel=5), nhwc(6, 6, 4)),
        ("another shape", LARGE_WINDOW, LARGE_SOURCE, nhwc(6, 5, 4)),
        ("too long", LARGE_WINDOW, nhwc(6, 6, 4, (2, 2, 2, 2), pixel=600), nhwc(6, 6, 4)),
        ("instruction cache", Window(1, 70, 2, (2, 70), (1, 1), (1, 0, 0, 0)), nhwc(1, 70, 2, (1, 0, 0, 0)), nhwc(1, 1, 2)),
    ],
)
def test_a_depthwise_layer_outside_the_limits_is_refused(reason: str, window: Window, source: Storage, target: Storage) -> None:
    with pytest.raises(KernelLimitError, match=reason):
        depthwise_candidates(window, source, target)


FLAT, ODD = nhwc(4, 4, 16), nhwc(4, 4, 5, (0, 1, 0, 0))


@pytest.mark.parametrize(
    ("reason", "plan", "storages"),
    [
        ("different shapes", plan_add(*SCALES, low=-128, high=127), (nhwc(4, 4, 8), FLAT, FLAT)),
        ("different layouts", plan_add(*SCALES, low=-128, high=127), (nchw(4, 4, 16), FLAT, FLAT)),
        ("whole words", plan_add(*SCALES, low=-128, high=127), (ODD, ODD, ODD)),
        ("padded", plan_add(*SCALES, low=-128, high=127), (nhwc(4, 4, 16, pixel=18), FLAT, FLAT)),
        ("clamps", plan_add(*SCALES, low=-100, high=127), (FLAT, FLAT, FLAT)),
        # negative ties go down, positive ones up
        ("no fixed-point formula", plan_add((0.1, 0), (0.1, 0), (0.2, 0), low=-128, high=127), (FLAT, FLAT, FLAT)),
        ("scale is too small", plan_add((0.1, 0), (0.1, 0), (0.03, 0), low=-128, high=127), (FLAT, FLAT, FLAT)),
        ("1 or more", plan_add((0.1, 0), (0.1, 0), (1e-7, 0), low=-128, high=127), (FLAT, FLAT, FLAT)),
    ],
)
def test_an_addition_outside_the_limits_is_refused(reason: str, plan: AddPlan, storages: tuple[Storage, Storage, Storage]) -> None:
    with pytest.raises(KernelLimitError, match=reason):
        add.candidates(plan, *storages)


POOL = Window(4, 4, 2, (2, 2), (2, 2))


@pytest.mark.parametrize(
    ("reason", "window", "source", "target", "low"),
    [
        ("leave the image", Window(4, 4, 2, (2, 2), (2, 2), SAME), nhwc(4, 4, 2), nhwc(3, 3, 2), -128),
        ("257 values", Window(1, 257, 2, (1, 257), (1, 1)), nhwc(1, 257, 2), nhwc(1, 1, 2), -128),
        ("1 values", Window(4, 4, 2, (1, 1), (1, 1)), nhwc(4, 4, 2), nhwc(4, 4, 2), -128),
        ("clamps", POOL, nhwc(4, 4, 2), nhwc(2, 2, 2), 0),
        ("not NHWC", POOL, nchw(4, 4, 2), nhwc(2, 2, 2), -128),
        ("whole words", POOL, nhwc(4, 4, 2, pixel=3), nhwc(2, 2, 2), -128),
        ("another shape", POOL, nhwc(4, 4, 2), nhwc(1, 2, 2), -128),
    ],
)
def test_a_pool_outside_the_limits_is_refused(reason: str, window: Window, source: Storage, target: Storage, low: int) -> None:
    with pytest.raises(KernelLimitError, match=reason):
        pool.candidates(window, 0, source, target, low=low, high=127)


def test_3x3_kernels_want_planes_and_others_pixels() -> None:
    assert depthwise.wants_nchw(SAME_WINDOW)
    assert not depthwise.wants_nchw(LARGE_WINDOW)
    assert not depthwise.wants_nchw(Window(6, 6, 4, (3, 3), (1, 2), SAME))


@pytest.mark.parametrize("size", [(25, 5), (48, 48), (6, 6), (3, 3), (1, 1)], ids=str)
@pytest.mark.parametrize("stride", [1, 2])
def test_no_loop_of_an_offered_kernel_leaves_the_instruction_cache_and_the_fastest_comes_first(size: tuple[int, int], stride: int) -> None:
    window = Window(*size, 4, (3, 3), (stride, stride), SAME)
    found = depthwise_candidates(window, nchw(*size, 4, SAME), nhwc(*window.output, 4))
    assert [c.cycles for c in found] == sorted(c.cycles for c in found)
    assert len({c.id for c in found}) == len(found)
    for candidate in found:
        kernel = candidate.make()
        assert kernel.code[0].loop_bytes <= ICACHE_BYTES
        assert kernel.ram_bytes == candidate.ram_bytes
        assert (candidate.ram_bytes > 0) == candidate.id.endswith("ram")
