# SPDX-License-Identifier: Apache-2.0
"""The flash interface's caches in plain Python: the model of ``caches.c`` without its short cuts, as an independent witness of it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

WORD_SHIFT = 3
WORDS_PER_LINE = 4


@dataclass
class LineCache:
    """Fully associative, least recently used line goes first, each 64-bit word of a line valid on its own.

    Addresses are 64-bit word numbers of flash.
    """

    lines: int
    enabled: bool = True
    misses: int = 0
    _valid: OrderedDict[int, set[int]] = field(default_factory=OrderedDict)

    def access(self, word: int) -> bool:
        """Uses a word; True if it must be fetched from flash."""
        line = word // WORDS_PER_LINE
        if line not in self._valid:
            if len(self._valid) >= self.lines:
                self._valid.popitem(last=False)
            self._valid[line] = set()
        self._valid.move_to_end(line)
        words = self._valid[line]
        if self.enabled and word in words:
            return False
        words.add(word)
        self.misses += 1
        return True

    def clear(self) -> None:
        """Forgets all lines."""
        self._valid.clear()


@dataclass
class FlashTiming:
    """Both caches behind one flash: what instruction fetches and data reads cost."""

    instruction: LineCache
    data: LineCache
    miss_ticks: int = 0
    pair_per_mille: int = 0
    last_word: int = 0xFFFF_FFFF
    instruction_stall_ticks: int = 0
    data_stall_ticks: int = 0

    def fetch(self, offset: int, size: int) -> int:
        """Ticks that fetching a block of code at a flash offset costs."""
        stall = 0
        for word in range(offset >> WORD_SHIFT, ((offset + size - 1) >> WORD_SHIFT) + 1):
            if self.instruction.access(word):
                stall += self.miss_ticks
                self.last_word = word
        self.instruction_stall_ticks += stall
        return stall

    def read(self, offset: int, size: int) -> int:
        """Ticks that a data read costs. The other half of the 128-bit pair that was read last costs less, or nothing."""
        stall = 0
        for word in range(offset >> WORD_SHIFT, ((offset + size - 1) >> WORD_SHIFT) + 1):
            if self.data.access(word):
                pair = word ^ 1 == self.last_word
                stall += self.miss_ticks // 1000 * self.pair_per_mille if pair else self.miss_ticks
                self.last_word = word
        self.data_stall_ticks += stall
        return stall

    def clear(self) -> None:
        """After a reset: both caches are empty."""
        self.instruction.clear()
        self.data.clear()
        self.last_word = 0xFFFF_FFFF
