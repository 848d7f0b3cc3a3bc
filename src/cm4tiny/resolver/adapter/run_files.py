# SPDX-License-Identifier: Apache-2.0
"""What a finished run writes for its user: versions, a README, the environment as a shell script, and the files of ``--repro``.

Names and places are upstream's. Secrets (tokens and passwords in flags or environment) are never written.
"""

from __future__ import annotations

import json
import platform
import re
import shlex
import sys
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cm4tiny.errors import UsageError
from cm4tiny.resolver.language.host import os_info
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.language.options import CommandOptions
from cm4tiny.resolver.run.shells import shell_of

Answer = Mapping[str, Any]

_SECRET = re.compile(r"(token|password|passwd|secret|credential)", re.IGNORECASE)
_DROPPED = ("automation", "parsed_automation", "parsed_artifact", "parsed_artifacts", "run_state")


def without_secrets(tree: Any) -> Any:
    """A copy of nested dictionaries and lists in which values under names like ``gh_token`` are ``***``."""
    if isinstance(tree, Mapping):
        return {
            key: "***" if _SECRET.search(str(key)) and value and not isinstance(value, (Mapping, list)) else without_secrets(value)
            for key, value in tree.items()
        }
    if isinstance(tree, (list, tuple)):
        return [_without_secret_flag(value) if isinstance(value, str) else without_secrets(value) for value in tree]
    return tree


def _without_secret_flag(word: str) -> str:
    name, equals, _ = word.partition("=")
    return f"{name}=***" if equals and word.startswith("-") and _SECRET.search(name) else word


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {file}", why=str(error), hint="choose a folder that can be written") from error


def _write_json(file: Path, tree: Any) -> None:
    _write(file, json.dumps(without_secrets(tree), indent=2, default=str) + "\n")


def write_versions(folder: Path, version_info: list[Any]) -> None:
    """``--dump_version_info``: ``cm-run-script-versions.json`` and ``version_info.json``."""
    for name in ("cm-run-script-versions.json", "version_info.json"):
        _write_json(folder / name, version_info)


def version_lines(version_info: Iterable[Mapping[str, Any]]) -> list[str]:
    """``--print_versions``: one line per script that has a version."""
    rows = [(tags, row) for entry in version_info for tags, row in entry.items()]
    return ["Versions of dependencies:", *(f"* {tags}: {row['version']}" for tags, row in rows if row.get("version"))]


def readme(command: Iterable[str], script: Script, deps: Iterable[str], version_info: Iterable[Mapping[str, Any]]) -> str:
    """``--print_readme``: how to repeat a run, and the commands of its direct dependencies."""
    versions = {tags: str(row.get("version") or "") for entry in version_info for tags, row in entry.items()}
    typed = " ".join(["cm", *(shlex.quote(word) for word in without_secrets(list(command)))])
    lines = [f"# {script.meta.get('name') or script.alias}", "", "Written by a run of the script.", "", "## Repeat the run", ""]
    lines += ["```bash", typed, "```"]
    dep_list = list(deps)
    if dep_list:
        lines += ["", "## Run its dependencies one by one", "", "```bash"]
        for tags in dep_list:
            version = versions.get(tags, "")
            lines.append(f"cm run script --tags={tags}" + (f" --version={version}" if version else ""))
        lines.append("```")
    return "\n".join(lines) + "\n"


def write_env(folder: Path, new_env: Answer, state: Answer) -> Path:
    """``--save_env``: ``tmp-env.sh`` sets what the run found out, ``tmp-state.json`` holds the state; returns the first one."""
    shell = shell_of(os_info())
    file = folder / f"tmp-env{shell.extension}"
    prefix = [str(line) for line in state.get("script_prefix") or ()]
    _write(file, "\n".join([*os_info()["start_script"], *prefix, *shell.exports(new_env)]) + "\n")
    _write_json(folder / "tmp-state.json", state)
    return file


def leave(options: CommandOptions, command: list[str], folder: Path, script: Script, answer: Answer, version_info: list[Any]) -> list[str]:
    """Writes what the options ask for after a run of ``command`` and returns what is to be printed."""
    lines = []
    if options.print_versions:
        lines += version_lines(version_info)
    if options.print_readme:
        _write(folder / "README-cm.md", readme(command, script, answer["deps"], version_info))
        lines.append(f"{folder / 'README-cm.md'} says how to repeat this run")
    if options.dump_version_info:
        write_versions(folder, version_info)
    if options.save_env or options.shell:
        file = write_env(folder, answer["new_env"], answer["state"])
        lines.append(f"{file} sets the environment")
        if options.shell:
            _open_shell(file)
    return lines


def command_of(flags: Answer) -> list[str]:
    """The words of a command as the user typed them, without ``cm``."""
    words = flags.get("cmd")
    given = [str(word) for word in words] if isinstance(words, list) else [f"--tags={flags.get('tags', '')}"]
    return ["run", "script", *given]


def _open_shell(file: Path) -> None:
    import subprocess

    windows = shell_of(os_info()).windows
    subprocess.run(["cmd.exe", "/k", str(file)] if windows else ["bash", "-c", f". {shlex.quote(str(file))}; exec bash -i"], check=False)


class Repro:
    """``--repro``: the files ``<prefix>-input.json``, ``-info.json``, ``-output.json``, ``-run-state.json`` and ``cm-output.json``.

    Args:
        folder: the current folder.
        flags: cmind's input of the run, which is written down.
        options: the folder and the names of the files.
    """

    def __init__(self, folder: Path, flags: Answer, options: CommandOptions) -> None:
        self.folder = folder
        self.base = folder / options.repro_dir / options.repro_prefix
        self.input = {key: value for key, value in flags.items() if key not in _DROPPED}
        self.info = {
            "host_os_name": sys.platform,
            "host_system": platform.system(),
            "host_os_release": platform.release(),
            "host_machine": platform.machine(),
            "host_python_version": platform.python_version(),
            "run_uid": uuid.uuid4().hex[:16],
            "run_iso_datetime": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        for ending in ("output", "run-state"):
            self._file(ending).unlink(missing_ok=True)
        _write_json(self._file("input"), self.input)
        _write_json(self._file("info"), self.info)

    def _file(self, ending: str) -> Path:
        return self.base.with_name(f"{self.base.name}-{ending}.json")

    def finish(self, answer: Answer, version_info: list[Any], script: Script | None) -> None:
        """Writes how the run ended, also if it failed."""
        state = {"deps": answer.get("deps", []), "version_info": version_info}
        _write_json(self._file("output"), answer)
        _write_json(self._file("run-state"), state)
        merged = {tags: row for entry in version_info for tags, row in entry.items()}
        whole: dict[str, Any] = {"info": self.info, "input": self.input, "output": answer, "version_info": merged}
        whole["state"] = {"deps": state["deps"]}
        if answer.get("return") == 0:
            whole["acm_ctuning_repro_badge_available"] = whole["acm_ctuning_repro_badge_functional"] = True
            if script is not None:
                text = readme(command_of(self.input), script, answer.get("deps", []), version_info)
                _write(self.base.with_name(f"{self.base.name}-README-cm.md"), text)
        _write_json(self.folder / "cm-output.json", whole)
