// SPDX-License-Identifier: Apache-2.0
/* What silicon would not run: rules of RM0432 on the register bus, and what the board does when firmware breaks one.
 *
 * The chip's answer comes first, in both modes: a peripheral without a clock reads 0, a switch to a clock that does not run does not happen.
 * Then the rule is recorded with the access; in strict mode the run ends there. Text, manual section and hint of each rule stand in
 * silicon.yaml under the name that RULE_LIST gives it here.
 */
#ifndef CM4TINY_RULES_H
#define CM4TINY_RULES_H

#define RULE_LIST(X) \
    X(CLOCK_OFF, "clock-off") X(BACKUP_PROTECTED, "backup-protected") X(OSCILLATOR_IN_USE, "oscillator-in-use") \
    X(MSI_RANGE, "msi-range") X(READY_UNREAD, "ready-unread") X(PLL_RUNNING, "pll-running") X(PLL_SOURCE, "pll-source") \
    X(PLL_INPUT, "pll-input") X(PLL_VCO, "pll-vco") X(PLL_OUTPUT, "pll-output") X(SYSCLK_SOURCE, "sysclk-source") \
    X(SYSCLK_PLL_OUTPUT, "sysclk-pll-output") X(FLASH_LATENCY, "flash-latency") X(FLASH_CACHE_RESET, "flash-cache-reset") \
    X(FLASH_LATENCY_UNREAD, "flash-latency-unread") X(FLASH_CACHE_HELD, "flash-cache-held") X(FLASH_POWER_LOCKED, "flash-power-locked") \
    X(FLASH_CLOCK, "flash-clock") X(RANGE_RESERVED, "range-reserved") X(RANGE_2_TOO_FAST, "range-2-too-fast") \
    X(BOOST_MISSING, "boost-missing") X(RANGE_SETTLING, "range-settling") X(AHB_STEP, "ahb-step") X(IO_SUPPLY, "io-supply") \
    X(UART_TX_PIN, "uart-tx-pin") X(UART_RX_PIN, "uart-rx-pin") X(UART_ENABLED, "uart-enabled") X(UART_CLOCK, "uart-clock") \
    X(UART_DIVIDER, "uart-divider") X(UART_BAUD, "uart-baud") X(UART_DISABLED, "uart-disabled") X(UART_FULL, "uart-full") \
    X(TIMER_PRESCALER, "timer-prescaler") X(DMA_ENABLED, "dma-enabled") X(SAI_ENABLED, "sai-enabled") X(RNG_CLOCK, "rng-clock") \
    X(RNG_NOT_READY, "rng-not-ready")

enum rule {
    RULE_NONE,
#define X(name, text) RULE_##name,
    RULE_LIST(X)
#undef X
    RULES
};

/* One broken rule. detail: what the rule measures (a frequency in Hz, wait states, bits that were lost ...), limit: what it may be. The block
 * and the core's registers at the access let the host find the instruction. */
struct broken_rule {
    uint32_t rule, address, value, detail, limit, is_store, block, block_size, hclk_hz;
    uint32_t r[15];
};
#define MAX_BROKEN_RULES 128u

/* Which bit of RCC clocks the registers from base on. */
struct clock_gate { uint32_t base, size, enable_offset, enable_mask; };
#define MAX_GATES 96u

/* Data sheet DS12023, table of alternate functions: a pin (port * 16 + pin) that can be a UART's. */
struct pin_function { uint32_t uart, transmits, pin, function; };
#define MAX_PIN_FUNCTIONS 64u

struct rules {
    bool strict, silent;            /* silent: registers change by a reset and not by firmware */
    struct clock_gate gates[MAX_GATES];
    uint32_t gate_count;
    struct pin_function pins[MAX_PIN_FUNCTIONS];
    uint32_t pin_count;
    struct broken_rule broken[MAX_BROKEN_RULES];
    uint32_t broken_count, broken_taken;
    struct { uint32_t address, value; bool is_store; } access;  /* the one that is being served */
    bool stopped;                   /* strict, and a rule was broken: until the next reset */
    uint32_t stopped_by;            /* which of broken */
    uint64_t hclk_hz, sysclk_hz, since_ps;  /* the last clock that was looked at, and since when */
};

/* rules.c */
void rule_broken(struct machine *m, enum rule rule, uint32_t detail, uint32_t limit);
bool rules_read_allowed(struct machine *m, const struct peripheral *p, uint32_t address);
bool rules_write_allowed(struct machine *m, const struct peripheral *p, uint32_t address, uint32_t value);
bool is_clocked(const struct machine *m, const struct peripheral *p);
void rules_clock_changed(struct machine *m);
void rules_reset(struct machine *m, bool begins);

/* pins.c */
bool uart_pin_mapped(struct machine *m, uint32_t uart, bool transmits, bool *isolated);
bool port_isolated(const struct machine *m, uint32_t port, uint32_t pin);
void pins_changed(struct machine *m);

#endif
