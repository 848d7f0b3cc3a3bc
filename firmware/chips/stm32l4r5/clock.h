// SPDX-License-Identifier: Apache-2.0
/* The clock tree of the benchmark: SYSCLK = HCLK = PCLK1 = PCLK2 from HSI16 through the PLL, as the board's description says. */
#ifndef CM4TINY_CLOCK_H
#define CM4TINY_CLOCK_H

#include "board_description.h"

/* Call once after reset, before .data and .bss are valid. */
void clock_init(void);

#endif
