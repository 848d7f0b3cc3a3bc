// SPDX-License-Identifier: Apache-2.0
/* The benchmark firmware: start the board, introduce itself, answer commands for ever. */
#include "board.h"
#include "harness.h"

int main(void)
{
    board_init();
    model_initialize();
    (void)model_ready(); /* says now what every command that needs the model will say again */
    ee_benchmark_initialize();
    for (;;) {
        const int received = board_uart_getc_nonblocking();
        if (received >= 0) {
            ee_serial_callback((char)received);
        } else if (received == BOARD_UART_OVERRUN) {
            command_overrun();
        }
    }
}
