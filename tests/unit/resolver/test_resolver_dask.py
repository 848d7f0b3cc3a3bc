# SPDX-License-Identifier: Apache-2.0
"""The same jobs on a Dask cluster; skipped where Dask is not installed."""

from __future__ import annotations

import builtins
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.errors import CacheError, NotAvailableError, ScriptFailedError, UsageError
from cm4tiny.events import EventStream
from cm4tiny.resolver import Repository, new_session
from cm4tiny.resolver.plan.resolve import new_request
from cm4tiny.resolver.run.runner import run

MAKES = """
import os, time
def preprocess(i):
    name = i["meta"]["alias"]
    with open({trace!r}, "a") as file:
        file.write('["%s", "preprocess", {{"pid": %d, "parent": %d, "set": "%s"}}]\\n'
                   % (name, os.getpid(), os.getppid(), os.environ.get("CM_SOMETHING")))
    time.sleep(float(os.environ.get("CM_NAP", "0")))
    if os.environ.get("CM_FAIL") == name:
        raise ValueError("told to fail")
    i["env"]["T_" + name.upper()] = os.path.join(os.getcwd(), "x")
    open("x", "w").close()
    return {{"return": 0}}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'cm4tiny[dask]'")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path_factory.mktemp("dask"))
    ) as made:
        yield made


def scripts(micro: Any) -> None:
    for name in ("p", "q", "r"):
        micro.script(name, MAKES.format(trace=str(micro.trace_file)), cache=True, new_env_keys=[f"T_{name.upper()}"])
    micro.script("top", deps=[{"tags": name} for name in "pqr"], new_env_keys=["T_*"])


def session_on(micro: Any, address: str, **options: Any) -> Any:
    events = EventStream(micro.events.append)
    return new_session(micro.home, [Repository(micro.root, "micro")], events=events, jobs=0, scheduler=address, **options)


def test_scripts_are_made_on_the_cluster_with_the_same_result(micro: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CM_SOMETHING", "passed on")
    monkeypatch.setenv("CM_NAP", "0.3")
    scripts(micro)
    session = session_on(micro, cluster.scheduler_address)
    remote = run(session, new_request({"tags": "top"}))
    rows = [row for row in micro.trace if "parent" in row[2]]
    workers = {worker.pid for worker in cluster.workers.values()}
    assert {row[2]["parent"] for row in rows} <= workers | {os.getppid()}
    assert {row[2]["parent"] for row in rows} & workers
    assert {row[2]["set"] for row in rows} == {"passed on"}
    assert len(micro.entries) == 3
    micro.home.rename(micro.base / "old-home")
    local = micro.run("top")
    assert local.new_env == remote.new_env
    assert list((micro.base / "old-home" / "cm4tiny" / "runs").iterdir()) == []


def test_a_failure_on_the_cluster_is_the_runs_error(micro: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts(micro)
    monkeypatch.setenv("CM_FAIL", "q")
    with pytest.raises(ScriptFailedError) as caught:
        run(session_on(micro, cluster.scheduler_address), new_request({"tags": "top"}))
    assert caught.value.what == "script 'q' (needed by 'top') failed in preprocess: ValueError: told to fail"


def test_jobs_on_the_cluster_end_with_the_run(micro: Any, cluster: Any) -> None:
    pid_file = micro.base / "pid"
    micro.script("long", None, f'echo $$ > "{pid_file}"; sleep 600\n', cache=True)
    micro.script("short", None, cache=True)
    waits = f"import os, time\ndef preprocess(i):\n    while not os.path.exists({str(pid_file)!r}):\n        time.sleep(0.05)\n    1 / 0\n"
    micro.script("bad", waits, cache=True)
    micro.script("top", deps=[{"tags": "short"}, {"tags": "long"}, {"tags": "bad"}])
    with pytest.raises(ScriptFailedError, match="ZeroDivisionError"):
        run(session_on(micro, cluster.scheduler_address), new_request({"tags": "top"}))
    end = time.monotonic() + 20
    while Path(f"/proc/{pid_file.read_text().strip()}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid_file.read_text().strip()}").exists()
    while any(name.startswith("long_") for name in micro.folders) and time.monotonic() < end:
        time.sleep(0.1)  # the worker removes the folder after its shell has ended
    assert not any(name.startswith("long_") for name in micro.folders)


def test_a_home_that_the_cluster_does_not_see_is_an_error(micro: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts(micro)
    original = Path.write_text

    def elsewhere(self: Path, text: str, *arguments: Any, **options: Any) -> int:
        target = self.with_name("elsewhere") if self.parent.name == "runs" else self
        return original(target, text, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", elsewhere)
    with pytest.raises(CacheError, match="does not share the CM home") as caught:
        run(session_on(micro, cluster.scheduler_address), new_request({"tags": "top"}))
    assert "cannot read" in caught.value.why
    assert "CM_REPOS" in caught.value.hint
    assert threading.active_count() < 50


def test_a_repository_that_the_cluster_does_not_see_is_an_error(micro: Any, cluster: Any) -> None:
    from cm4tiny.resolver.workers.dask_executor import DaskExecutor

    with pytest.raises(CacheError, match="does not see the repository /no/where"):
        DaskExecutor(cluster.scheduler_address, micro.home / "cm4tiny", [Repository(Path("/no/where"))])


def test_another_version_on_the_cluster_is_an_error(micro: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from cm4tiny.resolver.workers import dask_executor

    monkeypatch.setattr(dask_executor, "__version__", "99")
    with pytest.raises(CacheError, match="has another version of cm4tiny"):
        dask_executor.DaskExecutor(cluster.scheduler_address, micro.home / "cm4tiny")


def test_a_scheduler_that_is_not_there_is_an_error(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="needs Dask: pip install 'cm4tiny[dask]'")
    monkeypatch.setattr("cm4tiny.resolver.workers.dask_executor.CONNECT_S", 1)
    scripts(micro)
    with pytest.raises(UsageError, match=r"there is no Dask scheduler at tcp://127\.0\.0\.1:9"):
        run(session_on(micro, "tcp://127.0.0.1:9"), new_request({"tags": "top"}))


def test_without_dask_the_error_names_the_extra(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "distributed":
            raise ImportError("No module named 'distributed'")
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    scripts(micro)
    with pytest.raises(NotAvailableError) as caught:
        run(session_on(micro, "tcp://127.0.0.1:9"), new_request({"tags": "top"}))
    assert "pip install 'cm4tiny[dask]'" in caught.value.hint
