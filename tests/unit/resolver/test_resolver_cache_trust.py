# SPDX-License-Identifier: Apache-2.0
"""The cache cannot lie: damage, moves, kills, full disks and read-only folders."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.errors import CacheError, ScriptFailedError
from cm4tiny.resolver import Repository, new_session
from cm4tiny.resolver.plan.resolve import new_request
from cm4tiny.resolver.run.progress import ScriptNote
from cm4tiny.resolver.run.runner import run
from cm4tiny.resolver.store import cache as cache_module
from cm4tiny.resolver.store.cache import META, Cache
from cm4tiny.resolver.store.stored_files import FileRecord, Inventory

WRITING = """
import os
def preprocess(i):
    os.makedirs("data/deep", exist_ok=True)
    for number in range(20):
        with open(f"data/deep/{number}.txt", "w") as file:
            file.write("content " * 50 + str(number))
    os.path.islink("link") or os.symlink("data", "link")
    i["env"]["T_FILE"] = os.path.join(os.getcwd(), "data/deep/3.txt")
    i["env"]["T_FOLDER"] = os.path.join(os.getcwd(), "data")
    with open(os.environ["TRACE"], "a") as file:
        file.write('["' + i["meta"]["alias"] + '", "preprocess", {}]\\n')
    return {"return": 0}
"""


def writing(micro: Any, alias: str = "w", **meta: Any) -> None:
    micro.script(alias, WRITING, **{"cache": True, "new_env_keys": ["T_FILE", "T_FOLDER"], **meta})


def warnings(micro: Any) -> list[str]:
    return [event.text for event in micro.events if isinstance(event, ScriptNote) and event.level == "warning"]


def flip(file: Path) -> None:
    """One flipped bit; size and time of modification stay."""
    status = file.stat()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def poison(file: Path) -> None:
    """Results that would make the next native script run a command."""
    state = json.loads(file.read_text())
    state["new_state"]["script_prefix"] = ["touch /tmp/poisoned"]
    file.write_text(json.dumps(state, indent=2))


def test_a_file_that_the_result_names_is_compared_with_what_was_stored(micro: Any) -> None:
    writing(micro)
    file = Path(micro.run("w").new_env["T_FILE"])
    good = file.read_text()
    file.write_text(good[::-1])
    result = micro.run("w")
    assert not result.cached
    assert Path(result.new_env["T_FILE"]).read_text() == good
    assert any("data/deep/3.txt has other content; it is rebuilt" in text for text in warnings(micro))


def test_a_new_time_alone_is_no_damage(micro: Any) -> None:
    writing(micro)
    os.utime(micro.run("w").new_env["T_FILE"])
    assert micro.run("w").cached


def test_other_files_of_an_entry_may_change_if_the_script_is_not_ours(micro: Any) -> None:
    """Upstream's scripts install into the entries of other scripts, e.g. into a virtual environment."""
    writing(micro)
    entry = micro.run("w").path
    (entry / "data" / "deep" / "4.txt").write_text("changed")
    (entry / "more.txt").write_text("new")
    assert micro.run("w").cached


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda entry: (entry / "data/deep/7.txt").write_text("x"), "7.txt has 1 bytes instead of"),
        (lambda entry: (entry / "data/deep/7.txt").unlink(), "7.txt is gone"),
        (lambda entry: ((entry / "link").unlink(), (entry / "link").symlink_to("/")), "link does not lead to data any more"),
        (lambda entry: (entry / "cm4tiny-files.json").write_text("{"), "cm4tiny-files.json has other content"),
        (lambda entry: (entry / "cm4tiny-files.json").unlink(), "digests in its _cm.json cannot be compared"),
        (lambda entry: (entry / "more.txt").write_text("new"), "more.txt was added"),
        (lambda entry: ((entry / "data/deep/7.txt").unlink(), (entry / "data/deep/7.txt").mkdir()), "7.txt is not a file any more"),
        (lambda entry: (entry / "cm-cached-state.json").write_text("["), "its results cannot be read"),
        (lambda entry: (entry / "cm-cached-state.json").write_text("[" * 100_000), "its results cannot be read"),
        (lambda entry: poison(entry / "cm-cached-state.json"), "cm-cached-state.json has other content"),
        (lambda entry: flip(entry / "cm-cached-state.json"), ""),
        (lambda entry: flip(entry / "cm4tiny-files.json"), ""),
        (lambda entry: flip(entry / "data/deep/7.txt"), "7.txt has other content"),
        (lambda entry: (entry / "_cm.json").write_text("[" * 100_000), "digests in its _cm.json cannot be compared"),
    ],
)
def test_every_file_of_our_own_scripts_is_compared(micro: Any, damage: Any, words: str) -> None:
    writing(micro)
    damage(micro.run("w", own=True).path)
    assert not micro.run("w", own=True).cached
    assert any(words in text for text in warnings(micro))
    assert micro.run("w", own=True).cached


