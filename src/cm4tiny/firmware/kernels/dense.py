# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED, and convolutions with a single output pixel: every weight is used once.

The weights are widened in registers straight from flash (SXTB16); an int16 copy would only double what has to be read.
"""

from __future__ import annotations

from typing import Any

from cm4tiny.firmware.kernels.base import Array, Kernel, Param, Tir, prim_func, round_up
from cm4tiny.firmware.kernels.conv import BLOCK, interleave
from cm4tiny.firmware.kernels.image import Border, Window
from cm4tiny.firmware.kernels.requant import PARAMS_PER_CHANNEL, Requant


def dense(rows: int, weights: Array, requant: Requant) -> Kernel:
    """``rows`` input vectors times a matrix.

    Args:
        rows: number of input vectors.
        weights: int8 [out, in].
        requant: of the layer.
    """
    outputs, inputs = weights.shape
    quads = round_up(inputs, 4) // 4
    border = Border(Window(rows, 1, inputs, (1, 1), (1, 1)), 0, overrun=inputs % 4 != 0)
    constant = interleave(weights)

    def body(x: Any, w: Any, table: Any, *rest: Any) -> None:
        tir = Tir()
        *copy, col, o = rest
        source = border.emit(tir, x, copy[0] if copy else None)

        def block(row: Any, ob: Any, count: int) -> None:
            acc = tir.locals("acc", BLOCK)
            for c in range(count):
                tir.store(acc, c, table[(ob * BLOCK + c) * PARAMS_PER_CHANNEL])
            with tir.loop(quads, "k") as k:
                weights_at = (ob * quads + k) * (4 * BLOCK)
                if count == BLOCK:
                    tir.emit("cm4t_row", tir.at(acc, 0), tir.at(col, k * 2), tir.at(w, weights_at))
                for c in range(count if count < BLOCK else 0):
                    quad = tir.let("quad", tir.call("cm4t_load", tir.at(w, weights_at + c * 4)))
                    tir.store(acc, c, tir.call("cm4t_mla2", col[k * 2], tir.call("cm4t_even", quad), acc[c]))
                    tir.store(acc, c, tir.call("cm4t_mla2", col[k * 2 + 1], tir.call("cm4t_odd", quad), acc[c]))
            for c in range(count):
                channel = ob * BLOCK + c
                tir.store(o, row * outputs + channel, requant.emit(tir, acc[c], table, channel))

        with tir.loop(rows, "row") as row:
            tir.emit("cm4t_widen", tir.at(col, 0), tir.at(source, row * inputs), quads, 2)
            if outputs >= BLOCK:
                with tir.loop(outputs // BLOCK, "ob") as ob:
                    block(row, ob, BLOCK)
            if outputs % BLOCK:
                block(row, outputs // BLOCK, outputs % BLOCK)

    params = [Param("x", rows * inputs), Param("w", constant.size), Param("table", outputs * PARAMS_PER_CHANNEL, "int32")]
    params += [Param("bordered", border.bytes)] if border.copies else []
    params += [Param("col", quads * 2, "int32"), Param("o", rows * outputs)]
    return Kernel("dense", prim_func(params, body), (constant, requant.table.reshape(-1)), (*border.workspaces(), quads * 8))
