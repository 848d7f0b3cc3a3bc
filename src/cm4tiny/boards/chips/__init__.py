# SPDX-License-Identifier: Apache-2.0
"""Descriptions of chips, one YAML file each, and the typed loader.

Everybody who needs a fact about a chip takes it from here: the build (linker script, flags, a generated header), the checks of images, the
virtual chip, whose C code is compiled for a memory map, and the flash tools.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from cm4tiny.boards.chips.clock_tree import ClockTree, Field, clock_tree
from cm4tiny.boards.description_files import read_description, refused
from cm4tiny.errors import DescriptionError, nearest

FOLDER = Path(__file__).resolve().parent
_SCHEMA = FOLDER / "chip.schema.json"


@dataclass(frozen=True)
class Memory:
    """A range of memory.

    Attributes:
        kind: ``"flash"``, ``"ram"`` or ``"rom"``.
        access: of ``r``, ``w`` (by a plain store), ``x``.
        aliases: where the same bytes are seen once more.
    """

    name: str
    kind: str
    start: int
    size: int
    access: str
    aliases: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """First address after it."""
        return self.start + self.size

    def __contains__(self, address: int) -> bool:
        return self.start <= address < self.end

    def __str__(self) -> str:
        return f"{self.name} 0x{self.start:08X}..0x{self.end - 1:08X} ({self.size // 1024} KB)"


@dataclass(frozen=True)
class TargetFlag:
    """A flag of the compiler that the core implies, for compiling and linking; ``families`` are the compilers that know it."""

    text: str
    families: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Core:
    """The core: its name and that of its FPU as GCC knows them, how floats travel, how many interrupts the chip has.

    Attributes:
        priority_bits: of an interrupt's priority.
        bit_band: each bit of the first megabytes of RAM and peripherals has a word of its own.
    """

    name: str
    fpu: str
    float_abi: str
    interrupts: int
    priority_bits: int
    bit_band: bool
    flags: tuple[TargetFlag, ...]


@dataclass(frozen=True)
class FlashGeometry:
    """Bytes of a page that is erased at once; lines of the flash interface's caches, and bytes of a line."""

    page_bytes: int
    line_bytes: int
    instruction_lines: int
    data_lines: int


@dataclass(frozen=True)
class ClockLimits:
    """In hertz: the internal oscillator, the fastest core clock, the PLL's input and oscillator, HCLK by number of wait states."""

    internal_hz: int
    max_hz: int
    pll_input_hz: tuple[int, int]
    pll_oscillator_hz: tuple[int, int]
    wait_state_hz: tuple[int, ...]


@dataclass(frozen=True)
class ChipIdentity:
    """How a chip is recognised: the 12 bits DEV_ID and where they are read, the whole word, and the address of the unique id (96 bits).

    Attributes:
        flash_kb_address: where 16 bits say how large the flash is.
        signature: (address, bytes, value) of what else can be read there.
    """

    dev_ids: tuple[int, ...]
    idcode_address: int
    idcode: int
    uid_address: int
    flash_kb_address: int
    signature: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True)
class Peripheral:
    """A peripheral's addresses: from ``base``, ``size`` bytes.

    Attributes:
        enable, enable_bit: register of RCC and its bit that clock it; empty if it is always clocked.
        enable_offset: of that register in RCC; 0 if it is always clocked.
        kernel_clock: the field of RCC that chooses its own clock; None without such a choice. Of an STM32L4+ its bit in RCC_CCIPR counts.
        driver: what the virtual chip does there; empty: nothing.
        irqs: its interrupts.
        bus: whose prescaler clocks it, ``"APB1"`` to ``"APB4"``.
        request: to the DMA's multiplexer, of its receiver; the transmitter's follows it. 0: none.
        reset: (offset, value) of registers that are not 0 after a reset.
        answers: (offset, bit, width, from offset, from bit): bits that read as others that were written, as a ready flag and its switch.
        constants: (offset, ones, zeros): bits that always read so.
    """

    name: str
    base: int
    size: int
    enable: str = ""
    enable_bit: int = 0
    enable_offset: int = 0
    kernel_clock: Field | None = None
    driver: str = ""
    irqs: tuple[int, ...] = ()
    bus: str = ""
    request: int = 0
    reset: tuple[tuple[int, int], ...] = ()
    answers: tuple[tuple[int, int, int, int, int], ...] = ()
    constants: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True)
