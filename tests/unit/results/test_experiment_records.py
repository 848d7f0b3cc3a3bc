# SPDX-License-Identifier: Apache-2.0
"""Records of published results and own runs, and the names that are brought to one spelling."""

import contextlib
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm4tiny.errors import ResultsError
from cm4tiny.results.experiments.own_runs import find_runs, own_records, read_run
from cm4tiny.results.experiments.records import COLUMN_IDS, Record, evidence_link, harmonise, make_record, published_records, quality_met
from cm4tiny.results.names import common_spelling, core, framework_family, kibibytes, known, megahertz
from cm4tiny.results.published import published_results

PARTS: dict[str, Any] = {
    "board": "virtual",
    "engine": "microtvm",
    "assets": "embedded",
    "results": [
        {
            "benchmark": "kws",
            "mode": "performance",
            "simulated": True,
            "session": "sessions/a",
            "throughput_inf_per_s": 20.0,
            "windows": [],
            "cycles_per_inference": 6e6,
        },
        {
            "benchmark": "kws",
            "mode": "accuracy",
            "simulated": True,
            "metric": "top-1",
            "value": 88.0,
            "samples": 200,
            "quality_target": 90.0,
            "quality_target_met": False,
            "broken_rules": ["below the target"],
        },
        {"benchmark": "kws", "mode": "energy", "simulated": True, "energy_uj_per_inf": 2500.0, "derived": True},
        {
            "benchmark": "ad",
            "mode": "accuracy",
            "simulated": True,
            "metric": "auc",
            "value": 0.9,
            "samples": 9,
            "quality_target": 0.85,
            "quality_target_met": True,
        },
    ],
    "files": [],
    "tools": {},
}


def run_in(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "outcome.json").write_text(json.dumps({**PARTS, **changes}), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "mhz"),
    [
        ("120 MHz", 120),
        ("336 MHZ", 336),
        ("650Mhz", 650),
        ("40M", 40),
        ("1.0 GHz", 1000),
        ("277.5M", 277.5),
        ("up to 3.4Ghz, up to 2.3Ghz", None),
        ("", None),
        ("120", None),
    ],
)
def test_frequencies(text: str, mhz: float | None) -> None:
    assert megahertz(text) == mhz


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("640KB RAM", 640),
        ("2 MB", 2048),
        ("1.18MB", 1.18 * 1024),
        ("2MB+32KB", 2080),
        ("1.5 MB L2 + 128 KB L1", 1664),
        ("32KB or 64KB", None),
        ("2MB+", None),
        ("32 KB L1 per core, 512 KB L2", None),
        ("", None),
        ("SRAM 2M", None),
    ],
)
def test_memory_sizes(text: str, size: float | None) -> None:
    assert kibibytes(text) == size


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("32-bit Arm® Cortex®-M4 (DSP + FPU)", "Cortex-M4"),
        ("Arm® Cortex®-M4F", "Cortex-M4"),
        ("32-bit Arm® Cortex®-M0+", "Cortex-M0+"),
        ("ARM Cortex A9 Based", "Cortex-A9"),
        ("RV32IMAC with FPU", "RISC-V"),
        ("XuanTie C906 RISC-V", "RISC-V"),
        ("Broadcom BCM2711", "Cortex-A72"),
        ("Something else", "Something else"),
        ("N/A", ""),
    ],
)
def test_cores(text: str, name: str) -> None:
    assert core(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("X-CUBE-AI v9.0.0", "ST X-CUBE-AI"),
        ("TensorFlow Lite for Microcontrollers='https://github.com/x'", "TensorFlow Lite Micro"),
        ("tflite-micro, https://github.com/x, commit", "TensorFlow Lite Micro"),
        ("Own thing, https://example.org/<b>", "Own thing"),
        ("N/A", ""),
    ],
)
def test_framework_families(text: str, name: str) -> None:
    assert framework_family(text) == name


def test_the_most_common_spelling_is_taken() -> None:
    assert common_spelling(["A-1", "a_1", "A-1", "B"]) == {"A-1": "A-1", "a_1": "A-1", "B": "B"}
    assert known(" n/a ") == ""


def test_every_published_result_is_a_record_with_evidence() -> None:
    records = published_records()
    assert len({record.id for record in records}) == len(records) == 365
    assert all(len(record.id) == 16 and record.values.keys() <= set(COLUMN_IDS) for record in records)
    assert all(link.startswith("https://github.com/mlcommons/tiny_results_v") for record in records for link in record.links.values())
    assert {record.text("quality_target_met") for record in records if record.text("division") == "closed"} == {"yes", "no", ""}


def test_a_record_holds_what_was_printed() -> None:
    row = next(row for row in published_results() if row.source.endswith("v1.2/closed/STMicroelectronics/results/NUCLEO_L4R5ZI/kws"))
    record = published_records([row])[0]
    assert record.figure("throughput_inf_per_s") == 23.155
    assert record.figure("energy_uj_per_inf") == 1820.454
    assert (record.figure("accuracy_pct"), record.text("metric"), record.figure("frequency_mhz")) == (90.2, "top-1", 120.0)
    assert (record.figure("supply_v"), record.figure("memory_kib"), record.figure("storage_kib")) == (1.8, 640.0, 2048.0)
    assert (record.text("core"), record.text("quality_target_met")) == ("Cortex-M4", "yes")


def test_below_the_target_is_said() -> None:
    missed = [r for r in published_records() if r.text("quality_target_met") == "no"]
    assert Counter(r.text("division") for r in missed) == {"open": 10, "closed": 2}
    assert {r.text("submitter") for r in missed if r.text("division") == "closed"} == {"latentai"}


