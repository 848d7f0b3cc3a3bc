# SPDX-License-Identifier: Apache-2.0
"""What a cached result's key says about the code and the files behind it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cm4tiny.firmware.toolchain import COMPILER
from cm4tiny.paths import PACKAGE, firmware_sources
from cm4tiny.resolver.plan import code_files, fingerprint

COMPILES = frozenset({"cm4tiny.cm", "cm4tiny.workflows.compile_mlperf_tiny_firmware"})
"""What the step that builds firmware binds."""

DECIDING = {
    "a pass": "firmware/microtvm/planner.py",
    "a kernel": "firmware/kernels/int16/conv.py",
    "an operator that a registry finds": "firmware/operators/resize_bilinear.py",
    "code that a function imports": "firmware/microtvm/compiler.py",
    "a table of costs": "firmware/microtvm/costs.json",
    "a chip": "boards/chips/stm32l4r5zi.yaml",
    "a board": "boards/boards/nucleo-l4r5zi.yaml",
    "a benchmark": "benchmarks/benchmarks.yaml",
    "switches": "firmware/flags.py",
    "the step": "workflows/compile_mlperf_tiny_firmware.py",
    "a judgement": "verification/comparison.py",
    "limits of a judgement": "verification/references.yaml",
    "a package": "firmware/microtvm/__init__.py",
    "the harness": "firmware_sources/harness/main.c",
    "a linker script": "firmware_sources/chips/stm32l4r5/link.ld",
    "an own header": "firmware_sources/include/string.h",
}
OTHER = {
    "the virtual board": "boards/virtual/machine.py",
    "its C code": "boards/virtual/uart.c",
    "its rules": "boards/virtual/silicon.yaml",
    "a runner": "runner/accuracy.py",
    "a rule of the audit": "results/audit/rules/windows.py",
    "the command line": "cli/verbs.py",
    "the resolver": "resolver/plan/planner.py",
    "another step": "workflows/run_mlperf_tiny.py",
    "an official data set": "benchmarks/official/cifar10.py",
    "a probe": "boards/nucleo/flashers.py",
    "a page": "results/dashboard/page.py",
    "documentation": "firmware_sources/README.md",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This package as pip lays it out: no pyproject.toml two folders up, the C sources inside."""
    package = tmp_path_factory.mktemp("wheel") / "lib" / "site-packages" / "cm4tiny"
    ignored = shutil.ignore_patterns("__pycache__", "ic01", "kws01", "vww01", "ad01")
    shutil.copytree(PACKAGE, package, ignore=ignored)
    if not (package / "firmware_sources").is_dir():
        shutil.copytree(firmware_sources(), package / "firmware_sources", ignore=ignored)
    return package


@pytest.fixture(autouse=True)
def fresh() -> None:
    fingerprint.forget_code()


