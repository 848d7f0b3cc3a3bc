// SPDX-License-Identifier: Apache-2.0
/* USARTs with the registers of the STM32F7 and later series, and LPUARTs: polled, by interrupt, by DMA.
 *
 * Source: RM0432 sections 54 (USART) and 55 (LPUART); which ones there are says the chip's description. With a baud rate given by the host, bytes take the time that the firmware's own
 * settings give them: kernel clock, BRR, OVER8, PRESC, word length and stop bits. Without one they take none. An overrun does not happen: the
 * line waits for a slow firmware. The interrupt is a level, computed at every access and event.
 */
#include "core.h"

#include <string.h>

enum {
    USART_CR1 = 0x00, USART_CR2 = 0x04, USART_CR3 = 0x08, USART_BRR = 0x0C, USART_RQR = 0x18, USART_ISR = 0x1C, USART_ICR = 0x20,
    USART_RDR = 0x24, USART_TDR = 0x28, USART_PRESC = 0x2C
};
enum {
    CR1_UE = 1u, CR1_RE = 1u << 2, CR1_TE = 1u << 3, CR1_IDLEIE = 1u << 4, CR1_RXNEIE = 1u << 5, CR1_TCIE = 1u << 6, CR1_TXEIE = 1u << 7,
    CR1_M0 = 1u << 12, CR1_OVER8 = 1u << 15, CR1_M1 = 1u << 28, CR1_FIFOEN = 1u << 29, CR1_TXFEIE = 1u << 30
};
enum { CR3_DMAR = 1u << 6, CR3_DMAT = 1u << 7, CR3_TXFTIE = 1u << 23, CR3_RXFTIE = 1u << 28 };
enum {
    ISR_IDLE = 1u << 4, ISR_RXNE = 1u << 5, ISR_TC = 1u << 6, ISR_TXE = 1u << 7, ISR_TEACK = 1u << 21, ISR_REACK = 1u << 22,
    ISR_TXFE = 1u << 23, ISR_RXFT = 1u << 26, ISR_TXFT = 1u << 27
};
enum { RQR_RXFRQ = 1u << 3 };
#define FIFO_BYTES 8u
#define LPUART_LEAST_BRR 0x300u
#define BAUD_TOLERANCE 40u          /* 1/40: what a host's UART and this one may differ by */

/* The chip's, by their instance. */
#define X(name, base, low_power, interrupt, bus, kernel, bit, width, request) {name, base, low_power, interrupt, request},
static const struct { const char *name; uint32_t base; bool low_power; uint32_t interrupt, request; } UART[UARTS] = {UART_ROWS(X)};
#undef X

static bool low_power(const struct uart *u) { return UART[u->p->instance].low_power; }
static uint32_t get(const struct uart *u, uint32_t offset) { return u->p->reg[offset / 4]; }

/* Enabled, and both of its clocks run: that of its registers and that of its baud rate. */
static bool works(const struct machine *m, const struct uart *u)
{
    return (get(u, USART_CR1) & CR1_UE) && is_clocked(m, u->p) && uart_kernel_hz(m, u->p->instance);
}

/* --- time on the line ---------------------------------------------------------------------------------------------------------------*/

uint32_t uart_baud(const struct machine *m, const struct uart *u)
{
    static const uint32_t PRESCALER[16] = {1, 2, 4, 6, 8, 10, 12, 16, 32, 64, 128, 256, 256, 256, 256, 256};
    uint64_t clock = uart_kernel_hz(m, u->p->instance) / PRESCALER[get(u, USART_PRESC) & 15u], brr = get(u, USART_BRR), baud;
    if (low_power(u)) {
        clock *= 256u;
    } else if (get(u, USART_CR1) & CR1_OVER8) {
        clock *= 2u;
        brr = (brr & 0xFFF0u) | (brr & 7u) << 1;
    }
    baud = brr ? clock / brr : 0;
    return baud > UINT32_MAX ? UINT32_MAX : (uint32_t)baud;
}

static uint64_t byte_ticks(const struct machine *m, const struct uart *u)
{
    uint32_t baud = m->constants.baud ? uart_baud(m, u) : 0, cr1 = get(u, USART_CR1), bits = 10;
    if (!m->constants.baud)
        return 0;
    bits += (cr1 & CR1_M0 ? 1u : 0u) - (cr1 & CR1_M1 ? 1u : 0u) + (get(u, USART_CR2) >> 13 & 1u);  /* word length, stop bits */
    return bits * m->hclk_hz * TICKS_PER_CYCLE / (baud ? baud : m->constants.baud);
}

