# SPDX-License-Identifier: Apache-2.0
"""The decorator between CM's dictionaries and the package."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

from cm4tiny.cm import Step, from_env, step
from cm4tiny.errors import AssetError, UsageError
from cm4tiny.events import SILENT
from cm4tiny.paths import cm_repo, user_cache
from cm4tiny.results.dashboard.command import _Options as _ViewOptions
from cm4tiny.results.experiments.command import _Options as _ImportOptions
from cm4tiny.results.submission.steps import _Answers, _Options
from cm4tiny.workflows.replay import _ReplayOptions


def run(function: Any, env: dict[str, str]) -> dict[str, Any]:
    result: dict[str, Any] = step(function)({"env": env})
    return result


def test_a_step_reads_and_writes_env() -> None:
    env = {"CM_IN": "7"}

    def work(step: Step) -> None:
        step.env["CM_OUT"] = step.need("CM_IN", "set it") + "!"

    assert run(work, env) == {"return": 0}
    assert env["CM_OUT"] == "7!"


def test_an_error_of_ours_becomes_a_cm_error_with_its_hint() -> None:
    def work(step: Step) -> None:
        raise AssetError("no model", hint="get one")

    assert run(work, {}) == {"return": 1, "error": "no model\n  hint: get one\n"}


def test_a_missing_env_key_is_named_with_its_hint() -> None:
    def work(step: Step) -> None:
        step.need("CM_TINY_BOARD", "choose a board")

    assert "CM_TINY_BOARD is not set" in run(work, {})["error"]
    with pytest.raises(UsageError):
        Step({}, None, None).need("X", "y")  # type: ignore[arg-type]


def test_a_full_disk_becomes_a_clear_error() -> None:
    def work(step: Step) -> None:
        raise OSError(28, "No space left on device", "/somewhere")

    result = run(work, {})
    assert result["return"] == 1
    assert "No space left" in result["error"]
    assert "free disk space" in result["error"]


def test_a_relative_path_counts_from_where_cm_was_called() -> None:
    view = Step({"F": "m.tflite", "A": "/x/m.tflite", "CM_TMP_CURRENT_PATH": "/user"}, None, None)  # type: ignore[arg-type]
    assert (view.path("F"), view.path("A"), view.path("MISSING")) == ("/user/m.tflite", "/x/m.tflite", "")


def test_a_tilde_in_a_path_is_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    view = Step({"F": "~/m.tflite", "N": "not~me", "CM_TMP_CURRENT_PATH": "/user"}, None, None)  # type: ignore[arg-type]
    assert (view.path("F"), view.path("N")) == ("/home/me/m.tflite", "/user/not~me")


def test_without_a_home_directory_the_error_names_the_variable_that_replaces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("CM_TINY_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(UsageError) as caught:
        user_cache()
    assert "CM_TINY_CACHE" in caught.value.hint


def test_sources_that_a_step_names_reach_the_engine() -> None:
    source = {"url": "https://example.org/x", "sha256": "0" * 64}

    def work(step: Step) -> None:
        step.sources.append(source)

    assert run(work, {}) == {"return": 0, "sources": [source]}


# --- options ------------------------------------------------------------------------------------------------------------------------
TABLE = yaml.safe_load((cm_repo() / "inputs.yaml").read_text(encoding="utf-8"))
OPTION_CLASSES = [_ReplayOptions, _Options, _Answers, _ViewOptions, _ImportOptions]
#: Type in inputs.yaml -> types of a field.
FIELDS = {
    "switch": {bool}, "count": {int | None}, "file": {Path | None}, "folder": {Path | None}, "output folder": {Path | None},
    "paths": {tuple[Path, ...]}, "choices": {tuple[str, ...]},
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    word: str = from_env("W")
    flag: bool = from_env("B")
    jobs: int | None = from_env("J")
    file: Path | None = from_env("F")
    files: tuple[Path, ...] = from_env("L")
    words: tuple[str, ...] = from_env("C")


def test_options_are_read_by_the_types_of_their_fields(tmp_path: Path) -> None:
    env: dict[str, Any] = {"W": " w ", "B": True, "J": "2", "F": "f", "L": "/a, b,", "C": "x, y"}
    step = Step({**env, "CM_TMP_CURRENT_PATH": str(tmp_path)}, SILENT, Path("/work"))
    assert step.options(Asked) == Asked("w", True, 2, tmp_path / "f", (Path("/a"), tmp_path / "b"), ("x", "y"))
    assert Step({}, SILENT, tmp_path).options(Asked) == Asked("", False, None, None, (), ())


@pytest.mark.parametrize("cls", OPTION_CLASSES)
def test_options_have_the_types_that_the_table_of_inputs_says(cls: type[Any]) -> None:
    types = get_type_hints(cls)
    for given in fields(cls):
        row = TABLE.get(given.metadata["key"])
        if row is not None:
            assert types[given.name] in FIELDS.get(row["type"], {str}), given.name
