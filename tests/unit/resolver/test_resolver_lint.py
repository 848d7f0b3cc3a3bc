# SPDX-License-Identifier: Apache-2.0
"""The lint of scripts, and this project's scripts under it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.paths import cm_repo
from cm4tiny.resolver.catalogue.lint import SCHEMA, against_schema, code_lines, declared_flags, lint_repository
from cm4tiny.resolver.language import vocabulary

GOOD = """alias: good
uid: "0123456789abcdef"
automation_alias: script
automation_uid: "5b4e0237da074764"
tags: [good, cm4tiny]
variations:
  a: {group: g, default: true}
  b: {group: g}
"""


def lint(tmp_path: Path, meta: str, customize: str = "", name: str = "good") -> list[str]:
    folder = tmp_path / "script" / name
    folder.mkdir(parents=True)
    (folder / "_cm.yaml").write_text(meta)
    (folder / "README-extra.md").write_text("text")
    if customize:
        (folder / "customize.py").write_text(customize)
    return lint_repository(tmp_path)


def test_this_projects_scripts_are_clean() -> None:
    assert lint_repository(cm_repo()) == []


def test_a_good_script_is_clean(tmp_path: Path) -> None:
    assert lint(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('uid: "0123456789abcdef"', "uid: 0123456789abcdef", "between quotes"),
        ('uid: "0123456789abcdef"', 'uid: "xyz"', "does not match"),
        ("alias: good", "alias: other", "not the name of the folder"),
        ("[good, cm4tiny]", "[good]", "does not contain"),
        ("tags: [good", "new_env_key: []\ntags: [good", "did you mean 'new_env_keys'"),
        ("tags: [good", "local_env_keys: ['CM_*']\ntags: [good", "local_env_keys/0"),
        ("b: {group: g}", "b: {group: g, base: [c]}", "base 'c' does not exist"),
        ("b: {group: g}", "b: {group: g, base: [a]}", "exclude each other"),
        ("tags: [good", "deps: [{tags: 'bad,cm4tiny'}]\ntags: [good", "names 0 scripts"),
        ("tags: [good", "deps: [{tags: 'good,_nope'}]\ntags: [good", "names 0 scripts"),
        ("alias: good", "alias: [", "cannot parse"),
    ],
)
def test_a_mistake_is_found(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    found = lint(tmp_path, GOOD.replace(old, new))
    assert any(expected in text for text in found), found


def test_a_missing_readme_a_long_customize_and_a_uid_used_twice_are_found(tmp_path: Path) -> None:
    lint(tmp_path, GOOD, "\n".join(f"x{number} = {number}" for number in range(41)))
    (tmp_path / "script" / "good" / "README-extra.md").unlink()
    other = tmp_path / "script" / "other"
    other.mkdir()
    (other / "_cm.yaml").write_text(GOOD.replace("good", "other"))
    found = "\n".join(lint_repository(tmp_path))
    assert "README-extra.md is missing" in found
    assert "41 lines" in found
    assert "has the uid of good" in found


def test_blank_lines_and_comments_are_not_counted() -> None:
    assert code_lines('"""Doc\nof two lines."""\n\n# comment\ndef f():\n    """Doc."""\n    return (1,\n\n            2)\n') == 6


def test_the_schema_and_the_engine_know_the_same_keys() -> None:
    schema: dict[str, Any] = json.loads(SCHEMA.read_text())
    parts = schema["$defs"]
    assert set(schema["properties"]) == vocabulary.TOP
    assert set(parts["dependency"]["properties"]) == set(parts["dependency_change"]["properties"]) == vocabulary.DEP_KEYS
    assert set(parts["variation"]["properties"]) == vocabulary.VARIATION
    assert set(parts["version_block"]["properties"]) == vocabulary.VERSION
    assert set(parts["variation"]["properties"]["update_meta_if_env"]["items"]["properties"]) == vocabulary.UPDATE_KEYS


def test_every_key_of_the_schema_is_explained() -> None:
    schema: dict[str, Any] = json.loads(SCHEMA.read_text())
    blocks = [schema["properties"], *(schema["$defs"][name]["properties"] for name in ("dependency", "variation"))]
    plain = {"automation_alias", "automation_uid", "state", "const_state", "names", "variations", "versions"}
    assert {key for block in blocks for key, rule in block.items() if "description" not in rule} <= plain


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ({"env": {"A": {"b": 1}}}, "env/A"),
        ({"env": {"+A": ["x"], "B": 1, "C": None}}, ""),
        ({"deps": [{"names": ["x"]}]}, "deps/0"),
        ({"deps": [{"tags": "a,,b"}]}, "deps/0/tags"),
        ({"deps": [{"tags": "a", "skip_if_env": {"A": []}}]}, "deps/0/skip_if_env/A"),
        ({"deps": [{"tags": "a", "version": 1.5, "dynamic": "yes", "skip_if_env": {"A": True}}]}, ""),
        ({"variations": {"v": {"adr": {"x": {}}}}}, "variations/v/adr/x"),
        ({"variations": {"v": {"default_variations": {"g": 1}}, "w": None}}, "variations/v/default_variations/g"),
        ({"versions": {"1.0": {"group": "g"}}}, "versions/1.0"),
        ({"extra_cache_tags_from_env": [{"prefix": "x"}]}, "extra_cache_tags_from_env/0"),
        ({"update_meta_if_env": [{"enable_if_env": {"A": ["b"]}, "env": {"C": "d"}}]}, ""),
        ({"tags": ["a b"]}, "tags/0"),
        ({"tags": []}, "tags"),
        ({"uid": 1111111111111111}, "uid"),
    ],
)
def test_the_schema_says_where_a_mistake_is(part: dict[str, Any], place: str) -> None:
    identity = {"alias": "a", "uid": "0123456789abcdef", "automation_alias": "script", "automation_uid": "5b4e0237da074764", "tags": ["a"]}
    found = list(against_schema({**identity, **part}))
    assert [text.partition(": ")[0] for text in found] == ([place] if place else [])


FLAGS = """
from cm4tiny import cm


