# SPDX-License-Identifier: Apache-2.0
"""Work ahead: cached scripts are made in workers before the run comes to them.

The run itself stays sequential, so order, precedence and results are those of a run without workers. Before it begins the dependencies of
its first script, and each time it is about to make a cache entry, it looks at the dependencies that are still to come. Those whose results
are cached, not there yet, and cannot be changed by anything that runs before them (:mod:`cm4tiny.resolver.plan.influence`) are handed to an
executor, the entries that they need first. When the run comes to such a script, it finds the entry in the cache, or waits for it, and
shows what the worker said.

The first job that fails ends the run with its error. A worker that is lost costs only time: the run makes the entry itself.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from cm4tiny.errors import ScriptError, UsageError
from cm4tiny.resolver.language import conditions
from cm4tiny.resolver.language.deps import Dep
from cm4tiny.resolver.language.environment import LOCAL_KEYS
from cm4tiny.resolver.language.meta import says_yes
from cm4tiny.resolver.language.vocabulary import DEP_LISTS
from cm4tiny.resolver.plan.influence import Unknown
from cm4tiny.resolver.plan.plan_cache import PlanCache
from cm4tiny.resolver.plan.planner import DEPTH_LIMIT
from cm4tiny.resolver.plan.resolve import Request, Resolved, copied, dep_request, pick, resolve
from cm4tiny.resolver.plan.tree import PlanNode
from cm4tiny.resolver.run.frames import Frame
from cm4tiny.resolver.run.session import Session
from cm4tiny.resolver.run.work_folder import inside
from cm4tiny.resolver.store.provenance import begin
from cm4tiny.resolver.workers.jobs import Executor, JobOutcome, ScriptJob, Settings
from cm4tiny.resolver.workers.recording import Item, replay

if TYPE_CHECKING:
    from concurrent.futures import Future

_POLL_S = 0.5
_REMIND_S = 30.0

State = Literal["queued", "running", "done", "failed", "lost", "taken back"]


@dataclass
class QueuedJob:
    """A job and where it stands. ``after`` are the queued jobs that must be done before it starts."""

    job: ScriptJob
    number: int
    after: list[QueuedJob] = field(default_factory=list)
    state: State = "queued"
    outcome: JobOutcome | None = None
    error: BaseException | None = None
    shown: bool = False
    began: float = 0.0


class Prefetcher:
    """See the module.

    Args:
        session: the run's.
        executor: makes the executor when there is work for it.
        jobs: how many scripts may run at once, the main process counted while it does not wait; 0 leaves that to the executor.
    """

    def __init__(self, session: Session, executor: Callable[[], Executor], jobs: int) -> None:
        self._session = session
        self._make_executor = executor
        self._jobs = jobs
        self._executor: Executor | None = None
        self._plans = PlanCache()
        self._queue: dict[str, QueuedJob] = {}
        self._lock = threading.Condition()
        self._waiting = False
        self._closed = False
        self._settings = Settings(
            session.cache.root.parents[2], tuple(session.store.repositories), session.quiet, session.silent, session.verbose,
            dict(session.planner.user_env), str(getattr(session.automation, "path", "") or ""),
            str(session.locked.file) if session.locked is not None else "", session.attach,
        )  # fmt: skip

    # --- looking ------------------------------------------------------------------------------------------------------------------
    def scan(self) -> None:
        """Scans what is still to come and hands out what can be made now."""
        unknown = Unknown()
        self._plans = PlanCache()
        chain = self._session.chain
        for frame in reversed(self._session.frames):
            if frame.level < len(chain):
                running = chain[frame.level][0]
                unknown.add(running.new_env_keys, running.new_state_keys)
            with inside(frame.folder):
                for index in range(frame.index + 1, len(frame.deps)):
                    if index not in frame.decided and not self._consider(frame, index, unknown):
                        continue
                    unknown.add(*frame.decided[index])
        self._hand_out()

    def _consider(self, frame: Frame, index: int, unknown: Unknown) -> bool:
        """Looks at one dependency; False if it has to be looked at again."""
        dep = frame.deps[index]
        open_question = unknown.touches_text({key: dep[key] for key in conditions.CONDITION_KEYS if key in dep})
        if not open_question and not conditions.is_enabled(dep, frame.env):
            frame.decided[index] = ([], [])
            return True
        tag_keys = {key: value for key, value in dep.items() if key.startswith("update_tags_from_env")}
        resolved, request = self._resolved(frame, dep)
        if resolved is None or request is None or unknown.touches_text([dep.get("tags"), tag_keys]):
            unknown.everything = True
            return False
        exports = (resolved.new_env_keys, resolved.new_state_keys)
        plan = self._planned(resolved)
        if plan is None or open_question or unknown.touches(plan):
            unknown.add(*exports)
            return False
        self._enqueue(resolved, request, plan.key, frozenset(self._session.in_progress), frame)
        frame.decided[index] = exports
        return True

    def _resolved(self, frame: Frame, dep: Dep) -> tuple[Resolved | None, Request | None]:
        try:
            request = dep_request(frame.resolved, dep, frame.env, frame.state, frame.hidden, frame.depth)
            if "<<<" in request.tags:
                return None, None
            if self._session.quiet:
                request.env["CM_QUIET"] = "yes"
            if self._session.verbose:
                request.env["CM_VERBOSE"] = "yes"
            script, query = pick(self._session.store, request, quiet=self._session.quiet)
            script.check()
            return resolve(script, query, request), request
        except (ScriptError, UsageError):
            return None, None

    def _planned(self, resolved: Resolved) -> PlanNode | None:
        try:
            return self._session.planner.plan(resolved, self._plans)
        except (ScriptError, UsageError):
            return None

    def _enqueue(self, resolved: Resolved, request: Request, key: str, in_progress: frozenset[str], frame: Frame) -> list[QueuedJob]:
        """The queued jobs that a caller of this script waits for."""
        session = self._session
        if not resolved.cache:
            return self._below(resolved, request, in_progress, frame)
        if key in self._queue:
            return [self._queue[key]]
        dynamic = any(says_yes(dep, "dynamic") for kind in DEP_LISTS for dep in resolved.lists[kind])
        if key in in_progress or request.options.again:
            return []
        stored = session.cache.load(session.cache.entry(resolved.script, key))
        if stored is not None and resolved.wanted.accepts(stored.version):
            return []
        if session.locked is not None and not session.locked.admits(begin(resolved, session.places, session.planner.user_env)):
            return []
        after = self._below(resolved, request, in_progress | {key}, frame)
        if dynamic:
            return after
        own = replace(request, env=copied(request.env), state=copied(request.state))
        job = ScriptJob(key, resolved.script.alias, own, self._settings, str(frame.folder), dict(os.environ), frame.names, in_progress)
        with self._lock:
            entry = self._queue[key] = QueuedJob(job, len(self._queue), after)
        return [entry]

    def _below(self, resolved: Resolved, request: Request, in_progress: frozenset[str], above: Frame) -> list[QueuedJob]:
        """Tickets for the ``deps`` of a script that do not depend on each other; none below a circle, which the run will meet and name."""
        if request.depth >= DEPTH_LIMIT:
            return []
        hidden = [*LOCAL_KEYS, *(str(key) for key in resolved.script.meta.get("local_env_keys") or ())]
        deps = [dep for dep in resolved.lists["deps"] if dep.get("tags")]
        frame = Frame(
            resolved,
            deps,
            resolved.env,
            resolved.state,
            hidden,
            request.depth + 1,
            above.level,
            (resolved.script.alias, *above.names),
            above.folder,
        )
        unknown = Unknown()
        found: list[QueuedJob] = []
        for dep in deps:
            if unknown.everything or unknown.touches_text(dep):
                break
            if not conditions.is_enabled(dep, frame.env):
                continue
            child, child_request = self._resolved(frame, dep)
            if child is None or child_request is None:
                break
            plan = self._planned(child)
            if plan is not None and not unknown.touches(plan):
                found += self._enqueue(child, child_request, plan.key, in_progress, frame)
            unknown.add(child.new_env_keys, child.new_state_keys)
        return found

    # --- handing out --------------------------------------------------------------------------------------------------------------
    def _hand_out(self) -> None:
        """Starts queued jobs while there are free places."""
        with self._lock:
            if self._closed:
                return
            queued = [entry for entry in self._queue.values() if entry.state == "queued"]
            if not queued or (self._executor is None and len(queued) < 2 and not self._session.in_progress):
                return
            if self._executor is None:
                self._executor = self._make_executor()
            running = sum(entry.state == "running" for entry in self._queue.values())
            places = self._places(self._executor) - running
            for entry in queued:
                if places <= 0:
                    return
                if all(below.state in ("done", "lost") for below in entry.after):
                    places -= 1
                    self._start(entry, self._executor)

    def _places(self, executor: Executor) -> int:
        if not self._jobs:
            return executor.capacity
        limit = min(self._jobs, executor.capacity)
        return limit if self._waiting else max(1, limit - 1)

    def _start(self, entry: QueuedJob, executor: Executor) -> None:
        entry.state = "running"
        entry.began = time.monotonic()
        try:
            future = executor.submit(entry.job)
        except RuntimeError as error:
            entry.state, entry.error = "lost", error
            return
        future.add_done_callback(lambda done: self._ended(entry, done))

    def _ended(self, entry: QueuedJob, future: Future[JobOutcome]) -> None:
        """Called in a thread of the executor."""
        with self._lock:
            try:
                entry.outcome = future.result()
                entry.error = entry.outcome.error
                entry.state = "failed" if entry.error else "done"
            except BaseException as error:
                entry.error = error
                entry.state = "lost"
            self._lock.notify_all()
        self._hand_out()

    def created(self, key: str) -> None:
        """The run has made this entry itself."""
        with self._lock:
            entry = self._queue.get(key)
            if entry is None or entry.state != "taken back":
                return
            entry.state, entry.shown = "done", True
        self._hand_out()

    # --- arriving -----------------------------------------------------------------------------------------------------------------
    def check(self) -> None:
        """Raises the error of the first job that failed; a run on a terminal tries such a script itself when its turn comes."""
        if self._session.interactive:
            return
        with self._lock:
            failed = [entry for entry in self._queue.values() if entry.state == "failed" and not entry.shown]
        if failed:
            self._raise(min(failed, key=lambda entry: entry.number))

    def _raise(self, entry: QueuedJob) -> None:
        assert entry.outcome is not None
        assert entry.error is not None
        self._show(entry)
        raise entry.error

    def arrive(self, resolved: Resolved, key: str) -> bool:
        """The run has come to a cached script: waits for the worker that makes it and shows what that said.

        Returns:
            True if a worker made the entry for this run; False if the run is to look for it, or to make it, itself.
        """
        entry = self._queue.get(key)
        if entry is None or entry.shown:
            return False
        with self._lock:
            if entry.state == "queued":
                entry.state = "taken back"
        if entry.state == "running":
            self._wait_for(resolved, entry)
        self.check()
        if entry.state == "lost":
            why = getattr(entry.error, "why", "") or str(entry.error)
            self._session.note(resolved, f"the worker that made it was lost ({why}); it is made here", level="warning")
        if entry.state == "failed":
            self._session.note(resolved, "it failed in a worker, which has no terminal; it runs again here", level="warning")
        if entry.state != "done" or entry.outcome is None or entry.outcome.key != key:
            return False
        self._show(entry)
        return True

    def _show(self, entry: QueuedJob) -> None:
        assert entry.outcome is not None
        entry.shown = True
        self._take_over(entry.outcome)
        replay(entry.outcome.items, self._session.events, self._below_recording)

    def _take_over(self, outcome: JobOutcome) -> None:
        session = self._session
        session.dep_names |= outcome.dep_names
        session.any_hit = session.any_hit or outcome.any_hit
        session.created += outcome.created
        session.version_info += outcome.versions

    def _below_recording(self, key: str) -> list[Item] | None:
        entry = self._queue.get(key)
        if entry is None or entry.outcome is None or entry.shown:
            return None
        entry.shown = True
        self._take_over(entry.outcome)
        return entry.outcome.items

    def _wait_for(self, resolved: Resolved, entry: QueuedJob) -> None:
        session = self._session
        self._waiting = True
        spoken = 0.0
        try:
            while True:
                self._hand_out()
                now = time.monotonic()
                if now - spoken >= _REMIND_S:
                    spoken = now
                    session.note(resolved, self._in_progress_text(entry, now))
                with self._lock:
                    if entry.state != "running":
                        return
                    self._lock.wait(_POLL_S)
                self.check()
        finally:
            self._waiting = False

    def _in_progress_text(self, entry: QueuedJob, now: float) -> str:
        with self._lock:
            others = [other for other in self._queue.values() if other.state == "running" and other is not entry]
        text = f"a worker makes it ({now - entry.began:.0f} s)"
        if others:
            text += "; also in progress: " + ", ".join(f"{other.job.request.tags} ({now - other.began:.0f} s)" for other in others)
        return text

    def close(self) -> None:
        """Ends all jobs."""
        with self._lock:
            self._closed = True
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown()
