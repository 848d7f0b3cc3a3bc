# SPDX-License-Identifier: Apache-2.0
"""Cycle counts of hand-made programs against counts by hand from the manual's tables."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
import virtual_board_programs as programs
from support.flash_timing import LineCache
from support.plain_core import PlainCore
from support.tiny_elf import FLASH, RAM, Load
from virtual_board_programs import (
    NOP,
    PARK,
    SLOW_FLASH,
    START,
    SVC,
    branch_if_not_zero,
    branch_wide,
    busy_cycles,
    load,
    move_wide,
    movs,
    run_parked,
    store,
    subs,
    write_elf,
)

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.virtual.cycle_model import TICKS_PER_CYCLE
from cm4tiny.boards.virtual.loader import load_elf
from cm4tiny.boards.virtual.native import PAGE_BYTES
from cm4tiny.deadline import Deadline

P = 1  # pipeline refill of a taken transfer ...
CONDITION = 1  # ... and of a conditional branch, more
PARKING = 1 + P + 1  # "b ." at the end of a block, and once more as a block of its own


def test_a_counted_loop_costs_four_cycles_a_round(tmp_path: Path) -> None:
    elf = write_elf(tmp_path, movs(0, 100), subs(0, 1), branch_if_not_zero(-1), PARK)
    statistics = run_parked(elf)
    first_round = P + 1 + 1 + 1  # reset is a transfer; movs, subs, bne
    assert busy_cycles(statistics) == first_round + 99 * (1 + 1 + P + CONDITION) + 1
    assert statistics.instructions == 3 + 99 * 2 + 1


def test_each_instruction_class_costs_what_the_manual_says(tmp_path: Path) -> None:
    elf = write_elf(
        tmp_path,
        *move_wide(1, RAM),  # 2
        load(0, 1), load(2, 1),  # 3 + 1: the first waits for its address, the second is pipelined
        NOP, store(0, 1),  # 1 + 1
        0xFB90, 0xF0F1,  # sdiv: 6
        0x4348,  # muls: 1
        0xB40F, 0xBC0F,  # push, pop of four: 5 + 5
        0xE9D1, 0x2300,  # ldrd: 3
        PARK,
    )  # fmt: skip
    statistics = run_parked(elf)
    assert busy_cycles(statistics) == P + 2 + 4 + 2 + 6 + 1 + 10 + 3 + PARKING


# The probes: a loop of known count around a few instructions. Their costs are added up by hand from the manual's tables (DDI0439, sections
# 3.3.1 to 3.3.3 and 7.2.3); a round ends with subs (1) and a taken bne, which the shortest loop has as well.
ROUNDS = 50
POST_INDEXED = [0xF851, 0x0B04]  # ldr r0, [r1], #4
PROBES = {
    "load, load": ([load(0, 1), load(2, 1)], 2 + 1),
    "load, addition, load": ([load(0, 1), 0x3401, load(2, 1)], 2 + 1 + 2),
    "store, load": ([store(0, 1), load(2, 1)], 1 + 3),
    "store, addition, load": ([store(0, 1), 0x3401, load(2, 1)], 1 + 1 + 2),
    "load, store": ([load(0, 1), store(0, 1), NOP], 2 + 0 + 1),
    "store with an index": ([0x508C], 2),  # str r4, [r1, r2]: r2 is 0
    "load, store, load": ([load(0, 1), store(0, 1), load(2, 1)], 2 + 0 + 3),
    "store, VLDR": ([0xF8C1, 0x0000, 0xEDD1, 0x0A00], 1 + 3),
    "load, load by it": ([load(2, 3), load(0, 2)], 2 + 2),
    "load, load by another": ([load(0, 3), load(2, 3)], 2 + 1),
    "load, load by it as an index": ([load(0, 5), 0x580A], 2 + 2),  # ldr r2, [r1, r0]
    "VMOV of two core registers to two single registers": ([0xEC40, 0x0A10], 2),
    "VMOV of two core registers to a double register": ([0xEC40, 0x0B10], 2),
    "VMOV of one core register": ([0xEE00, 0x0A10], 1),
    "four post-indexed loads of one base": (
        [0xEA4F, 0x0107, *POST_INDEXED * 4],
        1 + 3 + 1 + 1 + 1,
    ),  # mov.w r1, r7: an address just computed
}


@pytest.mark.parametrize("name", PROBES)
def test_a_loop_of_known_count_takes_the_manuals_cycles(tmp_path: Path, name: str) -> None:
    body, cycles = PROBES[name]
    enable_fpu = [*move_wide(1, programs.CPACR), *move_wide(0, 0x00F00000), store(0, 1)]
    # r1 = r7 = RAM + 256; r3 points at a word that holds r1, r5 at one that holds 0; r6 counts
    setup = [
        *move_wide(1, RAM + 256),
        0x460F,
        *move_wide(3, RAM),
        *move_wide(5, RAM + 8),
        store(1, 3),
        movs(0, 0),
        store(0, 5),
        movs(2, 0),
        movs(6, ROUNDS),
    ]
    pad = [NOP] * ((START // 2 + len(enable_fpu) + len(setup)) % 2)  # the loop begins at a multiple of 4
    loop = [*body, subs(6, 1)]

    def run(part: list[int]) -> int:
        return busy_cycles(run_parked(write_elf(tmp_path, *enable_fpu, *setup, *pad, *part, branch_if_not_zero(-len(part)), PARK)))

    assert run(loop) - run([subs(6, 1)]) == ROUNDS * cycles


@pytest.mark.parametrize(("name", "table", "cycles"), [("tbb", 0xE8DF, 6), ("ldr pc", 0xF8DF, 5)])
def test_a_jump_through_memory_blocks(tmp_path: Path, name: str, table: int, cycles: int) -> None:
    jump = [table, 0xF000, 0x0001] if name == "tbb" else [table, 0xF000]
    # tbb [pc, r0] with r0 = 0 reads 1: two bytes on; ldr pc, [pc, #0] reads the word after it
    if name == "ldr pc":
        target = START + 2 * 6
        program = [movs(0, 0), NOP, *jump, (target | 1) & 0xFFFF, target >> 16]
    else:
        program = [movs(0, 0), NOP, *jump]
    statistics = run_parked(write_elf(tmp_path, *program, PARK))
    assert busy_cycles(statistics) == P + 1 + 1 + cycles + 1  # "b ." is the jump's target: a block of its own


def test_int16_instructions_off_word_boundaries_cost_no_more_in_a_row_and_a_cycle_as_a_target(tmp_path: Path) -> None:
    def run(*parts: int) -> int:
        return busy_cycles(run_parked(write_elf(tmp_path, movs(0, 50), *parts, subs(0, 1), branch_if_not_zero(-1 - len(parts)), PARK)))

    wide = [0xF3AF, 0x8000]
    assert run(NOP, *wide, *wide) == run(*[NOP] * 3)
    assert run(*wide, NOP) == run(NOP, NOP) + 49  # the loop's begin, at an odd halfword


SVCALL, PENDSV, ICSR, BX_LR = 0x2C, 0x38, 0xE000ED04, 0x4770
FP_MOVE, WIDE_NOP = [0xEE00, 0x0A10], [0xF3AF, 0x8000]  # vmov s0, r0; nop.w: a cycle each


def exception_cycles(folder: Path, before: list[int], instruction: int, in_svcall: list[int]) -> int:
    """Cycles of a program with handlers for SVCall and PendSV; the latter returns at once."""
    begin, svcall, pendsv = 0x40, 0x80, 0xA0  # offsets into flash
    table = [0xE000 | (begin - 8 - 4) // 2, *[NOP] * 27]  # from offset 8: b, over the vectors
    for vector, handler in ((SVCALL, svcall), (PENDSV, pendsv)):
        table[(vector - 8) // 2 : (vector - 8) // 2 + 2] = [FLASH + handler + 1 & 0xFFFF, FLASH >> 16]
    program = [*before, instruction, NOP, PARK]
    program += [NOP] * ((svcall - begin) // 2 - len(program)) + [*in_svcall, BX_LR]
    program += [NOP] * ((pendsv - begin) // 2 - len(program)) + [BX_LR]
    return busy_cycles(run_parked(write_elf(folder, *table, *program)))


def test_entry_and_return_of_an_exception_take_the_manuals_cycles(tmp_path: Path) -> None:
    """Arm, Cortex-M4 technical reference manual, section 3.9: 12 cycles in, 10 out, with memory that never waits."""
    assert exception_cycles(tmp_path, [], SVC, []) - exception_cycles(tmp_path, [], NOP, []) == 12 + 1 + 10


def test_a_tail_chained_handler_takes_six_cycles_more(tmp_path: Path) -> None:
    """The same section: no stacking between two handlers."""
    addresses = [*move_wide(1, ICSR), *move_wide(2, 1 << 28), *move_wide(3, RAM)]
    chained, alone = (exception_cycles(tmp_path, addresses, SVC, [store(2, base)]) for base in (1, 3))
    assert chained - alone == 6 + 1  # and the second handler's own bx lr


def test_a_floating_point_context_takes_17_cycles_to_save_and_as_many_to_load(tmp_path: Path) -> None:
    """S0 to S15 and FPSCR, a word a cycle, only where the handler uses the FPU."""
    enable_fpu = [*move_wide(1, programs.CPACR), *move_wide(0, 0x00F00000), store(0, 1), *FP_MOVE]
    with_fpu, without = (exception_cycles(tmp_path, enable_fpu, SVC, handler) for handler in (FP_MOVE, WIDE_NOP))
    assert with_fpu - without == 17 + 17


# SRAM1 ends at offset 0x30000, SRAM2 at 0x40000 (RM0432 section 2.2). A round costs that many cycles more than with all in SRAM1.
SRAM2, SRAM3 = RAM + 0x30000, RAM + 0x40000
POST = [0xF851, 0x2B04]  # ldr r2, [r1], #4
BANKS = {
    "load": (RAM, RAM, [load(2, 1)], 0),
    "load from SRAM2": (SRAM2, RAM, [load(2, 1)], 1),
    "load from SRAM3": (SRAM3, RAM, [load(2, 1)], 1),
    "two pipelined loads": (SRAM3, RAM, [load(2, 1), load(4, 1, 4)], 1),
    "two loads apart": (SRAM3, RAM, [load(2, 1), NOP, load(4, 1, 4)], 2),
    "store": (SRAM3, RAM, [store(2, 1)], 0),
    "ldmia": (SRAM3, RAM, [0xC91C, 0x390C], 1),  # ldmia r1!, {r2, r3, r4}; subs r1, #12
    "two of one base with writeback": (SRAM3, RAM, [*POST, *POST, 0x3908], 2),  # subs r1, #8
    "there and back": (SRAM3, RAM, [load(2, 1), load(4, 3)], 1 + 2),  # alone in SRAM3, and each changes the SRAM
    "store there, load here": (SRAM3, RAM, [store(2, 1), load(4, 3)], 1),
}


@pytest.mark.parametrize("name", BANKS)
def test_reads_from_sram2_and_sram3_wait_for_the_bus(tmp_path: Path, name: str) -> None:
    first, second, body, cycles = BANKS[name]

    def run(base: int) -> int:
        parts = [*move_wide(1, base), *move_wide(3, second), movs(0, 200), *body, subs(0, 1), branch_if_not_zero(-1 - len(body)), PARK]
        return busy_cycles(run_parked(write_elf(tmp_path, *parts)))

    # a block is first charged what it was found to cost when it has run once: here it is cut at the loop's begin, too
    assert run(first) - run(RAM) == pytest.approx(199 * cycles, abs=3 * cycles)


@pytest.mark.parametrize(("offset", "cycles"), [(0, 0), (1, 2), (2, 1), (3, 2)])
def test_an_unaligned_load_is_two_or_three_accesses(tmp_path: Path, offset: int, cycles: int) -> None:
    def run(address: int) -> int:
        parts = [*move_wide(1, address), movs(0, 200), load(2, 1), subs(0, 1), branch_if_not_zero(-2), PARK]
        return busy_cycles(run_parked(write_elf(tmp_path, *parts)))

    assert run(RAM + offset) - run(RAM) == pytest.approx(199 * cycles, abs=2 * cycles)


def test_flash_words_not_yet_in_the_cache_cost_the_wait_states(tmp_path: Path) -> None:
    # SLOW_FLASH ends at offset 26; everything runs once, so each later 64-bit word is missed once
    program = [*SLOW_FLASH, 0xF3BF, 0x8F6F, *([NOP] * 61), PARK]  # isb: the next block begins at offset 30
    statistics = run_parked(write_elf(tmp_path, *program))
    end = START - FLASH + 2 * len(program)
    words = end // 8 + (1 if end % 8 else 0) - 30 // 8
    assert statistics.icache_stall_cycles == 5 * (words - 1)  # the word at offset 24 was fetched before, at no cost
    # movw, movt twice, str by the address just made, isb, nops
    assert busy_cycles(statistics) == P + 4 + 1 + 1 + 61 + PARKING + 5 * (words - 1)


def test_sequential_data_reads_pay_for_one_half_of_each_128_bit_pair(tmp_path: Path) -> None:
    table = FLASH + 0x1000
    body = [load(0, 1, 4 * i) for i in range(16)]  # 64 bytes: 8 words of 64 bits, 4 pairs
    elf = write_elf(tmp_path, *SLOW_FLASH, *move_wide(1, table), *body, PARK, extra=(Load(bytes(256), table),))
    statistics = run_parked(elf)
    assert statistics.dcache_misses == 8
    assert statistics.dcache_stall_cycles == 4 * 5


def test_data_in_the_cache_costs_nothing(tmp_path: Path) -> None:
    table = FLASH + 0x1000
    loop = [load(0, 1), load(0, 1, 32), subs(2, 1), branch_if_not_zero(-3)]
    elf = write_elf(tmp_path, *SLOW_FLASH, *move_wide(1, table), movs(2, 50), *loop, PARK, extra=(Load(bytes(256), table),))
    statistics = run_parked(elf)
    assert (statistics.dcache_misses, statistics.dcache_stall_cycles) == (2, 10)


def test_the_data_cache_has_eight_lines(tmp_path: Path) -> None:
    """RM0432 section 3.3.5. Of a ninth line, least recently used makes a miss at every read."""

    def misses(lines: int) -> int:
        body = [halfword for line in range(lines) for halfword in (0xF8D1, 32 * line)]  # ldr.w r0, [r1, #32 * line]
        loop = [*body, subs(2, 1), branch_if_not_zero(-1 - len(body))]
        program = [*SLOW_FLASH, *move_wide(1, FLASH + 0x1000), movs(2, 10), *loop, PARK]
        return run_parked(write_elf(tmp_path, *program, extra=(Load(bytes(512), FLASH + 0x1000),))).dcache_misses

    assert (misses(8), misses(9)) == (8, 9 * 10)


def test_the_instruction_cache_has_32_lines(tmp_path: Path) -> None:
    """RM0432 section 3.3.5: a loop of 1024 bytes stays in it, one of 1056 bytes does not."""

    def misses(lines: int, rounds: int) -> int:
        head = [*SLOW_FLASH, movs(2, rounds), NOP, NOP]  # from offset 8: the loop begins at offset 32
        assert START - FLASH + 2 * len(head) == 32
        body = [NOP] * (16 * lines - 4)
        back = branch_wide(FLASH + 32 + 32 * lines - 4, FLASH + 32)
        return run_parked(write_elf(tmp_path, *head, *body, subs(2, 1), 0xD001, *back, PARK)).icache_misses  # beq, over the branch back

    assert misses(32, 9) == misses(32, 3)
    assert misses(33, 9) >= misses(33, 3) + 6 * 33


def test_without_the_data_cache_every_read_costs(tmp_path: Path) -> None:
    table = FLASH + 0x1000
    off = [*move_wide(7, programs.FLASH_ACR), *move_wide(6, 0x205), store(6, 7)]
    loop = [load(0, 1), load(0, 1, 32), subs(2, 1), branch_if_not_zero(-3)]
    elf = write_elf(tmp_path, *off, *move_wide(1, table), movs(2, 50), *loop, PARK, extra=(Load(bytes(256), table),))
    assert run_parked(elf).dcache_stall_cycles == 100 * 5


def test_without_the_instruction_cache_every_fetch_costs(tmp_path: Path) -> None:
    off = [*move_wide(7, programs.FLASH_ACR), *move_wide(6, 0x405), store(6, 7)]
    elf = write_elf(tmp_path, *off, movs(0, 100), NOP, subs(0, 1), branch_if_not_zero(-1), PARK)  # the loop lies in one 64-bit word
    slow = run_parked(elf).icache_stall_cycles
    assert slow >= 99 * 5


MAZE_HEAD = [*SLOW_FLASH, *move_wide(1, FLASH + 0x80000), movs(0, 9)]
MAZE_AGAIN = START + 2 * len(MAZE_HEAD)


def _maze(blocks: int, seed: int) -> tuple[tuple[Load, ...], list[int]]:
    """Blocks of two to forty nops and loads by r1 at random places of flash, each jumping to the next: ELF parts, addresses in order."""
    chance = random.Random(seed)
    places = chance.sample(range(16, 1200), blocks)
    addresses = [FLASH + 0x1000 + 128 * place + 2 * chance.randrange(8) for place in places]
    lengths = [chance.randrange(2, 40) for _ in range(blocks)]
    loads = []
    for index, (address, length) in enumerate(zip(addresses, lengths, strict=True)):
        jump = address + 2 * length
        target = addresses[index + 1] if index + 1 < blocks else MAZE_AGAIN
        body = [load(3, 1, 4 * chance.randrange(32)) if chance.random() < 0.2 else NOP for _ in range(length)]
        loads.append(Load(programs.code(body, programs.branch_wide(jump, target)), address))
    return tuple(loads), addresses


def fetch(cache: LineCache, address: int, size: int) -> int:
    """Words that fetching a block misses, by the plain simulation."""
    words = range((address - FLASH) >> 3, ((address - FLASH + size - 1) >> 3) + 1)
    return sum(cache.access(word) for word in words)


@pytest.mark.parametrize(("routines", "seed"), [(5, 1), (14, 2), (20, 3), (30, 4), (60, 5)])
def test_the_fast_instruction_cache_is_an_exact_lru(tmp_path: Path, routines: int, seed: int) -> None:
    """The C code's generations and stamps against a plain simulation of every fetch: calls in random order, some often, some rarely."""
    chance = random.Random(seed)
    places = [FLASH + 0x1000 + 128 * place + 2 * chance.randrange(8) for place in chance.sample(range(16, 1200), routines)]
    lengths = [chance.randrange(2, 40) for _ in places]
    bodies = tuple(Load(programs.code([NOP] * length, 0x4770), place) for place, length in zip(places, lengths, strict=True))  # bx lr
    calls = chance.choices(range(routines), weights=[1 / (1 + rank) for rank in range(routines)], k=3000)
    table = Load(b"".join((places[call] | 1).to_bytes(4, "little") for call in calls) + bytes(4), RAM)
    head = START + 2 * (len(SLOW_FLASH) + 4)
    driver = [load(1, 2), 0x3204, 0x2900, 0xD001, 0x4788, 0xE7F9, PARK]  # ldr, adds, cmp, beq to the end, blx, b to the ldr
    statistics = run_parked(write_elf(tmp_path, *SLOW_FLASH, *move_wide(2, RAM), *driver, extra=(*bodies, table)))

    cache = LineCache(32)
    misses = fetch(cache, START, head + 8 - START)
    for call in calls:
        misses += fetch(cache, head + 8, 2) + fetch(cache, places[call], 2 * lengths[call] + 2)
        misses += fetch(cache, head + 10, 2) + fetch(cache, head, 8)
    misses += fetch(cache, head + 12, 2)
    assert statistics.icache_misses == misses


