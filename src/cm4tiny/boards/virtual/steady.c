// SPDX-License-Identifier: Apache-2.0
/* Iterations that are proven equal are advanced instead of run.
 *
 * A benchmark calls one function thousands of times on the same input. From some call on the machine is the same at each call, but for the
 * loop's counter and its copies: registers, RAM, caches, peripherals, exceptions. When two calls in a row are such, and no peripheral was
 * touched and no event was due between them, the witness (witness.c) runs the iteration with another counter and follows the counter through
 * every instruction. If nothing but the loop's one exit depends on it, all iterations up to that exit do the same, and are advanced: words with
 * a stride and counters by multiplication, block costs (which samples change, see banks.c) and the cycle counter by the forecast
 * (forecast.c). The last ones run.
 *
 * Where anything of this does not hold, the call is simply run.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define MOST_ITERATIONS (1u << 24)  /* that are looked ahead for the loop's end */
#define SPARE_ITERATIONS 64u        /* looked ahead beyond those that fit before the next event: iterations may become shorter */
#define LEFT_TO_RUN 1u              /* besides the one in which the loop ends */
#define MOST_SKIPPED 64u            /* calls between two attempts */
#define FLAGS_OF_XPSR 0xF0000000u   /* N, Z, C, V: of the loop's comparison; the witness sees that nobody reads them */
#define AT_ONCE 2u                  /* attempts without a pause between them */
#define FEWEST_AHEAD 4u             /* fewer iterations are run, not advanced */

/* --- the state at a call ----------------------------------------------------------------------------------------------------------------*/

static void caches_in_order(struct machine *m, uint32_t *out)
{
    const uint64_t *uses[2] = {m->icache.last_use, m->dcache.last_use};
    const uint32_t *lines[2] = {m->icache.line, m->dcache.line};
    const uint8_t *words[2] = {m->icache.words, m->dcache.words};
    const uint32_t count[2] = {m->constants.icache_lines, m->hooked ? m->constants.dcache_lines : 0u};
    memset(out, 0, CACHE_WORDS * sizeof *out);
    timing_forget_verified(m);      /* brings the times of last use up to date */
    for (uint32_t cache = 0, at = 0; cache < 2u; cache++) {
        uint8_t order[ICACHE_MAX_LINES];
        for (uint32_t i = 0; i < count[cache]; i++) {
            uint32_t k = i;
            for (; k && uses[cache][order[k - 1u]] > uses[cache][i]; k--)
                order[k] = order[k - 1u];
            order[k] = (uint8_t)i;
        }
        for (uint32_t i = 0; i < count[cache]; i++) {
            out[at++] = lines[cache][order[i]];
            out[at++] = words[cache][order[i]];
        }
    }
}

static bool take(struct machine *m, struct call_state *s)
{
    if (!s->ram && !(s->ram = malloc(SRAM_SIZE)))
        return false;
    if (s->block_room < m->known_count) {
        struct block *blocks = realloc(s->blocks, m->known_count * sizeof *blocks);
        if (!blocks)
            return false;
        s->blocks = blocks;
        s->block_room = m->known_count;
    }
    core_state_read(m->uc, &s->core);
    memcpy(s->ram, m->sram, SRAM_SIZE);
    caches_in_order(m, s->caches);
    for (uint32_t i = 0; i < m->known_count; i++)
        s->blocks[i] = *m->known[i];
    s->block_count = m->known_count;
    s->exceptions = m->exceptions;
    s->current = m->current;
    s->expected_pc = m->expected_pc, s->last_flash_word = m->last_flash_word, s->note_count = m->note_count, s->ticks = m->ticks;
    s->taken_transfers = m->taken_transfers, s->icache_misses = m->icache_misses, s->icache_stall_ticks = m->icache_stall_ticks;
    s->dcache_misses = m->dcache_misses, s->dcache_stall_ticks = m->dcache_stall_ticks, s->retired_runs = m->retired_runs;
    s->profile_phases = m->profile_phases, s->bus_accesses = m->bus_accesses, s->exceptions_taken = m->exceptions_taken;
    s->hooked = m->hooked;
    s->accesses_looked_at = m->accesses_looked_at;
    s->next_event = next_own_event(m);
    return true;
}

/* The machine is in a state of which iterations can be compared. */
static bool comparable(const struct machine *m)
{
    return !m->watches_accesses && !m->trace && !m->sets_monitor && !m->spurious_q && !m->rounding_mode &&
           (!m->exceptions.active_count || !(m->steady.guards & GUARD_INTERRUPTS)) && m->fault.kind == FAULT_NONE && !m->asleep;
}

