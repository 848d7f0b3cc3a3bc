"""Errors say what happened, why, and what to do."""

import pickle

from cm4tiny.errors import AssetError, Cm4TinyError, ToolchainError, nearest


def test_an_error_says_what_why_and_cure() -> None:
    error = ToolchainError("no compiler", why="nothing on PATH", cure="install one")
    assert str(error) == "no compiler\n  why: nothing on PATH\n  cure: install one"


def test_an_error_becomes_a_cm_return_value() -> None:
    assert AssetError("gone").as_cm() == {"return": 1, "error": "gone"}


def test_an_error_survives_the_way_between_processes() -> None:
    error = ToolchainError("a", why="b", cure="c")
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, ToolchainError)
    assert str(copy) == str(error)


def test_all_errors_are_one_tree() -> None:
    assert issubclass(ToolchainError, Cm4TinyError)


def test_a_mistyped_name_gets_the_nearest_ones() -> None:
    assert nearest("_kwz", ["_kws", "_vww", "_ad"]).startswith("did you mean '_kws'")
    assert nearest("zzzzzz", ["_kws"]) == ""
