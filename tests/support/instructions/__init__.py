"""Random sequences of instructions, run by the virtual board and by qemu as an independent oracle."""
