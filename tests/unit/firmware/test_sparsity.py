# SPDX-License-Identifier: Apache-2.0
"""The pass that skips dot products of zeros: what it marks, what it moves, and that nothing is lost."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))

from graph_reference import run_graph
from sparse_graphs import GraphMaker, random_graph

from cm4tiny.firmware.graph import Conv, Graph, Layer, Tensor
from cm4tiny.firmware.kernels.quant import convolution_multipliers, requantize
from cm4tiny.firmware.microtvm.channels import find_spaces, select_channels
from cm4tiny.firmware.microtvm.sparsity import constant_outputs, live_macs, skip_zero

CASES = settings(max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def maker(seed: int = 0) -> GraphMaker:
    return GraphMaker(np.random.default_rng(seed))


def inputs_for(graph: Graph, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).integers(-128, 128, (6, graph.input.size))
    return np.concatenate([rows, np.full((2, graph.input.size), [[-128], [127]])]).astype(np.int8)


def dense_weights(
    rng: np.random.Generator,
    outputs: int,
    inputs: int,
    *,
    zero_rows: tuple[int, ...] = (),
    zero_columns: tuple[int, ...] = (),
    kernel: int = 1,
) -> np.ndarray:
    """Weights without a zero besides the rows and columns named."""
    weights = rng.integers(1, 128, (outputs, kernel, kernel, inputs)) * rng.choice([-1, 1], (outputs, kernel, kernel, inputs))
    weights[list(zero_rows)] = 0
    weights[..., list(zero_columns)] = 0
    return weights


def separable(*, rows: tuple[int, ...] = (1, 4), columns: tuple[int, ...] = (0, 4), kernel: int = 1) -> Graph:
    """conv 3 -> 6 with rows of zeros, depthwise, conv 6 -> 4 with columns of zeros."""
    make = maker()
    x = make.tensor((1, 5, 4, 3), zero_point=7)
    x = make.conv(x, 6, kernel=kernel, weights=dense_weights(make.rng, 6, 3, zero_rows=rows, kernel=kernel))
    x = make.depthwise(x, dead=0)
    make.conv(x, 4, weights=dense_weights(make.rng, 4, 6, zero_columns=columns), activation="NONE")
    return make.graph()


@pytest.mark.parametrize("kernel", [1, 3])
def test_computed_channels_come_first_and_read_channels_lie_together(kernel):
    graph = separable(kernel=kernel)
    first, _, last = skip_zero(graph).layers
    assert (first.live_outputs, first.live_inputs, len(first.constant_outputs)) == (4, None, 2)
    # computed: 0 2 3 5, of which 0 is not read; constant: 1 4, of which 4 is not read
    np.testing.assert_array_equal(first.weights, graph.layers[0].weights[[0, 2, 3, 5, 1, 4]])
    assert (last.live_inputs, last.live_outputs, last.constant_outputs) == ((1, 4), None, None)
    np.testing.assert_array_equal(last.weights, graph.layers[2].weights[..., [0, 2, 3, 5, 1, 4]])


def test_depthwise_filters_stay_and_are_not_marked():
    graph = separable()
    middle = skip_zero(graph).layers[1]
    np.testing.assert_array_equal(middle.weights, graph.layers[1].weights[[0, 2, 3, 5, 1, 4]])
    np.testing.assert_array_equal(middle.bias, graph.layers[1].bias[[0, 2, 3, 5, 1, 4]])
    np.testing.assert_array_equal(middle.weight_scales, graph.layers[1].weight_scales[[0, 2, 3, 5, 1, 4]])
    assert (middle.live_outputs, middle.live_inputs, middle.constant_outputs) == (None, None, None)
    assert middle.live_macs == middle.macs


def test_skipped_work_is_counted():
    graph = separable()
    first, middle, last = skip_zero(graph).layers
    pixels = 5 * 4
    assert [layer.live_macs for layer in (first, middle, last)] == [pixels * 4 * 3, pixels * 9 * 6, pixels * 4 * 4]
    assert live_macs(skip_zero(graph)) == pixels * (12 + 54 + 16)
    assert [layer.macs for layer in (first, middle, last)] == [layer.macs for layer in graph.layers]


def test_constants_are_the_requantised_biases_with_zero_point_and_clamp():
    graph = separable(rows=(0, 2, 3, 5))
    layer = replace(graph.layers[0], bias=np.array([2**30, 9, 5000, -(2**30), 9, 0], np.int32), weight_scales=np.float32([0.004] * 6))
    first = skip_zero(replace(graph, layers=(layer, *graph.layers[1:]))).layers[0]
    x, y = layer.inputs[0], layer.output
    multiplier = convolution_multipliers(x.scale, layer.weight_scales, y.scale, 6)[0]
    expected = [max(layer.low, min(layer.high, requantize(bias, multiplier) + y.zero_point)) for bias in (5000, -(2**30), 0, 2**30)]
    # channels 1 and 4 are computed; 2, 3 and 5 are constant and read, 0 is constant and not read
    assert (first.live_outputs, first.constant_outputs.dtype) == (2, np.int8)
    assert first.constant_outputs.tolist() == [expected[0], expected[1], expected[2], expected[3]]
    assert {expected[1], expected[3]} == {layer.low, 127}, "both clamps are met"
    assert constant_outputs(layer, 6).shape == (0,)


def test_every_weight_is_still_there():
    for seed in range(20):
        graph = random_graph(np.random.default_rng(seed))
        for before, after in zip(graph.layers, skip_zero(graph).layers, strict=True):
            if isinstance(before, Conv):
                np.testing.assert_array_equal(np.sort(before.weights, axis=None), np.sort(after.weights, axis=None))
                np.testing.assert_array_equal(np.sort(before.bias), np.sort(after.bias))


def test_a_graph_without_zeros_comes_back_itself():
    graph = separable(rows=(), columns=())
    assert skip_zero(graph) is graph


def test_scattered_zeros_are_no_gain():
    graph = separable(rows=(), columns=())
    weights = graph.layers[2].weights.copy()
    weights[0, ..., 2] = weights[3, ..., 1] = 0
    graph = replace(graph, layers=(*graph.layers[:2], replace(graph.layers[2], weights=weights)))
    assert skip_zero(graph) is graph


def test_a_second_pass_changes_nothing():
    once = skip_zero(separable())
    assert skip_zero(once) is once


def test_the_models_own_channels_are_never_moved():
    make = maker()
    x = make.tensor((1, 4, 4, 5))
    make.conv(x, 6, weights=dense_weights(make.rng, 6, 5, zero_rows=(0, 4, 5), zero_columns=(0, 2)))
    graph = make.graph()
    (layer,) = skip_zero(graph).layers
    np.testing.assert_array_equal(layer.weights, graph.layers[0].weights)
    assert (layer.live_outputs, layer.live_inputs) == (4, (1, 4)), "only what lies outside already is skipped"
    assert find_spaces(graph) == ()


def test_a_convolution_of_zeros_computes_and_reads_nothing():
    make = maker()
    x = make.conv(make.tensor((1, 3, 3, 2)), 4, weights=np.zeros((4, 1, 1, 2)))
    make.conv(x, 2, weights=np.zeros((2, 1, 1, 4)))
    graph = make.graph()
    skipped = skip_zero(graph)
    for layer in skipped.layers:
        assert (layer.live_outputs, layer.live_inputs, layer.live_macs) == (0, (0, 0), 0)
    np.testing.assert_array_equal(run_graph(skipped, inputs_for(graph), skipping=True), run_graph(graph, inputs_for(graph)))


def test_one_scale_for_all_channels_stays_one():
    graph = separable()
    layers = tuple(replace(layer, weight_scales=np.float32([0.003])) for layer in graph.layers)
    graph = replace(graph, layers=layers)
    skipped = skip_zero(graph)
    assert [layer.weight_scales.tolist() for layer in skipped.layers] == [[np.float32(0.003)]] * 3
    np.testing.assert_array_equal(run_graph(skipped, inputs_for(graph), skipping=True), run_graph(graph, inputs_for(graph)))


def test_a_pool_and_a_fully_connected_layer_follow_the_order():
    make = maker()
    x = make.tensor((1, 4, 4, 3))
    x = make.conv(x, 6, weights=dense_weights(make.rng, 6, 3, zero_rows=(0, 3)))
    x = make.pool(x, 2)
    make.dense(x, 3)
    graph = make.graph()
    skipped = skip_zero(graph)
    assert skipped.layers[0].live_outputs == 4
    columns = graph.layers[2].weights.reshape(3, 4, 6)[:, :, [1, 2, 4, 5, 0, 3]].reshape(3, 24)
    np.testing.assert_array_equal(skipped.layers[2].weights, columns)
    np.testing.assert_array_equal(run_graph(skipped, inputs_for(graph)), run_graph(graph, inputs_for(graph)))


def test_both_branches_of_an_addition_take_one_order():
    make = maker()
    x = make.tensor((1, 3, 3, 3))
    a = make.conv(x, 5, weights=dense_weights(make.rng, 5, 3, zero_rows=(0, 2)))
    b = make.conv(a, 5, weights=dense_weights(make.rng, 5, 5, zero_rows=(0, 2, 3)))
    make.conv(make.add(a, b), 2)
    graph = make.graph()
    skipped = skip_zero(graph)
    np.testing.assert_array_equal(skipped.layers[0].weights, graph.layers[0].weights[[1, 3, 4, 0, 2]])
    assert [layer.live_outputs for layer in skipped.layers[:2]] == [3, 3], "row 3 of the second lies among the computed ones of the first"
    np.testing.assert_array_equal(run_graph(skipped, inputs_for(graph), skipping=True), run_graph(graph, inputs_for(graph)))


def test_a_channel_multiplier_keeps_both_sides_in_place():
    make = maker()
    x = make.conv(make.tensor((1, 4, 4, 2)), 3, weights=dense_weights(make.rng, 3, 2, zero_rows=(0,)))
    x = make.depthwise(x, multiplier=2)
    make.conv(x, 2, weights=dense_weights(make.rng, 2, 6, zero_columns=(3,)))
    graph = make.graph()
    assert find_spaces(graph) == ()
    assert skip_zero(graph) is graph


@dataclass(frozen=True, kw_only=True)
class Novel(Layer):
    """A layer that the pass does not know."""


def test_around_an_unknown_layer_nothing_is_moved():
    graph = separable()
    seen = graph.layers[0].output
    branch = Novel(inputs=(seen,), output=Tensor(99, seen.shape, 0.1, 0))
    assert find_spaces(graph) != ()
    assert find_spaces(replace(graph, layers=(*graph.layers[:1], branch, *graph.layers[1:]))) == ()


def test_a_tensor_that_is_read_in_another_shape_is_not_moved():
    make = maker()
    x = make.conv(make.tensor((1, 4, 4, 2)), 4, weights=dense_weights(make.rng, 4, 2, zero_rows=(0,)))
    make.conv(replace(x, shape=(1, 4, 2, 8)), 3)
    assert find_spaces(make.graph()) == ()


def test_selecting_channels_takes_the_marks_away():
    marked = skip_zero(separable())
    (space,) = find_spaces(marked)
    turned = select_channels(marked, dict.fromkeys(space.keys, np.arange(6)[::-1]))
    assert [layer.live_outputs for layer in turned.layers] == [None, None, None]
    assert [layer.live_inputs for layer in turned.layers] == [None, None, None]


@CASES
@given(st.integers(0, 2**32 - 1))
def test_random_graphs_answer_the_same(seed):
    """Whether a kernel computes everything in the new order, or skips what it may."""
    graph = random_graph(np.random.default_rng(seed))
    inputs = inputs_for(graph, seed)
    skipped, expected = skip_zero(graph), run_graph(graph, inputs)
    assert live_macs(skipped) <= live_macs(graph)
    np.testing.assert_array_equal(run_graph(skipped, inputs), expected)
    np.testing.assert_array_equal(run_graph(skipped, inputs, skipping=True), expected)