bool uart_line_busy(const struct machine *m)
{
    for (int i = 0; i < UARTS; i++)
        if (m->uarts[i].line_free_at > m->ticks)
            return true;
    return false;
}

/* A byte stands at the receiver; whether its pin leads there is another question. */
static bool is_addressed(const struct machine *m, const struct uart *u)
{
    bool connected = !m->host_uart || m->host_uart == u;
    return connected && m->received.head != m->received.tail && m->ticks >= m->receive_ready_at && (get(u, USART_CR1) & CR1_RE) && works(m, u);
}

static bool has_data(const struct machine *m, const struct uart *u)
{
    return is_addressed(m, u) && u->mapped[false];
}

/* Room in the transmitter: besides the byte in the shifter one more, or with FIFOs eight. */
static uint64_t room_at(const struct machine *m, const struct uart *u)
{
    uint64_t ahead = (get(u, USART_CR1) & CR1_FIFOEN ? FIFO_BYTES : 1u) * byte_ticks(m, u);
    return u->line_free_at > ahead ? u->line_free_at - ahead : 0;
}

static uint32_t status(const struct machine *m, const struct uart *u)
{
    uint32_t cr1 = get(u, USART_CR1), value = 0;
    if (!(cr1 & CR1_UE))
        return ISR_TXE | ISR_TC;
    if (!works(m, u))
        return 0;
    value |= (cr1 & CR1_TE ? (uint32_t)ISR_TEACK : 0u) | (cr1 & CR1_RE ? (uint32_t)ISR_REACK : 0u);
    if (m->ticks >= room_at(m, u))
        value |= ISR_TXE | ISR_TXFT;
    if (m->ticks >= u->line_free_at)
        value |= ISR_TXFE | (u->complete_cleared ? 0u : (uint32_t)ISR_TC);
    if (has_data(m, u))
        value |= ISR_RXNE | ISR_RXFT;
    return value | (u->idle_flag ? (uint32_t)ISR_IDLE : 0u);
}

/* --- bytes --------------------------------------------------------------------------------------------------------------------------*/

static uint8_t take_byte(struct machine *m, struct uart *u)
{
    m->idle_polls = 0;
    m->prompt.seen = false;
    m->last_uart_access = u->last_received_at = m->ticks;
    u->burst = true;
    /* on a real line bytes come at their own pace; the line waits for a slow firmware */
    m->receive_ready_at = m->constants.baud ? m->receive_ready_at + byte_ticks(m, u)
                                            : m->ticks + (uint64_t)m->constants.receive_pace_cycles * TICKS_PER_CYCLE;
    u->bytes_received++;
    replan(m);
    return m->received.data[m->received.tail++];
}

/* Whether the line that ends here is the one with which the firmware asks for its next command. */
static void prompt_look(struct prompt *p, uint8_t value)
{
    memmove(p->recent, p->recent + 1, PROMPT_BYTES - 1u);
    p->recent[PROMPT_BYTES - 1u] = value;
    if (value == '\n')
        p->seen = p->size && !memcmp(p->recent + PROMPT_BYTES - p->size, p->text, p->size);
}

/* A UART without a pin works, and nobody outside notices. */
static bool pin_leads_out(struct machine *m, struct uart *u, bool transmits)
{
    bool isolated = false;
    if (uart_pin_mapped(m, u->p->instance, transmits, &isolated))
        return true;
    m->rules.access.address = u->p->base + (transmits ? USART_TDR : USART_RDR);    /* by DMA or an interrupt there is none */
    m->rules.access.is_store = transmits;
    rule_broken(m, isolated ? RULE_IO_SUPPLY : transmits ? RULE_UART_TX_PIN : RULE_UART_RX_PIN, 0, 0);
    return false;
}

static void send_byte(struct machine *m, struct uart *u, uint8_t value)
{
    if (!(get(u, USART_CR1) & CR1_TE) || !works(m, u)) {
        rule_broken(m, RULE_UART_DISABLED, 0, 0);
        return;
    }
    if (m->ticks < room_at(m, u)) {
        rule_broken(m, RULE_UART_FULL, 0, 0);
        return;
    }
    m->idle_polls = 0;
    m->last_uart_access = m->ticks;
    u->complete_cleared = false;
    if (u->line_free_at < m->ticks)
        u->line_free_at = m->ticks;
    u->line_free_at = time_sum(u->line_free_at, byte_ticks(m, u));
    if (!pin_leads_out(m, u, true))
        return;                     /* sent into nothing */
    m->host_uart = u;
    u->bytes_sent++;
    if (m->sent.head - m->sent.tail >= MAX_OUTPUT)
        note_once(m, NOTE_LIST_FULL, LIST_OUTPUT);
    else
        bytes_put(m, &m->sent, value);
    if (m->sent.head - m->sent.tail >= OUTPUT_WAITS)
        request_stop(m, REQUEST_LINE);  /* the host takes it before there is more */
    prompt_look(&m->prompt, value);
    if (value == '\n')
        request_stop(m, REQUEST_LINE);
}

