// SPDX-License-Identifier: Apache-2.0
/* The flash interface's two caches (ART accelerator).
 *
 * Source: RM0432 section 3.3.5: instruction cache 32 lines x 4 x 64 bits, data cache 8 lines x 4 x 64 bits, LRU. Lines are filled by single
 * 64-bit words, each costs the wait states of FLASH_ACR.LATENCY. tests/support/flash_timing.py holds the same model without short cuts; the tests
 * compare the two.
 */
#include "core.h"

#include <string.h>

/* --- instruction cache ----------------------------------------------------------------------------------------------------------
 *
 * Exact LRU, made cheap: lines disappear only when one is evicted, and each eviction starts a new generation. A block that was seen
 * complete in this generation needs no look-up, only a stamp of when it ran; the stamps are folded into the lines' LRU times when
 * the next victim is chosen.
 */
static void icache_fold_stamps(struct icache *c)
{
    for (uint32_t i = 0; i < c->fresh_count; i++) {
        const struct block *b = c->fresh[i];
        for (uint32_t k = 0; k < b->lines; k++) {
            uint8_t slot = c->slot_of_line[b->first_line + k];
            if (slot != NO_SLOT && c->last_use[slot] < b->stamp + k)
                c->last_use[slot] = b->stamp + k;
        }
    }
    c->fresh_count = 0;
}

static uint8_t icache_evict(struct machine *m, uint32_t line)
{
    struct icache *c = &m->icache;
    uint8_t victim = 0;
    icache_fold_stamps(c);
    c->generation++;
    for (uint32_t i = 1; i < m->constants.icache_lines; i++)
        if (c->last_use[i] < c->last_use[victim])
            victim = (uint8_t)i;
    if (c->line[victim] != NO_LINE)
        c->slot_of_line[c->line[victim]] = NO_SLOT;
    c->line[victim] = line;
    c->words[victim] = 0;
    c->slot_of_line[line] = victim;
    return victim;
}

/* Fetches the words first_word..last_word, all of one line. */
static void icache_fetch_line(struct machine *m, uint32_t line, uint32_t first_word, uint32_t last_word)
{
    struct icache *c = &m->icache;
    uint8_t slot = c->slot_of_line[line];
    if (slot == NO_SLOT)
        slot = icache_evict(m, line);
    c->last_use[slot] = c->clock++;
    for (uint32_t word = first_word; word <= last_word; word++) {
        uint8_t bit = (uint8_t)(1u << (word & 3));
        if (m->icache_on && (c->words[slot] & bit))
            continue;
        c->words[slot] |= bit;
        m->icache_misses++;
        m->icache_stall_ticks += m->flash_miss_ticks;
        m->ticks += m->flash_miss_ticks;
        m->last_flash_word = word;
    }
}

void icache_run_block(struct machine *m, const struct block *b, uint32_t flash_offset)
{
    uint32_t first = flash_offset >> 3, last = (flash_offset + b->size - 1) >> 3;
    for (uint32_t line = b->first_line; line < b->first_line + b->lines; line++) {
        uint32_t from = line << 2, to = from + 3;
        icache_fetch_line(m, line, from < first ? first : from, to > last ? last : to);
    }
}

/* The block, which ran at LRU time stamp, is complete in the cache: no look-up until the next eviction. */
void icache_mark_complete(struct machine *m, struct block *b, uint64_t stamp)
{
    struct icache *c = &m->icache;
    b->stamp = stamp;
    if (b->generation == c->generation || !m->icache_on || b->lines > m->constants.icache_lines)
        return;
    b->generation = c->generation;
    if (b->fresh_in == c->generation)
        return;                     /* on the list already, see timing_forget_fpu_blocks */
    b->fresh_in = c->generation;
    if (grow(m, &c->fresh, c->fresh_count, &c->fresh_room, sizeof *c->fresh))
        c->fresh[c->fresh_count++] = b;
}

/* Makes every block take the slow path once more, e.g. because its cost changed. */
void timing_forget_verified(struct machine *m)
{
    icache_fold_stamps(&m->icache);
    m->icache.generation++;
}

/* --- data cache -----------------------------------------------------------------------------------------------------------------*/

static uint32_t dcache_slot(struct machine *m, uint32_t line)
{
    struct dcache *c = &m->dcache;
    uint32_t victim = 0;
    for (uint32_t i = 0; i < m->constants.dcache_lines; i++) {
        if (c->line[i] == line)
            return i;
        if (c->last_use[i] < c->last_use[victim])
            victim = i;
    }
    c->line[victim] = line;
    c->words[victim] = 0;
    return victim;
}

void dcache_read_word(struct machine *m, uint32_t word)
{
    struct dcache *c = &m->dcache;
    uint32_t slot = dcache_slot(m, word >> 2), stall;
    uint8_t bit = (uint8_t)(1u << (word & 3));
    c->last_use[slot] = ++c->clock;
    if (m->dcache_on && (c->words[slot] & bit))
        return;
    c->words[slot] |= bit;
    /* the other half of a 128-bit pair that was read last costs next to nothing: see cycle_model.py */
    stall = m->flash_miss_ticks;
    if ((word ^ 1u) == m->last_flash_word)
        stall = stall / 1000u * m->constants.pair_per_mille;
    m->last_flash_word = word;
    m->dcache_misses++;
    m->dcache_stall_ticks += stall;
    m->ticks += stall;
    m->current->data_misses++;
    m->current->data_stall_ticks += stall;
}

/* --- both --------------------------------------------------------------------------------------------------------------------------*/

void timing_caches_reset(struct machine *m, bool instruction, bool data)
{
    if (instruction) {
        timing_forget_verified(m);
        for (uint32_t i = 0; i < ICACHE_MAX_LINES; i++) {
            if (m->icache.line[i] != NO_LINE)
                m->icache.slot_of_line[m->icache.line[i]] = NO_SLOT;
            m->icache.line[i] = NO_LINE;
            m->icache.words[i] = 0;
            m->icache.last_use[i] = 0;
        }
    }
    if (data)
        for (uint32_t i = 0; i < DCACHE_MAX_LINES; i++) {
            m->dcache.line[i] = NO_LINE;
            m->dcache.words[i] = 0;
            m->dcache.last_use[i] = 0;
        }
}
