// SPDX-License-Identifier: Apache-2.0
/* The clock tree of the benchmark: SYSCLK = HCLK = PCLK1 = PCLK2 = 120 MHz from HSI16 through the PLL. */
#ifndef CM4TINY_CLOCK_H
#define CM4TINY_CLOCK_H

#define CLOCK_SYSTEM_HZ 120000000u
#define CLOCK_HSI16_HZ 16000000u

/* Call once after reset, before .data and .bss are valid. */
void clock_init(void);

#endif
