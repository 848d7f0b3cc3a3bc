# SPDX-License-Identifier: Apache-2.0
"""Lock files: what they hold, that they are the same for equal runs, and that a run that differs is refused before anything happens."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate

from cm4tiny.errors import LockError, ScriptFailedError, UsageError
from cm4tiny.resolver.adapter.locking import flags_of_lock, prepare
from cm4tiny.resolver.language.options import CommandOptions, parse
from cm4tiny.resolver.plan.resolve import new_request, pick
from cm4tiny.resolver.run.runner import run
from cm4tiny.resolver.store import lockfile
from cm4tiny.resolver.store.git_source import git_source, public_url
from cm4tiny.resolver.store.lock_request import check_request
from cm4tiny.resolver.store.lockfile import SCHEMA, digest_of

MAKES = """
import os
def preprocess(i):
    with open(os.environ["TRACE"], "a") as file:
        file.write('["' + i["meta"]["alias"] + '", "preprocess", {}]\\n')
    open("out.bin", "w").write(os.environ.get("CONTENT", "content"))
    i["env"]["T_OUT"] = os.path.join(os.getcwd(), "out.bin")
    i["env"]["T_GCC_VERSION"] = os.environ.get("GCC", "12.2")
    i["env"]["CM_DETECTED_VERSION"] = os.environ.get("GCC", "12.2")
    return {"return": 0}
def postprocess(i):
    return {"return": 0, "sources": [{"url": "https://user:secret@example.org/gcc.tar", "sha256": os.environ.get("SHA", "ab" * 32)}]}
"""


def tree(micro: Any) -> None:
    micro.script(
        "tool", MAKES, cache=True, new_env_keys=["T_OUT", "T_GCC_VERSION"], default_env={"T_IN": "1"}, input_mapping={"in": "T_IN"}
    )
    micro.script("plain", variations={"x": {}})
    micro.script(
        "top", input_mapping={"in": "T_IN", "model": "T_MODEL", "jobs": "T_JOBS"}, new_env_keys=["T_OUT"],
        deps=[{"tags": "plain,_x"}, {"tags": "tool"}, {"tags": "plain", "enable_if_env": {"T_GCC_VERSION": ["13.0"]}}],
    )  # fmt: skip


def command(micro: Any, tags: str = "top", *, jobs: int = 1, jobs_flag: str = "", own: bool = False, **flags: Any) -> dict[str, Any]:
    """A run as the command line does it; returns the lock file's content if one was asked for."""
    if jobs_flag:
        flags["jobs"] = jobs_flag
    session = micro.session(jobs=jobs, own=own)
    flags = flags_of_lock({"tags": tags, **flags}, str(flags.get("locked") or ""), session)
    name = str(flags.pop("script_name", ""))
    request = new_request(flags)
    request.name = name
    session.planner.user_env.update({**request.env, **request.const})
    script, _ = pick(session.store, request)
    locking = prepare(session, parse(CommandOptions, flags), script, request)
    result = run(session, request)
    lines = locking.finish() if locking is not None else []
    target = Path(str(flags.get("lock") or "nowhere"))
    content = json.loads(target.read_text()) if target.is_file() else {}
    return {"result": result, "lines": lines, "lock": content}


def locked_difference(micro: Any, **flags: Any) -> str:
    micro.trace  # noqa: B018 - forget what ran before
    with pytest.raises(LockError) as caught:
        command(micro, locked="lock.json", **flags)
    assert caught.value.what == f"this is not the run of {micro.work}/lock.json"
    return caught.value.why


# --- what it holds ------------------------------------------------------------------------------------------------------------------
def test_a_lock_file_names_every_script_with_digests_versions_and_sources(micro: Any) -> None:
    tree(micro)
    lock = command(micro, lock="lock.json")["lock"]
    validate(lock, json.loads(SCHEMA.read_text()))
    assert [record["script"] for record in lock["scripts"]] == ["plain", "tool", "top"]
    tool = lock["scripts"][1]
    assert (tool["version"], tool["tools"]) == ("12.2", {"T_GCC_VERSION": "12.2"})
    assert tool["sources"] == [{"url": "https://example.org/gcc.tar", "sha256": "ab" * 32}]
    assert tool["files"] == {"T_OUT": hashlib.sha256(b"content").hexdigest()}
    assert lock["scripts"][0]["variations"] == ["x"]
    assert lock["engine"]["cm4tiny"]
    assert lock["host"]["python"]


