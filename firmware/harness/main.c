/* The benchmark firmware: start the board, introduce itself, answer commands for ever. */
#include "api.h"
#include "board.h"

int main(void)
{
    board_init();
    ee_benchmark_initialize();
    for (;;) {
        const int received = board_uart_getc_nonblocking();
        if (received >= 0) {
            ee_serial_callback((char)received);
        } else if (received == BOARD_UART_OVERRUN) {
            ee_serial_overrun();
        }
    }
}
