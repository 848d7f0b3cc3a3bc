# SPDX-License-Identifier: Apache-2.0
"""The core is the Cortex-M4 that it says: what it has, what it lacks, IT blocks across pages, and one constructor for everybody."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
from support.foreign_instructions import FOREIGN, OWN
from support.hostile_firmware import FLASH, RAM, ROOT, constant
from support.hostile_programs import PARK, poke
from support.tiny_elf import Load, tiny_elf

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.virtual import unicorn_core
from cm4tiny.boards.virtual.machine import FaultKind, StopReason
from cm4tiny.deadline import Deadline
from cm4tiny.errors import BoardError, DeviceFaultError

FPU_ON = poke((0xE000ED88, 0xF00000))


def write_code(folder: Path, code: list[int], *, places: dict[int, list[int]] | None = None, vectors: tuple[int, ...] = ()) -> Path:
    """An ELF: two vectors or more, code after them, and more code at other offsets of flash."""
    table = struct.pack(f"<{2 + len(vectors)}I", RAM + 0xA0000, FLASH + 9 + 4 * len(vectors), *vectors)
    loads = [Load(table + struct.pack(f"<{len(code)}H", *code), FLASH)]
    loads += [Load(struct.pack(f"<{len(more)}H", *more), FLASH + at) for at, more in (places or {}).items()]
    path = folder / "program.elf"
    path.write_bytes(tiny_elf(*loads))
    return path


def run(elf: Path, seconds: float = 0.001) -> tuple[int, int, int]:
    """Three words of RAM after it ran."""
    with VirtualBoard(elf) as board:
        board.link.read(Deadline(seconds, board.link.clock))
        return struct.unpack("<3I", board.read_memory(RAM, 12))


def alone(encoding: str) -> list[int]:
    """The instruction, with the FPU on and R1 pointing to RAM, then a mark in RAM."""
    halfwords = [int(part, 16) for part in encoding.split()]
    return [*FPU_ON, *constant(1, RAM + 0x100), 0xE7FF, *halfwords, *poke((RAM, 1)), PARK]


@pytest.mark.parametrize("name", FOREIGN)
def test_an_instruction_of_another_core_is_undefined(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeviceFaultError, match="invalid instruction") as caught:
        run(write_code(tmp_path, alone(FOREIGN[name])))
    fault = caught.value.fault  # type: ignore[attr-defined]
    assert fault.kind is FaultKind.INSTRUCTION and fault.cfsr & 1 << 16  # UNDEFINSTR
    assert fault.pc == FLASH + 8 + 2 * (len(FPU_ON) + 4 + 1)


@pytest.mark.parametrize("name", OWN)
def test_an_instruction_of_this_core_runs(tmp_path: Path, name: str) -> None:
    assert run(write_code(tmp_path, alone(OWN[name])))[0] == 1


@pytest.mark.parametrize("name", ["ldrexd r0, r2, [r1]", "vmrs r0, fpexc"])
def test_an_undefined_instruction_late_in_a_block_runs_what_is_before_it(tmp_path: Path, name: str) -> None:
    code = alone(FOREIGN[name])
    before = [*poke((RAM, 0), (RAM + 4, 7)), *code]
    with VirtualBoard(write_code(tmp_path, before)) as board:
        with pytest.raises(DeviceFaultError, match="invalid instruction"):
            board.link.read(Deadline(0.001, board.link.clock))
        assert board.read_memory(RAM + 4, 1) == b"\x07" and board.read_memory(RAM, 1) == b"\0"


def test_a_branch_to_an_exc_return_value_outside_of_a_handler_is_a_jump_to_nowhere(tmp_path: Path) -> None:
    with pytest.raises(DeviceFaultError, match="no code can be: 0xfffffff8"):
        run(write_code(tmp_path, [*constant(5, 0xFFFFFFF9), 0x4728, PARK]))


# --- IT blocks -------------------------------------------------------------------------------------------------------------------------
#
# A round: R11 counts; an IT block around a page end loads from RAM, flash or a peripheral and sets R2 to 1 for an odd count, else 0; a
# wrong R2 adds one to R9. Before the block a branch.w goes to it, so that the block's page is entered by a fetch.

BODY_BYTES = 2 + 4 + 2 + 2 + 4
SOURCES = {"RAM": RAM + 0x300, "flash": FLASH + 0x40, "a peripheral": 0x48001410}


def it_program(before_page_end: int, source: int, period: int) -> tuple[list[int], dict[int, list[int]], tuple[int, ...]]:
    start = 0x2000 - before_page_end - 4
    block = [0xF01B, 0x0F01, 0, 0xF8D5, 0x1000, 0x2201, 0x2200, 0xF8D5, 0x1004]
    block[2] = 0xBF00 | 1 << 4 | 0b1001  # ITTEE NE
    check = [0xF00B, 0x0301, 0x429A, 0xD001, 0xF109, 0x0901, 0xF1BA, 0x0A01]
    back = start + 2 * (len(block) + len(check))
    first = [
        *poke((0x4002104C, 1 << 5), (0xE000E014, period - 1), (0xE000E018, 0), (0xE000E010, 7 if period else 0)),
        *constant(5, source), *constant(10, 300), 0xF04F, 0x0900, 0xF04F, 0x0B00]  # fmt: skip
    vectors = (*[FLASH + 0x101] * 13, FLASH + 0x101)
    loop = 8 + 4 * len(vectors) + 2 * len(first)
    code = [*first, 0xF10B, 0x0B01, *_branch(loop + 4, start)]
    code += [0xBF00] * (0x80 - len(code) - 4 - 2 * len(vectors)) + [0x4770]
    done = [0xB672, *constant(0, RAM), 0xF8C0, 0x9000, 0x2101, 0x6041, PARK]
    rest = [*block, *check, 0xD001, *_branch(back + 2, loop)]
    return code, {start: [*rest, *done]}, vectors


def _branch(source: int, target: int) -> list[int]:
    offset = target - source - 4
    sign, i1, i2 = offset >> 24 & 1, offset >> 23 & 1, offset >> 22 & 1
    return [0xF000 | sign << 10 | offset >> 12 & 0x3FF, 0x9000 | (i1 ^ 1 ^ sign) << 13 | (i2 ^ 1 ^ sign) << 11 | offset >> 1 & 0x7FF]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("before", range(-2, BODY_BYTES + 2, 2))
def test_an_it_block_across_a_page_runs_as_one(tmp_path: Path, before: int, source: str) -> None:
    for period in (0, 131, 997):
        code, places, vectors = it_program(before, SOURCES[source], period)
        assert run(write_code(tmp_path, code, places=places, vectors=vectors), 0.1)[:2] == (0, 1)


def test_results_do_not_depend_on_how_often_the_host_stops_the_board(tmp_path: Path) -> None:
    code, places, vectors = it_program(6, SOURCES["RAM"], 131)
    counts = set()
    for step_ps in (10**11, 3_000_000, 700_001):
        with VirtualBoard(write_code(tmp_path, code, places=places, vectors=vectors)) as board, board.guard as machine:
            reason, stops = StopReason.LIMIT, 0
            while reason is StopReason.LIMIT:
                reason, stops = machine.run(machine.time_ps + step_ps), stops + 1
            assert reason is StopReason.PARKED and (stops > 500 or step_ps > 10**9)
            errors, done = struct.unpack("<2I", board.read_memory(RAM, 8))
            assert (errors, done) == (0, 1)
            counts.add((board.statistics().instructions, board.statistics().exceptions, board.cycles))
    assert len(counts) == 1


# --- one constructor ---------------------------------------------------------------------------------------------------------------------


def test_nobody_opens_unicorn_by_himself() -> None:
    opening = re.compile(r"\bUc\(|uc_open\(|MODE_MCLASS(?!`)")
    allowed = {"unicorn_core.py", "machine.c", Path(__file__).name}
    found = []
    for folder in ("src", "tests", "benchmarks", "tools"):
        for path in (ROOT / folder).rglob("*"):
            if (
                path.suffix in (".py", ".c", ".h")
                and path.name not in allowed
                and opening.search(path.read_text(encoding="utf-8").replace("CS_MODE_MCLASS", ""))
            ):
                found.append(path.name)
    assert found == []


@pytest.mark.parametrize("lie", range(len(unicorn_core.PROBES)))
def test_a_unicorn_that_opens_another_core_is_refused(monkeypatch: pytest.MonkeyPatch, lie: int) -> None:
    name, code, expected = unicorn_core.PROBES[lie]
    monkeypatch.setattr(unicorn_core, "PROBES", ((name, code, not expected),))
    monkeypatch.setattr(unicorn_core, "_checked", False)
    with pytest.raises(BoardError, match="did not open a Cortex-M4") as caught:
        unicorn_core.open_core()
    assert name in caught.value.why


def test_a_model_that_is_not_the_one_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import unicorn

    monkeypatch.setattr(unicorn, "UC_MODE_THUMB", unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    with pytest.raises(BoardError, match="did not open a Cortex-M4"):
        unicorn_core.open_core(check=False)


# --- Q after SMLAD -----------------------------------------------------------------------------------------------------------------------

MINIMUM, SMLAD, SMLADX, SMUAD, SMLABB = 0x80008000, (0xFB20, 0x2301), (0xFB20, 0x2311), (0xFB20, 0xF301), (0xFB10, 0x2301)
CLEAR_FLAGS, READ_FLAGS, KEEP = [0xF04F, 0x0800, 0xF388, 0x8C00], [0xF3EF, 0x8400], [*constant(6, RAM), 0x6033, 0x6074, PARK]
"""APSR := 0 by R8; R4 := APSR; R3 and R4 to RAM."""


def q_program(n: int, m: int, a: int, *middle: int) -> list[int]:
    return [*constant(0, n), *constant(1, m), *constant(2, a), *CLEAR_FLAGS, *middle, *READ_FLAGS, *KEEP]


def infinite(n: int, m: int, a: int) -> tuple[int, int]:
    """Result and Q of SMLAD: DDI0403, the sum in infinite precision."""

    def signed(value: int, bits: int) -> int:
        return (value & (1 << bits) - 1) - ((value >> bits - 1 & 1) << bits)

    total = signed(n, 16) * signed(m, 16) + signed(n >> 16, 16) * signed(m >> 16, 16) + signed(a, 32)
    return total & 0xFFFFFFFF, int(not -(1 << 31) <= total < 1 << 31)


@pytest.mark.parametrize("a", [0x80000000, 0xFFFFFFFF, 0, 1, 0x7FFFFFFF])
@pytest.mark.parametrize(("n", "m"), [(MINIMUM, MINIMUM), (MINIMUM, 0x80008001), (0x7FFF7FFF, 0x7FFF7FFF), (MINIMUM, 0x7FFF7FFF)])
def test_smlad_sets_q_for_the_sum_in_infinite_precision(tmp_path: Path, n: int, m: int, a: int) -> None:
    for code in (SMLAD, SMLADX):
        result, flags, _ = run(write_code(tmp_path, q_program(n, m, a, *code)))
        assert (result, flags >> 27 & 1) == infinite(n, m, a)


def test_q_that_another_instruction_set_stays(tmp_path: Path) -> None:
    for middle in ([*SMUAD, *SMLAD], [*SMLAD, *SMUAD], [*SMLAD, 0xFB10, 0xF909, *SMLABB, *SMUAD]):
        assert run(write_code(tmp_path, q_program(MINIMUM, MINIMUM, 0x80000000, *middle)))[1] >> 27 == 1
    assert run(write_code(tmp_path, q_program(MINIMUM, MINIMUM, 0x80000000, *SMLAD, *SMLADX)))[1] >> 27 == 0


@pytest.mark.parametrize("condition", ["taken", "not taken"])
def test_q_after_smlad_in_an_it_block(tmp_path: Path, condition: str) -> None:
    """CMP R8, R8 sets Z; ITT, SMLAD, ADDS: without effect on Q either way."""
    it = 0xBF04 if condition == "taken" else 0xBF1C
    result, flags, _ = run(write_code(tmp_path, q_program(MINIMUM, MINIMUM, 0x80000000, 0x2300, 0x45C0, it, *SMLAD, 0x3305)))
    assert (result, flags >> 27) == ((5, 0b01100) if condition == "taken" else (0, 0b01100))


def test_q_after_smlad_is_right_when_interrupts_come_in_between(tmp_path: Path) -> None:
    """Every SMLAD begins a block, so that SysTick may come before and after it; its handler returns at once."""
    around = [0xE7FF, *SMLAD, 0xE7FF] * 40
    ticks = poke((0xE000E014, 40), (0xE000E018, 0), (0xE000E010, 7))
    vectors = (*[FLASH + 0x81] * 13, FLASH + 0x81)
    first = 8 + 4 * len(vectors)
    code = [0xE000 | (0x90 - first - 4) // 2, *[0xBF00] * ((0x80 - first) // 2 - 1), 0x4770, *[0xBF00] * 7]
    code += [*ticks, *q_program(MINIMUM, MINIMUM, 0x80000000, *around)]
    with VirtualBoard(write_code(tmp_path, code, vectors=vectors)) as board:
        board.link.read(Deadline(0.01, board.link.clock))
        result, flags = struct.unpack("<2I", board.read_memory(RAM, 8))
        assert (result, flags >> 27 & 1) == (0, 0) and board.statistics().exceptions > 10


def test_code_that_reads_q_and_appears_late_is_noted_once_if_q_may_be_wrong(tmp_path: Path) -> None:
    """The firmware writes its MRS into RAM, in two halves, after an SMLAD."""
    text = [0xF3EF, 0x8400, 0x4770, 0xBF00]
    code = [*constant(0, MINIMUM), *constant(1, MINIMUM), *constant(2, 0x80000000), *CLEAR_FLAGS, *SMLAD]
    for at, half in enumerate(text):
        code += [*constant(6, RAM + 0x200 + 2 * at), *constant(7, half), 0x8037]
    code += [*constant(5, RAM + 0x201), 0x47A8, *KEEP]
    with VirtualBoard(write_code(tmp_path, code)) as board:
        board.link.read(Deadline(0.001, board.link.clock))
        assert struct.unpack("<2I", board.read_memory(RAM, 8))[1] >> 27 == 1
        assert sum("Q may be set" in note for note in board.statistics().notes) == 1


def test_the_link_register_is_all_ones_after_a_reset(tmp_path: Path) -> None:
    """Armv7-M Architecture Reference Manual, B1.5.5, TakeReset()."""
    with VirtualBoard(write_code(tmp_path, [*constant(0, RAM), 0x4671, 0x6001, PARK])) as board:
        board.link.read(Deadline(0.001, board.link.clock))
        assert board.read_memory(RAM, 4) == b"\xff\xff\xff\xff"
