# SPDX-License-Identifier: Apache-2.0
"""Other engines next to ours: PyPI's cmx4mlops and mlcflow, in folders of their own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

UPSTREAM = "cmx4mlops==1.0.1"
MLCFLOW = "mlcflow==1.3.8"


def installed_into(folder: Path, *arguments: str) -> Path:
    """A folder that pip filled; skips the test where the packages cannot be had."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"{arguments[-1]} cannot be installed here: {done.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to put on PYTHONPATH, so that cmind finds cmx4mlops there; skips the test where the package cannot be had."""
    return installed_into(tmp_path_factory.mktemp("upstream"), "--no-deps", UPSTREAM)


@pytest.fixture(scope="session")
def mlcflow_packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Folders to put on PYTHONPATH, so that MLCFlow is found: none where it is installed (the extra ``mlc``, part of ``test``)."""
    if importlib.util.find_spec("mlc") is not None:
        return ()
    return (installed_into(tmp_path_factory.mktemp("mlcflow"), MLCFLOW),)
