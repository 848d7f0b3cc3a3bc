# SPDX-License-Identifier: Apache-2.0
"""The life of one run.

Order, proved by running upstream: deps, ``preprocess``, prehook_deps, ``run.sh``, posthook_deps, ``postprocess``, post_deps. From the
cache only those dependencies run that are ``dynamic``. What leaves a run is ``new_env`` and ``new_state``; everything else it did to
its environment is dropped.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from cm4tiny.errors import CacheError, ScriptError, ScriptFailedError
from cm4tiny.events import Failed
from cm4tiny.resolver.language.conditions import is_enabled
from cm4tiny.resolver.language.environment import LOCAL_KEYS, Env, expand, exported, merge
from cm4tiny.resolver.language.meta import says_yes
from cm4tiny.resolver.plan.fingerprint import content_of
from cm4tiny.resolver.plan.planner import has_predeps
from cm4tiny.resolver.plan.resolve import Request, Resolved, copied, dep_request, pick, resolve, visible_env
from cm4tiny.resolver.run import hook_input, hooks, native
from cm4tiny.resolver.run.frames import Frame
from cm4tiny.resolver.run.progress import EntryTaken, ScriptFinished, ScriptStarted
from cm4tiny.resolver.run.session import Session
from cm4tiny.resolver.run.work_folder import inside
from cm4tiny.resolver.store import provenance
from cm4tiny.resolver.store.cache import Entry, Stored
from cm4tiny.resolver.store.stored_files import Inventory


@dataclass
class RunResult:
    """What a run leaves.

    Args:
        new_env, new_state: what it hands to its caller.
        env, state: the caller's with these merged in.
        deps: tags of the direct dependencies that ran.
        version: that was made or found.
        cached: it came from the cache.
        path: its folder in the cache, if it is cached.
        entries: cache entries that the result rests on, with the name of the run that made each.
        skipped: ``preprocess`` said there is nothing to do.
    """

    new_env: Env
    new_state: dict[str, Any]
    env: Env = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    deps: list[str] = field(default_factory=list)
    version: str = ""
    cached: bool = False
    path: Path | None = None
    entries: dict[str, str] = field(default_factory=dict)
    skipped: bool = False


def run(session: Session, request: Request) -> RunResult:
    """Selects, resolves and runs a script, or takes its result from the cache.

    Raises:
        Cm4TinyError: as the parts say; :class:`~cm4tiny.errors.ScriptFailedError` if a script's own code failed.
    """
    with session.workers():
        return _run(session, request)


def _run(session: Session, request: Request) -> RunResult:
    begun = time.monotonic()
    script, query = pick(session.store, request, quiet=session.quiet)
    try:
        warnings = script.check()
    except ScriptError as error:
        session.events.emit(Failed(script.alias, str(error)))
        raise
    if session.quiet:
        request.env["CM_QUIET"] = "yes"
    if session.verbose:
        request.env["CM_VERBOSE"] = "yes"
    resolved = resolve(script, query, request)
    if request.options.pretends:  # a result of which a part is missing is not kept
        resolved.cache = False
        resolved.env.update(request.options.pretended_env)
    session.events.emit(ScriptStarted(script.alias, command=resolved.command, depth=session.depth))
    try:
        with session.running(resolved):
            for text in warnings:
                session.note(resolved, text, level="warning", detail=True)
            for text in resolved.warnings:
                session.note(resolved, text, level="warning")
            result = _ScriptRun(session, request, resolved).run()
    except BaseException as error:
        session.events.emit(Failed(script.alias, str(error) or type(error).__name__))
        raise
    result.env = merge(dict(request.env), result.new_env)
    result.state = merge(copied(request.state), result.new_state)
    seconds = time.monotonic() - begun
    session.version_info.append(hook_input.version_row(session, resolved, result.version))
    session.events.emit(ScriptFinished(script.alias, depth=session.depth, seconds=seconds, cached=result.cached))
    return result


class _Skipped(Exception):  # noqa: N818 - a way out, not an error
    """``preprocess`` asked to skip the script; ``other`` is the run to do instead."""

    def __init__(self, other: dict[str, Any]) -> None:
        self.other = other


class _ScriptRun:
    def __init__(self, session: Session, request: Request, resolved: Resolved) -> None:
        self.session = session
        self.request = request
        self.resolved = resolved
        self.script = resolved.script
        self.meta = resolved.script.meta
        self.env = resolved.env
        self.state = resolved.state
        self.module: ModuleType | None = None
        self.entry: Entry | None = None
        self.ran: list[str] = []
        self.entries: dict[str, str] = {}
        self.version = ""
        self.extra_tags: list[str] = []
        self.place = hooks.Place(self.script, session.needed_by(), session.logs)
        self.script_input: dict[str, Any] = {}
        self.record = provenance.begin(resolved, session.places, session.planner.user_env)
        self.first_record = len(session.records)
        self.sources: list[Any] = []
        self.digests: dict[str, Any] = {}

    # --- the two ways ----------------------------------------------------------------------------------------------------------
    def run(self) -> RunResult:
        if self.session.locked is not None:
            self.session.locked.admit(self.record)
        if not self.resolved.cache:
            with inside(Path.cwd()):
                result = self._work()
            self._recorded(result)
            return result
        session, options = self.session, self.request.options
        self.entry = session.cache.entry(self.script, session.planner.key(self.resolved))
        made = session.prefetcher is not None and not options.again and session.prefetcher.arrive(self.resolved, self.entry.key)
        stored = None if options.again else self._stored()
        if stored is not None:
            return self._from_cache(stored, just_created=made)
        with session.building(self.resolved, self.entry.key), session.cache.lock(self.entry, self._tell_waiting):
            session.cache.recover(self.entry)
            stored = None if options.again else self._stored()
            if stored is not None:
                return self._from_cache(stored)
            if options.only_execute_from_cache:
                what, why = f"{self.place} has no valid cache entry", "--only_execute_from_cache forbids to make one"
                raise CacheError(what, why=why, hint="leave the flag out")
            if session.prefetcher is not None:
                session.prefetcher.scan()
            if options.renew:
                self.env["CM_RENEW_CACHE_ENTRY"] = "yes"
            with session.cache.building(self.entry, keep_files=options.renew) as folder, inside(folder):
                result = self._work()
                record = self._recorded(result)
                if not result.skipped:
                    self._store(result, record)
            return result

    def _recorded(self, result: RunResult) -> provenance.Record:
        """Adds the record of this run after those of what ran for it."""
        session = self.session
        record = provenance.finish(self.record, self.env, result.new_env, result.version, self.sources, session.places, self.digests)
        if result.skipped:
            record["skipped"] = True
        session.records.append(record)
        if session.locked is not None:
            session.locked.confirm([record])
        return record

    def _tell_waiting(self) -> None:
        self.session.note(self.resolved, "another run is making this cache entry; waiting for it")

    def _stored(self) -> Stored | None:
        assert self.entry is not None
        stored = self.session.cache.load(self.entry)
        if self.session.cache.complaint:
            self.session.note(self.resolved, f"{self.session.cache.complaint}; it is rebuilt", level="warning")
        if stored is None or not self.resolved.wanted.accepts(stored.version) or not self._validated():
            return None
        return stored

    def _validated(self) -> bool:
        """Runs ``validate_cache.sh``, if the script has one, on a copy of the environment."""
        check = self.script.path / "validate_cache.sh"
        if not check.is_file():
            return True
        assert self.entry is not None
        try:
            with inside(self.entry.path):
                native.run(check, copied(self.env), copied(self.state), name=self.script.alias, interactive=False)
        except ScriptFailedError:
            return False
        return True

    def _from_cache(self, stored: Stored, *, just_created: bool = False) -> RunResult:
        assert self.entry is not None
        self.session.last_key = self.entry.key
        if self.session.locked is not None:
            self.session.locked.confirm(stored.provenance)
        self.session.records += stored.provenance
        if not just_created:
            self.session.any_hit = True
            self.session.events.emit(EntryTaken(self.script.alias, key=self.entry.key))
            self.session.note(self.resolved, f"load {self.entry.path}")
        hidden = [*LOCAL_KEYS, *self._keys("local_env_keys")]
        for kind in ("deps", "prehook_deps"):
            self._dependencies(kind, hidden, dynamic_only=True)
        merge(self.env, stored.new_env)
        merge(self.state, stored.new_state)
        self._force_const()
        for kind in ("posthook_deps", "post_deps"):
            self._dependencies(kind, [*LOCAL_KEYS, *self._keys("clean_env_keys_post_deps")], dynamic_only=True)
        result = self._result(stored.version)
        result.cached = not just_created
        result.path = self.entry.path
        result.entries = {str(self.entry.path): stored.made}
        return result

    def _work(self) -> RunResult:
        try:
            self._life()
        except _Skipped as skipped:
            return self._instead(skipped.other)
        found = str(self.env.get("CM_DETECTED_VERSION", "") or self.version or self.env.get("CM_VERSION", ""))
        self.resolved.wanted.check_found(found, self.script.alias)
        return self._result(found)

    # --- the life --------------------------------------------------------------------------------------------------------------
    def _life(self) -> None:
        hidden = [*LOCAL_KEYS, *self._keys("local_env_keys")]
        session, start = self.session, Path.cwd()
        self._remove(self._keys("clean_output_files"))
        if has_predeps(self.script) and self.env.get("CM_TMP_FAKE_RUN") != "yes":
            self.module = hooks.load(self.script, self.place)
            self._hook("predeps")
            self._force_const()
        self._dependencies("deps", hidden)
        self._force_const()
        if self.env.get("CM_TMP_FAKE_RUN") == "yes":
            self._dependencies("prehook_deps", hidden)
            return
        self.env["CM_TMP_PIP_VERSION_STRING"] = self.resolved.wanted.pip_string()
        self.module = hooks.load(self.script, self.place)
        self._remove(self._keys("clean_files"))
        outdir = str(self.env.get("CM_OUTDIRNAME") or "")
        if outdir:
            if self.request.depth == 0:
                outdir = str(Path(self.env["CM_TMP_CURRENT_PATH"], outdir))
                self.env["CM_OUTDIRNAME"] = outdir
            Path(outdir).mkdir(parents=True, exist_ok=True)
            os.chdir(outdir)
        returned = self._hook("preprocess")
        if returned.get("skip"):
            raise _Skipped(returned.get("script") or {})
        self._take(returned)
        if self.request.options.print_env:
            session.note(self.resolved, json.dumps(self.env, indent=2, sort_keys=True, default=str))
        self._dependencies("prehook_deps", hidden)
        for prefix, new in (self.meta.get("env_key_mappings") or {}).items():
            self.env.update({key.replace(prefix, new): value for key, value in list(self.env.items()) if key.startswith(prefix)})
        self._force_const()
        self._native()
        self._dependencies("posthook_deps", hidden)
        self._force_const()
        self._take(self._hook("postprocess"))
        self._dependencies("post_deps", self._keys("clean_env_keys_post_deps"))
        if not self.resolved.cache and not self.request.options.dirty:
            native.clean(Path.cwd(), tuple(self._keys("clean_files")))
        os.chdir(start)
        self._force_const()

    def _native(self) -> None:
        session, given = self.session, self.script_input
        name = str(given.get("script_name") or "").strip()
        asked = name or self.resolved.script_name
        file = native.find(Path(given.get("path") or self.script.path), self.env, asked or "run")
        if not file.is_file():
            if asked and not name:
                raise ScriptFailedError(f"{self.place} has no file {file.name}", why="its meta names it as script_name", hint=f"add {file}")
            return
        here = str(Path.cwd())
        self.env["CM_TMP_CURRENT_SCRIPT_WORK_PATH"] = here
        session.note(self.resolved, f"cd {here}", detail=True)
        session.note(self.resolved, f"call {file}")
        if session.debug_tags and session.debug_tags <= self.script.tags:
            session.note(self.resolved, f"to run it without CM: {native.keep_wrapper(file, self.env, self.state)}")
        try:
            native.run(
                file, self.env, self.state, name=self.script.alias, interactive=session.interactive, label=str(self.place),
                logs=session.logs,
            )  # fmt: skip
        except ScriptFailedError as error:
            for printed in self._keys("print_files_if_script_error"):
                if Path(printed).is_file():
                    text = Path(printed).read_text(encoding="utf-8", errors="replace")
                    session.note(self.resolved, f"{printed}:\n{text}", level="warning")
            if not self.request.options.ignore_script_error:
                raise
            session.note(self.resolved, f"{error}\n  continues because of --ignore_script_error", level="warning")

    def _hook(self, function: str) -> dict[str, Any]:
        if self.module is None or not hasattr(self.module, function):
            return {}
        self.session.note(self.resolved, f'call "{function}" from {self.module.__file__}', detail=function == "preprocess")
        if not self.script_input:
            self.script_input = hook_input.script_input(self.session, self.request, self.resolved, self.module)
        return hooks.call(self.module, function, hook_input.hook_input(self.script_input), self.place)

    def _take(self, returned: dict[str, Any]) -> None:
        self.version = str(returned.get("version") or self.version)
        self.extra_tags += [str(tag) for tag in returned.get("add_extra_cache_tags") or ()]
        self.sources += returned.get("sources") or ()
        self.digests.update(returned.get("digests") or {})

    def _instead(self, other: dict[str, Any]) -> RunResult:
        if not other:
            return RunResult({}, {}, deps=self.ran, entries=self.entries, skipped=True)
        inputs = {key: value for key, value in other.items() if key not in ("tags", "env", "action", "automation")}
        request = Request(
            tags=str(other.get("tags", "")), inputs=inputs, env=merge(self.env, other.get("env") or {}), state=self.state,
            const=self.resolved.const, const_state=self.resolved.const_state, adr=self.resolved.adr,
            needed_by=self.script.alias, depth=self.request.depth + 1,
        )  # fmt: skip
        result = run(self.session, request)
        result.skipped = True
        return result

    # --- dependencies ------------------------------------------------------------------------------------------------------------
    def _dependencies(self, kind: str, hidden_keys: list[str], *, dynamic_only: bool = False) -> None:
        deps = [dep for dep in self.resolved.lists[kind] if dep.get("tags") and (says_yes(dep, "dynamic") or not dynamic_only)]
        level, names = len(self.session.chain), (self.script.alias, *self.session.needed_by())
        frame = Frame(self.resolved, deps, self.env, self.state, hidden_keys, self.request.depth + 1, level, names, Path.cwd())
        with self.session.listing(frame):
            self._run_listed(frame, hidden_keys)
        if deps:
            expand(self.env)

    def _run_listed(self, frame: Frame, hidden_keys: list[str]) -> None:
        for index, dep in enumerate(frame.deps):
            frame.index = index
            if self.session.prefetcher is not None:
                self.session.prefetcher.check()
            if not is_enabled(dep, self.env) or (dep.get("skip_if_fake_run") and self.env.get("CM_TMP_FAKE_RUN") == "yes"):
                continue
            request = dep_request(self.resolved, dep, self.env, self.state, hidden_keys, self.request.depth + 1)
            _, hidden = visible_env(self.env, dep, hidden_keys)
            self.ran.append(request.tags)
            if self.env.get("CM_TMP_FAKE_DEPS") == "yes":
                continue
            result = run(self.session, request)
            self.entries.update(result.entries)
            merge(self.env, result.new_env)
            merge(self.state, result.new_state)
            self.env.update(hidden)
            self._force_const()

    def _force_const(self) -> None:
        self.env.update(self.resolved.const)
        merge(self.state, self.resolved.const_state)

    # --- the end -----------------------------------------------------------------------------------------------------------------
    def _result(self, version: str) -> RunResult:
        new_env = exported(self.env, self.resolved.new_env_keys)
        new_state = exported(self.state, self.resolved.new_state_keys)
        return RunResult(new_env, new_state, deps=self.ran, version=version, entries=dict(self.entries))

    def _store(self, result: RunResult, record: provenance.Record) -> None:
        assert self.entry is not None
        dependent = str(self.env.get("CM_GET_DEPENDENT_CACHED_PATH") or "")
        if dependent and (not Path(dependent).exists() or Path(dependent).samefile(self.entry.path)):
            dependent = ""
        stored = Stored(
            self._own_part(result.new_env), result.new_state, result.version, self._cache_tags(result.version), dependent, result.entries
        )
        inventory = Inventory.take(self.entry.path, self.session.cache.root)
        record["files"] |= provenance.files_of(result.new_env, self.entry.path, inventory)
        stored.provenance = self.session.records[self.first_record :]
        self.session.cache.commit(self.entry, stored, inventory)
        self.session.created.append(self.entry.path)
        self.session.last_key = self.entry.key
        if self.session.prefetcher is not None:
            self.session.prefetcher.created(self.entry.key)
        result.path = self.entry.path
        result.entries = {str(self.entry.path): stored.made}

    def _own_part(self, new_env: Env) -> Env:
        """``new_env`` without what a wildcard let through from the caller: that belongs to the caller's run, not to this result."""
        words = content_of(self.script.path).words
        own: Env = {}
        for key, value in new_env.items():
            given = self.request.env.get(key)
            if isinstance(value, list) and isinstance(given, list):
                value = [item for item in value if item not in given]
            elif key in self.request.env and given == value and key not in words:
                continue
            own[key] = value
        return own

    def _cache_tags(self, version: str) -> list[str]:
        resolved = self.resolved
        tags = [*self.script.tag_list, *(f"_{name}" for name in resolved.chosen.names), *resolved.extra_cache_tags, *self.extra_tags]
        for row in self.meta.get("extra_cache_tags_from_env") or ():
            for value in str(self.env.get(row["env"], "")).split(","):
                if value.strip():
                    tags.append(f"deps-{row.get('prefix', '')}{value.strip()}")
        return [*tags, *([f"version-{version}"] if version else [])]

    def _keys(self, name: str) -> list[str]:
        return [str(key) for key in self.meta.get(name) or ()]

    def _remove(self, names: list[str]) -> None:
        for name in names:
            if Path(name).is_file():
                Path(name).unlink()
