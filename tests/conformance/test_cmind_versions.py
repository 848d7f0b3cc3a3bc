# SPDX-License-Identifier: Apache-2.0
"""The oldest cmind that this package accepts; the newest one is what every other test uses (requirements/run.txt pins it)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from support.cm_command import run_cm

ROOT = Path(__file__).parents[2]
AS_TYPED = [
    f"tests/unit/resolver/test_resolver_{name}.py"
    for name in ("command", "actions", "execution_command", "output", "utils", "methods", "suggestions")
]
"""The tests that go through cmind."""


def accepted() -> SpecifierSet:
    found = re.search(r'"cmind([^"]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert found is not None
    return SpecifierSet(found[1])


def end(operator: str) -> str:
    return next(part.version for part in accepted() if part.operator == operator)


@pytest.fixture(scope="module")
def oldest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to put on PYTHONPATH that holds the oldest cmind."""
    folder = tmp_path_factory.mktemp("cmind")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), f"cmind=={end('>=')}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"the oldest cmind cannot be installed here: {done.stderr.strip().splitlines()[-1:]}")
    return folder


def test_the_newest_version_of_the_range_is_the_one_that_is_tested_here() -> None:
    running = version("cmind")
    assert accepted().contains(running)
    assert end("<") == f"4.{int(running.split('.')[1]) + 1}", "a newer cmind came out: widen the range once it is tested"


@pytest.fixture
def cm(oldest: Path, tmp_path: Path) -> Any:
    """``cm`` with the oldest cmind, in a home that knows this checkout."""
    env = {"PYTHONPATH": os.pathsep.join([str(oldest), str(ROOT / "src")])}
    code = "import cmind; print(cmind.__version__)"
    asked = subprocess.run([sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == end(">=")
    done = run_cm(tmp_path, tmp_path, "add", "repo", f"--path={ROOT}", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return lambda *arguments: run_cm(tmp_path, tmp_path, *arguments, env=env)


def test_the_oldest_cmind_runs_finds_and_caches(cm: Any, tmp_path: Path) -> None:
    done = cm("run", "script", "--tags=get,tiny,toolchain", "--j")
    assert done.returncode == 0 and "CM_TINY_TOOLCHAIN_KIND" in done.stdout, done.stdout + done.stderr
    assert "get-tiny-toolchain" in cm("show", "cache", "--tags=get,tiny,toolchain").stdout
    assert cm("find", "script", "--tags=reproduce,mlperf,tiny").stdout.strip().endswith("reproduce-mlperf-tiny")
    assert "compile-mlperf-tiny-firmware" in cm("run", "tinyscript", "--tags=reproduce,mlperf,tiny", "--plan").stdout


def test_the_oldest_cmind_refuses_what_the_newest_does(cm: Any) -> None:
    assert cm("run", "script", "--tags=get,tiny,toolchain").returncode == 0
    for arguments in (("run", "script", "--tags=get,tiny,toolchain", "--toolchian=zig"), ("rm", "cache", "-f", "--plan")):
        done = cm(*arguments)
        assert done.returncode == 1 and "is unknown" in done.stderr, done.stdout + done.stderr
    assert "get-tiny-toolchain" in cm("show", "cache").stdout


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_test_that_goes_through_cmind_passes_with_the_oldest(oldest: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(oldest), str(ROOT / "src")])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'base'}", *AS_TYPED]
    done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
