// SPDX-License-Identifier: Apache-2.0
/* Numbers as text and back.
 *
 * The reference submissions print results with "%0.3f". numbers_fixed3() finds the same digits with integers only: a float is m * 2^e with
 * m < 2^24, so 1000 * m fits 34 bits, and rounding 1000 * m * 2^e to an integer is exact. The tests compare it with the host's printf. */
#include "numbers.h"

#include <stdbool.h>
#include <string.h>

#define LIMBS 9u /* 16 bits each: 144 bits, more than the 138 of 1000 * FLT_MAX */

char *numbers_unsigned(uint32_t value, char *text)
{
    char reversed[NUMBERS_UNSIGNED_SIZE];
    unsigned count = 0;
    do {
        reversed[count++] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0u);
    char *out = text;
    while (count != 0u) {
        *out++ = reversed[--count];
    }
    *out = '\0';
    return text;
}

char *numbers_signed(int32_t value, char *text)
{
    if (value >= 0) {
        return numbers_unsigned((uint32_t)value, text);
    }
    text[0] = '-';
    (void)numbers_unsigned(0u - (uint32_t)value, text + 1);
    return text;
}

/* scaled / 2^shift rounded to the nearest, halves to the even number or down; 1 <= shift <= 63 */
static uint64_t shift_right_rounded(uint64_t scaled, unsigned shift, bool halves_down)
{
    const uint64_t quotient = scaled >> shift;
    const uint64_t rest = scaled - (quotient << shift);
    const uint64_t half = (uint64_t)1 << (shift - 1u);
    const bool up = rest > half || (rest == half && !halves_down && (quotient & 1u) != 0u);
    return quotient + (up ? 1u : 0u);
}

static void limbs_from(uint64_t value, unsigned shift, uint16_t limbs[LIMBS])
{
    for (unsigned i = 0; i < LIMBS; ++i) {
        limbs[i] = 0;
    }
    for (unsigned bit = 0; bit < 64u && (value >> bit) != 0u; ++bit) {
        if (((value >> bit) & 1u) != 0u) {
            const unsigned at = bit + shift;
            limbs[at / 16u] = (uint16_t)(limbs[at / 16u] | (1u << (at % 16u)));
        }
    }
}

/* Divides in place by ten, returns the remainder; *zero says whether anything is left. */
static unsigned limbs_divide_by_ten(uint16_t limbs[LIMBS], bool *zero)
{
    uint32_t rest = 0;
    uint32_t any = 0;
    for (unsigned i = LIMBS; i-- > 0u;) {
        const uint32_t part = (rest << 16) | limbs[i];
        limbs[i] = (uint16_t)(part / 10u);
        rest = part % 10u;
        any |= limbs[i];
    }
    *zero = any == 0u;
    return rest;
}

static char *fixed3(float value, char *text, bool halves_down)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    char *out = text;
    if ((bits >> 31) != 0u) {
        *out++ = '-';
    }
    const unsigned exponent = (bits >> 23) & 0xFFu;
    uint32_t mantissa = bits & 0x7FFFFFu;
    if (exponent == 0xFFu) {
        memcpy(out, mantissa != 0u ? "nan" : "inf", 4u);
        return text;
    }
    if (exponent != 0u) {
        mantissa |= 0x800000u;
    }
    /* value = mantissa * 2^power (IEEE 754, binary32) */
    const int power = (exponent != 0u ? (int)exponent : 1) - 150;
    uint64_t scaled = (uint64_t)mantissa * 1000u;
    unsigned shift = 0;
    if (power >= 0) {
        shift = (unsigned)power;
    } else if (power > -40) {
        scaled = shift_right_rounded(scaled, (unsigned)-power, halves_down);
    } else {
        scaled = 0; /* below half of the last digit, as scaled < 2^34 */
    }
    uint16_t limbs[LIMBS];
    limbs_from(scaled, shift, limbs);

    char reversed[NUMBERS_FIXED3_SIZE];
    unsigned count = 0;
    bool zero = false;
    while (!zero || count < 4u) { /* three decimals and at least one digit before the point */
        reversed[count++] = (char)('0' + limbs_divide_by_ten(limbs, &zero));
    }
    while (count != 0u) {
        if (count == 3u) {
            *out++ = '.';
        }
        *out++ = reversed[--count];
    }
    *out = '\0';
    return text;
}

char *numbers_fixed3(float value, char *text)
{
    return fixed3(value, text, false);
}

char *numbers_fixed3_halves_down(float value, char *text)
{
    return fixed3(value, text, true);
}

int32_t numbers_parse(const char *text)
{
    while (*text == ' ' || (*text >= '\t' && *text <= '\r')) {
        ++text;
    }
    const bool negative = *text == '-';
    if (negative || *text == '+') {
        ++text;
    }
    const uint32_t limit = negative ? 0x80000000u : 0x7FFFFFFFu;
    uint32_t value = 0;
    for (; *text >= '0' && *text <= '9'; ++text) {
        const uint32_t digit = (uint32_t)(*text - '0');
        if (value > (limit - digit) / 10u) {
            value = limit;
            break;
        }
        value = value * 10u + digit;
    }
    if (!negative) {
        return (int32_t)value;
    }
    return value == limit ? INT32_MIN : -(int32_t)value;
}

int numbers_hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}
