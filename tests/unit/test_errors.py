# SPDX-License-Identifier: Apache-2.0
"""Errors say what happened, why, and what to do."""

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import cm4tiny
from cm4tiny.errors import AssetError, Cm4TinyError, ToolchainError, nearest

COMMAND = re.compile(
    r"\b(?:(?:sudo )?apt-get|cm (?:run|find|add|rm|show|check|lint|pull|init)|pip install|python -m|git (?:clone|-C)|sudo) ?\w"
)


def test_an_error_says_what_why_and_hint() -> None:
    error = ToolchainError("no compiler", why="nothing on PATH", hint="install one")
    assert str(error) == "no compiler\n  why: nothing on PATH\n  hint: install one"


def test_an_error_becomes_a_cm_return_value() -> None:
    assert AssetError("gone").as_cm() == {"return": 1, "error": "gone", "error_kind": "AssetError"}


def test_a_command_in_a_hint_stands_on_a_line_of_its_own() -> None:
    error = ToolchainError("no compiler", hint="install one:\napt-get install gcc")
    assert str(error).splitlines()[-1].strip() == "apt-get install gcc"


def test_what_cmind_appends_does_not_become_part_of_a_command() -> None:
    text = ToolchainError("no compiler", why="nothing on PATH", hint="install one:\napt-get install gcc").as_cm()["error"] + "!"
    assert [line.strip() for line in text.splitlines()][-2:] == ["apt-get install gcc", "!"]


def _hints() -> Iterator[tuple[str, str]]:
    """Every text given as a ``hint``, with its file and line; what is filled in is ``X``."""
    for path in sorted(Path(cm4tiny.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            given = [k.value for k in node.keywords if k.arg == "hint"] if isinstance(node, ast.Call) else []
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id.lower().strip("_") == "hint" for t in node.targets):
                given.append(node.value)
            for value in given:
                for part in ast.walk(value):
                    if isinstance(part, ast.JoinedStr):
                        text = "".join(str(v.value) if isinstance(v, ast.Constant) else "X" for v in part.values)
                        yield f"{path.name}:{part.lineno}", text
                    elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield f"{path.name}:{part.lineno}", part.value


def test_no_hint_holds_a_command_in_the_middle_of_a_line() -> None:
    wrong = [
        f"{where}: {line}"
        for where, text in _hints()
        for line in text.splitlines()
        if (match := COMMAND.search(line)) and match.start() > 0 and line[: match.start()].strip()
    ]
    assert wrong == []
    assert sum(bool(COMMAND.search(text)) for _, text in _hints()) > 20


def test_an_error_survives_the_way_between_processes() -> None:
    error = ToolchainError("a", why="b", hint="c")
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, ToolchainError)
    assert str(copy) == str(error)


def test_all_errors_are_one_tree() -> None:
    assert issubclass(ToolchainError, Cm4TinyError)


@pytest.mark.parametrize(
    ("typed", "known", "wanted"),
    [
        ("_kwz", ["_kws", "_vww", "_ad"], "_kws"),
        ("_nucleo", ["_NUCLEO", "_virtual"], "_NUCLEO"),
        ("kws", ["_KWS"], "_KWS"),
        ("--outdir", ["--outdirname", "--output"], "--outdirname"),
        ("--budget_ram", ["--ram_budget", "--board"], "--ram_budget"),
        ("cmsis", ["tflm_cmsis_nn", "microtvm"], "tflm_cmsis_nn"),
        ("lokced", ["locked", "lock"], "locked"),
        ("toolchian", ["toolchain"], "toolchain"),
    ],
)
def test_a_mistyped_name_gets_the_nearest_ones(typed: str, known: list[str], wanted: str) -> None:
    assert nearest(typed, known).startswith(f"did you mean '{wanted}'")


@pytest.mark.parametrize(
    ("typed", "known"),
    [
        ("--open", ["--env", "--new", "--tune"]),
        ("--model", ["--time", "--mirror", "--new"]),
        ("zzzzzz", ["_kws"]),
        ("x", ["a", "s", "v"]),
        ("--gpu", ["--jobs", "--input"]),
    ],
)
def test_a_name_that_nothing_comes_close_to_gets_no_suggestion(typed: str, known: list[str]) -> None:
    assert nearest(typed, known) == ""


def test_a_name_that_differs_in_case_only_is_suggested_alone() -> None:
    assert nearest("_AD", ["_ad", "_add", "_ic"]) == "did you mean '_ad'?"