class Options:
    text: str = cm.flag("MY_TEXT", also=("old",))
    fast: bool = cm.flag("MY_FAST")
    unit: str = cm.value("MY_UNIT")
"""
MAPPED = """
input_mapping: {text: MY_TEXT, old: MY_TEXT, fast: MY_FAST}
input_description:
  text: {desc: a text, type: text, otherwise: none}
  fast: {desc: be fast, type: switch}
"""


def test_flags_of_the_options_are_those_of_the_meta(tmp_path: Path) -> None:
    assert declared_flags(FLAGS) == {"text": "MY_TEXT", "old": "MY_TEXT", "fast": "MY_FAST"}
    assert lint(tmp_path, GOOD + MAPPED, FLAGS) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (", fast: MY_FAST}", "}", "--fast: customize.py sets MY_FAST by it, input_mapping nothing"),
        ("fast: MY_FAST}", "fast: MY_FAST, more: MY_MORE}", "--more: customize.py sets nothing by it, input_mapping MY_MORE"),
        ("text: MY_TEXT", "text: MY_TXT", "--text: customize.py sets MY_TEXT by it, input_mapping MY_TXT"),
        ("old: MY_TEXT, ", "", "--old: customize.py sets MY_TEXT"),
        ("type: text, ", "", "--text: type missing"),
        ("desc: be fast, ", "", "--fast: desc missing"),
        (", otherwise: none", "", "--text: default or otherwise missing"),
    ],
)
def test_a_flag_that_differs_or_is_not_described_is_found(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in MAPPED
    found = lint(tmp_path, GOOD + MAPPED.replace(old, new, 1), FLAGS)
    assert any(expected in text for text in found), found


def test_hooks_that_declare_no_flags_may_read_anything(tmp_path: Path) -> None:
    assert lint(tmp_path, GOOD + "input_mapping: {x: MY_X}\n", "def preprocess(i):\n    return {'return': 0}\n") == []
    assert declared_flags("def broken(") == {}
