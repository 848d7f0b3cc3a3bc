# SPDX-License-Identifier: Apache-2.0
"""Dependencies side by side: the same result, order and output as one after the other, and clean ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.errors import DependencyError, ScriptFailedError
from cm4tiny.events import EventStream, Finished, Progress, Started
from cm4tiny.resolver import new_session
from cm4tiny.resolver.adapter.console import Console
from cm4tiny.resolver.catalogue.repository import Repository
from cm4tiny.resolver.plan.resolve import new_request
from cm4tiny.resolver.run.progress import RunsAhead, ScriptFinished, ScriptNote, ScriptStarted
from cm4tiny.resolver.run.runner import run
from cm4tiny.resolver.run.signals import Terminated, deferred, terminable
from cm4tiny.settings import cores

PRODUCER = """
import os, time
def preprocess(i):
    name = i["meta"]["alias"]
    print("printed by", name)
    with open(os.environ["TRACE"], "a") as file:
        file.write('["%s", "preprocess", {"pid": %d}]\\n' % (name, os.getpid()))
    time.sleep(float(os.environ.get("NAP", "0")))
    if os.environ.get("FAIL") == name:
        raise ValueError("told to fail")
    open("made.txt", "w").write(name)
    i["env"]["T_FILE_" + name.upper()] = os.path.join(os.getcwd(), "made.txt")
    i["state"]["state_" + name] = [name]
    return {"return": 0}
"""

NATIVE = """
echo "native part of $CM_TMP_CURRENT_SCRIPT_PATH" | sed 's|.*/||'
echo "T_NATIVE=yes" > tmp-run-env.out
"""


def producer(micro: Any, name: str, **meta: Any) -> Path:
    folder: Path = micro.script(
        name, PRODUCER, NATIVE, **{"cache": True, "new_env_keys": [f"T_FILE_{name.upper()}"], "new_state_keys": [f"state_{name}"], **meta}
    )
    return folder


@pytest.fixture
def pids(micro: Any) -> Iterator[Any]:
    """Process ids of the scripts that ran, by name."""

    def look() -> dict[str, int]:
        return {row[0]: row[2]["pid"] for row in micro.trace if "pid" in row[2]}

    yield look


def run_jobs(micro: Any, tags: str, jobs: int, **options: Any) -> Any:
    events: list[Any] = []
    flags = options.pop("flags", {})
    session = new_session(micro.home, [Repository(micro.root, "micro")], events=EventStream(events.append), jobs=jobs, **options)
    result = run(session, new_request({"tags": tags, **flags}))
    result.heard = events
    result.session = session
    return result


REPORTING = """
import time
from cm4tiny.console import watch
def preprocess(i):
    with watch() as events, events.step("work of " + i["meta"]["alias"], 2.0) as outcome:
        events.progress("work of " + i["meta"]["alias"], 1.0)
        outcome.note = "well"
    return {"return": 0}
