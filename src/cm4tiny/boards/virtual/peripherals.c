/* UART, timers and GPIO.
 *
 * Sources: RM0432 sections 54 (USART), 55 (LPUART), 42 (TIM2..5), 44 (TIM6/7), 8 (GPIO). UARTs are modelled for polling: status bits,
 * data registers and, if a baud rate is given, the time a byte takes on the line.
 */
#include "core.h"

/* --- USART, LPUART --------------------------------------------------------------------------------------------------------------*/

enum { USART_CR1 = 0x00, USART_ISR = 0x1C, USART_ICR = 0x20, USART_RDR = 0x24, USART_TDR = 0x28 };
enum { CR1_UE = 1u, CR1_RE = 4u, CR1_TE = 8u, CR1_FIFOEN = 1u << 29 };
#define FIFO_BYTES 8u
enum { ISR_RXNE = 1u << 5, ISR_TC = 1u << 6, ISR_TXE = 1u << 7, ISR_TEACK = 1u << 21, ISR_REACK = 1u << 22 };

static uint64_t byte_ticks(const struct machine *m)
{
    /* 8N1: ten bit times */
    return m->constants.baud ? 10u * m->hclk_hz * TICKS_PER_CYCLE / m->constants.baud : 0;
}

static bool uart_has_data(const struct machine *m, const struct uart *u)
{
    bool connected = !m->host_uart || m->host_uart == u;
    return connected && m->received.head != m->received.tail && m->ticks >= m->receive_ready_at &&
           (u->p->reg[USART_CR1 / 4] & (CR1_UE | CR1_RE)) == (CR1_UE | CR1_RE);
}

/* "Idle" is: the receiver is polled again and again, nothing is there, nothing is being sent, no work lies between two polls. */
static void count_idle_poll(struct machine *m, const struct uart *u)
{
    bool after_work = m->ticks - m->last_poll_at > (uint64_t)m->constants.idle_gap_cycles * TICKS_PER_CYCLE;
    m->last_poll_at = m->ticks;
    if (m->received.head != m->received.tail || m->ticks < u->line_free_at || after_work)
        m->idle_polls = 0;
    else if (++m->idle_polls >= m->constants.idle_polls)
        request_stop(m, REQUEST_IDLE);
}

static uint32_t uart_status(struct machine *m, const struct uart *u)
{
    uint32_t cr1 = u->p->reg[USART_CR1 / 4], status = 0;
    if (!(cr1 & CR1_UE))
        return ISR_TXE | ISR_TC;
    if (cr1 & CR1_TE)
        status |= ISR_TEACK;
    if (cr1 & CR1_RE)
        status |= ISR_REACK;
    if (m->ticks + (cr1 & CR1_FIFOEN ? FIFO_BYTES : 1u) * byte_ticks(m) >= u->line_free_at)
        status |= ISR_TXE;          /* TXFNF with FIFOs: besides the byte in the shifter there is room for one more */
    if (m->ticks >= u->line_free_at)
        status |= ISR_TC;
    if (uart_has_data(m, u))
        status |= ISR_RXNE;
    return status;
}

static uint32_t uart_receive(struct machine *m, struct uart *u)
{
    if (!uart_has_data(m, u))
        return u->p->reg[USART_RDR / 4];
    m->idle_polls = 0;
    /* on a real line bytes come at their own pace; an overrun is not modelled, the line waits for a slow firmware */
    m->receive_ready_at = m->constants.baud ? m->receive_ready_at + byte_ticks(m)
                                            : m->ticks + (uint64_t)m->constants.receive_pace_cycles * TICKS_PER_CYCLE;
    u->bytes_received++;
    return u->p->reg[USART_RDR / 4] = m->received.data[m->received.tail++];
}

