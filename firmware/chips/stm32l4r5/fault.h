// SPDX-License-Identifier: Apache-2.0
/* Last words of a firmware that cannot continue. */
#ifndef CM4TINY_FAULT_H
#define CM4TINY_FAULT_H

#include <stdint.h>

/* Prints "e-[HardFault pc=... lr=... cfsr=...]" from the stacked frame {r0-r3, r12, lr, pc, xpsr} and halts. */
_Noreturn void fault_report(const uint32_t *frame);

/* Prints "e-[Unexpected exception N]" and halts. */
_Noreturn void fault_unexpected(uint32_t exception);

/* Sleeps for ever. */
_Noreturn void fault_halt(void);

#endif
