// SPDX-License-Identifier: Apache-2.0
/* SAI1 as a receiver of audio that the host plays: the streaming benchmark's I2S input.
 *
 * Source: RM0432 section 48 (SAI). The host gives stereo frames and their rate, as the interface board's I2S master would. Each
 * enabled slot of a frame becomes one item, even ones the left sample, odd ones the right; DMA or a read of ADR or BDR takes it from the FIFO.
 * Frame and slot formats are not checked, transmission is not modelled.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#if HAS_SAI

enum { BLOCK_STRIDE = 0x20, XCR1 = 0x04, XSLOTR = 0x10, XIM = 0x14, XSR = 0x18, XCLRFR = 0x1C, XDR = 0x20 };
enum { CR1_RECEIVER = 1u, CR1_SAIEN = 1u << 16, CR1_DMAEN = 1u << 17 };
#define CR1_FREE (CR1_SAIEN | CR1_DMAEN)    /* what may change while the block is on */
#define CR2_FREE 0x78u              /* FFLUSH, TRIS, MUTE, MUTEVAL */
enum { SR_OVERRUN = 1u, SR_FREQ = 1u << 3 };
#define BLOCKS 2u
#define FIFO_ITEMS 8u
#define SAI1_INTERRUPT SAI_INTERRUPT
#define FRAMES_AT_ONCE 65536u       /* a core that is slower than the audio gets the rest at its next events */

static uint32_t *reg(const struct machine *m, uint32_t block, uint32_t offset) { return &m->sai.p->reg[(BLOCK_STRIDE * block + offset) / 4]; }

static bool receives(const struct machine *m, uint32_t block)
{
    uint32_t cr1 = *reg(m, block, XCR1);
    return (cr1 & CR1_SAIEN) && (cr1 & CR1_RECEIVER) && is_clocked(m, m->sai.p);
}

static void drain(struct machine *m, uint32_t block)
{
    if (!(*reg(m, block, XCR1) & CR1_DMAEN))
        return;
    for (uint32_t level = m->sai.level[block]; level; level = m->sai.level[block]) {
        if (dma_request(m, block ? DMA_SAI1_B : DMA_SAI1_A) == DMA_NOT_SERVED || m->sai.level[block] >= level)
            return;                 /* a channel that does not read the data register would be asked for ever */
    }
}

static void push(struct machine *m, uint32_t block, uint32_t item)
{
    struct sai *s = &m->sai;
    if (s->level[block] == FIFO_ITEMS)
        *reg(m, block, XSR) |= SR_OVERRUN;
    else
        s->fifo[block][s->level[block]++] = item;
    drain(m, block);
}

/* The 16-bit sample in the block's data size (DS: 8, 10, 16, 20, 24 or 32 bits), left-justified as on the wire. */
static uint32_t item_of(const struct machine *m, uint32_t block, int16_t sample)
{
    static const uint8_t BITS[8] = {16, 16, 8, 10, 16, 20, 24, 32};
    uint32_t bits = BITS[*reg(m, block, XCR1) >> 5 & 7u], value = (uint16_t)sample;
    return bits >= 16 ? value << (bits - 16) : value >> (16 - bits);
}

static void play_frame(struct machine *m, const int16_t *frame)
{
    for (uint32_t block = 0; block < BLOCKS; block++) {
        uint32_t slots = (*reg(m, block, XSLOTR) >> 8 & 15u) + 1u, enabled = *reg(m, block, XSLOTR) >> 16;
        if (!receives(m, block))
            continue;
        for (uint32_t slot = 0; slot < slots; slot++)
            if (enabled >> slot & 1u)
                push(m, block, item_of(m, block, frame[slot & 1u]));
    }
}

static uint64_t sample_ticks(const struct machine *m)
{
    return m->hclk_hz * TICKS_PER_CYCLE / (m->sai.rate_hz ? m->sai.rate_hz : 1u);
}

static void apply_level(struct machine *m)
{
    bool asked = false;
    for (uint32_t block = 0; block < BLOCKS; block++) {
        uint32_t flags = *reg(m, block, XSR) | (m->sai.level[block] ? (uint32_t)SR_FREQ : 0u);
        asked |= (*reg(m, block, XIM) & flags) != 0;
    }
    interrupt_level(m, SAI1_INTERRUPT, asked);
}

