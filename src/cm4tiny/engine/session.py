"""What all runs of one command share: the scripts, the cache, the flags that hold for everything, the event stream."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cm4tiny.engine.cache import Cache
from cm4tiny.engine.deps import names_in
from cm4tiny.engine.fingerprint import content_of
from cm4tiny.engine.plan import Planner, identity
from cm4tiny.engine.progress import ScriptNote
from cm4tiny.engine.repository import Repository, ScriptStore
from cm4tiny.engine.resolve import Resolved
from cm4tiny.errors import DependencyError
from cm4tiny.events import SILENT, EventStream

DEPTH_LIMIT = 100


@dataclass
class Session:
    """See the module.

    Args:
        store: all scripts.
        cache: all results.
        planner: works out keys.
        state_dir: folder of this engine in the CM home: logs, locks, catalogues.
        events: hears what happens.
        quiet: ask nothing.
        silent: native scripts keep their output, the engine prints nothing.
        verbose: more detail.
        interactive: native scripts may read standard input.
        automation: what scripts get as ``i['automation']``.
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
    chain: list[tuple[Resolved, Mapping[str, Any]]] = field(default_factory=list)
    dep_names: set[str] = field(default_factory=set)
    any_hit: bool = False
    made: list[Path] = field(default_factory=list)
    under_way: set[str] = field(default_factory=set)

    @property
    def logs(self) -> Path:
        """Where tracebacks go."""
        return self.state_dir / "logs"

    def note(self, resolved: Resolved, text: str, *, level: str = "info", detail: bool = False) -> None:
        """Tells the stream a line about a script."""
        self.events.emit(ScriptNote(resolved.script.alias, text, level, depth=max(0, len(self.chain) - 1), detail=detail))

    def needed_by(self) -> tuple[str, ...]:
        """The scripts above the running one, the nearest first."""
        return tuple(resolved.script.alias for resolved, _ in reversed(self.chain[:-1]))

    @contextmanager
    def running(self, resolved: Resolved) -> Iterator[None]:
        """Puts a run on the chain.

        Raises:
            DependencyError: the same run is already under way further up.
        """
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
    def making(self, resolved: Resolved, key: str) -> Iterator[None]:
        """Marks a cache entry as being made by this process.

        Raises:
            DependencyError: it already is, further up: a run cannot wait for itself.
        """
        if key in self.under_way:
            raise self._endless(resolved)
        self.under_way.add(key)
        try:
            yield
        finally:
            self.under_way.discard(key)

    def _endless(self, resolved: Resolved) -> DependencyError:
        names = [above.script.alias for above, _ in self.chain]
        shown = names if names[-1:] == [resolved.script.alias] else [*names, resolved.script.alias]
        return DependencyError(
            f"the dependencies of script '{names[0]}' never end",
            why=" -> ".join(shown[-7:]),
            cure="break the circle with skip_if_env or remove one of the dependencies",
        )


def cm_home() -> Path:
    """The CM home: ``CM_REPOS``, else ``~/CM``."""
    return Path(os.environ.get("CM_REPOS", "").strip() or Path.home() / "CM")


def new_session(home: Path, repositories: list[Repository], **options: Any) -> Session:
    """A session on a CM home.

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