/* --- two calls in a row -------------------------------------------------------------------------------------------------------------------*/

static bool add_stride(struct stride *strides, uint32_t *count, uint32_t where, uint32_t by)
{
    if (*count == MAX_STRIDES)
        return false;
    strides[(*count)++] = (struct stride){where, by};
    return true;
}

static enum refusal strides_between(const struct machine *m, const struct core_state *now, struct stride *strides, uint32_t *count)
{
    const struct call_state *s = &m->steady.begin;
    for (uint32_t i = 0; i < CORE_PC; i++)
        if (now->core[i] != s->core.core[i] && (i == CORE_SP || i == 14u || !add_stride(strides, count, i, now->core[i] - s->core.core[i])))
            return REFUSED_REGISTERS;
    if (now->core[CORE_PC] != s->core.core[CORE_PC] || (now->core[CORE_XPSR] ^ s->core.core[CORE_XPSR]) & ~FLAGS_OF_XPSR ||
        memcmp(now->system, s->core.system, sizeof now->system) || memcmp(now->fp, s->core.fp, sizeof now->fp))
        return REFUSED_REGISTERS;
    for (uint32_t page = 0; page < SRAM_SIZE; page += 4096u) {
        if (!memcmp(m->sram + page, s->ram + page, 4096u))
            continue;
        for (uint32_t at = page; at < page + 4096u; at += 4u) {
            uint32_t before, after;
            memcpy(&before, s->ram + at, 4), memcpy(&after, m->sram + at, 4);
            if (before != after && !add_stride(strides, count, SRAM_BASE + at, after - before))
                return REFUSED_DIFFERENT;
        }
    }
    return REFUSED_NOT;
}

static bool same_exceptions(const struct exceptions *a, const struct exceptions *b)
{
    return !memcmp(a->enabled, b->enabled, sizeof a->enabled) && !memcmp(a->pending, b->pending, sizeof a->pending) &&
           !memcmp(a->active, b->active, sizeof a->active) && !memcmp(a->level, b->level, sizeof a->level) &&
           !memcmp(a->priority, b->priority, sizeof a->priority) && a->active_count == b->active_count &&
           a->fp_context_address == b->fp_context_address && a->lazy_fp == b->lazy_fp && a->event == b->event;
}

static enum refusal compare(struct machine *m, const struct core_state *now, struct stride *strides, uint32_t *count)
{
    const struct call_state *s = &m->steady.begin;
    uint32_t caches[CACHE_WORDS];
    enum refusal why;
    if (s->block_count != m->known_count || s->retired_runs != m->retired_runs || s->note_count != m->note_count)
        return REFUSED_NEW_CODE;
    if (s->current != m->current || s->expected_pc != m->expected_pc || s->hooked != m->hooked || s->profile_phases != m->profile_phases)
        return REFUSED_STATE;
    if (m->steady.guards & GUARD_INTERRUPTS && (s->exceptions_taken != m->exceptions_taken || s->next_event <= m->ticks ||
                                                !same_exceptions(&s->exceptions, &m->exceptions)))
        return REFUSED_EVENT;
    why = strides_between(m, now, strides, count);
    if (why != REFUSED_NOT)
        return why;
    caches_in_order(m, caches);
    if (memcmp(caches, s->caches, sizeof caches) || s->last_flash_word != m->last_flash_word)
        return REFUSED_CACHES;
    return m->steady.recorded ? REFUSED_NOT : REFUSED_RECORD;
}

static uint64_t instructions_between(const struct machine *m)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m->known_count; i++)
        sum += (m->known[i]->runs - m->steady.begin.blocks[i].runs) * m->known[i]->instructions;
    return sum;
}

/* --- advancing ------------------------------------------------------------------------------------------------------------------------------*/

/* Iterations that are looked ahead: twice those that fit before the next event. More would be looked at again after it, event by event. */
static uint32_t iterations_ahead(const struct machine *m)
{
    uint64_t each = m->ticks - m->steady.begin.ticks, event = furthest_event(m), fit;
    if (!each || event <= m->ticks)
        return SPARE_ITERATIONS;
    fit = (event - m->ticks) / each;
    return fit > (MOST_ITERATIONS - SPARE_ITERATIONS) / 2u ? MOST_ITERATIONS : (uint32_t)(2u * fit) + SPARE_ITERATIONS;
}

