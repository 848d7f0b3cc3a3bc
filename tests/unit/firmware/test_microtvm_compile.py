# SPDX-License-Identifier: Apache-2.0
"""The compiler from bytes to text; the text's arithmetic is checked by the conformance tests."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))

import tiny_tflite as tt

from cm4tiny.errors import ModelError, RamBudgetError
from cm4tiny.events import EventStream, Finished, Message, Started
from cm4tiny.firmware.inference_code import float_literal
from cm4tiny.firmware.kernels.quant import Multiplier, quantize_multiplier
from cm4tiny.firmware.kernels.requant import plan_requant
from cm4tiny.firmware.microtvm import CompileOptions, compile_model


def small_network(activation: str = "RELU") -> bytes:
    rng = np.random.default_rng(1)
    g = tt.TinyTflite()
    x = g.tensor("x", (1, 6, 6, 4), "int8", 0.05, -7)
    w1 = g.tensor("w1", (8, 3, 3, 4), "int8", 0.01, data=rng.integers(-127, 128, (8, 3, 3, 4)))
    y1 = g.tensor("y1", (1, 6, 6, 8), "int8", 0.1, -128)
    tt.conv(g, x, w1, g.tensor("b1", (8,), "int32", 0.0005, data=rng.integers(-99, 99, 8)), y1, padding="SAME", strides=(1, 1),
            activation=activation)  # fmt: skip
    w2 = g.tensor("w2", (1, 3, 3, 8), "int8", 0.01, data=rng.integers(-127, 128, (1, 3, 3, 8)))
    y2 = g.tensor("y2", (1, 4, 4, 8), "int8", 0.1, 5)
    tt.depthwise(g, y1, w2, None, y2, padding="VALID", strides=(1, 1))
    w3 = g.tensor("w3", (5, 128), "int8", 0.01, data=rng.integers(-127, 128, (5, 128)))
    flat, y3 = g.tensor("flat", (1, 128), "int8", 0.1, 5), g.tensor("y3", (1, 5), "int8", 0.1, 0)
    tt.reshape(g, y2, flat, (1, 128))
    tt.fully_connected(g, flat, w3, None, y3)
    return g.build([x], [y3])


@pytest.fixture(scope="module")
def network():
    return compile_model(small_network(), name="small")


def test_the_header_tells_sizes_scales_and_zero_points(network):
    assert "#define CM4TINY_MODEL_INPUT_SIZE 144\n" in network.header
    assert "#define CM4TINY_MODEL_OUTPUT_SIZE 5\n" in network.header
    assert f"#define CM4TINY_MODEL_INPUT_SCALE {float_literal(0.05)}" in network.header
    assert "#define CM4TINY_MODEL_INPUT_ZERO_POINT (-7)\n" in network.header
    assert "void cm4tiny_model_run(const int8_t *input, int8_t *output);" in network.header


@pytest.mark.parametrize("value", [0.05, 1.0, 1 / 256, 0.3910152316093445, 1e-30])
def test_a_scale_reads_back_to_the_same_bits(value):
    literal = float_literal(value)
    assert literal.endswith("f")
    assert np.float32(float.fromhex(literal[:-1])) == np.float32(value)


def test_layers_are_listed_in_order_with_their_work(network):
    assert [layer.kind for layer in network.layers] == ["widen", "conv", "depthwise", "dense", "narrow"]
    assert [layer.macs for layer in network.layers] == [0, 36 * 8 * 36, 16 * 9 * 8, 640, 0]
    assert network.const_bytes == sum(layer.const_bytes for layer in network.layers)


def test_the_source_needs_no_heap_library_or_floating_point(network):
    code = re.sub(r"/\*.*?\*/", "", network.source, flags=re.DOTALL)
    assert not re.search(r"\b(malloc|free|calloc|printf|expf?|floorf?|double|float|TVM\w*|tvm\w*)\b", code)
    assert set(re.findall(r"#include\s+(\S+)", code)) == {'"model.h"', "<stdbool.h>", "<stddef.h>", "<stdint.h>", "<arm_acle.h>"}


def test_weights_are_constants_and_activations_lie_in_one_arena(network):
    found = re.findall(r"^static (?!const|inline|__attribute__|void cm4t_)(\w+ \w+)", network.source, re.MULTILINE)
    assert found == ["int32_t cm4tiny_arena"]
    assert network.ram_bytes == network.arena_bytes + sum(layer.ram_bytes for layer in network.layers)
    assert f"cm4tiny_arena[{network.arena_bytes // 4}]" in network.source


def test_compiling_twice_gives_the_same_text(network):
    again = compile_model(small_network(), name="small")
    assert again == network


def test_nothing_of_the_machine_gets_into_the_text(network):
    assert str(Path.cwd()) not in network.source
    assert "/home" not in network.source
    assert "site-packages" not in network.source


def test_the_compiler_reports_its_step():
    heard = []
    compile_model(small_network(), name="small", events=EventStream(heard.append))
    assert isinstance(heard[0], Started)
    assert heard[0].step == "compile small"
    assert isinstance(heard[-1], Finished)
    assert "bytes of RAM" in heard[-1].note


def test_a_name_that_would_break_the_comment_is_refused():
    with pytest.raises(ModelError, match="cannot name a model"):
        compile_model(small_network(), name="*/ int x;")


def test_an_activation_becomes_the_clamp_of_its_layer():
    int8 = CompileOptions(int16=False)
    relu = compile_model(small_network(), name="small", options=int8)
    assert re.search(r"cm4t_requant_relu\([^;]*-128, -128, 127\)", relu.source)
    relu6 = compile_model(small_network("RELU6"), name="small", options=int8)
    assert re.search(r"cm4t_requant_relu\([^;]*-128, -128, -68\)", relu6.source)


def test_a_layer_outside_the_limits_falls_back_and_the_build_says_so():
    heard = []
    relu6 = compile_model(small_network("RELU6"), name="small", events=EventStream(heard.append))
    said = [event.text for event in heard if isinstance(event, Message)]
    assert [layer.name for layer in relu6.layers if layer.fallback] == ["layer00_conv"]
    assert len(said) == 1
    assert "layer00_conv of small has a portable kernel: it clamps its output to -128..-68" in said[0]


def test_weights_in_ram_are_copied_at_boot_and_those_in_flash_are_not():
    fast = compile_model(small_network(), name="small")
    lean = compile_model(small_network(), name="small", options=CompileOptions(ram_budget=fast.arena_bytes + 64))
    assert "CM4T_IN_RAM(" in fast.source.partition("#define CM4T_IN_RAM")[2].partition("#endif")[2]
    assert lean.ram_bytes <= fast.arena_bytes + 64 < fast.ram_bytes


def test_a_budget_that_cannot_be_met_is_refused():
    with pytest.raises(RamBudgetError, match="more than its share"):
        compile_model(small_network(), name="small", options=CompileOptions(ram_budget=100))


def test_the_ram_that_a_model_is_said_to_need_is_enough_and_not_a_byte_too_much():
    with pytest.raises(RamBudgetError) as caught:
        compile_model(small_network(), options=CompileOptions(ram_budget=100))
    assert compile_model(small_network(), options=CompileOptions(ram_budget=caught.value.needed)).ram_bytes <= caught.value.needed
    with pytest.raises(RamBudgetError):
        compile_model(small_network(), options=CompileOptions(ram_budget=caught.value.needed - 1))


def plan(bias: int, multiplier: Multiplier, low: int = -128) -> str:
    weights = np.full((1, 4), 127, np.int8)
    return plan_requant(weights, np.array([bias]), [multiplier], input_zero_point=0, output_zero_point=0, low=low, high=127).helper


def test_the_cheapest_exact_requantisation_is_chosen():
    small = quantize_multiplier(0.01)
    assert plan(0, small) == "cm4t_requant"
    assert plan(0, small, low=0) == "cm4t_requant_relu"
    assert plan(2**30, small) == "cm4t_requant_wide"
    assert plan(-(2**30) + 1, small) == "cm4t_requant_wide"
    assert plan(0, quantize_multiplier(0.7)) == "cm4t_requant_any"
    assert plan(0, quantize_multiplier(3.0)) == "cm4t_requant_any"
    assert plan(0, Multiplier(0, 0)) == "cm4t_requant"
