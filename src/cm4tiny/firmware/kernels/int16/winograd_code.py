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
from cm4tiny.firmware.kernels.registers import Register

COMPONENTS = 36
MAX_OFFSET = 4095
"""Of LDR, STR and STRH with an immediate, ARMv7-M ARM."""
RESIDENT_LIMIT = 32
"""Input channels whose weights, for two output channels, fill the 32 FPU registers."""
INVERSE_OF_9 = 0x38E38E39
"""Modulo 2**32."""
_MAX_ITERATION_BYTES = 800
ROW = tuple(f"u{i}" for i in range(7))
_SUMS = tuple(f"c{c}t{t}" for c in range(2) for t in range(4))
_PRODUCT_ALLOCATION = (
    Register("v", "r0", "argument: transformed input"),
    Register("w", "r1", "argument: transformed weights"),
    Register("m", "r2", "argument: products"),
    Register("count", "r3", "argument: pairs of output channels; quads if there are several groups"),
    Register("component", "r3", "bytes of a component of M"),
    *(Register(name, f"r{i}", "sum of output channel c and tile t") for i, name in enumerate(_SUMS)),
    Register("m_at", "r8", "where the quad's products go"),
    Register("component_end", "r9", "end of the component in M"),
    Register("m_end", "r10", "end of the channel pair's part of M"),
)
_RESIDENT_ALLOCATION = (
    *_PRODUCT_ALLOCATION,
    Register("count_kept", "r4", "see count"),
    *(Register(f"x_t{t}", f"r{8 + t}", "two input channels of a tile") for t in range(4)),
    Register("step", "r11", "bytes of a component of M"),
    Register("weight", "r12", "two weights of an output channel"),
    Register("w_at", "r12", "the next component's weights"),
    Register("pairs_left", "r12", "pairs of output channels left"),
    Register("v_at", "lr", "the next words of V"),
)
_STREAMED_ALLOCATION = (
    *_PRODUCT_ALLOCATION,
    *(Register(f"w_c{c}", f"r{8 + c}", "two weights of an output channel") for c in range(2)),
    Register("x_even", "r10", "two input channels of a tile"),
    Register("x_odd", "r11", "two input channels of the next tile"),
    Register("dot_end", "r8", "end of the quad in V"),
    Register("pairs_left", "r8", "pairs of output channels left"),
    Register("step", "r10", "bytes of a component of M"),
    Register("v_at", "r12", "the next words of V"),
    Register("w_at", "lr", "the next weights"),
    Register("m_kept", "s0", "see m_at"),
    Register("component_end_kept", "s1", "see component_end"),
    Register("dot_end_kept", "s2", "see dot_end"),
    Register("m_end_kept", "s3", "see m_end"),
    Register("step_kept", "s4", "see step"),
    Register("v_start", "s5", "start of V"),
    Register("pairs_left_kept", "s6", "see pairs_left"),
)
INPUT_ALLOCATION = (
    Register("x", "r0", "argument: the tile's upper left corner"),
    Register("v", "r1", "argument: the tile's place in slice 0 of V"),
    *(Register(f"u{i}", f"r{i}", "values of a row or column, two channels each") for i in range(8)),
    Register("source", "r9", "the next row, two channels"),
    Register("patch", "r10", "transformed rows, on the stack"),
    Register("target", "r11", "where the results go"),
    Register("far", "r12", "where those of odd rows or of a column go"),
    Register("pairs", "lr", "pairs of channels left"),
    Register("iterations", "lr", "iterations of a loop left"),
    Register("pairs_kept", "s0", "see pairs"),
)
_OUTPUT_ALLOCATION = (
    Register("m", "r0", "argument: the tile's place in slice 0 of the channel"),
    Register("table", "r1", "argument: the next channel's parameters"),
    Register("o", "r2", "argument: the channel's first result"),
    Register("count", "r3", "argument: channels"),
    Register("entry", "r0", "see table"),
    Register("place", "r0", "the rows' first result"),
    Register("iterations", "r1", "iterations of a loop left"),
    Register("hop", "r1", "bytes to the next channel and one pair more"),
    Register("left", "r1", "channels left"),
    Register("bias", "r1", "of the channel, doubled; long form"),
    Register("mantissa", "r2", "of the channel"),
    Register("rounding", "r3", "of the channel"),
    Register("extra", "r3", "a product of an odd row, stride 2"),
    *(Register(name, f"r{4 + i}", "values of a row or column") for i, name in enumerate(ROW)),
    Register("end", "r4", "end of the rows on the stack"),
    Register("factor", "r11", "what sums are multiplied by"),
    Register("shift", "r12", "of the channel; long form"),
    Register("odd_rows", "r12", "the next products of odd rows, stride 2"),
    Register("rows", "lr", "transformed columns, on the stack"),
    Register("m_kept", "s0", "see m"),
    Register("table_kept", "s1", "see table"),
    Register("place_kept", "s2", "see place"),
    Register("left_kept", "s3", "see left"),
    Register("hop_kept", "s4", "see hop"),
)


