// SPDX-License-Identifier: Apache-2.0
/* Timers, counting up: update and compare flags, their interrupts, one-pulse mode.
 *
 * Source: RM0432 sections 38 (TIM1/8), 39 (TIM2..5), 40 (TIM15..17), 41 (TIM6/7). Counts follow from the cycle counter when they are asked
 * for. Counting down or up and down, inputs and outputs are not modelled.
 */
#include "core.h"

enum { TIM_CR1 = 0x00, TIM_DIER = 0x0C, TIM_SR = 0x10, TIM_EGR = 0x14, TIM_CNT = 0x24, TIM_PSC = 0x28, TIM_ARR = 0x2C, TIM_CCR1 = 0x34 };
enum { CR1_CEN = 1u, CR1_UDIS = 2u, CR1_URS = 4u, CR1_OPM = 8u, CR1_DOWN = 0x70u };
enum { UPDATE = 1u };               /* UIF, UIE, UG; channel k has bit k */
#define CHANNELS 4u

static uint32_t get(const struct timer *t, uint32_t offset) { return t->p->reg[offset / 4]; }
static uint64_t cycles_now(const struct machine *m) { return m->ticks / TICKS_PER_CYCLE; }

static uint64_t cycles_per_count(const struct machine *m, const struct timer *t)
{
    return (uint64_t)timer_clock_divider(m, t->bus) * (t->prescaler + 1u);
}

static uint64_t period(const struct timer *t) { return (uint64_t)get(t, TIM_ARR) + 1u; }

/* Counts since the last look, as far as time has gone. */
static uint64_t counts_since(const struct machine *m, const struct timer *t)
{
    return t->clocked && (get(t, TIM_CR1) & CR1_CEN) ? (cycles_now(m) - t->since_cycles) / cycles_per_count(m, t) : 0;
}

/* Counts until the counter is next 0. One that stands above ARR (it was written so) counts on to its end. */
static uint64_t counts_to_zero(const struct timer *t)
{
    uint64_t end = t->count < period(t) ? period(t) : t->wide ? 1ull << 32 : 1ull << 16;
    return end - t->count;
}

static uint32_t count_after(const struct timer *t, uint64_t counts)
{
    uint64_t to_zero = counts_to_zero(t);
    return (uint32_t)(counts < to_zero ? t->count + counts : (counts - to_zero) % period(t));
}

/* Counts until the counter next shows a value (a whole period if it shows it now). */
static uint64_t counts_to(const struct timer *t, uint64_t value)
{
    if (value >= period(t))
        return NEVER;
    return value > t->count ? value - t->count : value + counts_to_zero(t);
}

static void update_event(struct timer *t)
{
    if (!(get(t, TIM_CR1) & CR1_UDIS))
        t->prescaler = get(t, TIM_PSC) & 0xFFFFu;
}

/* Brings count and flags up to the present cycle. */
static void timer_advance(struct machine *m, struct timer *t)
{
    uint64_t counts = counts_since(m, t), to_update = counts_to(t, 0);
    uint32_t *cr1 = &t->p->reg[TIM_CR1 / 4], *sr = &t->p->reg[TIM_SR / 4], prescaler = t->prescaler;
    if (counts == 0)
        return;
    if (counts >= to_update && prescaler != (get(t, TIM_PSC) & 0xFFFFu) && !(*cr1 & CR1_UDIS)) {
        /* the new prescaler counts from the first overflow on */
        t->since_cycles += to_update * cycles_per_count(m, t);
        t->count = 0;
        update_event(t);
        *sr |= UPDATE;
        timer_advance(m, t);
        return;
    }
    for (uint32_t k = 1; k <= CHANNELS; k++)
        if (counts >= counts_to(t, get(t, TIM_CCR1 + 4u * (k - 1u))))
            *sr |= 1u << k;
    if (counts >= to_update) {
        if (!(*cr1 & CR1_UDIS))
            *sr |= UPDATE;
        if (*cr1 & CR1_OPM) {
            *cr1 &= ~(uint32_t)CR1_CEN;
            t->count = 0;
            return;
        }
    }
    t->since_cycles += counts * cycles_per_count(m, t);
    t->count = count_after(t, counts);
}

static void apply_level(struct machine *m, const struct timer *t)
{
    bool asked = false;
    for (int i = 0; i < TIMERS; i++)    /* some share a line */
        asked |= m->timers[i].irq == t->irq && (get(&m->timers[i], TIM_SR) & get(&m->timers[i], TIM_DIER) & 0x1Fu) != 0;
    interrupt_level(m, t->irq, asked);
}

void timers_advance(struct machine *m)
{
    for (int i = 0; i < TIMERS; i++) {
        struct timer *t = &m->timers[i];
        if (!(get(t, TIM_DIER) & 0x1Fu))
            continue;               /* without interrupts a look at the registers is soon enough */
        timer_advance(m, t);
        apply_level(m, t);
    }
}

