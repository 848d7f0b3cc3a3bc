# SPDX-License-Identifier: Apache-2.0
"""UNIDIRECTIONAL_SEQUENCE_LSTM: int8 values and weights, int16 gates and cells.

The arithmetic is that of TensorFlow Lite for Microcontrollers (micro/kernels/lstm_eval.h), whose functions of int16 interpolate in a table
of 256 values of the logistic function; TensorFlow Lite's own reference evaluates them in fixed point and differs in the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.base import Array, Kernel, Param, Tir, prim_func, words
from cm4tiny.firmware.kernels.portable.svdf import SCALED
from cm4tiny.firmware.kernels.quant import Multiplier

CYCLES_PER_PRODUCT = 7
GATES = 4  # input, forget, cell, output: the order of the file
_STEPS_PER_UNIT = 24  # of the table: sigmoid(i / 24)


@dataclass(frozen=True)
class Lstm:
    """A layer with one batch.

    Attributes:
        weights: int8 [gates, units, inputs]; recurrent: int8 [gates, units, units]; bias: int32 [gates, units].
        steps: how many input vectors an inference has.
        factors: per gate, of the sums over inputs and over hidden values to 2**-12.
        forget, enter, leave: factors of cell times forget gate, of input times cell gate, of output gate times tanh(cell).
        tanh: multiplier and shift of the cell in front of the table.
        clip: largest size of a cell; 0: none.
        zero_points: of the input and of the hidden values.
        tanh_gate: whether the cell gate is a tanh; else a logistic function.
    """

    weights: Array
    recurrent: Array
    bias: Array
    steps: int
    factors: tuple[tuple[Multiplier, Multiplier], ...]
    forget: Multiplier
    enter: Multiplier
    leave: Multiplier
    tanh: tuple[int, int]
    clip: int
    zero_points: tuple[int, int]
    tanh_gate: bool

    @property
    def products(self) -> int:
        return self.steps * int(self.weights.size + self.recurrent.size)


def sigmoid_table() -> Array:
    """int32 [256]: 65536 * sigmoid(i / 24), which the reference has moved by half of the largest error of the interpolation in between:
    by a sixteenth of the second derivative times the square of the step. The last one stands for the end."""
    values = []
    for i in range(256):
        y = 1 / (1 + math.exp(-i / _STEPS_PER_UNIT))
        moved = y - y * (1 - y) * (1 - 2 * y) / (16 * _STEPS_PER_UNIT**2)
        values.append(math.floor(65536 * moved + 0.5))
    return np.array([*values[:-1], 65535], np.int32)


def _parameters(layer: Lstm) -> Array:
    """What the helpers read: per gate the two factors; then the factors of the cell, its clip and its way to the table."""
    numbers = [n for pair in layer.factors for factor in pair for n in (factor.mantissa, factor.shift)]
    numbers += [n for factor in (layer.forget, layer.enter, layer.leave) for n in (factor.mantissa, factor.shift)]
    return np.array([*numbers, layer.clip, *layer.tanh, layer.zero_points[1]], np.int32)


def lstm(layer: Lstm) -> Kernel:
    """All steps of an inference. Hidden values and cells go on from inference to inference; they begin with the real number zero."""
    _, units, inputs = layer.weights.shape

    def body(x: Any, w: Any, r: Any, bias: Any, p: Any, table: Any, hidden: Any, cell: Any, gates: Any, o: Any) -> None:
        tir = Tir()
        with tir.loop(layer.steps, "t") as t:
            for gate in range(GATES):
                is_tanh = int(gate == 2 and layer.tanh_gate)
                places = [tir.at(gates, gate * units), tir.at(x, t * inputs), tir.at(hidden, 0), tir.at(w, gate * units * inputs)]
                places += [tir.at(r, gate * units * units), tir.at(bias, gate * units), tir.at(p, 4 * gate), tir.at(table, 0)]
                tir.emit("cm4t_lstm_gate", *places, inputs, units, *layer.zero_points, is_tanh)
            tir.emit("cm4t_lstm_cell", tir.at(cell, 0), tir.at(hidden, 0), tir.at(gates, 0), tir.at(p, 4 * GATES), tir.at(table, 0), units)
            tir.emit("cm4t_copy", tir.at(o, t * units), tir.at(hidden, 0), units)

    held = (layer.weights.reshape(-1), layer.recurrent.reshape(-1), words(layer.bias), _parameters(layer), sigmoid_table())
    names = ("w", "r", "bias", "p", "table")
    params = [Param("x", layer.steps * inputs)]
    params += [Param(name, array.size, str(array.dtype)) for name, array in zip(names, held, strict=True)]
    params += [Param("hidden", units), Param("cell", units, "int16"), Param("gates", GATES * units, "int16")]
    params += [Param("o", layer.steps * units)]
    kept = (np.full(units, layer.zero_points[1], np.int8), np.zeros(units, np.int16))
    return Kernel("lstm", prim_func(params, body), held, (2 * GATES * units,), kept=kept, helpers=(SCALED, _HELPERS))


_HELPERS = """static inline int16_t cm4t_int16(int32_t v) { return (int16_t)(v > 32767 ? 32767 : v < -32768 ? -32768 : v); }

