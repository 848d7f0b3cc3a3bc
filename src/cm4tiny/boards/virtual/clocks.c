// SPDX-License-Identifier: Apache-2.0
/* RCC, PWR and the flash interface: ready bits, the clock that follows from them, and virtual time.
 *
 * Sources: RM0432 sections 6.4 (RCC registers), 5.4 (PWR registers), 3.7 (FLASH registers).
 * Virtual time = cycles / HCLK, added up over every change of HCLK.
 */
#include "core.h"

#include <string.h>

enum { RCC_CR = 0x00, RCC_CFGR = 0x08, RCC_PLLCFGR = 0x0C, RCC_BDCR = 0x90, RCC_CSR = 0x94, RCC_CRRCR = 0x98, RCC_CCIPR = 0x88 };
enum { PWR_CR1 = 0x00, PWR_SR2 = 0x14, PWR_CR5 = 0x80 };
enum { FLASH_ACR = 0x00, FLASH_SR = 0x10, FLASH_CR = 0x14, FLASH_OPTR = 0x20 };
#define HSI_HZ 16000000u
#define LSE_HZ 32768u
#define HSE_HZ 8000000u             /* the ST-LINK's clock output on the NUCLEO board, UM2179 */
#define PS_PER_TICK_AT_1HZ 1000000000u  /* 10^12 ps / TICKS_PER_CYCLE */

uint64_t time_of_ticks_ps(const struct machine *m, uint64_t ticks)
{
    if (!m->hclk_hz)
        return 0;                   /* before the first reset */
    return m->clock_base_ps + (uint64_t)((u128)(ticks - m->clock_base_ticks) * PS_PER_TICK_AT_1HZ / m->hclk_hz);
}

/* The first tick at or after a time. */
uint64_t ticks_of_time_ps(const struct machine *m, uint64_t time_ps)
{
    u128 product;
    if (time_ps <= m->clock_base_ps)
        return m->clock_base_ticks;
    product = (u128)(time_ps - m->clock_base_ps) * m->hclk_hz + (PS_PER_TICK_AT_1HZ - 1u);
    product /= PS_PER_TICK_AT_1HZ;
    return product > NEVER - m->clock_base_ticks ? NEVER : m->clock_base_ticks + (uint64_t)product;
}

static uint32_t msi_hz(const struct machine *m)
{
    static const uint32_t RANGE_HZ[16] = {100000,  200000,   400000,   800000,   1000000,  2000000, 4000000, 8000000,
                                          16000000, 24000000, 32000000, 48000000, 48000000, 48000000, 48000000, 48000000};
    uint32_t cr = m->rcc->reg[RCC_CR / 4], csr = m->rcc->reg[RCC_CSR / 4];
    return RANGE_HZ[cr & 8u ? (cr >> 4) & 15u : (csr >> 8) & 15u];  /* MSIRGSEL: range of CR or of CSR */
}

static uint32_t pll_hz(const struct machine *m)
{
    uint32_t cfg = m->rcc->reg[RCC_PLLCFGR / 4];
    const uint32_t source[4] = {0, msi_hz(m), HSI_HZ, HSE_HZ};
    uint64_t divider = ((cfg >> 4) & 15u) + 1u, multiplier = (cfg >> 8) & 127u, r = 2u * (((cfg >> 25) & 3u) + 1u);
    return (uint32_t)(source[cfg & 3u] * multiplier / (divider * r));
}

static uint32_t sysclk_hz(const struct machine *m)
{
    switch (m->rcc->reg[RCC_CFGR / 4] & 3u) {
    case 0: return msi_hz(m);
    case 1: return HSI_HZ;
    case 2: return HSE_HZ;
    default: return pll_hz(m);
    }
}

static uint32_t current_hclk_hz(const struct machine *m)
{
    static const uint32_t HPRE[8] = {2, 4, 8, 16, 64, 128, 256, 512};
    uint32_t hpre = (m->rcc->reg[RCC_CFGR / 4] >> 4) & 15u, sysclk = sysclk_hz(m);
    sysclk /= hpre < 8 ? 1 : HPRE[hpre - 8];
    return sysclk ? sysclk : 1;     /* a PLL without input: time creeps, as firmware on such a clock would */
}

static void clock_update(struct machine *m)
{
    uint64_t hclk = current_hclk_hz(m);
    if (hclk == m->hclk_hz)
        return;
    if (m->hclk_hz)
        m->clock_base_ps = time_of_ticks_ps(m, m->ticks);
    m->clock_base_ticks = m->ticks;
    m->hclk_hz = hclk;
    if (list_grow(m, LIST_CLOCK_CHANGES, MAX_CLOCK_CHANGES, &m->clock_changes, m->clock_change_count, &m->clock_change_room,
                  sizeof *m->clock_changes))
        m->clock_changes[m->clock_change_count++] = (struct clock_change){m->clock_base_ps, m->ticks, hclk};
    replan(m);
}

/* Timers run at twice the APB clock when the APB prescaler is not 1 (RM0432 section 6.2.15). In HCLK cycles per timer clock. */
uint32_t timer_clock_divider(const struct machine *m, uint32_t timer_base)
{
    uint32_t cfgr = m->rcc->reg[RCC_CFGR / 4], ppre = timer_base < 0x40010000u ? (cfgr >> 8) & 7u : (cfgr >> 11) & 7u;
    return ppre < 4 ? 1u : 1u << (ppre - 4u);
}

