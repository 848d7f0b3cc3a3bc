# SPDX-License-Identifier: Apache-2.0
"""Assembly of the depthwise convolution 3x3 on NCHW tensors, and its portable version; see :mod:`.depthwise`."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.finish import Finish, Scratch
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.schedule import Costed
from cm4tiny.firmware.kernels.registers import Register

TAPS = 3
_REGISTERS = tuple(f"r{i}" for i in range(12))
_PARAMETERS_HELD = ("mantissa", "rounding", "shift")
_ALLOCATION = (
    Register("x", "r0", "argument: the first plane"),
    Register("w", "r1", "argument: weights and parameters of all channels"),
    Register("o", "r2", "argument: the first result"),
    Register("stream", "r11", "where the next channel's weights stand"),
    Register("end", "r11", "end of a loop"),
    Register("source", "r12", "the first input of a block"),
    Register("place", "lr", "the first result of a block"),
    Register("bias", "s0", "of the channel"),
    Register("mantissa", "s1", "of the channel"),
    Register("rounding", "s2", "of the channel"),
    Register("shift", "s3", "of the channel; not in the uniform form"),
    Register("bands_end", "s4", "end in x of the bands of rows"),
    Register("columns_end", "s5", "end in x of the loop along a row or over the columns"),
    Register("channels_end", "s6", "end of x"),
    Register("stream_kept", "s7", "see stream"),
)
_UNROLL = 5  # blocks per iteration; more do not fit into the instruction cache
_TALLEST = 8  # rows of outputs that are written out
_REACH = 4095  # of an immediate offset, in bytes
_PARAMETERS = "const int16_t *x, const int32_t *w, int16_t *o"


@dataclass(frozen=True)
class DepthwiseShape:
    """A layer as the assembly sees it; strides in bytes.

    Attributes:
        stride: 1 or 2.
        height, width: of the output.
        channels: number of planes.
        row, plane: between rows and planes of the input.
        out_pixel, out_row, out_channel: of the output.
        inside: first and last row, first and last column of the image, counted from the first row and column that the window reads;
            all other cells are zero.
        finish: from sums to outputs.
    """

    stride: int
    height: int
    width: int
    channels: int
    row: int
    plane: int
    out_pixel: int
    out_row: int
    out_channel: int
    inside: tuple[int, int, int, int]
    finish: Finish

    @property
    def weight_words(self) -> int:
        return 6 if self.stride == 1 else 5

    @property
    def stream(self) -> int:
        """Words per channel in the stream of weights."""
        return self.weight_words + self.finish.parameters


@dataclass(frozen=True)
class Walk:
    """The order of the blocks of a plane.

    Attributes:
        rows: of outputs of a block.
        unroll: blocks per iteration of a loop along a row, within a loop over bands of rows; 0: all blocks of a column are written out,
            within a loop over columns.
    """

    rows: int
    unroll: int

    def __str__(self) -> str:
        return f"{self.rows}x2 u{self.unroll}" if self.unroll else f"{self.rows}x2 columns"


def walks(shape: DepthwiseShape) -> Iterator[Walk]:
    """The orders worth trying: what fills a row evenly, what leaves no loop at all."""
    blocks = max(1, shape.width // 2)
    if 1 < shape.height <= _TALLEST:
        yield Walk(2, 0)
    for rows in (2, 1) if shape.height > 1 else (1,):
        for unroll in range(min(blocks, _UNROLL), 0, -1):
            if unroll == blocks or blocks // unroll > 1:
                yield Walk(rows, unroll)


@functools.lru_cache(maxsize=256)
def depthwise_function(shape: DepthwiseShape, walk: Walk) -> tuple[CFunction, int, int]:
    """The function for all channels, its cycles, and how many lines of the instruction cache it needs.

    Raises:
        KernelLimitError: an offset is out of reach.
    """
    writer = _Writer(shape, walk)
    writer.write()
    code = writer.code.function("depthwise", _PARAMETERS, _portable(shape))
    return code, round(writer.code.cycles), writer.code.loop_lines


@dataclass(frozen=True)
class _Block:
    """Outputs that are computed together.

    Attributes:
        rows, columns: how many.
        at, out_at: distances of the first one's first input and of its output from the pointers, in bytes.
        y, x: of the first output in the plane, as far as they are the same each time the code runs.
    """

    rows: int
    columns: int
    at: int
    out_at: int
    y: int | None
    x: int | None


class _Writer:
    def __init__(self, shape: DepthwiseShape, walk: Walk) -> None:
        self.shape, self.walk, self.code = shape, walk, Costed(_ALLOCATION)
        held, free = _REGISTERS[: shape.weight_words], _REGISTERS[shape.weight_words :]
        names = self.code.registers
        self.weights = names.numbered("taps", held, "two weights of the channel")
        self.sums = names.numbered("sum", free[:4], "an output of the block, row by row")
        self.temps = names.numbered("t", free, "a word of inputs, then parameters: those after the block's sums are free")

    def write(self) -> None:
        code, shape = self.code, self.shape
        code.emit("push {r4-r11, lr}")
        code.emit_all("mov source, x", "mov place, o", "vmov stream_kept, w")
        if shape.channels > 1:
            self._end("channels_end", shape.plane * shape.channels)
        code.times = shape.channels
        code.label("9")
        code.emit("vmov stream, stream_kept")
        code.emit(f"ldmia stream!, {{{', '.join(self.weights)}}}")
        code.emit(f"vldmia stream!, {{bias-{_PARAMETERS_HELD[shape.finish.parameters - 2]}}}")
        code.emit("vmov stream_kept, stream")
        gone, out_gone = self._by_rows() if self.walk.unroll else self._by_columns()
        self._move(shape.plane - gone, shape.out_channel - out_gone)
        if shape.channels > 1:
            self._until("channels_end", "9", shape.channels)
        code.times = 1
        code.emit("pop {r4-r11, pc}")

    def _end(self, register: str, distance: int) -> None:
        """Keeps where the input pointer will be at the end of a loop."""
        self.code.add_imm("end", "source", distance)
        self.code.emit(f"vmov {register}, end")

    def _until(self, register: str, label: str, iterations: int) -> None:
        self.code.emit_all(f"vmov end, {register}", "cmp source, end")
        self.code.repeat_end(label, iterations)

    def _move(self, distance: int, out_distance: int) -> None:
        self.code.add_imm("source", "source", distance)
        self.code.add_imm("place", "place", out_distance)

    def _by_rows(self) -> tuple[int, int]:
        """Bands of rows, from left to right; returns how far the pointers have moved."""
        code, shape, rows = self.code, self.shape, self.walk.rows
        bands, rest = divmod(shape.height, rows)
        down, out_down = rows * shape.stride * shape.row, rows * shape.out_row
        if bands > 1:
            self._end("bands_end", bands * down)
            code.label("8")
        code.times = shape.channels * bands
        gone, out_gone = self._band(rows, None if bands > 1 else 0, "7")
        if bands > 1:
            self._move(down - gone, out_down - out_gone)
            self._until("bands_end", "8", bands)
            gone, out_gone = bands * down, bands * out_down
        code.times = shape.channels
        if rest:
            self._move(bands * down - gone, bands * out_down - out_gone)
            right, out_right = self._band(rest, bands * rows, "6")
            gone, out_gone = bands * down + right, bands * out_down + out_right
        return gone, out_gone

    def _band(self, rows: int, y: int | None, label: str) -> tuple[int, int]:
        """All blocks of a band; returns how far the pointers have moved."""
        code, shape, unroll, times = self.code, self.shape, self.walk.unroll, self.code.times
        pairs, single = divmod(shape.width, 2)
        iterations = pairs // unroll
        step, out_step = 4 * shape.stride, 2 * shape.out_pixel
        done = 0
        if iterations > 1:
            done = iterations * unroll
            self._end("columns_end", done * step)
            code.label(label)
            code.times = times * iterations
            for i in range(unroll):
                self._block(_Block(rows, 2, i * step, i * out_step, y, None))
            self._move(unroll * step, unroll * out_step)
            self._until("columns_end", label, iterations)
            code.times = times
        for i in range(pairs - done):
            self._block(_Block(rows, 2, i * step, i * out_step, y, 2 * (done + i)))
        if single:
            self._block(_Block(rows, 1, (pairs - done) * step, (pairs - done) * out_step, y, 2 * pairs))
        return done * step, done * out_step

    def _by_columns(self) -> tuple[int, int]:
        """Columns of blocks, from top to bottom; returns how far the pointers have moved."""
        code, shape = self.code, self.shape
        pairs, single = divmod(shape.width, 2)
        step, out_step = 4 * shape.stride, 2 * shape.out_pixel
        if pairs:
            if pairs > 1:
                self._end("columns_end", pairs * step)
                code.label("8")
            code.times = shape.channels * pairs
            out_gone = self._column(2, None if pairs > 1 else 0)
            self._move(step, out_step - out_gone)
            if pairs > 1:
                self._until("columns_end", "8", pairs)
            code.times = shape.channels
        out_gone = self._column(1, 2 * pairs) if single else 0
        return pairs * step, pairs * out_step + out_gone

    def _column(self, columns: int, x: int | None) -> int:
        """The blocks of a column; returns how far the output pointer has moved."""
        shape, gone = self.shape, 0
        for y in range(0, shape.height, self.walk.rows):
            rows = min(self.walk.rows, shape.height - y)
            furthest = (y + rows - 1) * shape.out_row + (columns - 1) * shape.out_pixel
            if furthest - gone > _REACH:
                self._move(0, y * shape.out_row - gone)
                gone = y * shape.out_row
            self._block(_Block(rows, columns, y * shape.stride * shape.row, y * shape.out_row - gone, y, x))
        return gone

    def _block(self, block: _Block) -> None:
        shape, code = self.shape, self.code
        sums = [[self.sums[y * block.columns + x] for x in range(block.columns)] for y in range(block.rows)]
        flat = [register for row in sums for register in row]
        temps = self.temps[len(flat) :]
        code.emit(f"vmov {flat[-1]}, bias")
        self._sums(block, sums, temps)
        shape.finish.emit(code, flat, Scratch(temps[0], temps[1], temps[0], temps[2] if len(temps) > 2 else None), _PARAMETERS_HELD)
        for y, row in enumerate(sums):
            for x, register in enumerate(row):
                offset = block.out_at + y * shape.out_row + x * shape.out_pixel
                _reachable(offset)
                code.emit(f"strh {register}, [place, #{offset}]")

    def _sums(self, block: _Block, sums: Sequence[Sequence[str]], temps: Sequence[str]) -> None:
        """Loads in groups as large as the registers allow, and the products. The first one of each sum is added to the bias, which the
        last sum's register holds; in this order that sum starts last, unless words of the border are left out."""
        code, flat = self.code, [register for row in sums for register in row]
        holder, started = flat[-1], set[str]()
        words = self._words(block, sums)
        while words:
            group, words = words[: len(temps)], words[len(temps) :]
            for (offset, _), temp in zip(group, temps, strict=False):
                _reachable(offset)
                code.emit(f"ldr {temp}, [source, #{offset}]")
            for (_, products), temp in zip(group, temps, strict=False):
                for word, register, w in products:
                    if register not in started and holder in started:
                        code.emit(f"vmov {register}, bias")
                        started.add(register)
                    code.emit(f"{word} {register}, {temp}, {w}, {register if register in started else holder}")
                    started.add(register)
        code.emit_all(*(f"vmov {register}, bias" for register in flat[:-1] if register not in started))

    def _words(self, block: _Block, sums: Sequence[Sequence[str]]) -> list[tuple[int, list[tuple[str, str, str]]]]:
        """The words that a block reads: their distances from the pointer and what is done with them: (instruction, sum, weights).
        What is known to be border is left out: it is zero."""
        shape, found = self.shape, []
        for y in range((block.rows - 1) * shape.stride + TAPS):
            if block.y is not None and not shape.inside[0] <= block.y * shape.stride + y <= shape.inside[1]:
                continue
            for i in range(2 if shape.stride == 1 else block.columns + 1):
                products = [
                    (word, sums[oy][ox], w)
                    for oy in range(block.rows)
                    if 0 <= y - oy * shape.stride < TAPS
                    for ox in range(block.columns)
                    for word, w in self._products(y - oy * shape.stride, i, ox)
                    if block.x is None or self._matters(word, block.x * shape.stride + 2 * i)
                ]
                if products:
                    found.append((block.at + y * shape.row + 4 * i, products))
        return found

    def _matters(self, word: str, column: int) -> bool:
        """Whether an instruction on the word at a column of the window's reads a cell of the image."""
        first, last = self.shape.inside[2:]
        cells = (column, column + 1) if word == "smlad" else (column + (word[4] == "t"),)
        return any(first <= cell <= last for cell in cells)

    def _products(self, tap: int, i: int, ox: int) -> Iterator[tuple[str, str]]:
        """Instruction and weights of a word ``i`` of a row for the output ``ox`` of a block."""
        w = self.weights
        if self.shape.stride == 1:
            yield ((("smlad", w[2 * tap]), ("smlabt", w[2 * tap + 1])), (("smlatb", w[2 * tap]), ("smlad", w[2 * tap + 1])))[ox][i]
        elif i == ox:
            yield "smlad", w[tap]
        elif i == ox + 1:
            yield ("smlabb", "smlabt", "smlabb")[tap], w[(3, 3, 4)[tap]]