@dataclass(frozen=True)
class WinogradShape:
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


def product(shape: WinogradShape) -> CFunction:
    """``f(v, w, m, pairs)``: so many pairs of output channels.

    With several groups ``f(v, w, m, quads, components)``: one pair of channels and one group.
    """
    a = Assembly(_RESIDENT_ALLOCATION if shape.channels <= RESIDENT_LIMIT else _STREAMED_ALLOCATION)
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


def _resident(a: Assembly, shape: WinogradShape) -> None:
    """On the stack wait M, its end for this component, weights, the end of M for this pair, the bytes of a component, the start of V and
    the pairs left; the first two in FPU registers if some are left, which is faster."""
    n = shape.pairs
    registers = 2 * n + 2 if 2 * n + 2 <= RESIDENT_LIMIT else 2 * n
    spare = registers > 2 * n
    names = _resident_names(a, n, spare=spare)
    iterations = max(u for u in (1, 2, 4) if shape.quads % u == 0 and (u == 1 or (spare and u * (44 * n + 36) <= _MAX_ITERATION_BYTES)))
    a.emit_all("push {r4-r11, lr}", "mov count_kept, count")
    _bounds(a, shape)
    if registers > 16:
        a.emit(f"vpush {float_list(16, registers - 1)}")
    a.emit_all("mov v_at, v", "mov m_at, m", "sub sp, sp, #32", "strd m_at, component_end, [sp]", "strd w, m_end, [sp, #8]")
    a.emit_all("strd component, v, [sp, #16]", "str count_kept, [sp, #24]")
    if spare:
        a.emit_all("vmov m_kept, m_at", "vmov component_end_kept, component_end")
    a.label("9")
    a.emit_all("ldr w_at, [sp, #8]", f"vldm w_at!, {{{names[0]}-{names[-1]}}}", "str w_at, [sp, #8]")
    a.label("8")
    for iteration in range(iterations):
        for k in range(n):
            a.emit("ldm v_at!, {x_t0-x_t3}")
            for q in range(2):
                a.emit(f"vmov weight, weight{k}_c{q}")
                a.emit_all(*[_mac(f"c{q}t{p}", f"x_t{p}", "weight", first=k == 0) for p in range(4)])
        a.emit("vmov m_at, m_kept" if spare else "ldrd m_at, component_end, [sp]")
        _store_sums(a, 32 * iteration, last=iteration == iterations - 1)
    a.emit_all(*(["vmov m_kept, m_at", "vmov component_end, component_end_kept"] if spare else ["str m_at, [sp]"]))
    if _many_quads(shape):
        a.emit("cmp m_at, component_end")
        a.loop_end("8")
    a.emit("ldrd m_end, step, [sp, #12]")
    if _many_quads(shape):
        a.emit("add component_end, component_end, step")
        a.emit("vmov component_end_kept, component_end" if spare else "str component_end, [sp, #4]")
    a.emit("cmp m_at, m_end")
    a.loop_end("9")
    if not shape.several:
        a.add_imm("m_end", "m_end", 4 * shape.pair_words)
        a.emit_all("ldrd v_at, pairs_left, [sp, #20]", "str m_end, [sp, #12]")
        a.emit_all("subs pairs_left, pairs_left, #1", "str pairs_left, [sp, #24]")
        a.loop_end("9")
    a.emit("add sp, sp, #32")
    if registers > 16:
        a.emit(f"vpop {float_list(16, registers - 1)}")
    a.emit("pop {r4-r11, pc}")