def test_a_file_in_the_entry_of_a_dependency_that_the_result_names_is_compared(micro: Any) -> None:
    writing(micro)
    micro.script("top", None, cache=True, deps=[{"tags": "w"}], new_env_keys=["T_FILE"])
    file = Path(micro.run("top").new_env["T_FILE"])
    assert micro.run("top").cached
    file.write_text(file.read_text()[::-1])
    assert not micro.run("top").cached
    assert micro.run("top").cached


@pytest.mark.parametrize("target", ["moved", "nowhere"])
def test_an_entry_that_became_a_link_is_made_again_and_the_links_target_stays(micro: Any, target: str) -> None:
    writing(micro)
    entry = micro.run("w").path
    entry.rename(entry.parents[3] / "moved")
    entry.symlink_to(entry.parents[3] / target)
    result = micro.run("w")
    assert not result.cached and not entry.is_symlink()
    assert (entry.parents[3] / "moved" / "_cm.json").is_file()
    assert micro.run("w").cached


@pytest.mark.parametrize("own", [True, False])
def test_a_flipped_bit_that_kept_size_and_time_is_found_on_a_hit(micro: Any, own: bool) -> None:
    writing(micro)
    result = micro.run("w", own=own)
    flip(Path(result.new_env["T_FILE"]))
    assert micro.session().cache.check(result.path) == "data/deep/3.txt has other content"
    assert not micro.run("w", own=own).cached
    assert micro.run("w", own=own).cached


def test_check_finds_one_in_a_file_that_the_result_of_another_repository_does_not_name(micro: Any) -> None:
    writing(micro)
    entry = micro.run("w").path
    flip(entry / "data" / "deep" / "9.txt")
    assert micro.run("w").cached
    assert micro.session().cache.check(entry) == "data/deep/9.txt has other content"
    session = micro.session()
    session.cache.thorough = True
    assert not run(session, new_request({"tags": "w"})).cached


def test_files_beyond_the_budget_are_known_by_size_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cm4tiny.resolver.store.stored_files.HASH_BUDGET_BYTES", 10)
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"123456")
    inventory = Inventory.take(tmp_path, tmp_path.parent)
    assert [bool(record.sha256) for record in inventory.files.values()] == [True, False]
    assert inventory.problem(tmp_path) == ""
    os.utime(tmp_path / "b", ns=(0, 0))
    assert inventory.problem(tmp_path) == "b was changed"


def test_an_inventory_comes_back_as_it_was_written(tmp_path: Path) -> None:
    inventory = Inventory({"a": FileRecord(1, 2, "3"), "b/c": FileRecord(4, 5, target="a")}, True)
    inventory.write(tmp_path)
    assert Inventory.read(tmp_path) == inventory


# --- moving -----------------------------------------------------------------------------------------------------------------------
def test_a_cache_that_was_moved_is_used_where_it_is(micro: Any) -> None:
    writing(micro)
    micro.script("top", None, cache=True, deps=[{"tags": "w"}], new_env_keys=["T_FILE"])
    micro.run("top")
    assert len(micro.ran) == 1
    micro.home = micro.home.rename(micro.base / "elsewhere")
    result = micro.run("top")
    assert result.cached
    assert micro.ran == []
    assert result.new_env["T_FILE"].startswith(f"{micro.base}/elsewhere/")
    assert Path(result.new_env["T_FILE"]).is_file()
    state = (result.path / "cm-cached-state.json").read_text()
    assert str(micro.base / "home") not in state


