// SPDX-License-Identifier: Apache-2.0
/* What goes wrong, and traps: how a run of unicorn that ended early becomes a fault, a supervisor call, a return or sleep.
 *
 * Sources: DDI0403 sections B1.5.14 (fault behaviour), B1.5.15 (lockup), B3.2.15 (CFSR), B3.2.16 (HFSR). The first fault of a chain is kept for
 * the host's report until its handler returns.
 */
#include "core.h"

enum { SCB_CCR = 0x14, SCB_SHCSR = 0x24, SCB_CFSR = 0x28, SCB_HFSR = 0x2C, SCB_MMFAR = 0x34, SCB_BFAR = 0x38 };
#define HFSR_VECTTBL 2u
#define HFSR_FORCED (1u << 30)
#define HFSR_DEBUGEVT (1u << 31)
#define XPSR_T 0x01000000u
#define XPSR_EXCEPTION 0x1FFu
#define EXC_RETURN_FIRST 0xF0000000u
#define CCR_DIV_0_TRP 0x10u
#define WATCHABLE_REGIONS (FLASH_WINDOW_COUNT + RAM_WINDOW_COUNT)
#define IT_REACH 14u                /* from an IT to the last of its four instructions */

/* Exception numbers of unicorn's (qemu's) Arm target. */
enum { TRAP_UNDEFINED = 1, TRAP_SVC = 2, TRAP_PREFETCH = 3, TRAP_DATA = 4, TRAP_BKPT = 7, TRAP_EXCEPTION_EXIT = 8, TRAP_NO_COPROCESSOR = 17, TRAP_INVALID_STATE = 18 };

struct fault_class { uint32_t exception, cfsr, hfsr; };

static struct fault_class classify_fault(uint32_t kind, uint32_t address)
{
    bool execute_never = address - 0x40000000u < 0x20000000u || address >= 0xA0000000u;
    switch (kind) {
    case FAULT_READ: case FAULT_WRITE: case FAULT_FLASH_WRITE: return (struct fault_class){EXC_BUS_FAULT, 0x8200, 0};   /* PRECISERR, BFARVALID */
    case FAULT_FETCH: return execute_never ? (struct fault_class){EXC_MEM_MANAGE, 1, 0}         /* IACCVIOL */
                                           : (struct fault_class){EXC_BUS_FAULT, 0x100, 0};     /* IBUSERR */
    case FAULT_STACKING: return (struct fault_class){EXC_BUS_FAULT, 0x1000, 0};                 /* STKERR */
    case FAULT_INSTRUCTION: return (struct fault_class){EXC_USAGE_FAULT, 1u << 16, 0};
    case FAULT_STATE: return (struct fault_class){EXC_USAGE_FAULT, 1u << 17, 0};
    case FAULT_EXCEPTION_RETURN: return (struct fault_class){EXC_USAGE_FAULT, 1u << 18, 0};
    case FAULT_FPU_DISABLED: return (struct fault_class){EXC_USAGE_FAULT, 1u << 19, 0};
    case FAULT_UNALIGNED: return (struct fault_class){EXC_USAGE_FAULT, 1u << 24, 0};
    case FAULT_DIVISION: return (struct fault_class){EXC_USAGE_FAULT, 1u << 25, 0};
    case FAULT_BREAKPOINT: return (struct fault_class){EXC_HARD_FAULT, 0, HFSR_DEBUGEVT};
    case FAULT_VECTOR: return (struct fault_class){EXC_HARD_FAULT, 0, HFSR_VECTTBL};
    default: return (struct fault_class){EXC_HARD_FAULT, 0, HFSR_FORCED};
    }
}

void fault_record(struct machine *m, enum fault_kind kind, uint32_t address, uint32_t detail)
{
    static const int REGISTERS[13] = {UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4, UC_ARM_REG_R5,
                                      UC_ARM_REG_R6, UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11,
                                      UC_ARM_REG_R12};
    struct fault *f = &m->fault;
    if (f->kind != FAULT_NONE)
        return;
    *f = (struct fault){.kind = kind, .address = address, .detail = detail};
    f->pc = read_register(m, UC_ARM_REG_PC), f->lr = read_register(m, UC_ARM_REG_LR);
    f->sp = read_register(m, UC_ARM_REG_SP), f->xpsr = read_register(m, UC_ARM_REG_XPSR);
    f->interrupted = f->xpsr & 0x1FFu;
    for (int i = 0; i < 13; i++)
        f->r[i] = read_register(m, REGISTERS[i]);
}

