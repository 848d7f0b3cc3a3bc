// SPDX-License-Identifier: Apache-2.0
/* Peripherals whose registers store what is written. Some bits read otherwise, by the chip's description: as other bits that were written (a
 * ready flag as the switch of its oscillator), or always as 1 or 0.
 */
#include "core.h"

uint32_t registers_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
#define X(address, bit, mask, from, low) {address, bit, mask, from, low},
    static const struct { uint32_t address, bit, mask, from, low; } ANSWERS[] = {ANSWER_ROWS(X) {0, 0, 0, 0, 0}};
#undef X
#define X(address, ones, zeros) {address, ones, zeros},
    static const struct { uint32_t address, ones, zeros; } CONSTANTS[] = {CONSTANT_ROWS(X) {0, 0, 0}};
#undef X
    uint32_t value = p->reg[offset >> 2], address = p->base + offset;
    (void)m;
    for (uint32_t i = 0; ANSWERS[i].address; i++)
        if (ANSWERS[i].address == address)
            value = (value & ~(ANSWERS[i].mask << ANSWERS[i].bit)) | (p->reg[ANSWERS[i].from] >> ANSWERS[i].low & ANSWERS[i].mask) << ANSWERS[i].bit;
    for (uint32_t i = 0; CONSTANTS[i].address; i++)
        if (CONSTANTS[i].address == address)
            value = (value | CONSTANTS[i].ones) & ~CONSTANTS[i].zeros;
    return value;
}

void registers_add(struct machine *m)
{
#define X(name, base, size) {name, base, size},
    static const struct { const char *name; uint32_t base, size; } STORES[] = {STORE_ROWS(X) {NULL, 0, 0}};
#undef X
    for (uint32_t i = 0; STORES[i].name; i++)
        bus_add(m, (struct peripheral){.name = STORES[i].name, .base = STORES[i].base, .size = STORES[i].size, .read = registers_read,
                                       .peek = registers_read});
}
