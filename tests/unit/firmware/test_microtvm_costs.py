# SPDX-License-Identifier: Apache-2.0
"""Measured costs: found by content only, and not after the kernels have changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cm4tiny.errors import FirmwareError
from cm4tiny.firmware.graph import Add, Tensor
from cm4tiny.firmware.kernels import KERNELS_VERSION
from cm4tiny.firmware.kernels.base import Candidate
from cm4tiny.firmware.kernels.int16.storage import nhwc
from cm4tiny.firmware.microtvm.costs import Costs, content, read_costs, shipped_costs
from cm4tiny.firmware.microtvm.layout import Action, Value


def action(height: int = 4, zero_point: int = -128, border: int = 0) -> Action:
    tensor = Tensor(1, (1, height, 4, 8), 0.1, zero_point)
    value = Value(tensor, nhwc(height, 4, 8, (border,) * 4))
    layer = Add(inputs=(tensor, tensor), output=tensor)
    choices = tuple(Candidate(name, cycles, 0, 0, lambda: None) for name, cycles in (("a", 100), ("b", 200), ("c", 300)))
    return Action(layer, choices, (value, value), value)


def test_measured_cycles_replace_estimates():
    costs = Costs(KERNELS_VERSION, {content(action()): {"a": 250, "b": 150}})
    assert [c.cycles for c in costs.apply(action()).candidates] == [250, 150, 400]


def test_what_was_not_measured_is_scaled_to_what_was():
    costs = Costs(KERNELS_VERSION, {content(action()): {"b": 400}})
    assert [c.cycles for c in costs.apply(action()).candidates] == [200, 400, 600]


@pytest.mark.parametrize("other", [action(height=5), action(zero_point=3), action(border=1)])
def test_costs_of_other_content_are_never_used(other):
    costs = Costs(KERNELS_VERSION, {content(action()): {"a": 1, "b": 1, "c": 1}})
    assert costs.apply(other) == other


def test_costs_of_other_kernels_are_never_used():
    old = Costs(KERNELS_VERSION - 1, {content(action()): {"a": 999}})
    mine = action()
    assert old.apply(mine) is mine
    assert old.merged({"0" * 16: {"x": 1}}).layers == {"0" * 16: {"x": 1}}


def test_the_values_of_scales_do_not_matter():
    mine = action()
    assert mine.layer is not None
    rescaled = tuple(replace(v, tensor=replace(v.tensor, scale=0.7)) for v in mine.reads)
    assert content(replace(mine, reads=rescaled)) == content(mine)


def test_a_table_reads_back(tmp_path):
    costs = Costs(KERNELS_VERSION, {"ab" * 8: {"a": 3, "b": 4}, "cd" * 8: {"c": 5}})
    path = tmp_path / "costs.json"
    path.write_text(costs.text())
    assert read_costs(path) == costs


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"kernels": 1, "layers": {"x": {}}}', '{"kernels": 1, "layers": {"' + "a" * 16 + '": {"k": -1}}}']
)
def test_a_damaged_table_is_refused(tmp_path, text):
    path = tmp_path / "costs.json"
    path.write_text(text)
    with pytest.raises(FirmwareError) as caught:
        read_costs(path)
    assert "--tune" in caught.value.hint


def test_the_packaged_table_was_measured_with_the_present_kernels():
    assert shipped_costs().kernels == KERNELS_VERSION
    assert shipped_costs().layers
