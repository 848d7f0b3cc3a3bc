# SPDX-License-Identifier: Apache-2.0
"""The parts of the language that need no run: conditions, environment, versions, tags, variations, changes of dependencies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm4tiny.errors import DependencyError, MetaError, NotAvailableError, UsageError, VariationError
from cm4tiny.resolver import Script
from cm4tiny.resolver.language import conditions, deps, environment, versions
from cm4tiny.resolver.language.options import check_flags, env_of_flags
from cm4tiny.resolver.language.query import ScriptQuery
from cm4tiny.resolver.language.variations import Chosen, VariationGroup, blocks_to_apply, choose
from cm4tiny.resolver.language.vocabulary import problems


# --- conditions ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("condition", "env", "expected"),
    [
        ({"A": ["yes"]}, {"A": "anything"}, True),
        ({"A": ["yes"]}, {"A": "off"}, False),
        ({"A": ["yes"]}, {}, False),
        ({"A": ["no"]}, {}, True),
        ({"A": ["no"]}, {"A": ""}, True),
        ({"A": ["no"]}, {"A": "x"}, False),
        ({"A": ["x", "y"]}, {"A": "Y "}, True),
        ({"A": ["x"], "B": ["y"]}, {"A": "x", "B": "z"}, False),
        ({"A": [""]}, {}, True),
        ({"A": "x"}, {"A": "x"}, True),
        ({"A": [True]}, {"A": True}, True),
    ],
)
def test_enable_if_env_joins_keys_by_and_and_values_by_or(condition: dict[str, Any], env: dict[str, Any], expected: bool) -> None:
    assert conditions.is_enabled({"enable_if_env": condition}, env) is expected
    assert conditions.is_enabled({"skip_if_env": condition}, env) is not expected


def test_any_conditions_never_match_a_missing_key() -> None:
    assert not conditions.is_enabled({"enable_if_any_env": {"A": ["no"]}}, {})
    assert conditions.is_enabled({"enable_if_any_env": {"A": ["no"], "B": ["x"]}}, {"B": "x"})
    assert conditions.is_enabled({"skip_if_any_env": {"A": ["no"]}}, {})
    assert not conditions.is_enabled({"skip_if_any_env": {"A": ["no"]}}, {"A": "off"})


# --- environment --------------------------------------------------------------------------------------------------------------
def test_placeholders_are_filled_in_and_unknown_ones_stay() -> None:
    env = {"A": "<<<B>>>/<<<NONE>>>", "B": 3, "+PATH": ["<<<B>>>/bin"], "C": True}
    environment.expand(env)
    assert env == {"A": "3/<<<NONE>>>", "B": 3, "+PATH": ["3/bin"], "C": True}
    assert environment.unresolved_keys(env) == ["A"]


def test_a_plus_key_must_be_a_list() -> None:
    with pytest.raises(MetaError, match=r"\+PATH"):
        environment.expand({"+PATH": "/bin"})


@pytest.mark.parametrize("value", ["text", 5, {"a": 1}])
def test_a_plus_key_with_any_other_value_is_an_error_and_other_keys_keep_it(value: Any) -> None:
    env = {"T_A": value}
    environment.expand(env)
    assert env == {"T_A": value}
    with pytest.raises(MetaError, match="'\\+T_A' is not a list"):
        environment.expand({"+T_A": value})


def test_only_named_keys_leave_a_run() -> None:
    env = {"A_1": 1, "A_2": 2, "B": 3, "WHICH": "B", "C": 4}
    assert environment.exported(env, ["A_*", "<<<WHICH>>>", "MISSING"]) == {"A_1": 1, "A_2": 2, "B": 3}


trees = st.dictionaries(st.sampled_from("abc"), st.one_of(st.integers(), st.lists(st.integers(), max_size=3)), max_size=3)


nested = st.dictionaries(st.sampled_from("xyz"), st.one_of(trees, st.integers(), st.lists(st.integers(), max_size=3)), max_size=3)


@given(nested, trees)
def test_merging_never_changes_what_is_merged_in_and_twice_is_once(first: dict[str, Any], second: dict[str, Any]) -> None:
    before = repr(second)
    once = environment.merge(dict(first), second)
    snapshot = repr(once)
    twice = environment.merge(once, second)
    assert repr(second) == before
    assert repr(twice) == snapshot


# --- versions -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("low", "high"), [("1.9", "1.10"), ("1.0.rc1", "1.0.1"), ("2", "10"), ("1.0", "1.0.1")])
def test_versions_compare_by_number(low: str, high: str) -> None:
    assert versions.compare(low, high) == -1
    assert versions.compare(high, low) == 1
    assert versions.compare(low, low) == 0


def test_the_default_version_is_moved_into_the_range() -> None:
    assert versions.Wanted(version_max="1.5").with_default("2.0").version == "1.5"
    assert versions.Wanted(version_max="1.5", version_max_usable="1.4").with_default("2.0").version == "1.4"
    assert versions.Wanted(version_min="3").with_default("2.0").version == "3"
    assert versions.Wanted(version="7").with_default("2.0").version == "7"


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(DependencyError, match="no version"):
        versions.Wanted(version_min="2", version_max="1").check("x")


def test_a_range_becomes_a_requirement_of_pip() -> None:
    assert versions.Wanted(version_min="1", version_max="2").pip_string() == ">=1,<=2"
    assert versions.Wanted(version="1").pip_string() == "==1"
    assert versions.Wanted().pip_string() == ""


# --- tags ---------------------------------------------------------------------------------------------------------------------
def test_tags_are_split_into_tags_variations_and_exclusions() -> None:
    query = ScriptQuery.parse("a, b,_x,-_y,_-z,-c,,a")
    assert query == ScriptQuery(("a", "b"), ("c",), ("x",), ("y", "z"))
    assert str(query) == "a,b,-c,_x,-_y,-_z"


def test_asking_for_and_excluding_the_same_is_refused() -> None:
    with pytest.raises(UsageError, match="'x'"):
        ScriptQuery.parse("a,_x,-_x")


# --- variations ---------------------------------------------------------------------------------------------------------------
def _script(**variations: Any) -> Script:
    return Script(Path("s"), {"alias": "s", "uid": "1", "variations": variations})


def _chosen(script: Script, tags: str) -> list[str]:
    return list(choose(script, ScriptQuery.parse(tags)).names)


def test_a_group_uses_its_default_unless_a_member_is_chosen_or_the_default_is_excluded() -> None:
    script = _script(a={"group": "g", "default": True}, b={"group": "g"})
    assert _chosen(script, "") == ["a"]
    assert _chosen(script, "_b") == ["b"]
    assert _chosen(script, "-_a") == []


def test_two_members_of_a_group_are_refused() -> None:
    with pytest.raises(VariationError, match="exclude each other") as caught:
        _chosen(_script(a={"group": "g"}, b={"group": "g"}), "_a,_b")
    assert "'g'" in caught.value.why


def test_bases_are_added_to_a_fixed_point() -> None:
    assert _chosen(_script(a={"base": ["b"]}, b={"base": ["c"]}, c={}), "_a") == ["a", "b", "c"]


def test_a_base_that_does_not_exist_is_named_with_a_suggestion() -> None:
    with pytest.raises(VariationError, match="_comon") as caught:
        _chosen(_script(a={"base": ["comon"]}, common={}), "_a")
    assert "common" in caught.value.hint


def test_an_excluded_base_is_refused() -> None:
    with pytest.raises(VariationError, match="excluded"):
        _chosen(_script(a={"base": ["b"]}, b={}), "_a,-_b")


def test_an_alias_brings_in_its_variation() -> None:
    assert _chosen(_script(a={"alias": "b"}, b={"env": {}}), "_a") == ["a", "b"]


def test_the_default_of_a_group_brings_in_its_bases() -> None:
    assert _chosen(_script(a={"group": "g", "default": True, "base": ["b"]}, b={}), "") == ["a", "b"]
    assert _chosen(_script(a={"group": "g", "default": True}, b={}), "_b") == ["b", "a"]


def test_default_variations_choose_another_default_for_a_group() -> None:
    script = _script(a={"default_variations": {"g": "q"}}, p={"group": "g", "default": True}, q={"group": "g"})
    assert _chosen(script, "_a") == ["a", "q"]
    assert _chosen(script, "_a,_p") == ["a", "p"]
    assert _chosen(script, "") == ["p"]


def test_a_combination_may_choose_defaults() -> None:
    script = _script(**{"a": {}, "b": {}, "a,b": {"default_variations": {"g": "q"}}, "p": {"group": "g"}, "q": {"group": "g"}})
    assert _chosen(script, "_a") == ["a"]
    assert _chosen(script, "_a,_b") == ["a", "b", "q"]


def test_two_defaults_in_a_group_are_refused() -> None:
    with pytest.raises(VariationError, match="two defaults"):
        _chosen(_script(a={"group": "g", "default": True}, b={"group": "g", "default": True}), "")


# --- changes of dependencies --------------------------------------------------------------------------------------------------
def test_a_dependency_with_the_same_names_replaces_the_older_one() -> None:
    lists = deps.new_lists()
    deps.take(lists, {"deps": [{"tags": "a", "names": ["n"]}, {"tags": "b"}, {"tags": "b"}]})
    deps.append(lists, {"deps": [{"tags": "c", "names": ["n"]}, {"tags": "b", "version": "1"}, {"tags": "d"}]})
    assert [dep["tags"] for dep in lists["deps"]] == ["c", "b", "b", "d"]
    assert lists["deps"][1] == {"tags": "b", "version": "1"}


def test_adr_unites_tags_in_order_and_overwrites_scalars() -> None:
    lists = deps.new_lists()
    meta = {"deps": [{"tags": "a,_x", "names": ["n"], "env": {"K": 1}}]}
    deps.take(lists, meta)
    entry = {"tags": "_z,_x,_<<<NONE>>>,_<<<Y>>>", "version": "2", "env": {"L": 2}, "enable_if_env": {"Y": ["y"]}}
    deps.change(lists, {"n": entry}, {"Y": "y"})
    assert lists["deps"][0] == {"tags": "a,_x,_z,_y", "names": ["n"], "version": "2", "env": {"K": 1, "L": 2}}
    assert meta["deps"][0]["tags"] == "a,_x"
    assert meta["deps"][0]["env"] == {"K": 1}


def test_a_conditional_change_that_is_not_enabled_does_nothing() -> None:
    lists = deps.new_lists()
    deps.take(lists, {"deps": [{"tags": "a", "names": ["n"]}]})
    deps.change(lists, {"n": {"tags": "_z", "enable_if_env": {"Y": ["y"]}}}, {})
    assert lists["deps"][0]["tags"] == "a"


def test_ad_for_a_name_that_no_dependency_has_is_refused_with_a_suggestion() -> None:
    lists = deps.new_lists()
    deps.take(lists, {"deps": [{"tags": "a", "names": ["compiler"]}]})
    with pytest.raises(DependencyError, match="compilr") as caught:
        deps.change(lists, {"compilr": {"tags": "_z"}}, {}, strict="s")
    assert "compiler" in caught.value.hint


def test_a_dependency_inherits_variations_except_skipped_groups_and_excluded_ones() -> None:
    chosen = Chosen(("a", "size.12", "p", "q"), ("c",), {"g": VariationGroup(["p"]), "h": VariationGroup(["size.#"])})
    dep = {"tags": "t,-_q", "inherit_variation_tags": True, "skip_inherit_variation_groups": ["g", "h"]}
    assert deps.inherited_tags(dep, dep["tags"], chosen) == "t,-_q,_a,_-c"


# --- flags and keys -----------------------------------------------------------------------------------------------------------
def test_an_unknown_flag_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="--outdirnam") as caught:
        check_flags(["tags", "outdirnam"], ["board"], "s", lambda flag: f"not {flag}")
    assert caught.value.hint == "not outdirnam"
    with pytest.raises(UsageError) as caught:
        check_flags(["bord"], ["board"], "s")
    assert "--env.KEY" in caught.value.hint


def test_a_flag_that_only_upstream_has_is_refused_and_not_ignored() -> None:
    with pytest.raises(NotAvailableError, match="--docker_run_deps"):
        check_flags(["docker_run_deps"], [], "s")


def test_flags_become_environment_keys() -> None:
    assert env_of_flags({"path": "/x", "outdirname": "o", "quiet": True}) == {"CM_TMP_PATH": "/x", "CM_OUTDIRNAME": "o"}


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"new_env_key": []}, "did you mean 'new_env_keys'"),
        ({"deps": [{"tags": "a", "enable_if_envs": {}}]}, "deps[1]: unknown key 'enable_if_envs'"),
        ({"variations": {"a": {"envs": {}}}}, "variation 'a': unknown key 'envs'"),
        ({"variations": {"a": {"base": ["nope"]}}}, "base 'nope' does not exist"),
        ({"variations": {"a": {"default_variations": {"g": "a"}}}}, "names the group 'g'"),
        ({"deps": {"tags": "a"}}, "'deps' is dict, not a list"),
        ({"deps": [{"tags": ["a"]}]}, "'tags' is not a string"),
        ({"update_meta_if_env": [{"envs": {}}]}, "update_meta_if_env[1]: unknown key 'envs'"),
        ({"variations": {"a": {"update_meta_if_env": ["b"]}}}, "variation 'a': update_meta_if_env[1] is not a mapping"),
        ({"variations": {"a": {"adr": {"n": "x"}}}}, "'adr' of 'n' is 'x', not a mapping"),
        ({"ad": {"n": {"tags": ["x"]}}}, "the tags of 'ad' of 'n' are not a string"),
        ({"deps": [{"tags": "a", "names": "b c"}]}, "'names' is the text 'b c', not a list"),
    ],
)
def test_a_mistake_in_a_meta_is_named(meta: dict[str, Any], expected: str) -> None:
    assert any(expected in text for text in problems(meta)), problems(meta)


def test_a_good_meta_has_no_problems() -> None:
    assert problems({"alias": "a", "uid": "b", "tags": [], "deps": [{"tags": "x"}], "variations": {"v": None, "w": {"group": "g"}}}) == []


def test_the_suffix_of_a_dynamic_variation_replaces_the_mark_below_the_top_level() -> None:
    script = _script(**{"x.#": {"group": "g#", "env": {"T_X": "a#b#"}, "deps": [{"tags": "leaf,_y.#"}], "new_env_keys": ["T_#"]}})
    ((name, block),) = blocks_to_apply(script, choose(script, ScriptQuery.parse("_x.5")))
    assert (name, block) == ("x.#", {"group": "g#", "env": {"T_X": "a5b5"}, "deps": [{"tags": "leaf,_y.5"}], "new_env_keys": ["T_5"]})
