/* The Q flag after SMLAD and SMLADX.
 *
 * Source: DDI0403, "SMLAD, SMLADX": Q is set if the sum of both products and the accumulator, in infinite precision, is not its 32 bits.
 * unicorn adds in two steps and sets Q after the first one, too. That differs for one pair of factors: both 0x80008000, whose products add
 * up to 2^31, with a negative accumulator, which brings the sum back into range. The result is right.
 *
 * To look at every SMLAD costs several times the instruction, and hardly any firmware ever reads Q. So they are looked at only if an MRS of
 * the APSR lies in what was loaded, or once such code appears. (Q in the xPSR that an exception stacks is looked at only then, too.)
 */
#include "core.h"

#define FACTOR 0x80008000u
#define XPSR_Q (1u << 27)

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

static bool block_holds(struct machine *m, uint32_t address, uint32_t size, bool (*what)(const uint8_t *code))
{
    const uint8_t *code = memory_at(m, address, size);
    for (uint32_t at = 0; code && at + 4u <= size; at += length_of(code + at))
        if (length_of(code + at) == 4u && what(code + at))
            return true;
    return false;
}

static bool q_flag(struct machine *m) { return read_register(m, UC_ARM_REG_XPSR) & XPSR_Q; }

/* Something was loaded: code begins at any halfword, and an instruction may lie across the ends of two pieces. */
void saturation_loaded(struct machine *m, uint32_t address, uint32_t size)
{
    uint32_t before = memory_at(m, address - 2u, 2) ? 2u : 0, after = memory_at(m, address + size, 2) ? 2u : 0;
    const uint8_t *code;
    address -= before;
    size += before + after;
    code = memory_at(m, address, size);
    for (uint32_t at = address & 1u; code && !m->reads_q && at + 4u <= size; at += 2u)
        m->reads_q = reads_flags(code + at);
}

/* A block that is new. */
void saturation_learn(struct machine *m, struct block *b, uint32_t address, uint32_t size)
{
    if (!m->reads_q && block_holds(m, address, size, reads_flags)) {    /* the firmware wrote this code itself, or piece by piece */
        m->reads_q = true;
        timing_forget_verified(m);
        if (m->added_products && q_flag(m))
            note_once(m, NOTE_SATURATION, address);
    }
    if (block_holds(m, address, size, adds_products)) {
        b->flags |= BLOCK_ADDS_PRODUCTS;
        m->added_products = true;
    }
}

/* Just before an SMLAD, and just before what comes after it, whether or not an IT block let it run: Q can only have come from it. */
static void on_watched_instruction(uc_engine *uc, uint64_t address64, uint32_t size, void *user)
{
    static const int REGISTERS[16] = {UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4, UC_ARM_REG_R5,
                                      UC_ARM_REG_R6, UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11,
                                      UC_ARM_REG_R12, UC_ARM_REG_SP, UC_ARM_REG_LR, UC_ARM_REG_PC};
    struct machine *m = user;
    const uint8_t *code = memory_at(m, (uint32_t)address64, 4);
    (void)uc, (void)size;
    saturation_settle(m);
    if (code && adds_products(code) && read_register(m, REGISTERS[code[0] & 15u]) == FACTOR &&
        read_register(m, REGISTERS[code[2] & 15u]) == FACTOR && read_register(m, REGISTERS[code[3] >> 4]) >> 31 && !q_flag(m))
        m->spurious_q = true;
}

/* After a run as well: an exception may come between two instructions. */
void saturation_settle(struct machine *m)
{
    if (LIKELY(!m->spurious_q))
        return;
    m->spurious_q = false;
    write_register(m, UC_ARM_REG_XPSR, read_register(m, UC_ARM_REG_XPSR) & ~XPSR_Q);
}

/* Asks for a watch on what a block adds up, if somebody reads Q. */
void saturation_watch(struct machine *m, struct block *b, uint32_t address)
{
    if (!m->reads_q || (b->flags & (BLOCK_ADDS_PRODUCTS | BLOCK_PRODUCTS_WATCHED)) != BLOCK_ADDS_PRODUCTS)
        return;
    b->flags |= BLOCK_PRODUCTS_WATCHED;
    m->watch_products = address;
    m->watch_products_size = b->size;
    request_stop(m, REQUEST_WATCH);
}

/* Between two runs: one hook from the first to behind the last. True if the code must be translated again. */
bool saturation_place_watch(struct machine *m)
{
    const uint8_t *code = memory_at(m, m->watch_products, m->watch_products_size);
    uint32_t size = m->watch_products_size, first = size, last = 0;
    uc_hook hook;
    for (uint32_t at = 0; code && at + 4u <= size; at += length_of(code + at))
        if (length_of(code + at) == 4u && adds_products(code + at) && new_watch(m, m->watch_products + at)) {
            first = at < first ? at : first;
            last = at;
        }
    m->watch_products_size = 0;
    return first < size && uc_hook_add(m->uc, &hook, UC_HOOK_CODE, (void *)on_watched_instruction, m, m->watch_products + first,
                                       m->watch_products + last + 4u) == UC_ERR_OK;
}
