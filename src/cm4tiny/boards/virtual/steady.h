// SPDX-License-Identifier: Apache-2.0
/* Iterations that are proven equal are advanced instead of run: see steady.c. */
#ifndef CM4TINY_STEADY_H
#define CM4TINY_STEADY_H

/* A run of a block, for the samples that banks.c would have taken of it: what its reads wait for, apart from the change from the SRAM of the
 * access before it. first: the SRAM that its first access goes to, last: its last one's; 0: it accesses none. */
struct run_record { uint32_t block, before, ticks; uint8_t first, first_reads, last, unused; };
/* A block's cost became another in the recorded iteration, after so many of its runs. */
struct change_record { uint32_t block, by; uint64_t runs; };
/* A block without a mean of data stalls ran: after so many run records, so long after the begin. */
struct poor_record { uint32_t block, position; uint64_t offset; };
#define MAX_RUN_RECORDS (1u << 21)
#define MAX_CHANGE_RECORDS 4096u
#define MAX_POOR_RECORDS 256u

#define CACHE_WORDS (2u * (ICACHE_MAX_LINES + DCACHE_MAX_LINES))

/* The machine when the function was called, and what adds up. */
struct call_state {
    struct core_state core;
    uint8_t *ram;
    uint32_t caches[CACHE_WORDS];
    struct exceptions exceptions;
    struct block *blocks, *current;
    uint32_t block_count, block_room, expected_pc, last_flash_word, note_count;
    uint64_t ticks, taken_transfers, icache_misses, icache_stall_ticks, dcache_misses, dcache_stall_ticks;
    uint64_t retired_runs, profile_phases, bus_accesses, exceptions_taken, next_event, accesses_looked_at;
    bool hooked;
};

struct steady {
    uint32_t address, guards;       /* the function that is called again and again; 0: nothing is advanced */
    bool passed, recorded;          /* passed: the call was looked at; recorded: the records are complete so far */
    uint64_t calls, proven, skip, failures, looked_ahead;
    uint32_t refused[16];           /* how often, by the reason */
    uint64_t bus_accesses, exceptions_taken;    /* at the call before */
    struct call_state begin;
    bool begun;
    struct run_record *runs;
    uint32_t run_count, run_room;
    struct change_record changes[MAX_CHANGE_RECORDS];
    struct poor_record poor[MAX_POOR_RECORDS];
    uint32_t change_count, poor_count;
};

/* For the host. */
struct steady_report { uint64_t calls, proven, looked_ahead; uint32_t refused[16]; };

bool steady_called(struct machine *m);
void steady_look(struct machine *m);
void steady_record_run(struct machine *m, const struct block *b, const struct block *before, uint32_t ticks, uint8_t first, bool first_reads,
                       uint8_t last);
void steady_record_change(struct machine *m, const struct block *b, uint32_t by);
void steady_record_poor(struct machine *m, const struct block *b);
void steady_forget(struct machine *m);
void steady_free(struct machine *m);

/* forecast.c: the block costs and the cycle counter after more iterations. */
struct forecast { uint64_t iterations, ticks, window_end, unprofiled; struct forecast_block *blocks; };
struct forecast_block {
    uint64_t runs, next_sample, bank_sum_ticks, iteration;
    uint32_t bank_samples, bank_ticks, last_bank, cost_ticks, recorded, first, position;
    uint64_t each, run;             /* runs in an iteration; the one of them that is sampled next, see position and iteration */
};
bool forecast(struct machine *m, uint64_t most, uint64_t before_ticks, struct forecast *f);

#endif
