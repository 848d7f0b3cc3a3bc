# SPDX-License-Identifier: Apache-2.0
"""Jobs and what runs them: data that can be pickled, and an interface of three members.

A job is one run of one cached script, made ahead of its turn (see :mod:`.prefetcher`). :mod:`.local_executor` runs jobs in processes of
this machine, :mod:`.dask_executor` hands the same jobs to a Dask cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cm4tiny.errors import ScriptError
from cm4tiny.resolver.catalogue.repository import Repository
from cm4tiny.resolver.plan.resolve import Request
from cm4tiny.resolver.run.session import Session
from cm4tiny.resolver.workers.recording import Item

if TYPE_CHECKING:
    from concurrent.futures import Future


@dataclass(frozen=True)
class Settings:
    """What all jobs of one run share: how a worker opens its session.

    Args:
        home: the CM home.
        repositories: in the order of preference.
        quiet, silent, verbose: as in :class:`~cm4tiny.resolver.run.session.Session`.
        user_env: what the user set with ``--env`` and ``--const``.
        automation: folder of the CM automation that the run was started with; empty if it was started without cmind.
        locked: the lock file that the run is held to; empty if there is none.
        attach: gives a session what scripts get as ``i['automation']``, from the folder ``automation``; a function of a module, which a
            worker imports by its name.
    """

    home: Path
    repositories: tuple[Repository, ...]
    quiet: bool = False
    silent: bool = False
    verbose: bool = False
    user_env: Mapping[str, Any] = field(default_factory=dict)
    automation: str = ""
    locked: str = ""
    attach: Callable[[Session, str], None] | None = None


@dataclass(frozen=True)
class ScriptJob:
    """One run of one script.

    Args:
        key: of the cache entry that it makes.
        name: of the script, for messages.
        request: what is asked for.
        settings: see there.
        folder: the current folder.
        environ: the environment of the process; on another machine only the part with CM's names.
        above: the scripts that need it, the nearest first.
        in_progress: keys of entries that wait for this one.
    """

    key: str
    name: str
    request: Request
    settings: Settings
    folder: str
    environ: Mapping[str, str]
    above: tuple[str, ...] = ()
    in_progress: frozenset[str] = frozenset()


@dataclass(frozen=True)
class JobOutcome:
    """What became of a job.

    Args:
        key: of the entry that it made; empty if it made none.
        items: what it said, without the first and last event of the job's own script.
        error: why it failed, or None.
        seconds: how long it took.
        dep_names: names of dependencies that it met.
        any_hit: something came from the cache that was there before.
        created: folders of the entries that it made.
        versions: rows of ``version_info`` of its dependencies.
    """

    key: str
    items: list[Item]
    error: BaseException | None = None
    seconds: float = 0.0
    dep_names: frozenset[str] = frozenset()
    any_hit: bool = False
    created: tuple[Path, ...] = ()
    versions: tuple[dict[str, Any], ...] = ()


class WorkerLostError(ScriptError):
    """A worker ended without an answer: it was killed, or its machine is gone."""


class Executor(Protocol):
    """Runs jobs somewhere."""

    capacity: int
    """How many jobs may run at once."""

    def submit(self, job: ScriptJob) -> Future[JobOutcome]:
        """Starts a job. The future's exception is a :class:`WorkerLostError` if the worker was lost."""

    def shutdown(self) -> None:
        """Ends what still runs, with everything it started, and waits for that."""
