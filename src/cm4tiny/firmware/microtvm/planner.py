# SPDX-License-Identifier: Apache-2.0
"""Chooses a kernel for every layer: the fewest cycles that fit into the RAM budget.

RAM is the arena (activations and scratch memory, placed by :mod:`.arena`) and the constants that are copied to RAM at boot. The arena's
size depends on the largest layer only, the constants add up. So the planner tries a number of arena sizes; for each, the layers'
candidates that fit into it compete for the rest of the budget, which is a knapsack problem, solved by dynamic programming. Every
candidate computes the same bits: a plan decides about speed and memory only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cm4tiny.errors import RamBudgetError
from cm4tiny.firmware.kernels.base import Candidate
from cm4tiny.firmware.microtvm.arena import ArenaBlock, ArenaPlan, plan_arena
from cm4tiny.firmware.microtvm.layout import Action, Value

_GRAIN = 256  # bytes per step of the knapsack
_ARENA_SIZES = 24  # tried at most
_FAST_BYTES, _SLOWER = 184 * 1024, 0.1  # of SRAM1 next to the stack; cycles more where everything lies elsewhere (ad: 13 %), roughly
_SMALLER, _WORTHWHILE = 0.6, 2048  # of constants: what counts as smaller, and from how many bytes on it is looked for


@dataclass(frozen=True)
class MemoryPlan:
    """The blocks of a model's arena, without scratch memory.

    Attributes:
        blocks: by value name; values of one geometry that are never alive together share a block if their memory is kept.
        homes: value name -> block name.
        kept: bordered values whose memory nothing else uses: their borders are cleared once, at boot.
        cleared: values whose border is cleared before each use.
    """

    blocks: tuple[ArenaBlock, ...]
    homes: Mapping[str, str]
    kept: frozenset[str]
    cleared: frozenset[str]


@dataclass(frozen=True)
class ModelPlan:
    """A choice for every action.

    Attributes:
        chosen: one candidate per action.
        memory: where values live and which borders are cleared.
        arena_bytes, constant_bytes: RAM of the model.
        cycles: sum of the candidates' cycles, and of clearing borders.
    """

    chosen: tuple[Candidate, ...]
    memory: MemoryPlan
    arena_bytes: int
    constant_bytes: int
    cycles: int

    @property
    def ram_bytes(self) -> int:
        return self.arena_bytes + self.constant_bytes


def plan_memory(actions: Sequence[Action], outside: frozenset[str], *, keep: bool) -> MemoryPlan:
    """Lifetimes of all values.

    Args:
        outside: values in the caller's memory.
        keep: bordered values get memory of their own, so that their border stays zero from boot on.
    """
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    values: dict[str, Value] = {}
    for i, action in enumerate(actions):
        for value in (*action.reads, action.writes):
            values[value.name] = value
            first.setdefault(value.name, i)
            last[value.name] = i
    blocks: list[ArenaBlock] = []
    homes: dict[str, str] = {}
    groups: dict[object, list[tuple[str, list[str]]]] = {}
    for name, value in values.items():
        if name in outside:
            continue
        if not (keep and value.bordered):
            blocks.append(ArenaBlock(name, value.bytes, first[name], last[name]))
            homes[name] = name
            continue
        same = groups.setdefault(value.storage, [])
        for home, members in same:
            if all(last[name] < first[other] or last[other] < first[name] for other in members):
                members.append(name)
                homes[name] = home
                break
        else:
            same.append((name, [name]))
            homes[name] = name
            blocks.append(ArenaBlock(name, value.bytes, 0, len(actions)))
    bordered = frozenset(name for name in homes if values[name].bordered)
    return MemoryPlan(tuple(blocks), homes, bordered if keep else frozenset(), frozenset() if keep else bordered)


def arena_of(memory: MemoryPlan, scratch: Sequence[int]) -> ArenaPlan:
    """Places all blocks; ``scratch`` is the scratch memory of each action, whose block is named :func:`scratch_name`."""
    blocks = [*memory.blocks, *(ArenaBlock(scratch_name(i), size, i, i) for i, size in enumerate(scratch) if size)]
    return plan_arena(blocks)


def scratch_name(index: int) -> str:
    """Name of an action's block of scratch memory."""
    return f"scratch{index}"


def choose(actions: Sequence[Action], outside: frozenset[str], *, budget: int | None, clearing: Mapping[str, int]) -> ModelPlan:
    """The best plan.

    Args:
        outside: values in the caller's memory.
        budget: bytes of RAM for the model; None: no limit.
        clearing: cycles that clearing a bordered value takes.

    Raises:
        RamBudgetError: no choice fits.
    """
    plans = []
    for keep in (True, False):
        memory = plan_memory(actions, outside, keep=keep)
        plan = _best(actions, memory, budget, sum(clearing[name] for name in memory.cleared))
        if plan is not None:
            plans.append(plan)
    if not plans:
        raise RamBudgetError(f"no plan fits into {budget} bytes of RAM", hint="allow more, or use a model with smaller activations")
    return min(plans, key=lambda plan: plan.cycles * (1.0 + _SLOWER * max(0, plan.ram_bytes - _FAST_BYTES) / max(1, plan.ram_bytes)))


