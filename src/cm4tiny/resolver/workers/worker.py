# SPDX-License-Identifier: Apache-2.0
"""A worker: a process that carries out jobs one after the other and reports what came of each.

Jobs come on standard input, outcomes go to what was standard output; what scripts print is caught. When the main process is gone, or says
so by SIGTERM, the worker ends what it started, leaves no half-made cache entry and goes.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cm4tiny.errors import Cm4TinyError
from cm4tiny.events import Event, EventStream, Failed, Finished, Progress, Started, overhearing
from cm4tiny.resolver.run.progress import ScriptFinished, ScriptStarted
from cm4tiny.resolver.run.runner import run
from cm4tiny.resolver.run.session import Session, new_session
from cm4tiny.resolver.run.signals import terminable
from cm4tiny.resolver.workers.jobs import JobOutcome, ScriptJob, Settings
from cm4tiny.resolver.workers.local_executor import receive, send
from cm4tiny.resolver.workers.recording import Item, Recorder
from cm4tiny.scratch import scratch_folder


class Worker:
    """Carries out jobs; one session serves all jobs with the same settings.

    Args:
        tell: receives at once what jobs report of their progress.
    """

    def __init__(self, tell: Callable[[Event], None] = lambda event: None) -> None:
        self._tell = tell
        self._settings: Settings | None = None
        self._session: Session | None = None
        self._recorder: Recorder | None = None

    def _open(self, settings: Settings) -> Session:
        if self._session is None or settings != self._settings:
            self._settings = settings
            session = new_session(
                settings.home, list(settings.repositories), events=EventStream(self._receive), quiet=settings.quiet, silent=settings.silent,
                verbose=settings.verbose,
            )  # fmt: skip
            session.planner.user_env.update(settings.user_env)
            if settings.locked:
                from cm4tiny.resolver.store.lockfile import Lock

                session.locked = Lock.read(Path(settings.locked))
            if settings.automation and settings.attach is not None:
                settings.attach(session, settings.automation)
            self._session = session
        return self._session

    def _receive(self, event: Any) -> None:
        if self._recorder is not None:
            self._recorder(event)

    def _hear(self, event: Event) -> None:
        if isinstance(event, (Started, Progress, Finished, Failed)):
            self._tell(event)

    def carry_out(self, job: ScriptJob) -> JobOutcome:
        """Runs a job; what goes wrong in it is part of the outcome."""
        session = self._open(job.settings)
        os.environ.clear()
        os.environ.update(job.environ)
        os.chdir(job.folder)
        session.begin_job(job.above, job.in_progress)
        begun = time.monotonic()
        error: BaseException | None = None
        key = ""
        with scratch_folder("worker") as folder:
            self._recorder = Recorder(folder / "printed")
            with self._recorder.catching(), overhearing(self._hear):
                try:
                    run(session, job.request)
                    key = session.last_key
                except Exception as caught:
                    error = _sendable(caught)
                finally:
                    os.chdir("/")
            items = _inner(self._recorder.items())
            self._recorder = None
        return JobOutcome(
            key, items, error, time.monotonic() - begun, frozenset(session.dep_names), session.any_hit, tuple(session.created),
            tuple(session.version_info[:-1]),
        )  # fmt: skip


def _inner(items: list[Item]) -> list[Item]:
    """Without what the main process reports itself: that the job's own script begins and ends."""
    start = next((n for n, item in enumerate(items) if isinstance(item, ScriptStarted)), None)
    if start is not None:
        items = [*items[:start], *items[start + 1 :]]
    end = next((n for n in range(len(items) - 1, -1, -1) if isinstance(items[n], (ScriptFinished, Failed))), None)
    return items if end is None else [*items[:end], *items[end + 1 :]]


def _sendable(error: BaseException) -> BaseException:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return Cm4TinyError(f"{type(error).__name__}: {error}")
    return error


def serve() -> None:
    """The main loop of a worker process; returns when the main process has closed its end."""
    jobs = os.fdopen(os.dup(0), "rb")
    results = os.fdopen(os.dup(1), "wb")
    with open(os.devnull) as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    inbox: queue.Queue[ScriptJob | None] = queue.Queue()
    busy = threading.Event()

    def listen() -> None:
        while True:
            try:
                inbox.put(receive(jobs))
            except (EOFError, OSError, pickle.UnpicklingError):
                break
        inbox.put(None)
        if busy.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    sending = threading.Lock()

    def answer(thing: Event | JobOutcome) -> None:
        with sending:
            send(results, thing)

    def tell(event: Event) -> None:
        with contextlib.suppress(OSError):  # the main process has ended: listen() ends this one
            answer(event)

    threading.Thread(target=listen, daemon=True).start()
    worker = Worker(tell)
    with terminable():
        try:
            while (job := inbox.get()) is not None:
                busy.set()
                outcome = worker.carry_out(job)
                busy.clear()
                answer(outcome)
        except (KeyboardInterrupt, BrokenPipeError):
            sys.exit(1)
