# SPDX-License-Identifier: Apache-2.0
"""The command ``cm`` on a home that knows the micro-scripts (fixture ``micro``) and this project's repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from cm4tiny.paths import cm_repo


class Cm:
    """Calls ``cm`` with standard input closed; returns status, output and errors."""

    def __init__(self, micro: Any) -> None:
        self.micro = micro
        micro.home.mkdir()
        (micro.home / "repos.json").write_text(json.dumps([str(micro.root), str(cm_repo())]))
        self.env = {**os.environ, "CM_CORE_SKIP_INTERNAL_REPOS": "yes"}

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Starts the command in the current folder."""
        return subprocess.Popen(
            [sys.executable, "-m", "cmind", *arguments],
            env={**self.env, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __call__(self, *arguments: str, **env: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **env)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err
