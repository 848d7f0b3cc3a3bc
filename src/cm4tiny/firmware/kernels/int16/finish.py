# SPDX-License-Identifier: Apache-2.0
"""From sums to stored values in depthwise kernels: which of three exact forms a layer gets, and its instructions.

* ``uniform``: relu with one shift for all channels (:mod:`.uniform`): SMMLA, USAT;
* ``relu``: SMMLAR, ASR, USAT (:mod:`.requant`);
* ``linear``: SMMLAR, ADD, ASR, SSAT, SUB. That is the rule of :mod:`.requant` with the rounding in SMMLAR's addend, so that the nudge
  ``v >> 31`` of ``v = floor(x + 1/2)`` is taken from the sign of the sum instead. A negative sum has ``x <= -1/2`` (mantissas are at
  least 2**30), so ``v <= 0``, and where ``v == 0`` the nudge does not matter: ``((1 << (s - 1)) - 1) >> s == 0`` for ``s >= 1``, and a
  linear layer has no other shifts, but for constant channels: those get shift 1 and twice the constant plus one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.int16.assembly import Assembly
from cm4tiny.firmware.kernels.int16.requant import Int16Requant
from cm4tiny.firmware.kernels.int16.schedule import clamp_linear, clamp_relu, requantise_uniform, scale_linear
from cm4tiny.firmware.kernels.int16.uniform import plan_uniform


class Scratch(NamedTuple):
    """Registers that a requantisation may spend. ``shift`` may be one with ``mantissa``, which it follows; ``scaled`` may be missing."""

    mantissa: str
    rounding: str
    shift: str
    scaled: str | None


@dataclass(frozen=True)
class Finish:
    """The form of a layer; ``shift`` is that of all channels in ``uniform``."""

    form: str
    shift: int
    zero_point: int

    @property
    def parameters(self) -> int:
        """Words per channel: bias, mantissa, rounding and, unless it is uniform, shift."""
        return 3 if self.form == "uniform" else 4

    def emit(self, code: Assembly, sums: Sequence[str], scratch: Scratch, held: Sequence[str]) -> None:
        """Turns sums into stored values; ``held`` are the FPU registers of mantissa, rounding and shift."""
        m, r, shift, _ = scratch
        code.emit_all(f"vmov {m}, {held[0]}", f"vmov {r}, {held[1]}")
        if self.form == "linear":
            self._emit_linear(code, sums, scratch, held[2])
            return
        if self.form == "uniform":
            requantise_uniform(code, sums, m, r, self.shift)
            return
        code.emit_all(*(f"smmlar {a}, {a}, {m}, {r}" for a in sums))
        code.emit(f"vmov {shift}, {held[2]}")
        clamp_relu(code, sums, shift)

    def _emit_linear(self, code: Assembly, sums: Sequence[str], scratch: Scratch, held_shift: str) -> None:
        """Needs a register for the scaled sum; without it, the rounding is added by itself."""
        m, r, shift, scaled = scratch
        if scaled is not None:
            scale_linear(code, sums, scaled, m, r)
        else:
            code.emit_all(*(f"smmulr {a}, {a}, {m}" for a in sums))
            code.emit_all(*(f"add {a}, {a}, {a}, asr #31" for a in sums))
            code.emit_all(*(f"add {a}, {a}, {r}" for a in sums))
        code.emit(f"vmov {shift}, {held_shift}")
        clamp_linear(code, sums, shift, self.zero_point)

    def expression(self, stride: int = 1) -> str:
        """C expression of the stored value of ``acc``, with parameters ``p[stride]`` (mantissa) and on, ``stride`` apart."""
        m, r, s = (f"p[{stride * i}]" for i in (1, 2, 3))
        if self.form == "uniform":
            return f"(int16_t)cm4t_uint8((int32_t)(((int64_t)acc * {m} >> 32) + {r}) >> {self.shift})"
        if self.form == "relu":
            return f"(int16_t)cm4t_wide_relu(acc, {m}, {r}, {s})"
        return f"(int16_t)cm4t_wide_linear(acc, {m}, {r}, {s}, {self.zero_point})"


def plan_finish(weights: Array, requant: Int16Requant) -> tuple[Finish, Array, list[Array]]:
    """The form, int64 [channels, taps] weights as they are stored (16 bits), and the columns of parameters.

    Args:
        weights: int8 [channels, taps].
        requant: of the layer.
    """
    uniform, w = plan_uniform(weights, requant), weights.astype(np.int64)
    if uniform is not None:
        finish = Finish("uniform", uniform.shift, requant.zero_point)
        return finish, w * uniform.scale[:, None], [uniform.bias, uniform.mantissa, uniform.rounding]
    finish = Finish("relu" if requant.relu else "linear", 0, requant.zero_point)
    rounding, shift = requant.rounding, requant.shift
    if not requant.relu:
        constant = requant.mantissa == 0
        rounding, shift = np.where(constant, 2 * rounding + 1, rounding), np.where(constant, 1, shift)
    return finish, 2 * w, [requant.bias, requant.mantissa, rounding, shift]


def pack(low: Array, high: Array) -> Array:
    """Two signed 16-bit values per word, as int64."""
    packed: Array = (low & 0xFFFF) | ((high & 0xFFFF) << 16)
    return packed


def as_words(columns: Sequence[Array]) -> Array:
    """Columns of int64 [n] -> flat int32, row by row."""
    table: Array = (np.stack([np.asarray(c, np.int64) for c in columns], axis=1) & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return table.reshape(-1)
