// SPDX-License-Identifier: Apache-2.0
/* The witness: a second core with a RAM of its own, which runs one iteration of a loop and follows the loop's counter through it.
 *
 * What is to be proven: two iterations differed in a few words only, by constants, their strides; so will all that follow, until the loop ends.
 * Every instruction that meets a value with a stride is looked at (follow.c). If none makes more of it than copies, sums and differences,
 * the iteration does the same whatever the counter is, but for one conditional branch that compares two such values: the loop's end, which can be
 * foretold by computing the comparison for each iteration.
 *
 * The iteration is run with other values than the real ones (those of an iteration far away) and must end with what that one would end with.
 * Then the branch is run with the values of the last iteration and of the one before: one must leave for a peripheral, the other come back.
 *
 * As long as registers or flags have a stride, each instruction is followed by a hook; hooks are placed block by block when that is first
 * seen to be necessary, and the run begins again. Words with a stride lie in few pages (the stack, the counter's own): accesses to these come
 * through callbacks, all others run at full speed. A register with a stride may not be stored elsewhere. Peripherals do not exist here; an access
 * to one ends the run.
 */
#include "core.h"
#include "follow.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define CODE_BUFFER (32u << 20)
#define FAR_AWAY 1000003u           /* iterations before this one */
#define NEAR 2u                     /* iterations after it, for a counter that counts up to its limit */
#define MOST_INSTRUCTIONS 50000000u /* of an iteration: a second or so of the host's time */
#define MOST_HOOKS 256u
#define END_BLOCKS 100000u          /* from the loop's end to the first access to a peripheral */
#define STACK_WATCHED 1024u         /* bytes below the caller's stack pointer: where the counter's register is saved */
#define STEPS (FLASH_SIZE / 2u)

const int CORE_REGISTER[17] = {UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4, UC_ARM_REG_R5, UC_ARM_REG_R6,
                               UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11, UC_ARM_REG_R12, UC_ARM_REG_SP,
                               UC_ARM_REG_LR, UC_ARM_REG_PC, UC_ARM_REG_XPSR};
static const int SYSTEM[7] = {UC_ARM_REG_CONTROL, UC_ARM_REG_PRIMASK, UC_ARM_REG_BASEPRI, UC_ARM_REG_FAULTMASK, UC_ARM_REG_MSP,
                              UC_ARM_REG_PSP, UC_ARM_REG_FPSCR};

void core_state_read(uc_engine *uc, struct core_state *s)
{
    memset(s, 0, sizeof *s);
    for (uint32_t i = 0; i < 17; i++)
        uc_reg_read(uc, CORE_REGISTER[i], &s->core[i]);
    for (uint32_t i = 0; i < 7; i++)
        uc_reg_read(uc, SYSTEM[i], &s->system[i]);
    for (uint32_t i = 0; i < 16; i++)
        uc_reg_read(uc, UC_ARM_REG_D0 + (int)i, &s->fp[i]);
}

static void core_state_write(uc_engine *uc, const struct core_state *s)
{
    uint32_t handler = 0x0100000Fu;     /* privileged: all registers can be written */
    uc_reg_write(uc, UC_ARM_REG_XPSR, &handler);
    for (uint32_t i = 0; i < 7; i++)
        uc_reg_write(uc, SYSTEM[i], &s->system[i]);
    uc_reg_write(uc, UC_ARM_REG_XPSR, &s->core[CORE_XPSR]);
    uc_reg_write(uc, UC_ARM_REG_APSR_G, &s->core[CORE_XPSR]);
    for (uint32_t i = 0; i < CORE_PC; i++)
        uc_reg_write(uc, CORE_REGISTER[i], &s->core[i]);
    for (uint32_t i = 0; i < 16; i++)
        uc_reg_write(uc, UC_ARM_REG_D0 + (int)i, &s->fp[i]);
}

void witness_stop(struct witness *w, enum refusal why)
{
    if (!w->why)
        w->why = why;
    uc_emu_stop(w->uc);
}

/* --- what unicorn calls ---------------------------------------------------------------------------------------------------------------*/

static uint32_t step_number(uint32_t address) { return flash_offset(address) >> 1; }

