# SPDX-License-Identifier: Apache-2.0
"""A scripted device that sends each text when it is due, as firmware does that prints and then works."""

from __future__ import annotations

from unit.runner.fake_dut import FakeDut

from cm4tiny.deadline import Deadline


class PromptDut(FakeDut):
    """As :class:`FakeDut`, but what it says arrives at the time at which it says it, not when all is done."""

    def __post_init__(self) -> None:
        self._due: list[tuple[float, int]] = []  # when, and how many bytes in all
        self._delivered = 0
        super().__post_init__()

    def say(self, text: str) -> None:
        super().say(text)
        self._due.append((self.now, self._delivered + len(self._out)))

    def write(self, data: bytes) -> None:
        began = self.now
        super().write(data)
        self.now = began + len(data) * 1e-5

    def read(self, deadline: Deadline) -> bytes:
        if not self._due:
            return super().read(deadline)
        at, end = self._due[0]
        if at > self.now + deadline.remaining:
            self.now += max(deadline.remaining, 1e-9)
            return b""
        self.now = max(self.now, at)
        count = end - self._delivered
        data, self._out = bytes(self._out[:count]), self._out[count:]
        self._delivered = end
        del self._due[0]
        return data