/* Notes a fault and says what the core takes for it: its own exception if that is enabled and may interrupt, else HardFault; none if the core
 * locks up. */
static uint32_t fault_exception(struct machine *m, enum fault_kind kind, uint32_t address, uint32_t detail)
{
    struct fault_class c = classify_fault(kind, address);
    int priority = execution_priority(m);
    bool first = m->fault.kind == FAULT_NONE;
    if (m->crashed)
        return NO_EXCEPTION;
    fault_record(m, kind, address, detail);
    scb_set_bits(m, SCB_CFSR, c.cfsr);
    scb_set_bits(m, SCB_HFSR, c.hfsr);
    if (c.cfsr & 0x8000u)
        m->scb->reg[SCB_BFAR / 4] = address;
    if (c.exception != EXC_HARD_FAULT) {
        bool enabled = scb_get(m, SCB_SHCSR) >> (16u + c.exception - EXC_MEM_MANAGE) & 1u;
        if (!enabled || group_priority(m, exception_priority(m, c.exception)) >= priority) {
            c.exception = EXC_HARD_FAULT;
            scb_set_bits(m, SCB_HFSR, HFSR_FORCED);
        }
    }
    m->fault.cfsr = scb_get(m, SCB_CFSR), m->fault.hfsr = scb_get(m, SCB_HFSR);
    if (kind == FAULT_OTHER || (c.exception == EXC_HARD_FAULT && priority <= -1)) {
        m->fault.locked_up = kind != FAULT_OTHER;
        m->crashed = true;
        return NO_EXCEPTION;
    }
    if (first)
        m->fault.exception = c.exception;
    return c.exception;
}

void fault_take(struct machine *m, enum fault_kind kind, uint32_t address, uint32_t detail)
{
    uint32_t exception = fault_exception(m, kind, address, detail);
    if (exception != NO_EXCEPTION)
        exception_enter(m, exception);
}

/* A fault in the return of a handler: its frame is there already. */
void fault_chain(struct machine *m, enum fault_kind kind, uint32_t address, uint32_t detail)
{
    uint32_t exception = fault_exception(m, kind, address, detail);
    if (exception != NO_EXCEPTION)
        exception_chain(m, exception, address);
}

/* --- what unicorn calls ---------------------------------------------------------------------------------------------------------------*/

static bool on_invalid_access(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value, void *user)
{
    struct machine *m = user;
    enum fault_kind kind = FAULT_OTHER;
    (void)uc, (void)size, (void)value;
    if (type == UC_MEM_READ_UNMAPPED || type == UC_MEM_READ_PROT)
        kind = FAULT_READ;
    else if (type == UC_MEM_WRITE_UNMAPPED)
        kind = FAULT_WRITE;
    else if (type == UC_MEM_WRITE_PROT)
        kind = FAULT_FLASH_WRITE;
    else if (type == UC_MEM_FETCH_UNMAPPED || type == UC_MEM_FETCH_PROT)
        kind = FAULT_FETCH;
    if (!m->held_back)
        m->access = (struct invalid_access){kind, (uint32_t)address, (uint32_t)type};
    return false;                   /* ends the run, with the PC at the instruction */
}

static void on_interrupt(uc_engine *uc, uint32_t number, void *user)
{
    struct machine *m = user;
    m->trap = number;
    uc_emu_stop(uc);
}

/* Everywhere but in RAM, where no access is invalid: a hook over RAM, even of this kind, keeps its stores on the slow path. */
void faults_attach(struct machine *m)
{
#define X(first, last) {first, last},
    static const uint32_t RANGES[][2] = {OUTSIDE_RAM(X)};
#undef X
    uc_hook hook;
    uc_hook_add(m->uc, &hook, UC_HOOK_INTR, (void *)on_interrupt, m, 1, 0);
    for (size_t i = 0; i < sizeof RANGES / sizeof RANGES[0]; i++)
        uc_hook_add(m->uc, &hook, UC_HOOK_MEM_INVALID, (void *)on_invalid_access, m, RANGES[i][0], RANGES[i][1]);
}

