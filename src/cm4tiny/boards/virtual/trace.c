// SPDX-License-Identifier: Apache-2.0
/* Tracing the callees of one function, the root: the function of an engine that calls one layer after the other.
 *
 * A segment begins when execution leaves the root's range for a callee and ends when it comes back with the same stack pointer, or, after
 * a tail call, when it reaches the root's own return address. Everything between, whatever it calls, belongs to the segment: a root that
 * is called again from inside does so with a lower stack pointer. What runs in the range itself is the root's own. Exception handlers
 * that break in are kept apart. Costs are differences of the machine's counters at the block where the owner changes, so the parts of a
 * call add up to the call exactly.
 *
 * While no trace is on nothing of this runs: the block hook is another one, and there is no hook on RAM.
 * tests/support/trace_witness.py is the same in Python, as an independent witness.
 */
#include "core.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define MAX_SEGMENTS 4096u          /* a root that calls more often is not one */
#define MAX_FUNCTIONS 65535u
#define MAX_CELL_BYTES (1ull << 29) /* of all segments' costs by function */
#define MAX_PAINTED (1u << 26)      /* halfwords that functions cover, where they overlap more than once */
#define NO_SEGMENT UINT32_MAX

enum trace_state { OUTSIDE, IN_ROOT, IN_CALLEE };

/* Which bytes were used: one map entry per byte, per halfword for code. */
struct footprint { uint8_t *code, *data, *ram; };

struct traced { struct trace_segment record; struct trace_cost *cells; };

struct trace {
    bool on, overflow;
    enum trace_state state;
    uint32_t root, root_size, calls, active_count;
    uint32_t return_address, entry_sp, callee_sp;
    struct trace_cost begin, mark;
    uint64_t instructions;
    struct traced *segments;
    uint32_t segment_count, segment_room;
    uint32_t whole, own, callee, interrupt;     /* segments of the present call */
    uint32_t segment, function;                 /* who is charged */
    struct footprint in_call, in_own, in_callee;
    uint16_t *function_of;                      /* by halfword of flash, then of SRAM; 0: no symbol */
    uint32_t functions;
    uc_hook ram_hooks[RAM_WINDOW_COUNT];
};

/* --- footprints ---------------------------------------------------------------------------------------------------------------------*/

static bool footprint_make(struct footprint *f)
{
    f->code = calloc(FLASH_SIZE / 2, 1);
    f->data = calloc(FLASH_SIZE, 1);
    f->ram = calloc(RAM_BYTES, 1);
    return f->code && f->data && f->ram;
}

static void footprint_clear(struct footprint *f)
{
    memset(f->code, 0, FLASH_SIZE / 2);
    memset(f->data, 0, FLASH_SIZE);
    memset(f->ram, 0, RAM_BYTES);
}

static void footprint_free(struct footprint *f)
{
    free(f->code), free(f->data), free(f->ram);
}

static uint64_t marks(const uint8_t *map, uint32_t size)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < size; i++)
        count += map[i];
    return count;
}

static void footprint_count(const struct footprint *f, struct trace_segment *s)
{
    s->code_bytes = 2 * marks(f->code, FLASH_SIZE / 2);
    s->data_bytes = marks(f->data, FLASH_SIZE);
    s->ram_bytes = marks(f->ram, RAM_BYTES);
}

/* Where the present segment marks what it uses; NULL in an exception handler. */
static struct footprint *footprint_here(struct trace *t)
{
    if (t->segment == t->own)
        return &t->in_own;
    return t->segment == t->callee ? &t->in_callee : NULL;
}

#define X(start, size, offset) {start, size},
static const struct { uint32_t start, size; } RAM[RAM_WINDOW_COUNT] = {RAM_WINDOWS(X)};
#undef X

static void mark(struct trace *t, size_t member, uint32_t from, uint32_t count)
{
    struct footprint *here = footprint_here(t);
    if (t->state == OUTSIDE || !here)
        return;
    memset(*(uint8_t **)((char *)here + member) + from, 1, count);
    memset(*(uint8_t **)((char *)&t->in_call + member) + from, 1, count);
}

