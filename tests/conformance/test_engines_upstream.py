# SPDX-License-Identifier: Apache-2.0
"""Engines built from their real sources: TensorFlow Lite for Microcontrollers against the reference kernels, OctoML's submission against
its published log. Needs local clones (``CM4TINY_UPSTREAM``), newlib and ``../shared``."""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cm4tiny.benchmarks import Benchmark, DataSet, get_benchmark
from cm4tiny.boards import VirtualBoard
from cm4tiny.errors import Cm4TinyError
from cm4tiny.firmware.build import build_firmware
from cm4tiny.firmware.c_library import CLibrary, find_c_library
from cm4tiny.firmware.engines import octoml, tflm
from cm4tiny.firmware.engines.catalogue import build_library, read_library
from cm4tiny.firmware.engines.sources import engine_sources, read_sources
from cm4tiny.firmware.inference_code import InferenceCode
from cm4tiny.firmware.model_file import model_ends, read_model
from cm4tiny.firmware.reference import reference_run
from cm4tiny.firmware.toolchain import Toolchain, find_toolchain
from cm4tiny.runner import Dut

pytestmark = [pytest.mark.upstream, pytest.mark.long]

MODELS = {
    "kws": "kws_ref_model.tflite", "ic": "pretrainedResnet_quant.tflite", "vww": "vww_96_int8.tflite",
    "ad": "ad01_int8.tflite", "sww": "str_ww_ref_model.tflite",
}  # fmt: skip
ROWS = {"ic": 2, "vww": 2, "kws": 20, "ad": 20, "sww": 20}
LOG = "tiny_results_v1.0/closed/OctoML/results/microtvm_{}/NUCLEO_L4R5ZI/kws/accuracy/log.txt"


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("needs arm-none-eabi-gcc")
    return find_toolchain("path")


@pytest.fixture(scope="session")
def c_library(toolchain: Toolchain) -> CLibrary:
    try:
        return find_c_library(toolchain)
    except Cm4TinyError as error:
        pytest.skip(f"needs newlib: {error}")


@pytest.fixture(scope="session")
def env() -> dict[str, str]:
    """Sources of all engines; skips where there are no clones."""
    try:
        return {**engine_sources("tflm_cmsis_nn"), **engine_sources("octoml_cmsis_nn")}
    except Cm4TinyError as error:
        pytest.skip(f"needs clones of upstream's repositories: {error.what}")


@pytest.fixture(scope="session", params=["tflm", "tflm_cmsis_nn"])
def library(request: pytest.FixtureRequest, env: dict[str, str], toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    roots, commits = read_sources(request.param, env)
    built = build_library(request.param, roots, tmp_path_factory.mktemp(request.param), toolchain=toolchain, commits=commits)
    assert built is not None
    return built.archive


def board_of(code: InferenceCode, benchmark: Benchmark, toolchain: Toolchain, folder: Path) -> VirtualBoard:
    return VirtualBoard(build_firmware(benchmark, code, mode="performance", toolchain=toolchain, out_dir=folder).elf)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", sorted(MODELS))
def test_tflm_equals_the_reference_kernels(
    name: str, library: Path, shared: Path, toolchain: Toolchain, c_library: CLibrary, tmp_path: Path
) -> None:
    benchmark = get_benchmark(name)
    tflite = next(shared.glob(f"mirror/**/{MODELS[name]}")).read_bytes()
    entry, result = model_ends(read_model(tflite))
    rng = np.random.default_rng(7)
    rows = rng.integers(-128, 128, size=(ROWS[name], entry.size)).astype(np.int8)
    code = tflm.inference_code(tflite, read_library(library), c_library, arena_bytes=200 * 1024)
    with board_of(code, benchmark, toolchain, tmp_path) as board:
        dut = Dut(board.link)
        dut.connect()
        for row in rows:
            reference = reference_run(tflite, row.reshape(1, *entry.shape[1:])).reshape(-1)
            real = (reference.astype(np.float32) - result.zero_point) * np.float32(result.scale)
            if benchmark.input_kind == "float32":
                sent = (row.astype(np.float32) - entry.zero_point) * np.float32(entry.scale)
                dut.load(sent.astype("<f4").tobytes())
                expected = [float(np.mean((real - sent) ** 2, dtype=np.float64))]
            else:
                dut.load((row.astype(np.int16) + 128).astype(np.uint8).tobytes() if benchmark.input_kind == "uint8" else row.tobytes())
                expected = real.tolist()
            assert dut.infer(1, 0).results == pytest.approx(expected, abs=0.0006, rel=2e-6)


def published_results(shared: Path, variant: str) -> Iterator[tuple[str, str]]:
    """(file, text of m-results) of the published accuracy log."""
    with tarfile.open(shared / "replay/v1.0.tar.xz") as archive:
        stream = archive.extractfile(LOG.format(variant))
        assert stream is not None
        text = stream.read().decode("ascii")
    file = ""
    for match in re.finditer(r'bload dut ".*?([^/\\"]+\.bin)"|m-results-\[([-\d.,]+)\]', text):
        if match[1]:
            file = match[1]
        else:
            yield file, match[2]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("variant", octoml.VARIANTS)
def test_octomls_code_prints_what_its_log_holds(
    variant: str, env: dict[str, str], shared: Path, toolchain: Toolchain, c_library: CLibrary, tmp_path: Path
) -> None:
    """Every number of all 1000 results, as text."""
    kws = get_benchmark("kws")
    kws01 = DataSet.open(next(shared.glob("mirror/github/eembc/**/kws01")), kws)
    roots, commits = read_sources(variant, env)
    built = build_library(variant, roots, tmp_path / "library", toolchain=toolchain, commits=commits)
    samples = {sample.file: sample for sample in kws01.samples}
    with board_of(octoml.inference_code(variant, kws, roots, built, c_library), kws, toolchain, tmp_path / "image") as board:
        dut = Dut(board.link)
        dut.connect()
        rows = list(published_results(shared, variant.removeprefix("octoml_")))
        assert len(rows) == 1000
        for file, text in rows:
            (data,) = kws01.segments(samples[file])
            dut.load(data)
            assert [f"{value:.3f}" for value in dut.infer(1, 0).results] == text.split(","), file
