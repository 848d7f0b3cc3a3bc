// SPDX-License-Identifier: Apache-2.0
/* The cycle model: what a basic block costs, and the two phases of accounting for data stalls.
 *
 * Source: Cortex-M4 TRM section 3.3.1 (instruction timing; applied by the host's disassembler, block by block, see cycle_model.py).
 *
 * A memory hook makes unicorn send every load down its slow path. So data stalls are simulated exactly only in the profiling phase;
 * afterwards each block is charged its mean data stall and the hook is gone. Phases change at points counted in cycles and
 * commands, never in host time, so that two runs count the same.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define POOR_RUNS 32u               /* a mean of fewer runs is not trusted for a block that runs often */

static struct block *block_at(struct machine *m, uint32_t address)
{
    if (LIKELY(address - FLASH_BASE < FLASH_SIZE))
        return &m->flash_blocks[(address - FLASH_BASE) >> 1];
    if (in_ram(address))
        return &m->sram_blocks[ram_offset(address) >> 1];
    if (in_flash(address))          /* flash seen through an alias */
        return &m->flash_blocks[flash_offset(address) >> 1];
    return &m->nowhere;
}

/* --- data reads -----------------------------------------------------------------------------------------------------------------*/

/* unicorn 2.1.4 restores the IT state of the instruction before it calls back in the middle of a block, and leaves it behind when the
 * block goes on: the next block would decode as conditional. Every callback from a load or store must undo that. */
void clear_stale_it_bits(uc_engine *uc)
{
    uint32_t xpsr;
    uc_reg_read(uc, UC_ARM_REG_XPSR, &xpsr);
    if (UNLIKELY(xpsr & 0x0600FC00u)) {
        xpsr &= ~0x0600FC00u;
        uc_reg_write(uc, UC_ARM_REG_XPSR, &xpsr);
    }
}

static void on_flash_read(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value, void *user)
{
    struct machine *m = user;
    uint32_t first = flash_offset((uint32_t)address), last = first + (uint32_t)size - 1;
    (void)value;
    clear_stale_it_bits(uc);
    alignment_check(m, type, (uint32_t)address, (uint32_t)size);
    dcache_read_word(m, first >> 3);
    if (UNLIKELY(last >> 3 != first >> 3))
        dcache_read_word(m, last >> 3);
    if (UNLIKELY(m->trace != NULL))
        trace_flash_read(m, first, (uint32_t)size);
}

/* --- blocks ---------------------------------------------------------------------------------------------------------------------*/

static void block_retire(struct machine *m, struct block *b)
{
    m->retired_runs += b->runs;
    m->retired_instructions += b->runs * b->instructions;
}

/* SEV does nothing in unicorn; a block with one sets the event register when it begins. */
static bool holds_send_event(struct machine *m, uint32_t address, uint32_t size)
{
    const uint8_t *code = memory_at(m, address, size);
    for (uint32_t at = 0; code && at + 2u <= size; at += code[at + 1u] >= 0xE8u ? 4u : 2u)
        if (code[at] == 0x40 && code[at + 1u] == 0xBF)
            return true;
    return false;
}

