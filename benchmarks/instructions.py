# SPDX-License-Identifier: Apache-2.0
"""Instructions per inference: compiles models with the engine, builds each as a bare image and counts on unicorn.

    python benchmarks/instructions.py [MODEL.tflite...] [--cc "arm-none-eabi-gcc"] [--flags "-O2"] [--layers]

The image holds the model, a start-up that calls it once, memcpy and memset; nothing else. The output is compared with the reference
kernels. Instructions are not cycles: flash wait states and pipeline effects are the virtual board's business.
"""

from __future__ import annotations

import argparse
import bisect
import json
import shlex
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import capstone
import numpy as np
import unicorn
from elftools.elf.elffile import ELFFile
from unicorn import arm_const

from cm4tiny.benchmarks import BENCHMARKS, embedded_model
from cm4tiny.boards.virtual.unicorn_core import open_core
from cm4tiny.firmware.flags import flags
from cm4tiny.firmware.microtvm import CompiledModel, compile_model
from cm4tiny.firmware.reference import reference_run

OFFICIAL = ("ad01_int8", "pretrainedResnet_quant", "kws_ref_model", "vww_96_int8", "str_ww_ref_model")
TARGET = "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard -std=c11 -ffunction-sections -fdata-sections"
STARTUP = """
#include "model.h"
#include <stddef.h>
int8_t bench_input[CM4TINY_MODEL_INPUT_SIZE] __attribute__((aligned(8)));
int8_t bench_output[CM4TINY_MODEL_OUTPUT_SIZE] __attribute__((aligned(8)));
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memset(void *to, int value, size_t n) {
    unsigned char *p = to;
    uint32_t word = (uint8_t)value * 0x01010101u;
    for (; n && ((uintptr_t)p & 3); --n) *p++ = (unsigned char)value;
    for (; n >= 4; n -= 4, p += 4) *(uint32_t *)(void *)p = word;
    for (; n; --n) *p++ = (unsigned char)value;
    return to;
}
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    unsigned char *p = to;
    const unsigned char *q = from;
    for (; n >= 4; n -= 4, p += 4, q += 4) {
        uint32_t word = ((const struct { uint32_t v; } __attribute__((packed)) *)(const void *)q)->v;
        ((struct { uint32_t v; } __attribute__((packed)) *)(void *)p)->v = word;
    }
    for (; n; --n) *p++ = *q++;
    return to;
}
void bench_done(void) { for (;;) { } }
__attribute__((section(".start"), naked)) void bench_start(void) { __asm__("bl bench_run\\n b bench_done"); }
__attribute__((used)) void bench_run(void) { cm4tiny_model_run(bench_input, bench_output); }
"""
LINK = """
MEMORY { FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 2M  RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 640K }
ENTRY(bench_start)
SECTIONS {
  .text : { KEEP(*(.start)) *(.text*) *(.rodata*) } > FLASH
  .data : { *(.data*) } > RAM AT > FLASH
  .bss (NOLOAD) : { *(.bss*) *(COMMON) } > RAM
}
"""


def build(model: CompiledModel, folder: Path, cc: str, flags: str) -> Path:
    """The bare image as ELF; links against nothing, so that every symbol the model needs must be here."""
    for name, text in (("model.c", model.source), ("model.h", model.header), ("start.c", STARTUP), ("link.ld", LINK)):
        (folder / name).write_text(text)
    elf = folder / "image.elf"
    command = [*shlex.split(cc), *shlex.split(TARGET), *shlex.split(flags), "-nostdlib", "-nostartfiles", "-Wl,--gc-sections"]
    subprocess.run([*command, "-T", "link.ld", "-o", str(elf), "model.c", "start.c"], cwd=folder, check=True)
    return elf


def symbols(elf: ELFFile) -> dict[str, int]:
    """Addresses by name, without the Thumb bit."""
    return {s.name: s["st_value"] & ~1 for s in elf.get_section_by_name(".symtab").iter_symbols() if s.name}


