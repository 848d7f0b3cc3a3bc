// SPDX-License-Identifier: Apache-2.0
/* Firmware that waits for a byte goes round a loop that reads a UART's status and finds nothing, thousands of times while a command comes in.
 * Such rounds are advanced instead of run.
 *
 * A round is learned once: its blocks, its costs, and what it leaves behind in registers and on its stack. Every instruction of it is looked
 * at (steps.py): it may compute with registers, load constants, push and pop what it pushed, and read one peripheral register. So what it does
 * follows from the registers that it reads before it writes them, and from the status. While these are what they were and no event is due,
 * each round does the same, and leaves the same behind. Where a block's cost would be sampled (banks.c), the round is run.
 */
#include "core.h"

#include <string.h>

#define ATTEMPTS 200u               /* to see a round in which no byte comes */
#define XPSR_FLAGS 0xF0000000u
#define SP_BIT (1u << CORE_SP)
#define PC_BIT (1u << CORE_PC)

struct look { uint32_t defined, live, written, flags, it_end, reads, pushed[MAX_POLL_STACK], depth, words, most_words; };

/* --- what a round may do ---------------------------------------------------------------------------------------------------------------*/

static bool push(struct look *l, const struct step *s)
{
    if (l->depth == MAX_POLL_STACK || s->reads != SP_BIT || !(s->writes & SP_BIT))
        return false;
    l->live |= s->moved & ~l->defined;
    l->pushed[l->depth] = (uint32_t)__builtin_popcount(s->moved);
    l->words += l->pushed[l->depth++];
    l->most_words = l->words > l->most_words ? l->words : l->most_words;
    return l->words <= MAX_POLL_STACK;
}

static bool load(struct look *l, const struct step *s)
{
    if (s->reads == PC_BIT)
        return true;                /* a constant, in flash */
    if (s->reads & SP_BIT) {
        if (s->reads != SP_BIT || !(s->writes & SP_BIT) || !l->depth || l->pushed[l->depth - 1u] != (uint32_t)__builtin_popcount(s->moved))
            return false;
        l->words -= l->pushed[--l->depth];
        return true;
    }
    return l->reads++ == 0;         /* the status */
}

static bool allowed(struct look *l, const struct step *s)
{
    switch (s->kind) {
    case STEP_STORE: return push(l, s);
    case STEP_LOAD: return load(l, s);
    case STEP_OTHER: return s->covers && !(s->writes & SP_BIT);
    case STEP_UNKNOWN: return false;
    default: return !(s->writes & SP_BIT);
    }
}

static bool look_at_block(struct machine *m, struct look *l, const struct block *b, uint32_t address, uint32_t size)
{
    struct step s;
    if (b->fpu_offset != FPU_NONE || address - FLASH_BASE >= FLASH_SIZE)
        return false;
    l->it_end = 0;
    for (uint32_t at = address; at < address + size; at += s.size) {
        bool in_it_block = at < l->it_end;
        memset(&s, 0, sizeof s);
        m->describe(at, &s);
        if (!allowed(l, &s) || s.flag_reads & ~l->flags)
            return false;
        l->live |= s.reads & ~l->defined & ~PC_BIT;
        l->written |= s.writes;
        if (s.kind == STEP_IT)
            l->it_end = at + s.size + 4u * s.covers;
        if (!in_it_block) {
            l->defined |= s.writes & ~SP_BIT;
            l->flags |= s.flag_writes;
        }
    }
    return true;
}

static bool is_pure(struct machine *m, struct poll_loop *p)
{
    struct look l = {0};
    for (uint32_t i = 0; i < p->length; i++)
        if (!look_at_block(m, &l, p->path[i], p->addresses[i], p->sizes[i]))
            return false;
    p->live = l.live | SP_BIT;
    p->written = l.written & ~(SP_BIT | PC_BIT);
    p->stack_words = l.most_words;
    return l.depth == 0 && l.reads == 1u;
}

/* --- learning ----------------------------------------------------------------------------------------------------------------------------*/

static void read_registers(struct machine *m, uint32_t mask, uint32_t *out)
{
    for (uint32_t i = 0; i < CORE_PC; i++)
        if (mask >> i & 1u)
            out[i] = read_register(m, CORE_REGISTER[i]);
}

