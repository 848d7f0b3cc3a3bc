// SPDX-License-Identifier: Apache-2.0
/* GPIO ports. Source: RM0432 section 8; pins of the board: its description. */
#include "core.h"

enum { GPIO_MODER = 0x00, GPIO_PUPDR = 0x0C, GPIO_IDR = 0x10, GPIO_ODR = 0x14, GPIO_BSRR = 0x18, GPIO_AFRL = 0x20, GPIO_BRR = 0x28 };
#define ISOLATED_STAY 3u            /* of port G: the pins that do not hang on VDDIO2 */

static uint32_t gpio_input(const struct machine *m, const struct peripheral *p)
{
    uint32_t moder = p->reg[GPIO_MODER / 4], pupdr = p->reg[GPIO_PUPDR / 4], odr = p->reg[GPIO_ODR / 4], idr = 0;
    for (uint32_t pin = 0; pin < 16; pin++) {
        bool output = (moder >> (2 * pin) & 3u) == 1u, pulled_up = (pupdr >> (2 * pin) & 3u) == 1u;
        idr |= (uint32_t)(output ? odr >> pin & 1u : pulled_up) << pin;
    }
    if (p->instance == TIMESTAMP_PORT && (moder >> (2 * TIMESTAMP_PIN) & 3u) != 1u)
        idr |= 1u << TIMESTAMP_PIN; /* firmware releases the line after a time stamp; the monitor pulls it up */
    if (HAS_SMPS && p->instance == SMPS_POWER_GOOD_PORT && (moder >> (2 * SMPS_POWER_GOOD_PIN) & 3u) != 1u)
        idr = (idr & ~(1u << SMPS_POWER_GOOD_PIN)) | (idr >> SMPS_ENABLE_PIN & 1u) << SMPS_POWER_GOOD_PIN;
    return port_isolated(m, p->instance, 15u) ? idr & ISOLATED_STAY : idr;
}

static uint32_t gpio_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    return offset == GPIO_IDR ? gpio_input(m, p) : p->reg[offset >> 2];
}

static uint32_t gpio_peek(struct machine *m, struct peripheral *p, uint32_t offset)
{
    return offset == GPIO_IDR ? gpio_input(m, p) : p->reg[offset >> 2];
}

static void timestamp_edge(struct machine *m)
{
    if (list_grow(m, LIST_EDGES, MAX_EDGES, &m->edges, m->edge_count, &m->edge_room, sizeof *m->edges))
        m->edges[m->edge_count++] = time_of_ticks_ps(m, m->ticks);
}

static uint32_t output_pins(const struct peripheral *p)
{
    uint32_t outputs = 0;
    for (uint32_t pin = 0; pin < 16; pin++)
        outputs |= (uint32_t)((p->reg[GPIO_MODER / 4] >> (2 * pin) & 3u) == 1u) << pin;
    return outputs;
}

static void record_changes(struct machine *m, const struct peripheral *p, uint32_t changed, uint32_t levels)
{
    for (; changed; changed &= changed - 1) {
        uint32_t pin = (uint32_t)__builtin_ctz(changed);
        if (!list_grow(m, LIST_PIN_CHANGES, MAX_PIN_CHANGES, &m->pin_changes, m->pin_change_count, &m->pin_change_room,
                       sizeof *m->pin_changes))
            return;
        m->pin_changes[m->pin_change_count++] = (struct pin_change){time_of_ticks_ps(m, m->ticks), p->instance * 16u + pin, levels >> pin & 1u};
    }
}

static void gpio_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    uint32_t before = gpio_input(m, p), *odr = &p->reg[GPIO_ODR / 4];
    if (offset == GPIO_BSRR)
        *odr = (*odr & ~(value >> 16)) | (value & 0xFFFFu);    /* set wins over reset */
    else if (offset == GPIO_BRR)
        *odr &= ~(value & 0xFFFFu);
    else if (offset != GPIO_IDR)
        bus_plain_write(m, p, offset, value, mask);
    if (offset == GPIO_MODER || (offset & ~4u) == GPIO_AFRL)
        pins_changed(m);
    if (port_isolated(m, p->instance, 15u) && (output_pins(p) & ~ISOLATED_STAY))
        rule_broken(m, RULE_IO_SUPPLY, output_pins(p) & ~ISOLATED_STAY, 0);
    record_changes(m, p, (before ^ gpio_input(m, p)) & output_pins(p), gpio_input(m, p));
    if (p->instance == TIMESTAMP_PORT && (before & ~gpio_input(m, p)) >> TIMESTAMP_PIN & 1u)
        timestamp_edge(m);
}

#if HAS_RCC_L4
/* A board with an SMPS: a step-down converter feeds VDD12 through a switch, so the regulator's range does not limit the core. */
bool external_core_supply(const struct machine *m)
{
    const struct peripheral *p = m->ports[SMPS_SWITCH_PORT];
    return HAS_SMPS && !port_isolated(m, SMPS_SWITCH_PORT, SMPS_SWITCH_PIN) && (output_pins(p) & p->reg[GPIO_ODR / 4]) >> SMPS_SWITCH_PIN & 1u;
}

#endif

void gpio_add(struct machine *m)
{
#define X(name, base, port) {name, base, port},
    static const struct { const char *name; uint32_t base, port; } PORTS[] = {GPIO_ROWS(X)};
#undef X
    for (uint32_t i = 0; i < sizeof PORTS / sizeof PORTS[0]; i++)
        m->ports[PORTS[i].port] = bus_add(m, (struct peripheral){.name = PORTS[i].name, .base = PORTS[i].base, .size = 0x400,
                                                                .instance = PORTS[i].port, .read = gpio_read, .write = gpio_write,
                                                                .peek = gpio_peek});
}
