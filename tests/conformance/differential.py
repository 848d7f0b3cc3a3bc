# SPDX-License-Identifier: Apache-2.0
"""Plans of upstream's scripts by this engine in the form in which ``upstream_walk.py`` writes upstream's, and where two plans differ."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from cm4tiny.errors import Cm4TinyError
from cm4tiny.resolver.catalogue.repository import ScriptStore
from cm4tiny.resolver.catalogue.selection import candidates
from cm4tiny.resolver.language.conditions import is_enabled
from cm4tiny.resolver.language.environment import LOCAL_KEYS, exported
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.language.query import ScriptQuery
from cm4tiny.resolver.language.vocabulary import DEP_LISTS
from cm4tiny.resolver.plan.resolve import Request, Resolved, dep_request, new_request, pick, resolve
from cm4tiny.resolver.plan.tree import PlannedDep, PlanNode

Plan = dict[str, Any]

#: Keys of the environment that say where and when, not what.
NOT_COMPARED = ("CM_TMP_", "CM_QUIET")


def requests_of(store: ScriptStore, script: Script) -> Iterator[Plan]:
    """The default of a script, each of its variations alone (a dynamic one with the suffix 1), each of its versions.

    By its tags and, where these name several scripts, by its uid as well (not by a uid that two scripts share). ``id`` names a request in
    ``differences.yaml``.
    """
    tags = ",".join(script.tag_list)
    shared = len(candidates(store, ScriptQuery.parse(tags))) > 1 and len(store.find(script.uid)) == 1
    for named, by in [({"tags": tags}, "")] + [({"tags": "", "uid": script.uid}, " by uid")] * shared:
        yield {**named, "id": f"{script.alias}{by}"}
        for name in script.variations:
            variations = ",".join(f"_{part.replace('.#', '.1')}" for part in name.split(","))
            yield {**named, "tags": ",".join(filter(None, [named["tags"], variations])), "id": f"{script.alias}{by} {variations}"}
        for version in script.meta.get("versions") or {}:
            yield {**named, "version": str(version), "id": f"{script.alias}{by} version {version}"}


def our_plan(store: ScriptStore, request: Plan) -> Plan:
    """This engine's answer to a request."""
    flags = {key: value for key, value in request.items() if key not in ("uid", "id")}
    asked = new_request({**flags, "quiet": True})
    asked.name = str(request.get("uid", ""))
    try:
        return _plan_of(asked, *_resolved(store, asked))
    except Cm4TinyError as error:
        return {"deps": [], "env": {}, "error": f"{type(error).__name__}: {error}"}


def _resolved(store: ScriptStore, request: Request) -> tuple[Resolved, list[str]]:
    script, query = pick(store, request, quiet=True)
    script.check()
    return resolve(script, query, request), [*LOCAL_KEYS, *(script.meta.get("local_env_keys") or ())]


def _plan_of(request: Request, resolved: Resolved, hidden: list[str]) -> Plan:
    env = resolved.env
    plan: Plan = {
        "uid": resolved.script.uid, "alias": resolved.script.alias, "variations": list(resolved.chosen.names), "env": dict(env),
        "cache": resolved.cache, "new_env_keys": resolved.new_env_keys, "new_state_keys": resolved.new_state_keys,
        "script_name": resolved.script_name, "new_env": exported(env, resolved.new_env_keys), "deps": [],
    }  # fmt: skip
    for kind in DEP_LISTS:
        if kind == "post_deps":
            hidden = list(resolved.script.meta.get("clean_env_keys_post_deps") or ())
        for dep in resolved.lists[kind]:
            if dep.get("tags") and is_enabled(dep, env):
                child = dep_request(resolved, dep, env, {}, hidden, 1)
                plan["deps"].append(
                    {
                        "kind": kind, "tags": child.tags, "env": dict(child.local.get("env") or {}),
                        "hidden": sorted(key for key in env if key not in child.env), "flags": dict(child.inputs),
                    }
                )  # fmt: skip
    return plan


