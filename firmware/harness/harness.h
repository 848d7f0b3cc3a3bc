// SPDX-License-Identifier: Apache-2.0
/* What the files of the harness share in addition to the names of the public API (api.h). */
#ifndef CM4TINY_HARNESS_H
#define CM4TINY_HARNESS_H

#include "api.h"

/* As much of an unknown command as the API would echo. */
#define ECHO_SIZE 80

/* The checksum of the answer before, and how many characters a command may have (docs/firmware.md, "Extensions"). */
#define COMMAND_CHECK "check"
#define MESSAGE_CHECK "m-check-%08x-%u\r\n"
/* The checksum of the bytes that were loaded. */
#define MESSAGE_BUFFER_CRC "m-buffer-crc-%08x\r\n"

/* protocol.c: the next word of the command, or NULL; a received character was lost. */
char *command_next_token(void);
void command_overrun(void);

/* buffer.c: bytes received since `db load` */
size_t buffer_level(void);

/* inference.c */
arg_claimed_t inference_parse(const char *command);

/* tensor.c */
void model_initialize(void);
/* False, after an error message, if the model could not be set up: such an image answers errors, never results. */
bool model_ready(void);

/* output.c */
void answer_begins(void);
uint32_t answer_checksum(void);

#endif
