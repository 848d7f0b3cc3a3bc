# SPDX-License-Identifier: Apache-2.0
"""Runs test files in children of a process that has imported what tests need except the package: a change costs no imports of numpy.

One request a line on standard input (JSON: ``batches`` of test files, ``cpu_s``, ``wall_s``, ``answer``: a file), one line back when it is
done. The child answers ``{"status": "killed" | "survived" | "spent", "by": node id, "ran": tests}``; a child that dies without an answer
or takes more than ``PER_TEST_S`` of processor time for one test has been killed by the change as well ("died").
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
from pathlib import Path
from typing import Any

PER_TEST_S = 60
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


class Watch:
    """A pytest plug-in: remembers the first failure, limits each test and the whole."""

    def __init__(self, cpu_s: float) -> None:
        self.by = ""
        self.ran = 0
        self.spent = False
        self._end = time.process_time() + cpu_s

    def pytest_runtest_protocol(self, item: Any) -> None:
        signal.setitimer(signal.ITIMER_PROF, PER_TEST_S)
        if time.process_time() > self._end and not self.by:
            self.spent = True
            item.session.shouldstop = "budget"

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.ran += report.when == "call"
        if report.failed and not self.by:
            self.by = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.by:
            self.by = f"{report.nodeid} (import)"


def _child(request: dict[str, Any]) -> None:
    import pytest

    os.setsid()
    log = os.open(request["answer"] + ".log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for limit, value in ((resource.RLIMIT_AS, 8 << 30), (resource.RLIMIT_FSIZE, 1 << 30), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (value, value))
    watch = Watch(request["cpu_s"])
    options = ["-q", "-x", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=--strict-markers", "-W", "ignore"]
    code = 0
    for batch in request["batches"]:
        code = int(pytest.main([*options, *batch], plugins=[watch]))
        if watch.by or watch.spent or code not in (0, 5):
            break
    signal.setitimer(signal.ITIMER_PROF, 0)
    killed = watch.by or code not in (0, 2, 5)
    status = "killed" if killed else "spent" if watch.spent else "survived"
    Path(request["answer"]).write_text(json.dumps({"status": status, "by": watch.by or f"pytest's exit code {code}", "ran": watch.ran}))


def _serve(request: dict[str, Any]) -> None:
    with contextlib.suppress(FileNotFoundError):
        Path(request["answer"]).unlink()
    child = os.fork()
    if child == 0:
        try:
            _child(request)
        finally:
            os._exit(0)
    end = time.monotonic() + request["wall_s"]
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
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
