// SPDX-License-Identifier: Apache-2.0
/* Records what firmware does that silicon would not run, gates the clocks of peripherals, and judges the core's clock.
 *
 * Sources: RM0432 sections "Peripheral clock gating", "Dynamic voltage scaling management", "Read access latency"; each rule's own section is
 * in silicon.yaml.
 */
#include "core.h"

#include <string.h>

#define MHZ 1000000u
#define NORMAL_FASTEST_HZ (80u * MHZ)   /* range 1, normal mode */
#define RANGE_2_FASTEST_HZ (26u * MHZ)
#define AHB_STEP_PS 750000u             /* 1 us at half the clock before the last step above 80 MHz; the switch itself and the registers' bus
                                           take time on the chip and none here, and ST's own HAL comes to 0.85 us */

static const char *const NAMES[RULES] = {
    "",
#define X(name, text) text,
    RULE_LIST(X)
#undef X
};

__attribute__((visibility("default"))) const char *cm4_rule_name(uint32_t rule) { return rule < RULES ? NAMES[rule] : ""; }

/* --- records ------------------------------------------------------------------------------------------------------------------------*/

static void fill_registers(struct machine *m, uint32_t *out)
{
    static const int REGISTERS[15] = {UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4, UC_ARM_REG_R5,
                                      UC_ARM_REG_R6, UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11,
                                      UC_ARM_REG_R12, UC_ARM_REG_SP, UC_ARM_REG_LR};
    for (int i = 0; i < 15; i++)
        out[i] = read_register(m, REGISTERS[i]);
}

static uint32_t record_of(struct machine *m, enum rule rule, uint32_t detail, uint32_t limit)
{
    struct rules *r = &m->rules;
    for (uint32_t i = 0; i < r->broken_count; i++)
        if (r->broken[i].rule == rule && r->broken[i].address == r->access.address)
            return i;
    if (r->broken_count == MAX_BROKEN_RULES) {
        note_once(m, NOTE_LIST_FULL, LIST_BROKEN_RULES);
        return MAX_BROKEN_RULES - 1u;
    }
    r->broken[r->broken_count] =
        (struct broken_rule){.rule = rule, .address = r->access.address, .value = r->access.value, .detail = detail, .limit = limit,
                             .is_store = r->access.is_store, .block = m->expected_pc - m->current->size, .block_size = m->current->size,
                             .hclk_hz = (uint32_t)m->hclk_hz};
    fill_registers(m, r->broken[r->broken_count].r);
    note_once(m, NOTE_RULE, r->broken_count);
    return r->broken_count++;
}

/* Kept once for each rule and register. In strict mode the run ends before the next block. */
void rule_broken(struct machine *m, enum rule rule, uint32_t detail, uint32_t limit)
{
    struct rules *r = &m->rules;
    uint32_t record;
    if (r->silent)
        return;
    record = record_of(m, rule, detail, limit);
    if (r->strict && !r->stopped) {
        r->stopped = true;
        r->stopped_by = record;
        request_stop(m, REQUEST_REFUSED);
    }
}

__attribute__((visibility("default"))) uint32_t cm4_broken_rules(const struct machine *m, uint32_t from, struct broken_rule *out, uint32_t room)
{
    uint32_t count = 0;
    for (uint32_t i = from; i < m->rules.broken_count && count < room; i++)
        out[count++] = m->rules.broken[i];
    return count;
}

void rules_reset(struct machine *m, bool begins)
{
    struct rules *r = &m->rules;
    r->silent = begins;
    r->stopped = false;
    pins_changed(m);
    if (!begins) {
        r->hclk_hz = r->sysclk_hz = 0;
        rules_clock_changed(m);
    }
}

/* Before the first reset. -1 if the tables are longer than they may be. */
__attribute__((visibility("default"))) int cm4_set_rules(struct machine *m, uint32_t strict, const struct clock_gate *gates,
                                                         uint32_t gate_count, const struct pin_function *pins, uint32_t pin_count)
{
    struct rules *r = &m->rules;
    if (gate_count > MAX_GATES || pin_count > MAX_PIN_FUNCTIONS)
        return -1;
    r->strict = strict;
    memcpy(r->gates, gates, gate_count * sizeof *gates);
    memcpy(r->pins, pins, pin_count * sizeof *pins);
    r->gate_count = gate_count;
    r->pin_count = pin_count;
    for (uint32_t i = 0; i < m->peripheral_count; i++) {
        struct peripheral *p = &m->peripherals[i];
        p->enable_mask = 0;
        for (uint32_t k = 0; k < gate_count; k++)
            if (p->base - gates[k].base < gates[k].size)
                p->enable_word = (gates[k].enable_offset & 0x3FFu) / 4u, p->enable_mask = gates[k].enable_mask;
    }
    return 0;
}

__attribute__((visibility("default"))) uint32_t cm4_refused_by(const struct machine *m) { return m->rules.stopped_by; }
__attribute__((visibility("default"))) uint32_t cm4_strict(const struct machine *m) { return m->rules.strict; }

