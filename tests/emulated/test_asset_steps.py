# SPDX-License-Identifier: Apache-2.0
"""The steps that get official models, data sets and sources, as a user calls them. No step uses the network here."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cm = Callable[..., subprocess.CompletedProcess[str]]
NO_NETWORK = {"CM_TINY_OFFLINE": "yes", "CM_TINY_MIRROR": "", "CM4TINY_UPSTREAM": ""}


@pytest.fixture
def step(cm: Cm, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``step("get,...", "--flag")`` with a cache of its own and no network."""

    def run(tags: str, *flags: str, **env: str) -> subprocess.CompletedProcess[str]:
        return cm(
            "run", "script", f"--tags={tags}", *flags, env={**NO_NETWORK, "CM_TINY_CACHE": str(tmp_path / "cache"), **env}, timeout_s=120
        )

    return run


def new_env(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])["new_env"]
    return found


@pytest.fixture
def mirror(shared: Path) -> str:
    if not (shared / "mirror" / "index.tsv").is_file():
        pytest.skip("needs ../shared/mirror")
    return f"--mirror={shared / 'mirror'}"


@pytest.mark.parametrize(
    ("tags", "file"),
    [
        ("_kws,_mlcommons", "kws_ref_model.tflite"),
        ("_sww", "str_ww_ref_model.tflite"),
        ("_ic02,_mlcommons", "pretrainedResnet_large_int8.tflite"),
        ("_vww,_float", "vww_96_float.tflite"),
        ("_ad,_fp32", "ad01_fp32.tflite"),
    ],
)
def test_a_model_comes_from_the_mirror(step: Any, mirror: str, tags: str, file: str) -> None:
    env = new_env(step(f"get,mlperf,tiny,model,{tags}", mirror, "-j"))
    assert Path(env["CM_ML_MODEL_FILE_WITH_PATH"]).name == env["CM_ML_MODEL_FILE"] == file


def test_a_model_without_a_mirror_and_a_network_says_what_to_do(step: Any) -> None:
    done = step("get,mlperf,tiny,model,_kws,_mlcommons")
    assert done.returncode != 0
    assert "is not available" in done.stdout + done.stderr and "--mirror=DIR" in done.stdout + done.stderr


def test_the_default_model_needs_neither(step: Any) -> None:
    assert "emb_ic01" in new_env(step("get,mlperf,tiny,model", "-j"))["CM_ML_MODEL_FILE"]


def test_kws01_comes_from_the_mirror_and_fills_eembcs_folders(step: Any, mirror: str, tmp_path: Path) -> None:
    env = new_env(step("get,mlperf,tiny,dataset,_kws01", mirror, "--eembc_root=eembc", "-j"))
    folder = Path(env["CM_MLPERF_TINY_DATASETS_KWS"])
    assert folder.name == "kws01" and len(list(folder.glob("*.bin"))) == 1000
    runner = tmp_path / "eembc" / "runner" / "benchmarks" / "ulp-mlperf" / "datasets"
    assert Path(env["CM_EEMBC_ENERGY_RUNNER_DATASETS"]) == runner
    assert (runner / "kws01" / "y_labels.csv").read_bytes() == (folder / "y_labels.csv").read_bytes()


def test_sww01_comes_from_the_mirror(step: Any, mirror: str) -> None:
    folder = Path(new_env(step("get,mlperf,tiny,dataset,_sww01", mirror, "-j"))["CM_MLPERF_TINY_DATASETS_SWW"])
    assert sorted(path.name for path in folder.iterdir()) == ["short_wav_easy10s.wav", "sww_short_test.json"]


def test_ready_samples_of_ic01_are_imported_and_found_again(step: Any, mirror: str, shared: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    names = [line.split(",")[0] for line in next(shared.glob("mirror/**/ic01/y_labels.csv")).read_text(encoding="ascii").split()]
    for name in names:
        (mine / name).write_bytes(bytes(3072))
    done = step("get,mlperf,tiny,dataset,_ic01", mirror, "--path=mine", "-j")
    folder = Path(new_env(done)["CM_MLPERF_TINY_DATASETS_IC"])
    assert len(list(folder.glob("*.bin"))) == 200 and "imported as they are" in done.stdout + done.stderr
    assert new_env(step("get,mlperf,tiny,dataset,_ic01", "-j"))["CM_MLPERF_TINY_DATASETS_IC"] == str(folder)


@pytest.mark.parametrize("tags", ["_ic01", "_vww01", "_ad01,_alt"])
def test_a_missing_set_says_where_to_get_it_and_which_command_imports_it(step: Any, mirror: str, tags: str) -> None:
    done = step(f"get,mlperf,tiny,dataset,{tags}", mirror)
    text = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in text
    assert "download https://" in text and f"dataset,{tags} --archive=FILE" in text and "not part of this package" in text


def test_two_owners_of_one_set_exclude_each_other(step: Any) -> None:
    done = step("get,mlperf,tiny,dataset,_ad01,_ic")
    assert done.returncode != 0 and "benchmark" in done.stdout + done.stderr


def test_an_archive_that_is_not_cifar10_is_refused_with_both_digests(step: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.tar.gz").write_bytes(b"something else")
    done = step("get,dataset,cifar10,_tiny", "--archive=mine.tar.gz")
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce" in text
    assert hashlib.sha256(b"something else").hexdigest() in text
    assert (tmp_path / "mine.tar.gz").read_bytes() == b"something else"


@pytest.mark.parametrize("tags", ["get,mlperf,tiny,src", "get,eembc,energy-runner,src"])
def test_sources_without_a_clone_and_a_network_say_how_to_mirror_them(step: Any, tags: str) -> None:
    done = step(tags)
    text = done.stdout + done.stderr
    assert done.returncode != 0 and "git clone --mirror" in text and "network must not be used" in text


@pytest.mark.upstream
@pytest.mark.parametrize(
    ("tags", "name", "key", "file"),
    [
        ("get,mlperf,tiny,src", "tiny", "CM_MLPERF_TINY_TRAINING_IC", "get_perf_samples_idxs.py"),
        ("get,eembc,energy-runner,src", "energyrunner", "CM_EEMBC_ENERGY_RUNNER_DATASETS", "kws01/y_labels.csv"),
    ],
)
def test_sources_come_from_local_clones(step: Any, tags: str, name: str, key: str, file: str) -> None:
    clones = Path(os.environ.get("CM4TINY_UPSTREAM", "/nowhere"))
    if not (clones / name).is_dir():
        pytest.skip(f"needs a clone {name} in the folder that CM4TINY_UPSTREAM names")
    done = step(tags, "--eembc_root=eembc" if "eembc" in tags else "-j", "-j", CM4TINY_UPSTREAM=str(clones))
    if "unable to read" in done.stdout + done.stderr:
        pytest.skip(f"the clone {clones / name} is not whole")
    assert (Path(new_env(done)[key]) / file).is_file()
