# SPDX-License-Identifier: Apache-2.0
"""The repository for MLCFlow is the CM repository under other names, and the hooks that are written for CM do the same there."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.build_hook import load_build_hook

from cm4tiny import cm, mlcflow
from cm4tiny.paths import cm_repo

ROOT = Path(__file__).parents[2]
STEPS = sorted(path.name for path in (cm_repo() / "script").iterdir() if (path / "_cm.yaml").is_file())
FILES = dict(mlcflow.files(cm_repo()))


def expected(value: Any) -> Any:
    """A value of a CM meta as MLCFlow has to see it, by another way than the product's: word by word."""
    if isinstance(value, dict):
        return {expected(key): expected(given) for key, given in value.items()}
    if isinstance(value, list):
        return [expected(given) for given in value]
    if not isinstance(value, str):
        return value
    return "".join("MLC_" + word[3:] if word.startswith("CM_") else word for word in re.split(r"(\W+)", value))


# --- the repository -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("alias", STEPS)
def test_a_meta_is_the_one_of_cm_under_mlcflows_names(alias: str) -> None:
    source = yaml.safe_load((cm_repo() / "script" / alias / "_cm.yaml").read_text(encoding="utf-8"))
    made = FILES[f"script/{alias}/meta.yaml"]
    assert yaml.safe_load(made) == expected(source)
    assert "_cm.yaml of the CM repository" in made


def test_the_repository_has_all_steps_and_cms_identity() -> None:
    assert len(STEPS) > 20
    names = {"meta.yaml", *(f"script/{alias}/{name}" for alias in STEPS for name in ("meta.yaml", "customize.py"))}
    assert set(FILES) == names
    source = yaml.safe_load((cm_repo() / "cmr.yaml").read_text(encoding="utf-8"))
    assert yaml.safe_load(FILES["meta.yaml"]) == source


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("CM_TINY_MODEL: kws", "MLC_TINY_MODEL: kws"),
        ("<<<CM_VERSION>>>", "<<<MLC_VERSION>>>"),
        ("+CM_PATH", "+MLC_PATH"),
        ("CMSIS_PATH CMAKE_X", "CMSIS_PATH CMAKE_X"),
        ("MY_CM_PATH XCM_A", "MY_CM_PATH XCM_A"),
        ("cm_model CM_ CM_x", "cm_model CM_ CM_x"),
    ],
)
def test_only_a_whole_prefix_is_renamed(text: str, wanted: str) -> None:
    assert mlcflow.renamed(text) == wanted


