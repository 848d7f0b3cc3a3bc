# SPDX-License-Identifier: Apache-2.0
"""What both Winograd methods share in assembly: the workspaces, the batched product, the frame of the output transform.

Two workspaces of 32-bit words hold ``tiles`` tiles (a multiple of four; "quad": four tiles). A transformed tile has ``slices`` values per
channel; neighbouring slices may share their weights ("component"):

* V, transformed input: [slices][quads][K / 2][4 tiles], each word two channels of one tile;
* M, products: [channel pairs][slices][quads][2 channels][4 tiles].

The product walks V, one channel pair's weights ([36 components][K / 2][2 channels]) and its part of M from the first word to the last,
so it needs no index arithmetic.

Cycles (DDI0439) of the product of one quad by two channels: 7.5 K + 16 ("resident": K <= 32, the weights of the pair stay in FPU
registers: per two channels of input LDM 5, VMOV 2, SMLAD 8) or 8 K + 30 ("streamed"); 11 + K per component to fetch resident weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.assembly import Assembly, float_list
from cm4tiny.firmware.kernels.int16.schedule import clamp_linear, scale_linear

COMPONENTS = 36
MAX_OFFSET = 4095
"""Of LDR, STR and STRH with an immediate, ARMv7-M ARM."""
RESIDENT_LIMIT = 32
"""Input channels whose weights, for two output channels, fill the 32 FPU registers."""
INVERSE_OF_9 = 0x38E38E39
"""Modulo 2**32."""
_MAX_ITERATION_BYTES = 800
_ROW_REGISTERS = tuple(f"r{i}" for i in range(4, 11))


@dataclass(frozen=True)
class Shape:
    """Sizes of the workspaces: ``tiles`` per region, input channels ``channels`` (even).

    ``groups``: how many components have how many slices, in the order of memory.
    """

    tiles: int
    channels: int
    groups: tuple[tuple[int, int], ...] = ((COMPONENTS, 1),)

    @property
    def quads(self) -> int:
        return self.tiles // 4

    @property
    def slices(self) -> int:
        return sum(components * slices for components, slices in self.groups)

    @property
    def several(self) -> bool:
        """Whether there are several groups."""
        return len(self.groups) > 1

    @property
    def pairs(self) -> int:
        """Words per tile and slice in V."""
        return self.channels // 2

    @property
    def v_slice(self) -> int:
        """Words per slice of V."""
        return self.tiles * self.pairs

    @property
    def m_slice(self) -> int:
        """Words per slice of a channel pair's part of M."""
        return self.tiles * 2

    @property
    def pair_words(self) -> int:
        """Words of a channel pair's part of M."""
        return self.slices * self.m_slice

    @property
    def product_cycles(self) -> int:
        """Of a channel pair, without waiting for flash."""
        quads, k = self.slices * self.quads, self.channels
        if k <= RESIDENT_LIMIT:
            return quads * (15 * k // 2 + (16 if k > 30 else 13)) + COMPONENTS * (11 + k) + 70 * len(self.groups)
        return quads * (8 * k + 30) + 70 * len(self.groups)


def product(shape: Shape) -> CFunction:
    """``f(v, w, m, pairs)``: so many pairs of output channels.

    With several groups ``f(v, w, m, quads, components)``: one pair of channels and one group.
    """
    a = Assembly()
    if shape.channels <= RESIDENT_LIMIT:
        _resident(a, shape)
    else:
        _streamed(a, shape)
    n = shape.pairs
    constants = "int32_t pairs = 1;" if shape.several else f"int32_t quads = {shape.quads}, components = {COMPONENTS};"
    portable = f"""
    {constants}
    for (int32_t pair = 0; pair < pairs; ++pair) {{
        const int32_t *x = v;
        for (int32_t component = 0; component < components; ++component, w += {2 * n}) {{
            for (int32_t quad = 0; quad < quads; ++quad, x += {4 * n}, m += 8) {{
                for (int32_t i = 0; i < 8; ++i) {{
                    int32_t acc = 0;
                    for (int32_t k = 0; k < {n}; ++k) {{
                        acc = cm4t_mla2(x[4 * k + i % 4], w[2 * k + i / 4], acc);
                    }}
                    m[i] = acc;
                }}
            }}
        }}
    }}"""
    parameters = "int32_t quads, int32_t components" if shape.several else "int32_t pairs"
    return a.function("winograd_product", f"const int32_t *v, const int32_t *w, int32_t *m, {parameters}", portable.strip())


def _resident(a: Assembly, shape: Shape) -> None:
    """r0-r7 sums, r8-r11 inputs, r12 weight, lr V. M, its end for this component, weights, the end of M for this pair, the bytes of a
    component, the start of V and the pairs left wait on the stack; the first two in FPU registers if some are left, which is faster.
    """
    n = shape.pairs
    registers = 2 * n + 2 if 2 * n + 2 <= RESIDENT_LIMIT else 2 * n
    spare = (f"s{2 * n}", f"s{2 * n + 1}") if registers > 2 * n else None
    iterations = max(u for u in (1, 2, 4) if shape.quads % u == 0 and (u == 1 or (spare and u * (44 * n + 36) <= _MAX_ITERATION_BYTES)))
    a.emit_all("push {r4-r11, lr}", "mov r4, r3")
    _bounds(a, shape)
    if registers > 16:
        a.emit(f"vpush {float_list(16, registers - 1)}")
    a.emit_all("mov lr, r0", "mov r8, r2", "sub sp, sp, #32", "strd r8, r9, [sp]", "strd r1, r10, [sp, #8]")
    a.emit_all("strd r3, r0, [sp, #16]", "str r4, [sp, #24]")
    if spare:
        a.emit_all(f"vmov {spare[0]}, r8", f"vmov {spare[1]}, r9")
    a.label("9")
    a.emit_all("ldr r12, [sp, #8]", f"vldm r12!, {{s0-s{2 * n - 1}}}", "str r12, [sp, #8]")
    a.label("8")
    for iteration in range(iterations):
        for k in range(n):
            a.emit("ldm lr!, {r8-r11}")
            for q in range(2):
                a.emit(f"vmov r12, s{2 * k + q}")
                a.emit_all(*[_mac(f"r{4 * q + p}", f"r{8 + p}", "r12", first=k == 0) for p in range(4)])
        a.emit(f"vmov r8, {spare[0]}" if spare else "ldrd r8, r9, [sp]")
        _store_sums(a, 32 * iteration, last=iteration == iterations - 1)
    a.emit_all(*([f"vmov {spare[0]}, r8", f"vmov r9, {spare[1]}"] if spare else ["str r8, [sp]"]))
    if _many_quads(shape):
        a.emit("cmp r8, r9")
        a.loop_end("8")
    a.emit("ldrd r10, r11, [sp, #12]")
    if _many_quads(shape):
        a.emit_all("add r9, r9, r11", f"vmov {spare[1]}, r9" if spare else "str r9, [sp, #4]")
    a.emit("cmp r8, r10")
    a.loop_end("9")
    if not shape.several:
        a.add_imm("r10", "r10", 4 * shape.pair_words)
        a.emit_all("ldrd lr, r12, [sp, #20]", "str r10, [sp, #12]", "subs r12, r12, #1", "str r12, [sp, #24]")
        a.loop_end("9")
    a.emit("add sp, sp, #32")
    if registers > 16:
        a.emit(f"vpop {float_list(16, registers - 1)}")
    a.emit("pop {r4-r11, pc}")


def _streamed(a: Assembly, shape: Shape) -> None:
    """r0-r7 sums, r8-r11 values, r12 V, lr weights; s0 M, s1 its end for this component, s2 end of a dot product in V, s3 end of M
    for this pair, s4 bytes of a component of M, s5 start of V, s6 pairs left."""
    n = shape.pairs
    most = 14 if _many_quads(shape) else 16  # the function shall fit into the instruction cache
    unroll = max(u for u in range(1, most + 1) if n % u == 0)
    a.emit_all("push {r4-r11, lr}", "vmov s5, r0", "vmov s6, r3")
    _bounds(a, shape)
    a.emit_all("mov r12, r0", "mov lr, r1", "vmov s0, r2", "vmov s3, r10")
    if _many_quads(shape):
        a.emit_all("vmov s1, r9", "vmov s4, r3")
    a.label("9")
    a.emit_all(*[f"mov r{i}, #0" for i in range(8)])
    if n > unroll:
        a.add_imm("r8", "r12", 16 * n)
        a.emit("vmov s2, r8")
        a.label("7")
    for k in range(unroll):
        a.emit_all(f"ldr r8, [lr, #{8 * k}]", f"ldr r9, [lr, #{8 * k + 4}]", f"ldr r10, [r12, #{16 * k}]", f"ldr r11, [r12, #{16 * k + 4}]")
        a.emit_all(*[_mac(f"r{4 * q + p}", f"r{10 + p}", f"r{8 + q}") for p in range(2) for q in range(2)])
        a.emit(f"ldrd r10, r11, [r12, #{16 * k + 8}]")
        a.emit_all(*[_mac(f"r{4 * q + 2 + p}", f"r{10 + p}", f"r{8 + q}") for p in range(2) for q in range(2)])
    a.add_imm("r12", "r12", 16 * unroll)
    a.add_imm("lr", "lr", 8 * unroll)
    if n > unroll:
        a.emit_all("vmov r8, s2", "cmp r12, r8")
        a.loop_end("7")
    a.emit("vmov r8, s0")
    _store_sums(a)
    a.emit("vmov s0, r8")
    if _many_quads(shape):
        a.emit_all("vmov r9, s1", "cmp r8, r9")
        a.add_imm("lr", "lr", -8 * n)
        a.loop_end("9")
        a.add_imm("lr", "lr", 8 * n)
        a.emit_all("vmov r10, s4", "add r9, r9, r10", "vmov s1, r9")
    a.emit_all("vmov r10, s3", "cmp r8, r10")
    a.loop_end("9")
    if not shape.several:
        a.add_imm("r10", "r10", 4 * shape.pair_words)
        a.emit_all("vmov s3, r10", "vmov r12, s5", "vmov r8, s6", "subs r8, r8, #1", "vmov s6, r8")
        a.loop_end("9")
    a.emit("pop {r4-r11, pc}")


def _bounds(a: Assembly, shape: Shape) -> None:
    """After the first push: r10 becomes the end of M; with many quads, r9 the end of its first component and r3 the bytes of one."""
    if not shape.several:
        components, slices = shape.groups[0]
        a.add_imm("r10", "r2", 4 * components * slices * shape.m_slice)
        if not _many_quads(shape):
            return
        a.constant("r3", 4 * slices * shape.m_slice)
    else:
        a.emit_all("ldr r10, [sp, #36]", "lsl r3, r3, #5", "mul r10, r10, r3", "add r10, r2, r10")
    a.emit("add r9, r2, r3")


def _many_quads(shape: Shape) -> bool:
    return shape.quads > 1 or shape.several


def scatter(a: Assembly, base: str, values: list[str], first: int, step: int, moved: int = 0) -> int:
    """Stores values at first, first + step... behind where ``base`` pointed ``moved`` bytes ago; moves it where offsets do not reach.

    Returns how far it has moved by now.
    """
    for n, value in enumerate(values):
        offset = first + n * step - moved
        if offset > MAX_OFFSET:
            a.add_imm(base, base, offset)
            moved, offset = moved + offset, 0
        a.emit(f"str {value}, [{base}, #{offset}]")
    return moved


def _mac(total: str, x: str, w: str, *, first: bool = False) -> str:
    return f"smuad {total}, {x}, {w}" if first else f"smlad {total}, {x}, {w}, {total}"


def _store_sums(a: Assembly, offset: int = 0, *, last: bool = True) -> None:
    """r0-r7 to [r8, #offset]; the last ones of an iteration also move r8 behind them."""
    step = offset + 32 if last else 0
    a.emit(f"str r0, [r8], #{step}" if offset == 0 and last else f"str r0, [r8, #{offset}]")
    if offset and last:
        a.emit(f"add r8, r8, #{step}")
    a.emit_all(*[f"str r{i}, [r8, #{offset + 4 * i - step}]" for i in range(1, 8)])


@dataclass(frozen=True)
class Form:
    """How results are requantised.

    Attributes:
        relu, zero_point: see requant.py.
        factor: what sums are multiplied by first, modulo 2**32; 1: nothing. The long form wants the inverse of 9.
        short: the shift of the short form, see winograd_requant.py; 0: the long form.
    """

    relu: bool
    zero_point: int
    factor: int = INVERSE_OF_9
    short: int = 0

    @property
    def words(self) -> int:
        """Of a channel in the table: doubled bias, mantissa, rounding and shift; short: mantissa and rounding."""
        return 2 if self.short else 4

    @property
    def cycles(self) -> int:
        """Of 16 results and their table, over those of the short form without a factor."""
        if self.short:
            return 16 * (self.factor != 1)
        return 50 if self.relu else 66 + 16 * (self.zero_point != 0)


@dataclass(frozen=True)
class Result:
    """Where the output transform puts its results, strides in elements, and their form."""

    pixel: int
    row: int
    channel: int
    form: Form


@dataclass(frozen=True)
class OutputParts:
    """What the two methods' output transforms differ in.

    Attributes:
        width: slices in a row of a tile.
        columns: writes the transform of all columns: from [r0] to four rows of ``width`` words at sp. Leaves r0 one channel pair ahead
            and lr 4 * ``ahead`` bytes above sp; may spend r0-r10, r12, lr.
        row: writes the transform of one row at [lr, #offset]; spends r4-r10; returns the registers of its four results, of these.
        portable_column, portable_row: C statements: ``d(i)`` of a column to ``rows[y][j]``; ``d[j]`` of a row to ``uint32_t sums[4]``.
        shift: the sums are 9 * 2 * 2**shift times those wanted.
    """

    width: int
    columns: Callable[[Assembly], None]
    ahead: int
    row: Callable[[Assembly, int], list[str]]
    portable: str
    shift: int


def output_transform(shape: Shape, to: Result, parts: OutputParts) -> CFunction:
    """``f(m, table, o, count)``: one tile, ``count`` channels; m is the tile's sums in slice 0 of the first channel pair."""
    a = Assembly()
    pair, scratch, width = 4 * shape.pair_words, 16 * parts.width, 4 * parts.width
    a.emit_all("push {r4-r11, lr}", f"sub sp, sp, #{scratch}", "vmov s1, r1", "vmov s2, r2", "vmov s3, r3")
    a.constant("r1", pair - 16)
    a.emit("vmov s4, r1")
    if to.form.factor != 1:
        a.constant("r11", to.form.factor)
    a.label("9")
    parts.columns(a)
    # channels 0 and 1 of a pair lie side by side: the steps are 16 bytes and one pair less 16 bytes in iteration
    a.emit_all("vmov r1, s4", "sub r0, r0, r1", f"rsb r1, r1, #{pair}", "vmov s4, r1", "vmov s0, r0")
    a.emit_all("vmov r0, s1", f"ldm r0!, {{{'r2, r3' if to.form.short else 'r1, r2, r3, r12'}}}", "vmov s1, r0", "vmov r0, s2")
    a.label("7")
    reach = 2 * to.row + 6 * to.pixel <= MAX_OFFSET
    for y in range(2):  # two iterations
        out = parts.row(a, width * y - 4 * parts.ahead)
        _requantise(a, out, to.form, parts.shift)
        if not reach and y:
            a.add_imm("r0", "r0", 2 * to.row)
        a.emit_all(*[f"strh {out[x]}, [r0, #{2 * to.pixel * x + 2 * to.row * (y if reach else 0)}]" for x in range(4)])
    a.add_imm("r0", "r0", 2 * to.row * (2 if reach else 1))
    a.emit_all(f"add r4, sp, #{2 * width + 4 * parts.ahead}", "cmp lr, r4", f"add lr, lr, #{2 * width}")
    a.loop_end("7")
    a.emit("vmov r0, s2")
    a.add_imm("r0", "r0", 2 * to.channel)
    a.emit_all("vmov s2, r0", "vmov r1, s3", "subs r1, r1, #1", "vmov s3, r1", "vmov r0, s0")
    a.loop_end("9")
    a.emit_all(f"add sp, sp, #{scratch}", "pop {r4-r11, pc}")
    portable = f"""
    for (int32_t c = 0; c < count; ++c) {{
        const int32_t *p = m + c / 2 * {shape.pair_words} + c % 2 * 4, *t = table + {to.form.words} * c;
        uint32_t rows[4][{parts.width}];
{parts.portable}
            for (int32_t x = 0; x < 4; ++x) {{
                {_portable_value(to.form, parts.shift)}
                o[{to.channel} * c + {to.row} * y + {to.pixel} * x] = (int16_t)value;
            }}
        }}
    }}"""
    return a.function("winograd_output", "const int32_t *m, const int32_t *table, int16_t *o, int32_t count", portable.strip("\n"))


def _requantise(a: Assembly, values: list[str], form: Form, shift: int) -> None:
    """A scaled sum -> its quantised value; bias, mantissa, rounding, shift in r1, r2, r3, r12, the factor in r11.

    The shift is at least 1, as :func:`~cm4tiny.firmware.kernels.int16.schedule.requantise_linear` wants it.
    """
    temp = next(register for register in _ROW_REGISTERS if register not in values)
    for v in values:
        if form.factor != 1:
            a.emit(f"mul {v}, {v}, r11")
        if form.short:
            a.emit_all(f"smmlar {v}, {v}, r2, r3", f"usat {v}, #8, {v}, asr #{form.short}")
            continue
        a.emit(f"add {v}, r1, {v}, asr #{shift}")
        if form.relu:
            a.emit_all(f"smmlar {v}, {v}, r2, r3", f"asr {v}, {v}, r12", f"usat {v}, #8, {v}")
        else:
            scale_linear(a, [v], temp, "r2", "r3")
            clamp_linear(a, [v], "r12", 0)
            a.add_imm(v, v, -form.zero_point)


def _portable_value(form: Form, shift: int) -> str:
    """``int32_t value`` of ``sums[x]``."""
    scaled = "(int32_t)sums[x]" if form.factor == 1 else f"(int32_t)(sums[x] * {form.factor}u)"
    if form.short:
        return f"int32_t value = cm4t_uint8(cm4t_high_add({scaled}, t[0], t[1]) >> {form.short});"
    acc = f"(int32_t)((uint32_t)t[0] + (uint32_t)({scaled} >> {shift}))"
    if form.relu:
        return f"int32_t value = cm4t_wide_relu({acc}, t[1], t[2], t[3]);"
    return f"int32_t value = cm4t_wide_linear({acc}, t[1], t[2], t[3], {form.zero_point});"
