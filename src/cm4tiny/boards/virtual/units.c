// SPDX-License-Identifier: Apache-2.0
/* CRC and RNG.
 *
 * Sources: RM0432 sections 16 (CRC), 32 (RNG). Random numbers are the same in every run: xorshift64, seeded at reset.
 */
#include "core.h"

enum { CRC_DR = 0x00, CRC_IDR = 0x04, CRC_CR = 0x08, CRC_INIT = 0x10, CRC_POL = 0x14 };
enum { RNG_CR = 0x00, RNG_SR = 0x04, RNG_DR = 0x08 };
#define CR_RNGEN 4u
#define SR_CECS 2u                  /* the clock is missing */
#define RNG_PERIODS 40u
#define PS_PER_SECOND 1000000000000ull
#define RNG_SEED 0x9E3779B97F4A7C15ull

#if HAS_CRC
/* --- CRC ----------------------------------------------------------------------------------------------------------------------------*/

static uint32_t reversed(uint32_t value, uint32_t bits)
{
    uint32_t result = 0;
    for (uint32_t i = 0; i < bits; i++)
        result |= (value >> i & 1u) << (bits - 1u - i);
    return result;
}

static uint32_t polynomial_bits(const struct peripheral *p)
{
    static const uint8_t BITS[4] = {32, 16, 8, 7};
    return BITS[p->reg[CRC_CR / 4] >> 3 & 3u];
}

/* REV_IN: bits turned around within units of 8, 16 or 32 bits. */
static uint32_t turned_input(const struct peripheral *p, uint32_t value, uint32_t bits)
{
    uint32_t mode = p->reg[CRC_CR / 4] >> 5 & 3u, unit = mode == 1 ? 8 : mode == 2 ? 16 : 32, result = 0;
    if (!mode)
        return value;
    unit = unit > bits ? bits : unit;
    for (uint32_t at = 0; at < bits; at += unit)
        result |= reversed(unit == 32 ? value : value >> at & ((1u << unit) - 1u), unit) << at;
    return result;
}

static void crc_feed(struct machine *m, const struct peripheral *p, uint32_t value, uint32_t bits)
{
    uint32_t size = polynomial_bits(p), mask = size == 32 ? UINT32_MAX : (1u << size) - 1u;
    value = turned_input(p, value, bits);
    for (uint32_t i = bits; i-- > 0;) {
        uint32_t bit = (m->crc.value >> (size - 1u) ^ value >> i) & 1u;
        m->crc.value = ((m->crc.value << 1) ^ (bit ? p->reg[CRC_POL / 4] : 0u)) & mask;
    }
}

static uint32_t crc_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    if (offset != CRC_DR)
        return p->reg[offset >> 2];
    return p->reg[CRC_CR / 4] & 0x80u ? reversed(m->crc.value, polynomial_bits(p)) : m->crc.value;
}

static void crc_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    if (offset == CRC_DR) {
        uint32_t bits = mask == UINT32_MAX ? 32u : mask == 0xFFFFu ? 16u : 8u;
        crc_feed(m, p, value, bits);
        return;
    }
    bus_plain_write(m, p, offset, value, mask);
    if (offset == CRC_INIT || (offset == CRC_CR && (value & 1u)))
        m->crc.value = p->reg[CRC_INIT / 4];
    p->reg[CRC_CR / 4] &= ~1u;
}

static void crc_reset(struct machine *m, struct peripheral *p)
{
    m->crc.value = p->reg[CRC_INIT / 4] = UINT32_MAX;
    p->reg[CRC_POL / 4] = 0x04C11DB7;
}

#endif

#if HAS_RNG
/* --- RNG ----------------------------------------------------------------------------------------------------------------------------*/

/* A word takes about 40 periods of the RNG's clock, which is one of 48 MHz at most (RM0432 "RNG clocking" and CCIPR.CLK48SEL). */
static bool rng_ready(const struct machine *m, const struct peripheral *p)
{
    return (p->reg[RNG_CR / 4] & CR_RNGEN) && clk48_hz(m) && time_of_ticks_ps(m, m->ticks) >= m->random.ready_ps;
}

static void rng_begin(struct machine *m)
{
    uint32_t hz = clk48_hz(m);
    m->random.ready_ps = hz ? time_of_ticks_ps(m, m->ticks) + (uint64_t)RNG_PERIODS * PS_PER_SECOND / hz : 0;
}

static uint32_t rng_peek(struct machine *m, struct peripheral *p, uint32_t offset)
{
    if (offset == RNG_SR)
        return rng_ready(m, p) | (p->reg[RNG_CR / 4] & CR_RNGEN && !clk48_hz(m) ? SR_CECS : 0u);
    return offset == RNG_DR ? 0 : p->reg[offset >> 2];
}

static uint32_t rng_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    if (offset != RNG_DR)
        return rng_peek(m, p, offset);
    if (!rng_ready(m, p)) {
        rule_broken(m, RULE_RNG_NOT_READY, 0, 0);
        return 0;
    }
    rng_begin(m);
    m->random.state ^= m->random.state << 13;
    m->random.state ^= m->random.state >> 7;
    m->random.state ^= m->random.state << 17;
    return (uint32_t)(m->random.state >> 32);
}

static void rng_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    uint32_t before = p->reg[RNG_CR / 4];
    if (offset != RNG_CR)
        return;
    bus_plain_write(m, p, offset, value, mask);
    if (!(p->reg[RNG_CR / 4] & ~before & CR_RNGEN))
        return;
    if (!clk48_hz(m))
        rule_broken(m, RULE_RNG_CLOCK, 0, 0);
    rng_begin(m);
}

static void rng_reset(struct machine *m, struct peripheral *p)
{
    (void)p;
    m->random = (struct random_source){.state = RNG_SEED};
}

#endif

void units_add(struct machine *m)
{
#if HAS_CRC
    bus_add(m, (struct peripheral){.name = "CRC", .base = CRC_BASE, .size = 0x400, .read = crc_read, .write = crc_write, .reset = crc_reset,
                                   .peek = crc_read});
#endif
#if HAS_RNG
    bus_add(m, (struct peripheral){.name = "RNG", .base = RNG_BASE, .size = 0x400, .read = rng_read, .write = rng_write, .reset = rng_reset,
                                   .peek = rng_peek});
#endif
    (void)m;
}
