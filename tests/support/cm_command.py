# SPDX-License-Identifier: Apache-2.0
"""Runs the ``cm`` command as a user would: a process of its own, a home of its own, standard input closed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def _command(home: Path, arguments: tuple[str, ...], env: Mapping[str, str] | None) -> tuple[list[str], dict[str, str]]:
    program = Path(sys.executable).parent / "cm"
    environment = {**os.environ, "HOME": str(home), "CM_REPOS": str(home / "CM"), "CM_TINY_CACHE": str(home / "cache"), **(env or {})}
    return [str(program), *arguments], environment


def run_cm(
    home: Path, folder: Path, *arguments: str, env: Mapping[str, str] | None = None, timeout_s: float = 600
) -> subprocess.CompletedProcess[str]:
    """Runs ``cm`` in ``folder``; CM's files and this project's cache lie below ``home``."""
    command, environment = _command(home, arguments, env)
    return subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
    )


def start_cm(home: Path, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Starts ``cm`` and returns the process, its output and errors in one stream."""
    command, environment = _command(home, arguments, None)
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