/* --- traps --------------------------------------------------------------------------------------------------------------------------*/

static void supervisor_call(struct machine *m)
{
    int priority = group_priority(m, exception_priority(m, EXC_SVCALL));
    if (priority < execution_priority(m))
        exception_enter(m, EXC_SVCALL);
    else
        fault_take(m, FAULT_SUPERVISOR_CALL, 0, TRAP_SVC);
}

/* WFE is an unknown exception to unicorn, which calls it an invalid instruction; unlike that, it ends its block. */
static bool was_wait_for_event(struct machine *m, uint32_t pc)
{
    const uint8_t *code = memory_at(m, pc - 2u, 2);
    return code && pc == m->expected_pc && ((code[0] == 0x20 && code[1] == 0xBF) || (code[0] == 0x02 && code[1] == 0x80));
}

/* YIELD does nothing on a Cortex-M4; unicorn takes it for an invalid instruction, too. */
static bool was_yield(struct machine *m, uint32_t pc)
{
    const uint8_t *code = memory_at(m, pc - 2u, 2);
    return code && pc == m->expected_pc && ((code[0] == 0x10 && code[1] == 0xBF) || (code[0] == 0x01 && code[1] == 0x80));
}

static void wait_for_event(struct machine *m)
{
    if (!m->exceptions.event)
        m->asleep = m->waits_for_event = true;
    m->exceptions.event = false;
}

static void take_trap(struct machine *m, uint32_t number)
{
    switch (number) {
    case TRAP_EXCEPTION_EXIT: exception_return(m); break;
    case TRAP_PREFETCH: fault_take(m, FAULT_FETCH, read_register(m, UC_ARM_REG_PC) & ~1u, number); break;
    case TRAP_DATA: fault_take(m, FAULT_UNALIGNED, alignment_of_exclusive(m), number); break;
    case TRAP_SVC: supervisor_call(m); break;
    case TRAP_BKPT: fault_take(m, FAULT_BREAKPOINT, 0, number); break;
    case TRAP_UNDEFINED: fault_take(m, FAULT_INSTRUCTION, 0, number); break;
    case TRAP_NO_COPROCESSOR: fault_take(m, FAULT_FPU_DISABLED, 0, number); break;
    case TRAP_INVALID_STATE: fault_take(m, FAULT_STATE, read_register(m, UC_ARM_REG_PC), number); break;
    default: fault_take(m, FAULT_OTHER, 0, number); break;
    }
}

/* In Handler mode a branch to 0xF....... is a return, which unicorn's Cortex-M4 meets as a fetch from there; in Thread mode it is a fault. */
bool is_exception_return(struct machine *m, uint32_t pc)
{
    return pc >= EXC_RETURN_FIRST && (read_register(m, UC_ARM_REG_XPSR) & XPSR_EXCEPTION);
}

/* Why a run ended, if not by an event: handled here, and the core's registers say where to go on. 0, or STOP_FAULT. */
int handle_trap(struct machine *m, uc_err error)
{
    uint32_t pc = read_register(m, UC_ARM_REG_PC), trap = m->trap;
    struct invalid_access access = m->access;
    m->trap = 0;
    m->access = (struct invalid_access){0};
    if (m->held_back) {
        take_back(m);
        pc = read_register(m, UC_ARM_REG_PC);
    }
    if ((access.kind == FAULT_FETCH || trap == TRAP_PREFETCH || CORE_ARCHITECTURE == 8) && is_exception_return(m, pc))
        exception_return(m);
    else if (access.kind)
        fault_take(m, access.kind, access.address, access.detail);
    else if (trap)
        take_trap(m, trap);
    else if (error == UC_ERR_INSN_INVALID && was_wait_for_event(m, pc))
        wait_for_event(m);
    else if (error == UC_ERR_INSN_INVALID && was_yield(m, pc))
        return 0;
    else if (error == UC_ERR_INSN_INVALID && !(read_register(m, UC_ARM_REG_XPSR) & XPSR_T))
        fault_take(m, FAULT_STATE, pc, (uint32_t)error);
    else if (error == UC_ERR_INSN_INVALID)
        fault_take(m, FAULT_INSTRUCTION, 0, (uint32_t)error);
    else if (error != UC_ERR_OK)
        fault_take(m, FAULT_OTHER, 0, (uint32_t)error);
    else if (!m->paused && !code_can_be_at(pc))
        fault_take(m, FAULT_FETCH, pc, 0);  /* the very address that ends a run */
    else if (!m->paused)
        m->asleep = true;           /* WFI */
    return m->crashed ? STOP_FAULT : 0;
}

