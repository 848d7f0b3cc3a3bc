# SPDX-License-Identifier: Apache-2.0
"""ADD of two int16 tensors: fixed-point arithmetic that is proven equal to TFLite's for all 65,536 pairs of values.

TFLite scales both inputs to a common scale, adds, and scales to the output's, with a rounding in each step
(tensorflow/lite/kernels/internal/reference/integer_ops/add.h). What comes out is a table of 256 x 256 values; any formula that gives the
same table will do. Two are tried, with ``S`` as large as the factors' 32 bits allow:

* ``linear``: ``((ka * a >> 16) + (kb * b >> 16) + r) >> S``: SMLAWB or SMLAWT takes a halfword and adds, so a sum is two instructions.
  The factors and ``r`` are the first ones near the exact ratios of scales that pass for all pairs.
* ``table``: ``(t[a] + (kb * b >> 16)) >> S`` (or a and b the other way round) with 256 words ``t``: each has its own interval of right
  values, so this passes where the rounding of the first step makes the linear form fail.

Cost on the Cortex-M4 (DDI0439, SRAM, per value): linear 5.25, table 5.75 (its 1 KB in SRAM: constant there, or copied from flash by each
call, about 1100 cycles); 8 cycles per iteration of 32 values; an output that is not clamped at its zero point 0.75 more.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.add import LEFT_SHIFT, AddPlan
from cm4tiny.firmware.kernels.base import Array, Candidate, Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.guards import require_same_image
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.schedule import LINE_BYTES, Costed
from cm4tiny.firmware.kernels.int16.storage import Storage
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN, Multiplier
from cm4tiny.firmware.kernels.registers import Register

_VALUES = 256
_GROUP = 4  # values per group of instructions: two words of each input
_LIMIT = 1 << 31
_NEVER = np.int64(1) << 40  # a bound that no sum reaches
_NEARBY = range(-240, 241, 60)  # how far the factors may be from the ratios; 256 are one unit of the result at the largest value
_MAX_SHIFT = 20  # a sum may be as large as 2048 units of the result
_MAX_RATIOS = 6  # 255 times this, the table's reserve and the zero point remain below that
_COPY_CYCLES = 1100
_TABLE_BYTES = 4 * _VALUES
_UNROLL = 8
_ALLOCATION = (
    Register("a_at", "r0", "argument a: the next values"),
    Register("b_at", "r1", "argument b: the next values"),
    Register("o_at", "r2", "argument o: the next results"),
    Register("t", "r3", "argument, form with a table: its entry of value 0"),
    Register("factor_a", "r3", "linear form: factor of a"),
    Register("temp", "r4", "constants and ends on their way to the FPU registers and back"),
    *(Register(f"a_pair{i}", f"r{4 + i}", "linear form: two values of a") for i in range(2)),
    *(Register(f"b_pair{i}", f"r{6 + i}", "two values of b") for i in range(2)),
    *(Register(f"sum{i}", f"r{8 + i}", "a value of a, then the sum, then the result") for i in range(_GROUP)),
    Register("factor_b", "r12", "factor of b"),
    Register("offset", "lr", "linear form: what sums start with"),
    Register("iterations_end", "s0", "end in a of what a row's loop takes"),
    Register("rows_end", "s1", "end of a"),
    Register("zero_point", "s2", "of the output, twice"),
)
_COPY_ALLOCATION = (
    Register("to", "r0", "argument: the copy in SRAM"),
    Register("from", "r1", "argument: the table in flash"),
    *(Register(f"word{i}", f"r{4 + i}", "a word of the table") for i in range(8)),
    Register("end", "lr", "end of the copy"),
)


@dataclass(frozen=True)
class Formula:
    """``sat((first(a) + (factor_b * b >> 16)) >> shift) - zero_point``, with ``first`` a table or ``(factor_a * a >> 16) + offset``.

    Attributes:
        swapped: a and b change places.
        table: int32 [256], by value - lowest value of a; None: the linear form.
        lowest: of a.
    """

    swapped: bool
    table: Array | None
    lowest: int
    factor_a: int
    factor_b: int
    offset: int
    shift: int
    relu: bool
    zero_point: int


@dataclass(frozen=True)
class _Run:
    """Rows of values: how many, how long, and how far apart in the three tensors, in elements."""

    rows: int
    length: int
    strides: tuple[int, int, int]


def candidates(plan: AddPlan, a: Storage, b: Storage, target: Storage) -> list[Candidate]:
    """All ways to add ``a`` and ``b``; the kernels' parameters are a, b, [table, [workspace]], output.

    Raises:
        KernelLimitError: the layer is outside the limits.
    """
    require_same_image(target, a, b)
    if len({s.layout for s in (a, b, target)}) > 1:
        raise KernelLimitError("its tensors have different layouts")
    if any(s.origin % 2 or (s.channel % 2 and s.layout == "NCHW") for s in (a, b, target)):
        raise KernelLimitError("its tensors do not start at whole words")
    formula = find_formula(plan)
    order = (b, a, target) if formula.swapped else (a, b, target)
    run = _runs(order)
    code, cycles = _function(_key(formula), run)
    planes = target.channels if target.layout == "NCHW" else 1
    make = functools.partial(_kernel, formula, code, a, b, target, planes)
    cycles *= planes
    if formula.table is None:
        return [Candidate("add linear", cycles, 0, 0, functools.partial(make, "flash"))]
    return [
        Candidate("add table ram", cycles, _TABLE_BYTES, 0, functools.partial(make, "ram")),
        Candidate("add table copied", cycles + _COPY_CYCLES, 0, _TABLE_BYTES, functools.partial(make, "copied")),
    ]


def _runs(tensors: tuple[Storage, Storage, Storage]) -> _Run:
    target = tensors[2]
    if all(s.flat for s in tensors):
        return _Run(1, target.height * target.width * target.channels, (0, 0, 0))
    if target.layout == "NCHW":
        return _Run(target.height, target.width, (tensors[0].row, tensors[1].row, tensors[2].row))
    if any(s.pixel != s.channels for s in tensors):
        raise KernelLimitError("its pixels are padded")
    if any(s.row % 2 for s in tensors):
        raise KernelLimitError("its rows do not start at whole words")
    return _Run(target.height, target.width * target.channels, (tensors[0].row, tensors[1].row, tensors[2].row))


# --- the formula --------------------------------------------------------------------------------------------------------------
def exact(plan: AddPlan) -> tuple[Array, Array, Array]:
    """Stored values of a and b, int64 [256] each, and of their sum by TFLite's rule, int64 [256, 256]."""
    a, b = (np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64) - z for z in (plan.zero_point_a, plan.zero_point_b))
    total = _scaled(a << LEFT_SHIFT, plan.multiplier_a)[:, None] + _scaled(b << LEFT_SHIFT, plan.multiplier_b)[None, :]
    return a, b, np.clip(_scaled(total, plan.multiplier) + plan.zero_point, plan.low, plan.high) - plan.zero_point


