# SPDX-License-Identifier: Apache-2.0
"""Third-party engines: what is chosen, what is generated, and what is refused before anything is compiled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tflite
from support import tiny_tflite as tt

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.errors import AssetError, CompileError, FirmwareError, ModelError, UnsupportedOpError, UsageError
from cm4tiny.firmware.c_library import CLibrary
from cm4tiny.firmware.engines import archive, catalogue, octoml, sources, tflm
from cm4tiny.firmware.engines.archive import CompileJob, EngineLibrary, TranslationUnit
from cm4tiny.firmware.toolchain import Toolchain

LIBRARY = CLibrary((), (), (), "none")
BUILT = EngineLibrary("tflm", Path("/nowhere/libtflm.a"), "k" * 8)
GCC = Toolchain("path", ("/nonexistent/gcc",), "gcc 0", "0")


def model(code: int = tflite.BuiltinOperator.RELU) -> bytes:
    g = tt.TinyTflite()
    x = g.tensor("x", (1, 4), "int8", 0.5, 1)
    y = g.tensor("y", (1, 4), "int8", 0.25, -3)
    g.op(code, [x], [y])
    return g.build([x], [y])


def dense_model() -> bytes:
    g = tt.TinyTflite()
    x = g.tensor("x", (1, 4), "int8", 0.5, 1)
    w = g.tensor("w", (2, 4), "int8", 0.1, 0, data=np.ones((2, 4)))
    b = g.tensor("b", (2,), "int32", 0.05, 0, data=np.zeros(2))
    y = g.tensor("y", (1, 2), "int8", 0.25, -3)
    g.op(tflite.BuiltinOperator.FULLY_CONNECTED, [x, w, b], [y])
    return g.build([x], [y])


# --- names -----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: catalogue.check_engine("tlfm"), "tflm"),
        (lambda: tflm.repositories("tflm_cmsis"), "tflm_cmsis_nn"),
        (lambda: octoml.read_submission("octoml_nativ", "kws", Path("/nowhere")), "octoml_native"),
    ],
)
def test_a_mistyped_engine_gets_a_suggestion(call: Callable[[], object], meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert meant in caught.value.hint


def test_every_engine_names_repositories_that_are_pinned() -> None:
    for engine in catalogue.ENGINES:
        for name in catalogue.repositories(engine):
            assert len(sources.source(name).commit) == 40
    assert catalogue.repositories("microtvm") == ()
    assert "CMSIS-NN" in catalogue.repositories("tflm_cmsis_nn")
    assert "CMSIS-NN" not in catalogue.repositories("tflm")


def test_only_octomls_submission_takes_no_model() -> None:
    assert [engine for engine in catalogue.ENGINES if not catalogue.takes_model(engine)] == ["octoml_native", "octoml_cmsis_nn"]


def test_sources_travel_through_the_environment() -> None:
    env = {sources.key_of(name): f"/src/{name}" for name in octoml.REPOSITORIES}
    roots, commits = sources.read_sources("octoml_native", env)
    assert roots == {"tiny_results_v1.0": Path("/src/tiny_results_v1.0"), "CMSIS_5": Path("/src/CMSIS_5")}
    assert commits == {"tiny_results_v1.0": "", "CMSIS_5": ""}
    assert "CM_TINY_ENGINE_SRC_TINY_RESULTS_V1_0" in env


def test_missing_sources_name_the_step_that_gets_them() -> None:
    with pytest.raises(UsageError) as caught:
        sources.read_sources("tflm", {})
    assert "get,tiny,engine,src" in caught.value.hint


# --- TensorFlow Lite for Microcontrollers ------------------------------------------------------------------------------------------
def test_the_unit_registers_the_models_operators_only() -> None:
    code = tflm.inference_code(dense_model(), BUILT, LIBRARY, arena_bytes=4096)
    assert "tflm_add_fully_connected()" in code.files["model.c"]
    assert "tflm_add_conv_2d" not in code.files["model.c"]
    assert "static uint8_t tflm_arena[4096]" in code.files["model.c"]
    assert "#define CM4TINY_MODEL_INIT 1" in code.files["model.h"]
    assert (code.input.size, code.output.size, code.output.zero_point) == (4, 2, -3)
    assert code.tools["engine library"] == "kkkkkkkk"


def test_an_operator_that_is_not_in_the_library_is_named() -> None:
    with pytest.raises(UnsupportedOpError, match="RELU") as caught:
        tflm.inference_code(model(), BUILT, LIBRARY, arena_bytes=4096)
    assert "CONV_2D" in caught.value.why


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(ModelError):
        tflm.inference_code(b"no model", BUILT, LIBRARY, arena_bytes=4096)


def test_both_variants_compile_the_same_interpreter_with_other_kernels() -> None:
    roots = {name: Path("/src") / name for name in tflm.repositories("tflm_cmsis_nn")}
    reference = {unit.source for unit in tflm._job("tflm", roots, GCC, LIBRARY).units}
    fast = tflm._job("tflm_cmsis_nn", roots, GCC, LIBRARY)
    assert "src/tflite-micro/tensorflow/lite/micro/kernels/conv.cc" in reference
    assert "src/tflite-micro/tensorflow/lite/micro/kernels/cmsis_nn/conv.cc" in {unit.source for unit in fast.units}
    assert "src/tflite-micro/tensorflow/lite/micro/kernels/conv.cc" not in {unit.source for unit in fast.units}
    assert all("-DCMSIS_NN" in unit.flags for unit in fast.units)
    assert len({unit.name for unit in fast.units}) == len(fast.units)


# --- OctoML's submission -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A results repository as small as it can be."""
    folder = tmp_path / "closed/OctoML/code/microtvm_native/NUCLEO_L4R5ZI/kws"
    for name in ("model/codegen/host/src/default_lib0.c", "model/codegen/host/src/default_lib1.c", octoml._ALLOCATOR):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"/* {name} */\n")
    (folder / "CMakeLists.txt").write_text(
        "target_compile_definitions(app PUBLIC -DOUT_QUANT_SCALE=0.00390625)\n"
        "target_compile_definitions(app PUBLIC -DOUT_QUANT_ZERO=-128)\ntarget_compile_definitions(app PUBLIC -DWORKSPACE_SIZE=146960)\n"
    )
    return tmp_path