/* The iteration that the loop ends in; most if that is further away. */
static uint32_t last_iteration(const struct loop_exit *exit, uint32_t most)
{
    uint32_t iteration = 0;
    while (iteration < most && exit_goes_on(exit, iteration))
        iteration++;
    return iteration;
}

/* How many iterations fit before the hooks that look at accesses to RAM go. */
static uint64_t before_hooks_go(const struct machine *m)
{
    uint64_t left = alignment_left(m), each = m->accesses_looked_at - m->steady.begin.accesses_looked_at;
    return left == NEVER || !each ? NEVER : (left - 1u) / each;
}

static void advance_words(struct machine *m, const struct stride *strides, uint32_t count, uint32_t iterations)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t where = strides[i].where, value;
        if (where < 16u) {
            write_register(m, CORE_REGISTER[where], read_register(m, CORE_REGISTER[where]) + iterations * strides[i].by);
            continue;
        }
        memcpy(&value, m->sram + (where - SRAM_BASE), 4);
        value += iterations * strides[i].by;
        memcpy(m->sram + (where - SRAM_BASE), &value, 4);
    }
}

static void advance_counters(struct machine *m, const struct forecast *f)
{
    const struct call_state *s = &m->steady.begin;
    uint64_t n = f->iterations;
    for (uint32_t i = 0; i < m->known_count; i++) {
        struct block *b = m->known[i];
        const struct forecast_block *after = &f->blocks[i];
        b->data_misses += n * (b->data_misses - s->blocks[i].data_misses);
        b->data_stall_ticks += n * (b->data_stall_ticks - s->blocks[i].data_stall_ticks);
        b->runs = after->runs;
        b->next_sample = after->next_sample;
        b->bank_sum_ticks = after->bank_sum_ticks;
        b->bank_samples = after->bank_samples;
        b->static_ticks += after->bank_ticks - b->bank_ticks;
        b->cost_ticks += after->bank_ticks - b->bank_ticks;
        b->bank_ticks = after->bank_ticks;
        b->last_bank = after->last_bank;
    }
    m->taken_transfers += n * (m->taken_transfers - s->taken_transfers);
    m->icache_misses += n * (m->icache_misses - s->icache_misses);
    m->icache_stall_ticks += n * (m->icache_stall_ticks - s->icache_stall_ticks);
    m->dcache_misses += n * (m->dcache_misses - s->dcache_misses);
    m->dcache_stall_ticks += n * (m->dcache_stall_ticks - s->dcache_stall_ticks);
    m->accesses_looked_at += n * (m->accesses_looked_at - s->accesses_looked_at);
    m->ticks = f->ticks;
    m->unprofiled_window_end = f->window_end;
    m->unprofiled_ticks = f->unprofiled;
    m->steady.calls += n;
    m->steady.proven += n;
}

static enum refusal advance(struct machine *m)
{
    struct core_state now;
    struct stride strides[MAX_STRIDES];
    struct loop_exit exit;
    struct forecast f = {0};
    uint32_t count = 0, ahead, last;
    uint64_t most;
    bool ends;
    enum refusal why;
    core_state_read(m->uc, &now);
    now.core[CORE_PC] = m->steady.address;
    m->steady.begin.core.core[CORE_PC] = m->steady.address;
    why = compare(m, &now, strides, &count);
    if (why == REFUSED_NOT)
        why = witness_iteration(m, &now, strides, count, instructions_between(m), &exit);
    if (why != REFUSED_NOT)
        return why;
    ahead = iterations_ahead(m);
    last = last_iteration(&exit, ahead);
    m->steady.looked_ahead += last;
    ends = last < ahead;
    last += m->steady.guards & WRONG_END ? 5u : 0u;
    if (last < FEWEST_AHEAD)
        return REFUSED_SHORT;
    if (m->steady.guards & GUARD_END && ends && (why = witness_end(m, last)) != REFUSED_NOT)
        return why;
    most = before_hooks_go(m);
    if (!forecast(m, most < last - LEFT_TO_RUN ? most : last - LEFT_TO_RUN, furthest_event(m), &f)) {
        free(f.blocks);
        return REFUSED_SHORT;
    }
    advance_words(m, strides, count, (uint32_t)f.iterations);
    advance_counters(m, &f);
    free(f.blocks);
    m->steady.skip = ends && f.iterations + LEFT_TO_RUN >= last ? NEVER : 0;   /* what is left is run */
    return REFUSED_NOT;
}

/* --- calls ------------------------------------------------------------------------------------------------------------------------------------*/

