// SPDX-License-Identifier: Apache-2.0
/* CRC-32 as in IEEE 802.3, zip and Python's zlib.crc32(). */
#ifndef CM4TINY_CHECKSUM_H
#define CM4TINY_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#define CHECKSUM_START 0xFFFFFFFFu

/* The register after one more byte. */
uint32_t checksum_add(uint32_t state, uint8_t byte);

/* The checksum that a register stands for. */
static inline uint32_t checksum_value(uint32_t state)
{
    return ~state;
}

/* The checksum of a block of bytes. */
uint32_t checksum_of(const uint8_t *data, size_t size);

#endif
