// SPDX-License-Identifier: Apache-2.0
/* What the chip's current depends on: registers of clocks and power by their history, what the core spends its time with, and a look at any
 * register without the side effects of a read.
 *
 * Sources: RM0432 sections 6.4 (RCC), 5.4 (PWR), 3.7.1 (FLASH_ACR); the board's description for the pins that switch an external SMPS.
 */
#include "core.h"

#if HAS_RCC_L4
#define FLASH_ACR_ADDRESS FLASH_INTERFACE_BASE
#define SMPS_MODES (HAS_SMPS ? 3u << 2u * SMPS_ENABLE_PIN | 3u << 2u * SMPS_POWER_GOOD_PIN | 3u << 2u * SMPS_SWITCH_PIN : 0u)    /* in MODER */
#define SMPS_LEVELS (HAS_SMPS ? 1u << SMPS_ENABLE_PIN | 1u << SMPS_POWER_GOOD_PIN | 1u << SMPS_SWITCH_PIN : 0u)                  /* in ODR */

/* A register whose history is kept, and which of its bits. */
static const struct { uint32_t address, mask; } SETTING[SETTINGS] = {
    {RCC_BASE + 0x00, UINT32_MAX}, {RCC_BASE + 0x08, UINT32_MAX}, {RCC_BASE + 0x0C, UINT32_MAX}, {RCC_BASE + 0x10, UINT32_MAX},
    {RCC_BASE + 0x14, UINT32_MAX}, {RCC_BASE + 0x48, UINT32_MAX}, {RCC_BASE + 0x4C, UINT32_MAX}, {RCC_BASE + 0x50, UINT32_MAX},
    {RCC_BASE + 0x58, UINT32_MAX}, {RCC_BASE + 0x5C, UINT32_MAX}, {RCC_BASE + 0x60, UINT32_MAX}, {RCC_BASE + 0x68, UINT32_MAX},
    {RCC_BASE + 0x6C, UINT32_MAX}, {RCC_BASE + 0x70, UINT32_MAX}, {RCC_BASE + 0x78, UINT32_MAX}, {RCC_BASE + 0x7C, UINT32_MAX},
    {RCC_BASE + 0x80, UINT32_MAX}, {RCC_BASE + 0x88, UINT32_MAX}, {RCC_BASE + 0x90, UINT32_MAX}, {RCC_BASE + 0x94, UINT32_MAX},
    {RCC_BASE + 0x98, UINT32_MAX}, {RCC_BASE + 0x9C, UINT32_MAX}, {PWR_BASE + 0x00, UINT32_MAX}, {PWR_BASE + 0x04, UINT32_MAX},
    {PWR_BASE + 0x08, UINT32_MAX}, {PWR_BASE + 0x0C, UINT32_MAX}, {PWR_BASE + 0x80, UINT32_MAX}, {FLASH_ACR_ADDRESS, UINT32_MAX},
    {SMPS_PORT_BASE + 0x00, SMPS_MODES}, {SMPS_PORT_BASE + 0x14, SMPS_LEVELS}};
#endif

/* --- registers ----------------------------------------------------------------------------------------------------------------------*/

static struct peripheral *peripheral_at(struct machine *m, uint32_t address)
{
    for (uint32_t i = 0; i < m->peripheral_count; i++)
        if (address - m->peripherals[i].base < m->peripherals[i].size)
            return &m->peripherals[i];
    return NULL;
}

/* The register at a word's address, as a debugger would like to see it; -1 where nothing is modelled. */
__attribute__((visibility("default"))) int cm4_peek(struct machine *m, uint32_t address, uint32_t *value)
{
    struct peripheral *p = address & 3u ? NULL : peripheral_at(m, address);
    if (!p)
        return -1;
    *value = p->peek ? p->peek(m, p, address - p->base) : p->reg[(address - p->base) / 4u];
    return 0;
}

