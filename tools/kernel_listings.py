# SPDX-License-Identifier: Apache-2.0
"""Writes docs/listings/KIND.s, what each kind of kernel looks like in assembly: ``python tools/kernel_listings.py``.

A kind is what the id of a candidate begins with. Every kind that the planner can choose and every generator of assembly has a listing; a
test keeps them equal to what the generators write. The layers are small and their numbers are made by a formula.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from cm4tiny.firmware.kernels.add import plan_add
from cm4tiny.firmware.kernels.base import Array, Candidate, Kernel
from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16 import add, conv, convert, dense, depthwise, kronecker, pool, winograd
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, plan_int16
from cm4tiny.firmware.kernels.int16.storage import NO_BORDER, nchw, nhwc
from cm4tiny.firmware.kernels.quant import Multiplier

FOLDER = Path(__file__).parents[1] / "docs" / "listings"
_PADDED = (1, 1, 1, 1)
_HEAD = """\
@ {kind}
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.
"""
Row = tuple[str, Sequence[CFunction]]
"""A layer and its candidate, as a text, and the functions."""


def weights_of(*shape: int) -> Array:
    """int8 by a formula, none of them zero."""
    values = 37 * np.arange(int(np.prod(shape))) % 127 + 1
    signs = np.where(np.arange(values.size) % 3 == 1, -1, 1)
    return (values * signs).astype(np.int8).reshape(shape)


def requant_of(weights: Array, *, relu: bool = True, shift: int = 8, shifts: int = 1) -> Int16Requant:
    """One factor per channel, ``shifts`` different shifts from ``shift`` on; weights are int8 [channels, ...]."""
    flat = weights.reshape(len(weights), -1)
    factors = [Multiplier((1 << 30) + 12_345_678 * (i % 8), -shift - i % shifts) for i in range(len(flat))]
    zero_point = -128 if relu else 5
    bias = np.arange(len(flat)) * 100 - 150
    return plan_int16(flat, bias, factors, input_zero_point=-128, output_zero_point=zero_point, low=-128, high=127)


def chosen(candidates: Iterable[Candidate], *ids: str) -> list[tuple[str, Kernel]]:
    """The kernels of some candidates."""
    found = {candidate.id: candidate for candidate in candidates}
    return [(name, found[name].make()) for name in ids]


def rows(layer: str, kernels: Iterable[tuple[str, Kernel]]) -> list[Row]:
    return [(f"{layer}; candidate: {name}", kernel.code) for name, kernel in kernels]


def conv_rows() -> list[Row]:
    window, weights = Window(4, 4, 8, (1, 1), (1, 1)), weights_of(4, 1, 1, 8)
    found = conv.candidates(window, weights, requant_of(weights, shifts=2), nhwc(4, 4, 8), nhwc(4, 4, 4))
    layer = "CONV_2D 1x1, input 4x4x8, 4 channels, ReLU, different shifts"
    listed = rows(layer, chosen(found, "conv 1x2x4 ram", "conv 1x2x4 merged-staged", "conv 1x2x4 expanded"))
    window, weights = Window(6, 6, 4, (3, 3), (1, 1), _PADDED), weights_of(2, 3, 3, 4)
    found = conv.candidates(window, weights, requant_of(weights, relu=False), nhwc(6, 6, 4, _PADDED), nchw(6, 6, 2, _PADDED))
    return listed + rows("CONV_2D 3x3, input 6x6x4, 2 channels, no activation, output NCHW", chosen(found, "conv 2x2x2 ram"))


def dense_rows() -> list[Row]:
    weights = weights_of(8, 32)
    source, target = nhwc(1, 1, 32), nhwc(1, 1, 8)
    different = dense.candidates(1, weights, requant_of(weights, shifts=2), source, target)
    one = requant_of(weights, relu=False)
    same = Int16Requant(one.relu, one.zero_point, one.bias, *(np.full_like(a, a[0]) for a in (one.mantissa, one.rounding, one.shift)))
    listed = rows("FULLY_CONNECTED 32 to 8, ReLU, different factors", chosen(different, "dense 8 ram", "dense 4 merged-ram"))
    found = dense.candidates(1, weights, same, source, target)
    return listed + rows("FULLY_CONNECTED 32 to 8, no activation, one factor", chosen(found, "dense 4 ram"))


def depthwise_rows() -> list[Row]:
    listed = []
    for stride, walk in ((1, "2x2 columns"), (2, "2x2 u1")):
        window, weights = Window(4 * stride, 4 * stride, 2, (3, 3), (stride, stride), _PADDED), weights_of(3, 3, 2)
        requant = requant_of(weights.transpose(2, 0, 1))
        found = depthwise.candidates(window, weights, requant, nchw(4 * stride, 4 * stride, 2, _PADDED), nhwc(4, 4, 2))
        layer = f"DEPTHWISE_CONV_2D 3x3, stride {stride}, output 4x4x2, ReLU"
        listed += rows(layer, chosen(found, f"depthwise {walk} ram"))
    return listed


def depthwise_pixels_rows() -> list[Row]:
    window, weights = Window(4, 4, 4, (3, 3), (1, 1), _PADDED), weights_of(3, 3, 4)
    requant = requant_of(weights.transpose(2, 0, 1), relu=False)
    found = depthwise.candidates(window, weights, requant, nhwc(4, 4, 4, _PADDED), nhwc(4, 4, 4))
    return rows("DEPTHWISE_CONV_2D 3x3, input 4x4x4 in NHWC, no activation", chosen(found, "depthwise pixels 4 ram"))


def kronecker_rows() -> list[Row]:
    window, weights = Window(20, 10, 1, (10, 4), (2, 2), (4, 1, 4, 1)), weights_of(32, 10, 4, 1)
    height, width = window.output
    found = kronecker.candidates(window, weights, requant_of(weights), -128, nhwc(height, width, 32))
    return rows("CONV_2D 10x4, stride 2, input 20x10x1, 32 channels, ReLU", chosen(found, "kronecker ram"))


def winograd_rows(stride: int, channels: int, name: str, *, relu: bool = True) -> list[Row]:
    window, weights = Window(8 * stride, 8 * stride, channels, (3, 3), (stride, stride), _PADDED), weights_of(2, 3, 3, channels)
    source, target = nhwc(8 * stride, 8 * stride, channels, _PADDED), nhwc(8, 8, 2)
    found = winograd.candidates(window, weights, requant_of(weights, relu=relu), source, target, input_zero_point=-128)
    activation = "ReLU" if relu else "no activation"
    return rows(f"CONV_2D 3x3, stride {stride}, output 8x8x2, {channels} input channels, {activation}", chosen(found, name))


def add_rows(scales: tuple[float, float, float], name: str, *, relu: bool) -> list[Row]:
    plan = plan_add((scales[0], -128), (scales[1], 3), (scales[2], -128 if relu else 4), low=-128, high=127)
    tensor = nhwc(4, 4, 8)
    layer = f"ADD of 4x4x8, scales {scales[0]} and {scales[1]} to {scales[2]}, {'ReLU' if relu else 'no activation'}"
    return rows(layer, chosen(add.candidates(plan, tensor, tensor, tensor), name))


def pool_rows() -> list[Row]:
    window = Window(4, 4, 8, (4, 4), (1, 1))
    found = pool.candidates(window, -128, nhwc(4, 4, 8), nhwc(1, 1, 8), low=-128, high=127)
    return rows("AVERAGE_POOL_2D 4x4, input 4x4x8", chosen(found, "pool"))


def widen_rows() -> list[Row]:
    dense_rows = nhwc(4, 4, 8, _PADDED)
    return [
        ("int8 input 4x4x8 with a border", convert.widen(-3, dense_rows).code),
        ("int8 input 4x4x3 to pixels of four", convert.widen(-3, nhwc(4, 4, 3, _PADDED, pixel=4)).code),
    ]


KINDS: Mapping[str, Callable[[], list[Row]]] = {
    "conv": conv_rows,
    "dense": dense_rows,
    "depthwise": depthwise_rows,
    "depthwise pixels": depthwise_pixels_rows,
    "kronecker": kronecker_rows,
    "winograd 4x4": lambda: winograd_rows(1, 4, "winograd 4x4 t4 ram") + winograd_rows(1, 36, "winograd 4x4 t4 ram", relu=False),
    "winograd 4x4/2": lambda: winograd_rows(2, 4, "winograd 4x4/2 t4 ram"),
    "add linear": lambda: add_rows((0.02, 0.025, 0.03), "add linear", relu=True),
    "add table": lambda: add_rows((0.05, 0.0535, 0.05), "add table copied", relu=False),
    "pool": pool_rows,
    "widen": widen_rows,
    "narrow": lambda: [("int16 values 4x4x8 to the int8 output", convert.narrow(nhwc(4, 4, 8, NO_BORDER), -3).code)],
    "clear": lambda: [("the border of 4x4x8", convert.clear_border(nhwc(4, 4, 8, _PADDED)).code)],
}
"""Kind -> its examples."""


def file_of(kind: str) -> str:
    """The name of a kind's listing."""
    return re.sub(r"[^a-z0-9]+", "-", kind) + ".s"


def listing(kind: str) -> str:
    """A kind's text: all functions of its examples, each once."""
    parts, seen = [_HEAD.format(kind=kind)], set[str]()
    for title, functions in KINDS[kind]():
        parts.append("".join(f"@ {line}\n" for line in ("-" * 77, title)))
        for function in functions:
            parts.append(f"@ as above: {function.name}\n" if function.name in seen else _function(function))
            seen.add(function.name)
    return "\n".join(parts)


def _function(function: CFunction) -> str:
    roles = {f"{row.name} .req {row.register}": row.role for row in function.registers}
    lines = [f"@ {function.declaration}", f"@ {function.bytes} bytes, the largest loop {function.loop_bytes}"]
    for line in function.target_lines():
        if line in roles:
            name, _, register = line.split()
            lines.append(f"{name:<20} .req {register:<4} @ {roles[line]}")
        else:
            lines.append(line if line.endswith(":") else f"    {line}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes all listings; those of kinds that are gone go."""
    FOLDER.mkdir(exist_ok=True)
    wanted = {file_of(kind): listing(kind) for kind in KINDS}
    for path in FOLDER.glob("*.s"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
