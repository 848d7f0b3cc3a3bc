# SPDX-License-Identifier: Apache-2.0
"""The static plan of a run: what it would do, as a tree of frozen nodes that can be printed, compared, locked and executed.

A plan is worked out by :class:`~.planner.Planner` from metas alone. Nothing is executed for it, neither ``customize.py``
nor a native script, so what they would find out is not known: a dependency whose condition looks at such a key is *open*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.language.versions import Wanted

#: ``runs`` and ``skipped`` are certain; ``open`` depends on what an earlier step finds out.
Outcome = Literal["runs", "skipped", "open"]


@dataclass(frozen=True)
class PlannedDep:
    """One entry of a dependency list, decided as far as it can be without running anything.

    Args:
        kind: ``deps``, ``prehook_deps``, ``posthook_deps`` or ``post_deps``.
        number: its place in the list, from 1.
        tags: what it asks for, with everything filled in that is known.
        names: by which ``adr`` finds it.
        outcome: whether it runs.
        assumed: for an open one, what its condition says if nothing that is unknown gets set; else the same as the outcome.
        open_keys: keys that its condition or its tags read and that an earlier step may set.
        condition: its conditions as the meta has them.
        dynamic: runs on a cache hit as well.
        node: what it runs; None if it is skipped or cannot be planned.
        problem: why it cannot be planned; empty if it can.
        again: the same run is already in progress above it, so the tree ends here.
    """

    kind: str
    number: int
    tags: str
    names: tuple[str, ...]
    outcome: Outcome
    assumed: bool
    open_keys: tuple[str, ...] = ()
    condition: Mapping[str, Any] = field(default_factory=dict)
    dynamic: bool = False
    node: PlanNode | None = None
    problem: str = ""
    again: bool = False


@dataclass(frozen=True)
class PlanNode:
    """One run of one script.

    Args:
        script: what runs.
        content: digest of the script's files.
        command: the run as a user would type it.
        tags: what was asked for, without variations.
        variations, excluded: all chosen variations in order of application, and the excluded ones.
        wanted: version and range.
        env: the environment that decides the result, as far as it is known: see :mod:`cm4tiny.resolver.plan.planner`.
        new_env_keys, new_state_keys: names or wildcards of what it hands to its caller.
        cache: its result is kept.
        key: 64 hexadecimal digits, equal for runs whose results can stand for each other.
        deps: all entries of the four lists, in the order in which they would run.
        warnings: what its meta wants the user to know.
    """

    script: Script
    content: str
    command: str
    tags: tuple[str, ...]
    variations: tuple[str, ...]
    excluded: tuple[str, ...]
    wanted: Wanted
    env: Mapping[str, Any]
    new_env_keys: tuple[str, ...]
    new_state_keys: tuple[str, ...]
    cache: bool
    key: str
    deps: tuple[PlannedDep, ...]
    warnings: tuple[str, ...] = ()

    def children(self, kind: str) -> tuple[PlannedDep, ...]:
        """The entries of one list."""
        return tuple(dep for dep in self.deps if dep.kind == kind)

    def walk(self) -> Iterator[PlanNode]:
        """This node and all below it, each caller before what it calls; a node that occurs several times comes once."""
        seen: set[int] = set()
        todo = [self]
        while todo:
            node = todo.pop()
            if id(node) not in seen:
                seen.add(id(node))
                yield node
                todo += [dep.node for dep in reversed(node.deps) if dep.node is not None]

    def edges(self) -> Iterator[tuple[PlanNode, PlannedDep]]:
        """All entries of :meth:`walk`'s nodes, each with the node that it belongs to."""
        for node in self.walk():
            for dep in node.deps:
                yield node, dep

    def size(self) -> int:
        """How many runs the tree is, counting a node that occurs several times as often as it occurs."""
        sizes: dict[int, int] = {}

        def count(node: PlanNode) -> int:
            if id(node) not in sizes:
                sizes[id(node)] = 1 + sum(count(dep.node) for dep in node.deps if dep.node is not None)
            return sizes[id(node)]

        return count(self)

    def problems(self) -> list[str]:
        """What makes a run of this plan fail for certain: one sentence for each dependency that runs and cannot be planned."""
        found: dict[str, None] = {}
        seen: set[int] = set()
        todo = [self]
        while todo:
            node = todo.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            for dep in node.deps:
                if dep.outcome == "runs" and dep.problem:
                    found[_problem(node, dep)] = None
            todo += [dep.node for dep in reversed(node.deps) if dep.node is not None and dep.outcome == "runs"]
        return list(found)

    def doubts(self) -> list[str]:
        """The same for dependencies that may run."""
        certain = set(self.problems())
        found = (_problem(node, dep) for node, dep in self.edges() if dep.problem)
        return [text for text in dict.fromkeys(found) if text not in certain]


def _problem(node: PlanNode, dep: PlannedDep) -> str:
    return f"{node.script.alias}, {dep.kind}[{dep.number}] '{dep.tags}': {dep.problem}"
