# SPDX-License-Identifier: Apache-2.0
"""The multiply-accumulate block: Q output channels over all tiles of P pixels of a region; the heart of convolution and matrix product.

One call walks a region of the output tile by tile, row by row, for blocks of Q channels one after another. Per tile it keeps P x Q sums
in registers and takes two values of each pixel and two weights of each channel at a time (a "pair", one word) through SMLAD. What lies
under a tile is described by runs of consecutive pairs: one run per row of the window, all equally long. Pixels and runs are constant byte
offsets, so most loads need no pointer updates.

An iteration of the inner loop takes the same few pairs of every run (the order of a sum is free; :meth:`MacBlock.order` tells the packer
the
weights), so runs need no loop of their own. Pairs of a run are ``unit`` bytes apart: a run may also go down the window's rows. The first
pairs of a tile may stand in front of the loop: there the first one adds to the bias instead of to copies of it. Bias, mantissa, rounding
and shift of the block's channels stay in FPU registers over all tiles.

The few words of weights of a small block stay in FPU registers, too ("resident"): one more register is free, and a pair takes a cycle less.

Merged weights (see :mod:`.weights`) hold two channels in a word: half the memory and half the loads of weights for one SXTB16 more, and
three more instructions per pixel and two channels in the epilogue; two if the layer's channels share a shift, because then the biases are
in the sums from the start, and both sums are taken times 256 (:mod:`.shared_shift`).

Cost on the Cortex-M4 (DDI0439, all data in SRAM), measured: per pair of k values P x Q = 4 x 2 and 2 x 4: 16 cycles, 3 x 2: 12, 2 x 2:
8.5, 1 x 4: 9.7; merged: 4 x 2: 16, 2 x 4: 15, 3 x 2: 12, 2 x 2: 8.5, 1 x 4: 9.4. Per iteration of the inner loop 3, and 2 if it is
repeated. Epilogue per output 3 (uniform), 4 (relu) or 6 (linear), merged 1.5 more (uniform: 1); per channel 4, uniform 3; per tile 8 to
12. Per block of channels 30, per call 40.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.assembly import float_list
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.schedule import (
    ACCUMULATORS,
    SPARE,
    TAKEN,
    Costed,
    requantise_linear,
    requantise_relu,
    requantise_uniform,
    schedule,
    schedule_merged,
)
from cm4tiny.firmware.kernels.registers import Register

_ALLOCATION = (
    Register("x", "r0", "argument: the tile's first pixel"),
    Register("w", "r1", "argument: the weights"),
    Register("p", "r2", "argument: the next block's parameters"),
    Register("o", "r3", "argument: the first result"),
    Register("output", "r2", "the tile's first result"),
    Register("end", "r2", "end of the loop over pairs"),
    Register("bound", "r3", "end of a loop over tiles or blocks"),
    Register("even", "r3", "merged: bias of a channel"),
    Register("odd", "r12", "merged: bias of the next channel"),
    Register("mantissa", "r3", "of a channel"),
    Register("rounding", "r12", "of a channel"),
    Register("shift", "lr", "of a channel"),
    Register("scaled", "r1", "a scaled sum, linear form"),
)
_HELD = ("bias", "mantissa", "rounding", "shift")
_STATES = {
    "output_kept": "see output",
    "w_kept": "the block's weights, or after them where they are resident",
    "w_end": "end of the block's weights",
    "row_end": "end in x of a row of tiles",
    "rows_end": "end in x of the region",
    "p_kept": "the next block's parameters",
    "p_end": "end of the parameters",
}
MAX_OFFSET = 4095
MAX_WRITEBACK = 255
FPU_REGISTERS = 32


@dataclass(frozen=True)
class Epilogue:
    """How sums become stored values.

    Attributes:
        kind: ``"relu"`` and ``"linear"`` as in :mod:`~cm4tiny.firmware.kernels.int16.requant`, ``"uniform"`` as in :mod:`.uniform`.
        constant: the output's zero point (linear), the shift (uniform).
    """

    kind: Literal["relu", "linear", "uniform"]
    constant: int = 0

    @property
    def parameters(self) -> int:
        """Words per channel: bias, mantissa, rounding, and unless there is one for all, the shift."""
        return 3 if self.kind == "uniform" else 4


@dataclass(frozen=True)
class MacBlock:
    """What one micro-kernel computes. All distances are in bytes.

    Attributes:
        pixels: of the tile's pixels in the input, from the first one's.
        outputs: the same in the output.
        channels: Q.
        channel: between channels in the output.
        runs: of the runs of input values, from the pixel's first value; ascending multiples of 4, the first one is 0.
        length: pairs in each run.
        unit: from pair to pair of a run.
        tiles: rows and columns of tiles in the region.
        source, target: from tile to tile, (down, right).
        epilogue: of the layer.
        first: pairs of each run that are written out in front of the loop.
        unrolled: pairs of each run per iteration of the loop; 0 if there is no loop.
        merged: two channels' weights in a word.
        blocks: blocks of channels.
        resident: a block's weights stay in FPU registers; there is no inner loop.
    """

    pixels: tuple[int, ...]
    outputs: tuple[int, ...]
    channels: int
    channel: int
    runs: tuple[int, ...]
    length: int
    unit: int
    tiles: tuple[int, int]
    source: tuple[int, int]
    target: tuple[int, int]
    epilogue: Epilogue
    first: int
    unrolled: int
    merged: bool = False
    blocks: int = 1
    resident: bool = False

    @property
    def iterations(self) -> int:
        return (self.length - self.first) // self.unrolled if self.unrolled else 0

    @property
    def pair_words(self) -> int:
        """Words of weights per pair."""
        return self.channels // 2 if self.merged else self.channels

    @property
    def words(self) -> int:
        """Words of weights per block."""
        return len(self.runs) * self.length * self.pair_words

    def order(self) -> tuple[int, ...]:
        """Byte offsets of the pairs from the pixel's first value, in the order of the weights."""
        found = [run + self.unit * i for run in reversed(self.runs) for i in range(self.first)]
        for start in range(self.first, self.length, self.unrolled or 1):
            found += [run + self.unit * (start + i) for run in reversed(self.runs) for i in range(self.unrolled)]
        return tuple(found)


