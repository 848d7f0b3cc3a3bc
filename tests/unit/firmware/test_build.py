# SPDX-License-Identifier: Apache-2.0
"""The build, with a fake compiler that records how it was called (real ones: tests/emulated/test_firmware_build.py)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from support.firmware_stubs import stub_model
from support.tiny_elf import attributes, tiny_elf

from cm4tiny.benchmarks import BENCHMARKS
from cm4tiny.errors import CompileError, FirmwareError, ImageTooLargeError, ModelError, UsageError
from cm4tiny.events import EventStream, Finished, Progress
from cm4tiny.firmware.build import FirmwareImage, build_config, build_firmware
from cm4tiny.firmware.toolchain import Toolchain


@dataclass(frozen=True)
class FakeToolchain(Toolchain):
    """Writes empty objects and a small right image; ``fail`` maps a word in the command to what the compiler says when it fails."""

    fail: dict[str, str] = field(default_factory=dict)
    raises: Exception | None = None
    calls: list[list[str]] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)

    def run(self, arguments: Sequence[str], *, cwd: Path, timeout_s: float) -> subprocess.CompletedProcess[str]:
        self.calls.append(list(arguments))
        self.folders.append(cwd)
        if self.raises:
            raise self.raises
        for word, message in self.fail.items():
            if word in arguments:
                return subprocess.CompletedProcess(list(arguments), 1, "", message)
        (cwd / arguments[arguments.index("-o") + 1]).write_bytes(tiny_elf(marks=attributes()))
        return subprocess.CompletedProcess(list(arguments), 0, "", "")


def fake(**options: object) -> FakeToolchain:
    return FakeToolchain("path", ("fake-gcc",), "fake 1.0", "f" * 64, **options)  # type: ignore[arg-type]


def build(out: Path, toolchain: Toolchain, benchmark: str = "kws", mode: str = "performance", **options: object) -> FirmwareImage:
    row = BENCHMARKS[benchmark]
    return build_firmware(row, stub_model(benchmark), mode=mode, toolchain=toolchain, out_dir=out, **options)  # type: ignore[arg-type]


def test_the_image_and_how_it_was_made_are_published(tmp_path: Path) -> None:
    image = build(tmp_path / "out", fake())
    assert image.elf == tmp_path / "out" / "firmware.elf"
    assert (image.benchmark, image.mode, image.flash_bytes, image.ram_bytes, image.baud) == ("kws", "performance", 16, 0, 115200)
    names = sorted(path.name for path in image.elf.parent.iterdir())
    assert names == ["board_description.h", "build.json", "build_config.h", "firmware.elf", "memory.ld", "model.c", "model.h"]
    record = json.loads((image.elf.parent / "build.json").read_text(encoding="utf-8"))
    assert record["sha256"] == image.sha256
    assert record["compiler"] == {"kind": "path", "version": "fake 1.0", "fingerprint": "f" * 64}
    assert {"harness/protocol.c", "board/startup.c", "board/link.ld", "generated/model.c", "generated/memory.ld"} <= set(record["sources"])
    assert record["board"] == {"name": "NUCLEO-L4R5ZI", "chip": "STM32L4R5ZI", "start_up": "stm32l4r5"}


def test_every_source_is_compiled_once_and_linked_in_sorted_order(tmp_path: Path) -> None:
    tools = fake()
    build(tmp_path, tools)
    units = [call[call.index("-c") + 1] for call in tools.calls if "-c" in call]
    assert len(units) == len(set(units))
    assert {"generated/model.c", "harness/protocol.c", "harness/memory.c", "board/board.c"} <= set(units)
    objects = [argument for argument in tools.calls[-1] if argument.endswith(".o")]
    assert objects == sorted(objects)
    assert len(objects) == len(units)


def test_no_command_names_an_absolute_path(tmp_path: Path) -> None:
    tools = fake()
    build(tmp_path, tools)
    assert [argument for call in tools.calls for argument in call if argument.startswith("/") or str(tmp_path) in argument] == []


def test_the_record_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    for name in ("a", "another"):
        build(tmp_path / name, fake())
    assert (tmp_path / "a" / "build.json").read_bytes() == (tmp_path / "another" / "build.json").read_bytes()


def test_energy_mode_and_the_baud_rate_reach_the_harness() -> None:
    text = build_config(BENCHMARKS["ad"], "energy", 9600)
    for line in ('TH_MODEL_VERSION "ad01"', "EE_CFG_ENERGY_MODE 1", "CM4TINY_INPUT_FLOAT32 1"):
        assert f"#define {line}\n" in text
    for line in ("CM4TINY_INPUT_BYTES 2560u", "CM4TINY_RESULTS 1u", "CM4TINY_BAUD 9600u"):
        assert f"#define {line}\n" in text


def test_the_line_is_slow_in_energy_mode_unless_told_otherwise(tmp_path: Path) -> None:
    assert build(tmp_path, fake(), mode="energy").baud == 9600
    assert build(tmp_path, fake(), mode="energy", baud=921600).baud == 921600
    assert "CM4TINY_BAUD 921600u" in (tmp_path / "build_config.h").read_text(encoding="utf-8")


def test_progress_is_reported(tmp_path: Path) -> None:
    heard: list[object] = []
    build(tmp_path, fake(), events=EventStream(heard.append))
    assert any(isinstance(event, Progress) for event in heard)
    assert isinstance(heard[-1], Finished)
    assert heard[-1].note == "16 bytes flash, 0 bytes RAM"


def test_an_unknown_mode_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no firmware mode 'accuracy'"):
        build(tmp_path, fake(), mode="accuracy")


def test_a_model_of_another_benchmark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not fit the benchmark 'kws'") as caught:
        build_firmware(BENCHMARKS["kws"], stub_model("ic"), mode="performance", toolchain=fake(), out_dir=tmp_path)
    assert "maps 3072 values to 10; the benchmark maps 490 to 12" in caught.value.why


def test_a_compiler_error_shows_its_first_errors_and_the_command(tmp_path: Path) -> None:
    said = "harness/protocol.c: In function 'f':\n" + "".join(f"harness/protocol.c:{n}:1: error: number {n}\n" for n in range(9))
    with pytest.raises(CompileError, match=r"fake-gcc cannot compile harness/protocol\.c") as caught:
        build(tmp_path, fake(fail={"harness/protocol.c": said}))
    assert caught.value.why.splitlines() == [f"harness/protocol.c:{n}:1: error: number {n}" for n in range(5)]
    assert "fake-gcc -mcpu=cortex-m4" in caught.value.hint
    assert "-c harness/protocol.c" in caught.value.hint


def test_a_missing_function_is_a_compile_error_with_its_name(tmp_path: Path) -> None:
    said = "ld: model.o: in function `f':\nmodel.c:(.text+0x0): undefined reference to `__aeabi_uldivmod'\ncollect2: error: ld returned 1\n"
    with pytest.raises(CompileError, match="cannot link") as caught:
        build(tmp_path, fake(fail={"firmware.elf": said}))
    assert "undefined reference to `__aeabi_uldivmod'" in caught.value.why


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("ld: region `RAM' overflowed by 4224 bytes\ncollect2: error", "4224 bytes too large for RAM"),
        (
            "ld: region `FLASH' overflowed by 1 bytes\nld: region `RAM' overflowed by 7 bytes",
            "1 bytes too large for flash and 7 bytes too large for RAM",
        ),
        (
            "ld.lld: error: section '.bss' will not fit in region 'RAM': overflowed by 16 bytes\n"
            "ld.lld: error: section '.stack' will not fit in region 'RAM': overflowed by 8208 bytes",
            "8208 bytes too large for RAM",
        ),
    ],
)
def test_an_overflow_says_by_how_many_bytes_which_memory(tmp_path: Path, said: str, expected: str) -> None:
    with pytest.raises(ImageTooLargeError, match=rf"the firmware is {expected}\n") as caught:
        build(tmp_path, fake(fail={"firmware.elf": said}))
    assert "640 KB" in caught.value.why


@pytest.mark.parametrize("error", [FileNotFoundError("gone"), subprocess.TimeoutExpired("fake-gcc", 600)])
def test_a_compiler_that_does_not_run_is_a_compile_error(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(CompileError, match="fake-gcc does not run"):
        build(tmp_path, fake(raises=error))


def test_a_failed_build_leaves_the_last_good_image(tmp_path: Path) -> None:
    good = build(tmp_path, fake())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CompileError):
        build(tmp_path, fake(fail={"firmware.elf": "ld: error"}), mode="energy")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert good.elf.exists()


def test_a_folder_that_cannot_be_written_is_a_firmware_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FirmwareError, match="cannot be written"):
        build(tmp_path / "file" / "out", fake())


def test_the_first_unit_to_be_compiled_is_the_model(tmp_path: Path) -> None:
    tools = replace(fake(), calls=[])
    build(tmp_path, tools)
    assert tools.calls[0][tools.calls[0].index("-c") + 1] == "generated/model.c"