#if HAS_RCC_L4
static void record(struct machine *m, uint32_t setting, uint32_t value)
{
    value &= SETTING[setting].mask;
    if (value == m->settings[setting])
        return;
    if (!list_grow(m, LIST_SETTINGS, MAX_SETTING_CHANGES, &m->setting_changes, m->setting_change_count, &m->setting_change_room,
                   sizeof *m->setting_changes))
        return;
    m->settings[setting] = value;
    m->setting_changes[m->setting_change_count++] =
        (struct setting_change){time_of_ticks_ps(m, m->ticks), m->ticks, SETTING[setting].address, value};
}

/* After a store to a peripheral. */
void settings_written(struct machine *m, const struct peripheral *p, uint32_t offset)
{
    uint32_t address = p->base + offset;
    if (p != m->rcc && p->base != PWR_BASE && p->base != SMPS_PORT_BASE && address != FLASH_ACR_ADDRESS)
        return;
    for (uint32_t i = 0; i < SETTINGS; i++)
        if (SETTING[i].address == address || (p->base == SMPS_PORT_BASE && SETTING[i].address - p->base < p->size))   /* BSRR changes ODR */
            record(m, i, p->reg[(SETTING[i].address - p->base) / 4u]);
}

/* After a reset all of them may have changed. */
void settings_reset(struct machine *m)
{
    for (uint32_t i = 0; i < SETTINGS; i++) {
        const struct peripheral *p = peripheral_at(m, SETTING[i].address);
        if (p)
            record(m, i, p->reg[(SETTING[i].address - p->base) / 4u]);
    }
}
#else                               /* no model of the current has settings of this chip */
void settings_written(struct machine *m, const struct peripheral *p, uint32_t offset) { (void)m, (void)p, (void)offset; }
void settings_reset(struct machine *m) { (void)m; }
#endif

/* --- time ---------------------------------------------------------------------------------------------------------------------------*/

/* The core does something else than to work on its program. What no span covers is work. Spans do not overlap; neighbours of one kind are one. */
void span_add(struct machine *m, enum span_kind kind, uint64_t from_ticks, uint64_t to_ticks)
{
    struct span *last = m->span_count ? &m->spans[m->span_count - 1u] : NULL;
    if (last && from_ticks < last->to_ticks)
        from_ticks = last->to_ticks;
    if (to_ticks <= from_ticks)
        return;
    m->span_ticks[kind] += to_ticks - from_ticks;
    if (last && last->kind == kind && last->to_ticks == from_ticks) {
        last->to_ticks = to_ticks;
        return;
    }
    if (list_grow(m, LIST_SPANS, MAX_SPANS, &m->spans, m->span_count, &m->span_room, sizeof *m->spans))
        m->spans[m->span_count++] = (struct span){from_ticks, to_ticks, kind, 0};
}

/* Time passes and no instruction runs. */
void span_skipped(struct machine *m, uint64_t to_ticks)
{
    enum span_kind kind = !m->asleep ? SPAN_POLL : m->parked ? SPAN_LOOP : sleeps_deeply(m) ? SPAN_DEEP_SLEEP : SPAN_SLEEP;
    span_add(m, kind, m->ticks, to_ticks);
}

/* --- what the host may ask ------------------------------------------------------------------------------------------------------- */

__attribute__((visibility("default"))) uint32_t cm4_setting_changes(const struct machine *m, uint32_t from, struct setting_change *out,
                                                                    uint32_t room)
{
    uint32_t count = 0;
    for (uint32_t i = from; i < m->setting_change_count && count < room; i++)
        out[count++] = m->setting_changes[i];
    return count;
}

__attribute__((visibility("default"))) uint32_t cm4_spans(const struct machine *m, uint32_t from, struct span *out, uint32_t room)
{
    uint32_t count = 0;
    for (uint32_t i = from; i < m->span_count && count < room; i++)
        out[count++] = m->spans[i];
    return count;
}