@pytest.mark.parametrize("seed", [11, 12])
def test_a_plain_simulation_counts_the_same_cycles_in_a_maze(tmp_path: Path, seed: int) -> None:
    loads, addresses = _maze(25, seed)
    back = programs.branch_wide(MAZE_AGAIN + 4, addresses[0])
    elf = write_elf(tmp_path, *MAZE_HEAD, subs(0, 1), 0xD001, *back, NOP, PARK, extra=loads)  # beq to the end
    board, witness = run_parked(elf), PlainCore(load_elf(elf).segments, wait_states=0, page_bytes=PAGE_BYTES)
    witness.run_parked(START)
    assert busy_cycles(board) == math.ceil(witness.cost.ticks / TICKS_PER_CYCLE)
    assert (board.icache_misses, board.dcache_misses) == (witness.cost.icache_misses, witness.cost.dcache_misses)
    assert board.instructions == witness.cost.instructions and board.dcache_misses > 9


def test_code_runs_from_ram_and_may_change_itself(tmp_path: Path) -> None:
    routine = programs.code(movs(0, 1), store(0, 2), 0x4770)  # r0 = 1, store, bx lr
    elf = write_elf(
        tmp_path,
        *move_wide(1, RAM + 1), *move_wide(2, RAM + 0x2000), 0x4788,  # blx r1
        *move_wide(3, RAM), *move_wide(4, 0x6010_2007), store(4, 3),  # now: movs r0, #7; str r0, [r2]
        *move_wide(2, RAM + 0x2004), 0x4788, PARK,
        extra=(Load(routine, RAM),),
    )  # fmt: skip
    with VirtualBoard(elf) as board:
        board.link.read(Deadline(1.0, board.link.clock))
        assert board.read_memory(RAM + 0x2000, 8) == bytes([1, 0, 0, 0, 7, 0, 0, 0])
