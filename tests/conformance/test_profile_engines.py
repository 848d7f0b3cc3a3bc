# SPDX-License-Identifier: Apache-2.0
"""Profiles of engines that others wrote, built from their sources: every layer is found in the model, and the sums hold."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path

import pytest

from cm4tiny.benchmarks.assets import AssetSource, model_file
from cm4tiny.errors import Cm4TinyError
from cm4tiny.firmware.build_spec import BuildSpec, build, read_record
from cm4tiny.firmware.engines.catalogue import build_library, takes_model
from cm4tiny.firmware.engines.sources import engine_sources, read_sources
from cm4tiny.firmware.layers import operator_layers
from cm4tiny.firmware.model_file import read_model
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.images import measure
from cm4tiny.profiling import Cost, ProfileRequest, measure_profile

pytestmark = [pytest.mark.upstream, pytest.mark.long, pytest.mark.timeout(900)]

ROOTS = {
    "tflm": "tflite::MicroInterpreterGraph::InvokeSubgraph",
    "tflm_cmsis_nn": "tflite::MicroInterpreterGraph::InvokeSubgraph",
    "octoml_native": "tvmgen_default___tvm_main__",
    "octoml_cmsis_nn": "tvmgen_default___tvm_main__",
}


@lru_cache(maxsize=8)
def library(engine: str, folder: Path) -> tuple[dict[str, str], str]:
    """The engine's sources, and its library if it has one."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("needs arm-none-eabi-gcc")
    try:
        roots, commits = read_sources(engine, engine_sources(engine))
    except Cm4TinyError as error:
        pytest.skip(f"needs clones of upstream's repositories: {error.what}")
    built = build_library(engine, roots, folder / engine, toolchain=find_toolchain("path"), commits=commits)
    return {name: str(path) for name, path in roots.items()}, str(built.archive) if built else ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engines")


@pytest.mark.parametrize("benchmark", ["ad", "ic", "kws", "vww"])
@pytest.mark.parametrize("engine", ROOTS)
def test_every_layer_is_found_and_the_sums_hold(engine: str, benchmark: str, folder: Path, shared: Path, tmp_path: Path) -> None:
    model = model_file(benchmark, "mlcommons", source=AssetSource(mirror=str(shared / "mirror")))
    sources, archive = library(engine, folder)
    spec = BuildSpec(benchmark, engine, "performance", str(model) if takes_model(engine) else "", "path", sources, archive)
    elf = build(spec, tmp_path).elf
    request = ProfileRequest(elf, engine=engine, layers=read_record(elf)["layers"], model=model.read_bytes())
    profile = measure_profile(request)
    records = operator_layers(read_model(model.read_bytes()))
    assert profile.root == ROOTS[engine]
    assert profile.match == ("order" if takes_model(engine) else "operators")
    assert profile.macs == sum(record["macs"] for record in records)
    assert sorted(layer.macs for layer in profile.layers if layer.macs) == sorted(r["macs"] for r in records if r["macs"])
    parts = [*(layer.cost for layer in profile.layers), profile.own]
    assert Cost(*(sum(getattr(part, name) for part in parts) for name in Cost.__dataclass_fields__)) == profile.whole
    assert profile.interrupts is None
    assert profile.own.cycles < 0.02 * profile.whole.cycles
    row = measure(elf, benchmark, row_id=engine, constants=False)
    assert profile.outside_cycles is not None
    assert profile.whole.cycles + profile.outside_cycles == pytest.approx(row.cycles, rel=5e-3)
    if takes_model(engine):
        unaided = measure_profile(ProfileRequest(elf))  # the model lies in the image
        assert [layer.macs for layer in unaided.layers] == [layer.macs for layer in profile.layers]
