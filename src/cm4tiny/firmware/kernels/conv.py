# SPDX-License-Identifier: Apache-2.0
"""CONV_2D as matrix product on SMLAD: two output pixels by four output channels at a time.

The int8 weights stay in flash as they are; each call widens them once to int16 in SRAM, where the inner loop reads them without wait
states. The rows under the window are widened to int16 columns in the same way, two pixels at a time and interleaved, so that every
word of weights feeds four multiply-accumulates.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.base import Array, Kernel, Param, Tir, prim_func, round_up
from cm4tiny.firmware.kernels.image import Border, Window
from cm4tiny.firmware.kernels.requant import PARAMS_PER_CHANNEL, Requant

BLOCK = 4  # output channels per block
PIXELS = 2  # output pixels per block
UNROLL = 4  # quads per turn of the inner loop: with the requantisation, the code still fits into the 1 KB instruction cache


def interleave(rows: Array) -> Array:
    """Weights [channels, k] -> [channels / 4, k / 4, 4, 4]: one quad of each of four channels in turn; zeros fill both ends."""
    channels, k = rows.shape
    padded = np.zeros((round_up(channels, BLOCK), round_up(k, 4)), np.int8)
    padded[:channels, :k] = rows
    return np.ascontiguousarray(padded.reshape(-1, BLOCK, padded.shape[1] // 4, 4).transpose(0, 2, 1, 3)).reshape(-1)


def row_weights(weights: Array) -> Array:
    """[out, ky, kx, in] -> [out, ky * row], each kernel row filled up with zeros to whole quads."""
    out, ky, kx, channels = weights.shape
    row = kx * channels
    padded = np.zeros((out, ky, round_up(row, 4)), np.int8)
    padded[:, :, :row] = weights.reshape(out, ky, row)
    return padded.reshape(out, -1)


def conv(window: Window, weights: Array, requant: Requant, *, pad_value: int) -> Kernel:
    """A convolution without dilation and groups.

    Args:
        window: geometry.
        weights: int8 [out, ky, kx, in].
        requant: of the layer.
        pad_value: the input's zero point.
    """
    ky, kx = window.kernel
    channels, row = weights.shape[0], kx * window.channels
    row_quads = round_up(row, 4) // 4
    quads = ky * row_quads
    border = Border(window, pad_value, overrun=row % 4 != 0)
    constant = interleave(row_weights(weights))
    height, width = window.output
    pixels = height * width

    def body(x: Any, w: Any, table: Any, *rest: Any) -> None:
        tir = Tir()
        *copy, col, wide, o = rest
        image = border.emit(tir, x, copy[0] if copy else None)
        tir.do("cm4t_widen", tir.at(wide, 0), tir.at(w, 0), constant.size // 4, 2)

        def gather(pixel: Any, place: int) -> None:
            """Widens what lies under the window at an output pixel into column `place`."""
            oy = tir.ir.truncdiv(pixel, width)
            ox = pixel - oy * width
            start = oy * (window.strides[0] * window.padded_width * window.channels) + ox * (window.strides[1] * window.channels)
            for y in range(ky):
                source = tir.at(image, start + y * window.padded_width * window.channels)
                tir.do("cm4t_widen", tir.at(col, y * row_quads * 2 * PIXELS + place * 2), source, row_quads, 2 * PIXELS)

        def block(ob: Any, first: Any, count: int, outputs: int) -> None:
            """`count` pixels from `first` on by `outputs` channels of block `ob`."""
            acc = tir.locals("acc", PIXELS * BLOCK)
            for c in range(outputs):
                for p in range(count):
                    tir.store(acc, p * BLOCK + c, table[(ob * BLOCK + c) * PARAMS_PER_CHANNEL])

            def quad(k: Any) -> None:
                at = (ob * quads + k) * (2 * BLOCK)
                if count == PIXELS and outputs == BLOCK:
                    tir.do("cm4t_block", tir.at(acc, 0), tir.at(col, k * 2 * PIXELS), tir.at(wide, at))
                    return
                for half in range(2):
                    for i in (p * BLOCK + c for p in range(count) for c in range(outputs)):
                        value = col[k * 2 * PIXELS + i // BLOCK * 2 + half]
                        tir.store(acc, i, tir.call("cm4t_mla2", value, wide[at + i % BLOCK * 2 + half], acc[i]))

            tir.repeat(quads, UNROLL if count == PIXELS and outputs == BLOCK else 1, quad)
            for c in range(outputs):
                for p in range(count):
                    channel = ob * BLOCK + c
                    tir.store(o, (first + p) * channels + channel, requant.emit(tir, acc[p * BLOCK + c], table, channel))

        def columns(first: Any, count: int) -> None:
            for place in range(count):
                gather(first + place, place)
            with tir.loop(channels // BLOCK, "ob") as ob:
                block(ob, first, count, BLOCK)
            if channels % BLOCK:
                block(channels // BLOCK, first, count, channels % BLOCK)

        with tir.loop(pixels // PIXELS, "pair") as pair:
            columns(pair * PIXELS, PIXELS)
        if pixels % PIXELS:
            columns(tir.ir.int32(pixels - 1), 1)

    spaces = (*border.workspaces(), PIXELS * quads * 8, constant.size * 2)
    params = [Param("x", window.bytes), Param("w", constant.size), Param("table", channels * PARAMS_PER_CHANNEL, "int32")]
    params += [Param("bordered", border.bytes)] if border.copies else []
    params += [Param("col", PIXELS * quads * 2, "int32"), Param("wide", constant.size // 2, "int32"), Param("o", pixels * channels)]
    return Kernel("conv", prim_func(params, body), (constant, requant.table.reshape(-1)), spaces)
