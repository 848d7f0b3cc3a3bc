// SPDX-License-Identifier: Apache-2.0
/* Of the STM32L4+: the buses' clocks, PWR and the flash interface. The oscillators and RCC are in rcc.c.
 *
 * Sources: RM0432 sections 5.4 (PWR registers), 3.7 (FLASH registers); DS12023, "Embedded reset and power control block characteristics".
 */
#include "core.h"

#if HAS_RCC_L4

enum { RCC_CFGR = 0x08 };
enum { PWR_CR1 = 0x00, PWR_SR2 = 0x14, PWR_CR5 = 0x80 };
enum { FLASH_ACR = 0x00, FLASH_PDKEYR = 0x04, FLASH_SR = 0x10, FLASH_CR = 0x14, FLASH_OPTR = 0x20 };
#define CR1_DBP (1u << 8)
#define CR5_R1MODE (1u << 8)
#define SR2_REGLPS (1u << 8)
#define SR2_VOSF (1u << 10)
#define RANGE_SETTLES_PS 40000000ull    /* range 2 to range 1: 40 us at most */
#define ACR_ICEN (1u << 9)
#define ACR_DCEN (1u << 10)
#define ACR_ICRST (1u << 11)
#define ACR_DCRST (1u << 12)
#define ACR_RUN_PD (1u << 13)
#define ACR_LATENCY 15u
#define PDKEY2 0xFAFBFCFDu          /* the second of the two words that unlock RUN_PD */

uint32_t clocks_hclk_hz(const struct machine *m)
{
    static const uint32_t HPRE[8] = {2, 4, 8, 16, 64, 128, 256, 512};
    uint32_t hpre = (m->rcc->reg[RCC_CFGR / 4] >> 4) & 15u, sysclk = (uint32_t)sysclk_hz(m);
    sysclk /= hpre < 8 ? 1 : HPRE[hpre - 8];
    return sysclk ? sysclk : 1;     /* a PLL without input: time creeps, as firmware on such a clock would */
}

/* Timers run at twice the APB clock when the APB prescaler is not 1 (RM0432 section 6.2.15). In HCLK cycles per timer clock. */
uint32_t timer_clock_divider(const struct machine *m, uint32_t bus)
{
    uint32_t cfgr = m->rcc->reg[RCC_CFGR / 4], ppre = bus == 1u ? (cfgr >> 8) & 7u : (cfgr >> 11) & 7u;
    return ppre < 4 ? 1u : 1u << (ppre - 4u);
}

/* --- PWR ------------------------------------------------------------------------------------------------------------------------*/

uint32_t power_range(const struct machine *m) { return m->power->reg[PWR_CR1 / 4] >> 9 & 3u; }
bool power_boost(const struct machine *m) { return !(m->power->reg[PWR_CR5 / 4] & CR5_R1MODE); }
bool power_settling(const struct machine *m) { return time_of_ticks_ps(m, m->ticks) < m->clocks.range_settled_ps; }
bool power_backup_open(const struct machine *m) { return m->power->reg[PWR_CR1 / 4] & CR1_DBP; }

static uint32_t pwr_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    return offset == PWR_SR2 ? SR2_REGLPS | (power_settling(m) ? SR2_VOSF : 0u) : p->reg[offset >> 2];
}

static void pwr_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    uint32_t before = power_range(m);
    bus_plain_write(m, p, offset, value, mask);
    if (power_range(m) == 0u || power_range(m) == 3u)
        rule_broken(m, RULE_RANGE_RESERVED, power_range(m), 0);
    if (before == 2u && power_range(m) == 1u)
        m->clocks.range_settled_ps = time_of_ticks_ps(m, m->ticks) + RANGE_SETTLES_PS;
    pins_changed(m);                /* IOSV */
    rules_clock_changed(m);
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
    m->flash_miss_ticks = (acr & ACR_LATENCY) * TICKS_PER_CYCLE;    /* LATENCY: wait states */
    m->icache_on = icache_on;
    m->dcache_on = acr >> 10 & 1u;
    if (acr & 0x1800u)              /* ICRST, DCRST */
        timing_caches_reset(m, acr >> 11 & 1u, acr >> 12 & 1u);
}

static uint32_t cache_resets_refused(struct machine *m, uint32_t acr, uint32_t value)
{
    uint32_t refused = (acr & ACR_ICEN ? value & ACR_ICRST : 0u) | (acr & ACR_DCEN ? value & ACR_DCRST : 0u);
    if (refused)
        rule_broken(m, RULE_FLASH_CACHE_RESET, refused, 0);
    return refused;
}

static uint32_t flash_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    if (offset == FLASH_ACR)
        m->clocks.latency_seen = p->reg[FLASH_ACR / 4] & ACR_LATENCY;
    return p->reg[offset >> 2];
}

static uint32_t flash_peek(struct machine *m, struct peripheral *p, uint32_t offset)
{
    (void)m;
    return p->reg[offset >> 2];
}

static void access_control_write(struct machine *m, struct peripheral *p, uint32_t value, uint32_t mask)
{
    uint32_t *acr = &p->reg[FLASH_ACR / 4], before = *acr;
    value &= ~cache_resets_refused(m, before, value);       /* a cache that is on is not reset */
    if (value & ~before & ACR_RUN_PD) {
        if (p->reg[FLASH_PDKEYR / 4] == PDKEY2) {
            note_once(m, NOTE_FEATURE, p->base + FLASH_ACR);
        } else {
            rule_broken(m, RULE_FLASH_POWER_LOCKED, 0, 0);
            value &= ~ACR_RUN_PD;
        }
    }
    bus_plain_write(m, p, FLASH_ACR, value, mask);
    if (((*acr & ACR_ICEN) && (*acr & ACR_ICRST)) || ((*acr & ACR_DCEN) && (*acr & ACR_DCRST)))
        rule_broken(m, RULE_FLASH_CACHE_HELD, 0, 0);
    if ((*acr & ACR_LATENCY) < m->clocks.latency_seen)
        m->clocks.latency_seen = *acr & ACR_LATENCY;
    flash_apply(m, p);
    rules_clock_changed(m);
}

static void flash_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    if (offset == FLASH_SR) {
        p->reg[offset >> 2] &= ~value;
        return;
    }
    if (offset == FLASH_OPTR) {     /* locked after a reset; unlocking and programming are not modelled, so it stays what it is */
        note_once(m, NOTE_FEATURE, p->base + FLASH_OPTR);
        return;
    }
    if (offset == FLASH_ACR)
        access_control_write(m, p, value, mask);
    else
        bus_plain_write(m, p, offset, value, mask);
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
    rcc_add(m);
    m->power = bus_add(m, (struct peripheral){.name = "PWR", .base = PWR_BASE, .size = 0x400, .read = pwr_read, .write = pwr_write,
                                             .reset = pwr_reset, .peek = pwr_read});
    m->flash_interface = bus_add(m, (struct peripheral){.name = "FLASH", .base = FLASH_INTERFACE_BASE, .size = 0x400,
                                                       .read = flash_read, .write = flash_write, .reset = flash_reset,
                                                       .peek = flash_peek});
}

#endif
