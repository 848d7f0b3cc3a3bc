// SPDX-License-Identifier: Apache-2.0
/* Where memory is, by the lists of description.h: flash and its aliases; RAM, whose regions lie in one buffer. All of it folds to comparisons
 * with constants, the likely ones first. */
#ifndef CM4TINY_MEMORY_H
#define CM4TINY_MEMORY_H

#define NO_OFFSET UINT32_MAX

static inline bool in_flash(uint32_t address)
{
#define X(start) || address - (start) < FLASH_SIZE
    return false FLASH_WINDOWS(X);
#undef X
}

/* All places of flash are multiples of its size. */
static inline uint32_t flash_offset(uint32_t address) { return address & (FLASH_SIZE - 1u); }

/* Of the RAM at an address in the buffer; NO_OFFSET where none is. */
static inline uint32_t ram_offset(uint32_t address)
{
#define X(start, size, offset) if (address - (start) < (size)) return address - (start) + (offset);
    RAM_WINDOWS(X)
#undef X
    return NO_OFFSET;
}

static inline bool in_ram(uint32_t address) { return ram_offset(address) != NO_OFFSET; }
static inline bool in_system_memory(uint32_t address) { return address - SYSTEM_MEMORY_BASE < SYSTEM_MEMORY_SIZE; }

#endif