class Counter:
    """Runs an image and counts instructions per function."""

    def __init__(self, path: Path) -> None:
        elf = ELFFile(path.open("rb"))
        self.symbols = symbols(elf)
        self.machine = open_core()
        self.machine.mem_map(0x08000000, 2 << 20)
        self.machine.mem_map(0x20000000, 1 << 20)
        for segment in elf.iter_segments():
            if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]:
                self.machine.mem_write(segment["p_vaddr"], segment.data())
        functions = sorted((s["st_value"] & ~1, s.name) for s in elf.get_section_by_name(".symtab").iter_symbols()
                           if s["st_info"]["type"] == "STT_FUNC")  # fmt: skip
        self._starts, self._names = [f[0] for f in functions], [f[1] for f in functions]
        self._disassembler = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
        self._lengths: dict[tuple[int, int], int] = {}
        self._blocks: dict[tuple[int, int], int] = {}
        self.machine.hook_add(unicorn.UC_HOOK_BLOCK, self._enter)

    def _enter(self, machine: Any, address: int, size: int, _: Any) -> None:
        key = (address, size)
        self._blocks[key] = self._blocks.get(key, 0) + 1

    def run(self, data: bytes, size: int) -> bytes:
        """One inference; returns ``size`` bytes of output."""
        self._blocks.clear()
        self.machine.mem_write(self.symbols["bench_input"], data)
        self.machine.reg_write(arm_const.UC_ARM_REG_SP, 0x200F0000)
        self.machine.emu_start(self.symbols["bench_start"] | 1, self.symbols["bench_done"])
        return bytes(self.machine.mem_read(self.symbols["bench_output"], size))

    def by_function(self) -> dict[str, int]:
        """Instructions of the last run by function."""
        counts: dict[str, int] = {}
        for (address, size), times in self._blocks.items():
            name = self._names[bisect.bisect_right(self._starts, address) - 1]
            counts[name] = counts.get(name, 0) + times * self._length(address, size)
        return counts

    def _length(self, address: int, size: int) -> int:
        key = (address, size)
        if key not in self._lengths:
            code = bytes(self.machine.mem_read(address, size))
            self._lengths[key] = sum(1 for _ in self._disassembler.disasm_lite(code, address))
        return self._lengths[key]


def measure(path: Path, cc: str, switches: str) -> dict[str, Any]:
    """One row: instructions, sizes, times."""
    tflite = path.read_bytes()
    started = time.monotonic()
    model = compile_model(tflite, name=path.stem)
    seconds = time.monotonic() - started
    with tempfile.TemporaryDirectory() as name:
        elf = build(model, Path(name), cc, switches)
        sizes = {s.name: s["sh_size"] for s in ELFFile(elf.open("rb")).iter_sections()}
        counter = Counter(elf)
        data = np.random.default_rng(0).integers(-128, 128, model.input.size).astype(np.int8)
        exact = counter.run(data.tobytes(), model.output.size) == reference_run(tflite, data)[0].tobytes()
        functions = counter.by_function()
    return {
        "model": path.stem,
        "instructions": sum(functions.values()),
        "macs": sum(layer.macs for layer in model.layers),
        "exact": exact,
        "text": sizes[".text"],
        "bss": sizes[".bss"],
        "arena": model.arena_bytes,
        "constants": model.const_bytes,
        "compile_s": round(seconds, 2),
        "functions": functions,
    }


def default_models() -> list[Path]:
    """MLPerf Tiny's five int8 models next to the checkout, else the embedded ones."""
    mirror = Path(__file__).resolve().parents[2] / "shared" / "mirror"
    official = [next(iter(mirror.glob(f"**/trained_models/{name}.tflite")), None) for name in OFFICIAL]
    return [path for path in official if path] or [embedded_model(benchmark) for benchmark in BENCHMARKS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "models", nargs="*", type=Path, help="default: MLPerf Tiny's from ../shared/mirror if that is there, else the embedded ones"
    )
    parser.add_argument("--cc", default="arm-none-eabi-gcc")
    parser.add_argument("--flags", default=" ".join(flags("model", "gcc")))
    parser.add_argument("--layers", action="store_true", help="also list the functions")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for path in args.models or default_models():
        row = measure(path, args.cc, args.flags)
        functions = row.pop("functions")
        if args.json:
            print(json.dumps(row))
        else:
            ratio = row["instructions"] / max(1, row["macs"])
            print(f"{row['model']:24} {row['instructions'] / 1e6:8.3f} M instructions, {ratio:5.2f} per MAC, exact {row['exact']}, "
                  f"text {row['text']}, bss {row['bss']}, arena {row['arena']}, compiled in {row['compile_s']} s")  # fmt: skip
        if args.layers:
            for name, count in sorted(functions.items()):
                print(f"    {name:28} {count:10}")


if __name__ == "__main__":
    main()
