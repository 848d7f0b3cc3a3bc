# SPDX-License-Identifier: Apache-2.0
"""The report's file format and its words."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.report_files import read_report

from cm4tiny.errors import ResultsError
from cm4tiny.results.report import check_report, make_report, write_report
from cm4tiny.results.summary import HEADER, markdown, summary, summary_rows


def report(**changes: Any) -> dict[str, Any]:
    results = [
        {
            "benchmark": "kws",
            "mode": "performance",
            "simulated": True,
            "throughput_inf_per_s": 14.5,
            "windows": [{"file": "a.bin", "iterations": 150, "elapsed_us": 10344827, "throughput_inf_per_s": 14.5}],
            "cycles_per_inference": 8275862.0,
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
            "broken_rules": ["accuracy 88.0 % is below the quality target 90 %"],
        },
        {"benchmark": "kws", "mode": "energy", "simulated": True, "energy_uj_per_inf": 3641.4, "derived": True},
    ]
    parts = {"board": "virtual", "engine": "microtvm", "assets": "embedded", "results": results, "files": [], "tools": {"gcc": "12.2"}}
    return make_report(**{**parts, **changes})


def test_a_report_is_labelled_simulated_and_embedded() -> None:
    made = report()
    assert made["simulated"] is True
    assert "simulated" in made["notice"]
    assert "not MLPerf Tiny's" in made["notice"]
    assert "_mlcommons" in made["notice"]


def test_a_report_survives_writing_and_reading(tmp_path: Path) -> None:
    made = report()
    path, _ = write_report(made, tmp_path / "out")
    assert read_report(path) == made
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["report.json", "report.md"]


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    first, _ = write_report(report(), tmp_path / "a")
    second, _ = write_report(report(), tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"results": [{"benchmark": "kws", "mode": "performance", "simulated": True}]}, "throughput_inf_per_s"),
        ({"results": [{"benchmark": "xyz", "mode": "accuracy", "simulated": True}]}, "xyz"),
        ({"board": "qemu"}, "qemu"),
        ({"files": [{"role": "model", "name": "m", "sha256": "0", "bytes": 1}]}, "sha256"),
    ],
)
def test_a_report_that_breaks_the_schema_is_refused_and_says_where(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ResultsError, match=where):
        report(**change)


def test_a_file_that_is_not_a_report_is_refused() -> None:
    with pytest.raises(ResultsError, match="not a valid report"):
        check_report({"schema": "other"}, "report.json")


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    with pytest.raises(ResultsError, match="cannot be written"):
        write_report(report(), blocker / "out")


def test_the_table_sets_this_run_beside_the_published_results() -> None:
    ours, target, fastest, lowest_energy = (dict(zip(HEADER, row, strict=True)) for row in summary_rows(report()))
    assert (ours["inf/s"], ours["accuracy"], ours["energy uJ/inf"]) == ("14.500", "88.0 %", "3641 (derived)")
    assert (target[""], target["accuracy"], target["by"]) == ("official target", "90.0 %", "does not judge this run")
    assert (fastest["inf/s"], fastest["by"]) == ("23.155", "STMicroelectronics v1.2")
    assert (lowest_energy["energy uJ/inf"], lowest_energy["by"]) == ("1820", "STMicroelectronics v1.2")


def test_an_official_model_is_judged_by_the_target_and_an_embedded_one_is_not() -> None:
    ours, target, *_ = (dict(zip(HEADER, row, strict=True)) for row in summary_rows(report(assets="mlcommons")))
    assert (ours["accuracy"], target[""], target["by"]) == ("88.0 % MISSED", "target", "MLPerf Tiny, closed division")
    embedded, official = (next(e for e in made["results"] if e["mode"] == "accuracy") for made in (report(), report(assets="mlcommons")))
    assert embedded["judged"] is False and "judged" not in official
    assert "not judged: the quality target is that of MLPerf Tiny's own model and data" in " ".join(summary(report()).split())
    assert "not judged" not in summary(report(assets="mlcommons"))


def test_results_of_another_board_clock_or_voltage_are_not_compared_or_marked() -> None:
    """The -P board at 3 V needs less energy than anything at 1.8 V: it must not be the run's yardstick."""
    made = report()
    other = [row for row in made["published"] if row["labels"]["board"] == "NUCLEO-L4R5ZI-P"]
    assert [row["differs"] for row in other] == [["another board: NUCLEO-L4R5ZI-P", "another supply voltage: 3 V"]]
    shown = [row for row in summary_rows(made) if row[HEADER.index("labels")].startswith("measured")]
    assert shown and all(", NUCLEO-L4R5ZI, 1.8 V, 120 MHz, " in row[-1] for row in shown)
    assert "Published results that are not compared, or not in energy: kws 3 (another board: NUCLEO-L4R5ZI-P," in summary(made)
    lines = [line for line in markdown(made).splitlines() if "NUCLEO-L4R5ZI-P" in line and line.startswith("| STM")]
    assert lines and all("another board: NUCLEO-L4R5ZI-P; another supply voltage: 3 V" in line for line in lines)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"figures": "measured"}, "figures"),
        ({"board": "NUCLEO-L4R5ZI-P"}, "board"),
        ({"model": "official"}, "model"),
        ({"supply_v": 3.0}, "supply_v"),
        ({"clock_mhz": 60.0}, "clock_mhz"),
        ({"division": "closed"}, "division"),
    ],
)
def test_a_report_whose_labels_contradict_its_figures_is_refused(change: dict[str, Any], key: str, tmp_path: Path) -> None:
    path, _ = write_report(report(), tmp_path)
    made = json.loads(path.read_text(encoding="utf-8"))
    made["results"][0]["labels"].update(change)
    path.write_text(json.dumps(made), encoding="utf-8")
    with pytest.raises(ResultsError, match=f"contradict the figures that they belong to: {key}"):
        read_report(path)


