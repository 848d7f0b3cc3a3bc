// SPDX-License-Identifier: Apache-2.0
/* th_printf() for the few conversions that the messages of the API need. */
#include <stdarg.h>

#include "board.h"
#include "checksum.h"
#include "harness.h"
#include "numbers.h"

static uint32_t answer_state = CHECKSUM_START; /* over the characters of the answer so far */

void answer_begins(void)
{
    answer_state = CHECKSUM_START;
}

uint32_t answer_checksum(void)
{
    return checksum_value(answer_state);
}

static void put(char c)
{
    answer_state = checksum_add(answer_state, (uint8_t)c);
    board_uart_putc(c);
}

static void put_text(const char *text)
{
    while (*text != '\0') {
        put(*text++);
    }
}

static void put_hex_byte(unsigned value)
{
    static const char digits[] = "0123456789abcdef";
    put(digits[(value >> 4) & 15u]);
    put(digits[value & 15u]);
}

/* Prints the conversion after a '%' and returns the first character after it. */
static const char *put_conversion(const char *at, va_list *arguments)
{
    char number[NUMBERS_SIGNED_SIZE];
    switch (*at) {
    case 's':
        put_text(va_arg(*arguments, const char *));
        return at + 1;
    case 'c':
        put((char)va_arg(*arguments, int));
        return at + 1;
    case 'd':
        put_text(numbers_signed(va_arg(*arguments, int), number));
        return at + 1;
    case 'u':
        put_text(numbers_unsigned(va_arg(*arguments, unsigned), number));
        return at + 1;
    case 'l': /* %lu */
        put_text(numbers_unsigned((uint32_t)va_arg(*arguments, unsigned long), number));
        return at + 2;
    case '0': /* %02x, %08x */
        if (at[1] == '8') {
            const unsigned word = va_arg(*arguments, unsigned);
            for (unsigned shift = 32u; shift != 0u; shift -= 8u) {
                put_hex_byte((word >> (shift - 8u)) & 0xFFu);
            }
            return at + 3;
        }
        put_hex_byte(va_arg(*arguments, unsigned));
        return at + 3;
    default: /* %% */
        put('%');
        return at + 1;
    }
}

void th_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    while (*format != '\0') {
        if (*format == '%') {
            format = put_conversion(format + 1, &arguments);
        } else {
            put(*format++);
        }
    }
    va_end(arguments);
}
