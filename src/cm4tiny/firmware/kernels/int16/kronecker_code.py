# SPDX-License-Identifier: Apache-2.0
"""Assembly of :mod:`.kronecker` and its portable versions: packing an image into words, and the convolution of packed words."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.assembly import float_list
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.schedule import Costed, requantise_uniform
from cm4tiny.firmware.kernels.registers import Register

FIELD = 21
"""Bits from one sum to the next in a 64-bit accumulator."""
SPARE_BITS = 32 - FIELD
"""A sum is handed to the requantisation at the upper end of a word: times two to this."""
PARAMETERS = 4
"""Words after a channel's weights: both halves of what its accumulators start with, mantissa, rounding."""
MOST_SUMS = 3
_SUMS = tuple((f"low{i}", f"high{i}") for i in range(MOST_SUMS))
_TEMPS = tuple(f"x{i}" for i in range(6))
_STATES = {"place": "see place", "stream": "see stream", "stream_end": "end of the weights", "rows_end": "end of the packed image"}
_ALLOCATION = (
    Register("x", "r0", "argument: the packed image, first word of an output row's window"),
    Register("w", "r1", "argument: weights and parameters of all channels"),
    Register("o", "r2", "argument: the first result"),
    Register("stream", "r1", "the next channel's weights"),
    Register("place", "r1", "the row's first result"),
    Register("end", "r2", "end of a loop"),
    Register("bound", "r3", "end of a loop on its way to the FPU registers"),
    Register("mantissa", "r2", "of the channel"),
    Register("rounding", "r3", "of the channel"),
    *(Register(word, register, "a packed word") for word, register in zip(_TEMPS, ("r1", "r2", "r3", "r10", "r11", "r12"), strict=True)),
    *(Register(f"{half}{i}", f"r{4 + 2 * i + n}", f"{half} word of an accumulator")
      for i in range(MOST_SUMS) for n, half in enumerate(("low", "high"))),
    Register("weight", "lr", "a word of weights"),
)  # fmt: skip
_PACKING_ALLOCATION = (
    Register("x", "r0", "argument: the image's row"),
    Register("to", "r1", "argument: the row's words"),
    Register("low_zero", "r2", "minus the zero point, in the lower field"),
    Register("both_zero", "r3", "minus the zero point, in both fields"),
    Register("high_zero", "r12", "minus the zero point, in the upper field"),
    Register("rows_end", "lr", "end of the image"),
    Register("zero", "r4", "0"),
    Register("zeros_end", "r5", "end of rows of zeros"),
    *(Register(f"{half}{i}", f"r{4 + 2 * i + n}", f"{role} field of a word") for i in range(4)
      for n, (half, role) in enumerate((("low", "lower"), ("high", "upper")))),
)  # fmt: skip
MOST_WEIGHTS = 32 - PARAMETERS - len(_STATES)
_REACH = 4095


@dataclass(frozen=True)
class KroneckerUnit:
    """Words that lie side by side, and the weights that they meet: word ``d + n`` meets weight ``n`` for the accumulator ``d``.

    Attributes:
        at: of the first word, in words from the start of the output row's first input row.
        weights: numbers of words of weights.
    """

    at: int
    weights: tuple[int, ...]


@dataclass(frozen=True)
class KroneckerShape:
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
    units: tuple[KroneckerUnit, ...]
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
def convolution(shape: KroneckerShape) -> tuple[CFunction, int]:
    """``f(x, w, o)`` and its cycles.

    Raises:
        KernelLimitError: it needs more registers or longer offsets than there are.
    """
    if shape.sums > MOST_SUMS or shape.weights > MOST_WEIGHTS:
        raise KernelLimitError(f"{shape.sums} accumulators and {shape.weights} words of weights do not fit into the registers")
    if max(4 * unit.at for unit in shape.units) + 4 * len(_TEMPS) > _REACH or 2 * shape.width * shape.pixel > _REACH:
        raise KernelLimitError("its rows are too long for immediate offsets")
    code, n = Costed(_ALLOCATION), shape.weights
    names = code.registers
    names.numbered("weight", [f"s{i}" for i in range(n)], "a word of the channel's weights")
    names.names(("start_low", "start_high"), (f"s{n}", f"s{n + 1}"), "what the channel's accumulators start with")
    names.names(("mantissa_held", "rounding_held"), (f"s{n + 2}", f"s{n + 3}"), "of the channel")
    for i, (name, role) in enumerate(_STATES.items()):
        names.name(name if name.endswith("end") else f"{name}_kept", f"s{n + PARAMETERS + i}", role)
    last = n + PARAMETERS + len(_STATES) - 1
    saved = float_list(16, last)
    code.emit("push {r4-r11, lr}")
    if last >= 16:
        code.emit(f"vpush {saved}")
    code.emit_all("vmov stream_kept, w", "vmov place_kept, o")
    code.add_imm("bound", "w", 4 * shape.stream * shape.channels)
    code.emit("vmov stream_end, bound")
    code.add_imm("bound", "x", 4 * shape.step * shape.height)
    code.emit("vmov rows_end, bound")
    code.times = shape.channels
    code.label("9")
    code.emit_all("vmov stream, stream_kept", "vldmia stream!, {weight0-rounding_held}", "vmov stream_kept, stream")
    code.times = shape.channels * shape.height
    code.label("8")
    sums = _SUMS[: shape.sums]
    code.emit_all(f"vmov {sums[0][0]}, start_low", f"vmov {sums[0][1]}, start_high")
    for pair in sums[1:]:
        code.emit_all(*(f"mov {register}, {first}" for register, first in zip(pair, sums[0], strict=True)))
    for group in _groups(shape):
        _products(code, group, sums)
    values = _values(code, shape.width, sums)
    code.emit_all("vmov place, place_kept", "vmov mantissa, mantissa_held", "vmov rounding, rounding_held")
    requantise_uniform(code, values, "mantissa", "rounding", shape.shift)
    code.emit_all(*(f"strh {value}, [place, #{2 * shape.pixel * i}]" for i, value in enumerate(values)))
    code.add_imm("place", "place", 2 * shape.row)
    code.emit("vmov place_kept, place")
    code.add_imm("x", "x", 4 * shape.step)
    code.emit_all("vmov end, rows_end", "cmp x, end")
    code.repeat_end("8", shape.height)
    code.times = shape.channels
    code.add_imm("x", "x", -4 * shape.step * shape.height)
    code.add_imm("place", "place", 2 * (shape.channel - shape.row * shape.height))
    code.emit_all("vmov place_kept, place", "vmov stream, stream_kept", "vmov end, stream_end", "cmp stream, end")
    code.repeat_end("9", shape.channels, outer=True)
    code.times = 1
    if last >= 16:
        code.emit(f"vpop {saved}")
    code.emit("pop {r4-r11, pc}")
    function = code.function("kronecker", "const int32_t *x, const int32_t *w, int16_t *o", _portable(shape))
    return function, round(code.cycles)


