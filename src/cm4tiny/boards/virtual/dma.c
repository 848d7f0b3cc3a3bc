// SPDX-License-Identifier: Apache-2.0
/* DMA1, DMA2 and their request multiplexer DMAMUX1.
 *
 * Sources: RM0432 sections 11 (DMA), 13 (DMAMUX). A request moves one item at once and costs no cycles: neither the bus that is shared with the
 * core nor the time of a transfer is modelled. But a memory-to-memory transfer begins only when the one before it would have ended, and one that
 * DMA itself starts, by a store to a channel's registers, as many cycles later as it would take: else firmware could make the host copy for
 * ever while no time passes. Synchronisation and request generators of the multiplexer are not modelled.
 */
#include "core.h"

#if DMA_UNITS

#include <string.h>

enum { DMA_ISR = 0x00, DMA_IFCR = 0x04, DMA_CCR1 = 0x08, CHANNEL_STRIDE = 0x14, CCR = 0x00, CNDTR = 0x04, CPAR = 0x08, CMAR = 0x0C };
enum {
    CCR_EN = 1u, CCR_TCIE = 1u << 1, CCR_HTIE = 1u << 2, CCR_TEIE = 1u << 3, CCR_DIR = 1u << 4, CCR_CIRC = 1u << 5, CCR_PINC = 1u << 6,
    CCR_MINC = 1u << 7, CCR_MEM2MEM = 1u << 14
};
enum { FLAG_GLOBAL = 1u, FLAG_COMPLETE = 2u, FLAG_HALF = 4u, FLAG_ERROR = 8u };
#define NO_REGISTER UINT32_MAX
#define ITEM_TICKS (4u * TICKS_PER_CYCLE)   /* two accesses to the bus, and arbitration */

static struct peripheral *unit_of(const struct machine *m, uint32_t channel) { return m->dma_units[channel / CHANNELS_PER_UNIT]; }

static uint32_t *reg(const struct machine *m, uint32_t channel, uint32_t offset)
{
    return &unit_of(m, channel)->reg[(DMA_CCR1 + CHANNEL_STRIDE * (channel % CHANNELS_PER_UNIT) + offset) / 4];
}

static void apply_level(struct machine *m, uint32_t channel)
{
    static const uint8_t INTERRUPT[DMA_CHANNELS] = {DMA_INTERRUPTS};
    uint32_t flags = unit_of(m, channel)->reg[DMA_ISR] >> (4u * (channel % CHANNELS_PER_UNIT)) & 15u;
    interrupt_level(m, INTERRUPT[channel], (flags & *reg(m, channel, CCR) & (CCR_TCIE | CCR_HTIE | CCR_TEIE)) != 0);
}

static void raise_flags(struct machine *m, uint32_t channel, uint32_t flags)
{
    unit_of(m, channel)->reg[DMA_ISR] |= (flags | FLAG_GLOBAL) << (4u * (channel % CHANNELS_PER_UNIT));
    apply_level(m, channel);
}

/* --- moving items -------------------------------------------------------------------------------------------------------------------*/

/* Of both sizes the fourth code is reserved (RM0432 section 11.6.3); it is taken as the third, and noted when it is written. */
static uint32_t item_size(uint32_t code) { return code < 2u ? 1u << code : 4u; }

static uint32_t item_read(struct machine *m, uint32_t address, uint32_t size)
{
    const uint8_t *at = memory_at(m, address, size);
    uint32_t value = 0;
    if (!at)
        return address - 0x40000000u < 0x20000000u ? bus_read(m, address, size) : 0;
    memcpy(&value, at, size);
    return value;
}

static bool item_write(struct machine *m, uint32_t address, uint32_t value, uint32_t size)
{
    uint8_t *at = in_ram(address) ? memory_at(m, address, size) : NULL;
    if (at)
        memcpy(at, &value, size);
    else if (address - 0x40000000u < 0x20000000u)
        bus_write(m, address, size, value);
    else
        return false;
    return true;
}

