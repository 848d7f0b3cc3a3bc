// SPDX-License-Identifier: Apache-2.0
/* The peripheral bus: a table of peripherals (base, size, read, write, reset) and the dispatch of unicorn's accesses to it.
 *
 * To add a peripheral: write its read/write functions, call bus_add() from its file's ..._add(), which is in the table in devices.c.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define PERIPHERAL_WINDOW 0x40000000u
#define PERIPHERAL_WINDOW_SIZE 0x20000000u
#define BIT_BAND 0x02000000u         /* each bit of the first megabyte has a word of its own here: DDI0439 section 3.7 */
#define SRAM_BIT_BAND 0x22000000u
#define SRAM_BIT_BAND_SIZE (SRAM_SIZE * 32u)
#define SYSTEM_WINDOW 0xE0000000u   /* private peripheral bus, DDI0403 section B3.1 */
#define SYSTEM_WINDOW_SIZE 0x00100000u

void note_once(struct machine *m, enum note_kind kind, uint32_t address)
{
    for (uint32_t i = 0; i < m->note_count; i++)
        if (m->notes[i].kind == kind && m->notes[i].address == address)
            return;
    if (m->note_count == MAX_NOTES)
        return;
    if (m->note_count == MAX_NOTES - 1u)    /* the last one says that there would be more */
        kind = NOTE_LIST_FULL, address = LIST_NOTES;
    m->notes[m->note_count++] = (struct note){kind, address, m->expected_pc - m->current->size};    /* the block's start */
}

struct peripheral *bus_add(struct machine *m, struct peripheral p)
{
    struct peripheral *slot = &m->peripherals[m->peripheral_count];
    p.reg = calloc(p.size / 4, sizeof *p.reg);
    if (!p.reg || m->peripheral_count + 1u >= MAX_PERIPHERALS)
        request_stop(m, REQUEST_MEMORY);    /* cm4_new() looks */
    else
        m->peripheral_count++;
    *slot = p;
    if (!slot->read)
        slot->read = bus_plain_read;
    if (!slot->write)
        slot->write = bus_plain_write;
    return slot;
}

uint32_t bus_plain_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    (void)m;
    return p->reg[offset >> 2];
}

void bus_plain_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    (void)m;
    p->reg[offset >> 2] = (p->reg[offset >> 2] & ~mask) | value;
}

static struct peripheral *bus_find(struct machine *m, uint32_t address)
{
    struct peripheral *p = m->last_peripheral;
    if (p && address - p->base < p->size)
        return p;
    for (uint32_t i = 0; i < m->peripheral_count; i++) {
        p = &m->peripherals[i];
        if (address - p->base < p->size) {
            m->last_peripheral = p;
            return p;
        }
    }
    return NULL;
}

uint32_t bus_read(struct machine *m, uint32_t address, uint32_t size)
{
    struct peripheral *p = bus_find(m, address);
    uint32_t shift = (address & 3u) * 8u, word;
    m->bus_accesses++;
    if (m->held_back)
        return 0;                   /* behind an access that faults: none of this happens, see alignment.c */
    if (UNLIKELY(!rules_read_allowed(m, p, address)))
        return 0;
    if (!p) {
        note_once(m, NOTE_READ, address);
        return 0;
    }
    word = p->read(m, p, (address - p->base) & ~3u) >> shift;
    return size >= 4 ? word : word & ((1u << (8 * size)) - 1u);
}

void bus_write(struct machine *m, uint32_t address, uint32_t size, uint32_t value)
{
    struct peripheral *p = bus_find(m, address);
    uint32_t shift = (address & 3u) * 8u, mask = size >= 4 ? UINT32_MAX : ((1u << (8 * size)) - 1u) << shift;
    m->bus_accesses++;
    if (m->held_back)
        return;
    if (UNLIKELY(!rules_write_allowed(m, p, address, value)))
        return;
    if (!p) {
        note_once(m, NOTE_WRITE, address);
        return;
    }
    p->write(m, p, (address - p->base) & ~3u, (value << shift) & mask, mask);
    settings_written(m, p, (address - p->base) & ~3u);
    replan(m);                      /* a store may start or end anything */
}

