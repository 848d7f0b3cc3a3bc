"""The job pool of a session: how many scripts run at once, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cm4tiny.resolver.catalogue.repository import Repository
from cm4tiny.resolver.run import session as sessions
from cm4tiny.resolver.run.session import Session
from cm4tiny.resolver.workers.jobs import Executor
from cm4tiny.resolver.workers.prefetcher import Prefetcher


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

        return LocalExecutor(jobs)

    session.open_prefetcher = None if jobs == 1 and not scheduler else lambda session: Prefetcher(session, executor, jobs)


def new_session(home: Path, repositories: list[Repository], *, jobs: int = 1, scheduler: str = "", **options: Any) -> Session:
    """A session on a CM home; arguments of :func:`cm4tiny.resolver.run.session.new_session` and :func:`use_workers`."""
    session = sessions.new_session(home, repositories, **options)
    use_workers(session, jobs, scheduler)
    return session
