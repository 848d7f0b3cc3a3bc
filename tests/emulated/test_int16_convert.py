# SPDX-License-Identifier: Apache-2.0
"""Conversions into, out of and between int16 tensors, and the zeros around them: assembly, portable version and numpy agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.micro_runner import run_host, run_target

from cm4tiny.firmware.kernels.int16.convert import clear_border, fills_padding, narrow, relayout, widen
from cm4tiny.firmware.kernels.int16.storage import SLACK, Storage, nchw, nhwc

FILL = 0x5555

LAYOUTS = [
    nhwc(1, 1, 640),
    nhwc(5, 4, 8),
    nhwc(3, 7, 4, (1, 0, 2, 1)),
    nhwc(6, 9, 12, (0, 0, 1, 1)),
    nhwc(4, 12, 3, (0, 0, 1, 1)),
    nhwc(4, 12, 3, (0, 0, 1, 1), pixel=4),
    nhwc(3, 20, 3, (1, 1, 1, 1), pixel=4),
    nhwc(3, 5, 3, (1, 1, 1, 1), pixel=4),
    nhwc(49, 10, 1, (4, 1, 5, 1)),
    nhwc(3, 3, 5, (1, 1, 1, 1)),
    nhwc(1, 4, 2, (1, 1, 1, 1)),
    nhwc(4, 30, 16, (1, 1, 1, 1)),
    nchw(6, 6, 5, (1, 1, 1, 1)),
    nchw(5, 5, 3, (1, 1, 1, 1)),
    nchw(3, 3, 2, (0, 0, 1, 1)),
    nchw(40, 48, 2, (1, 1, 1, 1)),
    nchw(5, 4, 3, (2, 3, 1, 0)),
    nchw(4, 4, 2),
]


def places(s: Storage) -> Any:
    y, x, c = np.meshgrid(np.arange(s.height), np.arange(s.width), np.arange(s.channels), indexing="ij")
    return s.origin + y * s.row + x * s.pixel + c * s.channel


def border_cells(s: Storage) -> set[int]:
    """Cells in the border, by coordinates, and padding channels of all pixels."""
    top, left, bottom, right = s.border
    cells = set()
    for y in range(-top, s.height + bottom):
        for x in range(-left, s.width + right):
            inside = 0 <= y < s.height and 0 <= x < s.width
            if s.layout == "NCHW":
                cells |= set() if inside else {s.at(y, x, c) for c in range(s.channels)}
            else:
                cells |= {s.at(y, x, c) for c in range(s.channels if inside else 0, max(s.pixel, s.channels))}
    return cells


def values(rng: np.random.Generator, s: Storage, low: int, high: int, dtype: Any) -> Any:
    image = rng.integers(low, high + 1, (s.height, s.width, s.channels))
    image.reshape(-1)[:: max(1, image.size // 7)] = low
    image.reshape(-1)[1 :: max(1, image.size // 5)] = high
    return image.astype(dtype)


def both(kernel: Any, *arguments: Any, cells: int, dtype: Any = np.int16, strict: bool = True) -> Any:
    host = run_host(kernel, *arguments, cells=cells, dtype=dtype).buffers[0]
    target = run_target(kernel, *arguments, cells=cells, dtype=dtype, strict=strict).buffers[0]
    np.testing.assert_array_equal(host, target)
    return target


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("zero_point", [-128, 83, 0, 127])
def test_widened_values_are_the_differences_to_the_zero_point(layout: Storage, zero_point: int) -> None:
    image = values(np.random.default_rng(1), layout, -128, 127, np.int8)
    out = both(widen(zero_point, layout), image.reshape(-1), cells=layout.elements)
    np.testing.assert_array_equal(out[places(layout)], image.astype(np.int16) - zero_point)
    rest = np.ones(layout.elements, bool)
    rest[places(layout)] = False
    if fills_padding(layout):
        padding = (places(layout)[:, :, :1] + 3).reshape(-1)
        assert (out[padding] == 0).all()
        rest[padding] = False
    assert (out[rest] == FILL).all(), "wrote outside the image"


def test_an_input_can_be_widened_into_its_transposed_image() -> None:
    layout = nhwc(10, 49, 1, (1, 4, 1, 5))
    image = values(np.random.default_rng(5), layout, -128, 127, np.int8)
    out = both(widen(83, layout, transposed=True), image.transpose(1, 0, 2).reshape(-1), cells=layout.elements)
    np.testing.assert_array_equal(out[places(layout)], image.astype(np.int16) - 83)


@pytest.mark.parametrize("layout", [*LAYOUTS, nhwc(1, 1, 28), nhwc(1, 1, 4), nhwc(2, 3, 8)], ids=str)
def test_narrowed_values_get_the_zero_point_back(layout: Storage) -> None:
    wide = np.full(layout.elements, FILL, np.int16)
    image = values(np.random.default_rng(2), layout, -128, 127, np.int8)
    wide[places(layout)] = image.astype(np.int16) + 5
    out = both(narrow(layout, -5), wide, cells=image.size, dtype=np.int8)
    np.testing.assert_array_equal(out, image.reshape(-1))


@pytest.mark.parametrize("pair", [(0, 0), (1, 3), (3, 1), (7, 12), (12, 9), (8, 2), (12, 12), (17, 1)])
def test_another_layout_holds_the_same_values_and_nothing_else_is_written(pair: tuple[int, int]) -> None:
    one, other = LAYOUTS[pair[0]], LAYOUTS[pair[1]]
    shape = (one.height, one.width, one.channels)
    border = (1, 1, 0, 1)
    target = nchw(*shape, border) if other.layout == "NCHW" else nhwc(*shape, border if any(other.border) else (0, 0, 0, 0))
    wide = np.full(one.elements, 77, np.int16)
    wide[places(one)] = values(np.random.default_rng(3), one, -255, 255, np.int16)
    out = both(relayout(one, target), wide, cells=target.elements, strict=False)  # gcc merges halfwords of its loops
    np.testing.assert_array_equal(out[places(target)], wide[places(one)])
    rest = np.ones(target.elements, bool)
    rest[places(target)] = False
    assert (out[rest] == FILL).all()


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("padding", [True, False])
def test_a_cleared_border_is_zero_and_the_image_is_left_alone(layout: Storage, padding: bool) -> None:
    out = both(clear_border(layout, padding=padding), cells=layout.elements)
    assert (out[places(layout)] == FILL).all()
    wanted = border_cells(layout)
    if not padding:
        wanted -= {int(p) + c for p in places(layout)[:, :, 0].reshape(-1) for c in range(layout.channels, layout.pixel)}
    assert (out[sorted(wanted)] == 0).all()
    assert (out[layout.elements - SLACK :] == FILL).all()


@pytest.mark.parametrize(
    ("layout", "limit"),
    [(nhwc(1, 1, 640), 2.05), (nhwc(96, 96, 3, (0, 0, 1, 1)), 2.02), (nhwc(32, 32, 3, (1, 1, 1, 1), pixel=4), 2.5)],
    ids=["ad", "vww", "ic"],
)
def test_an_input_is_widened_in_little_more_than_two_cycles_per_value(layout: Storage, limit: float) -> None:
    image = values(np.random.default_rng(4), layout, -128, 127, np.int8).reshape(-1)
    run = run_target(widen(-128, layout), image, cells=layout.elements, strict=False, runs=2)
    assert run.cycles / image.size < limit