@pytest.mark.parametrize("alias", STEPS)
def test_a_made_customize_has_the_hooks_of_the_step(alias: str, tmp_path: Path) -> None:
    file = tmp_path / "customize.py"
    file.write_text(FILES[f"script/{alias}/customize.py"], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("made_customize", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = {name for name in mlcflow.HOOKS.values() if callable(getattr(module, name, None))}
    assert made == set(cm.mlc_hooks(alias)) != set()


def test_writing_replaces_what_an_older_version_left(tmp_path: Path) -> None:
    target = tmp_path / "mlc"
    (target / "script" / "gone").mkdir(parents=True)
    mlcflow.write(cm_repo(), target)
    assert {p.relative_to(target).as_posix(): p.read_text(encoding="utf-8") for p in target.rglob("*") if p.is_file()} == FILES
    assert not (target / "script" / "gone").exists()


def test_functions_and_assignments_are_hooks(tmp_path: Path) -> None:
    file = tmp_path / "customize.py"
    file.write_text("def preprocess(i):\n    def postprocess(j): pass\ncheck_inputs = preprocess\nother = 1\n")
    assert mlcflow.hooks_in(file) == ["check_inputs", "preprocess"]


# --- the wheel ------------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def build_hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load_build_hook(monkeypatch).WithMlcRepository()


def test_a_wheel_holds_the_repository_as_it_would_be_made_now(build_hook: Any) -> None:
    data: dict[str, Any] = {"force_include": {}}
    build_hook.initialize("standard", data)
    ((folder, target),) = data["force_include"].items()
    assert target == "cm4tiny/mlc"
    held = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in Path(folder).rglob("*") if path.is_file()}
    assert held == FILES
    build_hook.finalize("standard", data, "")
    assert not Path(folder).exists()


def test_an_editable_installation_holds_none(build_hook: Any) -> None:
    data: dict[str, Any] = {"force_include": {}}
    build_hook.initialize("editable", data)
    build_hook.finalize("editable", data, "")
    assert data == {"force_include": {}}


def test_the_generator_needs_nothing_but_the_standard_library() -> None:
    """The build's environment has neither this package nor what it requires."""
    code = f"import runpy; runpy.run_path({str(ROOT / 'src' / 'cm4tiny' / 'mlcflow.py')!r})"
    done = subprocess.run([sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- hooks -----------------------------------------------------------------------------------------------------------------------------
def called(hook: Any, env: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    answer = cm.under_mlc(hook)({"env": env, "state": {}})
    return answer, env


def test_a_hook_sees_cms_names_and_sets_mlcflows() -> None:
    seen: dict[str, Any] = {}

    def hook(i: dict[str, Any]) -> dict[str, Any]:
        seen.update(i["env"])
        i["env"]["CM_TINY_OUT"] = "new"
        i["env"]["CMSIS_PATH"] = "/other"
        del i["env"]["CM_GONE"]
        return {"return": 0}

    answer, env = called(hook, {"MLC_TINY_MODEL": "kws", "MLC_GONE": "1", "CMSIS_PATH": "/cmsis", "PATH": "/bin"})
    assert answer == {"return": 0}
    assert seen == {"CM_TINY_MODEL": "kws", "CM_GONE": "1", "CMSIS_PATH": "/cmsis", "PATH": "/bin"}
    assert env == {"MLC_TINY_MODEL": "kws", "MLC_TINY_OUT": "new", "CMSIS_PATH": "/other", "PATH": "/bin"}


def test_where_both_names_are_set_mlcflows_counts() -> None:
    seen = mlcflow.to_cm({"CM_TINY_MODEL": "ic", "MLC_TINY_MODEL": "kws"})
    assert seen == {"CM_TINY_MODEL": "kws"}


KEYS = st.sampled_from([prefix + word for prefix in ("CM_", "MLC_", "CMSIS_", "X_CM_", "") for word in ("A", "CM_A", "MLC_A", "PATH")])


VALUES = st.sampled_from(["", "0", "two words", "\u00e9"])


@given(st.dictionaries(KEYS, VALUES), st.dictionaries(KEYS, VALUES))
def test_what_a_hook_sets_is_what_the_next_one_sees(env: dict[str, str], sets: dict[str, str]) -> None:
    def hook(i: dict[str, Any]) -> dict[str, Any]:
        i["env"].update(sets)
        return {"return": 0}

    before = mlcflow.to_cm(env)
    sets = {key: value for key, value in sets.items() if not key.startswith("MLC_")}
    _, after = called(hook, dict(env))
    assert mlcflow.to_cm(after) == {**before, **sets}


def test_a_hint_names_the_command_that_the_user_has() -> None:
    text = "no board\n  hint: prepare it:\n    cm run script --tags=get,tiny,board\n"
    answer, _ = called(lambda i: {"return": 1, "error": text}, {})
    assert answer == {"return": 1, "error": "no board\n  hint: prepare it:\n    mlcr get,tiny,board\n"}


def test_a_hook_of_this_project_works_under_mlcflows_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    env: dict[str, Any] = {"MLC_TINY_MODEL": "kws", "MLC_TINY_ASSETS": "embedded", "MLC_ML_MODEL_PRECISION": "int8"}
    answer = cm.mlc_hooks("get-mlperf-tiny-model")["preprocess"]({"env": env})
    assert answer["return"] == 0
    assert Path(env["MLC_ML_MODEL_FILE_WITH_PATH"]).is_file()
    assert [key for key in env if key.startswith("CM_")] == []


# --- registering -------------------------------------------------------------------------------------------------------------------
def registering(home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The command, with a stand-in for MLCFlow that writes down what it is asked for."""
    stand_in = home / "packages" / "mlc"
    if not env.pop("without", "") and not stand_in.exists():
        stand_in.mkdir(parents=True)
        (stand_in / "__init__.py").write_text("")
        (stand_in / "main.py").write_text("import sys\ndef main():\n    print(sys.argv[1:])\n    return 7\n")
    path = os.pathsep.join([str(home / "packages"), str(ROOT / "src")])
    kept = {key: value for key, value in os.environ.items() if key not in ("MLC_REPOS", "XDG_CACHE_HOME", "CM_TINY_CACHE")}
    return subprocess.run(
        [sys.executable, "-m", "cm4tiny.mlcflow"],
        env={**kept, "HOME": str(home), "PYTHONPATH": path, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_adds_the_repository_and_gives_mlcflows_status(tmp_path: Path) -> None:
    done = registering(tmp_path)
    place = tmp_path / ".cache" / "cm4tiny" / "mlc"
    assert (done.returncode, done.stdout.strip()) == (7, str(["add", "repo", str(place)]))
    assert (place / "script" / "reproduce-mlperf-tiny" / "meta.yaml").is_file()


@pytest.mark.parametrize("where", ["", "elsewhere"])
def test_a_second_time_it_says_so(where: str, tmp_path: Path) -> None:
    repos = tmp_path / (where or "MLC/repos")
    repos.mkdir(parents=True)
    place = tmp_path / ".cache" / "cm4tiny" / "mlc"
    (repos / "repos.json").write_text(json.dumps([str(place)]))
    done = registering(tmp_path, **({"MLC_REPOS": str(repos)} if where else {}))
    assert (done.returncode, done.stdout.strip()) == (0, f"{place} is registered in {repos}")


@pytest.mark.parametrize("text", ["", "{", "{}", "[[]]"])
def test_a_damaged_list_of_repositories_is_left_to_mlcflow(text: str, tmp_path: Path) -> None:
    (tmp_path / "MLC" / "repos").mkdir(parents=True)
    (tmp_path / "MLC" / "repos" / "repos.json").write_text(text)
    assert registering(tmp_path).returncode == 7


@pytest.mark.skipif(importlib.util.find_spec("mlc") is not None, reason="MLCFlow is installed")
def test_without_mlcflow_the_cure_is_named(tmp_path: Path) -> None:
    done = registering(tmp_path, without="yes")
    assert done.returncode == 1
    assert "MLCFlow is not installed" in done.stderr and "pip install mlcflow" in done.stderr
