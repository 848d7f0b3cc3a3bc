// SPDX-License-Identifier: Apache-2.0
/* What the harness needs from a board. Everything polls; a board without a free-running microsecond timer cannot run the benchmark. */
#ifndef CM4TINY_BOARD_H
#define CM4TINY_BOARD_H

#include <stdbool.h>
#include <stdint.h>

/* Answers of board_uart_getc_nonblocking() that are not a character. */
#define BOARD_UART_EMPTY (-1)   /* nothing has arrived */
#define BOARD_UART_OVERRUN (-2) /* characters arrived faster than they were read: at least one is lost */

/* Starts the serial port (8N1, CM4TINY_BAUD), the timer and the time-stamp pin. The clock runs already. */
void board_init(void);

/* The next received character (0..255), or one of the two answers above. Never waits. */
int board_uart_getc_nonblocking(void);

/* Hands one character to the transmitter; waits while it is full. */
void board_uart_putc(char c);

/* Waits until the last character has left the wire. */
void board_uart_flush(void);

/* Microseconds since board_init(), modulo 2^32 (71.6 minutes). */
uint32_t board_micros(void);

/* Drives the time-stamp pin. */
void board_timestamp_pin(bool high);

/* Restarts the firmware. */
_Noreturn void board_reset(void);

/* False once the stack has grown into the words below it. */
bool board_stack_intact(void);

#endif
