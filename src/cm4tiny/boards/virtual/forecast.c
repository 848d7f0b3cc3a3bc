// SPDX-License-Identifier: Apache-2.0
/* The cycle counter after more iterations of a loop that are all the same, exactly.
 *
 * All that an iteration costs is the same each time, but for two things that banks.c and timing.c count over all iterations: now and then a
 * block's waits for SRAM are sampled, and its cost becomes the mean of the last samples; and blocks without a mean of data stalls are summed up
 * in windows of time. Both are done here as they do it, from the records of one iteration, sample by sample.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define MOST_WORK (1u << 26)        /* blocks looked at in one forecast: a fraction of a second of the host's time */

struct work {
    struct machine *m;
    struct forecast *f;
    uint32_t *places, *sampled, *due;   /* of each block the numbers of its runs; blocks that are sampled; those of them that come next */
    uint32_t sampled_count, due_count;
    uint64_t length, rest;          /* of an iteration at the present costs; of this one, as they change */
    uint64_t offset[MAX_POOR_RECORDS], now[MAX_POOR_RECORDS];
};

static uint64_t extended(uint32_t difference) { return (uint64_t)(int64_t)(int32_t)difference; }

/* How many runs of a block come before a position. */
static uint64_t runs_before(const struct work *w, uint32_t block, uint32_t position)
{
    const struct forecast_block *b = &w->f->blocks[block];
    uint32_t low = 0, high = b->recorded;
    while (low < high) {
        uint32_t middle = (low + high) / 2u;
        if (w->places[b->first + middle] < position)
            low = middle + 1u;
        else
            high = middle;
    }
    return low;
}

/* --- what is known at the begin ------------------------------------------------------------------------------------------------------------*/

static bool fill_places(struct work *w)
{
    const struct steady *s = &w->m->steady;
    uint32_t first = 0;
    for (uint32_t i = 0; i < s->run_count; i++) {
        if (s->runs[i].block >= s->begin.block_count || s->runs[i].before >= s->begin.block_count)
            return false;
        w->f->blocks[s->runs[i].block].recorded++;
    }
    for (uint32_t i = 0; i < w->m->known_count; i++) {
        struct forecast_block *b = &w->f->blocks[i];
        b->first = first;
        first += b->recorded;
        if (w->m->known[i]->access_count && b->recorded != b->each)
            return false;
        b->recorded = 0;
    }
    for (uint32_t i = 0; i < s->run_count; i++) {
        struct forecast_block *b = &w->f->blocks[s->runs[i].block];
        w->places[b->first + b->recorded++] = i;
    }
    return true;
}

static void fill_blocks(struct work *w)
{
    struct machine *m = w->m;
    for (uint32_t i = 0; i < m->known_count; i++) {
        const struct block *b = m->known[i];
        w->f->blocks[i] = (struct forecast_block){.runs = b->runs, .next_sample = b->next_sample, .bank_sum_ticks = b->bank_sum_ticks,
                                                  .bank_samples = b->bank_samples, .bank_ticks = b->bank_ticks, .last_bank = b->last_bank,
                                                  .cost_ticks = b->cost_ticks, .each = b->runs - m->steady.begin.blocks[i].runs};
    }
}

/* As if all runs of the recorded iteration had cost what they cost at its end. */
static void fill_times(struct work *w)
{
    const struct steady *s = &w->m->steady;
    w->f->ticks = w->m->ticks;
    w->f->window_end = w->m->unprofiled_window_end;
    w->f->unprofiled = w->m->unprofiled_ticks;
    w->length = w->m->ticks - s->begin.ticks;
    for (uint32_t u = 0; u < s->poor_count; u++)
        w->offset[u] = s->poor[u].offset;
    for (uint32_t i = 0; i < s->change_count; i++) {
        const struct change_record *c = &s->changes[i];
        w->length += extended(c->by) * c->runs;
        for (uint32_t u = 0; u < s->poor_count; u++) {
            uint64_t before = runs_before(w, c->block, s->poor[u].position);
            w->offset[u] += extended(c->by) * (before < c->runs ? before : c->runs);
        }
    }
}

/* Which of its runs a block is sampled in next. */
static void schedule(const struct work *w, struct forecast_block *b)
{
    uint64_t ahead = b->next_sample > b->runs ? b->next_sample - b->runs - 1u : 0;
    b->iteration = NEVER;
    if (!b->recorded || b->next_sample == NEVER)
        return;
    b->iteration = ahead / b->each;
    b->run = ahead % b->each;
    b->position = w->places[b->first + b->run];
}

static bool begin(struct work *w)
{
    fill_blocks(w);
    if (!fill_places(w))
        return false;
    fill_times(w);
    w->sampled_count = 0;
    for (uint32_t i = 0; i < w->m->known_count; i++) {
        schedule(w, &w->f->blocks[i]);
        if (w->f->blocks[i].iteration != NEVER)
            w->sampled[w->sampled_count++] = i;
    }
    return true;
}

/* --- an iteration ---------------------------------------------------------------------------------------------------------------------------*/

