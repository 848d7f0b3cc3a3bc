# SPDX-License-Identifier: Apache-2.0
"""Assembly of :mod:`.kronecker` and its portable twins: packing an image into words, and the convolution of packed words."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.assembly import float_list
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.schedule import Costed, requantise_uniform

FIELD = 21
"""Bits from one sum to the next in a 64-bit accumulator."""
SPARE_BITS = 32 - FIELD
"""A sum is handed to the requantisation at the upper end of a word: times two to this."""
PARAMETERS = 4
"""Words behind a channel's weights: both halves of what its accumulators start with, mantissa, rounding."""
MOST_SUMS = 3
_SUMS = (("r4", "r5"), ("r6", "r7"), ("r8", "r9"))
_TEMPS = ("r1", "r2", "r3", "r10", "r11", "r12")
_STATES = ("out", "stream", "stream_end", "rows_end")
MOST_WEIGHTS = 32 - PARAMETERS - len(_STATES)
_REACH = 4095


@dataclass(frozen=True)
class Unit:
    """Words that lie side by side, and the weights that they meet: word ``d + n`` meets weight ``n`` for the accumulator ``d``.

    Attributes:
        at: of the first word, in words from the start of the output row's first input row.
        weights: numbers of words of weights.
    """

    at: int
    weights: tuple[int, ...]


@dataclass(frozen=True)
class Shape:
    """What the convolution's code depends on.

    Attributes:
        width, height, channels: of the output.
        units: of an output row.
        step: words from output row to output row in the packed image.
        pixel, row, channel: of the output, in elements.
        shift: of the requantisation.
    """

    width: int
    height: int
    channels: int
    units: tuple[Unit, ...]
    step: int
    pixel: int
    row: int
    channel: int
    shift: int

    @property
    def sums(self) -> int:
        """Accumulators of an output row."""
        return self.width // 2 + 1

    @property
    def weights(self) -> int:
        """Words of weights per channel."""
        return sum(len(unit.weights) for unit in self.units)

    @property
    def stream(self) -> int:
        """Words per channel."""
        return self.weights + PARAMETERS


@functools.lru_cache(maxsize=64)
def convolution(shape: Shape) -> tuple[CFunction, int]:
    """``f(x, w, o)`` and its cycles.

    Raises:
        KernelLimitError: it needs more registers or longer offsets than there are.
    """
    if shape.sums > MOST_SUMS or shape.weights > MOST_WEIGHTS:
        raise KernelLimitError(f"{shape.sums} accumulators and {shape.weights} words of weights do not fit into the registers")
    if max(4 * unit.at for unit in shape.units) + 4 * len(_TEMPS) > _REACH or 2 * shape.width * shape.pixel > _REACH:
        raise KernelLimitError("its rows are too long for immediate offsets")
    code, n = Costed(), shape.weights
    low, high, mantissa, rounding = (f"s{n + i}" for i in range(PARAMETERS))
    state = {name: f"s{n + PARAMETERS + i}" for i, name in enumerate(_STATES)}
    last = n + PARAMETERS + len(_STATES) - 1
    saved = float_list(16, last)
    code.emit("push {r4-r11, lr}")
    if last >= 16:
        code.emit(f"vpush {saved}")
    code.emit_all(f"vmov {state['stream']}, r1", f"vmov {state['out']}, r2")
    code.add_imm("r3", "r1", 4 * shape.stream * shape.channels)
    code.emit(f"vmov {state['stream_end']}, r3")
    code.add_imm("r3", "r0", 4 * shape.step * shape.height)
    code.emit(f"vmov {state['rows_end']}, r3")
    code.times = shape.channels
    code.label("9")
    code.emit_all(f"vmov r1, {state['stream']}", f"vldmia r1!, {{s0-{rounding}}}", f"vmov {state['stream']}, r1")
    code.times = shape.channels * shape.height
    code.label("8")
    sums = _SUMS[: shape.sums]
    code.emit_all(f"vmov {sums[0][0]}, {low}", f"vmov {sums[0][1]}, {high}")
    for pair in sums[1:]:
        code.emit_all(*(f"mov {register}, {first}" for register, first in zip(pair, sums[0], strict=True)))
    for group in _groups(shape):
        _products(code, group, sums)
    values = _values(code, shape.width, sums)
    code.emit_all(f"vmov r1, {state['out']}", f"vmov r2, {mantissa}", f"vmov r3, {rounding}")
    requantise_uniform(code, values, "r2", "r3", shape.shift)
    code.emit_all(*(f"strh {value}, [r1, #{2 * shape.pixel * i}]" for i, value in enumerate(values)))
    code.add_imm("r1", "r1", 2 * shape.row)
    code.emit(f"vmov {state['out']}, r1")
    code.add_imm("r0", "r0", 4 * shape.step)
    code.emit_all(f"vmov r2, {state['rows_end']}", "cmp r0, r2")
    code.repeat_end("8", shape.height)
    code.times = shape.channels
    code.add_imm("r0", "r0", -4 * shape.step * shape.height)
    code.add_imm("r1", "r1", 2 * (shape.channel - shape.row * shape.height))
    code.emit_all(f"vmov {state['out']}, r1", f"vmov r1, {state['stream']}", f"vmov r2, {state['stream_end']}", "cmp r1, r2")
    code.repeat_end("9", shape.channels, outer=True)
    code.times = 1
    if last >= 16:
        code.emit(f"vpop {saved}")
    code.emit("pop {r4-r11, pc}")
    function = code.function("kronecker", "const int32_t *x, const int32_t *w, int16_t *o", _twin(shape))
    return function, round(code.cycles)


