# SPDX-License-Identifier: Apache-2.0
"""AVERAGE_POOL_2D of int16 values, NHWC, without padding: one assembly call per window, all channels.

TFLite rounds the mean of the quantised values to the nearest, ties away from zero
(tensorflow/lite/kernels/internal/reference/integer_ops/pooling.h). Here SADD16 sums two channels per word. The sums start at
``n * (128 + zero_point) + n // 2``, so that they are those of the values' distances to -128 with half a divisor added: unsigned 16-bit
numbers for up to 256 values. The quotient is the high word of a product with ``ceil(2**32 / n)``, which is exact for these numbers. A tie
is only possible for an even ``n``; where the sum is not positive, one is taken off before the division, which moves ties down.

Cost on the Cortex-M4 (DDI0439, SRAM): 1.1 cycles per value, 4 per iteration of a loop (8 pixels of 8 channels), 3.5 (n odd) or 5.5 per
output.
"""

from __future__ import annotations

import functools
from typing import Any

from cm4tiny.firmware.kernels.base import Candidate, Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16.guards import require_window
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.schedule import Costed
from cm4tiny.firmware.kernels.int16.storage import Storage
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN
from cm4tiny.firmware.kernels.registers import Register

_WORDS = 4  # words of channels per pass over the window
_UNROLL = 8  # pixels per iteration
_MOST_VALUES = 256  # in a window: then sums fit into 16 bits
_CALL_CYCLES = 12
_ALLOCATION = (
    Register("x", "r0", "argument: the window's first pixel, channels of this pass"),
    Register("o", "r1", "argument: the results of this pass"),
    Register("at", "r2", "where the window is read"),
    Register("row_end", "r3", "end of the window's row"),
    *(Register(f"value{i}", f"r{4 + i}", "two channels of a pixel") for i in range(_WORDS)),
    *(Register(f"sum{i}", f"r{8 + i}", "two channels' sums, as unsigned halves") for i in range(_WORDS)),
    Register("temp", "r4", "constants and ends on their way to the FPU registers and back"),
    Register("low", "r4", "sum, quotient of the lower channel; at last both"),
    Register("high", "r5", "sum, quotient of the upper channel"),
    Register("scratch", "r6", "sign of a sum; low word of a product"),
    Register("back", "r7", "what lies between a quotient and the stored value, twice"),
    Register("reciprocal", "r12", "2**32 over the number of values, rounded up"),
    Register("tie", "lr", "the least positive sum, even numbers of values only"),
    Register("channels_end", "s0", "end of the passes in x"),
    Register("start", "s1", "where sums start, twice"),
    Register("rows_end", "s2", "end of the window"),
    Register("back_kept", "s3", "see back"),
)

_PORTABLE = """    for (int32_t c = 0; c < {channels}; ++c) {{
        int32_t sum = 0;
        for (int32_t y = 0; y < {height}; ++y) {{
            for (int32_t i = 0; i < {width}; ++i) {{
                sum += x[{row} * y + {pixel} * i + c] + ({zero_point});
            }}
        }}
        o[c] = (int16_t)((sum + (sum > 0 ? {half} : -{half})) / {count} - ({zero_point}));
    }}"""


def candidates(window: Window, zero_point: int, source: Storage, target: Storage, *, low: int, high: int) -> list[Candidate]:
    """All ways to average; input and output share ``zero_point``; ``low`` and ``high`` clamp the output.

    Raises:
        KernelLimitError: the layer is outside the limits.
    """
    count = window.kernel[0] * window.kernel[1]
    if any(window.padding) or window.dilation != (1, 1):
        raise KernelLimitError("its windows leave the image")
    if not 1 < count <= _MOST_VALUES:
        raise KernelLimitError(f"its windows have {count} values")
    if (low, high) != (INT8_MIN, INT8_MAX):
        raise KernelLimitError(f"it clamps its output to {low}..{high}")
    if source.layout != "NHWC" or target.layout != "NHWC":
        raise KernelLimitError("its tensors are not NHWC")
    require_window(window, source, target, window.channels)
    if any(n % 2 for s in (source, target) for n in (s.origin, s.pixel, s.row) if s.height * s.width > 1 or n == s.origin):
        raise KernelLimitError("its pixels do not start at whole words")
    code, cycles = _function(window.kernel, source.row, source.pixel, window.channels, zero_point)
    height, width = window.output
    make = functools.partial(_kernel, window, code, source, target)
    return [Candidate("pool", height * width * (cycles + _CALL_CYCLES), 0, 0, make)]


