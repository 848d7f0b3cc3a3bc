# SPDX-License-Identifier: Apache-2.0
"""Flags are read once into typed options."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.errors import UsageError
from cm4tiny.resolver.language.options import LOCK_FILE, OPTIONS, CommandOptions, RunOptions, parse
from cm4tiny.resolver.plan.resolve import Request
from cm4tiny.settings import cores, is_on, output_folder, parse_jobs, parse_switch


@pytest.mark.parametrize("value", [True, "yes", "YES", "true", " on ", "1", 1])
def test_what_switches_on(value: Any) -> None:
    assert is_on(value) and is_on(value, other=True) and parse_switch("x", value)
    assert parse(CommandOptions, {"plan": value}).plan


@pytest.mark.parametrize("value", [False, None, "", "no", "NO", "false", "off", "0", 0])
def test_what_does_not(value: Any) -> None:
    assert not is_on(value) and not is_on(value, other=True)
    assert not parse(CommandOptions, {"plan": value}).plan


def test_other_words_are_no_unless_they_must_not_be() -> None:
    assert not is_on("perhaps") and is_on("perhaps", other=True)
    with pytest.raises(UsageError, match="--x=perhaps is neither yes nor no"):
        parse_switch("x", "perhaps")


def test_other_names_of_an_option() -> None:
    assert parse(RunOptions, {"no_cache": "yes"}).skip_cache and parse(RunOptions, {"prepare": True}).fake_run
    assert parse(CommandOptions, {"j": True}).json and parse(CommandOptions, {"s": True, "silent": "no"}).silent
    assert parse(CommandOptions, {"h": True}).help and not parse(CommandOptions, {"other": True}).help


def test_changes_under_both_names_are_merged_the_short_one_first() -> None:
    given = {"add_deps_recursive": {"a": {"version": "2", "tags": "y"}}, "adr": {"a": {"version": "1", "tags": "x"}, "b": {}}}
    assert parse(RunOptions, given).adr == {"a": {"version": "2", "tags": "x,y"}, "b": {}}


@pytest.mark.parametrize(
    ("value", "file"), [(True, LOCK_FILE), ("yes", LOCK_FILE), ("x.json", "x.json"), ("", ""), (None, ""), (False, "")]
)
def test_the_name_of_a_lock_file(value: Any, file: str) -> None:
    options = parse(CommandOptions, {"lock": value})
    assert options.lock == file and options.locks is bool(file)


def test_empty_texts_leave_the_default() -> None:
    assert parse(CommandOptions, {"repro_dir": "", "repro_prefix": None}).repro_dir == "cm-repro"
    assert parse(CommandOptions, {"repro_prefix": "p"}).repro_prefix == "p"


def test_a_request_reads_its_options_from_what_was_given() -> None:
    request = Request(inputs={"new": "yes", "outdirname": " o ", "version": 3.8, "force_new_env_keys": ["A"], "x": "y"})
    options = request.options
    assert (options.new, options.again, options.version, options.force_new_env_keys) == (True, True, "3.8", ("A",))
    assert options.env == {"CM_OUTDIRNAME": "o"}
    assert dataclasses.replace(request, inputs={}).options == RunOptions()


def test_what_is_pretended_is_told_to_scripts_below() -> None:
    assert RunOptions.of({"fake_run": True, "fake_deps": "yes"}).pretended_env == {"CM_TMP_FAKE_RUN": "yes", "CM_TMP_FAKE_DEPS": "yes"}
    assert RunOptions.of({}).pretended_env == {} and not RunOptions.of({}).pretends


def test_every_option_has_a_meaning_and_is_listed() -> None:
    for cls in (RunOptions, CommandOptions):
        for given in dataclasses.fields(cls):
            if given.name not in ("env", "force_new_env_keys", "force_new_state_keys"):
                assert len(given.metadata["help"]) > 5 and OPTIONS[given.name].help == given.metadata["help"]
                assert all(OPTIONS[other].help == f"another name of {given.name}" for other in given.metadata["others"])


def test_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_jobs("") == parse_jobs(None) == cores() and parse_jobs("", 0) == 0
    assert (parse_jobs(" 3 "), parse_jobs(2), parse_jobs("1024")) == (3, 2, 1024)
    for wrong in ("0", "-1", "many", "1.5", "1025", "\u0663"):
        with pytest.raises(UsageError, match="is not a number of jobs"):
            parse_jobs(wrong)


def test_the_output_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert output_folder({}, "results") == tmp_path / "results"
    assert output_folder({"CM_TINY_OUTDIR": "o"}, "results") == tmp_path / "o"
    assert output_folder({"CM_TINY_OUTDIR": "o", "CM_TMP_CURRENT_PATH": "/user"}, "results") == Path("/user/o")
    assert output_folder({"CM_TINY_OUTDIR": "/abs", "CM_TMP_CURRENT_PATH": "/user"}, "results") == Path("/abs")
    assert output_folder({"CM_TINY_OUTDIR": "o", "CM_OUTDIRNAME": "o"}, "results") == tmp_path
