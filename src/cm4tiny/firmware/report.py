# SPDX-License-Identifier: Apache-2.0
"""What an image consists of: memory use by region, section and symbol.

Figures come from the ELF file itself (:mod:`cm4tiny.firmware.image`), so they are the same for every tool chain and need no size tool.
"""

from __future__ import annotations

from dataclasses import dataclass

from cm4tiny.firmware.image import FLASH, RAM, Image, Region, Symbol


@dataclass(frozen=True)
class RegionUse:
    """How full a memory is; ``used`` and ``size`` in bytes. ``used`` of the RAM includes the room reserved for the stack."""

    region: str
    used: int
    size: int

    @property
    def percent(self) -> float:
        """Share in use, 0 to 100."""
        return 100.0 * self.used / self.size


@dataclass(frozen=True)
class MemoryReport:
    """Memory use of an image. ``sections`` are (name, address, bytes); ``largest`` are its largest functions and objects."""

    regions: tuple[RegionUse, ...]
    sections: tuple[tuple[str, int, int], ...]
    largest: tuple[Symbol, ...]

    def markdown(self) -> str:
        """The report as Markdown tables."""
        lines = ["| memory | used | of | |", "|---|---:|---:|---:|"]
        lines += [f"| {use.region} | {use.used} | {use.size} | {use.percent:.1f} % |" for use in self.regions]
        lines += ["", "| section | address | bytes |", "|---|---|---:|"]
        lines += [f"| {name} | 0x{address:08X} | {size} |" for name, address, size in self.sections]
        lines += ["", "| symbol | memory | bytes |", "|---|---|---:|"]
        lines += [f"| {symbol.name} | {_memory(symbol.address)} | {symbol.size} |" for symbol in self.largest]
        return "\n".join(lines) + "\n"


def memory_report(image: Image, *, largest: int = 10) -> MemoryReport:
    """The report of an image that :func:`cm4tiny.firmware.image.read_elf` has read."""
    symbols = sorted((s for s in image.symbols.values() if s.size), key=lambda s: (-s.size, s.name))
    return MemoryReport(
        regions=(_use(FLASH, image.flash_bytes), _use(RAM, image.ram_bytes + image.stack_bytes)),
        sections=tuple((section.name, section.address, section.size) for section in image.sections),
        largest=tuple(symbols[:largest]),
    )


def _use(region: Region, used: int) -> RegionUse:
    return RegionUse(region.name, used, region.size)


def _memory(address: int) -> str:
    return next((region.name for region in (FLASH, RAM) if address in region), "")
