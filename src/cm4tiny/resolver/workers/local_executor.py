# SPDX-License-Identifier: Apache-2.0
"""The default executor: child processes of this machine behind ``concurrent.futures``.

Children are processes of their own and not forks of this one: hooks change the working folder and the environment of their process, so
threads are out, and a fork would copy whatever locks and threads a ``customize.py`` has made.
"""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from cm4tiny.events import Event
from cm4tiny.resolver.run.native import end_tree
from cm4tiny.resolver.run.progress import RunsAhead
from cm4tiny.resolver.workers.jobs import JobOutcome, ScriptJob, WorkerLostError

_START = "import sys; sys.path[:] = {path!r}; from cm4tiny.resolver.workers.worker import serve; serve()"
_HEADER_BYTES = 8


# --- child processes ----------------------------------------------------------------------------------------------------------------
class Child:
    """A worker process. One job at a time; it lives until :meth:`end`."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", _START.format(path=[str(Path(place).absolute()) for place in sys.path])]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)

    def run(self, job: ScriptJob, heard: Callable[[RunsAhead], None] = lambda event: None) -> JobOutcome:
        """Carries out a job.

        Args:
            heard: receives what the job reports of its progress.

        Raises:
            WorkerLostError: the process ended without an answer.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            send(self._process.stdin, job)
            while isinstance(answer := receive(self._process.stdout), Event):
                heard(RunsAhead(answer.step, self._process.pid, answer, at_s=answer.at_s))
        except (OSError, EOFError, ValueError) as error:
            status = self._process.poll()
            why = f"its status is {status}" if status is not None else str(error)
            raise WorkerLostError(f"the process that made '{job.name}' ended without an answer", why=why) from error
        assert isinstance(answer, JobOutcome)
        return answer

    def end(self) -> None:
        """Ends the process with everything it started; a job that it works on cleans up."""
        if self._process.poll() is None:
            end_tree(self._process.pid)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait()


def send(stream: IO[bytes], thing: Any) -> None:
    """Writes one pickled thing with its length in front."""
    data = pickle.dumps(thing)
    stream.write(len(data).to_bytes(_HEADER_BYTES, "little") + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Reads what :func:`send` wrote.

    Raises:
        EOFError: the other end is closed.
    """
    header = stream.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES:
        raise EOFError("the other end closed")
    size = int.from_bytes(header, "little")
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the other end closed")
    return pickle.loads(data)


class LocalExecutor:
    """Child processes of this machine behind a ``concurrent.futures`` pool; they start when they are needed and serve many jobs.

    Args:
        capacity: how many.
        heard: receives what jobs report of their progress, in threads of this class.
    """

    def __init__(self, capacity: int, heard: Callable[[RunsAhead], None] = lambda event: None) -> None:
        self.capacity = capacity
        self._heard = heard
        self._pool = ThreadPoolExecutor(capacity, thread_name_prefix="cm4tiny-job")
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._children: list[Child] = []
        self._closed = False

    def submit(self, job: ScriptJob) -> Future[JobOutcome]:
        """See :class:`~cm4tiny.resolver.workers.jobs.Executor`."""
        return self._pool.submit(self._work, job)

    def _work(self, job: ScriptJob) -> JobOutcome:
        with self._lock:
            if self._closed:
                raise WorkerLostError("the run is ending")
            child = self._idle.pop() if self._idle else None
            if child is None:
                child = Child()
                self._children.append(child)
        outcome = child.run(job, self._heard)
        with self._lock:
            self._idle.append(child)
        return outcome

    def shutdown(self) -> None:
        """See :class:`~cm4tiny.resolver.workers.jobs.Executor`."""
        with self._lock:
            self._closed = True
            children, self._children = self._children, []
        enders = [threading.Thread(target=child.end) for child in children]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join()
        self._pool.shutdown(wait=True, cancel_futures=True)
