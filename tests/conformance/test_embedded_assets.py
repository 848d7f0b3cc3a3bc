# SPDX-License-Identifier: Apache-2.0
"""The embedded models against the outside: TFLite's reference kernels, the official models' structure, and their own generator.

Accuracy is measured, never stored: top-1 with the first index winning ties, AUC by ranks of the mean squared error averaged over a clip's
windows. A model must be above the rules' quality target and below perfect, else a broken engine could not show.
"""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import tflite

from cm4tiny.benchmarks import BENCHMARKS, SAMPLED, Benchmark, DataSet, embedded_data_set, embedded_model

TOP = Path(__file__).resolve().parents[2]
MIRROR = TOP.parent / "shared" / "mirror" / "github"
OFFICIAL = {
    "ad": "anomaly_detection/trained_models/ad01_int8.tflite",
    "ic": "image_classification/trained_models/pretrainedResnet_quant.tflite",
    "kws": "keyword_spotting/trained_models/kws_ref_model.tflite",
    "vww": "visual_wake_words/trained_models/vww_96_int8.tflite",
    "ic02": "image_classification/trained_models/pretrainedResnet_large_int8.tflite",
}


def reference_interpreter(model: Path):  # type: ignore[no-untyped-def]
    for name in ("tflite_runtime.interpreter", "ai_edge_litert.interpreter"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        made = module.Interpreter(str(model), experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF)
        made.allocate_tensors()
        return made
    return pytest.skip("neither tflite-runtime nor ai-edge-litert is installed")


def to_int8(benchmark: Benchmark, segment: bytes, scale: float, zero_point: int) -> np.ndarray:
    """What the firmware makes of the bytes that it is sent."""
    if benchmark.input_kind == "int8":
        return np.frombuffer(segment, np.int8)
    if benchmark.input_kind == "uint8":
        return (np.frombuffer(segment, np.uint8).astype(np.int16) - 128).astype(np.int8)
    return np.clip(np.round(np.frombuffer(segment, "<f4") / scale) + zero_point, -128, 127).astype(np.int8)


def measured(benchmark: Benchmark, data_set: DataSet) -> float:
    runner = reference_interpreter(embedded_model(benchmark.id))
    here, there = runner.get_input_details()[0], runner.get_output_details()[0]
    found, labels = [], np.array([sample.label for sample in data_set.samples])
    for sample in data_set.samples:
        errors = []
        for segment in data_set.segments(sample):
            runner.set_tensor(here["index"], to_int8(benchmark, segment, *here["quantization"]).reshape(here["shape"]))
            runner.invoke()
            answer = runner.get_tensor(there["index"])[0]
            if benchmark.metric == "auc":
                scale, zero_point = there["quantization"]
                errors.append(np.mean((np.frombuffer(segment, "<f4") - (answer.astype(float) - zero_point) * scale) ** 2))
        found.append(np.mean(errors) if errors else int(np.argmax(answer)))
    scores = np.array(found)
    if benchmark.metric == "top-1":
        return 100.0 * float(np.mean(scores == labels))
    good, bad = scores[labels == 0][None, :], scores[labels == 1][:, None]
    return float(np.mean((bad > good) + 0.5 * (bad == good)))


@pytest.mark.parametrize("benchmark", SAMPLED.values(), ids=SAMPLED)
def test_the_embedded_model_is_above_the_quality_target_and_below_perfect(benchmark: Benchmark, record_property) -> None:  # type: ignore[no-untyped-def]
    value = measured(benchmark, embedded_data_set(benchmark.id))
    record_property(benchmark.metric, value)
    assert benchmark.quality_target < value < (1.0 if benchmark.metric == "auc" else 100.0)


def graph_of(path: Path):  # type: ignore[no-untyped-def]
    model = tflite.Model.GetRootAs(path.read_bytes(), 0)
    assert model.SubgraphsLength() == 1
    return model, model.Subgraphs(0)


def structure(path: Path) -> list[str]:
    """Operators in their order with version, types, shapes and the number of scales of every tensor."""
    model, graph = graph_of(path)

    def tensor(index: int) -> str:
        t = graph.Tensors(index)
        scales = t.Quantization().ScaleLength() if t.Quantization() else 0
        return f"{t.Type()}{t.ShapeAsNumpy().tolist() if t.ShapeLength() else []}x{scales}"

    rows = []
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex())
        tensors = [tensor(i) for i in (*operator.InputsAsNumpy(), *operator.OutputsAsNumpy())]
        rows.append(f"{max(code.BuiltinCode(), code.DeprecatedBuiltinCode())} v{code.Version()} {' '.join(tensors)}")
    return rows


@pytest.mark.parametrize("benchmark", OFFICIAL)
def test_the_embedded_model_has_the_official_models_operators_shapes_and_types(benchmark: str) -> None:
    found = sorted(MIRROR.glob(f"mlcommons/tiny/*/benchmark/training/{OFFICIAL[benchmark]}"))
    if not found:
        pytest.skip("the official models are not next to the checkout (../shared/mirror)")
    assert structure(embedded_model(benchmark)) == structure(found[-1])
    assert embedded_model(benchmark).read_bytes() != found[-1].read_bytes()


@pytest.mark.parametrize("benchmark", SAMPLED.values(), ids=SAMPLED)
def test_the_embedded_model_takes_and_gives_what_the_table_says(benchmark: Benchmark) -> None:
    _, graph = graph_of(embedded_model(benchmark.id))
    here, there = graph.Tensors(graph.Inputs(0)), graph.Tensors(graph.Outputs(0))
    assert tuple(here.ShapeAsNumpy()) == benchmark.model_input_shape and tuple(there.ShapeAsNumpy()) == benchmark.model_output_shape
    assert here.Type() == there.Type() == tflite.TensorType.INT8
    scale, zero_point = here.Quantization().Scale(0), here.Quantization().ZeroPoint(0)
    if benchmark.input_kind == "uint8":
        # The firmware makes a pixel's int8 by subtracting 128; that is right only for this zero point.
        assert zero_point == -128
        assert scale == pytest.approx({"ic": 1.0, "ic02": 1.0, "vww": 1.0 / 255.0}[benchmark.id], rel=1e-6)
    if benchmark.metric == "top-1":
        assert there.Quantization().Scale(0) == 1 / 256 and there.Quantization().ZeroPoint(0) == -128


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_the_generator_reproduces_the_committed_samples(benchmark: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for needed in ("scipy", "PIL"):
        pytest.importorskip(needed, reason="the generator needs the extra 'assets'")
    if benchmark == "kws" and shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    monkeypatch.syspath_prepend(str(TOP))
    make = importlib.import_module("tools.assets.make")
    model = embedded_model(benchmark)
    copy = tmp_path / "models" / model.name
    copy.parent.mkdir()
    copy.write_bytes(model.read_bytes())
    assert make.main([benchmark, "--stage", "samples", "--out", str(tmp_path), "--work", str(tmp_path / "work")]) == 0
    data_set = embedded_data_set(benchmark)
    made = {path.name: path.read_bytes() for path in (tmp_path / data_set.id).iterdir()}
    assert made == {path.name: path.read_bytes() for path in data_set.root.iterdir()}
