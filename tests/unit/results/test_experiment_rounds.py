# SPDX-License-Identifier: Apache-2.0
"""Rounds on disk as records: a small round of its own, one result that the packaged table knows and one that it does not."""

import json
from pathlib import Path

import pytest

from cm4tiny.errors import Cm4TinyError
from cm4tiny.results.experiments.records import published_records
from cm4tiny.results.experiments.rounds import round_records

KNOWN = "closed/STMicroelectronics/results/NUCLEO_L4R5ZI/kws"
NEW = "closed/Nobody/results/BOARD/kws"
SYSTEM = {
    "Board Name": "A board",
    "Processor(s) Name": "Arm Cortex-M4",
    "Processor(s) Frequencies": "100 MHz",
    "Inference Framework": "microTVM",
    "SoC Memory capacity (not including processor or accelerator)": "640KB",
    "SoC storage capacity": "2MB",
}
LOG = "00217.217 emon: m-power[on]\n00319.864 emon: m-voltage-mv[{}]\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "tiny_results_v1.1"
    for result, voltage in ((KNOWN, 3000), (NEW, 1800)):
        write(root / result / "performance" / "results.txt", "00366.093 ulp-mlperf: Median throughput is 5.000 inf./sec.\n")
        write(root / result / "performance" / "log.txt", "")
        write(root / result / "accuracy" / "results.txt", "03171.459 ulp-mlperf: Top-1: 89.0%\n03171.489 ulp-mlperf: AUC: 0.97\n")
        write(root / result / "accuracy" / "log.txt", "")
        write(root / result / "energy" / "results.txt", "00319.916 ulp-ml: Median energy cost is 200.000 uJ/inf.\n")
        write(root / result / "energy" / "log.txt", LOG.format(voltage))
    for submitter, system in (("STMicroelectronics", "NUCLEO_L4R5ZI"), ("Nobody", "BOARD")):
        write(root / "closed" / submitter / "systems" / f"{system}.json", json.dumps(SYSTEM))
    return root


def test_a_published_result_keeps_its_claims_and_gains_what_the_files_tell(checkout: Path) -> None:
    record = next(r for r in round_records(checkout) if r.text("source").endswith(KNOWN))
    packaged = next(r for r in published_records() if r.id == record.id)
    assert record.figure("throughput_inf_per_s") == packaged.figure("throughput_inf_per_s") == 15.905
    assert (packaged.figure("supply_v"), record.figure("supply_v")) == (1.8, 3.0)
    assert record.links["files"].startswith("file:///")
    assert packaged.links.items() < record.links.items()


def test_a_result_that_is_not_published_is_read_from_its_files(checkout: Path) -> None:
    record = next(r for r in round_records(checkout) if r.text("source").endswith(NEW))
    assert record.id not in {r.id for r in published_records()}
    figures = {
        name: record.figure(name) for name in ("throughput_inf_per_s", "accuracy_pct", "auc", "energy_uj_per_inf", "supply_v", "memory_kib")
    }
    assert figures == {
        "throughput_inf_per_s": 5.0,
        "accuracy_pct": 89.0,
        "auc": 0.97,
        "energy_uj_per_inf": 200.0,
        "supply_v": 1.8,
        "memory_kib": 640.0,
    }
    texts = [record.text(name) for name in ("round", "board", "core", "framework_family", "metric", "quality_target_met")]
    assert texts == ["v1.1", "A board", "Cortex-M4", "microTVM", "top-1", "no"]
    assert record.figure("frequency_mhz") == 100.0


def test_a_folder_without_rounds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Cm4TinyError) as refused:
        round_records(tmp_path)
    assert refused.value.hint


def test_a_streaming_result_has_the_throughput_of_its_performance_session(checkout: Path) -> None:
    folder = checkout / "closed/Nobody/results/BOARD/sww"
    write(folder / "energy" / "results.txt", "Average duty cycle: 0.56085\nEstimated throughput: 55.742 inf./sec.\n")
    write(folder / "energy" / "log.txt", "")
    only_energy = next(r for r in round_records(checkout) if r.text("benchmark") == "sww")
    write(folder / "performance" / "results.txt", "Average duty cycle: 0.55914\nEstimated throughput: 55.908 inf./sec.\n")
    write(folder / "performance" / "log.txt", "")
    both = next(r for r in round_records(checkout) if r.text("benchmark") == "sww")
    assert (only_energy.figure("throughput_inf_per_s"), both.figure("throughput_inf_per_s")) == (55.742, 55.908)


def test_the_processors_memory_is_not_the_socs(checkout: Path) -> None:
    system = {"Board Name": "B", "Processor memory type and capacity": "304KB SRAM", "Processor storage type and capacity": "1MB"}
    write(checkout / "closed/Nobody/systems/BOARD.json", json.dumps(system))
    record = next(r for r in round_records(checkout) if r.text("source").endswith(NEW))
    assert [record.figure(name) for name in ("memory_kib", "storage_kib", "processor_memory_kib")] == [None, None, 304.0]


def test_a_draft_of_a_simulated_run_is_not_called_printed(checkout: Path) -> None:
    folder = checkout / NEW
    plain = next(r for r in round_records(checkout) if r.text("source").endswith(NEW))
    assert (plain.text("label"), plain.text("quality_target_met")) == ("printed", "no")
    text = (folder / "performance" / "results.txt").read_text(encoding="utf-8")
    write(folder / "performance" / "results.txt", "SIMULATED: virtual NUCLEO-L4R5ZI; these numbers were not measured\n" + text)
    simulated = next(r for r in round_records(checkout) if r.text("source").endswith(NEW))
    assert simulated.text("label") == "simulated"
    assert simulated.text("board") == "A board (virtual)"
    assert "simulated, official model, A board, 1.8 V, 100 MHz, closed division, model error: " in simulated.text("conditions")
    assert simulated.notes == ("Its sessions say: simulated.",)
