# SPDX-License-Identifier: Apache-2.0
"""What all kernels share: the shape of a kernel, and a few words for writing TIR with TVM's IR builder.

A kernel is a TIR ``PrimFunc`` over flat buffers. Its parameters come in a fixed order: activations read, constants, memory that is kept,
workspaces, the output. The memory planner gives every workspace its offset in the arena for the time of the call, so no kernel has large
locals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cm4tiny.firmware.kernels.functions import CFunction

HELPERS = Path(__file__).with_name("helpers.h")
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Kernel:
    """One layer as TIR.

    Attributes:
        kind: part of the C function's name.
        func: the ``tirx.PrimFunc``.
        constants: arrays for the constant parameters, int8, int16 or int32.
        workspaces: sizes in bytes of the scratch parameters.
        code: micro-kernels that the function calls.
        in_ram: which constants are copied to RAM at boot.
        kept: first values of memory that keeps them from inference to inference; parameters between constants and workspaces.
        helpers: C functions that the function calls besides those of helpers.h.
    """

    kind: str
    func: Any
    constants: tuple[Array, ...] = ()
    workspaces: tuple[int, ...] = ()
    code: tuple[CFunction, ...] = ()
    in_ram: frozenset[int] = frozenset()
    kept: tuple[Array, ...] = ()
    helpers: tuple[str, ...] = ()

    @property
    def ram_bytes(self) -> int:
        """Bytes of constants in RAM, and of what is kept."""
        return sum(self.constants[i].nbytes for i in self.in_ram) + sum(array.nbytes for array in self.kept)


@dataclass(frozen=True)
class Candidate:
    """One way to compute a layer, before it is made.

    Attributes:
        id: stable name, e.g. ``"conv 1x4 u8 ram"``; plans refer to it.
        cycles: estimate, by the cost that the kernel's module documents.
        ram_bytes: constants in RAM.
        workspace_bytes: scratch memory while it runs.
        make: builds the kernel.
    """

    id: str
    cycles: int
    ram_bytes: int
    workspace_bytes: int
    make: Callable[[], Kernel]


@dataclass(frozen=True)
class Param:
    """A parameter of a kernel: ``count`` values of ``dtype`` (int8, int16 or int32)."""

    name: str
    count: int
    dtype: str = "int8"


def prim_func(params: Sequence[Param], body: Callable[..., None]) -> Any:
    """A ``PrimFunc`` whose body is what ``body`` writes; ``body`` gets one buffer per parameter."""
    from tvm.script.ir_builder import IRBuilder
    from tvm.tirx.script.builder import ir as t

    with IRBuilder() as builder, t.prim_func(s_tir=True):
        t.func_name("main")
        body(*[t.arg(p.name, t.buffer((p.count,), p.dtype)) for p in params])
    return builder.get()


class Tir:
    """A thin layer over TVM's IR builder; only usable inside the body of :func:`prim_func`."""

    def __init__(self) -> None:
        from tvm.script.ir_builder import IRBuilder
        from tvm.tirx.script.builder import ir

        self._name = IRBuilder.name
        self.ir = ir

    def loop(self, count: Any, name: str, start: Any = 0) -> Any:
        """``with tir.loop(n, "i") as i``: a serial loop."""
        frame = self.ir.serial(start, count)
        return _Named(frame, name, self._name)

    def let(self, name: str, value: Any) -> Any:
        """A named int32 value, for the result of a call; index arithmetic is left to the C compiler."""
        variable = self.ir.Bind(value)
        self._name(name, variable)
        return variable

    def locals(self, name: str, count: int) -> Any:
        """A few int32 locals, indexed by Python integers only, so that the C compiler keeps them in registers."""
        buffer = self.ir.alloc_buffer((count,), "int32")
        self._name(name, buffer)
        return buffer

    def store(self, buffer: Any, index: Any, value: Any) -> None:
        """``buffer[index] = value``."""
        self.ir.buffer_store(buffer, value, [index])

    def call(self, function: str, *args: Any, dtype: str = "int32") -> Any:
        """An expression that calls a helper of helpers.h."""
        return self.ir.call_extern(dtype, function, *args)

    def emit(self, function: str, *args: Any) -> None:
        """A statement that calls a helper of helpers.h."""
        self.ir.evaluate(self.ir.call_extern("int32", function, *args))

    def repeat(self, count: int, unroll: int, body: Callable[[Any], None]) -> None:
        """``body(k)`` for k = 0..count-1, written out ``unroll`` times per iteration of the loop."""
        iterations = count // unroll
        if iterations:
            with self.loop(iterations, "iteration") as iteration:
                for i in range(unroll):
                    body(iteration * unroll + i)
        for k in range(iterations * unroll, count):
            body(self.ir.int32(k))

    def at(self, buffer: Any, index: Any) -> Any:
        """The address of an element."""
        return self.ir.address_of(buffer[index])

    def when(self, condition: Any) -> Any:
        """``with tir.when(c):`` - an if without an else."""
        return _When(self.ir, condition)


class _Named:
    def __init__(self, frame: Any, name: str, give_name: Callable[[str, Any], None]) -> None:
        self._frame, self._loop_name, self._give_name = frame, name, give_name

    def __enter__(self) -> Any:
        variable = self._frame.__enter__()
        self._give_name(self._loop_name, variable)
        return variable

    def __exit__(self, *exc: Any) -> Any:
        return self._frame.__exit__(*exc)


class _When:
    def __init__(self, ir: Any, condition: Any) -> None:
        self._outer, self._inner = ir.If(condition), ir.Then()

    def __enter__(self) -> None:
        self._outer.__enter__()
        self._inner.__enter__()

    def __exit__(self, *exc: Any) -> None:
        self._inner.__exit__(*exc)
        self._outer.__exit__(*exc)


def round_up(value: int, multiple: int) -> int:
    """The next multiple, e.g. ``round_up(9, 4) == 12``."""
    return -(-value // multiple) * multiple


def words(array: Array) -> Array:
    """As contiguous flat int32."""
    return np.ascontiguousarray(array.reshape(-1), dtype=np.int32)