/* --- instructions that fault only sometimes --------------------------------------------------------------------------------------------
 *
 * A floating-point instruction while the FPU is off, a division while CCR.DIV_0_TRP is on, one that unicorn runs and the core does not have: a
 * hook on just that instruction looks. */

static uint32_t length_of(const uint8_t *code) { return code[1] >= 0xE8u ? 4u : 2u; }

static bool is_division(const uint8_t *code, uint32_t size)
{
    return size >= 4u && code[1] == 0xFB && (code[0] & 0xD0u) == 0x90u && (code[2] & 0xF0u) == 0xF0u;
}

/* What unicorn's cores run although DDI0403 does not have it, or the chip's core not: LDREXD and STREXD, Neon's loads and stores, SETEND, and system registers of
 * the FPU other than FPSCR. */
static bool is_undefined(const uint8_t *code, uint32_t size)
{
    uint32_t first = code[0] | (uint32_t)code[1] << 8, second;
    if ((first & 0xFFF7u) == 0xB650u)
        return true;
    if (length_of(code) != 4u || size < 4u)
        return false;
    second = code[2] | (uint32_t)code[3] << 8;
    if ((first & 0xFFE0u) == 0xE8C0u && (second & 0xF0u) == 0x70u)
        return true;
    if ((first & 0xFF10u) == 0xF900u)
        return true;
    if (CORE_DOUBLES_FAULT && (first & 0xEF00u) == 0xEE00u && (second & 0x0F10u) == 0x0B00u)
        return true;                /* floating-point data processing of doubles */
    return (first & 0xFFE0u) == 0xEEE0u && (second & 0x0F10u) == 0x0A10u && (first & 15u) != 1u;
}

bool holds_undefined(struct machine *m, uint32_t address, uint32_t size)
{
    const uint8_t *code = memory_at(m, address, size);
    for (uint32_t at = 0; code && at + 2u <= size; at += length_of(code + at))
        if (is_undefined(code + at, size - at))
            return true;
    return false;
}

static bool divides_by_zero(struct machine *m, uint32_t address)
{
    static const int REGISTERS[16] = {UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4, UC_ARM_REG_R5,
                                      UC_ARM_REG_R6, UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11,
                                      UC_ARM_REG_R12, UC_ARM_REG_SP, UC_ARM_REG_LR, UC_ARM_REG_PC};
    const uint8_t *code = memory_at(m, address, 4);
    return code && is_division(code, 4) && (scb_get(m, SCB_CCR) & CCR_DIV_0_TRP) && read_register(m, REGISTERS[code[2] & 15u]) == 0;
}

static void on_watched_instruction(uc_engine *uc, uint64_t address64, uint32_t size, void *user)
{
    struct machine *m = user;
    uint32_t address = (uint32_t)address64;
    const uint8_t *code = memory_at(m, address, 4);
    bool coprocessor = code && (code[1] & 0xECu) == 0xECu;
    enum fault_kind kind;
    if (m->access.kind) {           /* behind one that faulted, in its IT block or right after it */
        uc_emu_stop(uc);
        return;
    }
    if (code ? is_undefined(code, 4) : size == 2u)  /* a short one in the last two bytes of a memory */
        kind = FAULT_INSTRUCTION;
    else if (coprocessor && !fpu_enabled(m))
        kind = FAULT_FPU_DISABLED;
    else if (divides_by_zero(m, address))
        kind = FAULT_DIVISION;
    else
        return;
    hold_back(m, kind, kind == FAULT_INSTRUCTION ? 0 : address, address);
}

