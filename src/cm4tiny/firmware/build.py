# SPDX-License-Identifier: Apache-2.0
"""Compiles harness, board and model into one firmware image.

The same inputs give the same bytes: sources are copied into a fresh folder and compiled by relative names, in sorted order, with the
switches of :mod:`cm4tiny.firmware.flags`; nothing in the image depends on the time, the folder or the number of processors.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cm4tiny.boards.boards import BoardDescription, default_board
from cm4tiny.boards.elf_image import Image, read_elf
from cm4tiny.digests import file_sha256
from cm4tiny.disk import naming_full_disk
from cm4tiny.errors import CompileError, FirmwareError, ImageTooLargeError, ModelError, UsageError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import move_into_place
from cm4tiny.firmware.board_files import board_files
from cm4tiny.firmware.flags import compile_flags, flags, link_flags
from cm4tiny.firmware.inference_code import InferenceCode, TensorInfo
from cm4tiny.firmware.toolchain import Toolchain
from cm4tiny.paths import firmware_sources
from cm4tiny.scratch import scratch_folder
from cm4tiny.settings import cores

if TYPE_CHECKING:
    from cm4tiny.benchmarks import Benchmark
    from cm4tiny.firmware.microtvm import CompiledModel

MODES = ("performance", "energy")
DEFAULT_BAUD = {"performance": 115200, "energy": 9600}
"""As in the reference submissions; in energy mode the slow line runs through the IO manager."""

COMPILE_TIMEOUT_S = 600
_SHOWN_ERRORS = 5
_TELLING = ("error", "undefined", "multiple definition", "cannot find", "No such file")
_INCLUDES = ("-I", "generated", "-I", "harness", "-I", "board")
_OWN_HEADERS = ("-isystem", "include")
_OWN_C_LIBRARY = "memory.c"
"""Of the harness; left out of an image that has a C library."""
# GNU ld: "region `RAM' overflowed by 12 bytes"; lld: "section '.bss' will not fit in region 'RAM': overflowed by 12 bytes"
_OVERFLOW = re.compile(r"region [`'](?P<region>\w+)'(?: |: )overflowed by (?P<bytes>\d+) byte")


@dataclass(frozen=True)
class FirmwareImage:
    """A firmware image that passed the checks of :mod:`cm4tiny.boards.elf_image`.

    ``flash_bytes`` counts everything stored in flash, ``ram_bytes`` the static data, ``stack_bytes`` the room reserved for the stack.
    """

    elf: Path
    benchmark: str
    mode: str
    flash_bytes: int
    ram_bytes: int
    sha256: str
    stack_bytes: int = 0
    baud: int = 115200


def build_firmware(
    benchmark: Benchmark,
    model: InferenceCode | CompiledModel,
    *,
    mode: str,
    toolchain: Toolchain,
    out_dir: Path,
    board: BoardDescription | None = None,
    baud: int | None = None,
    events: EventStream = SILENT,
) -> FirmwareImage:
    """Builds ``firmware.elf`` in ``out_dir``, next to the generated sources and ``build.json`` (how it was made).

    Args:
        mode: ``"performance"`` (also serves accuracy runs) or ``"energy"``.
        board: that the image is for; None: the default board.
        baud: speed of the serial port, default by mode.

    Raises:
        CompileError: with the first errors and the command.
        ImageTooLargeError: says by how many bytes which memory overflows.
        ModelError: the model's tensors are not those of the benchmark.
        UsageError: no such mode.
    """
    if mode not in MODES:
        raise UsageError(f"there is no firmware mode '{mode}'", hint=f"use {' or '.join(MODES)}")
    speed = DEFAULT_BAUD[mode] if baud is None else baud
    code = model if isinstance(model, InferenceCode) else model.code
    check_sizes(benchmark, code.input, code.output)
    board = board or default_board()
    generated = {**code.files, **board_files(board), "build_config.h": build_config(benchmark, mode, speed)}
    step = f"build {benchmark.id} {mode}"
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        full = naming_full_disk(f"building the firmware of {benchmark.id}", out_dir)
        with full, scratch_folder("build", out_dir) as staging, events.step(step) as outcome:
            _lay_out(staging, board, generated, code)
            commands = _compile(staging, board, toolchain, code, events, step)
            commands.append(_link(staging, board, toolchain, code))
            image = read_elf(staging / "firmware.elf", chip=board.chip)
            digest = file_sha256(staging / "firmware.elf")
            _write_record(staging, board, toolchain, code, commands, digest)
            _publish(staging, out_dir, sorted(generated))
            outcome.note = f"{image.flash_bytes} bytes flash, {image.ram_bytes} bytes RAM"
    except OSError as error:
        raise FirmwareError(f"the firmware cannot be written to {out_dir}", why=str(error), hint="check disk space and rights") from error
    return _result(out_dir, benchmark.id, mode, speed, image, digest)


def build_config(benchmark: Benchmark, mode: str, baud: int) -> str:
    """The text of ``build_config.h``: what the harness must know about the benchmark."""
    values = (
        ("TH_MODEL_VERSION", f'"{benchmark.model_id}"'),
        ("EE_CFG_ENERGY_MODE", int(mode == "energy")),
        ("CM4TINY_INPUT_FLOAT32", int(benchmark.input_kind == "float32")),
        ("CM4TINY_INPUT_UINT8", int(benchmark.input_kind == "uint8")),
        ("CM4TINY_INPUT_BYTES", f"{benchmark.input_bytes}u"),
        ("CM4TINY_RESULTS", f"{benchmark.results}u"),
        ("CM4TINY_BAUD", f"{baud}u"),
    )
    return "".join(["#pragma once\n", *(f"#define {name} {value}\n" for name, value in values)])


def check_sizes(benchmark: Benchmark, entry: TensorInfo, result: TensorInfo) -> None:
    """Raises ModelError unless a model takes and returns as many values as a benchmark."""
    elements = benchmark.input_bytes // (4 if benchmark.input_kind == "float32" else 1)
    outputs = elements if benchmark.input_kind == "float32" else benchmark.results
    if (entry.size, result.size) != (elements, outputs):
        raise ModelError(
            f"the model does not fit the benchmark '{benchmark.id}'",
            why=f"it maps {entry.size} values to {result.size}; the benchmark maps {elements} to {outputs}",
            hint="use the model of this benchmark",
        )


def source_folders(start_up: str) -> dict[str, str]:
    """Folder of a build -> folder of this project's firmware sources that it is copied from, by a chip's ``start_up``."""
    return {"harness": "harness", "include": "include", "board": f"chips/{start_up}"}


def _lay_out(staging: Path, board: BoardDescription, generated: dict[str, str], code: InferenceCode) -> None:
    sources = firmware_sources()
    if not (sources / "chips" / board.chip.start_up / "link.ld").is_file():
        raise FirmwareError(
            f"there is no start-up code for the {board.chip.name}",
            why=f"its description names firmware/chips/{board.chip.start_up}, and no linker script is there"
            if board.chip.start_up
            else "its description names none: the virtual board runs images that others built for it",
            hint="write it, or name a folder that exists: docs/add-a-board.md",
        )
    for name, origin in source_folders(board.chip.start_up).items():
        shutil.copytree(sources / origin, staging / name)
    if code.library is not None:
        (staging / "harness" / _OWN_C_LIBRARY).unlink()
        shutil.rmtree(staging / "include")
    (staging / "generated").mkdir()
    (staging / "obj").mkdir()
    for name, text in generated.items():
        (staging / "generated" / name).write_text(text, encoding="utf-8", newline="\n")


def _compile(
    staging: Path, board: BoardDescription, toolchain: Toolchain, code: InferenceCode, events: EventStream, step: str
) -> list[list[str]]:
    units = sorted(path.relative_to(staging).as_posix() for pattern in ("*/*.c", "*/*.cc") for path in staging.glob(pattern))
    units.sort(key=lambda unit: not unit.startswith("generated/"))  # the longest jobs start first

    def compile_one(unit: str) -> list[str]:
        command = [*_unit_flags(unit, board, toolchain, code), "-c", unit, "-o", _object(unit)]
        done = _tool(toolchain, command, staging)
        if done.returncode != 0:
            raise _compile_error(f"{toolchain.cc[0]} cannot compile {unit}", toolchain, command, done)
        return command

    commands = []
    with ThreadPoolExecutor(max_workers=min(len(units), cores())) as pool:
        for count, command in enumerate(pool.map(compile_one, units), start=1):
            commands.append(command)
            events.progress(step, count, len(units) + 1)
    return commands


def _unit_flags(unit: str, board: BoardDescription, toolchain: Toolchain, code: InferenceCode) -> list[str]:
    name = Path(unit).name
    is_engine = unit.startswith("generated/")
    if is_engine and code.flags:
        chosen = [*flags("target", toolchain.family, board.chip), *code.flags]
    else:
        chosen = compile_flags("model.c" if is_engine else name, toolchain.family, board.chip)
    if code.library is None:
        library: tuple[str, ...] = _OWN_HEADERS
    else:
        library = (*(code.library.compile_cxx if name.endswith(".cc") else ()), *code.library.compile)
    extra = [part for folder in code.include for part in ("-I", str(folder))] if is_engine else []
    return [*chosen, *_INCLUDES, *extra, *library]


def _object(unit: str) -> str:
    return "obj/" + unit.replace("/", "-").rpartition(".")[0] + ".o"


def _link(staging: Path, board: BoardDescription, toolchain: Toolchain, code: InferenceCode) -> list[str]:
    objects = sorted(f"obj/{path.name}" for path in (staging / "obj").glob("*.o"))
    command = [*link_flags(toolchain.family, board.chip), "-Wl,-T,board/link.ld", *objects]
    command += [*map(str, code.archives), *(code.library.link if code.library is not None else ()), "-o", "firmware.elf"]
    done = _tool(toolchain, command, staging)
    if done.returncode != 0:
        overflow = _overflow(done.stderr)
        if overflow:
            raise ImageTooLargeError(
                f"the firmware is {overflow}",
                why=board.chip.map_text,
                hint="use a smaller model, or fewer weights in RAM",
            )
        raise _compile_error(f"{toolchain.cc[0]} cannot link the firmware", toolchain, command, done)
    return command


def _overflow(messages: str) -> str:
    worst: dict[str, int] = {}
    for match in _OVERFLOW.finditer(messages):
        worst[match["region"]] = max(worst.get(match["region"], 0), int(match["bytes"]))
    names = {"FLASH": "flash", "RAM": "RAM"}
    return " and ".join(f"{count} bytes too large for {names.get(region, region)}" for region, count in sorted(worst.items()))


def _tool(toolchain: Toolchain, command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    try:
        return toolchain.run(command, cwd=cwd, timeout_s=COMPILE_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompileError(f"{toolchain.cc[0]} does not run", why=str(error), hint="choose another tool chain") from error


def _compile_error(what: str, toolchain: Toolchain, command: list[str], done: subprocess.CompletedProcess[str]) -> CompileError:
    lines = done.stderr.strip().splitlines()
    errors = [line for line in lines if any(word in line for word in _TELLING) and not line.startswith("collect2")] or lines
    shown = "\n".join(errors[:_SHOWN_ERRORS]) or f"exit code {done.returncode}"
    return CompileError(what, why=shown, hint=f"the command was: {shlex.join([*toolchain.cc, *command])}")


def _write_record(
    staging: Path, board: BoardDescription, toolchain: Toolchain, code: InferenceCode, commands: list[list[str]], digest: str
) -> None:
    record = {
        "board": {"name": board.name, "chip": board.chip.name, "start_up": board.chip.start_up},
        "compiler": {"kind": toolchain.kind, "version": toolchain.version, "fingerprint": toolchain.fingerprint},
        "engine": dict(code.tools),
        "archives": {path.name: file_sha256(path) for path in code.archives},
        "commands": sorted(shlex.join(command) for command in commands),
        "sources": {
            path.relative_to(staging).as_posix(): file_sha256(path)
            for path in sorted(staging.glob("*/*"))
            if path.suffix in (".c", ".cc", ".h", ".ld")
        },
        "sha256": digest,
    }
    (staging / "build.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _publish(staging: Path, out_dir: Path, generated: list[str]) -> None:
    """Each file replaces its predecessor at once; the image comes last, so that an image is never older than its sources."""
    for name in generated:
        move_into_place(staging / "generated" / name, out_dir / name)
    for name in ("build.json", "firmware.elf"):
        move_into_place(staging / name, out_dir / name)


def _result(out_dir: Path, benchmark: str, mode: str, baud: int, image: Image, digest: str) -> FirmwareImage:
    return FirmwareImage(
        elf=out_dir / "firmware.elf",
        benchmark=benchmark,
        mode=mode,
        flash_bytes=image.flash_bytes,
        ram_bytes=image.ram_bytes,
        sha256=digest,
        stack_bytes=image.stack_bytes,
        baud=baud,
    )
