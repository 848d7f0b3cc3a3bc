// SPDX-License-Identifier: Apache-2.0
/* Running: up to the next event, and the next; sleep; and when to come back to the host.
 *
 * The block hook compares the cycle counter with next_event, nothing else. When that is reached, event_pause() lets the peripherals catch up
 * and decides whether unicorn must stop: for an exception, for the host, or at the limit. Every store to a peripheral is such an event.
 */
#include "core.h"

#define RUN_FOR_EVER 0xFFFFFFFEu    /* no firmware runs there; a jump to it is a fault */
#define XPSR_T 0x01000000u
#define SLICE_CYCLES 10000000u      /* after so many cycles */
#define SLICE_EFFORT 1000000u       /* or so many events, items of DMA and the like the host is asked whether to go on */

/* Stops before the next block: to stop inside a store would make unicorn execute the store again. */
void request_stop(struct machine *m, enum request request)
{
    m->requests |= request;
    m->next_event = 0;
}

void replan(struct machine *m)
{
    m->replanned = true;
    m->next_event = 0;
}

/* A run returns to the host after a fraction of a second of the host's time at the latest: the host may want to end it. */
void begin_slice(struct machine *m)
{
    m->effort = 0;
    m->slice_end = time_sum(m->ticks, (uint64_t)SLICE_CYCLES * TICKS_PER_CYCLE);
}

