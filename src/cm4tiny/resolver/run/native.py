# SPDX-License-Identifier: Apache-2.0
"""Native scripts: ``run.sh`` and its variants, sourced by bash with the environment of the run.

How values are written for the shell is in :mod:`~cm4tiny.resolver.run.shells`. ``tmp-run-env.out`` (``KEY=VALUE`` lines) and
``tmp-run-state.json``, which the script may write into its working folder, come back into ``env`` and ``state``; a value keeps
everything after the first ``=``.

What a script prints goes into a file and from there to standard output, so that a failure can show the last lines and keep the rest.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cm4tiny.errors import ScriptFailedError
from cm4tiny.resolver.language.environment import Env, merge
from cm4tiny.resolver.language.host import os_info
from cm4tiny.resolver.run.shells import shell_of
from cm4tiny.resolver.run.signals import deferred

RUN_STATE = "tmp-run-state.json"
RUN_ENV = "tmp-run-env.out"
STATE = "tmp-state.json"
VERSION = "tmp-ver.out"
LAST_LINES = 12
_COPY_S = 0.1

SCRATCH_FILES = (RUN_STATE, RUN_ENV, STATE, VERSION)


def find(folder: Path, env: Mapping[str, Any], name: str = "run") -> Path:
    """The most special native script for this machine; it may not exist."""
    return shell_of(os_info()).find(folder, env, name)


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


def run(script: Path, env: Env, state: dict[str, Any], *, name: str, interactive: bool, label: str = "", logs: Path | None = None) -> None:
    """Sources ``script`` in the current folder and takes over what it wrote.

    Args:
        script: the native script.
        env, state: exported to it, and updated from what it wrote.
        name: of the CM script, for messages and the name of the log.
        interactive: False closes its standard input.
        label: how messages name the CM script; by default by its name.
        logs: where the output of a script that fails is kept; None keeps none.

    Raises:
        ScriptFailedError: it returned something else than 0.
    """
    from cm4tiny.scratch import scratch_folder

    here = Path.cwd()
    clean(here)
    (here / STATE).write_text(json.dumps(state, indent=2, default=str), encoding="utf-8")
    shell = shell_of(os_info())
    with scratch_folder("native") as folder:
        wrapper, output = folder / f"tmp-run{shell.extension}", folder / "output"
        wrapper.write_text(shell.wrapper(script, env, _prefix(state)), encoding="utf-8", newline="")
        status = _call(shell.command(wrapper), interactive, output)
        if status != 0:
            raise _failure(label or f"script '{name}'", script, status, output, _kept(output, logs, name))
    _take_over(here, env, state, name)


def _failure(label: str, script: Path, status: int, output: Path, log: Path | None) -> ScriptFailedError:
    how = f"ended with exit status {status}" if status > 0 else f"was ended by signal {-status}"
    lines = output.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
    why = [f"{script.name} {how}", f"  command: . {script}", f"  folder: {Path.cwd()}"]
    if lines:
        why += ["  last lines of its output:", *(f"  | {line}" for line in lines)]
    hint = f"see its output in {log}" if log else "see its output above"
    return ScriptFailedError(f"{label} failed", why="\n".join(why), hint=f"{hint}; the native script is {script}")


def _kept(output: Path, logs: Path | None, name: str) -> Path | None:
    """The output of a script that failed, where it stays."""
    if logs is None:
        return None
    file = logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{name}.out"
    try:
        logs.mkdir(parents=True, exist_ok=True)
        import shutil

        shutil.copyfile(output, file)
    except OSError:
        return None
    return file


def _prefix(state: Mapping[str, Any]) -> list[str]:
    return [str(line) for line in state.get("script_prefix") or ()]


def keep_wrapper(script: Path, env: Env, state: Mapping[str, Any]) -> Path:
    """Writes what starts ``script`` into the current folder, to be run by hand, and returns the file."""
    shell = shell_of(os_info())
    file = Path.cwd() / f"tmp-run-without-cm{shell.extension}"
    file.write_text(shell.wrapper(script, env, _prefix(state)), encoding="utf-8", newline="")
    file.chmod(0o755)
    return file


def _take_over(here: Path, env: Env, state: dict[str, Any], name: str) -> None:
    state_file, env_file = here / RUN_STATE, here / RUN_ENV
    if state_file.is_file():
        try:
            merge(state, json.loads(state_file.read_text(encoding="utf-8")))
        except (ValueError, AttributeError) as error:
            raise ScriptFailedError(
                f"script '{name}' wrote a {RUN_STATE} that cannot be read", why=str(error), hint="its run.sh must write a JSON object"
            ) from error
    if env_file.is_file():
        merge(env, parse_env(env_file.read_text(encoding="utf-8", errors="replace")))


def _call(command: list[str], interactive: bool, output: Path) -> int:
    """Runs a command and returns its status; what it prints is copied to standard output while it runs."""
    import subprocess

    sys.stdout.flush()
    process = None
    with output.open("wb") as target, output.open("rb") as source:
        try:
            with deferred():
                process = subprocess.Popen(command, stdin=None if interactive else subprocess.DEVNULL, stdout=target, stderr=target)
            wait = _waiter(process)
            while not wait(_COPY_S):
                print_bytes(source.read())
            print_bytes(source.read())
            return process.wait()
        except BaseException:
            if process is not None:
                end_tree(process.pid)
                process.wait()
            raise


def _waiter(process: Any) -> Callable[[float], bool]:
    """A function that waits some seconds for the end of a process; True when it came."""
    import subprocess

    if hasattr(os, "pidfd_open"):
        try:
            number = os.pidfd_open(process.pid)
        except OSError:
            pass
        else:

            def ended(seconds: float) -> bool:
                if not select.select([number], [], [], seconds)[0]:
                    return False
                os.close(number)
                return True

            return ended

    def polled(seconds: float) -> bool:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    return polled


def print_bytes(data: bytes) -> None:
    """Writes bytes to standard output, whatever stands for it."""
    if not data:
        return
    stream: Any = sys.stdout
    raw = getattr(stream, "buffer", None)
    stream.flush()
    if raw is None:
        stream.write(data.decode("utf-8", errors="replace"))
    else:
        raw.write(data)
    stream.flush()


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
