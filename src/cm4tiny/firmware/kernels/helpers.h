// SPDX-License-Identifier: Apache-2.0
/* Helpers that the generated kernels call. Every model.c carries its own copy of this text.
 *
 * On a core with the DSP extension (Cortex-M4) they are single instructions; elsewhere they are portable C with the same results, so
 * that a model can be checked on the host. No heap, no C library besides memcpy and memset, no 64-bit division.
 *
 * A "quad" is four int8 values that become four int16 values in two words, in the order (0, 2) (1, 3): what SXTB16 gives for free.
 * Activations and weights are widened by the same rule, so the order cancels in every dot product.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Declared here: a freestanding tool chain need not have string.h. */
void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memset(void *to, int value, size_t count);

static inline int32_t cm4t_load(const void *p) {
    int32_t v;
    memcpy(&v, p, 4);
    return v;
}

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

#include <arm_acle.h>

static inline int32_t cm4t_even(int32_t quad) { return (int32_t)__sxtb16((uint32_t)quad); }

static inline int32_t cm4t_odd(int32_t quad) {
    int32_t r;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(r) : "r"(quad));
    return r;
}

static inline int32_t cm4t_mla2(int32_t a, int32_t b, int32_t acc) { return __smlad(a, b, acc); }
static inline int32_t cm4t_mla_low(int32_t a, int32_t b, int32_t acc) { return __smlabb(a, b, acc); }
static inline int32_t cm4t_mla_high(int32_t a, int32_t b, int32_t acc) { return __smlatt(a, b, acc); }

/* round(a * b / 2**32), ties up */
static inline int32_t cm4t_high(int32_t a, int32_t b) {
    int32_t r;
    __asm__("smmulr %0, %1, %2" : "=r"(r) : "r"(a), "r"(b));
    return r;
}

static inline int32_t cm4t_int8(int32_t v) { return __ssat(v, 8); }

/* round(a * b / 2**32), ties up, plus c */
static inline int32_t cm4t_high_add(int32_t a, int32_t b, int32_t c) {
    int32_t r;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(c));
    return r;
}

static inline int32_t cm4t_uint8(int32_t v) { return (int32_t)__usat(v, 8); }

#else

static inline int32_t cm4t_pack(int32_t low, int32_t high) { return (int32_t)(((uint32_t)low & 0xffffu) | ((uint32_t)high << 16)); }
static inline int32_t cm4t_byte(int32_t quad, int32_t n) { return (int8_t)((uint32_t)quad >> (8 * n)); }
static inline int32_t cm4t_low(int32_t pair) { return (int16_t)pair; }
static inline int32_t cm4t_top(int32_t pair) { return (int16_t)((uint32_t)pair >> 16); }
static inline int32_t cm4t_add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }

static inline int32_t cm4t_even(int32_t quad) { return cm4t_pack(cm4t_byte(quad, 0), cm4t_byte(quad, 2)); }
static inline int32_t cm4t_odd(int32_t quad) { return cm4t_pack(cm4t_byte(quad, 1), cm4t_byte(quad, 3)); }
static inline int32_t cm4t_mla_low(int32_t a, int32_t b, int32_t acc) { return cm4t_add(acc, cm4t_low(a) * cm4t_low(b)); }
static inline int32_t cm4t_mla_high(int32_t a, int32_t b, int32_t acc) { return cm4t_add(acc, cm4t_top(a) * cm4t_top(b)); }
static inline int32_t cm4t_mla2(int32_t a, int32_t b, int32_t acc) { return cm4t_mla_high(a, b, cm4t_mla_low(a, b, acc)); }
static inline int32_t cm4t_double16(int32_t pair) { return cm4t_pack(2 * cm4t_low(pair), 2 * cm4t_top(pair)); }

/* One channel's two weights out of a word that holds, in each half, 256 times the even channel's weight plus the odd one's. */
static inline int32_t cm4t_merged_weights(int32_t word, int32_t odd) {
    int32_t low = cm4t_even(word);
    return odd ? low : cm4t_pack((cm4t_low(word) - cm4t_low(low)) / 256, (cm4t_top(word) - cm4t_top(low)) / 256);
}

static inline int32_t cm4t_high(int32_t a, int32_t b) { return (int32_t)(((int64_t)a * b + 0x80000000LL) >> 32); }
static inline int32_t cm4t_int8(int32_t v) { return v > 127 ? 127 : v < -128 ? -128 : v; }
static inline int32_t cm4t_high_add(int32_t a, int32_t b, int32_t c) { return cm4t_add(cm4t_high(a, b), c); }
static inline int32_t cm4t_uint8(int32_t v) { return v > 255 ? 255 : v < 0 ? 0 : v; }

#endif

/* Requantisation of a doubled accumulator to a stored value of an int16 tensor; see kernels/int16/requant.py. */
static inline int32_t cm4t_wide_relu(int32_t acc, int32_t mantissa, int32_t rounding, int32_t shift) {
    return cm4t_uint8(cm4t_high_add(acc, mantissa, rounding) >> shift);
}

