# SPDX-License-Identifier: Apache-2.0
"""The flags of ``cm run script``: two frozen dataclasses are their schema, with kind, default and meaning of each.

:class:`RunOptions` is what one run may be asked for besides tags and environment: by a user, by a script that runs another one, or by the
entry of a dependency, where upstream takes every flag as well. :class:`CommandOptions` is for the command as a whole. Both are read once
from a dictionary of texts (:func:`parse`), by whoever makes a request; nothing below looks at texts again.

Names are upstream's. A flag that is neither here nor in the ``input_mapping`` of the script is a mistake and refused with a suggestion;
one that upstream has and this engine has not is refused as well, because ignoring it would do something else than was asked.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from cm4tiny.errors import NotAvailableError, UsageError
from cm4tiny.resolver.language.deps import merge_changes
from cm4tiny.settings import is_on

LOCK_FILE = "cm-lock.json"
"""The name of a lock file that is given as a mere yes."""


@dataclass(frozen=True)
class Option:
    """One flag: its name, what it does, and whether the engine has it."""

    name: str
    help: str
    available: bool = True


# --- kinds -----------------------------------------------------------------------------------------------------------------------------
def _text(value: Any) -> str:
    return "" if value is None or value is False else str(value).strip()


def _file(value: Any) -> str:
    return LOCK_FILE if is_on(value) else _text(value)


def _keys(value: Any) -> tuple[str, ...]:
    return tuple(str(key) for key in value or ())


def _group(value: Any) -> Mapping[str, Any]:
    return value or {}


_KINDS: dict[str, Callable[[Any], Any]] = {"switch": is_on, "text": _text, "file": _file, "keys": _keys, "changes": _group}


def _joined(kind: str, first: Any, second: Any) -> Any:
    """The value of an option that was given under two of its names."""
    return merge_changes(first, second) if kind == "changes" else first or second


def _option(kind: str, meaning: str, *others: str) -> dict[str, Any]:
    return {"kind": kind, "help": meaning, "others": others}


def _switch(meaning: str, *others: str) -> Any:
    """A flag that is on or off."""
    return field(default=False, metadata=_option("switch", meaning, *others))


def _word(meaning: str, *others: str, kind: str = "text", default: str = "") -> Any:
    """A flag with a text."""
    return field(default=default, metadata=_option(kind, meaning, *others))


def _changes(meaning: str, *others: str) -> Any:
    """A group of keys for each name of a dependency."""
    return field(default_factory=dict, metadata=_option("changes", meaning, *others))


# --- the flags -------------------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class RunOptions:
    """What one run is asked for."""

    adr: Mapping[str, Any] = _changes("--adr.NAME.KEY=V changes the dependency NAME wherever it occurs", "add_deps_recursive")
    ad: Mapping[str, Any] = _changes("--ad.NAME.KEY=V changes the direct dependency NAME", "add_deps")
    version: str = _word("the exact version to use")
    version_min: str = _word("the lowest version to accept")
    version_max: str = _word("the highest version to accept")
    version_max_usable: str = _word("the version to use if the default one is above version_max")
    new: bool = _switch("runs again in an empty folder although the result is cached")
    renew: bool = _switch("runs again inside the cached folder")
    skip_cache: bool = _switch("neither reads nor writes a cache entry of this script", "no_cache")
    force_cache: bool = _switch("caches a script that allows it (can_force_cache)")
    extra_cache_tags: str = _word("more tags for the cache entry; they are part of its key")
    only_execute_from_cache: bool = _switch("fails if the script itself is not in the cache")
    fake_run: bool = _switch("runs the dependencies and nothing of the script itself; the result is not kept", "prepare")
    fake_deps: bool = _switch("lists the dependencies instead of running them; the result is not kept")
    print_env: bool = _switch("prints the environment before the script's own work")
    ignore_script_error: bool = _switch("continues if the native script of the script itself fails")
    dirty: bool = _switch("leaves the native script's temporary files")
    force_new_env_keys: tuple[str, ...] = field(default=(), metadata=_option("keys", ""))
    force_new_state_keys: tuple[str, ...] = field(default=(), metadata=_option("keys", ""))
    env: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the environment that flags of :data:`TO_ENV` set."""

    @classmethod
    def of(cls, flags: Mapping[str, Any]) -> RunOptions:
        """The options among the flags of a request or of a dependency's entry."""
        found = parse(cls, flags)
        env = env_of_flags(flags)
        return dataclasses.replace(found, env=env) if env else found

    @property
    def again(self) -> bool:
        """A cached result is not used."""
        return self.new or self.renew

    @property
    def pretends(self) -> bool:
        """A part of the run is only pretended: its result must not be kept."""
        return self.fake_run or self.fake_deps

    @property
    def pretended_env(self) -> dict[str, str]:
        """Keys that tell scripts below what is pretended."""
        return {**({"CM_TMP_FAKE_RUN": "yes"} if self.fake_run else {}), **({"CM_TMP_FAKE_DEPS": "yes"} if self.fake_deps else {})}


