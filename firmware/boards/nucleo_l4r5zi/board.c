// SPDX-License-Identifier: Apache-2.0
/* NUCLEO-L4R5ZI behind board.h: LPUART1 on PG7/PG8 (the ST-LINK's virtual COM port), TIM2 as microsecond timer, PF13 (Arduino D7) as
 * time-stamp pin. No interrupts: nothing but the model runs inside a measured window. */
#include "board.h"

#include "build_config.h"
#include "clock.h"
#include "stm32l4r5.h"

#define TX_PIN 7u /* PG7, alternate function 8 = LPUART1_TX (data sheet DS12023, "Alternate function AF8 to AF15") */
#define RX_PIN 8u /* PG8, alternate function 8 = LPUART1_RX */
#define LPUART_ALTERNATE 8u
#define TIMESTAMP_PIN 13u /* PF13 */

#define MODE_OUTPUT 1u
#define MODE_ALTERNATE 2u
#define PULL_UP 1u

/* "LPUART baud rate generation": BRR = 256 * f / baud, rounded; f from 3 to 4096 times the baud rate and BRR >= 0x300. f is HSI16, so the
 * baud rate does not depend on the system clock. */
#define BRR_VALUE (((256ull * CLOCK_HSI16_HZ) + CM4TINY_BAUD / 2u) / CM4TINY_BAUD)
_Static_assert(BRR_VALUE >= 0x300u && BRR_VALUE <= 0xFFFFFu, "LPUART1 cannot make this baud rate from HSI16");
_Static_assert(CLOCK_HSI16_HZ >= 3ull * CM4TINY_BAUD && CLOCK_HSI16_HZ <= 4096ull * CM4TINY_BAUD, "baud rate out of LPUART1's range");

static void set_field(volatile uint32_t *where, uint32_t pin, uint32_t width, uint32_t value)
{
    const uint32_t shift = pin * width;
    *where = (*where & ~(((1u << width) - 1u) << shift)) | (value << shift);
}

static void port_clocks_init(void)
{
    RCC_AHB2ENR |= RCC_AHB2ENR_GPIOF | RCC_AHB2ENR_GPIOG;
    RCC_APB1ENR1 |= RCC_APB1ENR1_PWR | RCC_APB1ENR1_TIM2;
    RCC_CCIPR = (RCC_CCIPR & ~RCC_CCIPR_LPUART1_MASK) | RCC_CCIPR_LPUART1_HSI16;
    RCC_APB1ENR2 |= RCC_APB1ENR2_LPUART1;
    (void)RCC_APB1ENR2; /* the clocks need two cycles before the first register access */
}

/* "LPUART FIFOs and thresholds": eight characters deep in both directions, so that a command is parsed while the next characters arrive.
 * FIFOEN can only be written while UE is 0. */
static void uart_init(void)
{
    LPUART1_CR1 = 0;
    LPUART1_CR2 = 0; /* one stop bit */
    LPUART1_CR3 = 0; /* no flow control, no DMA */
    LPUART1_BRR = (uint32_t)BRR_VALUE;
    LPUART1_CR1 = LPUART_CR1_FIFOEN;
    LPUART1_CR1 = LPUART_CR1_FIFOEN | LPUART_CR1_UE;
    LPUART1_CR1 = LPUART_CR1_FIFOEN | LPUART_CR1_UE | LPUART_CR1_RE | LPUART_CR1_TE; /* 8 data bits, no parity */
    const uint32_t ready = LPUART_ISR_TEACK | LPUART_ISR_REACK;
    while ((LPUART1_ISR & ready) != ready) {
    }
}

/* After uart_init(), so that the line is already idle (high) when the pin changes hands. PG2..PG15 hang on VDDIO2: "Independent I/O
 * supply rail", IOSV declares it valid. */
static void uart_pins_init(void)
{
    PWR_CR2 |= PWR_CR2_IOSV;
    set_field(&GPIO_PUPDR(GPIOG), RX_PIN, 2u, PULL_UP); /* an open line reads as idle */
    set_field(&GPIO_AFRL(GPIOG), TX_PIN, 4u, LPUART_ALTERNATE);
    set_field(&GPIO_AFRH(GPIOG), RX_PIN - 8u, 4u, LPUART_ALTERNATE);
    set_field(&GPIO_MODER(GPIOG), TX_PIN, 2u, MODE_ALTERNATE);
    set_field(&GPIO_MODER(GPIOG), RX_PIN, 2u, MODE_ALTERNATE);
}

/* Push-pull like the DigitalOut of the reference submissions; high before it becomes an output, so that starting makes no falling edge. */
static void timestamp_pin_init(void)
{
    board_timestamp_pin(true);
    set_field(&GPIO_OTYPER(GPIOF), TIMESTAMP_PIN, 1u, 0u);
    set_field(&GPIO_MODER(GPIOF), TIMESTAMP_PIN, 2u, MODE_OUTPUT);
}

/* "Counter modes", "Prescaler description": PSC takes effect at the next update event, which UG makes at once. The timer clock is PCLK1,
 * as its prescaler is 1. */
static void timer_init(void)
{
    TIM2_CR1 = 0;
    TIM2_PSC = CLOCK_SYSTEM_HZ / 1000000u - 1u;
    TIM2_ARR = 0xFFFFFFFFu;
    TIM2_EGR = TIM_EGR_UG;
    TIM2_CR1 = TIM_CR1_CEN;
}

void board_init(void)
{
    port_clocks_init();
    timer_init();
    timestamp_pin_init();
    uart_init();
    uart_pins_init();
}

int board_uart_getc_nonblocking(void)
{
    const uint32_t status = LPUART1_ISR;
    if ((status & LPUART_ISR_ORE) != 0u) {
        LPUART1_ICR = LPUART_ICR_ERRORS;
        return BOARD_UART_OVERRUN; /* what the FIFO still holds is read by the next calls */
    }
    if ((status & LPUART_ISR_RXFNE) == 0u) {
        return BOARD_UART_EMPTY;
    }
    const uint32_t received = LPUART1_RDR;
    if ((status & LPUART_ISR_FE) != 0u) { /* a break or a glitch while the port was opened: not a character */
        LPUART1_ICR = LPUART_ICR_ERRORS;
        return BOARD_UART_EMPTY;
    }
    return (int)(received & 0xFFu);
}

void board_uart_putc(char c)
{
    while ((LPUART1_ISR & LPUART_ISR_TXFNF) == 0u) {
    }
    LPUART1_TDR = (uint8_t)c;
}

void board_uart_flush(void)
{
    while ((LPUART1_ISR & LPUART_ISR_TC) == 0u) {
    }
}

uint32_t board_micros(void)
{
    return TIM2_CNT;
}

void board_timestamp_pin(bool high)
{
    GPIO_BSRR(GPIOF) = high ? BIT(TIMESTAMP_PIN) : BIT(TIMESTAMP_PIN + 16u);
}

_Noreturn void board_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = SCB_AIRCR_SYSRESETREQ;
    __asm volatile("dsb" ::: "memory");
    for (;;) {
    }
}