/* The same with one shift for all channels; see kernels/int16/uniform.py. Only for the portable versions: the target has it in assembly. */
static inline int32_t cm4t_wide_uniform(int32_t acc, int32_t mantissa, int32_t rounding, int32_t shift) {
    return cm4t_uint8(((int32_t)(((int64_t)acc * mantissa) >> 32) + rounding) >> shift);
}

static inline int32_t cm4t_wide_linear(int32_t acc, int32_t mantissa, int32_t rounding, int32_t shift, int32_t zero_point) {
    int32_t v = cm4t_high(acc, mantissa);
    return cm4t_int8((v + (v >> 31) + rounding) >> shift) - zero_point;
}

/* Two pixels by four channels, one quad of each: x holds the even and odd words of pixel 0, then of pixel 1; w those of four channels. */
static inline void cm4t_block(int32_t *restrict acc, const int32_t *restrict x, const int32_t *restrict w) {
    int32_t a = x[0], b = x[2];
    acc[0] = cm4t_mla2(a, w[0], acc[0]);
    acc[4] = cm4t_mla2(b, w[0], acc[4]);
    acc[1] = cm4t_mla2(a, w[2], acc[1]);
    acc[5] = cm4t_mla2(b, w[2], acc[5]);
    acc[2] = cm4t_mla2(a, w[4], acc[2]);
    acc[6] = cm4t_mla2(b, w[4], acc[6]);
    acc[3] = cm4t_mla2(a, w[6], acc[3]);
    acc[7] = cm4t_mla2(b, w[6], acc[7]);
    a = x[1], b = x[3];
    acc[0] = cm4t_mla2(a, w[1], acc[0]);
    acc[4] = cm4t_mla2(b, w[1], acc[4]);
    acc[1] = cm4t_mla2(a, w[3], acc[1]);
    acc[5] = cm4t_mla2(b, w[3], acc[5]);
    acc[2] = cm4t_mla2(a, w[5], acc[2]);
    acc[6] = cm4t_mla2(b, w[5], acc[6]);
    acc[3] = cm4t_mla2(a, w[7], acc[3]);
    acc[7] = cm4t_mla2(b, w[7], acc[7]);
}

/* One pixel by four channels, one quad of each; the weights are int8 as they lie in flash. */
static inline void cm4t_row(int32_t *restrict acc, const int32_t *restrict x, const int8_t *restrict w) {
    int32_t even = x[0], odd = x[1], q0 = cm4t_load(w), q1 = cm4t_load(w + 4), q2 = cm4t_load(w + 8), q3 = cm4t_load(w + 12);
    acc[0] = cm4t_mla2(odd, cm4t_odd(q0), cm4t_mla2(even, cm4t_even(q0), acc[0]));
    acc[1] = cm4t_mla2(odd, cm4t_odd(q1), cm4t_mla2(even, cm4t_even(q1), acc[1]));
    acc[2] = cm4t_mla2(odd, cm4t_odd(q2), cm4t_mla2(even, cm4t_even(q2), acc[2]));
    acc[3] = cm4t_mla2(odd, cm4t_odd(q3), cm4t_mla2(even, cm4t_even(q3), acc[3]));
}

/* One tap of four channels: x are their four int8 values, w their widened weights. */
static inline void cm4t_tap(int32_t *restrict acc, const int8_t *restrict x, const int32_t *restrict w) {
    int32_t quad = cm4t_load(x), even = cm4t_even(quad), odd = cm4t_odd(quad);
    acc[0] = cm4t_mla_low(even, w[0], acc[0]);
    acc[1] = cm4t_mla_low(odd, w[1], acc[1]);
    acc[2] = cm4t_mla_high(even, w[0], acc[2]);
    acc[3] = cm4t_mla_high(odd, w[1], acc[3]);
}

/* TFLite's SaturatingRoundingDoublingHighMul for a factor that is not INT32_MIN. */
static inline int32_t cm4t_high_mul(int32_t a, int32_t b) { return (int32_t)(((int64_t)a * b + (1LL << 30)) >> 31); }

/* TFLite's RoundingDivideByPOT, any exponent from 0 to 31. */
static inline int32_t cm4t_rounding_shift(int32_t x, int32_t exponent) {
    uint32_t mask = (1u << exponent) - 1u;
    return (x >> exponent) + (((uint32_t)x & mask) > (mask >> 1) + (x < 0 ? 1u : 0u) ? 1 : 0);
}

static inline int8_t cm4t_clamp(int32_t v, int32_t low, int32_t high) {
    if (low > -128 && v < low) {
        v = low;
    }
    if (high < 127 && v > high) {
        v = high;
    }
    return (int8_t)cm4t_int8(v);
}

/* The last steps of requantisation share this form: divide q by 2**(shift + 1), ties towards plus infinity; q never overflows. */
static inline int32_t cm4t_half_up(int32_t q, int32_t shift) { return ((q >> shift) + 1) >> 1; }

