# SPDX-License-Identifier: Apache-2.0
"""Claims next to their recomputation: formulas, statuses, causes, and no "match" that the evidence does not support."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from support.sessions import KWS, EembcSession, Infer, MlcSession, five_windows, result_folder, trace, vector, write

from cm4tiny.results.replay import formulas, replay_result
from cm4tiny.results.replay.checks import agreement
from cm4tiny.results.rounds import Check, LabelLists, LoggedEnergyWindow, LoggedWindow, get_round, walk
from cm4tiny.results.rounds import labels as labels_module

WORDS = ((10.0, 10.5), (20.0, 20.5), (30.0, 30.5))
SHORT = 2_000_000  # us


def checks(root: Path, round_id: str = "v1.1", lists: LabelLists | None = None) -> dict[str, Check]:
    (result,) = walk(root / f"tiny_results_{round_id}", get_round(round_id))
    return {check.metric: check for check in replay_result(result, lists or LabelLists()).checks}


def performance(root: Path, session: EembcSession | None = None, results: bytes | None = None) -> Check:
    session = session or five_windows()
    write(result_folder(root) / "performance", log=session.log(), results=session.results() if results is None else results)
    return checks(root)["throughput"]


# --- formulas -----------------------------------------------------------------------------------------------------------------
def test_throughput_is_the_median_and_one_window_without_length_spoils_it() -> None:
    windows = [LoggedWindow(n, "", 100, (0, us), None) for n, us in enumerate((10_000_000, 20_000_000, 50_000_000), 1)]
    assert formulas.throughput(windows) == 5.0
    assert math.isnan(formulas.throughput([*windows, LoggedWindow(4, "", 100, (5, 5), None)]))
    assert math.isnan(formulas.throughput([]))


def test_energy_needs_the_inferences_of_every_window() -> None:
    windows = [LoggedEnergyWindow(0, 2, 10, 50.0), LoggedEnergyWindow(2, 4, 10, 70.0)]
    assert (formulas.energy(windows), formulas.energy_run_throughput(windows)) == (6.0, 5.0)
    assert math.isnan(formulas.energy([*windows, LoggedEnergyWindow(4, 6, 0, 1.0)]))
    assert math.isnan(formulas.energy_run_throughput([LoggedEnergyWindow(2, 2, 10, 1.0)]))


def test_a_detection_counts_until_two_seconds_after_the_word() -> None:
    start = 74
    assert formulas.detections([start, start + 10_000, start + 22_500, start + 32_501], WORDS) == (2, 1, 1)


def test_false_detections_within_a_second_count_once() -> None:
    assert formulas.detections([0, 1000, 1500, 2000, 2001, 3001, 3002], WORDS) == (0, 3, 3)


def official(times_ms: list[int], windows: tuple[tuple[float, float], ...]) -> tuple[int, int, int]:
    """The procedure of the official runner, step by step with arrays."""
    left = np.array(times_ms)[1:] - times_ms[0]
    found = missed = 0
    for begin, end in windows:
        inside = np.where((left / 1000 >= begin) & (left / 1000 <= end + 2.0))[0]
        found, missed = found + bool(len(inside)), missed + (not len(inside))
        left = np.delete(left, inside)
    index = 0
    while index < len(left):
        left = np.delete(left, np.where((left > left[index]) & (left <= left[index] + 1000))[0])
        index += 1
    return found, missed, len(left)


def test_detections_agree_with_a_second_implementation() -> None:
    generator = np.random.default_rng(1)
    for _ in range(200):
        times = [50, *(50 + np.sort(generator.integers(0, 40_000, 40))).tolist()]
        assert formulas.detections(times, WORDS) == official(times, WORDS)


def test_streaming_throughput_is_the_inverse_of_the_mean_busy_time() -> None:
    assert formulas.streaming_throughput([0.0, 1.0], [0.1, 1.3, 9.0]) == pytest.approx(5.0)
    assert math.isnan(formulas.streaming_throughput([], []))
    assert math.isnan(formulas.streaming_throughput([1.0], [0.5]))


@pytest.mark.parametrize(
    ("claimed", "recomputed", "how"),
    [
        ("85.0", "85.0", "equal"),
        ("85.00", "85.0", "equal"),
        ("85", "85.0", "coarse"),
        ("85", "85.4", "coarse"),
        ("85", "85.6", "different"),
        ("85.0", "85.1", "different"),
        ("44/6/4", "44/6/4", "equal"),
        ("44/6/4", "44/6/5", "different"),
        ("nan", "nan", "different"),
    ],
)
def test_figures_agree_if_their_digits_do(claimed: str, recomputed: str, how: str) -> None:
    assert agreement(claimed, recomputed) == how


# --- performance --------------------------------------------------------------------------------------------------------------
def test_a_true_claim_matches(tmp_path: Path) -> None:
    check = performance(tmp_path)
    assert (check.status, check.claimed, check.recomputed, check.cause) == ("match", "8.332", "8.332", "")
    assert (check.path, check.mode, check.runner) == ("closed/someone/results/board/kws/performance", "performance", "eembc")


def test_a_false_claim_does_not(tmp_path: Path) -> None:
    check = performance(tmp_path, results=five_windows().results(median="8.333"))
    assert (check.status, check.claimed, check.recomputed) == ("mismatch", "8.333", "8.332")


def test_a_claim_with_fewer_digits_than_the_runner_prints_does_not_match(tmp_path: Path) -> None:
    check = performance(tmp_path, results=five_windows().results(median="8.33"))
    assert (check.status, check.cause) == ("unverifiable", "the claim has fewer digits than the runner prints")


def test_a_claim_without_results_file_is_no_claim_and_recomputed(tmp_path: Path) -> None:
    write(result_folder(tmp_path) / "performance", log=five_windows().log())
    check = checks(tmp_path)["throughput"]
    assert (check.status, check.claimed, check.recomputed, check.cause) == ("no-claim", "", "8.332", "no results file submitted")


def test_short_windows_and_repeated_blocks_are_said(tmp_path: Path) -> None:
    short = five_windows(us=SHORT)
    check = performance(tmp_path, short, short.results() * 3)
    assert (check.status, check.cause) == ("match", "window <10 s; results.txt repeats block x3")


def test_a_log_of_a_single_run_is_said(tmp_path: Path) -> None:
    single = EembcSession(five_windows().infers[2:3], run_mode="single")
    check = performance(tmp_path, single, five_windows().results())
    assert check.status == "match"
    assert check.cause == "log.txt is a later single-run session (runMode=single): 1 window, results.txt has 5"


def test_a_log_with_fewer_windows_than_the_claim_never_matches(tmp_path: Path) -> None:
    check = performance(tmp_path, EembcSession(five_windows().infers[1:4]), five_windows().results())
    assert (check.status, check.recomputed) == ("unverifiable", "8.332")
    assert check.cause == "the session has 3 windows, results.txt has 5"


def test_one_window_without_median_claims_the_windows_throughput(tmp_path: Path) -> None:
    single = EembcSession(five_windows().infers[:1])
    results = single.results().split(b"Median")[0] + b"\n"
    check = performance(tmp_path, single, results)
    assert (check.status, check.claimed, check.cause) == ("match", "8.333", "no Median line, 1 window")


def test_a_window_without_length_cannot_be_checked(tmp_path: Path) -> None:
    session = five_windows()
    log = session.log().replace(b"dut: m-lap-us-1000\n", b"dut: \n")
    write(result_folder(tmp_path) / "performance", log=log, results=session.results())
    check = checks(tmp_path)["throughput"]
    assert (check.status, check.recomputed, check.cause) == ("unverifiable", "", "1 of 5 windows without a length")


@pytest.mark.parametrize("log", [None, b"", b"nothing\n"])
def test_without_a_log_nothing_can_be_checked(tmp_path: Path, log: bytes | None) -> None:
    write(result_folder(tmp_path) / "performance", log=log, results=five_windows().results())
    check = checks(tmp_path)["throughput"]
    assert check.status == "unverifiable"
    assert check.cause == ("performance log not submitted" if log is None else "the log has no windows")


def test_files_that_contradict_each_other_never_match(tmp_path: Path) -> None:
    infers = [Infer(i.file, i.iterations, i.laps, [round(v, 3) for v in i.values]) for i in five_windows().infers]
    mine = MlcSession(infers)
    other = MlcSession([*infers[:4], dataclasses.replace(infers[4], laps=(0, 20_000_000))])
    write(result_folder(tmp_path, round_id="v1.3") / "performance", log=other.log(), json=mine.json(), results=mine.results())
    check = checks(tmp_path, "v1.3")["throughput"]
    assert (check.status, check.recomputed) == ("unverifiable", "8.332")
    assert check.cause == "log.txt and results.json have different numbers"
    write(tmp_path / "tiny_results_v1.3/closed/someone/results/board/kws/performance", log=mine.log())
    assert checks(tmp_path, "v1.3")["throughput"].status == "match"


def test_a_log_that_was_not_read_to_its_end_is_not_called_false(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cm4tiny.results.rounds.eembc_log.MAX_WINDOWS", 3)
    check = performance(tmp_path, results=five_windows().results(median="9.000"))
    assert (check.status, check.recomputed) == ("unverifiable", "")
    assert "not read to its end" in check.cause


# --- accuracy -----------------------------------------------------------------------------------------------------------------
@pytest.fixture
def twelve(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list kws01 of 24 files, two of each class."""
    names = [f"tst_{number:06d}_Word_{number % 12}.bin" for number in range(24)]
    row = {**labels_module.table()["lists"]["kws01"], "files": 24, "names_digest": labels_module.names_digest(names)}
    changed = {**labels_module.table(), "lists": {**labels_module.table()["lists"], "kws01": row}}
    monkeypatch.setattr(labels_module, "table", lambda: changed)
    return names


