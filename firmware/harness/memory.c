// SPDX-License-Identifier: Apache-2.0
/* The C library functions that compilers call on their own, and strlen/strcmp for the harness.
 *
 * The image is linked with -nostdlib; C11 compilers still emit calls of memcpy, memmove, memset and memcmp (GCC manual, "Standards"), and
 * for this target also of their __aeabi_ forms (Run-time ABI for the Arm Architecture, section 5.3.4). This file is compiled with the
 * switches that stop the compiler from turning these loops into calls of themselves (docs/firmware.md, "Flags").
 *
 * Cortex-M4 reads and writes unaligned words, so only the destination is aligned before the word loops. */
#include <stdint.h>
#include <string.h>

#ifdef __ARM_FEATURE_UNALIGNED
/* A word that may alias anything and may lie anywhere; LDR/STR handle it. */
typedef uint32_t __attribute__((may_alias, aligned(1))) loose_word;
typedef uint32_t __attribute__((may_alias)) word;

static inline void copy_words(uint8_t **to, const uint8_t **from, size_t *size)
{
    while (((uintptr_t)*to & 3u) != 0u && *size != 0u) {
        *(*to)++ = *(*from)++;
        --*size;
    }
    word *to_word = (word *)(void *)*to;
    const loose_word *from_word = (const loose_word *)(const void *)*from;
    for (; *size >= 16u; *size -= 16u, to_word += 4, from_word += 4) {
        const uint32_t a = from_word[0], b = from_word[1], c = from_word[2], d = from_word[3];
        to_word[0] = a;
        to_word[1] = b;
        to_word[2] = c;
        to_word[3] = d;
    }
    for (; *size >= 4u; *size -= 4u) {
        *to_word++ = *from_word++;
    }
    *to = (uint8_t *)to_word;
    *from = (const uint8_t *)from_word;
}
#else
static inline void copy_words(uint8_t **to, const uint8_t **from, size_t *size)
{
    (void)to;
    (void)from;
    (void)size;
}
#endif

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    copy_words(&out, &in, &size);
    while (size-- != 0u) {
        *out++ = *in++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if ((uintptr_t)out - (uintptr_t)in >= size) {
        while (size-- != 0u) { /* the destination starts before the source or after its end: upwards is safe */
            *out++ = *in++;
        }
    } else {
        while (size-- != 0u) {
            out[size] = in[size];
        }
    }
    return to;
}

void *memset(void *to, int value, size_t size)
{
    uint8_t *out = to;
#ifdef __ARM_FEATURE_UNALIGNED
    const uint32_t pattern = (uint32_t)(uint8_t)value * 0x01010101u;
    while (((uintptr_t)out & 3u) != 0u && size != 0u) {
        *out++ = (uint8_t)value;
        --size;
    }
    word *out_word = (word *)(void *)out;
    for (; size >= 16u; size -= 16u, out_word += 4) {
        out_word[0] = pattern;
        out_word[1] = pattern;
        out_word[2] = pattern;
        out_word[3] = pattern;
    }
    for (; size >= 4u; size -= 4u) {
        *out_word++ = pattern;
    }
    out = (uint8_t *)out_word;
#endif
    while (size-- != 0u) {
        *out++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *left = a, *right = b;
    for (; size != 0u; --size, ++left, ++right) {
        if (*left != *right) {
            return *left < *right ? -1 : 1;
        }
    }
    return 0;
}

size_t strlen(const char *text)
{
    const char *end = text;
    while (*end != '\0') {
        ++end;
    }
    return (size_t)(end - text);
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        ++a;
        ++b;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

#ifdef __arm__
void __aeabi_memcpy(void *restrict to, const void *restrict from, size_t size);
void __aeabi_memcpy4(void *restrict to, const void *restrict from, size_t size);
void __aeabi_memcpy8(void *restrict to, const void *restrict from, size_t size);
void __aeabi_memmove(void *to, const void *from, size_t size);
void __aeabi_memmove4(void *to, const void *from, size_t size);
void __aeabi_memmove8(void *to, const void *from, size_t size);
void __aeabi_memset(void *to, size_t size, int value);
void __aeabi_memset4(void *to, size_t size, int value);
void __aeabi_memset8(void *to, size_t size, int value);
void __aeabi_memclr(void *to, size_t size);
void __aeabi_memclr4(void *to, size_t size);
void __aeabi_memclr8(void *to, size_t size);

void __aeabi_memcpy(void *restrict to, const void *restrict from, size_t size) { (void)memcpy(to, from, size); }
void __aeabi_memcpy4(void *restrict to, const void *restrict from, size_t size) { (void)memcpy(to, from, size); }
void __aeabi_memcpy8(void *restrict to, const void *restrict from, size_t size) { (void)memcpy(to, from, size); }
void __aeabi_memmove(void *to, const void *from, size_t size) { (void)memmove(to, from, size); }
void __aeabi_memmove4(void *to, const void *from, size_t size) { (void)memmove(to, from, size); }
void __aeabi_memmove8(void *to, const void *from, size_t size) { (void)memmove(to, from, size); }
void __aeabi_memset(void *to, size_t size, int value) { (void)memset(to, value, size); }
void __aeabi_memset4(void *to, size_t size, int value) { (void)memset(to, value, size); }
void __aeabi_memset8(void *to, size_t size, int value) { (void)memset(to, value, size); }
void __aeabi_memclr(void *to, size_t size) { (void)memset(to, 0, size); }
void __aeabi_memclr4(void *to, size_t size) { (void)memset(to, 0, size); }
void __aeabi_memclr8(void *to, size_t size) { (void)memset(to, 0, size); }
#endif
