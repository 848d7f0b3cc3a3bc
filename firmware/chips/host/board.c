// SPDX-License-Identifier: Apache-2.0
/* The harness as a program of the development machine, for tests: standard input is the receiver, standard output the transmitter.
 *
 * Byte 0x01 on standard input stands for a receiver overrun. Time advances by 7 us per look at the timer. The time-stamp pin and a reset
 * show as "<pin 0>", "<pin 1>" and "<reset>" in the output. CM4TINY_HOST_STACK=broken in the environment plays a stack overflow. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"

#define OVERRUN_BYTE 1

void board_init(void)
{
    static char output[1 << 16];
    (void)setvbuf(stdout, output, _IOFBF, sizeof output);
}

int board_uart_getc_nonblocking(void)
{
    const int received = getchar();
    if (received == EOF) {
        (void)fflush(stdout);
        exit(0);
    }
    return received == OVERRUN_BYTE ? BOARD_UART_OVERRUN : received;
}

void board_uart_putc(char c)
{
    (void)putchar(c);
}

void board_uart_flush(void)
{
    (void)fflush(stdout);
}

uint32_t board_micros(void)
{
    static uint32_t now;
    return now += 7u;
}

void board_timestamp_pin(bool high)
{
    (void)printf("<pin %d>", high);
}

_Noreturn void board_reset(void)
{
    (void)printf("<reset>");
    (void)fflush(stdout);
    exit(0);
}

bool board_stack_intact(void)
{
    const char *stack = getenv("CM4TINY_HOST_STACK");
    return stack == NULL || strcmp(stack, "broken") != 0;
}
