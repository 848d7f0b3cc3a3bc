# SPDX-License-Identifier: Apache-2.0
"""What all runs of one command share: the scripts, the cache, the flags that hold for everything, the event stream."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cm4tiny.errors import DependencyError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.resolver.catalogue.repository import Repository, ScriptStore
from cm4tiny.resolver.language.deps import names_in
from cm4tiny.resolver.plan.fingerprint import content_of
from cm4tiny.resolver.plan.planner import DEPTH_LIMIT, Planner, identity
from cm4tiny.resolver.plan.resolve import Resolved
from cm4tiny.resolver.run.frames import Frame
from cm4tiny.resolver.run.progress import ScriptNote
from cm4tiny.resolver.store.cache import Cache
from cm4tiny.resolver.store.provenance import Places, Record

if TYPE_CHECKING:
    from cm4tiny.resolver.store.lockfile import Lock


class Prefetching(Protocol):
    """Runs cached scripts in other processes before the run comes to them (:mod:`cm4tiny.resolver.workers.prefetcher`)."""

    def scan(self) -> None:
        """Looks for scripts that can run now."""

    def check(self) -> None:
        """Raises the error of the first one that failed."""

    def arrive(self, resolved: Resolved, key: str) -> bool:
        """The run has come to a cached script; True if a worker created its entry for this run."""

    def created(self, key: str) -> None:
        """The run has created this entry itself."""

    def close(self) -> None:
        """Ends all jobs."""


RUNS_LIMIT = 10_000
"""Runs of scripts in one command. Two dependencies on each of so many levels run 2^n times, as with upstream's engine."""