static void block_learn(struct machine *m, struct block *b, uint32_t address, uint32_t size)
{
    struct block_facts facts = {.cost_ticks = size / 2 * TICKS_PER_CYCLE, .instructions = size / 2, .fpu_offset = FPU_NONE};
    uint8_t first[2] = {0, 0};
    uint32_t lists = b->flags & (BLOCK_KNOWN | BLOCK_IN_FPU_LIST), number = b->number;
    if (b->flags & BLOCK_KNOWN) {
        timing_forget_verified(m);  /* its stamp still speaks of the old size */
        block_retire(m, b);
    } else if (grow(m, &m->known, m->known_count, &m->known_room, sizeof *m->known)) {
        number = m->known_count;
        m->known[m->known_count++] = b;
        lists |= BLOCK_KNOWN;
    }
    banks_forget(b);
    memset(b, 0, sizeof *b);
    b->flags = lists;
    b->number = number;
    m->classify(address, size, &facts);
    b->generation = NEVER;
    b->size = size;
    b->static_ticks = b->cost_ticks = facts.cost_ticks;
    b->instructions = facts.instructions;
    b->fpu_offset = facts.fpu_offset;
    b->exit_ticks = facts.exit_ticks;
    b->entry_ticks = facts.entry_ticks;
    banks_learn(m, b, &facts);
    if (b->fpu_offset != FPU_NONE && !(lists & BLOCK_IN_FPU_LIST) &&
        grow(m, &m->fpu_blocks, m->fpu_block_count, &m->fpu_block_room, sizeof *m->fpu_blocks)) {
        m->fpu_blocks[m->fpu_block_count++] = b;
        b->flags |= BLOCK_IN_FPU_LIST;
    }
    uc_mem_read(m->uc, address, first, 2);
    if (size == 2 && first[0] == 0xFE && first[1] == 0xE7)
        b->flags |= BLOCK_ENDLESS;
    if (holds_send_event(m, address, size))
        b->flags |= BLOCK_SENDS_EVENT;
    if (holds_undefined(m, address, size))
        b->flags |= BLOCK_HOLDS_UNDEFINED;
    deviations_learn(m, b, address, size);
    if (HAS_FLASH_INTERFACE && in_flash(address) && size) {     /* without a model of the flash interface there is nothing to wait for */
        uint32_t offset = flash_offset(address), last = (offset + size - 1) >> FLASH_LINE_SHIFT;
        b->first_line = offset >> FLASH_LINE_SHIFT;
        b->lines = (last < FLASH_LINES ? last : FLASH_LINES - 1u) - b->first_line + 1;
    }
}

/* Makes blocks with floating-point instructions take the slow path once more: registers must be saved before the next of them. */
void timing_forget_fpu_blocks(struct machine *m)
{
    for (uint32_t i = 0; i < m->fpu_block_count; i++)
        m->fpu_blocks[i]->generation = NEVER;
}

static void count_unprofiled(struct machine *m, struct block *b)
{
    if (UNLIKELY(m->recording & RECORDS_ITERATION))
        steady_record_poor(m, b);
    if (m->ticks >= m->unprofiled_window_end) {
        m->unprofiled_window_end = m->ticks + m->constants.unprofiled_window_cycles * TICKS_PER_CYCLE;
        m->unprofiled_ticks = 0;
    }
    m->unprofiled_ticks += b->cost_ticks;
    if (m->unprofiled_ticks >= m->constants.unprofiled_limit_cycles * TICKS_PER_CYCLE)
        request_stop(m, REQUEST_PROFILE);
}

/* A block that is new, or not yet seen in this generation of the instruction cache. False if it must not run yet. */
static bool __attribute__((noinline)) block_enter_slowly(struct machine *m, struct block *b, uint32_t address, uint32_t size)
{
    bool special = false;
    if (UNLIKELY(b->size != size))
        block_learn(m, b, address, size);
    if (UNLIKELY(b->flags & BLOCK_ENDLESS)) {
        special = true;
        request_stop(m, REQUEST_PARKED);
    }
    if (UNLIKELY(b->flags & BLOCK_SENDS_EVENT)) {
        special = true;
        m->exceptions.event = true;
    }
    if (b->fpu_offset != FPU_NONE) {
        if (m->exceptions.lazy_fp)
            save_lazy_fp(m);
        if (!fpu_enabled(m) && !(b->flags & BLOCK_WATCHED)) {
            /* the block may enable the FPU before it uses it: the instruction itself is watched */
            b->flags |= BLOCK_WATCHED;
            m->watch_pc = address + b->fpu_offset;
            request_stop(m, REQUEST_WATCH);
        }
    }
    if (!(b->flags & BLOCK_DIVISIONS_WATCHED))
        watch_block(m, b, address);
    deviations_watch(m, b, address);
    if (m->requests & REQUEST_WATCH)
        return false;
    if (m->phase == PHASE_FAST && !(b->flags & BLOCK_PROFILED)) {
        special = true;
        count_unprofiled(m, b);
    }
    if (b->lines) {
        uint64_t stamp = m->icache.clock;
        icache_run_block(m, b, flash_offset(address));
        if (!special)
            icache_mark_complete(m, b, stamp);
    } else if (!special) {
        b->generation = m->icache.generation;
    }
    return true;
}

