"""The flags of ``cm run script`` as a table: what each means, and which ones this engine has.

Names are upstream's. A flag that is neither here nor in the ``input_mapping`` of the script is a mistake and refused with a suggestion;
one that upstream has and this engine has not is refused as well, because ignoring it would do something else than was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cm4tiny.errors import NotAvailableError, UsageError, nearest


@dataclass(frozen=True)
class Option:
    """One flag: its name, what it does, and whether the engine has it."""

    name: str
    help: str
    available: bool = True


OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (
        Option("tags", "tags of the script; _x asks for the variation x, -_x excludes it, -x excludes scripts with the tag x"),
        Option("env", "--env.KEY=V sets a key of the environment; the script's own env wins over it"),
        Option("const", "--const.KEY=V sets a key that nothing overwrites, in this script and in all its dependencies"),
        Option("state", "--state.KEY=V sets a key of the state"),
        Option("const_state", "like const, for the state"),
        Option("adr", "--adr.NAME.KEY=V changes the dependency NAME wherever it occurs"),
        Option("add_deps_recursive", "the long name of adr"),
        Option("ad", "--ad.NAME.KEY=V changes the direct dependency NAME"),
        Option("add_deps", "the long name of ad"),
        Option("version", "the exact version to use"),
        Option("version_min", "the lowest version to accept"),
        Option("version_max", "the highest version to accept"),
        Option("version_max_usable", "the version to use if the default one is above version_max"),
        Option("new", "runs again in an empty folder although the result is cached"),
        Option("renew", "runs again inside the cached folder"),
        Option("skip_cache", "neither reads nor writes a cache entry of this script"),
        Option("no_cache", "another name of skip_cache"),
        Option("force_cache", "caches a script that allows it (can_force_cache)"),
        Option("extra_cache_tags", "more tags for the cache entry; they are part of its key"),
        Option("quiet", "asks nothing; takes the first choice where there is one"),
        Option("silent", "prints no progress"),
        Option("s", "short for silent"),
        Option("verbose", "prints more, and tracebacks"),
        Option("v", "short for verbose"),
        Option("j", "prints the result as JSON on standard output"),
        Option("json", "long for j"),
        Option("print_deps", "prints the direct dependencies"),
        Option("print_env", "prints the environment before the script's own work"),
        Option("time", "prints how long each script took"),
        Option("path", "sets CM_TMP_PATH: where to look"),
        Option("input", "sets CM_INPUT"),
        Option("output", "sets CM_OUTPUT"),
        Option("outdirname", "sets CM_OUTDIRNAME: the folder to work in"),
        Option("outbasename", "sets CM_OUTBASENAME"),
        Option("name", "sets CM_NAME; part of the key of the cache entry"),
        Option("skip_compile", "sets CM_SKIP_COMPILE"),
        Option("skip_run", "sets CM_SKIP_RUN"),
        Option("accept_license", "sets CM_ACCEPT_LICENSE"),
        Option("skip_system_deps", "sets CM_SKIP_SYSTEM_DEPS"),
        Option("git_ssh", "sets CM_GIT_SSH"),
        Option("gh_token", "sets CM_GH_TOKEN"),
        Option("hf_token", "sets CM_HF_TOKEN"),
        Option("skip_sys_utils", "sets CM_SKIP_SYS_UTILS"),
        Option("skip_sudo", "sets CM_TMP_SKIP_SUDO"),
        Option("help", "prints what the script is for and which flags it has"),
        Option("fake_run", "", available=False),
        Option("fake_deps", "", available=False),
        Option("prepare", "", available=False),
        Option("repro", "", available=False),
        Option("repro_prefix", "", available=False),
        Option("repro_dir", "", available=False),
        Option("print_readme", "", available=False),
        Option("print_versions", "", available=False),
        Option("dump_version_info", "", available=False),
        Option("save_env", "", available=False),
        Option("shell", "", available=False),
        Option("debug", "", available=False),
        Option("debug_script", "", available=False),
        Option("debug_script_tags", "", available=False),
        Option("debug_uid", "", available=False),
        Option("only_execute_from_cache", "", available=False),
        Option("ignore_script_error", "", available=False),
        Option("docker_run_deps", "", available=False),
        Option("space", "", available=False),
        Option("pause", "", available=False),
        Option("dirty", "", available=False),
    )
}

#: Keys that cmind, not the user, puts into the input.
FROM_CMIND = frozenset(
    {
        "action", "automation", "artifact", "artifacts", "parsed_automation", "parsed_artifact", "parsed_artifacts", "cmd", "out",
        "common", "h", "ignore_inheritance", "save_to_json", "unparsed_cmd", "cm-debug", "cm_debug", "skip_write_test",
        "remembered_selections", "skip_remembered_selections", "recursion", "recursion_spaces", "run_state", "script_call_prefix",
    }
)  # fmt: skip

#: Flags that become ``CM_<NAME>``; ``path`` becomes ``CM_TMP_PATH``.
TO_ENV = (
    "input", "output", "outdirname", "outbasename", "name", "extra_cache_tags", "skip_compile", "skip_run", "accept_license",
    "skip_system_deps", "git_ssh", "gh_token", "hf_token",
)  # fmt: skip


def is_on(value: Any) -> bool:
    """True for a flag that was given without a value or with a yes-word."""
    return value is True or str(value).lower() in {"true", "yes", "on", "1"}


def env_of_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The environment keys that the flags of :data:`TO_ENV` set."""
    env: dict[str, Any] = {}
    path = str(flags.get("path") or "").strip()
    if path:
        env["CM_TMP_PATH"] = path
    for name in TO_ENV:
        value = flags.get(name)
        if isinstance(value, str):
            value = value.strip()
        if value:
            env[f"CM_{name.upper()}"] = value
    if is_on(flags.get("skip_sys_utils", "")):
        env["CM_SKIP_SYS_UTILS"] = "yes"
    if is_on(flags.get("skip_sudo", "")):
        env["CM_TMP_SKIP_SUDO"] = "yes"
    return env


def check_flags(flags: Iterable[str], mapped: Iterable[str], script: str) -> None:
    """Refuses flags that nobody would read.

    Args:
        flags: names as the user gave them, dashes already turned into underscores.
        mapped: the flags of the script's ``input_mapping``, and its variations'.
        script: the script's name, for the message.

    Raises:
        UsageError: nobody knows the flag.
        NotAvailableError: upstream knows the flag and this engine does not.
    """
    own = set(mapped)
    for flag in flags:
        if flag in own or flag in FROM_CMIND:
            continue
        option = OPTIONS.get(flag)
        if option is None:
            listed = ", ".join(f"--{name}" for name in sorted(own)) or "none"
            known = own.union(name for name, option in OPTIONS.items() if option.available)
            suggestion = nearest(f"--{flag}", sorted(f"--{name}" for name in known), count=1)
            raise UsageError(
                f"the flag --{flag} is unknown",
                why=f"neither the engine nor script '{script}' reads it; flags of the script: {listed}",
                cure=suggestion or "leave it out, or pass a key with --env.KEY=VALUE",
            )
        if not option.available:
            raise NotAvailableError(
                f"the flag --{flag} is not available",
                why="upstream's script automation has it, this engine does not have it yet",
                cure="leave it out, or run the script with upstream's automation: cm run script,5b4e0237da074764",
            )
