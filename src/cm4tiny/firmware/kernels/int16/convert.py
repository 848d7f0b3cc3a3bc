# SPDX-License-Identifier: Apache-2.0
"""Into and out of int16 tensors, and from one int16 layout to another.

Costs, predicted by the virtual board's cycle model: dense rows 2.0 cycles per value (SXTAB16 widens two values and takes the zero point
off in one instruction), three channels into pixels of four 2.4; dense values are narrowed in 2.8; any other
layout takes about 9.
"""

from __future__ import annotations

from typing import Any

from cm4tiny.firmware.kernels.base import Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.assembly import Assembly
from cm4tiny.firmware.kernels.int16.border import clear_border
from cm4tiny.firmware.kernels.int16.guards import require_same_image
from cm4tiny.firmware.kernels.int16.storage import Storage
from cm4tiny.firmware.kernels.registers import Register

__all__ = ["clear_border", "fills_padding", "narrow", "relayout", "widen"]

_GROUP = 4  # words of int8 per group of the dense loop: one LDM
_RGB_WORDS = 3  # words that hold four pixels of three channels
_NARROW_ALLOCATION = (
    Register("x", "r0", "argument: the next values"),
    Register("o", "r1", "argument: the next results"),
    Register("zero_point", "r3", "of the output, in all four bytes"),
    *(Register(f"pair{i}", f"r{4 + i}", "two values") for i in range(4)),
    Register("low", "r10", "even values, at last the result"),
    Register("high", "r11", "odd values"),
    Register("end", "lr", "end of the input"),
)
_WIDEN_ALLOCATION = (
    Register("x", "r0", "argument: the next values"),
    Register("o", "r1", "argument: the next results"),
    Register("rows", "r2", "rows left"),
    Register("minus_zero", "r3", "minus the input's zero point, in both halves"),
    *(Register(f"quad{i}", f"r{4 + i}", "four values; later two results") for i in range(4)),
    Register("even", "r10", "even values of a word, without zero point"),
    Register("odd", "r11", "odd values of a word; later two results"),
    Register("rgb0", "r4", "bytes r0 g0 b0 r1; later results"),
    Register("rgb1", "r5", "bytes g1 b1 r2 g2"),
    Register("rgb2", "r6", "bytes b2 r3 g3 b3"),
    Register("even0", "r7", "even bytes of a word, without zero point; later results"),
    Register("odd0", "r8", "odd bytes of a word; later results"),
    Register("even1", "r9", "even bytes of the word in the middle"),
    Register("odd1", "r10", "odd bytes of the word in the middle; later a result"),
    Register("end", "lr", "end of the input's row"),
)
_SHORT_COPY = 16  # elements; shorter runs are copied one by one, without a call


def widen(zero_point: int, target: Storage, *, transposed: bool = False) -> Kernel:
    """Packed int8 NHWC -> an int16 tensor. Padding channels (``pixel > channels``) get zeros, too, if :func:`fills_padding` says so.

    Args:
        zero_point: of the input.
        target: where the values go.
        transposed: the rows of the input are the columns of ``target``.
    """
    count = target.height * target.width * target.channels
    code = None if transposed else _widening(zero_point, target)

    def body(x: Any, o: Any) -> None:
        tir = Tir()
        if code is not None:
            tir.emit(code.name, tir.at(x, 0), tir.at(o, target.origin))
            return
        with tir.loop(target.height, "y") as y, tir.loop(target.width, "t") as t, tir.loop(target.channels, "c") as c:
            pixel = t * target.height + y if transposed else y * target.width + t
            value = tir.ir.Cast("int32", x[pixel * target.channels + c]) - zero_point
            tir.store(o, _place(target, y, t, c), tir.ir.Cast("int16", value))

    params = [Param("x", count), Param("o", target.elements, "int16")]
    return Kernel("widen", prim_func(params, body), code=() if code is None else (code,))


def fills_padding(target: Storage) -> bool:
    """Whether :func:`widen` writes the padding channels of the image, so that only its border is left to clear."""
    return target.pixel > target.channels and target.layout == "NHWC" and _rgb(target)


def narrow(source: Storage, zero_point: int) -> Kernel:
    """An int16 tensor -> packed int8 NHWC."""
    count = source.height * source.width * source.channels
    code = _narrow_dense(zero_point, count) if source.flat and count % 4 == 0 and source.origin % 2 == 0 else None

    def body(x: Any, o: Any) -> None:
        tir = Tir()
        if code is not None:
            tir.emit(code.name, tir.at(x, source.origin), tir.at(o, 0))
            return
        with tir.loop(source.height, "y") as y, tir.loop(source.width, "t") as t, tir.loop(source.channels, "c") as c:
            value = tir.ir.Cast("int32", x[_place(source, y, t, c)]) + zero_point
            tir.store(o, (y * source.width + t) * source.channels + c, tir.ir.Cast("int8", value))

    params = [Param("x", source.elements, "int16"), Param("o", count)]
    return Kernel("narrow", prim_func(params, body), code=() if code is None else (code,))


