# SPDX-License-Identifier: Apache-2.0
"""Programs for the tests of the virtual board: a few Thumb instructions by hand (Armv7-M manual, section A7.7), and a C program."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from support.tiny_elf import FLASH, RAM, Load, tiny_elf

from cm4tiny.boards import BoardStatistics, VirtualBoard
from cm4tiny.deadline import Deadline

START = FLASH + 8
PARK = 0xE7FE  # b .
NOP = 0xBF00
BKPT = 0xBE00
UDF = 0xDE00
SVC = 0xDF00
WFI = 0xBF30


def movs(rd: int, value: int) -> int:
    return 0x2000 | rd << 8 | value


def subs(rd: int, value: int) -> int:
    return 0x3800 | rd << 8 | value


def branch_if_not_zero(halfwords: int) -> int:
    """bne, to the instruction that is so many halfwords from this one."""
    return 0xD100 | (halfwords - 2) & 0xFF


def load(rt: int, rn: int, offset: int = 0) -> int:
    return 0x6800 | offset // 4 << 6 | rn << 3 | rt


def store(rt: int, rn: int, offset: int = 0) -> int:
    return 0x6000 | offset // 4 << 6 | rn << 3 | rt


def move_wide(rd: int, value: int) -> list[int]:
    """movw, movt: a 32-bit constant in two 32-bit instructions."""
    parts = []
    for opcode, half in ((0xF240, value & 0xFFFF), (0xF2C0, value >> 16)):
        parts += [opcode | half >> 12 | (half >> 11 & 1) << 10, (half >> 8 & 7) << 12 | rd << 8 | half & 0xFF]
    return parts


def branch_wide(source: int, target: int) -> list[int]:
    """b.w from address to address (encoding T4)."""
    offset = target - source - 4
    sign, i1, i2 = offset >> 24 & 1, offset >> 23 & 1, offset >> 22 & 1
    j1, j2 = (i1 ^ 1) ^ sign, (i2 ^ 1) ^ sign
    return [0xF000 | sign << 10 | offset >> 12 & 0x3FF, 0x9000 | j1 << 13 | j2 << 11 | offset >> 1 & 0x7FF]


def code(*parts: int | Iterable[int]) -> bytes:
    """Halfwords to bytes."""
    halfwords: list[int] = []
    for part in parts:
        halfwords += [part] if isinstance(part, int) else list(part)
    return struct.pack(f"<{len(halfwords)}H", *halfwords)


def write_elf(folder: Path, *parts: int | Iterable[int], extra: tuple[Load, ...] = ()) -> Path:
    """An ELF whose code begins right after two vectors."""
    path = folder / "program.elf"
    vectors = struct.pack("<II", RAM + 640 * 1024, START | 1)
    path.write_bytes(tiny_elf(Load(vectors + code(*parts), FLASH), *extra))
    return path


FLASH_ACR, CPACR, LPUART1, GPIOF = 0x40022000, 0xE000ED88, 0x40008000, 0x48001400
RCC, PWR, GPIOG = 0x40021000, 0x40007000, 0x48001800
UART_CLOCKS = (
    (RCC + 0x4C, 1 << 5 | 1 << 6),  # ports F and G
    (RCC + 0x58, 1 << 28 | 1 << 3 | 1 << 0),  # PWR, TIM5, TIM2
    (RCC + 0x5C, 1),  # LPUART1
)
UART_PINS = ((PWR + 4, 1 << 9), (GPIOG, 0xFFFEBFFF), (GPIOG + 0x20, 8 << 28), (GPIOG + 0x24, 8))
"""IOSV; PG7 and PG8 are LPUART1's."""


def stores(*pairs: tuple[int, int]) -> list[int]:
    """Word stores of constants through r6 and r7."""
    return [halfword for address, value in pairs for halfword in (*move_wide(7, address), *move_wide(6, value), store(6, 7))]


