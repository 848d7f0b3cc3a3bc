# SPDX-License-Identifier: Apache-2.0
"""Runs test files in children of a process that has imported what tests need except the package: a change costs no imports of numpy.

One request a line on standard input (JSON: ``batches`` of test files, ``cpu_s``, ``wall_s``, ``answer``: a file), one line back when it is
done. The child answers ``{"status": "killed" | "survived" | "spent", "by": node id, "ran": tests, "times": {node id: seconds}}``; a child
that dies without an answer or takes more than ``PER_TEST_S`` of processor time for one test has been killed by the change as well ("died");
``answer`` with ``.test`` at its end names the test.
``left_out`` are tests to leave out, ``slow`` those to run last in their batch, ``last`` a batch that is asked even if the time is spent.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

PER_TEST_S = 60
SLOW_S = 1.0
"""Processor time from which on a test is a slow one."""
PRELOADED = (
    "pytest",
    "_pytest.assertion.rewrite",
    "pytest_timeout",
    "hypothesis",
    "hypothesis.strategies",
    "numpy",
    "yaml",
    "jsonschema",
    "rich.console",
    "rich.progress",
    "requests",
    "tflite",
    "flatbuffers",
    "unicorn",
    "capstone",
    "elftools.elf.elffile",
    "serial",
    "sklearn.metrics",
    "unittest.mock",
    "email",
    "http.server",
    "xml.etree.ElementTree",
    "subprocess",
    "multiprocessing",
    "asyncio",
    "sqlite3",
)


def cpu_s() -> float:
    """Processor time of this process and of its children that ended (compilers, commands)."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Watch:
    """A pytest plug-in: remembers the first failure, limits each test and the whole, runs slow tests last."""

    def __init__(self, limit_s: float, slow: list[str], in_progress: Path) -> None:
        self.in_progress = in_progress
        self.by = ""
        self.ran = 0
        self.spent = False
        self.times: dict[str, float] = {}
        self._slow = set(slow)
        self._end = cpu_s() + limit_s
        self._begun = cpu_s()

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda item: item.nodeid in self._slow)

    def pytest_runtest_protocol(self, item: Any) -> None:
        signal.setitimer(signal.ITIMER_PROF, PER_TEST_S)
        self.in_progress.write_text(item.nodeid, encoding="utf-8")
        if cpu_s() > self._end and not self.by:
            self.spent = True
            item.session.shouldstop = "budget"

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        now = cpu_s()
        if now - self._begun > SLOW_S:
            self.times[nodeid] = round(now - self._begun, 1)
        self._begun = now

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.ran += report.when == "call"
        if report.failed and not self.by:
            self.by = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.by:
            self.by = f"{report.nodeid} (import)"


def _in_background(group: Path = Path("/proc/self/autogroup")) -> None:
    """A session of its own, so that all that a test leaves running can be ended; with the scheduler's weight of the old session (Linux).

    The file is empty where the process belongs to a control group (a container), and absent from other kernels.
    """
    said: list[str] = []
    with contextlib.suppress(OSError):
        said = group.read_text(encoding="ascii").split()
    os.setsid()
    if said:
        with contextlib.suppress(OSError):
            group.write_text(said[-1], encoding="ascii")


def _child(request: dict[str, Any]) -> None:
    import pytest

    _in_background()
    log = os.open(request["answer"] + ".log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    # Each emulated core reserves gigabytes of addresses, and its library ends the process where it does not get them.
    for limit, value in ((resource.RLIMIT_AS, 64 << 30), (resource.RLIMIT_FSIZE, 1 << 30), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    in_progress = Path(request["answer"] + ".test")
    watch = Watch(request["cpu_s"], request["slow"], in_progress)
    options = ["-q", "-x", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=--strict-markers", "-W", "ignore"]
    options += [f"--deselect={test}" for test in request["left_out"]]
    code = 0
    for batch in request["batches"]:
        code = int(pytest.main([*options, *batch], plugins=[watch]))
        if watch.by or watch.spent or code not in (0, 5):
            break
    if watch.spent and request["last"]:
        last = Watch(request["cpu_s"], [], in_progress)
        pytest.main([*options, *request["last"]], plugins=[last])
        watch.by, watch.ran = last.by, watch.ran + last.ran
    signal.setitimer(signal.ITIMER_PROF, 0)
    killed = watch.by or code not in (0, 2, 5)
    status = "killed" if killed else "spent" if watch.spent else "survived"
    answer = {"status": status, "by": watch.by or f"pytest's exit code {code}", "ran": watch.ran, "times": watch.times}
    Path(request["answer"]).write_text(json.dumps(answer))


def _serve(request: dict[str, Any]) -> None:
    for name in (request["answer"], request["answer"] + ".test"):
        Path(name).unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        try:
            _child(request)
        except BaseException:  # whatever it is, this process goes no further
            traceback.print_exc()
        finally:
            os._exit(0)
    end, tool = time.monotonic() + request["wall_s"], os.getppid()
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > end or os.getppid() != tool:  # the tool was ended
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            break
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what a dead test left running


def main() -> None:
    """Serves until standard input ends."""
    sys.dont_write_bytecode = True
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        _serve(json.loads(line))
        print("done", file=answers, flush=True)


if __name__ == "__main__":
    main()