def relayout(source: Storage, target: Storage) -> Kernel:
    """An int16 tensor in another layout; zero points do not matter. Borders and padding channels of the target are left alone."""
    require_same_image(target, source)
    height, width, channels = source.image
    both = (source, target)
    aligned = not any(n % 2 for s in both for n in (s.origin, s.row, s.pixel))  # memcpy moves words

    def body(x: Any, o: Any) -> None:
        tir = Tir()

        def copy(y: Any, t: Any, count: int) -> None:
            start, to = _place(source, y, t, 0), _place(target, y, t, 0)
            if count >= _SHORT_COPY and aligned:
                tir.emit("memcpy", tir.at(o, to), tir.at(x, start), 2 * count)
            else:
                with tir.loop(count, "i") as i:
                    tir.store(o, to + i, x[start + i])

        if any(s.layout == "NCHW" for s in both):
            with tir.loop(channels, "c") as c, tir.loop(height, "y") as y, tir.loop(width, "t") as t:
                tir.store(o, _place(target, y, t, c), x[_place(source, y, t, c)])
        elif all(s.flat for s in both):
            copy(0, 0, height * width * channels)
        elif all(s.pixel == channels for s in both):
            with tir.loop(height, "y") as y:
                copy(y, 0, width * channels)
        else:
            with tir.loop(height, "y") as y, tir.loop(width, "t") as t:
                copy(y, t, channels)

    params = [Param("x", source.elements, "int16"), Param("o", target.elements, "int16")]
    return Kernel("relayout", prim_func(params, body))


def _place(storage: Storage, y: Any, x: Any, c: Any) -> Any:
    return storage.origin + y * storage.row + x * storage.pixel + c * storage.channel