/* True if the instruction has no watch yet and gets one: code that changes under the same address keeps its watch. */
bool new_watch(struct machine *m, uint32_t address)
{
#define X(start) {start, FLASH_SIZE},
#define Y(start, size, offset) {start, size},
    static const uint32_t REGIONS[WATCHABLE_REGIONS][2] = {FLASH_WINDOWS(X) RAM_WINDOWS(Y)};
#undef X
#undef Y
    uint32_t bit = 0, region = 0;
    for (; region < WATCHABLE_REGIONS && address - REGIONS[region][0] >= REGIONS[region][1]; region++)
        bit += REGIONS[region][1] / 2u;
    if (region == WATCHABLE_REGIONS)
        return false;
    bit += (address - REGIONS[region][0]) / 2u;
    if (m->watched[bit >> 3] >> (bit & 7u) & 1u)
        return false;
    if (m->watch_count == MAX_WATCHES) {
        note_once(m, NOTE_LIST_FULL, LIST_WATCHES);
        return false;
    }
    m->watched[bit >> 3] |= (uint8_t)(1u << (bit & 7u));
    m->watch_count++;
    return true;
}

/* An IT may stand so far before the last of its four instructions. */
static bool may_be_in_it_block(struct machine *m, uint32_t address)
{
    for (uint32_t back = 2; back <= IT_REACH; back += 2u) {
        const uint8_t *code = memory_at(m, address - back, 2);
        if (code && code[1] == 0xBF && (code[0] & 15u))
            return true;
    }
    return false;
}

/* The run stops at once, or in an IT block at the first instruction behind that, which must have a hook, too. */
static bool watch_instruction(struct machine *m, uint32_t address)
{
    uc_hook hook;
    uint32_t last = address + (may_be_in_it_block(m, address) ? IT_REACH + 2u : 0);
    return new_watch(m, address) &&
           uc_hook_add(m->uc, &hook, UC_HOOK_CODE, (void *)on_watched_instruction, m, address, last) == UC_ERR_OK;
}

static bool watch_instructions(struct machine *m)
{
    const uint8_t *code = memory_at(m, m->watch_block, m->watch_block_size);
    bool divisions = scb_get(m, SCB_CCR) & CCR_DIV_0_TRP, added = false;
    for (uint32_t at = 0; code && at + 2u <= m->watch_block_size; at += length_of(code + at))
        if ((divisions && is_division(code + at, m->watch_block_size - at)) || is_undefined(code + at, m->watch_block_size - at))
            added |= watch_instruction(m, m->watch_block + at);
    return added;
}

/* Between two runs: a hook becomes part of the code when that is translated again. */
void place_watch(struct machine *m)
{
    bool added = m->watch_pc && watch_instruction(m, m->watch_pc);
    if (m->watch_block_size)
        added |= watch_instructions(m);
    added |= alignment_watch_all(m);
    if (m->watch_deviations_size)
        added |= deviations_place_watch(m);
    if (alignment_finish(m)) {
        drop_deleted_hooks(m);
        added = true;
    }
    if (added)
        uc_ctl_flush_tb(m->uc);
    m->watch_pc = m->watch_block_size = 0;
}

/* Asks for watches on the block's divisions, if divisions by zero shall fault, and on what unicorn runs and a Cortex-M4 does not have. */
void watch_block(struct machine *m, struct block *b, uint32_t address)
{
    const uint8_t *code = memory_at(m, address, b->size);
    bool divisions = scb_get(m, SCB_CCR) & CCR_DIV_0_TRP, wanted = false;
    if (!divisions && (b->flags & (BLOCK_HOLDS_UNDEFINED | BLOCK_UNDEFINED_WATCHED)) != BLOCK_HOLDS_UNDEFINED)
        return;
    b->flags |= divisions ? BLOCK_DIVISIONS_WATCHED : BLOCK_UNDEFINED_WATCHED;
    for (uint32_t at = 0; code && at + 2u <= b->size; at += length_of(code + at))
        wanted |= (divisions && is_division(code + at, b->size - at)) || is_undefined(code + at, b->size - at);
    if (wanted) {
        m->watch_block = address;
        m->watch_block_size = b->size;
        request_stop(m, REQUEST_WATCH);
    }
}
