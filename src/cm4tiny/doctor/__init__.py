# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a bench: boards, ports and instruments, the serial line, the machine. One finding, one hint."""