void timers_rebase(struct machine *m)
{
    for (int i = 0; i < TIMERS; i++)
        timer_advance(m, &m->timers[i]);
}

/* RCC switched clocks, after timers_rebase(): what stood goes on from here. */
void timers_clocks_changed(struct machine *m)
{
    for (int i = 0; i < TIMERS; i++) {
        struct timer *t = &m->timers[i];
        if (!t->clocked)
            t->since_cycles = cycles_now(m);
        t->clocked = is_clocked(m, t->p);
    }
}

uint64_t timers_next_event(const struct machine *m)
{
    uint64_t next = NEVER;
    for (int i = 0; i < TIMERS; i++) {
        const struct timer *t = &m->timers[i];
        uint32_t wanted = get(t, TIM_DIER) & ~get(t, TIM_SR) & 0x1Fu;
        if (!t->clocked || !(get(t, TIM_CR1) & CR1_CEN))
            continue;
        for (uint32_t k = 0; wanted >> k; k++) {
            uint64_t counts = wanted >> k & 1u ? counts_to(t, k ? get(t, TIM_CCR1 + 4u * (k - 1u)) : 0) : NEVER, at;
            if (counts == NEVER)
                continue;
            at = (t->since_cycles + counts * cycles_per_count(m, t)) * TICKS_PER_CYCLE;
            next = at < next ? at : next;
        }
    }
    return next;
}

/* --- registers ----------------------------------------------------------------------------------------------------------------------*/

static uint32_t timer_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    struct timer *t = &m->timers[p->instance];
    if (offset == TIM_CNT)
        return count_after(t, counts_since(m, t));
    if (offset == TIM_SR || offset == TIM_CR1)
        timer_advance(m, t);
    return p->reg[offset >> 2];
}

/* Flags are those of the last event or access. */
static uint32_t timer_peek(struct machine *m, struct peripheral *p, uint32_t offset)
{
    const struct timer *t = &m->timers[p->instance];
    return offset == TIM_CNT ? count_after(t, counts_since(m, t)) : p->reg[offset >> 2];
}

static void generate(struct machine *m, struct timer *t, uint32_t value)
{
    uint32_t *sr = &t->p->reg[TIM_SR / 4];
    if (value & UPDATE) {           /* UG: counter to 0, the prescaler's shadow is loaded */
        t->count = 0;
        t->since_cycles = cycles_now(m);
        t->prescaler = get(t, TIM_PSC) & 0xFFFFu;
        if (!(get(t, TIM_CR1) & (CR1_URS | CR1_UDIS)))
            *sr |= UPDATE;
    }
    *sr |= value & 0x1Eu;
}

static void timer_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    struct timer *t = &m->timers[p->instance];
    uint32_t wide_mask = t->wide ? UINT32_MAX : 0xFFFFu;
    timer_advance(m, t);
    switch (offset) {
    case TIM_SR: p->reg[offset >> 2] &= value | ~mask; break;
    case TIM_EGR: generate(m, t, value); break;
    case TIM_CNT: t->count = value & wide_mask; break;
    case TIM_CR1:
        if ((value & CR1_CEN) && !(get(t, TIM_CR1) & CR1_CEN)) {
            t->since_cycles = cycles_now(m);
            if (t->prescaler != (get(t, TIM_PSC) & 0xFFFFu))
                rule_broken(m, RULE_TIMER_PRESCALER, get(t, TIM_PSC) & 0xFFFFu, t->prescaler);
        }
        if (value & CR1_DOWN & mask)
            note_once(m, NOTE_FEATURE, p->base + TIM_CR1);
        bus_plain_write(m, p, offset, value, mask);
        break;
    case TIM_ARR: bus_plain_write(m, p, offset, value & wide_mask, mask); break;
    default: bus_plain_write(m, p, offset, value, mask); break;
    }
    apply_level(m, t);
}

static void timer_reset(struct machine *m, struct peripheral *p)
{
    struct timer *t = &m->timers[p->instance];
    t->count = t->prescaler = 0;
    t->since_cycles = cycles_now(m);
    t->clocked = is_clocked(m, p);
    p->reg[TIM_ARR / 4] = t->wide ? UINT32_MAX : 0xFFFFu;
}

/* Of a timer with several lines that of the update is modelled. */
void timers_add(struct machine *m)
{
#define X(name, base, wide, interrupt, bus) {name, base, wide, interrupt, bus},
    static const struct { const char *name; uint32_t base; bool wide; uint32_t irq, bus; } TIMER[TIMERS] = {TIMER_ROWS(X)};
#undef X
    for (uint32_t i = 0; i < TIMERS; i++) {
        m->timers[i].wide = TIMER[i].wide;
        m->timers[i].irq = TIMER[i].irq;
        m->timers[i].bus = TIMER[i].bus;
        m->timers[i].p = bus_add(m, (struct peripheral){.name = TIMER[i].name, .base = TIMER[i].base, .size = 0x400, .instance = i,
                                                       .read = timer_read, .write = timer_write, .reset = timer_reset, .peek = timer_peek});
    }
}
