// SPDX-License-Identifier: Apache-2.0
/* The exception model of Armv7-M: DDI0403 section B1.5; where Armv6-M and v8-M without TrustZone differ, CORE_ARCHITECTURE decides. */
#ifndef CM4TINY_EXCEPTIONS_H
#define CM4TINY_EXCEPTIONS_H

enum exception {
    NO_EXCEPTION = 0, EXC_NMI = 2, EXC_HARD_FAULT = 3, EXC_MEM_MANAGE = 4, EXC_BUS_FAULT = 5, EXC_USAGE_FAULT = 6, EXC_SVCALL = 11,
    EXC_DEBUG_MONITOR = 12, EXC_PENDSV = 14, EXC_SYSTICK = 15, FIRST_INTERRUPT = 16
};
#define EXCEPTION_WORDS ((FIRST_INTERRUPT + INTERRUPTS + 31u) / 32u)

struct exceptions {
    uint32_t enabled[EXCEPTION_WORDS], pending[EXCEPTION_WORDS], active[EXCEPTION_WORDS], level[EXCEPTION_WORDS];
    uint8_t priority[32u * EXCEPTION_WORDS];
    uint32_t active_count;
    uint32_t fp_context_address;    /* FPCAR */
    bool lazy_fp;                   /* FPCCR.LSPACT: room is reserved, S0..S15 are still in the registers */
    bool event;                     /* the event register of WFE and SEV */
    bool masked;                    /* something pending waits only for PRIMASK, BASEPRI or FAULTMASK */
};

bool exception_bit(const uint32_t *bits, uint32_t exception);
void exceptions_reset(struct machine *m);
int exception_priority(const struct machine *m, uint32_t exception);
int execution_priority(struct machine *m);
int group_priority(const struct machine *m, int priority);
bool exception_is_active(const struct machine *m, uint32_t exception);
void exception_pend(struct machine *m, uint32_t exception);
void exception_unpend(struct machine *m, uint32_t exception);
void interrupt_level(struct machine *m, uint32_t interrupt, bool high);
uint32_t exception_ready(struct machine *m, bool ignore_primask);
void exception_enter(struct machine *m, uint32_t exception);
void exception_chain(struct machine *m, uint32_t exception, uint32_t exc_return);
void exception_return(struct machine *m);
void save_lazy_fp(struct machine *m);
bool code_can_be_at(uint32_t address);
bool is_exception_return(struct machine *m, uint32_t pc);      /* faults.c */

#endif
