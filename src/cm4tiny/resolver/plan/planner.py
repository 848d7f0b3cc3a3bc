# SPDX-License-Identifier: Apache-2.0
"""The key of a cached result: a digest of everything that decides it, known before anything runs.

It covers the script's files, the code behind it, the resolved variations, the version, the environment that the script reads, and the
same for every dependency that may run, down the tree. The order in which variations were named does not count: where it matters it shows in
the environment or in the dependencies, or the script's code asks for it by name. A dependency whose condition looks at what an earlier
dependency produces counts as one that may run: that can cost a needless rebuild, never a wrong hit.

Which environment counts: keys that the metas declare as input (``default_env``, ``env``, ``const``, ``input_mapping``, a dependency's
``env``), keys that the user set with ``--env`` or ``--const``, and keys that occur as words in the script's code; of the last kind not
those that the script or its dependencies produce themselves. A value that is the path of a file stands for the file's content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from cm4tiny.errors import Cm4TinyError, DependencyError, ScriptError, UsageError
from cm4tiny.resolver.catalogue.repository import ScriptStore
from cm4tiny.resolver.language import conditions
from cm4tiny.resolver.language.conditions import NO
from cm4tiny.resolver.language.environment import (
    FROM_OS,
    LOCAL_KEYS,
    PLACEHOLDER,
    Env,
    KeySet,
    expand,
    expand_text,
    exported,
    key_set,
    merge,
)
from cm4tiny.resolver.language.host import os_info
from cm4tiny.resolver.language.meta import Script, says_yes
from cm4tiny.resolver.language.vocabulary import DEP_LISTS
from cm4tiny.resolver.plan.fingerprint import code_version, content_of, file_identity
from cm4tiny.resolver.plan.plan_cache import Identity, PlanCache, Subtree
from cm4tiny.resolver.plan.resolve import Request, Resolved, dep_request, pick, resolve
from cm4tiny.resolver.plan.tree import Outcome, PlannedDep, PlanNode

KEY_FORMAT = "3"
DEPTH_LIMIT = 100
"""So many scripts may need each other in a row; beyond that it is a circle that changes on the way."""

#: Keys that say how to run, not what to make.
HOW = key_set(
    (
        *FROM_OS, "CM_QUIET", "CM_VERBOSE", "CM_TMP_*", "CM_RENEW_CACHE_ENTRY", "CM_EXTRA_CACHE_TAGS", "CM_NAME", "CM_GH_TOKEN",
        "CM_HF_TOKEN",
    "CM_LOCK_FILE",
    )
)  # fmt: skip


_NOTHING = key_set(())
_ASKS_FOR_ORDER = frozenset({"variation_tags", "script_variation_tags"})
"""Keys of a hook's input that list the variations in order."""


@cache
def host_facts() -> Env:
    """Keys for which every script finds the same value on one machine. They are set only once one looked (``detect,os``)."""
    import platform

    info = os_info()
    return {
        "CM_HOST_OS_TYPE": info["platform"],
        "CM_HOST_OS_BITS": info["bits"],
        "CM_HOST_PYTHON_BITS": info["python_bits"],
        "CM_HOST_PLATFORM_FLAVOR": platform.machine(),
    }


@dataclass
class Planner:
    """Works out plans and keys.

    Args:
        store: the scripts.
        user_env: what the user set with ``--env`` and ``--const``.
        quiet: take the first of several scripts, as a quiet run does.
    """

    store: ScriptStore
    user_env: Env = field(default_factory=dict)
    quiet: bool = True

    def key(self, resolved: Resolved) -> str:
        """The key of a run, 64 hexadecimal digits."""
        return self.plan(resolved).key

    def plan(self, resolved: Resolved, plan_cache: PlanCache | None = None) -> PlanNode:
        """The tree of a run. Nothing is executed and nothing is changed, neither ``resolved`` nor a file.

        Args:
            resolved: what to plan.
            plan_cache: subtrees of other plans; valid as long as nothing runs.
        """
        return _Branch(self, resolved, (), PlanCache() if plan_cache is None else plan_cache).grow()


@dataclass(frozen=True)
class _Above:
    """A run that is being planned; a recursion ends where it comes again."""

    identity: Identity
    alias: str
    unconditional: bool