/* "Idle" is: the receiver is polled again and again, nothing is there, nothing is being sent, no work lies between two polls. */
static void count_idle_poll(struct machine *m, const struct uart *u)
{
    bool after_work = m->ticks - m->last_poll_at > (uint64_t)m->constants.idle_gap_cycles * TICKS_PER_CYCLE;
    if (!after_work)
        span_add(m, SPAN_POLL, m->last_poll_at, m->ticks);
    m->last_poll_at = m->ticks;
    if (m->received.head != m->received.tail || m->ticks < u->line_free_at || after_work || m->exceptions.active_count)
        m->idle_polls = 0;
    else if (++m->idle_polls >= m->constants.idle_polls)
        request_stop(m, REQUEST_IDLE);
}

uint32_t uart_status(const struct machine *m, const struct uart *u) { return status(m, u); }

static bool counts_as_idle(const struct machine *m, const struct uart *u)
{
    return m->received.head == m->received.tail && m->ticks >= u->line_free_at && !m->exceptions.active_count;
}

/* How many polls, the first one at a tick and a round apart, do what count_idle_poll() does with each, without a request. */
uint64_t uart_most_polls(const struct machine *m, const struct uart *u, uint64_t first_ticks, uint64_t round, uint64_t most)
{
    uint64_t gap = (uint64_t)m->constants.idle_gap_cycles * TICKS_PER_CYCLE, left;
    if (first_ticks - m->last_poll_at > gap || round > gap)
        return 0;                   /* work lies between two of them */
    if (!counts_as_idle(m, u))
        return most;
    left = m->constants.idle_polls > m->idle_polls + 1u ? m->constants.idle_polls - m->idle_polls - 1u : 0;
    return most < left ? most : left;
}

void uart_polled(struct machine *m, const struct uart *u, uint64_t last_ticks, uint64_t polls)
{
    m->idle_polls = counts_as_idle(m, u) ? m->idle_polls + (uint32_t)polls : 0;
    span_add(m, SPAN_POLL, m->last_poll_at, last_ticks);
    m->last_poll_at = last_ticks;
    m->rules.access.address = u->p->base + USART_ISR;
    m->rules.access.value = 0;
    m->rules.access.is_store = false;
}

/* --- interrupts, DMA and events -----------------------------------------------------------------------------------------------------*/

static bool interrupt_asked(const struct machine *m, const struct uart *u)
{
    uint32_t cr1 = get(u, USART_CR1), cr3 = get(u, USART_CR3), isr = status(m, u);
    if (!works(m, u))
        return false;
    return ((cr1 & CR1_RXNEIE) && (isr & ISR_RXNE)) || ((cr1 & CR1_TXEIE) && (isr & ISR_TXE)) || ((cr1 & CR1_TCIE) && (isr & ISR_TC)) ||
           ((cr1 & CR1_IDLEIE) && (isr & ISR_IDLE)) || ((cr1 & CR1_TXFEIE) && (isr & ISR_TXFE)) || ((cr3 & CR3_TXFTIE) && (isr & ISR_TXFT)) ||
           ((cr3 & CR3_RXFTIE) && (isr & ISR_RXFT));
}

static uint32_t irq_of(const struct uart *u) { return UART[u->p->instance].interrupt; }

/* Of the DMA's multiplexer; the transmitter's follows the receiver's. */
static uint32_t receive_request(const struct uart *u) { return UART[u->p->instance].request; }

/* The line is idle one byte's time after the last byte of a burst. */
static uint64_t idle_at(const struct machine *m, const struct uart *u)
{
    uint64_t pace = m->constants.baud ? byte_ticks(m, u) : (uint64_t)m->constants.receive_pace_cycles * TICKS_PER_CYCLE;
    return u->burst && m->received.head == m->received.tail ? u->last_received_at + pace : NEVER;
}

