// SPDX-License-Identifier: Apache-2.0
/* Firmware for tests of the exception model: one command runs one scenario and prints what it saw, in hex. */
#include <stdint.h>

#define R(a) (*(volatile uint32_t *)(a))
#define R8(a) (*(volatile uint8_t *)(a))
#define UART 0x40008000u
#define ICSR R(0xE000ED04u)
#define VTOR R(0xE000ED08u)
#define AIRCR R(0xE000ED0Cu)
#define SCR R(0xE000ED10u)
#define CCR R(0xE000ED14u)
#define SHCSR R(0xE000ED24u)
#define CFSR R(0xE000ED28u)
#define HFSR R(0xE000ED2Cu)
#define BFAR R(0xE000ED38u)
#define FPCCR R(0xE000EF34u)
#define FPCAR R(0xE000EF38u)
#define CYCCNT R(0xE0001004u)
#define ISER(n) R(0xE000E100u + 4u * ((n) / 32u))
#define ICER(n) R(0xE000E180u + 4u * ((n) / 32u))
#define ISPR(n) R(0xE000E200u + 4u * ((n) / 32u))
#define ICPR(n) R(0xE000E280u + 4u * ((n) / 32u))
#define IPR(n) R8(0xE000E400u + (n))
#define BIT(n) (1u << ((n) & 31u))
#define PENDSV (1u << 28)
#define A 8u                        /* interrupts that the scenarios raise themselves: EXTI2, EXTI3 */
#define B 9u

extern uint32_t _estack;
static volatile uint32_t log_words[64], log_count;
static volatile uint32_t frame_address, exc_return, seen[32];
volatile uint32_t handled;
static uint32_t process_stack[256] __attribute__((aligned(8)));

static void put(char c) { while (!(R(UART + 0x1c) & 0x80)); R(UART + 0x28) = (uint8_t)c; }
static void print(const char *s) { while (*s) put(*s++); }
static void hex(uint32_t v) { int n = 28; while (n && !(v >> n)) n -= 4; for (; n >= 0; n -= 4) put("0123456789abcdef"[v >> n & 15]); put(' '); }
static void note(uint32_t v) { if (log_count < 64) log_words[log_count++] = v; }
static uint32_t get_control(void) { uint32_t v; __asm volatile("mrs %0, control" : "=r"(v)); return v & 7; }
static uint32_t get_sp(void) { uint32_t v; __asm volatile("mov %0, sp" : "=r"(v)); return v; }
static void use_process_stack(void)
{
    __asm volatile("msr psp, %0\n movs r0, #2\n msr control, r0\n isb\n" : : "r"(&process_stack[200]) : "r0", "memory");
}
static void use_main_stack(void) { __asm volatile("movs r0, #0\n msr control, r0\n isb\n" : : : "r0", "memory"); }
#define IRQ_OFF __asm volatile("cpsid i" ::: "memory")
#define IRQ_ON __asm volatile("cpsie i" ::: "memory")
#define SYNC __asm volatile("dsb\n isb" ::: "memory")

/* --- handlers: the test says what they do --- */
static volatile uint32_t mode, again;
enum { LOOK = 1, FP_IN_HANDLER, NEST, ORDER, PREEMPT, SKIP, RESCUE, NOTHING, BAD_RETURN, TAIL, COUNT, LEVEL, FAULT_AGAIN, LOOP, MASK, FAULT_INSIDE };

static __attribute__((noinline)) void use_fp(void) { __asm volatile("vmov.f32 s0, #1.0\n vmov.f32 s15, #2.0" ::: "s0", "s15"); }

