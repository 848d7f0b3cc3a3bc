# SPDX-License-Identifier: Apache-2.0
"""Firmware of this project as ELF, hex and binary image, through the code that runs published images; and images that do not answer."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from virtual_board_programs import ECHO, UDF, write_elf

from cm4tiny.benchmarks import embedded_model, get_benchmark
from cm4tiny.errors import DeadlineError, DeviceFaultError, FirmwareError, UsageError
from cm4tiny.firmware.build import build_firmware
from cm4tiny.firmware.microtvm import compile_model
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.images import ImageRun, run_images
from cm4tiny.images.fidelity import measure
from cm4tiny.images.run import boot
from cm4tiny.runner.rules import official_rules

Cm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The embedded kws model's firmware in three kinds of file."""
    objcopy = shutil.which("arm-none-eabi-objcopy")
    if objcopy is None or shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    folder = tmp_path_factory.mktemp("image")
    model = compile_model(embedded_model("kws").read_bytes(), name="kws01")
    elf = build_firmware(get_benchmark("kws"), model, mode="performance", toolchain=find_toolchain("path"), out_dir=folder).elf
    files = {"elf": elf}
    for kind, form in (("hex", "ihex"), ("bin", "binary")):
        files[kind] = folder / f"image.{kind}"
        subprocess.run([objcopy, "-O", form, str(elf), str(files[kind])], check=True)
    return files


def test_all_kinds_of_file_boot_and_say_the_same(images: dict[str, Path]) -> None:
    said = {kind: boot(file, 115200) for kind, file in images.items()}
    assert said["elf"]["model"] == "kws01"
    assert said["elf"] == said["hex"] == said["bin"]
    assert said["elf"]["notes"] == []


def test_a_file_is_measured_and_its_outcome_says_that_it_is_simulated(images: dict[str, Path], tmp_path: Path) -> None:
    path = run_images(
        ImageRun((("mine", images["hex"], None),), "performance", tmp_path, rules=replace(official_rules(), min_window_s=0.3))
    )
    outcome = json.loads(path.read_text(encoding="utf-8"))
    assert outcome["simulated"] is True
    (entry,) = outcome["images"]
    assert entry["simulated"] is True and entry["strict"] is True and entry["option_bytes"] == "0xffeff8aa"
    assert (tmp_path / entry["performance_session"] / "results.json").is_file()
    expected = (
        "simulated, model not identified, embedded inputs, NUCLEO-L4R5ZI, 1.8 V, 120 MHz, no division claimed, model error: throughput -"
    )
    assert entry["labels"]["text"].startswith(expected)
    row = measure(images["elf"], "kws", row_id="mine", kind="build")
    assert row.predicted == pytest.approx(entry["throughput_inf_per_s"], rel=1e-3)
    assert row.pairs is not None and 0 <= row.pairs < row.cycles
    assert row.cycles == pytest.approx(120e6 / row.predicted, rel=1e-3)


def test_an_image_that_did_not_run_strictly_says_so_in_its_session_and_labels(images: dict[str, Path], tmp_path: Path) -> None:
    rules = replace(official_rules(), min_window_s=0.1)
    path = run_images(ImageRun((("mine", images["elf"], None),), "performance", tmp_path, rules=rules, strict=False))
    (entry,) = json.loads(path.read_text(encoding="utf-8"))["images"]
    assert entry["strict"] is False
    assert entry["labels"]["text"].startswith("simulated (not strict), model not identified")
    session = tmp_path / entry["performance_session"]
    assert (session / "results.txt").read_text(encoding="utf-8").startswith("SIMULATED: virtual NUCLEO-L4R5ZI, not strict; ")
    assert all(one["strict"] is False for one in json.loads((session / "results.json").read_text(encoding="utf-8")))


def test_an_accuracy_run_without_samples_is_refused(images: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a data set"):
        run_images(ImageRun((("mine", images["bin"], None),), "accuracy", tmp_path))


def test_an_image_that_stays_silent_is_reported_with_its_place(tmp_path: Path) -> None:
    endless = write_elf(tmp_path, *[0xBF00] * 4, 0xE7FA)
    with pytest.raises(DeadlineError, match=r"the firmware is at PC 0x080000"):
        boot(endless, None)


def test_an_image_that_only_echoes_is_no_benchmark(tmp_path: Path) -> None:
    with pytest.raises(DeadlineError, match="the firmware is at PC"):
        boot(write_elf(tmp_path, *ECHO), None)


def test_an_image_that_crashes_is_reported_as_a_crash(tmp_path: Path) -> None:
    with pytest.raises(DeviceFaultError, match="invalid instruction"):
        boot(write_elf(tmp_path, UDF), None)


def test_the_step_runs_a_file(cm: Cm, images: dict[str, Path], tmp_path: Path) -> None:
    done = cm("run", "script", "--tags=run,mlperf,tiny,image,_boot", f"--image={images['bin']}", "--outdirname=out")
    assert done.returncode == 0, done.stdout + done.stderr
    outcome = json.loads((tmp_path / "out" / "images.json").read_text(encoding="utf-8"))
    assert outcome["images"][0]["model"] == "kws01"


def test_the_step_names_a_damaged_file(cm: Cm, tmp_path: Path) -> None:
    (tmp_path / "bad.hex").write_text(":00000001FE\n")
    done = cm("run", "script", "--tags=run,mlperf,tiny,image,_boot", "--image=bad.hex")
    assert done.returncode == 1
    assert "line 1 has the checksum fe instead of ff" in done.stdout + done.stderr


def test_firmware_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match=r"nothing\.bin"):
        boot(tmp_path / "nothing.bin", None)
