"""The compiler: bytes of an int8 ``.tflite`` in, freestanding C out.

check -> Relax (TVM's importer) -> integer layers -> TIR kernels -> memory plan -> C (TVM's generator). The same bytes give the same text.
"""

from __future__ import annotations

import re

from cm4tiny.errors import ModelError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.firmware.inference_code import model_header
from cm4tiny.firmware.kernels.base import Array, Kernel
from cm4tiny.firmware.microtvm import emit
from cm4tiny.firmware.microtvm.arena import ArenaPlan, Block, plan_arena
from cm4tiny.firmware.microtvm.codegen import generate_c
from cm4tiny.firmware.microtvm.compiled import CompiledModel, LayerInfo
from cm4tiny.firmware.microtvm.graph import Graph
from cm4tiny.firmware.microtvm.importer import check_model, import_relax
from cm4tiny.firmware.microtvm.lowering import lower_relax
from cm4tiny.firmware.microtvm.select import select_kernel


def compile_model(tflite: bytes, *, name: str = "model", events: EventStream = SILENT) -> CompiledModel:
    """Compiles a model.

    Args:
        tflite: the file's bytes.
        name: goes into a comment of the generated source only.
        events: hears one step, ``"compile <name>"``.

    Raises:
        ModelError: the bytes are no int8 ``.tflite`` model.
        UnsupportedOpError: the model holds an operator or a type that the engine does not implement.
    """
    if not re.fullmatch(r"[\w .+-]{1,80}", name):
        raise ModelError(f"'{name}' cannot name a model", cure="use letters, digits, '_', '.', '+', '-' and spaces")
    step = f"compile {name}"
    with events.step(step, total=4, unit="stages") as outcome:
        model_input, model_output = check_model(tflite)
        events.progress(step, 1, 4, "checked")
        graph = lower_relax(import_relax(tflite), model_input.scale, model_input.zero_point)
        if (graph.input.size, graph.output.size) != (model_input.size, model_output.size):
            raise ModelError("TVM's import has other sizes than the file", why=f"{graph.output.size} outputs", cure="report the model")
        events.progress(step, 2, 4, "imported")
        kernels = {f"layer{i:02d}_{k.kind}": k for i, k in enumerate(select_kernel(layer) for layer in graph.layers)}
        functions = generate_c(kernels)
        events.progress(step, 3, 4, "generated")
        constants, steps, plan = _assemble(graph, kernels)
        const_bytes = sum(array.nbytes for array in constants.values())
        outcome.note = f"{const_bytes} bytes of constants, {plan.size} bytes of arena"
    return CompiledModel(
        source=emit.source(name, constants, plan.size, functions, steps),
        header=model_header(model_input, model_output),
        input=model_input,
        output=model_output,
        arena_bytes=plan.size,
        const_bytes=const_bytes,
        layers=tuple(
            LayerInfo(function, k.kind, layer.output.shape, layer.macs, sum(c.nbytes for c in k.constants), sum(k.workspaces))
            for (function, k), layer in zip(kernels.items(), graph.layers, strict=True)
        ),
    )


def _assemble(graph: Graph, kernels: dict[str, Kernel]) -> tuple[dict[str, Array], list[emit.Step], ArenaPlan]:
    """Names the constants, plans the memory and writes down the calls."""
    plan = plan_arena(_blocks(graph, kernels))
    constants: dict[str, Array] = {}
    steps = []
    for (name, kernel), layer in zip(kernels.items(), graph.layers, strict=True):
        arguments = [_place(tensor.key, graph, plan) for tensor in layer.inputs]
        for i, array in enumerate(kernel.constants):
            constants[f"{name}_c{i}"] = array
            arguments.append(f"{name}_c{i}")
        params = list(kernel.func.params)
        for i in range(len(kernel.workspaces)):
            dtype = str(params[len(arguments)].dtype)
            arguments.append(emit.arena_pointer(plan.offsets[f"{name}_w{i}"], dtype))
        arguments.append(_place(layer.output.key, graph, plan))
        steps.append(emit.Step(name, tuple(arguments)))
    return constants, steps, plan


def _blocks(graph: Graph, kernels: dict[str, Kernel]) -> list[Block]:
    """Activations live from the layer that writes them to the last that reads them, workspaces for one layer."""
    sizes: dict[int, int] = {}
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for i, layer in enumerate(graph.layers):
        for tensor in (*layer.inputs, layer.output):
            sizes[tensor.key] = tensor.size
            first.setdefault(tensor.key, i)
            last[tensor.key] = i
    outside = (graph.input.key, graph.output.key)
    blocks = [Block(f"t{key}", sizes[key], first[key], last[key]) for key in sizes if key not in outside]
    for i, (name, kernel) in enumerate(kernels.items()):
        blocks += [Block(f"{name}_w{n}", size, i, i) for n, size in enumerate(kernel.workspaces)]
    return blocks


def _place(key: int, graph: Graph, plan: ArenaPlan) -> str:
    if key == graph.input.key:
        return "input"
    if key == graph.output.key:
        return "output"
    return emit.arena_pointer(plan.offsets[f"t{key}"], "int8")
