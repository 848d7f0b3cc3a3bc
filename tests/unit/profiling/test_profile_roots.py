# SPDX-License-Identifier: Apache-2.0
"""The function that calls the layers is found by what is known of the engines, and never guessed."""

from __future__ import annotations

import pytest

from cm4tiny.boards.virtual.loader import FunctionSymbol
from cm4tiny.errors import FirmwareError, UsageError
from cm4tiny.profiling.names import base_name, plain_name, short_name
from cm4tiny.profiling.roots import find_root, kinds_of

TFLM = "_ZN6tflite21MicroInterpreterGraph14InvokeSubgraphEi"
TVM = "tvmgen_default___tvm_main__"
OWN = "cm4tiny_model_run"
OLD_TFLM = "_ZN6tflite10MicroGraph14InvokeSubgraphEi"
TFLM_NAME, TVM_NAME = "TensorFlow Lite for Microcontrollers", "microTVM, ahead-of-time executor"


def symbols(*names: str, size: int = 64) -> list[FunctionSymbol]:
    return [FunctionSymbol(0x0800_0100 + 0x100 * i, size, name) for i, name in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "expected", "engine", "match"),
    [
        (("main", OWN), OWN, "microTVM of this project", "names"),
        ((OWN, "tvmgen_default_run", TVM), TVM, TVM_NAME, "operators"),
        ((OWN, TFLM, "_ZN6tflite16MicroInterpreter6InvokeEv"), TFLM, TFLM_NAME, "order"),
        ((OLD_TFLM,), OLD_TFLM, TFLM_NAME, "order"),
        ((OWN, f"{TVM}.constprop.0"), f"{TVM}.constprop.0", TVM_NAME, "operators"),
    ],
)
def test_the_innermost_function_of_a_known_engine_is_taken(names: tuple[str, ...], expected: str, engine: str, match: str) -> None:
    root = find_root(symbols(*names), "image.elf")
    assert (root.symbol.name, root.engine, root.match) == (expected, engine, match)


def test_an_image_without_symbols_is_refused_with_what_helps() -> None:
    with pytest.raises(FirmwareError, match=r"image\.bin has no symbols") as caught:
        find_root([], "image.bin")
    assert "--image=FILE.elf" in caught.value.hint
    assert "--symbols=FILE.elf" in caught.value.hint


def test_an_unknown_engine_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(FirmwareError, match=r"no function of image\.elf is known") as caught:
        find_root(symbols("main", "ai_run"), "image.elf")
    assert "TensorFlow Lite" in caught.value.why
    assert "--root=NAME" in caught.value.hint


def test_two_models_in_one_image_are_not_guessed_between() -> None:
    with pytest.raises(UsageError, match="2 functions") as caught:
        find_root(symbols("tvmgen_a___tvm_main__", "tvmgen_b___tvm_main__"), "image.elf")
    assert "tvmgen_b___tvm_main__" in caught.value.why
    assert find_root(symbols("tvmgen_a___tvm_main__", "tvmgen_b___tvm_main__"), "image.elf", "tvmgen_b___tvm_main__").match == "operators"


def test_a_function_can_be_named_as_people_write_it() -> None:
    functions = symbols("main", TFLM, "_ZN1a1fEv", "_ZN1a1fEi", "run_layers.isra.0")
    assert find_root(functions, "x", "tflite::MicroInterpreterGraph::InvokeSubgraph").match == "order"
    chosen = find_root(functions, "x", "run_layers")
    assert (chosen.symbol.name, chosen.match, chosen.engine) == ("run_layers.isra.0", "", "")
    with pytest.raises(UsageError, match="2 functions 'a::f'") as caught:
        find_root(functions, "x", "a::f")
    assert "_ZN1a1fEi" in caught.value.why
    with pytest.raises(UsageError, match="no function 'run_layer'") as caught:
        find_root(functions, "x", "run_layer")
    assert "run_layers" in caught.value.hint


def test_helpers_are_not_layers() -> None:
    tflm = find_root(symbols(TFLM), "x")
    assert tflm.is_helper("_ZN6tflite20NumSubgraphOperatorsEPKNS_5ModelEi")
    assert tflm.is_helper("_ZN6tflite14MicroAllocator20ResetTempAllocationsEv")
    assert not tflm.is_helper("_ZN6tflite12_GLOBAL__N_18ConvEvalEP13TfLiteContextP10TfLiteNode")
    tvm = find_root(symbols(TVM), "x")
    assert tvm.is_helper("TVMBackendAllocWorkspace")
    assert tvm.is_helper("__memcpy_veneer")
    assert tvm.is_helper(f"{TVM}.cold")
    assert not tvm.is_helper("tvmgen_default_fused_nn_softmax")


@pytest.mark.parametrize(
    ("callee", "inside", "expected"),
    [
        ("tvmgen_default_fused_nn_conv2d_add", (), ("CONV_2D", "DEPTHWISE_CONV_2D")),
        ("tvmgen_default_cmsis_nn_main_1", ("memset", "arm_depthwise_conv_3x3_s8", "arm_convolve_s8"), ("DEPTHWISE_CONV_2D",)),
        ("tvmgen_default_cmsis_nn_main_2", ("arm_convolve_1x1_s8_fast",), ("CONV_2D",)),
        ("tvmgen_default_fused_cast", ("memcpy",), ()),
    ],
)
def test_a_fused_layer_says_what_it_holds(callee: str, inside: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert kinds_of(callee, inside) == expected


@pytest.mark.parametrize(
    ("symbol", "base", "short", "plain"),
    [
        ("layer00_conv", "layer00_conv", "layer00_conv", "layer00_conv"),
        ("layer00_conv.isra.0", "layer00_conv", "layer00_conv", "layer00_conv"),
        ("__kernel_veneer", "kernel", "kernel", "kernel"),
        ("tvmgen_default_fused_nn_dense", "tvmgen_default_fused_nn_dense", "tvmgen_default_fused_nn_dense", "nn_dense"),
        (TFLM, TFLM, "tflite::MicroInterpreterGraph::InvokeSubgraph", "InvokeSubgraph"),
        ("_ZN6tflite12_GLOBAL__N_14EvalEP1aP1b.constprop.0", "_ZN6tflite12_GLOBAL__N_14EvalEP1aP1b", "tflite::(anonymous)::Eval", "Eval"),
        ("_ZNK1a1bEv", "_ZNK1a1bEv", "a::b", "b"),
        ("_ZL7unsharei", "_ZL7unsharei", "unshare", "unshare"),
        ("_Z1fi", "_Z1fi", "f", "f"),
        ("_Znwj", "_Znwj", "_Znwj", "_Znwj"),
        ("", "", "", ""),
    ],
)
def test_names_are_shortened_for_people(symbol: str, base: str, short: str, plain: str) -> None:
    assert (base_name(symbol), short_name(symbol), plain_name(symbol)) == (base, short, plain)
