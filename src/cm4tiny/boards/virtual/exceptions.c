// SPDX-License-Identifier: Apache-2.0
/* Exceptions: priorities, entry, lazy floating-point stacking, return and tail-chaining.
 *
 * Source: DDI0403 section B1.5 (the pseudocode of B1.5.4 to B1.5.8), cycles of DDI0439 section 3.9: 12 from the interrupt to its handler, 10
 * back, 6 from one handler to the next. unicorn knows Handler mode, both stack pointers and the mask registers, but takes no exceptions;
 * so a run of unicorn ends and this file does what the core would do between two instructions.
 */
#include "core.h"

#include <string.h>

#define ENTRY_CYCLES 12u
#define RETURN_CYCLES 10u
#define TAIL_CHAIN_CYCLES 6u
#define FP_CONTEXT_CYCLES 17u       /* S0..S15 and FPSCR, one word per cycle */
#define BASIC_FRAME 0x20u
#define FP_FRAME 0x68u
#define NEVER_RUNS 256              /* a priority below all others: thread mode */
enum { CONTROL_NPRIV = 1, CONTROL_SPSEL = 2, CONTROL_FPCA = 4 };
enum { SCB_VTOR = 0x08, SCB_AIRCR = 0x0C, SCB_SCR = 0x10, SCB_CCR = 0x14, SCB_FPCCR = 0x234, SCB_FPDSCR = 0x23C };
#define FPCCR_ASPEN (1u << 31)
#define FPCCR_LSPEN (1u << 30)
#define CCR_STKALIGN (1u << 9)
#define CCR_NONBASETHRDENA 1u
#define SCR_SLEEPONEXIT 2u
#define FPSCR_RMODE (3u << 22)
#define XPSR_T 0x01000000u
#define XPSR_FLAGS 0xF80F0000u      /* N, Z, C, V, Q, GE */
#define XPSR_EXCEPTION 0x1FFu
#define XPSR_PADDED (1u << 9)       /* in a stacked xPSR: four bytes of padding */
#if CORE_ARCHITECTURE == 8          /* 100230 and DDI0553, "EXC_RETURN": without TrustZone S and ES are 0, DCRS is 1 */
#define EXC_RETURN 0xFFFFFFA0u
#else
#define EXC_RETURN 0xFFFFFFE1u
#endif
#define EXC_RETURN_NO_FP 0x10u

static const int STACKED[6] = {UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R12, UC_ARM_REG_LR};

/* --- bits and priorities ------------------------------------------------------------------------------------------------------------*/

/* False for a number beyond the last interrupt: a stacked xPSR holds whatever the firmware put there. */
bool exception_bit(const uint32_t *bits, uint32_t exception)
{
    return exception < 32u * EXCEPTION_WORDS && bits[exception >> 5] >> (exception & 31u) & 1u;
}
static void set_bit(uint32_t *bits, uint32_t exception) { bits[exception >> 5] |= 1u << (exception & 31u); }
static void clear_bit(uint32_t *bits, uint32_t exception) { bits[exception >> 5] &= ~(1u << (exception & 31u)); }

bool exception_is_active(const struct machine *m, uint32_t exception) { return exception_bit(m->exceptions.active, exception); }

void exception_pend(struct machine *m, uint32_t exception)
{
    if (!exception_bit(m->exceptions.pending, exception) && (scb_get(m, SCB_SCR) & 0x10u))
        m->exceptions.event = true; /* SEVONPEND */
    set_bit(m->exceptions.pending, exception);
    replan(m);
}

void exception_unpend(struct machine *m, uint32_t exception)
{
    clear_bit(m->exceptions.pending, exception);
    if (exception_bit(m->exceptions.level, exception) && !exception_is_active(m, exception))
        set_bit(m->exceptions.pending, exception);  /* the peripheral still asks */
}

/* A peripheral's request line. It is level-sensitive: pending while it is high and the handler does not run. */
void interrupt_level(struct machine *m, uint32_t interrupt, bool high)
{
    uint32_t exception = FIRST_INTERRUPT + interrupt;
    if (!high) {
        clear_bit(m->exceptions.level, exception);
        return;
    }
    set_bit(m->exceptions.level, exception);
    if (!exception_is_active(m, exception) && !exception_bit(m->exceptions.pending, exception))
        exception_pend(m, exception);
}

