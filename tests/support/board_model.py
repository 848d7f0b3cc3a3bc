# SPDX-License-Identifier: Apache-2.0
"""Calls the inference function of a real firmware image on an emulated Cortex-M4, with int8 tensors in and out.

The image is the one that would be flashed. Only its peripherals are left out: the start-up code's copying is done here, then
``cm4tiny_model_run`` is called as often as wanted. So a thousand inferences take seconds, and outputs are compared byte by byte instead of
by three printed digits. What lies in RAM persists from one call to the next, as on the board.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cm4tiny.boards.boards import default_board
from cm4tiny.boards.elf_image import read_elf
from cm4tiny.boards.virtual.loader import load_elf
from cm4tiny.boards.virtual.unicorn_core import open_core

FLASH, RAM = default_board().chip.flash, default_board().chip.ram
_RETURN = FLASH.start + FLASH.size - 16
_GUARD = 64


class BoardCore:
    """A Cortex-M4 with an image in flash and its initialised data in RAM; calls functions of the image."""

    def __init__(self, elf: Path) -> None:
        unicorn: Any = pytest.importorskip("unicorn")
        self._arm: Any = importlib.import_module("unicorn.arm_const")
        self._engine = open_core()
        self._engine.mem_map(FLASH.start, FLASH.size, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._engine.mem_map(RAM.start, RAM.size, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
        self._outside = 0x6000_0000  # the caller's buffers are not in the image's RAM
        self._engine.mem_map(self._outside, 1 << 20)
        for address, data in load_elf(elf).segments:
            self._engine.mem_write(address, data)
        self._symbols = {name: symbol.address for name, symbol in read_elf(elf).symbols.items()}
        start, end = self._symbols["_sdata"], self._symbols["_edata"]
        if end > start:
            self._engine.mem_write(start, bytes(self._engine.mem_read(self._symbols["_sidata"], end - start)))

    def call(self, function: str, values: npt.NDArray[np.int8], results: int) -> npt.NDArray[np.int8]:
        """One inference; both buffers lie between guard bytes."""
        arm, engine = self._arm, self._engine
        source, target = self._outside + _GUARD, self._outside + (1 << 19)
        engine.mem_write(source, values.astype(np.int8).tobytes())
        engine.mem_write(target - _GUARD, bytes([0x5A]) * (results + 2 * _GUARD))
        for register, value in ((arm.UC_ARM_REG_R0, source), (arm.UC_ARM_REG_R1, target), (arm.UC_ARM_REG_LR, _RETURN | 1)):
            engine.reg_write(register, value)
        engine.reg_write(arm.UC_ARM_REG_SP, RAM.end)
        engine.emu_start(self._symbols[function] | 1, _RETURN)
        assert engine.reg_read(arm.UC_ARM_REG_PC) & ~1 == _RETURN, "the inference did not return"
        found = bytes(engine.mem_read(target - _GUARD, results + 2 * _GUARD))
        assert found[:_GUARD] == found[-_GUARD:] == bytes([0x5A]) * _GUARD, "the inference wrote next to its output"
        assert bytes(engine.mem_read(source, values.size)) == values.tobytes(), "the inference changed its input"
        return np.frombuffer(found[_GUARD:-_GUARD], np.int8).copy()


class BoardModel:
    """The model in an image. ``input_size`` and ``output_size`` count values."""

    def __init__(self, elf: Path, input_size: int, output_size: int) -> None:
        self._core = BoardCore(elf)
        self._sizes = input_size, output_size

    def run(self, inputs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """[n, ...] int8 -> [n, outputs] int8."""
        return np.stack([self._core.call("cm4tiny_model_run", row, self._sizes[1]) for row in inputs.reshape(-1, self._sizes[0])])
