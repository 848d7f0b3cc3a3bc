# SPDX-License-Identifier: Apache-2.0
"""What stands between CM's dictionaries and the package."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cm4tiny import cm
from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.errors import AssetError, UsageError
from cm4tiny.events import SILENT
from cm4tiny.paths import user_cache


@dataclass(frozen=True)
class Asked:
    word: str = flag("W")
    fixed: str = value("V", default="v")
    switch: bool = flag("B")
    other: bool = value("O")
    count: int | None = flag("N", limits=(2, 9))
    jobs: int = flag("J", default=4, also=("old",))
    file: Path | None = flag("F")
    out: Path = flag("OUT", default="results")
    files: tuple[Path, ...] = flag("L")
    words: tuple[str, ...] = flag("C", default="a,b")
    built: dict[str, str] = value("BUILT_*")


@dataclass(frozen=True)
class Needing:
    board: str = value("CM_TINY_BOARD", needs="choose a board")


def read(env: dict[str, Any], here: str = "/user") -> Asked:
    return Step({"CM_TMP_CURRENT_PATH": here, **env}, SILENT, Path("/folder")).options(Asked)


def run(function: Any, env: dict[str, Any], options: type[Any] = Asked) -> dict[str, Any]:
    return cm.step(options, function)({"env": env})


def test_a_step_reads_its_options_and_sets_keys() -> None:
    env: dict[str, Any] = {"W": "7"}

    def work(options: Asked, step: Step) -> Outputs:
        return {"CM_OUT": options.word + "!", "CM_PATH": Path("/a")}

    assert run(work, env) == {"return": 0}
    assert (env["CM_OUT"], env["CM_PATH"]) == ("7!", "/a")


def test_a_hook_names_its_options() -> None:
    assert cm.step(Asked, lambda options, step: None).options is Asked  # type: ignore[attr-defined]


def test_an_error_of_ours_becomes_a_cm_error_with_its_hint_and_sets_nothing() -> None:
    def work(options: Asked, step: Step) -> Outputs:
        raise AssetError("no model", hint="get one")

    env: dict[str, Any] = {}
    assert run(work, env) == {"return": 1, "error": "no model\n  hint: get one\n", "error_kind": "AssetError"}
    assert env == {}


def test_a_missing_key_is_named_with_its_hint() -> None:
    for env in ({}, {"CM_TINY_BOARD": " "}):
        error = run(lambda options, step: None, env, Needing)["error"]
        assert "CM_TINY_BOARD is not set" in error and "hint: choose a board" in error
    assert run(lambda options, step: None, {"CM_TINY_BOARD": "x"}, Needing) == {"return": 0}


def test_a_full_disk_becomes_a_clear_error() -> None:
    def work(options: Asked, step: Step) -> Outputs:
        raise OSError(28, "No space left on device", "/somewhere")

    result = run(work, {})
    assert result["return"] == 1
    assert "No space left" in result["error"]
    assert "free disk space" in result["error"]


def test_sources_and_digests_that_a_step_names_reach_the_engine() -> None:
    source = {"url": "https://example.org/x", "sha256": "0" * 64}

    def work(options: Asked, step: Step) -> None:
        step.sources.append(source)
        step.digests["x"] = "1"

    assert run(work, {}) == {"return": 0, "sources": [source], "digests": {"x": "1"}}


def test_a_result_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    run(lambda options, step: step.show(f"{options.word}"), {"W": "seen"})
    assert capsys.readouterr().out == "seen\n"


# --- options ------------------------------------------------------------------------------------------------------------------------
def test_options_are_read_by_the_types_of_their_fields() -> None:
    env = {
        "W": " w ",
        "B": True,
        "O": "on",
        "N": "3",
        "J": "2",
        "F": "f",
        "OUT": "o",
        "L": "/a, b,",
        "C": "x, y",
        "BUILT_B": "2",
        "BUILT_A": "1",
    }
    wanted = Asked(
        word="w", fixed="v", switch=True, other=True, count=3, jobs=2, file=Path("/user/f"), out=Path("/user/o"),
        files=(Path("/a"), Path("/user/b")), words=("x", "y"), built={"BUILT_A": "1", "BUILT_B": "2"},
    )  # fmt: skip
    assert read({**env, "BUILT_C": ""}) == wanted


def test_without_a_value_the_default_counts() -> None:
    wanted = Asked(
        word="", fixed="v", switch=False, other=False, count=None, jobs=4, file=None, out=Path("/user/results"), files=(),
        words=("a", "b"), built={},
    )  # fmt: skip
    assert read({}) == wanted
    assert read(dict.fromkeys(("W", "V", "B", "O", "N", "J", "F", "OUT", "L", "C"))) == wanted
    assert read(dict.fromkeys(("W", "V", "B", "O", "N", "J", "F", "OUT", "L", "C"), "")) == wanted


@pytest.mark.parametrize(
    ("env", "message"),
    [({"B": "perhaps"}, "--switch=perhaps"), ({"N": "1"}, "--count=1 is not"), ({"N": "10"}, "--count=10"), ({"J": "x"}, "--jobs=x"),
     ({"J": "0"}, "--jobs=0"), ({"N": "\u00b2"}, "--count=")],
)  # fmt: skip
def test_a_value_of_another_form_is_refused_by_the_name_of_its_flag(env: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(env)
    assert caught.value.hint


def test_what_is_no_flag_and_no_word_for_yes_is_off() -> None:
    assert read({"O": "perhaps"}).other is False


def test_the_mapping_of_flags_has_the_aliases() -> None:
    wanted = {"word": "W", "switch": "B", "count": "N", "jobs": "J", "old": "J", "file": "F", "out": "OUT", "files": "L", "words": "C"}
    assert cm.flags_of(Asked) == wanted


def test_relative_paths_count_from_where_cm_was_called() -> None:
    assert (read({"F": "m.tflite"}).file, read({"F": "/x/m.tflite"}).file) == (Path("/user/m.tflite"), Path("/x/m.tflite"))
    assert Step({}, SILENT, Path("/folder")).options(Asked).file is None
    assert Step({"F": "f"}, SILENT, Path("/folder")).options(Asked).file == Path("/folder/f")


def test_a_tilde_in_a_path_is_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert (read({"F": "~/m.tflite"}).file, read({"F": "not~me"}).file) == (Path("/home/me/m.tflite"), Path("/user/not~me"))
    assert read({"L": "~/a,b"}).files == (Path("/home/me/a"), Path("/user/b"))


def test_where_cm_has_changed_into_the_output_folder_it_is_not_nested(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert read({"OUT": "o", "CM_OUTDIRNAME": "o"}).out == tmp_path


def test_without_a_home_directory_the_error_names_the_variable_that_replaces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("CM_TINY_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(UsageError) as caught:
        user_cache()
    assert "CM_TINY_CACHE" in caught.value.hint
