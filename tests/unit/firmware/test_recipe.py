# SPDX-License-Identifier: Apache-2.0
"""A spec refuses what it cannot build before anything is built."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from cm4tiny.benchmarks import embedded_model
from cm4tiny.errors import FirmwareError, ModelError, ToolchainError, UsageError
from cm4tiny.firmware import build_spec, tvm_package
from cm4tiny.firmware.build_spec import BuildSpec, build


def spec(**changes: str) -> BuildSpec:
    return BuildSpec(**{"benchmark": "kws", "engine": "microtvm", "mode": "performance", "model": "/nowhere/model.tflite", **changes})


@pytest.mark.parametrize(
    ("field", "value", "meant"), [("benchmark", "kwz", "kws"), ("engine", "microtvn", "microtvm"), ("mode", "enrgy", "energy")]
)
def test_a_mistyped_name_gets_a_suggestion(field: str, value: str, meant: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        build(spec(**{field: value}), tmp_path)
    assert meant in str(caught.value)


def test_an_engine_without_its_library_names_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cm4tiny.firmware.build_spec.find_toolchain", lambda kind, install: None)
    monkeypatch.setattr("cm4tiny.firmware.build_spec.find_c_library", lambda toolchain, events: None)
    with pytest.raises(FirmwareError) as caught:
        build(spec(engine="tflm", model=str(embedded_model("kws"))), tmp_path)
    assert "build,tiny,engine,library" in caught.value.hint


@pytest.mark.parametrize("engine", ["microtvm", "tflm", "tflm_cmsis_nn"])
def test_a_model_of_another_size_is_refused_before_anything_is_compiled(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cm4tiny.firmware.build_spec.find_toolchain", None)
    with pytest.raises(ModelError, match="does not fit the benchmark 'kws'"):
        build(spec(engine=engine, model=str(embedded_model("ic"))), tmp_path)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"/nowhere/model\.tflite"):
        build(spec(), tmp_path)


def test_another_version_of_tvm_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tvm_package, "version", lambda name: "0.26.0")
    with pytest.raises(ToolchainError) as caught:
        tvm_package.installed_tvm()
    assert "pip install 'apache-tvm==" in str(caught.value)


def test_a_missing_tvm_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise tvm_package.PackageNotFoundError(name)

    monkeypatch.setattr(tvm_package, "version", absent)
    with pytest.raises(ToolchainError, match="not installed"):
        tvm_package.installed_tvm()


def test_building_an_image_installs_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def find(kind: str, install: bool) -> None:
        asked.append(install)
        raise ToolchainError("there is none", hint="install one")

    monkeypatch.setattr(build_spec, "find_toolchain", find)
    with pytest.raises(ToolchainError, match="there is none"):
        build(spec(model=str(embedded_model("kws"))), tmp_path)
    assert asked == [False]


def test_the_record_names_what_compiled_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_spec, "installed_tvm", lambda: "0.99")
    code = SimpleNamespace(tools={"engine": "tflm", "C library": "4.3"})
    assert build_spec._tools(spec(), code) == {"apache-tvm": "0.99"}  # type: ignore[arg-type]
    assert build_spec._tools(spec(engine="tflm"), code) == code.tools  # type: ignore[arg-type]