/* 2**15 * sigmoid(x / 4096), by interpolation in the table. */
static inline int16_t cm4t_sigmoid16(int32_t x, const int32_t *table) {
    int32_t scaled = 3 * x;
    uint32_t size = (uint32_t)(scaled < 0 ? -scaled : scaled), at = size >> 9;
    uint32_t value = 0x7fffu << 10;
    if (at < 255u) {
        value = ((uint32_t)table[at] << 9) + (size & 0x1ffu) * (uint32_t)(table[at + 1] - table[at]);
    }
    value = scaled >= 0 ? value + (1u << 9) : (1u << 25) - value + (1u << 9) - 1u;
    return (int16_t)(value >> 10);
}

/* 2**15 * tanh of x, which mult and shift bring to the steps of the table. */
static inline int16_t cm4t_tanh16(int32_t x, int32_t mult, int32_t shift, const int32_t *table) {
    int32_t scaled = (x * mult + (shift > 0 ? 1 << (shift - 1) : 0)) >> shift;
    uint32_t size = (uint32_t)(scaled < 0 ? -scaled : scaled), at = size >> 8;
    int32_t value = 0xffff << 8;
    if (at < 255u) {
        value = (int32_t)(((uint32_t)table[at] << 8) + (size & 0xffu) * (uint32_t)(table[at + 1] - table[at]));
    }
    value = scaled >= 0 ? value - (1 << 23) + (1 << 7) : -value + (1 << 23) + (1 << 7) - 1;
    return (int16_t)(value >> 8);
}

static inline int32_t cm4t_lstm_dot(const int8_t *x, const int8_t *w, int32_t count, int32_t zero_point) {
    int32_t sum = 0;
    for (int32_t i = 0; i < count; ++i) {
        sum += (x[i] - zero_point) * w[i];
    }
    return sum;
}

static void cm4t_lstm_gate(int16_t *gate, const int8_t *x, const int8_t *hidden, const int8_t *w, const int8_t *r, const int32_t *bias,
                           const int32_t *p, const int32_t *table, int32_t inputs, int32_t units, int32_t zero_x, int32_t zero_hidden,
                           int32_t is_tanh) {
    for (int32_t u = 0; u < units; ++u) {
        int16_t a = cm4t_int16(cm4t_scaled(bias[u] + cm4t_lstm_dot(x, w + u * inputs, inputs, zero_x), p[0], p[1]));
        int16_t b = cm4t_int16(cm4t_scaled(cm4t_lstm_dot(hidden, r + u * units, units, zero_hidden), p[2], p[3]));
        int16_t sum = cm4t_int16(a + b);
        gate[u] = is_tanh ? cm4t_tanh16(sum, 3, 0, table) : cm4t_sigmoid16(sum, table);
    }
}

static void cm4t_lstm_cell(int16_t *cell, int8_t *hidden, const int16_t *gates, const int32_t *p, const int32_t *table, int32_t units) {
    for (int32_t u = 0; u < units; ++u) {
        int16_t kept = cm4t_int16(cm4t_scaled(gates[units + u] * cell[u], p[0], p[1]));
        int16_t new = cm4t_int16(cm4t_scaled(gates[u] * gates[2 * units + u], p[2], p[3]));
        int16_t sum = cm4t_int16(kept + new);
        if (p[6] > 0) {
            sum = (int16_t)(sum > p[6] ? p[6] : sum < -p[6] ? -p[6] : sum);
        }
        cell[u] = sum;
        hidden[u] = (int8_t)cm4t_int8(cm4t_scaled(cm4t_tanh16(sum, p[7], p[8], table) * gates[3 * units + u], p[4], p[5]) + p[9]);
    }
}"""
