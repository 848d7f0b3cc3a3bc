# SPDX-License-Identifier: Apache-2.0
"""Places of int16 tensors: no two elements share one, rows start at words, borders lie where the kernels expect them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm4tiny.firmware.kernels.int16.storage import SLACK, nchw, nhwc

SIDES = st.tuples(*[st.integers(0, 3)] * 4)
SIZES = st.tuples(*[st.integers(1, 7)] * 3)


@given(SIZES, SIDES, st.booleans())
def test_no_two_elements_share_a_place_and_all_lie_inside(size, border, by_planes):
    s = (nchw if by_planes else nhwc)(*size, border)
    top, left, bottom, right = border
    area = itertools.product(range(-top, s.height + bottom), range(-left, s.width + right), range(s.channels))
    places = [s.at(*place) for place in area]
    assert len(set(places)) == len(places)
    assert min(places) >= 0
    assert max(places) < s.elements - SLACK


@given(SIZES, SIDES)
def test_rows_and_planes_start_at_words(size, border):
    assert nchw(*size, border).row % 2 == nchw(*size, border).channel % 2 == 0
    s = nhwc(*size, border)
    assert s.height == 1 or s.row % 2 == 0


@pytest.mark.parametrize(
    ("storage", "flat"),
    [
        (nhwc(4, 5, 6), True),
        (nhwc(1, 1, 7), True),
        (nhwc(3, 3, 5), False),  # rows are filled up to words
        (nhwc(4, 5, 6, (1, 1, 1, 1)), False),
        (nhwc(4, 5, 3, pixel=4), False),
        (nchw(4, 5, 6), False),
    ],
)
def test_flat_means_dense_nhwc(storage, flat):
    assert storage.flat == flat


def test_cells_that_must_be_zero_are_borders_and_filled_up_channels():
    assert nhwc(2, 2, 2, (0, 0, 1, 0)).border_cells
    assert nhwc(2, 2, 3, pixel=4).border_cells
    assert not nhwc(2, 2, 4).border_cells
