# SPDX-License-Identifier: Apache-2.0
"""``--plan`` and ``--print_deps``: a static plan as text, as JSON and as commands. Nothing runs and nothing is written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from cm4tiny.errors import DependencyError
from cm4tiny.resolver.plan.resolve import Request, pick, resolve
from cm4tiny.resolver.plan.tree import PlannedDep, PlanNode
from cm4tiny.resolver.run.session import Session

#: Says about a node whose result is kept whether it is there.
CacheState = Callable[[PlanNode], bool]


def plan_of(session: Session, request: Request) -> PlanNode:
    """The plan of a request, as the session would run it.

    Raises:
        Cm4TinyError: the script itself cannot be found or resolved.
    """
    script, query = pick(session.store, request, quiet=session.quiet)
    script.check()
    session.planner.quiet = session.quiet
    return session.planner.plan(resolve(script, query, request))


def show(session: Session, request: Request, *, console: bool, as_json: bool) -> dict[str, Any]:
    """The answer to ``--plan``; on a console the tree as well, unless the answer is printed as JSON.

    Raises:
        DependencyError: a run of this plan would fail for certain; the tree was shown.
    """
    node = plan_of(session, request)

    def is_created(below: PlanNode) -> bool:
        return session.cache.load(session.cache.entry(below.script, below.key)) is not None

    problems = node.problems()
    if console and not as_json:
        sys.stdout.write("".join(f"{line}\n" for line in as_lines(node, is_created, skipped=session.verbose)))
    answer: dict[str, Any] = {"return": 0, "plan": as_dict(node, is_created), "problems": problems, "doubts": node.doubts()}
    if problems:
        count = "one dependency" if len(problems) == 1 else f"{len(problems)} dependencies"
        error = DependencyError(f"this run would fail: {count} cannot be resolved", why="\n       ".join(problems))
        if not as_json:
            raise error
        answer.update(error.as_cm())
    return answer


def as_lines(node: PlanNode, is_created: CacheState, *, skipped: bool = False) -> Iterator[str]:
    """A plan as indented lines; a part that occurs again is not repeated.

    Args:
        node: the plan.
        is_created: the state of the cache.
        skipped: show dependencies that do not run as well.
    """
    seen: set[int] = set()

    def one(place: PlanNode, indent: str, first: str) -> Iterator[str]:
        repeated = id(place) in seen and any(dep.node is not None for dep in place.deps)
        yield f"{indent}{first}{_title(place, is_created)}{'  (as above)' if repeated else ''}"
        if repeated:
            return
        seen.add(id(place))
        for dep in place.deps:
            if dep.outcome == "skipped" and not skipped:
                continue
            note = _note(dep)
            if dep.node is None:
                yield f"{indent}  {_kind(dep)}{dep.tags}{note}"
            else:
                yield from one(dep.node, f"{indent}  ", f"{_kind(dep)}{dep.tags}{note} -> ")

    yield from one(node, "", "")


def _kind(dep: PlannedDep) -> str:
    mark = {"runs": "", "open": "? ", "skipped": "- "}[dep.outcome]
    return f"{mark}{dep.kind}: "


def _note(dep: PlannedDep) -> str:
    notes = [f"depends on {', '.join(dep.open_keys)}"] if dep.open_keys and not dep.problem else []
    if dep.outcome == "skipped":
        notes.append(f"skipped by {' and '.join(dep.condition) or 'its condition'}")
    if dep.problem:
        notes.append(f"cannot be planned: {dep.problem}")
    elif dep.again:
        notes.append("the same run is already in progress above")
    return f" ({'; '.join(notes)})" if notes else ""


def _title(node: PlanNode, is_created: CacheState) -> str:
    words = [node.script.alias]
    if node.variations:
        words.append(",".join(f"_{name}" for name in node.variations))
    wanted = node.wanted
    if wanted.version:
        words.append(f"version {wanted.version}")
    else:
        bounds = [f">={wanted.version_min}" if wanted.version_min else "", f"<={wanted.version_max}" if wanted.version_max else ""]
        words += [f"version {','.join(filter(None, bounds))}"] if any(bounds) else []
    if node.cache:
        words.append("[in the cache]" if is_created(node) else "[to be cached]")
    return " ".join(words)


def as_dict(node: PlanNode, is_created: CacheState) -> dict[str, Any]:
    """A plan as nested dictionaries for JSON; a part that occurs again has ``same_as`` with its key instead of ``deps``."""
    seen: set[int] = set()

    def one(place: PlanNode) -> dict[str, Any]:
        script = place.script
        answer: dict[str, Any] = {
            "script": script.alias, "uid": script.uid, "repository": script.repo_alias, "path": str(script.path),
            "content": place.content, "command": place.command, "tags": list(place.tags), "variations": list(place.variations),
            "excluded_variations": list(place.excluded), "version": place.wanted.as_env(), "env": dict(place.env),
            "new_env_keys": list(place.new_env_keys), "new_state_keys": list(place.new_state_keys), "cache": place.cache,
            "key": place.key, "warnings": list(place.warnings),
        }  # fmt: skip
        if place.cache:
            answer["in_the_cache"] = is_created(place)
        if id(place) in seen and place.deps:
            return {**answer, "same_as": place.key}
        seen.add(id(place))
        return {**answer, "deps": [edge(dep) for dep in place.deps]}

    def edge(dep: PlannedDep) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "kind": dep.kind, "number": dep.number, "tags": dep.tags, "names": list(dep.names), "outcome": dep.outcome,
            "assumed": dep.assumed, "depends_on": list(dep.open_keys), "condition": dict(dep.condition), "dynamic": dep.dynamic,
        }  # fmt: skip
        if dep.problem:
            answer["problem"] = dep.problem
        if dep.again:
            answer["again"] = True
        if dep.node is not None:
            answer["plan"] = one(dep.node)
        return answer

    return one(node)


def commands(node: PlanNode) -> list[tuple[int, str]]:
    """The dependencies that run, down the tree, as commands with their depth from 0, in the order of the run.

    An open dependency counts if it runs as long as nothing unknown gets set; what is below one that occurs again is not repeated.
    """
    found: list[tuple[int, str]] = []
    seen: set[int] = set()

    def below(place: PlanNode, depth: int) -> None:
        if id(place) in seen:
            return
        seen.add(id(place))
        for dep in place.deps:
            if dep.assumed:
                found.append((depth, f"cm run script --tags={dep.tags}"))
                if dep.node is not None:
                    below(dep.node, depth + 1)

    below(node, 0)
    return found