def test_a_run_whose_clock_and_voltage_were_recorded_is_labelled_with_them() -> None:
    results = [{**entry, "clock_mhz": 80.0, "supply_v": 3.3} for entry in report()["results"]]
    made = report(results=results)
    assert {(e["labels"]["clock_mhz"], e["labels"]["supply_v"]) for e in made["results"]} == {(80.0, 3.3)}
    assert all("another clock: 120 MHz" in row["differs"] for row in made["published"])
    assert not any(row[1] in ("fastest", "least energy") for row in summary_rows(made))


OPEN = {"division": "open", "division_reason": "3 channels were removed"}


def open_report() -> dict[str, Any]:
    return report(results=[entry | OPEN for entry in report()["results"]])


def test_figures_of_the_open_division_are_never_shown_without_saying_so() -> None:
    made = open_report()
    assert "open division" not in report()["notice"]
    assert "Figures of kws belong to the open division and are not figures of the closed one: 3 channels were removed." in made["notice"]
    assert summary_rows(made)[0][:2] == ["kws", "simulated run (open)"]
    assert "simulated run (open)" in summary(made)
    assert "**this run** (simulated, embedded model, open division)" in markdown(made)
    assert "(open)" not in markdown(report())
    assert max(len(line) for line in summary(made).splitlines()) <= 100


def test_no_entry_can_claim_to_be_closed() -> None:
    """Only a person who submits can claim that; a report says what is known to be against it."""
    with pytest.raises(ResultsError, match="division"):
        report(results=[entry | {"division": "closed"} for entry in report()["results"]])


def test_the_table_fits_a_terminal() -> None:
    assert max(len(line) for line in summary(report()).splitlines()) <= 100


def test_a_broken_rule_is_shown() -> None:
    assert "below the quality target" in summary(report())


