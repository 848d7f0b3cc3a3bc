# SPDX-License-Identifier: Apache-2.0
"""The flash caches' model against a simulation that could not be plainer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.flash_timing import FlashTiming, LineCache

WORDS = st.lists(st.integers(0, 200), max_size=300)


def plain_misses(words: list[int], lines: int) -> list[bool]:
    """A list of lines, most recently used last; words fetched since a line came in."""
    order: list[int] = []
    fetched: dict[int, set[int]] = {}
    result = []
    for word in words:
        line = word // 4
        if line in order:
            order.remove(line)
        else:
            if len(order) == lines:
                del fetched[order.pop(0)]
            fetched[line] = set()
        order.append(line)
        result.append(word not in fetched[line])
        fetched[line].add(word)
    return result


@given(WORDS, st.sampled_from([1, 2, 8, 32]))
def test_the_line_cache_is_lru_with_single_words(words: list[int], lines: int) -> None:
    cache = LineCache(lines)
    assert [cache.access(word) for word in words] == plain_misses(words, lines)


def flash(miss_ticks: int = 5000) -> FlashTiming:
    return FlashTiming(LineCache(32), LineCache(8), miss_ticks)


def test_a_disabled_cache_misses_every_time() -> None:
    cache = LineCache(8, enabled=False)
    assert [cache.access(3), cache.access(3)] == [True, True]


def test_a_fetch_pays_for_each_missing_word_of_the_block() -> None:
    timing = flash()
    assert timing.fetch(6, 4) == 2 * 5000
    assert timing.fetch(0, 16) == 0


def test_the_second_half_of_a_pair_is_free_for_data_only_right_after_the_first() -> None:
    timing = flash()
    assert [timing.read(0, 4), timing.read(8, 4)] == [5000, 0]
    assert [timing.read(16, 4), timing.read(64, 4), timing.read(24, 4)] == [5000, 5000, 5000]


def test_a_read_over_a_word_border_uses_both_words() -> None:
    timing = flash()
    assert timing.read(14, 4) == 2 * 5000  # words 1 and 2 belong to different pairs
    assert timing.data.misses == 2
