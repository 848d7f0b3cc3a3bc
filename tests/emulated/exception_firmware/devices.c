// SPDX-License-Identifier: Apache-2.0
/* Scenarios of peripherals and sleep; part of firmware.c. */
static uint32_t ram_vectors[128] __attribute__((aligned(512)));
static void vectors_to_ram(void)
{
    for (int i = 0; i < 16 + 95; i++) ram_vectors[i] = (uint32_t)vectors[i];
    ram_vectors[14] = (uint32_t)bad_return;
    ram_vectors[6] = (uint32_t)good_return;
    VTOR = (uint32_t)ram_vectors;
    SYNC;
}
static void systick_start(uint32_t reload, uint32_t control) { R(0xE000E014) = reload; R(0xE000E018) = 0; R(0xE000E010) = control; }
static void interrupts(char which)
{
    uint32_t from, n;
    switch (which) {
    case 't': systick_start(3999, 7); wait_cycles(40100); R(0xE000E010) = 0; hex(ticks); break;        /* HCLK: ten in 40000 cycles */
    case '8': systick_start(499, 3); wait_cycles(40100); R(0xE000E010) = 0; hex(ticks); break;         /* HCLK/8 */
    case 'w':                                       /* WFI sleeps up to the SysTick interrupt */
        systick_start(9999, 7); from = CYCCNT; __asm volatile("wfi"); n = CYCCNT - from; R(0xE000E010) = 0; hex(ticks); hex(n / 1000); break;
    case 'm':                                       /* with PRIMASK it wakes, and the handler waits */
        systick_start(9999, 7); IRQ_OFF; __asm volatile("wfi"); hex(ticks); IRQ_ON; SYNC; hex(ticks); R(0xE000E010) = 0; break;
    case 'e':                                       /* SEV: the first WFE does not sleep, the second one does */
        systick_start(9999, 7); __asm volatile("sev"); from = CYCCNT; __asm volatile("wfe"); n = CYCCNT - from; hex(n < 1000);
        from = CYCCNT; __asm volatile("wfe"); n = CYCCNT - from; hex(n > 1000); hex(ticks); R(0xE000E010) = 0; break;
    case 'x':                                       /* SLEEPONEXIT: back to thread mode only when a handler clears it */
        SCR = 2; systick_start(9999, 7); IRQ_OFF; IRQ_ON; from = CYCCNT; mode = NOTHING; enable(A, 0);
        ISPR(A) = BIT(A); SYNC; hex(ticks); SCR = 0; R(0xE000E010) = 0; break;
    case 'l': mode = LEVEL; ISER(70) = BIT(70); R(UART) |= 1u << 7; SYNC; wait_cycles(2000); hex(again); ICER(70) = BIT(70); break;
    case 'v':                                       /* registers of the NVIC read back */
        IPR(A) = 0xFF; hex(IPR(A)); ISPR(A) = BIT(A); hex(ISPR(A) >> A & 1); hex(ICSR >> 12 & 0x1ff); ISER(A) = BIT(A) * 0; ICPR(A) = BIT(A);
        hex(ISPR(A) >> A & 1); mode = LOOK; ISER(A) = BIT(A); R(0xE000EF00) = A; SYNC; hex(log_words[0]); hex(ICSR & 0x1ff); ICER(A) = BIT(A);
        hex(ISER(A) >> A & 1); break;
    case 'u':                                       /* the receiver's interrupt collects a line while the core sleeps */
        line_length = line_done = uart_in = 0; IPR(70) = 0x40; ISER(70) = BIT(70); R(UART) |= 1u << 5; print("listening\r\nm-ready\r\n");
        while (!line_done) __asm volatile("wfi");
        R(UART) &= ~(1u << 5); ICER(70) = BIT(70); print("m-["); line[line_length] = 0; print((const char *)line); put(' '); hex(uart_in); break;
    case 'b':                                       /* the same with an endless loop as main program */
        line_length = line_done = uart_in = 0; ISER(70) = BIT(70); R(UART) |= 1u << 5; print("listening\r\nm-ready\r\n");
        while (!line_done) { handled++; }
        R(UART) &= ~(1u << 5); ICER(70) = BIT(70); print("m-["); line[line_length] = 0; print((const char *)line); put(' '); break;
    case 'c':                                       /* the transmission-complete interrupt, cleared by its flag */
        mode = NOTHING; ICER(70) = BIT(70); while (!(R(UART + 0x1c) & 1u << 6));
        R(UART + 0x20) = 1u << 6; n = R(UART + 0x1c) >> 6 & 1; hex(n); while (!(R(UART + 0x1c) & 1u << 6));
        ICPR(70) = BIT(70); R(UART) |= 1u << 6; SYNC; hex(ISPR(70) >> (70 - 64) & 1); R(UART) &= ~(1u << 6); R(UART + 0x20) = 1u << 6; ICPR(70) = BIT(70);
        hex(ISPR(70) >> (70 - 64) & 1); hex(R(UART + 0x1c) >> 6 & 1); break;
    case 'p':                                       /* looking at a timer must not cost it a part of a count */
        R(0x40000C28) = 99; R(0x40000C2C) = 0xFFFFFFFF; R(0x40000C14) = 1; R(0x40000C00) = 1; from = CYCCNT;
        while (CYCCNT - from < 100000) R(0x40000C10) = 0;
        n = R(0x40000C24); R(0x40000C00) = 0; hex(n); break;
    case '5':                                       /* TIM5 at HCLK/4: PPRE1 /8 doubled */
        timer_hits = 0; R(0x40021008) |= 6u << 8; R(0x40000C28) = 9; R(0x40000C2C) = 99; R(0x40000C14) = 1; R(0x40000C10) = 0; R(0x40000C0C) = 1;
        ISER(50) = BIT(50); from = CYCCNT; R(0x40000C00) = 1; wait_cycles(40100); R(0x40000C00) = 0; hex(timer_hits); R(0x40021008) &= ~(7u << 8);
        ICER(50) = BIT(50); break;
    case '1':                                       /* one-pulse mode, and a compare in the middle */
        timer_hits = 0; R(0x40000C28) = 0; R(0x40000C2C) = 999; R(0x40000C34) = 500; R(0x40000C14) = 1; R(0x40000C10) = 0; R(0x40000C0C) = 3;
        ISER(50) = BIT(50); R(0x40000C00) = 9; wait_cycles(5000); hex(timer_hits); hex(R(0x40000C00) & 1); ICER(50) = BIT(50); R(0x40000C0C) = 0;
        R(0x40000C00) = 0; break;
    }
}
static const char text_to_send[] = "sent by DMA\r\n";
static volatile uint8_t buffer[32];
static void dma_channel1(uint32_t request, uint32_t peripheral, const volatile void *memory, uint32_t count, uint32_t control)
{
    R(0x40020008) = 0; R(0x40020800) = request; R(0x40020010) = peripheral; R(0x40020014) = (uint32_t)memory; R(0x4002000C) = count;
    dma_flags = 0; ISER(11) = BIT(11); R(0x40020008) = control | 1;
    SYNC;
}
static uint32_t crc(const char *text, uint32_t control)
{
    R(0x40023008) = control | 1; while (*text) *(volatile uint8_t *)0x40023000 = (uint8_t)*text++;
    return R(0x40023000);
}
static void devices(char which)
{
    switch (which) {
    case 't': R(UART + 8) |= 1u << 7; dma_channel1(35, UART + 0x28, text_to_send, sizeof text_to_send - 1, 0x92); while (!(dma_flags & 2)); R(UART + 8) = 0;
        hex(dma_flags); hex(R(0x4002000C)); break;
    case 'r': R(UART + 8) |= 1u << 6; dma_channel1(34, UART + 0x24, buffer, 8, 0x86 | 0x20); print("listening\r\nm-ready\r\n");
        while (buffer[3] != '%') __asm volatile("wfi");
        R(UART + 8) = 0; R(0x40020008) = 0; print("m-["); hex(buffer[0]); hex(buffer[3]); hex(R(0x4002000C)); hex(dma_flags); break;
    case 'm': for (int i = 0; i < 8; i++) buffer[i] = 0; dma_channel1(0, (uint32_t)text_to_send, buffer, 4, 0x40C2); hex(buffer[0]); hex(buffer[3]); hex(buffer[4]);
        hex(dma_flags); break;
    case 'e': dma_channel1(0, (uint32_t)text_to_send, (void *)0x08000000, 4, 0x40C8); hex(dma_flags); break;
    case 'c': hex(~crc("123456789", 0xA0)); hex(crc("123456789", 0)); break;
    case 'n': R(0x50060800) = 4; while (!(R(0x50060804) & 1)); buffer[0] = R(0x50060808); while (!(R(0x50060804) & 1)); hex(buffer[0] != R(0x50060808)); break;
    case 'b': R(0x20001000) = 0; R(0x22000000 + 0x1000 * 32 + 5 * 4) = 1; hex(R(0x20001000)); hex(R(0x22000000 + 0x1000 * 32 + 5 * 4));
        R(0x42000000 + (0x40000C2C - 0x40000000) * 32 + 3 * 4) = 0; hex(R(0x40000C2C) >> 3 & 1); break;
    case 'g':                                       /* a port without its clock hears nothing */
        R(0x4002104C) |= 1u << 5; R(0x48001400) = 1; R(0x48001414) = 1; R(0x4002104C) &= ~(1u << 5); R(0x48001414) = 0; hex(R(0x48001414));
        R(0x4002104C) |= 1u << 5; hex(R(0x48001414)); break;
    case 's': R(0x4002104C) |= 1u << 6; R(0x48001800) = (R(0x48001800) & ~(15u << 22)) | 1u << 22; hex(R(0x48001810) >> 12 & 1); R(0x48001818) = 1u << 11; hex(R(0x48001810) >> 12 & 1); break;
    case 'i': hex(R(0x1FFF7590) != 0xFFFFFFFF); hex(*(volatile uint16_t *)0x1FFF75E0); break;
    case 'u': (void)R(0x40005400); R(0x40005404) = 1; (void)R(0x40005400); break;
    case 'a': {                                     /* SAI1 block A receives 16-bit stereo by DMA */
        static uint16_t audio[64];
        for (int i = 0; i < 64; i++) audio[i] = 0;
        R(0x40015410) = 3u << 16 | 1u << 8; R(0x40015404) = 3 | 4u << 5 | 1u << 17; dma_channel1(36, 0x40015420, audio, 64, 0x582);
        R(0x40015404) |= 1u << 16; print("m-listening\r\n"); while (!(dma_flags & 2)) __asm volatile("wfi");
        hex(audio[0]); hex(audio[1]); hex(audio[62]); hex(audio[63]); R(0x40015404) = 0; break;
    }
    }
}