def _resident_names(a: Assembly, n: int, *, spare: bool) -> list[str]:
    """Allocates the FPU registers: weights of ``n`` words of input, and two more if ``spare``; returns the weights' names."""
    names = [f"weight{k}_c{q}" for k in range(n) for q in range(2)]
    a.registers.names(names, [f"s{i}" for i in range(2 * n)], "weights of two input channels k, one output channel c")
    if spare:
        a.registers.names(("m_kept", "component_end_kept"), (f"s{2 * n}", f"s{2 * n + 1}"), "see m_at, component_end")
    return names


def _streamed(a: Assembly, shape: WinogradShape) -> None:
    """Weights come from memory together with the inputs."""
    n = shape.pairs
    most = 14 if _many_quads(shape) else 16  # the function shall fit into the instruction cache
    unroll = max(u for u in range(1, most + 1) if n % u == 0)
    a.emit_all("push {r4-r11, lr}", "vmov v_start, v", "vmov pairs_left_kept, count")
    _bounds(a, shape)
    a.emit_all("mov v_at, v", "mov w_at, w", "vmov m_kept, m", "vmov m_end_kept, m_end")
    if _many_quads(shape):
        a.emit_all("vmov component_end_kept, component_end", "vmov step_kept, component")
    a.label("9")
    a.emit_all(*[f"mov {total}, #0" for total in _SUMS])
    if n > unroll:
        a.add_imm("dot_end", "v_at", 16 * n)
        a.emit("vmov dot_end_kept, dot_end")
        a.label("7")
    for k in range(unroll):
        a.emit_all(f"ldr w_c0, [w_at, #{8 * k}]", f"ldr w_c1, [w_at, #{8 * k + 4}]")
        a.emit_all(f"ldr x_even, [v_at, #{16 * k}]", f"ldr x_odd, [v_at, #{16 * k + 4}]")
        a.emit_all(*[_mac(f"c{q}t{p}", x, f"w_c{q}") for p, x in enumerate(("x_even", "x_odd")) for q in range(2)])
        a.emit(f"ldrd x_even, x_odd, [v_at, #{16 * k + 8}]")
        a.emit_all(*[_mac(f"c{q}t{p}", x, f"w_c{q}") for p, x in enumerate(("x_even", "x_odd"), 2) for q in range(2)])
    a.add_imm("v_at", "v_at", 16 * unroll)
    a.add_imm("w_at", "w_at", 8 * unroll)
    if n > unroll:
        a.emit_all("vmov dot_end, dot_end_kept", "cmp v_at, dot_end")
        a.loop_end("7")
    a.emit("vmov m_at, m_kept")
    _store_sums(a)
    a.emit("vmov m_kept, m_at")
    if _many_quads(shape):
        a.emit_all("vmov component_end, component_end_kept", "cmp m_at, component_end")
        a.add_imm("w_at", "w_at", -8 * n)
        a.loop_end("9")
        a.add_imm("w_at", "w_at", 8 * n)
        a.emit_all("vmov step, step_kept", "add component_end, component_end, step", "vmov component_end_kept, component_end")
    a.emit_all("vmov m_end, m_end_kept", "cmp m_at, m_end")
    a.loop_end("9")
    if not shape.several:
        a.add_imm("m_end", "m_end", 4 * shape.pair_words)
        a.emit_all("vmov m_end_kept, m_end", "vmov v_at, v_start")
        a.emit_all("vmov pairs_left, pairs_left_kept", "subs pairs_left, pairs_left, #1", "vmov pairs_left_kept, pairs_left")
        a.loop_end("9")
    a.emit("pop {r4-r11, pc}")


def _bounds(a: Assembly, shape: WinogradShape) -> None:
    """After the first push: the end of M; with many quads, the end of its first component and the bytes of one."""
    if not shape.several:
        components, slices = shape.groups[0]
        a.add_imm("m_end", "m", 4 * components * slices * shape.m_slice)
        if not _many_quads(shape):
            return
        a.constant("component", 4 * slices * shape.m_slice)
    else:
        a.emit_all("ldr m_end, [sp, #36]", "lsl component, count, #5", "mul m_end, m_end, component", "add m_end, m, m_end")
    a.emit("add component_end, m, component")