UART_READY = stores(*UART_CLOCKS, *UART_PINS, (LPUART1 + 0xC, 0x22B9))
"""Clocks and pins of the ST-LINK's UART, and BRR for 115200 baud from 4 MHz."""
SLOW_FLASH = [*move_wide(7, FLASH_ACR), *move_wide(6, 0x605), store(6, 7)]
"""Five wait states, both caches on: 18 bytes of code."""
ECHO_LOOP = [
    *move_wide(1, LPUART1), movs(0, 0xD), store(0, 1),
    load(2, 1, 0x1C), 0x0692, 0xD5FC,  # ldr r2, [r1, #ISR]; lsls r2, #26; bpl: no byte yet
    load(2, 1, 0x24), store(2, 1, 0x28), 0xE7F9,  # to TDR what came in RDR, once more
]  # fmt: skip
"""Switches LPUART1 on and sends back every byte."""
ECHO = [*UART_READY, *ECHO_LOOP]
"""The same with its clocks and pins."""


def run_parked(elf: Path, **options: object) -> BoardStatistics:
    """Runs a program that ends in an endless loop; its totals without the time it then waits."""
    with VirtualBoard(elf, exact=True, **options) as board:  # type: ignore[arg-type]
        assert board.link.read(Deadline(1.0, board.link.clock)) == b""
        return board.statistics()


def busy_cycles(statistics: BoardStatistics) -> int:
    """Cycles in which the core worked, rounded up."""
    return statistics.cycles - statistics.skipped_cycles


LINKER_SCRIPT = """
MEMORY { FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 2048K
 RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 640K }
_estack = ORIGIN(RAM) + LENGTH(RAM);
SECTIONS { .vectors : { KEEP(*(.vectors)) } >FLASH .text : { *(.text*) *(.rodata*) } >FLASH
 .data : { *(.data*) } >RAM AT>FLASH .bss : { *(.bss*) *(COMMON) } >RAM }
"""
SOURCE = r"""
#include <stdint.h>
#define R(a) (*(volatile uint32_t *)(a))
#define UART 0x40008000u
#define CYCCNT R(0xE0001004u)
#define MICROS R(0x40000024u)
static const uint32_t weights[2048] = {1, 2, 3};
static uint32_t activations[1024];
static void put(char c) { while (!(R(UART + 0x1c) & 0x80)); R(UART + 0x28) = (uint8_t)c; }
static void print(const char *s) { while (*s) put(*s++); }
static void hex(uint32_t v) { for (int i = 28; i >= 0; i -= 4) put("0123456789abcdef"[v >> i & 15]); put(' '); }
static __attribute__((noinline)) uint32_t work(uint32_t rounds)
{
    uint32_t sum = 0;
    __asm volatile("" : : "r"(activations) : "memory");
    for (uint32_t k = 0; k < rounds; k++)
        for (uint32_t i = 0; i < 1024; i++)
            sum += activations[i] * weights[i + (k & 1023)];
    return sum;
}
static __attribute__((noinline)) void crash(void) { R(0x90000000u) = 1; }
static __attribute__((noinline)) uint32_t conditional_loads(uint32_t n)
{   /* loads from flash inside IT blocks */
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t value = 7;
        __asm volatile("tst %1, #1\n itte ne\n ldrne %0, [%2]\n addne %0, #1\n moveq %0, #5\n"
                       : "+r"(value) : "r"(i), "r"(&weights[1]) : "cc");
        sum += value;
    }
    return sum;
}
static __attribute__((noinline)) uint32_t few_words(uint32_t n)
{   /* the first four loads are missed, the others are hits */
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += *(volatile const uint32_t *)&weights[(i & 3) * 8];
    return sum;
}
static void start(void)
{
    R(0x4002104c) = 3u << 5 | 1u << 12; R(0x40021058) = 1u << 28 | 1u; R(0x4002105c) = 1;    /* ports F and G, OTG; PWR, TIM2; LPUART1 */
    R(0x40007004) = 1u << 9; R(0x48001820) = 8u << 28; R(0x48001824) = 8; R(0x48001800) = 0xFFFEBFFF;   /* IOSV; PG7, PG8: LPUART1 */
    R(0x40007080) = 0;                                            /* boost */
    R(0x40021000) |= 1u << 8;                                     /* HSI */
    while (!(R(0x40021000) & 1u << 10));
    R(0x40022000) = 0x605;                                        /* five wait states */
    while ((R(0x40022000) & 15) != 5);
    R(0x4002100c) = 2u | 1u << 4 | 30u << 8 | 1u << 24;           /* 16 / 2 * 30 / 2 = 120 MHz */
    R(0x40021000) |= 1u << 24;
    while (!(R(0x40021000) & 1u << 25));
    R(0x40021008) = 0x83;
    while ((R(0x40021008) >> 2 & 3) != 3);
    for (volatile int i = 0; i < 50; i++);                        /* 1 us at half the clock */
    R(0x40021008) = 3;
    R(UART + 0xc) = 266667;                                       /* 115200 baud from 120 MHz */
    R(UART) = 0xd;
    R(0xE000EDFC) |= 1u << 24; R(0xE0001000) |= 1;                /* DWT */
    R(0x40000028) = 119; R(0x40000014) = 1; R(0x40000000) = 1;    /* TIM2: microseconds */
}
static void command(const char *text)
{
    uint32_t cycles = CYCCNT, micros = MICROS, sum = 0;
    switch (text[0]) {
    case 'w': sum = work(1000); break;
    case 'v': sum = work(20); break;
    case 'i': sum = conditional_loads(100); break;
    case 's': sum = few_words(6); break;
    case 'S': sum = few_words(300000); break;
    case 'c': crash(); break;
    case 'r': R(0xE000ED0C) = 0x05FA0004; for (;;);
    case 'p': (void)R(0x50000004); R(0x50000000) = 1; (void)R(0x50000004); break;
    case 'd': { uint32_t until = MICROS + 1000; while ((int32_t)(MICROS - until) < 0); break; }
    case 'g':                                                     /* PF13: low twice, 500 us apart */
        R(0x48001418) = 1u << 13; R(0x48001400) = (R(0x48001400) & ~(3u << 26)) | 1u << 26;
        R(0x48001418) = 1u << 29; R(0x48001418) = 1u << 13;
        while (MICROS - micros < 500);
        R(0x48001428) = 1u << 13; R(0x48001418) = 1u << 13;
        break;
    }
    print("m-["); hex(CYCCNT - cycles); hex(MICROS - micros); hex(sum); print("]\r\n");
}
extern uint32_t _estack;
void reset(void);
__attribute__((section(".vectors"), used)) void *const vectors[] = {&_estack, (void *)reset};
"""
MAIN_LOOP = r"""
void reset(void)
{
    static char text[64];
    start();
    print("m-ready\r\n");
    for (;;) {
        int n = 0;
        for (;;) {
            while (!(R(UART + 0x1c) & 0x20));
            char c = (char)R(UART + 0x24);
            if (c == '%') break;
            if (n < 63) text[n++] = c;
        }
        text[n] = 0;
        command(text);
        print("m-ready\r\n");
    }
}
"""
READY = b"m-ready\r\n"


