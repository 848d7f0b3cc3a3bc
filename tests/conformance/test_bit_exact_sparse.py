# SPDX-License-Identifier: Apache-2.0
"""Skipped zeros and removed channels against TFLite's reference kernels, byte by byte: the graph, and the C that the compiler makes."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from graph_reference import graph_of, run_graph, run_tensors
from host_model import OFFICIAL, HostModel, corner_inputs, mirrored, official_model
from sparse_graphs import random_graph, tflite_of

from cm4tiny.benchmarks import embedded_data_set
from cm4tiny.firmware.graph import Conv, Graph
from cm4tiny.firmware.microtvm import CompileOptions, compile_model
from cm4tiny.firmware.microtvm.prune import open_reason, prune_channels, value_ranges
from cm4tiny.firmware.microtvm.sparsity import live_macs, skip_zero
from cm4tiny.firmware.reference import oracle_name, reference_run

CASES = settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
                 phases=[Phase.explicit, Phase.generate])  # fmt: skip
PASSES = {"neither": CompileOptions(skip_zero=False), "skip": CompileOptions(), "drop": CompileOptions(prune_channels=True),
          "drop only": CompileOptions(skip_zero=False, prune_channels=True)}  # fmt: skip
LARGE = "mlcommons/tiny/*/benchmark/training/image_classification/trained_models/pretrainedResnet_large_int8.tflite"


@lru_cache(maxsize=2)
def graph(name: str) -> Graph:
    return graph_of(official_model(name))


def images(size: int, count: int, seed: int) -> np.ndarray:
    """Random, extreme and smooth inputs, [count, size]: smooth ones reach other values than noise."""
    rng, at = np.random.default_rng(seed), np.arange(size) / size
    noise = corner_inputs(size, count // 2 - 6, seed)
    waves = [sum(rng.normal() * np.cos(2 * np.pi * (rng.uniform(0, 40) * at + rng.random())) for _ in range(4)) for _ in range(count // 2)]
    smooth = np.clip(np.stack(waves) * 60 + rng.normal(0, 30, (count // 2, 1)), -128, 127).astype(np.int8)
    return np.concatenate([noise, smooth])


def samples(count: int) -> np.ndarray:
    """This project's own visual wake words samples as the firmware hands them to the model: pictures, not noise."""
    data_set = embedded_data_set("vww")
    pictures = [np.frombuffer(data, np.uint8) for sample in data_set.samples[:count] for data in data_set.segments(sample)]
    return (np.stack(pictures).astype(int) - 128).astype(np.int8)


def assert_equal(mine: np.ndarray, model: bytes, inputs: np.ndarray) -> None:
    """Byte by byte; by one at most where Python only has an oracle that rounds FULLY_CONNECTED in another way (test_bit_exact_models)."""
    reference = reference_run(model, inputs)
    if oracle_name(model).startswith("tflite_micro"):
        assert np.abs(mine.astype(int) - reference.astype(int)).max() <= 1
    else:
        np.testing.assert_array_equal(mine, reference)


def test_the_official_visual_wake_words_model_answers_the_same_with_zeros_skipped_and_channels_removed():
    model, original = official_model("vww"), graph("vww")
    inputs = np.concatenate([images(original.input.size, 200, seed=21), samples(20)])
    assert len(inputs) > 200
    expected = run_graph(original, inputs)
    before_softmax = replace(original, layers=original.layers[:-1], output=original.layers[-2].output)
    assert len(np.unique(run_graph(before_softmax, inputs), axis=0)) > 20, "the inputs tell answers apart"
    assert_equal(expected, model, inputs)
    skipped, smaller = skip_zero(original), prune_channels(original)
    for name, mine in {
        "permuted": run_graph(skipped, inputs),
        "skipped": run_graph(skipped, inputs, skipping=True),
        "removed": run_graph(smaller, inputs),
        "both": run_graph(skip_zero(smaller), inputs, skipping=True),
    }.items():
        np.testing.assert_array_equal(mine, expected, err_msg=name)


