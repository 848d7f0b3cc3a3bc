/* The core's own registers: SCB, SysTick, NVIC (registers only), DWT.
 *
 * Sources: DDI0403 sections B3.2 (SCB), B3.3 (SysTick), B3.4 (NVIC), C1.8 (DWT). Exceptions are not taken: firmware that enables an
 * interrupt is told so once by a note.
 */
#include "core.h"

enum { SCB_CPUID = 0x00, SCB_ICSR = 0x04, SCB_AIRCR = 0x0C, SCB_CPACR = 0x88, SCB_DEMCR = 0xFC };
enum { SYST_CSR = 0x00, SYST_RVR = 0x04, SYST_CVR = 0x08, SYST_CALIB = 0x0C };
enum { DWT_CTRL = 0x00, DWT_CYCCNT = 0x04 };
#define AIRCR_KEY 0x05FA0000u
#define AIRCR_SYSRESETREQ 4u
#define DEMCR_TRCENA (1u << 24)

/* --- SCB ------------------------------------------------------------------------------------------------------------------------*/

bool fpu_enabled(const struct machine *m)
{
    return (m->scb->reg[SCB_CPACR / 4] >> 20 & 15u) == 15u;    /* CP10 and CP11: full access */
}

static void dwt_rebase(struct machine *m);

static void scb_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    switch (offset) {
    case SCB_CPUID: case SCB_ICSR:
        return;
    case SCB_AIRCR:
        if ((value & 0xFFFF0000u) == AIRCR_KEY) {
            p->reg[offset >> 2] = 0xFA050000u | (value & 0x700u);
            if (value & AIRCR_SYSRESETREQ)
                request_stop(m, REQUEST_RESET);
        }
        return;
    case SCB_DEMCR:
        dwt_rebase(m);
        break;
    case SCB_CPACR:
        timing_forget_verified(m);  /* blocks with FPU instructions are judged anew */
        break;
    default:
        break;
    }
    bus_plain_write(m, p, offset, value, mask);
}

static void scb_reset(struct machine *m, struct peripheral *p)
{
    (void)m;
    p->reg[SCB_CPUID / 4] = 0x410FC241; /* Cortex-M4 r0p1 */
    p->reg[SCB_AIRCR / 4] = 0xFA050000u;
    p->reg[0x14 / 4] = 0x200;           /* CCR: STKALIGN */
}

/* --- SysTick: counts and flags, raises nothing ------------------------------------------------------------------------------------*/

static uint64_t systick_elapsed(const struct machine *m)
{
    uint32_t divider = m->systick_registers->reg[SYST_CSR / 4] & 4u ? 1u : 8u;   /* CLKSOURCE: HCLK or HCLK/8 */
    return (m->ticks / TICKS_PER_CYCLE - m->systick.since_ticks / TICKS_PER_CYCLE) / divider;
}

static uint32_t systick_value(const struct machine *m, bool *wrapped)
{
    const struct peripheral *p = m->systick_registers;
    uint64_t period = (uint64_t)(p->reg[SYST_RVR / 4] & 0xFFFFFFu) + 1u, elapsed;
    *wrapped = m->systick.counted;
    if (!(p->reg[SYST_CSR / 4] & 1u))
        return m->systick.start;
    elapsed = systick_elapsed(m);
    if (elapsed <= m->systick.start) {
        *wrapped |= elapsed == m->systick.start && elapsed != 0;
        return m->systick.start - (uint32_t)elapsed;
    }
    *wrapped |= m->systick.start != 0 || elapsed > period;
    return (uint32_t)(period - 1u - (elapsed - m->systick.start - 1u) % period);
}

static void systick_rebase(struct machine *m)
{
    bool wrapped;
    m->systick.start = systick_value(m, &wrapped);
    m->systick.counted = wrapped;
    m->systick.since_ticks = m->ticks;
}

