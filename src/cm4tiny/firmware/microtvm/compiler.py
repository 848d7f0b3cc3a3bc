# SPDX-License-Identifier: Apache-2.0
"""The compiler: bytes of an int8 ``.tflite`` in, freestanding C out.

check -> Relax (TVM's importer) -> integer layers -> graph passes -> layout -> plan (a kernel for each layer) -> TIR kernels -> memory -> C
(TVM's generator). The same bytes give the same text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cm4tiny.errors import ModelError, RamBudgetError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.firmware.graph import Conv, Graph
from cm4tiny.firmware.inference_code import model_header
from cm4tiny.firmware.kernels.base import Candidate, Kernel
from cm4tiny.firmware.kernels.int16.convert import clear_border, fills_padding
from cm4tiny.firmware.microtvm import emit
from cm4tiny.firmware.microtvm.arena import ArenaPlan
from cm4tiny.firmware.microtvm.codegen import generate_c
from cm4tiny.firmware.microtvm.compiled import CompiledModel, CompileOptions, LayerInfo
from cm4tiny.firmware.microtvm.consistency import check_graph
from cm4tiny.firmware.microtvm.costs import Costs, content, shipped_costs
from cm4tiny.firmware.microtvm.importer import import_graph, read_model
from cm4tiny.firmware.microtvm.layout import Action, Value, lay_out
from cm4tiny.firmware.microtvm.planner import ModelPlan, arena_of, choose, least_budget, scratch_name, within_flash
from cm4tiny.firmware.microtvm.prune import open_reason, prune_channels
from cm4tiny.firmware.microtvm.select import scratch_bytes
from cm4tiny.firmware.microtvm.sparsity import skip_zero

DEFAULT_OPTIONS = CompileOptions()
_CLEARING_CYCLES = 2  # per cell of a border, roughly


def compile_model(
    tflite: bytes,
    *,
    name: str = "model",
    options: CompileOptions = DEFAULT_OPTIONS,
    costs: Costs | None = None,
    events: EventStream = SILENT,
) -> CompiledModel:
    """Compiles a model.

    Args:
        tflite: the file's bytes.
        name: goes into a comment of the generated source only.
        options: what may be used; see :class:`CompileOptions`.
        costs: measured cycles of candidates; None: those that come with the package.
        events: receives one step, ``"compile <name>"``.

    Raises:
        ModelError: the bytes are no int8 ``.tflite`` model.
        UnsupportedOpError: the model holds an operator or a type that the engine does not implement.
        RamBudgetError: no plan fits into the budget.
    """
    if not re.fullmatch(r"[\w .+-]{1,80}", name):
        raise ModelError(f"'{name}' cannot name a model", hint="use letters, digits, '_', '.', '+', '-' and spaces")
    step = f"compile {name}"
    with events.step(step, total=5, unit="stages") as outcome:
        model = read_model(tflite)
        model_input, model_output = model.input, model.output
        events.progress(step, 1, 5, "checked")
        imported = import_graph(tflite, model)
        sizes = [sum(tensor.size for tensor in tensors) for tensors in (imported.inputs, imported.outputs)]
        if sizes != [model_input.size, model_output.size]:
            raise ModelError("TVM's import has other sizes than the file", why=f"{sizes[1]} outputs", hint="report the model")
        events.progress(step, 2, 5, "imported")
        graph, open_division = _passes(imported, options)
        actions, plan = _plan(graph, options, costs or shipped_costs())
        events.progress(step, 3, 5, "planned")
        steps = _steps(graph, actions, plan)
        functions = generate_c({s.name: s.kernel for s in steps})
        events.progress(step, 4, 5, "generated")
        arena = arena_of(plan.memory, [s.scratch for s in steps if not s.clears])
        source = emit.source(
            name, {s.name: s.kernel for s in steps}, _calls(graph, steps, plan, arena), arena.size, functions, graph.states
        )
        layers = tuple(_info(s) for s in steps)
        const_bytes, ram = sum(layer.const_bytes for layer in layers), arena.size + sum(layer.ram_bytes for layer in layers)
        ram += graph.state_bytes
        fallbacks = [layer for layer in layers if layer.fallback]
        for layer in fallbacks:
            events.message(step, f"{layer.name} of {name} has a portable kernel: {layer.fallback}")
        outcome.note = f"{const_bytes} bytes of constants, {ram} bytes of RAM"
    return CompiledModel(
        source=source,
        header=model_header(model_input, model_output),
        input=model_input,
        output=model_output,
        arena_bytes=arena.size,
        const_bytes=const_bytes,
        layers=layers,
        ram_bytes=ram,
        division="open" if open_division else "closed",
        division_reason=open_division,
    )


def survey(tflite: bytes, options: CompileOptions = DEFAULT_OPTIONS) -> tuple[Action, ...]:
    """The actions of a model with all candidates and their estimated cycles, before anything is chosen.

    Raises:
        ModelError, UnsupportedOpError: as :func:`compile_model`.
    """
    graph, _ = _passes(import_graph(tflite, read_model(tflite)), options)
    return lay_out(graph, int16=options.int16)


@dataclass(frozen=True)
class _Step:
    """A kernel in the model: an action of the plan (``number``), or the clearing of a border before it."""

    name: str
    kernel: Kernel
    action: Action
    number: int
    choice: str
    clears: bool = False

    @property
    def scratch(self) -> int:
        return 0 if self.clears else scratch_bytes(self.kernel)


def _passes(graph: Graph, options: CompileOptions) -> tuple[Graph, str]:
    """The graph passes, and why the result belongs to the open division; empty if it does not."""
    check_graph(graph)
    reason = ""
    if options.prune_channels:
        smaller = prune_channels(graph)
        reason = "" if smaller is graph else open_reason(graph, smaller)
        graph = smaller
    graph = skip_zero(graph) if options.skip_zero else graph
    check_graph(graph)
    return graph, reason


def _plan(graph: Graph, options: CompileOptions, costs: Costs) -> tuple[tuple[Action, ...], ModelPlan]:
    """The plan with int16 kernels; the one with int8 kernels alone if only that fits."""
    problems, kept = [], graph.state_bytes
    budget = None if options.ram_budget is None else options.ram_budget - kept  # below zero nothing fits
    for int16 in (True, False) if options.int16 else (False,):
        problems.append(_problem(graph, options, costs, int16=int16))
        try:
            return problems[-1].solve(budget)
        except RamBudgetError:
            continue
    needed = kept + min(problem.least() for problem in problems)
    raise RamBudgetError(
        f"the model needs {needed} bytes of RAM, {needed - (options.ram_budget or 0)} more than its share of the budget",
        why=f"that is what its activations take at least, with all weights in flash; {options.ram_budget} bytes are left for the model",
        hint=f"allow {needed - (options.ram_budget or 0)} bytes more, or use a model with smaller activations",
        needed=needed,
    )


@dataclass(frozen=True)
class _Problem:
    """What there is to plan: the actions with their candidates, the values outside of the arena, the costs of clearing borders."""

    actions: tuple[Action, ...]
    outside: frozenset[str]
    clearing: Mapping[str, int]
    flash_budget: int | None
    sizes: dict[Candidate, int] = field(default_factory=dict)

    def solve(self, budget: int | None) -> tuple[tuple[Action, ...], ModelPlan]:
        """Raises RamBudgetError if nothing fits."""
        actions = self.actions
        while True:
            plan = choose(actions, self.outside, budget=budget, clearing=self.clearing)
            smaller = within_flash(actions, plan.chosen, self.flash_budget, self.sizes)
            if smaller == actions:
                return actions, plan
            actions = smaller

    def least(self) -> int:
        """The least budget with which there is a plan."""

        def fits(budget: int) -> bool:
            try:
                self.solve(budget)
            except RamBudgetError:
                return False
            return True

        enough = max(1, self.solve(None)[1].ram_bytes)
        while not fits(enough):  # the planner rounds what constants take up
            enough *= 2
        return least_budget(fits, enough)


def _problem(graph: Graph, options: CompileOptions, costs: Costs, *, int16: bool) -> _Problem:
    actions = tuple(costs.apply(action) for action in lay_out(graph, int16=int16))
    actions = tuple(_forced(action, options.forced.get(i)) for i, action in enumerate(actions))
    values = {value.name: value for action in actions for value in (*action.reads, action.writes)}
    clearing = {name: _CLEARING_CYCLES * _border_cells(value) for name, value in values.items() if value.bordered}
    return _Problem(actions, _outside(graph, actions), clearing, options.flash_budget)


def _forced(action: Action, choice: str | None) -> Action:
    wanted = tuple(candidate for candidate in action.candidates if candidate.id == choice)
    return replace(action, candidates=wanted) if wanted else action


def _border_cells(value: Value) -> int:
    assert value.storage is not None
    return max(0, value.storage.elements - value.tensor.size)


def _outside(graph: Graph, actions: Sequence[Action]) -> frozenset[str]:
    """Names of the int8 inputs, outputs and states: they are in the caller's memory, or have their own."""
    keys = graph.places
    values = [value for action in actions for value in (*action.reads, action.writes)]
    return frozenset(value.name for value in values if value.storage is None and value.tensor.key in keys)


