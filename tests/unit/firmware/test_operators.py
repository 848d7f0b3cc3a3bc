# SPDX-License-Identifier: Apache-2.0
"""The registry of operators, the engine's own reader of models, and functions of one value against the reference kernels."""

from __future__ import annotations

import dataclasses
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))

import tflite
import tiny_tflite as tt
from host_model import host_model
from random_models import WIDE, Node, random_model
from random_operators import WideMaker, lstm, svdf

from cm4tiny.errors import ModelError, RamBudgetError, UnsupportedOpError
from cm4tiny.firmware.build_spec import checked_ends
from cm4tiny.firmware.graph import Conv, Graph, Layer, Portable, Tensor
from cm4tiny.firmware.microtvm import CompileOptions, compile_model
from cm4tiny.firmware.microtvm.importer import import_graph, read_model
from cm4tiny.firmware.operators import registry
from cm4tiny.firmware.reference import _micro_runner, reference_run

ROOT = Path(__file__).resolve().parents[3]
OPS = tflite.BuiltinOperator


def test_the_page_of_operators_is_made_from_the_registry() -> None:
    made = runpy.run_path(str(ROOT / "tools" / "reference_pages.py"))["operators_page"]()
    assert (ROOT / "docs" / "reference" / "operators.md").read_text(encoding="utf-8") == made, "run: python tools/reference_pages.py"


def test_every_operator_has_a_name_of_the_schema_a_form_and_a_reference() -> None:
    for kind, operator in registry.by_kind().items():
        assert hasattr(OPS, kind)
        assert operator.forms and operator.kernels
        assert all(len(reference.split(" ")) == 2 and ":" in reference for reference in operator.references)


def test_a_name_that_two_files_claim_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one = registry.operators()["mean"]
    monkeypatch.setattr(registry, "operators", lambda: {"a": one, "b": one})
    registry.by_kind.cache_clear()
    with pytest.raises(ValueError, match="MEAN is registered twice, by b too"):
        registry.by_kind()
    registry.by_kind.cache_clear()


def meaning(graph: Graph) -> Any:
    """A graph as nested tuples from its output on: the same for every order of independent layers and all numbers of tensors. With one
    channel, a depthwise convolution and another are the same."""
    writers = {layer.output.key: layer for layer in graph.layers}
    found: dict[int, Any] = {}

    def of(tensor: Tensor) -> Any:
        if tensor.key not in found:
            layer = writers.get(tensor.key)
            found[tensor.key] = "input" if layer is None else (type(layer).__name__, layer.output.shape, *fields(layer))
        return (found[tensor.key], tensor.shape, tensor.scale, tensor.zero_point)

    def fields(layer: Layer) -> list[Any]:
        values = []
        for field in dataclasses.fields(layer):
            value = getattr(layer, field.name)
            if field.name == "inputs":
                value = tuple(of(tensor) for tensor in value)
            elif isinstance(value, np.ndarray):
                value = (value.shape, value.dtype.str, value.tobytes())
            elif field.name == "depthwise":
                value = value and isinstance(layer, Conv) and layer.window.channels > 1
            values.append(() if field.name == "output" else value)
        return values

    return of(graph.output)


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_two_readers_that_share_nothing_make_the_same_graph(first: int) -> None:
    for seed in range(first, first + 20):
        data, _ = random_model(seed)
        model = read_model(data)
        assert model.imported, seed
        assert meaning(model.graph) == meaning(import_graph(data, model)), seed


def test_layers_that_nothing_reads_are_left_out() -> None:
    g = tt.TinyTflite()
    x, a, b = g.tensor("x", (1, 8), "int8", 0.1), g.tensor("a", (1, 4), "int8", 0.1), g.tensor("b", (1, 4), "int8", 0.1)
    g.op(OPS.SPLIT, [g.constant(1), x], [a, b], tt.options("SplitOptions", NumSplits=2))
    assert len(read_model(g.build([x], [b])).graph.layers) == 1