static bool slice_is_over(struct machine *m)
{
    return ++m->effort >= SLICE_EFFORT || m->ticks >= m->slice_end;
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* --- when the host may speak --------------------------------------------------------------------------------------------------------
 *
 * Bytes are let in at points that depend on nothing but the firmware. One that polls shows by its polls that it waits (see uart.c). One that
 * receives by interrupt or DMA waits when it has sent its prompt and runs no handler; or when it sleeps and nothing else could wake it. If
 * it never answers, a virtual second of silence must do. */

static bool may_listen(const struct machine *m)
{
    return !m->waiting && m->received.head == m->received.tail && m->exceptions.active_count == 0 && uart_waits_for_interrupt(m) &&
           !uart_line_busy(m);
}

static uint64_t listens_at(const struct machine *m)
{
    uint64_t wait = m->prompt.seen ? (m->asleep ? 0 : m->prompt.settle_cycles) : m->hclk_hz;
    return may_listen(m) ? m->last_uart_access + wait * TICKS_PER_CYCLE : NEVER;
}

static void ask_the_host(struct machine *m)
{
    if (!may_listen(m))
        return;
    if (m->asleep && !m->prompt.seen && devices_next_event(m) == NEVER)
        request_stop(m, REQUEST_IDLE);
    else if (m->ticks >= listens_at(m))
        request_stop(m, m->prompt.seen ? REQUEST_IDLE : REQUEST_QUIET);
}

/* --- events -------------------------------------------------------------------------------------------------------------------------*/

static uint64_t profile_cap(const struct machine *m)
{
    bool profiling = m->phase == PHASE_PROFILE && !m->constants.exact;
    return profiling ? m->phase_start_ticks + m->constants.profile_max_cycles * TICKS_PER_CYCLE : NEVER;
}

/* Of the board, not of the host's limits. */
uint64_t next_own_event(const struct machine *m)
{
    return earlier(earlier(devices_next_change(m), listens_at(m)), profile_cap(m));
}

/* Before this tick nothing happens that was not planned. A host that will be silent for longer than its limit for a run does not count. */
uint64_t furthest_event(const struct machine *m)
{
    uint64_t limit_ps = m->limit_ps > m->silence_ps ? m->limit_ps : m->silence_ps;
    return m->steady.guards & GUARD_INTERRUPTS ? earlier(next_own_event(m), ticks_of_time_ps(m, limit_ps)) : ticks_of_time_ps(m, limit_ps);
}

static void plan(struct machine *m)
{
    m->must_stop_at = earlier(earlier(ticks_of_time_ps(m, m->limit_ps), profile_cap(m)), m->slice_end);
    m->planned_event = earlier(earlier(devices_next_event(m), listens_at(m)), m->must_stop_at);
    m->next_event = m->requests || m->exceptions.masked ? 0 : m->planned_event;
}

/* Called by the block hook when an event is due; true if unicorn must stop before the block. */
bool event_pause(struct machine *m)
{
    bool masked = m->exceptions.masked;
    if (m->access.kind || m->requests || slice_is_over(m))
        return true;
    if (masked && m->ticks < m->planned_event && m->next_event == 0 && !m->replanned) {
        /* only the masks can have changed, and they change between blocks */
        return exception_ready(m, false) != NO_EXCEPTION;
    }
    m->replanned = false;
    devices_advance(m);
    ask_the_host(m);
    if (m->requests || exception_ready(m, false) != NO_EXCEPTION || m->ticks >= m->must_stop_at)
        return true;
    plan(m);
    return false;
}

/* What was asked for, most urgent first; 0 or the reason to return to the host. */
static int serve_requests(struct machine *m)
{
    if (m->requests & REQUEST_WATCH) {
        place_watch(m);
        m->requests &= ~(uint32_t)REQUEST_WATCH;
    }
    if (m->requests & REQUEST_RESET) {
        reset_machine(m);
        return 0;
    }
    if (m->requests & REQUEST_MEMORY) {
        m->crashed = true;
        return STOP_MEMORY;         /* and never again anything else */
    }
    if (m->requests & REQUEST_REFUSED)
        return STOP_REFUSED;        /* strict: until the next reset */
    if (m->requests & REQUEST_CALLED) {
        m->requests &= ~(uint32_t)REQUEST_CALLED;
        steady_look(m);
    }
    timing_at_stop(m, m->requests & (REQUEST_IDLE | REQUEST_QUIET));
    if (m->requests & REQUEST_PARKED) {
        m->requests &= ~(uint32_t)REQUEST_PARKED;
        m->asleep = m->parked = true;
    }
    if (m->requests & REQUEST_LINE) {
        m->requests &= ~(uint32_t)REQUEST_LINE;
        return STOP_LINE;
    }
    if (m->requests & REQUEST_IDLE) {
        m->requests &= ~(uint32_t)(REQUEST_IDLE | REQUEST_QUIET);
        m->idle_polls = 0;
        m->idle = true;
        return STOP_IDLE;
    }
    if (m->requests & REQUEST_QUIET) {
        m->requests &= ~(uint32_t)REQUEST_QUIET;
        m->last_uart_access = m->ticks;     /* asks again after another second */
        return STOP_QUIET;
    }
    if (m->requests & REQUEST_SLICE) {
        m->requests &= ~(uint32_t)REQUEST_SLICE;
        return STOP_SLICE;
    }
    return 0;
}

/* --- sleep --------------------------------------------------------------------------------------------------------------------------*/

static bool wakes(struct machine *m)
{
    if (exception_ready(m, !m->parked && !m->waits_for_event) != NO_EXCEPTION)
        return true;
    return m->waits_for_event && m->exceptions.event;
}

static bool never_wakes(struct machine *m)
{
    uint32_t primask = read_register(m, UC_ARM_REG_PRIMASK) & 1u;
    bool held = primask && m->parked ? true : primask ? read_register(m, UC_ARM_REG_FAULTMASK) & 1u : execution_priority(m) <= 0;
    return held || (devices_next_event(m) == NEVER && !uart_waits_for_interrupt(m) && !uart_line_busy(m));
}

static int sleep_for_ever(struct machine *m)
{
    if (m->fault.kind != FAULT_NONE) {
        m->crashed = true;          /* where fault handlers end */
        return STOP_FAULT;
    }
    note_once(m, NOTE_PARKED, read_register(m, UC_ARM_REG_PC));
    return STOP_PARKED;
}

/* Lets time pass up to the next event, again and again; 0 when the core wakes. */
static int sleep_on(struct machine *m)
{
    for (;;) {
        uint64_t limit = ticks_of_time_ps(m, m->limit_ps), next;
        int reason;
        devices_advance(m);
        ask_the_host(m);
        reason = serve_requests(m);
        if (reason)
            return reason;
        if (wakes(m)) {
            m->asleep = m->parked = m->waits_for_event = false;
            return 0;
        }
        if (never_wakes(m))
            return sleep_for_ever(m);
        next = earlier(devices_next_event(m), listens_at(m));
        next = earlier(next, limit);
        if (next > m->ticks) {
            span_skipped(m, next);
            m->skipped_ticks += next - m->ticks;
            m->phase_start_ticks += next - m->ticks;    /* waiting is neither profiled nor fast work */
            m->ticks = next;
        }
        if (m->ticks >= limit)
            return STOP_LIMIT;
        if (slice_is_over(m))
            return STOP_SLICE;
    }
}

/* --- running ------------------------------------------------------------------------------------------------------------------------*/

static int run_once(struct machine *m)
{
    uc_err error;
    int reason;
    m->paused = false;
    if (CORE_ARCHITECTURE == 8 && is_exception_return(m, read_register(m, UC_ARM_REG_PC))) {     /* its EXC_RETURN is even, which clears T */
        exception_return(m);
        return m->crashed ? STOP_FAULT : 0;
    }
    if (!(read_register(m, UC_ARM_REG_XPSR) & XPSR_T)) {    /* a pause came between a jump to Arm code and its fault */
        fault_take(m, FAULT_STATE, read_register(m, UC_ARM_REG_PC), 0);
        return m->crashed ? STOP_FAULT : 0;
    }
    error = uc_emu_start(m->uc, read_register(m, UC_ARM_REG_PC) | 1u, RUN_FOR_EVER, 0, 0);
    deviations_settle(m);
    if (!m->paused || m->access.kind)   /* both: an access faulted in the block before the one that was not entered */
        return handle_trap(m, error);
    reason = serve_requests(m);
    return !reason && m->ticks >= ticks_of_time_ps(m, m->limit_ps) ? STOP_LIMIT : reason;
}

/* Runs until the board waits for bytes, has sent a line, is parked, has crashed, or virtual time reaches the limit. */
int run_machine(struct machine *m)
{
    for (;;) {
        uint32_t exception;
        int reason;
        devices_advance(m);
        exception = exception_ready(m, false);
        if (exception != NO_EXCEPTION)
            exception_enter(m, exception);
        if (m->crashed)
            return STOP_FAULT;
        if (m->asleep) {
            reason = sleep_on(m);
        } else {
            plan(m);
            reason = run_once(m);
        }
        if (reason)
            return reason;
        if (slice_is_over(m))
            return STOP_SLICE;
    }
}
