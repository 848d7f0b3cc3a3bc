# SPDX-License-Identifier: Apache-2.0
"""The audit on the real rounds: what the study of past rounds lists by hand, rule by rule, and nothing else of these kinds."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from test_replay_rounds import official_lists, replayed, rounds_folder  # noqa: F401 - fixtures

from cm4tiny.results.audit import Finding, audit
from cm4tiny.results.replay import Replay
from cm4tiny.results.rounds import LabelLists

SYNTIANT = [f"closed/syntiant/results/syntiant_9120_{point}" for point in ("0v9_30mhz", "1v1_98mhz")]
STM = "closed/STMicroelectronics/results"
PLUMERAI = "closed/plumerai/results"
GAP9 = [f"closed/greenwaves-technologies/results/gap9_{point}/visual_wake_words/accuracy" for point in ("650_240", "800_370")]
KRAI = [
    f"closed/Krai/results/{system}/ic/accuracy"
    for system in (
        "NRF5340-DK_MICROTVM-CMSIS-NN", "NUCLEO-H7A3ZI-Q_X-CUBE-AI-7.3", "NUCLEO-H7A3ZI-Q_X-CUBE-AI-8.0", "NUCLEO-L4R5ZI_MICROTVM-CMSIS-NN",
        "NUCLEO-L4R5ZI_MICROTVM-NATIVE", "NUCLEO-L4R5ZI_X-CUBE-AI-7.3", "NUCLEO-L4R5ZI_X-CUBE-AI-8.0",
    )
]  # fmt: skip


@pytest.fixture(scope="module")
def findings(replayed: Replay, official_lists: LabelLists) -> tuple[Finding, ...]:  # noqa: F811 - the imported fixtures
    return audit(replayed, labels=official_lists)


def places(findings: tuple[Finding, ...], rule: str) -> set[tuple[str, str]]:
    return {(finding.round, finding.path) for finding in findings if finding.rule == rule}


def number(findings: tuple[Finding, ...], rule: str) -> dict[str, int]:
    return dict(sorted(Counter(finding.round for finding in findings if finding.rule == rule).items()))


def test_runs_on_the_old_list_of_images(findings: tuple[Finding, ...]) -> None:
    """Study 2e: 18 runs, one of them in v1.2, which is not in ../shared."""
    expected = {
        (round_, f"{STM}/{board}/ic/accuracy")
        for round_ in ("v0.7", "v1.0")
        for board in ("NUCLEO-H7A3ZI-Q", "NUCLEO-U575ZI-Q", "NUCLEO_L4R5ZI")
    }
    expected |= {("v1.1", f"{STM}/{board}/ic/accuracy") for board in ("NUCLEO_H7A3ZI_Q", "NUCLEO_L4R5ZI", "NUCLEO_U575ZI_Q")}
    expected |= {("v1.1", path) for path in KRAI}
    expected |= {("v1.3", "closed/Qualcomm/results/Next_Generation_Snapdragon_Mobile_Platform_MTP/ic/accuracy")}
    assert places(findings, "data.old-list") == expected
    assert len(expected) == 17


def test_windows_shorter_than_ten_seconds(findings: tuple[Finding, ...]) -> None:
    alibaba = "open/Alibaba/results/Alibaba Cloud Sinian Platform (Xuantie RISC-V)"
    kai_jiang = "closed/kai_jiang/results"
    assert places(findings, "windows.too-short") == {
        ("v0.5", "closed/latentai/results/raspberry_pi_4_leip_framework/kws/kws_fp32/performance"),
        ("v0.5", "closed/reference/results/Nucleo-L4R5ZI/ad/energy"),
        ("v0.5", "closed/reference/results/Nucleo-L4R5ZI/ic/energy"),
        ("v0.7", "closed/renesas/results/EK-RA6M4/kws/energy"),
        ("v0.7", f"{alibaba}/ic/performance"),
        ("v0.7", f"{alibaba}/vww/performance"),
        ("v1.1", "closed/Krai/results/NUCLEO-L4R5ZI_X-CUBE-AI-8.0/vww/performance"),
        ("v1.1", "closed/cTuning/results/NUCLEO-L4R5ZI_MicroTVM_Native/kws/performance"),
        *(("v1.1", f"{STM}/NUCLEO_H7A3ZI_Q/{run}") for run in ("ic/performance", "vww/performance", "ad/energy", "vww/energy")),
        *(("v1.1", f"{STM}/NUCLEO_L4R5ZI/{run}") for run in ("ic/energy", "vww/energy")),
        ("v1.1", f"{STM}/NUCLEO_U575ZI_Q/vww/energy"),
        ("v1.3", f"{kai_jiang}/K1_BOARD_V1.0/ad/performance"),
        *(("v1.3", f"{kai_jiang}/K1_BOARD_V1.0_HIGH_FREQ/{run}/performance") for run in ("ad", "ic", "kws")),
        ("v1.3", f"{kai_jiang}/VCU128/vww/performance"),
    }


def test_claims_that_the_logs_do_not_give(findings: tuple[Finding, ...]) -> None:
    board = f"{PLUMERAI}/DISCO_F746NG"
    found = {(finding.path, finding.message.split(":")[0]) for finding in findings if finding.rule == "claims.mismatch"}
    wrong = (("ad/performance", "throughput"), ("vww/performance", "throughput"), ("kws/accuracy", "top-1"), ("kws/accuracy", "auc"))
    assert found == {(f"{board}/{place}", metric) for place, metric in wrong}


def test_logs_of_another_session(findings: tuple[Finding, ...]) -> None:
    boards = ("DISCO_F746NG", "NUCLEO_L4R5ZI", "cy8cproto_062_4343w")
    expected = {("v0.7", f"{PLUMERAI}/{board}/{benchmark}/performance") for board in boards for benchmark in ("ad", "ic", "kws", "vww")}
    assert places(findings, "windows.other-session") == expected
    assert places(findings, "data.script") == {("v0.7", f"{PLUMERAI}/{board}/ad/accuracy") for board in boards}
    assert places(findings, "evidence.truncated") == {("v0.7", f"{PLUMERAI}/DISCO_F746NG/kws/accuracy")}


def test_evidence_used_twice(findings: tuple[Finding, ...]) -> None:
    sessions = {
        f"{system}/{benchmark}/{mode}"
        for system in SYNTIANT
        for benchmark in ("ic", "kws", "vww")
        for mode in ("accuracy", "energy", "performance")
    }
    assert places(findings, "evidence.resubmitted") == {(round_, path) for round_ in ("v1.0", "v1.1", "v1.3") for path in sessions}
    assert places(findings, "evidence.duplicate") == {("v1.0", path) for path in GAP9}
    assert places(findings, "data.unknown-files") == {("v1.0", path) for path in GAP9}


def test_energy_without_a_trace(findings: tuple[Finding, ...]) -> None:
    assert number(findings, "evidence.trace-missing") == {"v0.7": 14, "v1.0": 4}
    submitters = Counter(finding.path.split("/")[1] for finding in findings if finding.rule == "evidence.trace-missing")
    assert submitters == {"renesas": 8, "silicon_labs": 8, "syntiant": 2}


def test_single_findings_of_the_study(findings: tuple[Finding, ...]) -> None:
    assert places(findings, "windows.time-stamps") == {("v1.1", f"{STM}/NUCLEO_L4R5ZI/ic/energy")}
    assert places(findings, "values.vector-width") == {("v0.7", "open/hls4ml-finn/results/arty-a7-100t/ic/CNV-W1A1/accuracy")}
    assert number(findings, "claims.repeated") == {"v0.7": 18}
    assert {finding.path.split("/")[1] for finding in findings if finding.rule == "claims.repeated"} == {"Andes"}
    snapdragon = "closed/qualcomm/results/Next_Generation_Snapdragon_Mobile_Platform_HDK/ad/performance"
    assert places(findings, "claims.missing") == {("v1.0", snapdragon)}
    assert number(findings, "windows.count") == {"v0.7": 12, "v1.0": 1, "v1.1": 1}


def test_results_below_the_target(findings: tuple[Finding, ...]) -> None:
    latentai = "closed/latentai/results/raspberry_pi_4_leip_framework"
    assert places(findings, "claims.quality-target") == {
        ("v0.5", f"{latentai}/ic/ic_int8/accuracy"),
        ("v0.5", f"{latentai}/kws/kws_int8/accuracy"),
    }
    assert number(findings, "claims.open-below-target") == {"v0.5": 1, "v0.7": 8, "v1.0": 1}


def test_traps_of_system_descriptions(findings: tuple[Finding, ...]) -> None:
    """Study 3c: 6 files are not JSON; of 24 files with doubled keys (2 of them in v1.2) 19 lose a value."""
    assert number(findings, "system.json") == {"v0.5": 1, "v0.7": 1, "v1.0": 4}
    assert number(findings, "system.duplicate-key") == {"v0.5": 2, "v0.7": 8, "v1.0": 5, "v1.1": 6, "v1.3": 1}
    assert places(findings, "system.status") == {("v0.5", "open/hls4ml/systems/pynqz2.json")}


def test_styles_of_result_vectors(findings: tuple[Finding, ...]) -> None:
    found = {finding.path: finding.message for finding in findings if finding.rule == "values.style"}
    whole = {path.split("/")[1] for path, message in found.items() if message.startswith("whole numbers")}
    one_hot = {path.split("/")[1] for path, message in found.items() if message.startswith("one-hot")}
    assert whole == {"Nuvoton", "Skymizer"}
    assert one_hot == {"hls4ml", "hls4ml-finn"}
    assert any(re.match(r"values from -14\.2", message) for path, message in found.items() if "Alibaba" in path)


def test_no_rule_on_streaming_or_current_structure_complains_of_accepted_results(findings: tuple[Finding, ...]) -> None:
    errors = {finding.rule for finding in findings if finding.round == "v1.3" and finding.severity == "error"}
    assert errors == {"windows.too-short", "data.old-list"}


def test_witnesses_of_measured_windows(findings: tuple[Finding, ...]) -> None:
    """docs/replay.md, Witnesses: every energy run of another speed and every clock that the host's contradicts."""
    finn = "open/hls4ml-finn/results/arty-a7-100t"
    gaps = ("v1.1", f"{STM}/NUCLEO_L4R5ZI/ic/energy")
    assert places(findings, "windows.energy-speed") == {gaps, ("v0.7", f"{finn}/ad/AD08/power"), ("v0.7", f"{finn}/kws/KWS-W3A3/power")}
    nuvoton = "closed/Nuvoton/results/NUMAKER_M467HJ-zephyr"
    assert places(findings, "windows.host-clock") == {gaps, *(("v1.1", f"{nuvoton}/{b}/performance") for b in ("ad", "ic", "kws", "vww"))}


def test_files_of_a_session_contradict_each_other_in_one_submission_only(findings: tuple[Finding, ...]) -> None:
    """An earlier build of the runner: results.txt without windows, and speeds that differ in the last digit."""
    older = "closed/Qualcomm/results/Next_Generation_Snapdragon_Mobile_Platform_MTP"
    assert places(findings, "record.results") == {("v1.3", f"{older}/{b}/performance") for b in ("ad", "ic", "kws", "vww")}
    assert places(findings, "record.log") == {("v1.3", f"{older}/vww/accuracy")}
    assert not any(places(findings, f"record.{rule}") for rule in ("form", "sums", "summary"))
