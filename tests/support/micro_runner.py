# SPDX-License-Identifier: Apache-2.0
"""Runs micro-kernels and whole kernels on the emulated Cortex-M4 and, as portable C, on the host; counts predicted cycles.

Buffers lie between guard cells, so that stray writes are seen; ``strict`` runs also refuse unaligned loads and stores, which the cycle
model does not charge but the real core does. Cycles are those of :mod:`cm4tiny.boards.virtual.cycle_model` with both flash caches at
120 MHz.

    run = run_target(function, x, w, out)           # one micro-kernel; numpy arrays become buffers, integers stay integers
    run.buffers[2], run.cycles
    run_host(function, x, w, out).buffers[2]        # the portable version
    run_target(kernel, x, cells=n, dtype=np.int16)  # a Kernel: constants, workspaces and the output are placed as the engine does
"""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.plain_core import FLASH, FLASH_BYTES, SRAM, SRAM_BYTES, PlainCore

from cm4tiny.boards.virtual.cycle_model import TICKS_PER_CYCLE
from cm4tiny.firmware.kernels.base import HELPERS, Kernel
from cm4tiny.firmware.kernels.functions import CFunction

Array = npt.NDArray[Any]

STACK_BYTES = 4096
WAIT_STATES = 5
GUARD_BYTES, GUARD = 64, 0x5A
OUTPUT_FILL = 0x55
_CORE = "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard"
_TARGET_FLAGS = [*_CORE.split(" "), "-O2", "-ffreestanding", "-nostdlib", "-Wall", "-Werror"]
_HOST_FLAGS = ["-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Wno-unused-function", "-Wno-unused-parameter", "-Werror"]
_RUNTIME = """
void *memcpy(void *restrict t, const void *restrict f, size_t n) { char *a = t; const char *b = f; while (n--) *a++ = *b++; return t; }
void *memset(void *t, int v, size_t n) { char *a = t; while (n--) *a++ = (char)v; return t; }
"""
_LINKER = """SECTIONS { .text 0x08000000 : { *(.entry) *(.text*) *(.rodata*) } .data 0x20000000 : { *(.data*) *(.bss*) } }"""


@dataclass(frozen=True)
class Place:
    """A buffer argument that does not start at element 0, or lies in flash."""

    array: Array
    offset: int = 0
    flash: bool = False


@dataclass
class Run:
    """What a run left behind: the buffers in the order of the array arguments, and counts (zero on the host)."""

    buffers: list[Array]
    cycles: float = 0
    instructions: int = 0
    icache_misses: int = 0
    dcache_misses: int = 0


def run_target(
    program: CFunction | Kernel, *arguments: Any, cells: int = 0, dtype: Any = np.int16, strict: bool = True, runs: int = 1
) -> Run:
    """Runs the assembly version (a kernel: gcc's code of its driver with its assembly).

    Args:
        program: what to run.
        arguments: arrays, :class:`Place` or integers; a kernel gets its inputs only.
        cells, dtype: a kernel's output; ``buffers`` is then the output alone.
        strict: unaligned accesses fail the test; slow.
        runs: counts are those of the last run; 2 gives warm caches.
    """
    text, entry, places = _prepared(program, arguments, cells, dtype)
    machine = _Machine(_target_image(text), strict)
    found = machine.call(entry, places, runs)
    return Run(found.buffers[-1:], *_counts(found)) if isinstance(program, Kernel) else found


def run_host(program: CFunction | Kernel, *arguments: Any, cells: int = 0, dtype: Any = np.int16) -> Run:
    """Runs the portable version on the host; arguments as in :func:`run_target`."""
    text, entry, places = _prepared(program, arguments, cells, dtype)
    buffers = [np.full(p.array.nbytes + 2 * GUARD_BYTES, GUARD, np.uint8) if isinstance(p, Place) else None for p in places]
    values: list[Any] = []
    for place, buffer in zip(places, buffers, strict=True):
        if buffer is None:
            values.append(ctypes.c_int32(place))
            continue
        buffer[GUARD_BYTES:-GUARD_BYTES] = np.ascontiguousarray(place.array).reshape(-1).view(np.uint8)
        values.append(ctypes.c_void_p(buffer.ctypes.data + GUARD_BYTES + place.offset * place.array.itemsize))
    getattr(_host_library(text), entry)(*values)
    results = []
    for i, (place, buffer) in enumerate(zip(places, buffers, strict=True)):
        if buffer is not None:
            _check_guards(i, bytes(buffer[:GUARD_BYTES]), bytes(buffer[-GUARD_BYTES:]))
            results.append(buffer[GUARD_BYTES:-GUARD_BYTES].view(place.array.dtype).reshape(place.array.shape).copy())
    return Run(results[-1:] if isinstance(program, Kernel) else results)