int exception_priority(const struct machine *m, uint32_t exception)
{
    if (exception >= EXC_MEM_MANAGE)
        return m->exceptions.priority[exception];
    return exception == EXC_HARD_FAULT ? -1 : exception == EXC_NMI ? -2 : -3;
}

int group_priority(const struct machine *m, int priority)
{
    uint32_t split = scb_get(m, SCB_AIRCR) >> 8 & 7u;   /* PRIGROUP: bits [7:split+1] decide who may interrupt whom */
    return priority < 0 ? priority : (int)((uint32_t)priority & (0xFFu << (split + 1u)) & 0xFFu);
}

static int active_priority(const struct machine *m)
{
    int lowest = NEVER_RUNS;
    for (uint32_t word = 0; word < EXCEPTION_WORDS; word++)
        for (uint32_t bits = m->exceptions.active[word]; bits; bits &= bits - 1) {
            int priority = group_priority(m, exception_priority(m, word * 32u + (uint32_t)__builtin_ctz(bits)));
            if (priority < lowest)
                lowest = priority;
        }
    return lowest;
}

static int masked_priority(struct machine *m, int priority, bool ignore_primask)
{
    uint32_t basepri = read_register(m, UC_ARM_REG_BASEPRI) & PRIORITY_BITS;
    if (basepri && group_priority(m, (int)basepri) < priority)
        priority = group_priority(m, (int)basepri);
    if (!ignore_primask && priority > 0 && (read_register(m, UC_ARM_REG_PRIMASK) & 1u))
        priority = 0;
    if (priority > -1 && (read_register(m, UC_ARM_REG_FAULTMASK) & 1u))
        priority = -1;
    return priority;
}

int execution_priority(struct machine *m) { return masked_priority(m, active_priority(m), false); }

static uint32_t best_pending(const struct machine *m)
{
    const struct exceptions *e = &m->exceptions;
    uint32_t best = NO_EXCEPTION;
    for (uint32_t word = 0; word < EXCEPTION_WORDS; word++)
        for (uint32_t bits = e->pending[word] & e->enabled[word]; bits; bits &= bits - 1) {
            uint32_t exception = word * 32u + (uint32_t)__builtin_ctz(bits);
            if (!best || exception_priority(m, exception) < exception_priority(m, best))
                best = exception;
        }
    return best;
}

/* The exception that may be taken now, or none. WFI wakes for one that only PRIMASK holds back. */
uint32_t exception_ready(struct machine *m, bool ignore_primask)
{
    uint32_t best = best_pending(m);
    int priority, active;
    m->exceptions.masked = false;
    if (!best)
        return NO_EXCEPTION;
    priority = group_priority(m, exception_priority(m, best));
    active = active_priority(m);
    if (priority >= active)
        return NO_EXCEPTION;
    if (priority < masked_priority(m, active, ignore_primask))
        return best;
    m->exceptions.masked = true;
    return NO_EXCEPTION;
}

/* --- entry --------------------------------------------------------------------------------------------------------------------------*/

bool code_can_be_at(uint32_t address)
{
    return in_flash(address) || in_ram(address) || in_system_memory(address);
}

static uint32_t *stack_at(struct machine *m, uint32_t address, uint32_t size)
{
    return in_ram(address) && (address & 3u) == 0 ? (uint32_t *)(void *)memory_at(m, address, size) : NULL;
}

static void store_fp_context(struct machine *m, uint32_t *at)
{
    for (int i = 0; i < 16; i++)
        at[i] = read_register(m, UC_ARM_REG_S0 + i);
    at[16] = read_register(m, UC_ARM_REG_FPSCR);
    m->ticks += FP_CONTEXT_CYCLES * TICKS_PER_CYCLE;
}

/* The first floating-point instruction after an exception: now the room on the stack is filled. */
void save_lazy_fp(struct machine *m)
{
    uint32_t *at = stack_at(m, m->exceptions.fp_context_address, 17u * 4u);
    m->exceptions.lazy_fp = false;
    if (at)
        store_fp_context(m, at);
    write_register(m, UC_ARM_REG_FPSCR, scb_get(m, SCB_FPDSCR));
    if (scb_get(m, SCB_FPDSCR) & FPSCR_RMODE)
        deviations_rounding(m);
}