@dataclass(frozen=True)
class MicroKernel:
    """A block's code.

    Attributes:
        function: parameters ``x`` (first pixel of the first tile), ``w`` (weights: per block and pair, in the order of ``order``, one word
            of each channel, or of two), ``p`` (per block biases of its channels, mantissas, roundings and shifts), ``o`` (first output).
        order: byte offset of each pair from a pixel's first value.
        cycles: per call.
        loop_lines: lines of the instruction cache that the loop over tiles takes.
        block_lines: the same of the loop over blocks of channels; 0 if there is none.
    """

    function: CFunction
    order: tuple[int, ...]
    cycles: float
    loop_lines: int
    block_lines: int


class _Writer:
    """Writes one block's function."""

    def __init__(self, block: MacBlock) -> None:
        self.block = block
        self.pixels = len(block.pixels)
        count, q = self.pixels * block.channels, block.channels
        if not 1 <= count <= len(ACCUMULATORS):
            raise KernelLimitError(f"a block of {self.pixels} x {q} needs more registers than there are")
        parameters = block.epilogue.parameters
        last, resident = parameters * q + len(_STATES), block.words if block.resident else 0
        if last + resident > FPU_REGISTERS:
            raise KernelLimitError(f"{block.words} words of weights do not fit into the FPU registers")
        self.asm = Costed(_ALLOCATION)
        names = self.asm.registers
        self.acc = names.names([f"p{i // q}c{i % q}" for i in range(count)], ACCUMULATORS[:count], "sum of pixel p and channel c")
        temps = (*SPARE, *ACCUMULATORS[count:], *(["r1"] if block.resident else []))
        self.temps = names.numbered("t", temps, "a pair of inputs or of weights")
        fpu = [f"s{i}" for i in range(last + resident)]
        for n, name in enumerate(_HELD[:parameters]):
            names.names([f"{name}_c{c}" for c in range(q)], fpu[n * q : n * q + q], f"{name} of a channel")
        for (name, role), register in zip(_STATES.items(), fpu[parameters * q :], strict=False):
            names.name(name, register, role)
        self.held = names.numbered("weights", fpu[last:], "a pair of weights")
        self.saved = range(16, last + resident)
        self.low = {"x": block.unit, "w": 4} if block.unrolled else {"x": 0, "w": 0}
        """Pointers stand so much low where they move, so that the last load of an iteration moves them."""
        self.reloads = not block.resident and (block.unrolled > 0 or block.epilogue.kind == "linear")
        """Whether a tile changes the pointer to the weights."""
        (rows, columns), (source_down, source_right), (target_down, target_right) = block.tiles, block.source, block.target
        if columns == 1 or (rows > 1 and source_down == columns * source_right and target_down == columns * target_right):
            if columns == 1:
                source_right, target_right = source_down, target_down
            rows, columns = 1, rows * columns
        self.rows, self.columns = rows, columns
        self.right, self.down = (source_right, target_right), (source_down - columns * source_right, target_down - columns * target_right)

    def write(self) -> None:
        asm, block = self.asm, self.block
        asm.emit("push {r4-r11, lr}")
        if len(self.saved):
            asm.emit(f"vpush {float_list(self.saved.start, self.saved.stop - 1)}")
        asm.emit("vmov output_kept, o")
        asm.add_imm("x", "x", -self.low["x"])
        asm.add_imm("w", "w", -self.low["w"])
        if self.reloads or block.resident:
            asm.emit("vmov w_kept, w")
        if block.blocks > 1:
            asm.add_imm("bound", "p", 4 * block.epilogue.parameters * block.channels * block.blocks)
            asm.emit("vmov p_end, bound")
            asm.times = block.blocks
            asm.label("3")
        self._block()
        asm.times = 1
        if len(self.saved):
            asm.emit(f"vpop {float_list(self.saved.start, self.saved.stop - 1)}")
        asm.emit("pop {r4-r11, pc}")
        asm.cycles += TAKEN

    def _block(self) -> None:
        """All tiles of one block of channels; at the start ``p`` points to its parameters."""
        asm, block = self.asm, self.block
        asm.emit(f"vldmia p!, {{bias_c0-{_HELD[block.epilogue.parameters - 1]}_c{block.channels - 1}}}")
        if block.resident:
            asm.emit_all("vmov w, w_kept", f"vldmia w!, {{{self.held[0]}-{self.held[-1]}}}", "vmov w_kept, w")
        if block.blocks > 1:
            asm.emit("vmov p_kept, p")
        if self.columns > 1:
            self._end_of("row_end", self.columns * self.right[0])
        if self.rows > 1:
            self._end_of("rows_end", self.rows * (self.columns * self.right[0] + self.down[0]))
        if block.iterations > 1:
            if block.blocks > 1:
                asm.emit("vmov w, w_kept")
            asm.add_imm("bound", "w", 4 * block.words)
            asm.emit("vmov w_end, bound")
        asm.times = block.blocks * self.rows * self.columns
        asm.label("1")
        self._sums()
        self._epilogue()
        self._next_tile()
        asm.times = block.blocks
        if block.blocks > 1:
            self._next_block()

    def _end_of(self, name: str, distance: int) -> None:
        self.asm.add_imm("bound", "x", distance)
        self.asm.emit(f"vmov {name}, bound")

    # --- the sums of a tile -------------------------------------------------------------------------------------------------------

    def _sums(self) -> None:
        asm, block, q = self.asm, self.block, self.block.channels
        starts: list[str | None] = [None] * q
        if self.reloads:
            asm.emit("vmov w, w_kept")
        biased = not block.merged or block.epilogue.kind == "uniform"
        if biased:
            asm.emit_all(*[f"vmov {self.acc[i]}, bias_c{i}" for i in range(q)])
            starts = list(self.acc[:q])
        if block.first:
            self._pairs(block.first, starts, moves=block.unrolled > 0)
        else:
            asm.emit_all(
                *[f"mov {a}, {self.acc[i % q]}" if biased else f"mov {a}, #0" for i, a in enumerate(self.acc) if not biased or i >= q]
            )
        if block.unrolled:
            tiles = asm.times
            asm.times = tiles * block.iterations
            if block.iterations > 1:
                asm.label("2")
            self._pairs(block.unrolled, None, moves=True)
            if block.iterations > 1:
                asm.emit_all("vmov end, w_end", "cmp w, end")
                asm.repeat_end("2", block.iterations)
            asm.times = tiles

    def _pairs(self, count: int, starts: list[str | None] | None, *, moves: bool) -> None:
        """``count`` pairs of every run; afterwards both pointers stand after them if they move at all."""
        block, words = self.block, self.block.pair_words
        step, weight_step = block.unit * count, 4 * count * len(block.runs) * words
        runs = list(reversed(block.runs))
        near = max(block.runs) + max(block.pixels) + step + self.low["x"] <= MAX_OFFSET
        base = done = 0
        for group in [runs] if near else [[run] for run in runs]:
            if not near:
                self.asm.add_imm("x", "x", group[0] - base)
                base = group[0]
            pairs = [self._pair(run - base + block.unit * i, done + n * count + i) for n, run in enumerate(group) for i in range(count)]
            done += len(pairs)
            last = group[-1] == 0
            if moves and last and step <= MAX_WRITEBACK:
                pairs[-1][0][0] += "!"
            if moves and last and weight_step <= MAX_WRITEBACK:
                pairs[-1][1][-1] += "!"
            if block.merged:
                self.asm.emit_all(*schedule_merged(pairs, self.acc, self.temps, starts))
            else:
                self.asm.emit_all(*schedule(pairs, self.acc, self.temps, starts, resident=block.resident))
            starts = None
        if moves:
            self._move(step, weight_step)

    def _pair(self, distance: int, number: int) -> tuple[list[str], list[str]]:
        """Addresses of a pair's pixels, ``distance`` bytes from the pointer, and of its weights; the registers that hold them if
        resident."""
        words = self.block.pair_words
        x = [self._at("x", distance + d + self.low["x"]) for d in self.block.pixels]
        w = [self._at("w", 4 * (number * words + c) + self.low["w"]) for c in range(words)]
        return x, list(self.held[number * words : (number + 1) * words]) if self.block.resident else w

    def _move(self, step: int, weight_step: int) -> None:
        """Moves the pointers by what no load with write-back reaches."""
        if step > MAX_WRITEBACK:
            self.asm.add_imm("x", "x", step)
        if weight_step > MAX_WRITEBACK:
            self.asm.add_imm("w", "w", weight_step)

    @staticmethod
    def _at(register: str, offset: int) -> str:
        if not 0 <= offset <= MAX_OFFSET:
            raise KernelLimitError(f"values of a tile lie {offset} bytes apart; loads and stores reach {MAX_OFFSET}")
        return f"[{register}, #{offset}]"

    # --- from sums to stored values -----------------------------------------------------------------------------------------------

    def _epilogue(self) -> None:
        asm, block, q = self.asm, self.block, self.block.channels
        asm.emit("vmov output, output_kept")
        at = 0
        for c in range(q):
            if block.merged and c % 2 == 0:
                self._separate(c)
            a = self.acc[c::q]
            asm.emit_all(f"vmov mantissa, mantissa_c{c}", f"vmov rounding, rounding_c{c}")
            if block.epilogue.kind == "uniform":
                requantise_uniform(asm, a, "mantissa", "rounding", block.epilogue.constant)
            else:
                asm.emit(f"vmov shift, shift_c{c}")
                if block.epilogue.kind == "relu":
                    requantise_relu(asm, a, "mantissa", "rounding", "shift")
                else:
                    requantise_linear(asm, a, "scaled", "mantissa", "rounding", "shift", block.epilogue.constant)
            wanted = c * block.channel
            if wanted + max(block.outputs) - at > MAX_OFFSET:
                asm.add_imm("output", "output", wanted - at)
                at = wanted
            asm.emit_all(*[f"strh {register}, {self._at('output', wanted - at + d)}" for register, d in zip(a, block.outputs, strict=True)])
        if self.rows * self.columns > 1:
            asm.add_imm("output", "output", self.right[1] - at)

    def _separate(self, c: int) -> None:
        """Sums with bias of channels c and c + 1, doubled or (uniform) times 256, from 256 times the first one plus the second one, and the
        second one."""
        q = self.block.channels
        if self.block.epilogue.kind == "uniform":
            for a, b in zip(self.acc[c::q], self.acc[c + 1 :: q], strict=True):
                self.asm.emit_all(f"sub {a}, {a}, {b}", f"lsl {b}, {b}, #8")
            return
        self.asm.emit_all(f"vmov even, bias_c{c}", f"vmov odd, bias_c{c + 1}")
        for a, b in zip(self.acc[c::q], self.acc[c + 1 :: q], strict=True):
            self.asm.emit_all(f"sub {a}, {a}, {b}", f"add {b}, odd, {b}, lsl #1", f"add {a}, even, {a}, asr #7")

    def _next_tile(self) -> None:
        asm, block = self.asm, self.block
        if self.rows * self.columns == 1:
            return
        asm.emit("vmov output_kept, output")
        asm.add_imm("x", "x", self.right[0] - block.unit * block.length if block.unrolled else self.right[0])
        asm.emit_all("vmov bound, row_end", "cmp x, bound")
        asm.repeat_end("1", self.columns)
        if self.rows == 1:
            return
        asm.times = block.blocks * self.rows
        asm.add_imm("x", "x", self.down[0])
        asm.add_imm("output", "output", self.down[1])
        asm.add_imm("bound", "bound", self.down[0] + self.columns * self.right[0])
        asm.emit_all("vmov output_kept, output", "vmov row_end, bound", "vmov bound, rows_end", "cmp x, bound")
        asm.repeat_end("1", self.rows)

    def _next_block(self) -> None:
        """Pointers to the next block's weights, parameters and outputs, and back to the first tile."""
        asm, block = self.asm, self.block
        moved = (block.unit * block.length if block.unrolled else 0, 0)
        if self.rows * self.columns > 1:
            moved = (self.rows * (self.columns * self.right[0] + self.down[0]), self.rows * (self.columns * self.right[1] + self.down[1]))
            if self.rows == 1:
                moved = (self.columns * self.right[0], self.columns * self.right[1])
        asm.add_imm("x", "x", -moved[0])
        asm.emit("vmov output, output_kept")
        asm.add_imm("output", "output", block.channels * block.channel - moved[1])
        asm.emit("vmov output_kept, output")
        if self.reloads:
            asm.emit("vmov w, w_kept")
        if not block.resident:
            asm.add_imm("w", "w", 4 * block.words)
        if self.reloads:
            asm.emit("vmov w_kept, w")
        asm.emit_all("vmov p, p_kept", "vmov bound, p_end", "cmp p, bound")
        asm.repeat_end("3", block.blocks, outer=True)