USES = """
def preprocess(i):
    return {"return": 0, "digests": {"library": i["env"].get("T_DIGEST", "ab" * 32)}}
"""


def test_files_outside_the_cache_count_with_the_digests_that_hooks_return(micro: Any) -> None:
    micro.script("uses", USES)
    lock = command(micro, "uses", lock="lock.json")["lock"]
    assert lock["scripts"][-1]["files"] == {"library": "ab" * 32}
    assert lock["packages"]["unicorn"]
    micro.script("uses", USES, cache=True)
    assert command(micro, "uses", lock="lock.json")["lock"]["scripts"][-1]["files"] == {"library": "ab" * 32}
    with pytest.raises(ScriptFailedError, match="returned a digest that is none"):
        command(micro, "uses", env={"T_DIGEST": "none"})


def test_a_file_that_the_run_itself_makes_is_not_an_input_of_its_later_steps(micro: Any) -> None:
    """Its bytes may hold times, as many results do; what they come from stands in the record of the step that made them."""
    makes = """
    import os, time
    def preprocess(i):
        i["env"]["T_RESULT"] = os.path.join(os.getcwd(), "result.json")
        open("result.json", "w").write(str(time.time_ns()))
        return {"return": 0}
    """
    micro.script("measures", makes, new_env_keys=["T_RESULT"])
    micro.script("reports", input_mapping={"result": "T_RESULT"})
    micro.script("job", deps=[{"tags": "measures"}, {"tags": "reports"}])
    lock = command(micro, "job", lock="lock.json")["lock"]
    assert [record["inputs"] for record in lock["scripts"]] == [{}, {}, {}]
    command(micro, "", locked="lock.json")
    given = command(micro, "reports", lock="lock.json", result=str(micro.work / "result.json"))["lock"]
    assert given["scripts"][-1]["inputs"]["T_RESULT"].startswith("sha256:")


