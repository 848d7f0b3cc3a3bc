// SPDX-License-Identifier: Apache-2.0
/* The chip's peripherals: the one table of them. A row adds its registers to the bus (with their read, write and reset functions, see bus.c)
 * and, if it does something by itself, says when it next will and catches up with time.
 *
 * The order is that in which they catch up: clocks, then DMA, so that what it moved is seen by the unit that it moved it to.
 */
#include "core.h"

struct device {
    void (*add)(struct machine *m);
    void (*advance)(struct machine *m);                     /* up to the present tick; NULL: nothing happens by itself */
    uint64_t (*next_event)(const struct machine *m);        /* when advance() will have something to do; NEVER: not by itself */
    bool works_alone;               /* its events are more than the passing of time: an idle board cannot leave them out */
};

static const struct device DEVICES[] = {
#if HAS_RCC_L4
    {.add = clocks_add, .advance = rcc_advance, .next_event = rcc_next_event},
#else
    {.add = clocks_add},
#endif
#if DMA_UNITS
    {.add = dma_add, .advance = dma_advance, .next_event = dma_next_event},
#endif
    {.add = counters_add, .advance = systick_advance, .next_event = systick_next_event},
    {.add = timers_add, .advance = timers_advance, .next_event = timers_next_event, .works_alone = true},
#if HAS_SAI
    {.add = sai_add, .advance = sai_advance, .next_event = sai_next_event, .works_alone = true},
#endif
    {.add = uarts_add, .advance = uarts_advance, .next_event = uarts_next_event},
    {.add = gpio_add},
    {.add = units_add},
    {.add = registers_add},
    {.add = system_add},
};
#define DEVICE_COUNT (sizeof DEVICES / sizeof DEVICES[0])

void devices_add(struct machine *m)
{
    for (size_t i = 0; i < DEVICE_COUNT; i++)
        DEVICES[i].add(m);
}

void devices_advance(struct machine *m)
{
    for (size_t i = 0; i < DEVICE_COUNT; i++)
        if (DEVICES[i].advance)
            DEVICES[i].advance(m);
}

uint64_t devices_next_event(const struct machine *m)
{
    uint64_t next = NEVER;
    for (size_t i = 0; i < DEVICE_COUNT; i++) {
        uint64_t at = DEVICES[i].next_event ? DEVICES[i].next_event(m) : NEVER;
        next = at < next ? at : next;
    }
    return next;
}

/* The same without SysTick's interrupt while that is pending: it pends what is pending, and changes nothing. */
uint64_t devices_next_change(const struct machine *m)
{
    bool pending = exception_bit(m->exceptions.pending, EXC_SYSTICK);
    uint64_t next = NEVER;
    for (size_t i = 0; i < DEVICE_COUNT; i++) {
        bool asked = DEVICES[i].next_event && !(pending && DEVICES[i].next_event == systick_next_event);
        uint64_t at = asked ? DEVICES[i].next_event(m) : NEVER;
        next = at < next ? at : next;
    }
    return next;
}

/* True if a peripheral will act by itself while the firmware waits, other than by counting. */
bool devices_work_alone(const struct machine *m)
{
    for (size_t i = 0; i < DEVICE_COUNT; i++)
        if (DEVICES[i].works_alone && DEVICES[i].next_event(m) != NEVER)
            return true;
    return false;
}