class ChipDescription:
    """A chip. Attributes: as ``docs/add-a-board.md`` explains them; ``key`` is the file's name without ``.yaml``,
    ``sha256`` that of the file.

    Attributes:
        uart_pins: UART -> ``"tx"`` or ``"rx"`` -> pin -> alternate function.
        start_up: empty where this project has no firmware for the chip; then it runs what others built.
        clock_tree: None where the driver of RCC knows it.
        peripherals: by address.
    """

    key: str
    sha256: str
    name: str
    family: str
    start_up: str
    supply_v: tuple[float, float]
    core: Core
    boot_address: int
    memory: tuple[Memory, ...]
    flash_geometry: FlashGeometry
    clock: ClockLimits
    identity: ChipIdentity
    openocd: str
    pyocd_target: str
    pyocd_pack: str
    uart_pins: Mapping[str, Mapping[str, Mapping[str, int]]] = field(repr=False, hash=False)
    clock_tree: ClockTree | None = field(repr=False, hash=False)
    peripherals: tuple[Peripheral, ...] = field(repr=False)

    @property
    def flash(self) -> Memory:
        """Where programs are stored."""
        return next(memory for memory in self.memory if memory.kind == "flash")

    @property
    def ram(self) -> Memory:
        """The RAM that a program gets: the largest piece without a gap, as one."""
        parts = sorted((memory for memory in self.memory if memory.kind == "ram"), key=lambda memory: memory.start)
        pieces: list[Memory] = []
        for part in parts:
            before = pieces.pop() if pieces and pieces[-1].end == part.start else Memory("RAM", "ram", part.start, 0, part.access)
            pieces.append(Memory("RAM", "ram", before.start, before.size + part.size, before.access))
        return max(pieces, key=lambda piece: (piece.size, -piece.start))

    @property
    def map_text(self) -> str:
        """For messages: ``"the NAME has flash 0x08000000..0x081FFFFF (2048 KB) and RAM ..."``."""
        return f"the {self.name} has {self.flash} and {self.ram}"

    def peripheral(self, name: str) -> Peripheral:
        """A peripheral by its name; KeyError if there is none."""
        return {peripheral.name: peripheral for peripheral in self.peripherals}[name]


