// SPDX-License-Identifier: Apache-2.0
/* RCC: oscillators and PLLs with the time that they take, the switch between them, and what their registers refuse.
 *
 * Sources: RM0432 section 6.4 (RCC registers) and "Clocks"; start-up times: DS12023, tables of the oscillators' and the PLL's
 * characteristics, the longest that they allow.
 */
#include "core.h"

#if HAS_RCC_L4

enum {
    RCC_CR = 0x00, RCC_CFGR = 0x08, RCC_PLLCFGR = 0x0C, RCC_PLLSAI1CFGR = 0x10, RCC_PLLSAI2CFGR = 0x14, RCC_AHB1ENR = 0x48, RCC_APB2ENR = 0x60,
    RCC_CCIPR = 0x88, RCC_BDCR = 0x90, RCC_CSR = 0x94, RCC_CRRCR = 0x98
};
#define MHZ 1000000u
#define HSI_HZ (16u * MHZ)
#define LSE_HZ 32768u
#define HSE_HZ (8u * MHZ)           /* the ST-LINK's clock output on the NUCLEO board, UM2179 */
#define US_PS 1000000ull
#define CR_MSIRGSEL 8u
#define CR_MSI_FIELDS 0xF8u         /* MSIRGSEL and MSIRANGE */
#define AHB1ENR_FLASHEN 0x100u
#define PLL_OUTPUTS 0x01110000u     /* PEN, QEN, REN: the only bits of PLLCFGR that may change while the PLL runs */
#define PLL_REN (1u << 24)
#define PLL_QEN (1u << 20)
#define PLL_FIRST_INPUT_HZ 2660000u
#define PLL_LAST_INPUT_HZ (16u * MHZ)
#define PLL_FIRST_VCO_HZ (64u * MHZ)
#define PLL_LAST_VCO_HZ (344u * MHZ)
#define PLL_LAST_VCO_RANGE_2_HZ (128u * MHZ)
#define PLL_LAST_OUTPUT_HZ (120u * MHZ)
#define PLL_LEAST_N 8u

/* Where each one's switch and its ready flag are, how long it takes, and which bit of RCC_CR keeps it from being switched off in use. */
static const struct { uint32_t reg, on, ready; uint64_t startup_ps; } SOURCES[CLOCK_SOURCES] = {
    [SOURCE_MSI] = {RCC_CR, 0, 1, 20 * US_PS},      [SOURCE_HSI] = {RCC_CR, 8, 10, 5 * US_PS},
    [SOURCE_HSE] = {RCC_CR, 16, 17, 2000 * US_PS},  [SOURCE_PLL] = {RCC_CR, 24, 25, 40 * US_PS},
    [SOURCE_PLLSAI1] = {RCC_CR, 26, 27, 40 * US_PS}, [SOURCE_PLLSAI2] = {RCC_CR, 28, 29, 40 * US_PS},
    [SOURCE_LSE] = {RCC_BDCR, 0, 1, 2000000 * US_PS}, [SOURCE_LSI] = {RCC_CSR, 0, 1, 130 * US_PS},
    [SOURCE_HSI48] = {RCC_CRRCR, 0, 1, 6 * US_PS}};

static uint32_t reg(const struct machine *m, uint32_t offset) { return m->rcc->reg[offset / 4]; }
static uint64_t now_ps(const struct machine *m) { return time_of_ticks_ps(m, m->ticks); }

/* --- oscillators --------------------------------------------------------------------------------------------------------------------*/

static bool is_on(const struct machine *m, uint32_t source) { return reg(m, SOURCES[source].reg) >> SOURCES[source].on & 1u; }

static uint32_t pll_source(const struct machine *m)
{
    static const uint32_t SOURCE[4] = {NO_SOURCE, SOURCE_MSI, SOURCE_HSI, SOURCE_HSE};
    return SOURCE[reg(m, RCC_PLLCFGR) & 3u];
}

static bool is_pll(uint32_t source) { return source == SOURCE_PLL || source == SOURCE_PLLSAI1 || source == SOURCE_PLLSAI2; }

