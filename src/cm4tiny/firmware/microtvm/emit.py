"""Puts a model's C together: header, helpers, constants, arena, kernels, and the function that runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cm4tiny.firmware.kernels import HELPERS
from cm4tiny.firmware.kernels.base import Array

_PER_LINE = 24


@dataclass(frozen=True)
class Step:
    """One call: a kernel's C function and the C expressions of its arguments."""

    name: str
    arguments: tuple[str, ...]


def source(title: str, constants: Mapping[str, Array], arena_bytes: int, functions: str, steps: Sequence[Step]) -> str:
    """Text of ``model.c``."""
    parts = [
        f"/* Generated from the model {title}: integer inference without heap or operating system. */",
        '#include "model.h"',
        HELPERS.read_text(encoding="utf-8").rstrip(),
        *(_constant(name, array) for name, array in constants.items()),
    ]
    if arena_bytes:
        parts.append(f"static int32_t cm4tiny_arena[{-(-arena_bytes // 4)}] __attribute__((aligned(8)));")
    parts.append(functions)
    calls = [f"    {step.name}({', '.join(step.arguments)});" for step in steps]
    parts.append("\n".join(["void cm4tiny_model_run(const int8_t *input, int8_t *output) {", *calls, "}"]))
    return "\n\n".join(parts) + "\n"


def arena_pointer(offset: int, dtype: str) -> str:
    """The C expression of a place in the arena; offsets are multiples of 4."""
    word = "cm4tiny_arena" if offset == 0 else f"cm4tiny_arena + {offset // 4}"
    return word if dtype == "int32" else f"({dtype}_t *)({word})"


def _constant(name: str, array: Array) -> str:
    values = [str(v) if v > -(1 << 31) else "-2147483647 - 1" for v in array.reshape(-1).tolist()]
    lines = [",".join(values[i : i + _PER_LINE]) for i in range(0, len(values), _PER_LINE)]
    body = ",\n".join(lines)
    return f"static const {array.dtype}_t {name}[{array.size}] __attribute__((aligned(8))) = {{\n{body}}};"
