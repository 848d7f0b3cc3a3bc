// SPDX-License-Identifier: Apache-2.0
/* The command channel: characters to commands, commands to answers.
 *
 * A command ends with '%'; its answer ends with "m-ready\r\n". A command that did not arrive whole (too long, characters lost) is refused:
 * the API would cut it and act on the rest. */
#include <string.h>

#include "board.h"
#include "harness.h"

static char command_text[EE_CMD_SIZE + 1u];
static size_t command_length;
static bool command_too_long;
static bool command_lost_characters;
static char *token_rest; /* what command_next_token() has not handed out yet */
static uint32_t last_answer; /* checksum of the answer to the last command that was not `check`, its "m-ready" left out */

char *command_next_token(void)
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
    char echo[ECHO_SIZE + 1];
    size_t length = 0;
    for (; command[length] != '\0' && length < ECHO_SIZE; ++length) {
        const char c = command[length];
        echo[length] = c < ' ' || c > '~' ? '?' : c;
    }
    echo[length] = '\0';
    th_printf("e-['%s' is not a command]\r\n", echo);
}

static void help(void)
{
    th_printf("%s\r\n", EE_FW_VERSION);
    th_printf("A command ends with a per cent sign:\r\n");
    th_printf("name           the device\r\n");
    th_printf("profile        version of the protocol, and the model\r\n");
    th_printf("timestamp      a time stamp now\r\n");
    th_printf("db load N      announce an input of N bytes\r\n");
    th_printf("db XX[XX...]   some of its bytes, in hexadecimal\r\n");
    th_printf("db print       the bytes that have arrived\r\n");
    th_printf("db crc         their CRC-32\r\n");
    th_printf("infer N [W=10] N inferences between two time stamps, after W to warm up\r\n");
    th_printf("results        what the last inference gave\r\n");
    th_printf("check          CRC-32 of the answer to the last command\r\n");
    th_printf("reset          start again\r\n");
    th_printf("help           this list\r\n");
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
        return inference_parse(command);
    }
    return EE_ARG_CLAIMED;
}

/* Asking for the checksum does not change it, so a damaged reply to `check` can be asked for again. */
static void check(void)
{
    th_printf(MESSAGE_CHECK EE_MSG_READY, (unsigned)last_answer, (unsigned)EE_CMD_SIZE);
}

static void answer_ends(void)
{
    last_answer = answer_checksum();
    th_printf(EE_MSG_READY);
}

void ee_serial_command_parser_callback(char *command)
{
    if (strcmp(command, COMMAND_CHECK) == 0) {
        check();
        return;
    }
    answer_begins();
    token_rest = command;
    char *token = command_next_token();
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
        answer_begins();
        th_printf("e-[Receiver overrun, command ignored]\r\n");
        answer_ends();
    } else if (command_too_long) {
        answer_begins();
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

void command_overrun(void)
{
    command_lost_characters = true;
}

void ee_benchmark_initialize(void)
{
    th_timestamp_initialize();
    th_printf(EE_MSG_INIT_DONE);
    th_printf(EE_MSG_READY);
}