static void uart_send(struct machine *m, struct uart *u, uint8_t value)
{
    uint32_t enabled = CR1_UE | CR1_TE;
    if ((u->p->reg[USART_CR1 / 4] & enabled) != enabled)
        return;
    m->idle_polls = 0;
    m->host_uart = u;
    if (u->line_free_at < m->ticks)
        u->line_free_at = m->ticks;
    u->line_free_at += byte_ticks(m);
    u->bytes_sent++;
    bytes_put(&m->sent, value);
    if (value == '\n')
        request_stop(m, REQUEST_LINE);
}

static uint32_t uart_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    struct uart *u = &m->uarts[p->instance];
    if (offset == USART_ISR) {
        uint32_t status = uart_status(m, u);
        count_idle_poll(m, u);
        return status;
    }
    return offset == USART_RDR ? uart_receive(m, u) : p->reg[offset >> 2];
}

static void uart_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    if (offset == USART_TDR)
        uart_send(m, &m->uarts[p->instance], (uint8_t)value);
    else if (offset != USART_ISR && offset != USART_ICR && offset != USART_RDR)
        bus_plain_write(m, p, offset, value, mask);
    if (offset == USART_CR1 && (p->reg[0] & 0xF0u))     /* IDLEIE, RXNEIE, TCIE, TXEIE */
        note_once(m, NOTE_INTERRUPT, p->base);
}

static void uart_reset(struct machine *m, struct peripheral *p)
{
    struct uart *u = &m->uarts[p->instance];
    u->line_free_at = 0;
}

/* --- TIM2..7 --------------------------------------------------------------------------------------------------------------------*/

enum { TIM_CR1 = 0x00, TIM_SR = 0x10, TIM_EGR = 0x14, TIM_CNT = 0x24, TIM_PSC = 0x28, TIM_ARR = 0x2C };

static uint32_t timer_count(const struct machine *m, const struct timer *t)
{
    uint64_t period = (uint64_t)t->p->reg[TIM_ARR / 4] + 1u, cycles;
    if (!(t->p->reg[TIM_CR1 / 4] & 1u))
        return t->count;
    cycles = m->ticks / TICKS_PER_CYCLE - t->since_ticks / TICKS_PER_CYCLE;
    cycles /= (uint64_t)timer_clock_divider(m, t->p->base) * (t->prescaler + 1u);
    return (uint32_t)((t->count + cycles) % period);
}

static void timer_rebase(struct machine *m, struct timer *t)
{
    t->count = timer_count(m, t);
    t->since_ticks = m->ticks;
}

void timers_rebase(struct machine *m)
{
    for (int i = 0; i < TIMERS; i++)
        timer_rebase(m, &m->timers[i]);
}

static uint32_t timer_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    return offset == TIM_CNT ? timer_count(m, &m->timers[p->instance]) : p->reg[offset >> 2];
}

static void timer_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    struct timer *t = &m->timers[p->instance];
    uint32_t wide_mask = t->wide ? UINT32_MAX : 0xFFFFu;
    if (offset == TIM_SR) {
        p->reg[offset >> 2] &= value | ~mask;
        return;
    }
    timer_rebase(m, t);
    if (offset == TIM_EGR) {
        if (value & 1u) {           /* UG: counter to 0, the prescaler's shadow is loaded */
            t->count = 0;
            t->prescaler = p->reg[TIM_PSC / 4] & 0xFFFFu;
            p->reg[TIM_SR / 4] |= 1u;
        }
        return;
    }
    if (offset == TIM_CNT)
        t->count = value & wide_mask;
    bus_plain_write(m, p, offset, offset == TIM_ARR ? value & wide_mask : value, mask);
}

static void timer_reset(struct machine *m, struct peripheral *p)
{
    struct timer *t = &m->timers[p->instance];
    t->count = t->prescaler = 0;
    t->since_ticks = m->ticks;
    p->reg[TIM_ARR / 4] = t->wide ? UINT32_MAX : 0xFFFFu;
}

/* --- GPIO -----------------------------------------------------------------------------------------------------------------------*/

enum { GPIO_MODER = 0x00, GPIO_PUPDR = 0x0C, GPIO_IDR = 0x10, GPIO_ODR = 0x14, GPIO_BSRR = 0x18, GPIO_BRR = 0x28 };