"""


def test_what_a_script_reports_in_another_process_is_heard_at_once_and_printed_at_its_turn(micro: Any, capfd: Any) -> None:
    for name in ("p", "q"):
        micro.script(name, REPORTING, cache=True)
    micro.script("top", deps=[{"tags": "p"}, {"tags": "q"}])
    heard = run_jobs(micro, "top", 2).heard
    ahead = [event for event in heard if isinstance(event, RunsAhead)]
    assert {event.step for event in ahead} == {"work of p", "work of q"}
    assert all(event.worker not in (0, os.getpid()) for event in ahead)
    for name in ("p", "q"):
        said = [event.event for event in ahead if event.step == f"work of {name}"]
        assert [type(event) for event in said] == [Started, Progress, Finished]
        assert isinstance(said[-1], Finished) and said[-1].note == "well"
    printed = "".join(capfd.readouterr())
    assert [printed.count(f"[done]  work of {name}: well") for name in ("p", "q")] == [1, 1]
    assert printed.index("[done]  work of p") < printed.index("[start] work of q")


def test_independent_dependencies_are_made_in_other_processes(micro: Any, pids: Any) -> None:
    for name in ("p", "q", "r"):
        producer(micro, name)
    micro.script("top", deps=[{"tags": name} for name in "pqr"], new_env_keys=["T_FILE_*"])
    result = run_jobs(micro, "top", 2)
    ran = pids()
    assert sorted(ran) == ["p", "q", "r"]
    assert set(ran.values()) - {os.getpid()}
    assert sorted(result.new_env) == ["T_FILE_P", "T_FILE_Q", "T_FILE_R"]


def test_with_one_job_everything_runs_in_this_process(micro: Any, pids: Any) -> None:
    for name in ("p", "q"):
        producer(micro, name)
    micro.script("top", deps=[{"tags": "p"}, {"tags": "q"}])
    run_jobs(micro, "top", 1)
    assert set(pids().values()) == {os.getpid()}


def forest(micro: Any) -> None:
    """Shared and nested entries, an uncached script between, a chain that depends on values, lists and state."""
    producer(micro, "tool")
    for name in ("p", "q"):
        producer(micro, name, deps=[{"tags": "tool"}, {"tags": "plain"}])
    micro.script("plain", run_sh="echo plain ran\n")
    producer(micro, "late", deps=[{"tags": "user"}], default_env={"T_FILE_P": "none"})
    micro.script("user", env={"+T_LIST": ["u"]}, new_env_keys=["+T_LIST"])
    micro.script(
        "top", new_env_keys=["T_*", "+T_*"], new_state_keys=["state_*"], deps=[{"tags": "plain"}, {"tags": "p"}, {"tags": "q"}],
        prehook_deps=[{"tags": "late"}], post_deps=[{"tags": "tool"}],
    )  # fmt: skip


def told(result: Any) -> list[Any]:
    """Events without what may differ: times, and notes about waiting."""
    rows: list[Any] = []
    for event in result.heard:
        if isinstance(event, (ScriptStarted, ScriptFinished)):
            cached = (event.cached,) if isinstance(event, ScriptFinished) else ()
            rows.append((type(event).__name__, event.step, event.depth, *cached))
        elif isinstance(event, ScriptNote) and not event.text.startswith("a worker makes it"):
            rows.append((event.step, event.text, event.depth))
    return rows


def test_results_events_and_output_equal_those_of_a_sequential_run(micro: Any, capfd: pytest.CaptureFixture[str]) -> None:
    forest(micro)
    outcomes = []
    for jobs in (1, 3):
        result = run_jobs(micro, "top", jobs)
        ran = sorted(micro.ran)
        entries = {entry.name: json.loads((entry / "cm-cached-state.json").read_text()) for entry in micro.entries}
        for state in entries.values():
            state.pop("made")
            state["entries"] = sorted(state["entries"])
            state.pop("files", None)
        outcomes.append((result.new_env, result.new_state, result.deps, result.version, ran, entries, told(result), capfd.readouterr().out))
        micro.home.rename(micro.base / f"home-{jobs}")
    sequential, parallel = outcomes
    for left, right in zip(sequential, parallel, strict=True):
        assert right == left
    assert "printed by q" in sequential[-1]
    assert any(state["version"] == "" for state in sequential[5].values())


def test_versions_of_what_ran_are_told_as_in_a_sequential_run(micro: Any) -> None:
    forest(micro)
    rows = []
    for jobs in (1, 3):
        rows.append([list(row) for row in run_jobs(micro, "top", jobs).session.version_info])
        micro.home.rename(micro.base / f"home-{jobs}")
    assert rows[0] == rows[1]


def test_a_shared_entry_is_made_once(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAP", "0.2")
    forest(micro)
    run_jobs(micro, "top", 4)
    ran = micro.ran
    assert ran.count("tool") == ran.count("p") == ran.count("q") == 1


def test_a_dependency_that_reads_what_an_earlier_one_makes_waits_for_it(micro: Any, pids: Any) -> None:
    producer(micro, "p")
    reader = PRODUCER.replace('    open("made.txt"', '    assert i["env"]["T_FILE_P"]\n    open("made.txt"')
    for name in ("q", "r"):
        micro.script(name, reader, cache=True, new_env_keys=[f"T_FILE_{name.upper()}"])
    micro.script("top", deps=[{"tags": "p"}, {"tags": "q"}, {"tags": "r"}])
    run_jobs(micro, "top", 3)
    ran = pids()
    assert ran["p"] == os.getpid()
    assert len(set(ran.values())) > 1
    assert len(micro.entries) == 3


def test_a_condition_on_what_an_earlier_one_makes_waits_for_it(micro: Any) -> None:
    micro.script("first", env={"T_SWITCH": "on"}, new_env_keys=["T_SWITCH"])
    for name in ("p", "q", "r"):
        producer(micro, name)
    condition = {"T_SWITCH": ["on"]}
    micro.script(
        "top", deps=[{"tags": "first"}, {"tags": "p"}, {"tags": "q", "skip_if_env": condition}, {"tags": "r", "enable_if_env": condition}]
    )
    run_jobs(micro, "top", 2)
    assert sorted(entry.name.split("_")[0] for entry in micro.entries) == ["p", "r"]


def test_state_that_an_earlier_one_hands_over_counts(micro: Any) -> None:
    micro.script("first", "def preprocess(i):\n    i['state']['shared'] = 5\n    return {'return': 0}\n", new_state_keys=["shared"])
    reader = "def preprocess(i):\n    i['env']['T_SAW'] = str(i['state'].get('shared'))\n    return {'return': 0}\n"
    for name in ("p", "q"):
        micro.script(name, reader, cache=True, new_env_keys=["T_SAW"])
    micro.script("top", deps=[{"tags": "first"}, {"tags": "p"}, {"tags": "q"}], new_env_keys=["T_SAW"])
    assert run_jobs(micro, "top", 2).new_env == {"T_SAW": "5"}


def test_a_list_in_front_of_a_variable_of_the_shell_counts(micro: Any) -> None:
    tool = micro.base / "bin" / "mytool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)
    micro.script("first", env={"+PATH": [str(tool.parent)]}, new_env_keys=["+PATH"])
    for name in ("p", "q"):
        micro.script(name, None, 'echo "T_SAW=$(mytool)" > tmp-run-env.out\n', cache=True, new_env_keys=["T_SAW"])
    micro.script("top", deps=[{"tags": "first"}, {"tags": "p"}, {"tags": "q"}], new_env_keys=["T_SAW"])
    assert run_jobs(micro, "top", 2).new_env == {"T_SAW": "found"}


def test_a_failure_in_a_worker_is_the_runs_error_and_leaves_nothing(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("p", "q", "r"):
        producer(micro, name)
    micro.script("between", deps=[{"tags": "r"}])
    micro.script("top", deps=[{"tags": "p"}, {"tags": "q"}, {"tags": "between"}])
    monkeypatch.setenv("FAIL", "q")
    with pytest.raises(ScriptFailedError) as caught:
        run_jobs(micro, "top", 3)
    assert caught.value.what == "script 'q' (needed by 'top') failed in preprocess: ValueError: told to fail"
    assert "Traceback" in Path(caught.value.hint.rpartition(" ")[2]).read_text()
    assert not any(name.startswith("q_") for name in micro.folders)
    monkeypatch.delenv("FAIL")
    run_jobs(micro, "top", 3)


def test_the_error_of_a_nested_worker_names_all_scripts_above_it(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("p", "q", "r"):
        producer(micro, name)
    micro.script("between", deps=[{"tags": "q"}, {"tags": "r"}])
    micro.script("top", deps=[{"tags": "p"}, {"tags": "between"}])
    monkeypatch.setenv("FAIL", "r")
    with pytest.raises(ScriptFailedError) as caught:
        run_jobs(micro, "top", 3)
    assert "script 'r' (needed by 'between' < 'top') failed" in caught.value.what


def test_a_failure_ends_the_other_workers_and_what_they_started(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = micro.base / "sleeper.pid"
    micro.script("long", None, f'sleep 600 & echo $! > "{sleeper}"; wait\n', cache=True)
    producer(micro, "p")
    fails = f"import os, time\ndef preprocess(i):\n    while not os.path.exists({str(sleeper)!r}):\n        time.sleep(0.02)\n    1 / 0\n"
    micro.script("bad", fails, cache=True)
    micro.script("top", deps=[{"tags": "p"}, {"tags": "long"}, {"tags": "bad"}])
    begun = time.monotonic()
    with pytest.raises(ScriptFailedError, match="ZeroDivisionError"):
        run_jobs(micro, "top", 4)
    assert time.monotonic() - begun < 30
    assert not _alive(int(sleeper.read_text()))
    assert not any(name.startswith("long_") for name in micro.folders)


def test_a_worker_that_is_killed_costs_only_time(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = PRODUCER.replace("    time.sleep", "    if os.environ['MAIN'] != str(os.getpid()): os.kill(os.getpid(), 9)\n    time.sleep")
    for name in ("p", "q", "r"):
        micro.script(name, hook, cache=True, new_env_keys=["T_FILE_*"])
    micro.script("top", deps=[{"tags": name} for name in "pqr"], new_env_keys=["T_FILE_*"])
    monkeypatch.setenv("MAIN", str(os.getpid()))
    result = run_jobs(micro, "top", 2)
    assert sorted(result.new_env) == ["T_FILE_P", "T_FILE_Q", "T_FILE_R"]
    assert any("was lost" in event.text for event in result.heard if isinstance(event, ScriptNote))


def test_on_a_terminal_a_script_that_fails_in_a_worker_runs_again_in_front_of_the_user(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = PRODUCER.replace("    time.sleep", "    assert os.environ['MAIN'] == str(os.getpid())\n    time.sleep")
    for name in ("p", "q", "r"):
        micro.script(name, hook, cache=True, new_env_keys=["T_FILE_*"])
    micro.script("top", deps=[{"tags": name} for name in "pqr"], new_env_keys=["T_FILE_*"])
    monkeypatch.setenv("MAIN", str(os.getpid()))
    assert len(run_jobs(micro, "top", 2, interactive=True).new_env) == 3


def test_dynamic_dependencies_run_once(micro: Any) -> None:
    micro.script("dynamic")
    for name in ("p", "q"):
        producer(micro, name, deps=[{"tags": "dynamic", "dynamic": True}])
    micro.script("top", deps=[{"tags": "p"}, {"tags": "q"}])
    run_jobs(micro, "top", 2)
    assert micro.ran.count("dynamic") == 2


def test_a_circle_is_an_error_and_not_a_deadlock(micro: Any) -> None:
    micro.script("c", cache=True, deps=[{"tags": "d"}, {"tags": "between"}])
    micro.script("d", cache=True)
    micro.script("e", cache=True)
    hook = "def preprocess(i):\n    i['env']['OT' + 'HER'] = '1'\n    return {'return': 0}\n"
    micro.script("between", hook, cache=True, prehook_deps=[{"tags": "c"}])
    micro.script("top", deps=[{"tags": "c"}, {"tags": "e"}, {"tags": "between"}])
    with pytest.raises(DependencyError, match="never end"):
        run_jobs(micro, "top", 3)


def test_no_worker_starts_when_everything_is_cached(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    forest(micro)
    run_jobs(micro, "top", 2)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr("cm4tiny.resolver.workers.local_executor.LocalExecutor.__init__", refuse)
    run_jobs(micro, "top", 2)


def test_the_main_process_says_what_it_waits_for(micro: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NAP", "0.5")
    for name in ("p", "q", "r"):
        producer(micro, name)
    micro.script("top", deps=[{"tags": name} for name in "pqr"])
    session = new_session(micro.home, [Repository(micro.root, "micro")], events=EventStream(Console(sys.stdout)), jobs=3)
    run(session, new_request({"tags": "top"}))
    assert "a worker makes it" in capsys.readouterr().out


PROGRAM = """
import sys
from pathlib import Path
from cm4tiny.resolver import Repository, new_session
from cm4tiny.resolver.run.runner import run
from cm4tiny.resolver.plan.resolve import new_request
from cm4tiny.resolver.run.signals import terminable
home, root = map(Path, sys.argv[1:])
with terminable():
    run(new_session(home, [Repository(root, "micro")], jobs=3), new_request({"tags": "top"}))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_takes_its_workers_and_their_children_with_it(micro: Any, number: int) -> None:
    names = ("p", "q", "r")
    for name in names:
        micro.script(name, None, f'echo $$ > "{micro.base}/{name}.pid"; sleep 600\n', cache=True)
    micro.script("top", deps=[{"tags": name} for name in names])
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(micro.home), str(micro.root)], start_new_session=True)
    files = [micro.base / f"{name}.pid" for name in names]
    end = time.monotonic() + 60
    while sum(file.exists() and bool(file.read_text().strip()) for file in files) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(timeout=30) != 0
    started = [int(file.read_text()) for file in files if file.exists()]
    if number == signal.SIGKILL:  # nobody can end the native script that the main process itself called
        started = [pid for pid in started if _parent_is_worker_or_gone(pid)]
    end = time.monotonic() + 20
    while any(_alive(pid) for pid in started) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(_alive(pid) for pid in started)
    if number != signal.SIGKILL:
        assert micro.folders == []
    subprocess.run(["pkill", "-s", str(process.pid)], check=False)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _parent_is_worker_or_gone(pid: int) -> bool:
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return True
    return parent != 1


def test_a_signal_between_the_start_of_a_process_and_knowing_its_id_waits() -> None:
    seen: list[str] = []
    with pytest.raises(Terminated), terminable(), deferred():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        seen.append("whole")
    assert seen == ["whole"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_cores_are_those_that_the_process_may_use() -> None:
    assert cores() == len(os.sched_getaffinity(0))