def _scaled(x: Array, multiplier: Multiplier) -> Array:
    """``MultiplyByQuantizedMultiplier`` for factors below 1 (see :mod:`cm4tiny.firmware.kernels.quant`)."""
    product, right = (x * multiplier.mantissa + (1 << 30)) >> 31, -multiplier.shift
    mask = (1 << right) - 1
    return (product >> right) + ((product & mask) > (mask >> 1) + (product < 0))


@functools.lru_cache(maxsize=64)
def find_formula(plan: AddPlan) -> Formula:
    """The cheapest formula that is right for all pairs of values."""
    relu = plan.low == plan.zero_point == INT8_MIN and plan.high == INT8_MAX
    if not relu and (plan.low, plan.high) != (INT8_MIN, INT8_MAX):
        raise KernelLimitError(f"it clamps its output to {plan.low}..{plan.high}")
    if any(m.shift > 0 for m in (plan.multiplier_a, plan.multiplier_b, plan.multiplier)):
        raise KernelLimitError("a factor is 1 or more")
    a, b, wanted = exact(plan)
    lowest, highest = INT8_MIN - plan.zero_point, INT8_MAX - plan.zero_point
    ratios = [_real(m) * _real(plan.multiplier) * 2.0**LEFT_SHIFT for m in (plan.multiplier_a, plan.multiplier_b)]
    if sum(ratios) > _MAX_RATIOS:
        raise KernelLimitError("its output's scale is too small")
    shift = _largest_shift(max(ratios))
    found = _linear(a, b, wanted, (lowest, highest), ratios, shift) if shift else None
    base = 0 if relu else plan.zero_point  # the saturating instruction works on the quantised value
    if found is not None:
        return Formula(False, None, 0, found[0], found[1], found[2] + (base << shift), shift, relu, plan.zero_point)
    for swapped, one, other, table, ratio in ((True, b, a, wanted.T, ratios[0]), (False, a, b, wanted, ratios[1])):
        shift = _largest_shift(ratio)
        factor = round(ratio * 2.0 ** (shift + 16))
        first = _table(other, table, (lowest, highest), factor, shift) if shift else None
        if first is not None:
            words = (first + (base << shift)).astype(np.int32)
            return Formula(swapped, words, int(one[0]), 0, factor, 0, shift, relu, plan.zero_point)
    raise KernelLimitError("no fixed-point formula gives the same values for all pairs")