/* To the handler, in Handler mode: the last steps of every entry. */
static void take(struct machine *m, uint32_t exception, uint32_t exc_return)
{
    const uint8_t *vector = memory_at(m, scb_get(m, SCB_VTOR) + 4u * exception, 4);
    uint32_t target = 0;
    deviations_clear_monitor(m);
    write_register(m, UC_ARM_REG_CONTROL, read_register(m, UC_ARM_REG_CONTROL) & CONTROL_NPRIV);
    write_register(m, UC_ARM_REG_LR, exc_return);
    clear_bit(m->exceptions.pending, exception);
    set_bit(m->exceptions.active, exception);
    m->exceptions.active_count++;
    m->exceptions.event = true;
    m->exceptions_taken++;
    m->asleep = false;
    if (!vector) {
        fault_take(m, FAULT_VECTOR, scb_get(m, SCB_VTOR) + 4u * exception, exception);
        return;
    }
    memcpy(&target, vector, 4);
    write_register(m, UC_ARM_REG_PC, target | 1u);
    m->expected_pc = target & ~1u;
    m->sampled = NULL;              /* the registers are the handler's now */
    if (!code_can_be_at(target))
        fault_take(m, FAULT_FETCH, target & ~1u, exception);
    else if (!(target & 1u))
        fault_take(m, FAULT_STATE, target, exception);
}

/* Pushes a frame and enters the handler. The return address is the present PC. */
void exception_enter(struct machine *m, uint32_t exception)
{
    uint32_t control = read_register(m, UC_ARM_REG_CONTROL), xpsr = read_register(m, UC_ARM_REG_XPSR), sp = read_register(m, UC_ARM_REG_SP);
    bool thread = (xpsr & XPSR_EXCEPTION) == 0, process_stack = thread && (control & CONTROL_SPSEL);
    bool fp = (control & CONTROL_FPCA) && (scb_get(m, SCB_FPCCR) & FPCCR_ASPEN);
    bool align = fp || (scb_get(m, SCB_CCR) & CCR_STKALIGN), padded = align && (sp & 4u);
    uint32_t size = fp ? FP_FRAME : BASIC_FRAME, frame = (sp - size) & ~(align ? 4u : 0u);
    uint32_t *at = stack_at(m, frame, size);
    if (at) {
        for (int i = 0; i < 6; i++)
            at[i] = read_register(m, STACKED[i]);
        at[6] = read_register(m, UC_ARM_REG_PC) & ~1u;
        at[7] = (xpsr & ~XPSR_PADDED) | (padded ? XPSR_PADDED : 0u);
        if (fp && !(scb_get(m, SCB_FPCCR) & FPCCR_LSPEN))
            store_fp_context(m, at + 8);
    }
    if (fp && (scb_get(m, SCB_FPCCR) & FPCCR_LSPEN)) {
        m->exceptions.lazy_fp = true;
        m->exceptions.fp_context_address = frame + BASIC_FRAME;
        timing_forget_fpu_blocks(m);
    }
    m->ticks += ENTRY_CYCLES * TICKS_PER_CYCLE;
    write_register(m, UC_ARM_REG_XPSR, (xpsr & XPSR_FLAGS) | XPSR_T | exception);   /* Handler mode: from here on SP is the main stack */
    write_register(m, process_stack ? UC_ARM_REG_PSP : UC_ARM_REG_SP, frame);
    take(m, exception, EXC_RETURN | (fp ? 0u : EXC_RETURN_NO_FP) | (thread ? 8u : 0u) | (process_stack ? 4u : 0u));
    if (!at)
        fault_take(m, FAULT_STACKING, frame, exception);
}

/* From one handler to another: the frame stays where it is. */
void exception_chain(struct machine *m, uint32_t exception, uint32_t exc_return)
{
    m->ticks += TAIL_CHAIN_CYCLES * TICKS_PER_CYCLE;
    write_register(m, UC_ARM_REG_XPSR, (read_register(m, UC_ARM_REG_XPSR) & XPSR_FLAGS) | XPSR_T | exception);
    take(m, exception, exc_return);
}

/* --- return -------------------------------------------------------------------------------------------------------------------------*/

static bool return_is_valid(const struct machine *m, uint32_t value, uint32_t exception)
{
    uint32_t to = value & 0xEu;
    if (!exception_is_active(m, exception) || (value & 0x0FFFFFE1u) != (EXC_RETURN & 0x0FFFFFE1u))
        return false;
    if (to == 0)
        return m->exceptions.active_count > 1;
    return (to == 8 || to == 0xC) && (m->exceptions.active_count == 1 || (scb_get(m, SCB_CCR) & CCR_NONBASETHRDENA));
}

