# SPDX-License-Identifier: Apache-2.0
"""``cm show cache``, ``cm find cache`` and ``cm rm cache``: the entries of the cache for cmind.

Upstream brings an automation for this; without upstream there would be none. The folder is listed itself: cmind's index may name
entries that are being rebuilt. Entries of upstream's engine are shown as well.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cm4tiny.errors import CacheError, Cm4TinyError, UsageError
from cm4tiny.resolver.adapter.cm_index import forget_entries
from cm4tiny.resolver.adapter.known_flags import refuse_unknown
from cm4tiny.resolver.language.query import ScriptQuery
from cm4tiny.resolver.store.cache import CACHE_AUTOMATION, ENGINE_TAG, LOCAL_REPO, META, PROJECT_TAG, STATE, remove_tree
from cm4tiny.settings import is_on


def entries(root: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Complete entries below ``repos/local/cache`` with their metas, ordered by folder."""
    if not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        if folder.name.startswith("."):
            continue
        try:
            meta = json.loads((folder / META).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(meta, dict) and meta.get("automation_uid") == CACHE_AUTOMATION[1]:
            yield folder, meta


def _wanted(i: Mapping[str, Any]) -> tuple[set[str], set[str], str]:
    """Tags an entry must have, tags it must not have, and its alias or uid."""
    artifact = str(i.get("artifact") or "")
    given = i.get("tags") or ""
    words = given if isinstance(given, str) else ",".join(str(tag) for tag in given)
    if " " in artifact or "," in artifact:
        words, artifact = ",".join(filter(None, (words, artifact.replace(" ", ",")))), ""
    query = ScriptQuery.parse(words)
    tags = {*query.tags, *(f"_{name}" for name in query.variations)}
    without = {*query.excluded_tags, *(f"_{name}" for name in query.excluded_variations)}
    swapped = {ENGINE_TAG if tag == PROJECT_TAG else tag for tag in tags}
    return swapped, {ENGINE_TAG if tag == PROJECT_TAG else tag for tag in without}, artifact


def search_cache(automation: Any, i: dict[str, Any]) -> dict[str, Any]:
    """The entries with these tags as cmind's artifacts: ``{'return': 0, 'list': [...]}``."""
    from cmind.artifact import Artifact

    try:
        refuse_unknown(i, "env", "f", "force")
        tags, without, name = _wanted(i)
    except Cm4TinyError as error:
        return error.as_cm()
    root = Path(automation.cmind.repos_path) / "repos" / "local" / "cache"
    found = []
    for folder, meta in entries(root):
        its_tags = {str(tag) for tag in meta.get("tags") or ()}
        if not tags <= its_tags or without & its_tags or name not in ("", meta.get("alias"), meta.get("uid")):
            continue
        artifact = Artifact(cmind=automation.cmind, path=str(folder))
        artifact.repo_path = str(root.parent)
        artifact.repo_meta = {"alias": LOCAL_REPO[0], "uid": LOCAL_REPO[1]}
        answer = artifact.load()
        if answer["return"] == 0:
            found.append(artifact)
            if i.get("out") == "con":
                sys.stdout.write(f"{folder}\n")
    return {"return": 0, "list": found}


def show_cache(automation: Any, i: dict[str, Any]) -> dict[str, Any]:
    """:func:`search_cache`, printed with tags and version; with ``--env`` also what each entry sets."""
    answer = search_cache(automation, {**i, "out": None})
    if answer["return"] > 0 or i.get("out") != "con":
        return answer
    for artifact in answer["list"]:
        tags = sorted(artifact.meta.get("tags") or (), key=lambda tag: (tag.startswith("_"), tag))
        lines = ["", f"* Tags: {','.join(tags)}", f"  Path: {artifact.path}"]
        if artifact.meta.get("version"):
            lines.append(f"  Version: {artifact.meta['version']}")
        if i.get("env"):
            lines += _env_lines(Path(artifact.path) / STATE)
        sys.stdout.write("\n".join(lines) + "\n")
    return answer


def remove_cache(automation: Any, i: dict[str, Any]) -> dict[str, Any]:
    """Removes the entries with these tags; ``{'return': 0, 'deleted_list': [...]}``.

    Asks for each one on a terminal unless ``-f``; without a terminal ``-f`` is needed. An entry stops being one before its files go.
    """
    try:
        refuse_unknown(i, "f", "force")
    except UsageError as error:
        return error.as_cm()
    answer = search_cache(automation, {**i, "out": None})
    if answer["return"] > 0:
        return answer
    if not answer["list"]:
        return {"return": 16, "error": "no cache entry fits"}
    force = is_on(i.get("f")) or is_on(i.get("force"))
    console = i.get("out") == "con"
    if not force and not (console and sys.stdin is not None and sys.stdin.isatty()):
        what = f"{len(answer['list'])} cache entries would be removed"
        return UsageError(what, why="nobody can be asked: there is no terminal", hint="say it with -f").as_cm()
    removed = []
    for artifact in answer["list"]:
        folder = Path(artifact.path)
        if console:
            sys.stdout.write(f"remove {folder}\n")
        if not force and input("  remove this entry? (y/N) ").strip().lower() != "y":
            continue
        try:
            (folder / META).unlink(missing_ok=True)
            remove_tree(folder)
        except OSError as error:
            return CacheError(f"cannot remove {folder}", why=str(error), hint="check its permissions").as_cm()
        removed.append(artifact)
    cmind = automation.cmind
    forget_entries(cmind, [(Path(artifact.path), artifact.meta) for artifact in removed], Path(cmind.repos_path) / "cm4tiny" / "locks")
    return {"return": 0, "deleted_list": removed}


def _env_lines(file: Path) -> list[str]:
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return ["  New env:", *(f"    {key}: {value}" for key, value in sorted((state.get("new_env") or {}).items()))]
