# SPDX-License-Identifier: Apache-2.0
"""This project's repository next to upstream's: registered in either order, cmind's index on and off, and upstream from pip.

``tinyscript`` and ``cm4tiny:script`` must mean this engine everywhere. Where bare ``script`` means upstream's engine, this project's step
must still be the one that runs, or the user must be told how to choose; nothing may wait for an answer.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from support.cm_command import run_cm

ROOT = Path(__file__).parents[2]
MAIN_STEP = "--tags=reproduce,mlperf,tiny"
#: The main step for the engine without work: its dependencies are named and not run.
DRY = ("--fake_run", "--fake_deps", "--print_deps")
OURS = "get,tiny,board,cm4tiny"

#: Of upstream's scripts, those that share tags with ours, and two that both engines run; the rest would only cost time without the index.
KEPT = ("reproduce-mlperf-octoml-tinyml-results", "flash-tinyml-binary", "get-microtvm", "detect-os", "test-dummy")


@pytest.fixture(scope="module")
def upstream_checkout(upstream: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Upstream's repository with few scripts, to be registered by path."""
    source = upstream / "cmx4mlops" / "repo"
    target = tmp_path_factory.mktemp("checkout")
    shutil.copytree(source / "automation", target / "automation", ignore=shutil.ignore_patterns("__pycache__"))
    for name in KEPT:
        shutil.copytree(source / "script" / name, target / "script" / name)
    shutil.copy(source.parent / "cmr.yaml", target / "cmr.yaml")
    (target / "cmr.yaml").write_text((target / "cmr.yaml").read_text().replace("prefix: repo", ""))
    return target


def home_with(folder: Path, *repositories: Path) -> Path:
    """A home that knows only these repositories."""
    for repository in repositories:
        done = run_cm(folder, folder, "add", "repo", f"--path={repository}", env={"CM_CORE_SKIP_INTERNAL_REPOS": "yes"})
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module", params=["upstream first", "this project first"])
def home(request: pytest.FixtureRequest, upstream_checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bool]:
    """A home with both repositories, and whether upstream's was registered first."""
    upstream_first = request.param == "upstream first"
    order = (upstream_checkout, ROOT) if upstream_first else (ROOT, upstream_checkout)
    return home_with(tmp_path_factory.mktemp("home"), *order), upstream_first


def cm(home: Path, folder: Path, *arguments: str, index: str = "yes") -> subprocess.CompletedProcess[str]:
    env = {"CM_CORE_SKIP_INTERNAL_REPOS": "yes", "CM_INDEX": index}
    return run_cm(home, folder, *arguments, env=env, timeout_s=120)


@pytest.mark.parametrize("index", ["yes", "no"])
@pytest.mark.parametrize("automation", ["tinyscript", "cm4tiny:script"])
def test_our_names_mean_our_engine_and_our_step(automation: str, index: str, home: tuple[Path, bool], tmp_path: Path) -> None:
    done = cm(home[0], tmp_path, "run", automation, MAIN_STEP, *DRY, index=index)
    assert done.returncode == 0, done.stdout + done.stderr
    assert OURS in done.stdout


@pytest.mark.parametrize("index", ["yes", "no"])
def test_upstreams_uid_means_upstreams_engine(index: str, home: tuple[Path, bool], tmp_path: Path) -> None:
    done = cm(home[0], tmp_path, "run", "script,5b4e0237da074764", "--tags=test,dummy", "--quiet", index=index)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "INFO:root:" in done.stderr


def test_with_the_index_bare_script_is_the_engine_that_was_registered_first(home: tuple[Path, bool], tmp_path: Path) -> None:
    done = cm(home[0], tmp_path, "run", "script", "--tags=test,dummy", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("INFO:root:" in done.stderr) is home[1]


@pytest.mark.parametrize("extra", [("--quiet",), ()], ids=["quiet", "asking"])
def test_bare_script_runs_our_step_or_ends_at_once(extra: tuple[str, ...], home: tuple[Path, bool], tmp_path: Path) -> None:
    """Upstream's engine asks which of two scripts is meant; with ``--quiet`` it takes ours, without a terminal it ends with an error."""
    done = cm(home[0], tmp_path, "run", "script", MAIN_STEP, *DRY, *extra)
    text = done.stdout + done.stderr
    if home[1] and not extra:
        assert done.returncode != 0
        assert "reproduce-mlperf-tiny" in text
        assert "cm4tiny" in text
    else:
        assert done.returncode == 0, text
        assert OURS in text


def test_a_tag_of_this_project_decides_in_every_engine(home: tuple[Path, bool], tmp_path: Path) -> None:
    done = cm(home[0], tmp_path, "run", "script", f"{MAIN_STEP},cm4tiny", *DRY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert OURS in done.stdout + done.stderr


def test_without_the_index_cmind_says_that_bare_script_is_ambiguous(home: tuple[Path, bool], tmp_path: Path) -> None:
    done = cm(home[0], tmp_path, "run", "script", "--tags=test,dummy", index="no")
    assert done.returncode != 0
    assert "several automations were found" in done.stdout + done.stderr


def test_our_engine_runs_upstreams_script_and_prefers_its_own(home: tuple[Path, bool], tmp_path: Path) -> None:
    done = cm(home[0], tmp_path, "run", "tinyscript", "--tags=test,dummy", "-v")
    assert done.returncode == 0
    assert "cm4tiny's engine runs; cm run script,5b4e0237da074764 means the one of" in done.stdout
    found = cm(home[0], tmp_path, "find", "tinyscript", MAIN_STEP).stdout.split()
    assert {Path(path).name for path in found} == {"reproduce-mlperf-tiny", "reproduce-mlperf-octoml-tinyml-results"}


def test_alone_bare_script_is_ours_with_and_without_the_index(tmp_path: Path) -> None:
    home = home_with(tmp_path, ROOT)
    for index in ("yes", "no"):
        done = cm(home, tmp_path, "run", "script", MAIN_STEP, *DRY, index=index)
        assert done.returncode == 0, done.stdout + done.stderr
        assert OURS in done.stdout


def test_beside_upstream_from_pip_our_names_still_mean_our_engine(upstream: Path, tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(upstream)}
    run_cm(tmp_path, tmp_path, "add", "repo", f"--path={ROOT}", env=env)
    done = run_cm(tmp_path, tmp_path, "run", "tinyscript", MAIN_STEP, *DRY, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert OURS in done.stdout
