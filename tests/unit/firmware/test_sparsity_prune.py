# SPDX-License-Identifier: Apache-2.0
"""The pass that removes channels which are the same for every input: what may go, what must stay, and that results do not change."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))

from graph_reference import run_graph, run_tensors
from sparse_graphs import GraphMaker, random_graph

from cm4tiny.firmware.graph import Dense, Graph
from cm4tiny.firmware.kernels.quant import Multiplier
from cm4tiny.firmware.microtvm import prune
from cm4tiny.firmware.microtvm.prune import _requantized, open_reason, prune_channels, value_ranges
from cm4tiny.firmware.microtvm.sparsity import live_macs, skip_zero

CASES = settings(max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
INPUTS = 8


def inputs_for(graph: Graph, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).integers(-128, 128, (INPUTS - 2, graph.input.size))
    return np.concatenate([rows, np.full((2, graph.input.size), [[-128], [127]])]).astype(np.int8)


def full(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(1, 128, shape) * rng.choice([-1, 1], shape)


def chain(*, constant_bias: int = 5000, dead_rows: tuple[int, ...] = (1,), dead_columns: tuple[int, ...] = (), padded: bool = True,
          kernel: int = 3) -> Graph:  # fmt: skip
    """conv 2 -> 4 with dead rows, depthwise, conv 4 -> 3. Other values than the dead rows' differ from input to input."""
    make = GraphMaker(np.random.default_rng(1))
    weights = full(make.rng, 4, 1, 1, 2)
    weights[list(dead_rows)] = 0
    bias = np.where(np.isin(np.arange(4), dead_rows), constant_bias, 0)
    x = make.tensor((1, 5, 5, 2), zero_point=0)
    scales = np.full(4, 0.004)
    x = make.conv(x, 4, weights=weights, bias=bias, scales=scales, zero_point=-128)
    x = make.depthwise(x, kernel=kernel, weights=full(make.rng, 4, kernel, kernel, 1), bias=np.zeros(4), scales=scales, same=padded,
                       zero_point=-20, activation="NONE")  # fmt: skip
    last = full(make.rng, 3, 1, 1, 4)
    last[..., list(dead_columns)] = 0
    make.conv(x, 3, weights=last, scales=np.full(3, 0.004), activation="NONE")
    return make.graph()


def assert_same_answers(graph: Graph, smaller: Graph) -> None:
    inputs = inputs_for(graph)
    np.testing.assert_array_equal(run_graph(smaller, inputs), run_graph(graph, inputs))


def widths(graph: Graph) -> list[int]:
    return [len(layer.weights) for layer in graph.layers]


def test_a_constant_at_the_zero_point_goes_with_its_filter():
    graph = chain(constant_bias=-100)
    smaller = prune_channels(graph)
    assert widths(smaller) == [3, 3, 3]
    np.testing.assert_array_equal(smaller.layers[1].weights, graph.layers[1].weights[[0, 2, 3]])
    assert_same_answers(graph, smaller)


def test_a_constant_beside_the_zero_point_stays_where_a_filter_sees_the_border():
    """At the border the window holds zero points instead of the constant: the filter's answer is not constant."""
    graph = chain(constant_bias=5000)
    assert prune_channels(graph) is graph


@pytest.mark.parametrize("options", [{"padded": False}, {"kernel": 1}])
def test_a_constant_beside_the_zero_point_folds_where_no_filter_sees_the_border(options):
    graph = chain(constant_bias=5000, **options)
    smaller = prune_channels(graph)
    assert widths(smaller) == [3, 3, 3]
    assert (smaller.layers[2].bias != graph.layers[2].bias).any()
    assert_same_answers(graph, smaller)


def test_a_constant_does_not_fold_into_a_padded_convolution():
    make = GraphMaker(np.random.default_rng(2))
    x = make.conv(make.tensor((1, 4, 4, 1), zero_point=0), 2, weights=[[[[9]]], [[[0]]]], bias=[0, 5000], scales=[0.004] * 2)
    make.conv(x, 2, kernel=3, weights=full(make.rng, 2, 3, 3, 2), scales=[0.004] * 2)
    graph = make.graph()
    assert prune_channels(graph) is graph
    window = replace(graph.layers[1].window, padding=(0, 0, 0, 0))
    inner = replace(graph.layers[1], window=window, output=replace(graph.output, shape=(1, 2, 2, 2)))
    unpadded = replace(graph, layers=(graph.layers[0], inner), output=inner.output)
    smaller = prune_channels(unpadded)
    assert widths(smaller) == [1, 2]
    assert_same_answers(unpadded, smaller)


