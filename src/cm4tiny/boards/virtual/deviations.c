// SPDX-License-Identifier: Apache-2.0
/* Where unicorn's Cortex-M4 computes otherwise than the chip, and what is done about it: found by the campaign of tests/support/instructions.
 *
 * SMLAD, SMLADX (DDI0403, "SMLAD, SMLADX"): Q is set if the sum of both products and the accumulator, in infinite precision, is not its 32
 * bits. unicorn adds in two steps and sets Q after the first one, too. That differs for one pair of factors: both 0x80008000, whose products
 * add up to 2^31, with a negative accumulator, which brings the sum back into range. The result is right.
 * VCVT from fixed point (DDI0403, "VCVT (between floating-point and fixed-point)"): rounds to nearest, whatever FPSCR says. unicorn rounds as
 * FPSCR says.
 *
 * LDREX, STREX (DDI0403, "ExceptionTaken()", "ExceptionReturn()"): an exception's entry and its return clear the local monitor. unicorn does
 * not know of them: a CLREX runs there, if code with an LDREX has run.
 *
 * To look at every such instruction costs several times the instruction, and hardly any firmware reads Q or sets a rounding mode. So they are
 * looked at only if an MRS of the APSR, or a VMSR of FPSCR, lies in what was loaded, or once such code appears. (Q in the xPSR that an
 * exception stacks is looked at only then, too.)
 */
#include "core.h"

#include <string.h>

#define FACTOR 0x80008000u
#define XPSR_Q (1u << 27)
#define IT_REST 16u                 /* from the first instruction of an IT block to the first behind it */
#define FPSCR_RMODE (3u << 22)
#define CLREX_PLACE (SYSTEM_MEMORY_BASE + 0x100u)  /* in the chip's own boot loader, which is not modelled */

static uint32_t halfword(const uint8_t *code) { return code[0] | (uint32_t)code[1] << 8; }
static uint32_t length_of(const uint8_t *code) { return code[1] >= 0xE8u ? 4u : 2u; }

/* MRS of APSR, IAPSR, EAPSR or XPSR. */
static bool reads_flags(const uint8_t *code)
{
    return (halfword(code) & 0xFFEFu) == 0xF3EFu && (halfword(code + 2) & 0xF0FCu) == 0x8000u;
}

/* SMLAD, SMLADX; without an accumulator they are SMUAD, SMUADX, which set Q rightly. */
static bool adds_products(const uint8_t *code)
{
    return (halfword(code) & 0xFFF0u) == 0xFB20u && (halfword(code + 2) & 0xE0u) == 0 && (code[3] & 0xF0u) != 0xF0u;
}

static bool sets_fpscr(const uint8_t *code) { return halfword(code) == 0xEEE1u && (halfword(code + 2) & 0x0F10u) == 0x0A10u; }

static bool converts_fixed_point(const uint8_t *code)
{
    return (halfword(code) & 0xFFBEu) == 0xEEBAu && (halfword(code + 2) & 0x0F50u) == 0x0A40u;
}

/* LDREX, LDREXB, LDREXH. */
static bool sets_monitor(const uint8_t *code)
{
    return (halfword(code) & 0xFFF0u) == 0xE850u || ((halfword(code) & 0xFFF0u) == 0xE8D0u && (code[2] & 0xE0u) == 0x40u);
}

static bool deviates(const struct machine *m, const uint8_t *code)
{
    return (m->reads_q && adds_products(code)) || (m->sets_rounding && converts_fixed_point(code));
}

static bool block_holds(struct machine *m, uint32_t address, uint32_t size, bool (*what)(const uint8_t *code))
{
    const uint8_t *code = memory_at(m, address, size);
    for (uint32_t at = 0; code && at + 4u <= size; at += length_of(code + at))
        if (length_of(code + at) == 4u && what(code + at))
            return true;
    return false;
}

/* Something was loaded: code begins at any halfword, and an instruction may lie across the ends of two pieces. */
void deviations_loaded(struct machine *m, uint32_t address, uint32_t size)
{
    uint32_t before = memory_at(m, address - 2u, 2) ? 2u : 0, after = memory_at(m, address + size, 2) ? 2u : 0;
    const uint8_t *code;
    address -= before;
    size += before + after;
    code = memory_at(m, address, size);
    for (uint32_t at = address & 1u; code && at + 4u <= size; at += 2u) {
        m->reads_q |= reads_flags(code + at);
        m->sets_rounding |= sets_fpscr(code + at);
    }
}

/* From now on: FPDSCR gives handlers a rounding mode, or a VMSR appeared. */
void deviations_rounding(struct machine *m)
{
    if (!m->sets_rounding)
        timing_forget_verified(m);
    m->sets_rounding = true;
}

/* A block that is new. */
void deviations_learn(struct machine *m, struct block *b, uint32_t address, uint32_t size)
{
    if (!m->sets_rounding && block_holds(m, address, size, sets_fpscr))
        deviations_rounding(m);
    if (!m->reads_q && block_holds(m, address, size, reads_flags)) {    /* the firmware wrote this code itself, or piece by piece */
        m->reads_q = true;
        timing_forget_verified(m);
        if (m->added_products && (read_register(m, UC_ARM_REG_XPSR) & XPSR_Q))
            note_once(m, NOTE_SATURATION, address);
    }
    if (block_holds(m, address, size, adds_products)) {
        b->flags |= BLOCK_ADDS_PRODUCTS;
        m->added_products = true;
    }
    if (block_holds(m, address, size, converts_fixed_point))
        b->flags |= BLOCK_CONVERTS;
    m->sets_monitor = m->sets_monitor || block_holds(m, address, size, sets_monitor);
}

