# SPDX-License-Identifier: Apache-2.0
"""Kernels on int16 activations: int16 values without zero point, in the layout that the next layer wants, with a border of zeros.

Why: on the Cortex-M4 one SMLAD does two multiply-accumulates of int16 pairs, and loads are the rest of the cost. Activations that are
stored as (quantised value - zero point) in 16 bits need no unpacking, no im2col and no care at the border; weights are widened once. The
loops are small assembly functions (:mod:`~cm4tiny.firmware.kernels.int16.assembly`), each with a portable C version that computes the same
bits. See docs/kernels.md for the kernels, their limits and their costs.
"""