/* What clocks a UART: RM0432 section 6.4.28 (CCIPR). Two bits each in the order USART1..3, UART4, UART5, LPUART1. */
uint32_t uart_kernel_hz(const struct machine *m, uint32_t uart)
{
    static const uint32_t SHIFT[UARTS] = {10, 0, 2, 4, 6, 8};      /* in the order of uart.c */
    uint32_t source = m->rcc->reg[RCC_CCIPR / 4] >> SHIFT[uart] & 3u, cfgr = m->rcc->reg[RCC_CFGR / 4], ppre;
    if (source == 1)
        return sysclk_hz(m);
    if (source == 2)
        return HSI_HZ;
    if (source == 3)
        return LSE_HZ;
    ppre = uart == 1 ? cfgr >> 11 & 7u : cfgr >> 8 & 7u;   /* USART1 is on APB2 */
    return (uint32_t)(m->hclk_hz >> (ppre < 4 ? 0 : ppre - 3u));
}

/* --- RCC ------------------------------------------------------------------------------------------------------------------------*/

static uint32_t copy_bit(uint32_t value, uint32_t from, uint32_t to)
{
    return (value & ~(1u << to)) | (((value >> from) & 1u) << to);
}

static uint32_t rcc_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    uint32_t v = p->reg[offset >> 2];
    (void)m;
    switch (offset) {
    case RCC_CR:                    /* each ...ON bit appears as its ...RDY bit: MSI, HSI, HSE, PLL, PLLSAI1, PLLSAI2 */
        v = copy_bit(v, 0, 1), v = copy_bit(v, 8, 10), v = copy_bit(v, 16, 17);
        return v = copy_bit(v, 24, 25), v = copy_bit(v, 26, 27), copy_bit(v, 28, 29);
    case RCC_CFGR: return (v & ~0xCu) | ((v & 3u) << 2);    /* SW -> SWS */
    case RCC_BDCR: case RCC_CSR: case RCC_CRRCR: return copy_bit(v, 0, 1);  /* LSEON, LSION, HSI48ON -> ready */
    default: return v;
    }
}

static void rcc_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    if (offset == RCC_CFGR)
        timers_rebase(m);
    bus_plain_write(m, p, offset, value, mask);
    clock_update(m);
}

static void rcc_reset(struct machine *m, struct peripheral *p)
{
    p->reg[RCC_CR / 4] = 0x63;      /* MSI on, 4 MHz */
    p->reg[RCC_PLLCFGR / 4] = 0x1000;
    p->reg[0x48 / 4] = 0x100;       /* AHB1ENR: FLASHEN */
    p->reg[RCC_CSR / 4] = 0x0C000600;
    clock_update(m);
}

/* --- PWR ------------------------------------------------------------------------------------------------------------------------*/

static uint32_t pwr_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    (void)m;
    /* SR2: REGLPS set, VOSF clear: the regulator follows at once */
    return offset == PWR_SR2 ? 0x100u : p->reg[offset >> 2];
}

static void pwr_reset(struct machine *m, struct peripheral *p)
{
    (void)m;
    p->reg[PWR_CR1 / 4] = 0x200;    /* VOS range 1 */
    p->reg[PWR_CR5 / 4] = 0x100;    /* R1MODE: normal, not boost */
}

/* --- FLASH ----------------------------------------------------------------------------------------------------------------------*/

static void flash_apply(struct machine *m, struct peripheral *p)
{
    uint32_t acr = p->reg[FLASH_ACR / 4];
    bool icache_on = acr >> 9 & 1u;
    if (icache_on != m->icache_on)
        timing_forget_verified(m);
    m->flash_miss_ticks = (acr & 15u) * TICKS_PER_CYCLE;    /* LATENCY: wait states */
    m->icache_on = icache_on;
    m->dcache_on = acr >> 10 & 1u;
    if (acr & 0x1800u)              /* ICRST, DCRST */
        timing_caches_reset(m, acr >> 11 & 1u, acr >> 12 & 1u);
}

static void flash_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    if (offset == FLASH_SR) {
        p->reg[offset >> 2] &= ~value;
        return;
    }
    bus_plain_write(m, p, offset, value, mask);
    if (offset == FLASH_ACR)
        flash_apply(m, p);
}

static void flash_reset(struct machine *m, struct peripheral *p)
{
    p->reg[FLASH_ACR / 4] = 0x600;  /* ICEN, DCEN, 0 wait states */
    p->reg[FLASH_CR / 4] = 0xC0000000u; /* locked; programming is not modelled */
    p->reg[FLASH_OPTR / 4] = 0xFFEFF8AA;
    flash_apply(m, p);
}

void clocks_add(struct machine *m)
{
    m->rcc = bus_add(m, (struct peripheral){.name = "RCC", .base = 0x40021000, .size = 0x400,
                                           .read = rcc_read, .write = rcc_write, .reset = rcc_reset, .peek = rcc_read});
    bus_add(m, (struct peripheral){.name = "PWR", .base = 0x40007000, .size = 0x400, .read = pwr_read, .reset = pwr_reset,
                                   .peek = pwr_read});
    m->flash_interface = bus_add(m, (struct peripheral){.name = "FLASH", .base = 0x40022000, .size = 0x400,
                                                       .write = flash_write, .reset = flash_reset});
}