def _counts(run: Run) -> tuple[float, int, int, int]:
    return run.cycles, run.instructions, run.icache_misses, run.dcache_misses


def program_text(functions: Sequence[CFunction], drivers: str = "", *, helpers: bool = True) -> str:
    """C text as the emitter writes it: helpers, both versions of every micro-kernel, drivers."""
    parts = [HELPERS.read_text(encoding="utf-8")] if helpers else ["#include <stdint.h>"]
    for f in functions:
        portable = f.portable_text().removeprefix("static ")
        parts.append(f"#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP\n{f.target_text()}\n#else\n{f.declaration}\n{portable}\n#endif")
    return "\n".join([*parts, drivers])


def _prepared(program: CFunction | Kernel, arguments: Sequence[Any], cells: int, dtype: Any) -> tuple[str, str, list[Any]]:
    places = [Place(a) if isinstance(a, np.ndarray) else a for a in arguments]
    if isinstance(program, CFunction):
        return program_text([program]), program.name, places
    from cm4tiny.firmware.microtvm.codegen import generate_c

    text = generate_c({"kernel": program}).replace("static __attribute__((noinline)) void kernel(", "void kernel(")
    for i, constant in enumerate(program.constants):
        places.append(Place(constant, flash=i not in program.in_ram))
    places += [Place(np.full(size, OUTPUT_FILL, np.uint8)) for size in program.workspaces]
    places.append(Place(np.full(cells * np.dtype(dtype).itemsize, OUTPUT_FILL, np.uint8).view(dtype)))
    return program_text(program.code, text), "kernel", places


def _check_guards(index: int, before: bytes, behind: bytes) -> None:
    assert before == bytes([GUARD]) * GUARD_BYTES, f"wrote in front of buffer {index}"
    assert behind == bytes([GUARD]) * GUARD_BYTES, f"wrote behind buffer {index}"


@functools.lru_cache(maxsize=256)
def _host_library(text: str) -> ctypes.CDLL:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "program.c").write_text(text)
        subprocess.run([compiler, *_HOST_FLAGS, "-o", "program.so", "program.c"], cwd=folder, check=True)
        return ctypes.CDLL(str(folder / "program.so"))


@dataclass(frozen=True)
class Image:
    """A linked program: bytes of flash from its start on, and where its functions are."""

    flash: bytes
    symbols: dict[str, int]


@functools.lru_cache(maxsize=256)
def _target_image(text: str) -> Image:
    prefix = "arm-none-eabi-"
    compiler = shutil.which(prefix + "gcc")
    if compiler is None:
        pytest.skip("no arm-none-eabi-gcc on this machine")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "program.c").write_text(text + _RUNTIME)
        (folder / "link.ld").write_text(_LINKER)
        flags = [*_TARGET_FLAGS, "-fno-tree-loop-distribute-patterns", "-Wl,--no-warn-rwx-segments", "-Wl,-T,link.ld", "-Wl,-e,0"]
        subprocess.run([compiler, *flags, "-o", "program.elf", "program.c"], cwd=folder, check=True)
        subprocess.run([prefix + "objcopy", "-O", "binary", "-j", ".text", "program.elf", "flash.bin"], cwd=folder, check=True)
        listing = subprocess.run([prefix + "nm", "program.elf"], cwd=folder, check=True, capture_output=True, text=True).stdout
        rows = [line.split() for line in listing.splitlines()]
        return Image((folder / "flash.bin").read_bytes(), {row[2]: int(row[0], 16) for row in rows if len(row) == 3})


