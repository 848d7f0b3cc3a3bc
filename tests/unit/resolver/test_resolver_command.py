# SPDX-License-Identifier: Apache-2.0
"""``cm run script`` as a user types it: through cmind, in a process of its own, with standard input closed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.micro_cm import Cm

from cm4tiny.paths import cm_repo


@pytest.fixture
def cm(micro: Any) -> Cm:
    return Cm(micro)


def wait_for(file: Path) -> None:
    end = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < end, f"{file} never came"
        time.sleep(0.02)


@pytest.mark.parametrize("automation", ["script", "tinyscript"])
def test_a_script_runs_and_tells_what_it_does(cm: Cm, micro: Any, automation: str) -> None:
    micro.script("leaf")
    micro.script("top", deps=[{"tags": "leaf"}])
    status, out, err = cm("run", automation, "--tags=top")
    assert (status, err) == (0, "")
    assert '* cm run script "top"\n  * cm run script "leaf"\n' in out
    assert micro.ran == ["leaf", "top"]


def test_words_and_aliases_name_a_script_as_well(cm: Cm, micro: Any) -> None:
    micro.script("get-compiler", variations={"x": {}})
    assert cm("run", "script", "get compiler")[0] == 0
    assert cm("run", "script", "get-compiler")[0] == 0
    assert cm("run", "script", "get-compiler", "_x,get")[0] == 0
    assert cm("run", "script", "get,compiler")[0] == 0
    assert micro.ran == ["get-compiler"] * 4


def test_an_alias_with_its_uid_is_no_pair_of_tags(cm: Cm, micro: Any) -> None:
    uid = json.loads((micro.script("get-compiler") / "_cm.json").read_text())["uid"]
    assert cm("run", "script", f"get-compiler,{uid}")[0] == 0
    status, _, err = cm("run", "script", f"get-compiler,{uid[::-1]}")
    assert status != 0 and "get-compiler" in err
    assert micro.ran == ["get-compiler"]


def test_an_error_is_printed_once_by_cmind_with_why_and_hint(cm: Cm, micro: Any) -> None:
    hook = "from cm4tiny.errors import UsageError\ndef preprocess(i):\n    raise UsageError('bad', why='since', hint='do this')\n"
    micro.script("a", hook)
    status, out, err = cm("run", "script", "--tags=a")
    assert status == 1
    assert err.strip() == "CM error: script 'a' failed in preprocess: bad\n  why: since\n  hint: do this\n!"
    assert "Traceback" not in out + err
    assert "Traceback" in cm("run", "script", "--tags=a", "-v")[2]


def test_a_mistyped_flag_is_refused_before_anything_runs(cm: Cm, micro: Any) -> None:
    micro.script("a", input_mapping={"board": "T_BOARD"}, variations={"v": {"input_mapping": {"extra": "T_EXTRA"}}})
    status, _, err = cm("run", "script", "--tags=a", "--bord=x")
    assert status == 1
    assert "--bord is unknown" in err
    assert "did you mean '--board'?" in err
    assert cm("run", "script", "--tags=a,_v", "--board=x", "--extra=1", "--env.ANYTHING=1")[0] == 0
    assert micro.ran == ["a"]


def test_a_change_for_a_name_that_does_not_occur_is_told(cm: Cm, micro: Any) -> None:
    micro.script("leaf")
    micro.script("top", deps=[{"tags": "leaf", "names": ["compiler"]}])
    status, out, _ = cm("run", "script", "--tags=top", "--adr.compilr.version=1")
    assert status == 0
    assert "--adr.compilr changed nothing" in out
    assert "'compiler'" in out


def test_json_goes_to_standard_output_alone(cm: Cm, micro: Any) -> None:
    hook = "def preprocess(i):\n    print('from the hook')\n    return {'return': 0}\n"
    micro.script("a", hook, "echo from run.sh\n", env={"T_A": "1"}, new_env_keys=["T_A"])
    cm("find", "script", "--tags=a")
    status, out, err = cm("run", "script", "--tags=a", "--j")
    assert status == 0
    assert json.loads(out)["new_env"] == {"T_A": "1"}
    assert [word in err for word in ("cm run script", "from the hook", "from run.sh")] == [True] * 3


def test_silent_prints_nothing(cm: Cm, micro: Any) -> None:
    micro.script("a")
    assert cm("find", "script", "--tags=a")[0] == 0
    assert cm("run", "script", "--tags=a", "-s") == (0, "", "")


def test_print_deps_lists_commands(cm: Cm, micro: Any) -> None:
    micro.script("leaf", variations={"x": {}})
    micro.script("top", deps=[{"tags": "leaf,_x"}])
    assert "cm run script --tags=leaf,_x\n" in cm("run", "script", "--tags=top", "--print_deps")[1]


def test_help_shows_flags_and_variations_and_runs_nothing(cm: Cm, micro: Any) -> None:
    micro.script("a", input_mapping={"board": "T_BOARD"}, variations={"v": {"group": "g", "default": True}})
    status, out, _ = cm("run", "script", "--tags=a", "--help")
    assert status == 0
    assert "--board" in out
    assert "_v  (group g, default)" in out
    assert micro.ran == []


def test_find_knows_variations_and_new_scripts(cm: Cm, micro: Any) -> None:
    micro.script("a-one", variations={"x": {}})
    cm("find", "script", "--tags=a")
    micro.script("a-two")
    assert cm("find", "script", "--tags=a")[1].splitlines()[-2:] == [str(micro.root / "script" / f"a-{name}") for name in ("one", "two")]
    assert cm("find", "script", "--tags=a,_x")[1].splitlines() == [str(micro.root / "script" / "a-one")]


def test_a_hook_that_asks_cmind_for_a_script_gets_this_engine(cm: Cm, micro: Any) -> None:
    hook = """
    def preprocess(i):
        access = i["automation"].cmind.access
        r = access({"action": "run", "automation": "script,5b4e0237da074764", "tags": "leaf", "env": i["env"], "quiet": True})
        if r["return"] > 0:
            return r
        assert i["env"]["T_LEAF"] == "1" and r["new_env"] == {"T_LEAF": "1"}
        return access({"action": "run", "automation": "script", "tags": "nowhere"})
    """
    micro.script("leaf", env={"T_LEAF": "1"}, new_env_keys=["T_LEAF"])
    micro.script("top", hook)
    status, _, err = cm("run", "tinyscript", "--tags=top")
    assert status == 16
    assert "no script has the tags 'nowhere', which script 'top' needs" in err
    assert micro.ran == ["leaf"]


def test_extra_flags_come_from_the_environment(cm: Cm, micro: Any) -> None:
    micro.script("a")
    assert cm("run", "script", "--tags=a", CM_SCRIPT_EXTRA_CMD="--env.T_EXTRA=1")[0] == 0
    assert micro.trace[0][2] == {"T_EXTRA": "1"}


def test_a_cache_entry_is_in_cminds_index(cm: Cm, micro: Any) -> None:
    micro.script("a", cache=True)
    cm("run", "script", "--tags=a")
    index = json.loads((micro.home / "index.json").read_text())
    (entry,) = micro.entries
    assert index["541d6f712a6b464e"][entry.name.rpartition("_")[2]]["path"] == str(entry)


def test_the_cache_can_be_shown_and_removed_by_tags(cm: Cm, micro: Any) -> None:
    micro.script("a", tags=["a", "cm4tiny"], cache=True, variations={"x": {}}, env={"T_A": "1"}, new_env_keys=["T_A"])
    cm("run", "script", "--tags=a")
    cm("run", "script", "--tags=a,_x")
    shown = cm("show", "cache", "--tags=a,_x", "--env")[1].splitlines()
    assert shown[1].startswith("* Tags: a,cm4tiny-engine,")
    assert shown[1].endswith(",_x")
    assert shown[3:] == ["  New env:", "    T_A: 1"]
    assert len(cm("find", "cache", "--tags=cm4tiny")[1].splitlines()) == 2
    assert cm("rm", "cache", "-f", "--tags=_x")[0] == 0
    (left,) = micro.entries
    assert "_x" not in json.loads((left / "_cm.json").read_text())["tags"]


def test_asking_for_input_fails_at_once_with_standard_input_closed(cm: Cm, micro: Any) -> None:
    micro.script("a", "def preprocess(i):\n    input('? ')\n    return {'return': 0}\n")
    status, _, err = cm("run", "script", "--tags=a")
    assert status == 1
    assert "EOFError" in err


def test_ctrl_c_ends_with_one_word_and_status_130_and_no_entry(cm: Cm, micro: Any) -> None:
    begun = micro.base / "begun"
    micro.script("a", f"import time\ndef preprocess(i):\n    open('{begun}', 'w').close()\n    time.sleep(30)\n", cache=True)
    process = cm.start("run", "script", "--tags=a")
    wait_for(begun)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.strip() == "interrupted"
    assert "Traceback" not in out
    assert micro.folders == []


def test_ctrl_c_ends_what_a_native_script_started(cm: Cm, micro: Any) -> None:
    begun = micro.base / "begun"
    micro.script("a", None, f'sleep 60 & echo $! > "{begun}.tmp"; mv "{begun}.tmp" "{begun}"; wait\n')
    process = cm.start("run", "script", "--tags=a")
    wait_for(begun)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    child = Path("/proc") / begun.read_text().strip() / "stat"
    assert not child.exists() or child.read_text().split(")")[1].split()[0] == "Z"


def test_a_killed_run_is_followed_by_a_clean_one(cm: Cm, micro: Any) -> None:
    begun = micro.base / "begun"
    hook = f"""
    import os, time
    def preprocess(i):
        open("files.txt", "a").write("x")
        if not os.path.exists("{begun}"):
            open("{begun}", "w").close()
            time.sleep(30)
        i["env"]["T_SIZE"] = os.path.getsize("files.txt")
        return {{"return": 0}}
    """
    micro.script("a", hook, cache=True, new_env_keys=["T_SIZE"])
    process = cm.start("run", "script", "--tags=a")
    wait_for(begun)
    process.kill()
    process.communicate(timeout=20)
    assert len(micro.folders) == 1
    assert micro.entries == []
    status, out, _ = cm("run", "script", "--tags=a", "--j")
    assert (status, json.loads(out)["new_env"]) == (0, {"T_SIZE": 1})


def test_a_defect_of_the_engine_is_an_error_with_a_log(cm: Cm, micro: Any) -> None:
    micro.script("a", "def preprocess(i):\n    import cm4tiny.resolver.run.runner as r\n    r.exported = None\n    return {'return': 0}\n")
    status, _, err = cm("run", "script", "--tags=a")
    assert status == 1
    assert "the engine itself failed" in err
    assert "Traceback" not in err
    assert list((micro.home / "cm4tiny" / "logs").iterdir())


def test_importing_the_engine_imports_nothing_heavy() -> None:
    heavy = (
        "numpy", "tvm", "rich", "jsonschema", "filelock", "requests", "asyncio", "subprocess", "shutil", "zipfile", "difflib", "platform",
        "tempfile", "uuid", "logging", "yaml",
    )  # fmt: skip
    code = f"import sys, cm4tiny.resolver.adapter.command; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_automations_have_uids_of_their_own() -> None:
    metas = [json.loads((cm_repo() / "automation" / name / "_cm.json").read_text()) for name in ("script", "tinyscript")]
    uids = {meta["uid"] for meta in metas}
    assert len(uids) == 2
    assert not uids & {"5b4e0237da074764", "541d6f712a6b464e"}
