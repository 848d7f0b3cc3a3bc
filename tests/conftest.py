"""What several test folders share: where ``../shared`` lies, and CM in a home of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.cm_command import run_cm

import cm4tiny

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked hardware, long or upstream run only when asked for with ``-m``."""
    asked = config.option.markexpr
    for mark, how in (("hardware", "needs a board: pytest -m hardware"), ("long", "takes minutes: pytest -m long")):
        if mark not in asked:
            for item in items:
                if item.get_closest_marker(mark):
                    item.add_marker(pytest.mark.skip(reason=how))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of official models and replay data beside the checkout; skips the test where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared (official models and inputs) beside the checkout")
    return SHARED


Cm = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def cm_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh home with this repository registered: by pip if it was installed so, else by path."""
    home = tmp_path_factory.mktemp("home")
    if not (Path(cm4tiny.__file__).parent / "repo").is_dir():
        done = run_cm(home, home, "add", "repo", f"--path={ROOT}")
        assert done.returncode == 0, done.stdout + done.stderr
    return home


@pytest.fixture
def cm(cm_home: Path, tmp_path: Path) -> Cm:
    """``cm(...)`` runs the cm command in a fresh working directory, standard input closed, home shared by the session's tests."""

    def run(*arguments: str, env: Mapping[str, str] | None = None, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
        return run_cm(cm_home, tmp_path, *arguments, env=env, timeout_s=timeout_s)

    return run
