# SPDX-License-Identifier: Apache-2.0
"""What several test folders share: where ``../shared`` lies, and CM in a home of its own."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.cm_command import run_cm
from support.durations import LONG_S, slowest_first, unmarked

import cm4tiny

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
MARKS = {
    "hardware": "needs a board: pytest -m hardware",
    "long": "takes minutes: pytest -m long",
    "network": "reaches registries and public repositories: pytest -m network",
}


def pytest_configure() -> None:
    """The tests do not depend on how they were started.

    A shell starts what runs in the background with SIGINT ignored, and a child inherits that: tests of Ctrl-C would wait for ever. And
    tests of a checkout test the checkout: with a copy in site-packages in front of it, an error in the checkout would go unnoticed.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    tested = Path(cm4tiny.__file__).resolve().parent
    if tested != ROOT / "src" / "cm4tiny":
        raise pytest.UsageError(
            f"the tests would import {tested}, not this checkout; install the checkout editable: pip install -e '.[dev]' (CONTRIBUTING.md)"
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests with one of these marks run only when asked for with ``-m``."""
    asked = config.option.markexpr
    for mark, how in MARKS.items():
        if mark not in asked:
            for item in items:
                if item.get_closest_marker(mark):
                    item.add_marker(pytest.mark.skip(reason=how))
    slowest_first(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names tests that took long without saying so; on a busy machine there are more of them."""
    if lines := unmarked(terminalreporter.getreports("passed") + terminalreporter.getreports("failed")):
        terminalreporter.section(f"more than {LONG_S:g} s without the mark 'long'")
        terminalreporter.write_line("\n".join(lines))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of official models and replay data next to the checkout; skips the test where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared (official models and inputs) next to the checkout")
    return SHARED


Cm = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def cm_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh home with this checkout registered."""
    home = tmp_path_factory.mktemp("home")
    done = run_cm(home, home, "add", "repo", f"--path={ROOT}")
    assert done.returncode == 0, done.stdout + done.stderr
    return home


@pytest.fixture
def cm(cm_home: Path, tmp_path: Path) -> Cm:
    """``cm(...)`` runs the cm command in a fresh working directory, standard input closed, home shared by the session's tests."""

    def run(*arguments: str, env: Mapping[str, str] | None = None, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
        return run_cm(cm_home, tmp_path, *arguments, env=env, timeout_s=timeout_s)

    return run
