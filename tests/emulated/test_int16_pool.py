# SPDX-License-Identifier: Apache-2.0
"""The int16 average pool: assembly, portable version and TFLite's rule agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.micro_runner import run_host, run_target

from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.pool import candidates
from cm4tiny.firmware.kernels.int16.storage import Storage, nhwc

FILL = 0x5555


def places(s: Storage) -> Any:
    y, x, c = np.meshgrid(np.arange(s.height), np.arange(s.width), np.arange(s.channels), indexing="ij")
    return s.origin + y * s.row + x * s.pixel + c * s.channel


def rule(window: Window, image: Any) -> Any:
    """TFLite's rule on quantised values [height, width, channels]."""
    (ky, kx), (sy, sx), (height, width) = window.kernel, window.strides, window.output
    out = np.zeros((height, width, window.channels), np.int64)
    for y in range(height):
        for x in range(width):
            total = image[y * sy : y * sy + ky, x * sx : x * sx + kx].reshape(-1, window.channels).sum(axis=0)
            rounded = total + np.where(total > 0, ky * kx // 2, -(ky * kx // 2))
            out[y, x] = np.sign(rounded) * (np.abs(rounded) // (ky * kx))
    return out


def check(window: Window, zero_point: int, source: Storage, target: Storage, image: Any) -> None:
    wide = np.full(source.elements, 0x7A7A, np.int16)
    wide[places(source)] = image - zero_point
    (candidate,) = candidates(window, zero_point, source, target, low=-128, high=127)
    kernel = candidate.make()
    host = run_host(kernel, wide, cells=target.elements).buffers[0]
    out = run_target(kernel, wide, cells=target.elements).buffers[0]
    np.testing.assert_array_equal(host, out)
    np.testing.assert_array_equal(out[places(target)], rule(window, image) - zero_point)
    rest = np.ones(target.elements, bool)
    rest[places(target)] = False
    assert (out[rest] == FILL).all(), "wrote outside the image"
    assert kernel.code[0].loop_bytes <= ICACHE_BYTES


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "channels"),
    [
        ((25, 5), (25, 5), (25, 5), 64),
        ((8, 8), (8, 8), (8, 8), 12),
        ((3, 3), (3, 3), (3, 3), 17),
        ((16, 16), (16, 16), (1, 1), 2),
        ((4, 6), (2, 2), (2, 2), 10),
        ((5, 5), (3, 2), (2, 1), 8),
        ((1, 7), (1, 7), (1, 1), 1),
        ((2, 11), (2, 11), (1, 1), 24),
        ((9, 9), (9, 9), (9, 9), 600),
    ],
    ids=str,
)
@pytest.mark.parametrize("zero_point", [-128, 0, 127, 33])
def test_assembly_portable_and_rule_agree(size: Any, kernel: Any, strides: Any, channels: int, zero_point: int) -> None:
    window = Window(*size, channels, kernel, strides)
    rng = np.random.default_rng(channels)
    image = rng.integers(-128, 128, (*size, channels))
    image[..., 0] = 127
    image[..., -1] = -128
    image[..., channels // 2] = rng.integers(-2, 2, size)
    even = channels + channels % 2
    source = nhwc(*size, channels, (1, 1, 0, 1), pixel=even) if size[0] < 9 else nhwc(*size, channels, pixel=even)
    height, width = window.output
    check(window, zero_point, source, nhwc(height, width, channels, pixel=even), image)


@pytest.mark.parametrize("zero_point", [-128, 5])
def test_ties_go_away_from_zero(zero_point: int) -> None:
    window = Window(2, 2, 512, (2, 2), (2, 2))
    total = np.arange(-256, 256)
    image = np.stack([total // 4 + (total % 4 > i) for i in range(4)]).reshape(2, 2, 512)
    check(window, zero_point, nhwc(2, 2, 512), nhwc(1, 1, 512), image)
