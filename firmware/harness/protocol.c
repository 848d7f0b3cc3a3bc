// SPDX-License-Identifier: Apache-2.0
/* The command channel: characters to commands, commands to answers.
 *
 * A command ends with '%'; its answer ends with "m-ready\r\n". A command that did not arrive whole (too long, characters lost) is refused:
 * the API would cut it and act on the rest. */
#include <string.h>

#include "api.h"
#include "board.h"

static char command_text[EE_CMD_SIZE + 1u];
static size_t command_length;
static bool command_too_long;
static bool command_lost_characters;
static char *token_rest; /* what ee_next_token() has not handed out yet */
static uint32_t last_answer; /* checksum of the answer to the last command that was not `check`, its "m-ready" left out */

char *ee_next_token(void)
{
    char *start = token_rest;
    while (*start == EE_CMD_DELIMITER) {
        ++start;
    }
    if (*start == '\0') {
        token_rest = start;
        return NULL;
    }
    char *end = start;
    while (*end != '\0' && *end != EE_CMD_DELIMITER) {
        ++end;
    }
    token_rest = end;
    if (*end != '\0') {
        *end = '\0';
        ++token_rest;
    }
    return start;
}

/* Echoes at most as much as the API would; a line break or another control character from noise cannot imitate an answer. */
static void unknown_command(const char *command)
{
    char echo[EE_CMD_ECHO + 1];
    size_t length = 0;
    for (; command[length] != '\0' && length < EE_CMD_ECHO; ++length) {
        const char c = command[length];
        echo[length] = c < ' ' || c > '~' ? '?' : c;
    }
    echo[length] = '\0';
    th_printf(EE_ERR_CMD, echo);
}

static void help(void)
{
    th_printf("%s\r\n", EE_FW_VERSION);
    th_printf("\r\n");
    th_printf("help         : Print this information\r\n");
    th_printf("name         : Print the name of the device\r\n");
    th_printf("timestsamp   : Generate a timetsamp\r\n"); /* the API's spelling */
    th_printf("db SUBCMD    : Manipulate a generic byte buffer\r\n");
    th_printf("  load N     : Allocate N bytes and set load counter\r\n");
    th_printf("  db HH[HH]* : Load 8-bit hex byte(s) until N bytes\r\n");
    th_printf("  print [N=16] [offset=0]\r\n");
    th_printf("             : Print N bytes at offset as hex\r\n");
    th_printf("infer N [W=0]: Load input, execute N inferences after W warmup loops\r\n");
    th_printf("results      : Return the result fp32 vector\r\n");
    th_printf("check        : Print the CRC-32 of the answer before\r\n"); /* not in the API */
    th_printf("reset        : Restart the firmware\r\n"); /* not in the API */
}

static arg_claimed_t profile_parse(const char *command)
{
    if (strcmp(command, "profile") == 0) {
        th_printf("m-profile-[%s]\r\n", EE_FW_VERSION);
        th_printf("m-model-[%s]\r\n", TH_MODEL_VERSION);
    } else if (strcmp(command, "help") == 0) {
        help();
    } else if (strcmp(command, "results") == 0) {
        th_results();
    } else if (strcmp(command, "reset") == 0) {
        board_uart_flush();
        board_reset();
    } else if (ee_buffer_parse(command) == EE_ARG_UNCLAIMED) {
        return ee_infer_parse(command);
    }
    return EE_ARG_CLAIMED;
}

/* Asking for the checksum does not change it, so a damaged reply to `check` can be asked for again. */
static void check(void)
{
    th_printf(CM4TINY_MSG_CHECK EE_MSG_READY, (unsigned)last_answer, (unsigned)EE_CMD_SIZE);
}

static void answer_ends(void)
{
    last_answer = th_answer_checksum();
    th_printf(EE_MSG_READY);
}

void ee_serial_command_parser_callback(char *command)
{
    if (strcmp(command, CM4TINY_CMD_CHECK) == 0) {
        check();
        return;
    }
    th_answer_begins();
    token_rest = command;
    char *token = ee_next_token();
    if (token == NULL) {
        unknown_command("");
    } else if (strcmp(token, EE_CMD_NAME) == 0) {
        th_printf(EE_MSG_NAME, EE_DEVICE_NAME, TH_VENDOR_NAME_STRING);
    } else if (strcmp(token, EE_CMD_TIMESTAMP) == 0) {
        th_timestamp();
    } else if (profile_parse(token) == EE_ARG_UNCLAIMED) {
        unknown_command(token);
    }
    answer_ends();
}

static void command_complete(void)
{
    command_text[command_length] = '\0';
    command_length = 0;
    if (command_lost_characters) {
        th_answer_begins();
        th_printf("e-[Receiver overrun, command ignored]\r\n");
        answer_ends();
    } else if (command_too_long) {
        th_answer_begins();
        th_printf("e-[Command longer than %u characters, ignored]\r\n", (unsigned)EE_CMD_SIZE);
        answer_ends();
    } else {
        ee_serial_command_parser_callback(command_text);
    }
    command_lost_characters = false;
    command_too_long = false;
}

/* Called once per received character; kept short, because at 921600 baud one arrives every 11 us. */
void ee_serial_callback(char c)
{
    if (c == EE_CMD_TERMINATOR) {
        command_complete();
    } else if (c == '\r' || c == '\n' || c == '\0') {
        /* a terminal's line ends, a break: never part of a command */
    } else if (command_length < EE_CMD_SIZE) {
        command_text[command_length++] = c;
    } else {
        command_too_long = true;
    }
}

void ee_serial_overrun(void)
{
    command_lost_characters = true;
}

void ee_benchmark_initialize(void)
{
    th_timestamp_initialize();
    th_printf(EE_MSG_INIT_DONE);
    th_printf(EE_MSG_READY);
}