/* When it is stable; NEVER if it is off, or a PLL without an input. */
static uint64_t ready_at_ps(const struct machine *m, uint32_t source)
{
    uint64_t start = m->clocks.on_ps[source], input;
    if (!is_on(m, source))
        return NEVER;
    if (is_pll(source)) {
        input = pll_source(m) == NO_SOURCE ? NEVER : ready_at_ps(m, pll_source(m));
        if (input == NEVER)
            return NEVER;
        start = input > start ? input : start;
    }
    return m->clocks.at_reset[source] ? 0 : start + SOURCES[source].startup_ps;
}

bool clock_ready(const struct machine *m, uint32_t source) { return ready_at_ps(m, source) <= now_ps(m); }

static uint32_t msi_hz(const struct machine *m)
{
    static const uint32_t RANGE_HZ[16] = {100000,   200000,   400000,   800000,   1000000,  2000000,  4000000,  8000000,
                                          16000000, 24000000, 32000000, 48000000, 48000000, 48000000, 48000000, 48000000};
    uint32_t cr = reg(m, RCC_CR), csr = reg(m, RCC_CSR);
    return RANGE_HZ[cr & CR_MSIRGSEL ? (cr >> 4) & 15u : (csr >> 8) & 15u]; /* MSIRGSEL: range of CR or of CSR */
}

static uint32_t source_hz(const struct machine *m, uint32_t source)
{
    switch (source) {
    case SOURCE_MSI: return msi_hz(m);
    case SOURCE_HSI: return HSI_HZ;
    case SOURCE_HSE: return HSE_HZ;
    case SOURCE_HSI48: return 48u * MHZ;
    case SOURCE_LSE: return LSE_HZ;
    default: return 0;
    }
}

static uint64_t vco_hz(const struct machine *m, uint32_t configuration)
{
    uint32_t cfg = reg(m, configuration), n = (cfg >> 8) & 127u;
    return pll_source(m) == NO_SOURCE ? 0 : (uint64_t)source_hz(m, pll_source(m)) / ((cfg >> 4 & 15u) + 1u) * n;
}

static uint32_t pll_output_hz(const struct machine *m, uint32_t configuration, uint32_t shift)
{
    return (uint32_t)(vco_hz(m, configuration) / (2u * ((reg(m, configuration) >> shift & 3u) + 1u)));
}

/* --- the system clock ---------------------------------------------------------------------------------------------------------------*/

static uint32_t system_source(uint32_t sw)
{
    static const uint32_t SOURCE[4] = {SOURCE_MSI, SOURCE_HSI, SOURCE_HSE, SOURCE_PLL};
    return SOURCE[sw & 3u];
}

uint64_t sysclk_hz(const struct machine *m)
{
    uint32_t source = system_source(m->clocks.system);
    return source == SOURCE_PLL ? pll_output_hz(m, RCC_PLLCFGR, 25) : source_hz(m, source);
}

static uint64_t switch_at_ps(const struct machine *m)
{
    uint32_t source = system_source(reg(m, RCC_CFGR));
    if (source == SOURCE_PLL && !(reg(m, RCC_PLLCFGR) & PLL_REN))
        return NEVER;
    return ready_at_ps(m, source);
}

/* A switch to a clock that is not yet ready happens when it is (RM0432 "System clock (SYSCLK) selection"). */
static void follow_switch(struct machine *m)
{
    uint32_t wanted = reg(m, RCC_CFGR) & 3u;
    if (wanted == m->clocks.system || switch_at_ps(m) > now_ps(m))
        return;
    m->clocks.system = wanted;
    m->rules.access.address = m->rcc->base + RCC_CFGR;     /* which asked for it, maybe long ago */
    m->rules.access.value = reg(m, RCC_CFGR);
    m->rules.access.is_store = true;
    clock_update(m);
}

void rcc_advance(struct machine *m) { follow_switch(m); }