def _groups(shape: Shape) -> list[list[Unit]]:
    """Units whose words are loaded in one row."""
    found: list[list[Unit]] = []
    room = 0
    for unit in shape.units:
        words = shape.sums + len(unit.weights) - 1
        if words > len(_TEMPS):
            raise KernelLimitError(f"a unit of {words} words does not fit into the registers")
        if words > room:
            found.append([])
            room = len(_TEMPS)
        found[-1].append(unit)
        room -= words
    return found


def _products(code: Costed, group: Sequence[Unit], sums: Sequence[tuple[str, str]]) -> None:
    free = iter(_TEMPS)
    words = [[next(free) for _ in range(len(sums) + len(unit.weights) - 1)] for unit in group]
    for unit, registers in zip(group, words, strict=True):
        code.emit_all(*(f"ldr {register}, [r0, #{4 * (unit.at + i)}]" for i, register in enumerate(registers)))
    for unit, registers in zip(group, words, strict=True):
        for n, weight in enumerate(unit.weights):
            code.emit(f"vmov lr, s{weight}")
            code.emit_all(*(f"smlal {low}, {high}, {registers[d + n]}, lr" for d, (low, high) in enumerate(sums)))


def _values(code: Costed, width: int, sums: Sequence[tuple[str, str]]) -> list[str]:
    """The sums of a row's outputs, each at the upper end of its register; see :mod:`.kronecker`."""
    values = []
    for i in range(width):
        low, high = sums[i // 2]
        if i % 2 == 0:
            code.emit_all(f"lsr {low}, {low}, #{FIELD}", f"orr {low}, {low}, {high}, lsl #{SPARE_BITS}", f"lsl {low}, {low}, #{SPARE_BITS}")
            values.append(low)
        else:
            half = 1 << 2 * FIELD - 33  # of the field in the middle, in the upper word
            code.emit_all(f"add {high}, {high}, #{half}", f"add {high}, {sums[i // 2 + 1][0]}, {high}, asr #{2 * FIELD - 32}")
            code.emit(f"lsl {high}, {high}, #{SPARE_BITS}")
            values.append(high)
    return values


def _twin(shape: Shape) -> str:
    flat = [(unit.at + n, weight) for unit in shape.units for n, weight in enumerate(unit.weights)]
    return f"""    static const int32_t place[] = {{{", ".join(str(at) for at, _ in flat)}}};
    static const int32_t weight[] = {{{", ".join(str(number) for _, number in flat)}}};
    for (int32_t c = 0; c < {shape.channels}; ++c, w += {shape.stream}, o += {shape.channel}) {{
        const int32_t *p = w + {shape.weights};
        for (int32_t y = 0; y < {shape.height}; ++y) {{
            uint64_t sum[{shape.sums}];
            for (int32_t d = 0; d < {shape.sums}; ++d) {{
                sum[d] = (uint64_t)(uint32_t)p[1] << 32 | (uint32_t)p[0];
                for (int32_t k = 0; k < {len(flat)}; ++k)
                    sum[d] += (uint64_t)((int64_t)x[y * {shape.step} + place[k] + d] * w[weight[k]]);
            }}
            for (int32_t i = 0; i < {shape.width}; ++i) {{
                uint32_t value = (uint32_t)(sum[i / 2] >> {FIELD});
                if (i % 2)
                    value = (uint32_t)((int64_t)(sum[i / 2] + (1ull << {2 * FIELD - 1})) >> {2 * FIELD}) + (uint32_t)sum[i / 2 + 1];
                o[y * {shape.row} + i * {shape.pixel}] =
                    (int16_t)cm4t_wide_uniform((int32_t)(value << {SPARE_BITS}), p[2], p[3], {shape.shift});
            }}
        }}
    }}"""


# --- packing --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Packing:
    """How an int8 image becomes words.

    Attributes:
        rows: (above, of the image, below): rows of zeros around it.
        row_bytes: of the image.
        words: of a row: offsets of the bytes of the lower and of the upper field; None: zero.
        zero_point: of the image.
    """

    rows: tuple[int, int, int]
    row_bytes: int
    words: tuple[tuple[int | None, int | None], ...]
    zero_point: int


@functools.lru_cache(maxsize=64)
def packing(plan: Packing) -> tuple[CFunction, int]:
    """``f(x, to)`` and its cycles.

    Raises:
        KernelLimitError: its rows are too long for one piece of code.
    """
    words, registers = len(plan.words), tuple(f"r{i}" for i in range(4, 12))
    if 4 * words > _REACH or plan.row_bytes > _REACH:
        raise KernelLimitError("its rows are too long for immediate offsets")
    code = Costed()
    code.emit("push {r4-r11, lr}")
    low, both = -plan.zero_point, -plan.zero_point * (1 + (1 << FIELD))
    code.constant("r2", low)
    code.constant("r3", both)
    code.constant("r12", both - low)
    above, inside, below = plan.rows
    _zeros(code, above * words, "1")
    code.add_imm("lr", "r0", inside * plan.row_bytes)
    code.times = inside
    code.label("2")
    for start in range(0, words, len(registers) // 2):
        todo = list(enumerate(plan.words[start : start + len(registers) // 2], start))
        pairs = [registers[2 * i : 2 * i + 2] for i in range(len(todo))]
        for (_, word), pair in zip(todo, pairs, strict=True):
            code.emit_all(*(f"ldrsb {register}, [r0, #{byte}]" for register, byte in zip(pair, word, strict=True) if byte is not None))
        for (_, (lower, upper)), (a, b) in zip(todo, pairs, strict=True):
            if upper is None:
                code.emit(f"add {a}, {a}, r2" if lower is not None else f"mov {a}, #0")
            elif lower is None:
                code.emit(f"add {a}, r12, {b}, lsl #{FIELD}")
            else:
                code.emit_all(f"add {a}, {a}, {b}, lsl #{FIELD}", f"add {a}, {a}, r3")
        code.emit_all(*(f"str {pair[0]}, [r1, #{4 * at}]" for (at, _), pair in zip(todo, pairs, strict=True)))
    code.add_imm("r0", "r0", plan.row_bytes)
    code.add_imm("r1", "r1", 4 * words)
    code.emit("cmp r0, lr")
    code.repeat_end("2", inside)
    code.times = 1
    _zeros(code, below * words, "3")
    code.emit("pop {r4-r11, pc}")
    return code.function("kronecker_pack", "const int8_t *x, int32_t *to", _packing_twin(plan)), round(code.cycles)


def _zeros(code: Costed, count: int, label: str) -> None:
    """Writes zeros to where r1 points and moves it."""
    if not count:
        return
    code.emit("mov r4, #0")
    code.add_imm("r5", "r1", 4 * count)
    code.times = count
    code.label(label)
    code.emit_all("str r4, [r1], #4", "cmp r1, r5")
    code.repeat_end(label, count)
    code.times = 1


def _packing_twin(plan: Packing) -> str:
    lower, upper = ([-1 if word[i] is None else word[i] for word in plan.words] for i in range(2))
    above, inside, below = plan.rows
    return f"""    static const int32_t lower[] = {{{", ".join(map(str, lower))}}};
    static const int32_t upper[] = {{{", ".join(map(str, upper))}}};
    for (int32_t y = {-above}; y < {inside + below}; ++y, to += {len(plan.words)}) {{
        const int8_t *row = x + y * {plan.row_bytes};
        for (int32_t i = 0; i < {len(plan.words)}; ++i) {{
            uint32_t word = 0;
            if (y >= 0 && y < {inside}) {{
                word += lower[i] < 0 ? 0u : (uint32_t)(row[lower[i]] - ({plan.zero_point}));
                word += upper[i] < 0 ? 0u : (uint32_t)(row[upper[i]] - ({plan.zero_point})) << {FIELD};
            }}
            to[i] = (int32_t)word;
        }}
    }}"""