# --- the fast form of narrow ---------------------------------------------------------------------------------------------------
def _narrow_dense(zero_point: int, count: int) -> CFunction:
    """``count`` values without gaps, a multiple of 4."""

    def group(code: Assembly, values: int, at: int) -> None:
        words = [f"pair{i}" for i in range(values // 2)]
        code.emit(f"ldm x!, {{{', '.join(words)}}}")
        for i in range(0, len(words), 2):
            a, b = words[i : i + 2]
            code.emit_all(f"pkhbt low, {a}, {b}, lsl #16", f"pkhtb high, {b}, {a}, asr #16", "uxtb16 low, low", "uxtb16 high, high")
            code.emit_all("orr low, low, high, lsl #8", "uadd8 low, low, zero_point", f"str low, [o, #{at + 2 * i}]")

    code = Assembly(_NARROW_ALLOCATION)
    code.emit("push {r4-r11, lr}")
    code.constant("zero_point", (zero_point & 0xFF) * 0x01010101)
    iterations, rest = divmod(count, 16)
    if iterations:
        code.add_imm("end", "x", 32 * iterations)
        code.label("1")
        group(code, 8, 0)
        group(code, 8, 8)
        code.add_imm("o", "o", 16)
        code.emit("cmp x, end")
        code.loop_end("1")
    for start in range(0, rest, 8):
        group(code, min(8, rest - start), start)
    code.emit("pop {r4-r11, pc}")
    return code.function("narrow", "const int16_t *x, int8_t *o", _NARROW.format(count=count, zero_point=zero_point))


# --- the fast forms of widen --------------------------------------------------------------------------------------------------
def _rgb(target: Storage) -> bool:
    """Whether four pixels of three channels can go from three words to eight."""
    aligned = target.width % 4 == 0 and target.origin % 2 == 0 and target.row % 2 == 0
    return target.layout == "NHWC" and target.channels == 3 and target.pixel == 4 and aligned


def _widening(zero_point: int, target: Storage) -> CFunction | None:
    """The assembly loop for a layout, if there is one."""
    if _rgb(target):
        return _widen_rgb(zero_point, target)
    if target.layout != "NHWC" or target.pixel != target.channels or target.origin % 2:
        return None
    values = target.width * target.channels
    if target.flat:
        values *= target.height
    rows = 1 if target.flat else target.height
    if values % 4 or (rows > 1 and target.row % 2):
        return None
    return _widen_dense(zero_point, rows, values // 4, target.row)


def _widen_dense(zero_point: int, rows: int, words: int, row: int) -> CFunction:
    """Rows of ``4 * words`` int8 values, without gaps, to rows ``row`` elements apart."""

    def group(code: Assembly, count: int, at: int) -> None:
        """``count`` words to the place ``at`` bytes from the output pointer."""
        quads = [f"quad{i}" for i in range(count)]
        code.emit(f"ldm x!, {{{', '.join(quads)}}}" if count > 1 else f"ldr {quads[0]}, [x], #4")
        for i, quad in enumerate(quads):
            code.emit(f"sxtab16 even, minus_zero, {quad}")
            code.emit(f"sxtab16 odd, minus_zero, {quad}, ror #8")
            code.emit(f"pkhbt {quad}, even, odd, lsl #16")
            code.emit("pkhtb odd, odd, even, asr #16")
            code.emit(f"str {quad}, [o, #{at + 8 * i}]")
            code.emit(f"str odd, [o, #{at + 8 * i + 4}]")

    return _rows(zero_point, rows, words, (2 * _GROUP, _GROUP), group, 8, 2 * row, 8 * words, "widen", _DENSE.format(
        rows=rows, values=4 * words, row=row, zero_point=zero_point))  # fmt: skip


def _widen_rgb(zero_point: int, target: Storage) -> CFunction:
    """Rows of pixels of three channels to pixels of four; the fourth is zero."""

    def group(code: Assembly, _count: int, at: int) -> None:
        code.emit("ldm x!, {rgb0, rgb1, rgb2}")  # r0 g0 b0 r1 | g1 b1 r2 g2 | b2 r3 g3 b3
        offsets = iter(range(at, at + 32, 4))

        def put(register: str, *instructions: str) -> None:
            code.emit_all(*instructions, f"str {register}, [o, #{next(offsets)}]")

        code.emit_all("sxtab16 even0, minus_zero, rgb0", "sxtab16 odd0, minus_zero, rgb0, ror #8")
        code.emit_all("sxtab16 even1, minus_zero, rgb1", "sxtab16 odd1, minus_zero, rgb1, ror #8")
        put("rgb0", "pkhbt rgb0, even0, odd0, lsl #16")  # r0 g0
        put("even0", "lsr even0, even0, #16")  # b0
        put("odd0", "lsr odd0, odd0, #16", "pkhbt odd0, odd0, even1, lsl #16")  # r1 g1
        put("rgb0", "uxth rgb0, odd1")  # b1
        code.emit_all("sxtab16 even0, minus_zero, rgb2", "sxtab16 odd0, minus_zero, rgb2, ror #8")
        put("odd1", "pkhtb odd1, odd1, even1, asr #16")  # r2 g2
        put("rgb0", "uxth rgb0, even0")  # b2
        put("even0", "pkhbt even0, odd0, even0")  # r3 g3
        put("odd0", "lsr odd0, odd0, #16")  # b3

    words = target.width // 4 * _RGB_WORDS
    text = _RGB.format(rows=target.height, width=target.width, row=target.row, zero_point=zero_point)
    sizes = (4 * _RGB_WORDS, _RGB_WORDS)
    return _rows(zero_point, target.height, words, sizes, group, 32 / _RGB_WORDS, 2 * target.row, 8 * target.width, "widen_rgb", text)


def _rows(
    zero_point: int, rows: int, words: int, sizes: tuple[int, int], group: Any, per_word: float, row_bytes: int, written: int,
    prefix: str, portable: str,
) -> CFunction:  # fmt: skip
    """A loop over rows around a loop over groups of words.

    ``sizes`` is how many words an iteration of the inner loop and a group take, ``per_word`` how many bytes a word becomes, ``row_bytes``
    the distance of output rows and ``written`` what the groups of one row write.
    """
    code = Assembly(_WIDEN_ALLOCATION)
    code.emit("push {r4-r11, lr}")
    code.constant("minus_zero", (-zero_point & 0xFFFF) * 0x10001)
    if rows > 1:
        code.constant("rows", rows)
        code.label("1")
    per_iteration, per_group = sizes
    iterations, rest = divmod(words, per_iteration)
    if iterations:
        if iterations > 1:
            code.add_imm("end", "x", 4 * per_iteration * iterations)
            code.label("2")
        for i in range(per_iteration // per_group):
            group(code, per_group, round(per_word * per_group * i))
        code.add_imm("o", "o", round(per_word * per_iteration))
        if iterations > 1:
            code.emit("cmp x, end")
            code.loop_end("2")
    for start in range(0, rest, per_group):
        group(code, min(per_group, rest - start), round(per_word * start))
    if rows > 1:
        code.add_imm("o", "o", row_bytes - written + round(per_word * rest))
        code.emit("subs rows, rows, #1")
        code.loop_end("1")
    code.emit("pop {r4-r11, pc}")
    return code.function(prefix, "const int8_t *x, int16_t *o", portable)


_DENSE = """    for (int32_t y = 0; y < {rows}; ++y) {{
        for (int32_t i = 0; i < {values}; ++i) {{
            o[{row} * y + i] = (int16_t)(x[{values} * y + i] - ({zero_point}));
        }}
    }}"""

_RGB = """    for (int32_t y = 0; y < {rows}; ++y) {{
        for (int32_t i = 0; i < {width}; ++i) {{
            for (int32_t c = 0; c < 3; ++c) {{
                o[{row} * y + 4 * i + c] = (int16_t)(x[({width} * y + i) * 3 + c] - ({zero_point}));
            }}
            o[{row} * y + 4 * i + 3] = 0;
        }}
    }}"""

_NARROW = """    for (int32_t i = 0; i < {count}; ++i) {{
        o[i] = (int8_t)(x[i] + ({zero_point}));
    }}"""
