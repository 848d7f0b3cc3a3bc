/* th_printf() for the few conversions that the messages of the API need. */
#include <stdarg.h>

#include "api.h"
#include "board.h"
#include "numbers.h"

static void put_text(const char *text)
{
    while (*text != '\0') {
        board_uart_putc(*text++);
    }
}

static void put_hex_byte(unsigned value)
{
    static const char digits[] = "0123456789abcdef";
    board_uart_putc(digits[(value >> 4) & 15u]);
    board_uart_putc(digits[value & 15u]);
}

/* Prints the conversion behind a '%' and returns the first character after it. */
static const char *put_conversion(const char *at, va_list *arguments)
{
    char number[NUMBERS_SIGNED_SIZE];
    switch (*at) {
    case 's':
        put_text(va_arg(*arguments, const char *));
        return at + 1;
    case 'c':
        board_uart_putc((char)va_arg(*arguments, int));
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
    case '0': /* %02x */
        put_hex_byte(va_arg(*arguments, unsigned));
        return at + 3;
    default: /* %% */
        board_uart_putc('%');
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
            board_uart_putc(*format++);
        }
    }
    va_end(arguments);
}