@dataclass(frozen=True)
class CommandOptions:
    """What a command does besides the run."""

    quiet: bool = _switch("asks nothing; takes the first choice where there is one")
    silent: bool = _switch("prints no progress", "s")
    verbose: bool = _switch("prints more, and tracebacks", "v")
    json: bool = _switch("prints the result as JSON on standard output", "j")
    plan: bool = _switch("resolves everything and prints the tree, as JSON where that is asked for, without running anything")
    print_deps: bool = _switch("prints the commands of all dependencies down the tree")
    time: bool = _switch("prints how long each script took")
    jobs: str = _word("how many scripts may run side by side; by default as many as there are processor cores")
    scheduler: str = _word("address of a Dask scheduler (tcp://HOST:PORT) that runs cached scripts on other machines")
    lock: str = _word("--lock=FILE writes what the run used: scripts, versions, sources, host", kind="file")
    locked: str = _word("--locked=FILE runs exactly what a lock file says, or says what differs", kind="file")
    ro_crate: bool = _switch("with --lock: writes ro-crate-metadata.json next to the lock file")
    check_cache: bool = _switch("compares the digest of every file of the cache entries that are used")
    help: bool = _switch("prints what the script is for and which flags it has", "h")
    repro: bool = _switch("writes input, output, versions and host to cm-repro/ and cm-output.json")
    repro_prefix: str = _word("with --repro: how the names of the files begin (cm-run-script)", default="cm-run-script")
    repro_dir: str = _word("with --repro: another folder than cm-repro", default="cm-repro")
    print_readme: bool = _switch("writes README-cm.md: how to repeat the run")
    print_versions: bool = _switch("prints the versions that the scripts found")
    dump_version_info: bool = _switch("writes the versions to version_info.json and cm-run-script-versions.json")
    save_env: bool = _switch("writes tmp-env.sh, which sets what the run found out, and tmp-state.json")
    shell: bool = _switch("opens a shell with that environment after the run; needs a terminal")
    debug_script: bool = _switch("leaves tmp-run-without-cm.sh, which runs the native script without CM")
    debug_script_tags: str = _word("the same for the dependency with these tags")
    debug_uid: str = _word("sets CM_TMP_DEBUG_UID")
    space: bool = _switch("prints how much disk space the run took")
    pause: bool = _switch("waits for Enter at the end, on a terminal")

    @property
    def leaves_files(self) -> bool:
        """Something is written or printed after the run (:mod:`cm4tiny.resolver.adapter.run_files`)."""
        return any((self.print_versions, self.print_readme, self.dump_version_info, self.save_env, self.shell))

    @property
    def locks(self) -> bool:
        """Lock files have to do with the command."""
        return bool(self.lock or self.locked or self.ro_crate)


_GROUPS = (
    Option("tags", "tags of the script; _x asks for the variation x, -_x excludes it, -x excludes scripts with the tag x"),
    Option("env", "--env.KEY=V sets a key of the environment; the script's own env wins over it"),
    Option("const", "--const.KEY=V sets a key that nothing overwrites, in this script and in all its dependencies"),
    Option("state", "--state.KEY=V sets a key of the state"),
    Option("const_state", "like const, for the state"),
)

#: Flags that set a key of the environment: name -> key. Those of :data:`_SWITCHES` set it to ``yes``.
TO_ENV = {
    "path": "CM_TMP_PATH", "input": "CM_INPUT", "output": "CM_OUTPUT", "outdirname": "CM_OUTDIRNAME", "outbasename": "CM_OUTBASENAME",
    "name": "CM_NAME", "extra_cache_tags": "CM_EXTRA_CACHE_TAGS", "skip_compile": "CM_SKIP_COMPILE", "skip_run": "CM_SKIP_RUN",
    "accept_license": "CM_ACCEPT_LICENSE", "skip_system_deps": "CM_SKIP_SYSTEM_DEPS", "git_ssh": "CM_GIT_SSH", "gh_token": "CM_GH_TOKEN",
    "hf_token": "CM_HF_TOKEN", "skip_sys_utils": "CM_SKIP_SYS_UTILS", "skip_sudo": "CM_TMP_SKIP_SUDO",
}  # fmt: skip
_SWITCHES = frozenset({"skip_sys_utils", "skip_sudo"})
_PURPOSES = {"path": ": where to look", "outdirname": ": the folder to work in", "name": "; part of the key of the cache entry"}