static void insert_due(struct work *w, uint32_t block)
{
    uint32_t at = w->due_count++;
    for (; at && w->f->blocks[w->due[at - 1u]].position < w->f->blocks[block].position; at--)
        w->due[at] = w->due[at - 1u];
    w->due[at] = block;             /* the earliest is the last */
}

static void change_cost(struct work *w, uint32_t block, uint64_t by)
{
    const struct steady *s = &w->m->steady;
    struct forecast_block *b = &w->f->blocks[block];
    b->cost_ticks += (uint32_t)by;
    w->length += by * b->each;
    w->rest += by * (b->each - (b->run + 1u));
    for (uint32_t u = 0; u < s->poor_count; u++) {
        uint64_t before = runs_before(w, block, s->poor[u].position);
        w->offset[u] += by * before;
        if (s->poor[u].position > b->position)
            w->now[u] += by * (before - (b->run + 1u));
    }
}

/* See banks_end(). */
static void sample(struct work *w, uint32_t block)
{
    struct forecast_block *b = &w->f->blocks[block];
    const struct run_record *r = &w->m->steady.runs[b->position];
    uint32_t last = w->f->blocks[r->before].last_bank, mean;
    bool changes = r->first_reads && last && last != r->first;
    mean = banks_mean(&b->bank_sum_ticks, &b->bank_samples, r->ticks + (changes ? w->m->constants.bank_change_ticks : 0u));
    b->last_bank = r->last ? r->last : last;
    if (mean != b->bank_ticks)
        change_cost(w, block, extended(mean - b->bank_ticks));
    b->bank_ticks = mean;
    b->next_sample = banks_next_sample(b->runs + b->iteration * b->each + b->run + 1u);
}

/* See count_unprofiled(). False if the machine would leave the fast phase. */
static bool count_poor(struct work *w, uint32_t u)
{
    const struct timing_constants *c = &w->m->constants;
    uint64_t ticks = w->f->ticks + w->now[u];
    if (ticks >= w->f->window_end) {
        w->f->window_end = ticks + c->unprofiled_window_cycles * TICKS_PER_CYCLE;
        w->f->unprofiled = 0;
    }
    w->f->unprofiled += w->f->blocks[w->m->steady.poor[u].block].cost_ticks;
    return w->f->unprofiled < c->unprofiled_limit_cycles * TICKS_PER_CYCLE;
}

static bool iterate(struct work *w, uint64_t iteration, uint64_t before_ticks)
{
    const struct steady *s = &w->m->steady;
    uint32_t u = 0;
    w->due_count = 0;
    for (uint32_t i = 0; i < w->sampled_count; i++)
        if (w->f->blocks[w->sampled[i]].iteration == iteration)
            insert_due(w, w->sampled[i]);
    w->rest = w->length;
    memcpy(w->now, w->offset, s->poor_count * sizeof *w->now);
    while (w->due_count) {
        uint32_t block = w->due[--w->due_count];
        for (; u < s->poor_count && s->poor[u].position <= w->f->blocks[block].position; u++)
            if (!count_poor(w, u))
                return false;
        sample(w, block);
        schedule(w, &w->f->blocks[block]);
        if (w->f->blocks[block].iteration == iteration)
            insert_due(w, block);
    }
    for (; u < s->poor_count; u++)
        if (!count_poor(w, u))
            return false;
    w->f->ticks += w->rest;
    return w->f->ticks < before_ticks;
}

/* False: one of the iterations is not to be foretold; f->iterations says how many before it are. */
static bool iterate_all(struct work *w, uint64_t most, uint64_t before_ticks)
{
    if (!begin(w)) {
        w->f->iterations = 0;
        return false;
    }
    for (uint64_t i = 0; i < most; i++)
        if (!iterate(w, i, before_ticks)) {
            w->f->iterations = i;
            return false;
        }
    w->f->iterations = most;
    for (uint32_t i = 0; i < w->m->known_count; i++)
        w->f->blocks[i].runs += most * w->f->blocks[i].each;
    return true;
}

/* The next iterations, at most so many and all before a tick; false if there is none, or no memory. The caller frees f->blocks. */
bool forecast(struct machine *m, uint64_t most, uint64_t before_ticks, struct forecast *f)
{
    struct work *w = malloc(sizeof *w);
    bool done = false;
    f->blocks = calloc(m->known_count, sizeof *f->blocks);
    if (w && f->blocks) {
        *w = (struct work){.m = m, .f = f, .places = malloc((m->steady.run_count + 1u) * sizeof *w->places),
                           .sampled = malloc(m->known_count * sizeof *w->sampled), .due = malloc(m->known_count * sizeof *w->due)};
        if (w->places && w->sampled && w->due) {
            uint64_t affordable = MOST_WORK / (m->known_count + m->steady.poor_count + 1u);
            done = iterate_all(w, most < affordable ? most : affordable, before_ticks) ||
                   (f->iterations && iterate_all(w, f->iterations, before_ticks));
        }
        free(w->places), free(w->sampled), free(w->due);
    }
    free(w);
    return done && f->iterations;
}
