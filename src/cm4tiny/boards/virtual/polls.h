// SPDX-License-Identifier: Apache-2.0
/* Empty loops around a UART's status register: see polls.c. */
#ifndef CM4TINY_POLLS_H
#define CM4TINY_POLLS_H

#define MAX_POLL_LOOPS 16u
#define MAX_POLL_BLOCKS 16u
#define MAX_POLL_STACK 16u          /* words */

enum poll_state { POLL_NEW, POLL_LEARNING, POLL_KNOWN, POLL_REFUSED };

struct poll_loop {
    struct block *block;            /* the one that reads the status */
    const struct uart *uart;
    enum poll_state state;
    struct block *path[MAX_POLL_BLOCKS];    /* from it to it again */
    uint32_t sizes[MAX_POLL_BLOCKS], addresses[MAX_POLL_BLOCKS], length, attempts, address;
    uint32_t live, written, status, last_status;    /* masks of registers: that it depends on, that it changes */
    uint32_t registers[17], results[17], stack[MAX_POLL_STACK], stack_words;
    struct block *before;           /* and what it comes from when it goes round */
    uint32_t expected_pc;
    uint64_t begin_ticks, begin_transfers, begin_accesses, begin_exceptions, begin_misses, costs, rest, transfers, read_after;
};

struct polls { bool on; struct poll_loop loops[MAX_POLL_LOOPS], *present; uint32_t next; };

void polls_read(struct machine *m, const struct uart *u, uint32_t status);
void polls_arrive(struct machine *m, struct block *b, uint32_t address);
void polls_record(struct machine *m, struct block *b, uint32_t address);
void polls_forget(struct machine *m);

#endif
