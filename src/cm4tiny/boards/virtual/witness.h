// SPDX-License-Identifier: Apache-2.0
/* A second core that runs one iteration of a loop and follows the loop's counter through it: see witness.c. */
#ifndef CM4TINY_WITNESS_H
#define CM4TINY_WITNESS_H

/* What an instruction does with the values in its registers: steps.py says what the fields mean. */
struct step {
    uint8_t kind, size, result, first, second, condition, flag_reads, flag_writes;
    uint32_t constant;
    uint16_t reads, writes, moved, covers;
};
enum step_kind { STEP_UNKNOWN, STEP_OTHER, STEP_MOVE, STEP_ADD, STEP_SUB, STEP_BRANCH, STEP_COMPARE_BRANCH, STEP_LOAD, STEP_STORE, STEP_IT };
#define NO_REGISTER 0xFFu
typedef void (*describe_function)(uint32_t address, struct step *step);

/* A core register (by its number) or a word of RAM (by its address) that is not the same in two iterations, and by how much. */
struct stride { uint32_t where, by; };
#define MAX_STRIDES 24u

/* Why iterations are not proven equal. The host knows the same numbers: machine.py. */
enum refusal {
    REFUSED_NOT, REFUSED_DIFFERENT, REFUSED_REGISTERS, REFUSED_CACHES, REFUSED_NEW_CODE, REFUSED_EVENT, REFUSED_RECORD, REFUSED_USES_COUNTER,
    REFUSED_CALLEE_USES_COUNTER, REFUSED_EXITS, REFUSED_RERUN, REFUSED_END, REFUSED_SHORT, REFUSED_STATE
};

/* The branch that decides whether the loop goes on: a comparison of two values that change by constants. */
struct loop_exit { uint32_t left, left_by, right, right_by, condition; bool taken; };

/* What is looked at; a test leaves one out to see what goes wrong then. WRONG_END makes the prediction of the loop's end wrong. */
enum guard { GUARD_LOOP = 1, GUARD_CALLEE = 2, GUARD_END = 4, GUARD_INTERRUPTS = 8, GUARDS = 15, WRONG_END = 16 };

struct witness;
struct core_state { uint32_t core[17], system[7]; uint64_t fp[16]; };
extern const int CORE_REGISTER[17];  /* unicorn's names */
enum { CORE_SP = 13, CORE_PC = 15, CORE_XPSR = 16 };
void core_state_read(uc_engine *uc, struct core_state *s);

bool exit_goes_on(const struct loop_exit *e, uint32_t iteration);
enum refusal witness_iteration(struct machine *m, const struct core_state *state, const struct stride *strides, uint32_t count,
                               uint64_t instructions, struct loop_exit *exit);
enum refusal witness_end(struct machine *m, uint32_t last);
void witness_free(struct machine *m);

#endif
