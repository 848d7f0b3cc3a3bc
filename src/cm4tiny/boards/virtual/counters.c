// SPDX-License-Identifier: Apache-2.0
/* SysTick and the cycle counter of the DWT.
 *
 * Sources: DDI0403 sections B3.3 (SysTick), C1.8 (DWT). SysTick counts HCLK or HCLK/8 (RM0432 section 6.2.14).
 */
#include "core.h"

enum { SYST_CSR = 0x00, SYST_RVR = 0x04, SYST_CVR = 0x08, SYST_CALIB = 0x0C };
enum { CSR_ENABLE = 1u, CSR_TICKINT = 2u, CSR_CLKSOURCE = 4u };
enum { DWT_CTRL = 0x00, DWT_CYCCNT = 0x04 };
#define SCB_DEMCR 0xFCu
#define DEMCR_TRCENA (1u << 24)

/* --- SysTick ------------------------------------------------------------------------------------------------------------------------*/

static uint64_t divider(const struct machine *m) { return m->systick_registers->reg[SYST_CSR / 4] & CSR_CLKSOURCE ? 1u : 8u; }
static uint64_t period(const struct machine *m) { return (uint64_t)(m->systick_registers->reg[SYST_RVR / 4] & 0xFFFFFFu) + 1u; }

static uint64_t elapsed(const struct machine *m)
{
    return (m->ticks / TICKS_PER_CYCLE - m->systick.since_ticks / TICKS_PER_CYCLE) / divider(m);
}

static uint32_t systick_value(const struct machine *m, bool *wrapped)
{
    uint64_t counts;
    *wrapped = m->systick.counted;
    if (!(m->systick_registers->reg[SYST_CSR / 4] & CSR_ENABLE))
        return m->systick.start;
    counts = elapsed(m);
    if (counts <= m->systick.start) {
        *wrapped |= counts == m->systick.start && counts != 0;
        return m->systick.start - (uint32_t)counts;
    }
    *wrapped |= m->systick.start != 0 || counts > period(m);
    return (uint32_t)(period(m) - 1u - (counts - m->systick.start - 1u) % period(m));
}

/* When the counter next goes from 1 to 0, in ticks of the machine. */
static uint64_t next_zero(const struct machine *m)
{
    const struct systick *s = &m->systick;
    uint64_t counts = s->start ? s->start : period(m);
    bool runs = (m->systick_registers->reg[SYST_CSR / 4] & CSR_ENABLE) && (s->start || period(m) > 1u);
    return runs ? (s->since_ticks / TICKS_PER_CYCLE + counts * divider(m)) * TICKS_PER_CYCLE : NEVER;
}

static void systick_rebase(struct machine *m)
{
    bool wrapped;
    m->systick.start = systick_value(m, &wrapped);
    m->systick.counted = wrapped;
    m->systick.since_ticks = m->ticks;
}

/* Asks for the interrupt at every zero that has passed (once, if it is pending already). */
void systick_advance(struct machine *m)
{
    uint64_t step = period(m) * divider(m) * TICKS_PER_CYCLE;
    if (m->ticks < m->systick.next_zero)
        return;
    m->systick.next_zero += ((m->ticks - m->systick.next_zero) / step + 1u) * step;
    if (m->systick_registers->reg[SYST_CSR / 4] & CSR_TICKINT)
        exception_pend(m, EXC_SYSTICK);
}

uint64_t systick_next_event(const struct machine *m)
{
    return m->systick_registers->reg[SYST_CSR / 4] & CSR_TICKINT ? m->systick.next_zero : NEVER;
}

static uint32_t systick_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    bool wrapped;
    uint32_t value = systick_value(m, &wrapped);
    switch (offset) {
    case SYST_CSR:
        m->systick.counted = wrapped;
        if (wrapped)
            systick_rebase(m);
        m->systick.counted = false;
        return (p->reg[0] & 7u) | (uint32_t)wrapped << 16;
    case SYST_CVR: return value;
    case SYST_CALIB: return 0xC0000000u;
    default: return p->reg[offset >> 2];
    }
}

static uint32_t systick_peek(struct machine *m, struct peripheral *p, uint32_t offset)
{
    bool wrapped;
    uint32_t value = systick_value(m, &wrapped);
    switch (offset) {
    case SYST_CSR: return (p->reg[0] & 7u) | (uint32_t)wrapped << 16;
    case SYST_CVR: return value;
    case SYST_CALIB: return 0xC0000000u;
    default: return p->reg[offset >> 2];
    }
}

static void systick_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    systick_advance(m);
    systick_rebase(m);
    if (offset == SYST_CVR) {
        m->systick.start = 0;       /* any write clears it; the next clock reloads */
        m->systick.counted = false;
    } else {
        bus_plain_write(m, p, offset, value, mask);
    }
    m->systick.next_zero = next_zero(m);
}

static void systick_reset(struct machine *m, struct peripheral *p)
{
    (void)p;
    m->systick = (struct systick){.since_ticks = m->ticks, .next_zero = NEVER};
}

/* --- DWT ----------------------------------------------------------------------------------------------------------------------------*/

static uint32_t dwt_count(const struct machine *m)
{
    bool counting = (m->dwt_registers->reg[DWT_CTRL / 4] & 1u) && (scb_get(m, SCB_DEMCR) & DEMCR_TRCENA);
    return m->dwt.count + (counting ? (uint32_t)(m->ticks / TICKS_PER_CYCLE - m->dwt.since_ticks / TICKS_PER_CYCLE) : 0u);
}

void dwt_rebase(struct machine *m)
{
    m->dwt.count = dwt_count(m);
    m->dwt.since_ticks = m->ticks;
}

static uint32_t dwt_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    if (offset == DWT_CTRL)
        return p->reg[0] | 0x40000000u; /* NUMCOMP: 4 */
    return offset == DWT_CYCCNT ? dwt_count(m) : p->reg[offset >> 2];
}

static void dwt_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    dwt_rebase(m);
    if (offset == DWT_CYCCNT)
        m->dwt.count = value;
    else
        bus_plain_write(m, p, offset, value, mask);
}

static void dwt_reset(struct machine *m, struct peripheral *p)
{
    (void)p;
    m->dwt = (struct dwt){.since_ticks = m->ticks};
}

void counters_add(struct machine *m)
{
    m->systick_registers = bus_add(m, (struct peripheral){.name = "SysTick", .base = 0xE000E010, .size = 0x10,
                                                         .read = systick_read, .write = systick_write, .reset = systick_reset, .peek = systick_peek});
    m->dwt_registers = bus_add(m, (struct peripheral){.name = "DWT", .base = 0xE0001000, .size = 0x1000,
                                                     .read = dwt_read, .write = dwt_write, .reset = dwt_reset, .peek = dwt_read});
}
