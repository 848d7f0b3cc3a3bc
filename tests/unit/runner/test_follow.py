# SPDX-License-Identifier: Apache-2.0
"""Progress while the device is silent."""

from types import SimpleNamespace

from cm4tiny.deadline import Deadline
from cm4tiny.events import Event, EventStream, Progress
from cm4tiny.runner.follow import follow_window
from cm4tiny.runner.link_reader import LinkReader


class SilentLink:
    name = "silent"

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def read(self, deadline: Deadline) -> bytes:
        self.now += deadline.remaining
        return b""


def test_waiting_tells_how_far_the_window_is_and_never_more() -> None:
    heard: list[Event] = []
    link = SilentLink()
    dut = SimpleNamespace(link=link, on_wait=None)
    follow_window(dut, EventStream(heard.append), "kws performance", done_s=20.0, window_s=10.0, note="x")  # type: ignore[arg-type]
    for link.now in (4.0, 9.0, 13.0):
        dut.on_wait()
    assert [event.done for event in heard if isinstance(event, Progress)] == [24.0, 29.0, 30.0]


def test_the_reader_speaks_up_after_each_slice_of_silence() -> None:
    link = SilentLink()
    calls: list[float] = []
    reader = LinkReader(link, None, lambda: calls.append(link.now))  # type: ignore[arg-type]
    assert reader.next(Deadline(1.0, link.clock)) is None
    assert calls == [0.25, 0.5, 0.75]