static void deactivate(struct machine *m, uint32_t exception)
{
    clear_bit(m->exceptions.active, exception);
    m->exceptions.active_count--;
    if (exception_bit(m->exceptions.level, exception))
        set_bit(m->exceptions.pending, exception);
    if (exception != EXC_NMI)
        write_register(m, UC_ARM_REG_FAULTMASK, 0);
    if (m->fault.kind != FAULT_NONE && m->fault.exception == exception) {
        note_once(m, NOTE_FAULT, m->fault.pc);  /* the firmware's handler dealt with it */
        m->fault.kind = FAULT_NONE;
    }
}

static void load_fp_context(struct machine *m, const uint32_t *at)
{
    for (int i = 0; i < 16; i++)
        write_register(m, UC_ARM_REG_S0 + i, at[i]);
    write_register(m, UC_ARM_REG_FPSCR, at[16]);
    m->ticks += FP_CONTEXT_CYCLES * TICKS_PER_CYCLE;
}

static void unstack(struct machine *m, uint32_t value)
{
    bool fp = !(value & EXC_RETURN_NO_FP), thread = value & 8u, process_stack = (value & 0xCu) == 0xCu;
    int stack = process_stack ? UC_ARM_REG_PSP : UC_ARM_REG_SP;
    uint32_t frame = read_register(m, stack), size = fp ? FP_FRAME : BASIC_FRAME, control;
    const uint32_t *at = stack_at(m, frame, size);
    if (!at) {
        fault_take(m, FAULT_STACKING, frame, 0);
        return;
    }
    if (thread != ((at[7] & XPSR_EXCEPTION) == 0) || (at[7] & XPSR_EXCEPTION) >= FIRST_INTERRUPT + INTERRUPTS) {
        fault_take(m, FAULT_EXCEPTION_RETURN, value, at[7]);
        return;
    }
    deviations_clear_monitor(m);
    for (int i = 0; i < 6; i++)
        write_register(m, STACKED[i], at[i]);
    if (fp && !m->exceptions.lazy_fp)
        load_fp_context(m, at + 8);
    if (fp)
        m->exceptions.lazy_fp = false;
    control = (read_register(m, UC_ARM_REG_CONTROL) & CONTROL_NPRIV) | (process_stack ? CONTROL_SPSEL : 0u) | (fp ? CONTROL_FPCA : 0u);
    write_register(m, stack, (frame + size) | (at[7] & XPSR_PADDED ? 4u : 0u));
    write_register(m, UC_ARM_REG_CONTROL, control);
    write_register(m, UC_ARM_REG_PC, at[6] | 1u);
    write_xpsr(m, at[7] & ~XPSR_PADDED);
    m->expected_pc = at[6];
    m->sampled = NULL;
    m->ticks += RETURN_CYCLES * TICKS_PER_CYCLE;
    if (thread && (scb_get(m, SCB_SCR) & SCR_SLEEPONEXIT))
        m->asleep = true;
    if (!(at[7] & XPSR_T))
        fault_take(m, FAULT_STATE, at[6], 0);
}

/* PC holds the EXC_RETURN value, without bit 0 (of Armv8-M that is 0). */
void exception_return(struct machine *m)
{
    uint32_t value = read_register(m, UC_ARM_REG_PC) | (EXC_RETURN & 1u), xpsr = read_register(m, UC_ARM_REG_XPSR), next;
    uint32_t exception = xpsr & XPSR_EXCEPTION;
    if (!return_is_valid(m, value, exception)) {
        if (exception_is_active(m, exception))
            deactivate(m, exception);   /* the fault is taken in its place, on the same frame: DDI0403 section B1.5.8 */
        fault_chain(m, FAULT_EXCEPTION_RETURN, value, exception);
        return;
    }
    deactivate(m, exception);
    next = exception_ready(m, false);
    if (next == NO_EXCEPTION) {
        unstack(m, value);
        return;
    }
    exception_chain(m, next, value);
}

void exceptions_reset(struct machine *m)
{
    memset(&m->exceptions, 0, sizeof m->exceptions);
    m->exceptions.enabled[0] = 0xFFFFu; /* system exceptions: faults are sorted out when they are taken */
}
