# SPDX-License-Identifier: Apache-2.0
"""What one script would do, worked out without doing it.

From a request (tags, flags, environment) to a :class:`Resolved`: the script, its variations, its environment before the first
dependency runs, and the four lists of dependencies with every change applied. Precedence, proved by running upstream: a flag of the
``input_mapping`` and ``const`` win over the variations' env, that over the meta's ``env``, that over ``--env.KEY``, that over
``default_env``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cm4tiny.resolver.catalogue.repository import ScriptStore
from cm4tiny.resolver.catalogue.selection import select
from cm4tiny.resolver.language import deps as dependencies
from cm4tiny.resolver.language.conditions import is_enabled
from cm4tiny.resolver.language.environment import FROM_OS, Env, expand, expand_text, matching_keys, merge, take, unresolved_keys
from cm4tiny.resolver.language.meta import Script, says_yes
from cm4tiny.resolver.language.options import RunOptions
from cm4tiny.resolver.language.query import ScriptQuery
from cm4tiny.resolver.language.variations import Chosen, blocks_to_apply, choose
from cm4tiny.resolver.language.versions import Wanted
from cm4tiny.resolver.language.vocabulary import TOP_LEVEL

_GROUPS = ("env", "const", "state", "const_state")


@dataclass
class Request:
    """What one run is asked for.

    Args:
        tags: tags and variations.
        name: alias or uid instead of, or next to, tags.
        inputs: everything else that was given on the command line or in a dependency's entry, as it was given: input mappings, hooks and
            lock files take from it.
        env, state, const, const_state: the caller's; not changed.
        local: what only this run adds to them, keyed by those four names.
        adr: changes of dependencies that hold for the whole tree below.
        needed_by: the script whose dependency this is; empty for the first one.
        depth: 0 for the first script.
        options: what :attr:`inputs` ask of the resolver, read from them.
    """

    tags: str = ""
    name: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    env: Env = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    const: Env = field(default_factory=dict)
    const_state: dict[str, Any] = field(default_factory=dict)
    local: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    adr: Mapping[str, Any] = field(default_factory=dict)
    needed_by: str = ""
    depth: int = 0
    options: RunOptions = field(init=False)

    def __post_init__(self) -> None:
        self.options = RunOptions.of(self.inputs)


@dataclass
class Resolved:
    """What a run will do; see the module."""

    script: Script
    query: ScriptQuery
    chosen: Chosen
    env: Env
    state: dict[str, Any]
    const: Env
    const_state: dict[str, Any]
    lists: dependencies.Lists
    adr: dict[str, Any]
    new_env_keys: list[str]
    new_state_keys: list[str]
    wanted: Wanted
    cache: bool
    script_name: str
    extra_cache_tags: list[str]
    declared: set[str]
    warnings: list[str]

    @property
    def command(self) -> str:
        """The request as the user would type it."""
        words = " ".join(str(self.query).split(","))
        return f'cm run script "{words}"' if self.query.tags else f"cm run script {self.script.alias} {words}".rstrip()


def copied(tree: Any) -> Any:
    """A copy of nested dictionaries and lists; everything else is shared."""
    if isinstance(tree, dict):
        return {key: copied(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [copied(value) for value in tree]
    return tree


def pick(store: ScriptStore, request: Request, *, quiet: bool = False) -> tuple[Script, ScriptQuery]:
    """The script that a request names, and the parsed tags."""
    query = ScriptQuery.parse(request.tags)
    script = select(store, query, name=request.name, quiet=quiet, needed_by=request.needed_by)
    return script, query


class _Resolver:
    """Applies the blocks of a meta one after another."""

    def __init__(self, script: Script, request: Request) -> None:
        meta = script.meta
        self.script = script
        self.inputs = request.inputs
        self.env: Env = merge(copied(request.env), request.local.get("env") or {})
        self.state: dict[str, Any] = merge(copied(request.state), request.local.get("state") or {})
        self.const: Env = merge(copied(request.const), request.local.get("const") or {})
        self.const_state: dict[str, Any] = merge(copied(request.const_state), request.local.get("const_state") or {})
        self.lists = dependencies.new_lists()
        self.adr = dependencies.merge_changes(request.adr, request.options.adr)
        self.new_env_keys: list[str] = []
        self.new_state_keys: list[str] = []
        self.cache = script.cached
        self.updates: list[Mapping[str, Any]] = []
        self.default_version = ""
        self.script_name = ""
        self.declared: set[str] = set(request.local.get("env") or {}) | set(request.local.get("const") or {})
        self.declared.update(str(row["env"]) for row in meta.get("extra_cache_tags_from_env") or ())
        self.warnings: list[str] = [str(text) for text in meta.get("warnings") or ()]

    def block(self, block: Mapping[str, Any]) -> None:
        """Applies the top level, a variation or a version."""
        default_env, env, const = (block.get(key) or {} for key in ("default_env", "env", "const"))
        for key, value in default_env.items():
            self.env.setdefault(key, copied(value))
        self.env.update(copied(env))
        self._updates(block)
        self.const.update(copied(const))
        mapping = block.get("input_mapping") or {}
        mapped = {key: self.inputs[flag] for flag, key in mapping.items() if flag in self.inputs}
        self.env.update(mapped)
        self.const.update(mapped)
        self.env.update(self.const)
        self.declared.update(default_env, env, const, mapping.values())
        merge(self.state, block.get("state") or {})
        merge(self.const_state, block.get("const_state") or {})
        merge(self.state, self.const_state)
        if block is self.script.meta:
            dependencies.take(self.lists, block)
        else:
            dependencies.append(self.lists, block)
        changes = dependencies.changes_of(block, "ad", "add_deps")
        if changes:
            dependencies.change(self.lists, changes, self.env, strict=self.script.alias)
        self.new_env_keys += [str(key) for key in block.get("new_env_keys") or ()]
        self.new_state_keys += [str(key) for key in block.get("new_state_keys") or ()]
        if block.get("cache", "") != "":
            self.cache = says_yes(block, "cache")
        self.default_version = str(block.get("default_version") or self.default_version)
        self.script_name = str(block.get("script_name") or self.script_name)
        if block.get("warning"):
            self.warnings.append(str(block["warning"]))
        expand(self.env)

    def _updates(self, block: Mapping[str, Any]) -> None:
        """``update_meta_if_env``: what a block, or one before it, wants to set if the environment says so by now."""
        self.updates = [*(block.get("update_meta_if_env") or ()), *self.updates]
        for entry in self.updates:
            if is_enabled(entry, self.env):
                for key, value in (entry.get("default_env") or {}).items():
                    self.env.setdefault(key, copied(value))
                merge(self.env, entry.get("env") or {})
                merge(self.state, entry.get("state") or {})
                self.declared.update(entry.get("default_env") or (), entry.get("env") or ())
                self.more_adr(entry)

    def more_adr(self, block: Mapping[str, Any]) -> None:
        self.adr = dependencies.merge_changes(self.adr, dependencies.changes_of(block, "adr", "add_deps_recursive"))


def resolve(script: Script, query: ScriptQuery, request: Request) -> Resolved:
    """Works out what a run of ``script`` does.

    As upstream has it, and metas rely on it, the ``adr`` of a version that nobody asked for (the default one) changes what is below the
    script's dependencies, not these themselves.

    Raises:
        VariationError, DependencyError, MetaError: as the parts say.
    """
    meta, options = script.meta, request.options
    work = _Resolver(script, request)
    work.env.update(options.env)
    for key in FROM_OS:
        if os.environ.get(key) and not work.env.get(key):
            work.env[key] = os.environ[key]
    work.env.update(
        CM_TMP_CURRENT_PATH=str(Path.cwd()),
        CM_TMP_CURRENT_SCRIPT_PATH=str(script.path),
        CM_TMP_CURRENT_SCRIPT_REPO_PATH=str(script.repo_path),
        CM_TMP_CURRENT_SCRIPT_REPO_PATH_WITH_PREFIX=str(script.scripts_root),
    )
    script.require(TOP_LEVEL)
    work.block(meta)
    chosen = choose(script, query)
    for name, block in blocks_to_apply(script, chosen):
        script.require(f"variation '{name}'")
        work.block(block)
        work.more_adr(block)

    asked = Wanted.of(vars(options), work.env, meta)
    wanted = asked.with_default(work.default_version)
    wanted.check(script.alias)
    work.env.update(wanted.as_env())
    own_adr = work.adr
    versions = meta.get("versions") or {}
    if wanted.version in versions:
        block = versions[wanted.version] or {}
        script.require(f"version '{wanted.version}'")
        work.block(block)
        work.more_adr(block)
        if asked.version:
            own_adr = work.adr

    if options.ad:
        dependencies.change(work.lists, options.ad, work.env, strict=script.alias)
    dependencies.change(work.lists, own_adr, work.env)
    work.env.update(work.const)
    expand(work.env)
    return Resolved(
        script, query, chosen, work.env, work.state, work.const, work.const_state, work.lists, work.adr,
        list(options.force_new_env_keys or work.new_env_keys), list(options.force_new_state_keys or work.new_state_keys),
        wanted, _wants_cache(work.cache, options, script), work.script_name, _extra_tags(options, work.env), work.declared, work.warnings,
    )  # fmt: skip


def _wants_cache(cache: bool, options: RunOptions, script: Script) -> bool:
    return not options.skip_cache and (cache or (options.force_cache and says_yes(script.meta, "can_force_cache")))


def _extra_tags(options: RunOptions, env: Env) -> list[str]:
    texts = (str(env.get("CM_EXTRA_CACHE_TAGS", "")), expand_text(options.extra_cache_tags, env))
    tags = [tag.strip() for text in texts for tag in text.split(",") if tag.strip()]
    name = str(env.get("CM_NAME", "")).strip().lower()
    return list(dict.fromkeys([*tags, *([f"name-{name}"] if name else [])]))


def visible_env(env: Env, dep: Mapping[str, Any], hidden_patterns: list[str]) -> tuple[Env, Env]:
    """What a dependency sees of the environment, and what is hidden from it.

    Hidden are the keys of the patterns and keys that still hold a ``<<<KEY>>>``; ``force_env_keys`` and ``reuse_version`` give some back.
    """
    visible = dict(env)
    hidden = take(visible, hidden_patterns)
    hidden.update({key: visible.pop(key) for key in unresolved_keys(visible)})
    for key in matching_keys(hidden, [str(key) for key in dep.get("force_env_keys") or ()]):
        visible[key] = hidden[key]
    if dep.get("reuse_version"):
        visible.update({key: value for key, value in hidden.items() if key.startswith("CM_VERSION")})
    return visible, hidden


def dep_request(resolved: Resolved, dep: dependencies.Dep, env: Env, state: dict[str, Any], hidden: list[str], depth: int) -> Request:
    """The request that an enabled dependency makes.

    Args:
        resolved: the script that needs it.
        dep: its entry.
        env, state: the script's, as they are when the dependency's turn comes.
        hidden: patterns of keys that dependencies do not see.
        depth: of the new run.
    """
    own_env = copied(dep.get("env") or {})
    expand(own_env, env)
    entry = {**dep, "env": own_env}
    tags = dependencies.tags_from_env_with_prefix(entry, env)
    visible, _ = visible_env(env, dep, hidden)
    tags = dependencies.tags_from_env(entry, visible, tags)
    tags = dependencies.inherited_tags(entry, tags, resolved.chosen)
    special = {"tags", "names", "env", "state", "const", "const_state"}
    inputs = {key: value for key, value in dep.items() if key not in special}
    local = {"env": own_env, **{key: dep[key] for key in ("state", "const", "const_state") if dep.get(key)}}
    return Request(
        tags=expand_text(tags, env), inputs=inputs, env=visible, state=state, const=resolved.const, const_state=resolved.const_state,
        local=local, adr=resolved.adr, needed_by=resolved.script.alias, depth=depth,
    )  # fmt: skip


def new_request(flags: Mapping[str, Any]) -> Request:
    """A request from the flags of a command line: ``tags``, ``env``, ``const``, ``state`` and ``const_state`` are taken out of them."""
    env, const, state, const_state = (dict(flags.get(name) or {}) for name in _GROUPS)
    inputs = {key: value for key, value in flags.items() if key != "tags" and key not in _GROUPS}
    return Request(str(flags.get("tags") or ""), inputs=inputs, env=env, state=state, const=const, const_state=const_state)
