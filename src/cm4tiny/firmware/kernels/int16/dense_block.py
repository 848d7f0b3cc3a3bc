# SPDX-License-Identifier: Apache-2.0
"""The multiply-accumulate block for one pixel: every weight is used once, so all that counts is how many loads it takes.

Q sums stay in registers; the words of weights of all blocks lie one after the other and are read in one sweep, as are the parameters of
each block. Merged weights (see :mod:`.weights`) take one load and one SXTB16 for four of them: less time than two loads, and half the
memory.

Cost on the Cortex-M4, all data in SRAM, measured: per pair of k values merged Q = 8: 18.5 cycles for 16 multiply-accumulates, Q = 4: 9.4
for 8; int16 Q = 4: 9.7, Q = 8: 20. Per iteration of the inner loop 5. Per output 9 (relu) or 11 (linear), 2 more if merged; per block 12.
Where all channels have one factor ("per tensor"), mantissa, rounding and shift are the function's own and the biases start the sums: per
output 4 (relu) or 6 (linear), 1 more if merged. Weights in flash: 5 more per 16 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.schedule import (
    ACCUMULATORS,
    SPARE,
    TAKEN,
    Costed,
    requantise_linear,
    requantise_relu,
    requantise_uniform,
    scale_linear,
    schedule,
    schedule_merged,
)
from cm4tiny.firmware.kernels.registers import Register

_ALLOCATION = (
    Register("x", "r0", "argument: the next input values"),
    Register("w", "r1", "argument: the next weights"),
    Register("p", "r2", "argument: the first parameters"),
    Register("o", "r3", "argument: the first result"),
    Register("output", "r0", "a block's first result"),
    Register("parameters", "lr", "the next parameters"),
    Register("bound", "r3", "end of a loop on its way to the FPU registers"),
    Register("end", "r2", "end of a loop"),
    Register("even", "r2", "merged: bias of a channel"),
    Register("odd", "r3", "merged: bias of the next channel"),
    Register("mantissa", "r2", "of a channel, or of all"),
    Register("rounding", "r3", "of a channel, or of all"),
    Register("shift", "r12", "of a channel"),
    Register("p_kept", "s0", "the next parameters"),
    Register("output_kept", "s1", "see output"),
    Register("x_start", "s2", "start of the input"),
    Register("x_end", "s3", "end of the input"),
    Register("p_end", "s4", "end of the parameters"),
    Register("w_kept", "s5", "see w, while a linear output is scaled in its output"),
    Register("mantissa_held", "s6", "of all channels"),
    Register("rounding_held", "s7", "of all channels"),
)
MAX_OFFSET = 4095
MAX_WRITEBACK = 255


@dataclass(frozen=True)
class DenseBlock:
    """What one micro-kernel computes.

    Attributes:
        pairs: words of input.
        channels: Q, up to 8; even if merged.
        channel: bytes between outputs.
        blocks: blocks of channels.
        relu, zero_point: of the output.
        first, unrolled: pairs in front of the loop, and per iteration; a loop has at least two iterations.
        merged: two channels' weights in a word.
        shift: of all channels, if they share mantissa, rounding and shift; else 0.
    """

    pairs: int
    channels: int
    channel: int
    blocks: int
    relu: bool
    zero_point: int
    first: int
    unrolled: int
    merged: bool
    shift: int = 0

    @property
    def scaled(self) -> bool:
        """Whether merged sums are taken times 256, not doubled; for all other outputs the rule is applied to doubled sums."""
        return self.merged and self.relu and self.shift > 0

    @property
    def pair_words(self) -> int:
        """Words of weights per pair."""
        return self.channels // 2 if self.merged else self.channels

    @property
    def iterations(self) -> int:
        return (self.pairs - self.first) // self.unrolled if self.unrolled else 0


@dataclass(frozen=True)
class DenseKernel:
    """Code: parameters ``x``, ``w`` (words of each block and pair), ``p`` (see :func:`.dense.parameter_stream`), ``o``."""

    function: CFunction
    cycles: float
    loop_lines: int


class _Writer:
    def __init__(self, block: DenseBlock) -> None:
        self.block, self.asm = block, Costed(_ALLOCATION)
        names = self.asm.registers
        self.acc = names.numbered("sum", ACCUMULATORS[: block.channels], "an output channel")
        self.temps = names.numbered("t", (*SPARE, *ACCUMULATORS[block.channels :]), "a pair of inputs or of weights")
        self.scaled = names.name("scaled", "r12" if block.shift else "r1", "a scaled sum, linear form")
        self.biased = -4 if block.unrolled else 0

    def write(self) -> None:
        asm, block = self.asm, self.block
        asm.emit("push {r4-r11, lr}")
        asm.add_imm("x", "x", self.biased)
        if block.unrolled:
            asm.add_imm("w", "w", self.biased)
        if block.shift:
            asm.emit("vldmia p!, {mantissa_held-rounding_held}")
        asm.emit_all("vmov p_kept, p", "vmov output_kept, o", "vmov x_start, x")
        if block.blocks > 1:
            asm.add_imm("bound", "p", (4 if block.shift else 16) * block.channels * block.blocks)
            asm.emit("vmov p_end, bound")
        if block.iterations > 1:
            asm.add_imm("bound", "x", 4 * block.pairs)
            asm.emit("vmov x_end, bound")
        asm.times = block.blocks
        asm.label("1")
        asm.emit("vmov x, x_start")
        self._sums()
        self._epilogue()
        if block.blocks > 1:
            asm.emit_all("vmov p_kept, parameters", "vmov output_kept, output")
            asm.emit_all("vmov end, p_end", "cmp parameters, end")
            asm.repeat_end("1", block.blocks)
        asm.times = 1
        asm.emit("pop {r4-r11, pc}")
        asm.cycles += TAKEN

    def _sums(self) -> None:
        asm, block = self.asm, self.block
        starts: list[str | None] | None = [None] * block.channels
        if not block.merged or block.shift:
            asm.emit("vmov parameters, p_kept")
            asm.emit(f"ldmia parameters!, {{{', '.join(self.acc)}}}")
            asm.emit("vmov p_kept, parameters")
            starts = None
        elif not block.first:
            asm.emit_all(*[f"mov {a}, #0" for a in self.acc])
        if block.first:
            self._pairs(block.first, starts)
        if block.unrolled:
            asm.times = block.blocks * block.iterations
            asm.label("2")
            self._pairs(block.unrolled, None)
            asm.emit_all("vmov end, x_end", "cmp x, end")
            asm.repeat_end("2", block.iterations)
            asm.times = block.blocks

    def _pairs(self, count: int, starts: list[str | None] | None) -> None:
        words, moves = self.block.pair_words, self.block.unrolled > 0
        pairs = []
        for j in range(count):
            weights = [4 * (j * words + c) - self.biased for c in range(words)]
            if weights[-1] > MAX_OFFSET:
                raise KernelLimitError(f"an iteration reads {weights[-1]} bytes of weights; loads reach {MAX_OFFSET}")
            pairs.append(([f"[x, #{4 * j - self.biased}]"], [f"[w, #{at}]" for at in weights]))
        if moves and 4 * count <= MAX_WRITEBACK:
            pairs[-1][0][0] += "!"
        if moves and 4 * count * words <= MAX_WRITEBACK:
            pairs[-1][1][-1] += "!"
        self.asm.emit_all(*(schedule_merged if self.block.merged else schedule)(pairs, self.acc, self.temps, starts))
        if moves and 4 * count > MAX_WRITEBACK:
            self.asm.add_imm("x", "x", 4 * count)
        if not moves or 4 * count * words > MAX_WRITEBACK:
            self.asm.add_imm("w", "w", 4 * count * words)

    def _epilogue(self) -> None:
        asm, block = self.asm, self.block
        asm.emit_all("vmov parameters, p_kept", "vmov output, output_kept")
        if block.shift:
            self._shared_epilogue()
            return
        if not block.relu:
            asm.emit("vmov w_kept, w")
        at = 0
        for c, a in enumerate(self.acc):
            if block.merged and c % 2 == 0:
                b = self.acc[c + 1]
                asm.emit_all("ldmia parameters!, {even, odd}", f"sub {a}, {a}, {b}")
                asm.emit_all(f"add {b}, odd, {b}, lsl #1", f"add {a}, even, {a}, asr #7")
            asm.emit("ldmia parameters!, {mantissa, rounding, shift}")
            if block.relu:
                requantise_relu(asm, [a], "mantissa", "rounding", "shift")
            else:
                requantise_linear(asm, [a], self.scaled, "mantissa", "rounding", "shift", block.zero_point)
            if c * block.channel - at > MAX_OFFSET:
                asm.add_imm("output", "output", c * block.channel - at)
                at = c * block.channel
            asm.emit(f"strh {a}, [output, #{c * block.channel - at}]")
        asm.add_imm("output", "output", block.channels * block.channel - at)
        if not block.relu:
            asm.emit("vmov w, w_kept")

    def _shared_epilogue(self) -> None:
        asm, block = self.asm, self.block
        asm.emit_all("vmov mantissa, mantissa_held", "vmov rounding, rounding_held")
        if block.merged:
            for a, b in zip(self.acc[::2], self.acc[1::2], strict=True):
                asm.emit(f"sub {a}, {a}, {b}")
                asm.emit_all(*([f"lsl {b}, {b}, #8"] if block.scaled else [f"asr {a}, {a}, #7", f"lsl {b}, {b}, #1"]))
        if not block.relu:
            scale_linear(asm, self.acc, self.scaled, "mantissa", "rounding")
            asm.emit_all(*[f"ssat {a}, #8, {a}, asr #{block.shift}" for a in self.acc])
            for a in self.acc:
                asm.add_imm(a, a, -block.zero_point)
        elif block.scaled:
            requantise_uniform(asm, self.acc, "mantissa", "rounding", block.shift)
        else:
            asm.emit_all(*[f"smmlar {a}, {a}, mantissa, rounding" for a in self.acc])
            asm.emit_all(*[f"usat {a}, #8, {a}, asr #{block.shift}" for a in self.acc])
        at = 0
        for c, a in enumerate(self.acc):
            if c * block.channel - at > MAX_OFFSET:
                asm.add_imm("output", "output", c * block.channel - at)
                at = c * block.channel
            asm.emit(f"strh {a}, [output, #{c * block.channel - at}]")
        asm.add_imm("output", "output", block.channels * block.channel - at)


def write_dense_block(block: DenseBlock) -> DenseKernel:
    """Both versions of a block.

    Raises:
        KernelLimitError: more channels than registers.
    """
    if not 1 <= block.channels <= len(ACCUMULATORS) or (block.merged and block.channels % 2):
        raise KernelLimitError(f"there is no block of {block.channels} channels")
    writer = _Writer(block)
    writer.write()
    parameters = "const int16_t *x, const int32_t *w, const int32_t *p, int16_t *o"
    function = writer.asm.function(f"dense_{block.channels}", parameters, _portable(block))
    return DenseKernel(function, writer.asm.cycles, writer.asm.loop_lines)


def _portable(block: DenseBlock) -> str:
    q, words = block.channels, block.pair_words
    if block.shift:
        return _portable_shared(block)
    if block.merged:
        row, bias = "p + c / 2 * 8 + 2 + c % 2 * 3", "p[c / 2 * 8 + c % 2]"
        word = f"cm4t_merged_weights(w[k * {words} + c / 2], c % 2)"
    else:
        row, bias, word = f"p + {q} + 3 * c", "p[c]", f"w[k * {words} + c]"
    result = "cm4t_wide_relu(acc, row[0], row[1], row[2])"
    if not block.relu:
        result = f"cm4t_wide_linear(acc, row[0], row[1], row[2], {block.zero_point})"
    return "\n".join(
        [
            f"    for (int32_t block = 0; block < {block.blocks}; ++block, w += {words * block.pairs}, p += {4 * q})",
            f"        for (int32_t c = 0; c < {q}; ++c) {{",
            f"            const int32_t *row = {row};",
            f"            int32_t acc = {'0' if block.merged else bias};",
            f"            for (int32_t k = 0; k < {block.pairs}; ++k)",
            f"                acc = cm4t_mla2(cm4t_load(x + 2 * k), {word}, acc);",
            *([f"            acc = cm4t_add({bias}, cm4t_add(acc, acc));"] if block.merged else []),
            f"            *o = (int16_t){result};",
            f"            o += {block.channel // 2};",
            "        }",
        ]
    )


def _portable_shared(block: DenseBlock) -> str:
    q, words = block.channels, block.pair_words
    word = f"cm4t_merged_weights(w[k * {words} + c / 2], c % 2)" if block.merged else f"w[k * {words} + c]"
    result = f"cm4t_wide_relu(acc, mantissa, rounding, {block.shift})"
    if block.scaled:
        result = f"cm4t_wide_uniform(acc, mantissa, rounding, {block.shift})"
    elif not block.relu:
        result = f"cm4t_wide_linear(acc, mantissa, rounding, {block.shift}, {block.zero_point})"
    factor = 256 if block.scaled else 2
    bias = "(c % 2 ? (uint32_t)p[c] : (uint32_t)((int32_t)((uint32_t)p[c] - (uint32_t)p[c + 1]) >> 8))"
    start, total = "p[c]", "acc"
    if block.merged:
        start, total = "0", f"(int32_t)(((uint32_t)acc + {bias}) * {factor}u)"
    return "\n".join(
        [
            "    int32_t mantissa = p[0], rounding = p[1];",
            "    p += 2;",
            f"    for (int32_t block = 0; block < {block.blocks}; ++block, w += {words * block.pairs}, p += {q})",
            f"        for (int32_t c = 0; c < {q}; ++c) {{",
            f"            int32_t acc = {start};",
            f"            for (int32_t k = 0; k < {block.pairs}; ++k)",
            f"                acc = cm4t_mla2(cm4t_load(x + 2 * k), {word}, acc);",
            f"            acc = {total};",
            f"            *o = (int16_t){result};",
            f"            o += {block.channel // 2};",
            "        }",
        ]
    )