def _real(multiplier: Multiplier) -> float:
    return multiplier.mantissa * 2.0 ** (multiplier.shift - 31)


def _largest_shift(ratio: float) -> int:
    """The largest shift with which a factor and a sum fit into 32 bits; 0 if there is none."""
    shift = _MAX_SHIFT
    while shift and ratio * 2.0 ** (shift + 16) + _NEARBY.stop >= _LIMIT:
        shift -= 1
    return shift


def _interval(summed: Array, wanted: Array, ends: tuple[int, int], shift: int, axis: int | None) -> tuple[Array, Array]:
    """The least and the largest offset that give the wanted values; saturated ones only bound it from one side."""
    least = np.where(wanted == ends[0], -_NEVER, (wanted << shift) - summed)
    most = np.where(wanted == ends[1], _NEVER, ((wanted + 1) << shift) - 1 - summed)
    return least.max(axis=axis), most.min(axis=axis)


def _linear(a: Array, b: Array, wanted: Array, ends: tuple[int, int], ratios: list[float], shift: int) -> tuple[int, int, int] | None:
    """Factors and offset of the linear form."""
    exact_a, exact_b = (round(ratio * 2.0 ** (shift + 16)) for ratio in ratios)
    nearby = sorted(((i, j) for i in _NEARBY for j in _NEARBY), key=lambda d: abs(d[0]) + abs(d[1]))
    for i, j in nearby:
        summed = ((exact_a + i) * a >> 16)[:, None] + ((exact_b + j) * b >> 16)[None, :]
        least, most = _interval(summed, wanted, ends, shift, None)
        if least <= most:
            reserve = np.int64(1) << (shift + 8)  # where all values are saturated at one end, one side is open
            least, most = max(least, most - reserve) if least == -_NEVER else least, min(most, least + reserve)
            return exact_a + i, exact_b + j, int(least + most) // 2
    return None


def _table(b: Array, wanted: Array, ends: tuple[int, int], factor: int, shift: int) -> Array | None:
    """The words of the table form, int64 [256]."""
    summed = np.broadcast_to((factor * b >> 16)[None, :], wanted.shape)
    least, most = _interval(summed, wanted, ends, shift, 1)
    if (least > most).any():
        return None
    reserve = np.int64(1) << (shift + 8)  # where all values are saturated, one side is open
    least = np.maximum(least, np.where(least == -_NEVER, most - reserve, least))
    words: Array = (least + np.minimum(most, least + reserve)) // 2
    return words


# --- code ---------------------------------------------------------------------------------------------------------------------
_Key = tuple[bool, int, int, int, int, int, bool, int]
_PORTABLE = """    for (int32_t y = 0; y < {rows}; ++y) {{
        for (int32_t i = 0; i < {length}; ++i) {{
            int32_t acc = {first} + (int32_t)((int64_t)({factor_b}) * b[i] >> 16);
            o[i] = (int16_t)({sat}(acc >> {shift}){zero_point});
        }}
        a += {a};
        b += {b};
        o += {o};
    }}"""