def test_sizes_and_scales_come_from_the_submission(checkout: Path) -> None:
    submission = octoml.read_submission("octoml_native", "kws", checkout)
    assert (submission.workspace_bytes, submission.output_scale, submission.output_zero_point) == (146960, 1 / 256, -128)
    code = octoml.inference_code("octoml_native", get_benchmark("kws"), {"tiny_results_v1.0": checkout, "CMSIS_5": checkout}, None, LIBRARY)
    assert code.files["default_lib0.c"] == "/* model/codegen/host/src/default_lib0.c */\n"
    assert "OCTOML_WORKSPACE_SIZE 146960" in code.files["octoml_config.h"]
    assert "-fstrict-aliasing" in code.flags and "-ffreestanding" not in code.flags


def test_the_anomaly_model_takes_floats() -> None:
    entry, result = octoml._ends(get_benchmark("ad"), octoml.Submission(Path(), 1, 1.0, 0))
    assert (entry.dtype, entry.size, result.size) == ("float32", 640, 640)


def test_a_benchmark_that_was_not_submitted_is_refused(checkout: Path) -> None:
    with pytest.raises(UsageError, match="'sww'") as caught:
        octoml.read_submission("octoml_native", "sww", checkout)
    assert "kws" in caught.value.why


def test_a_checkout_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="no submission of OctoML"):
        octoml.read_submission("octoml_native", "kws", tmp_path)


def test_an_incomplete_checkout_is_refused(checkout: Path) -> None:
    next(checkout.rglob("stack_allocator.c")).unlink()
    with pytest.raises(AssetError, match="incomplete") as caught:
        octoml.read_submission("octoml_native", "kws", checkout)
    assert "stack_allocator.c" in caught.value.why


def test_a_changed_build_file_is_refused(checkout: Path) -> None:
    next(checkout.rglob("CMakeLists.txt")).write_text("project(x)\n")
    with pytest.raises(AssetError, match="not as submitted"):
        octoml.read_submission("octoml_native", "kws", checkout)


# --- libraries ---------------------------------------------------------------------------------------------------------------------
def test_a_library_needs_its_record(tmp_path: Path) -> None:
    target = tmp_path / "libtflm.a"
    target.write_bytes(b"!<arch>\n")
    with pytest.raises(FirmwareError, match="not a usable engine library"):
        catalogue.read_library(target)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    (tmp_path / catalogue.RECORD).write_text(json.dumps({"engine": "tflm", "archive": "libtflm.a", "sha256": digest, "key": "abc"}))
    assert catalogue.read_library(target) == EngineLibrary("tflm", target, "abc")
    target.write_bytes(b"!<arcH>\n")
    with pytest.raises(FirmwareError, match="not a usable engine library"):
        catalogue.read_library(target)


def test_a_missing_checkout_is_named_before_anything_is_compiled(tmp_path: Path) -> None:
    job = CompileJob({"ruy": tmp_path / "gone"}, (), {})
    with pytest.raises(AssetError) as caught:
        archive.build_archive(job, tmp_path / "lib.a", GCC, step="x")
    assert "ruy" in caught.value.why


def test_a_missing_source_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    job = CompileJob({"ruy": tmp_path / "src"}, (TranslationUnit("src/ruy/a.c", "a", ()),), {})
    with pytest.raises(AssetError, match=r"ruy/a\.c is missing"):
        archive.build_archive(job, tmp_path / "lib.a", GCC, step="x")


def test_a_compiler_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.c").write_text("int a;\n")
    job = CompileJob({"ruy": tmp_path / "src"}, (TranslationUnit("src/ruy/a.c", "a", ()),), {})
    with pytest.raises(CompileError, match="does not run"):
        archive.build_archive(job, tmp_path / "lib.a", GCC, step="x")
    assert not (tmp_path / "lib.a").exists()
    assert not list(tmp_path.glob(".staging-*"))