def test_an_entry_whose_files_hold_the_old_path_is_made_again(micro: Any) -> None:
    writing(micro)
    hook = WRITING.replace("    i[", "    open('config', 'w').write('prefix=' + os.getcwd() + '/x')\n    i[", 1)
    micro.script("w", hook, cache=True, new_env_keys=["T_FILE"])
    micro.run("w")
    assert micro.run("w").cached
    micro.home = micro.home.rename(micro.base / "elsewhere")
    assert not micro.run("w").cached
    assert any("the cache was moved here" in text for text in warnings(micro))


def test_a_path_across_the_border_of_two_reads_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cm4tiny.resolver.store.stored_files._CHUNK_BYTES", 8)
    (tmp_path / "f").write_bytes(b"12345" + os.fsencode(str(tmp_path.parent)) + b"/rest")
    assert Inventory.take(tmp_path, tmp_path.parent).holds_paths


# --- no room, no permission -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("place", ["mkdir", "write"])
def test_a_cache_that_cannot_be_written_is_an_error_with_a_hint(
    micro: Any, monkeypatch: pytest.MonkeyPatch, number: int, place: str
) -> None:
    writing(micro)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number), "somewhere")

    with monkeypatch.context() as patch:
        if place == "mkdir":
            original = Path.mkdir
            patch.setattr(Path, "mkdir", lambda self, *a, **k: refuse() if "cache" in self.parts else original(self, *a, **k))
        else:
            patch.setattr(cache_module, "write_atomically", refuse)
        with pytest.raises(CacheError) as caught:
            micro.run("w")
    assert os.strerror(number) in caught.value.why or (number == errno.ENOSPC and "the disk is full" in caught.value.why)
    assert "CM_REPOS" in caught.value.hint
    assert micro.folders == []
    assert not micro.run("w").cached


