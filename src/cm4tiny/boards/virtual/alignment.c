// SPDX-License-Identifier: Apache-2.0
/* Unaligned accesses: unicorn carries them all out.
 *
 * DDI0403 section A3.2.1: loads and stores of one word or halfword may be unaligned, unless CCR.UNALIGN_TRP is set. All others fault: LDM, STM,
 * LDRD, STRD, VLDR, VSTR, VLDM, VSTM, LDREX, STREX, TBH.
 *
 * To see them every access must be looked at, which makes the board ten times slower. So it happens for the board's first accesses to RAM in
 * the profiling phase, ACCESSES_LOOKED_AT of them: start-up and the first inferences. UNALIGN_TRP turns it on for good.
 */
#include "core.h"

#include <string.h>

enum { SCB_CCR = 0x14 };
#define ACCESSES_LOOKED_AT (4u << 20)
#define CCR_UNALIGN_TRP 8u

static const int ALL_REGISTERS[CORE_REGISTERS] = {
    UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4, UC_ARM_REG_R5, UC_ARM_REG_R6, UC_ARM_REG_R7, UC_ARM_REG_R8,
    UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11, UC_ARM_REG_R12, UC_ARM_REG_SP, UC_ARM_REG_LR, UC_ARM_REG_PC, UC_ARM_REG_XPSR};

#define X(start, size, offset) {start, size},
static const struct { uint32_t start, size; } RAM[RAM_WINDOW_COUNT] = {RAM_WINDOWS(X)};
#undef X

static const int MASKS[3] = {UC_ARM_REG_PRIMASK, UC_ARM_REG_BASEPRI, UC_ARM_REG_FAULTMASK};    /* a CPSID behind the access, too */

static bool traps_all(const struct machine *m) { return scb_get(m, SCB_CCR) & CCR_UNALIGN_TRP; }

static bool must_be_aligned(struct machine *m, uint32_t pc)
{
    const uint8_t *code = memory_at(m, pc, 2);
    uint32_t first = code ? code[0] | (uint32_t)code[1] << 8 : 0;
    if (CORE_ARCHITECTURE == 6)     /* DDI0419 section A3.2: all accesses */
        return true;
    return (first & 0xF000u) == 0xC000u || (first & 0xFE00u) == 0xE800u || (first & 0xFE00u) == 0xEC00u;
}

static void remember(struct machine *m, uint32_t address, uint32_t size)
{
    struct overwritten *o = &m->overwritten[m->overwritten_count];
    const uint8_t *at = memory_at(m, address, size);
    if (!at || size > sizeof o->old || m->overwritten_count == MAX_OVERWRITTEN)
        return;
    o->address = address, o->size = size;
    memcpy(o->old, at, size);
    m->overwritten_count++;
}

/* An instruction faults that cannot be held back, and in an IT block the run even goes on behind it: registers and memory are put back when it
 * has ended. */
void hold_back(struct machine *m, enum fault_kind kind, uint32_t address, uint32_t pc)
{
    m->access = (struct invalid_access){kind, address, 0};
    m->held_back = true;
    m->next_event = 0;              /* where the run goes on, the next block ends it */
    for (int i = 0; i < CORE_REGISTERS; i++)
        m->registers_before[i] = ALL_REGISTERS[i] == UC_ARM_REG_PC ? pc : read_register(m, ALL_REGISTERS[i]);
    for (int i = 0; i < 32; i++)
        m->registers_before[CORE_REGISTERS + i] = read_register(m, UC_ARM_REG_S0 + i);
    m->registers_before[CORE_REGISTERS + 32] = read_register(m, UC_ARM_REG_FPSCR);
    for (int i = 0; i < 3; i++)
        m->registers_before[CORE_REGISTERS + 33 + i] = read_register(m, MASKS[i]);
    m->overwritten_count = 0;
    uc_emu_stop(m->uc);
}

void alignment_check(struct machine *m, uc_mem_type type, uint32_t address, uint32_t size)
{
    uint32_t unit = size < 4u ? size : 4u, pc;
    if (UNLIKELY(m->held_back) && type == UC_MEM_WRITE)
        remember(m, address, size);
    if (LIKELY(!(address & (unit - 1u))) || m->access.kind)
        return;
    pc = read_register(m, UC_ARM_REG_PC);
    if (!traps_all(m) && !must_be_aligned(m, pc & ~1u))
        return;
    hold_back(m, FAULT_UNALIGNED, address, pc);
    if (type == UC_MEM_WRITE)
        remember(m, address, size);
}