uint64_t rcc_next_event(const struct machine *m)
{
    uint64_t at = (reg(m, RCC_CFGR) & 3u) == m->clocks.system ? NEVER : switch_at_ps(m);
    return at == NEVER ? NEVER : ticks_of_time_ps(m, at);
}

/* True if the source drives the system clock, is about to, or feeds the PLL that does. */
static bool in_use(const struct machine *m, uint32_t source)
{
    uint32_t now = system_source(m->clocks.system), next = system_source(reg(m, RCC_CFGR));
    return source == now || source == next || ((now == SOURCE_PLL || next == SOURCE_PLL) && source == pll_source(m));
}

/* Firmware relies on a source: is it there, and did anybody look? */
static void check_ready(struct machine *m, uint32_t source, enum rule rule)
{
    if (!clock_ready(m, source))
        rule_broken(m, rule, source, 0);
    else if (!m->clocks.seen_ready[source])
        rule_broken(m, RULE_READY_UNREAD, source, 0);
}

/* --- what other peripherals run on ----------------------------------------------------------------------------------------------------*/

/* RM0432 section 6.4.28 (CCIPR), two bits each. 0: the clock that is selected does not run. */
uint32_t uart_kernel_hz(const struct machine *m, uint32_t uart)
{
#define X(name, base, low_power, interrupt, bus, kernel, bit, width, request) {bit, bus},
    static const struct { uint32_t shift, bus; } UART[UARTS] = {UART_ROWS(X)};
#undef X
    uint32_t source = reg(m, RCC_CCIPR) >> UART[uart].shift & 3u, cfgr = reg(m, RCC_CFGR), ppre;
    if (source == 1)
        return (uint32_t)sysclk_hz(m);
    if (source == 2)
        return clock_ready(m, SOURCE_HSI) ? HSI_HZ : 0;
    if (source == 3)
        return clock_ready(m, SOURCE_LSE) ? LSE_HZ : 0;
    ppre = UART[uart].bus == 2u ? cfgr >> 11 & 7u : cfgr >> 8 & 7u;
    return (uint32_t)(m->hclk_hz >> (ppre < 4 ? 0 : ppre - 3u));
}

/* CCIPR.CLK48SEL: what RNG, USB and SDMMC run on; 0 if that does not run. */
uint32_t clk48_hz(const struct machine *m)
{
    switch (reg(m, RCC_CCIPR) >> 26 & 3u) {
    case 0: return clock_ready(m, SOURCE_HSI48) ? source_hz(m, SOURCE_HSI48) : 0;
    case 1: return clock_ready(m, SOURCE_PLLSAI1) && (reg(m, RCC_PLLSAI1CFGR) & PLL_QEN) ? pll_output_hz(m, RCC_PLLSAI1CFGR, 21) : 0;
    case 2: return clock_ready(m, SOURCE_PLL) && (reg(m, RCC_PLLCFGR) & PLL_QEN) ? pll_output_hz(m, RCC_PLLCFGR, 21) : 0;
    default: return clock_ready(m, SOURCE_MSI) ? msi_hz(m) : 0;
    }
}

/* --- registers ----------------------------------------------------------------------------------------------------------------------*/

static uint32_t rcc_peek(struct machine *m, struct peripheral *p, uint32_t offset)
{
    uint32_t value = p->reg[offset >> 2];
    if (offset == RCC_CFGR)
        return (value & ~0xCu) | m->clocks.system << 2;     /* SWS */
    for (uint32_t s = 0; s < CLOCK_SOURCES; s++)
        if (SOURCES[s].reg == offset)
            value = (value & ~(1u << SOURCES[s].ready)) | (clock_ready(m, s) ? 1u << SOURCES[s].ready : 0u);
    return value;
}

static uint32_t rcc_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    uint32_t value;
    follow_switch(m);
    value = rcc_peek(m, p, offset);
    for (uint32_t s = 0; s < CLOCK_SOURCES; s++)
        m->clocks.seen_ready[s] |= SOURCES[s].reg == offset && (value >> SOURCES[s].ready & 1u);
    return value;
}

