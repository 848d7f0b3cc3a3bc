# SPDX-License-Identifier: Apache-2.0
"""Compiler and linker switches of the firmware, one table; those that choose the core come from the chip's description.

Facts come from measurements on the virtual board, from the GCC manual ("Optimize Options", "ARM Options") and from the Arm ABI. The build
(:mod:`cm4tiny.firmware.build`), the tool chain probe (:mod:`cm4tiny.firmware.toolchain`) and ``docs/firmware.md`` all use this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cm4tiny.boards.boards import default_board
from cm4tiny.boards.chips import ChipDescription

Scope = Literal["target", "compile", "harness", "model", "runtime", "link"]
Family = Literal["gcc", "clang"]


@dataclass(frozen=True)
class Flag:
    """One switch.

    ``scope`` says which commands get it: ``target`` compile and link, ``compile`` every unit, ``harness`` this project's own files,
    ``model`` the generated model, ``runtime`` the files that implement or precede memcpy, ``link`` the linker. ``families`` are the
    compilers that know it.
    """

    text: str
    scope: Scope
    why: str
    families: tuple[Family, ...] = ("gcc", "clang")


_FAMILIES: tuple[Family, ...] = ("gcc", "clang")
_GCC: tuple[Family, ...] = ("gcc",)
_CLANG: tuple[Family, ...] = ("clang",)

_COMMON: tuple[Flag, ...] = (
    Flag("-std=c11", "harness", "the harness is plain C11"),
    Flag("-std=gnu11", "model", "generated kernels may use inline assembly and attributes"),
    Flag("-O2", "harness", "nothing of the harness runs inside a measured window"),
    Flag("-O2", "model", "within 0.1 % of -O3 or up to 2 % faster, with fewer misses of the 1 KB instruction cache", _GCC),
    Flag("-fno-schedule-insns", "model", "scheduling before register allocation spills accumulators: 1 to 13 % slower", _GCC),
    Flag(
        "-fno-delete-null-pointer-checks",
        "model",
        "address 0 is memory here; GCC 12 takes a loop's base of 0 for nothing and drops layers",
    ),
    Flag("-O3", "model", "clang's own choice of unrolling", _CLANG),
    Flag("-fstrict-aliasing", "compile", "without it accumulators go to memory at each multiply: 2.2 times the instructions in ic"),
    Flag("-fhosted", "compile", "zig says -ffreestanding unasked, which makes a memcpy of one word a call: 8 times the time in ad", _CLANG),
    Flag("-fno-common", "compile", "each variable has one home"),
    Flag("-ffunction-sections", "compile", "lets the linker drop unused functions"),
    Flag("-fdata-sections", "compile", "lets the linker drop unused constants"),
    Flag("-ffp-contract=off", "compile", "the same float results on every compiler and on the host"),
    Flag("-fno-asynchronous-unwind-tables", "compile", "nothing unwinds a stack here"),
    Flag("-fno-unwind-tables", "compile", "nothing unwinds a stack here"),
    Flag("-g0", "compile", "zig adds debug information unasked; the image is independent of paths", _CLANG),
    Flag("-fno-sanitize=all", "compile", "zig adds checks unasked", _CLANG),
    Flag("-fno-stack-protector", "compile", "zig and some distributions add it unasked; the harness has its own stack guard"),
    Flag("-fno-pic", "compile", "the image is linked to fixed addresses"),
    Flag("-Wall", "harness", "this project's files compile without a warning"),
    Flag("-Wextra", "harness", "this project's files compile without a warning"),
    Flag("-Wconversion", "harness", "no silent loss of bits"),
    Flag("-Wshadow", "harness", "no name hides another"),
    Flag("-Werror", "harness", "a warning stops the build"),
    Flag("-fno-tree-loop-distribute-patterns", "runtime", "or the copy loop inside memcpy becomes a call of memcpy", _GCC),
    Flag("-fno-builtin", "runtime", "the same for clang", _CLANG),
    Flag("-nostdlib", "link", "no C library, no start files, no libgcc"),
    Flag("-static", "link", "no dynamic linker on the board"),
    Flag("-Wl,--gc-sections", "link", "drops what nothing refers to"),
    Flag("-Wl,--build-id=none", "link", "the image depends on its inputs only"),
    Flag("-Wl,-e,Reset_Handler", "link", "the entry point; zig ignores the one in the linker script"),
)

RUNTIME_UNITS = frozenset({"memory.c", "startup.c"})
"""Files that implement memcpy or run before it may be used."""


def all_flags(chip: ChipDescription | None = None) -> tuple[Flag, ...]:
    """Every switch for a chip (None: the default board's), those of its core first."""
    core = (chip or default_board().chip).core
    target = (Flag(flag.text, "target", flag.why, tuple(f for f in _FAMILIES if f in flag.families)) for flag in core.flags)
    return (*target, *_COMMON)


def flags(scope: Scope, family: Family, chip: ChipDescription | None = None) -> list[str]:
    """The switches of one scope for one compiler family, in table order."""
    return [flag.text for flag in all_flags(chip) if flag.scope == scope and family in flag.families]


def compile_flags(unit: str, family: Family, chip: ChipDescription | None = None) -> list[str]:
    """All switches for compiling one C file, named without its folder; ``model.c`` is the generated model."""
    chosen = flags("target", family, chip) + flags("compile", family)
    chosen += flags("model" if unit == "model.c" else "harness", family)
    if unit in RUNTIME_UNITS:
        chosen += flags("runtime", family)
    return chosen


def link_flags(family: Family, chip: ChipDescription | None = None) -> list[str]:
    """All switches for linking, without the linker script."""
    return flags("target", family, chip) + flags("link", family)