static void begin_learning(struct machine *m, struct poll_loop *p)
{
    if (p->attempts++ >= ATTEMPTS) {
        p->state = POLL_REFUSED;
        return;
    }
    p->state = POLL_LEARNING;
    p->length = 0;
    p->costs = 0;
    p->before = m->current;
    p->expected_pc = m->expected_pc;
    p->begin_ticks = m->ticks, p->begin_transfers = m->taken_transfers, p->begin_accesses = m->bus_accesses;
    p->begin_exceptions = m->exceptions_taken, p->begin_misses = m->icache_misses + m->dcache_misses;
    read_registers(m, 0x7FFFu, p->registers);
    m->recording |= RECORDS_PATH;
}

static uint8_t *stack_below(struct machine *m, const struct poll_loop *p, uint32_t sp)
{
    return memory_at(m, sp - 4u * p->stack_words, 4u * p->stack_words);
}

static void end_learning(struct machine *m, struct poll_loop *p)
{
    uint32_t end[17];
    const uint8_t *stack;
    m->recording &= (uint8_t)~RECORDS_PATH;
    p->state = POLL_NEW;
    if (p->length > MAX_POLL_BLOCKS || m->bus_accesses != p->begin_accesses + 1u || m->exceptions_taken != p->begin_exceptions ||
        m->icache_misses + m->dcache_misses != p->begin_misses || p->before != m->current || p->expected_pc != m->expected_pc)
        return;
    if (!is_pure(m, p)) {
        p->state = POLL_REFUSED;
        return;
    }
    read_registers(m, 0x7FFFu, end);
    for (uint32_t i = 0; i < CORE_PC; i++)
        if (p->live >> i & 1u && end[i] != p->registers[i])
            return;
    read_registers(m, p->written, p->results);
    p->results[CORE_XPSR] = read_register(m, UC_ARM_REG_XPSR) & XPSR_FLAGS;
    stack = stack_below(m, p, end[CORE_SP]);
    if (p->stack_words && !stack) {
        p->state = POLL_REFUSED;
        return;
    }
    if (p->stack_words)
        memcpy(p->stack, stack, 4u * p->stack_words);
    p->status = p->last_status;
    p->rest = m->ticks - p->begin_ticks - p->costs;
    p->transfers = m->taken_transfers - p->begin_transfers;
    p->state = POLL_KNOWN;
}

/* From the block hook, while a round is learned. */
void polls_record(struct machine *m, struct block *b, uint32_t address)
{
    struct poll_loop *p = m->polls.present;
    if (!p || p->state != POLL_LEARNING || p->length >= MAX_POLL_BLOCKS) {
        m->recording &= (uint8_t)~RECORDS_PATH;
        if (p && p->state == POLL_LEARNING)
            p->state = POLL_NEW;
        return;
    }
    p->path[p->length] = b;
    p->addresses[p->length] = address;
    p->sizes[p->length++] = b->size;
    p->costs += b->cost_ticks;
}

/* --- advancing ---------------------------------------------------------------------------------------------------------------------------*/

static bool is_as_learned(struct machine *m, const struct poll_loop *p)
{
    if (m->requests || m->next_event != m->planned_event || m->ticks >= m->planned_event || m->exceptions.active_count || m->hooked ||
        m->recording || m->held_back || !p->uart->pins_known || uart_status(m, p->uart) != p->status)
        return false;
    for (uint32_t i = 0; i < p->length; i++)
        if (p->path[i]->generation != m->icache.generation || p->path[i]->size != p->sizes[i])
            return false;
    for (uint32_t i = 0; i < CORE_PC; i++)
        if (p->live >> i & 1u && read_register(m, CORE_REGISTER[i]) != p->registers[i])
            return false;
    return true;
}

static uint64_t transition(const struct block *before, uint32_t expected_pc, const struct block *b, uint32_t address)
{
    return address == expected_pc ? 0 : (uint64_t)before->exit_ticks + b->entry_ticks;
}

/* A block may be in the path more than once: all its runs count. */
static uint64_t rounds_before_sample(const struct poll_loop *p)
{
    uint64_t most = NEVER;
    for (uint32_t i = 0; i < p->length; i++) {
        const struct block *b = p->path[i];
        uint64_t each = 0, left;
        for (uint32_t k = 0; k < p->length; k++)
            each += p->path[k] == b;
        if (!b->access_count)
            continue;
        left = b->next_sample > b->runs ? (b->next_sample - b->runs - 1u) / each : 0;
        most = left < most ? left : most;
    }
    return most;
}

