// SPDX-License-Identifier: Apache-2.0
/* The `db` commands: a byte buffer that the host fills in hexadecimal. */
#include <string.h>

#include "api.h"
#include "checksum.h"
#include "numbers.h"

static uint8_t buffer[MAX_DB_INPUT_SIZE];
static size_t buffer_size; /* bytes announced by `db load`; 0: nothing announced */
static size_t buffer_level; /* bytes received, never above buffer_size */

size_t ee_buffer_level(void)
{
    return buffer_level;
}

size_t ee_get_buffer(uint8_t *to, size_t max_len)
{
    const size_t length = max_len < buffer_level ? max_len : buffer_level;
    memcpy(to, buffer, length);
    return length;
}

static void load(const char *argument)
{
    if (argument == NULL) {
        th_printf("e-[Command 'db load' requires the # of bytes]\r\n");
        return;
    }
    const int32_t size = numbers_parse(argument);
    buffer_level = 0;
    buffer_size = 0;
    if (size <= 0) {
        th_printf("e-[Command 'db load' must be >0 bytes]\r\n");
    } else if ((uint32_t)size > MAX_DB_INPUT_SIZE) {
        th_printf("e-[Supplied buffer size %d exceeds maximum of %d]\r\n", (int)size, (int)MAX_DB_INPUT_SIZE);
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
        th_printf("e-[Insufficent number of hex digits]\r\n"); /* the API's spelling */
        return false;
    }
    for (size_t i = 0; i < count; i += 2u) {
        if (numbers_hex_digit(digits[i]) < 0 || numbers_hex_digit(digits[i + 1u]) < 0) {
            th_printf("e-[Invalid hex digit '%c%c']\r\n", digits[i], digits[i + 1u]);
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
    if (buffer_level == buffer_size) {
        th_printf("e-[Command 'db' has no room for more bytes, use 'db load' first]\r\n");
        return;
    }
    for (; *digits != '\0'; digits += 2) {
        buffer[buffer_level++] = (uint8_t)(numbers_hex_digit(digits[0]) * 16 + numbers_hex_digit(digits[1]));
        if (buffer_level == buffer_size) {
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
    const char *argument = ee_next_token();
    if (argument == NULL) {
        th_printf("e-[Command 'db' requires a subcommand]\r\n");
    } else if (strcmp(argument, "load") == 0) {
        load(ee_next_token());
    } else if (strcmp(argument, "print") == 0) {
        print();
    } else if (strcmp(argument, "crc") == 0) {
        th_printf(CM4TINY_MSG_BUFFER, (unsigned)checksum_of(buffer, buffer_level));
    } else {
        append(argument);
    }
    return EE_ARG_CLAIMED;
}