/* From the block hook: true if the machine is to be looked at before the function begins. */
bool steady_called(struct machine *m)
{
    struct steady *s = &m->steady;
    bool quiet = s->bus_accesses == m->bus_accesses && s->exceptions_taken == m->exceptions_taken;
    if (s->passed) {
        s->passed = false;
        return false;
    }
    s->calls++;
    if (!(s->guards & GUARD_INTERRUPTS))
        quiet = s->bus_accesses == m->bus_accesses;
    s->bus_accesses = m->bus_accesses;
    s->exceptions_taken = m->exceptions_taken;
    if (!quiet) {
        steady_forget(m);
        s->skip = s->failures = 0;
        return false;
    }
    if (s->skip) {
        s->skip -= s->skip != NEVER;
        return false;
    }
    request_stop(m, REQUEST_CALLED);
    return true;
}

/* Between two runs of unicorn, at a call. */
void steady_look(struct machine *m)
{
    struct steady *s = &m->steady;
    bool begun = s->begun;
    enum refusal why = REFUSED_STATE;
    steady_forget(m);
    s->passed = true;
    if (!comparable(m))
        return;
    if (begun) {
        why = advance(m);
        s->refused[why]++;
        if (why == REFUSED_NOT)
            return;
        if (why != REFUSED_CACHES && why != REFUSED_NEW_CODE && ++s->failures > AT_ONCE) {  /* these come to rest by themselves */
            s->skip = s->failures < 6u + AT_ONCE ? 1u << (s->failures - AT_ONCE) : MOST_SKIPPED;
            return;
        }
    }
    s->run_count = s->change_count = s->poor_count = 0;
    if (take(m, &s->begin)) {
        s->begun = s->recorded = true;
        m->recording = RECORDS_ITERATION;
    }
}

/* --- records of an iteration --------------------------------------------------------------------------------------------------------------------*/

static void stop_recording(struct machine *m)
{
    m->steady.recorded = false;
    m->recording &= (uint8_t)~RECORDS_ITERATION;
}

void steady_record_run(struct machine *m, const struct block *b, const struct block *before, uint32_t ticks, uint8_t first, bool first_reads,
                       uint8_t last)
{
    struct steady *s = &m->steady;
    if (s->run_count == MAX_RUN_RECORDS)
        stop_recording(m);
    else if (grow(m, &s->runs, s->run_count, &s->run_room, sizeof *s->runs))
        s->runs[s->run_count++] = (struct run_record){b->number, before->number, ticks, first, first_reads, last, 0};
}

void steady_record_change(struct machine *m, const struct block *b, uint32_t by)
{
    struct steady *s = &m->steady;
    if (s->change_count == MAX_CHANGE_RECORDS)
        stop_recording(m);
    else if (b->number < s->begin.block_count)
        s->changes[s->change_count++] = (struct change_record){b->number, by, b->runs - s->begin.blocks[b->number].runs};
}

void steady_record_poor(struct machine *m, const struct block *b)
{
    struct steady *s = &m->steady;
    if (s->poor_count == MAX_POOR_RECORDS)
        stop_recording(m);
    else
        s->poor[s->poor_count++] = (struct poor_record){b->number, s->run_count, m->ticks - s->begin.ticks};
}

void steady_forget(struct machine *m)
{
    struct steady *s = &m->steady;
    s->begun = false;
    m->recording &= (uint8_t)~RECORDS_ITERATION;
}

/* --- life, and what the host asks -----------------------------------------------------------------------------------------------------------*/

void steady_free(struct machine *m)
{
    witness_free(m);
    free(m->steady.begin.ram), free(m->steady.begin.blocks), free(m->steady.runs);
}

/* Calls of the function at this address are looked at; 0: of none. -1 if it is not in flash. */
EXPORT int cm4_steady(struct machine *m, uint32_t address, uint32_t guards)
{
    address &= ~1u;
    if (address && address - FLASH_BASE >= FLASH_SIZE)
        return -1;
    steady_forget(m);
    m->steady.address = address;
    m->steady.guards = guards;
    m->repeated = address ? &m->flash_blocks[(address - FLASH_BASE) >> 1] : NULL;
    return 0;
}

/* Until this time the host will say nothing, whatever limit it gives to a run. */
EXPORT void cm4_silence(struct machine *m, uint64_t until_ps) { m->silence_ps = until_ps; }

EXPORT void cm4_steady_report(const struct machine *m, struct steady_report *out)
{
    *out = (struct steady_report){.calls = m->steady.calls, .proven = m->steady.proven, .looked_ahead = m->steady.looked_ahead};
    memcpy(out->refused, m->steady.refused, sizeof out->refused);
}