def write_block(block: MacBlock) -> MicroKernel:
    """Both versions of a block.

    Raises:
        KernelLimitError: it needs more registers or longer offsets than there are, or reads pairs at odd elements.
    """
    if any(v % 4 for v in (*block.runs, block.unit, *block.pixels, *block.source)):
        raise KernelLimitError("a pixel starts at an odd element, so its pairs are no aligned words")
    writer = _Writer(block)
    writer.write()
    prefix = f"mac_{len(block.pixels)}x{block.channels}"
    function = writer.asm.function(prefix, "const int16_t *x, const int32_t *w, const int32_t *p, int16_t *o", _portable(block))
    return MicroKernel(function, block.order(), writer.asm.cycles, writer.asm.loop_lines, writer.asm.outer_lines)


def _portable(block: MacBlock) -> str:
    """The sums one after another. Merged weights are taken apart here: the low byte is the odd channel, what is left the even one."""
    q, pair_words = block.channels, block.pair_words
    epilogue = f"{block.epilogue.kind}(acc, p[{q} + c], p[{2 * q} + c]"
    epilogue += {
        "relu": f", p[{3 * q} + c])",
        "linear": f", p[{3 * q} + c], {block.epilogue.constant})",
        "uniform": f", {block.epilogue.constant})",
    }[block.epilogue.kind]
    order = block.order()
    word = f"cm4t_merged_weights(w[k * {pair_words} + c / 2], c % 2)" if block.merged else f"w[k * {pair_words} + c]"
    lines = [
        _table("pair", (v // 2 for v in order)),
        _table("pixel", (v // 2 for v in block.pixels)),
        _table("place", (v // 2 for v in block.outputs)),
        f"    for (int32_t block = 0; block < {block.blocks};",
        f"         ++block, w += {block.words}, p += {block.epilogue.parameters * q}, o += {q * block.channel // 2})",
        f"        for (int32_t ty = 0; ty < {block.tiles[0]}; ++ty)",
        f"            for (int32_t tx = 0; tx < {block.tiles[1]}; ++tx)",
        f"                for (int32_t i = 0; i < {len(block.pixels)}; ++i)",
        f"                    for (int32_t c = 0; c < {q}; ++c) {{",
        f"                        const int16_t *from = x + ty * {block.source[0] // 2} + tx * {block.source[1] // 2} + pixel[i];",
        f"                        int16_t *to = o + ty * {block.target[0] // 2} + tx * {block.target[1] // 2} + place[i];",
        f"                        int32_t acc = {'0' if block.merged else 'p[c]'};",
        f"                        for (int32_t k = 0; k < {len(order)}; ++k)",
        f"                            acc = cm4t_mla2(cm4t_load(from + pair[k]), {word}, acc);",
        *([f"                        acc = {_merged_sum(block)};"] if block.merged else []),
        f"                        to[c * {block.channel // 2}] = (int16_t)cm4t_wide_{epilogue};",
        "                    }",
    ]
    return "\n".join(lines)


def _merged_sum(block: MacBlock) -> str:
    """C expression of a merged channel's sum as the epilogue takes it, from its products' sum ``acc``."""
    if block.epilogue.kind != "uniform":
        return "cm4t_add(p[c], cm4t_add(acc, acc))"
    return "(int32_t)((uint32_t)acc * 256u + (c % 2 ? (uint32_t)p[c] * 256u : (uint32_t)p[c] - (uint32_t)p[c + 1]))"


def _table(name: str, values: Iterable[int]) -> str:
    return f"    static const int32_t {name}[] = {{{', '.join(str(v) for v in values)}}};"