def _groups(shape: KroneckerShape) -> list[list[KroneckerUnit]]:
    """Units whose words are loaded in one row."""
    found: list[list[KroneckerUnit]] = []
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


def _products(code: Costed, group: Sequence[KroneckerUnit], sums: Sequence[tuple[str, str]]) -> None:
    free = iter(_TEMPS)
    words = [[next(free) for _ in range(len(sums) + len(unit.weights) - 1)] for unit in group]
    for unit, registers in zip(group, words, strict=True):
        code.emit_all(*(f"ldr {register}, [x, #{4 * (unit.at + i)}]" for i, register in enumerate(registers)))
    for unit, registers in zip(group, words, strict=True):
        for n, weight in enumerate(unit.weights):
            code.emit(f"vmov weight, weight{weight}")
            code.emit_all(*(f"smlal {low}, {high}, {registers[d + n]}, weight" for d, (low, high) in enumerate(sums)))


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


def _portable(shape: KroneckerShape) -> str:
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
    words, registers = len(plan.words), tuple(f"{half}{i}" for i in range(4) for half in ("low", "high"))
    if 4 * words > _REACH or plan.row_bytes > _REACH:
        raise KernelLimitError("its rows are too long for immediate offsets")
    code = Costed(_PACKING_ALLOCATION)
    code.emit("push {r4-r11, lr}")
    low, both = -plan.zero_point, -plan.zero_point * (1 + (1 << FIELD))
    code.constant("low_zero", low)
    code.constant("both_zero", both)
    code.constant("high_zero", both - low)
    above, inside, below = plan.rows
    _zeros(code, above * words, "1")
    code.add_imm("rows_end", "x", inside * plan.row_bytes)
    code.times = inside
    code.label("2")
    for start in range(0, words, len(registers) // 2):
        todo = list(enumerate(plan.words[start : start + len(registers) // 2], start))
        pairs = [registers[2 * i : 2 * i + 2] for i in range(len(todo))]
        for (_, word), pair in zip(todo, pairs, strict=True):
            code.emit_all(*(f"ldrsb {register}, [x, #{byte}]" for register, byte in zip(pair, word, strict=True) if byte is not None))
        for (_, (lower, upper)), (a, b) in zip(todo, pairs, strict=True):
            if upper is None:
                code.emit(f"add {a}, {a}, low_zero" if lower is not None else f"mov {a}, #0")
            elif lower is None:
                code.emit(f"add {a}, high_zero, {b}, lsl #{FIELD}")
            else:
                code.emit_all(f"add {a}, {a}, {b}, lsl #{FIELD}", f"add {a}, {a}, both_zero")
        code.emit_all(*(f"str {pair[0]}, [to, #{4 * at}]" for (at, _), pair in zip(todo, pairs, strict=True)))
    code.add_imm("x", "x", plan.row_bytes)
    code.add_imm("to", "to", 4 * words)
    code.emit("cmp x, rows_end")
    code.repeat_end("2", inside)
    code.times = 1
    _zeros(code, below * words, "3")
    code.emit("pop {r4-r11, pc}")
    return code.function("kronecker_pack", "const int8_t *x, int32_t *to", _packing_portable(plan)), round(code.cycles)


def _zeros(code: Costed, count: int, label: str) -> None:
    """Writes zeros to where ``to`` points and moves it."""
    if not count:
        return
    code.emit("mov zero, #0")
    code.add_imm("zeros_end", "to", 4 * count)
    code.times = count
    code.label(label)
    code.emit_all("str zero, [to], #4", "cmp to, zeros_end")
    code.repeat_end(label, count)
    code.times = 1


def _packing_portable(plan: Packing) -> str:
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
