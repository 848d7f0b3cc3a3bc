# SPDX-License-Identifier: Apache-2.0
"""Whose models and samples: this project's own, MLPerf Tiny's by hash, and what stands in for a set that is not here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.benchmarks import DataSet, get_benchmark
from cm4tiny.benchmarks.assets import AssetSource, data_set, inputs_kind, model_file, run_inputs, streaming_set
from cm4tiny.errors import AssetError, NotAvailableError, UsageError
from cm4tiny.events import Event, EventStream, Message


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AssetSource:
    """No mirror, no network, an empty cache."""
    monkeypatch.delenv("CM_TINY_MIRROR", raising=False)
    monkeypatch.setenv("CM_TINY_OFFLINE", "yes")
    return AssetSource(root=tmp_path)


@pytest.mark.parametrize("benchmark", ["ad", "ic", "kws", "vww"])
def test_every_benchmark_has_an_embedded_model_and_samples(benchmark: str) -> None:
    assert model_file(benchmark).read_bytes()[4:8] == b"TFL3"
    assert data_set(benchmark).samples


def test_a_missing_official_model_says_what_to_do(nowhere: AssetSource) -> None:
    with pytest.raises(AssetError, match="is not available") as caught:
        model_file("kws", "mlcommons", source=nowhere)
    assert "--mirror" in caught.value.hint


def test_a_missing_official_data_set_says_how_to_import_it(nowhere: AssetSource) -> None:
    with pytest.raises(AssetError, match="data set vww01 is not here") as caught:
        data_set("vww", "mlcommons", source=nowhere)
    assert "--tags=get,mlperf,tiny,dataset,_vww01 --archive=FILE" in caught.value.hint


@pytest.mark.parametrize("mode", ["performance", "energy"])
@pytest.mark.parametrize("benchmark", ["ad", "ic", "vww", "ic02"])
def test_a_run_that_measures_time_takes_this_projects_samples_for_a_missing_set_and_says_so(
    nowhere: AssetSource, benchmark: str, mode: str
) -> None:
    heard: list[Event] = []
    source = AssetSource(root=nowhere.root, events=EventStream(heard.append))
    samples = run_inputs(benchmark, "mlcommons", mode=mode, source=source)
    assert inputs_kind(samples.root) == "embedded"
    assert len(next(samples.segments(samples.samples[0]))) == get_benchmark(benchmark).input_bytes
    assert any(isinstance(event, Message) and "good for throughput only" in event.text for event in heard)


@pytest.mark.parametrize("mode", ["standard", "accuracy"])
def test_a_run_that_measures_accuracy_never_takes_other_samples(nowhere: AssetSource, mode: str) -> None:
    with pytest.raises(AssetError, match="data set ic01 is not here"):
        run_inputs("ic", "mlcommons", mode=mode, source=nowhere)


def test_an_import_that_was_asked_for_is_made_whatever_the_mode(nowhere: AssetSource, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="is not here"):
        run_inputs("ic", "mlcommons", mode="performance", source=AssetSource(given=str(tmp_path), root=nowhere.root))


@pytest.mark.parametrize("get", [data_set, run_inputs])
def test_the_streaming_wakeword_has_no_single_samples(nowhere: AssetSource, get: Callable[..., Any]) -> None:
    with pytest.raises(NotAvailableError, match="sww has no samples to send one by one") as caught:
        get("sww", "mlcommons", source=nowhere)
    assert "recording" in caught.value.why


def test_a_data_set_of_a_streaming_benchmark_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sww has no set of single samples"):
        DataSet.open(tmp_path, get_benchmark("sww"))


def test_a_missing_streaming_test_names_the_mirror(nowhere: AssetSource) -> None:
    with pytest.raises(AssetError, match="sww01 is not here"):
        streaming_set(source=nowhere)


def test_embedded_models_are_int8() -> None:
    with pytest.raises(UsageError, match="no embedded float model") as caught:
        model_file("kws", precision="float")
    assert "_mlcommons" in caught.value.hint


def test_a_mistyped_kind_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match="embeded") as caught:
        model_file("kws", "embeded")
    assert "embedded" in str(caught.value)


def test_a_folder_of_the_users_is_not_embedded(tmp_path: Path) -> None:
    assert inputs_kind(tmp_path) == "mlcommons"
    assert inputs_kind(data_set("kws").root) == "embedded"