/* How long DMA waits that would go on for ever without time passing: a circular channel where bytes take no time, or one that does not read or
 * write the data register, so that its request stays. */
static uint64_t later(const struct machine *m, const struct uart *u, uint32_t items)
{
    uint64_t pace = byte_ticks(m, u) ? byte_ticks(m, u) : (uint64_t)m->constants.receive_pace_cycles * TICKS_PER_CYCLE;
    return time_sum(m->ticks, (pace ? pace : TICKS_PER_CYCLE) * items);
}

static void receive_by_dma(struct machine *m, struct uart *u)
{
    while (m->ticks >= u->receive_paused_until && has_data(m, u)) {
        uint64_t received = u->bytes_received;
        if (dma_request(m, receive_request(u)) == DMA_NOT_SERVED)
            return;
        if (u->bytes_received == received)
            u->receive_paused_until = later(m, u, 1);
        m->effort++;
    }
}

static void send_by_dma(struct machine *m, struct uart *u)
{
    for (uint32_t items = 1; m->ticks >= u->transmit_paused_until && m->ticks >= room_at(m, u); items++) {
        uint64_t sent = u->bytes_sent;
        enum dma_answer answer = dma_request(m, receive_request(u) + 1u);
        if (answer == DMA_NOT_SERVED)
            return;
        if (u->bytes_sent == sent || (!byte_ticks(m, u) && (answer == DMA_LAP || items >= DMA_MOST_ITEMS)))
            u->transmit_paused_until = later(m, u, u->bytes_sent == sent ? 1 : items);
        m->effort++;
    }
}

static void look_at_pins(struct machine *m, struct uart *u)
{
    bool isolated;
    if (!u->pins_known && (get(u, USART_CR1) & CR1_UE))
        (void)uart_pin_mapped(m, u->p->instance, false, &isolated);
}

static void uart_advance(struct machine *m, struct uart *u)
{
    uint32_t cr3 = get(u, USART_CR3);
    if (!(get(u, USART_CR1) & CR1_UE)) {
        interrupt_level(m, irq_of(u), false);
        return;
    }
    look_at_pins(m, u);
    if (is_addressed(m, u) && !u->mapped[false])
        (void)pin_leads_out(m, u, false);
    if (!works(m, u)) {
        interrupt_level(m, irq_of(u), false);
        return;
    }
    if (cr3 & CR3_DMAR)
        receive_by_dma(m, u);
    if (cr3 & CR3_DMAT)
        send_by_dma(m, u);
    if (m->ticks >= idle_at(m, u)) {
        u->burst = false;
        u->idle_flag = true;
    }
    interrupt_level(m, irq_of(u), interrupt_asked(m, u));
}

void uarts_advance(struct machine *m)
{
    for (int i = 0; i < UARTS; i++)
        uart_advance(m, &m->uarts[i]);
}

uint64_t uarts_next_event(const struct machine *m)
{
    uint64_t next = NEVER;
    for (int i = 0; i < UARTS; i++) {
        const struct uart *u = &m->uarts[i];
        if (!works(m, u))
            continue;
        uint64_t times[6] = {NEVER, room_at(m, u), u->line_free_at, idle_at(m, u), u->transmit_paused_until, u->receive_paused_until};
        if (m->received.head != m->received.tail && (get(u, USART_CR1) & CR1_RE) && (!m->host_uart || m->host_uart == u))
            times[0] = m->receive_ready_at;
        for (int k = 0; k < 6; k++)
            if (times[k] > m->ticks && times[k] < next)
                next = times[k];
    }
    return next;
}

bool uart_waits_for_interrupt(const struct machine *m)
{
    for (int i = 0; i < UARTS; i++) {
        const struct uart *u = &m->uarts[i];
        bool on = (get(u, USART_CR1) & CR1_RE) && works(m, u) && (!m->host_uart || m->host_uart == u);
        bool by_interrupt = (get(u, USART_CR1) & CR1_RXNEIE) || (get(u, USART_CR3) & CR3_RXFTIE);
        bool listens = by_interrupt && exception_bit(m->exceptions.enabled, FIRST_INTERRUPT + irq_of(u));
        if (on && (listens || ((get(u, USART_CR3) & CR3_DMAR) && dma_listens(m, receive_request(u)))))
            return true;
    }
    return false;
}

/* --- registers ----------------------------------------------------------------------------------------------------------------------*/

