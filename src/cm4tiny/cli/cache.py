# SPDX-License-Identifier: Apache-2.0
"""``cm4tiny cache``: what is kept between runs, and what stays after the package is uninstalled."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cm4tiny.cli.commands import Command, simple
from cm4tiny.cli.group import VERBS
from cm4tiny.cli.output import VerbResult
from cm4tiny.cli.parameters import OTHER, InputType, WordType, option
from cm4tiny.cli.tables import age, size, table
from cm4tiny.errors import CacheError, UsageError
from cm4tiny.resolver.language.inputs import Input

_DAY_S = 86400.0
_DAYS = Input("older-than", "", "count", "days", minimum=0, maximum=36500)
ACTIONS = ("list", "prune")


@dataclass(frozen=True)
class Kept:
    """A result of a step of this package in the cache.

    Args:
        folder: where it lies.
        step: title of the step.
        what: variations and version, as far as the entry names them.
        made_s: when it was made, in seconds of the epoch.
        bytes: of its files.
    """

    folder: Path
    step: str
    what: str
    made_s: float
    bytes: int


def command(name: str) -> Command:
    """The command."""
    params: list[click.Parameter] = [
        click.Argument(["action"], type=WordType("action", ACTIONS), default="list", required=False, metavar="[list|prune]"),
        option("older_than", OTHER, help="prune: only what is older than so many days", type=InputType(_DAYS), metavar="DAYS"),
        option("all", OTHER, help="prune: everything, tools and the virtual board's builds included", is_flag=True),
        option("dry_run", OTHER, help="prune: say what would go, and remove nothing", is_flag=True),
        option("yes", OTHER, help="prune: do not ask", is_flag=True, short="-y"),
    ]
    return simple(
        name,
        VERBS[name][1],
        cache,
        params,
        argument=("[list|prune]", "list (the default) removes nothing"),
        examples=("cm4tiny cache", "cm4tiny cache prune --older-than 30", "cm4tiny cache prune --all --yes"),
    )


def cache(action: str, older_than: str | None, all: bool, dry_run: bool, yes: bool) -> VerbResult:
    """Lists or prunes.

    Raises:
        UsageError: what to prune is not said, or nobody can be asked. CacheError: something cannot be removed.
    """
    if action == "list":
        if older_than or all or dry_run or yes:
            raise UsageError("these options belong to the action prune", hint="to remove something:\ncm4tiny cache prune --older-than 30")
        return _list()
    if all == (older_than is not None):
        raise UsageError(
            "what to prune is not said" if not all else "--all and --older-than exclude each other",
            hint="give --older-than DAYS, or --all; --dry-run shows what would go",
        )
    return _prune(int(older_than or 0), everything=all, dry_run=dry_run, yes=yes)


# --- what is there ---------------------------------------------------------------------------------------------------------------------
def kept_results() -> list[Kept]:
    """The results of this package's steps, newest first. Results of other repositories' scripts are not among them."""
    from cm4tiny.cli.engine import own_scripts
    from cm4tiny.resolver.adapter.cache_actions import entries
    from cm4tiny.resolver.catalogue.reference import title_of
    from cm4tiny.resolver.run.session import cm_home

    titles = {script.uid: (title_of(script), script.tags) for script in own_scripts().scripts}
    found = []
    for folder, meta in entries(cm_home() / "repos" / "local" / "cache"):
        title, known = titles.get(str(meta.get("associated_script_artifact_uid", "")), ("", frozenset()))
        if title:
            tags = [
                str(tag) for tag in meta.get("tags") or () if tag not in known and not str(tag).startswith(("script-artifact", "cm4tiny"))
            ]
            what = " ".join(tag.removeprefix("deps-") for tag in tags if len(tag) < 40)
            found.append(Kept(folder, title, what, (folder / "_cm.json").stat().st_mtime, folder_bytes(folder)))
    return sorted(found, key=lambda kept: -kept.made_s)


def left_places() -> dict[str, Path]:
    """Folders outside the package that its runs fill, by what they hold: what uninstalling leaves."""
    from cm4tiny.paths import user_cache
    from cm4tiny.resolver.run.session import cm_home

    home = cm_home()
    places = {
        "results of steps": home / "repos" / "local" / "cache",
        "logs, locks and indexes of the script engine": home / "cm4tiny",
        "tools, wheels and builds of the virtual board": user_cache(),
    }
    return {what: place for what, place in places.items() if place.is_dir()}


def folder_bytes(folder: Path) -> int:
    """Bytes of the files below a folder; links count nothing."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _list() -> VerbResult:
    now, kept = time.time(), kept_results()
    places = {what: (place, folder_bytes(place)) for what, place in left_places().items()}
    rows = [(one.step, one.what[:48], age(now - one.made_s), size(one.bytes)) for one in kept]
    parts = [table(("result of", "of", "age", "size"), rows) if rows else "No results are cached."]
    parts.append("\n" + "\n".join(_left_lines(places)))
    result = {
        "results": [
            {"path": str(one.folder), "step": one.step, "of": one.what, "age_s": round(now - one.made_s), "bytes": one.bytes}
            for one in kept
        ],
        "left_after_uninstall": [{"path": str(place), "what": what, "bytes": count} for what, (place, count) in places.items()],
    }
    return VerbResult(result, "\n".join(parts))


