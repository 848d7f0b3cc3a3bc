"""A recipe refuses what it cannot build before anything is built."""

from pathlib import Path

import pytest

from cm4tiny.errors import ModelError, NotAvailableError, ToolchainError, UsageError
from cm4tiny.firmware import tvm_package
from cm4tiny.firmware.recipe import Recipe, build


def recipe(**changes: str) -> Recipe:
    return Recipe(**{"benchmark": "kws", "engine": "microtvm", "mode": "performance", "model": "/nowhere/model.tflite", **changes})


@pytest.mark.parametrize(
    ("field", "value", "meant"), [("benchmark", "kwz", "kws"), ("engine", "microtvn", "microtvm"), ("mode", "enrgy", "energy")]
)
def test_a_mistyped_name_gets_a_suggestion(field: str, value: str, meant: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        build(recipe(**{field: value}), tmp_path)
    assert meant in str(caught.value)


def test_an_engine_that_is_not_there_refuses(tmp_path: Path) -> None:
    with pytest.raises(NotAvailableError) as caught:
        build(recipe(engine="tflm"), tmp_path)
    assert "_microtvm" in str(caught.value)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"/nowhere/model\.tflite"):
        build(recipe(), tmp_path)


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
