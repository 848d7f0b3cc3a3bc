# SPDX-License-Identifier: Apache-2.0
"""When a run ends: expectations, what earlier runs took, and what this one shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.cli import durations
from cm4tiny.cli.engine import StepRun
from cm4tiny.cli.forecast import BUILD, CACHED, DONE, MEASURE, RUNNING, Forecast, Part, clock, rough, took, usual_s, with_expectations
from cm4tiny.cli.parts import context_of, parts_of
from cm4tiny.events import SILENT


def parts(*rows: tuple[str, int, float]) -> list[Part]:
    return [Part(key, phase, expected) for key, phase, expected in rows]


def test_phases_follow_each_other_and_parts_of_one_run_side_by_side() -> None:
    found = Forecast(parts(("a", BUILD, 10), ("b", BUILD, 10), ("c", MEASURE, 30)), width=2)
    assert found.left_s(0.0) == pytest.approx(10 + 30)
    found.width = 1
    assert found.left_s(0.0) == pytest.approx(20 + 30)


def test_what_comes_from_the_cache_takes_no_time() -> None:
    found = Forecast([Part("a", BUILD, 10, CACHED), Part("b", MEASURE, 30)])
    assert found.left_s(0.0) == pytest.approx(30)


def test_a_slow_machine_is_noticed_by_its_first_parts() -> None:
    found = Forecast(parts(("a", BUILD, 100), ("b", MEASURE, 100)))
    found.parts[0].state, found.parts[0].took_s = DONE, 300.0
    left = found.left_s(300.0)
    assert left is not None and 280 < left <= 300


def test_a_part_that_runs_is_judged_by_its_own_pace() -> None:
    found = Forecast([Part("a", MEASURE, 10, RUNNING, began_s=0.0, share=0.5)])
    left = found.left_s(40.0)
    assert left is not None and 19 < left < 41


def test_the_pace_of_what_runs_counts_for_what_waits() -> None:
    found = Forecast([Part("a", MEASURE, 20, RUNNING, began_s=0.0, share=0.5), Part("b", MEASURE, 20)])
    left = found.left_s(100.0)
    assert left is not None and left > 150


def test_a_part_that_takes_longer_than_expected_still_takes_something() -> None:
    found = Forecast([Part("a", MEASURE, 10, RUNNING, began_s=0.0)])
    left = found.left_s(100.0)
    assert left is not None and left > 0


def test_the_share_never_shrinks_and_ends_at_one() -> None:
    found = Forecast(parts(("a", BUILD, 10), ("b", MEASURE, 10)))
    shares = [found.share(5.0)]
    found.parts[1].expected_s = 1000.0
    shares.append(found.share(6.0))
    for part in found.parts:
        part.state = DONE
    shares.append(found.share(7.0))
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_without_a_plan_nothing_is_said() -> None:
    assert Forecast().left_s(3.0) is None


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (61, "1:01"), (3661, "1:01:01"), (-5, "0:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0:01"), (8, "0:08"), (62, "1:00"), (63, "1:05"), (200, "3:30")])
def test_a_time_to_come_is_no_more_exact_than_it_is_known(seconds: float, text: str) -> None:
    assert rough(seconds) == text


def test_a_time_that_passed_has_a_decimal_where_it_is_short() -> None:
    assert (took(0.31), took(75)) == ("0.3 s", "1:15")


# --- parts of a plan -------------------------------------------------------------------------------------------------------------------
def plan_of(tags: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("CM_REPOS", str(home / "CM"))
    monkeypatch.chdir(home)
    return StepRun({"tags": tags}, SILENT).plan()


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("reproduce,mlperf,tiny,_kws,_performance", ["board", "firmware kws", "kws performance"]),
        ("reproduce,mlperf,tiny,_ic", ["board", "firmware ic", "ic performance", "ic accuracy"]),
        ("reproduce,mlperf,tiny,_ad,_energy,_profile", ["board", "firmware ad", "ad energy", "profile"]),
        ("profile,mlperf,tiny,_vww", ["profile", "board", "firmware vww"]),
        ("view,mlperf,tiny", []),
    ],
)
def test_a_run_has_the_parts_of_its_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tags: str, expected: list[str]) -> None:
    assert [part.key for part in parts_of(plan_of(tags, tmp_path, monkeypatch))] == expected


def test_all_benchmarks_are_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = parts_of(plan_of("reproduce,mlperf,tiny", tmp_path, monkeypatch))
    assert len(found) == 1 + 4 + 8
    assert all(usual_s(part.key) > 0 for part in found)


def test_an_image_from_the_cache_is_known_before_the_run() -> None:
    build = {"script": "build-mlperf-tiny-firmware", "variations": ["kws"], "deps": [{"assumed": True, "plan": {"in_the_cache": True}}]}
    build["deps"][0]["plan"] |= {"script": "compile-mlperf-tiny-firmware", "variations": [], "deps": []}  # type: ignore[index]
    found = parts_of(build)
    assert [(part.key, part.state, part.note) for part in found] == [("firmware kws", CACHED, "from the cache")]


# --- what it took before ---------------------------------------------------------------------------------------------------------------
def test_a_later_run_of_the_same_kind_expects_what_the_earlier_one_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path))
    kind = context_of("reproduce,mlperf,tiny,_kws,_performance,_tflm")
    assert kind == context_of("reproduce,mlperf,tiny,_tflm,_ic") != context_of("reproduce,mlperf,tiny")
    durations.learn(kind, [Part("kws performance", MEASURE, 1, DONE, took_s=40.0), Part("kws accuracy", state=CACHED, took_s=9.0)])
    durations.learn(kind, [Part("kws performance", MEASURE, 1, DONE, took_s=20.0)])
    assert durations.learned(kind) == {"kws performance": 30.0}
    assert durations.learned("other") == {}
    assert with_expectations([Part("kws performance")], durations.learned(kind))[0].expected_s == 30.0


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a|b": "x", "a|c": -1, "a|d": 1e99, "a|e": true}', "[" * 100000])
def test_a_damaged_file_of_durations_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path))
    (tmp_path / durations.FILE).write_text(content, encoding="utf-8")
    assert set(durations.learned("a")) <= {"e"}
    durations.learn("a", [Part("b", state=DONE, took_s=3.0)])
    assert json.loads((tmp_path / durations.FILE).read_text(encoding="utf-8"))["a|b"] == 3.0


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "file"))
    durations.learn("a", [Part("b", state=DONE, took_s=3.0)])
    assert durations.learned("a") == {}


def test_what_took_no_time_does_not_promise_less_than_a_twentieth() -> None:
    assert Forecast([Part("a", MEASURE, 1e6, DONE, took_s=0.0)]).scale(0.0) == 0.05
    assert Forecast([Part("a", MEASURE, 1.0, DONE, took_s=1e6)]).scale(0.0) == 20.0
