// SPDX-License-Identifier: Apache-2.0
/* The structures that the host's Python shares with this library: their sizes, compared when the library is loaded.
 *
 * LAYOUT_VERSION counts changes that leave the sizes as they are: fields that swap their places or their meanings.
 */
#include "core.h"

#define EXPORT __attribute__((visibility("default")))
#define LAYOUT_VERSION 1u

static const struct { const char *name; uint32_t size; } SHARED[] = {
    {"timing_constants", sizeof(struct timing_constants)},
    {"block_access", sizeof(struct block_access)},
    {"block_facts", sizeof(struct block_facts)},
    {"fault", sizeof(struct fault)},
    {"note", sizeof(struct note)},
    {"clock_change", sizeof(struct clock_change)},
    {"setting_change", sizeof(struct setting_change)},
    {"span", sizeof(struct span)},
    {"pin_change", sizeof(struct pin_change)},
    {"statistics", sizeof(struct statistics)},
    {"clock_gate", sizeof(struct clock_gate)},
    {"pin_function", sizeof(struct pin_function)},
    {"broken_rule", sizeof(struct broken_rule)},
    {"trace_cost", sizeof(struct trace_cost)},
    {"trace_segment", sizeof(struct trace_segment)},
    {"trace_cell", sizeof(struct trace_cell)},
    {"step", sizeof(struct step)},
    {"steady_report", sizeof(struct steady_report)},
};

EXPORT uint32_t cm4_layout_version(void) { return LAYOUT_VERSION; }

/* The size of a structure by its name in C; 0: the library does not know it. */
EXPORT uint32_t cm4_layout_size(const char *name)
{
    for (size_t i = 0; i < sizeof SHARED / sizeof SHARED[0]; i++) {
        const char *a = SHARED[i].name, *b = name;
        while (*a && *a == *b)
            a++, b++;
        if (*a == *b)
            return SHARED[i].size;
    }
    return 0;
}