def test_other_packages_are_told_and_allowed(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(micro)
    command(micro, lock="lock.json")
    micro.events.clear()
    monkeypatch.setattr("cm4tiny.packages.versions", lambda: {"numpy": "0.0.1"})
    command(micro, locked="lock.json")
    assert any("numpy: expected" in str(event) for event in micro.events)


def test_equal_runs_have_equal_lock_files_cold_warm_and_with_jobs(micro: Any) -> None:
    tree(micro)
    micro.script("top2", deps=[{"tags": "top"}, {"tags": "tool", "env": {"T_IN": "2"}}, {"tags": "tool", "env": {"T_IN": "3"}}])
    locks = [command(micro, "top2", lock="lock.json", jobs=jobs)["lock"] for jobs in (1, 1, 3)]
    micro.home.rename(micro.base / "old-home")
    locks.append(command(micro, "top2", lock="lock.json", jobs=3)["lock"])
    for lock in locks:
        assert lock["digest"] == digest_of(lock)
        lock.pop("made")
    assert len(locks[0]["scripts"]) == 6
    assert all(lock == locks[0] for lock in locks)


def test_a_lock_file_holds_no_path_of_this_machine_and_no_secret(micro: Any) -> None:
    tree(micro)
    model = micro.base / "model.bin"
    model.write_text("weights")
    env = {"T_FOLDER": str(micro.work / "sub"), "T_CACHE": str(micro.home / "x"), "API_TOKEN": "hidden"}
    lock = command(micro, lock="lock.json", model=str(model), env=env)["lock"]
    deciding = json.dumps([lock["scripts"], lock["engine"], lock["repositories"]])
    assert str(micro.base) not in deciding
    assert "hidden" not in json.dumps(lock)
    top = lock["scripts"][-1]["inputs"]
    assert top["T_MODEL"] == f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
    assert (top["T_FOLDER"], top["T_CACHE"], top["API_TOKEN"]) == ("$PWD/sub", "$CM_HOME/x", "(secret)")


def test_jobs_and_output_folder_are_no_inputs(micro: Any) -> None:
    tree(micro)
    first = command(micro, lock="lock.json")["lock"]
    second = command(micro, lock=str(micro.work / "lock.json"), outdirname="out", jobs_flag="2")["lock"]
    assert first["digest"] == second["digest"]


def test_the_path_of_the_lock_file_reaches_the_scripts(micro: Any) -> None:
    micro.script(
        "a", "def preprocess(i):\n    i['env']['T_L'] = i['env']['CM_LOCK_FILE']\n    return {'return': 0}\n", new_env_keys=["T_L"]
    )
    assert command(micro, "a", lock="lock.json")["result"].new_env == {"T_L": str(micro.work / "lock.json")}


def test_the_lock_file_does_not_change_keys_of_the_cache(micro: Any) -> None:
    hook = "def preprocess(i):\n    i['env']['T_L'] = str('CM_LOCK_FILE' in i['env'])\n    return {'return': 0}\n"
    micro.script("a", hook, cache=True)
    command(micro, "a", lock="lock.json")
    assert command(micro, "a")["result"].cached


def test_a_git_checkout_in_the_result_is_a_source(micro: Any) -> None:
    hook = """
    import os, subprocess
    def preprocess(i):
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run([*git, "init", "-q", "src"], check=True)
        subprocess.run([*git, "-C", "src", "remote", "add", "origin", "https://me:pass@example.org/r.git"], check=True)
        subprocess.run([*git, "-C", "src", "commit", "-q", "--allow-empty", "-m", "x"], check=True)
        i["env"]["T_SRC"] = os.path.join(os.getcwd(), "src")
        return {"return": 0}
    """
    micro.script("a", hook, cache=True, new_env_keys=["T_SRC"])
    answer = command(micro, "a", lock="lock.json")
    source = Path(answer["result"].new_env["T_SRC"])
    head = subprocess.run(["git", "-C", str(source), "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert answer["lock"]["scripts"][0]["sources"] == [{"url": "https://example.org/r.git", "commit": head}]
    subprocess.run(["git", "-C", str(source), "pack-refs", "--all"], check=True)
    assert git_source(source) == {"url": "https://example.org/r.git", "commit": head}
    subprocess.run(["git", "-C", str(source), "worktree", "add", "-q", "--detach", str(micro.base / "tree")], check=True)
    assert git_source(micro.base / "tree") == {"url": "https://example.org/r.git", "commit": head}
    assert git_source(micro.base) is None


def test_a_download_in_upstreams_way_is_a_source(micro: Any) -> None:
    hook = """
    import os
    def preprocess(i):
        open("file", "w").write("bytes")
        i["env"]["CM_DOWNLOAD_URL"] = "https://example.org/file"
        i["env"]["CM_DOWNLOAD_DOWNLOADED_PATH"] = os.path.join(os.getcwd(), "file")
        return {"return": 0}
    """
    micro.script("a", hook, cache=True, new_env_keys=["CM_DOWNLOAD_DOWNLOADED_PATH"])
    (record,) = command(micro, "a", lock="lock.json")["lock"]["scripts"]
    assert record["sources"] == [{"url": "https://example.org/file", "sha256": hashlib.sha256(b"bytes").hexdigest()}]


def test_a_source_without_a_url_is_an_error_of_the_script(micro: Any) -> None:
    micro.script("a", "def preprocess(i):\n    return {'return': 0, 'sources': [{'sha256': 'x'}]}\n")
    with pytest.raises(ScriptFailedError, match="returned a source that is none"):
        command(micro, "a", lock="lock.json")


def test_a_url_goes_without_its_password() -> None:
    assert public_url("https://u:p@host/x@y") == "https://host/x@y"
    assert public_url("git@host:x.git") == "git@host:x.git"


# --- held to it ---------------------------------------------------------------------------------------------------------------------
def test_the_same_run_is_admitted_cold_and_warm_and_needs_no_tags(micro: Any) -> None:
    tree(micro)
    command(micro, lock="lock.json", **{"in": "5"})
    command(micro, locked="lock.json", **{"in": "5"})
    command(micro, "", locked="lock.json")
    micro.home.rename(micro.base / "old-home")
    result = command(micro, "", locked="lock.json", jobs=2)["result"]
    assert Path(result.new_env["T_OUT"]).read_text() == "content"


def test_a_changed_script_is_refused_before_anything_runs(micro: Any) -> None:
    tree(micro)
    lock = command(micro, lock="lock.json")["lock"]
    (micro.root / "script" / "tool" / "customize.py").write_text(MAKES + "# changed\n")
    why = locked_difference(micro)
    old = lock["scripts"][1]["content"]
    assert why.startswith(f"script 'tool' ({lock['scripts'][1]['uid']}), digest of its files: expected {old}, found ")
    assert micro.ran == []


def test_all_differences_are_listed(micro: Any) -> None:
    tree(micro)
    command(micro, lock="lock.json")
    (micro.root / "script" / "plain" / "_cm.json").unlink()
    (micro.root / "script" / "tool" / "more.txt").write_text("x")
    why = locked_difference(micro, **{"in": "7"})
    assert 'request, flags: expected null, found {"in": "7"}' in why
    assert "script 'tool'" in why
    assert "script 'plain'" in why
    assert "expected in repository 'micro', found nothing" in why
    assert len(why.splitlines()) == 3
    assert micro.ran == []


def test_another_variation_that_is_certain_is_refused_before_anything_runs(micro: Any) -> None:
    tree(micro)
    micro.script("other", variations={"a": {}, "b": {}})
    micro.script("top3", default_env={"T_KIND": "a"}, deps=[{"tags": "other", "update_tags_from_env_with_prefix": {"_": ["T_KIND"]}}])
    command(micro, "top3", lock="lock.json")
    why = locked_difference(micro, tags="top3", env={"T_KIND": "b"})
    assert "run: expected other _a, found other _b" in why
    assert micro.ran == []


def test_a_dependency_that_only_now_turns_out_to_be_needed_is_refused_before_it_runs(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(micro)
    command(micro, lock="lock.json")
    micro.home.rename(micro.base / "old-home")
    monkeypatch.setenv("GCC", "13.0")
    why = locked_difference(micro)
    assert "tool, version: expected 12.2, found 13.0" in why
    assert "tool, tools, T_GCC_VERSION: expected 12.2, found 13.0" in why
    assert micro.ran == ["plain", "tool"]


def test_a_script_that_the_lock_does_not_have_is_refused_before_it_runs(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = "import os\ndef preprocess(i):\n    i['env']['T_SWITCH'] = os.environ.get('SWITCH', 'off')\n    return {'return': 0}\n"
    micro.script("switch", hook, new_env_keys=["T_SWITCH"])
    micro.script("extra", MAKES)
    micro.script("top4", deps=[{"tags": "switch"}, {"tags": "extra", "enable_if_env": {"T_SWITCH": ["on"]}}])
    command(micro, "top4", lock="lock.json")
    monkeypatch.setenv("SWITCH", "on")
    assert locked_difference(micro, tags="top4") == "run: expected nothing, found extra"
    assert micro.ran == []


def test_another_source_is_refused(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(micro)
    command(micro, lock="lock.json")
    micro.home.rename(micro.base / "old-home")
    monkeypatch.setenv("SHA", "cd" * 32)
    why = locked_difference(micro)
    assert why.startswith("tool, sources: expected")
    assert "abab" in why
    assert "cdcd" in why


def test_a_cached_result_that_was_made_otherwise_is_refused(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(micro)
    monkeypatch.setenv("GCC", "11.0")
    command(micro, lock="lock.json")
    monkeypatch.delenv("GCC")
    micro.home.rename(micro.base / "old-home")
    command(micro)
    assert "tool, version: expected 11.0, found 12.2" in locked_difference(micro)


def test_another_result_of_the_same_run_is_a_warning(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(micro)
    command(micro, lock="lock.json")
    micro.home.rename(micro.base / "old-home")
    monkeypatch.setenv("CONTENT", "other")
    (line,) = command(micro, locked="lock.json")["lines"]
    assert line.startswith("warning: another result than in the lock file: tool, T_OUT: expected ")


def test_another_host_is_told_and_allowed(micro: Any) -> None:
    tree(micro)
    lock = command(micro, lock="lock.json")["lock"]
    lock["host"]["processor"] = "Z80"
    Path("lock.json").write_text(json.dumps(lock))
    command(micro, locked="lock.json")
    assert any("another host than in the lock file: processor: expected Z80" in getattr(event, "text", "") for event in micro.events)


def test_another_version_of_the_engine_is_refused(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(micro)
    command(micro, lock="lock.json")
    monkeypatch.setattr("cm4tiny.resolver.store.lockfile.__version__", "99")
    assert "version of cm4tiny: expected " in locked_difference(micro)


@pytest.mark.parametrize(
    ("text", "what", "why"),
    [
        (None, "cannot read the lock file", "No such file"),
        ("{", "is not a lock file", "it is not JSON"),
        ("{}", "is not a lock file", "required property"),
    ],
)
def test_something_else_than_a_lock_file_is_refused(micro: Any, text: str | None, what: str, why: str) -> None:
    tree(micro)
    if text is not None:
        Path("lock.json").write_text(text)
    with pytest.raises(LockError, match=what) as caught:
        command(micro, locked="lock.json")
    assert why in caught.value.why


def test_a_lock_file_that_was_changed_by_hand_is_refused(micro: Any) -> None:
    tree(micro)
    lock = command(micro, lock="lock.json")["lock"]
    lock["scripts"][0]["version"] = "7"
    Path("lock.json").write_text(json.dumps(lock))
    with pytest.raises(LockError, match="damaged or was changed"):
        command(micro, locked="lock.json")


def forged(micro: Any, *, own: bool = False, **request: Any) -> Path:
    """A lock file of a run of ``top`` with another request and a digest that fits."""
    lock = command(micro, lock="lock.json", own=own)["lock"]
    lock["request"].update(request)
    lock["digest"] = digest_of(lock)
    file = Path("lock.json").absolute()
    file.write_text(json.dumps(lock))
    return file


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"state": {"script_prefix": ["touch /tmp/x"]}}, "state, script_prefix: a lock file brings no state along"),
        ({"const_state": {"script_prefix": ["touch /tmp/x"]}}, "const_state, script_prefix"),
        ({"env": {"LD_PRELOAD": "/tmp/evil.so"}}, "env, LD_PRELOAD: no script of the run declares it"),
        ({"const": {"PATH": "/tmp/bin"}}, "const, PATH"),
        ({"env": {"+PATH": ["/tmp/bin"]}}, "env, +PATH"),
        ({"env": {"T_IN": "reboot"}}, "'reboot' is not a number, a version, yes or no"),
        ({"env": {"T_IN": ["5"]}}, "env, T_IN: it is not a plain value"),
        ({"flags": {"in": "/bin/true"}}, "--in: '/bin/true' is not a number"),
        ({"flags": {"in": "$(touch x)"}}, "--in: '$(touch x)' is not"),
        ({"flags": {"path": "/tmp"}}, "--path: no script of the run declares it"),
        ({"flags": {"save_env": True}}, "--save_env: no script"),
        ({"flags": {"adr": {"first": {"env": {"T_IN": "1"}}}}}, "--adr.first.env: only tags and versions"),
        ({"flags": {"adr": {"first": {"tags": "_x;reboot"}}}}, "--adr.first.tags"),
        ({"flags": {"adr": "x"}}, "--adr: it is not a group of keys"),
        ({"tags": "top,$(reboot)"}, "tags: they hold more than letters"),
        ({"name": "../../top"}, "tags: they hold more than letters"),
    ],
)
def test_a_lock_file_alone_brings_nothing_along(micro: Any, request_: dict[str, Any], words: str) -> None:
    tree(micro)
    file = forged(micro, **request_)
    micro.trace  # noqa: B018 - forget what ran before
    with pytest.raises(LockError, match="asks for more than a lock file alone may") as caught:
        command(micro, "", locked=str(file))
    assert words in caught.value.why
    assert "--locked=FILE" in caught.value.hint
    assert micro.trace == []


def test_the_same_values_are_the_users_when_the_user_types_them(micro: Any) -> None:
    tree(micro)
    state = {"t_list": ["a"]}
    command(micro, lock="lock.json", state=state, **{"in": "some words"})
    with pytest.raises(LockError, match="asks for more"):
        command(micro, "", locked="lock.json")
    command(micro, locked="lock.json", state=state, **{"in": "some words"})


def test_steps_of_this_project_take_words_and_existing_files_from_a_lock_file(micro: Any) -> None:
    tree(micro)
    model = micro.work / "model.bin"
    model.write_text("weights")
    command(micro, lock="lock.json", own=True, model=str(model), **{"in": "low-ram"})
    command(micro, "", locked="lock.json", own=True)
    model.unlink()
    with pytest.raises(LockError, match="asks for more") as caught:
        command(micro, "", locked="lock.json", own=True)
    assert "neither a plain word nor an existing file" in caught.value.why


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 5000,
        '{"format": NaN}',
        "[1e999]",
        "\ufeff{}",
        "nul" + "\0",
        '{"scripts": {"a": 1}}',
        "null",
        "[]",
    ],
)
def test_hostile_json_is_not_a_lock_file(micro: Any, text: str) -> None:
    tree(micro)
    Path("lock.json").write_text(text)
    with pytest.raises(LockError, match="is not a lock file"):
        command(micro, locked="lock.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lock: lock.update(scripts="top"), "scripts"),
        (lambda lock: lock["scripts"][0].update(variations=5), "scripts/0/variations"),
        (lambda lock: lock["scripts"][0].update(uid="a\x1b[2J"), "control characters"),
        (lambda lock: lock["scripts"][0]["inputs"].update(T="\ud800"), "control characters"),
        (lambda lock: lock["request"].update(flags={"adr": nested(300)}), "nested too deeply"),
        (lambda lock: lock["request"].update(flags=[1]), "request/flags"),
        (lambda lock: lock["host"].update({"a\nb": 1}), "control characters"),
    ],
)
def test_wrong_types_and_texts_in_a_lock_file_are_named(micro: Any, change: Any, words: str) -> None:
    tree(micro)
    lock = command(micro, lock="lock.json")["lock"]
    change(lock)
    lock["digest"] = digest_of(lock)
    Path("lock.json").write_text(json.dumps(lock))
    with pytest.raises(LockError, match="is not a lock file") as caught:
        command(micro, locked="lock.json")
    assert words in caught.value.why


def nested(depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for _ in range(depth):
        tree = {"a": tree}
    return tree


def test_a_device_or_a_folder_is_not_a_lock_file(micro: Any) -> None:
    tree(micro)
    for place in ("/dev/zero", str(micro.work)):
        with pytest.raises(LockError, match="cannot read the lock file"):
            command(micro, locked=place)


def test_a_pretended_run_has_no_lock_file(micro: Any) -> None:
    tree(micro)
    with pytest.raises(UsageError, match="need a real run"):
        command(micro, lock="lock.json", fake_run=True)


def test_a_lock_file_that_cannot_be_written_is_an_error(micro: Any) -> None:
    tree(micro)
    Path("file").touch()
    with pytest.raises(UsageError, match="cannot write the lock file"):
        command(micro, lock="file/lock.json")


# --- RO-Crate -----------------------------------------------------------------------------------------------------------------------
def test_an_ro_crate_names_the_lock_file_the_scripts_and_the_sources(micro: Any) -> None:
    tree(micro)
    answer = command(micro, lock="lock.json", ro_crate=True)
    crate = json.loads(Path("ro-crate-metadata.json").read_text())
    graph = {entity["@id"]: entity for entity in crate["@graph"]}
    assert crate["@context"] == "https://w3id.org/ro/crate/1.1/context"
    assert graph["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    assert graph["./"]["hasPart"] == [{"@id": "lock.json"}]
    assert graph["lock.json"]["identifier"] == answer["lock"]["digest"]
    action = graph["#run"]
    assert len(action["instrument"]) == 3
    assert action["object"] == [{"@id": "https://example.org/gcc.tar"}]
    assert all(row["@id"] in graph for row in [*action["instrument"], *action["object"]])


def test_an_ro_crate_needs_a_lock_file(micro: Any) -> None:
    tree(micro)
    with pytest.raises(UsageError, match="--ro_crate"):
        command(micro, ro_crate=True)


def test_flags_of_the_engine_that_are_plain_words_come_with_a_lock_file(micro: Any) -> None:
    """They say which run it is; that another repository's script declares none of them is no reason to refuse."""
    tree(micro)
    flags = {"version": "1.0", "version_min": "0.9", "version_max": "2.0", "version_max_usable": "1.9", "extra_cache_tags": "abc"}
    flags |= {"skip_cache": "no", "no_cache": "yes", "force_cache": "yes"}
    check_request({"tags": "top", "flags": flags}, [], Path("lock.json"))
    with pytest.raises(LockError, match="asks for more") as caught:
        check_request({"tags": "top", "flags": {"script": "yes"}}, [], Path("lock.json"))
    assert "--script: no script of the run declares it" in caught.value.why


def test_a_script_that_occurs_twice_is_one_difference(micro: Any) -> None:
    micro.script("plain", variations={"x": {}, "y": {}})
    micro.script("top", deps=[{"tags": "plain,_x"}, {"tags": "plain,_y"}])
    lock = command(micro, lock="lock.json")["lock"]
    assert [record["script"] for record in lock["scripts"]].count("plain") == 2
    (micro.root / "script" / "plain" / "more.txt").write_text("x")
    assert len(locked_difference(micro).splitlines()) == 1


def test_the_depth_of_a_lock_files_values_is_limited() -> None:
    for deep in (nested, listed):
        lockfile._check_texts(deep(lockfile._MAX_DEPTH))
        with pytest.raises(ValueError, match="nested too deeply"):
            lockfile._check_texts(deep(lockfile._MAX_DEPTH + 1))


def listed(depth: int) -> list[Any]:
    return [listed(depth - 1)] if depth else []