static uint32_t systick_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    bool wrapped;
    uint32_t value = systick_value(m, &wrapped);
    switch (offset) {
    case SYST_CSR:
        systick_rebase(m);
        m->systick.counted = false;
        return (p->reg[0] & 7u) | (uint32_t)wrapped << 16;
    case SYST_CVR: return value;
    case SYST_CALIB: return 0xC0000000u;
    default: return p->reg[offset >> 2];
    }
}

static void systick_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    systick_rebase(m);
    if (offset == SYST_CVR) {
        m->systick.start = 0;       /* any write clears it; the next clock reloads */
        m->systick.counted = false;
        return;
    }
    bus_plain_write(m, p, offset, value, mask);
    if (offset == SYST_CSR && (value & 3u) == 3u)
        note_once(m, NOTE_INTERRUPT, p->base);
}

static void systick_reset(struct machine *m, struct peripheral *p)
{
    (void)p;
    m->systick = (struct systick){.since_ticks = m->ticks};
}

/* --- NVIC -------------------------------------------------------------------------------------------------------------------------*/

static void nvic_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    if (offset < 0x20) {            /* ISER */
        p->reg[offset >> 2] |= value;
        if (value)
            note_once(m, NOTE_INTERRUPT, p->base + offset);
    } else if (offset >= 0x80 && offset < 0xA0) {   /* ICER */
        p->reg[(offset - 0x80) >> 2] &= ~value;
    } else {
        bus_plain_write(m, p, offset, value, mask);
    }
}

/* --- DWT --------------------------------------------------------------------------------------------------------------------------*/

static uint32_t dwt_count(const struct machine *m)
{
    bool counting = (m->dwt_registers->reg[DWT_CTRL / 4] & 1u) && (m->scb->reg[SCB_DEMCR / 4] & DEMCR_TRCENA);
    return m->dwt.count + (counting ? (uint32_t)(m->ticks / TICKS_PER_CYCLE - m->dwt.since_ticks / TICKS_PER_CYCLE) : 0u);
}

static void dwt_rebase(struct machine *m)
{
    m->dwt.count = dwt_count(m);
    m->dwt.since_ticks = m->ticks;
}

static uint32_t dwt_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    if (offset == DWT_CTRL)
        return p->reg[0] | 0x40000000u; /* NUMCOMP: 4 */
    return offset == DWT_CYCCNT ? dwt_count(m) : p->reg[offset >> 2];
}

static void dwt_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    dwt_rebase(m);
    if (offset == DWT_CYCCNT)
        m->dwt.count = value;
    else
        bus_plain_write(m, p, offset, value, mask);
}

static void dwt_reset(struct machine *m, struct peripheral *p)
{
    (void)p;
    m->dwt = (struct dwt){.since_ticks = m->ticks};
}

static uint32_t debug_id_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    (void)m;
    return offset == 0 ? 0x10006470u : p->reg[offset >> 2];    /* DBGMCU_IDCODE: STM32L4R5 */
}

void system_add(struct machine *m)
{
    m->scb = bus_add(m, (struct peripheral){.name = "SCB", .base = 0xE000ED00, .size = 0x200, .write = scb_write, .reset = scb_reset});
    m->systick_registers = bus_add(m, (struct peripheral){.name = "SysTick", .base = 0xE000E010, .size = 0x10,
                                                         .read = systick_read, .write = systick_write, .reset = systick_reset});
    bus_add(m, (struct peripheral){.name = "NVIC", .base = 0xE000E100, .size = 0xC00, .write = nvic_write});
    bus_add(m, (struct peripheral){.name = "SCnSCB", .base = 0xE000E000, .size = 0x10});
    m->dwt_registers = bus_add(m, (struct peripheral){.name = "DWT", .base = 0xE0001000, .size = 0x1000,
                                                     .read = dwt_read, .write = dwt_write, .reset = dwt_reset});
    bus_add(m, (struct peripheral){.name = "ITM", .base = 0xE0000000, .size = 0x1000});
    bus_add(m, (struct peripheral){.name = "DBGMCU", .base = 0xE0042000, .size = 0x400, .read = debug_id_read});
}
