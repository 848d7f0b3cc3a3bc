// SPDX-License-Identifier: Apache-2.0
/* Time stamps as the API's th_timestamp() defines them.
 *
 * Performance mode prints the microsecond timer. Energy mode pulls the time-stamp pin low for at least 1 us; the energy monitor counts the
 * falling edge. */
#include "api.h"
#include "board.h"

#if EE_CFG_ENERGY_MODE == 1
static void pulse_low(void)
{
    board_timestamp_pin(false);
    const uint32_t start = board_micros();
    while (board_micros() - start < 2u) { /* two ticks apart is at least one whole microsecond */
    }
    board_timestamp_pin(true);
}
#endif

void th_timestamp(void)
{
    board_uart_flush(); /* no character of an earlier message is sent inside the window that starts here */
#if EE_CFG_ENERGY_MODE == 1
    pulse_low();
#else
    const unsigned long microseconds = board_micros();
    th_printf(EE_MSG_TIMESTAMP, microseconds);
#endif
}

void th_timestamp_initialize(void)
{
    th_printf(EE_MSG_TIMESTAMP_MODE);
    th_timestamp(); /* leaves the pin high, so that the next falling edge can be seen */
}