def accuracy(root: Path, names: list[str], *, wrong: int = 0, width: int = 12, **claims: str) -> dict[str, Check]:
    labels = [int(name.rsplit("_", 1)[1][:-4]) for name in names]
    infers = [
        Infer(name, 1, (1, 2), vector((label + (index < wrong)) % 12, width))
        for index, (name, label) in enumerate(zip(names, labels, strict=True))
    ]
    session = EembcSession(infers, mode="accuracy")
    write(result_folder(root) / "accuracy", log=session.log(), results=session.results(**claims))
    return checks(root)


def test_top_1_and_auc_of_a_whole_set_match(tmp_path: Path, twelve: list[str]) -> None:
    found = accuracy(tmp_path, twelve, wrong=3, top_1="87.5", auc="0.93")
    assert (found["top-1"].status, found["top-1"].recomputed, found["top-1"].cause) == ("match", "87.5", "")
    assert (found["auc"].status, found["auc"].recomputed) == ("match", "0.93")


def test_a_false_accuracy_does_not_match(tmp_path: Path, twelve: list[str]) -> None:
    found = accuracy(tmp_path, twelve, wrong=3, top_1="90.0", auc="0.99")
    assert {check.status for check in found.values()} == {"mismatch"}


def test_a_log_that_lacks_files_never_matches(tmp_path: Path, twelve: list[str]) -> None:
    found = accuracy(tmp_path, twelve[:-1], top_1="100.0", auc="1.00")
    assert {check.status for check in found.values()} == {"unverifiable"}
    assert found["top-1"].cause == "log truncated: 23 of 24 files"
    assert accuracy(tmp_path, twelve[:-1], top_1="99.0", auc="0.90")["top-1"].status == "mismatch"


