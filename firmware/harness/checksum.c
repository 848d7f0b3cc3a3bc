// SPDX-License-Identifier: Apache-2.0
/* CRC-32 with the reflected polynomial 0xEDB88320, four bits at a time: a table of 64 bytes instead of 1 KB. */
#include "checksum.h"

uint32_t checksum_add(uint32_t state, uint8_t byte)
{
    static const uint32_t table[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
        0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
    };
    state ^= byte;
    state = (state >> 4) ^ table[state & 15u];
    return (state >> 4) ^ table[state & 15u];
}

uint32_t checksum_of(const uint8_t *data, size_t size)
{
    uint32_t state = CHECKSUM_START;
    while (size-- != 0u) {
        state = checksum_add(state, *data++);
    }
    return checksum_value(state);
}
