# SPDX-License-Identifier: Apache-2.0
"""How scripts are carried out, as a user sees it through ``cm``: jobs, signals, lock files, checks of the cache, hostile values."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from support.micro_cm import Cm

from cm4tiny.errors import Cm4TinyError

MAKES = """
import os
def preprocess(i):
    name = i["meta"]["alias"]
    with open(os.environ["TRACE"], "a") as file:
        file.write('["%s", "preprocess", {"pid": %d}]\\n' % (name, os.getpid()))
    found = i["automation"].cmind.access({"action": "find", "automation": "script", "tags": name})
    assert found["return"] == 0 and len(found["list"]) == 1, found
    inner = i["automation"].cmind.access({"action": "run", "automation": "script", "tags": "inner", "env": {"T_GIVEN": name}})
    assert inner["return"] == 0, inner
    i["env"]["T_" + name.upper()] = inner["new_env"]["T_GIVEN"]
    open("made", "w").write(name)
    i["env"]["T_FILE_" + name.upper()] = os.path.join(os.getcwd(), "made")
    return {"return": 0}
"""


@pytest.fixture
def cm(micro: Any) -> Cm:
    return Cm(micro)


def three(micro: Any) -> None:
    micro.script("inner", None, new_env_keys=["T_GIVEN"])
    for name in ("p", "q", "r"):
        micro.script(name, MAKES, cache=True, new_env_keys=[f"T_{name.upper()}", f"T_FILE_{name.upper()}"])
    micro.script("top", deps=[{"tags": name} for name in "pqr"], new_env_keys=["T_?"], input_mapping={"jobs": "T_JOBS"})


def test_a_worker_offers_scripts_the_same_automation(cm: Cm, micro: Any) -> None:
    three(micro)
    status, out, err = cm("run", "script", "--tags=top", "--jobs=2", "-j")
    assert status == 0, out + err
    assert json.loads(out[out.index("{") :])["new_env"] == {"T_P": "p", "T_Q": "q", "T_R": "r"}
    assert len({row[2]["pid"] for row in micro.trace if "pid" in row[2]}) > 1
    assert out.count("* cm run") == 0
    assert err.count("* cm run") == 7


def test_the_number_of_jobs_limits_the_engine_and_reaches_a_script_that_maps_it(cm: Cm, micro: Any) -> None:
    three(micro)
    micro.script("user", "def preprocess(i):\n    i['env']['T_J'] = i['env'].get('T_JOBS', 'none')\n    return {'return': 0}\n",
                 deps=[{"tags": "top"}], new_env_keys=["T_J"], input_mapping={"jobs": "T_JOBS"})  # fmt: skip
    status, out, err = cm("run", "script", "--tags=user", "--jobs=1", "-j")
    assert (status, json.loads(out[out.index("{") :])["new_env"]) == (0, {"T_J": "1"}), err
    assert len({row[2]["pid"] for row in micro.trace if "pid" in row[2]}) == 1


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_something_else_than_a_number_of_jobs_is_refused(cm: Cm, micro: Any, value: str) -> None:
    micro.script("a")
    status, _, err = cm("run", "script", "--tags=a", f"--jobs={value}")
    assert status == 1
    assert f"--jobs={value} is not a number of jobs" in err
    assert micro.ran == []


def test_sigterm_ends_what_was_started_and_leaves_nothing_half_made(cm: Cm, micro: Any) -> None:
    pid_file = micro.base / "pid"
    micro.script("a", None, f'echo $$ > "{pid_file}"; sleep 600\n', cache=True)
    process = cm.start("run", "script", "--tags=a")
    end = time.monotonic() + 30
    while not (pid_file.exists() and pid_file.read_text().strip()) and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "ended by SIGTERM" in err
    assert "Traceback" not in err
    with pytest.raises(ProcessLookupError):
        for _ in range(200):
            os.kill(int(pid_file.read_text()), 0)
            time.sleep(0.05)
    assert micro.folders == []
    (micro.root / "script" / "a" / "run.sh").write_text("true\n")
    assert cm("run", "script", "--tags=a")[0] == 0


def test_a_failing_native_script_says_the_same_on_the_screen_and_in_the_answer(cm: Cm, micro: Any) -> None:
    folder = micro.script("a", None, "echo some output; echo the reason >&2; exit 5\n")
    status, out, err = cm("run", "script", "--tags=a")
    assert status == 1
    assert "some output\nthe reason\n" in out
    for part in ("run.sh ended with exit status 5", f"command: . {folder}/run.sh", "| some output\n  | the reason\n", "see its output in"):
        assert part in err
    answer = json.loads(cm("run", "script", "--tags=a", "-j")[1].partition("CM error")[0])
    assert answer["return"] > 0
    assert "exit status 5" in answer["error"]


def test_lock_files_work_from_the_command_line(cm: Cm, micro: Any) -> None:
    three(micro)
    status, out, err = cm("run", "script", "--tags=top", "--lock=run.json", "--ro_crate")
    assert status == 0, err
    assert f"lock file: {micro.work}/run.json (5 scripts" in out
    assert Path("ro-crate-metadata.json").is_file()
    assert cm("run", "script", "--locked=run.json")[0] == 0
    (micro.root / "script" / "q" / "new.txt").touch()
    status, _, err = cm("run", "script", "--locked=run.json")
    assert status == 1
    assert "this is not the run of" in err
    assert "script 'q'" in err


def test_a_locked_run_can_be_looked_at_before_anything_runs(cm: Cm, micro: Any) -> None:
    three(micro)
    assert cm("run", "script", "--tags=top", "--lock=run.json")[0] == 0
    micro.trace  # noqa: B018 - forget what ran before
    status, out, err = cm("run", "script", "--locked=run.json", "--plan")
    assert status == 0, err
    assert "top" in out.splitlines()[0] and "deps: " in out
    (micro.root / "script" / "q" / "new.txt").touch()
    status, out, err = cm("run", "script", "--locked=run.json", "--plan")
    assert status == 1
    assert "deps: " in out and "this is not the run of" in err
    assert micro.trace == []


def test_the_cache_can_be_checked(cm: Cm, micro: Any) -> None:
    three(micro)
    assert cm("run", "script", "--tags=top")[0] == 0
    status, out, _ = cm("check", "cache")
    assert (status, out.count("good ")) == (0, 3)
    entry = next(entry for entry in micro.entries if entry.name.startswith("q_"))
    (entry / "made").write_text("z")
    status, out, err = cm("check", "cache", "--tags=q")
    assert status == 1
    assert f"damaged  {entry}" in out
    assert f"1 of 1 cache entries are damaged\n  why: {entry.name}: made has other content" in err
    os.utime(entry / "made", ns=(0, 0))
    micro.trace  # noqa: B018 - forget what ran before
    status, out, _ = cm("run", "script", "--tags=top", "--check_cache")
    assert status == 0
    assert "made has other content; it is rebuilt" in out
    assert micro.ran == ["q", "top"]


HOSTILE = [
    "$(touch {0})", "`touch {0}`", "; touch {0};", '"; touch {0}; "', "'; touch {0}; '", "\\$(touch {0})", "| touch {0}", "&& touch {0} #",
    "a\ntouch {0}\n", "${{x:-$(touch {0})}}", "\\`touch {0}\\`", '\\"$(touch {0})',
]  # fmt: skip

SETS_HOSTILE = """
import os
def preprocess(i):
    i["env"]["T_MADE"] = os.environ["HOSTILE"]
    i["env"]["+T_LIST"] = [os.environ["HOSTILE"]]
    i["state"]["script_name"] = os.environ["HOSTILE"]
    return {"return": 0}