def test_a_log_that_has_a_file_twice_never_matches(tmp_path: Path, twelve: list[str]) -> None:
    found = accuracy(tmp_path, [*twelve, twelve[0]], top_1="100.0", auc="1.00")
    assert {(check.status, check.cause) for check in found.values()} == {("unverifiable", "the log has a file more than once")}


def test_a_vector_wider_than_the_classes_is_said_with_the_auc(tmp_path: Path, twelve: list[str]) -> None:
    found = accuracy(tmp_path, twelve, width=14, top_1="100.0", auc="1.00")
    assert (found["top-1"].cause, found["auc"].cause) == ("", "vector has 14 entries, only 12 classes occur (mean over those)")


def test_a_vector_narrower_than_the_classes_cannot_be_checked(tmp_path: Path, twelve: list[str]) -> None:
    infers = [Infer(name, 1, (1, 2), [0.5, 0.5]) for name in twelve]
    session = EembcSession(infers, mode="accuracy")
    write(result_folder(tmp_path) / "accuracy", log=session.log(), results=session.results(top_1="8.3", auc="0.50"))
    assert {check.status for check in checks(tmp_path).values()} == {"unverifiable"}


def test_files_of_no_list_cannot_be_checked(tmp_path: Path, twelve: list[str]) -> None:
    names = [f"COCO_val2014_{number:012d}.bin" for number in range(7)]
    infers = [Infer(name, 1, (1, 2), vector(1, 2)) for name in names]
    session = EembcSession(infers, mode="accuracy", model="vww01")
    write(result_folder(tmp_path, "vww") / "accuracy", log=session.log(), results=session.results(top_1="83.2", auc="0.92"))
    lists = LabelLists({"vww01": {"000000000001.bin": 1}})
    check = checks(tmp_path, lists=lists)["top-1"]
    assert (check.status, check.claimed, check.cause) == ("unverifiable", "83.2", "7 COCO_val2014_* files, not in vww01/y_labels.csv")


