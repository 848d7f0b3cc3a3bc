# SPDX-License-Identifier: Apache-2.0
"""A hostile meta in any repository costs a second and 200 MB at most, is named, and stops nobody else's script."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.hostile_metas import HARMLESS, JSON, KINDS, YAML, lay
from support.micro_cm import Cm

from cm4tiny.errors import DependencyError, MetaError, ScriptNotFoundError
from cm4tiny.resolver.adapter.plan_view import plan_of
from cm4tiny.resolver.language.meta import LIMITS, load_meta, load_yaml
from cm4tiny.resolver.plan import planner
from cm4tiny.resolver.plan.resolve import new_request
from cm4tiny.resolver.run import session

LIMIT_S, LIMIT_KB = 1.0, 200_000
MEASURED = """
import json, resource, sys
from pathlib import Path
from cm4tiny.errors import Cm4TinyError
from cm4tiny.events import EventStream
from cm4tiny.resolver import Repository, new_session
from cm4tiny.resolver.plan.resolve import new_request
from cm4tiny.resolver.run.runner import run

resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000, 2_000_000_000))
before = resource.getrusage(resource.RUSAGE_SELF)
session = new_session(Path("home"), [Repository(Path("repo"), "foreign")], events=EventStream())
said = ""
try:
    run(session, new_request({"tags": sys.argv[1]}))
except Cm4TinyError as error:
    said = str(error)
used = resource.getrusage(resource.RUSAGE_SELF)
# ru_maxrss would be that of the test process before the exec, too.
peak = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps([seconds, peak, said, session.store.warnings]))
"""


def measured(base: Path, tags: str) -> tuple[float, int, str, list[str]]:
    """Processor time (s), memory (kB), error and warnings of one run."""
    done = subprocess.run([sys.executable, "-c", MEASURED, tags], cwd=base, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    seconds, memory, said, warnings = json.loads(done.stdout)
    return seconds, memory, said, warnings


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_meta_is_named_and_costs_little(kind: str, micro: Any) -> None:
    micro.script("good")
    lay(micro.root / "script" / "bad", kind)
    seconds, memory, said, warnings = measured(micro.base, "good")
    assert (seconds < LIMIT_S, memory < LIMIT_KB, said) == (True, True, ""), (seconds, memory, said)
    assert micro.ran == ["good"]
    if kind in HARMLESS:
        assert warnings == []
        return
    (text,) = warnings
    assert "script/bad/_cm." in text
    seconds, memory, said, _ = measured(micro.base, "bad")
    assert (seconds < LIMIT_S, memory < LIMIT_KB, "script/bad/_cm." in said) == (True, True, True), (seconds, memory, said)
    assert not list(micro.base.rglob("pwned"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (YAML["billion laughs"], "repeated references included"), (YAML["merge keys that double"], "repeated references included"),
        (YAML["a list in itself"], "nested more than"), (YAML["deep brackets"], "nested more than"),
        (YAML["a long number"], "digits"), (YAML["a long sexagesimal number"], "digits"), (YAML["a million keys"], "bytes"),
        ("x: [" + "1," * LIMITS["values"] + "]\n", "values"), ("x: " + "[" * LIMITS["depth"] + "]" * LIMITS["depth"], "nested"),
    ],
    ids=lambda text: text[-20:],
)  # fmt: skip
def test_what_is_too_much_is_said(text: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "_cm.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MetaError, match="cannot use") as caught:
        load_meta(file)
    assert why in caught.value.why and caught.value.hint


def test_what_is_not_too_much_is_read() -> None:
    shared = "a: &a [x, y]\nb: *a\nc: {<<: {k: *a}, l: '" + "1" * 5000 + "'}\n"
    assert load_yaml(shared) == {"a": ["x", "y"], "b": ["x", "y"], "c": {"k": ["x", "y"], "l": "1" * 5000}}
    deep = LIMITS["depth"] - 1
    assert load_yaml("x: " + "[" * deep + "]" * deep)
    values = LIMITS["values"] - 4
    assert len(load_yaml("x: [" + "1," * values + "]")["x"]) == values


def test_deep_json_is_refused_as_deep_yaml_is(tmp_path: Path) -> None:
    file = tmp_path / "_cm.json"
    file.write_text(JSON["deep JSON"])
    with pytest.raises(MetaError) as caught:
        load_meta(file)
    assert "nested" in caught.value.why


def test_the_error_of_an_own_hostile_meta_has_a_cure(micro: Any) -> None:
    lay(micro.root / "script" / "bad", "billion laughs")
    with pytest.raises(MetaError, match="cannot use") as caught:
        micro.run("bad", own=True)
    assert "cm rm repo" in caught.value.hint
    with pytest.raises(ScriptNotFoundError, match="bad"):
        micro.run("bad")


# --- circles and chains -----------------------------------------------------------------------------------------------------------------
def chain(micro: Any, length: int) -> None:
    for number in range(length):
        deps = [{"tags": f"n{number + 1}"}] if number + 1 < length else []
        micro.script(f"n{number}", deps=deps)


def prefetching(micro: Any, tags: str) -> Any:
    from cm4tiny.resolver.plan.resolve import new_request
    from cm4tiny.resolver.run.runner import run
    from cm4tiny.resolver.workers.pool import use_workers

    session = micro.session()
    use_workers(session, 2, "")
    return run(session, new_request({"tags": tags}))


@pytest.mark.parametrize("cache", [False, True])
def test_a_circle_below_the_first_script_is_named_where_scripts_run_ahead(cache: bool, micro: Any) -> None:
    micro.script("top", deps=[{"tags": "one"}])
    micro.script("one", deps=[{"tags": "two"}], cache=cache)
    micro.script("two", deps=[{"tags": "one"}])
    with pytest.raises(DependencyError, match="never end") as caught:
        prefetching(micro, "top")
    assert "one" in caught.value.why and caught.value.hint


def test_a_circle_that_changes_on_the_way_ends(micro: Any) -> None:
    micro.script("top", deps=[{"tags": "one"}])
    micro.script("one", env={"T_X": "<<<T_X>>>y"}, deps=[{"tags": "one", "env": {"T_Y": "<<<T_Y>>>z"}}])
    with pytest.raises(DependencyError, match="never end"):
        prefetching(micro, "top")


def test_two_dependencies_on_each_level_are_planned_once_and_end_before_they_run_for_hours(
    micro: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them runs, as under upstream's engine: 2^n scripts at the end of n levels."""
    monkeypatch.setattr(session, "RUNS_LIMIT", 40)
    levels = 24
    for level in range(levels):
        micro.script(f"n{level}", deps=[{"tags": f"n{level + 1}"}] * 2)
    micro.script(f"n{levels}")
    assert len(list(plan_of(micro.session(), new_request({"tags": "n0"})).walk())) == levels + 1
    micro.run(f"n{levels - 4}")
    assert micro.ran.count(f"n{levels}") == 16
    with pytest.raises(DependencyError, match="'n0' lead to more than 40 runs") as caught:
        micro.run("n0")
    assert f"'n{levels}' ran" in caught.value.why and "cache: true" in caught.value.hint
    assert micro.run(f"n{levels - 2}")