static enum dma_answer move_item(struct machine *m, uint32_t channel)
{
    struct dma_channel *c = &m->dma[channel];
    uint32_t ccr = *reg(m, channel, CCR), *left = reg(m, channel, CNDTR);
    uint32_t peripheral_size = item_size(ccr >> 8 & 3u), memory_size = item_size(ccr >> 10 & 3u);
    bool to_peripheral = ccr & CCR_DIR, done;
    m->dma_moving = true;
    if (to_peripheral)
        done = item_write(m, c->peripheral_address, item_read(m, c->memory_address, memory_size), peripheral_size);
    else
        done = item_write(m, c->memory_address, item_read(m, c->peripheral_address, peripheral_size), memory_size);
    m->dma_moving = false;
    if (!done) {
        *reg(m, channel, CCR) &= ~(uint32_t)CCR_EN;
        raise_flags(m, channel, FLAG_ERROR);
        return DMA_MOVED;
    }
    c->peripheral_address += ccr & CCR_PINC ? peripheral_size : 0;
    c->memory_address += ccr & CCR_MINC ? memory_size : 0;
    if (--*left == c->reload / 2u)
        raise_flags(m, channel, FLAG_HALF);
    if (*left)
        return DMA_MOVED;
    if (ccr & CCR_CIRC) {
        *left = c->reload;
        c->peripheral_address = *reg(m, channel, CPAR);
        c->memory_address = *reg(m, channel, CMAR);
    }
    raise_flags(m, channel, FLAG_COMPLETE);
    return ccr & CCR_CIRC ? DMA_LAP : DMA_MOVED;
}

/* --- requests -----------------------------------------------------------------------------------------------------------------------*/

static bool clocked(const struct machine *m, uint32_t channel)
{
    return is_clocked(m, m->dma_units[channel / CHANNELS_PER_UNIT]) && is_clocked(m, m->dmamux);
}

static bool serves(const struct machine *m, uint32_t channel, uint32_t request)
{
    uint32_t ccr = *reg(m, channel, CCR);
    return (ccr & CCR_EN) && !(ccr & CCR_MEM2MEM) && *reg(m, channel, CNDTR) && (m->dmamux->reg[channel] & 0x7Fu) == request &&
           clocked(m, channel);
}

bool dma_listens(const struct machine *m, uint32_t request)
{
    for (uint32_t channel = 0; channel < DMA_CHANNELS; channel++)
        if (serves(m, channel, request))
            return true;
    return false;
}

/* A peripheral asks for one item. */
enum dma_answer dma_request(struct machine *m, uint32_t request)
{
    for (uint32_t channel = 0; channel < DMA_CHANNELS; channel++)
        if (serves(m, channel, request))
            return move_item(m, channel);
    return DMA_NOT_SERVED;
}

/* --- memory to memory ---------------------------------------------------------------------------------------------------------------*/

static bool copies(const struct machine *m, uint32_t channel)
{
    uint32_t ccr = *reg(m, channel, CCR);
    return (ccr & CCR_EN) && (ccr & CCR_MEM2MEM) && *reg(m, channel, CNDTR) && clocked(m, channel);
}

static void copy(struct machine *m, uint32_t channel)
{
    uint32_t items = 0;
    m->dma[channel].starts_at = NEVER;
    while (items < DMA_MOST_ITEMS && copies(m, channel)) {
        items++;
        if (move_item(m, channel) == DMA_LAP || (*reg(m, channel, CCR) & CCR_CIRC))
            break;                  /* for ever is not at once: one item, and the rest never */
    }
    m->dma_copies_until = m->ticks + items * (uint64_t)ITEM_TICKS;
    m->effort += items;
}

static void copy_later(struct machine *m, uint32_t channel, uint64_t when)
{
    m->dma[channel].starts_at = when;
    if (when < m->dma_starts_at)
        m->dma_starts_at = when;
}

/* Transfers that had to wait. */
void dma_advance(struct machine *m)
{
    if (m->ticks < m->dma_starts_at)
        return;
    m->dma_starts_at = NEVER;
    for (uint32_t channel = 0; channel < DMA_CHANNELS; channel++) {
        struct dma_channel *c = &m->dma[channel];
        if (c->starts_at == NEVER)
            continue;
        if (m->ticks >= c->starts_at && m->ticks >= m->dma_copies_until)
            copy(m, channel);
        else
            copy_later(m, channel, c->starts_at > m->dma_copies_until ? c->starts_at : m->dma_copies_until);
    }
    for (uint32_t channel = 0; channel < DMA_CHANNELS; channel++)   /* what those that ran have started */
        if (m->dma[channel].starts_at < m->dma_starts_at)
            m->dma_starts_at = m->dma[channel].starts_at;
}