static uint32_t uart_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    struct uart *u = &m->uarts[p->instance];
    look_at_pins(m, u);
    if (offset == USART_ISR) {
        uint32_t value = status(m, u);
        count_idle_poll(m, u);
        polls_read(m, u, value);
        return value;
    }
    if (offset == USART_RDR && has_data(m, u))
        p->reg[USART_RDR / 4] = take_byte(m, u);
    return p->reg[offset >> 2];
}

static uint32_t uart_peek(struct machine *m, struct peripheral *p, uint32_t offset)
{
    return offset == USART_ISR ? status(m, &m->uarts[p->instance]) : p->reg[offset >> 2];
}

/* What may be written only while UE is 0: RM0432 "USART registers". */
static uint32_t protected_bits(uint32_t offset)
{
    switch (offset) {
    case USART_CR1: return 0x33FF9E00u;    /* M1, M0, FIFOEN, WAKE, PCE, PS, OVER8, DEDT, DEAT */
    case USART_CR2: return 0x000FFF39u;    /* all but LBDIE, ABREN, ABRMOD, RTOEN, ADD */
    case USART_CR3: return 0x0000FB3Eu;    /* all but EIE, DMAR, DMAT, CTSIE, thresholds */
    case USART_BRR: case USART_PRESC: return UINT32_MAX;
    default: return 0;
    }
}

/* Baud rates that a host's terminal interface knows (termios). */
static bool is_usual_baud(uint32_t baud)
{
    static const uint32_t USUAL[] = {1200,   1800,   2400,   4800,   9600,   19200,   38400,   57600,   115200,  230400,  250000, 460800,
                                     500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000};
    for (uint32_t i = 0; i < sizeof USUAL / sizeof USUAL[0]; i++) {
        uint32_t apart = baud > USUAL[i] ? baud - USUAL[i] : USUAL[i] - baud;
        if (apart <= USUAL[i] / BAUD_TOLERANCE)
            return true;
    }
    return false;
}

/* When it is switched on: does its clock run, and does its divider make a baud rate? */
static void check_start(struct machine *m, struct uart *u)
{
    uint32_t brr = get(u, USART_BRR), least = low_power(u) ? LPUART_LEAST_BRR : 16u, most = low_power(u) ? 0xFFFFFu : 0xFFFFu;
    if (!uart_kernel_hz(m, u->p->instance))
        rule_broken(m, RULE_UART_CLOCK, 0, 0);
    else if (brr < least || brr > most)
        rule_broken(m, RULE_UART_DIVIDER, brr, brr < least ? least : most);
    else if (!is_usual_baud(uart_baud(m, u)))
        rule_broken(m, RULE_UART_BAUD, uart_baud(m, u), 0);
}

static void write_setting(struct machine *m, struct uart *u, uint32_t offset, uint32_t value, uint32_t mask)
{
    uint32_t lost = get(u, USART_CR1) & CR1_UE ? (get(u, offset) ^ value) & mask & protected_bits(offset) : 0, before = get(u, USART_CR1);
    if (lost) {
        rule_broken(m, RULE_UART_ENABLED, lost, 0);
        mask &= ~protected_bits(offset);
    }
    bus_plain_write(m, u->p, offset, value & mask, mask);
    u->pins_known = false;
    if (get(u, USART_CR1) & ~before & CR1_UE)
        check_start(m, u);
}

static void uart_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    struct uart *u = &m->uarts[p->instance];
    switch (offset) {
    case USART_TDR: send_byte(m, u, (uint8_t)value); break;
    case USART_RQR:
        if ((value & RQR_RXFRQ) && has_data(m, u))
            (void)take_byte(m, u);
        break;
    case USART_ICR:
        u->complete_cleared |= (value & ISR_TC) != 0;
        u->idle_flag &= !(value & ISR_IDLE);
        break;
    case USART_ISR: case USART_RDR: break;
    default: write_setting(m, u, offset, value, mask); break;
    }
    m->last_uart_access = m->ticks;
}

static void uart_reset(struct machine *m, struct peripheral *p)
{
    m->uarts[p->instance] = (struct uart){.p = p, .bytes_received = m->uarts[p->instance].bytes_received,
                                          .bytes_sent = m->uarts[p->instance].bytes_sent};
}

void uarts_add(struct machine *m)
{
    for (uint32_t i = 0; i < UARTS; i++)
        m->uarts[i].p = bus_add(m, (struct peripheral){.name = UART[i].name, .base = UART[i].base, .size = 0x400, .instance = i,
                                                      .read = uart_read, .write = uart_write, .reset = uart_reset, .peek = uart_peek});
}