def least_budget(fits: Callable[[int], bool], enough: int) -> int:
    """The least budget that works, by bisection; ``enough`` is one that does.

    What is returned has been tried. A planner that works in grains may refuse single values above it.
    """
    none = 0
    while enough - none > 1:
        middle = (none + enough) // 2
        if fits(middle):
            enough = middle
        else:
            none = middle
    return enough


def within_flash(
    actions: Sequence[Action], chosen: Sequence[Candidate], budget: int | None, known: dict[Candidate, int]
) -> tuple[Action, ...]:
    """The actions with fewer candidates, if those that were chosen have more constants than flash has room for; else the same actions.

    One layer at a time loses its large candidates: the one that saves most bytes per cycle. Constants lie in flash wherever they are used,
    and how large they are is only known when a kernel is made, so this looks at kernels only if there is too much.

    Args:
        budget: bytes of flash for constants; None: no limit.
        known: sizes of candidates that were made already; gets more.
    """

    def size(candidate: Candidate) -> int:
        if candidate not in known:
            known[candidate] = sum(constant.nbytes for constant in candidate.make().constants)
        return known[candidate]

    if budget is None or sum(map(size, chosen)) <= budget:
        return tuple(actions)
    offers = []
    for number, (action, candidate) in enumerate(zip(actions, chosen, strict=True)):
        limit = int(size(candidate) * _SMALLER)
        ranked = sorted(action.candidates, key=lambda c: c.cycles)
        other = next((c for c in ranked if size(c) <= limit), None) if size(candidate) > _WORTHWHILE else None
        if other is not None:
            offers.append(((other.cycles - candidate.cycles) / (size(candidate) - size(other)), number, limit))
    if not offers:
        return tuple(actions)  # the linker says how much is missing
    _, number, limit = min(offers)
    kept = tuple(c for c in actions[number].candidates if size(c) <= limit)
    return (*actions[:number], replace(actions[number], candidates=kept), *actions[number + 1 :])


def _evaluate(actions: Sequence[Action], memory: MemoryPlan, chosen: Sequence[Candidate], extra: int) -> ModelPlan:
    return ModelPlan(
        chosen=tuple(chosen),
        memory=memory,
        arena_bytes=arena_of(memory, [c.workspace_bytes for c in chosen]).size,
        constant_bytes=sum(c.ram_bytes for c in chosen),
        cycles=extra + sum(c.cycles for c in chosen),
    )


def _best(actions: Sequence[Action], memory: MemoryPlan, budget: int | None, extra: int) -> ModelPlan | None:
    if budget is None:
        return _evaluate(actions, memory, [min(a.candidates, key=lambda c: (c.cycles, c.ram_bytes)) for a in actions], extra)
    arena = _arena_sizes(actions, memory)
    sizes = sorted(set(arena.values()))
    if len(sizes) > _ARENA_SIZES:
        sizes = sorted({sizes[round(i * (len(sizes) - 1) / (_ARENA_SIZES - 1))] for i in range(_ARENA_SIZES)})
    best: ModelPlan | None = None
    for size in sizes:
        if size > budget:
            break
        allowed = [[c for c in a.candidates if arena[i, c.workspace_bytes] <= size] for i, a in enumerate(actions)]
        if not all(allowed):
            continue
        chosen = _knapsack(allowed, budget - size) or [min(candidates, key=_constants) for candidates in allowed]
        plan = _evaluate(actions, memory, chosen, extra)
        if plan.ram_bytes <= budget and (best is None or plan.cycles < best.cycles):
            best = plan
    return best


def _constants(candidate: Candidate) -> tuple[int, int]:
    """Orders by RAM of constants: what is left to choose by where the knapsack's grains are too coarse."""
    return candidate.ram_bytes, candidate.cycles


def _arena_sizes(actions: Sequence[Action], memory: MemoryPlan) -> dict[tuple[int, int], int]:
    """Size of the arena if one action has so much scratch memory, by (action, bytes)."""
    base = plan_arena(memory.blocks).size
    sizes = {}
    for i, action in enumerate(actions):
        for size in {c.workspace_bytes for c in action.candidates}:
            sizes[i, size] = plan_arena([*memory.blocks, ArenaBlock("scratch", size, i, i)]).size if size else base
    return sizes


def _knapsack(allowed: Sequence[Sequence[Candidate]], room: int) -> list[Candidate] | None:
    """The fewest cycles with at most ``room`` bytes of constants; None if nothing fits."""
    steps = room // _GRAIN + 1
    infinite = np.iinfo(np.int64).max // 4
    best = np.zeros(steps, np.int64)
    picks = []
    for candidates in allowed:
        costs = np.full((len(candidates), steps), infinite, np.int64)
        for n, candidate in enumerate(candidates):
            weight = -(-candidate.ram_bytes // _GRAIN)
            if weight < steps:
                costs[n, weight:] = best[: steps - weight] + candidate.cycles
        picks.append(costs.argmin(axis=0))
        best = costs.min(axis=0)
    if best[-1] >= infinite:
        return None
    chosen, left = [], steps - 1
    for candidates, pick in zip(reversed(allowed), reversed(picks), strict=True):
        candidate = candidates[int(pick[left])]
        chosen.append(candidate)
        left -= -(-candidate.ram_bytes // _GRAIN)
    return chosen[::-1]
