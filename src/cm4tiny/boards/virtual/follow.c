// SPDX-License-Identifier: Apache-2.0
/* What the witness makes of each instruction: see witness.c.
 *
 * A value with a stride is a + t * stride in iteration t. Copies, sums and differences of such values are such values again. They may be kept in
 * registers and in words of RAM. No other instruction may read one, so no address, operand or flag follows from the counter, but the flags
 * of the one comparison that the loop's end hangs on.
 */
#include "core.h"
#include "follow.h"

#include <string.h>

enum condition { EQ, NE, CS, CC, MI, PL, VS, VC, HI, LS, GE, LT, GT, LE, IF_ZERO, IF_NOT_ZERO };

/* --- the loop's end -------------------------------------------------------------------------------------------------------------------*/

static bool holds(uint32_t condition, uint32_t left, uint32_t right)
{
    uint32_t result = left - right;
    bool n = result >> 31, z = result == 0, c = left >= right, v = ((left ^ right) & (left ^ result)) >> 31;
    switch (condition) {
    case EQ: case IF_ZERO: return z;
    case NE: case IF_NOT_ZERO: return !z;
    case CS: return c;
    case CC: return !c;
    case MI: return n;
    case PL: return !n;
    case VS: return v;
    case VC: return !v;
    case HI: return c && !z;
    case LS: return !c || z;
    case GE: return n == v;
    case LT: return n != v;
    case GT: return !z && n == v;
    default: return z || n != v;
    }
}

bool exit_goes_on(const struct loop_exit *e, uint32_t iteration)
{
    return holds(e->condition, e->left + iteration * e->left_by, e->right + iteration * e->right_by) == e->taken;
}

/* --- registers ------------------------------------------------------------------------------------------------------------------------*/

uint32_t stride_of(const struct witness *w, uint32_t number) { return number < 16u && w->mask >> number & 1u ? w->by[number] : 0; }

void follow_register(struct witness *w, uint32_t number, uint32_t by)
{
    w->mask &= ~(1u << number);
    if (by) {
        w->mask |= 1u << number;
        w->by[number] = by;
    }
}

/* The loop's own code, or what it calls, does something with the counter that would have to be known. */
static void used(struct witness *w)
{
    if (!w->trial && w->guards & (w->in_callee ? GUARD_CALLEE : GUARD_LOOP))
        witness_stop(w, w->in_callee ? REFUSED_CALLEE_USES_COUNTER : REFUSED_USES_COUNTER);
}

static uint32_t value_of(struct witness *w, uint32_t number)
{
    uint32_t value = 0;
    uc_reg_read(w->uc, CORE_REGISTER[number], &value);
    return value;
}

static void remember(struct witness *w)
{
    struct turning_point *t = &w->here;
    core_state_read(w->uc, &t->state);
    t->state.core[CORE_PC] = w->address;
    t->mask = w->mask;
    memcpy(t->by, w->by, sizeof t->by);
    memcpy(t->words, w->words, sizeof t->words);
    t->word_count = w->word_count;
    for (uint32_t i = 0; i < t->word_count; i++)
        memcpy(&t->values[i], w->ram + (t->words[i].address - SRAM_BASE), 4);
}

/* The sum or difference of two registers, or of one and a constant. The values are those before the instruction. */
static void compute(struct witness *w, const struct step *s, bool in_it_block)
{
    uint32_t left_by = stride_of(w, s->first), right_by = stride_of(w, s->second);
    uint32_t right = s->second == NO_REGISTER ? s->constant : value_of(w, s->second);
    if (s->flag_writes && (left_by || right_by)) {      /* in an IT block perhaps not, but then nothing is lost */
        bool sum = s->kind == STEP_ADD;     /* a + b is zero or negative when a - -b is */
        w->compared = (struct loop_exit){value_of(w, s->first), left_by, sum ? 0u - right : right, sum ? 0u - right_by : right_by, 0, false};
        w->comparable = in_it_block || w->flags & ~(uint32_t)s->flag_writes ? 0 : s->kind == STEP_SUB ? FLAGS : FLAG_N | FLAG_Z;
        w->flags |= s->flag_writes;
        remember(w);
    }
    if (s->result < 16u)
        follow_register(w, s->result, s->kind == STEP_SUB ? left_by - right_by : left_by + right_by);
}

