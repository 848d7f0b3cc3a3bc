# SPDX-License-Identifier: Apache-2.0
"""What an earlier script hands over, and whether it can change a later one."""

from __future__ import annotations

from typing import Any

import pytest

from cm4tiny.resolver.plan.influence import Unknown
from cm4tiny.resolver.plan.resolve import new_request, pick, resolve


def plan_of(micro: Any, tags: str) -> Any:
    session = micro.session()
    request = new_request({"tags": tags})
    script, query = pick(session.store, request)
    return session.planner.plan(resolve(script, query, request))


def unknown(env: list[str], state: list[str] | None = None) -> Unknown:
    made = Unknown()
    made.add(env, state or [])
    return made


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([], False), (["T_OTHER"], False), (["T_READ"], True), (["T_*"], True), (["T_REA?"], True), (["T_DECLARED"], True),
        (["T_IN_CONDITION"], True), (["T_MADE"], False), (["T_MAD?"], False), (["<<<T_NAME>>>"], True), (["+PATH"], True),
        (["T_BELOW"], True), (["T_MADE_TOO"], True),
    ],
)  # fmt: skip
def test_a_key_counts_if_a_script_below_reads_it(micro: Any, patterns: list[str], expected: bool) -> None:
    micro.script("leaf", "# T_BELOW\n")
    micro.script(
        "a", "# T_READ T_MADE T_MADE_TOO\n", default_env={"T_DECLARED": "1", "T_MADE_TOO": "1"}, new_env_keys=["T_MADE", "T_MADE_TOO"],
        deps=[{"tags": "leaf", "skip_if_env": {"T_IN_CONDITION": ["yes"]}}],
    )  # fmt: skip
    assert unknown(patterns).touches(plan_of(micro, "a")) is expected


def test_state_counts_also_if_the_script_hands_it_over_itself(micro: Any) -> None:
    micro.script("a", "# i['state']['shared']\n", new_state_keys=["shared"])
    assert unknown([], ["shared"]).touches(plan_of(micro, "a"))
    assert not unknown([], ["other"]).touches(plan_of(micro, "a"))


def test_text_of_a_meta_is_looked_at_word_by_word() -> None:
    assert unknown(["T_X"]).touches_text({"enable_if_env": {"T_X": ["yes"]}})
    assert not unknown(["T_X"]).touches_text({"enable_if_env": {"T_XY": ["yes"]}})
    assert not unknown([]).touches_text("T_X")


def test_what_is_added_later_counts() -> None:
    made = unknown(["T_A"])
    assert not made.touches_text("T_B")
    made.add(["T_B"], [])
    assert made.touches_text("T_B")