static uint64_t on_peripheral_read(uc_engine *uc, uint64_t offset, unsigned size, void *user)
{
    (void)uc;
    if (HAS_BIT_BAND && offset - BIT_BAND < BIT_BAND)
        return bus_read(user, PERIPHERAL_WINDOW + (uint32_t)(offset - BIT_BAND) / 128u * 4u, 4) >> ((offset >> 2) & 31u) & 1u;
    return bus_read(user, PERIPHERAL_WINDOW + (uint32_t)offset, size);
}

static void on_peripheral_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *user)
{
    (void)uc;
    if (HAS_BIT_BAND && offset - BIT_BAND < BIT_BAND) {
        uint32_t address = PERIPHERAL_WINDOW + (uint32_t)(offset - BIT_BAND) / 128u * 4u, bit = 1u << ((offset >> 2) & 31u);
        bus_write(user, address, 4, value & 1u ? bus_read(user, address, 4) | bit : bus_read(user, address, 4) & ~bit);
        return;
    }
    bus_write(user, PERIPHERAL_WINDOW + (uint32_t)offset, size, (uint32_t)value);
}

static uint64_t on_sram_bit_read(uc_engine *uc, uint64_t offset, unsigned size, void *user)
{
    struct machine *m = user;
    (void)uc, (void)size;
    m->bus_accesses++;
    return m->sram[offset >> 5] >> ((offset >> 2) & 7u) & 1u;
}

static void on_sram_bit_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *user)
{
    struct machine *m = user;
    uint8_t bit = (uint8_t)(1u << ((offset >> 2) & 7u));
    (void)uc, (void)size;
    m->bus_accesses++;
    m->sram[offset >> 5] = (uint8_t)(value & 1u ? m->sram[offset >> 5] | bit : m->sram[offset >> 5] & ~bit);
}

static uint64_t on_system_read(uc_engine *uc, uint64_t offset, unsigned size, void *user)
{
    (void)uc;
    return bus_read(user, SYSTEM_WINDOW + (uint32_t)offset, size);
}

static void on_system_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *user)
{
    (void)uc;
    bus_write(user, SYSTEM_WINDOW + (uint32_t)offset, size, (uint32_t)value);
}

bool bus_attach(struct machine *m)
{
    bool banded = !HAS_BIT_BAND || uc_mmio_map(m->uc, SRAM_BIT_BAND, SRAM_BIT_BAND_SIZE, on_sram_bit_read, m, on_sram_bit_write, m) == UC_ERR_OK;
    return banded && uc_mmio_map(m->uc, PERIPHERAL_WINDOW, PERIPHERAL_WINDOW_SIZE, on_peripheral_read, m, on_peripheral_write, m) == UC_ERR_OK &&
           uc_mmio_map(m->uc, SYSTEM_WINDOW, SYSTEM_WINDOW_SIZE, on_system_read, m, on_system_write, m) == UC_ERR_OK;
}

void bus_reset(struct machine *m)
{
#define X(address, value) {address, value},
    static const struct { uint32_t address, value; } VALUES[] = {RESET_ROWS(X) {0, 0}};
#undef X
    for (uint32_t i = 0; i < m->peripheral_count; i++) {
        struct peripheral *p = &m->peripherals[i];
        memset(p->reg, 0, p->size);
        for (uint32_t k = 0; k + 1u < sizeof VALUES / sizeof VALUES[0]; k++)
            if (VALUES[k].address - p->base < p->size)
                p->reg[(VALUES[k].address - p->base) / 4u] = VALUES[k].value;
        if (p->reset)
            p->reset(m, p);
    }
}

void bus_free(struct machine *m)
{
    for (uint32_t i = 0; i < m->peripheral_count; i++)
        free(m->peripherals[i].reg);
}
