# SPDX-License-Identifier: Apache-2.0
"""A plain copy, for a RESHAPE whose input or output is the caller's buffer."""

from __future__ import annotations

from typing import Any

from cm4tiny.firmware.kernels.base import Kernel, Param, Tir, prim_func


def copy(count: int) -> Kernel:
    """Copies ``count`` bytes."""

    def body(x: Any, o: Any) -> None:
        tir = Tir()
        tir.emit("cm4t_copy", tir.at(o, 0), tir.at(x, 0), count)

    return Kernel("copy", prim_func([Param("x", count), Param("o", count)], body))