def _many_quads(shape: WinogradShape) -> bool:
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
    """The sums to [m_at, #offset]; the last ones of an iteration also move ``m_at`` after them."""
    step = offset + 32 if last else 0
    first, *rest = _SUMS
    a.emit(f"str {first}, [m_at], #{step}" if offset == 0 and last else f"str {first}, [m_at, #{offset}]")
    if offset and last:
        a.emit(f"add m_at, m_at, #{step}")
    a.emit_all(*[f"str {total}, [m_at, #{offset + 4 * i - step}]" for i, total in enumerate(rest, 1)])


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
        columns: writes the transform of all columns: from [m] to four rows of ``width`` words at sp. Leaves ``m`` one channel pair ahead
            and ``rows`` 4 * ``ahead`` bytes above sp; may spend all registers but ``factor``.
        row: writes the transform of one row at [rows, #offset]; spends the registers :data:`ROW`; returns those of its four results.
        portable_column, portable_row: C statements: ``d(i)`` of a column to ``rows[y][j]``; ``d[j]`` of a row to ``uint32_t sums[4]``.
        shift: the sums are 9 * 2 * 2**shift times those wanted.
    """

    width: int
    columns: Callable[[Assembly], None]
    ahead: int
    row: Callable[[Assembly, int], list[str]]
    portable: str
    shift: int


def output_transform(shape: WinogradShape, to: Result, parts: OutputParts) -> CFunction:
    """``f(m, table, o, count)``: one tile, ``count`` channels; m is the tile's sums in slice 0 of the first channel pair."""
    a = Assembly(_OUTPUT_ALLOCATION)
    pair, scratch, width = 4 * shape.pair_words, 16 * parts.width, 4 * parts.width
    a.emit_all("push {r4-r11, lr}", f"sub sp, sp, #{scratch}", "vmov table_kept, table", "vmov place_kept, o", "vmov left_kept, count")
    a.constant("hop", pair - 16)
    a.emit("vmov hop_kept, hop")
    if to.form.factor != 1:
        a.constant("factor", to.form.factor)
    a.label("9")
    parts.columns(a)
    # channels 0 and 1 of a pair lie side by side: the steps are 16 bytes and one pair less 16 bytes in iteration
    a.emit_all("vmov hop, hop_kept", "sub m, m, hop", f"rsb hop, hop, #{pair}", "vmov hop_kept, hop", "vmov m_kept, m")
    a.emit_all("vmov entry, table_kept", f"ldm entry!, {{{'mantissa, rounding' if to.form.short else 'bias, mantissa, rounding, shift'}}}")
    a.emit_all("vmov table_kept, entry", "vmov place, place_kept")
    a.label("7")
    reach = 2 * to.row + 6 * to.pixel <= MAX_OFFSET
    for y in range(2):  # two iterations
        out = parts.row(a, width * y - 4 * parts.ahead)
        _requantise(a, out, to.form, parts.shift)
        if not reach and y:
            a.add_imm("place", "place", 2 * to.row)
        a.emit_all(*[f"strh {out[x]}, [place, #{2 * to.pixel * x + 2 * to.row * (y if reach else 0)}]" for x in range(4)])
    a.add_imm("place", "place", 2 * to.row * (2 if reach else 1))
    a.emit_all(f"add end, sp, #{2 * width + 4 * parts.ahead}", "cmp rows, end", f"add rows, rows, #{2 * width}")
    a.loop_end("7")
    a.emit("vmov place, place_kept")
    a.add_imm("place", "place", 2 * to.channel)
    a.emit_all("vmov place_kept, place", "vmov left, left_kept", "subs left, left, #1", "vmov left_kept, left", "vmov m, m_kept")
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
    """A scaled sum -> its quantised value.

    The shift is at least 1, as :func:`~cm4tiny.firmware.kernels.int16.schedule.requantise_linear` wants it.
    """
    temp = next(register for register in ROW if register not in values)
    for v in values:
        if form.factor != 1:
            a.emit(f"mul {v}, {v}, factor")
        if form.short:
            a.emit_all(f"smmlar {v}, {v}, mantissa, rounding", f"usat {v}, #8, {v}, asr #{form.short}")
            continue
        a.emit(f"add {v}, bias, {v}, asr #{shift}")
        if form.relu:
            a.emit_all(f"smmlar {v}, {v}, mantissa, rounding", f"asr {v}, {v}, shift", f"usat {v}, #8, {v}")
        else:
            scale_linear(a, [v], temp, "mantissa", "rounding")
            clamp_linear(a, [v], "shift", 0)
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