def test_a_channel_that_nothing_reads_goes_whatever_it_holds():
    graph = chain(dead_rows=(), dead_columns=(0, 3))
    smaller = prune_channels(graph)
    assert widths(smaller) == [2, 2, 3]
    np.testing.assert_array_equal(smaller.layers[2].bias, graph.layers[2].bias)
    assert_same_answers(graph, smaller)


def test_weights_near_zero_make_a_constant_too():
    """Rows that are not zero, but whose scales are so small that no input changes the rounded result."""
    graph = chain(dead_rows=(), padded=False)
    scales = np.float32([0.004, 1e-9, 0.004, 0.004])
    graph = replace(graph, layers=(replace(graph.layers[0], weight_scales=scales), *graph.layers[1:]))
    smaller = prune_channels(graph)
    assert widths(smaller) == [3, 3, 3]
    assert_same_answers(graph, smaller)


def test_removal_goes_on_until_nothing_is_left_to_remove():
    """A row that goes takes the last use of its inputs with it."""
    make = GraphMaker(np.random.default_rng(3))
    x = make.tensor((1, 3, 3, 2), zero_point=0)
    x = make.conv(x, 3, weights=full(make.rng, 3, 1, 1, 2), scales=[0.004] * 3)
    weights = full(make.rng, 3, 1, 1, 3)
    weights[1:, ..., 0] = 0  # input 0 only serves output 0 ...
    x = make.conv(x, 3, weights=weights, scales=[0.004] * 3)
    last = full(make.rng, 2, 1, 1, 3)
    last[..., 0] = 0  # ... which nothing reads
    make.conv(x, 2, weights=last, scales=[0.004] * 2)
    graph = make.graph()
    smaller = prune_channels(graph)
    assert widths(smaller) == [2, 2, 2]
    assert_same_answers(graph, smaller)


def test_a_bias_that_would_overflow_takes_nothing():
    graph = chain(constant_bias=5000, padded=False, dead_columns=(3,))
    last = graph.layers[2]
    full_bias = replace(graph, layers=(*graph.layers[:2], replace(last, bias=np.full(3, 2**31 - 1, np.int32))))
    smaller = prune_channels(full_bias)
    assert widths(smaller) == [3, 3, 3], "channel 3 goes, which nothing reads; the constant of channel 1 stays"
    np.testing.assert_array_equal(smaller.layers[0].weights[1], graph.layers[0].weights[1])
    np.testing.assert_array_equal(smaller.layers[2].bias, full_bias.layers[2].bias)
    assert_same_answers(full_bias, smaller)


def test_a_pool_and_a_fully_connected_layer_lose_the_channel():
    make = GraphMaker(np.random.default_rng(4))
    weights = full(make.rng, 4, 1, 1, 2)
    weights[2] = 0
    x = make.conv(make.tensor((1, 4, 4, 2), zero_point=0), 4, weights=weights, bias=[0, 0, 3000, 0], scales=[0.004] * 4)
    make.dense(make.pool(x, 2), 3)
    graph = make.graph()
    smaller = prune_channels(graph)
    assert [layer.output.shape for layer in smaller.layers] == [(1, 4, 4, 3), (1, 2, 2, 3), (1, 3)]
    assert smaller.layers[2].inputs[0].shape == (1, 12)
    assert smaller.layers[2].weights.shape == (3, 12)
    assert_same_answers(graph, smaller)


def test_a_tensor_never_becomes_empty():
    make = GraphMaker(np.random.default_rng(5))
    x = make.conv(make.tensor((1, 3, 3, 2)), 4, weights=np.zeros((4, 1, 1, 2)))
    make.conv(x, 2, weights=full(make.rng, 2, 1, 1, 4))
    graph = make.graph()
    smaller = prune_channels(graph)
    assert widths(smaller) == [1, 2]
    assert_same_answers(graph, smaller)


def test_the_models_own_channels_stay():
    make = GraphMaker(np.random.default_rng(6))
    make.conv(make.tensor((1, 3, 3, 4)), 4, weights=np.zeros((4, 1, 1, 4)))
    graph = make.graph()
    assert prune_channels(graph) is graph


