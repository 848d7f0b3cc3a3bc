// SPDX-License-Identifier: Apache-2.0
/* The core's own registers: SCB, FPU control, NVIC.
 *
 * Sources: DDI0403 sections B3.2 (SCB), B3.4 (NVIC), B3.2.20 (FPU). The MPU has no regions to offer: its registers store and do nothing.
 */
#include "core.h"

enum {
    SCB_CPUID = 0x00, SCB_ICSR = 0x04, SCB_VTOR = 0x08, SCB_AIRCR = 0x0C, SCB_SCR = 0x10, SCB_CCR = 0x14, SCB_SHPR1 = 0x18, SCB_SHPR3 = 0x20,
    SCB_SHCSR = 0x24, SCB_CFSR = 0x28, SCB_HFSR = 0x2C, SCB_DFSR = 0x30, SCB_CLIDR = 0x78, SCB_CTR = 0x7C, SCB_CCSIDR = 0x80, SCB_CPACR = 0x88, SCB_MPU_TYPE = 0x90, SCB_MPU_CTRL = 0x94,
    SCB_DEMCR = 0xFC, SCB_STIR = 0x200, SCB_FPCCR = 0x234, SCB_FPCAR = 0x238, SCB_MVFR0 = 0x240, SCB_MVFR1 = 0x244
};
enum { NVIC_ISER = 0x000, NVIC_ICER = 0x080, NVIC_ISPR = 0x100, NVIC_ICPR = 0x180, NVIC_IABR = 0x200, NVIC_IPR = 0x300, NVIC_IPR_END = 0x300 + 32 * EXCEPTION_WORDS - FIRST_INTERRUPT };
#define AIRCR_KEY 0x05FA0000u
#define AIRCR_SYSRESETREQ 4u
#define SCR_SLEEPDEEP 4u
#define CCR_UNALIGN_TRP 8u

uint32_t scb_get(const struct machine *m, uint32_t offset) { return m->scb->reg[offset / 4]; }
void scb_set_bits(struct machine *m, uint32_t offset, uint32_t bits) { m->scb->reg[offset / 4] |= bits; }

/* WFI and WFE then stop the clocks: in Stop, Standby or Shutdown by PWR_CR1.LPMS. Taken as sleep, but told apart. */
bool sleeps_deeply(const struct machine *m) { return scb_get(m, SCB_SCR) & SCR_SLEEPDEEP; }

bool fpu_enabled(const struct machine *m)
{
    return (scb_get(m, SCB_CPACR) >> 20 & 15u) == 15u;     /* CP10 and CP11: full access */
}

/* --- SCB ----------------------------------------------------------------------------------------------------------------------------*/

static uint32_t interrupt_control_state(struct machine *m)
{
    const struct exceptions *e = &m->exceptions;
    uint32_t active = read_register(m, UC_ARM_REG_XPSR) & 0x1FFu, pending = 0;
    for (uint32_t i = FIRST_INTERRUPT + INTERRUPTS; i-- > EXC_NMI;)
        if (exception_bit(e->pending, i) && exception_bit(e->enabled, i) &&
            (!pending || exception_priority(m, i) <= exception_priority(m, pending)))
            pending = i;
    return active | (e->active_count <= 1 ? 1u << 11 : 0u) | pending << 12 | (pending >= FIRST_INTERRUPT ? 1u << 22 : 0u) |
           (uint32_t)exception_bit(e->pending, EXC_SYSTICK) << 26 | (uint32_t)exception_bit(e->pending, EXC_PENDSV) << 28 |
           (uint32_t)exception_bit(e->pending, EXC_NMI) << 31;
}

static void interrupt_control_write(struct machine *m, uint32_t value)
{
    if (value & 1u << 31)
        exception_pend(m, EXC_NMI);
    if (value & 1u << 28)
        exception_pend(m, EXC_PENDSV);
    else if (value & 1u << 27)
        exception_unpend(m, EXC_PENDSV);
    if (value & 1u << 26)
        exception_pend(m, EXC_SYSTICK);
    else if (value & 1u << 25)
        exception_unpend(m, EXC_SYSTICK);
}

/* Where the bits of SHCSR stand for active and pending exceptions. */
static const struct { uint8_t bit, exception; bool active; } SHCSR_BITS[] = {
    {0, EXC_MEM_MANAGE, true}, {1, EXC_BUS_FAULT, true}, {3, EXC_USAGE_FAULT, true}, {7, EXC_SVCALL, true}, {8, EXC_DEBUG_MONITOR, true},
    {10, EXC_PENDSV, true}, {11, EXC_SYSTICK, true}, {12, EXC_USAGE_FAULT, false}, {13, EXC_MEM_MANAGE, false}, {14, EXC_BUS_FAULT, false},
    {15, EXC_SVCALL, false}};

