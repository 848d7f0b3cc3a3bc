# SPDX-License-Identifier: Apache-2.0
"""Runs a step with its progress shown, and keeps what came of it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cm4tiny.cli.capture import Captured, captured
from cm4tiny.cli.durations import learn, learned
from cm4tiny.cli.engine import StepRun, own_scripts
from cm4tiny.cli.forecast import CACHED, Forecast, clock, with_expectations
from cm4tiny.cli.parts import IMAGE_STEP, context_of, parts_of
from cm4tiny.cli.progress import RunProgress
from cm4tiny.cli.views import shown_on
from cm4tiny.console import Screen, on_screen, watch
from cm4tiny.errors import Cm4TinyError
from cm4tiny.events import EventStream
from cm4tiny.resolver.catalogue.reference import title_of
from cm4tiny.settings import parse_jobs
from cm4tiny.standard_output import stdout_to_stderr


@dataclass
class FinishedRun:
    """What came of one run.

    Args:
        flags: tags and flags that were asked for.
        new_env: what the step set.
        texts: what steps showed as their results.
        lock: the lock file that was written; empty if none was.
        summary: one line: how long, how much came from the cache.
        from_cache: how many results came from the cache.
        took_s: how long it took.
    """

    flags: Mapping[str, Any]
    new_env: Mapping[str, Any]
    texts: list[str] = field(default_factory=list)
    lock: str = ""
    summary: str = ""
    from_cache: int = 0
    took_s: float = 0.0


def run_with_all_output(flags: Mapping[str, Any], *, json_wanted: bool) -> FinishedRun:
    """Runs a step with everything that it and its tools print (``--verbose``); with ``json_wanted`` on standard error.

    Args:
        flags: tags and flags.
        json_wanted: nothing but one object may reach standard output.

    Raises:
        Cm4TinyError: as :meth:`cm4tiny.cli.engine.StepRun.run`.
    """
    began = time.monotonic()
    if not json_wanted:
        with watch(sys.stderr) as events:
            answer = StepRun(flags, events, verbose=True).run()
    else:
        with stdout_to_stderr(), watch(sys.stderr) as events:
            answer = StepRun(flags, events, verbose=True).run()
    return FinishedRun(flags, answer["new_env"], lock=str(answer.get("lock", "")), took_s=time.monotonic() - began)


def run_with_progress(verb: str, flags: Mapping[str, Any], texts: list[str]) -> FinishedRun:
    """Runs a step and shows its progress on standard error.

    Args:
        verb: that was called.
        flags: tags and flags.
        texts: receives what steps show as their results, also of a run that fails.

    Raises:
        Cm4TinyError: as :class:`cm4tiny.cli.engine.StepRun`. What tools printed is kept in a file that the hint names.
    """
    run = RunProgress(Forecast(width=parse_jobs(flags.get("jobs"))))
    events = EventStream(run)
    step = StepRun(flags, events)
    plan = step.plan()
    context = context_of(str(flags["tags"]))
    run.forecast.parts = with_expectations(parts_of(plan), learned(context))
    run.forecast.began_s = time.monotonic()
    log = step.home / "cm4tiny" / "logs" / f"{verb}-output.log"
    with captured() as kept:
        try:
            with on_screen(Screen(events, texts.append)), shown_on(kept.screen, run, heading(verb, flags), terminal=_is_terminal(kept)):
                answer = step.run()
        except Cm4TinyError as error:
            raise _with_log(error, kept, log) from error
        finally:
            learn(context, run.forecast.parts)
    took = time.monotonic() - run.forecast.began_s
    return FinishedRun(
        flags, answer["new_env"], texts, str(answer.get("lock", "")), _summary(run, took), max(len(run.cached), _cached(run)), took
    )  # fmt: skip


def heading(verb: str, flags: Mapping[str, Any]) -> str:
    """What runs, in one line."""
    words = [tag.lstrip("_") for tag in str(flags["tags"]).split(",") if tag.startswith("_")]
    return f"cm4tiny {verb}" + (f": {', '.join(words)}" if words else "")


def _is_terminal(kept: Captured) -> bool:
    return kept.screen.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def _cached(run: RunProgress) -> int:
    return run.forecast.count(CACHED)


def _summary(run: RunProgress, took_s: float) -> str:
    """How long it took, and what came from the cache: the parts of the run, then other steps by their titles."""
    if not run.cached and not any(part.expected_s for part in run.forecast.parts):
        return clock(took_s)
    names = [part.key for part in run.forecast.parts if part.state == CACHED]
    count = max(len(run.cached), len(names))
    if not count:
        return f"{clock(took_s)}; nothing came from the cache"
    titles = {script.alias: title_of(script) for script in own_scripts().scripts}
    others = [titles.get(alias, alias) for alias in run.cached.values() if alias != IMAGE_STEP]
    named = ", ".join(dict.fromkeys([*names, *(f"'{title}'" for title in others)]))
    return f"{clock(took_s)}; {count} {'step' if count == 1 else 'steps'} from the cache ({named})"


def _with_log(error: Cm4TinyError, kept: Captured, log: Path) -> Cm4TinyError:
    """The error, with the place of what was printed before it, if anything was."""
    file = kept.keep(log)
    if file is not None:
        error.hint = "\n".join(filter(None, (error.hint, f"what steps and tools printed: {file}")))
    return error
