// SPDX-License-Identifier: Apache-2.0
/* The `db` commands: a byte buffer that the host fills in hexadecimal. */
#include <string.h>

#include "checksum.h"
#include "harness.h"
#include "numbers.h"

static uint8_t buffer[MAX_DB_INPUT_SIZE];
static size_t buffer_size; /* bytes announced by `db load`; 0: nothing announced */
static size_t received; /* bytes, never above buffer_size */

size_t buffer_level(void)
{
    return received;
}

size_t ee_get_buffer(uint8_t *to, size_t max_len)
{
    const size_t length = max_len < received ? max_len : received;
    memcpy(to, buffer, length);
    return length;
}

static void load(const char *argument)
{
    if (argument == NULL) {
        th_printf("e-[db load: the number of bytes is missing]\r\n");
        return;
    }
    const int32_t size = numbers_parse(argument);
    received = 0;
    buffer_size = 0;
    if (size <= 0) {
        th_printf("e-[db load: N must be a number above 0]\r\n");
    } else if ((uint32_t)size > MAX_DB_INPUT_SIZE) {
        th_printf("e-[db load: %d bytes, but the input has only %d]\r\n", (int)size, (int)MAX_DB_INPUT_SIZE);
    } else {
        buffer_size = (size_t)size;
        th_printf("m-[Expecting %d bytes]\r\n", (int)size);
    }
}

/* "m-buffer-" and eight bytes per line; the API ends an incomplete last line twice. */
static void print(void)
{
    enum { PER_LINE = 8 };
    for (size_t i = 0; i < buffer_size; ++i) {
        if (i % PER_LINE == 0u) {
            th_printf("m-buffer-");
        }
        th_printf("%02x", (unsigned)buffer[i]);
        const bool line_ends = (i + 1u) % PER_LINE == 0u || i + 1u == buffer_size;
        th_printf("%s", line_ends ? "\r\n" : "-");
    }
    if (buffer_size % PER_LINE != 0u) {
        th_printf("\r\n");
    }
}

/* True if every character is a hexadecimal digit and their number is even; says what is wrong otherwise. */
static bool digits_are_right(const char *digits)
{
    const size_t count = strlen(digits);
    if ((count & 1u) != 0u) {
        th_printf("e-[db: the last byte has one digit]\r\n");
        return false;
    }
    for (size_t i = 0; i < count; i += 2u) {
        if (numbers_hex_digit(digits[i]) < 0 || numbers_hex_digit(digits[i + 1u]) < 0) {
            th_printf("e-[db: '%c%c' is not a byte]\r\n", digits[i], digits[i + 1u]);
            return false;
        }
    }
    return true;
}

/* All digits are checked before the first byte is stored, so a damaged line can be sent again. */
static void append(const char *digits)
{
    if (!digits_are_right(digits)) {
        return;
    }
    if (received == buffer_size) {
        th_printf("e-[db: more bytes than announced, begin again with 'db load N']\r\n");
        return;
    }
    for (; *digits != '\0'; digits += 2) {
        buffer[received++] = (uint8_t)(numbers_hex_digit(digits[0]) * 16 + numbers_hex_digit(digits[1]));
        if (received == buffer_size) {
            th_printf("m-load-done\r\n");
            return; /* the rest of the line is disregarded, as in the API */
        }
    }
}

arg_claimed_t ee_buffer_parse(const char *command)
{
    if (strcmp(command, "db") != 0) {
        return EE_ARG_UNCLAIMED;
    }
    const char *argument = command_next_token();
    if (argument == NULL) {
        th_printf("e-[db: 'load', 'print' or data missing]\r\n");
    } else if (strcmp(argument, "load") == 0) {
        load(command_next_token());
    } else if (strcmp(argument, "print") == 0) {
        print();
    } else if (strcmp(argument, "crc") == 0) {
        th_printf(MESSAGE_BUFFER_CRC, (unsigned)checksum_of(buffer, received));
    } else {
        append(argument);
    }
    return EE_ARG_CLAIMED;
}