def test_labels_that_are_not_at_hand_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["000000000001.bin", "000000000002.bin"]
    row = {**labels_module.table()["lists"]["vww01"], "files": 2, "names_digest": labels_module.names_digest(names)}
    changed = {**labels_module.table(), "lists": {**labels_module.table()["lists"], "vww01": row}}
    monkeypatch.setattr(labels_module, "table", lambda: changed)
    session = EembcSession([Infer(name, 1, (1, 2), vector(1, 2)) for name in names], mode="accuracy", model="vww01")
    write(result_folder(tmp_path, "vww") / "accuracy", log=session.log(), results=session.results(top_1="50.0", auc="0.50"))
    assert checks(tmp_path)["auc"].cause == "the labels of vww01 are not available"


def test_an_old_list_is_said_where_the_round_does_not_accept_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [*LabelLists.first("ic01-v0.5")]
    table = labels_module.table()
    lists = dict(table["lists"])
    lists["ic01-v0.5"] = {**lists["ic01-v0.5"], "files": 5, "names_digest": labels_module.names_digest(names)}
    monkeypatch.setattr(labels_module, "table", lambda: {**table, "lists": lists})
    session = EembcSession(
        [Infer(n, 1, (1, 2), vector(c, 10)) for n, c in zip(names, (7, 5, 3, 8, 8), strict=True)], mode="accuracy", model="ic01"
    )
    write(result_folder(tmp_path, "ic") / "accuracy", log=session.log(), results=session.results(top_1="100.0", auc="1.00"))
    assert checks(tmp_path)["top-1"].cause == "uses pre-v0.7 ic01 file list"
    (tmp_path / "tiny_results_v1.1").rename(tmp_path / "tiny_results_v0.5")
    results = [r for r in walk(tmp_path / "tiny_results_v0.5", get_round("v0.5")) if r.submitter == "someone"]
    assert replay_result(results[0], LabelLists()).checks[0].cause == ""


def test_anomaly_detection_of_eembc_is_never_called_false(tmp_path: Path) -> None:
    """No published session confirms that runner's formula, so a difference proves nothing."""
    names = [f"{kind}_id_01_{n:08d}_hist_librosa.bin" for kind in ("normal", "anomaly") for n in range(4)]
    row = {**labels_module.table()["lists"]["ad01"], "files": 8, "names_digest": labels_module.names_digest(names)}
    infers = [Infer(name, 1, (1, 2), [float(index)], 0) for index, name in enumerate(names)]
    session = EembcSession(infers, mode="accuracy", model="ad01")
    real = labels_module.table()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels_module, "table", lambda: {**real, "lists": {**real["lists"], "ad01": row}})
        write(result_folder(tmp_path, "ad") / "accuracy", log=session.log(), results=session.results(top_1="77.4", auc="0.86"))
        found = checks(tmp_path)
    assert (found["auc"].status, found["auc"].recomputed) == ("unverifiable", "1.00")
    assert found["auc"].cause == "the runner's formula is not confirmed by any session"