static void check_pll(struct machine *m, uint32_t configuration)
{
    uint32_t cfg = reg(m, configuration), source = pll_source(m), input;
    uint64_t vco = vco_hz(m, configuration), last = power_range(m) == 2u && !external_core_supply(m) ? PLL_LAST_VCO_RANGE_2_HZ : PLL_LAST_VCO_HZ;
    if (source == NO_SOURCE) {
        rule_broken(m, RULE_PLL_SOURCE, NO_SOURCE, 0);
        return;
    }
    check_ready(m, source, RULE_PLL_SOURCE);
    input = source_hz(m, source) / ((cfg >> 4 & 15u) + 1u);
    if (input < PLL_FIRST_INPUT_HZ || input > PLL_LAST_INPUT_HZ)
        rule_broken(m, RULE_PLL_INPUT, input, input < PLL_FIRST_INPUT_HZ ? PLL_FIRST_INPUT_HZ : PLL_LAST_INPUT_HZ);
    if ((cfg >> 8 & 127u) < PLL_LEAST_N || vco < PLL_FIRST_VCO_HZ || vco > last)
        rule_broken(m, RULE_PLL_VCO, vco > UINT32_MAX ? UINT32_MAX : (uint32_t)vco, vco < PLL_FIRST_VCO_HZ ? PLL_FIRST_VCO_HZ : (uint32_t)last);
    if (pll_output_hz(m, configuration, 25) > PLL_LAST_OUTPUT_HZ && (cfg & PLL_REN))
        rule_broken(m, RULE_PLL_OUTPUT, pll_output_hz(m, configuration, 25), PLL_LAST_OUTPUT_HZ);
}

static void write_control(struct machine *m, struct peripheral *p, uint32_t value, uint32_t mask)
{
    static const struct { uint32_t source, configuration; } PLLS[3] = {
        {SOURCE_PLL, RCC_PLLCFGR}, {SOURCE_PLLSAI1, RCC_PLLSAI1CFGR}, {SOURCE_PLLSAI2, RCC_PLLSAI2CFGR}};
    uint32_t before = p->reg[RCC_CR / 4], wanted = (before & ~mask) | value, kept = 0;
    for (uint32_t s = 0; s < CLOCK_SOURCES; s++)
        if (SOURCES[s].reg == RCC_CR && (before & ~wanted) >> SOURCES[s].on & 1u && in_use(m, s))
            kept |= 1u << SOURCES[s].on;
    if (kept)
        rule_broken(m, RULE_OSCILLATOR_IN_USE, kept, 0);
    if (((before ^ wanted) & CR_MSI_FIELDS) && (before & 1u) && !clock_ready(m, SOURCE_MSI))
        rule_broken(m, RULE_MSI_RANGE, wanted & CR_MSI_FIELDS, 0);
    wanted |= kept;
    if (before & CR_MSIRGSEL)
        wanted |= CR_MSIRGSEL;          /* set once, until the next reset */
    p->reg[RCC_CR / 4] = wanted;
    for (uint32_t i = 0; i < 3; i++)
        if ((wanted & ~before) >> SOURCES[PLLS[i].source].on & 1u)
            check_pll(m, PLLS[i].configuration);
}

/* A PLL's register takes all bits while it is off, the outputs' while it runs; R's not while the core runs on it. */
static void write_pll(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t source, uint32_t value, uint32_t mask)
{
    uint32_t before = p->reg[offset >> 2], changed = (before ^ value) & mask, taken = mask;
    if (is_on(m, source) && (changed & ~PLL_OUTPUTS)) {
        rule_broken(m, RULE_PLL_RUNNING, changed & ~PLL_OUTPUTS, 0);
        taken &= PLL_OUTPUTS;
    }
    if (source == SOURCE_PLL && (before & changed & PLL_REN) && system_source(m->clocks.system) == SOURCE_PLL) {
        rule_broken(m, RULE_OSCILLATOR_IN_USE, PLL_REN, 0);
        taken &= ~PLL_REN;
    }
    bus_plain_write(m, p, offset, value & taken, taken);
}

