# SPDX-License-Identifier: Apache-2.0
"""Progress from events, and how a terminal and a log show it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cm4tiny.cli.capture import captured
from cm4tiny.cli.forecast import BUILD, CACHED, DONE, FAILED, MEASURE, RUNNING, Forecast, Part
from cm4tiny.cli.progress import RunProgress
from cm4tiny.cli.views import Area, Lines, shown_on
from cm4tiny.console import Screen, on_screen, show, watch
from cm4tiny.events import Event, EventStream, Failed, Finished, Message, Progress, Started
from cm4tiny.resolver.run.progress import EntryTaken, RunsAhead, ScriptFinished, ScriptNote, ScriptStarted

BUILD_KWS = 'cm run script "build mlperf tiny firmware cm4tiny _kws _microtvm"'


def run_with(*keys: str) -> tuple[RunProgress, list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []
    phases = {"firmware kws": BUILD, "board": 0}
    run = RunProgress(Forecast([Part(key, phases.get(key, MEASURE), 10.0) for key in keys]))
    run.listen = lambda what, part: told.append((what, part.key))
    return run, told


def test_a_step_of_the_engine_is_a_part_while_it_runs() -> None:
    run, told = run_with("firmware kws")
    run(ScriptStarted("build-mlperf-tiny-firmware", command=BUILD_KWS, at_s=1.0))
    run(ScriptStarted("compile-mlperf-tiny-firmware", command='cm run script "compile"', at_s=1.0))
    run(Started("firmware kws performance", at_s=1.5))
    part = run.forecast.parts[0]
    assert (part.state, part.note) == (RUNNING, "firmware kws performance")
    run(Finished("firmware kws performance", "57 kB flash", at_s=3.0))
    run(ScriptFinished("compile-mlperf-tiny-firmware", at_s=3.0))
    run(ScriptFinished("build-mlperf-tiny-firmware", at_s=4.0))
    assert (part.state, part.note, part.took_s) == (DONE, "57 kB flash", 3.0)
    assert told == [("started", "firmware kws"), ("ended", "firmware kws")]


def test_a_measurement_tells_its_share_and_ends() -> None:
    run, told = run_with("kws performance")
    run(Started("kws performance", 50.0, "s", at_s=0.0))
    run(Progress("kws performance", 10.0, 40.0, "40.5 inf/s", at_s=1.0))
    part = run.forecast.parts[0]
    assert (part.share, part.note) == (0.25, "40.5 inf/s")
    run(Finished("kws performance", "40.6 inf/s", at_s=9.0))
    assert (part.state, part.share, part.note) == (DONE, 1.0, "40.6 inf/s")
    assert [what for what, _ in told] == ["started", "progress", "ended"]


def test_work_that_no_plan_knows_gets_a_row_of_its_own() -> None:
    run, _ = run_with()
    run(Started("fetch v1.1", at_s=0.0))
    run(Finished("fetch v1.1", "3 files", at_s=2.0))
    assert [(part.key, part.state, part.note) for part in run.forecast.parts] == [("fetch v1.1", DONE, "3 files")]


def test_what_came_from_the_cache_is_counted_once() -> None:
    run, _ = run_with()
    for key in ("a", "b", "a"):
        run(EntryTaken("compile", key=key))
    assert run.cached == {"a": "compile", "b": "compile"}


def test_warnings_are_kept_once_and_notes_are_not_shown() -> None:
    run, _ = run_with()
    run(Message("x", "careful", "warning"))
    run(Message("x", "careful", "warning"))
    run(Message("x", "fine"))
    run(ScriptNote("x", "load /a/long/path", depth=1))
    run(ScriptNote("x", "detail", "warning", detail=True))
    assert run.warnings == ["careful"]


def test_a_part_that_fails_says_so() -> None:
    run, told = run_with("firmware kws")
    run(ScriptStarted("build-mlperf-tiny-firmware", command=BUILD_KWS, at_s=1.0))
    run(Failed("build-mlperf-tiny-firmware", "no compiler\n  hint: get one", at_s=2.0))
    assert run.forecast.parts[0].state == FAILED and told[-1] == ("ended", "firmware kws")


def test_what_runs_ahead_in_other_processes_is_shown_while_it_runs_and_not_again_at_its_turn() -> None:
    run, told = run_with("firmware ic", "firmware kws")

    def ahead(worker: int, event: Event) -> None:
        run(RunsAhead(event.step, worker, event, at_s=event.at_s))

    ahead(7, Started("firmware kws performance", at_s=1.0))
    ahead(8, Started("firmware ic performance", at_s=1.5))
    ahead(7, Started("compile kws01", at_s=2.0))
    ahead(9, Started("of nothing that is known", at_s=2.0))
    ic, kws = run.forecast.parts
    assert (kws.state, kws.note, ic.state, ic.note) == (RUNNING, "compile kws01", RUNNING, "")
    ahead(7, Finished("compile kws01", at_s=3.0))
    ahead(7, Finished("firmware kws performance", "57 kB flash", at_s=4.0))
    ahead(7, Started("firmware kws performance", at_s=9.0))  # at another time it is done already
    assert (kws.state, kws.note, kws.took_s) == (DONE, "57 kB flash", 3.0)
    run(ScriptStarted("build-mlperf-tiny-firmware", command=BUILD_KWS, at_s=5.0))
    run(ScriptFinished("build-mlperf-tiny-firmware", at_s=6.0))
    assert (kws.took_s, ic.state) == (3.0, RUNNING)
    assert told == [("started", "firmware kws"), ("started", "firmware ic"), ("ended", "firmware kws")]


# --- lines -----------------------------------------------------------------------------------------------------------------------------
def test_lines_say_what_ended_with_the_share_of_the_whole_and_its_end() -> None:
    out = io.StringIO()
    now = time.monotonic()
    forecast = Forecast([Part("board", 0, 10.0), Part("kws performance", MEASURE, 30.0)], began_s=now - 10)
    run = RunProgress(forecast)
    with shown_on(out, run, "cm4tiny run: kws", terminal=False):
        run(ScriptStarted("get-tiny-board", command="get tiny board", at_s=now - 10))
        run(ScriptFinished("get-tiny-board", at_s=now))
        run(Message("x", "careful", "warning"))
    first, second, third = out.getvalue().splitlines()
    assert first == "cm4tiny run: kws; about 0:40"
    assert second.startswith("[ 2") and "board (10.0 s); about 0:30 left" in second
    assert third == "warning: careful"


def test_a_long_part_is_told_of_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, *[step / 2 for step in range(200)]])
    monkeypatch.setattr("cm4tiny.cli.views.time.monotonic", lambda: next(clock))
    out = io.StringIO()
    lines = Lines(out, Forecast())
    part = Part("kws performance", share=0.5)
    lines("started", part)
    for _ in range(40):
        lines("progress", part)
    assert 1 <= len(out.getvalue().splitlines()) <= 3


# --- the area --------------------------------------------------------------------------------------------------------------------------
def drawn(run: RunProgress, width: int, height: int = 24) -> list[str]:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(Area(run, "cm4tiny run: kws", console))
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_area_fits_the_terminal(width: int) -> None:
    now = time.monotonic()
    parts = [
        Part("board", 0, 3.0, DONE, took_s=0.3, note="ready"),
        Part("firmware kws", BUILD, 9.0, CACHED, note="from the cache"),
        Part("kws performance", MEASURE, 30.0, RUNNING, began_s=now - 10, share=0.4, note="40.563 inf/s " + "x" * 100),
        Part("kws accuracy", MEASURE, 3.0),
    ]
    lines = drawn(RunProgress(Forecast(parts, began_s=now - 20)), width)
    assert max(len(line) for line in lines) <= width and len(lines) == 1 + 4 + 1
    text = "\n".join(lines)
    assert "= firmware kws" in text and "from the cache" in text and "40 %" in text and "left" in lines[-1]


def test_more_parts_than_rows_leave_out_what_is_done() -> None:
    parts = [Part(f"part {n}", MEASURE, 1.0, DONE if n < 30 else "waiting") for n in range(40)]
    lines = drawn(RunProgress(Forecast(parts)), 80, height=24)
    assert len(lines) <= 24 and "more are done" in lines[1] and "part 39" in "\n".join(lines)


# --- where output goes -----------------------------------------------------------------------------------------------------------------
def test_steps_of_a_screen_share_its_stream_and_its_place_for_results(capsys: pytest.CaptureFixture[str]) -> None:
    texts: list[str] = []
    screen = Screen(EventStream(), texts.append)
    with on_screen(screen):
        with watch() as events:
            assert events is screen.events
        show("a table")
    show("printed")
    assert texts == ["a table"] and capsys.readouterr().out == "printed\n"


def test_what_a_process_and_its_children_print_is_kept(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys\n"
        "from pathlib import Path\n"
        "from cm4tiny.cli.capture import captured\n"
        "with captured() as kept:\n"
        "    print('mine'); subprocess.run(['echo', 'theirs']); os.write(2, b'error\\n')\n"
        "    kept.screen.write('seen\\n'); kept.screen.flush(); sys.stdout.flush()\n"
        "    kept.keep(Path(sys.argv[1]))\n"
        "print('after')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "log")], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert (done.stdout, done.stderr) == ("after\n", "seen\n")
    assert sorted((tmp_path / "log").read_text(encoding="utf-8").split()) == ["error", "mine", "theirs"]


def test_the_descriptors_come_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no"), captured():
        os.write(1, b"kept back")
        raise ValueError("no")
    os.write(1, b"printed")
    assert capfd.readouterr().out == "printed"
