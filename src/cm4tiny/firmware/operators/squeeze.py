# SPDX-License-Identifier: Apache-2.0
"""SQUEEZE and EXPAND_DIMS: RESHAPE by other names."""

from __future__ import annotations

from cm4tiny.firmware.operators.base import Operator
from cm4tiny.firmware.operators.reshape import keep_memory

OPERATOR = Operator(
    kinds=("SQUEEZE", "EXPAND_DIMS"),
    forms="any",
    kernels="no code: the tensor keeps its memory",
    references=("micro/kernels/squeeze.cc:90 SqueezeEval", "micro/kernels/expand_dims.cc:119 ExpandDimsEval"),
    lower=keep_memory,
)
