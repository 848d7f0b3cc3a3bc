# SPDX-License-Identifier: Apache-2.0
"""The job pool of a session: how many scripts run at once, and where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cm4tiny.errors import UsageError
from cm4tiny.resolver.catalogue.repository import Repository
from cm4tiny.resolver.run import session as sessions
from cm4tiny.resolver.run.session import Prefetching, Session
from cm4tiny.settings import cores, parse_jobs

if TYPE_CHECKING:
    from cm4tiny.resolver.workers.jobs import Executor


def jobs_of(text: str, scheduler: str = "", *, own_meaning: bool = False) -> int:
    """How many scripts may run side by side: ``--jobs``, else one per core; with ``--scheduler`` 0, as many as the cluster takes.

    Args:
        text: of ``--jobs``.
        scheduler: of ``--scheduler``.
        own_meaning: the script gives ``--jobs`` a meaning of its own, and may take other values than numbers.

    Raises:
        UsageError: not a number of jobs.
    """
    default = 0 if scheduler else cores()
    try:
        return parse_jobs(text, default)
    except UsageError:
        if own_meaning:
            return default
        raise


def use_workers(session: Session, jobs: int, scheduler: str = "") -> None:
    """Lets a session run cached scripts ahead in other processes.

    Args:
        session: changed.
        jobs: how many scripts may run at once, the run itself counted; 1: none ahead; 0 leaves it to the scheduler.
        scheduler: address of a Dask scheduler; empty for processes of this machine.
    """

    def executor() -> Executor:
        if scheduler:
            from cm4tiny.resolver.workers.dask_executor import DaskExecutor

            return DaskExecutor(scheduler, session.state_dir, session.store.repositories)
        from cm4tiny.resolver.workers.local_executor import LocalExecutor

        return LocalExecutor(jobs, session.events.emit)

    def prefetcher(session: Session) -> Prefetching:
        from cm4tiny.resolver.workers.prefetcher import Prefetcher

        return Prefetcher(session, executor, jobs)

    session.open_prefetcher = None if jobs == 1 and not scheduler else prefetcher


def new_session(home: Path, repositories: list[Repository], *, jobs: int = 1, scheduler: str = "", **options: Any) -> Session:
    """A session on a CM home; arguments of :func:`cm4tiny.resolver.run.session.new_session` and :func:`use_workers`."""
    session = sessions.new_session(home, repositories, **options)
    use_workers(session, jobs, scheduler)
    return session
