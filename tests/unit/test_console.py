# SPDX-License-Identifier: Apache-2.0
"""Progress as a person sees it."""

import io
import os
import pty
import threading
import time

import pytest

from cm4tiny.console import PlainLines, eta, terminal_width, watch
from cm4tiny.events import EventStream, Message, Progress, Started


def test_the_eta_is_the_time_left_at_the_present_pace() -> None:
    assert eta(10.0, 25, 100) == "0:30"
    assert eta(60.0, 1, 11) == "10:00"


def test_there_is_no_eta_before_anything_is_known() -> None:
    assert eta(3.0, 0, 100) == ""
    assert eta(3.0, 5, None) == ""


def test_plain_lines_tell_start_share_time_left_and_end() -> None:
    out = io.StringIO()
    show = PlainLines(out, interval_s=5)
    show(Started("kws", 100, at_s=0.0))
    show(Progress("kws", 10, at_s=4.0))
    show(Progress("kws", 50, at_s=10.0))
    events = EventStream(show)
    with events.step("ad") as outcome:
        outcome.note = "fine"
    lines = out.getvalue().splitlines()
    assert lines[0] == "[start] kws"
    assert lines[1] == "[  50 %] kws, 0:10 left"  # the one at 4 s came too soon after the start
    assert lines[-1].startswith("[done]  ad: fine (")


def test_a_failed_step_says_so_and_the_error_goes_on() -> None:
    out = io.StringIO()
    events = EventStream(PlainLines(out))
    with pytest.raises(ValueError, match="no disk"), events.step("kws"):
        raise ValueError("no disk")
    assert "[fail]  kws: no disk" in out.getvalue()


def test_a_warning_is_marked() -> None:
    out = io.StringIO()
    PlainLines(out)(Message("board", "slow", level="warning"))
    assert out.getvalue() == "warning: board: slow\n"


def test_a_pipe_gets_plain_lines() -> None:
    out = io.StringIO()
    with watch(out) as events, events.step("ic"):
        pass
    assert "[start] ic" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_a_terminal_gets_bars_with_an_eta(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    seen = bytearray()

    def drain() -> None:
        try:
            while chunk := os.read(ours, 65536):
                seen.extend(chunk)
        except OSError:
            pass

    reader = threading.Thread(target=drain)
    reader.start()
    with os.fdopen(theirs, "w") as terminal, watch(terminal) as events, events.step("kws performance", 10):
        events.progress("kws performance", 5)
        time.sleep(0.3)  # the bars are drawn ten times a second
    reader.join(5)
    text = seen.decode()
    assert "kws performance" in text
    assert "left" in text
    assert "✓" in text


def test_the_width_of_a_terminal_is_found_on_any_of_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that keeps its output in a file for a while has the terminal on standard input only."""
    asked = []

    def size(number: int) -> os.terminal_size:
        asked.append(number)
        if number != 0:
            raise OSError("a file")
        return os.terminal_size((80, 24))

    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(os, "get_terminal_size", size)
    assert (terminal_width(170), asked) == (80, [1, 2, 0])
    monkeypatch.setenv("COLUMNS", "132")
    assert terminal_width(170) == 132
    monkeypatch.setenv("COLUMNS", "wide")
    monkeypatch.setattr(os, "get_terminal_size", lambda number: os.terminal_size((0, 0)))
    assert terminal_width(170) == 170
