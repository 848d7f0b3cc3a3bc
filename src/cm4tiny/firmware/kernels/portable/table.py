# SPDX-License-Identifier: Apache-2.0
"""Any function of one int8 value: 256 results, computed by the compiler."""

from __future__ import annotations

from typing import Any

from cm4tiny.firmware.kernels.base import Array, Kernel, Param, Tir, prim_func

CYCLES_PER_VALUE = 7
"""LDRSB, ADD, LDRSB of flash, STRB and a loop of two instructions, written out by the C compiler now and then."""


def look_up(count: int, table: Array) -> Kernel:
    """``o[i] = table[x[i] + 128]``; ``table`` is int8 [256]."""

    def body(x: Any, table: Any, o: Any) -> None:
        tir = Tir()
        with tir.loop(count, "i") as i:
            tir.store(o, i, table[tir.ir.Cast("int32", x[i]) + 128])

    return Kernel("table", prim_func([Param("x", count), Param("table", 256), Param("o", count)], body), (table,))
