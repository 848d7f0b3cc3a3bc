// SPDX-License-Identifier: Apache-2.0
/* Virtual time = cycles / HCLK, added up over every change of HCLK. What HCLK is, the clocks' driver says: rcc.c and power.c, or clock_tree.c. */
#include "core.h"

#define PS_PER_TICK_AT_1HZ 1000000000u  /* 10^12 ps / TICKS_PER_CYCLE */

uint64_t time_of_ticks_ps(const struct machine *m, uint64_t ticks)
{
    uint64_t passed = ticks - m->clock_base_ticks;
    if (!m->hclk_hz)
        return 0;                   /* before the first reset */
    /* passed * 10^9 / hclk without a division of 128 bits: hclk is below 2^32 */
    return m->clock_base_ps + passed / m->hclk_hz * PS_PER_TICK_AT_1HZ + passed % m->hclk_hz * PS_PER_TICK_AT_1HZ / m->hclk_hz;
}

/* The first tick at or after a time. */
uint64_t ticks_of_time_ps(const struct machine *m, uint64_t time_ps)
{
    uint64_t passed = time_ps - m->clock_base_ps;
    u128 ticks;
    if (time_ps <= m->clock_base_ps)
        return m->clock_base_ticks;
    /* passed * hclk / 10^9, rounded up, as above */
    ticks = (u128)(passed / PS_PER_TICK_AT_1HZ) * m->hclk_hz;
    ticks += (passed % PS_PER_TICK_AT_1HZ * m->hclk_hz + (PS_PER_TICK_AT_1HZ - 1u)) / PS_PER_TICK_AT_1HZ;
    return ticks > NEVER - m->clock_base_ticks ? NEVER : m->clock_base_ticks + (uint64_t)ticks;
}

/* After anything that HCLK follows from. */
void clock_update(struct machine *m)
{
    uint64_t hclk = clocks_hclk_hz(m);
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
    rules_clock_changed(m);
}
