# SPDX-License-Identifier: Apache-2.0
"""Source trees at a pinned commit: from a local clone where there is one, else from the repository itself.

A branch name is never used. The tree appears under its name only when it is complete, and is sealed (:mod:`cm4tiny.sealed`): a tree whose
files are not those that were checked out is fetched again. It has no ``.git``, because what counts is the commit's content, which
``source.json`` next to it names. Local clones: ``<mirror>/github/<owner>/<repo>.git``
(:class:`cm4tiny.fetch.mirror.Mirror`), or ``<folder>/<repo>`` in the folder that ``CM4TINY_UPSTREAM`` names.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.disk import naming_full_disk, refuse_full_disk
from cm4tiny.errors import AssetError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.fetch.archives import new_folder
from cm4tiny.fetch.mirror import MIRROR_VARIABLE, Mirror
from cm4tiny.locks import acquire
from cm4tiny.network import FORBIDDEN, is_offline
from cm4tiny.paths import user_cache
from cm4tiny.sealed import damage, seal

CLONES_VARIABLE = "CM4TINY_UPSTREAM"
TIMEOUT_S = 1800
RECORD = "source.json"
_NO_REMOTE = {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*", "-c", "protocol.ext.allow=never", "-c", "advice.detachedHead=false")

_NO_TRANSPORT = ("-c", "protocol.allow=never")
"""Without a network: a partial clone would otherwise fetch what it lacks."""


@dataclass(frozen=True)
class GitSource:
    """A repository at a commit.

    Attributes:
        name: ``owner/repo``.
        commit: 40 hex digits.
        urls: addresses to fetch from, best first.
        terms: licence, in a line.
        paths: files and folders to take; empty: all. Only their content is fetched.
    """

    name: str
    commit: str
    urls: tuple[str, ...]
    terms: str = ""
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{40}", self.commit):
            raise ValueError(f"{self.commit!r} is not a commit")

    @property
    def folder(self) -> str:
        """Name of the folder in the cache."""
        part = f"-{hashlib.sha256(' '.join(self.paths).encode()).hexdigest()[:8]}" if self.paths else ""
        return f"{self.name.replace('/', '+')}-{self.commit[:12]}{part}"


def checkout(
    source: GitSource,
    *,
    mirror: Mirror | None = None,
    root: Path | None = None,
    offline: bool | None = None,
    events: EventStream = SILENT,
    environ: Mapping[str, str] = os.environ,
) -> Path:
    """The source tree; made once per commit, kept in ``root`` (default: the user's cache).

    Args:
        offline: never use the network; None: what ``CM_TINY_OFFLINE`` says.

    Raises:
        AssetError: no clone and no address has the commit; the text names each and why.
        BusyError: another process has been at it for half an hour.
    """
    if shutil.which("git") is None:
        raise AssetError(f"{source.name} cannot be fetched", why="there is no git command", hint="install git")
    home = (root or user_cache() / "sources") / source.folder
    home.parent.mkdir(parents=True, exist_ok=True)
    with acquire(home.with_name(f"{home.name}.lock"), wait_s=TIMEOUT_S, subject=f"the sources of {source.name}"):
        problem = _problem(home, source)
        if problem:
            if home.exists():
                events.message(source.name, f"{home} is damaged ({problem}): it is fetched again", "warning")
            shutil.rmtree(home, ignore_errors=True)
            with (
                naming_full_disk(f"fetching {source.name}", home.parent),
                new_folder(home) as folder,
                events.step(f"source {source.name}") as outcome,
            ):
                origin = _fill(source, mirror, folder, is_offline(environ) if offline is None else offline, environ)
                record = {"repository": source.name, "commit": source.commit, "from": origin}
                (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
                seal(folder)
                outcome.note = f"commit {source.commit[:12]}"
    return home / "src"


def _problem(home: Path, source: GitSource) -> str:
    """Why a tree cannot be used; empty if it can."""
    try:
        record = json.loads((home / RECORD).read_text(encoding="utf-8"))
        commit = record["commit"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return f"its {RECORD} cannot be read: {error}"
    if commit != source.commit:
        return f"it is commit {commit}"
    return damage(home) if (home / "src").is_dir() else "its files are missing"


def local_clones(source: GitSource, mirror: Mirror | None, environ: Mapping[str, str]) -> list[Path]:
    """Clones on this machine that may hold the commit, in the order in which they are asked."""
    clones = [mirror.repository(source.name)] if mirror is not None else []
    folder = environ.get(CLONES_VARIABLE, "")
    if folder:
        name = source.name.rpartition("/")[2]
        clones += [path for path in (Path(folder) / name, Path(folder) / f"{name}.git") if path.is_dir()]
    return [clone for clone in clones if clone is not None]


def _fill(source: GitSource, mirror: Mirror | None, folder: Path, offline: bool, environ: Mapping[str, str]) -> str:
    """Fills ``folder/src`` and returns where it came from."""
    failures: list[str] = []
    for clone in local_clones(source, mirror, environ):
        why = _git("-C", str(clone), "cat-file", "-e", f"{source.commit}^{{commit}}")
        if why is None:
            why = _write_tree(clone, source, folder / "src")
            if why is None:
                return str(clone)
            failures.append(f"{clone}: {why}")
        else:
            failures.append(f"the clone {clone} does not have commit {source.commit}")
    if mirror is not None and mirror.repository(source.name) is None:
        failures.append(f"the mirror {mirror.root} has no github/{source.name}.git")
    if offline:
        failures.append(FORBIDDEN)
    for url in () if offline else source.urls:
        why = _from_remote(url, source, folder)
        if why is None:
            return url
        failures.append(f"{url}: {why}")
    raise AssetError(
        f"{source.name} at commit {source.commit[:12]} is not available",
        why="; ".join(failures) or "it has no address",
        hint="check the network, or update your clone:\ngit -C CLONE fetch\n"
        f"or give a mirror (--mirror=DIR, {MIRROR_VARIABLE}) with a clone:\n"
        f"git clone --mirror {source.urls[0]} DIR/github/{source.name}.git"
        if source.urls
        else "give a clone that has the commit",
    )


def _from_remote(url: str, source: GitSource, folder: Path) -> str | None:
    bare = folder / "fetched.git"
    # With paths the files' content comes later, only for those: by checkout, in one request.
    wanted = ("--filter=blob:none",) if source.paths else ()
    try:
        return (
            _git("init", "--quiet", "--bare", str(bare))
            or _git("-C", str(bare), "remote", "add", "origin", url)
            or _git("-C", str(bare), "fetch", "--quiet", "--no-tags", "--depth", "1", *wanted, "origin", source.commit, folder=folder)
            or _write_tree(bare, source, folder / "src")
        )
    finally:
        shutil.rmtree(bare, ignore_errors=True)


def _write_tree(clone: Path, source: GitSource, target: Path) -> str | None:
    """Writes the commit's files into ``target`` through an index of its own, so that the clone stays as it is."""
    git_dir = clone / ".git" if (clone / ".git").exists() else clone
    target.mkdir()
    index = target.parent / "index"
    if source.paths:
        command = ["checkout", "--quiet", source.commit, "--", *(f":(literal){path}" for path in source.paths)]
    else:
        command = ["read-tree", "--reset", "-u", source.commit]
    try:
        why = _git(
            f"--git-dir={git_dir}", f"--work-tree={target}", *command, environment={"GIT_INDEX_FILE": str(index)}, folder=target.parent
        )
    finally:
        index.unlink(missing_ok=True)
    if why is not None:
        shutil.rmtree(target, ignore_errors=True)
    return why


def _git(*arguments: str, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> str | None:
    """Runs git, which writes into ``folder``; None if it went well, else why not."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *_SAFE, *(_NO_TRANSPORT if is_offline() else ()), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
            env={**kept, **_NO_REMOTE, **(environment or {})},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    refuse_full_disk("writing a source tree", done.stderr, folder or Path.cwd())
    lines = (done.stderr.strip() or done.stdout.strip() or f"git ended with {done.returncode}").splitlines()
    return lines[-1][:300]