# --- functions of one value ---------------------------------------------------------------------------------------------------------
def alone(kind: str, x: tuple[float, int], y: tuple[float, int], options: tt.Options | None = None) -> bytes:
    g = tt.TinyTflite()
    a, b = (g.tensor(name, (1, 256), "int8", *row) for name, row in (("x", x), ("y", y)))
    g.op(getattr(OPS, kind), [a], [b], options)
    return g.build([a], [b])


def table(data: bytes) -> np.ndarray:
    (layer,) = read_model(data).graph.layers
    assert isinstance(layer, Portable)
    found: np.ndarray = layer.make.args[1]  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("kind", ["LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1"])
def test_all_256_values_of_a_function_are_the_references(kind: str) -> None:
    rng = np.random.default_rng(1)
    values = np.arange(-128, 128, dtype=np.int8)
    for _ in range(25):
        scale, zero = float(np.float32(10 ** rng.uniform(-3, 0))), int(rng.integers(-128, 128))
        result = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(kind, (scale * rng.uniform(0.5, 3), int(rng.integers(-128, 128))))
        options = tt.options("LeakyReluOptions", Alpha=rng.uniform(0, 1)) if kind == "LEAKY_RELU" else None
        data = alone(kind, (scale, zero), result, options)
        np.testing.assert_array_equal(table(data), reference_run(data, values)[0])


# --- refusals -----------------------------------------------------------------------------------------------------------------------
def two_inputs(kind: str, options: str, shapes: tuple[tuple[int, ...], ...], scales: tuple[float, ...]) -> bytes:
    g = tt.TinyTflite()
    tensors = [g.tensor(name, shape, "int8", scale) for name, shape, scale in zip("xky", shapes, scales, strict=True)]
    k = g.tensor("k", shapes[1], "int8", scales[1], data=np.ones(shapes[1]))
    g.op(getattr(OPS, kind), [tensors[0], k], [tensors[2]], tt.options(options))
    return g.build([tensors[0]], [tensors[2]])


