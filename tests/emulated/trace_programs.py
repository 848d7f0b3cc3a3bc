# SPDX-License-Identifier: Apache-2.0
"""A program whose functions call each other in the ways that a trace must understand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from virtual_board_programs import LINKER_SCRIPT, MAIN_LOOP

SOURCE = r"""
#include <stdint.h>
#define R(a) (*(volatile uint32_t *)(a))
#define UART 0x40008000u
#define CYCCNT R(0xE0001004u)
#define FAR __attribute__((noinline, noclone, used))
static const uint32_t weights[256] = {1, 2, 3};
static uint32_t activations[64];
static volatile uint32_t ticks, sink;
static void put(char c) { while (!(R(UART + 0x1c) & 0x80)); R(UART + 0x28) = (uint8_t)c; }
static void print(const char *s) { while (*s) put(*s++); }
static void hex(uint32_t v) { for (int i = 28; i >= 0; i -= 4) put("0123456789abcdef"[v >> i & 15]); put(' '); }
FAR uint32_t kernel(const uint32_t *w, uint32_t n)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += w[i] * activations[i & 31];
    return sum;
}
FAR uint32_t layer_a(void) { return kernel(weights, 200) + 1; }
FAR uint32_t layer_b(void)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 50; i++)
        sum += activations[i] = i;
    return sum + kernel(weights + 128, 100);
}
FAR uint32_t chain(void) { uint32_t a = layer_a(), b = layer_b(); sink = layer_a(); return a + b; }
FAR uint32_t tail(void) { sink = layer_a(); return layer_b(); }
FAR uint32_t again(uint32_t depth);
FAR uint32_t deeper(uint32_t depth) { return depth ? again(depth - 1) + 1 : 0; }
FAR uint32_t again(uint32_t depth) { uint32_t a = deeper(depth); return a + layer_b(); }
FAR uint32_t often(void) { for (uint32_t i = 0; i < 5000; i++) sink = kernel(weights, 1); return sink; }
FAR void gives_up(void) { sink = layer_a(); R(0xE000ED0C) = 0x05FA0004; for (;;); }
FAR void breaks(void) { sink = layer_a(); R(0x90000000u) = 1; sink = layer_b(); }
__attribute__((section(".data.code"), noinline, used)) uint32_t in_ram(void) { return layer_a(); }
FAR uint32_t calls_ram(void) { uint32_t (*volatile far)(void) = in_ram; return far() + 1; }
FAR void systick_handler(void) { ticks++; sink = kernel(weights, 20); }
static void start(void)
{
    extern uint32_t _sdata, _edata, _ldata;
    for (uint32_t *to = &_sdata, *from = &_ldata; to < &_edata;)
        *to++ = *from++;
    R(0x4002104c) = 1u << 6; R(0x40021058) = 1u << 28; R(0x4002105c) = 1;             /* port G, PWR, LPUART1 */
    R(0x40007004) = 1u << 9; R(0x48001820) = 8u << 28; R(0x48001824) = 8; R(0x48001800) = 0xFFFEBFFF;   /* IOSV; PG7, PG8: LPUART1 */
    R(0x40021000) |= 1u << 8; while (!(R(0x40021000) & 1u << 10));
    R(0x40022000) = 0x605;                                        /* five wait states, both caches */
    R(0x40021008) = 1;
    while ((R(0x40021008) >> 2 & 3) != 1);
    R(UART + 0xc) = 35556; R(UART) = 0xd;                         /* 115200 baud from 16 MHz */
    R(0xE000EDFC) |= 1u << 24; R(0xE0001000) |= 1;                /* DWT */
}
static void command(const char *text)
{
    uint32_t cycles = CYCCNT, sum = 0;
    switch (text[0]) {
    case 'c': sum = chain(); break;
    case 't': sum = tail(); break;
    case 'r': sum = again(3); break;
    case 'o': sum = often(); break;
    case 'g': gives_up(); break;
    case 'b': breaks(); break;
    case 'm': sum = calls_ram(); break;
    case 'i':
        R(0xE000E014) = 400; R(0xE000E018) = 0; R(0xE000E010) = 7;  /* an interrupt every 401 cycles */
        sum = chain();
        R(0xE000E010) = 0;
        break;
    }
    print("m-["); hex(CYCCNT - cycles); hex(ticks); hex(sum); print("]\r\n");
}
extern uint32_t _estack;
void reset(void);
__attribute__((section(".vectors"), used)) void *const vectors[16] = {&_estack, (void *)reset, [15] = (void *)systick_handler};
"""


def build_trace_firmware(folder: Path) -> Path:
    """The program above; the test is skipped where there is no Arm compiler."""
    compiler = shutil.which("arm-none-eabi-gcc")
    if compiler is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    data = ".data : { _sdata = .; *(.data*) . = ALIGN(4); _edata = .; } >RAM AT>FLASH _ldata = LOADADDR(.data);"
    (folder / "trace.ld").write_text(LINKER_SCRIPT.replace(".data : { *(.data*) } >RAM AT>FLASH", data))
    (folder / "trace.c").write_text(SOURCE + MAIN_LOOP)
    elf = folder / "trace.elf"
    flags = ["-O2", "-mcpu=cortex-m4", "-mthumb", "-ffreestanding", "-nostdlib", "-fno-ipa-icf", "-fno-inline"]
    subprocess.run([compiler, *flags, "-T", folder / "trace.ld", folder / "trace.c", "-o", elf], check=True, capture_output=True)
    return elf