static void on_ram_access(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value, void *user)
{
    struct machine *m = user;
    uint32_t offset = ram_offset((uint32_t)address);
    (void)type, (void)value;
    clear_stale_it_bits(uc);
    if (offset < RAM_BYTES && (uint32_t)size <= RAM_BYTES - offset)
        mark(m->trace, offsetof(struct footprint, ram), offset, (uint32_t)size);
}

void trace_flash_read(struct machine *m, uint32_t offset, uint32_t size)
{
    if (m->trace->on && size <= FLASH_SIZE - offset)
        mark(m->trace, offsetof(struct footprint, data), offset, size);
}

/* --- costs ----------------------------------------------------------------------------------------------------------------------------*/

static struct trace_cost counters(const struct machine *m)
{
    return (struct trace_cost){m->ticks,         m->trace->instructions,  m->icache_misses,
                               m->dcache_misses, m->icache_stall_ticks, m->dcache_stall_ticks};
}

static struct trace_cost difference(struct trace_cost a, const struct trace_cost *b)
{
    a.ticks -= b->ticks, a.instructions -= b->instructions;
    a.icache_misses -= b->icache_misses, a.dcache_misses -= b->dcache_misses;
    a.icache_stall_ticks -= b->icache_stall_ticks, a.dcache_stall_ticks -= b->dcache_stall_ticks;
    return a;
}

static void add(struct trace_cost *to, const struct trace_cost *c)
{
    to->ticks += c->ticks, to->instructions += c->instructions;
    to->icache_misses += c->icache_misses, to->dcache_misses += c->dcache_misses;
    to->icache_stall_ticks += c->icache_stall_ticks, to->dcache_stall_ticks += c->dcache_stall_ticks;
}

/* What was spent since the last change of owner goes to the present one. */
static void charge(struct machine *m)
{
    struct trace *t = m->trace;
    struct trace_cost now = counters(m), spent = difference(now, &t->mark);
    add(&t->segments[t->segment].record.cost, &spent);
    add(&t->segments[t->segment].cells[t->function], &spent);
    t->mark = now;
}

static uint32_t function_at(const struct trace *t, uint32_t address)
{
    if (address - FLASH_BASE < FLASH_SIZE)
        return t->function_of[(address - FLASH_BASE) / 2];
    if (ram_offset(address) < RAM_BYTES)
        return t->function_of[FLASH_SIZE / 2 + ram_offset(address) / 2];
    return 0;
}

static void switch_to(struct machine *m, uint32_t segment, uint32_t function)
{
    struct trace *t = m->trace;
    if (segment == t->segment && function == t->function)
        return;
    charge(m);
    t->segment = segment;
    t->function = function;
}

/* The segment's number, or NO_SEGMENT: there are too many, or they need too much memory. */
static uint32_t new_segment(struct machine *m, enum trace_kind kind, uint32_t address)
{
    struct trace *t = m->trace;
    struct trace_cost *cells = NULL;
    bool room = t->segment_count < MAX_SEGMENTS && (t->segment_count + 1ull) * (t->functions + 1ull) * sizeof *cells <= MAX_CELL_BYTES;
    if (room && grow(m, &t->segments, t->segment_count, &t->segment_room, sizeof *t->segments))
        cells = calloc(t->functions + 1u, sizeof *cells);
    if (!cells) {
        t->overflow = true;
        return NO_SEGMENT;
    }
    t->segments[t->segment_count] = (struct traced){.record = {.call = t->calls, .kind = kind, .address = address}, .cells = cells};
    return t->segment_count++;
}

/* --- calls and segments --------------------------------------------------------------------------------------------------------*/

static uint32_t canonical(uint32_t address)
{
    return in_flash(address) ? flash_offset(address) + FLASH_BASE : address;
}

