# SPDX-License-Identifier: Apache-2.0
"""Builds the firmware in ``exception_firmware`` and runs one of its scenarios on a fresh board."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from virtual_board_programs import LINKER_SCRIPT, READY

from cm4tiny.boards import VirtualBoard
from cm4tiny.deadline import Deadline

SOURCE = Path(__file__).resolve().parent / "exception_firmware" / "firmware.c"
FLAGS = ("-O1", "-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=softfp", "-ffreestanding", "-nostdlib")


def build_exception_firmware(folder: Path) -> Path:
    """The ELF; the test is skipped where there is no Arm compiler."""
    compiler = shutil.which("arm-none-eabi-gcc")
    if compiler is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    script, elf = folder / "exceptions.ld", folder / "exceptions.elf"
    script.write_text(LINKER_SCRIPT)
    subprocess.run([compiler, *FLAGS, "-T", str(script), str(SOURCE), "-o", str(elf)], check=True, capture_output=True, text=True)
    return elf


def read_until(board: VirtualBoard, end: bytes, seconds: float = 5.0) -> bytes:
    """Reads up to an ending; fails if it does not come in virtual time."""
    deadline, output = Deadline(seconds, board.link.clock), b""
    while not output.endswith(end):
        part = board.link.read(deadline)
        assert part, f"only {output!r} came, at {board.position()}"
        output += part
    return output


def answer(board: VirtualBoard, command: str, seconds: float = 5.0) -> list[int]:
    """The numbers that a scenario prints."""
    board.link.write(command.encode() + b"%")
    text = read_until(board, READY, seconds)
    return [int(word, 16) for word in text.partition(b"m-[")[2].partition(b"]")[0].split()]


def scenario(elf: Path, command: str) -> list[int]:
    """The numbers that a scenario prints on a fresh board."""
    with VirtualBoard(elf) as board:
        read_until(board, READY)
        return answer(board, command)