static uint32_t system_handler_state(const struct machine *m)
{
    uint32_t value = scb_get(m, SCB_SHCSR) & 0x70000u;
    for (uint32_t i = 0; i < sizeof SHCSR_BITS / sizeof SHCSR_BITS[0]; i++) {
        const uint32_t *bits = SHCSR_BITS[i].active ? m->exceptions.active : m->exceptions.pending;
        value |= (uint32_t)exception_bit(bits, SHCSR_BITS[i].exception) << SHCSR_BITS[i].bit;
    }
    return value;
}

static uint32_t scb_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    switch (offset) {
    case SCB_ICSR: return interrupt_control_state(m);
    case SCB_SHCSR: return system_handler_state(m);
    case SCB_FPCCR: return (p->reg[offset >> 2] & ~1u) | m->exceptions.lazy_fp;
    case SCB_FPCAR: return m->exceptions.fp_context_address;
    default: return p->reg[offset >> 2];
    }
}

static void application_interrupt_write(struct machine *m, struct peripheral *p, uint32_t value)
{
    if ((value & 0xFFFF0000u) != AIRCR_KEY)
        return;
    p->reg[SCB_AIRCR / 4] = 0xFA050000u | (CORE_ARCHITECTURE == 6 ? 0u : value & 0x700u);
    if (value & AIRCR_SYSRESETREQ)
        request_stop(m, REQUEST_RESET);
}

static void store_priorities(struct machine *m, uint32_t first, uint32_t value, uint32_t mask)
{
    for (uint32_t i = 0; i < 4; i++)
        if (mask >> (8u * i) & 0xFFu)
            m->exceptions.priority[first + i] = (uint8_t)(value >> (8u * i)) & PRIORITY_BITS;
}

static void scb_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    switch (offset) {
    case SCB_CLIDR: case SCB_CTR: case SCB_CCSIDR: case SCB_CPUID: case SCB_MPU_TYPE: case SCB_MVFR0: case SCB_MVFR1: return;
    case SCB_ICSR: interrupt_control_write(m, value); return;
    case SCB_AIRCR: application_interrupt_write(m, p, value); return;
    case SCB_CFSR: case SCB_HFSR: case SCB_DFSR: p->reg[offset >> 2] &= ~value; return;    /* written ones clear */
    case SCB_STIR: exception_pend(m, FIRST_INTERRUPT + (value & 0x1FFu) % INTERRUPTS); return;
    case SCB_FPCAR: m->exceptions.fp_context_address = value & ~7u; return;
    case SCB_FPCCR: m->exceptions.lazy_fp = value & 1u; break;
    case SCB_DEMCR: dwt_rebase(m); break;
    case SCB_CPACR: timing_forget_verified(m); break;   /* blocks with FPU instructions are judged again */
    case SCB_SHCSR:
        if (CORE_ARCHITECTURE == 6)
            return;                 /* all faults are HardFault */
        break;
    case SCB_CCR:
        if (CORE_ARCHITECTURE == 6)
            return;
        timing_forget_verified(m);  /* and blocks with divisions */
        if (value & CCR_UNALIGN_TRP)
            request_stop(m, REQUEST_WATCH);
        break;
    case SCB_SCR:
        if (value & SCR_SLEEPDEEP)
            note_once(m, NOTE_FEATURE, p->base + SCB_SCR);
        break;
    case SCB_MPU_CTRL:
        if (value & 1u)
            note_once(m, NOTE_FEATURE, p->base + SCB_MPU_CTRL);
        break;
    default: break;
    }
    bus_plain_write(m, p, offset, value, mask);
    if (offset >= SCB_SHPR1 && offset <= SCB_SHPR3) {
        store_priorities(m, EXC_MEM_MANAGE + offset - SCB_SHPR1, value, mask);
        p->reg[offset >> 2] &= PRIORITY_BITS * 0x01010101u;
    }
}

