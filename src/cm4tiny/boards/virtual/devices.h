// SPDX-License-Identifier: Apache-2.0
/* The chip's peripherals with a life of their own, as the rest of the machine sees them. */
#ifndef CM4TINY_DEVICES_H
#define CM4TINY_DEVICES_H

/* devices.c: the table of them */
void devices_add(struct machine *m);
void devices_advance(struct machine *m);
uint64_t devices_next_event(const struct machine *m);
uint64_t devices_next_change(const struct machine *m);
bool devices_work_alone(const struct machine *m);

/* clocks.c; power.c and rcc.c, or clock_tree.c */
void clocks_add(struct machine *m);
uint32_t clocks_hclk_hz(const struct machine *m);
uint64_t time_of_ticks_ps(const struct machine *m, uint64_t ticks);
uint64_t ticks_of_time_ps(const struct machine *m, uint64_t time_ps);
uint32_t timer_clock_divider(const struct machine *m, uint32_t bus);
void clock_update(struct machine *m);
uint32_t power_range(const struct machine *m);
bool power_boost(const struct machine *m);
bool power_settling(const struct machine *m);
bool power_backup_open(const struct machine *m);

/* rcc.c: oscillators, PLLs, the switch between them */
enum clock_source {
    SOURCE_MSI, SOURCE_HSI, SOURCE_HSE, SOURCE_PLL, SOURCE_PLLSAI1, SOURCE_PLLSAI2, SOURCE_LSE, SOURCE_LSI, SOURCE_HSI48, CLOCK_SOURCES,
    NO_SOURCE = CLOCK_SOURCES
};
struct clocks {
    uint64_t on_ps[CLOCK_SOURCES];  /* when it was switched on */
    bool seen_ready[CLOCK_SOURCES]; /* firmware has read its ready flag as 1 since */
    bool at_reset[CLOCK_SOURCES];   /* it runs since the reset */
    uint32_t system;                /* CFGR.SWS: what the core runs on */
    uint64_t range_settled_ps;      /* when the regulator will have followed VOS */
    uint32_t latency_seen;          /* the wait states that firmware may rely on: those that it has read back, or fewer */
};
void rcc_add(struct machine *m);
void rcc_advance(struct machine *m);
uint64_t rcc_next_event(const struct machine *m);
bool clock_ready(const struct machine *m, uint32_t source);
uint64_t sysclk_hz(const struct machine *m);
uint32_t uart_kernel_hz(const struct machine *m, uint32_t uart);
uint32_t clk48_hz(const struct machine *m);

/* uart.c */
struct uart {
    struct peripheral *p;
    uint64_t line_free_at, last_received_at, bytes_received, bytes_sent;
    uint64_t transmit_paused_until, receive_paused_until;   /* DMA that moves nothing over the line */
    bool complete_cleared, idle_flag, burst;
    bool pins_known, mapped[2], isolated[2];    /* by pins.c: the input's and the output's pin */
};
void uarts_add(struct machine *m);
void uarts_advance(struct machine *m);
uint64_t uarts_next_event(const struct machine *m);
uint32_t uart_baud(const struct machine *m, const struct uart *u);
uint32_t uart_status(const struct machine *m, const struct uart *u);
uint64_t uart_most_polls(const struct machine *m, const struct uart *u, uint64_t first_ticks, uint64_t round, uint64_t most);
void uart_polled(struct machine *m, const struct uart *u, uint64_t last_ticks, uint64_t polls);
bool uart_line_busy(const struct machine *m);
bool uart_waits_for_interrupt(const struct machine *m);

/* timers.c */
struct timer {
    struct peripheral *p;
    uint64_t since_cycles;          /* when the prescaler last began a count */
    uint32_t count, prescaler, reload, irq, bus;
    bool wide, clocked;
};
void timers_add(struct machine *m);
void timers_rebase(struct machine *m);
void timers_clocks_changed(struct machine *m);
void timers_advance(struct machine *m);
uint64_t timers_next_event(const struct machine *m);

/* gpio.c */
void gpio_add(struct machine *m);
bool external_core_supply(const struct machine *m);

/* dma.c: DMA1, DMA2 and DMAMUX1 */
struct dma_channel { uint32_t peripheral_address, memory_address, reload; uint64_t starts_at; };
enum dma_answer { DMA_NOT_SERVED, DMA_MOVED, DMA_LAP };     /* DMA_LAP: a circular channel starts again */
#define CHANNELS_PER_UNIT 7u
#define DMA_CHANNELS (CHANNELS_PER_UNIT * DMA_UNITS)
#define DMA_MOST_ITEMS 65535u       /* CNDTR has 16 bits */
enum dma_request { DMA_SAI1_A = 36, DMA_SAI1_B = 37 };
void dma_add(struct machine *m);
void dma_advance(struct machine *m);
uint64_t dma_next_event(const struct machine *m);
#if DMA_UNITS
enum dma_answer dma_request(struct machine *m, uint32_t request);
bool dma_listens(const struct machine *m, uint32_t request);
#else
static inline enum dma_answer dma_request(struct machine *m, uint32_t request) { return (void)m, (void)request, DMA_NOT_SERVED; }
static inline bool dma_listens(const struct machine *m, uint32_t request) { return (void)m, (void)request, false; }
#endif

/* sai.c: SAI1 as a receiver; the host plays audio into it */
struct sai {
    struct peripheral *p;
    int16_t *samples;
    uint64_t count, played, next_sample_at;
    uint32_t room, rate_hz;
    uint32_t fifo[2][8], level[2];
};
void sai_add(struct machine *m);
void sai_advance(struct machine *m);
uint64_t sai_next_event(const struct machine *m);

/* units.c: CRC, RNG; registers.c: registers that store, and answer by a table */
struct crc_unit { uint32_t value; };
struct random_source { uint64_t state, ready_ps; };
void units_add(struct machine *m);
void registers_add(struct machine *m);
uint32_t registers_read(struct machine *m, struct peripheral *p, uint32_t offset);

/* counters.c: SysTick and DWT */
struct systick { uint64_t since_ticks, next_zero; uint32_t start; bool counted; };
struct dwt { uint64_t since_ticks; uint32_t count; };
void counters_add(struct machine *m);
void systick_advance(struct machine *m);
uint64_t systick_next_event(const struct machine *m);
void dwt_rebase(struct machine *m);

/* system.c: SCB, NVIC, FPU control */
void system_add(struct machine *m);
bool fpu_enabled(const struct machine *m);
bool sleeps_deeply(const struct machine *m);
uint32_t scb_get(const struct machine *m, uint32_t offset);
void scb_set_bits(struct machine *m, uint32_t offset, uint32_t bits);

#endif
