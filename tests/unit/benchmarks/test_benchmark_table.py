# SPDX-License-Identifier: Apache-2.0
"""The table of benchmarks: its facts, its checks, and how a wrong name is answered."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import yaml

from cm4tiny.benchmarks import ALL_BENCHMARKS, BENCHMARKS, SAMPLED, Benchmark, chosen_benchmarks, get_benchmark
from cm4tiny.benchmarks.table import load_benchmarks
from cm4tiny.errors import AssetError, UsageError

TABLE = Path(load_benchmarks.__code__.co_filename).with_name("benchmarks.yaml")


def edited(tmp_path: Path, benchmark: str, **changes: object) -> Path:
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    table["benchmarks"][benchmark].update(changes)
    path = tmp_path / "benchmarks.yaml"
    path.write_text(yaml.safe_dump(table), encoding="utf-8")
    return path


def test_the_default_job_has_four_benchmarks() -> None:
    assert list(BENCHMARKS) == ["ad", "ic", "kws", "vww"]
    assert [b.model_id for b in BENCHMARKS.values()] == ["ad01", "ic01", "kws01", "vww01"]


def test_the_table_also_knows_the_larger_image_classification_and_the_streaming_wakeword() -> None:
    assert list(ALL_BENCHMARKS) == [*BENCHMARKS, "ic02", "sww"]
    assert (get_benchmark("ic02").model_id, get_benchmark("ic02").data_set) == ("ic02", "ic01")
    assert [b.id for b in ALL_BENCHMARKS.values() if b.streaming] == ["sww"]


def test_all_means_the_default_job_and_a_round_what_its_checker_requires() -> None:
    """submission_checker.py of mlcommons/tiny at 1afd2c98: MODEL_CONFIG["v1.4"]["required_tests"] is empty for sww only."""
    assert chosen_benchmarks("all") == ("ad", "ic", "kws", "vww")
    assert chosen_benchmarks("v1.4") == ("ad", "ic", "kws", "vww", "ic02") == tuple(SAMPLED)
    assert chosen_benchmarks("ic02") == ("ic02",)
    assert {b.id: b.since for b in ALL_BENCHMARKS.values() if b.since != "v0.5"} == {"ic02": "v1.4", "sww": "v1.3"}


@pytest.mark.parametrize(
    ("benchmark", "sent", "kind", "results", "metric", "target"),
    [
        ("ad", 2560, "float32", 1, "auc", 0.85),
        ("ic", 3072, "uint8", 10, "top-1", 85.0),
        ("kws", 490, "int8", 12, "top-1", 90.0),
        ("vww", 27648, "uint8", 2, "top-1", 80.0),
        ("ic02", 3072, "uint8", 10, "top-1", 91.0),
        ("sww", 1200, "int8", 3, "false-detections", 8.0),
    ],
)
def test_each_row_states_what_the_rules_state(benchmark: str, sent: int, kind: str, results: int, metric: str, target: float) -> None:
    row = ALL_BENCHMARKS[benchmark]
    assert (row.input_bytes, row.input_kind, row.results, row.metric, row.quality_target) == (sent, kind, results, metric, target)
    assert row.input_bytes == math.prod(row.model_input_shape) * row.input_item_bytes
    assert len(row.labels) == row.classes


def test_keyword_labels_are_text_though_yaml_reads_no_and_on_as_booleans() -> None:
    labels = BENCHMARKS["kws"].labels
    assert labels[3] == "No" and labels[4] == "Off" and labels[5] == "On" and labels[9] == "Yes"
    assert labels[10:] == ("Silence", "Unknown")


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        BENCHMARKS["ad"] = BENCHMARKS["ic"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        BENCHMARKS["ad"].classes = 3  # type: ignore[misc]


def test_get_benchmark_returns_the_row() -> None:
    assert isinstance(get_benchmark("kws"), Benchmark)
    assert get_benchmark("kws") is BENCHMARKS["kws"]


@pytest.mark.parametrize(("typed", "meant"), [("kw", "'kws'"), ("vvw", "'vww'"), ("kws01", "'kws'"), ("ic01", "'ic'"), ("sww01", "'sww'")])
def test_a_mistyped_benchmark_suggests_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        get_benchmark(typed)
    assert meant in caught.value.hint and "ad, ic, kws, vww" in caught.value.why


def test_an_unknown_benchmark_lists_all() -> None:
    with pytest.raises(UsageError, match="there is no benchmark 'zebra'") as caught:
        get_benchmark("zebra")
    assert "ad, ic, kws, vww" in caught.value.hint


@pytest.mark.parametrize(
    ("benchmark", "changes", "expected"),
    [
        ("kws", {"input_bytes": 491}, "input_bytes 491"),
        ("ic", {"labels": ["a", "b"]}, "2 labels"),
        ("vww", {"results": 1}, "of one size"),
        ("ad", {"quality_target": 85}, "between 0 and 1"),
        ("ad", {"stride_bytes": 510}, "multiple"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(tmp_path: Path, benchmark: str, changes: dict[str, object], expected: str) -> None:
    with pytest.raises(AssetError) as caught:
        load_benchmarks(edited(tmp_path, benchmark, **changes))
    assert f"benchmarks/{benchmark}" in caught.value.what and expected in caught.value.why


@pytest.mark.parametrize(
    "changes", [{"metric": "accuracy"}, {"input_kind": "float64"}, {"colour": "red"}, {"labels": [True, "x"]}, {"classes": "12"}]
)
def test_a_row_that_breaks_the_schema_is_refused_with_its_place(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(AssetError, match="breaks its schema at benchmarks/kws"):
        load_benchmarks(edited(tmp_path, "kws", **changes))


def test_a_missing_table_is_an_asset_error(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"nothing\.yaml cannot be read"):
        load_benchmarks(tmp_path / "nothing.yaml")


def test_a_table_that_is_no_yaml_is_an_asset_error(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("a: [1,", encoding="utf-8")
    with pytest.raises(AssetError, match="cannot be read"):
        load_benchmarks(tmp_path / "t.yaml")