static void scb_reset(struct machine *m, struct peripheral *p)
{
    (void)m;
    p->reg[SCB_CPUID / 4] = CORE_CPUID;
    p->reg[SCB_AIRCR / 4] = 0xFA050000u;
    if (CORE_ARCHITECTURE != 6)
        p->reg[SCB_VTOR / 4] = VECTORS_AT_RESET;
    p->reg[SCB_CCR / 4] = CORE_ARCHITECTURE == 7 ? 0x200u : CORE_ARCHITECTURE == 8 ? 0x201u : 0x208u;   /* STKALIGN, and what is fixed */
    p->reg[SCB_CLIDR / 4] = CORE_CLIDR;
    p->reg[SCB_CTR / 4] = CORE_CTR;
    p->reg[SCB_CCSIDR / 4] = CORE_CCSIDR;
    p->reg[SCB_MPU_TYPE / 4] = CORE_MPU_TYPE;
    p->reg[SCB_FPCCR / 4] = 0xC0000000u;    /* ASPEN, LSPEN */
    p->reg[SCB_MVFR0 / 4] = CORE_MVFR0;
    p->reg[SCB_MVFR1 / 4] = CORE_MVFR1;
}

/* --- NVIC ---------------------------------------------------------------------------------------------------------------------------*/

/* The registers begin with interrupt 0, the bit fields of the machine with exception 0, sixteen bits before. */
static uint32_t interrupt_word(const uint32_t *bits, uint32_t word)
{
    uint32_t low = bits[word] >> FIRST_INTERRUPT;
    return word + 1u < EXCEPTION_WORDS ? low | bits[word + 1u] << (32u - FIRST_INTERRUPT) : low;
}

static uint32_t nvic_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    const struct exceptions *e = &m->exceptions;
    uint32_t word = (offset & 0x7Fu) / 4u, kind = offset & ~0x7Fu;
    if (offset >= NVIC_IPR && offset < NVIC_IPR_END) {
        const uint8_t *at = &e->priority[FIRST_INTERRUPT + offset - NVIC_IPR];
        return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    }
    if (word >= EXCEPTION_WORDS)
        return p->reg[offset >> 2];
    switch (kind) {
    case NVIC_ISER: case NVIC_ICER: return interrupt_word(e->enabled, word);
    case NVIC_ISPR: case NVIC_ICPR: return interrupt_word(e->pending, word);
    case NVIC_IABR: return interrupt_word(e->active, word);
    default: return p->reg[offset >> 2];
    }
}

static void for_each_interrupt(struct machine *m, uint32_t kind, uint32_t word, uint32_t value)
{
    for (; value; value &= value - 1) {
        uint32_t interrupt = word * 32u + (uint32_t)__builtin_ctz(value), exception = FIRST_INTERRUPT + interrupt;
        if (interrupt >= INTERRUPTS)
            return;
        switch (kind) {
        case NVIC_ISER: m->exceptions.enabled[exception >> 5] |= 1u << (exception & 31u); break;
        case NVIC_ICER: m->exceptions.enabled[exception >> 5] &= ~(1u << (exception & 31u)); break;
        case NVIC_ISPR: exception_pend(m, exception); break;
        case NVIC_ICPR: exception_unpend(m, exception); break;
        default: break;
        }
    }
}

static void nvic_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    (void)p;
    if (offset >= NVIC_IPR && offset < NVIC_IPR_END)
        store_priorities(m, FIRST_INTERRUPT + offset - NVIC_IPR, value, mask);
    else if (offset < NVIC_IABR && (offset & 0x7Fu) / 4u < EXCEPTION_WORDS)
        for_each_interrupt(m, offset & ~0x7Fu, (offset & 0x7Fu) / 4u, value);
}

static uint32_t debug_id_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    (void)m;
    return offset == (IDCODE_ADDRESS & 0x3FFu) ? IDCODE : p->reg[offset >> 2];
}

static uint32_t type_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    (void)m;
    return offset == 4 ? (INTERRUPTS - 1u) / 32u : p->reg[offset >> 2];    /* ICTR */
}

void system_add(struct machine *m)
{
    m->scb = bus_add(m, (struct peripheral){.name = "SCB", .base = 0xE000ED00, .size = 0x300,
                                           .read = scb_read, .write = scb_write, .reset = scb_reset, .peek = scb_read});
    bus_add(m, (struct peripheral){.name = "NVIC", .base = 0xE000E100, .size = 0xC00, .read = nvic_read, .write = nvic_write,
                                   .peek = nvic_read});
    bus_add(m, (struct peripheral){.name = "SCnSCB", .base = 0xE000E000, .size = 0x10, .read = type_read, .peek = type_read});
    bus_add(m, (struct peripheral){.name = "ITM", .base = 0xE0000000, .size = 0x1000});
    bus_add(m, (struct peripheral){.name = "DBGMCU", .base = IDCODE_ADDRESS & ~0x3FFu, .size = 0x400, .read = debug_id_read,
                                   .peek = debug_id_read});
}
