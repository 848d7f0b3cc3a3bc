# SPDX-License-Identifier: Apache-2.0
"""Puts a model's C together: header, helpers, micro-kernels, constants, arena, kernels, and the function that runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cm4tiny.firmware.graph import State, state_name
from cm4tiny.firmware.kernels import HELPERS
from cm4tiny.firmware.kernels.base import Array, Kernel
from cm4tiny.firmware.kernels.functions import CFunction

_PER_LINE = 24


@dataclass(frozen=True)
class KernelCall:
    """One call: a kernel's C function and the C expressions of its arguments."""

    name: str
    arguments: tuple[str, ...]


def source(
    title: str,
    kernels: Mapping[str, Kernel],
    steps: Sequence[KernelCall],
    arena_bytes: int,
    functions: str,
    states: Sequence[State] = (),
) -> str:
    """Text of ``model.c``."""
    parts = [
        f"/* Generated from the model {title}: integer inference without heap or operating system. */",
        '#include "model.h"',
        HELPERS.read_text(encoding="utf-8").rstrip(),
        *_micro_kernels(kernels),
        *dict.fromkeys(helper for kernel in kernels.values() for helper in kernel.helpers),
    ]
    for name, kernel in kernels.items():
        parts += [_constant(f"{name}_c{i}", array, in_ram=i in kernel.in_ram) for i, array in enumerate(kernel.constants)]
        parts += [_state(f"{name}_k{i}", array) for i, array in enumerate(kernel.kept)]
    if arena_bytes:
        parts.append(f"static int32_t cm4tiny_arena[{-(-arena_bytes // 4)}] __attribute__((aligned(8)));")
    parts += [_state(state_name(number), state.initial) for number, state in enumerate(states)]
    parts.append(functions)
    calls = [f"    {step.name}({', '.join(step.arguments)});" for step in steps]
    parts.append("\n".join(["void cm4tiny_model_run(const int8_t *input, int8_t *output) {", *calls, "}"]))
    return "\n\n".join(parts) + "\n"


def arena_pointer(offset: int, dtype: str) -> str:
    """The C expression of a pointer into the arena; offsets are multiples of 4."""
    word = "cm4tiny_arena" if offset == 0 else f"cm4tiny_arena + {offset // 4}"
    return word if dtype == "int32" else f"({dtype}_t *)({word})"


def _micro_kernels(kernels: Mapping[str, Kernel]) -> list[str]:
    """Assembly for the target, its portable version elsewhere; each function once."""
    found: dict[str, CFunction] = {function.name: function for kernel in kernels.values() for function in kernel.code}
    if not found:
        return []
    target = [function.target_text() for function in found.values()]
    portable = [function.portable_text() for function in found.values()]
    return ["#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP", *target, "#else", *portable, "#endif"]


def _state(name: str, initial: Array) -> str:
    """Memory that is kept, with its first values."""
    body = _rows(initial)
    return f"static {initial.dtype}_t {name}[{initial.size}] __attribute__((aligned(8))) = {{\n{body}}};"


def _constant(name: str, array: Array, *, in_ram: bool) -> str:
    """A constant in flash, or in RAM, where the start-up code copies it. It starts at a line of the flash interface's data cache."""
    body = _rows(array)
    section = f' CM4T_IN_RAM("{name}")' if in_ram else ""
    return f"static const {array.dtype}_t {name}[{array.size}] __attribute__((aligned(32))){section} = {{\n{body}}};"


def _rows(array: Array) -> str:
    values = [str(v) if v > -(1 << 31) else "-2147483647 - 1" for v in array.reshape(-1).tolist()]
    return ",\n".join(",".join(values[i : i + _PER_LINE]) for i in range(0, len(values), _PER_LINE))