void sai_advance(struct machine *m)
{
    struct sai *s = &m->sai;
    for (uint32_t i = 0; i < FRAMES_AT_ONCE && s->played < s->count && m->ticks >= s->next_sample_at; i++) {
        play_frame(m, &s->samples[2u * s->played++]);
        s->next_sample_at += sample_ticks(m);
        m->effort++;
    }
    apply_level(m);
}

uint64_t sai_next_event(const struct machine *m)
{
    return m->sai.played < m->sai.count ? m->sai.next_sample_at : NEVER;
}

/* --- registers, and the host ----------------------------------------------------------------------------------------------------------*/

static uint32_t sai_read(struct machine *m, struct peripheral *p, uint32_t offset)
{
    uint32_t block = offset > XDR ? 1u : 0u, in_block = offset - BLOCK_STRIDE * block;
    struct sai *s = &m->sai;
    if (in_block == XSR)
        return p->reg[offset >> 2] | (s->level[block] ? (uint32_t)SR_FREQ | 1u << 16 : 0u);
    if (in_block == XDR && s->level[block]) {
        p->reg[offset >> 2] = s->fifo[block][0];
        s->level[block]--;
        for (uint32_t i = 0; i < s->level[block]; i++)
            s->fifo[block][i] = s->fifo[block][i + 1];
    }
    return p->reg[offset >> 2];
}

static uint32_t sai_peek(struct machine *m, struct peripheral *p, uint32_t offset)
{
    uint32_t block = offset > XDR ? 1u : 0u, in_block = offset - BLOCK_STRIDE * block;
    if (in_block == XSR)
        return p->reg[offset >> 2] | (m->sai.level[block] ? (uint32_t)SR_FREQ | 1u << 16 : 0u);
    return in_block == XDR && m->sai.level[block] ? m->sai.fifo[block][0] : p->reg[offset >> 2];
}

static void sai_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask)
{
    uint32_t block = offset > XDR ? 1u : 0u, in_block = offset - BLOCK_STRIDE * block;
    if (in_block == XSR)
        return;
    if (in_block == XCLRFR) {
        *reg(m, block, XSR) &= ~value;
    } else {
        uint32_t changed = (p->reg[offset >> 2] ^ value) & mask, free_bits = in_block == XCR1 ? CR1_FREE : in_block == XCR1 + 4u ? CR2_FREE : 0u;
        bool ends = in_block == XCR1 && (changed & CR1_SAIEN);
        if (in_block >= XCR1 && in_block <= XSLOTR && (*reg(m, block, XCR1) & CR1_SAIEN) && !ends && (changed & ~free_bits))
            rule_broken(m, RULE_SAI_ENABLED, changed & ~free_bits, 0);
        bus_plain_write(m, p, offset, value, mask);
        if (in_block == XCR1 + 4u && (value & 8u))     /* CR2.FFLUSH */
            m->sai.level[block] = 0;
    }
    apply_level(m);
}

static void sai_reset(struct machine *m, struct peripheral *p)
{
    (void)p;
    m->sai.level[0] = m->sai.level[1] = 0;
    m->sai.played = m->sai.count;
}

/* Stereo frames that play from now on, after what is playing already. */
__attribute__((visibility("default"))) int cm4_play(struct machine *m, const int16_t *frames, uint32_t count, uint32_t rate_hz)
{
    struct sai *s = &m->sai;
    if (!rate_hz)
        return -1;
    if (!count)
        return 0;
    if (s->played == s->count) {
        s->played = s->count = 0;
        s->rate_hz = rate_hz;
        s->next_sample_at = m->ticks + sample_ticks(m);
    }
    if (s->count + count > MAX_FRAMES)
        return -1;
    if (s->count + count > s->room) {
        int16_t *samples = realloc(s->samples, (s->count + count) * 2u * sizeof *samples);
        if (!samples)
            return -1;
        s->samples = samples;
        s->room = (uint32_t)(s->count + count);
    }
    memcpy(&s->samples[2u * s->count], frames, count * 2u * sizeof *frames);
    s->count += count;
    m->idle = false;
    return 0;
}

void sai_add(struct machine *m)
{
    m->sai.p = bus_add(m, (struct peripheral){.name = "SAI1", .base = SAI_BASE, .size = 0x400,
                                             .read = sai_read, .write = sai_write, .reset = sai_reset, .peek = sai_peek});
}

#else

__attribute__((visibility("default"))) int cm4_play(struct machine *m, const int16_t *frames, uint32_t count, uint32_t rate_hz)
{
    return (void)m, (void)frames, (void)count, (void)rate_hz, -1;
}

#endif
