# SPDX-License-Identifier: Apache-2.0
"""Records as CM experiments: upstream's names and keys, merging with what is there, and what CM may answer."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cm4tiny.errors import ResultsError, UsageError
from cm4tiny.results.experiments.entries import experiment_names, experiment_tags, make_entries, merge, result_of
from cm4tiny.results.experiments.importer import AUTOMATION, import_results
from cm4tiny.results.experiments.records import OWN_RUN, make_record, published_records


def record(source: str, **texts: str) -> Any:
    return next(r for r in published_records() if r.text("source").endswith(source) and all(r.text(k) == v for k, v in texts.items()))


class FakeCm:
    """CM's find and add for one repository in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[dict[str, Any]] = []

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(request)
        path = self.folder / request["artifact"].split(":")[-1]
        if request["action"] == "find":
            return {"return": 0, "list": [SimpleNamespace(path=str(path))] if path.is_dir() else []}
        path.mkdir()
        return {"return": 0, "path": str(path)}


def results_in(folder: Path, name: str) -> list[dict[str, Any]]:
    (path,) = (folder / name).glob("*/cm-result.json")
    return json.loads(path.read_text(encoding="utf-8"))


def test_names_and_tags_are_upstreams() -> None:
    one = record("v1.2/closed/STMicroelectronics/results/NUCLEO_L4R5ZI/kws")
    assert experiment_names(one) == ("mlperf-tiny--all--closed--kws", "mlperf-tiny--v1.2--closed--kws")
    assert experiment_tags("mlperf-tiny--v1.2--closed--kws") == ["mlperf", "mlperf-tiny", "v1.2", "closed", "kws"]


def test_own_runs_have_experiments_of_their_own() -> None:
    own = make_record("x", {"origin": OWN_RUN, "label": "simulated, embedded model", "benchmark": "kws"})
    assert experiment_names(own) == ("mlperf-tiny--own--simulated-embedded-model--kws",)
    assert result_of(own)["simulated"] is True


def test_a_name_never_leaves_its_folder() -> None:
    hostile = make_record("x", {"origin": "published", "round": "../..", "division": "a/b:c", "benchmark": "..\\d\0"})
    assert experiment_names(hostile) == ("mlperf-tiny--all--a-b-c--d", "mlperf-tiny--unknown--a-b-c--d")


def test_a_result_has_upstreams_keys_and_derived_metrics() -> None:
    found = result_of(record("v1.1/closed/STMicroelectronics/results/NUCLEO_L4R5ZI/kws"))
    expected = {
        "median_throughput": 15.905,
        "median_throughput_metric": "inf./sec.",
        "Result": 15.905,
        "_Result": 15.905,
        "accuracy_Top-1": 90.2,
        "accuracy_Top-1_metric": "%",
        "Accuracy": 90.2,
        "_Accuracy": 90.2,
        "median_energy_cost": 2833.138,
        "median_energy_cost_metric": "uj/inf.",
        "version": "v1.1",
        "__version": "v1.1",
        "Organization": "STMicroelectronics",
        "Division": "closed",
        "Benchmark": "kws",
        "__System": "NUCLEO_L4R5ZI",
        "Board Name": "NUCLEO-L4R5ZI",
        "supply_v": 1.8,
    }
    assert {key: found[key] for key in expected} == expected
    assert found["inferences_per_joule"] == pytest.approx(1e6 / 2833.138)
    assert len(found["uid"]) == 16
    assert found["git_url"].startswith("https://github.com/mlcommons/tiny_results_v1.1/")
    assert "Model" not in found
    assert result_of(record("pynq-z2/ic/RN08"))["Model"] == "RN08"


def test_every_published_result_is_in_two_experiments() -> None:
    entries = make_entries(published_records())
    assert sum(len(results) for name, results in entries.items() if "--all--" in name) == 365
    assert sum(len(results) for name, results in entries.items() if "--all--" not in name) == 365


def test_merging_keeps_what_others_added() -> None:
    old = [{"uid": "a", "Result": 1.0, "mine": 7}, {"uid": "b", "Result": 2.0}, {"Result": 3.0}, "odd"]
    merged = merge(old, [{"uid": "a", "Result": 9.0}, {"uid": "c", "Result": 4.0}])
    assert merged == [{"Result": 3.0}, {"uid": "a", "Result": 9.0, "mine": 7}, {"uid": "b", "Result": 2.0}, {"uid": "c", "Result": 4.0}]


def test_importing_twice_changes_nothing(tmp_path: Path) -> None:
    cm = FakeCm(tmp_path)
    first = import_results(access=cm, metrics=["twice = 2 * throughput_inf_per_s"])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    second = import_results(access=cm, metrics=["twice = 2 * throughput_inf_per_s"])
    assert first == second
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    assert all(request["common"] and request["automation"] == AUTOMATION for request in cm.requests)
    results = results_in(tmp_path, "mlperf-tiny--v1.3--closed--kws")
    assert len(results) == 9
    assert all(result["twice"] == 2 * result["Result"] for result in results)


def test_a_repository_may_be_named(tmp_path: Path) -> None:
    cm = FakeCm(tmp_path)
    import_results(access=cm, repo="mine")
    assert all(request["artifact"].startswith("mine:mlperf-tiny--") for request in cm.requests)


def test_a_refusal_of_cm_is_passed_on() -> None:
    with pytest.raises(ResultsError, match="no such repo") as refused:
        import_results(access=lambda request: {"return": 1, "error": "no such repo"}, repo="nowhere")
    assert "--target_repo" in str(refused.value)


@pytest.mark.parametrize("content", ["{", "{}", "[" * 100_000])
def test_a_damaged_result_file_is_not_overwritten(tmp_path: Path, content: str) -> None:
    cm = FakeCm(tmp_path)
    import_results(access=cm)
    (path,) = (tmp_path / "mlperf-tiny--v1.3--closed--kws").glob("*/cm-result.json")
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ResultsError, match="cannot be read"):
        import_results(access=cm)
    assert path.read_text(encoding="utf-8") == content


def test_a_wrong_metric_writes_nothing(tmp_path: Path) -> None:
    cm = FakeCm(tmp_path)
    with pytest.raises(UsageError):
        import_results(access=cm, metrics=["x = __import__('os')"])
    assert not cm.requests
