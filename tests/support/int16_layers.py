# SPDX-License-Identifier: Apache-2.0
"""Random layers on int16 tensors and what TFLite's rule makes of them, for the tests of the kernels in ``kernels/int16``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, plan_int16
from cm4tiny.firmware.kernels.int16.storage import Storage, nchw, nhwc
from cm4tiny.firmware.kernels.quant import Multiplier, requantize

Array = npt.NDArray[Any]
BORDER_MARK = 0x5555
"""What the runner leaves in cells that a kernel does not write."""


@dataclass(frozen=True)
class Int16Layer:
    """A convolution with all its numbers; ``multipliers`` and ``bias`` as in a model."""

    window: Window
    weights: Array
    bias: Array
    multipliers: tuple[Multiplier, ...]
    input_zero_point: int
    output_zero_point: int
    requant: Int16Requant

    def expected(self, image: Array) -> Array:
        """Stored values [height, width, channels] for a stored image [height, width, channels], by TFLite's rule."""
        sums = self.sums(image) + self.bias
        height, width, channels = sums.shape
        result = np.empty(sums.shape, np.int64)
        for c in range(channels):
            values, where = np.unique(sums[:, :, c], return_inverse=True)
            stored = [min(127, max(-128, requantize(int(v), self.multipliers[c]) + self.output_zero_point)) for v in values]
            result[:, :, c] = (np.array(stored) - self.output_zero_point)[where].reshape(height, width)
        return result

    def sums(self, image: Array) -> Array:
        """Sums of products, without the bias."""
        w = self.window
        top, left, bottom, right = w.padding
        padded = np.pad(image.astype(np.int64), ((top, bottom), (left, right), (0, 0)))
        height, width = w.output
        total = np.zeros((height, width, self.weights.shape[0]), np.int64)
        for ky in range(w.kernel[0]):
            for kx in range(w.kernel[1]):
                y, x = ky * w.dilation[0], kx * w.dilation[1]
                under = padded[
                    y : y + (height - 1) * w.strides[0] + 1 : w.strides[0], x : x + (width - 1) * w.strides[1] + 1 : w.strides[1]
                ]
                total += under @ self.weights[:, ky, kx].astype(np.int64).T
        return total


def int16_layer(
    rng: np.random.Generator,
    window: Window,
    outputs: int,
    *,
    relu: bool,
    weights: Array | None = None,
    bias: int = 3000,
    shift: int | None = None,
) -> Int16Layer:
    """Weights, biases of at most ``bias``, zero points and factors at random; most outputs are inside the range of int8.

    ``shift`` makes all factors that small.
    """
    if weights is None:
        weights = rng.integers(-127, 128, (outputs, *window.kernel, window.channels)).astype(np.int8)
    spread = np.sqrt((weights.reshape(outputs, -1).astype(np.float64) ** 2).sum(axis=1) + 1)
    shifts = np.clip(np.round(np.log2(spread)).astype(int), 2, 24)
    shifts = shifts if shift is None else np.full(outputs, shift)
    multipliers = tuple(Multiplier(int(rng.integers(1 << 30, 1 << 31)), -int(s)) for s in shifts)
    biases = rng.integers(-bias, bias + 1, outputs)
    zero_in, zero_out = int(rng.integers(-128, 128)), -128 if relu else int(rng.integers(-128, 128))
    flat = weights.reshape(outputs, -1)
    requant = plan_int16(flat, biases, multipliers, input_zero_point=zero_in, output_zero_point=zero_out, low=-128, high=127)
    return Int16Layer(window, weights, biases, multipliers, zero_in, zero_out, requant)


def images(rng: np.random.Generator, layer: Int16Layer) -> list[Array]:
    """Stored images: random, and the corners of the range."""
    shape = (layer.window.height, layer.window.width, layer.window.channels)
    found = [rng.integers(-128, 128, shape), rng.choice([-128, 127], shape), np.full(shape, -128), np.full(shape, 127)]
    return [image - layer.input_zero_point for image in found]


def storages(window: Window, outputs: int, layout: str, border: tuple[int, int, int, int]) -> tuple[Storage, Storage]:
    """Where the input (with just the border that the window reads) and the output lie."""
    source = nhwc(window.height, window.width, window.channels, window.padding)
    height, width = window.output
    return source, (nhwc if layout == "NHWC" else nchw)(height, width, outputs, border)


def fill(storage: Storage, image: Array) -> Array:
    """The image in its storage; the border holds zeros, what lies behind it any values."""
    cells = np.zeros(storage.elements, np.int16)
    y, x, c = np.indices(image.shape)
    cells[storage.origin + y * storage.row + x * storage.pixel + c * storage.channel] = image
    cells[-8:] = 0x7FFF
    if storage.layout == "NHWC":
        cells[(storage.height + storage.border[0] + storage.border[2]) * storage.row :] = 0x7FFF
    return cells


def interior(storage: Storage, cells: Array) -> Array:
    """[height, width, channels] of a storage."""
    y, x, c = np.indices((storage.height, storage.width, storage.channels))
    return cells[storage.origin + y * storage.row + x * storage.pixel + c * storage.channel]


def untouched_border(storage: Storage, cells: Array) -> bool:
    """Whether all cells outside the interior, slack excepted, still hold the runner's mark."""
    y, x, c = np.indices((storage.height, storage.width, storage.channels))
    outside = np.ones(storage.elements, bool)
    outside[storage.origin + y * storage.row + x * storage.pixel + c * storage.channel] = False
    outside[-8:] = False
    return bool((cells[outside] == BORDER_MARK).all())