static void check_switch(struct machine *m, uint32_t before)
{
    uint32_t source = system_source(reg(m, RCC_CFGR));
    if (!((before ^ reg(m, RCC_CFGR)) & 3u))
        return;
    check_ready(m, source, RULE_SYSCLK_SOURCE);
    if (source != SOURCE_PLL)
        return;
    if (!(reg(m, RCC_PLLCFGR) & PLL_REN))
        rule_broken(m, RULE_SYSCLK_PLL_OUTPUT, 0, 0);
    else if (pll_output_hz(m, RCC_PLLCFGR, 25) > PLL_LAST_OUTPUT_HZ)
        rule_broken(m, RULE_PLL_OUTPUT, pll_output_hz(m, RCC_PLLCFGR, 25), PLL_LAST_OUTPUT_HZ);
}

/* A source that was switched on counts its start-up time from now. */
static void note_starts(struct machine *m, const bool *were_on)
{
    for (uint32_t s = 0; s < CLOCK_SOURCES; s++) {
        if (is_on(m, s) == were_on[s])
            continue;
        m->clocks.on_ps[s] = now_ps(m);
        m->clocks.seen_ready[s] = m->clocks.at_reset[s] = false;
    }
}

static void rcc_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    bool were_on[CLOCK_SOURCES], gates = offset >= RCC_AHB1ENR && offset <= RCC_APB2ENR;
    uint32_t before = p->reg[offset >> 2];
    for (uint32_t s = 0; s < CLOCK_SOURCES; s++)
        were_on[s] = is_on(m, s);
    if (offset == RCC_CFGR || gates)
        timers_rebase(m);
    switch (offset) {
    case RCC_CR: write_control(m, p, value, mask); break;
    case RCC_PLLCFGR: write_pll(m, p, offset, SOURCE_PLL, value, mask); break;
    case RCC_PLLSAI1CFGR: write_pll(m, p, offset, SOURCE_PLLSAI1, value, mask); break;
    case RCC_PLLSAI2CFGR: write_pll(m, p, offset, SOURCE_PLLSAI2, value, mask); break;
    case RCC_BDCR:
        if (!power_backup_open(m)) {
            rule_broken(m, RULE_BACKUP_PROTECTED, 0, 0);
            return;
        }
        bus_plain_write(m, p, offset, value, mask);
        break;
    default: bus_plain_write(m, p, offset, value, mask); break;
    }
    if (offset == RCC_AHB1ENR && !(p->reg[offset >> 2] & AHB1ENR_FLASHEN)) {
        rule_broken(m, RULE_FLASH_CLOCK, 0, 0);
        p->reg[offset >> 2] |= AHB1ENR_FLASHEN;
    }
    note_starts(m, were_on);
    if (gates)
        timers_clocks_changed(m);
    if (offset == RCC_CFGR)
        check_switch(m, before);
    follow_switch(m);
    clock_update(m);
}

static void rcc_reset(struct machine *m, struct peripheral *p)
{
    p->reg[RCC_CR / 4] = 0x63;      /* MSI on, 4 MHz */
    p->reg[RCC_PLLCFGR / 4] = p->reg[RCC_PLLSAI1CFGR / 4] = p->reg[RCC_PLLSAI2CFGR / 4] = 0x1000;
    p->reg[RCC_AHB1ENR / 4] = AHB1ENR_FLASHEN;
    p->reg[0x58 / 4] = 0x400;       /* APB1ENR1: RTCAPBEN */
    p->reg[RCC_CSR / 4] = 0x0C000600;
    m->clocks = (struct clocks){.at_reset[SOURCE_MSI] = true, .seen_ready[SOURCE_MSI] = true};
    clock_update(m);
}

void rcc_add(struct machine *m)
{
    m->rcc = bus_add(m, (struct peripheral){.name = "RCC", .base = RCC_BASE, .size = 0x400,
                                           .read = rcc_read, .write = rcc_write, .reset = rcc_reset, .peek = rcc_peek});
}

#endif