def _left_lines(places: dict[str, tuple[Path, int]]) -> Iterator[str]:
    if not places:
        yield "Nothing is kept outside the package."
        return
    yield f"{size(sum(count for _, count in places.values()))} in all. `pip uninstall cm4tiny` leaves these folders:"
    for what, (place, count) in places.items():
        yield f"  {place}  {size(count)}  {what}"
    yield "Remove old results: cm4tiny cache prune --older-than 30; all of it: cm4tiny cache prune --all"


# --- removing --------------------------------------------------------------------------------------------------------------------------
def _prune(days: int, *, everything: bool, dry_run: bool, yes: bool) -> VerbResult:
    now = time.time()
    kept = kept_results()
    results = [one for one in kept if everything or now - one.made_s > days * _DAY_S]
    tools = _tool_folders() if everything else []
    sizes = {one.folder: one.bytes for one in results} | {folder: folder_bytes(folder) for folder in tools}
    told: dict[str, Any] = {"removed": [str(path) for path in sizes], "bytes": sum(sizes.values()), "kept": len(kept) - len(results)}
    if not sizes:
        return VerbResult(told, "Nothing to remove.")
    what = f"{len(sizes)} {'folder' if len(sizes) == 1 else 'folders'}, {size(sum(sizes.values()))}"
    if dry_run:
        return VerbResult({**told, "dry_run": True}, "\n".join([*map(str, sizes), f"{what} would be removed; nothing was."]))
    if not yes:
        _ask(what, days, everything=everything)
    _remove(sizes)
    return VerbResult(told, f"Removed {what}. What is missing is built or fetched again by the next run.")


def _tool_folders() -> list[Path]:
    from cm4tiny.paths import user_cache

    root = user_cache()
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink()) if root.is_dir() else []


def _ask(what: str, days: int, *, everything: bool) -> None:
    typed = shlex.join(["cm4tiny", "cache", "prune", *(["--all"] if everything else ["--older-than", str(days)]), "--yes"])
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"{what} would be removed", why="nobody can be asked: standard input is not a terminal", hint=f"say it:\n{typed}")
    if not click.confirm(f"Remove {what}?", err=True):
        raise click.Abort


def _remove(folders: Iterable[Path]) -> None:
    from cm4tiny.resolver.store.cache import discard

    for folder in folders:
        try:
            discard(folder)
        except OSError as error:
            raise CacheError(f"cannot remove {folder}", why=error.strerror or str(error), hint="check its permissions") from error