def _steps(graph: Graph, actions: Sequence[Action], plan: ModelPlan) -> list[_Step]:
    steps: list[_Step] = []
    for number, (action, candidate) in enumerate(zip(actions, plan.chosen, strict=True)):
        written = action.writes
        if written.name in plan.memory.cleared:
            assert written.storage is not None
            filled = action.kind == "widen" and fills_padding(written.storage)
            clear = clear_border(written.storage, padding=not filled)
            steps.append(_Step(f"layer{len(steps):02d}_{clear.kind}", clear, action, number, "", clears=True))
        kernel = candidate.make()
        steps.append(_Step(f"layer{len(steps):02d}_{kernel.kind}", kernel, action, number, candidate.id))
    return steps


def _calls(graph: Graph, steps: Sequence[_Step], plan: ModelPlan, arena: ArenaPlan) -> list[emit.KernelCall]:
    """The calls of all kernels, with their arguments."""
    calls = []
    for step in steps:
        reads = () if step.clears else step.action.reads
        arguments = [_argument(value, graph, plan, arena) for value in reads]
        arguments += [f"{step.name}_c{i}" for i in range(len(step.kernel.constants))]
        arguments += [f"{step.name}_k{i}" for i in range(len(step.kernel.kept))]
        offset = arena.offsets.get(scratch_name(step.number), 0)
        for size in step.kernel.workspaces:
            dtype = str(step.kernel.func.params[len(arguments)].dtype)
            arguments.append(emit.arena_pointer(offset, dtype))
            offset += -(-size // 8) * 8
        arguments.append(_argument(step.action.writes, graph, plan, arena))
        calls.append(emit.KernelCall(step.name, tuple(arguments)))
    return calls


def _argument(value: Value, graph: Graph, plan: ModelPlan, arena: ArenaPlan) -> str:
    if value.storage is None and value.tensor.key in graph.places:
        return graph.places[value.tensor.key]
    return emit.arena_pointer(arena.offsets[plan.memory.homes[value.name]], "int8" if value.storage is None else "int16")


def _info(step: _Step) -> LayerInfo:
    action, kernel = step.action, step.kernel
    layer = None if step.clears else action.layer
    macs = 0 if layer is None else layer.live_macs if isinstance(layer, Conv) else layer.macs
    return LayerInfo(
        name=step.name,
        kind=kernel.kind,
        output_shape=action.writes.tensor.shape,
        macs=macs,
        const_bytes=sum(c.nbytes for c in kernel.constants),
        workspace_bytes=step.scratch,
        ram_bytes=kernel.ram_bytes,
        choice=step.choice,
        content="" if step.clears else content(action),
        candidates=() if step.clears else tuple(c.id for c in action.candidates),
        fallback="" if step.clears else action.reason,
    )
