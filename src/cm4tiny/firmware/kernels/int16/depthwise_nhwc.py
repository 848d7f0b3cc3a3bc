# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D of any kernel size and stride on pixels: two channels at a time, one assembly call for all.

A word holds two channels of a pixel; SMLABB and SMLATT add their products with the two channels' weights to two sums. Up to four outputs
side by side share a word of weights.

Cost on the Cortex-M4 (DDI0439, SRAM): 1.9 cycles per multiply-accumulate with four outputs, 2.0 with three, 2.3 with two, 3 with one; 30
to 60 per tile. The rows of a 3x3 kernel are cheaper on NCHW (:mod:`.depthwise`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.base import Array, Candidate, Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.finish import Finish, Scratch, as_words, pack, plan_finish
from cm4tiny.firmware.kernels.int16.guards import require_window
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, KernelLimitError
from cm4tiny.firmware.kernels.int16.schedule import LINE_BYTES, Costed
from cm4tiny.firmware.kernels.int16.storage import Storage
from cm4tiny.firmware.kernels.registers import Register

_LARGEST_TILE = 4
_LANES = ("even", "odd")
_PARAMETERS = ("bias", "mantissa", "rounding", "shift")
_VALUES = ("value0", "value1", "value2")
_SCRATCH = Scratch("mantissa", "rounding", "shift", "scaled")
_ALLOCATION = (
    Register("x", "r0", "argument: the tile's first pixel"),
    Register("w", "r1", "argument: parameters and weights of the pair of channels"),
    Register("o", "r2", "argument: the first result"),
    Register("place", "r2", "the tile's first result"),
    Register("end", "r2", "end of a loop"),
    Register("taps", "r2", "both channels' weights of a tap"),
    Register("value0", "r3", "both channels of a pixel"),
    Register("value1", "r12", "both channels of a pixel"),
    Register("value2", "lr", "both channels of a pixel"),
    Register("mantissa", "r2", "of a channel"),
    Register("rounding", "r3", "of a channel"),
    Register("shift", "r2", "of a channel"),
    Register("scaled", "r12", "a scaled sum, linear form"),
    *(Register(f"sum{i // 2}_{_LANES[i % 2]}", f"r{4 + i}", "an output of the tile, one channel") for i in range(2 * _LARGEST_TILE)),
    *(Register(f"{_PARAMETERS[i // 2]}_{_LANES[i % 2]}", f"s{i}", "of a channel") for i in range(8)),
    Register("place_kept", "s8", "see place"),
    Register("tiles_end", "s9", "end in x of a row's tiles"),
    Register("rows_end", "s10", "end in x of the rows"),
    Register("pairs_end", "s11", "end in x of the pairs of channels"),
    Register("taps_end", "s12", "end of the weights, large kernels only"),
)
_SUMS = tuple(f"sum{i // 2}_{_LANES[i % 2]}" for i in range(2 * _LARGEST_TILE))
_WRITTEN_OUT = 12  # taps; larger kernels loop over their rows
_REACH = 4095
_FLASH_CYCLES = 1.25  # of a word of weights in flash; the data cache keeps those of a pair of channels for all tiles


@dataclass(frozen=True)
class _Shape:
    """Strides in bytes; ``step`` and ``down`` are from output to output in the input, ``pairs`` of channels."""

    kernel: tuple[int, int]
    pixel: int
    row: int
    step: int
    down: int
    height: int
    width: int
    pairs: int
    out_pixel: int
    out_row: int
    finish: Finish

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def stream(self) -> int:
        """Words per pair of channels."""
        return self.taps + 2 * self.finish.parameters


def candidates(window: Window, weights: Array, requant: Int16Requant, source: Storage, target: Storage) -> list[Candidate]:
    """All ways to compute a layer; ``weights`` is int8 [ky, kx, channels].

    Raises:
        KernelLimitError: the layer is outside the limits.
    """
    _check(window, source, target)
    shape, stream = _plan(window, weights, requant, source, target)
    start = source.at(-window.padding[0], -window.padding[1])
    found = []
    for tile in range(_LARGEST_TILE, 0, -1):
        if shape.width % tile:
            continue
        code, cycles, lines = _function(shape, tile)
        if lines * LINE_BYTES > ICACHE_BYTES:
            continue
        make = functools.partial(_kernel, code, stream, source, target, start)
        slower = cycles + round(_FLASH_CYCLES * stream.size)
        found.append(Candidate(f"depthwise pixels {tile} ram", cycles, stream.nbytes, 0, functools.partial(make, in_ram=True)))
        found.append(Candidate(f"depthwise pixels {tile} flash", slower, 0, 0, functools.partial(make, in_ram=False)))
    if not found:
        raise KernelLimitError("its kernel's rows do not fit into the instruction cache")
    return found


def _check(window: Window, source: Storage, target: Storage) -> None:
    if window.dilation != (1, 1):
        raise KernelLimitError(f"its dilation is {window.dilation}")
    if window.channels % 2:
        raise KernelLimitError("its number of channels is odd")
    if source.layout != "NHWC" or target.layout != "NHWC":
        raise KernelLimitError("its tensors are not NHWC")
    require_window(window, source, target, window.channels)
    if any(n % 2 for s in (source, target) for n in (s.pixel, s.row)):
        raise KernelLimitError("its pixels do not start at whole words")
    step = source.row * window.strides[0] if target.width == 1 else source.pixel * window.strides[1]
    if 2 * (window.kernel[1] * source.pixel + (_LARGEST_TILE - 1) * step) > _REACH:
        raise KernelLimitError("its rows are too long for immediate offsets")


def _plan(window: Window, weights: Array, requant: Int16Requant, source: Storage, target: Storage) -> tuple[_Shape, Array]:
    ky, kx = window.kernel
    finish, taps, columns = plan_finish(weights.reshape(ky * kx, -1).T, requant)
    height, width = window.output
    step, down = 2 * window.strides[1] * source.pixel, 2 * window.strides[0] * source.row
    out_pixel, out_row = 2 * target.pixel, 2 * target.row
    if width == 1:  # outputs below each other are as good as outputs side by side
        height, width, step, down, out_pixel, out_row = 1, height, down, step, out_row, out_pixel
    shape = _Shape((ky, kx), 2 * source.pixel, 2 * source.row, step, down, height, width, window.channels // 2, out_pixel, out_row, finish)
    by_pair = [np.asarray(c, np.int64).reshape(-1, 2)[:, i] for c in columns for i in range(2)]
    return shape, as_words([*by_pair, *(pack(taps[::2, t], taps[1::2, t]) for t in range(ky * kx))])


def _kernel(code: CFunction, stream: Array, source: Storage, target: Storage, start: int, *, in_ram: bool) -> Kernel:
    def body(x: Any, w: Any, o: Any) -> None:
        tir = Tir()
        tir.emit(code.name, tir.at(x, start), tir.at(w, 0), tir.at(o, target.origin))

    params = [Param("x", source.elements, "int16"), Param("w", stream.size, "int32"), Param("o", target.elements, "int16")]
    return Kernel("depthwise", prim_func(params, body), (stream,), code=(code,), in_ram=frozenset({0} if in_ram else ()))


@functools.lru_cache(maxsize=64)
def _function(shape: _Shape, tile: int) -> tuple[CFunction, int, int]:
    """The function, its cycles, and how many lines of the instruction cache it needs."""
    code = Costed(_ALLOCATION)
    tiles = shape.width // tile
    code.emit_all("push {r4-r11, lr}", "vmov place_kept, o")

    def end(register: str, distance: int) -> None:
        code.add_imm("end", "x", distance)
        code.emit(f"vmov {register}, end")

    def until(register: str, label: str, iterations: int) -> None:
        code.emit_all(f"vmov end, {register}", "cmp x, end")
        code.repeat_end(label, iterations)

    if shape.pairs > 1:
        end("pairs_end", 4 * shape.pairs)
        code.label("9")
    code.times = shape.pairs
    code.emit(f"vldmia w!, {{bias_even-{_PARAMETERS[shape.finish.parameters - 1]}_odd}}")
    if shape.height > 1:
        end("rows_end", shape.height * shape.down)
        code.label("8")
    code.times = shape.pairs * shape.height
    if tiles > 1:
        end("tiles_end", tiles * tile * shape.step)
        code.label("7")
    code.times = shape.pairs * shape.height * tiles
    _tile(code, shape, tile)
    if tiles > 1:
        code.add_imm("x", "x", tile * shape.step)
        until("tiles_end", "7", tiles)
    code.times = shape.pairs * shape.height
    gone = tiles * tile * shape.step if tiles > 1 else 0
    _move(code, shape.out_row - tiles * tile * shape.out_pixel)
    if shape.height > 1:
        code.add_imm("x", "x", shape.down - gone)
        until("rows_end", "8", shape.height)
        gone = shape.height * shape.down
    code.times = shape.pairs
    if shape.pairs > 1:
        code.add_imm("x", "x", 4 - gone)
        code.add_imm("w", "w", 4 * shape.taps)
        _move(code, 4 - shape.height * shape.out_row)
        until("pairs_end", "9", shape.pairs)
    code.times = 1
    code.emit("pop {r4-r11, pc}")
    return (
        code.function("depthwise", "const int16_t *x, const int32_t *w, int16_t *o", _portable(shape)),
        round(code.cycles),
        code.loop_lines,
    )


def _move(code: Costed, distance: int) -> None:
    """Moves the output pointer."""
    if distance:
        code.emit("vmov place, place_kept")
        code.add_imm("place", "place", distance)
        code.emit("vmov place_kept, place")


def _tile(code: Costed, shape: _Shape, tile: int) -> None:
    """``tile`` outputs of two channels; the output pointer moves on."""
    ky, kx = shape.kernel
    sums = _SUMS[: 2 * tile]
    times, written_out = code.times, shape.taps <= _WRITTEN_OUT
    code.emit_all(*(f"vmov {a}, bias_{_LANES[i % 2]}" for i, a in enumerate(sums)))
    gone = 0
    if not written_out:
        code.add_imm("end", "w", 4 * shape.taps)
        code.emit("vmov taps_end, end")
        code.label("6")
        code.times = times * ky
    for y in range(ky if written_out else 1):
        for x in range(kx):
            furthest = y * shape.row + x * shape.pixel + (tile - 1) * shape.step
            if furthest - gone > _REACH:
                code.add_imm("x", "x", y * shape.row - gone)
                gone = y * shape.row
            operands = [f"[x, #{y * shape.row + x * shape.pixel + t * shape.step - gone}]" for t in range(tile)]
            _tap(code, sums, f"[w, #{4 * (y * kx + x)}]", operands)
    if written_out:
        code.add_imm("x", "x", -gone)
    else:
        code.add_imm("x", "x", shape.row)
        code.add_imm("w", "w", 4 * kx)
        code.emit_all("vmov end, taps_end", "cmp w, end")
        code.repeat_end("6", ky)
        code.times = times
        code.add_imm("x", "x", -ky * shape.row)
        code.add_imm("w", "w", -4 * shape.taps)
    for i, lane in enumerate(_LANES):
        shape.finish.emit(code, sums[i::2], _SCRATCH, [f"{name}_{lane}" for name in _PARAMETERS[1:]])
    code.emit("vmov place, place_kept")
    gone = 0
    for t in range(tile):
        if t * shape.out_pixel - gone > _REACH:
            code.add_imm("place", "place", t * shape.out_pixel - gone)
            gone = t * shape.out_pixel
        code.emit(f"pkhbt {sums[2 * t]}, {sums[2 * t]}, {sums[2 * t + 1]}, lsl #16")
        code.emit(f"str {sums[2 * t]}, [place, #{t * shape.out_pixel - gone}]")
    code.add_imm("place", "place", tile * shape.out_pixel - gone)
    code.emit("vmov place_kept, place")


def _tap(code: Costed, sums: tuple[str, ...], weights: str, operands: list[str]) -> None:
    """The products of one tap: loads in groups of up to three, the weights first."""
    for start in range(0, len(operands), len(_VALUES)):
        group = operands[start : start + len(_VALUES)]
        if start == 0:
            code.emit(f"ldr taps, {weights}")
        code.emit_all(*(f"ldr {value}, {operand}" for value, operand in zip(_VALUES, group, strict=False)))
        for i, value in zip(range(len(group)), _VALUES, strict=False):
            low, high = sums[2 * (start + i) : 2 * (start + i) + 2]
            code.emit_all(f"smlabb {low}, {value}, taps, {low}", f"smlatt {high}, {value}, taps, {high}")


_PORTABLE = """    for (int32_t c = 0; c < {channels}; ++c) {{
        const int32_t *p = w + c / 2 * {stream} + c % 2;
        const int32_t *taps = w + c / 2 * {stream} + {parameters};
        for (int32_t y = 0; y < {height}; ++y) {{
            for (int32_t i = 0; i < {width}; ++i) {{
                int32_t acc = p[0];
                for (int32_t t = 0; t < {count}; ++t) {{
                    int32_t v = x[y * {down} + i * {step} + t / {kx} * {row} + t % {kx} * {pixel} + c];
                    acc = (int32_t)((uint32_t)acc + (uint32_t)(v * (c % 2 ? taps[t] >> 16 : (int16_t)taps[t])));
                }}
                o[y * {out_row} + i * {out_pixel} + c] = {value};
            }}
        }}
    }}"""


def _portable(shape: _Shape) -> str:
    return _PORTABLE.format(
        channels=2 * shape.pairs, stream=shape.stream, parameters=2 * shape.finish.parameters, height=shape.height, width=shape.width,
        count=shape.taps, down=shape.down // 2, step=shape.step // 2, kx=shape.kernel[1], row=shape.row // 2, pixel=shape.pixel // 2,
        out_row=shape.out_row // 2, out_pixel=shape.out_pixel // 2, value=shape.finish.expression(2))  # fmt: skip