# --- energy -------------------------------------------------------------------------------------------------------------------
def energy(root: Path, folder: str = "energy", *, stamps: int = 11, traced: bool = True, **claims: str) -> dict[str, Check]:
    session = EembcSession([Infer(file, 100, (0, 0), vector(7)) for file in KWS], mode="energy")
    times = [0.018] + [round(1 + 0.5 * number, 3) for number in range(10)]
    results = b"00319.889 ulp-ml: Energy data for window 2 at time 2.87 for 18.05 sec.:\n" if not traced else b""
    write(
        result_folder(root) / folder,
        log=session.log(),
        results=results + session.results(**claims),
        trace=trace([2.0] * 7000) if traced else None,
        timestamps=json.dumps(times[:stamps]).encode(),
    )
    return checks(root)


def test_energy_and_its_throughput_match(tmp_path: Path) -> None:
    found = energy(tmp_path, energy="10.000", median="200.000")
    assert (found["energy"].status, found["energy"].recomputed) == ("match", "10.000")
    assert (found["throughput(energy run)"].status, found["energy"].cause) == ("match", "window <10 s")
    assert energy(tmp_path, energy="10.001", median="200.000")["energy"].status == "mismatch"


@pytest.mark.parametrize("folder", ["power", "enegy"])
def test_other_names_of_the_energy_directory_are_said(tmp_path: Path, folder: str) -> None:
    found = energy(tmp_path, folder, energy="10.000", median="200.000")
    assert (found["energy"].mode, found["energy"].cause) == (folder, f"directory is named {folder}/; window <10 s")


def test_a_missing_time_stamp_leaves_an_even_count(tmp_path: Path) -> None:
    found = energy(tmp_path, stamps=10, energy="10.000", median="200.000")
    assert found["energy"].status == "match"
    assert found["energy"].cause == "window <10 s; 10 timestamps, 4 windows -> even-count median"


def test_without_a_trace_energy_cannot_be_checked(tmp_path: Path) -> None:
    found = energy(tmp_path, traced=False, energy="10.000", median="200.000")
    assert (found["energy"].status, found["energy"].claimed, found["energy"].cause) == ("unverifiable", "10.000", "trace not submitted")
    assert "throughput(energy run)" not in found


# --- streaming ----------------------------------------------------------------------------------------------------------------
def test_streaming_claims_are_recomputed(tmp_path: Path) -> None:
    entry = {
        "infer": {"wav_file": "long_wav.wav", "detections": [74, 10_074, 20_100, 27_000], "iterations": 1},
        "dutycycle": {"start_times_s": [0.0, 1.0], "stop_times_s": [0.01, 1.01]},
        "power": {"samples": [1e-6] * 2000, "timestamps": [["00", 1], ["01", 1001]]},
        "mode": "e",
    }
    log = MlcSession([], lines=["[74, 10074, 20100, 27000]"]).log()
    results = (
        b"Energy data for trial 0\n  Power         : 1.0000 mW.\nAccuracy: 2 True positives, 1 False negatives, 1 False positives\n"
        b"Estimated throughput: 100.0 inf./sec.\n"
    )
    folder = result_folder(tmp_path, "sww", round_id="v1.3") / "energy"
    write(folder, log=log, json=json.dumps([entry]).encode(), results=results)
    lists = LabelLists(windows={"sww01": WORDS})
    found = checks(tmp_path, "v1.3", lists)
    assert [(check.metric, check.status) for check in found.values()] == [
        ("TP/FN/FP", "match"),
        ("sww throughput", "match"),
        ("sww power", "match"),
    ]
    assert checks(tmp_path, "v1.3")["TP/FN/FP"].cause == "the list of spoken words (sww01) is not available"
    (folder / "results.json").unlink()
    assert checks(tmp_path, "v1.3", lists)["sww throughput"].cause == "results.json not submitted; log has no duty-cycle times"