"""


@pytest.mark.parametrize("pattern", HOSTILE)
def test_no_value_runs_a_command(micro: Any, pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = micro.base / "pwned"
    value = pattern.format(mark)
    monkeypatch.setenv("HOSTILE", value)
    micro.script("a", SETS_HOSTILE, 'test -n "$T_MADE" && echo "$T_GIVEN" > /dev/null\n', cache=True)
    for flags in (
        {"env": {"T_GIVEN": value}},
        {"extra_cache_tags": value, "name": value},
        {"env": {f"T_{value}": "x"}},
        {"version": value},
    ):
        with contextlib.suppress(Cm4TinyError):
            micro.run("a", **flags)
    assert micro.entries
    for tags in (f"a,{value}", f"a,_{value}"):
        with pytest.raises(Cm4TinyError):
            micro.run(tags)
    assert not mark.exists()


def test_no_value_of_the_command_line_runs_a_command(cm: Cm, micro: Any) -> None:
    mark = micro.base / "pwned"
    micro.script("a", SETS_HOSTILE, "true\n", cache=True)
    value = f'"$(touch {mark})`touch {mark}`; touch {mark} #'
    assert cm("run", "script", "--tags=a", f"--env.T_GIVEN={value}", HOSTILE=value)[0] == 0
    assert cm("run", "script", f"--tags=a,{value}")[0] == 16
    assert not mark.exists()


def test_a_repository_whose_path_holds_a_command_runs_none(micro: Any) -> None:
    micro.root = micro.root.rename(micro.base / 'it\'s $(touch pwned) `touch pwned` "x"')
    micro.script("a", None, "echo T_OUT=yes > tmp-run-env.out\n", new_env_keys=["T_OUT"])
    assert micro.run("a").new_env == {"T_OUT": "yes"}
    assert not (micro.work / "pwned").exists()