REFUSED: dict[str, tuple[Callable[[], bytes], type[ModelError], str]] = {
    "scales": (lambda: two_inputs("CONCATENATION", "ConcatenationOptions", ((1, 4), (1, 4), (2, 4)), (0.1, 0.2, 0.1)),
               UnsupportedOpError, "'k' and 'y' have different scales"),
    "extreme": (lambda: two_inputs("MAXIMUM", "MaximumMinimumOptions", ((1, 4), (1, 4), (1, 4)), (0.1, 0.2, 0.1)),
                UnsupportedOpError, "input and output have different scales"),
    "broadcast": (lambda: two_inputs("MUL", "MulOptions", ((1, 4), (1, 3), (1, 4)), (0.1, 0.2, 0.1)), ModelError, "combines the shapes"),
    "sum": (lambda: two_inputs("SUB", "SubOptions", ((1, 4), (1, 4), (1, 4)), (0.1, 0.2, 1e-8)), UnsupportedOpError, "far below"),
    "tanh": (lambda: alone("TANH", (0.1, 0), (0.1, 0)), UnsupportedOpError, "its output scale is not 1/128"),
    "swish": (lambda: alone("HARD_SWISH", (1.0, 0), (0.001, 0)), UnsupportedOpError, "far below its input's"),
    "slope": (lambda: alone("LEAKY_RELU", (0.1, 0), (0.1, 0), tt.options("LeakyReluOptions", Alpha=-1.0)), UnsupportedOpError, "its slope"),
    "options": (lambda: alone("LEAKY_RELU", (0.1, 0), (0.1, 0)), ModelError, "has no LeakyReluOptions"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_an_operator_does_not_take_is_refused_with_its_reason(name: str) -> None:
    make, error, text = REFUSED[name]
    with pytest.raises(error, match=text):
        read_model(make())


def sliced(begin: list[int], end: list[int], strides: list[int]) -> bytes:
    g = tt.TinyTflite()
    x, y = g.tensor("x", (2, 4), "int8", 0.1), g.tensor("y", (2, 2), "int8", 0.1)
    g.op(OPS.STRIDED_SLICE, [x, *(g.constant(v) for v in (begin, end, strides))], [y], tt.options("StridedSliceOptions"))
    return g.build([x], [y])


@pytest.mark.parametrize(("begin", "end", "strides", "text"), [
    ([0, 0], [2, 4], [1, 1], "output shape"),
    ([0, 0], [2, 4], [1, 0], "has the strides"),
    ([0, 0, 0], [2, 4, 1], [1, 2, 1], "slices more axes"),
])  # fmt: skip
def test_a_slice_that_contradicts_its_tensors_is_no_model(begin: list[int], end: list[int], strides: list[int], text: str) -> None:
    with pytest.raises(ModelError, match=text):
        read_model(sliced(begin, end, strides))


# --- variables, several inputs and outputs --------------------------------------------------------------------------------------------
def shift_register(stages: int) -> bytes:
    """Each variable takes what the one before it held; the output is what falls out: the input, ``stages`` inferences later."""
    g = tt.TinyTflite()
    x, y = g.tensor("x", (1, 4), "int8", 0.1), g.tensor("y", (4, 1), "int8", 0.1)
    value = x
    for i in range(stages):
        handle, old = g.variable(f"v{i}", np.full((1, 4), i), 0.1, 0), g.tensor(f"old{i}", (1, 4), "int8", 0.1)
        g.op(OPS.READ_VARIABLE, [handle], [old])
        g.op(OPS.ASSIGN_VARIABLE, [handle, value], [])
        value = old
    tt.reshape(g, value, y, (4, 1))
    return g.build([x], [y])


def test_variables_that_shift_their_values_along_do_not_overwrite_each_other() -> None:
    built = host_model(shift_register(3))
    rows = np.arange(24, dtype=np.int8).reshape(6, 4)
    expected = [[2] * 4, [1] * 4, [0] * 4, *rows[:3].tolist()]
    assert built.run(rows).tolist() == expected
    assert reference_run(shift_register(3), rows).tolist() == expected
    assert built.model.ram_bytes >= 12


def test_a_variable_without_first_values_is_refused() -> None:
    g = tt.TinyTflite()
    x, y, handle = g.tensor("x", (1, 4), "int8", 0.1), g.tensor("y", (1, 4), "int8", 0.1), g.tensor("h", (), "resource")
    g.op(OPS.VAR_HANDLE, [], [handle], tt.options("VarHandleOptions", Container="", SharedName="v"))
    g.op(OPS.READ_VARIABLE, [handle], [y])
    with pytest.raises(UnsupportedOpError, match="its variable has no first values"):
        read_model(g.build([x], [y]))


def test_a_ram_budget_counts_what_is_kept() -> None:
    data = shift_register(2)
    least = compile_model(data).ram_bytes
    assert compile_model(data, options=CompileOptions(ram_budget=least)).ram_bytes == least
    with pytest.raises(RamBudgetError) as caught:
        compile_model(data, options=CompileOptions(ram_budget=4))
    assert caught.value.needed == least


def test_several_inputs_and_outputs_lie_one_after_the_other() -> None:
    g = tt.TinyTflite()
    a, b, y, z = (g.tensor(n, (1, 3), "int8", s, 1) for n, s in (("a", 0.1), ("b", 0.2), ("y", 0.3), ("z", 0.1)))
    g.op(OPS.ADD, [a, b], [y], tt.options("AddOptions"))
    g.op(OPS.RELU, [a], [z])
    data = g.build([a, b], [y, z])
    rows = np.random.default_rng(1).integers(-128, 128, (4, 6)).astype(np.int8)
    found = host_model(data).run(rows)
    np.testing.assert_array_equal(found, reference_run(data, rows))
    np.testing.assert_array_equal(found[:, 3:], np.maximum(rows[:, :3], 1))


# --- layers that keep their past ------------------------------------------------------------------------------------------------------
def keeping(seed: int, shape: tuple[int, ...], layer: Callable[[WideMaker, Node], Node]) -> bytes:
    m = WideMaker(np.random.default_rng(seed))
    x = m.node(shape, m.rng.uniform(0.01, 0.05), m.zero_point(), "x")
    y = layer(m, x)
    return m.g.build([x.index], [y.index])


def equals_the_micro_interpreter(data: bytes) -> None:
    pytest.importorskip("tflite_micro")
    built = host_model(data)
    rows = np.random.default_rng(2).integers(-128, 128, (6, built.model.input.size)).astype(np.int8)
    run, shape = _micro_runner(data)
    expected = np.stack([run(row.reshape(shape)).reshape(-1).copy() for row in rows])
    assert len(np.unique(expected)) > 4
    np.testing.assert_array_equal(built.run(rows), expected)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("seed", range(3))
def test_an_svdf_equals_the_micro_interpreter_over_several_inferences(seed: int, dtype: str) -> None:
    equals_the_micro_interpreter(keeping(seed, (1, 11), lambda m, x: svdf(m, x, 2, 5, 4, dtype)))


@pytest.mark.parametrize(
    ("seed", "clip", "time_major"), [(0, 0.0, False), (1, 0.0, True), (2, 0.2, False), (3, 6.0, True), (4, 0.0, False)]
)
def test_an_lstm_equals_the_micro_interpreter_over_several_inferences(seed: int, clip: float, time_major: bool) -> None:
    shape = (5, 1, 7) if time_major else (1, 5, 7)
    equals_the_micro_interpreter(keeping(seed, shape, lambda m, x: lstm(m, x, 6, clip=clip, time_major=time_major)))


def test_an_lstm_with_a_peephole_is_refused() -> None:
    def layer(m: WideMaker, x: Node) -> Node:
        y = lstm(m, x, 6)
        m.g.ops[-1][1][9] = m.g.constant(np.zeros(6))
        return y

    with pytest.raises(UnsupportedOpError, match="it has 16 inputs in 24 places") as caught:
        read_model(keeping(0, (1, 5, 7), layer))
    assert "peepholes" in caught.value.why


def test_an_lstm_as_the_converter_writes_it_has_nothing_in_its_way() -> None:
    """With the tensors of shape [0] that stand for its intermediate results, which no operator reads."""

    def layer(m: WideMaker, x: Node) -> Node:
        y = lstm(m, x, 6)
        m.g.tensor("intermediate", (0,), "int8", 0.5)
        return y

    assert checked_ends("microtvm", keeping(0, (1, 5, 7), layer))[0].shape == (1, 5, 7)


# --- damage ---------------------------------------------------------------------------------------------------------------------------
def test_no_damage_to_a_model_of_any_operator_gets_past_the_checks_as_anything_but_a_model_error() -> None:
    rng = np.random.default_rng(1)
    models = [bytearray(random_model(seed)[0]) for seed in range(WIDE, WIDE + 40)]
    words = (0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF)
    for i in range(1200):
        data = bytearray(models[i % len(models)])
        for _ in range(int(rng.integers(1, 5))):
            if rng.random() < 0.5:
                data[int(rng.integers(len(data)))] = int(rng.integers(256))
            else:
                at = 4 * int(rng.integers(len(data) // 4))
                data[at : at + 4] = int(rng.choice(words)).to_bytes(4, "little")
        try:
            read_model(bytes(data))
        except ModelError as error:
            assert error.what


def test_an_index_inside_a_model_is_refused() -> None:
    g = tt.TinyTflite()
    x, i, y = g.tensor("x", (2, 8), "int8", 0.1), g.tensor("i", (2,), "int32"), g.tensor("y", (2, 8), "int8", 0.1)
    g.op(OPS.ARG_MAX, [x, g.constant(1)], [i], tt.options("ArgMaxOptions", OutputType=tflite.TensorType.INT32))
    g.op(OPS.RELU, [x], [y])
    with pytest.raises(UnsupportedOpError, match="it is not an int32 output of the model"):
        read_model(g.build([x], [y]))