__attribute__((used)) void c_handler(uint32_t *frame, uint32_t lr)
{
    uint32_t exception = ICSR & 0x1ff;
    handled++;
    switch (mode) {
    case LOOK: case FP_IN_HANDLER:
        frame_address = (uint32_t)frame; exc_return = lr;
        for (int i = 0; i < (lr & 16 ? 8 : 26); i++) seen[i] = frame[i];
        note(exception); note(get_control()); note(FPCCR & 1);
        if (mode == FP_IN_HANDLER) {
            use_fp();
            note(FPCCR & 1);
            if (!(lr & 16)) for (int i = 8; i < 26; i++) seen[i] = frame[i];
        }
        break;
    case NEST:
        note(exception); note(lr);
        if (exception == 14) { ISPR(A) = BIT(A); SYNC; }
        break;
    case ORDER: note(exception); break;
    case PREEMPT:
        note(exception);
        if (exception == 16 + A) { ISPR(B) = BIT(B); SYNC; note(0xA); }
        break;
    case SKIP: {                                    /* a fault: go on behind the instruction */
        uint16_t code = *(uint16_t *)frame[6];
        note(exception); note(CFSR); note(HFSR); note(frame[6] & 0xFFF);
        if (CFSR & 0x8000) note(BFAR);
        CFSR = CFSR; HFSR = HFSR;
        frame[6] += code >= 0xE800 ? 4 : 2;
        break;
    }
    case RESCUE:                                    /* a jump to nowhere: go on where the caller was */
        note(exception); note(CFSR); note(HFSR);
        CFSR = CFSR; HFSR = HFSR;
        frame[6] = frame[5] & ~1u; frame[7] |= 1u << 24;
        break;
    case TAIL: note(CYCCNT); note(lr); note((uint32_t)frame); break;
    case LEVEL: if (++again == 5) R(UART) &= ~(1u << 7); break;
    case MASK: __asm volatile("cpsid f"); break;
    case FAULT_INSIDE: mode = SKIP; __asm volatile("udf #4"); break;
    case LOOP: for (;;) { handled++; handled--; }
    case FAULT_AGAIN: __asm volatile("udf #1");
    default: break;
    }
}
__attribute__((naked, used)) static void any_handler(void)
{
    __asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n mov r1, lr\n push {r4, lr}\n bl c_handler\n pop {r4, pc}\n");
}
__attribute__((naked, used)) static void good_return(void)     /* counts, and returns to thread mode whatever LR says */
{
    __asm volatile("movw r0, #:lower16:handled\n movt r0, #:upper16:handled\n ldr r1, [r0]\n adds r1, #1\n str r1, [r0]\n mvn r0, #6\n bx r0\n");
}
__attribute__((naked, used)) static void bad_return(void) { __asm volatile("mvn r0, #0x1a\n bx r0\n"); }   /* 0xFFFFFFE5 */

static volatile uint32_t ticks, uart_in, timer_hits;
static volatile char line[64];
static volatile uint32_t line_length, line_done;
static void systick(void) { if (++ticks == 3 && mode == NOTHING) SCR = 0; }
static void lpuart(void)
{
    if (mode == LEVEL) { c_handler(0, 0); return; }
    if (R(UART + 0x1c) & 0x20) {
        char c = (char)R(UART + 0x24);
        if (c == '%') line_done = 1; else if (line_length < 63) line[line_length++] = c;
        uart_in++;
    }
}
static void tim5(void) { R(0x40000C10) = 0; timer_hits++; }
static volatile uint32_t dma_flags;
static void dma1_channel1(void) { dma_flags |= R(0x40020000); R(0x40020004) = 0xF; }

void reset(void);
#define H (void *)any_handler
__attribute__((section(".vectors"), used, aligned(512))) void *const vectors[16 + 95] = {
    &_estack, (void *)reset, H, H, H, H, H, 0, 0, 0, 0, H, H, 0, H, (void *)systick,
    [16 + 0 ... 16 + 10] = H, [16 + 11] = (void *)dma1_channel1, [16 + 12 ... 16 + 49] = H, [16 + 50] = (void *)tim5, [16 + 51 ... 16 + 69] = H,
    [16 + 70] = (void *)lpuart, [16 + 71 ... 16 + 94] = H};

static void pend_sv(void) { ICSR = PENDSV; SYNC; }
static void show_frame(uint32_t sp_before)
{
    hex(exc_return); hex(sp_before - frame_address);
    for (int i = 0; i < 5; i++) hex(seen[i]);
    hex(seen[6] & 1); hex(seen[7] >> 24 & 1); hex(seen[7] >> 9 & 1);
}
static void frame_scenario(int process, uint32_t padding)
{
    register uint32_t sum __asm("r6"), sp __asm("r8"), after __asm("r9");
    register uint32_t less __asm("r10") = padding;
    uint32_t left;
    mode = LOOK;
    if (process) use_process_stack();
    __asm volatile("sub sp, sp, r10\n mov r8, sp\n movw r4, #0xED04\n movt r4, #0xE000\n mov r5, #0x10000000\n"
                   "movs r0, #0x10\n movs r1, #0x11\n movs r2, #0x12\n movs r3, #0x13\n mov r12, #0x1c\n"
                   "str r5, [r4]\n dsb\n isb\n"
                   "add r0, r1\n add r0, r2\n add r0, r3\n add r0, r12\n mov r6, r0\n mov r9, sp\n add sp, sp, r10\n"
                   : "=r"(sum), "=r"(sp), "=r"(after) : "r"(less) : "r0", "r1", "r2", "r3", "r4", "r5", "r12", "memory", "cc");
    left = get_control();
    if (process) use_main_stack();
    show_frame(sp); hex(sum); hex(after - sp); hex(left);
}
static __attribute__((noinline)) void load_fp(void)
{
    __asm volatile("vmov.f32 s0, #3.0\n vmov.f32 s1, #5.0\n vmov.f32 s15, #7.0\n vmov.f32 s16, #9.0" ::: "s0", "s1", "s15", "s16");
}
static __attribute__((noinline)) void fp_scenario(int in_handler)
{
    uint32_t sp = get_sp(), s0, s15;
    mode = in_handler ? FP_IN_HANDLER : LOOK;
    load_fp();
    pend_sv();
    __asm volatile("vmov %0, s0\n vmov %1, s15" : "=r"(s0), "=r"(s15));
    hex(exc_return); hex(sp - frame_address); hex(FPCAR - frame_address); hex(s0); hex(s15); hex(seen[8]); hex(seen[23]); hex(get_control());
    hex(FPCCR & 1);
    for (uint32_t i = 0; i < log_count; i++) hex(log_words[i]);
}
static void show_log(void) { for (uint32_t i = 0; i < log_count; i++) hex(log_words[i]); }
static void enable(uint32_t n, uint32_t priority) { IPR(n) = (uint8_t)priority; ISER(n) = BIT(n); }
static void wait_cycles(uint32_t n) { uint32_t from = CYCCNT; while (CYCCNT - from < n); }

