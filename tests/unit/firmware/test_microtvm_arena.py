# SPDX-License-Identifier: Apache-2.0
"""The memory planner."""

from hypothesis import given
from hypothesis import strategies as st

from cm4tiny.firmware.microtvm.arena import ALIGNMENT, ArenaBlock, plan_arena

lives = st.tuples(st.integers(0, 20), st.integers(0, 8))
blocks = st.lists(st.tuples(st.integers(1, 5000), lives), max_size=25).map(
    lambda rows: [ArenaBlock(f"b{i}", size, first, first + length) for i, (size, (first, length)) in enumerate(rows)]
)


@given(blocks)
def test_blocks_that_live_at_the_same_time_never_overlap(given_blocks):
    plan = plan_arena(given_blocks)
    for a in given_blocks:
        for b in given_blocks:
            if a is not b and a.meets(b):
                start_a, start_b = plan.offsets[a.name], plan.offsets[b.name]
                assert start_a + a.size <= start_b or start_b + b.size <= start_a


@given(blocks)
def test_every_block_lies_aligned_inside_the_arena(given_blocks):
    plan = plan_arena(given_blocks)
    assert set(plan.offsets) == {b.name for b in given_blocks}
    for block in given_blocks:
        offset = plan.offsets[block.name]
        assert offset % ALIGNMENT == 0
        assert offset >= 0
        assert offset + block.size <= plan.size


@given(blocks)
def test_the_arena_is_never_larger_than_all_blocks_together(given_blocks):
    assert plan_arena(given_blocks).size <= sum(b.size + ALIGNMENT - 1 for b in given_blocks)


def test_memory_is_used_again_when_its_owner_is_dead():
    plan = plan_arena([ArenaBlock("a", 100, 0, 1), ArenaBlock("b", 100, 1, 2), ArenaBlock("c", 100, 2, 3)])
    assert plan.offsets["a"] == plan.offsets["c"] == 0
    assert plan.size == 208


def test_no_blocks_need_no_arena():
    assert plan_arena([]).size == 0