def test_a_tensor_that_nothing_reads_is_left_alone():
    make = GraphMaker(np.random.default_rng(7))
    x = make.tensor((1, 3, 3, 2))
    make.conv(x, 3)
    make.layers.append(replace(make.layers[0], output=make.tensor((1, 3, 3, 3))))
    graph = make.graph()
    assert prune_channels(graph) is graph


def test_what_was_removed_makes_a_result_of_the_open_division():
    graph = chain(constant_bias=-100)
    smaller = prune_channels(graph)
    reason = open_reason(graph, smaller)
    # one row (zero), one filter of nine, one column of three
    assert reason == "2 channels that cannot change the result were removed, and 12 weights with them that are not zero"
    live = chain(dead_rows=())
    assert open_reason(live, prune_channels(live)) == ""


@CASES
@given(st.integers(0, 2**32 - 1))
def test_random_graphs_answer_the_same(seed):
    graph = random_graph(np.random.default_rng(seed))
    inputs = inputs_for(graph, seed)
    expected = run_graph(graph, inputs)
    smaller = prune_channels(graph)
    assert live_macs(smaller) <= live_macs(graph)
    np.testing.assert_array_equal(run_graph(smaller, inputs), expected)
    np.testing.assert_array_equal(run_graph(skip_zero(smaller), inputs, skipping=True), expected)


@CASES
@given(st.integers(0, 2**32 - 1))
def test_every_value_lies_in_its_range(seed):
    graph = random_graph(np.random.default_rng(seed))
    ranges = value_ranges(graph)
    for key, values in run_tensors(graph, inputs_for(graph, seed)).items():
        low, high = ranges[key]
        flat = values.reshape(-1, values.shape[-1])
        assert (flat >= low).all()
        assert (flat <= high).all()


def test_a_range_is_as_tight_as_its_channel():
    """For one weight the interval's ends are reached."""
    make = GraphMaker(np.random.default_rng(8))
    make.conv(make.tensor((1, 1, 1, 1), zero_point=3), 2, weights=[[[[50]]], [[[-50]]]], bias=[10, 20], scales=[0.004] * 2)
    graph = make.graph()
    every = np.arange(-128, 128, dtype=np.int8)[:, None]
    answers = run_graph(graph, every)
    low, high = value_ranges(graph)[graph.output.key]
    np.testing.assert_array_equal(low, answers.min(axis=0))
    np.testing.assert_array_equal(high, answers.max(axis=0))


def test_an_accumulator_that_may_overflow_has_no_range():
    make = GraphMaker(np.random.default_rng(9))
    make.conv(make.tensor((1, 1, 1, 1), zero_point=0), 1, weights=[[[[127]]]], bias=[2**31 - 1], scales=[0.004], activation="NONE")
    low, high = value_ranges(make.graph())[make.graph().output.key]
    assert (low[0], high[0]) == (-128, 127)


@pytest.mark.parametrize(("bottom", "top", "fits"), [(-(1 << 29), (1 << 29) - 1, True), (-(1 << 29) - 1, 0, False), (0, 1 << 29, False)])
def test_a_range_ends_where_the_shifted_accumulator_does(bottom, top, fits):
    found = _requantized(bottom, top, Multiplier(1 << 30, 2))
    assert found == ((2 * bottom, 2 * top) if fits else (-(1 << 31), (1 << 31) - 1))


def test_a_reshaped_tensor_has_other_channels_and_so_the_widest_range():
    make = GraphMaker(np.random.default_rng(10))
    x = make.conv(make.tensor((1, 4, 4, 2)), 4, weights=np.zeros((4, 1, 1, 2)), bias=[0, 100, 2000, 3000])
    make.conv(replace(x, shape=(1, 4, 8, 2)), 3)
    graph = make.graph()
    low, high = value_ranges(graph)[graph.output.key]
    assert (low < high).any(), "although every value read is one of four constants"
    assert prune_channels(graph) is graph


@pytest.mark.parametrize(
    ("bias", "share", "expected"), [(2**31 - 2, 1, False), (2**31 - 1, 1, True), (1 - 2**31, -1, False), (-(2**31), -1, True)]
)
def test_a_bias_that_takes_up_a_channel_may_reach_the_ends_of_32_bits(
    monkeypatch: pytest.MonkeyPatch, bias: int, share: int, expected: bool
) -> None:
    monkeypatch.setattr(prune, "_share", lambda *_: np.int64(share))
    layer = Mock(spec=Dense)
    layer.bias = np.array([0, bias], np.int32)
    assert prune._overflows(layer, np.zeros(2, bool), {}) == expected
