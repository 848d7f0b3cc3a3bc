# SPDX-License-Identifier: Apache-2.0
"""Random sequences of instructions, run by the virtual board and by qemu as an independent oracle."""