/* --- the local monitor ----------------------------------------------------------------------------------------------------------------*/

void deviations_add_clrex(uint8_t *system_memory)
{
    static const uint8_t CLREX[4] = {0xBF, 0xF3, 0x2F, 0x8F};
    memcpy(system_memory + (CLREX_PLACE - SYSTEM_MEMORY_BASE), CLREX, sizeof CLREX);
}

/* Between two runs, in Handler mode. */
void deviations_clear_monitor(struct machine *m)
{
    uint64_t next_event = m->next_event;
    uint32_t pc;
    if (LIKELY(!m->sets_monitor))
        return;
    pc = read_register(m, UC_ARM_REG_PC);
    clear_stale_it_bits(m->uc);
    m->sampled = NULL;
    m->next_event = 0;
    m->clears_monitor = true;       /* a block that takes no time and is not the firmware's */
    uc_emu_start(m->uc, CLREX_PLACE | 1u, CLREX_PLACE + 4u, 0, 0);
    m->clears_monitor = false;
    m->next_event = next_event;
    write_register(m, UC_ARM_REG_PC, pc | 1u);
}

/* --- the other two --------------------------------------------------------------------------------------------------------------------*/

static bool overflows_on_the_way(struct machine *m, const uint8_t *code)
{
    static const int REGISTERS[16] = {UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4, UC_ARM_REG_R5,
                                      UC_ARM_REG_R6, UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11,
                                      UC_ARM_REG_R12, UC_ARM_REG_SP, UC_ARM_REG_LR, UC_ARM_REG_PC};
    return read_register(m, REGISTERS[code[0] & 15u]) == FACTOR && read_register(m, REGISTERS[code[2] & 15u]) == FACTOR &&
           read_register(m, REGISTERS[code[3] >> 4]) >> 31;
}

/* Just before such an instruction, and just before the next one that runs. */
static void on_watched_instruction(uc_engine *uc, uint64_t address64, uint32_t size, void *user)
{
    struct machine *m = user;
    const uint8_t *code = memory_at(m, (uint32_t)address64, 4);
    (void)uc, (void)size;
    deviations_settle(m);
    if (code && adds_products(code) && overflows_on_the_way(m, code))
        m->spurious_q = !(read_register(m, UC_ARM_REG_XPSR) & XPSR_Q);
    if (code && converts_fixed_point(code)) {
        uint32_t fpscr = read_register(m, UC_ARM_REG_FPSCR);
        m->rounding_mode = fpscr & FPSCR_RMODE;
        if (m->rounding_mode)
            write_register(m, UC_ARM_REG_FPSCR, fpscr & ~FPSCR_RMODE);
    }
}

/* After a run as well: an exception may come between two instructions. */
void deviations_settle(struct machine *m)
{
    if (UNLIKELY(m->spurious_q))
        write_register(m, UC_ARM_REG_XPSR, read_register(m, UC_ARM_REG_XPSR) & ~XPSR_Q);
    if (UNLIKELY(m->rounding_mode))
        write_register(m, UC_ARM_REG_FPSCR, read_register(m, UC_ARM_REG_FPSCR) | m->rounding_mode);
    m->spurious_q = false;
    m->rounding_mode = 0;
}

/* Asks for a watch on such instructions of a block, if somebody could tell. */
void deviations_watch(struct machine *m, struct block *b, uint32_t address)
{
    uint32_t wanted = (m->reads_q ? (uint32_t)BLOCK_ADDS_PRODUCTS : 0) | (m->sets_rounding ? (uint32_t)BLOCK_CONVERTS : 0);
    if (!(b->flags & wanted))
        return;
    b->flags &= ~wanted;            /* once */
    m->watch_deviations = address;
    m->watch_deviations_size = b->size;
    request_stop(m, REQUEST_WATCH);
}

/* Between two runs: one hook from the first to behind the last, and behind the IT block that it may be in: of an instruction whose condition
 * is false, the hook is not called. True if the code must be translated again. */
bool deviations_place_watch(struct machine *m)
{
    uint32_t size = m->watch_deviations_size, first = size, last = 0;
    const uint8_t *code = memory_at(m, m->watch_deviations, size);
    uc_hook hook;
    for (uint32_t at = 0; code && at + 4u <= size; at += length_of(code + at))
        if (length_of(code + at) == 4u && deviates(m, code + at) && new_watch(m, m->watch_deviations + at)) {
            first = at < first ? at : first;
            last = at;
        }
    m->watch_deviations_size = 0;
    return first < size && uc_hook_add(m->uc, &hook, UC_HOOK_CODE, (void *)on_watched_instruction, m, m->watch_deviations + first,
                                       m->watch_deviations + last + IT_REST) == UC_ERR_OK;
}
