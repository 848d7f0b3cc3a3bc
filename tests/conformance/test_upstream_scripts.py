# SPDX-License-Identifier: Apache-2.0
"""Scripts of upstream's repository, run for real by both engines, each in a home of its own: same exit, same new environment and state.

Only scripts that need neither the network nor another user. Upstream is PyPI's cmx4mlops (fixture ``upstream``).
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.cm_command import run_cm

import cm4tiny

UPSTREAM_ENGINE, OUR_ENGINE = "script,5b4e0237da074764", "tinyscript"
ROOT = Path(__file__).parents[2]

#: tags and flags -> a program that must be there.
RUNS: dict[tuple[str, ...], str] = {
    ("detect,os",): "", ("detect,cpu",): "", ("detect,sudo",): "", ("get,python3",): "", ("get,python3", "--version_min=3.8"): "",
    ("get,gcc",): "gcc", ("get,cmake",): "cmake", ("get,java",): "java", ("print,hello-world",): "", ("print,python-version",): "",
    ("test,dummy",): "", ("test,deps,conditions",): "", ("get,cache,dir,_name.x",): "", ("get,sys-utils-cm", "--skip_sys_utils"): "",
    ("install,python-venv", "--name=test"): "",
}  # fmt: skip


@dataclass(frozen=True)
class Engine:
    """An engine with a home."""

    name: str
    home: Path
    upstream: Path

    def __call__(self, folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
        """Runs a script; returns the exit status, cmind's answer with this home's paths taken out, and what was printed."""
        folder.mkdir()
        answer = folder / "answer.json"
        env = {"PYTHONPATH": str(self.upstream)}
        done = run_cm(self.home, folder, "run", self.name, "--quiet", f"--save_to_json={answer}", *arguments, env=env)
        text = answer.read_text() if answer.exists() else "{}"
        text = re.sub(r"cache/[A-Za-z0-9._-]+", "cache/ENTRY", text.replace(str(self.home), "HOME").replace(str(folder), "WORK"))
        return done.returncode, json.loads(text), done.stdout + done.stderr


@pytest.fixture(scope="module")
def engines(upstream: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, Engine]:
    made = []
    for name in (UPSTREAM_ENGINE, OUR_ENGINE):
        home = tmp_path_factory.mktemp("home")
        if not (Path(cm4tiny.__file__).parent / "repo").is_dir():
            done = run_cm(home, home, "add", "repo", f"--path={ROOT}", env={"PYTHONPATH": str(upstream)})
            assert done.returncode == 0, done.stdout + done.stderr
        made.append(Engine(name, home, upstream))
    return made[0], made[1]


@pytest.mark.parametrize("arguments", RUNS, ids=" ".join)
def test_both_engines_find_out_the_same(arguments: tuple[str, ...], engines: tuple[Engine, Engine], tmp_path: Path) -> None:
    needed = RUNS[arguments]
    if needed and not shutil.which(needed):
        pytest.skip(f"needs {needed}")
    theirs, ours = engines
    tags, *flags = arguments
    their_status, left, their_text = theirs(tmp_path / "theirs", f"--tags={tags}", *flags)
    our_status, right, our_text = ours(tmp_path / "ours", f"--tags={tags}", *flags)
    assert (their_status, our_status) == (0, 0), their_text + our_text
    for key in ("new_env", "new_state"):
        assert right[key] == left.get(key, {})  # upstream's answer for a skipped script lacks them


def test_a_result_from_our_cache_is_the_one_that_was_found_out(engines: tuple[Engine, Engine], tmp_path: Path) -> None:
    _, ours = engines
    first, second = (ours(tmp_path / name, "--tags=get,python3")[1] for name in ("first", "second"))
    assert second["cached"] is True
    assert second["new_env"] == first["new_env"] != {}


def test_upstreams_own_check_of_variations_and_constants(engines: tuple[Engine, Engine], tmp_path: Path) -> None:
    """tests/script/test_features.py of upstream. Beyond it, only our engine acts on the script's ``const``."""
    theirs, ours = (engine(tmp_path / str(number), "--tags=test-scripts,_v1,_v2")[1]["new_env"] for number, engine in enumerate(engines))
    assert theirs == {"CM_VAR1": "combv1v2", "CM_VAR2": "constv2"}
    assert ours == {**theirs, "CM_CVAR1": "orig"}


def test_a_virtual_environment_is_found_again_in_the_cache_by_its_name(engines: tuple[Engine, Engine], tmp_path: Path) -> None:
    """tests/script/test_features.py of upstream: ``update_deps`` in a hook, and the search of the cache."""
    _, ours = engines
    assert ours(tmp_path / "ours", "--tags=install,python-venv", "--name=test")[0] == 0
    env = {"PYTHONPATH": str(ours.upstream)}
    found = run_cm(ours.home, tmp_path, "find", "cm4tiny:cache", "--tags=get,python,virtual,name-test", env=env).stdout.split()
    assert len(found) == 1
    assert run_cm(ours.home, tmp_path, "find", "cm4tiny:cache", "--tags=get,python,virtual,-name-test", env=env).stdout == ""
