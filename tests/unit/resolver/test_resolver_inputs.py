# SPDX-License-Identifier: Apache-2.0
"""Inputs are checked before anything is built or downloaded."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cm4tiny.boards.links import DEFAULT_BAUD
from cm4tiny.boards.nucleo import FLASHERS
from cm4tiny.errors import UsageError
from cm4tiny.firmware.build import DEFAULT_BAUD as SPEEDS
from cm4tiny.firmware.toolchain import KINDS
from cm4tiny.paths import cm_repo
from cm4tiny.resolver.catalogue.repository import ScriptStore, own_repositories
from cm4tiny.resolver.language.inputs import Input, check_request, inputs_of
from cm4tiny.resolver.language.meta import Script
from cm4tiny.results.submission.answers import DIVISIONS
from cm4tiny.results.tables.files import FORMATS
from cm4tiny.settings import JOBS_LIMIT

TABLE = yaml.safe_load((cm_repo() / "inputs.yaml").read_text(encoding="utf-8"))
SCRIPTS = {script.alias: script for script in ScriptStore(own_repositories()).scripts}
FLAGS = sorted((alias, given.flag) for alias, script in SCRIPTS.items() for given in inputs_of(script).values())


def test_the_table_has_the_form_of_its_schema() -> None:
    schema = Path(__file__).parents[3] / "src" / "cm4tiny" / "resolver" / "language" / "inputs.schema.json"
    jsonschema.validate(TABLE, json.loads(schema.read_text(encoding="utf-8")))


@pytest.mark.parametrize(("alias", "flag"), FLAGS, ids=lambda text: text)
def test_every_flag_of_this_projects_scripts_has_a_meaning_a_type_and_a_default(alias: str, flag: str) -> None:
    given = inputs_of(SCRIPTS[alias])[flag]
    assert given.kind and len(given.desc) > 4
    off = given.kind == "switch"  # which is off
    assert off or given.default or given.otherwise, "say in cm-repo/inputs.yaml what happens without it"
    assert not (given.default and given.otherwise)


def test_the_table_holds_nothing_that_no_script_reads() -> None:
    assert set(TABLE) == {given.key for script in SCRIPTS.values() for given in inputs_of(script).values()}


def test_defaults_are_of_scripts_that_have_the_input() -> None:
    for key, row in TABLE.items():
        told = [row[name] for name in ("default", "otherwise") if isinstance(row.get(name), dict)]
        if told:
            aliases = {alias for alias, script in SCRIPTS.items() if any(given.key == key for given in inputs_of(script).values())}
            assert {alias for texts in told for alias in texts} == aliases, key


def test_the_values_of_the_table_are_those_of_the_code() -> None:
    assert TABLE["CM_TINY_BAUD"]["default"] == {"doctor-mlperf-tiny": str(DEFAULT_BAUD)} and TABLE["CM_TINY_JOBS"]["maximum"] == JOBS_LIMIT
    said = TABLE["CM_TINY_BAUD"]["otherwise"]["run-mlperf-tiny"]
    assert said == f"{SPEEDS['performance']}, and {SPEEDS['energy']} for energy runs"


def test_the_choices_are_those_of_the_code() -> None:
    assert TABLE["CM_TINY_TOOLCHAIN"]["choices"] == ["auto", *KINDS]
    assert sorted(TABLE["CM_TINY_FLASHER"]["choices"]) == sorted(["auto", "none", *FLASHERS])
    assert TABLE["CM_TINY_SUBMISSION_DIVISION"]["choices"] == list(DIVISIONS)
    assert TABLE["CM_TINY_REPORT_FORMATS"]["choices"] == list(FORMATS)


def one(kind: str, **more: Any) -> Input:
    return Input("x", "CM_X", kind, "what it is", **more)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (one("count"), "many"), (one("count"), "0"), (one("count"), "-1"), (one("count"), "1.5"), (one("count"), "²"),
        (one("count"), True), (one("count", maximum=8), "9"), (one("size"), "128KB"), (one("size"), "0"), (one("size"), "big"),
        (one("choice", choices=("a", "b")), "c"), (one("choice", choices=("a", "b")), "A"), (one("choices", choices=("a", "b")), "a,c"),
        (one("switch"), "perhaps"), (one("sha256"), "abc"), (one("text"), True), (one("text"), {"a": "b"}), (one("text"), ["a"]),
        (one("file"), "absent"), (one("file"), "folder"), (one("folder"), "absent"), (one("folder"), "file"),
        (one("paths"), "folder,absent"),
        (one("output folder"), "file"), (one("output folder"), "file/below"),
        (one("output folder"), "broken/below"),
    ],
)  # fmt: skip
def test_a_value_that_is_not_possible_is_refused_with_a_hint(given: Input, value: Any, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError) as caught:
        given.check(value, tmp_path)
    assert "--x" in caught.value.what and caught.value.hint
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (one("count"), "12"), (one("count"), 12), (one("size"), "131072"), (one("size"), "128K"),
        (one("choices", choices=("a", "b")), "a, b"),
        (one("choice", choices=("a", "b")), "b"), (one("switch"), True), (one("switch"), "No"), (one("sha256"), "ab" * 32),
        (one("text"), "anything"), (one("text"), ""), (one("file"), "file"), (one("folder"), "folder"), (one("paths"), "folder,file"),
        (one("output folder"), "folder"), (one("output folder"), "folder/new/new"), (one(""), {"any": 1}), (one("count"), None),
    ],
)  # fmt: skip
def test_a_possible_value_passes(given: Input, value: Any, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    given.check(value, tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o500)
    with pytest.raises(UsageError, match="cannot be written"):
        one("output folder").check("folder/new", tmp_path)


def test_a_file_system_that_is_mounted_read_only_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UsageError, match="cannot be written"):
        one("output folder").check("new", tmp_path)


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    script = SCRIPTS["view-mlperf-tiny"]
    flags = check_request(script, {"outdirname": "~/out", "runs": "~,.", "metrics": "~x"}, tmp_path)
    assert flags == {"outdirname": f"{tmp_path}/out", "runs": f"{tmp_path},.", "metrics": "~x"}


def test_a_key_given_by_env_is_checked_as_its_flag_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--jobs=many"):
        check_request(SCRIPTS["reproduce-mlperf-tiny"], {"env": {"CM_TINY_JOBS": "many"}}, tmp_path)


def test_the_default_output_folder_is_checked_too(tmp_path: Path) -> None:
    (tmp_path / "mlperf-tiny-results").write_text("a file")
    with pytest.raises(UsageError, match="--outdirname=mlperf-tiny-results cannot be created"):
        check_request(SCRIPTS["reproduce-mlperf-tiny"], {}, tmp_path)
    assert check_request(SCRIPTS["reproduce-mlperf-tiny"], {}, tmp_path, defaults=False) == {}
    assert check_request(SCRIPTS["reproduce-mlperf-tiny"], {"outdirname": "other"}, tmp_path) == {"outdirname": "other"}


def test_a_meta_describes_its_own_inputs_and_wins(tmp_path: Path) -> None:
    (tmp_path / "inputs.yaml").write_text("CM_X: {type: count, desc: from the table}\n")
    meta = {"alias": "a", "input_mapping": {"x": "CM_X", "y": "CM_Y"}, "input_description": {"x": {"desc": "from the meta"}}}
    found = inputs_of(Script(tmp_path, meta, scripts_root=tmp_path))
    assert (found["x"].kind, found["x"].desc, found["y"].kind) == ("count", "from the meta", "")


def test_a_second_flag_of_a_key_says_that_it_is_an_alias() -> None:
    found = inputs_of(SCRIPTS["generate-mlperf-tiny-submission"])
    assert (found["results"].alias_of, found["sessions"].alias_of, found["results_dir"].text) == ("", "results", "alias of --results")
    meta = {"alias": "a", "input_mapping": {"x": "CM_X", "y": "CM_X"}, "input_description": {"y": {"desc": "of its own"}}}
    assert inputs_of(Script(Path("/nowhere"), meta))["y"].text == "of its own"


def test_what_happens_without_a_flag_is_shown() -> None:
    assert one("count", otherwise="one per core").text == "what it is [default: one per core]"
    assert one("count", default="3").text == "what it is [default: 3]"