@pytest.mark.long
def test_a_chain_beyond_the_limit_is_refused_and_one_of_fifty_runs(micro: Any) -> None:
    chain(micro, 105)
    with pytest.raises(DependencyError, match="never end"):
        prefetching(micro, "n0")
    assert micro.ran == []
    prefetching(micro, "n55")
    assert len(micro.ran) == 50


def test_a_chain_is_planned_once_and_not_once_for_each_script_above(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = []
    grow = planner._Branch.grow
    monkeypatch.setattr(planner._Branch, "grow", lambda branch: planned.append(branch.script.alias) or grow(branch))
    chain(micro, 20)
    prefetching(micro, "n0")
    assert len(micro.ran) == 20
    assert 0 < len(planned) < 3 * 20


# --- versions ---------------------------------------------------------------------------------------------------------------------------
FINDS = "def preprocess(i):\n    return {'return': 0, 'version': '3.1'}\n"


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize(
    ("asked", "accepted"),
    [
        ({"version_max": "3.0"}, False), ({"version_max": "3.1"}, True), ({"version_min": "3.2"}, False), ({"version_min": "3.1"}, True),
        ({"version_min": "3", "version_max": "4"}, True), ({}, True),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_script_found_is_compared_with_what_was_asked_for(cache: bool, asked: dict[str, str], accepted: bool, micro: Any) -> None:
    micro.script("tool", FINDS, cache=cache)
    if accepted:
        assert micro.run("tool", **asked).version == "3.1"
        return
    with pytest.raises(DependencyError, match=r"found version 3\.1") as caught:
        micro.run("tool", **asked)
    assert next(iter(asked.values())) in caught.value.why and "version" in caught.value.hint
    assert micro.entries == []


@pytest.mark.parametrize(("asked", "why"), [("--version_min=2", "version_min is 2"), ("--version_max=0.5", "version_max is 0.5")])
def test_an_exact_version_outside_of_its_range_is_refused(asked: str, why: str, micro: Any) -> None:
    micro.script("tool")
    status, _, err = Cm(micro)("run", "script", "--tags=tool", "--version=1", asked)
    assert status == 1 and "version 1 of script 'tool' is outside" in err and why in err
    assert micro.ran == []