static void begin_call(struct machine *m)
{
    struct trace *t = m->trace;
    t->calls++;
    t->whole = new_segment(m, TRACE_WHOLE, t->root);
    t->own = new_segment(m, TRACE_OWN, t->root);
    if (t->own == NO_SEGMENT)
        return;                     /* this call is not traced, and the trace says that something is missing */
    t->callee = t->interrupt = NO_SEGMENT;
    t->active_count = m->exceptions.active_count;
    t->return_address = canonical(read_register(m, UC_ARM_REG_LR) & ~1u);
    t->entry_sp = read_register(m, UC_ARM_REG_SP);
    footprint_clear(&t->in_call);
    footprint_clear(&t->in_own);
    t->begin = t->mark = counters(m);
    t->segment = t->own;
    t->state = IN_ROOT;
}

static void begin_callee(struct machine *m, uint32_t address)
{
    struct trace *t = m->trace;
    uint32_t segment = new_segment(m, TRACE_CALLEE, address);
    if (segment == NO_SEGMENT)
        return;                     /* goes on as the root's own */
    t->callee = segment;
    t->callee_sp = read_register(m, UC_ARM_REG_SP);
    footprint_clear(&t->in_callee);
    t->state = IN_CALLEE;
}

static void end_callee(struct machine *m)
{
    struct trace *t = m->trace;
    footprint_count(&t->in_callee, &t->segments[t->callee].record);
    t->state = IN_ROOT;
}

static void end_call(struct machine *m)
{
    struct trace *t = m->trace;
    struct trace_segment *whole = &t->segments[t->whole].record;
    charge(m);
    whole->cost = difference(t->mark, &t->begin);
    whole->complete = 1;
    footprint_count(&t->in_call, whole);
    footprint_count(&t->in_own, &t->segments[t->own].record);
    t->state = OUTSIDE;
}

static void step(struct machine *m, uint32_t address)
{
    struct trace *t = m->trace;
    bool inside = address - t->root < t->root_size;
    bool returned = address == t->return_address && read_register(m, UC_ARM_REG_SP) == t->entry_sp;
    if (t->state == IN_CALLEE && (returned || (inside && read_register(m, UC_ARM_REG_SP) == t->callee_sp)))
        end_callee(m);
    if (t->state == IN_ROOT && !inside) {
        if (returned)
            end_call(m);
        else
            begin_callee(m, address);
    }
}

void trace_before_block(struct machine *m, uint32_t block_address)
{
    struct trace *t = m->trace;
    uint32_t address = canonical(block_address);
    bool interrupted = false;
    if (t->state == OUTSIDE) {
        if (address != t->root)
            return;
        begin_call(m);
        if (t->state == OUTSIDE)
            return;
        t->function = function_at(t, address);
    } else if (m->exceptions.active_count > t->active_count) {
        interrupted = true;
        if (t->interrupt == NO_SEGMENT)
            t->interrupt = new_segment(m, TRACE_INTERRUPT, address);
        if (t->interrupt == NO_SEGMENT)
            return;                 /* charged to whom it interrupts */
    } else {
        step(m, address);
    }
    if (t->state != OUTSIDE)
        switch_to(m, interrupted ? t->interrupt : t->state == IN_ROOT ? t->own : t->callee, function_at(t, address));
}

void trace_after_block(struct machine *m, uint32_t block_address, uint32_t size)
{
    struct trace *t = m->trace;
    uint32_t address = canonical(block_address);
    t->instructions += m->current->instructions;
    if (address - FLASH_BASE < FLASH_SIZE && size <= FLASH_SIZE - (address - FLASH_BASE))
        mark(t, offsetof(struct footprint, code), (address - FLASH_BASE) / 2, size / 2);
    else if (ram_offset(address) < RAM_BYTES && size <= RAM_BYTES - ram_offset(address))
        mark(t, offsetof(struct footprint, ram), ram_offset(address), size);
}

/* A reset: the call that was going on will not return. */
void trace_abandon(struct machine *m)
{
    if (m->trace)
        m->trace->state = OUTSIDE;
}