static void on_step(uc_engine *uc, uint64_t address64, uint32_t size, void *user)
{
    struct machine *m = user;
    struct witness *w = m->witness;
    struct step *s = &w->steps[step_number((uint32_t)address64)];
    (void)uc, (void)size;
    if (s->kind == STEP_UNKNOWN)
        m->describe((uint32_t)address64, s);
    if (s->kind == STEP_UNKNOWN) {
        witness_stop(w, REFUSED_RERUN);
        return;
    }
    w->address = (uint32_t)address64;
    w->step = s;
    follow_step(w);
}

static void on_block(uc_engine *uc, uint64_t address64, uint32_t size, void *user)
{
    struct machine *m = user;
    struct witness *w = m->witness;
    uint32_t address = (uint32_t)address64, number = step_number(address);
    (void)uc;
    if (address == w->first && w->blocks) {
        w->arrived = true;
        uc_emu_stop(w->uc);
        return;
    }
    follow_block(w, address);
    w->block = address;
    w->block_size = size;
    if (w->blocks++ >= w->limit || !in_flash(address))
        witness_stop(w, REFUSED_RERUN);
    else if (UNLIKELY(w->mask || w->flags) && !w->trial && !(w->stepped[number >> 3] >> (number & 7u) & 1u)) {
        w->unseen = true;
        uc_emu_stop(w->uc);
    }
}

static uint64_t on_page_read(uc_engine *uc, uint64_t offset, unsigned size, void *user)
{
    const struct watched_page *page = user;
    struct witness *w = page->m->witness;
    uint32_t address = page->base + (uint32_t)offset, value = 0;
    clear_stale_it_bits(uc);
    memcpy(&value, w->ram + (address - SRAM_BASE), size < 4u ? size : 4u);
    follow_read(w, address, size);
    if (w->unseen)
        uc_emu_stop(uc);
    return value;
}

static void on_page_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value64, void *user)
{
    const struct watched_page *page = user;
    struct witness *w = page->m->witness;
    uint32_t address = page->base + (uint32_t)offset, value = (uint32_t)value64;
    clear_stale_it_bits(uc);
    memcpy(w->ram + (address - SRAM_BASE), &value, size < 4u ? size : 4u);
    follow_write(w, address, size);
}

/* --- memory ---------------------------------------------------------------------------------------------------------------------------*/

static bool add_range(struct witness *w, uint32_t base, uint32_t end, struct watched_page *page)
{
    uc_err error;
    if (base == end)
        return true;
    error = page ? uc_mmio_map(w->uc, base, PAGE, on_page_read, page, on_page_write, page)
                 : uc_mem_map_ptr(w->uc, base, end - base, UC_PROT_READ | UC_PROT_WRITE, w->ram + (base - SRAM_BASE));
    w->range_base[w->range_count] = base;
    w->range_size[w->range_count] = end - base;
    w->range_count += error == UC_ERR_OK;
    return error == UC_ERR_OK;
}

/* The pages are in the order of their addresses. Aliases and RAM apart from the largest piece are not there: an access to them ends the run. */
static bool map_ram(struct machine *m, const uint32_t *bases, uint32_t count)
{
    struct witness *w = m->witness;
    uint32_t at = SRAM_BASE;
    bool same = w->range_count && w->page_count == count;
    for (uint32_t i = 0; i < count; i++)
        same = same && w->pages[i].base == bases[i];
    if (same)
        return true;
    while (w->range_count) {
        w->range_count--;
        uc_mem_unmap(w->uc, w->range_base[w->range_count], w->range_size[w->range_count]);
    }
    for (w->page_count = 0; w->page_count < count; w->page_count++) {
        struct watched_page *page = &w->pages[w->page_count];
        *page = (struct watched_page){m, bases[w->page_count]};
        if (!add_range(w, at, page->base, NULL) || !add_range(w, page->base, page->base + PAGE, page))
            return false;
        at = page->base + PAGE;
    }
    return add_range(w, at, SRAM_BASE + SRAM_SIZE, NULL);
}

static bool add_page(uint32_t *bases, uint32_t *count, uint32_t address)
{
    uint32_t base = address & ~(PAGE - 1u), at = *count;
    if (base - SRAM_BASE >= SRAM_SIZE)
        return true;
    for (uint32_t i = 0; i < *count; i++)
        if (bases[i] == base)
            return true;
    if (*count == MAX_WATCHED_PAGES)
        return false;
    for (; at && bases[at - 1u] > base; at--)
        bases[at] = bases[at - 1u];
    bases[at] = base;
    (*count)++;
    return true;
}

