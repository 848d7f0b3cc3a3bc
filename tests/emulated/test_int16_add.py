# SPDX-License-Identifier: Apache-2.0
"""The int16 addition: assembly, portable version and TFLite's rule agree for every pair of values, whatever the scales and zero points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.micro_runner import run_host, run_target

from cm4tiny.firmware.kernels.add import AddPlan, plan_add
from cm4tiny.firmware.kernels.base import Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.int16.add import candidates, find_formula
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.storage import Storage, nchw, nhwc
from cm4tiny.firmware.kernels.quant import requantize

FILL = 0x5555
IC = ((0.039393551647663116, -128), (0.10419496148824692, 4), (0.050945673137903214, -128))
SCALES = [
    IC,
    ((0.044761426746845245, -17), (0.11311884224414825, 4), (0.0532362163066864, -128)),
    ((0.08385830372571945, 38), (0.21724364161491394, -2), (0.1270691454410553, -128)),
    ((0.1, 0), (0.1, 0), (0.1, -128)),
    ((0.1, 127), (0.1, -128), (0.2, -128)),
    ((0.01, 5), (0.2, -7), (0.15, 127)),
    ((0.2, 100), (0.001, -100), (0.19, -9)),
    ((0.05, -128), (0.07, -128), (0.04, -128)),
]


def places(s: Storage) -> Any:
    y, x, c = np.meshgrid(np.arange(s.height), np.arange(s.width), np.arange(s.channels), indexing="ij")
    return s.origin + y * s.row + x * s.pixel + c * s.channel


def rule(plan: AddPlan, a: Any, b: Any) -> list[int]:
    """TFLite's rule on stored values, one by one."""
    result = []
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        total = requantize(x << 20, plan.multiplier_a) + requantize(y << 20, plan.multiplier_b)
        value = requantize(total, plan.multiplier) + plan.zero_point
        result.append(min(max(value, plan.low), plan.high) - plan.zero_point)
    return result


def check(plan: AddPlan, a: Storage, b: Storage, target: Storage, values: tuple[Any, Any]) -> list[str]:
    wide = []
    for storage, given in zip((a, b), values, strict=True):
        buffer = np.zeros(storage.elements, np.int16)
        buffer[places(storage)] = given
        wide.append(buffer)
    want = np.array(rule(plan, values[0].reshape(-1), values[1].reshape(-1))).reshape(values[0].shape)
    found = candidates(plan, a, b, target)
    for candidate in found:
        kernel = candidate.make()
        host = run_host(kernel, *wide, cells=target.elements).buffers[0]
        out = run_target(kernel, *wide, cells=target.elements).buffers[0]
        np.testing.assert_array_equal(host, out, candidate.id)
        np.testing.assert_array_equal(out[places(target)], want, candidate.id)
        rest = np.ones(target.elements, bool)
        rest[places(target)] = False
        assert (out[rest] == FILL).all(), "wrote outside the image"
        assert all(f.loop_bytes <= ICACHE_BYTES for f in kernel.code)
    return [candidate.id for candidate in found]


def some(rng: np.random.Generator, shape: Any, zero_point: int) -> Any:
    image = rng.integers(-128, 128, shape)
    image.reshape(-1)[::9] = rng.choice([-128, 127])
    return image - zero_point


