"""Runs the ``cm`` command as a user would: a process of its own, a home of its own, standard input closed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def run_cm(
    home: Path, folder: Path, *arguments: str, env: Mapping[str, str] | None = None, timeout_s: float = 600
) -> subprocess.CompletedProcess[str]:
    """Runs ``cm`` in ``folder``; CM's files and this project's cache lie below ``home``."""
    program = Path(sys.executable).parent / "cm"
    environment = {**os.environ, "HOME": str(home), "CM_REPOS": str(home / "CM"), "CM_TINY_CACHE": str(home / "cache"), **(env or {})}
    return subprocess.run(
        [str(program), *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
