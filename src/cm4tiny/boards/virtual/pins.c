// SPDX-License-Identifier: Apache-2.0
/* Which pin a UART reaches, and which pins have no supply.
 *
 * Sources: DS12023, tables of alternate functions AF0 to AF15 (given by the host, see silicon.yaml); RM0432, "Independent I/O supply rail":
 * PG2 to PG15 hang on VDDIO2 and are isolated until PWR_CR2.IOSV is set.
 */
#include "core.h"

enum { GPIO_MODER = 0x00, GPIO_AFRL = 0x20, PWR_CR2 = 0x04 };
#define MODE_ALTERNATE 2u
#define PORT_G 6u
#define CR2_IOSV (1u << 9)
#define CR2_SWAP (1u << 15)         /* of a UART: TX and RX change places */

bool port_isolated(const struct machine *m, uint32_t port, uint32_t pin)
{
#if HAS_RCC_L4
    return port == PORT_G && pin >= 2u && !(m->power->reg[PWR_CR2 / 4] & CR2_IOSV);
#else
    return (void)m, (void)port, (void)pin, false;
#endif
}

void pins_changed(struct machine *m)
{
    for (uint32_t i = 0; i < UARTS; i++)
        m->uarts[i].pins_known = false;
}

static void look(struct machine *m, uint32_t uart)
{
    struct uart *u = &m->uarts[uart];
    bool swapped = u->p->reg[1] & CR2_SWAP;
    u->mapped[0] = u->mapped[1] = !m->rules.pin_count;
    u->isolated[0] = u->isolated[1] = false;
    for (uint32_t i = 0; i < m->rules.pin_count; i++) {
        const struct pin_function *f = &m->rules.pins[i];
        uint32_t port = f->pin / 16u, pin = f->pin % 16u, way = (f->transmits != 0) != swapped;
        const uint32_t *reg = port < GPIO_PORTS && m->ports[port] ? m->ports[port]->reg : NULL;
        if (f->uart != uart || !reg || (reg[GPIO_MODER / 4] >> (2u * pin) & 3u) != MODE_ALTERNATE)
            continue;
        if ((reg[GPIO_AFRL / 4 + pin / 8u] >> (4u * (pin % 8u)) & 15u) != f->function)
            continue;
        if (port_isolated(m, port, pin))
            u->isolated[way] = true;
        else
            u->mapped[way] = true;
    }
    u->pins_known = true;
}

/* True if a pin carries the UART's output (transmits) or input. isolated: one would, but has no supply. */
bool uart_pin_mapped(struct machine *m, uint32_t uart, bool transmits, bool *isolated)
{
    struct uart *u = &m->uarts[uart];
    if (!u->pins_known)
        look(m, uart);
    *isolated = u->isolated[transmits] && !u->mapped[transmits];
    return u->mapped[transmits];
}
