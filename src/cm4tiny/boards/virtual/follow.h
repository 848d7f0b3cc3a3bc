// SPDX-License-Identifier: Apache-2.0
/* The witness's inside: what follow.c and witness.c share. */
#ifndef CM4TINY_FOLLOW_H
#define CM4TINY_FOLLOW_H

#define MAX_FOLLOWED 64u
#define MAX_WATCHED_PAGES 8u
#define MAX_RANGES (2u * MAX_WATCHED_PAGES + 1u)

enum { FLAG_N = 1, FLAG_Z = 2, FLAG_C = 4, FLAG_V = 8, FLAGS = 15 };

struct followed { uint32_t address, by; };

/* Just before the comparison that the loop's end hangs on. */
struct turning_point {
    struct core_state state;
    struct followed words[MAX_FOLLOWED];
    uint32_t values[MAX_FOLLOWED], word_count, mask, by[16];
};

struct watched_page { struct machine *m; uint32_t base; };

struct witness {
    uc_engine *uc;
    uint8_t *ram;
    struct step *steps;             /* of each halfword of flash */
    uint8_t *stepped;               /* a bit for each: its block is followed instruction by instruction */
    uint32_t range_base[MAX_RANGES], range_size[MAX_RANGES], range_count, hooks;
    struct watched_page pages[MAX_WATCHED_PAGES];
    uint32_t page_count;

    uint32_t address, first, home, branch, block, block_size;
    const struct step *step;        /* the present instruction, in a block that is followed */
    uint32_t moved, it_end, mask, by[16];   /* mask: of the registers with a stride */
    struct followed words[MAX_FOLLOWED];
    uint32_t word_count, flags, comparable, exits, shift, guards;
    struct loop_exit compared, exit;
    bool in_callee, arrived, trial, unseen;     /* unseen: a block must be followed that was not */
    struct turning_point here, turn;
    enum refusal why;
    uint64_t blocks, limit;
};

void witness_stop(struct witness *w, enum refusal why);
void follow_register(struct witness *w, uint32_t number, uint32_t by);
uint32_t stride_of(const struct witness *w, uint32_t number);
void follow_step(struct witness *w);
void follow_block(struct witness *w, uint32_t address);
void follow_read(struct witness *w, uint32_t address, uint32_t size);
void follow_write(struct witness *w, uint32_t address, uint32_t size);

#endif