def test_markdown_lists_this_run_among_the_published_ones_by_speed() -> None:
    lines = [line for line in markdown(report()).splitlines() if line.startswith(("| OctoML", "| **this run", "| STMicro", "| plumerai"))]
    speeds = [float(line.split("|")[3]) for line in lines]
    assert speeds == sorted(speeds, reverse=True)
    assert any("**this run** (simulated, embedded model)" in line for line in lines)


def test_markdown_names_the_list_of_samples_not_each_sample() -> None:
    names = ("kws01/y_labels.csv", "kws01/a.bin", "kws01/b.bin")
    text = markdown(report(files=[{"role": "data set", "name": name, "sha256": "0" * 64, "bytes": 1} for name in names]))
    assert "kws01/y_labels.csv" in text
    assert "kws01/a.bin" not in text
    assert "The hashes of 2 samples are in report.json." in text


def test_a_submissions_code_is_compared_with_itself_on_the_board() -> None:
    made = report(engine="octoml_native", assets="mlcommons")
    same = [row for row in made["published"] if row.get("same_code")]
    assert [(row["submitter"], row["round"], row["throughput_inf_per_s"]) for row in same] == [
        ("OctoML", "v1.0", 6.943),
        ("cTuning", "v1.1", 6.943),
    ]
    rows = {row[HEADER.index("by")]: row[1] for row in summary_rows(made)}
    assert rows["OctoML v1.0"] == rows["cTuning v1.1"] == f"same code ({100 * (14.5 / 6.943 - 1):+.1f} %)"
    assert not any(row.get("same_code") for row in report()["published"])


def test_a_locked_run_is_linked_from_its_report() -> None:
    made = report(lock="../run.json")
    assert made["lock"] == "../run.json"
    assert "`../run.json`" in markdown(made)
    assert "lock" not in report() and "--locked" not in markdown(report())


def test_a_run_on_the_p_board_is_compared_with_that_board() -> None:
    """Chip and USB ids of the NUCLEO-L4R5ZI-P are those of the NUCLEO-L4R5ZI; the run records which it was."""
    results = [
        {**entry, "simulated": False, "board_name": "NUCLEO-L4R5ZI-P", "supply_v": 3.0, "derived": False}
        if entry["mode"] == "energy"
        else {**entry, "simulated": False, "board_name": "NUCLEO-L4R5ZI-P", "clock_mhz": 120.0}
        for entry in report()["results"]
    ]
    made = report(board="NUCLEO", assets="mlcommons", results=results)
    labels = next(e["labels"] for e in made["results"] if e["mode"] == "energy")
    assert labels["text"] == "measured, official model, NUCLEO-L4R5ZI-P, 3 V, 120 MHz, no division claimed"
    assert summary(made).startswith("MLPerf Tiny on a NUCLEO-L4R5ZI-P,")
    fastest = next(dict(zip(HEADER, row, strict=True)) for row in summary_rows(made) if row[1] == "fastest")
    assert (fastest["inf/s"], fastest["by"], fastest["energy uJ/inf"]) == ("23.032", "STMicroelectronics v1.3", "1431")
    assert {row["differs"][0] for row in made["published"] if row["differs"]} == {"another board: NUCLEO-L4R5ZI"}


def test_a_lower_energy_at_another_voltage_is_not_the_least_and_is_shown_with_its_voltage() -> None:
    made = report()
    row = next(row for row in made["published"] if row["energy_uj_per_inf"] and not row["differs"])
    row |= {"energy_uj_per_inf": 7.0, "differs": ["another supply voltage: 3 V"], "labels": {**row["labels"], "supply_v": 3.0}}
    rows = {cells[1]: dict(zip(HEADER, cells, strict=True)) for cells in summary_rows(made)}
    assert row["throughput_inf_per_s"] == 23.155 and rows["fastest"]["energy uJ/inf"] == "7 at 3 V"
    assert rows["least energy"]["energy uJ/inf"] not in ("7", "7 at 3 V", "-")