def _key(formula: Formula) -> _Key:
    """What the code depends on; the words of the table do not matter to it."""
    f = formula
    return f.table is None, f.lowest, f.factor_a, f.factor_b, f.offset, f.shift, f.relu, f.zero_point


@functools.lru_cache(maxsize=64)
def _function(key: _Key, run: _Run) -> tuple[CFunction, int]:
    """The function with the best number of groups per iteration, and its cycles."""
    found = []
    for unroll in range(_UNROLL, 0, -1):
        writer = _Writer(key, run, unroll)
        writer.write()
        code = writer.code.function("add", writer.parameters, writer.portable())
        if writer.code.loop_lines * LINE_BYTES <= ICACHE_BYTES:
            found.append((round(writer.code.cycles), code))
    cycles, code = min(found, key=lambda pair: pair[0])
    return code, cycles


class _Writer:
    """Writes the function of one formula and one run."""

    def __init__(self, key: _Key, run: _Run, unroll: int) -> None:
        self.linear, self.lowest, self.factor_a, self.factor_b, self.offset, self.shift, self.relu, self.zero_point = key
        self.run, self.unroll, self.code = run, unroll, Costed(_ALLOCATION)
        self.parameters = "const int16_t *a, const int16_t *b, int16_t *o" + ("" if self.linear else ", const int32_t *t")

    def write(self) -> None:
        code, run = self.code, self.run
        code.emit("push {r4-r11, lr}")
        if self.linear:
            code.constant("factor_a", self.factor_a)
            code.constant("offset", self.offset)
        else:
            code.add_imm("t", "t", -4 * self.lowest)
        code.constant("factor_b", self.factor_b)
        if not self.relu:
            code.constant("temp", (self.zero_point & 0xFFFF) * 0x10001)
            code.emit("vmov zero_point, temp")
        if run.rows > 1:
            code.add_imm("temp", "a_at", 2 * run.rows * run.strides[0])
            code.emit("vmov rows_end, temp")
            code.label("1")
            code.times = run.rows
        done = self._row()
        if run.rows > 1:
            for register, stride in zip(("a_at", "b_at", "o_at"), run.strides, strict=True):
                code.add_imm(register, register, 2 * (stride - done))
            code.emit_all("vmov temp, rows_end", "cmp a_at, temp")
            code.repeat_end("1", run.rows)
            code.times = 1
        code.emit("pop {r4-r11, pc}")

    def _row(self) -> int:
        """One row; returns how many values the pointers have moved."""
        code, times = self.code, self.code.times
        groups, rest = divmod(self.run.length, _GROUP)
        iterations = groups // self.unroll
        left, done = groups, 0
        if iterations > 1:
            code.add_imm("temp", "a_at", 2 * _GROUP * self.unroll * iterations)
            code.emit("vmov iterations_end, temp")
            code.label("2")
            code.times = times * iterations
            for i in range(self.unroll):
                self._group(_GROUP, 2 * _GROUP * i)
            for register in ("a_at", "b_at", "o_at"):
                code.add_imm(register, register, 2 * _GROUP * self.unroll)
            code.emit_all("vmov temp, iterations_end", "cmp a_at, temp")
            code.repeat_end("2", iterations)
            code.times = times
            left, done = groups % self.unroll, iterations * self.unroll * _GROUP
        for i in range(left):
            self._group(_GROUP, 2 * _GROUP * i)
        if rest:
            self._group(rest, 2 * _GROUP * left)
        return done

    def _group(self, count: int, at: int) -> None:
        """``count`` values from byte ``at`` on; what is read after an odd one does not matter."""
        code, words = self.code, (count + 1) // 2
        lanes = [(f"sum{i}", f"a_pair{i // 2}", f"b_pair{i // 2}", "bt"[i % 2]) for i in range(count)]
        if self.linear:
            code.emit_all(*(f"ldr a_pair{i}, [a_at, #{at + 4 * i}]" for i in range(words)))
        else:
            code.emit_all(*(f"ldrsh {r}, [a_at, #{at + 2 * i}]" for i, (r, *_) in enumerate(lanes)))
        code.emit_all(*(f"ldr b_pair{i}, [b_at, #{at + 4 * i}]" for i in range(words)))
        if self.linear:
            code.emit_all(*(f"smlaw{half} {r}, factor_a, {a}, offset" for r, a, _, half in lanes))
        else:
            code.emit_all(*(f"ldr {r}, [t, {r}, lsl #2]" for r, *_ in lanes))
        code.emit_all(*(f"smlaw{half} {r}, factor_b, {b}, {r}" for r, _, b, half in lanes))
        code.emit_all(*(f"{'usat' if self.relu else 'ssat'} {r}, #8, {r}, asr #{self.shift}" for r, *_ in lanes))
        code.emit_all(*(f"pkhbt sum{i}, sum{i}, sum{i + 1}, lsl #16" for i in range(0, count - 1, 2)))
        if not self.relu and self.zero_point:
            code.emit("vmov temp, zero_point")
            code.emit_all(*(f"ssub16 sum{i}, sum{i}, temp" for i in range(0, count, 2)))
        for i in range(0, count, 2):
            code.emit(f"{'str' if i + 1 < count else 'strh'} sum{i}, [o_at, #{at + 2 * i}]")

    def portable(self) -> str:
        run = self.run
        first = f"(int32_t)((int64_t)({self.factor_a}) * a[i] >> 16) + ({self.offset})" if self.linear else f"t[a[i] - ({self.lowest})]"
        return _PORTABLE.format(
            rows=run.rows, length=run.length, first=first, factor_b=self.factor_b, shift=self.shift,
            sat="cm4t_uint8" if self.relu else "cm4t_int8", zero_point="" if self.relu else f" - ({self.zero_point})",
            a=run.strides[0], b=run.strides[1], o=run.strides[2])  # fmt: skip