static bool watch_pages(struct machine *m, const struct core_state *state, const struct stride *strides, uint32_t count)
{
    uint32_t bases[MAX_WATCHED_PAGES], pages = 0;
    bool room = add_page(bases, &pages, state->core[CORE_SP]) && add_page(bases, &pages, state->core[CORE_SP] - STACK_WATCHED);
    for (uint32_t i = 0; room && i < count; i++)
        room = strides[i].where < 16u || add_page(bases, &pages, strides[i].where);
    return room && map_ram(m, bases, pages);
}

/* --- life -----------------------------------------------------------------------------------------------------------------------------*/

static bool map_code(struct machine *m, struct witness *w)
{
    const uint32_t read_execute = UC_PROT_READ | UC_PROT_EXEC;
    uc_hook hook;
#define X(start) && uc_mem_map_ptr(w->uc, start, FLASH_SIZE, read_execute, m->flash) == UC_ERR_OK
    return true FLASH_WINDOWS(X) &&
           uc_hook_add(w->uc, &hook, UC_HOOK_BLOCK, (void *)on_block, m, 1, 0) == UC_ERR_OK;
#undef X
}

static bool open_witness(struct machine *m)
{
    struct witness *w = m->witness;
    if (w)
        return w->uc != NULL;
    w = m->witness = calloc(1, sizeof *w);
    if (!w)
        return false;
    w->ram = aligned_alloc(0x10000, SRAM_SIZE);
    w->steps = calloc(STEPS, sizeof *w->steps);
    w->stepped = calloc(STEPS / 8u, 1);
    if (!w->ram || !w->steps || !w->stepped)
        return false;
    if (open_core(&w->uc, PAGE) && uc_ctl_set_tcg_buffer_size(w->uc, CODE_BUFFER) == UC_ERR_OK && map_code(m, w))
        return true;
    if (w->uc)
        uc_close(w->uc);
    w->uc = NULL;
    return false;
}

void witness_free(struct machine *m)
{
    struct witness *w = m->witness;
    if (!w)
        return;
    if (w->uc)
        uc_close(w->uc);
    free(w->ram), free(w->steps), free(w->stepped), free(w);
    m->witness = NULL;
}

/* --- runs -----------------------------------------------------------------------------------------------------------------------------*/

static void add_to_word(struct witness *w, uint32_t address, uint32_t amount)
{
    uint32_t value;
    memcpy(&value, w->ram + (address - SRAM_BASE), 4);
    value += amount;
    memcpy(w->ram + (address - SRAM_BASE), &value, 4);
}

static uc_err run(struct witness *w, uint32_t address, uint64_t limit)
{
    w->blocks = 0;
    w->limit = limit;
    w->step = NULL;
    w->it_end = w->branch = w->moved = 0;
    w->arrived = w->unseen = false;
    w->why = REFUSED_NOT;
    return uc_emu_start(w->uc, address | 1u, 0xFFFFFFFEu, 0, 0);
}

static bool ends_as_expected(struct machine *m, struct witness *w, struct core_state *state, const struct stride *strides, uint32_t count)
{
    struct core_state end;
    uint32_t found = 0;
    core_state_read(w->uc, &end);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t where = strides[i].where, by = strides[i].by;
        if (where < 16u) {
            state->core[where] += (w->shift + 1u) * by;
            found += stride_of(w, where) == by;
            continue;
        }
        add_to_word(w, where, 0u - (w->shift + 1u) * by);
        for (uint32_t k = 0; k < w->word_count; k++)
            found += w->words[k].address == where && w->words[k].by == by;
    }
    return found == count && found == (uint32_t)__builtin_popcount(w->mask) + w->word_count &&
           !memcmp(end.core, state->core, CORE_PC * sizeof *end.core) && !memcmp(end.system, state->system, sizeof end.system) &&
           !memcmp(end.fp, state->fp, sizeof end.fp) && !memcmp(w->ram, m->sram, SRAM_SIZE);
}

static void prepare(struct machine *m, struct core_state *begin, const struct stride *strides, uint32_t count)
{
    struct witness *w = m->witness;
    w->mask = w->word_count = w->exits = w->comparable = 0;
    w->flags = FLAGS;               /* of the loop's own comparison */
    w->trial = false;
    w->guards = m->steady.guards;
    w->in_callee = true;
    w->first = begin->core[CORE_PC] & ~1u;
    w->home = begin->core[14] & ~1u;
    memcpy(w->ram, m->sram, SRAM_SIZE);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t where = strides[i].where, amount = w->shift * strides[i].by;
        if (where < 16u) {
            begin->core[where] += amount;
            follow_register(w, where, strides[i].by);
        } else {
            add_to_word(w, where, amount);
            w->words[w->word_count++] = (struct followed){where, strides[i].by};
        }
    }
    core_state_write(w->uc, begin);
}