@dataclass
class Session:
    """See the module.

    Args:
        store: all scripts.
        cache: all results.
        planner: works out keys.
        state_dir: folder of this engine in the CM home: logs, locks, catalogues.
        events: receives what happens.
        quiet: ask nothing.
        silent: native scripts keep their output, the engine prints nothing.
        verbose: more detail.
        interactive: native scripts may read standard input.
        automation: what scripts get as ``i['automation']``.
        attach: makes :attr:`automation` in a worker process, from the folder of the CM automation.
        open_prefetcher: makes what runs cached scripts ahead; None: nothing does.
        debug_tags: scripts with all of these tags leave a file that runs their native script without CM.
        version_info: upstream's list of what ran, in order of completion: ``{tags: {script_uid, script_alias, version, ...}}``.
    """

    store: ScriptStore
    cache: Cache
    planner: Planner
    state_dir: Path
    events: EventStream = SILENT
    quiet: bool = False
    silent: bool = False
    verbose: bool = False
    interactive: bool = False
    automation: Any = None
    attach: Callable[[Session, str], None] | None = None
    open_prefetcher: Callable[[Session], Prefetching] | None = None
    debug_tags: frozenset[str] = frozenset()
    version_info: list[dict[str, Any]] = field(default_factory=list)
    chain: list[tuple[Resolved, Mapping[str, Any]]] = field(default_factory=list)
    dep_names: set[str] = field(default_factory=set)
    any_hit: bool = False
    created: list[Path] = field(default_factory=list)
    in_progress: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    frames: list[Frame] = field(default_factory=list)
    prefetcher: Prefetching | None = None
    above: tuple[str, ...] = ()
    last_key: str = ""
    records: list[Record] = field(default_factory=list)
    locked: Lock | None = None

    @cached_property
    def places(self) -> Places:
        """How records write the folders of this machine."""
        return Places.of(self.state_dir.parent, self.cache.root, self.store.repositories)

    @property
    def logs(self) -> Path:
        """Where tracebacks go."""
        return self.state_dir / "logs"

    def note(self, resolved: Resolved, text: str, *, level: str = "info", detail: bool = False) -> None:
        """Tells the stream a line about a script."""
        self.events.emit(ScriptNote(resolved.script.alias, text, level, depth=max(0, self.depth - 1), detail=detail))

    def needed_by(self) -> tuple[str, ...]:
        """The scripts above the running one, the nearest first."""
        return (*(resolved.script.alias for resolved, _ in reversed(self.chain[:-1])), *self.above)

    @property
    def depth(self) -> int:
        """How many runs are in progress, those of the main process counted in a worker."""
        return len(self.above) + len(self.chain)

    def begin_job(self, above: tuple[str, ...], in_progress: frozenset[str]) -> None:
        """Makes the session of a worker ready for a job.

        Args:
            above: the scripts that need it, the nearest first.
            in_progress: keys of cache entries that wait for it.
        """
        self.above, self.last_key, self.any_hit = above, "", False
        self.dep_names, self.in_progress = set(), set(in_progress)
        self.created.clear()
        self.records.clear()
        self.version_info.clear()

    @contextmanager
    def workers(self) -> Iterator[None]:
        """Runs cached scripts ahead while the first run is in progress, if the session has :attr:`open_prefetcher`."""
        if self.prefetcher is not None or self.chain or self.open_prefetcher is None:
            yield
            return
        self.prefetcher = self.open_prefetcher(self)
        try:
            yield
        finally:
            self.prefetcher.close()
            self.prefetcher = None

    @contextmanager
    def listing(self, frame: Frame) -> Iterator[None]:
        """Puts a list of dependencies on the pile of those that are being worked off."""
        self.frames.append(frame)
        try:
            pretended = frame.env.get("CM_TMP_FAKE_DEPS") == "yes"
            if self.prefetcher is not None and len(self.chain) == 1 and frame.deps and not pretended:
                self.prefetcher.scan()
            yield
        finally:
            self.frames.pop()

    @contextmanager
    def running(self, resolved: Resolved) -> Iterator[None]:
        """Puts a run on the chain.

        Raises:
            DependencyError: the same run is already in progress further up, or the command led to :data:`RUNS_LIMIT` runs.
        """
        if not self.chain:
            self.counts.clear()
        self.counts[resolved.script.alias] += 1
        if self.counts.total() > RUNS_LIMIT:
            raise self._too_many()
        env = {key: value for key, value in resolved.env.items() if not key.startswith("CM_TMP_")}
        again = [above for above, its_env in self.chain if identity(above) == identity(resolved) and its_env == env]
        if again or len(self.chain) >= DEPTH_LIMIT:
            raise self._endless(resolved)
        self.dep_names |= names_in(resolved.lists)
        self.chain.append((resolved, env))
        try:
            yield
        finally:
            self.chain.pop()

    @contextmanager
    def building(self, resolved: Resolved, key: str) -> Iterator[None]:
        """Marks a cache entry as being made by this process.

        Raises:
            DependencyError: it already is, further up: a run cannot wait for itself.
        """
        if key in self.in_progress:
            raise self._endless(resolved)
        self.in_progress.add(key)
        try:
            yield
        finally:
            self.in_progress.discard(key)

    def _too_many(self) -> DependencyError:
        alias, count = self.counts.most_common(1)[0]
        return DependencyError(
            f"the dependencies of script '{self.chain[0][0].script.alias}' lead to more than {RUNS_LIMIT} runs of scripts",
            why=f"'{alias}' ran {count} times: a dependency that is not cached runs each time that a script needs it",
            hint=f"cache it (cache: true in the meta of '{alias}'), or name it once",
        )

    def _endless(self, resolved: Resolved) -> DependencyError:
        names = [above.script.alias for above, _ in self.chain]
        shown = names if names[-1:] == [resolved.script.alias] else [*names, resolved.script.alias]
        return DependencyError(
            f"the dependencies of script '{names[0]}' never end",
            why=" -> ".join(shown[-7:]),
            hint="break the circle with skip_if_env or remove one of the dependencies",
        )


def cm_home() -> Path:
    """The CM home: ``CM_REPOS``, else ``~/CM``."""
    return Path(os.environ.get("CM_REPOS", "").strip() or Path.home() / "CM")


def new_session(home: Path, repositories: list[Repository], **options: Any) -> Session:
    """A session on a CM home that runs one script at a time (:func:`cm4tiny.resolver.workers.pool.use_workers`: several).

    Args:
        home: the folder with ``repos.json`` and ``repos/local``.
        repositories: in the order of preference.
        options: fields of :class:`Session`.
    """
    content_of.cache_clear()
    state_dir = home / "cm4tiny"
    store = ScriptStore(repositories, catalogue_dir=state_dir / "catalogues")
    cache = Cache(home / "repos" / "local" / "cache", state_dir / "locks")
    return Session(store, cache, Planner(store), state_dir, **options)