def _copy_function() -> CFunction:
    """1 KB from flash to SRAM."""
    code = Costed(_COPY_ALLOCATION)
    code.emit("push {r4-r11, lr}")
    code.add_imm("end", "to", _TABLE_BYTES)
    code.label("1")
    code.emit_all("ldmia from!, {word0-word7}", "stmia to!, {word0-word7}", "cmp to, end")
    code.loop_end("1")
    code.emit("pop {r4-r11, pc}")
    portable = f"    memcpy(to, from, {_TABLE_BYTES});"
    return code.function("table", "int32_t *to, const int32_t *from", portable)


def _kernel(formula: Formula, code: CFunction, a: Storage, b: Storage, target: Storage, planes: int, placement: str) -> Kernel:
    copy = _copy_function() if placement == "copied" else None

    def body(x: Any, y: Any, *rest: Any) -> None:
        tir = Tir()
        *tables, o = rest
        if copy is not None:
            tir.emit(copy.name, tir.at(tables[1], 0), tir.at(tables[0], 0))

        def plane(c: Any) -> None:
            operands = [tir.at(x, a.origin + c * a.channel), tir.at(y, b.origin + c * b.channel)]
            table = [tir.at(tables[-1], 0)] if tables else []
            tir.emit(code.name, *(operands[::-1] if formula.swapped else operands), tir.at(o, target.origin + c * target.channel), *table)

        if planes > 1:
            with tir.loop(planes, "c") as c:
                plane(c)
        else:
            plane(0)

    params = [Param("a", a.elements, "int16"), Param("b", b.elements, "int16")]
    constants: tuple[Array, ...] = ()
    if formula.table is not None:
        constants = (formula.table,)
        params += [Param("t", _VALUES, "int32")] + [Param("copy", _VALUES, "int32")] * (copy is not None)
    params.append(Param("o", target.elements, "int16"))
    return Kernel(
        "add",
        prim_func(params, body),
        constants,
        (_TABLE_BYTES,) if copy is not None else (),
        (code,) if copy is None else (code, copy),
        frozenset({0}) if placement == "ram" else frozenset(),
    )
