# SPDX-License-Identifier: Apache-2.0
"""How values and native scripts are written for a shell: bash, and ``cmd.exe`` of Windows.

As upstream does it, values are exported between double quotes, so a ``${VAR}`` in them is filled in by the shell and a quote that the
value already escapes (``\\"``) stays one. Everything else that the shell would act on is made literal: quotes, backticks, ``$(...)`` and
backslashes. A value can therefore never run a command, whoever made it.

The part for ``cmd.exe`` follows upstream's templates. Its texts are tested; it has never run on Windows.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BASH_TOKEN = re.compile(r'\\[\\$"`]|\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\})|[\\$"`]', re.DOTALL)


def quoted_for_bash(text: str) -> str:
    """A value between double quotes: ``$NAME``, ``${NAME}`` and what is escaped already stay, the rest is literal."""
    return '"' + _BASH_TOKEN.sub(lambda found: found[0] if len(found[0]) > 1 else f"\\{found[0]}", text.replace("\0", "")) + '"'


def quoted_for_cmd(text: str) -> str:
    """A value for ``set "KEY=VALUE"``: one line, without the quotes that would end it; ``%NAME%`` is filled in."""
    return re.sub(r"[\0\r\n\"]+", " ", text)


@dataclass(frozen=True)
class Shell:
    """A family of shells.

    Args:
        extension: of native scripts.
        separator: between the parts of a ``+KEY`` variable.
    """

    extension: str
    separator: str

    @property
    def windows(self) -> bool:
        """True for ``cmd.exe``."""
        return self.extension == ".bat"

    def find(self, folder: Path, env: Mapping[str, Any], name: str = "run") -> Path:
        """The most special native script for this machine; it may not exist. Windows knows only ``run.bat``."""
        if not self.windows:
            flavor, version, platform = (str(env.get(f"CM_HOST_{part}", "")) for part in ("OS_FLAVOR", "OS_VERSION", "PLATFORM_FLAVOR"))
            endings = (f"-{flavor}-{version}-{platform}", f"-{flavor}-{platform}", f"-{flavor}-{version}", f"-{flavor}", f"-{platform}")
            for ending in endings:
                file = folder / f"{name}{ending}{self.extension}"
                if file.is_file():
                    return file
        return folder / f"{name}{self.extension}"

    def exports(self, env: Mapping[str, Any]) -> list[str]:
        """One line per key that can be a variable; ``+KEY`` puts its list in front of the variable."""
        lines = []
        for key in sorted(env):
            value, name = env[key], key
            if key.startswith("+"):
                name, separator = key[1:], self.separator
                if name and not (name[0].isalnum() or name[0] == "_"):
                    separator, name = name[0], name[1:]
                old = f"%{name}%" if self.windows else f"${{{name}}}"
                value = separator.join([*(str(item) for item in value), old])
            if _NAME.fullmatch(name):
                text = str(value)
                lines.append(f'set "{name}={quoted_for_cmd(text)}"' if self.windows else f"export {name}={quoted_for_bash(text)}")
        return lines

    def wrapper(self, script: Path, env: Mapping[str, Any], prefix: Iterable[str] = ()) -> str:
        """The text of a file that exports ``env`` and calls ``script``; ``prefix`` are lines that the state asks for."""
        if self.windows:
            return "\r\n".join(["@echo off", "", *prefix, *self.exports(env), "", f'call "{script}"', ""])
        return "\n".join(["#!/bin/bash", "", *prefix, *self.exports(env), "", f". {shlex.quote(str(script))}", ""])

    def command(self, wrapper: Path) -> list[str]:
        """The command that runs such a file."""
        if self.windows:
            return ["cmd.exe", "/d", "/c", "call", str(wrapper)]
        return ["bash", "-c", f". {shlex.quote(str(wrapper))}"]


BASH = Shell(".sh", ":")
CMD = Shell(".bat", ";")


def shell_of(host: Mapping[str, Any]) -> Shell:
    """The shell for a machine, from its ``os_info``."""
    return CMD if host.get("bat_ext") == CMD.extension else BASH