static void on_block(uc_engine *uc, uint64_t address64, uint32_t size, void *user)
{
    struct machine *m = user;
    uint32_t address = (uint32_t)address64;
    struct block *b;
    if (UNLIKELY(m->sampled != NULL))
        banks_end(m);
    b = block_at(m, address);
    if (UNLIKELY(b == m->polled) && !m->clears_monitor)
        polls_arrive(m, b, address);
    if (UNLIKELY(m->ticks >= m->next_event) && (m->clears_monitor || event_pause(m))) {
        if (m->clears_monitor)
            return;                 /* not the firmware's */
        /* stop before the block is charged: it is entered again after the restart */
        m->paused = true;
        uc_emu_stop(uc);
        return;
    }
    if (UNLIKELY(b == m->repeated) && steady_called(m)) {
        m->paused = true;
        uc_emu_stop(uc);
        return;
    }
    if (LIKELY(b->generation == m->icache.generation && b->size == size)) {
        b->stamp = m->icache.clock;
        m->icache.clock += b->lines;
    } else if (!block_enter_slowly(m, b, address, size)) {
        m->paused = true;
        uc_emu_stop(uc);
        return;
    }
    if (address != m->expected_pc) {
        m->ticks += m->current->exit_ticks + b->entry_ticks;
        m->taken_transfers++;
    }
    m->expected_pc = address + size;
    m->ticks += b->cost_ticks;
    b->runs++;
    if (UNLIKELY(m->recording & RECORDS_PATH))
        polls_record(m, b, address);
    if (UNLIKELY(b->runs >= b->next_sample || m->recording))
        banks_begin(m, b, m->current);
    m->current = b;
}

/* Takes the place of on_block while a trace is on. */
static void on_traced_block(uc_engine *uc, uint64_t address, uint32_t size, void *user)
{
    struct machine *m = user;
    if (m->clears_monitor)
        return;
    trace_before_block(m, (uint32_t)address);
    on_block(uc, address, size, user);
    if (!m->paused)
        trace_after_block(m, (uint32_t)address, size);
}

/* --- phases ---------------------------------------------------------------------------------------------------------------------*/

/* Misses and stall ticks of the fast phase that is running, by each block's means. */
static void fast_phase_estimate(const struct machine *m, uint64_t *misses, uint64_t *stall_ticks)
{
    *misses = *stall_ticks = 0;
    if (m->phase != PHASE_FAST)
        return;
    for (uint32_t i = 0; i < m->known_count; i++) {
        const struct block *b = m->known[i];
        uint64_t runs = b->runs - b->runs_at_phase_start;
        if (!b->profiled_runs)
            continue;
        *misses += (uint64_t)((u128)runs * b->data_misses / b->profiled_runs);
        *stall_ticks += runs * (b->cost_ticks - b->static_ticks);
    }
}

static void profile_begin(struct machine *m)
{
#define X(start) start,
    static const uint32_t PLACES[] = {FLASH_WINDOWS(X)};
#undef X
    uint64_t misses, stall_ticks;
    fast_phase_estimate(m, &misses, &stall_ticks);
    m->dcache_misses += misses;
    m->dcache_stall_ticks += stall_ticks;
    for (uint32_t i = 0; i < m->known_count; i++) {
        struct block *b = m->known[i];
        b->cost_ticks = b->static_ticks;
        b->runs_at_phase_start = b->runs;
    }
    m->profile_phases++;
    timing_caches_reset(m, false, true);
    for (uint32_t i = 0; i < FLASH_WINDOW_COUNT; i++)
        uc_hook_add(m->uc, &m->data_hooks[i], UC_HOOK_MEM_READ, (void *)on_flash_read, m, PLACES[i], PLACES[i] + FLASH_SIZE - 1u);
    alignment_begin(m);
    m->hooked = true;
}

