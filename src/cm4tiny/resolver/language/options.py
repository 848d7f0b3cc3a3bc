"""The flags of ``cm run script`` as a table: what each means, and which ones this engine has.

Names are upstream's. A flag that is neither here nor in the ``input_mapping`` of the script is a mistake and refused with a suggestion;
one that upstream has and this engine has not is refused as well, because ignoring it would do something else than was asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cm4tiny.errors import NotAvailableError, UsageError
from cm4tiny.settings import is_on


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
        Option("plan", "resolves everything and prints the tree (with --j as JSON) without running anything"),
        Option("print_deps", "prints the commands of all dependencies down the tree"),
        Option("print_env", "prints the environment before the script's own work"),
        Option("time", "prints how long each script took"),
        Option("jobs", "how many scripts may run side by side; by default as many as there are processor cores"),
        Option("scheduler", "address of a Dask scheduler (tcp://HOST:PORT) that runs cached scripts on other machines"),
        Option("lock", "--lock=FILE writes what the run used: scripts, versions, sources, host"),
        Option("locked", "--locked=FILE runs exactly what a lock file says, or says what differs"),
        Option("ro_crate", "with --lock: writes ro-crate-metadata.json next to the lock file"),
        Option("check_cache", "compares the digest of every file of the cache entries that are used"),
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
        Option("fake_run", "runs the dependencies and nothing of the script itself; the result is not kept"),
        Option("prepare", "another name of fake_run"),
        Option("fake_deps", "lists the dependencies instead of running them; the result is not kept"),
        Option("repro", "writes input, output, versions and host to cm-repro/ and cm-output.json"),
        Option("repro_prefix", "with --repro: how the names of the files begin (cm-run-script)"),
        Option("repro_dir", "with --repro: another folder than cm-repro"),
        Option("print_readme", "writes README-cm.md: how to repeat the run"),
        Option("print_versions", "prints the versions that the scripts found"),
        Option("dump_version_info", "writes the versions to version_info.json and cm-run-script-versions.json"),
        Option("save_env", "writes tmp-env.sh, which sets what the run found out, and tmp-state.json"),
        Option("shell", "opens a shell with that environment after the run; needs a terminal"),
        Option("debug_script", "leaves tmp-run-without-cm.sh, which runs the native script without CM"),
        Option("debug_script_tags", "the same for the dependency with these tags"),
        Option("debug_uid", "sets CM_TMP_DEBUG_UID"),
        Option("only_execute_from_cache", "fails if the script itself is not in the cache"),
        Option("ignore_script_error", "continues if the native script of the script itself fails"),
        Option("dirty", "leaves the native script's temporary files"),
        Option("space", "prints how much disk space the run took"),
        Option("pause", "waits for Enter at the end, on a terminal"),
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

#: Flags that become ``CM_<NAME>``; ``path`` becomes ``CM_TMP_PATH``.
TO_ENV = (
    "input", "output", "outdirname", "outbasename", "name", "extra_cache_tags", "skip_compile", "skip_run", "accept_license",
    "skip_system_deps", "git_ssh", "gh_token", "hf_token",
)  # fmt: skip


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
                cure=suggest(flag) or "leave it out, or pass a key with --env.KEY=VALUE",
            )
        if not option.available:
            raise NotAvailableError(
                f"the flag --{flag} is not available",
                why="upstream's script automation has it, this engine does not have it yet",
                cure="leave it out, or run the script with upstream's automation:\ncm run script,5b4e0237da074764",
            )