def build_test_firmware(folder: Path) -> Path:
    """The C program above; the test is skipped where there is no Arm compiler."""
    compiler = shutil.which("arm-none-eabi-gcc")
    if compiler is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    (folder / "test.ld").write_text(LINKER_SCRIPT)
    (folder / "test.c").write_text(SOURCE + MAIN_LOOP)
    elf = folder / "test.elf"
    flags = ["-O2", "-mcpu=cortex-m4", "-mthumb", "-ffreestanding", "-nostdlib"]
    subprocess.run([compiler, *flags, "-T", folder / "test.ld", folder / "test.c", "-o", elf], check=True, capture_output=True)
    return elf


def ask(board: VirtualBoard, command: bytes, *, answers: int = 1, seconds: float = 50.0) -> bytes:
    """Writes a command and reads up to the board's next so many "ready"."""
    if command:
        board.link.write(command)
    deadline, output = Deadline(seconds, board.link.clock), b""
    while output.count(READY) < answers:
        part = board.link.read(deadline)
        assert part, f"no answer to {command!r}, only {output!r}"
        output += part
    return output


def numbers(answer: bytes) -> tuple[int, int, int]:
    """Cycles, microseconds and sum of an answer."""
    cycles, micros, total = answer.partition(b"[")[2].split()[:3]
    return int(cycles, 16), int(micros, 16), int(total, 16)