static void branch_on(struct witness *w, const struct step *s)
{
    if (s->kind == STEP_COMPARE_BRANCH) {
        w->compared = (struct loop_exit){value_of(w, s->first), stride_of(w, s->first), 0, 0, 0, false};
        w->comparable = FLAGS;
        remember(w);
    }
    if (w->in_callee || s->flag_reads & ~w->comparable || !w->comparable)
        used(w);
    if (w->in_callee)
        return;
    w->exit = w->compared;
    w->exit.condition = s->condition;
    w->turn = w->here;
    w->branch = w->address + s->size;
    w->exits++;
}

static void look_at_flags(struct witness *w, const struct step *s, bool in_it_block)
{
    if (w->flags & s->flag_reads) {
        if (s->kind == STEP_BRANCH)
            branch_on(w, s);
        else
            used(w);
    }
    if (!in_it_block)
        w->flags &= ~(uint32_t)s->flag_writes;
}

static void look_at_registers(struct witness *w, const struct step *s, bool in_it_block)
{
    switch (s->kind) {
    case STEP_MOVE: case STEP_ADD: case STEP_SUB: compute(w, s, in_it_block); return;
    case STEP_COMPARE_BRANCH: branch_on(w, s); return;
    default:
        if (w->mask & s->reads)
            used(w);
        w->mask &= ~(s->kind == STEP_STORE ? s->writes & ~(uint32_t)s->moved : s->writes);
    }
}

/* Just before the instruction w->step at w->address. */
void follow_step(struct witness *w)
{
    const struct step *s = w->step;
    bool in_it_block = w->address < w->it_end;
    w->moved = s->moved;
    if (w->flags)
        look_at_flags(w, s, in_it_block);
    if (s->kind == STEP_IT)
        w->it_end = w->address + s->size + 4u * s->covers;     /* at most */
    if (w->mask & (s->reads | s->writes | s->moved))
        look_at_registers(w, s, in_it_block);
}

/* A block begins. */
void follow_block(struct witness *w, uint32_t address)
{
    if (w->branch) {
        w->exit.taken = address != w->branch;
        w->branch = 0;
    }
    if (address == w->home)
        w->in_callee = false;
    w->step = NULL;
    w->it_end = 0;
}

/* --- memory -----------------------------------------------------------------------------------------------------------------------------*/

static uint32_t take_moved(struct witness *w, enum step_kind kind, uint32_t size)
{
    uint32_t number = 16u;
    if (w->step && w->step->kind == kind && size == 4u && w->moved) {
        number = (uint32_t)__builtin_ctz(w->moved);
        w->moved &= w->moved - 1u;
    }
    return number;
}

static bool overlaps(uint32_t address, uint32_t size, uint32_t word) { return address + size > word && address < word + 4u; }

void follow_read(struct witness *w, uint32_t address, uint32_t size)
{
    uint32_t number = take_moved(w, STEP_LOAD, size);
    for (uint32_t i = 0; i < w->word_count; i++) {
        if (!overlaps(address, size, w->words[i].address))
            continue;
        if (!w->step)
            w->unseen = true;
        else if (address == w->words[i].address && number < CORE_SP)
            follow_register(w, number, w->words[i].by);
        else
            used(w);
    }
}

void follow_write(struct witness *w, uint32_t address, uint32_t size)
{
    uint32_t by = stride_of(w, take_moved(w, STEP_STORE, size));
    for (uint32_t i = 0; i < w->word_count; i++) {
        if (!overlaps(address, size, w->words[i].address))
            continue;
        if (address > w->words[i].address || address + size < w->words[i].address + 4u)
            used(w);                /* a part of it */
        w->words[i--] = w->words[--w->word_count];
    }
    if (!by)
        return;
    if (address & 3u || w->word_count == MAX_FOLLOWED)
        used(w);
    else
        w->words[w->word_count++] = (struct followed){address, by};
}
