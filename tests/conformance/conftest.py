# SPDX-License-Identifier: Apache-2.0
"""Upstream's engine next to ours: PyPI's cmx4mlops in a folder of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

UPSTREAM = "cmx4mlops==1.0.1"


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to put on PYTHONPATH, so that cmind finds cmx4mlops there; skips the test where the package cannot be had."""
    folder = tmp_path_factory.mktemp("upstream")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), UPSTREAM]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"{UPSTREAM} cannot be installed here: {done.stderr.strip().splitlines()[-1:]}")
    return folder
