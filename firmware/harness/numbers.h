// SPDX-License-Identifier: Apache-2.0
/* Numbers as text and back, without a C library. */
#ifndef CM4TINY_NUMBERS_H
#define CM4TINY_NUMBERS_H

#include <stdint.h>

/* Longest text of each function below, with its closing zero. */
#define NUMBERS_UNSIGNED_SIZE 11u /* 4294967295 */
#define NUMBERS_SIGNED_SIZE 12u   /* -2147483648 */
#define NUMBERS_FIXED3_SIZE 45u   /* sign, 39 digits of FLT_MAX, point, three digits */

/* Decimal digits of a number; returns `text`, which has room for the size above. */
char *numbers_unsigned(uint32_t value, char *text);
char *numbers_signed(int32_t value, char *text);

/* A float as printf's "%.3f" prints it: the exact binary value, rounded to three decimals, halves to the even digit; "inf", "nan" and signs
 * as glibc spells them. */
char *numbers_fixed3(float value, char *text);

/* The same, but halves go down (0.1875: "0.187"), as Zephyr 2.7's cbvprintf prints them in published logs. */
char *numbers_fixed3_halves_down(float value, char *text);

/* atoi(): leading white space, a sign, digits up to the first other character. Saturates at INT32_MIN and INT32_MAX. */
int32_t numbers_parse(const char *text);

/* The value of one hexadecimal digit, or -1. */
int numbers_hex_digit(char digit);

#endif
