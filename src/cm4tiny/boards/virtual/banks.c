// SPDX-License-Identifier: Apache-2.0
/* The three SRAMs behind the bus matrix: what a block's reads wait for.
 *
 * SRAM1 is granted at once. A read from SRAM2 or SRAM3 that is not pipelined behind another costs a cycle, and so does a read from another
 * SRAM than the access before it; sources: cycle_model.py. Unaligned reads are two or three accesses (DDI0439 section 3.3.3); stores go
 * through the write buffer and delay nothing.
 *
 * Which SRAM an instruction reads depends on its registers. A hook on memory would make everything slow. So the registers are looked at
 * when a block begins and when it has ended, at its first run and then ever more rarely, and the mean of what was found is part of the
 * block's cost. When is counted in runs, so that two runs of the board count the same; the mean is of the last samples.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE_PERIOD 1024u         /* runs between two samples, once a block has run so often */
#define REMEMBERED 8u               /* samples that the mean is of: a function may get other buffers, or a deeper stack, later on */

/* Number of the SRAM at an address, 0 for all else. SRAM2 at its alias is on the code buses, where nobody competes. */
static uint32_t bank_at(uint32_t address)
{
#define X(start, size, number) if (address - (start) < (size)) return number;
    RAM_BANKS(X)
#undef X
    return 0;
}

static void read_registers(struct machine *m, uint32_t *values)
{
    static const int NAMES[ACCESS_REGISTERS] = {UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2,  UC_ARM_REG_R3,  UC_ARM_REG_R4,
                                                UC_ARM_REG_R5, UC_ARM_REG_R6, UC_ARM_REG_R7,  UC_ARM_REG_R8,  UC_ARM_REG_R9,
                                                UC_ARM_REG_R10, UC_ARM_REG_R11, UC_ARM_REG_R12, UC_ARM_REG_SP, UC_ARM_REG_LR};
    for (uint32_t i = 0; i < ACCESS_REGISTERS; i++)
        values[i] = read_register(m, NAMES[i]);
}

void banks_learn(struct machine *m, struct block *b, const struct block_facts *facts)
{
    uint32_t count = facts->access_count < MAX_ACCESSES ? facts->access_count : MAX_ACCESSES;
    b->next_sample = NEVER;
    if (!count)
        return;
    b->accesses = malloc(count * sizeof *b->accesses);
    if (!b->accesses) {
        request_stop(m, REQUEST_MEMORY);
        return;
    }
    memcpy(b->accesses, facts->accesses, count * sizeof *b->accesses);
    b->access_count = count;
    b->next_sample = 1;
}

void banks_forget(struct block *b)
{
    free(b->accesses);
    b->accesses = NULL;
    b->access_count = 0;
}

void banks_begin(struct machine *m, struct block *b, const struct block *before)
{
    if (!b->access_count)
        return;                     /* while an iteration is recorded, see steady.c */
    m->sampled = b;
    m->sampled_before = before;
    m->sampled_last_bank = before->last_bank;
    read_registers(m, m->registers_at_begin);
}

static uint32_t unaligned_ticks(uint32_t address, const struct block_access *a)
{
    if (!(a->flags & ACCESS_EXACT) || !(a->flags & ACCESS_READ) || !(address & (a->size - 1u)))
        return 0;
    return a->size == 4 && (address & 1u) ? 2u * TICKS_PER_CYCLE : TICKS_PER_CYCLE;
}

/* The mean of the last samples, with one more. */
uint32_t banks_mean(uint64_t *sum_ticks, uint32_t *samples, uint32_t ticks)
{
    if (*samples < REMEMBERED)
        (*samples)++;
    else
        *sum_ticks -= *sum_ticks / REMEMBERED;
    *sum_ticks += ticks;
    return (uint32_t)((*sum_ticks + *samples / 2) / *samples);
}

uint64_t banks_next_sample(uint64_t runs) { return runs < SAMPLE_PERIOD ? 2 * runs : runs + SAMPLE_PERIOD; }

static void sample(struct machine *m, struct block *b, uint32_t ticks, uint32_t last)
{
    uint32_t mean = banks_mean(&b->bank_sum_ticks, &b->bank_samples, ticks);
    b->last_bank = last;
    if (UNLIKELY(m->recording & RECORDS_ITERATION) && mean != b->bank_ticks)
        steady_record_change(m, b, mean - b->bank_ticks);
    b->static_ticks += mean - b->bank_ticks;
    b->cost_ticks += mean - b->bank_ticks;
    b->bank_ticks = mean;
    b->next_sample = banks_next_sample(b->runs);
}

void banks_end(struct machine *m)
{
    struct block *b = m->sampled;
    uint32_t at_end[ACCESS_REGISTERS], last = m->sampled_last_bank, ticks = 0, first = 0, change = 0;
    bool first_reads = false;
    m->sampled = NULL;
    read_registers(m, at_end);
    for (uint32_t i = 0; i < b->access_count; i++) {
        const struct block_access *a = &b->accesses[i];
        uint32_t reg = a->reg < ACCESS_REGISTERS ? a->reg : 0;
        uint32_t address = (a->flags & ACCESS_AT_END ? at_end : m->registers_at_begin)[reg] + (uint32_t)a->displacement;
        uint32_t bank = bank_at(address);
        ticks += unaligned_ticks(address, a);
        if (!bank)
            continue;
        if (!first)
            first_reads = a->flags & ACCESS_READ;
        if (a->flags & ACCESS_READ) {
            if (bank != 1 && (a->flags & (ACCESS_ALONE | ACCESS_CHAINED)))
                ticks += m->constants.bank_wait_ticks;
            if (first && bank != last)
                ticks += m->constants.bank_change_ticks;
            else if (!first && last && bank != last)
                change = m->constants.bank_change_ticks;    /* from the SRAM of the block before */
        }
        first = first ? first : bank;
        last = bank;
    }
    if (UNLIKELY(m->recording & RECORDS_ITERATION))
        steady_record_run(m, b, m->sampled_before, ticks, (uint8_t)first, first_reads, (uint8_t)(first ? last : 0));
    if (b->runs >= b->next_sample)
        sample(m, b, ticks + change, last);
}