/* unicorn takes a deleted hook off its list only when a run ends, and loads stay slow until then: a run of no block does it. */
void drop_deleted_hooks(struct machine *m)
{
    uint32_t requests = m->requests;
    uint32_t thumb = read_register(m, UC_ARM_REG_XPSR) >> 24 & 1u;  /* clear after a jump to Arm code, whose fault comes with the next run */
    bool paused = m->paused;
    m->next_event = 0;
    m->requests |= REQUEST_QUIET;   /* stops before the first block */
    uc_emu_start(m->uc, read_register(m, UC_ARM_REG_PC) | thumb, 0xFFFFFFFEu, 0, 0);
    m->requests = requests;
    m->paused = paused;
    m->trap = 0;                    /* where no block begins, the next run traps or faults again */
    m->access = (struct invalid_access){0};
    m->held_back = false;
}

static void profile_end(struct machine *m)
{
    for (uint32_t i = 0; i < m->known_count; i++) {
        struct block *b = m->known[i];
        b->profiled_runs += b->runs - b->runs_at_phase_start;
        if (b->profiled_runs) {
            b->cost_ticks = b->static_ticks + (uint32_t)((b->data_stall_ticks + b->profiled_runs / 2) / b->profiled_runs);
            b->flags |= BLOCK_PROFILED;
        }
        b->runs_at_phase_start = b->runs;
    }
    m->profiled_ticks += m->ticks - m->phase_start_ticks;
    m->unprofiled_window_end = 0;
    m->unprofiled_ticks = 0;
    for (uint32_t i = 0; i < FLASH_WINDOW_COUNT; i++)
        uc_hook_del(m->uc, m->data_hooks[i]);
    alignment_end(m);
    m->hooked = false;
    drop_deleted_hooks(m);
}

/* Only between two runs of unicorn: hooks are part of the translated code, which is thrown away here. */
void timing_enter_phase(struct machine *m, enum phase phase)
{
    if (m->hooked == (phase == PHASE_PROFILE))
        return;
    if (phase == PHASE_PROFILE)
        profile_begin(m);
    else
        profile_end(m);
    m->phase = phase;
    m->phase_start_ticks = m->ticks;
    timing_forget_verified(m);
    uc_ctl_flush_tb(m->uc);
}

/* True if blocks whose mean comes from a handful of runs have become a noticeable part of the fast phase: those few runs may have been
 * the cold ones. */
static bool means_are_poor(const struct machine *m)
{
    uint64_t poor_ticks = 0, fast_ticks = m->ticks - m->phase_start_ticks;
    for (uint32_t i = 0; i < m->known_count; i++) {
        const struct block *b = m->known[i];
        uint64_t runs = b->runs - b->runs_at_phase_start;
        if (b->data_stall_ticks && b->profiled_runs < POOR_RUNS && runs > POOR_RUNS * POOR_RUNS)
            poor_ticks += runs * b->cost_ticks;
    }
    return poor_ticks > m->constants.unprofiled_limit_cycles * TICKS_PER_CYCLE &&
           poor_ticks / m->constants.unprofiled_limit_cycles > fast_ticks / m->constants.unprofiled_window_cycles;
}

void timing_at_stop(struct machine *m, bool command_ended)
{
    uint64_t in_phase = m->ticks - m->phase_start_ticks;
    bool wanted = m->requests & REQUEST_PROFILE;
    m->requests &= ~(uint32_t)REQUEST_PROFILE;
    if (m->phase == PHASE_FAST) {
        if (wanted || (command_ended && means_are_poor(m)))
            timing_enter_phase(m, PHASE_PROFILE);
    } else if (!m->constants.exact) {
        if ((command_ended && in_phase >= m->constants.profile_min_cycles * TICKS_PER_CYCLE) ||
            in_phase >= m->constants.profile_max_cycles * TICKS_PER_CYCLE)
            timing_enter_phase(m, PHASE_FAST);
    }
}

