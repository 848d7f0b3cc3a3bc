// SPDX-License-Identifier: Apache-2.0
/* The registers of the STM32L4R5 that this board uses: RM0432 (STM32L4+ reference manual) and the ARMv7-M Architecture Reference Manual.
 * Section names of RM0432 stand next to each block. */
#ifndef CM4TINY_STM32L4R5_H
#define CM4TINY_STM32L4R5_H

#include <stdint.h>

#include "board_description.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define BIT(n) (1u << (n))

/* Reset and clock control (RCC): "RCC registers" */
#define RCC_CR REGISTER(0x40021000u)
#define RCC_CR_HSION BIT(8)
#define RCC_CR_HSIRDY BIT(10)
#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define RCC_CFGR REGISTER(0x40021008u)
#define RCC_CFGR_SW_MASK 3u
#define RCC_CFGR_SW_PLL 3u
#define RCC_CFGR_SWS_MASK (3u << 2)
#define RCC_CFGR_SWS_PLL (3u << 2)
#define RCC_CFGR_HPRE_MASK (15u << 4)
#define RCC_CFGR_HPRE_DIV2 (8u << 4)
#define RCC_PLLCFGR REGISTER(0x4002100Cu)
#define RCC_PLLCFGR_SRC_HSI16 2u
#define RCC_PLLCFGR_M(divider) (((divider) - 1u) << 4)
#define RCC_PLLCFGR_N(factor) ((factor) << 8)
#define RCC_PLLCFGR_REN BIT(24)
#define RCC_PLLCFGR_R(divider) (((divider) / 2u - 1u) << 25)
#define RCC_APB1ENR1 REGISTER(0x40021058u)
#define RCC_APB1ENR1_TIM2 BIT(0)
#define RCC_APB1ENR1_PWR BIT(28)
#define RCC_CCIPR REGISTER(0x40021088u)
#define RCC_CCIPR_UART_MASK 3u
#define RCC_CCIPR_UART_HSI16 2u

/* Power control (PWR): "PWR registers" */
#define PWR_CR1 REGISTER(0x40007000u)
#define PWR_CR1_VOS_MASK (3u << 9)
#define PWR_CR1_VOS_RANGE1 (1u << 9)
#define PWR_CR2 REGISTER(0x40007004u)
#define PWR_CR2_IOSV BIT(9)
#define PWR_SR2 REGISTER(0x40007014u)
#define PWR_SR2_VOSF BIT(10)
#define PWR_CR5 REGISTER(0x40007080u)
#define PWR_CR5_R1MODE BIT(8)

/* Embedded flash memory (FLASH): "FLASH registers" */
#define FLASH_ACR REGISTER(0x40022000u)
#define FLASH_ACR_LATENCY_MASK 15u
#define FLASH_ACR_PRFTEN BIT(8)
#define FLASH_ACR_ICEN BIT(9)
#define FLASH_ACR_DCEN BIT(10)
#define FLASH_ACR_ICRST BIT(11)
#define FLASH_ACR_DCRST BIT(12)

/* General-purpose I/Os (GPIO): "GPIO registers" */
#define GPIO_MODER(port) REGISTER((port) + 0x00u)
#define GPIO_OTYPER(port) REGISTER((port) + 0x04u)
#define GPIO_PUPDR(port) REGISTER((port) + 0x0Cu)
#define GPIO_BSRR(port) REGISTER((port) + 0x18u)
#define GPIO_AFR(port, pin) REGISTER((port) + 0x20u + 4u * ((pin) / 8u)) /* AFRL, AFRH: eight pins each */

/* The UART of the virtual COM port, an LPUART or a USART: "LPUART registers", "USART registers", FIFO mode. What is used is at the
 * same place in both. */
#define VCP_CR1 REGISTER(VCP_BASE + 0x00u)
#define UART_CR1_UE BIT(0)
#define UART_CR1_RE BIT(2)
#define UART_CR1_TE BIT(3)
#define UART_CR1_FIFOEN BIT(29)
#define VCP_CR2 REGISTER(VCP_BASE + 0x04u)
#define VCP_CR3 REGISTER(VCP_BASE + 0x08u)
#define VCP_BRR REGISTER(VCP_BASE + 0x0Cu)
#define VCP_ISR REGISTER(VCP_BASE + 0x1Cu)
#define UART_ISR_FE BIT(1)
#define UART_ISR_ORE BIT(3)
#define UART_ISR_RXFNE BIT(5)
#define UART_ISR_TC BIT(6)
#define UART_ISR_TXFNF BIT(7)
#define UART_ISR_TEACK BIT(21)
#define UART_ISR_REACK BIT(22)
#define VCP_ICR REGISTER(VCP_BASE + 0x20u)
#define UART_ICR_ERRORS (BIT(0) | BIT(1) | BIT(2) | BIT(3)) /* PECF, FECF, NECF, ORECF */
#define VCP_RDR REGISTER(VCP_BASE + 0x24u)
#define VCP_TDR REGISTER(VCP_BASE + 0x28u)

/* General-purpose timers (TIM2/TIM3/TIM4/TIM5): "TIM2/TIM3/TIM4/TIM5 registers" */
#define TIM2_CR1 REGISTER(0x40000000u)
#define TIM_CR1_CEN BIT(0)
#define TIM2_EGR REGISTER(0x40000014u)
#define TIM_EGR_UG BIT(0)
#define TIM2_CNT REGISTER(0x40000024u)
#define TIM2_PSC REGISTER(0x40000028u)
#define TIM2_ARR REGISTER(0x4000002Cu)

/* System control block (ARMv7-M ARM, B3.2) */
#define SCB_VTOR REGISTER(0xE000ED08u)
#define SCB_AIRCR REGISTER(0xE000ED0Cu)
#define SCB_AIRCR_SYSRESETREQ 0x05FA0004u
#define SCB_CFSR REGISTER(0xE000ED28u)

#endif
