# SPDX-License-Identifier: Apache-2.0
"""Dependencies: the four lists of a script, how metas and ``adr`` change them, and which tags one finally runs with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cm4tiny.errors import DependencyError, nearest
from cm4tiny.resolver.language.conditions import is_enabled
from cm4tiny.resolver.language.environment import Env, expand_value, merge
from cm4tiny.resolver.language.variations import Chosen
from cm4tiny.resolver.language.vocabulary import CONDITIONS, DEP_LISTS

Dep = dict[str, Any]
Lists = dict[str, list[Dep]]


def new_lists() -> Lists:
    """Four empty lists."""
    return {kind: [] for kind in DEP_LISTS}


def _split(tags: str) -> list[str]:
    return [tag.strip() for tag in tags.split(",") if tag.strip()]


def names_of(dep: Mapping[str, Any]) -> list[str]:
    """The names of a dependency; a text, as some metas have it, counts as a list of its words."""
    names = dep.get("names") or ()
    return names.replace(",", " ").split() if isinstance(names, str) else [str(name) for name in names]


def _entry(dep: Mapping[str, Any]) -> Dep:
    """A copy of an entry that may be changed, with its names as a list."""
    return {**dep, "names": names_of(dep)} if "names" in dep else dict(dep)


def take(lists: Lists, meta: Mapping[str, Any]) -> None:
    """Adds the dependencies of a script's top level, all of them: the same tags may occur twice."""
    for kind in DEP_LISTS:
        lists[kind] += [_entry(dep) for dep in meta.get(kind) or ()]


def append(lists: Lists, block: Mapping[str, Any]) -> None:
    """Adds the dependencies of a variation or version: one with the same names (or, without names, the same tags) replaces the older
    one."""
    for kind in DEP_LISTS:
        for dep in block.get(kind) or ():
            _append_one(lists[kind], _entry(dep))


def _append_one(deps: list[Dep], new: Dep) -> None:
    names = set(new.get("names") or ())
    tags = set(_split(str(new.get("tags", ""))))
    for index, dep in enumerate(deps):
        same = names == set(dep.get("names") or ()) if names else tags == set(_split(str(dep.get("tags", ""))))
        if same:
            deps[index] = new
            return
    deps.append(new)


def names_in(lists: Lists) -> set[str]:
    """All names of dependencies."""
    return {str(name) for deps in lists.values() for dep in deps for name in dep.get("names") or ()}


def change(lists: Lists, info: Mapping[str, Any], env: Env, *, strict: str = "") -> None:
    """Applies ``ad`` or ``adr`` entries to the dependencies with their names.

    Args:
        lists: changed in place.
        info: name -> keys to change.
        env: expands ``<<<KEY>>>`` in the entries and decides their conditions.
        strict: the script's name if an entry for an unknown name is an error.

    Raises:
        DependencyError: strict, and no dependency has the name.
    """
    for name, entry in info.items():
        if not isinstance(entry, Mapping):
            raise DependencyError(
                f"the change for the dependency '{name}' is not a mapping", why=f"it is {entry!r}", hint=f"write --adr.{name}.KEY=VALUE"
            )
        if not is_enabled(entry, env):
            continue
        found = False
        for deps in lists.values():
            for dep in deps:
                if name in (dep.get("names") or ()):
                    _change_one(dep, expand_value(entry, env))
                    found = True
        if strict and not found:
            known = sorted(names_in(lists))
            raise DependencyError(
                f"script '{strict}' has no dependency with the name '{name}'",
                why=f"names of its dependencies: {', '.join(known) or 'none'}",
                hint=nearest(name, known) or "use --adr to change dependencies of dependencies",
            )


def _change_one(dep: Dep, entry: Mapping[str, Any]) -> None:
    for key, value in entry.items():
        if key in CONDITIONS:
            continue
        if key == "tags":
            dep["tags"] = join_tags(str(dep.get("tags", "")), (tag for tag in _split(str(value)) if "<<<" not in tag))
        else:
            merge(dep, {key: value})


def join_tags(tags: str, more: Iterable[str]) -> str:
    """Tags with more tags appended, each once, in order."""
    return ",".join(dict.fromkeys([*_split(tags), *more]))


def merge_changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Joins two sets of ``adr`` entries: tags are united, everything else as :func:`merge` does it."""
    joined = {name: dict(entry) for name, entry in first.items()}
    for name, entry in second.items():
        old = joined.setdefault(name, {})
        old_tags = old.get("tags")
        merge(old, entry)
        if old_tags and entry.get("tags"):
            old["tags"] = join_tags(str(old_tags), _split(str(entry["tags"])))
    return joined


def changes_of(block: Mapping[str, Any], short: str, long: str) -> dict[str, Any]:
    """The ``adr``/``add_deps_recursive`` (or ``ad``/``add_deps``) entries of a meta, an input or a dependency."""
    return merge_changes(block.get(short) or {}, block.get(long) or {})


def tags_from_env_with_prefix(dep: Dep, env: Env) -> str:
    """The dependency's tags with those of ``update_tags_from_env_with_prefix``; its own env goes before the script's."""
    own = dep.get("env") or {}
    more = []
    for prefix, keys in (dep.get("update_tags_from_env_with_prefix") or {}).items():
        for key in keys if isinstance(keys, list) else [keys]:
            value = str(own.get(key, "")).strip() or str(env.get(key, "")).strip()
            if value:
                more.append(f"{prefix}{value}")
    return join_tags(str(dep.get("tags", "")), more)


def tags_from_env(dep: Dep, env: Env, tags: str) -> str:
    """``tags`` with those of ``update_tags_from_env``."""
    values = [str(env.get(key, "")).strip() for key in dep.get("update_tags_from_env") or ()]
    return join_tags(tags, (tag for value in values for tag in _split(value)))


def inherited_tags(dep: Dep, tags: str, chosen: Chosen) -> str:
    """``tags`` with the parent's variations, if the dependency inherits them.

    Variations of ``skip_inherit_variation_groups`` and those that the tags exclude are left out.
    """
    if not dep.get("inherit_variation_tags"):
        return tags
    skipped: list[str] = []
    for group in dep.get("skip_inherit_variation_groups") or ():
        if group in chosen.groups:
            skipped += chosen.groups[group].members
    prefixes = tuple(name[:-1] for name in skipped if name.endswith(".#"))
    excluded = {tag[2:] for tag in _split(tags) if tag.startswith(("-_", "_-"))}
    names = [name for name in chosen.names if name not in skipped and name not in excluded and not (prefixes and name.startswith(prefixes))]
    return join_tags(tags, [*(f"_{name}" for name in names), *(f"_-{name}" for name in chosen.excluded if name not in excluded)])