static void faults(char which)
{
    uint32_t value = 0x55;
    mode = SKIP;
    switch (which) {
    case 'u': __asm volatile(".global at_udf\n at_udf: udf #7"); break;
    case 'r': __asm volatile("ldr %0, [%1]" : "+r"(value) : "r"(0x90000000) : "memory"); note(value); break;
    case 'w': __asm volatile("str %0, [%1]" : : "r"(value), "r"(0x90000004) : "memory"); break;
    case 'd': CCR |= 0x10; SYNC; __asm volatile("udiv %0, %1, %2" : "=r"(value) : "r"(7), "r"(0)); note(value); break;
    case 'D': __asm volatile("udiv %0, %1, %2" : "=r"(value) : "r"(7), "r"(0)); note(value); break;
    case 'n': R(0xE000ED88) = 0; SYNC; __asm volatile("vmov s0, %0" : : "r"(value)); note(1); break;
    case 'm': CCR |= 8; SYNC; __asm volatile("ldr %0, [%1]" : "+r"(value) : "r"(0x20000001) : "memory"); CCR &= ~8u; note(value == 0x55); break;
    case 'x': mode = RESCUE; ((void (*)(void))0x40000001)(); break;
    case 'X': mode = RESCUE; ((void (*)(void))0x60000001)(); break;
    case 's': mode = RESCUE; ((void (*)(void))((uint32_t)&faults & ~1u))(); break;
    case 'b': __asm volatile("bkpt #3"); break;
    }
    show_log();
}
static void ending(char which)
{
    switch (which) {
    case 'h': mode = FAULT_AGAIN; __asm volatile("udf #2"); break;        /* a fault in the HardFault handler */
    case 'L': mode = LOOP; __asm volatile("udf #3"); break;               /* a handler that never says anything */
    case 'o': IRQ_OFF; for (;;); break;
    case 'p': mode = NOTHING; VTOR = 0x20090000; R(VTOR + 4 * (16 + A)) = 0; ISPR(A) = BIT(A); ISER(A) = BIT(A); SYNC; break;  /* a vector of zero */
    case 't': __asm volatile("msr msp, %0\n svc 1" : : "r"(0x10)); break;     /* no stack */
    case 'w': __asm volatile("wfi"); for (;;) __asm volatile("wfi"); break;
    case 'l': for (;;) { handled++; handled--; } break;
    }
}
#include "devices.c"

