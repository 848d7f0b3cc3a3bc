# SPDX-License-Identifier: Apache-2.0
"""Gets files that a table names by digest: from the cache, a local mirror, or the first of several addresses that has the right bytes.

A file appears under its name only when its digest was compared; a wrong one is kept aside next to it (``.bad-<digest>``) for inspection.
Two processes that want one file wait for each other.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import requests

from cm4tiny.disk import naming_full_disk
from cm4tiny.errors import AssetError, Cm4TinyError, HashMismatchError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.fetch.hashes import Digest
from cm4tiny.fetch.http import DownloadLimits, download
from cm4tiny.fetch.mirror import MIRROR_VARIABLE, Mirror
from cm4tiny.files import move_into_place, replacing
from cm4tiny.locks import acquire
from cm4tiny.network import FORBIDDEN, is_offline
from cm4tiny.paths import user_cache

LOCK_TIMEOUT_S = 3600
WORKERS = 8
_LARGE_BYTES = 1 << 20
"""From this size on a download is a step of its own with a progress bar."""


@dataclass(frozen=True)
class Item:
    """A file as its table names it.

    Attributes:
        name: file name.
        urls: addresses, best first.
        digest: what its bytes must have.
        bytes: its size.
        terms: one human-readable line: licence or terms of use.
    """

    name: str
    urls: tuple[str, ...]
    digest: Digest
    bytes: int
    terms: str = ""


@dataclass
class Fetcher:
    """Where files may come from, and where they are kept.

    Attributes:
        mirror: a local mirror, asked before the network.
        root: the cache; below it one folder per digest.
        offline: never use the network; the default is what ``CM_TINY_OFFLINE`` says.
        limits: for downloads.
    """

    mirror: Mirror | None = None
    root: Path = field(default_factory=lambda: user_cache() / "downloads")
    events: EventStream = SILENT
    offline: bool = field(default_factory=is_offline)
    limits: DownloadLimits = field(default_factory=DownloadLimits)
    _threads: threading.local = field(default_factory=threading.local, repr=False)

    def cached(self, item: Item) -> Path:
        """Where the cache keeps an item, whether it is there or not."""
        return self.root / f"{item.digest.algorithm}-{item.digest.value[:32]}" / item.name

    def local(self, item: Item) -> Path | None:
        """The item's file if the mirror or the cache has it with the right bytes; never uses the network."""
        mirrored = self._mirrored(item, [])
        if mirrored is not None:
            return mirrored
        path = self.cached(item)
        return path if path.is_file() and item.digest.of(path) == item.digest.value else None

    def get(self, item: Item) -> Path:
        """The item's file: the mirror's own where that has it, else the cache's, downloaded if need be.

        Raises:
            HashMismatchError: an address had other bytes, and no other one the right ones.
            AssetError: no address answered; the text names each and why.
            BusyError: another process has been at it for an hour.
        """
        failures: list[Cm4TinyError] = []
        mirrored = self._mirrored(item, failures)
        return mirrored if mirrored is not None else self._download(item, self.cached(item), failures)

    def into(self, item: Item, path: Path) -> Path:
        """As :meth:`get`, but a copy is made at ``path``; nothing is done if it is there already."""
        if path.is_file() and path.stat().st_size == item.bytes and item.digest.of(path) == item.digest.value:
            return path
        source = self.get(item)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            shutil.copyfile(source, temporary)
        return path

    def all_into(self, items: Iterable[Item], folder: Path, step: str) -> None:
        """Many small files into one folder, several at a time, with one progress bar; what arrived stays in the cache if one fails."""
        wanted = list(items)
        with self.events.step(step, len(wanted), "files"), ThreadPoolExecutor(WORKERS) as pool:
            jobs = [pool.submit(self.into, item, folder / item.name) for item in wanted]
            try:
                for number, job in enumerate(jobs, 1):
                    job.result()
                    self.events.progress(step, number, len(wanted))
            except BaseException:
                for job in jobs:
                    job.cancel()
                raise

    def _mirrored(self, item: Item, failures: list[Cm4TinyError]) -> Path | None:
        if self.mirror is None:
            return None
        row = self.mirror.find(item.urls, item.digest.value if item.digest.algorithm == "sha256" else "")
        if row is None:
            return None
        try:
            found = item.digest.of(row.path)
        except OSError as error:
            failures.append(AssetError(f"the mirror's {row.path} cannot be read", why=error.strerror or str(error)))
            return None
        if found == item.digest.value:
            return row.path
        failures.append(_mismatch(row.path, item, found, "replace the file in the mirror"))
        return None

    def _download(self, item: Item, path: Path, failures: list[Cm4TinyError]) -> Path:
        lock = path.with_name(f".{path.name}.lock")
        with naming_full_disk(f"fetching {item.name}", path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            with acquire(lock, wait_s=LOCK_TIMEOUT_S, subject=f"the download of {item.name}"):
                if path.is_file():
                    found = item.digest.of(path)
                    if found == item.digest.value:
                        return path
                    aside = _keep_aside(path, path, found)
                    self.events.message(
                        item.name, f"{path} was damaged (its {item.digest.algorithm} is {found}): kept as {aside}", "warning"
                    )
                if self.offline or not item.urls:
                    raise self._none(item, failures)
                return self._from_network(item, path, failures)

    def _from_network(self, item: Item, path: Path, failures: list[Cm4TinyError]) -> Path:
        self._check_space(item, path)
        part = path.with_name(f"{path.name}.part")
        for number, url in enumerate(item.urls, 1):
            try:
                self._one_address(item, url, part)
                found = item.digest.of(part)
                if found == item.digest.value:
                    move_into_place(part, path)
                    return path
                aside = _keep_aside(part, path, found)
                failures.append(_mismatch(aside, item, found, f"{url} sent it; report it to its owner, or give a mirror with --mirror=DIR"))
            except Cm4TinyError as error:
                failures.append(error)
            if number < len(item.urls):
                self.events.message(item.name, f"{failures[-1].what}: {failures[-1].why}; trying another address", "warning")
        raise self._none(item, failures)

    def _one_address(self, item: Item, url: str, part: Path) -> None:
        """Downloads; a part that an earlier run left and that does not fit gets one fresh start."""
        resumed = part.is_file() and part.stat().st_size > 0
        self._step(item, lambda report: download(self._session(), url, part, item.bytes, self.limits, report))
        if resumed and item.digest.of(part) != item.digest.value:
            part.unlink()
            self._step(item, lambda report: download(self._session(), url, part, item.bytes, self.limits, report))

    def _step(self, item: Item, work: Callable[[Callable[[int, int | None], None]], None]) -> None:
        if item.bytes < _LARGE_BYTES:
            work(lambda done, total: None)
            return
        step = f"download {item.name}"
        with self.events.step(step, item.bytes, "B"):
            work(lambda done, total: self.events.progress(step, done, total or item.bytes))

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = requests.Session()
            session.max_redirects = 10
            session.headers["User-Agent"] = "cm4tiny"
            self._threads.session = session
        return session

    def _check_space(self, item: Item, path: Path) -> None:
        free = shutil.disk_usage(path.parent).free
        if free < item.bytes:
            why = f"{item.bytes} bytes are needed, {free} are free in {path.parent}"
            raise AssetError(
                f"{item.name} does not fit on the disk", why=why, hint="free disk space, or point CM_TINY_CACHE to another folder"
            )

    def _none(self, item: Item, failures: list[Cm4TinyError]) -> AssetError:
        tried = "; ".join(f"{error.what}: {error.why}" if error.why else error.what for error in failures)
        mirror = f"the mirror {self.mirror.root} does not have it" if self.mirror is not None else ""
        offline = FORBIDDEN if self.offline else ""
        kind = HashMismatchError if any(isinstance(error, HashMismatchError) for error in failures) else AssetError
        hint = f"check the network, or give a mirror that has it (--mirror=DIR or {MIRROR_VARIABLE})"
        return kind(
            f"{item.name} is not available", why="; ".join(filter(None, (tried, mirror, offline))) or "it has no address", hint=hint
        )


def _mismatch(path: Path, item: Item, found: str, hint: str) -> HashMismatchError:
    why = f"its {item.digest.algorithm} is {found}, expected is {item.digest.value}"
    return HashMismatchError(f"{path} is not {item.name}", why=why, hint=hint)


def _keep_aside(bad: Path, path: Path, found: str) -> Path:
    aside = path.with_name(f"{path.name}.bad-{found[:16]}")
    move_into_place(bad, aside)
    return aside