@pytest.mark.parametrize("scales", SCALES, ids=str)
def test_every_pair_of_values_gets_tflites_sum(scales: Any) -> None:
    plan = plan_add(*scales, low=-128, high=127)
    layout = nhwc(256, 1, 256)
    a, b = np.meshgrid(np.arange(-128, 128) - plan.zero_point_a, np.arange(-128, 128) - plan.zero_point_b, indexing="ij")
    want = np.array(rule(plan, a.reshape(-1), b.reshape(-1)))
    wide = [np.zeros(layout.elements, np.int16) for _ in range(2)]
    wide[0][: a.size], wide[1][: b.size] = a.reshape(-1), b.reshape(-1)
    for candidate in candidates(plan, layout, layout, layout):
        kernel = candidate.make()
        np.testing.assert_array_equal(run_host(kernel, *wide, cells=layout.elements).buffers[0][: a.size], want)
        out = run_target(kernel, *wide, cells=layout.elements, strict=False).buffers[0]
        np.testing.assert_array_equal(out[: a.size], want)


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 1, 7), (3, 5, 4), (4, 4, 16), (2, 3, 6), (7, 9, 2), (2, 40, 8)], ids=str)
@pytest.mark.parametrize("scales", [SCALES[0], SCALES[1], SCALES[5]], ids=["table", "linear", "signed"])
@pytest.mark.parametrize("bordered", [False, True])
def test_any_shape_and_border_is_added(size: Any, scales: Any, bordered: bool) -> None:
    plan = plan_add(*scales, low=-128, high=127)
    rng = np.random.default_rng(sum(size))
    target = nhwc(*size, (1, 2, 0, 1)) if bordered else nhwc(*size)
    other = nhwc(*size, (0, 2, 1, 1)) if bordered and size[2] % 2 == 0 else nhwc(*size)
    if size[0] > 1 and size[1] * size[2] % 2 and not bordered:
        target = other = nchw(*size)
    a = target if target.layout == "NCHW" else nhwc(*size)
    check(plan, a, other, target, (some(rng, size, plan.zero_point_a), some(rng, size, plan.zero_point_b)))


@pytest.mark.parametrize("seed", range(12))
def test_random_scales_have_a_formula_and_it_is_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = ((float(np.float32(rng.uniform(0.005, 0.3))), int(rng.integers(-128, 128))) for _ in range(2))
    out = (float(np.float32(max(a[0], b[0]) * rng.uniform(0.4, 1.5))), -128 if seed % 2 else int(rng.integers(-128, 128)))
    plan = plan_add(a, b, out, low=-128, high=127)
    layout = nchw(9, 33, 3, (1, 0, 0, 1))
    size = (9, 33, 3)
    check(plan, layout, layout, layout, (some(rng, size, plan.zero_point_a), some(rng, size, plan.zero_point_b)))


@pytest.mark.parametrize("scales", SCALES[:2], ids=["table", "linear"])
def test_the_output_may_lie_where_an_input_lies(scales: Any) -> None:
    plan = plan_add(*scales, low=-128, high=127)
    layout = nhwc(4, 4, 16, (1, 1, 1, 1))
    rng = np.random.default_rng(7)
    values = some(rng, (4, 4, 16), plan.zero_point_a), some(rng, (4, 4, 16), plan.zero_point_b)
    buffers = [np.zeros(layout.elements, np.int16) for _ in range(2)]
    for buffer, given in zip(buffers, values, strict=True):
        buffer[places(layout)] = given
    want = np.array(rule(plan, values[0].reshape(-1), values[1].reshape(-1))).reshape(4, 4, 16)
    kernel = candidates(plan, layout, layout, layout)[0].make()
    assert bool(kernel.constants) == (scales is IC)
    for run in (run_host, run_target):
        for which in range(2):
            program = _in_place(kernel, layout, which, find_formula(plan).swapped)
            out = run(program, buffers[which], buffers[1 - which], cells=layout.elements).buffers[0]
            np.testing.assert_array_equal(out[places(layout)], want)


def _in_place(kernel: Kernel, layout: Storage, which: int, swapped: bool) -> Kernel:
    """A kernel that copies one input to its output and adds there; its parameters are that input and the other one."""

    def body(x: Any, y: Any, *rest: Any) -> None:
        tir = Tir()
        *table, o = rest
        tir.emit("memcpy", tir.at(o, 0), tir.at(x, 0), layout.bytes)
        a, b = (o, y) if which == 0 else (y, o)
        order = (b, a, o) if swapped else (a, b, o)
        tir.emit(kernel.code[0].name, *(tir.at(p, layout.origin) for p in order), *(tir.at(t, 0) for t in table))

    x, y, o = (Param(name, layout.elements, "int16") for name in "xyo")
    table = [Param("t", 256, "int32")] if kernel.constants else []
    return Kernel("in_place", prim_func([x, y, *table, o], body), kernel.constants, code=kernel.code, in_ram=kernel.in_ram)
