# SPDX-License-Identifier: Apache-2.0
"""Jobs on a Dask cluster: ``--scheduler=tcp://HOST:PORT``.

A worker of the cluster starts a process of its own for each job, because a script needs a folder and an environment to itself and Dask
runs tasks in threads. The cluster's machines must see the CM home and the repositories under the same paths (a shared file system with
working file locks, as NFS 4 has them) and have the same version of this package; that is checked before the first job.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from cm4tiny import __version__
from cm4tiny.errors import CacheError, NotAvailableError, UsageError
from cm4tiny.packages import extra_hint
from cm4tiny.resolver.catalogue.repository import Repository
from cm4tiny.resolver.workers.jobs import JobOutcome, ScriptJob, WorkerLostError
from cm4tiny.resolver.workers.local_executor import Child

CONNECT_S = 10
_POLL_S = 0.25


class DaskExecutor:
    """See the module and :class:`~cm4tiny.resolver.workers.jobs.Executor`.

    Args:
        address: of the scheduler.
        state_dir: this engine's folder in the CM home, which all machines must see.
        repositories: which all machines must see.

    Raises:
        NotAvailableError: Dask is not installed.
        UsageError: there is no scheduler at the address, or it has no workers.
        CacheError: a machine does not see the CM home or a repository, or has another version of this package.
    """

    def __init__(self, address: str, state_dir: Path, repositories: Iterable[Repository] = ()) -> None:
        try:
            import distributed
        except ImportError as error:
            raise NotAvailableError("--scheduler needs Dask", why=str(error), hint=extra_hint("dask")) from error
        try:
            make_client: Any = distributed.Client
            self._client = make_client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise UsageError(f"there is no Dask scheduler at {address}", why=why, hint="check --scheduler=tcp://HOST:PORT") from error
        self._run = state_dir / "runs" / f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            self._probe(address, [repository.path for repository in repositories])
        except BaseException:
            self._client.close()
            self._remove_probe()
            raise

    def _probe(self, address: str, repositories: list[Path]) -> None:
        workers = self._client.scheduler_info()["workers"]
        if not workers:
            raise UsageError(f"the Dask scheduler at {address} has no workers", hint=f"start some: dask worker {address}")
        self.capacity = sum(int(worker["nthreads"]) for worker in workers.values())
        token = os.urandom(8).hex()
        try:
            self._run.parent.mkdir(parents=True, exist_ok=True)
            self._run.write_text(token, encoding="utf-8")
        except OSError as error:
            raise CacheError(f"cannot write to {self._run.parent}", why=str(error), hint="check space and permissions") from error
        answers = self._client.run(look_at, str(self._run), [str(place) for place in repositories])
        for worker, answer in sorted(answers.items()):
            if answer["token"] != token:
                raise CacheError(
                    f"the Dask worker {worker} on {answer['host']} does not share the CM home",
                    why=f"it cannot read {self._run}, which this machine wrote",
                    hint="put the CM home (CM_REPOS) on a file system that all machines mount under the same path",
                )
            if answer["missing"]:
                raise CacheError(
                    f"the Dask worker {worker} on {answer['host']} does not see the repository {answer['missing'][0]}",
                    hint="put it on a file system that all machines mount under the same path",
                )
            if answer["version"] != __version__:
                raise CacheError(
                    f"the Dask worker {worker} on {answer['host']} has another version of cm4tiny",
                    why=f"{answer['version']} there, {__version__} here",
                    hint="install the same version everywhere",
                )

    def submit(self, job: ScriptJob) -> Future[JobOutcome]:
        """See :class:`~cm4tiny.resolver.workers.jobs.Executor`."""
        names = {name: value for name, value in job.environ.items() if name.startswith("CM_")}
        remote = self._client.submit(carry_out, replace(job, environ=names), str(self._run), pure=False, retries=0)
        future: Future[JobOutcome] = Future()
        future.set_running_or_notify_cancel()

        def ended(done: Any) -> None:
            try:
                future.set_result(done.result())
            except BaseException as error:
                lost = WorkerLostError(f"the Dask worker that made '{job.name}' was lost", why=f"{type(error).__name__}: {error}")
                future.set_exception(error if isinstance(error, WorkerLostError) else lost)

        remote.add_done_callback(ended)
        return future

    def shutdown(self) -> None:
        """See :class:`~cm4tiny.resolver.workers.jobs.Executor`. Jobs end when their file in the CM home is gone."""
        self._remove_probe()
        self._client.close()

    def _remove_probe(self) -> None:
        self._run.unlink(missing_ok=True)


def look_at(probe: str, repositories: list[str]) -> dict[str, Any]:
    """What a machine sees; runs on each worker of a cluster."""
    try:
        token = Path(probe).read_text(encoding="utf-8")
    except OSError:
        token = ""
    missing = [place for place in repositories if not Path(place).is_dir()]
    return {"host": socket.gethostname(), "token": token, "missing": missing, "version": __version__}


def carry_out(job: ScriptJob, run: str) -> JobOutcome:
    """Runs a job in a process of its own; ends it when the file ``run`` is gone. Runs on a worker of a cluster."""
    child = Child()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_POLL_S):
            if not Path(run).exists():
                child.end()
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        folder = job.folder if Path(job.folder).is_dir() else "/"
        return child.run(replace(job, folder=folder, environ={**os.environ, **job.environ}))
    finally:
        ended.set()
        child.end()
