# SPDX-License-Identifier: Apache-2.0
"""Progress while the device is silent: a window of ten seconds would otherwise stand still on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cm4tiny.events import EventStream

if TYPE_CHECKING:
    from cm4tiny.runner.dut import Dut


def follow_window(dut: Dut, events: EventStream, step: str, *, done_s: float, window_s: float, note: str = "") -> None:
    """From now on, each wait on the device reports how far the present window is.

    Args:
        done_s: measured seconds of the windows before.
        window_s: how long this one will be; it is never reported to be further than that.
    """
    began = dut.link.clock()

    def tell() -> None:
        events.progress(step, done_s + min(dut.link.clock() - began, window_s), note=note)

    dut.on_wait = tell
