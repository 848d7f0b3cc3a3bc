# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D 3x3 with multiplier 1 on NCHW tensors: one assembly call does all channels.

A row of an int16 plane gives two neighbours per load. Two outputs side by side share their loads: with stride 1, the words (x0 x1)
(x2 x3) and the weights (w0 w1) (w1 w2) give

    a += x0 w0 + x1 w1   SMLAD        b += x1 w0           SMLATB
    a += x2 w2           SMLABT       b += x2 w1 + x3 w2   SMLAD

for a row of the kernel; two rows of outputs share the rows between them. All weights stay in registers, what a channel needs besides in
FPU registers. The first product of each sum adds to the bias, so that only one register per block is set to it.

Border cells are zero. Where code runs for one position of the plane only, words of the border are not read and their products left out.

Cost on the Cortex-M4 (DDI0439, SRAM; relu with one shift for all channels, see :mod:`.uniform`; its other forms cost 1 (relu) to 3
(linear) more per output): a block of 2x2 outputs 51 cycles with stride 1 (1.42 per multiply-accumulate) and 59 with stride 2; 2x1 28 to
31 (20 if its last column of inputs is border), 1x2 27 to 29, 1x1 18. A loop over blocks costs 7 per iteration, a row of blocks 7, a channel
about 20. Weights are read once per call: in flash they cost about 12 cycles more per channel, so there is no form that expands them.
Every plane's rows must start at an even element.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.base import Array, Candidate, Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16 import depthwise_nhwc
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.depthwise_code import TAPS, DepthwiseShape, depthwise_function, walks
from cm4tiny.firmware.kernels.int16.finish import as_words, pack, plan_finish
from cm4tiny.firmware.kernels.int16.guards import require_window
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, KernelLimitError
from cm4tiny.firmware.kernels.int16.schedule import LINE_BYTES
from cm4tiny.firmware.kernels.int16.storage import Storage

_FLASH_CYCLES = 12  # of a channel's weights in flash


def wants_nchw(window: Window) -> bool:
    """Whether the input should be NCHW; otherwise NHWC."""
    return window.kernel == (TAPS, TAPS) and window.strides in ((1, 1), (2, 2))


def candidates(window: Window, weights: Array, requant: Int16Requant, source: Storage, target: Storage) -> list[Candidate]:
    """All ways to compute a layer; for NHWC those of :mod:`.depthwise_nhwc`.

    Args:
        window: geometry; of NCHW 3x3 with stride 1 or 2.
        weights: int8 [ky, kx, channels].
        requant: of the layer.
        source: NCHW, if :func:`wants_nchw` says so, else NHWC; with at least the window's padding as border.
        target: any layout; NHWC if the source is NHWC.

    Raises:
        KernelLimitError: the layer is outside the limits.
    """
    if source.layout == "NHWC":
        return depthwise_nhwc.candidates(window, weights, requant, source, target)
    _check(window, source, target)
    shape, stream = _plan(window, weights, requant, source, target)
    start = source.at(-window.padding[0], -window.padding[1])
    found = []
    for walk in walks(shape):
        try:
            code, cycles, lines = depthwise_function(shape, walk)
        except KernelLimitError:
            continue
        if lines * LINE_BYTES > ICACHE_BYTES:
            continue
        make = functools.partial(_kernel, code, stream, source, target, start)
        slower = cycles + _FLASH_CYCLES * shape.channels
        found.append(Candidate(f"depthwise {walk} ram", cycles, stream.nbytes, 0, functools.partial(make, in_ram=True)))
        found.append(Candidate(f"depthwise {walk} flash", slower, 0, 0, functools.partial(make, in_ram=False)))
    if not found:
        raise KernelLimitError("its rows are too long for immediate offsets")
    return sorted(found, key=lambda candidate: candidate.cycles)


def _check(window: Window, source: Storage, target: Storage) -> None:
    if window.kernel != (TAPS, TAPS) or window.dilation != (1, 1):
        raise KernelLimitError(f"its kernel is not 3x3: {window.kernel}, dilation {window.dilation}")
    if window.strides not in ((1, 1), (2, 2)):
        raise KernelLimitError(f"its strides are {window.strides}")
    require_window(window, source, target, window.channels)
    if source.at(-window.padding[0], -window.padding[1]) % 2 or source.row % 2 or source.channel % 2:
        raise KernelLimitError("its input does not start at whole words")


def _plan(window: Window, weights: Array, requant: Int16Requant, source: Storage, target: Storage) -> tuple[DepthwiseShape, Array]:
    """The shape and the stream of weights and parameters, int32."""
    rows = weights.reshape(TAPS * TAPS, -1).T
    finish, scaled, columns = plan_finish(rows, requant)
    height, width = window.output
    top, left = window.padding[:2]
    inside = (top, top + window.height - 1, left, left + window.width - 1)
    shape = DepthwiseShape(window.strides[0], height, width, window.channels, 2 * source.row, 2 * source.channel, 2 * target.pixel,
                   2 * target.row, 2 * target.channel, inside, finish)  # fmt: skip
    taps = scaled.reshape(-1, TAPS, TAPS)
    nothing = np.zeros_like(taps[:, 0, 0])
    if shape.stride == 1:
        pairs = [(taps[:, y, i], taps[:, y, i + 1]) for y in range(TAPS) for i in range(2)]
    else:
        pairs = [(taps[:, y, 0], taps[:, y, 1]) for y in range(TAPS)] + [(taps[:, 0, 2], taps[:, 1, 2]), (taps[:, 2, 2], nothing)]
    return shape, as_words([*(pack(*pair) for pair in pairs), *columns])


def _kernel(code: CFunction, stream: Array, source: Storage, target: Storage, start: int, *, in_ram: bool) -> Kernel:
    def body(x: Any, w: Any, o: Any) -> None:
        tir = Tir()
        tir.emit(code.name, tir.at(x, start), tir.at(w, 0), tir.at(o, target.origin))

    params = [Param("x", source.elements, "int16"), Param("w", stream.size, "int32"), Param("o", target.elements, "int16")]
    return Kernel("depthwise", prim_func(params, body), (stream,), code=(code,), in_ram=frozenset({0} if in_ram else ()))
