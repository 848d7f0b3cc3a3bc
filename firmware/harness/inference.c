// SPDX-License-Identifier: Apache-2.0
/* The `infer` command: warm-up, time stamp, inferences, time stamp, results. */
#include <string.h>

#include "board.h"
#include "harness.h"
#include "numbers.h"

void ee_infer(uint32_t n, uint32_t n_warmup)
{
    if (!th_load_tensor()) {
        return; /* an inference on an incomplete input would be a wrong measurement */
    }
    th_printf("m-warmup-start-%u\r\n", (unsigned)n_warmup);
    while (n_warmup-- > 0u) {
        th_infer();
    }
    th_printf("m-warmup-done\r\n");
    th_printf("m-infer-start-%u\r\n", (unsigned)n);
    th_timestamp();
    while (n-- > 0u) {
        th_infer();
    }
    th_timestamp();
    th_printf("m-infer-done\r\n");
    if (!board_stack_intact()) {
        th_printf("e-[Stack overflow]\r\n");
        return;
    }
    th_results();
}

arg_claimed_t inference_parse(const char *command)
{
    if (strcmp(command, "infer") != 0) {
        return EE_ARG_UNCLAIMED;
    }
    int32_t n = 1; /* the API's defaults */
    int32_t n_warmup = 10;
    const char *argument = command_next_token();
    if (argument != NULL) {
        n = numbers_parse(argument);
        if (n <= 0) {
            th_printf("e-[infer: N must be a number above 0]\r\n");
            return EE_ARG_CLAIMED;
        }
        argument = command_next_token();
    }
    if (argument != NULL) {
        n_warmup = numbers_parse(argument);
        if (n_warmup < 0) {
            th_printf("e-[infer: W must not be negative]\r\n");
            return EE_ARG_CLAIMED;
        }
    }
    ee_infer((uint32_t)n, (uint32_t)n_warmup);
    return EE_ARG_CLAIMED;
}