def _kernel(window: Window, code: CFunction, source: Storage, target: Storage) -> Kernel:
    height, width = window.output

    def body(x: Any, o: Any) -> None:
        tir = Tir()

        def one(y: Any, t: Any) -> None:
            start = source.origin + y * window.strides[0] * source.row + t * window.strides[1] * source.pixel
            tir.emit(code.name, tir.at(x, start), tir.at(o, target.origin + y * target.row + t * target.pixel))

        if height * width == 1:
            one(0, 0)
        else:
            with tir.loop(height, "y") as y, tir.loop(width, "t") as t:
                one(y, t)

    params = [Param("x", source.elements, "int16"), Param("o", target.elements, "int16")]
    return Kernel("average_pool", prim_func(params, body), code=(code,))


def _function(kernel: tuple[int, int], row: int, pixel: int, channels: int, zero_point: int) -> tuple[CFunction, int]:
    """One window; ``row`` and ``pixel`` in elements."""
    height, width = kernel
    count = height * width
    portable = _PORTABLE.format(channels=channels, height=height, width=width, row=row, pixel=pixel, zero_point=zero_point, half=count // 2,
                        count=count)  # fmt: skip
    if row == width * pixel:
        height, width = 1, height * width
    code = Costed(_ALLOCATION)
    code.emit("push {r4-r11, lr}")
    for register, value in (("start", count * (128 + zero_point) + count // 2), ("back_kept", 128 + zero_point)):
        code.constant("temp", (value & 0xFFFF) * 0x10001)
        code.emit(f"vmov {register}, temp")
    code.constant("reciprocal", -(-(1 << 32) // count))
    if count % 2 == 0:
        code.constant("tie", 128 * count + count // 2 + 1)
    groups, rest = divmod((channels + 1) // 2, _WORDS)
    passes = [(groups, _WORDS)] * (groups > 0) + [(1, rest)] * (rest > 0)
    for i, (times, words) in enumerate(passes):
        if times > 1:
            code.add_imm("temp", "x", 4 * words * times)
            code.emit("vmov channels_end, temp")
            code.label("1")
        code.times = times
        _sums(code, (height, width), 2 * row, 2 * pixel, words)
        last = i == len(passes) - 1
        _means(code, words, even=count % 2 == 0, single=last and times == 1 and channels % 2 == 1)
        if times > 1 or not last:
            code.add_imm("x", "x", 4 * words)
            code.add_imm("o", "o", 4 * words)
        if times > 1:
            code.emit_all("vmov temp, channels_end", "cmp x, temp")
            code.repeat_end("1", times)
        code.times = 1
    code.emit("pop {r4-r11, pc}")
    return code.function("pool", "const int16_t *x, int16_t *o", portable), round(code.cycles)


def _sums(code: Costed, size: tuple[int, int], row: int, pixel: int, words: int) -> None:
    """Sums of up to four words of channels; ``row`` and ``pixel`` in bytes."""
    height, width = size
    unroll = max(n for n in range(1, _UNROLL + 1) if width % n == 0)
    iterations, times = width // unroll, code.times
    code.emit_all(*(f"vmov sum{i}, start" for i in range(words)))
    code.emit("mov at, x")
    if height > 1:
        code.add_imm("temp", "at", height * row)
        code.emit("vmov rows_end, temp")
        code.label("2")
    code.times = times * height
    if iterations > 1:
        code.add_imm("row_end", "at", width * pixel)
        code.label("3")
        code.times = times * height * iterations
    reach = 0
    for i in range(unroll):
        if i * pixel - reach + 4 * words > 4095:
            code.add_imm("at", "at", i * pixel - reach)
            reach = i * pixel
        code.emit_all(*(f"ldr value{k}, [at, #{i * pixel - reach + 4 * k}]" for k in range(words)))
        code.emit_all(*(f"sadd16 sum{k}, sum{k}, value{k}" for k in range(words)))
    if iterations > 1:
        code.add_imm("at", "at", unroll * pixel - reach)
        code.emit("cmp at, row_end")
        code.repeat_end("3", iterations)
        code.times = times * height
        reach = width * pixel
    if height > 1:
        code.add_imm("at", "at", row - reach)
        code.emit_all("vmov temp, rows_end", "cmp at, temp")
        code.repeat_end("2", height)
    code.times = times


def _means(code: Costed, words: int, *, even: bool, single: bool) -> None:
    """Quotients of the sums, and their stores; ``single``: the last word has one channel only."""
    code.emit("vmov back, back_kept")
    for i in range(words):
        code.emit_all(f"uxth low, sum{i}", f"lsr high, sum{i}, #16")
        for register in ("low", "high"):
            if even:
                code.emit_all(f"sub scratch, {register}, tie", f"add {register}, {register}, scratch, asr #31")
            code.emit(f"umull scratch, {register}, {register}, reciprocal")
        code.emit_all("pkhbt low, low, high, lsl #16", "ssub16 low, low, back")
        code.emit(f"{'strh' if single and i == words - 1 else 'str'} low, [o, #{4 * i}]")
