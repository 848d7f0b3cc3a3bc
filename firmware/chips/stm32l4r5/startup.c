// SPDX-License-Identifier: Apache-2.0
/* From reset to main(): vector table, FPU, initialised data, clock; and the fault report.
 *
 * Sources: ARMv7-M ARM B1.5.5 (reset), B1.5.3 (vector table), B3.2.20 (CPACR); RM0432 "Nested vectored interrupt controller (NVIC)".
 * The firmware enables none of the chip's interrupts. */
#include <stdint.h>

#include "board.h"
#include "board_description.h"
#include "clock.h"
#include "fault.h"
#include "stm32l4r5.h"

extern uint32_t _sidata[], _sdata[], _edata[], _sbss[], _ebss[], _sarena[], _earena[], _estack[], _stack_limit[];

#define STACK_GUARD 0x5AFEC0DEu
#define STACK_GUARD_WORDS 8

int main(void);
void Reset_Handler(void);
void HardFault_Handler(void);
void Default_Handler(void);
_Noreturn void start(void);

typedef void (*vector)(void);

struct vector_table {
    uint32_t *stack;
    vector handlers[15 + CHIP_INTERRUPTS];
};

/* Only reset and the faults can happen: the configurable faults stay disabled and escalate to HardFault. */
__attribute__((section(".isr_vector"), used)) const struct vector_table vector_table = {
    .stack = _estack,
    .handlers = {
        Reset_Handler,     /*  1 */
        Default_Handler,   /*  2 NMI */
        HardFault_Handler, /*  3 */
        Default_Handler,   /*  4 MemManage */
        Default_Handler,   /*  5 BusFault */
        Default_Handler,   /*  6 UsageFault */
        0, 0, 0, 0,        /*  7 .. 10 reserved */
        Default_Handler,   /* 11 SVCall */
        Default_Handler,   /* 12 debug monitor */
        0,                 /* 13 reserved */
        Default_Handler,   /* 14 PendSV */
        Default_Handler,   /* 15 SysTick */
        [15 ... 14 + CHIP_INTERRUPTS] = Default_Handler, /* interrupts */
    },
};

/* Enables the FPU before the first C function, which may already use its registers. The stack pointer is set again for a loader that
 * jumps here instead of resetting the core. */
__attribute__((naked, noreturn, used)) void Reset_Handler(void)
{
    __asm volatile(
        "ldr r0, =_estack\n"
        "msr msp, r0\n"
        "ldr r0, =0xE000ED88\n" /* CPACR */
        "ldr r1, [r0]\n"
        "orr r1, r1, #0x00F00000\n" /* full access to CP10 and CP11 */
        "str r1, [r0]\n"
        "dsb\n"
        "isb\n"
        "b start\n");
}

static void copy_initialised_data(void)
{
    const uint32_t *from = _sidata;
    for (uint32_t *to = _sdata; to < _edata;) {
        *to++ = *from++;
    }
}

static void clear(uint32_t *to, const uint32_t *end)
{
    while (to < end) {
        *to++ = 0;
    }
}

static void set_stack_guard(void)
{
    for (int i = 0; i < STACK_GUARD_WORDS; ++i) {
        _stack_limit[i] = STACK_GUARD;
    }
}

bool board_stack_intact(void)
{
    for (int i = 0; i < STACK_GUARD_WORDS; ++i) {
        if (*(volatile uint32_t *)&_stack_limit[i] != STACK_GUARD) {
            return false;
        }
    }
    return true;
}

__attribute__((noreturn, used)) void start(void)
{
    SCB_VTOR = (uint32_t)&vector_table;
    clock_init(); /* first, so that copying a large .data runs at full speed */
    copy_initialised_data();
    clear(_sbss, _ebss);
    clear(_sarena, _earena);
    set_stack_guard();
    __asm volatile("dsb\n isb" ::: "memory"); /* code copied to RAM is visible to the fetcher */
    (void)main();
    fault_halt();
}

/* Finds the frame that the core pushed (ARMv7-M ARM B1.5.6: bit 2 of EXC_RETURN selects the stack), and reports it on a fresh stack: the
 * old one may be what is broken. */
__attribute__((naked, noreturn, used)) void HardFault_Handler(void)
{
    __asm volatile(
        "tst lr, #4\n"
        "ite eq\n"
        "mrseq r0, msp\n"
        "mrsne r0, psp\n"
        "ldr r1, =_estack\n"
        "msr msp, r1\n"
        "b fault_report\n");
}

__attribute__((naked, noreturn, used)) void Default_Handler(void)
{
    __asm volatile(
        "mrs r0, ipsr\n"
        "b fault_unexpected\n");
}