def test_a_read_only_cache_still_gives_its_results(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    writing(micro)
    micro.run("w")

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    original = os.open

    def reading_only(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and str(path).startswith(str(micro.home)):
            refuse()
        return original(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", reading_only)
    monkeypatch.setattr(cache_module, "write_atomically", refuse)
    assert micro.run("w").cached


def test_a_real_full_disk(micro: Any) -> None:
    """A file system of 64 KiB; needs the right to mount one."""
    cache = micro.home / "repos" / "local" / "cache"
    cache.mkdir(parents=True)
    if shutil.which("mount") is None or os.system(f"mount -t tmpfs -o size=65536 none '{cache}' 2>/dev/null") != 0:
        pytest.skip("file systems cannot be mounted here")
    try:
        micro.script("big", "def preprocess(i):\n    open('big', 'wb').write(bytes(1 << 20))\n    return {'return': 0}\n", cache=True)
        with pytest.raises(ScriptFailedError, match="No space left"):
            micro.run("big")
        assert micro.folders == []
        fills = """
        def preprocess(i):
            try:
                open('big', 'wb', buffering=0).write(bytes(1 << 20))
            except OSError:
                pass
            return {'return': 0}
        """
        micro.script("fills", fills, cache=True)
        with pytest.raises(CacheError, match="cannot write the cache entry"):
            micro.run("fills")
        assert micro.folders == []
    finally:
        os.system(f"umount '{cache}'")


# --- kills ------------------------------------------------------------------------------------------------------------------------
def test_a_killed_new_run_gives_the_old_entry_back(micro: Any) -> None:
    writing(micro)
    entry = micro.run("w").path
    aside = entry.parent / ".aside" / entry.name
    aside.parent.mkdir(exist_ok=True)
    entry.rename(aside)
    entry.mkdir()
    (entry / "half").touch()
    result = micro.run("w")
    assert result.cached
    assert not (entry / "half").exists()
    assert micro.ran == ["w"]


def test_the_mark_of_an_entry_goes_first_when_it_is_removed(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    writing(micro)
    entry = micro.run("w").path
    monkeypatch.setattr(cache_module, "remove_tree", lambda folder: None)
    cache_module.discard(entry)
    assert not (entry / META).exists()


def kill_at_random(micro: Any, times: int, seed: int) -> tuple[int, int]:
    """Runs that are killed at a random point, two at once now and then; what is left behind is looked at after each.

    Returns:
        how many runs were killed before they ended, and how many folders that are not entries were seen behind them.
    """
    dice = random.Random(seed)
    writing(micro, "low")
    micro.script("mid", WRITING, "echo T_X=1 > tmp-run-env.out; sleep 0.005\n", cache=True, deps=[{"tags": "low"}], new_env_keys=["T_*"])
    writing(micro, "top", deps=[{"tags": "mid"}, {"tags": "low"}])
    begun = time.monotonic()
    good = micro.run("top").new_env
    whole = time.monotonic() - begun
    killed = halves = 0
    for _ in range(times):
        if dice.random() < 0.5:
            shutil.rmtree(micro.home / "repos", ignore_errors=True)
        children = [_fork_run(micro, new=dice.random() < 0.3) for _ in range(dice.choice((1, 1, 2)))]
        time.sleep(dice.uniform(0, whole * 0.9 * len(children)))
        os.kill(children[0], signal.SIGKILL)
        statuses = [os.waitpid(child, 0)[1] for child in children]
        killed += os.WIFSIGNALED(statuses[0])
        assert all(status == 0 for status in statuses[1:]), "a run next to a killed one failed"
        halves += _entries_are_whole(micro)
    assert micro.run("top").new_env == good
    _entries_are_whole(micro)
    return killed, halves


def _fork_run(micro: Any, *, new: bool) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        micro.run("top", **({"new": True} if new else {}))
        status = 0
    finally:
        os._exit(status)


def _entries_are_whole(micro: Any) -> int:
    """Checks what looks like an entry; returns how many folders do not."""
    cache = Cache(micro.home / "repos" / "local" / "cache", micro.home / "locks")
    for entry in micro.entries:
        assert json.loads((entry / META).read_text())["uid"] == entry.name.rpartition("_")[2]
        assert cache.check(entry) == ""
        assert set(json.loads((entry / "cm-cached-state.json").read_text())["new_env"]) >= {"T_FILE", "T_FOLDER"}
        for number in range(20):
            assert (entry / "data" / "deep" / f"{number}.txt").read_text().endswith(str(number))
    return len(micro.folders) - len(micro.entries)


def test_ten_runs_killed_at_a_random_point_leave_no_half_entry(micro: Any) -> None:
    kill_at_random(micro, 10, seed=1)


@pytest.mark.long
def test_two_hundred_runs_killed_at_a_random_point_leave_no_half_entry(micro: Any) -> None:
    killed, halves = kill_at_random(micro, 200, seed=2)
    sys.stderr.write(f"\n{killed} of 200 runs were killed before they ended; {halves} folders that are not entries were seen\n")
    assert killed > 60
    assert halves > 20


def test_many_runs_at_once_share_one_cache(micro: Any) -> None:
    writing(micro, "low")
    writing(micro, "top", deps=[{"tags": "low"}])
    children = [_fork_run(micro, new=False) for _ in range(6)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
    assert sorted(micro.ran) == ["low", "top"]


def test_a_run_waits_for_the_one_that_makes_the_entry_and_says_so(micro: Any) -> None:
    writing(micro)
    session = micro.session()
    entry = session.cache.entry(session.store.find("w")[0], _key_of(micro))
    release = threading.Event()
    held = threading.Event()

    def hold() -> None:
        with session.cache.lock(entry):
            held.set()
            release.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    threading.Timer(1.0, release.set).start()
    micro.run("w")
    holder.join()
    assert any("another run is making this cache entry" in event.text for event in micro.events if isinstance(event, ScriptNote))


def _key_of(micro: Any) -> str:
    from cm4tiny.resolver.plan.resolve import pick, resolve

    session = new_session(micro.home, [Repository(micro.root, "micro")])
    request = new_request({"tags": "w"})
    script, query = pick(session.store, request)
    return session.planner.key(resolve(script, query, request))
