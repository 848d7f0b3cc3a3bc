// SPDX-License-Identifier: Apache-2.0
/* RCC by a table: oscillators, one PLL, the switch, prescalers, kernel clocks of UARTs. The chip's description says where each field is.
 *
 * A clock is there as soon as it is switched on: ready flags are answers (registers.c), and the rules of silicon on clocks are not checked.
 */
#include "core.h"

#if HAS_RCC_TREE

enum { TREE_NONE = 0xFF, TREE_BUS = 0xFE, TREE_SYSCLK = 0xFD };
#define TREE_PLL TREE_OSCILLATORS   /* the number after the last oscillator's */

struct field { uint32_t offset, bit, width; };
struct divider { struct field field; uint32_t add; };

#define X(offset, bit, width, ...) {{offset, bit, width}, {__VA_ARGS__}},
static const struct { struct field range; uint32_t hz[16]; } OSCILLATOR[TREE_OSCILLATORS] = {TREE_OSCILLATOR_ROWS(X)};
#undef X
static const struct field PLL_SOURCE = TREE_PLL_SOURCE, SYSTEM = TREE_SYSTEM;
static const uint8_t PLL_INPUTS[] = {TREE_PLL_INPUTS}, SYSTEM_INPUTS[] = {TREE_SYSTEM_INPUTS}, KERNEL_INPUTS[] = {TREE_KERNEL_INPUTS};
static const struct divider PLL_M = {TREE_PLL_M}, PLL_N = {TREE_PLL_N}, PLL_R = {TREE_PLL_R};

static uint32_t get(const struct machine *m, struct field f) { return m->rcc->reg[f.offset / 4u] >> f.bit & ((1u << f.width) - 1u); }
static uint32_t divider(const struct machine *m, struct divider d) { return get(m, d.field) + d.add; }

/* The code of a prescaler of three bits (1, then 2 to 16) or four (1, then 2 to 512 without 32). */
static uint32_t prescaled(const struct machine *m, struct field f, uint32_t hz)
{
    static const uint32_t FOUR_BITS[8] = {2, 4, 8, 16, 64, 128, 256, 512};
    uint32_t code = get(m, f);
    if (f.width == 3u)
        return code < 4u ? hz : hz >> (code - 3u);
    return code < 8u ? hz : hz / FOUR_BITS[code & 7u];
}

static uint32_t pll_hz(const struct machine *m);

static uint32_t clock_hz(const struct machine *m, uint32_t clock)
{
    if (clock < TREE_OSCILLATORS)
        return OSCILLATOR[clock].hz[get(m, OSCILLATOR[clock].range)];
    return clock == TREE_PLL ? pll_hz(m) : 0;
}

static uint32_t pll_hz(const struct machine *m)
{
    uint32_t source = PLL_INPUTS[get(m, PLL_SOURCE)], by = divider(m, PLL_M) * divider(m, PLL_R) * TREE_PLL_R_FACTOR;
    uint64_t hz = source < TREE_OSCILLATORS && by ? (uint64_t)clock_hz(m, source) * divider(m, PLL_N) / by : 0;
    return hz > UINT32_MAX ? UINT32_MAX : (uint32_t)hz;
}

uint64_t sysclk_hz(const struct machine *m) { return clock_hz(m, SYSTEM_INPUTS[get(m, SYSTEM)]); }

uint32_t clocks_hclk_hz(const struct machine *m)
{
#define X(...) __VA_ARGS__,
    static const struct field CORE[] = {TREE_CORE_ROWS(X)};
#undef X
    uint32_t hz = (uint32_t)sysclk_hz(m);
    for (uint32_t i = 0; i < sizeof CORE / sizeof CORE[0]; i++)
        hz = prescaled(m, CORE[i], hz);
    return hz ? hz : 1;             /* a PLL without input: time creeps, as firmware on such a clock would */
}

/* HCLK of a chip whose core may run faster than its buses. */
static uint32_t matrix_hz(const struct machine *m)
{
#define X(...) __VA_ARGS__,
    static const struct field MATRIX[] = {TREE_MATRIX_ROWS(X) {0, 0, 0}};
#undef X
    uint32_t hz = (uint32_t)m->hclk_hz;
    for (uint32_t i = 0; MATRIX[i].width; i++)
        hz = prescaled(m, MATRIX[i], hz);
    return hz;
}

static struct field bus_prescaler(uint32_t bus)
{
#define X(number, ...) {number, __VA_ARGS__},
    static const struct { uint32_t bus; struct field field; } BUS[] = {TREE_BUS_ROWS(X)};
#undef X
    for (uint32_t i = 1; i < sizeof BUS / sizeof BUS[0]; i++)
        if (BUS[i].bus == bus)
            return BUS[i].field;
    return BUS[0].field;
}

/* Timers run at twice the bus's clock where its prescaler is not 1. In cycles of the core per timer clock. */
uint32_t timer_clock_divider(const struct machine *m, uint32_t bus)
{
    uint32_t code = get(m, bus_prescaler(bus)), matrix = matrix_hz(m);
    return (matrix ? (uint32_t)m->hclk_hz / matrix : 1u) * (code < 4u ? 1u : 1u << (code - 4u));
}

uint32_t uart_kernel_hz(const struct machine *m, uint32_t uart)
{
#define X(name, base, low_power, interrupt, bus, kernel, bit, width, request) {{kernel, bit, width}, bus},
    static const struct { struct field field; uint32_t bus; } UART[UARTS] = {UART_ROWS(X)};
#undef X
    uint32_t clock = KERNEL_INPUTS[get(m, UART[uart].field) & 7u];
    if (clock == TREE_BUS)
        return prescaled(m, bus_prescaler(UART[uart].bus), matrix_hz(m));
    return clock == TREE_SYSCLK ? (uint32_t)sysclk_hz(m) : clock_hz(m, clock);
}

static void rcc_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    timers_rebase(m);
    bus_plain_write(m, p, offset, value, mask);
    timers_clocks_changed(m);
    clock_update(m);
}

static void rcc_reset(struct machine *m, struct peripheral *p)
{
    (void)p;
    clock_update(m);
}

void clocks_add(struct machine *m)
{
    m->rcc = bus_add(m, (struct peripheral){.name = "RCC", .base = RCC_BASE, .size = 0x400, .read = registers_read, .write = rcc_write,
                                           .reset = rcc_reset, .peek = registers_read});
}

#endif