def _reachable(offset: int) -> None:
    if not 0 <= offset <= _REACH:
        raise KernelLimitError("its rows are too long for immediate offsets")


# --- the portable version --------------------------------------------------------------------------------------------------------
_PORTABLE = """    for (int32_t c = 0; c < {channels}; ++c) {{
        const int32_t *p = w + {weight_words};
        for (int32_t y = 0; y < {height}; ++y) {{
            for (int32_t i = 0; i < {width}; ++i) {{
                int32_t acc = p[0];
                for (int32_t t = 0; t < 3; ++t) {{
                    const int16_t *v = x + ({stride} * y + t) * {row} + {stride} * i;
                    {weights}
                    acc = (int32_t)((uint32_t)acc + (uint32_t)(v[0] * (int16_t)a) + (uint32_t)(v[1] * (a >> 16)) + (uint32_t)(v[2] * b));
                }}
                {epilogue}
            }}
        }}
        x += {plane};
        w += {stream};
        o += {out_channel};
    }}"""
_WEIGHTS_OF = {
    1: "int32_t a = w[2 * t], b = w[2 * t + 1] >> 16;",
    2: "int32_t a = w[t], b = t == 1 ? w[3] >> 16 : (int16_t)w[t == 0 ? 3 : 4];",
}


def _portable(shape: DepthwiseShape) -> str:
    epilogue = f"o[{shape.out_row // 2} * y + {shape.out_pixel // 2} * i] = {shape.finish.expression()};"
    return _PORTABLE.format(
        channels=shape.channels, weight_words=shape.weight_words, height=shape.height, width=shape.width, stride=shape.stride,
        row=shape.row // 2, weights=_WEIGHTS_OF[shape.stride], epilogue=epilogue, plane=shape.plane // 2, stream=shape.stream,
        out_channel=shape.out_channel // 2)  # fmt: skip
