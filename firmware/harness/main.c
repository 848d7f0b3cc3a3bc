/* The benchmark firmware: start the board, introduce itself, answer commands for ever. */
#include "api.h"
#include "board.h"
#include "model.h"

int main(void)
{
    board_init();
#if CM4TINY_MODEL_INIT
    const char *failure = cm4tiny_model_init();
    if (failure != 0) {
        th_printf("e-[The model cannot be set up: %s]\r\n", failure);
    }
#endif
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
