# SPDX-License-Identifier: Apache-2.0
"""Layers get the model's names and MACs where that is certain, and only there."""

from __future__ import annotations

from support.profiles import Model

from cm4tiny.profiling import matching
from cm4tiny.profiling.matching import Seen, by_name, by_operators, by_order

CONV, ANY_CONV = ("CONV_2D",), ("CONV_2D", "DEPTHWISE_CONV_2D")
DEPTHWISE, DENSE, POOL = ("DEPTHWISE_CONV_2D",), ("FULLY_CONNECTED",), ("AVERAGE_POOL_2D",)
PLENTY = 1_000_000


def records(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "kind": name.partition("_")[2]} for name in names]


def test_callees_are_the_layers_of_their_names() -> None:
    known = records("l0_conv", "l1_dense")
    assert by_name(["l0_conv", "l1_dense"], known) == known
    assert by_name(["copy", "l1_dense"], known) == [None, known[1]]


def test_folded_functions_are_matched_by_place() -> None:
    known = records("l0_conv", "l1_dense", "l2_conv")
    assert by_name(["l0_conv", "l1_dense", "l0_conv"], known) == known
    assert by_name(["l0_conv", "prepare", "l1_dense", "l0_conv"], known) == [known[0], None, known[1], known[2]]


def test_a_name_that_occurs_twice_for_no_known_reason_is_not_matched() -> None:
    known = records("l0_conv", "l1_dense", "l2_conv")
    assert by_name(["l0_conv", "l0_conv", "l1_dense"], known) == [None, None, known[1]]  # a conv in the place of a dense
    assert by_name(["l0_conv", "l0_conv"], known) == [None, None]
    assert by_name(["l0_conv"], []) == [None]
    assert by_name(["a"], [{"macs": 3}]) == [None]


def test_callees_in_order_need_the_right_number() -> None:
    known = records("a_x", "b_y")
    assert by_order(2, known) == known
    assert by_order(3, known) == [None] * 3


def chain() -> Model:
    model = Model()
    a = model.op("CONV_2D", (model.input,), (1, 8, 8, 16), (16, 3, 3, 4))
    b = model.op("DEPTHWISE_CONV_2D", (a,), (1, 8, 8, 16), (1, 3, 3, 16))
    c = model.op("AVERAGE_POOL_2D", (b,), (1, 1, 1, 16))
    model.op("FULLY_CONNECTED", (c,), (1, 10), (10, 16))
    return model


def macs(matched: matching.Matched) -> list[object]:
    return [record.get("macs") if record else None for record in matched]


def test_a_chain_of_fused_operators_has_one_order() -> None:
    seen = [Seen((), 0), Seen(ANY_CONV, 576), Seen(ANY_CONV, 144), Seen(POOL, 0), Seen(DENSE, 160)]
    assert macs(by_operators(seen, chain().tables())) == [0, 36_864, 9_216, 0, 160]


def test_another_number_of_layers_is_not_matched() -> None:
    tables = chain().tables()
    assert by_operators([Seen(ANY_CONV, PLENTY), Seen(DENSE, PLENTY)], tables) == [None, None]
    assert by_operators([Seen((), PLENTY)] * 3, tables) == [None] * 3
    assert by_operators([], tables) == []


def test_a_kind_or_too_few_weights_contradict() -> None:
    tables = chain().tables()
    assert by_operators([Seen(DEPTHWISE, PLENTY), Seen(CONV, PLENTY), Seen(DENSE, PLENTY)], tables) == [None] * 3
    assert by_operators([Seen(CONV, 575), Seen(DEPTHWISE, PLENTY), Seen(DENSE, PLENTY)], tables) == [None] * 3


def test_a_convolution_of_one_channel_may_run_as_a_depthwise_one() -> None:
    model = Model()
    model.input = model._tensor((1, 8, 8, 1))
    model.op("CONV_2D", (model.input,), (1, 8, 8, 16), (16, 3, 3, 1))
    assert macs(by_operators([Seen(DEPTHWISE, 144)], model.tables())) == [9_216]


def residual(second: tuple[int, ...] = (8, 3, 3, 8), shortcut: tuple[int, ...] = (8, 1, 1, 4)) -> Model:
    """Two convolutions next to one, then a dense layer: the one may run before, between or after the two."""
    model = Model()
    a = model.op("CONV_2D", (model.input,), (1, 8, 8, 8), (8, 3, 3, 4))
    b = model.op("CONV_2D", (a,), (1, 8, 8, 8), second)
    c = model.op("CONV_2D", (model.input,), (1, 8, 8, 8), shortcut)
    d = model.op("ADD", (b, c), (1, 8, 8, 8))
    model.op("FULLY_CONNECTED", (d,), (1, 10), (10, 512))
    return model


def test_weights_decide_where_the_data_flow_does_not() -> None:
    tables = residual().tables()  # 288, 576, 32 weights
    after = [Seen(CONV, 300), Seen(CONV, 600), Seen(CONV, 50), Seen((), 0), Seen(DENSE, 6000)]
    before = [Seen(CONV, 50), Seen(CONV, 300), Seen(CONV, 600), Seen((), 0), Seen(DENSE, 6000)]
    assert macs(by_operators(after, tables)) == [18_432, 36_864, 2_048, 0, 5_120]
    assert macs(by_operators(before, tables)) == [2_048, 18_432, 36_864, 0, 5_120]


def test_what_can_be_in_two_places_is_not_matched_but_the_rest_is() -> None:
    tables = residual().tables()
    seen = [Seen(CONV, PLENTY)] * 3 + [Seen((), 0), Seen(DENSE, PLENTY)]
    assert macs(by_operators(seen, tables)) == [None, None, None, None, 5_120]
    first = [Seen(CONV, 300), Seen(CONV, 600), Seen(CONV, 600), Seen((), 0), Seen(DENSE, PLENTY)]
    assert macs(by_operators(first, tables)) == [None, None, None, None, 5_120]
    first = [Seen(CONV, 50), Seen(CONV, 600), Seen(CONV, 600), Seen((), 0), Seen(DENSE, PLENTY)]
    assert macs(by_operators(first, tables)) == [2_048, 18_432, 36_864, 0, 5_120]


def test_a_model_with_too_many_orders_is_not_matched() -> None:
    model = Model()
    for _ in range(8):
        model.op("CONV_2D", (model.input,), (1, 8, 8, 8), (8, 1, 1, 4))
    assert by_operators([Seen(CONV, PLENTY)] * 8, model.tables()) == [None] * 8
    for _ in range(12):
        model.op("CONV_2D", (model.input,), (1, 8, 8, 8), (8, 1, 1, 4))
    seen = [Seen(CONV, PLENTY)] * 19 + [Seen(CONV, 0)]  # no order is possible, which the last place shows
    assert by_operators(seen, model.tables()) == [None] * 20