/* --- life cycle -----------------------------------------------------------------------------------------------------------------*/

bool timing_init(struct machine *m)
{
    m->flash_blocks = calloc(FLASH_SIZE / 2, sizeof *m->flash_blocks);
    m->sram_blocks = calloc(RAM_BYTES / 2, sizeof *m->sram_blocks);
    memset(m->icache.slot_of_line, NO_SLOT, sizeof m->icache.slot_of_line);
    memset(m->icache.line, 0xFF, sizeof m->icache.line);    /* NO_LINE */
    m->nowhere.number = UINT32_MAX;
    m->nowhere.exit_ticks = m->constants.taken_transfer_ticks;
    m->icache.generation = 1;
    m->icache.clock = 1;
    m->current = &m->nowhere;
    timing_caches_reset(m, true, true);
    return m->flash_blocks && m->sram_blocks;
}

void timing_attach(struct machine *m)
{
    uc_hook_add(m->uc, &m->block_hook, UC_HOOK_BLOCK, (void *)on_block, m, 1, 0);
    timing_enter_phase(m, PHASE_PROFILE);
}

/* Only between two runs of unicorn, as timing_enter_phase(). */
void timing_trace(struct machine *m, bool on)
{
    uc_hook_del(m->uc, m->block_hook);
    uc_hook_add(m->uc, &m->block_hook, UC_HOOK_BLOCK, on ? (void *)on_traced_block : (void *)on_block, m, 1, 0);
    drop_deleted_hooks(m);
    uc_ctl_flush_tb(m->uc);
}

/* A reset empties nothing that real silicon keeps; the flash interface's caches start empty. */
void timing_reset(struct machine *m)
{
    timing_caches_reset(m, true, true);
    m->last_flash_word = UINT32_MAX;
    m->expected_pc = UINT32_MAX;
    m->sampled = NULL;
    m->current = &m->nowhere;
}

/* New code in flash or SRAM: what was known of its blocks is void. */
void timing_flash_changed(struct machine *m)
{
    timing_caches_reset(m, true, true);
    steady_forget(m);
    polls_forget(m);
    for (uint32_t i = 0; i < m->known_count; i++) {
        block_retire(m, m->known[i]);
        banks_forget(m->known[i]);
        memset(m->known[i], 0, sizeof *m->known[i]);
    }
    m->known_count = m->fpu_block_count = 0;
    m->sampled = NULL;
    m->current = &m->nowhere;
    uc_ctl_flush_tb(m->uc);
}

void timing_free(struct machine *m)
{
    for (uint32_t i = 0; m->flash_blocks && m->sram_blocks && i < m->known_count; i++)
        banks_forget(m->known[i]);
    free(m->flash_blocks);
    free(m->sram_blocks);
    free(m->known);
    free(m->icache.fresh);
}

void timing_statistics(struct machine *m, struct statistics *out)
{
    uint64_t misses, stall_ticks;
    out->blocks_run = m->retired_runs;
    out->instructions = m->retired_instructions;
    fast_phase_estimate(m, &misses, &stall_ticks);
    for (uint32_t i = 0; i < m->known_count; i++) {
        out->blocks_run += m->known[i]->runs;
        out->instructions += m->known[i]->runs * m->known[i]->instructions;
    }
    out->dcache_misses = m->dcache_misses + misses;
    out->taken_transfers = m->taken_transfers;
    out->icache_misses = m->icache_misses;
    out->icache_stall_cycles = m->icache_stall_ticks / TICKS_PER_CYCLE;
    out->dcache_stall_cycles = (m->dcache_stall_ticks + stall_ticks) / TICKS_PER_CYCLE;
    out->profiled_cycles = (m->profiled_ticks + (m->phase == PHASE_PROFILE ? m->ticks - m->phase_start_ticks : 0)) / TICKS_PER_CYCLE;
    out->profile_phases = m->profile_phases;
    out->blocks_known = m->known_count;
}
