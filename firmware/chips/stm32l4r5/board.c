// SPDX-License-Identifier: Apache-2.0
/* A board with this chip behind board.h: the UART and pins of the virtual COM port and the time-stamp pin are those of the board's
 * description; TIM2 is the microsecond timer. No interrupts: nothing but the model runs inside a measured window. */
#include "board.h"

#include "build_config.h"
#include "clock.h"
#include "stm32l4r5.h"

/* PG2 to PG15 hang on VDDIO2: "Independent I/O supply rail", IOSV declares it valid. VCP_ON_VDDIO2 and TIMESTAMP_ON_VDDIO2 are made from
 * the pins of the description. */

#define MODE_OUTPUT 1u
#define MODE_ALTERNATE 2u
#define PULL_UP 1u

/* "LPUART baud rate generation": BRR = 256 * f / baud, rounded; f from 3 to 4096 times the baud rate and BRR >= 0x300. "USART baud rate
 * generation": BRR = f / baud, rounded, and at least 16. f is HSI16, so the baud rate does not depend on the system clock. */
#if VCP_IS_LPUART
#define BRR_VALUE (((256ull * CLOCK_INTERNAL_HZ) + CM4TINY_BAUD / 2u) / CM4TINY_BAUD)
_Static_assert(BRR_VALUE >= 0x300u && BRR_VALUE <= 0xFFFFFu, "LPUART1 cannot make this baud rate from HSI16");
_Static_assert(CLOCK_INTERNAL_HZ >= 3ull * CM4TINY_BAUD && CLOCK_INTERNAL_HZ <= 4096ull * CM4TINY_BAUD, "baud rate out of LPUART1's range");
#else
#define BRR_VALUE ((CLOCK_INTERNAL_HZ + CM4TINY_BAUD / 2u) / CM4TINY_BAUD)
_Static_assert(BRR_VALUE >= 16u && BRR_VALUE <= 0xFFFFu, "the USART cannot make this baud rate from HSI16");
#endif

static void set_field(volatile uint32_t *where, uint32_t pin, uint32_t width, uint32_t value)
{
    const uint32_t shift = pin * width;
    *where = (*where & ~(((1u << width) - 1u) << shift)) | (value << shift);
}

static void port_clocks_init(void)
{
    REGISTER(PINS_ENABLE_REGISTER) |= PINS_ENABLE_MASK;
    RCC_APB1ENR1 |= RCC_APB1ENR1_PWR | RCC_APB1ENR1_TIM2;
    RCC_CCIPR = (RCC_CCIPR & ~(RCC_CCIPR_UART_MASK << VCP_KERNEL_CLOCK_SHIFT)) | (RCC_CCIPR_UART_HSI16 << VCP_KERNEL_CLOCK_SHIFT);
    REGISTER(VCP_ENABLE_REGISTER) |= BIT(VCP_ENABLE_BIT);
    (void)REGISTER(VCP_ENABLE_REGISTER); /* the clocks need two cycles before the first register access */
}

/* "LPUART FIFOs and thresholds", "USART FIFOs and thresholds": eight characters deep in both directions, so that a command is parsed
 * while the next characters arrive. FIFOEN can only be written while UE is 0. */
static void uart_init(void)
{
    VCP_CR1 = 0;
    VCP_CR2 = 0; /* one stop bit */
    VCP_CR3 = 0; /* no flow control, no DMA */
    VCP_BRR = (uint32_t)BRR_VALUE;
    VCP_CR1 = UART_CR1_FIFOEN;
    VCP_CR1 = UART_CR1_FIFOEN | UART_CR1_UE;
    VCP_CR1 = UART_CR1_FIFOEN | UART_CR1_UE | UART_CR1_RE | UART_CR1_TE; /* 8 data bits, no parity */
    const uint32_t ready = UART_ISR_TEACK | UART_ISR_REACK;
    while ((VCP_ISR & ready) != ready) {
    }
}

/* After uart_init(), so that the line is already idle (high) when the pin changes hands. */
static void uart_pins_init(void)
{
#if VCP_ON_VDDIO2
    PWR_CR2 |= PWR_CR2_IOSV;
#endif
    set_field(&GPIO_PUPDR(VCP_RX_PORT), VCP_RX_PIN, 2u, PULL_UP); /* an open line reads as idle */
    set_field(&GPIO_AFR(VCP_TX_PORT, VCP_TX_PIN), VCP_TX_PIN % 8u, 4u, VCP_TX_FUNCTION);
    set_field(&GPIO_AFR(VCP_RX_PORT, VCP_RX_PIN), VCP_RX_PIN % 8u, 4u, VCP_RX_FUNCTION);
    set_field(&GPIO_MODER(VCP_TX_PORT), VCP_TX_PIN, 2u, MODE_ALTERNATE);
    set_field(&GPIO_MODER(VCP_RX_PORT), VCP_RX_PIN, 2u, MODE_ALTERNATE);
}

/* Push-pull like the DigitalOut of the reference submissions; high before it becomes an output, so that starting makes no falling edge. */
static void timestamp_pin_init(void)
{
#if TIMESTAMP_ON_VDDIO2
    PWR_CR2 |= PWR_CR2_IOSV;
#endif
    board_timestamp_pin(true);
    set_field(&GPIO_OTYPER(TIMESTAMP_PORT), TIMESTAMP_PIN, 1u, 0u);
    set_field(&GPIO_MODER(TIMESTAMP_PORT), TIMESTAMP_PIN, 2u, MODE_OUTPUT);
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
    const uint32_t status = VCP_ISR;
    if ((status & UART_ISR_ORE) != 0u) {
        VCP_ICR = UART_ICR_ERRORS;
        return BOARD_UART_OVERRUN; /* what the FIFO still holds is read by the next calls */
    }
    if ((status & UART_ISR_RXFNE) == 0u) {
        return BOARD_UART_EMPTY;
    }
    const uint32_t received = VCP_RDR;
    if ((status & UART_ISR_FE) != 0u) { /* a break or a glitch while the port was opened: not a character */
        VCP_ICR = UART_ICR_ERRORS;
        return BOARD_UART_EMPTY;
    }
    return (int)(received & 0xFFu);
}

void board_uart_putc(char c)
{
    while ((VCP_ISR & UART_ISR_TXFNF) == 0u) {
    }
    VCP_TDR = (uint8_t)c;
}

void board_uart_flush(void)
{
    while ((VCP_ISR & UART_ISR_TC) == 0u) {
    }
}

uint32_t board_micros(void)
{
    return TIM2_CNT;
}

void board_timestamp_pin(bool high)
{
    GPIO_BSRR(TIMESTAMP_PORT) = high ? BIT(TIMESTAMP_PIN) : BIT(TIMESTAMP_PIN + 16u);
}

_Noreturn void board_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = SCB_AIRCR_SYSRESETREQ;
    __asm volatile("dsb" ::: "memory");
    for (;;) {
    }
}