/* --- what the host asks --------------------------------------------------------------------------------------------------------*/

void trace_free(struct machine *m)
{
    struct trace *t = m->trace;
    if (!t)
        return;
    for (uint32_t i = 0; i < t->segment_count; i++)
        free(t->segments[i].cells);
    footprint_free(&t->in_call), footprint_free(&t->in_own), footprint_free(&t->in_callee);
    free(t->segments), free(t->function_of), free(t);
    m->trace = NULL;
}

static struct trace *trace_make(const uint32_t *starts, const uint32_t *sizes, uint32_t functions)
{
    struct trace *t = calloc(1, sizeof *t);
    uint64_t painted = 0;
    if (!t)
        return NULL;
    t->functions = functions;
    t->function_of = calloc(FLASH_SIZE / 2 + RAM_BYTES / 2, sizeof *t->function_of);
    if (!footprint_make(&t->in_call) || !footprint_make(&t->in_own) || !footprint_make(&t->in_callee) || !t->function_of)
        return t;
    for (uint32_t i = 0; i < functions; i++) {
        uint32_t size = sizes[i] < FLASH_SIZE ? sizes[i] : FLASH_SIZE;
        painted += size / 2u;
        if (painted > MAX_PAINTED)
            return t;
        for (uint32_t at = starts[i]; at - starts[i] < size; at += 2) {
            if (at - FLASH_BASE < FLASH_SIZE)
                t->function_of[(at - FLASH_BASE) / 2] = (uint16_t)(i + 1);
            else if (ram_offset(at) < RAM_BYTES)
                t->function_of[FLASH_SIZE / 2 + ram_offset(at) / 2] = (uint16_t)(i + 1);
        }
    }
    t->on = true;
    return t;
}

EXPORT int cm4_trace_start(struct machine *m, uint32_t root, uint32_t size, const uint32_t *starts, const uint32_t *sizes,
                           uint32_t functions)
{
    if (!m->constants.exact || functions > MAX_FUNCTIONS || (m->trace && m->trace->on))
        return -1;
    trace_free(m);
    m->trace = trace_make(starts, sizes, functions);
    if (!m->trace || !m->trace->on) {
        trace_free(m);
        return -1;
    }
    m->trace->root = root;
    m->trace->root_size = size;
    timing_trace(m, true);
    for (uint32_t i = 0; i < RAM_WINDOW_COUNT; i++)
        uc_hook_add(m->uc, &m->trace->ram_hooks[i], UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, (void *)on_ram_access, m, RAM[i].start,
                    RAM[i].start + RAM[i].size - 1u);
    return 0;
}

/* The records stay until the next trace. */
EXPORT void cm4_trace_stop(struct machine *m)
{
    if (!m->trace || !m->trace->on)
        return;
    m->trace->on = false;
    for (uint32_t i = 0; i < RAM_WINDOW_COUNT; i++)
        uc_hook_del(m->uc, m->trace->ram_hooks[i]);
    timing_trace(m, false);
}

EXPORT int cm4_trace_overflow(const struct machine *m) { return m->trace && m->trace->overflow; }

EXPORT uint32_t cm4_trace_segments(const struct machine *m, uint32_t from, struct trace_segment *out, uint32_t room)
{
    uint32_t count = 0;
    for (uint32_t i = from; m->trace && i < m->trace->segment_count && count < room; i++)
        out[count++] = m->trace->segments[i].record;
    return count;
}

/* Costs by function within one segment; room for all functions and "no symbol" (0). */
EXPORT uint32_t cm4_trace_cells(const struct machine *m, uint32_t segment, struct trace_cell *out)
{
    uint32_t count = 0;
    if (!m->trace || segment >= m->trace->segment_count)
        return 0;
    for (uint32_t i = 0; i <= m->trace->functions; i++)
        if (m->trace->segments[segment].cells[i].instructions || m->trace->segments[segment].cells[i].ticks)
            out[count++] = (struct trace_cell){.function = i, .cost = m->trace->segments[segment].cells[i]};
    return count;
}