/* From now on the instructions of the present block are followed, too. */
static bool follow_this_block(struct machine *m, struct witness *w)
{
    uint32_t number = step_number(w->block);
    uc_hook hook;
    if (w->hooks == MOST_HOOKS || w->stepped[number >> 3] >> (number & 7u) & 1u ||
        uc_hook_add(w->uc, &hook, UC_HOOK_CODE, (void *)on_step, m, w->block, w->block + w->block_size - 1u) != UC_ERR_OK)
        return false;
    w->stepped[number >> 3] |= (uint8_t)(1u << (number & 7u));
    w->hooks++;
    uc_ctl_flush_tb(w->uc);
    return true;
}

static enum refusal iteration(struct machine *m, const struct core_state *state, const struct stride *strides, uint32_t count, uint64_t limit)
{
    struct witness *w = m->witness;
    struct core_state expected = *state;
    uc_err error;
    do {
        struct core_state begin = *state;
        prepare(m, &begin, strides, count);
        error = run(w, w->first, limit);
    } while (w->unseen && !w->why && follow_this_block(m, w));
    if (w->why)
        return w->why;
    if (w->unseen || error != UC_ERR_OK || !w->arrived || !ends_as_expected(m, w, &expected, strides, count))
        return REFUSED_RERUN;
    return w->exits == 1u || (w->exits && !(w->guards & GUARD_LOOP)) ? REFUSED_NOT : REFUSED_EXITS;
}

/* Follows the strides through the iteration that begins in this state. What decides the loop's end is for iteration 0. */
enum refusal witness_iteration(struct machine *m, const struct core_state *state, const struct stride *strides, uint32_t count,
                               uint64_t instructions, struct loop_exit *exit)
{
    static const uint32_t SHIFTS[2] = {0u - FAR_AWAY, NEAR};
    enum refusal why = REFUSED_STATE;
    if (!instructions || instructions > MOST_INSTRUCTIONS || !open_witness(m) || !watch_pages(m, state, strides, count))
        return REFUSED_STATE;
    for (uint32_t i = 0; i < 2u; i++) {
        m->witness->shift = SHIFTS[i];
        why = iteration(m, state, strides, count, instructions);
        if (why != REFUSED_RERUN)
            break;
    }
    if (why == REFUSED_NOT) {
        const struct witness *w = m->witness;
        *exit = w->exit;
        exit->left -= w->shift * exit->left_by;
        exit->right -= w->shift * exit->right_by;
    }
    return why;
}

/* From the comparison on, as in another iteration. True if the loop comes back; *ends: it went on to a peripheral. */
static bool comes_back(struct witness *w, uint32_t iteration, bool *ends)
{
    struct core_state state = w->turn.state;
    uint32_t shift = iteration - w->shift;
    uc_err error;
    for (uint32_t i = 0; i < 16u; i++)
        if (w->turn.mask >> i & 1u)
            state.core[i] += shift * w->turn.by[i];
    for (uint32_t i = 0; i < w->turn.word_count; i++) {
        uint32_t value = w->turn.values[i] + shift * w->turn.words[i].by;
        memcpy(w->ram + (w->turn.words[i].address - SRAM_BASE), &value, 4);
    }
    core_state_write(w->uc, &state);
    w->trial = true;
    w->mask = w->word_count = w->flags = 0;
    error = run(w, w->turn.state.core[CORE_PC], END_BLOCKS);
    *ends = !w->why && !w->arrived && (error == UC_ERR_READ_UNMAPPED || error == UC_ERR_WRITE_UNMAPPED);
    return !w->why && w->arrived && error == UC_ERR_OK;
}

/* After witness_iteration(): does the loop end in this iteration, and not in the one before? */
enum refusal witness_end(struct machine *m, uint32_t last)
{
    bool ends;
    if (!comes_back(m->witness, last - 1u, &ends))
        return REFUSED_END;
    return !comes_back(m->witness, last, &ends) && ends ? REFUSED_NOT : REFUSED_END;
}
