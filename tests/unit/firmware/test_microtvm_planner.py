# SPDX-License-Identifier: Apache-2.0
"""The planner: the fewest cycles within the budget, or how much is missing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cm4tiny.errors import RamBudgetError
from cm4tiny.firmware.graph import Tensor
from cm4tiny.firmware.kernels.base import Candidate, Kernel
from cm4tiny.firmware.kernels.int16.storage import nhwc
from cm4tiny.firmware.microtvm.layout import Action, Value
from cm4tiny.firmware.microtvm.planner import arena_of, choose, least_budget, plan_memory, scratch_name, within_flash


def never() -> Kernel:
    raise AssertionError("the planner makes no kernels")


def candidate(name: str, cycles: int, ram: int = 0, scratch: int = 0) -> Candidate:
    return Candidate(name, cycles, ram, scratch, never)


def value(key: int, border: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Value:
    tensor = Tensor(key, (1, 8, 8, 16), 0.1, 0)
    return Value(tensor, nhwc(8, 8, 16, border))


def chain(*layers: list[Candidate], border: tuple[int, int, int, int] = (0, 0, 0, 0)) -> list[Action]:
    values = [value(i, border) for i in range(len(layers) + 1)]
    return [Action(None, tuple(c), (values[i],), values[i + 1]) for i, c in enumerate(layers)]


def test_without_a_budget_the_fastest_candidates_win():
    actions = chain([candidate("a", 9), candidate("b", 5, ram=9999)], [candidate("c", 3, scratch=777), candidate("d", 4)])
    plan = choose(actions, frozenset(), budget=None, clearing={})
    assert [c.id for c in plan.chosen] == ["b", "c"]
    assert plan.cycles == 8


def test_a_budget_is_spent_where_it_saves_most():
    layers = [[candidate("flash", 100), candidate("ram", 100 - gain, ram=10_240)] for gain in (10, 50, 30)]
    plan = choose(chain(*layers), frozenset(), budget=2 * value(0).bytes + 2 * 10_240 + 600, clearing={})
    assert [c.id for c in plan.chosen] == ["flash", "ram", "ram"]


def test_scratch_memory_counts_once_and_constants_add_up():
    layers = [[candidate("slow", 100), candidate("scratch", 60, scratch=8192), candidate("ram", 50, ram=8192)]] * 3
    plan = choose(chain(*layers), frozenset(), budget=2 * value(0).bytes + 8192 + 300, clearing={})
    assert [c.id for c in plan.chosen] == ["scratch"] * 3


@pytest.mark.parametrize("seed", range(6))
def test_no_other_choice_is_better(seed):
    rng = np.random.default_rng(seed)
    layers = [
        [candidate(f"{i}{j}", int(rng.integers(1, 100)), 256 * int(rng.integers(0, 20)), 8 * int(rng.integers(0, 300))) for j in range(3)]
        for i in range(4)
    ]
    actions = chain(*layers)
    memory = plan_memory(actions, frozenset(), keep=True)
    budget = 9000
    best = min(
        (
            sum(c.cycles for c in chosen)
            for chosen in itertools.product(*layers)
            if sum(c.ram_bytes for c in chosen) + arena_of(memory, [c.workspace_bytes for c in chosen]).size <= budget
        ),
        default=None,
    )
    if best is None:
        with pytest.raises(RamBudgetError):
            choose(actions, frozenset(), budget=budget, clearing={})
    else:
        assert choose(actions, frozenset(), budget=budget, clearing={}).cycles == best


def test_a_budget_that_cannot_be_met_is_an_error_and_the_least_that_can_be_met_is_not():
    actions = chain([candidate("only", 1, ram=5000)])
    need = 2 * value(0).bytes + 5000
    assert choose(actions, frozenset(), budget=need, clearing={}).ram_bytes == need
    with pytest.raises(RamBudgetError, match=f"no plan fits into {need - 1} bytes"):
        choose(actions, frozenset(), budget=need - 1, clearing={})


def test_constants_that_are_smaller_than_a_grain_of_the_knapsack_still_fit():
    layers = [[candidate("a", 1, ram=8)] for _ in range(6)]
    actions = chain(*layers)
    arena = arena_of(plan_memory(actions, frozenset(), keep=False), [0] * 6).size
    assert choose(actions, frozenset(), budget=arena + 48, clearing={}).constant_bytes == 48


@pytest.mark.parametrize("least", [1, 2, 77, 1000])
def test_the_least_budget_is_found_by_trying(least):
    tried = []

    def fits(budget: int) -> bool:
        tried.append(budget)
        return budget >= least

    assert least_budget(fits, 1000) == least
    assert len(tried) <= 11


def test_borders_stay_clear_in_memory_of_their_own_if_there_is_room():
    actions = chain(*[[candidate("x", 1)]] * 4, border=(1, 1, 1, 1))
    clearing = {f"t{i}": 50 for i in range(5)}
    roomy = choose(actions, frozenset(), budget=100_000, clearing=clearing)
    assert roomy.memory.cleared == frozenset()
    assert roomy.cycles == 4


def test_kept_memory_is_shared_by_equal_geometry_that_is_never_alive_together():
    actions = chain(*[[candidate("x", 1)]] * 4, border=(1, 1, 1, 1))
    memory = plan_memory(actions, frozenset(), keep=True)
    assert len(memory.blocks) == 2
    assert memory.homes["t0"] == memory.homes["t2"] == memory.homes["t4"]


def test_without_room_borders_are_cleared_each_time():
    shapes = [value(i, (1, 1, 1, 1)) for i in (0, 1)] + [value(2), value(3), value(4)]
    wide = Value(Tensor(9, (1, 20, 20, 16), 0.1, 0), nhwc(20, 20, 16))
    steps = [*itertools.pairwise(shapes), (shapes[-1], wide)]
    actions = [Action(None, (candidate("x", 1),), (a,), b) for a, b in steps]
    tight = plan_memory(actions, frozenset(), keep=False)
    need = arena_of(tight, [0] * len(actions)).size
    plan = choose(actions, frozenset(), budget=need, clearing={"t0": 50, "t1": 50})
    assert plan.memory.cleared == {"t0", "t1"}
    assert plan.cycles == len(actions) + 100


def test_scratch_never_overlaps_what_is_alive():
    actions = chain([candidate("x", 1, scratch=640)], [candidate("y", 1, scratch=320)])
    memory = plan_memory(actions, frozenset(), keep=False)
    plan = arena_of(memory, [640, 320])
    place = plan.offsets[scratch_name(0)]
    for name in ("t0", "t1"):
        start = plan.offsets[name]
        assert place + 640 <= start or start + value(0).bytes <= place


def sized(name: str, cycles: int, flash: int) -> Candidate:
    kernel = Kernel("k", None, (np.zeros(flash, np.int8),))
    return Candidate(name, cycles, 0, 0, lambda: kernel)


def test_what_does_not_fit_into_flash_gives_way_where_it_costs_least_per_byte():
    layers = [
        [sized("a-fast", 100, 90_000), sized("a-small", 900, 9_000)],
        [sized("b-fast", 100, 90_000), sized("b-small", 200, 9_000)],
        [sized("c-fast", 100, 500)],
    ]
    actions = tuple(chain(*layers))
    chosen = [a.candidates[0] for a in actions]
    assert within_flash(actions, chosen, None, {}) == actions
    assert within_flash(actions, chosen, 180_500, {}) == actions
    smaller = within_flash(actions, chosen, 180_000, {})
    assert [[c.id for c in a.candidates] for a in smaller] == [["a-fast", "a-small"], ["b-small"], ["c-fast"]]
    assert within_flash(smaller, [chosen[0], smaller[1].candidates[0], chosen[2]], 100_000, {}) == smaller


def test_flash_that_cannot_be_made_to_fit_is_left_to_the_linker():
    actions = tuple(chain([sized("only", 1, 90_000)]))
    assert within_flash(actions, [actions[0].candidates[0]], 1000, {}) == actions
