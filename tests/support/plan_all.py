# SPDX-License-Identifier: Apache-2.0
"""``python -m support.plan_all COMMAND ...``: plans each cm command in one process and prints those that cannot be planned."""

from __future__ import annotations

import contextlib
import io
import shlex
import sys

from cmind.cli import run


def failure(command: str) -> str:
    """What ``command --plan`` printed if it failed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            run([*shlex.split(command)[1:], "--plan"])
        except SystemExit as ended:
            return f"{command}\n{printed.getvalue()}" if ended.code else ""
    return ""


if __name__ == "__main__":
    failures = [found for found in map(failure, sys.argv[1:]) if found]
    print("\n".join(failures), end="")
    sys.exit(bool(failures))