def test_streaming_wakeword_meets_its_target_by_counts() -> None:
    assert quality_met("sww", 0.9, (4.0, 6.0)) == "yes"
    assert quality_met("sww", 0.9, (4.0, 9.0)) == "no"
    assert quality_met("sww", 0.9, (4.0, None)) == ""
    assert quality_met("nothing", 99.0) == ""


def test_recomputed_figures_say_so() -> None:
    first = published_records()[0]
    assert first.text("round") == "v0.5"
    assert any("recomputed from the log" in note for note in first.notes)


def test_links_escape_what_a_path_holds() -> None:
    assert (
        evidence_link("tiny_results_v0.7/open/A/results/B (C) D")
        == "https://github.com/mlcommons/tiny_results_v0.7/tree/HEAD/open/A/results/B%20%28C%29%20D"
    )


def test_one_board_has_one_name() -> None:
    boards = Counter(record.text("board") for record in harmonise(published_records()))
    assert boards["NUCLEO-L4R5ZI"] == 77
    assert "Nucleo-L4R5ZI" not in boards


def test_an_own_run_is_labelled_simulated_and_embedded(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    (run / "sessions" / "a").mkdir(parents=True)
    kws, ad = own_records(run)
    assert kws.text("label") == "simulated, embedded model"
    assert kws.text("board") == "NUCLEO-L4R5ZI (virtual)"
    assert (kws.figure("throughput_inf_per_s"), kws.figure("energy_uj_per_inf"), kws.figure("frequency_mhz")) == (20.0, 2500.0, 120.0)
    assert kws.text("quality_target_met") == ""
    assert "below the target" not in kws.notes
    said = {"Accuracy is not judged: the quality target is that of MLPerf Tiny's own model and data."}
    assert said | {"Energy is computed from the performance windows' cycles, not from an energy run."} <= set(kws.notes)
    assert kws.text("conditions").startswith(
        "simulated, embedded model, NUCLEO-L4R5ZI, 1.8 V, 120 MHz, no division claimed, model error: throughput -"
    )
    assert (kws.text("model"), kws.text("division"), kws.figure("supply_v")) == ("embedded model", "none claimed", 1.8)
    (official,) = own_records(run_in(tmp_path / "official", assets="mlcommons", results=PARTS["results"][1:2]))
    assert (official.text("label"), official.text("quality_target_met")) == ("simulated", "no")
    assert "below the target" in official.notes
    assert kws.links["performance session"].startswith("file:///")
    assert (ad.figure("accuracy_pct"), ad.figure("auc"), ad.figure("throughput_inf_per_s")) == (90.0, 0.9, None)


def test_an_own_run_of_the_open_division_is_labelled_open(tmp_path: Path) -> None:
    results = [{**PARTS["results"][0], "division": "open", "division_reason": "9 channels removed"}]
    (record,) = own_records(run_in(tmp_path / "open", results=results))
    assert record.text("label").endswith("open division")
    assert record.text("division") == "open"
    assert any("9 channels removed" in note for note in record.notes)
    assert own_records(run_in(tmp_path / "other"))[0].text("division") == "none claimed"


def test_a_session_path_that_leaves_the_run_is_no_link(tmp_path: Path) -> None:
    for place in ("../..", "/etc", "a\0b", "."):
        results = [{**PARTS["results"][0], "session": place}]
        record = own_records(run_in(tmp_path / "run", results=results))[0]
        assert "performance session" not in record.links


def test_runs_are_found_one_folder_down(tmp_path: Path) -> None:
    run_in(tmp_path / "b")
    run_in(tmp_path / "a")
    assert [path.parent.name for path in find_runs(tmp_path)] == ["a", "b"]
    assert len(own_records(tmp_path)) == 4
    assert find_runs(tmp_path / "a" / "outcome.json") == (tmp_path / "a" / "outcome.json",)


@pytest.mark.parametrize("content", ["{", "[]", "3", "{}", '{"schema": "cm4tiny-report-1"}', '{"board": 1}', "[" * 100_000])
def test_what_is_no_run_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ResultsError) as refused:
        read_run(path)
    assert refused.value.hint


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="there is no run"):
        find_runs(tmp_path)
    with pytest.raises(ResultsError, match="there is no run"):
        find_runs(tmp_path / "absent")


def test_figures_that_are_no_numbers_are_dropped(tmp_path: Path) -> None:
    for figure in ("1e999", "NaN", "1" + "0" * 400):
        text = json.dumps({**PARTS, "results": [PARTS["results"][2]]}).replace("2500.0", figure)
        (tmp_path / "outcome.json").write_text(text, encoding="utf-8")
        try:
            (record,) = own_records(tmp_path)
        except ResultsError:
            continue
        assert record.figure("energy_uj_per_inf") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["kws", "performance", "virtual", "cm4tiny-report-1"]),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(["benchmark", "mode", "simulated", "role", "name"]), part),
    max_leaves=8,
)


@given(st.fixed_dictionaries(dict.fromkeys(("board", "engine", "assets", "results", "files", "tools"), JSON), optional={"schema": JSON}))
def test_any_json_is_a_run_or_refused(content: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outcome.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        with contextlib.suppress(ResultsError):
            own_records(path)


def test_a_record_drops_what_is_not_known() -> None:
    record = make_record("x", {"auc": None, "board": "", "top1": 1})
    assert isinstance(record, Record)
    assert dict(record.values) == {"source": "x", "board": "", "top1": 1.0}
    assert record.figure("board") is None
    assert record.text("top1") == ""