/* Requantisation, |acc| < 2**30, total right shift >= 1 (passed less one), output clamped at or above its zero point: there the rule
 * that negative ties round away from zero cannot be seen. */
static inline int8_t cm4t_requant_relu(int32_t acc, int32_t mult, int32_t shift, int32_t zp, int32_t low, int32_t high) {
    int32_t q = cm4t_high((int32_t)((uint32_t)acc << 1), mult);
    return cm4t_clamp(cm4t_half_up(q, shift) + zp, low, high);
}

/* The same without the clamp at the zero point. */
static inline int8_t cm4t_requant(int32_t acc, int32_t mult, int32_t shift, int32_t zp, int32_t low, int32_t high) {
    int32_t q = cm4t_high((int32_t)((uint32_t)acc << 1), mult);
    return cm4t_clamp(cm4t_half_up(q + (q >> 31), shift) + zp, low, high);
}

/* The same for any accumulator. */
static inline int8_t cm4t_requant_wide(int32_t acc, int32_t mult, int32_t shift, int32_t zp, int32_t low, int32_t high) {
    int32_t q = cm4t_high_mul(acc, mult);
    return cm4t_clamp(cm4t_half_up(q + (q >> 31), shift) + zp, low, high);
}

/* Any accumulator, any shift: positive to the left, negative to the right. */
static inline int8_t cm4t_requant_any(int32_t acc, int32_t mult, int32_t shift, int32_t zp, int32_t low, int32_t high) {
    int32_t left = shift > 0 ? shift : 0;
    int32_t q = cm4t_high_mul((int32_t)((uint32_t)acc << left), mult);
    int64_t v = (int64_t)cm4t_rounding_shift(q, left - shift) + zp; /* may leave int32 */
    return cm4t_clamp(v > high ? high : v < low ? low : (int32_t)v, low, high);
}

/* Widens n quads; each one's two words are written `step` words after those before. */
static inline void cm4t_widen(int32_t *restrict to, const int8_t *restrict from, int32_t quads, int32_t step) {
    for (int32_t i = 0; i < quads; ++i) {
        int32_t quad = cm4t_load(from + 4 * i);
        to[step * i] = cm4t_even(quad);
        to[step * i + 1] = cm4t_odd(quad);
    }
}

/* Copies rows into the middle of a larger image that is filled with `value`: `above` and `below` whole bytes, `left` bytes before each
 * row; each row of the image has `row_to` bytes. */
static inline void cm4t_pad(int8_t *restrict to, const int8_t *restrict from, int32_t rows, int32_t row_from, int32_t row_to, int32_t above,
                            int32_t left, int32_t total, int32_t value) {
    memset(to, value, (size_t)total);
    to += above + left;
    for (int32_t i = 0; i < rows; ++i) {
        memcpy(to, from, (size_t)row_from);
        to += row_to;
        from += row_from;
    }
}

static inline void cm4t_copy(int8_t *restrict to, const int8_t *restrict from, int32_t bytes) { memcpy(to, from, (size_t)bytes); }

static inline int32_t cm4t_leading_zeros(int32_t x) { return __builtin_clz((uint32_t)x); }

/* gemmlowp's SaturatingRoundingMultiplyByPOT for a positive exponent. */
static inline int32_t cm4t_saturating_left(int32_t x, int32_t exponent) {
    int32_t limit = INT32_MAX >> exponent;
    return x > limit ? INT32_MAX : x < -limit - 1 ? INT32_MIN : (int32_t)((uint32_t)x << exponent);
}

/* gemmlowp's GetReciprocal, mantissa only: 1 / x for a sum of exponentials in Q12.19, by Newton's method. */
static inline int32_t cm4t_reciprocal(int32_t x) {
    int32_t a = (int32_t)(((uint32_t)x << cm4t_leading_zeros(x)) - 0x80000000u);
    int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
    int32_t r = 1515870810 + cm4t_high_mul(half, -1010580540);
    for (int32_t i = 0; i < 3; ++i) {
        int32_t rest = (1 << 29) - cm4t_high_mul(half, r);
        r += cm4t_saturating_left(cm4t_high_mul(r, rest), 2);
    }
    return cm4t_saturating_left(r, 1);
}

/* Constants that the start-up code copies to RAM: the board's linker script collects these sections. */
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define CM4T_IN_RAM(name) __attribute__((section(".ramdata." name)))
#else
#define CM4T_IN_RAM(name)
#endif

/* Stores one value per channel in all pixels of a wide image; strides in elements. */
static inline void cm4t_fill_channels(int16_t *restrict to, const int16_t *restrict values, int32_t height, int32_t width, int32_t channels,
                                      int32_t row, int32_t pixel, int32_t channel) {
    for (int32_t c = 0; c < channels; ++c) {
        for (int32_t y = 0; y < height; ++y) {
            int16_t *at = to + c * channel + y * row;
            for (int32_t x = 0; x < width; ++x, at += pixel) {
                *at = values[c];
            }
        }
    }
}
