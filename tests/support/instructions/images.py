# SPDX-License-Identifier: Apache-2.0
"""An image of many sequences, with a driver: the same for the virtual board and for qemu's Cortex-M4 (mps2-an386).

The driver sets all registers from a pool of words, runs a sequence, and turns registers, APSR, FPSCR, stack pointer, memory and the status
of a fault into one word. No assembler is needed: the driver's few instructions are written here by their encodings (DDI0403 chapter A7).
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, replace

from support.instructions.sequences import WINDOW, WINDOW_BYTES, SequenceWriter, branch, conditional_branch, constant
from support.tiny_elf import Load, tiny_elf

BOARD_FLASH, QEMU_FLASH, RAM = 0x08000000, 0, 0x20000000
STATE, FAULT, STACK, DUMP, RESULTS, RAM_CODE = RAM, RAM + 0x100, RAM + 0x6000, RAM + 0x8000, RAM + 0x10000, RAM + 0x40000
INDEX, CODE, DONE = STATE, STATE + 4, STATE + 8
DUMP_WORDS = 32 + 3 + 14
"""S0 to S31; APSR, FPSCR, stack pointer; R0 to R12, LR."""
ALL_WORDS = DUMP_WORDS + WINDOW_BYTES // 4 + 3
POOL_WORDS = 2048
_STATE_WORDS = WINDOW_BYTES // 4 + 32 + 2 + 14
_DRIVER, _SEQUENCES = 0x200, 0x10000
_FLASH_BYTES, _RAM_BYTES = 0x1E0000, 0x58000
_GAP = 0xDE00
_CORNERS = (
    0, 1, 2, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x80000001, 0x80008000, 0x7FFF7FFF, 0x7FFF8000, 0x80007FFF, 0xFFFF0000, 0x0000FFFF,
    0x80808080, 0x7F7F7F7F, 0x00010001, 0xFF00FF00, 31, 32, 33, 0x55555555, 0xAAAAAAAA)  # fmt: skip
_FLOATS = (
    0, 0x80000000, 0x3F800000, 0xBF800000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7FA00001, 0xFFC12345, 0xFF812345, 1, 0x80000001,
    0x007FFFFF, 0x00800000, 0x807FFFFF, 0x7F7FFFFF, 0xFF7FFFFF, 0x4EFFFFFF, 0x4F000000, 0xCF000000, 0xCF000001, 0x4F7FFFFF, 0x4F800000,
    0x3F000000, 0x3EFFFFFF, 0x40490FDB, 0x33800000, 0x34000000, 0x477FE000, 0x477FF000, 0x38800000, 0x387FC000, 0x33000000, 0x4B000000,
    0x4B800001)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """How an image runs. The results of an image do not depend on ``tick_cycles``.

    Attributes:
        in_ram: sequences lie in RAM instead of flash.
        traps: bits of CCR: UNALIGN_TRP (8), DIV_0_TRP (16).
        faults: some addresses are not aligned where they must be.
        tick_cycles: period of SysTick, 0 for none.
    """

    seed: int
    sequences: int
    in_ram: bool = False
    traps: int = 0
    tick_cycles: int = 0
    faults: bool = False

    @property
    def runs(self) -> int:
        """Every sequence runs from two states."""
        return 2 * self.sequences


@dataclass(frozen=True)
class Image:
    """Contents of flash and RAM by address, for one engine."""

    loads: tuple[tuple[int, bytes], ...]
    entries: tuple[tuple[int, int], ...]
    """Address and length in halfwords of each sequence."""

    def elf(self) -> bytes:
        return tiny_elf(*(Load(data, address) for address, data in self.loads))


class _Driver:
    """Code with labels."""

    def __init__(self, base: int) -> None:
        self.base = base
        self.code: list[int] = []
        self.labels: dict[str, int] = {}

    @property
    def here(self) -> int:
        return self.base + 2 * len(self.code)

    def label(self, name: str) -> None:
        self.labels[name] = self.here

    def emit(self, *halfwords: int) -> None:
        self.code += halfwords

    def set(self, register: int, value: int) -> None:
        self.emit(*constant(register, value))

    def store(self, address: int, value: int) -> None:
        self.set(0, address)
        self.set(1, value)
        self.emit(0x6001)

    def go(self, name: str, *, link: bool = False) -> None:
        """B.W or BL to a label that is known."""
        self.emit(*branch(self.here, self.labels[name], link=link))

    def back(self, condition: int, name: str) -> None:
        self.emit(*conditional_branch(condition, (self.labels[name] - self.here - 4) // 2, True))


def _pool(chance: random.Random) -> bytes:
    words = []
    for _ in range(POOL_WORDS):
        kind = chance.randrange(8)
        word = chance.getrandbits(32)
        if kind < 2:
            word = chance.choice(_CORNERS)
        elif kind < 4:
            word = chance.choice(_FLOATS)
        elif kind == 4:
            word = word & 0x807FFFFF | (127 + chance.randrange(-30, 30)) << 23
        elif kind == 5:
            word = chance.getrandbits(chance.randrange(1, 32))
        words.append(word)
    return struct.pack(f"<{POOL_WORDS}I", *words)


def _handlers(d: _Driver) -> None:
    d.label("tick")  # what an interrupt may do to everything that it need not keep
    d.emit(0xEEB7, 0x0A00, 0xEE70, 0x7A00, 0xEE80, 0x7A00)  # vmov.f32 s0, #1; vadd.f32 s15, s0, s0; vdiv.f32 s14, s0, s0
    d.label("service")
    d.set(0, 0x80008000)
    d.emit(0xFB20, 0xF100, 0xFA80, 0xF240, 0x1889)  # smuad r1, r0, r0; uadd8 r2, r0, r0; adds r1, r1, r2
    d.set(3, 0x12345678)
    d.set(12, RAM + 0x200)
    d.emit(0xE85C, 0x1F00, 0x4770)  # ldrex r1, [r12]; bx lr: entry and return clear the monitor
    d.label("fault")
    d.emit(0x4668, 0x6981)  # mov r0, sp; ldr r1, [r0, #24]
    d.set(3, CODE)
    d.emit(0x681A, 0xF022, 0x0201, 0x1A89, 0xF5B1, 0x5F80, 0xBF28, 0x1889)  # r1 -= [CODE] & ~1; cmp r1, #4096; it hs: r1 += r2
    d.set(3, FAULT)
    d.emit(0x6059)  # str r1, [r3, #4]
    d.set(2, 0xE000ED28)
    d.emit(0x6811, 0x6011, 0x6019, 0x6851, 0x6051, 0x6099)  # CFSR and HFSR: read, cleared, kept
    d.set(1, d.labels["end"])
    d.emit(0x6181, 0x2100, 0x6141)  # return address, LR := 0
    d.emit(0x69C1)
    d.set(2, 0x0600FC00)
    d.emit(0x4391, 0xF041, 0x7180, 0x61C1, 0x4770)  # bic r1, r2; orr r1, #0x01000000; str r1, [r0, #28]; bx lr


def _driver(base: int, plan: Plan, table: int, *, qemu: bool, start: int) -> _Driver:
    d = _Driver(base + _DRIVER)
    d.label("absorb")  # r4 := hash of r4 and r1 words at r0, with the factor r5
    d.emit(0xF850, 0x2B04, 0x4054, 0x436C, 0xEA84, 0x34D4, 0x3901)
    d.back(1, "absorb")
    d.emit(0x4770)
    d.label("copy")  # r1 words from r0 to r2
    d.emit(0xF850, 0x3B04, 0xF842, 0x3B04, 0x3901)
    d.back(1, "copy")
    d.emit(0x4770)
    d.label("done")
    if qemu:
        _write_out(d, plan)
    else:
        d.store(DONE, 1)
    d.emit(0xE7FE)
    d.label("next")
    d.set(0, INDEX)
    d.set(2, plan.runs)
    d.emit(0x6801, 0x4291)  # ldr r1, [r0]; cmp r1, r2
    d.back(2, "done")
    d.set(2, table)
    d.emit(0xEB02, 0x02C1, 0xE9D2, 0x8700)  # add r2, r2, r1, lsl #3; ldrd r8, r7, [r2]
    d.set(0, CODE)
    d.emit(0xF8C0, 0x8000, 0x2100)
    d.set(0, FAULT)
    d.emit(0x6001, 0x6041, 0x6081)
    d.emit(0x4638)  # mov r0, r7
    d.set(1, WINDOW_BYTES // 4)
    d.set(2, WINDOW)
    d.go("copy", link=True)
    d.emit(0x4607)  # mov r7, r0
    d.emit(0xECB7, 0x0A20)  # vldmia r7!, {s0-s31}
    d.set(1, 0xF7C0009F)
    d.emit(0xF857, 0x0B04, 0x4008, 0xEEE1, 0x0A10)  # ldr r0, [r7], #4; ands r0, r1; vmsr fpscr, r0
    d.emit(0xF857, 0x0B04, 0xF380, 0x8C00)  # ldr r0, [r7], #4; msr apsr_nzcvqg, r0
    d.emit(0xF84D, 0x8D04, 0xF3BF, 0x8F2F)  # push {r8}; clrex
    d.emit(0xE897, 0x5FFF, 0xBD00)  # ldm r7, {r0-r12, lr}; pop {pc}
    d.label("end")
    d.emit(0xE92D, 0x5FFF, 0xF3EF, 0x8400, 0xEEF1, 0x5A10, 0x466E)  # push {r0-r12, lr}; mrs r4, apsr; vmrs r5, fpscr; mov r6, sp
    d.emit(0x2000, 0xF380, 0x8810, 0xF380, 0x8811, 0xF380, 0x8813)  # masks off
    d.emit(0xB470, 0xED2D, 0x0A20)  # push {r4-r6}; vpush {s0-s31}
    d.set(4, 0x811C9DC5)
    d.set(5, 0x01000193)
    for place, count in ((None, DUMP_WORDS), (WINDOW, WINDOW_BYTES // 4), (FAULT, 3)):
        d.set(0, place) if place else d.emit(0x4668)
        d.set(1, count)
        d.go("absorb", link=True)
    d.set(0, INDEX)
    d.emit(0x6806)  # ldr r6, [r0]
    d.set(1, RESULTS)
    d.emit(0xF841, 0x4026, 0x1C76, 0x6006)  # str r4, [r1, r6, lsl #2]; adds r6, r6, #1; str r6, [r0]
    if plan.sequences == 1:
        to = DUMP
        for place, count in ((None, DUMP_WORDS), (WINDOW, WINDOW_BYTES // 4), (FAULT, 3)):
            d.set(0, place) if place else d.emit(0x4668)
            d.set(1, count)
            d.set(2, to)
            d.go("copy", link=True)
            to += 4 * count
    d.set(0, STACK)
    d.emit(0x4685)  # mov sp, r0
    d.go("next")
    _handlers(d)
    d.label("reset")
    d.store(0xE000ED88, 0xF00000)
    d.emit(0xF3BF, 0x8F4F, 0xF3BF, 0x8F6F)
    d.store(0xE000ED14, 0x200 | plan.traps)
    d.store(0xE000ED24, 0x70000)
    if plan.tick_cycles and not qemu:
        d.store(0xE000E014, plan.tick_cycles - 1)
        d.store(0xE000E018, 0)
        d.store(0xE000E010, 7)
    d.store(INDEX, start)
    d.go("next")
    return d


def _write_out(d: _Driver, plan: Plan) -> None:
    """Semihosting: SYS_OPEN of the console, SYS_WRITE, SYS_EXIT."""
    name, block = RAM + 0x300, RAM + 0x310
    words = [(name, 0x0074743A), (block, name), (block + 4, 4), (block + 8, 3)]
    for address, value in words:
        d.store(address, value)
    pieces = [(RESULTS, 4 * plan.runs)] + ([(DUMP, 4 * ALL_WORDS)] if plan.sequences == 1 else [])
    d.set(0, 1)
    d.set(1, block)
    d.emit(0xBEAB, 0x4604)
    for address, size in pieces:
        d.store(block + 4, address)
        d.store(block + 8, size)
        d.set(1, block)
        d.emit(0x600C)  # str r4, [r1]: the handle
        d.set(0, 5)
        d.emit(0xBEAB)
    d.set(0, 0x18)
    d.set(1, 0x20026)
    d.emit(0xBEAB)


def build(plan: Plan, *, qemu: bool, only: int | None = None, code: list[int] | None = None, start: int = 0) -> Image:
    """The image of a plan. ``only``: of one run alone, whose results are dumped as well; ``code`` replaces its sequence; ``start``: the
    first run (results of those before it stay as they are).

    Every fourth sequence lies across the end of a page of 4096 bytes.
    """
    chance = random.Random(f"cm4tiny instructions {plan.seed}")
    base = QEMU_FLASH if qemu else BOARD_FLASH
    place, room = (RAM_CODE, _RAM_BYTES) if plan.in_ram else (base + _SEQUENCES, _FLASH_BYTES - _SEQUENCES)
    first = place
    pool, writer = _pool(chance), SequenceWriter(chance, faults=plan.faults, divisions_trap=bool(plan.traps & 16))
    pool_at, table_at = base + 0x2000, base + 0x8000
    body: list[int] = []
    entries = []
    for _ in range(plan.sequences):
        at = first + 2 * len(body)
        gap = chance.randrange(3)
        if chance.random() < 0.25:
            gap = (0x1000 - at % 0x1000) // 2 - chance.randrange(1, 40)
            gap += 0x800 if gap < 0 else 0
        body += [_GAP] * gap
        at += 2 * gap
        sequence = writer.sequence(at)
        entries.append((at, len(sequence)))
        body += sequence
        body += [0, 0]  # the way back
    if 2 * len(body) > room:
        raise ValueError(f"{plan.sequences} sequences take {2 * len(body)} bytes, {room} are there")
    offsets = [4 * chance.randrange(POOL_WORDS - _STATE_WORDS) for _ in range(plan.runs)]
    runs = [(at | 1, pool_at + offset) for (at, _), offset in zip(entries * 2, offsets, strict=True)]
    if only is not None:
        runs = [runs[only]]
        plan = replace(plan, sequences=1)
        runs *= 2
    driver = _driver(base, plan, table_at, qemu=qemu, start=start)
    end = driver.labels["end"]
    loads = []
    if plan.in_ram:  # too far for a branch: ldr pc, [pc]
        loads.append((RAM_CODE - 8, struct.pack("<2HI", 0xF8DF, 0xF000, end | 1)))
        end = RAM_CODE - 8
    for i, (at, length) in enumerate(entries):
        start = (at - first) // 2
        if code is not None and only is not None and i == only % len(entries):
            body[start : start + length] = code
        body[start + length : start + length + 2] = branch(at + 2 * length, end)
    vectors = [0xFFFFFFFF] * 16
    vectors[:2] = STACK, driver.labels["reset"] | 1
    for number in (2, 3, 4, 5, 6):
        vectors[number] = driver.labels["fault"] | 1
    vectors[11], vectors[15] = driver.labels["service"] | 1, driver.labels["tick"] | 1
    loads += [
        (base, struct.pack("<16I", *vectors)),
        (base + _DRIVER, struct.pack(f"<{len(driver.code)}H", *driver.code)),
        (pool_at, pool),
        (table_at, b"".join(struct.pack("<II", *run) for run in runs)),
        (place, struct.pack(f"<{len(body)}H", *body)),
    ]
    return Image(tuple(loads), tuple(entries))
