# SPDX-License-Identifier: Apache-2.0
"""TIR -> C: the passes that TVM's C generator needs, and its output without TVM's calling convention.

The stock pipeline ends in packed functions for TVM's runtime. Here a kernel's buffers become plain pointer parameters (a ``DeclBuffer``
over each pointer), the packing passes are left out, and the text that the generator puts around the functions is taken away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cm4tiny.errors import FirmwareError
from cm4tiny.firmware.kernels.base import Kernel

_FUNCTION = re.compile(r"TVM_DLL (?:void|int32_t) (\w+)\(([^)]*)\)")
_DECLARATION = re.compile(r"^TVM_DLL [^\n{]*;\n", re.MULTILINE)


def generate_c(kernels: Mapping[str, Kernel]) -> str:
    """C text of static functions, one per kernel, in the order and under the names of ``kernels``.

    All parameters are pointers: const where the kernel only reads, restrict because the memory plan keeps live blocks apart.
    """
    import tvm
    from tvm import tirx

    target = tvm.target.Target("c")
    functions = {}
    for name, kernel in kernels.items():
        functions[name] = _unpacked(_lowered(kernel.func, target), name, target)
    module = tirx.transform.LowerIntrin()(tvm.IRModule(functions))
    text = tvm.get_global_func("target.build.c")(module, target).inspect_source()
    bodies = _split(text)
    missing = [name for name in kernels if name not in bodies]
    if missing:
        raise FirmwareError(f"TVM's C generator left out {', '.join(missing)}", hint="install the pinned version of apache-tvm")
    return "\n\n".join(_signature(name, kernels[name]) + bodies[name] for name in kernels)


def _lowered(func: Any, target: Any) -> Any:
    import tvm
    from tvm import s_tir, tirx

    passes = [
        tirx.transform.FlattenBuffer(),
        tirx.transform.NarrowDataType(32),
        tirx.transform.StmtSimplify(),
        tirx.transform.UnrollLoop(),
        tirx.transform.StmtSimplify(),
        tirx.transform.RemoveNoOp(),
        s_tir.transform.RewriteUnsafeSelect(),
    ]
    module = tvm.IRModule({"main": func.with_attr("global_symbol", "main").with_attr("target", target)})
    return tvm.transform.Sequential(passes)(module)["main"]


def _unpacked(func: Any, name: str, target: Any) -> Any:
    """The function with pointers for parameters: the C generator has no type for a buffer."""
    from tvm import tirx

    pointers = [tirx.Var(p.name, p.data.ty) for p in func.params]
    declared = [tirx.DeclBuffer(buffer, data=pointer) for buffer, pointer in zip(func.params, pointers, strict=True)]
    result = tirx.PrimFunc(pointers, tirx.SeqStmt([*declared, func.body]))
    return result.with_attr("global_symbol", name).with_attr("target", target).with_attr("tirx.noalias", True)


def _split(text: str) -> dict[str, str]:
    """Function bodies by name; ``{...}`` with its braces."""
    text = _DECLARATION.sub("", text)
    found = list(_FUNCTION.finditer(text))
    bodies = {}
    for match, following in zip(found, [*found[1:], None], strict=True):
        piece = text[match.end() : following.start() if following else len(text)]
        bodies[match.group(1)] = " " + piece[piece.index("{") : piece.rindex("}") + 1].strip()
    return bodies


def _signature(name: str, kernel: Kernel) -> str:
    """Parameters in the kernel's order; what is kept, workspaces and the output are written."""
    params = list(kernel.func.params)
    written = len(kernel.kept) + len(kernel.workspaces) + 1
    words = []
    for i, p in enumerate(params):
        const = "const " if i < len(params) - written else ""
        words.append(f"{const}{p.dtype}_t *restrict {p.name}")
    return f"static __attribute__((noinline)) void {name}({', '.join(words)})"
