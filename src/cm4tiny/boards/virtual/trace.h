// SPDX-License-Identifier: Apache-2.0
/* Tracing the callees of one function: what the layers of a model cost. See trace.c. */
#ifndef CM4TINY_TRACE_H
#define CM4TINY_TRACE_H

struct trace_cost { uint64_t ticks, instructions, icache_misses, dcache_misses, icache_stall_ticks, dcache_stall_ticks; };

enum trace_kind { TRACE_WHOLE, TRACE_OWN, TRACE_CALLEE, TRACE_INTERRUPT };

/* Of one call of the root: all of it, what ran in the root itself, one callee, or all exception handlers that broke in. */
struct trace_segment {
    uint32_t call, kind, address, complete;     /* complete: the root returned (of TRACE_WHOLE only) */
    struct trace_cost cost;
    uint64_t code_bytes, data_bytes, ram_bytes; /* distinct bytes: of flash run as code, of flash read as data, of RAM used */
};

struct trace_cell { uint32_t function, unused; struct trace_cost cost; };

void trace_before_block(struct machine *m, uint32_t address);
void trace_after_block(struct machine *m, uint32_t address, uint32_t size);
void trace_flash_read(struct machine *m, uint32_t offset, uint32_t size);
void trace_abandon(struct machine *m);
void trace_free(struct machine *m);

#endif