@dataclass
class _Machine:
    """A bare core with flash, SRAM and the cycle model."""

    image: Image
    strict: bool
    trouble: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.core = PlainCore([(FLASH, self.image.flash)], wait_states=WAIT_STATES)
        self.uc, self.arm, self.engine = self.core.uc, self.core.arm, self.core.engine
        u = self.uc
        self.core.on_flash_read.append(lambda offset, size: self._check_aligned(FLASH + offset, size))
        if self.strict:
            self.engine.hook_add(u.UC_HOOK_MEM_READ | u.UC_HOOK_MEM_WRITE, self._on_access, begin=SRAM, end=SRAM + SRAM_BYTES - 1)

    def _on_access(self, _engine: Any, _access: int, address: int, size: int, _value: int, _: Any) -> None:
        self.core.clear_it_bits()
        self._check_aligned(address, size)

    def _check_aligned(self, address: int, size: int) -> None:
        if address % size:
            self.trouble.append(f"unaligned access of {size} bytes at 0x{address:08x}")

    def call(self, name: str, places: Sequence[Any], runs: int) -> Run:
        """Calls a function by the procedure call standard (AAPCS32): four arguments in registers, the rest on the stack."""
        next_free = {False: SRAM + 64, True: FLASH + (len(self.image.flash) + 4095) // 4096 * 4096}
        values, homes = [], []
        for place in places:
            if not isinstance(place, Place):
                values.append(int(place) & 0xFFFF_FFFF)
                homes.append(0)
                continue
            home = next_free[place.flash] + GUARD_BYTES
            next_free[place.flash] = (home + place.array.nbytes + 2 * GUARD_BYTES + 31) // 32 * 32
            homes.append(home)
            values.append(home + place.offset * place.array.itemsize)
        assert next_free[False] < SRAM + SRAM_BYTES - STACK_BYTES, "the buffers do not fit into SRAM"
        for _ in range(runs):
            self._fill(places, homes)
            self.core.clear_counts()
            self._enter(self.image.symbols[name], values)
        assert not self.trouble, self.trouble[:3]
        buffers = []
        for i, (place, home) in enumerate(zip(places, homes, strict=True)):
            if isinstance(place, Place):
                end = home + place.array.nbytes
                _check_guards(i, self._read(home - GUARD_BYTES, GUARD_BYTES), self._read(end, GUARD_BYTES))
                data = self._read(home, place.array.nbytes)
                buffers.append(np.frombuffer(data, place.array.dtype).reshape(place.array.shape).copy())
        spent = self.core.cost
        return Run(buffers, spent.ticks / TICKS_PER_CYCLE, spent.instructions, spent.icache_misses, spent.dcache_misses)

    def _read(self, address: int, size: int) -> bytes:
        return self.core.read(address, size)

    def _fill(self, places: Sequence[Any], homes: Sequence[int]) -> None:
        for place, home in zip(places, homes, strict=True):
            if isinstance(place, Place):
                guard = bytes([GUARD]) * GUARD_BYTES
                self.engine.mem_write(home - GUARD_BYTES, guard + np.ascontiguousarray(place.array).tobytes() + guard)

    def _enter(self, address: int, values: Sequence[int]) -> None:
        arm, engine = self.arm, self.engine
        stack = SRAM + SRAM_BYTES - 1024
        engine.mem_write(stack, b"".join(v.to_bytes(4, "little") for v in values[4:]) + bytes(4))
        kept = {getattr(arm, f"UC_ARM_REG_R{i}"): 0x1111_1111 * i for i in range(4, 12)}
        kept |= {getattr(arm, f"UC_ARM_REG_S{i}"): 0x0101_0101 * i for i in range(16, 32)}
        for register, value in kept.items():
            engine.reg_write(register, value)
        for i, value in enumerate(values[:4]):
            engine.reg_write(getattr(arm, f"UC_ARM_REG_R{i}"), value)
        engine.reg_write(arm.UC_ARM_REG_SP, stack)
        stop = FLASH + FLASH_BYTES - 4
        engine.reg_write(arm.UC_ARM_REG_LR, stop | 1)
        engine.emu_start(address | 1, stop)
        assert engine.reg_read(arm.UC_ARM_REG_SP) == stack, "the stack pointer was not restored"
        lost = [register for register, value in kept.items() if engine.reg_read(register) != value]
        assert not lost, f"callee-saved registers were not restored: {lost}"
