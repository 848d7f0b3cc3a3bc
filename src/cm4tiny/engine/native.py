"""Native scripts: ``run.sh`` and its variants, sourced by bash with the environment of the run.

As upstream does it, the values are exported between double quotes, so a ``${VAR}`` in them is filled in by the shell; quotes and
backticks are escaped, which upstream forgets. ``tmp-run-env.out`` (``KEY=VALUE`` lines) and ``tmp-run-state.json``, which the script
may write into its working folder, come back into ``env`` and ``state``; a value keeps everything behind the first ``=``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cm4tiny.engine.environment import Env, merge
from cm4tiny.errors import ScriptFailedError

RUN_STATE = "tmp-run-state.json"
RUN_ENV = "tmp-run-env.out"
STATE = "tmp-state.json"
VERSION = "tmp-ver.out"
SCRATCH_FILES = (RUN_STATE, RUN_ENV, STATE, VERSION)


def find(folder: Path, env: Mapping[str, Any], name: str = "run") -> Path:
    """The most special native script for this machine; it may not exist."""
    flavor, version, platform = (str(env.get(f"CM_HOST_{part}", "")) for part in ("OS_FLAVOR", "OS_VERSION", "PLATFORM_FLAVOR"))
    endings = (f"-{flavor}-{version}-{platform}", f"-{flavor}-{platform}", f"-{flavor}-{version}", f"-{flavor}", f"-{platform}")
    for ending in endings:
        file = folder / f"{name}{ending}.sh"
        if file.is_file():
            return file
    return folder / f"{name}.sh"


def exports(env: Mapping[str, Any]) -> list[str]:
    """``export KEY="value"`` lines; ``+KEY`` puts its list in front of the variable."""
    lines = []
    for key in sorted(env):
        value, name = env[key], key
        if key.startswith("+"):
            name, separator = key[1:], ":"
            if name and not (name[0].isalnum() or name[0] == "_"):
                separator, name = name[0], name[1:]
            value = separator.join([*(str(item) for item in value), f"${{{name}}}"])
        text = str(value).replace("`", "\\`").replace('"', '\\"')
        lines.append(f'export {name}="{text}"')
    return lines


def parse_env(text: str) -> dict[str, str]:
    """The keys and values of ``tmp-run-env.out``."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip():
            found[key.strip()] = value.strip()
    return found


def clean(folder: Path, more: tuple[str, ...] = ()) -> None:
    """Removes what native scripts and this module leave in a working folder."""
    for name in (*SCRATCH_FILES, *more):
        file = folder / name
        if file.is_file():
            file.unlink()


def run(script: Path, env: Env, state: dict[str, Any], *, name: str, interactive: bool) -> None:
    """Sources ``script`` in the current folder and takes over what it wrote.

    Args:
        script: the native script.
        env, state: exported to it, and updated from what it wrote.
        name: of the CM script, for messages.
        interactive: False closes its standard input.

    Raises:
        ScriptFailedError: it returned something else than 0.
    """
    import tempfile

    here = Path.cwd()
    clean(here)
    (here / STATE).write_text(json.dumps(state, indent=2, default=str), encoding="utf-8")
    lines = ["#!/bin/bash", "", *(str(line) for line in state.get("script_prefix") or ()), *exports(env), "", f'. "{script}"', ""]
    with tempfile.TemporaryDirectory(prefix="cm4tiny-") as folder:
        wrapper = Path(folder) / "tmp-run.sh"
        wrapper.write_text("\n".join(lines), encoding="utf-8")
        status = _call(["bash", "-c", f'. "{wrapper}"'], interactive)
    if status != 0:
        why = f"{script.name} ended with exit status {status}" if status > 0 else f"{script.name} was ended by signal {-status}"
        raise ScriptFailedError(f"script '{name}' failed", why=why, cure=f"see its output above; the native script is {script}")
    _take_over(here, env, state, name)


def _take_over(here: Path, env: Env, state: dict[str, Any], name: str) -> None:
    state_file, env_file = here / RUN_STATE, here / RUN_ENV
    if state_file.is_file():
        try:
            merge(state, json.loads(state_file.read_text(encoding="utf-8")))
        except (ValueError, AttributeError) as error:
            raise ScriptFailedError(
                f"script '{name}' wrote a {RUN_STATE} that cannot be read", why=str(error), cure="its run.sh must write a JSON object"
            ) from error
    if env_file.is_file():
        merge(env, parse_env(env_file.read_text(encoding="utf-8", errors="replace")))


def _call(command: list[str], interactive: bool) -> int:
    import subprocess

    sys.stdout.flush()
    with subprocess.Popen(command, stdin=None if interactive else subprocess.DEVNULL) as process:
        try:
            return process.wait()
        except BaseException:
            end_tree(process.pid)
            raise


def end_tree(pid: int, patience_s: float = 2.0) -> None:
    """Ends a process of ours with everything it started: asks first, then insists."""
    family = [pid, *_descendants(pid)]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for member in family:
            try:
                os.kill(member, number)
            except ProcessLookupError:
                continue
        end = time.monotonic() + patience_s
        while number == signal.SIGTERM and time.monotonic() < end and any(_alive(member) for member in family):
            time.sleep(0.02)


def _stat_fields(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def _alive(pid: int) -> bool:
    fields = _stat_fields(pid)
    return bool(fields) and fields[0] != "Z"


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    try:
        numbers = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    except OSError:
        return []
    for number in numbers:
        fields = _stat_fields(number)
        if fields:
            parents.setdefault(int(fields[1]), []).append(number)
    found: list[int] = []
    todo = [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found