def chip_names(folder: Path = FOLDER) -> tuple[str, ...]:
    """The chips that are described, by the names of their files."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def find_chip(name: str, *folders: Path) -> ChipDescription:
    """A chip by the name of its file, in these folders first and then among those that come with the package.

    Raises:
        DescriptionError: there is none, or it cannot be used.
    """
    for folder in (*folders, FOLDER):
        if (folder / f"{name}.yaml").is_file():
            return read_chip(folder / f"{name}.yaml")
    known = sorted({known for folder in (*folders, FOLDER) for known in chip_names(folder)})
    raise DescriptionError(
        f"there is no description of a chip '{name}'",
        why=f"looked in {', '.join(map(str, (*folders, FOLDER)))}",
        hint=nearest(name, known) or f"use one of {', '.join(known)}, or write {name}.yaml next to the board's",
    )


def read_chip(path: Path) -> ChipDescription:
    """A chip from its file.

    Raises:
        DescriptionError: it is not YAML, breaks the schema, or contradicts itself.
    """
    status = path.stat() if path.exists() else None
    return _read_chip(path, (status.st_mtime_ns, status.st_size) if status else None)


@lru_cache(maxsize=16)
def _read_chip(path: Path, _changed: object) -> ChipDescription:
    row, sha256 = read_description(path, _SCHEMA)
    offsets: Mapping[str, int] = row["enable_registers"]
    chip = ChipDescription(
        key=path.stem,
        sha256=sha256,
        name=row["name"],
        family=row["family"],
        start_up=row.get("start_up", ""),
        supply_v=(float(row["supply_v"][0]), float(row["supply_v"][1])),
        core=_core(row["core"]),
        boot_address=row["boot_address"],
        memory=tuple(_memory(entry) for entry in row["memory"]),
        flash_geometry=FlashGeometry(**row["flash"]),
        clock=_limits(row["clock"]),
        identity=_identity(row["identity"]),
        openocd=row["tools"]["openocd"],
        pyocd_target=row["tools"]["pyocd_target"],
        pyocd_pack=row["tools"]["pyocd_pack"],
        uart_pins=row["uart_pins"],
        clock_tree=clock_tree(path, row.get("clock_tree")),
        peripherals=tuple(sorted((_peripheral(path, entry, offsets) for entry in row["peripherals"]), key=lambda p: p.base)),
    )
    _check_memory(path, chip)
    _check_core(path, chip)
    _check_clock(path, chip)
    _check_peripherals(path, chip)
    return chip


def _core(row: Mapping[str, Any]) -> Core:
    flags = tuple(TargetFlag(entry["text"], tuple(entry["families"]), entry["why"]) for entry in row["flags"])
    return Core(row["name"], row["fpu"], row["float_abi"], row["interrupts"], row["priority_bits"], row.get("bit_band", False), flags)


def _identity(row: Mapping[str, Any]) -> ChipIdentity:
    signature = tuple((address, size, value) for address, size, value in row.get("signature", ()))
    return ChipIdentity(**{**row, "dev_ids": tuple(row["dev_ids"]), "signature": signature})


def _limits(row: Mapping[str, Any]) -> ClockLimits:
    (input_least, input_most), (least, most) = row["pll_input_hz"], row["pll_oscillator_hz"]
    return ClockLimits(row["internal_hz"], row["max_hz"], (input_least, input_most), (least, most), tuple(row["wait_state_hz"]))


def _memory(row: Mapping[str, Any]) -> Memory:
    return Memory(row["name"], row["kind"], row["start"], row["bytes"], row["access"], tuple(row.get("aliases", ())))


def _peripheral(path: Path, row: Mapping[str, Any], offsets: Mapping[str, int]) -> Peripheral:
    enable, bit = row.get("clock", ("", 0))
    if enable and enable not in offsets:
        raise refused(path, f"peripherals/{row['name']}/clock", f"'{enable}' is none of enable_registers: {', '.join(offsets)}")
    irq = row.get("irq", [])
    return Peripheral(
        row["name"],
        row["base"],
        row["size"],
        enable,
        bit,
        offsets.get(enable, 0),
        _kernel_clock(row.get("kernel_clock")),
        driver=row.get("driver", ""),
        irqs=tuple(irq) if isinstance(irq, list) else (irq,),
        bus=row.get("bus", ""),
        request=row.get("request", 0),
        reset=tuple((offset, value) for offset, value in row.get("reset", ())),
        answers=tuple((at, bit, width, source, low) for at, bit, width, source, low in row.get("answers", ())),
        constants=tuple((at, ones, zeros) for at, ones, zeros in row.get("constants", ())),
    )


def _kernel_clock(entry: int | list[int] | None) -> Field | None:
    return Field(0, entry, 2) if isinstance(entry, int) else None if entry is None else Field(*entry)


def _check_memory(path: Path, chip: ChipDescription) -> None:
    """Regions, their aliases and peripherals lie apart and inside 32 bits."""
    places = [(start, start + memory.size, memory.name) for memory in chip.memory for start in (memory.start, *memory.aliases)]
    places += [(peripheral.base, peripheral.base + peripheral.size, peripheral.name) for peripheral in chip.peripherals]
    for _, end, name in places:
        if end > 1 << 32:
            raise refused(path, f"{name}: it ends at 0x{end:X}", "addresses have 32 bits")
    for first, second in itertools.pairwise(sorted(places)):
        if first[1] > second[0]:
            raise refused(
                path,
                f"{first[2]} and {second[2]} overlap",
                f"{first[2]} is 0x{first[0]:08X}..0x{first[1] - 1:08X}, {second[2]} begins at 0x{second[0]:08X}",
                "correct start, bytes (or base, size) or aliases of one of them",
            )
    _check_kinds(path, chip)


def _check_kinds(path: Path, chip: ChipDescription) -> None:
    """There is one flash that can be run, and RAM that can be written."""
    names = [memory.name for memory in chip.memory]
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise refused(path, "memory", f"two regions are called '{twice[0]}'")
    kinds = [memory.kind for memory in chip.memory]
    if kinds.count("flash") != 1 or "ram" not in kinds:
        counted = f"{kinds.count('flash')} regions are flash and {kinds.count('ram')} are RAM"
        raise refused(path, "memory", counted, "describe one flash, and at least one RAM")
    if "x" not in chip.flash.access or "w" in chip.flash.access:
        raise refused(path, f"memory/{chip.flash.name}/access", "code runs from flash, and no plain store changes it", "write rx")
    for memory in chip.memory:
        if memory.kind == "ram" and not memory.access.startswith("rw"):
            raise refused(path, f"memory/{memory.name}/access", "RAM is read and written", "write rwx, or rw where code cannot run")
    if chip.flash.size % chip.flash_geometry.page_bytes:
        raise refused(path, "flash/page_bytes", f"{chip.flash.size} bytes of flash are not whole pages of {chip.flash_geometry.page_bytes}")


def _check_core(path: Path, chip: ChipDescription) -> None:
    """Each compiler's flags choose the core."""
    core = chip.core
    fpu = () if core.fpu == "none" else (f"-mfpu={core.fpu}",)
    needed = {"gcc": (f"-mcpu={core.name}", *fpu, f"-mfloat-abi={core.float_abi}"), "clang": ("-mcpu=", "--target=")}
    for family, starts in needed.items():
        texts = [flag.text for flag in core.flags if family in flag.families]
        missing = [start for start in starts if not any(text == start or (start[-1] == "=" and text.startswith(start)) for text in texts)]
        if missing:
            raise refused(path, "core/flags", f"no flag {missing[0]} for {family}: it would compile for a core of its own choice")


