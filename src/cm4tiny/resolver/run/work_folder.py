# SPDX-License-Identifier: Apache-2.0
"""The current folder of the process: scripts run inside it, so it is changed and given back with care."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Works in a folder and comes back, whatever happens."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