def differences(theirs: Plan, ours: Plan) -> dict[str, str]:
    """What differs, by aspect; empty if two plans are equal."""
    if "error" in theirs or "error" in ours:
        if ("error" in theirs) == ("error" in ours):
            return {}
        which = "upstream" if "error" in theirs else "ours"
        return {f"only {which} refuses": str(theirs.get("error") or ours.get("error"))}
    found: dict[str, str] = {}

    def compare(aspect: str, left: Any, right: Any) -> None:
        if left != right:
            found[aspect] = f"{left!r} / {right!r}"

    compare("script", theirs["uid"], ours["uid"])
    compare("variations", sorted(set(theirs["variations"])), sorted(ours["variations"]))
    if "variations" not in found:
        compare("order of variations", list(dict.fromkeys(theirs["variations"])), ours["variations"])
    left, right = (_comparable(plan["env"]) for plan in (theirs, ours))
    for key in sorted({*left, *right}):
        compare(f"env {key}", left.get(key), right.get(key))
    compare("cache", bool(theirs.get("cache")), ours.get("cache"))
    compare("script_name", theirs.get("script_name"), ours.get("script_name"))
    for aspect in ("new_env_keys", "new_state_keys"):
        compare(aspect, set(theirs[aspect]), set(ours[aspect]))
    rows = [[(dep["kind"], frozenset(_tags(dep))) for dep in plan["deps"]] for plan in (theirs, ours)]
    compare("deps", _shown(rows[0]), _shown(rows[1]))
    if rows[0] == rows[1]:
        for left_dep, right_dep in zip(theirs["deps"], ours["deps"], strict=True):
            name = f"{left_dep['kind']} {left_dep['tags']}"
            compare(f"env of {name}", _plain(left_dep["env"]), _plain(right_dep["env"]))
            compare(f"flags of {name}", _flags(left_dep["flags"]), _flags(right_dep["flags"]))
            compare(f"hidden from {name}", *(_visible(dep["hidden"]) for dep in (left_dep, right_dep)))
    return found


def _tags(dep: Mapping[str, Any]) -> set[str]:
    return {tag.strip() for tag in dep["tags"].split(",") if tag.strip()}


def _shown(rows: list[tuple[str, frozenset[str]]]) -> list[str]:
    return [f"{kind}: {','.join(sorted(tags))}" for kind, tags in rows]


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def _comparable(env: Mapping[str, Any]) -> Any:
    return _plain({key: value for key, value in env.items() if not key.startswith(NOT_COMPARED)})


def _visible(keys: list[str]) -> list[str]:
    return [key for key in keys if not key.startswith(NOT_COMPARED)]


_CONDITIONS = ("enable_if_env", "enable_if_any_env", "skip_if_env", "skip_if_any_env")


def _flags(flags: Mapping[str, Any]) -> Any:
    ignored = {*_CONDITIONS, "names", "adr", "add_deps_recursive", "skip_cache", "silent"}
    return _plain({key: value for key, value in flags.items() if key not in ignored})


def tree_differences(theirs: Plan, ours: PlanNode, path: str = "") -> Iterator[str]:
    """Where upstream's tree of runs and a planned one part, one line each; below such a place nothing is compared.

    Of open dependencies those count that run if nothing unknown gets set: upstream's tree is made without ``customize.py`` as well.
    """
    path = f"{path}/{ours.script.alias}"
    if "error" in theirs:
        if not any(dep.problem for dep in assumed_deps(ours)):
            yield f"{path}: only upstream refuses: {theirs['error']}"
        return
    left = (theirs["uid"], sorted(set(theirs["variations"])), theirs["env"].get("CM_VERSION", ""))
    right = (ours.script.uid, sorted(ours.variations), ours.wanted.version)
    if left != right:
        yield f"{path}: {left} / {right}"
        return
    deps = [dep for dep in ours.deps if dep.assumed]
    rows = [(dep["kind"], frozenset(_tags(dep))) for dep in theirs["deps"]]
    our_rows = [(dep.kind, frozenset(tag for tag in dep.tags.split(",") if tag)) for dep in deps]
    for number, (row, our_row) in enumerate(itertools.zip_longest(rows, our_rows)):
        if row != our_row:
            yield f"{path}: {_shown([row]) if row else 'nothing'} / {_shown([our_row]) if our_row else 'nothing'}"
            return
        dep, plan = deps[number], theirs["deps"][number]["plan"]
        if dep.node is not None:
            yield from tree_differences(plan, dep.node, path)
        elif not dep.again and "error" not in plan:
            yield f"{path}: only ours refuses {dep.tags}: {dep.problem}"


def runs_of(theirs: Plan) -> int:
    """How many runs upstream's tree has."""
    return 1 + sum(runs_of(dep["plan"]) for dep in theirs["deps"] if "plan" in dep)


def assumed_deps(node: PlanNode) -> Iterator[PlannedDep]:
    """The dependencies of a tree that run if nothing unknown gets set; those of a node that occurs several times come once."""
    seen: set[int] = set()
    todo = [node]
    while todo:
        place = todo.pop()
        if id(place) not in seen:
            seen.add(id(place))
            deps = [dep for dep in place.deps if dep.assumed]
            yield from deps
            todo += [dep.node for dep in deps if dep.node is not None]


def assumed_size(node: PlanNode, sizes: dict[int, int] | None = None) -> int:
    """How many runs a planned tree has if nothing unknown gets set."""
    sizes = {} if sizes is None else sizes
    if id(node) not in sizes:
        sizes[id(node)] = 1 + sum(assumed_size(dep.node, sizes) for dep in node.deps if dep.assumed and dep.node is not None)
    return sizes[id(node)]
