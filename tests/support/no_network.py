# SPDX-License-Identifier: Apache-2.0
"""A machine without a network: every attempt to use it fails and is written down, in this process and in those that it starts."""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_SITE = """
import os, socket

def _refuse(*arguments, **options):
    with open(os.environ["NETWORK_LOG"], "a") as log:
        log.write(f"python: {arguments[1:] or arguments}\\n")
    raise OSError(101, "Network is unreachable")

for name in ("connect", "connect_ex"):
    setattr(socket.socket, name, _refuse)
socket.getaddrinfo = _refuse
"""
_REFUSE = """#!/bin/sh
echo "$0 $*" >> "$NETWORK_LOG"
exit 1
"""
_GIT = """#!/bin/sh
case " $* " in *" fetch "*|*" clone "*|*" ls-remote "*) echo "git $*" >> "$NETWORK_LOG"; exit 1;; esac
exec {git} "$@"
"""
PROGRAMS = ("apt-get", "curl", "wget", "conda")


class NoNetwork:
    """What was attempted."""

    def __init__(self, log: Path) -> None:
        self.log = log

    @property
    def attempts(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.is_file() else []


@contextmanager
def no_network(folder: Path, monkeypatch: pytest.MonkeyPatch, *, tools: tuple[str, ...] = ()) -> Iterator[NoNetwork]:
    """Within the block the network is away.

    Args:
        folder: for the log and the stand-ins of programs.
        tools: programs that are found besides the shell's basic ones; compilers are not.
    """
    import shutil

    programs, site, log = folder / "programs", folder / "site", folder / "network.log"
    programs.mkdir()
    refusing_site(site)
    for name in PROGRAMS:
        _program(programs / name, _REFUSE)
    git = shutil.which("git")
    if git:
        _program(programs / "git", _GIT.format(git=git))
    for name in ("sh", "bash", "env", "uname", "dirname", "cat", "rm", "mkdir", "ls", *tools):
        found = shutil.which(name)
        if found:
            (programs / name).symlink_to(found)

    def refuse(*arguments: Any, **options: Any) -> Any:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"this process: {arguments[1:]}\n")
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("NETWORK_LOG", str(log))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), *(path for path in sys.path if path)]))
    for name in ("CM_TINY_MIRROR", "CM4TINY_UPSTREAM", "PIP_FIND_LINKS", "CC"):
        monkeypatch.delenv(name, raising=False)
    yield NoNetwork(log)


def refusing_site(folder: Path) -> None:
    """Makes a folder for PYTHONPATH, with which a Python refuses to connect and writes each attempt to the file ``NETWORK_LOG``."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SITE)


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