static void on_access(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value, void *user)
{
    struct machine *m = user;
    (void)value;
    clear_stale_it_bits(uc);
    alignment_check(m, type, (uint32_t)address, (uint32_t)size);
    if (++m->accesses_looked_at == ACCESSES_LOOKED_AT)
        request_stop(m, REQUEST_WATCH);
}

/* Accesses that will be looked at before the hooks go; NEVER if there are none. */
uint64_t alignment_left(const struct machine *m)
{
    return m->ram_hooked && !m->watches_accesses ? ACCESSES_LOOKED_AT - m->accesses_looked_at : NEVER;
}

static bool looked_at_enough(const struct machine *m) { return m->accesses_looked_at >= ACCESSES_LOOKED_AT && !m->watches_accesses; }

/* After a run that ended so. */
void take_back(struct machine *m)
{
    m->held_back = false;
    for (int i = 0; i < 32; i++)
        write_register(m, UC_ARM_REG_S0 + i, m->registers_before[CORE_REGISTERS + i]);
    write_register(m, UC_ARM_REG_FPSCR, m->registers_before[CORE_REGISTERS + 32]);
    for (int i = 0; i < 3; i++)
        write_register(m, MASKS[i], m->registers_before[CORE_REGISTERS + 33 + i]);
    for (int i = 0; i < CORE_REGISTERS; i++)
        write_register(m, ALL_REGISTERS[i], m->registers_before[i] | (ALL_REGISTERS[i] == UC_ARM_REG_PC));
    write_xpsr(m, m->registers_before[CORE_REGISTERS - 1]);
    while (m->overwritten_count) {
        const struct overwritten *o = &m->overwritten[--m->overwritten_count];
        memcpy(memory_at(m, o->address, o->size), o->old, o->size);
    }
}

/* The only unaligned access that unicorn refuses by itself: the address of an LDREX or STREX, LDREXH or STREXH. */
uint32_t alignment_of_exclusive(struct machine *m)
{
    const uint8_t *code = memory_at(m, read_register(m, UC_ARM_REG_PC) & ~1u, 4);
    uint32_t base = code ? code[0] & 15u : 15u;
    bool word = code && (code[0] & 0xE0u) == 0x40u && code[1] == 0xE8u;
    return read_register(m, ALL_REGISTERS[base]) + (word ? 4u * code[2] : 0);
}

/* While the board profiles: RAM; the hooks on flash check, too. */
void alignment_begin(struct machine *m)
{
    const int accesses = UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE;
    if (m->ram_hooked || looked_at_enough(m))
        return;
    m->ram_hooked = true;
    for (uint32_t i = 0; i < RAM_WINDOW_COUNT; i++)
        uc_hook_add(m->uc, &m->ram_hooks[i], accesses, (void *)on_access, m, RAM[i].start, RAM[i].start + RAM[i].size - 1u);
}

void alignment_end(struct machine *m)
{
    if (!m->ram_hooked)
        return;
    m->ram_hooked = false;
    for (uint32_t i = 0; i < RAM_WINDOW_COUNT; i++)
        uc_hook_del(m->uc, m->ram_hooks[i]);
}

/* Between two runs: true if the hooks went because enough was looked at. */
bool alignment_finish(struct machine *m)
{
    if (!m->ram_hooked || !looked_at_enough(m))
        return false;
    alignment_end(m);
    return true;
}

/* Between two runs, for UNALIGN_TRP: the board stays in exact simulation for ever, and peripherals are looked at, too. True if the code must be translated again. */
bool alignment_watch_all(struct machine *m)
{
    const int accesses = UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE;
    uc_hook hook;
    if (m->watches_accesses || !traps_all(m))
        return false;
    m->watches_accesses = true;
    m->constants.exact = 1;
    timing_enter_phase(m, PHASE_PROFILE);
    alignment_begin(m);             /* where the phase was that already */
    return uc_hook_add(m->uc, &hook, accesses, (void *)on_access, m, RAM_END, UINT32_MAX) == UC_ERR_OK;
}
