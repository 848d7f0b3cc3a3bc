# SPDX-License-Identifier: Apache-2.0
"""Calls that are proven to be like the one before are advanced instead of run: the same to the last tick, or refused.

The firmware is this project's harness's loop in small: a command calls a function n times. Each guard has a firmware that comes out wrong
without it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from virtual_board_programs import LINKER_SCRIPT, MAIN_LOOP, SOURCE

from cm4tiny.boards import BoardStatistics, Calls, VirtualBoard
from cm4tiny.boards.commands import CommandProtocol
from cm4tiny.boards.virtual.cycle_model import CycleModel
from cm4tiny.boards.virtual.machine import ALL_GUARDS, WRONG_END, Refusal
from cm4tiny.deadline import Deadline

LOOP, CALLEE, END, INTERRUPTS = 1, 2, 4, 8
"""Guards of the proof."""
PROTOCOL = CommandProtocol(b"%", b"m-ready\r\n", repeated="th_infer")
MODEL = CycleModel(profile_min=2_000_000, profile_max=8_000_000)
N = 120

PLAIN = "void loop(uint32_t n) { while (n-- > 0) th_infer(); }"
"""As in firmware/harness/inference.c."""
CALL = "__attribute__((noinline)) void th_infer(void) { result = work(2); }"
PROGRAMS: dict[str, tuple[str, str]] = {
    "down": (CALL, PLAIN),
    "up": (CALL, "void loop(uint32_t n) { for (uint32_t i = 0; i < n; i++) th_infer(); }"),
    "signed": (CALL, "void loop(uint32_t n) { for (int32_t i = (int32_t)n; i > 0; i -= 2) th_infer(); }"),
    "in memory": (CALL, "void loop(uint32_t n) { volatile uint32_t left = n; while (left > 0) { th_infer(); left = left - 1; } }"),
    "until equal": (CALL, "void loop(uint32_t n) { for (uint32_t i = 7; i != 7 + 3 * n; i += 3) th_infer(); }"),
    "saved registers": (
        '__attribute__((noinline)) void th_infer(void) { __asm volatile("push {r4-r11}\\n movs r4, #1\\n movs r5, #2\\n pop {r4-r11}"'
        ' ::: "memory"); result = work(1); }',
        PLAIN,
    ),
    "two banks": (
        'static uint32_t far[3][256] __attribute__((section(".far"))); __attribute__((noinline)) static uint32_t sum(const uint32_t *p)'
        " { uint32_t s = 0; for (uint32_t i = 0; i < 256; i++) s += p[i]; return s; }"
        "__attribute__((noinline)) void th_infer(void) { result = sum(activations) + sum(far[0]) + sum(far[1]) + sum(far[2]); }",
        PLAIN,
    ),
}
"""Loops that are proven periodic: the function, and what calls it."""
REFUSED: dict[str, tuple[str, str, int, Refusal | None]] = {
    "one iteration calls twice": (
        CALL,
        "void loop(uint32_t n) { while (n-- > 0) { th_infer(); if (n == 50) th_infer(); } }",
        LOOP,
        Refusal.EXITS,
    ),
    "one iteration ends it": (
        CALL,
        "void loop(uint32_t n) { while (n-- > 0) { th_infer(); if (n == 50) break; } }",
        LOOP,
        Refusal.EXITS,
    ),
    "the counter is an operand": (
        CALL,
        "void loop(uint32_t n) { while (n-- > 0) { th_infer(); result = n * n == 2500 ? work(9) : 1; } }",
        LOOP,
        Refusal.USES_COUNTER,
    ),
    "the function reads the counter": (
        "static volatile uint32_t left; __attribute__((noinline)) void th_infer(void) { result = work(left == 50 ? 9 : 2); }",
        "void loop(uint32_t n) { for (left = n; left > 0; left = left - 1) th_infer(); }",
        CALLEE,
        Refusal.CALLEE_USES_COUNTER,
    ),
    "an interrupt works now and then": (
        CALL + " static volatile uint32_t beats; void systick(void) { if (++beats % 32 == 0) result = work(9); }",
        "void loop(uint32_t n) { R(0xE000E014) = 29999; R(0xE000E018) = 0; R(0xE000E010) = 7;"
        " while (n-- > 0) th_infer(); R(0xE000E010) = 0; }",
        INTERRUPTS,
        None,
    ),
}
"""Loops that must be run: the function, what calls it, the guard without which they come out wrong, and why they are refused;
None: no two calls are without an interrupt between them, so nothing is even tried."""


COMMAND = r"""
static uint32_t parse(const char *p) { uint32_t n = 0; while (*p >= '0' && *p <= '9') n = n * 10 + (uint32_t)(*p++ - '0'); return n; }
static void command(const char *text)
{
    if (text[0] != 'i')
        return;
    uint32_t cycles = CYCCNT, micros = MICROS;
    loop(parse(text + 1));
    print("m-["); hex(CYCCNT - cycles); hex(MICROS - micros); hex(result); print("]\r\n");
}
"""
VECTORS = """extern uint32_t _estack;
__attribute__((section(".vectors"), used)) void *const vectors[16] = {&_estack, (void *)reset, [15] = (void *)systick};
"""


@dataclass(frozen=True)
class Outcome:
    """All that a host, and a debugger, can see."""

    said: bytes
    ticks: int
    ram: str
    statistics: BoardStatistics


def build(folder: Path, callee: str, loop: str, optimise: str = "-O2") -> Path:
    compiler = shutil.which("arm-none-eabi-gcc")
    if compiler is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    head = SOURCE[: SOURCE.index("static void command(")]
    systick = "" if "systick" in callee else "void systick(void) {}\n"
    source = (
        f"{head}static volatile uint32_t result;\n{callee}\n{systick}__attribute__((noinline)) static {loop}\n{COMMAND}{MAIN_LOOP}{VECTORS}"
    )
    (folder / "program.c").write_text(source, encoding="utf-8")
    (folder / "program.ld").write_text(LINKER_SCRIPT.replace(".bss :", ".far 0x2002FE00 (NOLOAD) : { *(.far*) } >RAM .bss :"))
    elf = folder / "program.elf"
    flags = (optimise, "-mcpu=cortex-m4", "-mthumb", "-ffreestanding", "-nostdlib", "-w")
    files = (f"-T{folder / 'program.ld'}", str(folder / "program.c"), "-o", str(elf), "-lgcc")
    subprocess.run([compiler, *flags, *files], check=True, capture_output=True)
    return elf


def run(
    elf: Path,
    n: int = N,
    *,
    guards: int | None = ALL_GUARDS,
    exact: bool = False,
    slice_s: float = 50.0,
    times: int = 2,
    limit_s: float = 0.0,
) -> tuple[Outcome, Calls]:
    """The command for n calls, several times; guards None: all calls run."""
    with VirtualBoard(elf, exact=exact, model=MODEL, commands=PROTOCOL, full_windows=guards is None) as board:
        if guards not in (None, ALL_GUARDS):
            function = next(symbol for symbol in board.functions if symbol.name == "th_infer")
            board.guard.machine.advance_calls(function.address, guards)
        said = b""
        for asked in range(times + 1):
            if asked:
                board.link.write(b"i%d%%" % n)
            deadline = Deadline(limit_s or 200.0, board.link.clock)
            while said.count(b"m-ready\r\n") <= asked:
                board.link.expect_silence(deadline)
                said += board.link.read(Deadline(slice_s, board.link.clock))
                if deadline.expired:
                    assert limit_s, "the command did not end"
                    break
        machine = board.guard.machine
        ram = hashlib.sha256(board.read_memory(0x20000000, 640 * 1024)).hexdigest()
        return Outcome(said, machine.ticks, ram, board.statistics()), board.calls()


# --- proven ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_proven_calls_leave_the_board_as_if_they_had_run(name: str, tmp_path: Path) -> None:
    elf = build(tmp_path, *PROGRAMS[name])
    full, all_run = run(elf, guards=None)
    short, calls = run(elf)
    assert short == full
    assert all_run == Calls(0, 0, {})
    asked = 2 * N if name != "signed" else N
    assert calls.count == asked and calls.executed < 0.35 * asked


@pytest.mark.parametrize("optimise", ["-O0", "-Os", "-O3"])
def test_whatever_code_the_compiler_makes_of_the_loop(optimise: str, tmp_path: Path) -> None:
    elf = build(tmp_path, *PROGRAMS["down"], optimise)
    assert run(elf)[0] == run(elf, guards=None)[0]
    assert run(elf)[1].proven > N


def test_exact_simulation_is_advanced_exactly(tmp_path: Path) -> None:
    elf = build(tmp_path, *PROGRAMS["two banks"])
    short, calls = run(elf, exact=True)
    assert short == run(elf, guards=None, exact=True)[0] and calls.proven > N


@pytest.mark.parametrize("slice_s", [0.003, 0.0005])
def test_how_the_host_reads_caps_nothing_and_changes_nothing(slice_s: float, tmp_path: Path) -> None:
    elf = build(tmp_path, *PROGRAMS["down"])
    short, calls = run(elf, 400)
    sliced, as_many = run(elf, 400, slice_s=slice_s)
    assert sliced == short == run(elf, 400, guards=None, slice_s=slice_s)[0]
    assert as_many == calls and calls.executed < 60


def test_without_an_announced_silence_nothing_is_advanced_beyond_a_read(tmp_path: Path) -> None:
    elf = build(tmp_path, *PROGRAMS["down"])
    with VirtualBoard(elf, model=MODEL, commands=PROTOCOL) as board:
        assert board.link.read(Deadline(1.0, board.link.clock))
        board.link.write(b"i100000%")
        began = board.time_s
        assert board.link.read(Deadline(0.1, board.link.clock)) == b""
        assert began + 0.1 <= board.time_s < began + 0.1 + 1e-3
        assert board.calls().proven > 100


# --- refused --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFUSED)
def test_each_guard_refuses_a_firmware_that_comes_out_wrong_without_it(name: str, tmp_path: Path) -> None:
    callee, loop, guard, why = REFUSED[name]
    elf = build(tmp_path, callee, loop)
    full, _ = run(elf, guards=None)
    guarded, calls = run(elf)
    assert guarded == full
    assert calls.proven == 0 and (why in calls.refused or why is None)
    unguarded, advanced = run(elf, guards=ALL_GUARDS & ~guard)
    assert advanced.proven > 0
    assert unguarded != full


def test_a_wrong_prediction_of_the_loops_end_is_found_out_before_anything_is_advanced(tmp_path: Path) -> None:
    elf = build(tmp_path, *PROGRAMS["signed"])
    full, _ = run(elf, guards=None)
    guarded, calls = run(elf, guards=ALL_GUARDS | WRONG_END)
    assert guarded == full and calls.proven == 0 and Refusal.END in calls.refused
    wrong, advanced = run(elf, guards=(ALL_GUARDS & ~END) | WRONG_END, times=1, slice_s=1.0, limit_s=4.0)
    assert advanced.proven > 0 and wrong != full


def test_a_call_that_touches_a_peripheral_runs(tmp_path: Path) -> None:
    callee = "__attribute__((noinline)) void th_infer(void) { result = work(1); (void)MICROS; }"
    elf = build(tmp_path, callee, PLAIN)
    short, calls = run(elf)
    assert short == run(elf, guards=None)[0] and calls.proven == 0


def test_a_call_that_changes_its_own_input_runs(tmp_path: Path) -> None:
    callee = "__attribute__((noinline)) void th_infer(void) { for (int i = 0; i < 64; i++) activations[i] = activations[i] * 5 + 1; }"
    elf = build(tmp_path, callee, PLAIN)
    short, calls = run(elf)
    assert short == run(elf, guards=None)[0]
    assert calls.proven == 0 and set(calls.refused) <= {Refusal.DIFFERENT, Refusal.CACHES, Refusal.NEW_CODE}


def test_the_loops_end_is_looked_for_no_further_than_to_the_next_event(tmp_path: Path) -> None:
    """The loop ends after 50 million calls; a frame of audio comes every 3 ms, and 16 million iterations were looked ahead each time."""
    elf = build(tmp_path, CALL, "void loop(uint32_t n) { for (uint32_t i = 0; i < 50000000 + n; i++) th_infer(); }")
    with VirtualBoard(elf, model=MODEL, commands=PROTOCOL) as board:
        board.link.read(Deadline(1.0, board.link.clock))
        board.play(np.zeros(300, np.int16), 300)
        board.link.write(b"i1%")
        board.link.read(Deadline(0.05, board.link.clock))
        calls = board.calls()
    assert calls.proven > 50
    assert calls.looked_ahead < 100 * calls.count


def test_an_interrupt_that_only_stays_pending_is_harmless(tmp_path: Path) -> None:
    loop = (
        'void loop(uint32_t n) { __asm volatile("cpsid i"); R(0xE000E014) = 29999; R(0xE000E018) = 0; R(0xE000E010) = 7;'
        " for (volatile int i = 0; i < 9000; i++); while (n-- > 0) th_infer(); R(0xE000E010) = 0; R(0xE000ED04) = 1u << 25;"
        ' __asm volatile("cpsie i"); }'
    )
    elf = build(tmp_path, CALL, loop)
    short, calls = run(elf)
    assert short == run(elf, guards=None)[0] and calls.proven > N


def test_an_image_without_symbols_runs_in_full(tmp_path: Path) -> None:
    elf = build(tmp_path, *PROGRAMS["down"])
    strip = shutil.which("arm-none-eabi-strip")
    assert strip is not None
    subprocess.run([strip, str(elf)], check=True)
    assert run(elf)[1] == Calls(0, 0, {})