def _listed(cls: type[Any]) -> Iterator[Option]:
    for given in dataclasses.fields(cls):
        if given.metadata.get("help"):
            yield Option(given.name, given.metadata["help"])
            yield from (Option(other, f"another name of {given.name}") for other in given.metadata["others"])


def _env_options() -> Iterator[Option]:
    for name, key in TO_ENV.items():
        if name != "extra_cache_tags":
            yield Option(name, f"sets {key}{_PURPOSES.get(name, '')}")


#: All flags of this engine, and those that only upstream has, by name.
OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (
        *_GROUPS,
        *_listed(RunOptions),
        *_listed(CommandOptions),
        *_env_options(),
        Option("docker_run_deps", "", available=False),
    )
}

#: Keys that cmind, not the user, puts into the input.
FROM_CMIND = frozenset(
    {
        "action", "automation", "artifact", "artifacts", "parsed_automation", "parsed_artifact", "parsed_artifacts", "cmd", "out",
        "common", "h", "ignore_inheritance", "save_to_json", "unparsed_cmd", "cm-debug", "cm_debug", "skip_write_test",
        "remembered_selections", "skip_remembered_selections", "recursion", "recursion_spaces", "run_state", "script_call_prefix",
        "control",
    }
)  # fmt: skip


# --- reading them ----------------------------------------------------------------------------------------------------------------------
T = TypeVar("T")


@lru_cache(maxsize=8)
def _table(cls: type[Any]) -> tuple[dict[str, tuple[str, str]], Any]:
    """Names of flags -> name and kind of the option, in the order of the names; and the options without any flag."""
    rows: dict[str, tuple[str, str]] = {}
    for given in dataclasses.fields(cls):
        if "kind" in given.metadata:
            rows.update(dict.fromkeys((given.name, *given.metadata["others"]), (given.name, given.metadata["kind"])))
    return rows, cls()


def parse(cls: type[T], flags: Mapping[str, Any]) -> T:
    """The options of a dataclass of this module among some flags; of two names of one option the first counts, groups are merged.

    Args:
        cls: :class:`RunOptions` or :class:`CommandOptions`.
        flags: texts, and ``True`` for a flag without a value, as cmind or a meta gives them; others are left alone.
    """
    table: Any = _table
    rows, without = table(cls)
    names = [name for name in flags if name in rows]
    if not names:
        return without  # type: ignore[no-any-return]
    found: dict[str, Any] = {}
    for name in sorted(names, key=list(rows).index) if len(names) > 1 else names:
        option, kind = rows[name]
        value = _KINDS[kind](flags[name])
        found[option] = _joined(kind, found[option], value) if option in found else value
    return cls(**{name: value for name, value in found.items() if value not in ("", None)})


def with_home(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags with ``~/`` at the beginning of a value turned into the home folder: a shell leaves ``--model=~/x`` as it is."""
    home = os.path.expanduser("~")  # noqa: PTH111 - a text, not a path
    return {
        key: home + value[1:] if isinstance(value, str) and (value == "~" or value.startswith("~/")) else value
        for key, value in flags.items()
    }


def env_of_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The environment keys that the flags of :data:`TO_ENV` set."""
    env: dict[str, Any] = {}
    for name, key in TO_ENV.items():
        value = flags.get(name)
        if name in _SWITCHES:
            value = "yes" if is_on(value) else ""
        elif isinstance(value, str):
            value = value.strip()
        if value:
            env[key] = value
    return env


def check_flags(flags: Iterable[str], own: Collection[str], script: str, suggest: Callable[[str], str] = lambda flag: "") -> None:
    """Refuses flags that nobody would read.

    Args:
        flags: names as the user gave them, dashes already turned into underscores.
        own: the flags of the script and its variations.
        script: the script's name, for the message.
        suggest: what may be meant by an unknown flag; empty if nothing comes close.

    Raises:
        UsageError: nobody knows the flag.
        NotAvailableError: upstream knows the flag and this engine does not.
    """
    for flag in flags:
        if flag in own or flag in FROM_CMIND:
            continue
        option = OPTIONS.get(flag)
        if option is None:
            listed = ", ".join(f"--{name}" for name in sorted(own)) or "none"
            raise UsageError(
                f"the flag --{flag} is unknown",
                why=f"neither the engine nor script '{script}' reads it; flags of the script: {listed}",
                hint=suggest(flag) or "leave it out, or pass a key with --env.KEY=VALUE",
            )
        if not option.available:
            raise NotAvailableError(
                f"the flag --{flag} is not available",
                why="upstream's script automation has it, this engine does not have it yet",
                hint="leave it out, or run the script with upstream's automation:\ncm run script,5b4e0237da074764",
            )