class _Branch:
    """Plans one node and, through others of its kind, what is below."""

    def __init__(
        self, planner: Planner, resolved: Resolved, above: tuple[_Above, ...], plan_cache: PlanCache, *, unconditional: bool = True
    ) -> None:
        self.planner = planner
        self.plan_cache = plan_cache
        self.resolved = resolved
        self.script = resolved.script
        self.content = content_of(resolved.script.path)
        self.above = (*above, _Above(identity(resolved), resolved.script.alias, unconditional))
        self.env = dict(resolved.env)
        self.uncertain: dict[KeySet, None] = {}
        self.produced: dict[tuple[KeySet, frozenset[str]], None] = {(key_set(tuple(resolved.new_env_keys)), frozenset()): None}
        self.deps: list[PlannedDep] = []
        self.parts: list[list[Any]] = []
        self.scripts: set[Script] = {self.script}
        self.runs: set[Identity] = {identity(resolved)}
        self.lowest = len(above)

    def grow(self) -> PlanNode:
        resolved = self.resolved
        for kind in DEP_LISTS:
            for number, dep in enumerate(resolved.lists[kind], 1):
                if dep.get("tags"):
                    self._dep(kind, number, dep)
        env = self._inputs()
        return PlanNode(
            script=self.script, content=self.content.digest, command=resolved.command, tags=resolved.query.tags,
            variations=resolved.chosen.names, excluded=resolved.chosen.excluded, wanted=resolved.wanted, env=env,
            new_env_keys=tuple(resolved.new_env_keys), new_state_keys=tuple(resolved.new_state_keys), cache=resolved.cache,
            key=self._key(env), deps=tuple(self.deps), warnings=tuple(resolved.warnings),
        )  # fmt: skip

    def _dep(self, kind: str, number: int, dep: dict[str, Any]) -> None:
        open_keys: tuple[str, ...] = ()
        assumed = conditions.is_enabled(dep, self.env)
        can_be = conditions.outcomes(dep, self.env, lambda key: self._others(key, kind))
        outcome: Outcome = "open" if len(can_be) > 1 else "runs" if assumed else "skipped"
        if outcome == "open":
            open_keys = tuple(sorted(key for key in conditions.keys_of(dep) if self._others(key, kind) is not None))
        names = tuple(str(name) for name in dep.get("names") or ())
        condition = {key: dep[key] for key in conditions.CONDITION_KEYS if key in dep}
        planned = PlannedDep(kind, number, str(dep["tags"]), names, outcome, assumed, open_keys, condition, says_yes(dep, "dynamic"))
        if outcome == "skipped":
            self.deps.append(planned)
            return
        child = self._child(dep, planned)
        self.deps.append(child.dep)
        self.parts.append([kind, outcome == "open", dep, child.key])
        self.uncertain[child.exports] = None
        if outcome == "runs":
            self.produced[child.exports, child.words] = None
        if assumed and child.new_env:
            merge(self.env, child.new_env)
            self.env.update(self.resolved.const)
            expand(self.env)

    def _others(self, key: str, kind: str) -> list[Env] | None:
        """What else a key may be when the turn of a list comes: an earlier dependency, or the script's own code, may set it.

        None if nothing does; an empty list if nothing is known about the value.
        """
        if key in self.resolved.const:
            return None
        own = key in self.content.code_words and (kind != "deps" or has_predeps(self.script))
        if not (own or any(key in exports for exports in self.uncertain)):
            return None
        facts = host_facts()
        return [{key: facts[key]}] if key in facts else []

    def _child(self, dep: dict[str, Any], planned: PlannedDep) -> _Child:
        meta = self.script.meta
        hidden = [*LOCAL_KEYS, *(meta.get("local_env_keys") or ())]
        if planned.kind == "post_deps":
            hidden = list(meta.get("clean_env_keys_post_deps") or ())
        try:
            if len(self.above) >= DEPTH_LIMIT:
                raise DependencyError(f"the dependencies never end: {DEPTH_LIMIT} scripts need each other in a row")
            request = dep_request(self.resolved, dep, self.env, {}, hidden, len(self.above))
            planned = replace(planned, tags=request.tags)
            if "<<<" in request.tags:
                unknown = sorted(set(PLACEHOLDER.findall(request.tags)))
                planned = replace(planned, open_keys=tuple(dict.fromkeys([*planned.open_keys, *unknown])))
                raise DependencyError(f"its tags depend on {', '.join(unknown)}, which is not known before the run")
            subtree = self.plan_cache.find(request, (run.identity for run in self.above))
            if subtree is None:
                script, query = pick(self.planner.store, request, quiet=self.planner.quiet)
                script.check()
                resolved = resolve(script, query, request)
                again = [place for place, run in enumerate(self.above) if run.identity == identity(resolved)]
                if again:
                    return self._again(again[-1], resolved, planned)
                subtree = self._grown(request, resolved, unconditional=not planned.condition)
        except (ScriptError, UsageError) as error:
            return _Child(replace(planned, problem=_in_one_line(error)), f"open:{error.what}")
        self.scripts |= subtree.scripts
        self.runs |= subtree.runs
        words = content_of(subtree.node.script.path).words
        exports = key_set(subtree.node.new_env_keys)
        return _Child(replace(planned, node=subtree.node), subtree.node.key, exports, words, subtree.new_env)

    def _grown(self, request: Request, resolved: Resolved, *, unconditional: bool) -> Subtree:
        branch = _Branch(self.planner, resolved, self.above, self.plan_cache, unconditional=unconditional)
        node = branch.grow()
        new_env: Env = {}
        for key, value in exported(branch.env, resolved.new_env_keys).items():
            given = request.env.get(key)
            if isinstance(value, list) and isinstance(given, list):
                value = [item for item in value if item not in given]
            if value != given and value != []:
                new_env[key] = value
        self.lowest = min(self.lowest, branch.lowest)
        subtree = Subtree(node, new_env, frozenset(branch.scripts), frozenset(branch.runs), closed=branch.lowest >= len(self.above))
        self.plan_cache.keep(request, subtree)
        return subtree

    def _again(self, place: int, resolved: Resolved, planned: PlannedDep) -> _Child:
        """The tree ends where a run comes again; a circle that no condition can break is a problem."""
        problem = ""
        if not planned.condition and all(run.unconditional for run in self.above[place + 1 :]):
            circle = " -> ".join([*(run.alias for run in self.above[place:]), resolved.script.alias])
            problem = f"the dependencies never end: {circle}; break the circle with skip_if_env or remove one of them"
        self.lowest = min(self.lowest, place)
        self.scripts.add(resolved.script)
        exports = key_set(tuple(resolved.new_env_keys))
        words = content_of(resolved.script.path).words
        return _Child(replace(planned, problem=problem, again=True), f"again:{resolved.command}", exports, words)

    # --- the key -----------------------------------------------------------------------------------------------------------------
    def _key(self, env: Env) -> str:
        resolved = self.resolved
        ordered = not _ASKS_FOR_ORDER.isdisjoint(self.content.code_words)
        parts = [
            KEY_FORMAT,
            self.script.uid,
            self.content.digest,
            code_version(self.content.imported) if self.script.own or self.content.imported else "",
            list(resolved.chosen.names) if ordered else sorted(resolved.chosen.names),
            sorted(resolved.chosen.excluded),
            resolved.wanted.as_env(),
            sorted(resolved.extra_cache_tags),
            env,
            sorted(expand_text(key, resolved.env) for key in resolved.new_env_keys),
            sorted(resolved.new_state_keys),
            resolved.script_name,
            self.parts,
        ]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def _inputs(self) -> Env:
        inputs: Env = {}
        declared, words = self.resolved.declared, self.content.code_words
        for key, value in self.resolved.env.items():
            word = key.lstrip("+:;")
            if key in declared:
                if key not in HOW:
                    inputs[key] = _identity(value)
            elif word in words and key not in HOW:
                if key in self.planner.user_env:
                    inputs[key] = _identity(self.planner.user_env[key])
                elif not self._produced(key, word):
                    inputs[key] = _identity(value)
        return inputs

    def _produced(self, key: str, word: str) -> bool:
        """True if the script or one of its dependencies sets the key itself: if it exports the name, or a pattern of it and mentions it.

        An empty set of words stands for the script that is asked about: its own exports are never its inputs.
        """
        return any(exports.by_name(key) or ((not words or word in words) and exports.by_pattern(key)) for exports, words in self.produced)


def has_predeps(script: Script) -> bool:
    """True if a hook of the script may run before its dependencies: ``predeps``, unless the meta says ``predeps: no``."""
    wanted = str(script.meta.get("predeps", "")).lower() not in NO
    return wanted and "predeps" in content_of(script.path).code_words


def identity(resolved: Resolved) -> Identity:
    """What makes two runs the same as far as a recursion is concerned: the script and its variations."""
    return str(resolved.script.path), resolved.chosen.names


@dataclass(frozen=True)
class _Child:
    dep: PlannedDep
    key: str
    exports: KeySet = _NOTHING
    words: frozenset[str] = frozenset()
    new_env: Env = field(default_factory=dict)


def matches(key: str, patterns: Iterable[str]) -> bool:
    """True if a key is one of the names or fits one of the wildcard patterns."""
    return key in key_set(tuple(patterns))


def _in_one_line(error: Cm4TinyError) -> str:
    return "; ".join(part for part in (error.what, error.why, error.hint) if part)


def _identity(value: Any) -> Any:
    if isinstance(value, str):
        content = file_identity(value)
        return [value, content] if content else value
    return value