static void leave_behind(struct machine *m, const struct poll_loop *p)
{
    uint32_t xpsr = read_register(m, UC_ARM_REG_XPSR);
    for (uint32_t i = 0; i < CORE_PC; i++)
        if (p->written >> i & 1u)
            write_register(m, CORE_REGISTER[i], p->results[i]);
    write_register(m, UC_ARM_REG_XPSR, (xpsr & ~XPSR_FLAGS) | p->results[CORE_XPSR]);
    if (p->stack_words)
        memcpy(stack_below(m, p, p->registers[CORE_SP]), p->stack, 4u * p->stack_words);
    for (uint32_t i = 0; i < p->length; i++) {
        p->path[i]->stamp = m->icache.clock;
        m->icache.clock += p->path[i]->lines;
    }
    m->current = p->before;
    m->expected_pc = p->expected_pc;
}

static void advance(struct machine *m, struct poll_loop *p, struct block *b, uint32_t address)
{
    uint64_t first = transition(m->current, m->expected_pc, b, address), usual = transition(p->before, p->expected_pc, b, address);
    uint64_t costs = 0, round, rounds, poll_at = m->ticks + first + b->cost_ticks;
    for (uint32_t i = 0; i < p->length; i++)
        costs += p->path[i]->cost_ticks;
    round = costs + p->rest;
    if (!round || m->ticks + first + round > m->planned_event)
        return;
    rounds = 1u + (m->planned_event - m->ticks - first + usual - round) / round;
    if (rounds > 1u && m->ticks + first - usual + rounds * round > m->planned_event)
        rounds--;
    if (rounds > rounds_before_sample(p))
        rounds = rounds_before_sample(p);
    rounds = uart_most_polls(m, p->uart, poll_at, round, rounds);
    if (!rounds)
        return;
    uart_polled(m, p->uart, poll_at + (rounds - 1u) * round, rounds);
    m->taken_transfers += rounds * p->transfers + (first != 0) - (usual != 0);
    for (uint32_t i = 0; i < p->length; i++)
        p->path[i]->runs += rounds;
    m->bus_accesses += rounds;
    m->ticks += rounds * round + first - usual;
    leave_behind(m, p);
}

/* The block that read the status last is about to run again. */
void polls_arrive(struct machine *m, struct block *b, uint32_t address)
{
    struct poll_loop *p = m->polls.present;
    if (!p || m->trace || m->ticks >= m->next_event)
        return;
    if (p->state == POLL_LEARNING)
        end_learning(m, p);
    if (p->state == POLL_NEW && !m->recording && !m->hooked && m->phase == PHASE_FAST)
        begin_learning(m, p);
    else if (p->state == POLL_KNOWN && p->address == address && is_as_learned(m, p))
        advance(m, p, b, address);
}

/* Firmware has read a UART's status. */
void polls_read(struct machine *m, const struct uart *u, uint32_t status)
{
    struct polls *polls = &m->polls;
    struct poll_loop *p = NULL;
    if (!polls->on)
        return;
    for (uint32_t i = 0; i < MAX_POLL_LOOPS && !p; i++)
        if (polls->loops[i].block == m->current && polls->loops[i].uart == u &&
            (polls->loops[i].state != POLL_KNOWN || polls->loops[i].status == status))
            p = &polls->loops[i];   /* one for each status that is polled again and again */
    if (polls->present && polls->present != p && polls->present->state == POLL_LEARNING)
        polls->present->state = POLL_NEW;
    if (!p) {
        p = &polls->loops[polls->next++ % MAX_POLL_LOOPS];
        *p = (struct poll_loop){.block = m->current, .uart = u, .address = m->expected_pc - m->current->size};
    }
    p->last_status = status;
    polls->present = p;
    m->polled = p->block;
}

void polls_forget(struct machine *m)
{
    bool on = m->polls.on;
    memset(&m->polls, 0, sizeof m->polls);
    m->polls.on = on;
    m->polled = NULL;
    m->recording &= (uint8_t)~RECORDS_PATH;
}

/* Whether empty rounds are advanced. */
__attribute__((visibility("default"))) void cm4_skip_polls(struct machine *m, uint32_t on)
{
    m->polls.on = on;
    polls_forget(m);
}
