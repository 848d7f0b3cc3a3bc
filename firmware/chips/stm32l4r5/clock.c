// SPDX-License-Identifier: Apache-2.0
/* The board's clock on the STM32L4R5, in the order that RM0432 demands.
 *
 * "Dynamic voltage scaling management": above 80 MHz the regulator runs in range 1 boost mode. To enter it, the AHB prescaler halves the
 * clock first, R1MODE is cleared, the flash latency is raised, the system clock is switched, and after at least 1 us the prescaler goes
 * back. "Read access latency": range 1 boost mode, 100 MHz < HCLK <= 120 MHz needs five wait states. The core comes out of reset on MSI
 * at 4 MHz in range 1. Nothing here relies on .data or .bss. */
#include "clock.h"

#include "stm32l4r5.h"

_Static_assert(CLOCK_INTERNAL_HZ / CLOCK_PLL_M * CLOCK_PLL_N / CLOCK_PLL_R == CLOCK_SYSTEM_HZ, "the PLL does not make the system clock");
_Static_assert(CLOCK_SYSTEM_HZ <= 120000000u, "range 1 boost mode goes to 120 MHz");

static void start_hsi16(void)
{
    RCC_CR |= RCC_CR_HSION;
    while ((RCC_CR & RCC_CR_HSIRDY) == 0u) {
    }
}

static void enter_range1_boost(void)
{
    RCC_APB1ENR1 |= RCC_APB1ENR1_PWR;
    (void)RCC_APB1ENR1; /* "Peripheral clock enable register": two cycles until the peripheral's registers can be used */
    PWR_CR1 = (PWR_CR1 & ~PWR_CR1_VOS_MASK) | PWR_CR1_VOS_RANGE1;
    while ((PWR_SR2 & PWR_SR2_VOSF) != 0u) {
    }
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_HPRE_MASK) | RCC_CFGR_HPRE_DIV2;
    PWR_CR5 &= ~PWR_CR5_R1MODE;
}

/* "Read access latency", increasing the frequency: program the latency and check that it was taken before the clock rises.
 * "Adaptive real-time memory accelerator": both caches on. Prefetch stays off, as after reset: the inner loops run out of the instruction
 * cache, and a prefetch costs energy and competes with weight reads for the same flash port. */
static void set_up_flash(void)
{
    FLASH_ACR &= ~(FLASH_ACR_ICEN | FLASH_ACR_DCEN | FLASH_ACR_PRFTEN); /* the caches can be reset only while they are off */
    FLASH_ACR |= FLASH_ACR_ICRST | FLASH_ACR_DCRST;
    FLASH_ACR &= ~(FLASH_ACR_ICRST | FLASH_ACR_DCRST);
    FLASH_ACR = (FLASH_ACR & ~FLASH_ACR_LATENCY_MASK) | CLOCK_FLASH_WAIT_STATES;
    while ((FLASH_ACR & FLASH_ACR_LATENCY_MASK) != CLOCK_FLASH_WAIT_STATES) {
    }
    FLASH_ACR |= FLASH_ACR_ICEN | FLASH_ACR_DCEN;
}

static void switch_to_pll(void)
{
    RCC_CR &= ~RCC_CR_PLLON; /* "PLL": it is configured while it is off */
    while ((RCC_CR & RCC_CR_PLLRDY) != 0u) {
    }
    RCC_PLLCFGR = RCC_PLLCFGR_SRC_HSI16 | RCC_PLLCFGR_M(CLOCK_PLL_M) | RCC_PLLCFGR_N(CLOCK_PLL_N) | RCC_PLLCFGR_R(CLOCK_PLL_R);
    RCC_CR |= RCC_CR_PLLON;
    while ((RCC_CR & RCC_CR_PLLRDY) == 0u) {
    }
    RCC_PLLCFGR |= RCC_PLLCFGR_REN;
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW_MASK) | RCC_CFGR_SW_PLL;
    while ((RCC_CFGR & RCC_CFGR_SWS_MASK) != RCC_CFGR_SWS_PLL) {
    }
}

/* At 60 MHz at most now; 100 rounds of a counted loop are at least 300 cycles, 5 us. */
static void wait_for_regulator(void)
{
    for (volatile uint32_t i = 0; i < 100u; ++i) {
    }
}

void clock_init(void)
{
    start_hsi16();
    enter_range1_boost();
    set_up_flash();
    switch_to_pll();
    wait_for_regulator();
    RCC_CFGR &= ~RCC_CFGR_HPRE_MASK; /* AHB undivided */
}
