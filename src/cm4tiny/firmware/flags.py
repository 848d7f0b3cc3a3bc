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
class CompilerFlag:
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

_COMMON: tuple[CompilerFlag, ...] = (
    CompilerFlag("-std=c11", "harness", "the harness is plain C11"),
    CompilerFlag("-std=gnu11", "model", "generated kernels may use inline assembly and attributes"),
    CompilerFlag("-O2", "harness", "nothing of the harness runs inside a measured window"),
    CompilerFlag("-O2", "model", "within 0.1 % of -O3 or up to 2 % faster, with fewer misses of the 1 KB instruction cache", _GCC),
    CompilerFlag("-fno-schedule-insns", "model", "scheduling before register allocation spills accumulators: 1 to 13 % slower", _GCC),
    CompilerFlag(
        "-fno-delete-null-pointer-checks",
        "model",
        "address 0 is memory here; GCC 12 takes a loop's base of 0 for nothing and drops layers",
    ),
    CompilerFlag("-O3", "model", "clang's own choice of unrolling", _CLANG),
    CompilerFlag("-fstrict-aliasing", "compile", "without it accumulators go to memory at each multiply: 2.2 times the instructions in ic"),
    CompilerFlag(
        "-fhosted", "compile", "zig says -ffreestanding unasked, which makes a memcpy of one word a call: 8 times the time in ad", _CLANG
    ),
    CompilerFlag("-fno-common", "compile", "each variable has one home"),
    CompilerFlag("-ffunction-sections", "compile", "lets the linker drop unused functions"),
    CompilerFlag("-fdata-sections", "compile", "lets the linker drop unused constants"),
    CompilerFlag("-ffp-contract=off", "compile", "the same float results on every compiler and on the host"),
    CompilerFlag("-fno-asynchronous-unwind-tables", "compile", "nothing unwinds a stack here"),
    CompilerFlag("-fno-unwind-tables", "compile", "nothing unwinds a stack here"),
    CompilerFlag("-g0", "compile", "zig adds debug information unasked; the image is independent of paths", _CLANG),
    CompilerFlag("-fno-sanitize=all", "compile", "zig adds checks unasked", _CLANG),
    CompilerFlag("-fno-stack-protector", "compile", "zig and some distributions add it unasked; the harness has its own stack guard"),
    CompilerFlag("-fno-pic", "compile", "the image is linked to fixed addresses"),
    CompilerFlag("-Wall", "harness", "this project's files compile without a warning"),
    CompilerFlag("-Wextra", "harness", "this project's files compile without a warning"),
    CompilerFlag("-Wconversion", "harness", "no silent loss of bits"),
    CompilerFlag("-Wshadow", "harness", "no name hides another"),
    CompilerFlag("-Werror", "harness", "a warning stops the build"),
    CompilerFlag("-fno-tree-loop-distribute-patterns", "runtime", "or the copy loop inside memcpy becomes a call of memcpy", _GCC),
    CompilerFlag("-fno-builtin", "runtime", "the same for clang", _CLANG),
    CompilerFlag("-nostdlib", "link", "no C library, no start files, no libgcc"),
    CompilerFlag("-static", "link", "no dynamic linker on the board"),
    CompilerFlag("-Wl,--gc-sections", "link", "drops what nothing refers to"),
    CompilerFlag("-Wl,--build-id=none", "link", "the image depends on its inputs only"),
    CompilerFlag("-Wl,-e,Reset_Handler", "link", "the entry point; zig ignores the one in the linker script"),
)

RUNTIME_UNITS = frozenset({"memory.c", "startup.c"})
"""Files that implement memcpy or run before it may be used."""


def all_flags(chip: ChipDescription | None = None) -> tuple[CompilerFlag, ...]:
    """Every switch for a chip (None: the default board's), those of its core first."""
    core = (chip or default_board().chip).core
    target = (CompilerFlag(flag.text, "target", flag.why, tuple(f for f in _FAMILIES if f in flag.families)) for flag in core.flags)
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