static void command(const char *text)
{
    log_count = handled = again = ticks = 0;
    switch (text[0]) {
    case 'f': frame_scenario(text[1] == 'p', text[2] == '4' ? 4 : 0); break;
    case 'F': fp_scenario(text[1] == 'h'); break;
    case 'L': FPCCR &= ~(1u << 30); fp_scenario(text[1] == 'h'); break;
    case 'a': CCR &= ~(1u << 9); if (text[1] == 'f') load_fp(); frame_scenario(0, 4); hex(exc_return); break;    /* STKALIGN off */
    case 'g':                                       /* floating point only in the handler leaves no context behind */
        mode = FP_IN_HANDLER; pend_sv(); hex(exc_return); hex(get_control()); mode = LOOK; pend_sv(); hex(exc_return); break;
    case 'n': mode = NEST; enable(A, 0); R8(0xE000ED22) = 0x80; pend_sv(); show_log(); break;
    case 'o':                                       /* order of pending interrupts, by priority and then by number */
        mode = ORDER; IRQ_OFF; enable(7, 0x40); enable(A, 0x20); enable(B, 0x40); R8(0xE000ED22) = 0x40;
        ISPR(B) = BIT(B); ISPR(7) = BIT(7); ICSR = PENDSV; ISPR(A) = BIT(A); SYNC; note(0); IRQ_ON; SYNC; show_log(); break;
    case 'p':                                       /* who interrupts whom: pA pB are the priorities, g the group split */
        mode = PREEMPT; AIRCR = 0x05FA0000u | (uint32_t)(text[3] - '0') << 8; enable(A, (uint32_t)(text[1] - '0') << 4);
        enable(B, (uint32_t)(text[2] - '0') << 4); ISPR(A) = BIT(A); SYNC; show_log(); AIRCR = 0x05FA0000u; break;
    case 'b':                                       /* BASEPRI */
        mode = ORDER; enable(A, 0x40); enable(B, 0x80); __asm volatile("msr basepri, %0" : : "r"(0x80)); ISPR(B) = BIT(B); ISPR(A) = BIT(A); SYNC;
        note(1); __asm volatile("msr basepri, %0" : : "r"(0)); SYNC; show_log(); break;
    case 'k':                                       /* FAULTMASK, cleared by the return from the handler that set it */
        mode = ORDER; enable(A, 0); __asm volatile("cpsid f"); ISPR(A) = BIT(A); SYNC; note(1); __asm volatile("cpsie f"); SYNC; show_log(); break;
    case 'K': {                                     /* FAULTMASK set in a handler is cleared by its return */
        uint32_t mask;
        mode = MASK; enable(A, 0); ISPR(A) = BIT(A); SYNC; __asm volatile("mrs %0, faultmask" : "=r"(mask)); hex(handled); hex(mask); break;
    }
    case 't':                                       /* tail-chaining: cycles from the first handler to the second */
        mode = TAIL; IRQ_OFF; enable(A, 0x40); enable(B, 0x80); ISPR(A) = BIT(A); ISPR(B) = BIT(B); SYNC; IRQ_ON; SYNC; note(get_sp());
        hex(log_words[3] - log_words[0]); hex(log_words[1] == log_words[4]); hex(log_words[2] == log_words[5]); hex(handled); break;
    case 's':                                       /* SVC */
        if (text[1] == 'm') { mode = SKIP; IRQ_OFF; __asm volatile("svc 66"); IRQ_ON; show_log(); break; }
        mode = LOOK; __asm volatile("svc 66"); hex(log_words[0]); hex(*(uint16_t *)(seen[6] - 2)); break;
    case 'e': SHCSR |= 7u << 16; faults(text[1]); break;
    case 'E': faults(text[1]); break;
    case 'q': SHCSR |= 7u << 16; mode = FAULT_INSIDE; enable(A, 0); ISPR(A) = BIT(A); SYNC; show_log(); break;   /* a fault of the handler's priority */
    case 'r': mode = SKIP; SHCSR |= 7u << 16; vectors_to_ram(); pend_sv(); hex(handled); hex(CFSR >> 18 & 1); VTOR = 0; break;
    case 'z': ending(text[1]); break;
    case 'i': print(""); interrupts(text[1]); break;
    case 'd': devices(text[1]); break;
    }
    print("]\r\n");
}
void reset(void)
{
    static char text[64];
    R(0x40021048) |= 0x1007; R(0x4002104c) = 1u << 18 | 0x60; R(0x40021058) = 1u << 28 | 1u << 21 | 1u << 3; R(0x4002105c) = 1;
    R(0x40021060) = 1u << 21;       /* DMA1, DMA2, DMAMUX1, CRC; RNG, ports F and G; PWR, I2C1, TIM5; LPUART1; SAI1 */
    R(0x40007004) = 1u << 9; R(0x48001820) = 8u << 28; R(0x48001824) = 8; R(0x48001800) = 0xFFFEBFFF;   /* IOSV; PG7, PG8: LPUART1 */
    R(0x40021098) |= 1; while (!(R(0x40021098) & 2));               /* HSI48, for the RNG */
    R(UART + 0xc) = 0x22B9; R(UART) = 0xd;                          /* 115200 baud from 4 MHz */
    R(0xE000ED88) |= 15u << 20; SYNC;
    R(0xE000EDFC) |= 1u << 24; R(0xE0001000) |= 1;
    log_count = 0;
    print("m-ready\r\n");
    for (;;) {
        int n = 0;
        for (;;) {
            while (!(R(UART + 0x1c) & 0x20));
            char c = (char)R(UART + 0x24);
            if (c == '%') break;
            if (n < 63) text[n++] = c;
        }
        text[n] = 0;
        print("m-[");
        command(text);
        print("m-ready\r\n");
    }
}