/* --- clock gating -------------------------------------------------------------------------------------------------------------------*/

bool is_clocked(const struct machine *m, const struct peripheral *p)
{
    return !p->enable_mask || (m->rcc->reg[p->enable_word] & p->enable_mask);
}

/* Of an address that no peripheral here answers to. */
static bool nobody_is_clocked(const struct machine *m, uint32_t address)
{
    for (uint32_t i = 0; i < m->rules.gate_count; i++) {
        const struct clock_gate *g = &m->rules.gates[i];
        if (address - g->base < g->size)
            return m->rcc->reg[(g->enable_offset & 0x3FFu) / 4u] & g->enable_mask;
    }
    return true;
}

static bool allowed(struct machine *m, const struct peripheral *p, uint32_t address, uint32_t value, bool is_store)
{
    m->rules.access.address = address;
    m->rules.access.value = value;
    m->rules.access.is_store = is_store;
    if (LIKELY(p ? is_clocked(m, p) : nobody_is_clocked(m, address)))
        return true;
    rule_broken(m, RULE_CLOCK_OFF, 0, 0);
    return false;
}

bool rules_read_allowed(struct machine *m, const struct peripheral *p, uint32_t address) { return allowed(m, p, address, 0, false); }

bool rules_write_allowed(struct machine *m, const struct peripheral *p, uint32_t address, uint32_t value)
{
    return allowed(m, p, address, value, true);
}

#if HAS_RCC_L4
/* --- the core's clock against voltage range and wait states ----------------------------------------------------------------------------*/

/* RM0432 table "Number of wait states according to CPU clock (HCLK) frequency". */
static uint32_t wait_states_needed(uint64_t hclk_hz, bool range_2)
{
    static const uint32_t RANGE_1[] = {20, 40, 60, 80, 100}, RANGE_2[] = {8, 16};
    uint32_t states = 0;
    if (range_2)
        while (states < 2 && hclk_hz > (uint64_t)RANGE_2[states] * MHZ)
            states++;
    else
        while (states < 5 && hclk_hz > (uint64_t)RANGE_1[states] * MHZ)
            states++;
    return states;
}

/* Above 80 MHz only by way of half the clock for 1 us, and down again by way of it (the regulator follows slowly). */
static bool stepped(const struct machine *m, uint64_t hclk, uint64_t sysclk)
{
    const struct rules *r = &m->rules;
    bool up = hclk > NORMAL_FASTEST_HZ, was_up = r->hclk_hz > NORMAL_FASTEST_HZ;
    if (up == was_up || !r->hclk_hz)
        return true;
    if (up)
        return r->sysclk_hz == sysclk && r->hclk_hz == hclk / 2u && time_of_ticks_ps(m, m->ticks) - r->since_ps >= AHB_STEP_PS;
    return r->sysclk_hz == sysclk;
}

/* Called when HCLK, the wait states or the voltage range have changed. */
void rules_clock_changed(struct machine *m)
{
    struct rules *r = &m->rules;
    uint64_t hclk = m->hclk_hz, sysclk = sysclk_hz(m);
    bool range_2 = power_range(m) == 2u && !external_core_supply(m);
    uint32_t needed = wait_states_needed(hclk, range_2), states = m->flash_interface->reg[0] & 15u;
    if (r->silent)
        return;
    if (range_2 && hclk > RANGE_2_FASTEST_HZ)
        rule_broken(m, RULE_RANGE_2_TOO_FAST, (uint32_t)hclk, RANGE_2_FASTEST_HZ);
    else if (power_range(m) == 1u && hclk > NORMAL_FASTEST_HZ && !power_boost(m))
        rule_broken(m, RULE_BOOST_MISSING, (uint32_t)hclk, NORMAL_FASTEST_HZ);
    if (states < needed)
        rule_broken(m, RULE_FLASH_LATENCY, states, needed);
    if (hclk != r->hclk_hz || sysclk != r->sysclk_hz) {
        if (hclk > RANGE_2_FASTEST_HZ && hclk > r->hclk_hz && power_settling(m))
            rule_broken(m, RULE_RANGE_SETTLING, (uint32_t)hclk, RANGE_2_FASTEST_HZ);
        if (hclk > r->hclk_hz && states >= needed && m->clocks.latency_seen < needed)
            rule_broken(m, RULE_FLASH_LATENCY_UNREAD, states, m->clocks.latency_seen);
        if (!stepped(m, hclk, sysclk))
            rule_broken(m, RULE_AHB_STEP, (uint32_t)r->hclk_hz, (uint32_t)(hclk > r->hclk_hz ? hclk / 2u : r->hclk_hz / 2u));
        r->hclk_hz = hclk;
        r->sysclk_hz = sysclk;
        r->since_ps = time_of_ticks_ps(m, m->ticks);
    }
}
#else
void rules_clock_changed(struct machine *m) { (void)m; }
#endif