def version(package: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(fingerprint, "PACKAGE", package)
    fingerprint.forget_code()
    return fingerprint.code_version(COMPILES)


@pytest.mark.parametrize("kind", [*DECIDING, *OTHER])
def test_firmware_is_rebuilt_by_an_edit_of_what_its_build_reads_and_by_no_other(
    kind: str, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = version(wheel, monkeypatch)
    assert version(wheel, monkeypatch) == before
    file = wheel / (DECIDING | OTHER)[kind]
    content = file.read_bytes() if file.exists() else b""
    file.write_bytes(content + b"\n")
    try:
        assert (version(wheel, monkeypatch) != before) == (kind in DECIDING)
    finally:
        file.write_bytes(content)


def test_a_new_file_next_to_a_module_counts(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = version(wheel, monkeypatch)
    added = wheel / "boards" / "boards" / "another.yaml"
    added.write_text("name: another\n", encoding="utf-8")
    try:
        assert version(wheel, monkeypatch) != before
    finally:
        added.unlink()


def test_a_checkout_and_a_wheel_of_it_have_one_key(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = tmp_path / "src" / "cm4tiny"
    shutil.copytree(wheel, checkout, ignore=shutil.ignore_patterns("firmware_sources"))
    shutil.copytree(wheel / "firmware_sources", tmp_path / "firmware")
    (tmp_path / "pyproject.toml").touch()
    assert version(checkout, monkeypatch) == version(wheel, monkeypatch)


_BUILD = """\
import json, sys
from pathlib import Path
opened = set()
sys.addaudithook(lambda event, given: opened.add(str(given[0])) if event == "open" else None)
from cm4tiny.cm import Step
from cm4tiny.events import SILENT
from cm4tiny.workflows.compile_mlperf_tiny_firmware import CompileFirmwareOptions, compile_firmware
env = {"CM_TINY_MODEL": "ad", "CM_TINY_ENGINE": "microtvm", "CM_TINY_IMAGE": "performance", "CM_ML_MODEL_FILE_WITH_PATH": sys.argv[1],
       "CM_TINY_TOOLCHAIN_KIND": "auto", "CM_TINY_NO_VERIFY": "yes"}
step = Step(env, SILENT, Path(sys.argv[2]))
compile_firmware(step.options(CompileFirmwareOptions), step)
modules = {module.__file__ for module in sys.modules.values() if getattr(module, "__file__", None)}
print(json.dumps(sorted(opened | modules)))
"""


@pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"{COMPILER} is missing")
def test_what_a_build_reads_is_in_its_key(tmp_path: Path) -> None:
    """Modules that were loaded and files that were opened while firmware was built: all count."""
    model = next((PACKAGE / "benchmarks" / "embedded" / "models").glob("*ad01*.tflite"))
    command = [sys.executable, "-c", _BUILD, str(model), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    places = (PACKAGE, firmware_sources())
    read = {Path(name).resolve() for name in json.loads(done.stdout.splitlines()[-1]) if not name.endswith(".pyc")}
    ours = {file for file in read if any(file.is_relative_to(place) for place in places) and file.is_file()}
    assert PACKAGE / "firmware" / "microtvm" / "planner.py" in ours
    executes = code_files.behind(frozenset({"cm4tiny.boards.virtual.board", "cm4tiny.boards.virtual.build"}), PACKAGE)
    assert {file for file in executes if file.is_relative_to(PACKAGE / "firmware")} == set()
    assert ours - code_files.behind(COMPILES, PACKAGE) - executes - {model} == set()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from cm4tiny.events import SILENT\n", {"cm4tiny.events"}),
        ("from cm4tiny import cm, paths\n", {"cm4tiny.cm", "cm4tiny.paths"}),
        ("import cm4tiny.errors as e, cm4tiny.files\n", {"cm4tiny.errors", "cm4tiny.files"}),
        ("def f():\n    from cm4tiny.tuning import (  # late\n        measure,\n    )\n", {"cm4tiny.tuning.measure"}),
        ("from cm4tiny.boards import SerialLink\n", {"cm4tiny.boards", "cm4tiny.boards.links"}),
        ("if TYPE_CHECKING:\n    from cm4tiny.runner import Dut\n\nfrom cm4tiny.files import seal\n", {"cm4tiny.files"}),
        ("from cm4tiny.runner import Dut  # not in a key: it judges\n", set()),
        ('"""See :mod:`cm4tiny.runner`."""\n', set()),
    ],
)
def test_imports_of_a_source(source: str, expected: set[str]) -> None:
    assert code_files.imports(source.encode(), PACKAGE) == expected


def test_a_relative_file_counts_with_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.tflite").write_bytes(b"one")
    before = fingerprint.file_identity("m.tflite")
    (tmp_path / "m.tflite").write_bytes(b"two")
    assert fingerprint.file_identity("m.tflite") not in ("", before)


@pytest.mark.parametrize("value", ["kws", "", "a\nb.txt", "x\0y.txt", "no/such.file", "9" * 5000 + ".x"])
def test_a_value_that_is_no_file_stands_for_itself(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert fingerprint.file_identity(value) == ""