static uint32_t gpio_input(const struct peripheral *p)
{
    uint32_t moder = p->reg[GPIO_MODER / 4], pupdr = p->reg[GPIO_PUPDR / 4], odr = p->reg[GPIO_ODR / 4], idr = 0;
    for (uint32_t pin = 0; pin < 16; pin++) {
        bool output = (moder >> (2 * pin) & 3u) == 1u, pulled_up = (pupdr >> (2 * pin) & 3u) == 1u;
        idr |= (uint32_t)(output ? odr >> pin & 1u : pulled_up) << pin;
    }
    return idr;
}

static uint32_t gpio_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    (void)m;
    return offset == GPIO_IDR ? gpio_input(p) : p->reg[offset >> 2];
}

static void timestamp_edge(struct machine *m)
{
    m->edges = grow(m->edges, m->edge_count, &m->edge_room, sizeof *m->edges);
    m->edges[m->edge_count++] = time_of_ticks_ps(m, m->ticks);
}

static void gpio_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    uint32_t before = gpio_input(p), *odr = &p->reg[GPIO_ODR / 4];
    if (offset == GPIO_BSRR)
        *odr = (*odr & ~(value >> 16)) | (value & 0xFFFFu);    /* set wins over reset */
    else if (offset == GPIO_BRR)
        *odr &= ~(value & 0xFFFFu);
    else if (offset != GPIO_IDR)
        bus_plain_write(m, p, offset, value, mask);
    if (p->instance == TIMESTAMP_PORT && (before & ~gpio_input(p)) >> TIMESTAMP_PIN & 1u)
        timestamp_edge(m);
}

static void gpio_reset(struct machine *m, struct peripheral *p)
{
    (void)m;
    p->reg[GPIO_MODER / 4] = p->instance == 0 ? 0xABFFFFFFu : p->instance == 1 ? 0xFFFFFEBFu : 0xFFFFFFFFu;
    if (p->instance <= 1)
        p->reg[GPIO_PUPDR / 4] = p->instance == 0 ? 0x64000000u : 0x00000100u;
}

void peripherals_add(struct machine *m)
{
    static const struct { const char *name; uint32_t base; } UART[UARTS] = {
        {"LPUART1", 0x40008000}, {"USART1", 0x40013800}, {"USART2", 0x40004400},
        {"USART3", 0x40004800}, {"UART4", 0x40004C00}, {"UART5", 0x40005000}};
    static const struct { const char *name; uint32_t base; bool wide; } TIMER[TIMERS] = {
        {"TIM2", 0x40000000, true}, {"TIM3", 0x40000400, false}, {"TIM4", 0x40000800, false},
        {"TIM5", 0x40000C00, true}, {"TIM6", 0x40001000, false}, {"TIM7", 0x40001400, false}};
    for (uint32_t i = 0; i < UARTS; i++)
        m->uarts[i].p = bus_add(m, (struct peripheral){.name = UART[i].name, .base = UART[i].base, .size = 0x400, .instance = i,
                                                      .read = uart_read, .write = uart_write, .reset = uart_reset});
    for (uint32_t i = 0; i < TIMERS; i++) {
        m->timers[i].wide = TIMER[i].wide;
        m->timers[i].p = bus_add(m, (struct peripheral){.name = TIMER[i].name, .base = TIMER[i].base, .size = 0x400, .instance = i,
                                                       .read = timer_read, .write = timer_write, .reset = timer_reset});
    }
    for (uint32_t i = 0; i < GPIO_PORTS; i++)
        bus_add(m, (struct peripheral){.name = "GPIO", .base = 0x48000000u + 0x400u * i, .size = 0x400, .instance = i,
                                       .read = gpio_read, .write = gpio_write, .reset = gpio_reset});
    bus_add(m, (struct peripheral){.name = "SYSCFG", .base = 0x40010000, .size = 0x400});
}