def test_every_tensor_of_the_official_visual_wake_words_model_is_the_same_but_for_the_order_of_channels():
    original = graph("vww")
    inputs = np.concatenate([images(original.input.size, 20, seed=25), samples(10)])
    before, after = run_tensors(original, inputs), run_tensors(skip_zero(original), inputs, skipping=True)
    for key in before:
        np.testing.assert_array_equal(np.sort(before[key], axis=-1), np.sort(after[key], axis=-1))


def test_every_value_of_the_official_visual_wake_words_model_lies_in_its_range():
    original = graph("vww")
    ranges = value_ranges(original)
    for key, values in run_tensors(original, images(original.input.size, 40, seed=22)).items():
        low, high = ranges[key]
        flat = values.reshape(-1, values.shape[-1])
        assert (flat >= low).all()
        assert (flat <= high).all()


def test_what_is_skipped_in_the_official_visual_wake_words_model():
    """The figures of docs/closed-division.md."""
    original = graph("vww")
    skipped, smaller = skip_zero(original), prune_channels(original)
    assert [live_macs(g) for g in (original, skipped, smaller)] == [7_489_664, 3_898_178, 3_727_313]
    marks = {i: (layer.live_outputs, layer.live_inputs) for i, layer in enumerate(skipped.layers)
             if isinstance(layer, Conv) and (layer.live_outputs is not None or layer.live_inputs is not None)}  # fmt: skip
    assert marks == {10: (60, None), 12: (107, (0, 60)), 14: (57, (1, 106)), 16: (30, (0, 57)), 18: (19, (0, 30)), 20: (19, (0, 19)),
                     22: (27, (2, 17)), 24: (32, (0, 27)), 26: (22, (1, 31))}  # fmt: skip
    weights = [[layer.weights for layer in g.layers if hasattr(layer, "weights")] for g in (original, skipped)]
    for before, after in zip(*weights, strict=True):
        np.testing.assert_array_equal(np.sort(before, axis=None), np.sort(after, axis=None))
    assert open_reason(original, smaller).startswith("1724 channels ")
    assert " 7249 weights " in open_reason(original, smaller)


@pytest.mark.parametrize("name", [name for name in OFFICIAL if name != "vww"])
def test_the_other_official_models_have_nothing_to_skip_or_to_remove(name):
    original = graph(name)
    assert skip_zero(original) is original
    assert prune_channels(original) is original


def test_the_larger_image_classification_answers_the_same():
    """Its zero channels lie on branches of additions, which take one order together."""
    model = mirrored(LARGE)[0].read_bytes()
    original = graph_of(model)
    inputs = corner_inputs(original.input.size, 6, seed=23)
    expected = run_graph(original, inputs)
    assert_equal(expected, model, inputs)
    assert [live_macs(g) for g in (original, skip_zero(original))] == [76_473_920, 72_388_544]
    np.testing.assert_array_equal(run_graph(skip_zero(original), inputs, skipping=True), expected)
    np.testing.assert_array_equal(run_graph(prune_channels(original), inputs), expected)


@pytest.mark.parametrize("name", PASSES)
def test_the_compiled_visual_wake_words_model_equals_the_reference(name):
    model = official_model("vww")
    compiled = compile_model(model, options=PASSES[name])
    assert compiled.division == ("open" if PASSES[name].prune_channels else "closed")
    inputs = images(compiled.input.size, 40, seed=24)
    assert_equal(HostModel(compiled).run(inputs), model, inputs)


@CASES
@given(st.integers(0, 2**32 - 1))
def test_the_graph_of_a_random_model_answers_like_the_reference(seed):
    """So that graph_reference.py may judge passes on its own."""
    model = tflite_of(random_graph(np.random.default_rng(seed)))
    imported = graph_of(model)
    inputs = corner_inputs(imported.input.size, 4, seed)
    assert_equal(run_graph(imported, inputs), model, inputs)


@settings(CASES, max_examples=12)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["skip", "drop", "drop only"]))
def test_a_random_compiled_model_equals_the_reference(seed, name):
    model = tflite_of(random_graph(np.random.default_rng(seed)))
    compiled = compile_model(model, options=PASSES[name])
    inputs = corner_inputs(compiled.input.size, 4, seed)
    assert_equal(HostModel(compiled).run(inputs), model, inputs)
