# SPDX-License-Identifier: Apache-2.0
"""Memory of the STM32L4R5ZI: RM0432, "Memory organization"."""

FLASH_BASE = 0x0800_0000
FLASH_SIZE = 0x0020_0000
SRAM_BASE = 0x2000_0000
SRAM_SIZE = 0x000A_0000
