# SPDX-License-Identifier: Apache-2.0
"""This project's scripts under upstream's engine, cmind with PyPI's cmx4mlops next to this project. The main job: test_front_ends.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cm_command import run_cm

import cm4tiny

UPSTREAM_ENGINE = "script,5b4e0237da074764"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(upstream: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    if not (Path(cm4tiny.__file__).parent / "repo").is_dir():
        done = run_cm(home, home, "add", "repo", f"--path={ROOT}", env={"PYTHONPATH": str(upstream)})
        assert done.returncode == 0, done.stdout + done.stderr
    return home


def test_an_error_keeps_its_hint_under_upstreams_engine(upstream: Path, home: Path, tmp_path: Path) -> None:
    tags = "--tags=reproduce,mlperf,tiny,cm4tiny,_kws,_NUCLEO"
    done = run_cm(home, tmp_path, "run", UPSTREAM_ENGINE, tags, env={"PYTHONPATH": str(upstream)})
    assert done.returncode != 0
    assert "hint: connect the board" in done.stdout + done.stderr


def test_beside_upstream_tinyscript_means_this_projects_step(upstream: Path, home: Path, tmp_path: Path) -> None:
    done = run_cm(home, tmp_path, "run", "tinyscript", "--tags=get,mlperf,tiny,model,_kws", "--j", env={"PYTHONPATH": str(upstream)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "emb_kws01" in done.stdout
