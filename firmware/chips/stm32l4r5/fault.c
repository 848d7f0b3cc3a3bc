// SPDX-License-Identifier: Apache-2.0
/* Fault report over the serial port. CFSR has the cause (ARMv7-M ARM B3.2.15). */
#include "fault.h"

#include "board.h"
#include "board_description.h"
#include "stm32l4r5.h"

extern uint32_t _estack[];

enum { FRAME_LR = 5, FRAME_PC = 6, FRAME_WORDS = 8 };

static void put_text(const char *text)
{
    while (*text != '\0') {
        board_uart_putc(*text++);
    }
}

static void put_word(uint32_t value)
{
    for (int shift = 28; shift >= 0; shift -= 4) {
        board_uart_putc("0123456789abcdef"[(value >> shift) & 15u]);
    }
}

/* After a stack overflow the frame lies outside RAM; reading it would lock the core up. */
static int frame_is_readable(const uint32_t *frame)
{
    const uintptr_t address = (uintptr_t)frame;
    return address >= CHIP_RAM_START && address <= (uintptr_t)_estack - 4u * FRAME_WORDS && (address & 3u) == 0u;
}

_Noreturn void fault_halt(void)
{
    for (;;) {
        __asm volatile("wfi");
    }
}

__attribute__((used)) _Noreturn void fault_report(const uint32_t *frame)
{
    if ((VCP_CR1 & UART_CR1_UE) != 0u) { /* a fault before board_init() has no port to speak on */
        const int readable = frame_is_readable(frame);
        put_text("\r\ne-[HardFault pc=");
        put_word(readable ? frame[FRAME_PC] : 0u);
        put_text(" lr=");
        put_word(readable ? frame[FRAME_LR] : 0u);
        put_text(" cfsr=");
        put_word(SCB_CFSR);
        put_text("]\r\n");
        board_uart_flush();
    }
    fault_halt();
}

__attribute__((used)) _Noreturn void fault_unexpected(uint32_t exception)
{
    if ((VCP_CR1 & UART_CR1_UE) != 0u) {
        put_text("\r\ne-[Unexpected exception ");
        put_word(exception);
        put_text("]\r\n");
        board_uart_flush();
    }
    fault_halt();
}
