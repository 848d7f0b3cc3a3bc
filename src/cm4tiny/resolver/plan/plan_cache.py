# SPDX-License-Identifier: Apache-2.0
"""Subtrees of plans that were worked out once are used again where they would come out the same.

Without this a plan of a large script is a tree of hundreds of thousands of nodes, nearly all of them equal. What a subtree looks like is
decided by the request and by the environment, and of the environment only by keys whose names are spelled in the files of the scripts of
the subtree (a script cannot be asked about a key that nobody spells). So a subtree is the same if the request is the same and the
environment agrees on these keys, and if none of the runs above occurs in it (a recursion ends where a run comes again).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cm4tiny.resolver.language.conditions import CONDITION_KEYS, keys_of
from cm4tiny.resolver.language.environment import FROM_OS, LOCAL_KEYS, PLACEHOLDER, Env
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.language.options import TO_ENV
from cm4tiny.resolver.plan.fingerprint import content_of
from cm4tiny.resolver.plan.resolve import Request
from cm4tiny.resolver.plan.tree import PlanNode

Identity = tuple[str, tuple[str, ...]]

#: Keys that the engine itself reads.
_ENGINE_WORDS = frozenset({*LOCAL_KEYS, *FROM_OS, *TO_ENV.values()})


@dataclass(frozen=True)
class Subtree:
    """A planned child with what its caller needs of it.

    Args:
        node: the plan.
        new_env: what it hands to its caller beyond what the caller gave.
        scripts: all scripts in it.
        runs: all runs in it.
        closed: no run above it was needed to decide that.
    """

    node: PlanNode
    new_env: Env
    scripts: frozenset[Script]
    runs: frozenset[Identity]
    closed: bool = True


@dataclass(frozen=True, eq=False)
class _Reads:
    """What a set of scripts can ask about: keys, and names of dependencies."""

    words: frozenset[str]
    names: frozenset[str]

    def env(self, request: Request) -> Env:
        return {key: value for key, value in request.env.items() if key.lstrip("+:;") in self.words}

    def adr(self, request: Request) -> dict[str, Any]:
        return {name: entry for name, entry in request.adr.items() if name in self.names}


@dataclass
class _Entry:
    request: Request
    reads: _Reads
    extra_words: frozenset[str]
    env: Env
    adr: dict[str, Any]
    subtree: Subtree


@dataclass
class PlanCache:
    """All subtrees of one plan, or of several if nothing runs in between: the content of files counts, and runs change files."""

    _entries: dict[tuple[str, str], list[_Entry]] = field(default_factory=dict)
    _reads: dict[frozenset[Script], _Reads] = field(default_factory=dict)

    def find(self, request: Request, above: Iterable[Identity]) -> Subtree | None:
        """A subtree for this request below these runs, or None."""
        restricted: dict[_Reads, tuple[Env, dict[str, Any]]] = {}
        above = tuple(above)
        for entry in self._entries.get((request.tags, request.name), ()):
            old, subtree = entry.request, entry.subtree
            if entry.reads not in restricted:
                restricted[entry.reads] = entry.reads.env(request), entry.reads.adr(request)
            env, adr = restricted[entry.reads]
            same = env == entry.env and adr == entry.adr
            same = same and old.inputs == request.inputs and old.local == request.local and old.const == request.const
            same = same and all(old.env.get(key) == request.env.get(key) for key in entry.extra_words)
            if same and subtree.runs.isdisjoint(above):
                return subtree
        return None

    def keep(self, request: Request, subtree: Subtree) -> None:
        """Remembers a subtree."""
        if not subtree.closed or any(content_of(script.path).indirect for script in subtree.scripts):
            return
        reads = self._reads.get(subtree.scripts)
        if reads is None:
            words = frozenset().union(*(content_of(script.path).words for script in subtree.scripts)) | _ENGINE_WORDS
            names = frozenset().union(*(script.dep_names for script in subtree.scripts))
            reads = self._reads[subtree.scripts] = _Reads(words, names)
        adr = reads.adr(request)
        extra = frozenset(_words_of((adr, request.inputs, request.local)))
        entries = self._entries.setdefault((request.tags, request.name), [])
        entries.append(_Entry(request, reads, extra, reads.env(request), adr, subtree))


def _words_of(tree: Any) -> set[str]:
    """Keys that conditions and placeholders of an entry read."""
    found: set[str] = set()
    if isinstance(tree, Mapping):
        if any(key in tree for key in CONDITION_KEYS):
            found |= keys_of(tree)
        for value in tree.values():
            found |= _words_of(value)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            found |= _words_of(value)
    elif isinstance(tree, str) and "<<<" in tree:
        found.update(PLACEHOLDER.findall(tree))
    return found