def _check_clock(path: Path, chip: ChipDescription) -> None:
    """Ranges are ranges, and the fastest clock has its number of wait states."""
    low, high = chip.supply_v
    if low >= high:
        raise refused(path, "supply_v", f"{low:g} V is not less than {high:g} V")
    clock = chip.clock
    for name, (least, most) in (("pll_input_hz", clock.pll_input_hz), ("pll_oscillator_hz", clock.pll_oscillator_hz)):
        if least >= most:
            raise refused(path, f"clock/{name}", f"{least} is not less than {most}")
    if any(first >= second for first, second in itertools.pairwise(clock.wait_state_hz)):
        raise refused(path, "clock/wait_state_hz", "each more wait state allows a faster clock")
    if clock.wait_state_hz[-1] < clock.max_hz:
        raise refused(path, "clock/wait_state_hz", f"no number of wait states allows max_hz, {clock.max_hz}")


def _check_peripherals(path: Path, chip: ChipDescription) -> None:
    """Each has a name of its own, RCC and the UARTs are there, and a UART has its clocks."""
    names = [peripheral.name for peripheral in chip.peripherals]
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise refused(path, "peripherals", f"'{twice[0]}' stands there twice")
    for needed in ("RCC", *chip.uart_pins):
        if needed not in names:
            raise refused(path, "peripherals", f"{needed} is missing" + ("" if needed == "RCC" else ", and uart_pins has pins for it"))
    for uart in chip.uart_pins:
        if chip.peripheral(uart).kernel_clock is None or not chip.peripheral(uart).enable:
            raise refused(path, f"peripherals/{uart}", "a UART has a clock and a kernel_clock", "write both, as the other UARTs have")
    for peripheral in chip.peripherals:
        if chip.clock_tree is not None and peripheral.bus and peripheral.bus not in chip.clock_tree.buses:
            raise refused(path, f"peripherals/{peripheral.name}/bus", f"'{peripheral.bus}' has no prescaler in clock_tree/buses")