uint64_t dma_next_event(const struct machine *m) { return m->dma_starts_at; }

/* --- registers ----------------------------------------------------------------------------------------------------------------------*/

static void channel_start(struct machine *m, uint32_t channel)
{
    struct dma_channel *c = &m->dma[channel];
    c->peripheral_address = *reg(m, channel, CPAR);
    c->memory_address = *reg(m, channel, CMAR);
    c->reload = *reg(m, channel, CNDTR);
    if (!copies(m, channel))
        return;
    if (m->dma_moving)
        copy_later(m, channel, m->ticks + (uint64_t)ITEM_TICKS * c->reload);
    else if (m->ticks < m->dma_copies_until)
        copy_later(m, channel, m->dma_copies_until);
    else
        copy(m, channel);
}

/* Of CCR a running channel lets firmware change EN and the interrupts, of the other registers nothing. */
static bool changes_running(const struct peripheral *p, uint32_t offset, bool control, uint32_t value, uint32_t mask)
{
    uint32_t changed = (p->reg[offset >> 2] ^ value) & mask;
    return control ? changed & ~(uint32_t)(CCR_EN | CCR_TCIE | CCR_HTIE | CCR_TEIE) && value & CCR_EN : true;
}

static void dma_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    uint32_t in_channel = offset >= DMA_CCR1 ? (offset - DMA_CCR1) % CHANNEL_STRIDE : NO_REGISTER;
    uint32_t number = offset >= DMA_CCR1 ? (offset - DMA_CCR1) / CHANNEL_STRIDE : 0;
    uint32_t channel = p->instance * CHANNELS_PER_UNIT + number;
    bool was_enabled;
    if (offset == DMA_ISR)
        return;
    if (offset == DMA_IFCR) {
        for (uint32_t i = 0; i < CHANNELS_PER_UNIT; i++)
            if (value >> (4u * i) & FLAG_GLOBAL)
                value |= 15u << (4u * i);
        p->reg[DMA_ISR] &= ~value;
        for (uint32_t i = 0; i < CHANNELS_PER_UNIT; i++) {
            if (!(p->reg[DMA_ISR] >> (4u * i) & 14u))
                p->reg[DMA_ISR] &= ~(1u << (4u * i));
            apply_level(m, p->instance * CHANNELS_PER_UNIT + i);
        }
        return;
    }
    if (number >= CHANNELS_PER_UNIT) {
        bus_plain_write(m, p, offset, value, mask);
        return;
    }
    was_enabled = *reg(m, channel, CCR) & CCR_EN;
    if (was_enabled && changes_running(p, offset, in_channel == CCR, value, mask)) {
        rule_broken(m, RULE_DMA_ENABLED, channel % CHANNELS_PER_UNIT + 1u, 0);
        if (in_channel != CCR)
            return;                 /* these registers are read-only while the channel is on */
    }
    bus_plain_write(m, p, offset, in_channel == CNDTR ? value & 0xFFFFu : value, mask);
    if (in_channel == CCR) {
        uint32_t ccr = *reg(m, channel, CCR);
        if ((ccr >> 8 & 3u) == 3u || (ccr >> 10 & 3u) == 3u)
            note_once(m, NOTE_FEATURE, p->base + offset);
        if (!was_enabled && (*reg(m, channel, CCR) & CCR_EN))
            channel_start(m, channel);
        apply_level(m, channel);
    }
}

static void dma_reset(struct machine *m, struct peripheral *p)
{
    for (uint32_t i = 0; i < CHANNELS_PER_UNIT; i++)
        m->dma[p->instance * CHANNELS_PER_UNIT + i] = (struct dma_channel){.starts_at = NEVER};
    m->dma_starts_at = m->dma_copies_until = 0;     /* of both units: found again at the next event */
}

void dma_add(struct machine *m)
{
#define X(name, base) {name, base},
    static const struct { const char *name; uint32_t base; } UNITS[] = {DMA_ROWS(X)};
#undef X
    for (uint32_t i = 0; i < DMA_UNITS; i++)
        m->dma_units[i] = bus_add(m, (struct peripheral){.name = UNITS[i].name, .base = UNITS[i].base, .size = 0x400, .instance = i,
                                                        .write = dma_write, .reset = dma_reset});
    m->dmamux = bus_add(m, (struct peripheral){.name = "DMAMUX1", .base = DMAMUX_BASE, .size = 0x400});
}

#endif
