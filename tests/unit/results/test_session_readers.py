# SPDX-License-Identifier: Apache-2.0
"""EEMBC's and MLCommons' logs, claims, traces and results.json: what is read, what is tolerated, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.sessions import KWS, EembcSession, Infer, MlcSession, five_windows, trace, vector, write

from cm4tiny.results.rounds import LoggedSession, Mode, read_printed, read_script, read_session_folder
from cm4tiny.results.rounds.energy_trace import TraceProblem, read_samples, read_timestamps, window_energies
from cm4tiny.results.rounds.numbers import median, number_in_json, real, whole
from cm4tiny.results.rounds.numbers import vector as numbers
from cm4tiny.results.rounds.record import fields
from cm4tiny.results.rounds.results_json import read_mlc_json


def read(folder: Path, mode: Mode = "performance", benchmark: str = "kws", **files: bytes | None) -> LoggedSession:
    return read_session_folder(write(folder, **files), mode, benchmark)


def tolerated(session: LoggedSession) -> dict[str, int]:
    return {record.kind: record.line for record in session.tolerated}


# --- EEMBC --------------------------------------------------------------------------------------------------------------------
def test_a_performance_log_gives_windows_with_their_lap_times(tmp_path: Path) -> None:
    session = read(tmp_path, log=five_windows().log(), results=five_windows().results())
    assert (session.runner, session.model, session.run_mode, session.session_id) == ("eembc", "kws01", "bmark", "20220921141946")
    assert [window.file for window in session.windows] == KWS
    assert session.windows[1].lap_us == (20_001_000, 32_002_000)
    assert session.windows[1].throughput == 100 * 1e6 / 12_001_000
    assert session.windows[0].values == tuple(round(v, 3) for v in vector(7))
    assert (session.begun, session.ended, session.infers, session.vectors, session.notes) == (True, True, 5, 5, ())
    assert session.printed is not None and len(session.printed.windows) == 5
    assert tolerated(session) == {}


def test_the_stray_time_stamp_before_the_first_inference_is_not_a_window(tmp_path: Path) -> None:
    assert b"m-lap-us-11\n" in five_windows().log()
    assert len(read(tmp_path, log=five_windows().log()).windows) == 5


@pytest.mark.parametrize(
    "glued",
    [
        b"timestampm-lap-us-1000",
        b"infer 100 1%m-lap-us-1000",
        b"got feature interrupt\nm-lap-us-1000",
        b"00020.100 dut: \rm-lap-us-1000",
        b"jhdbg: ok\n00020.100 dut: got ack from dspm-lap-us-1000",
    ],
)
def test_a_token_is_found_wherever_it_stands_in_its_line(tmp_path: Path, glued: bytes) -> None:
    log = five_windows().log()
    at = log.index(b"m-lap-us-1000\n")
    start = log.rindex(b"\n", 0, at) + 1
    session = read(tmp_path, log=log[:start] + glued + log[at + 13 :])
    assert session.windows[0].lap_us == (1000, 12_001_000)
    assert tolerated(session)  # never silently


def test_time_stamps_of_sixteen_digits_are_read_and_longer_ones_are_not_believed(tmp_path: Path) -> None:
    log = five_windows().log().replace(b"m-lap-us-1000\n", b"m-lap-us-1621794983259091\n")
    session = read(tmp_path, log=log)
    assert session.windows[0].lap_us == (1621794983259091, 12_001_000)
    assert session.windows[0].throughput is None
    log = five_windows().log().replace(b"m-lap-us-1000\n", b"m-lap-us-999999999999999999999\n")
    session = read(tmp_path, log=log)
    assert session.windows[0].lap_us is None
    assert {"bad-lap", "lap-count"} <= set(tolerated(session))


@pytest.mark.parametrize("inside", [b"0.1,nan", b"0.1,inf", b"0.1,1e999", b"0.1,1_0", b"0.1;0.2", b"", b"0.1,,0.2", b"\xd9\xa3"])
def test_a_vector_that_is_no_list_of_numbers_is_not_counted(tmp_path: Path, inside: bytes) -> None:
    log = five_windows().log()
    at = log.index(b"m-results-[") + 11
    session = read(tmp_path, log=log[:at] + inside + log[log.index(b"]", at) :])
    assert session.windows[0].values == ()
    assert "bad-vector" in tolerated(session)
    assert session.vectors == 4


def test_a_last_line_that_was_cut_in_the_middle_of_a_number_is_not_believed(tmp_path: Path) -> None:
    log = five_windows().log()
    cut = log[: log.rindex(b"m-lap-us-") + 13]
    session = read(tmp_path, log=cut)
    assert session.windows[-1].lap_us is None
    assert "cut-line" in tolerated(session)
    assert not session.ended


def test_an_inference_without_results_is_recorded(tmp_path: Path) -> None:
    log = five_windows().log()
    at = log.index(b"m-results-")
    session = read(tmp_path, log=log[:at] + b"m-nothing" + log[at + 60 :])
    assert "infer-without-results" in tolerated(session)
    assert len(session.windows) == 5


def test_an_accuracy_log_gives_one_row_a_file_and_the_first_of_equal_entries_wins(tmp_path: Path) -> None:
    infers = [Infer(KWS[0], 1, (1, 2), [0.1, 0.4, 0.4, 0.1]), Infer(KWS[1], 1, (3, 4), [0.0, 0.0, 0.25, 0.75])]
    session = read(tmp_path, "accuracy", log=EembcSession(infers, mode="accuracy").log())
    assert session.scores is not None
    assert session.scores.files == tuple(KWS[:2])
    assert session.scores.top().tolist() == [1, 3]
    assert session.windows == ()


def test_results_belong_to_the_file_that_was_loaded_before_their_command(tmp_path: Path) -> None:
    infers = [Infer(file, 1, (1, 2), vector(label)) for file, label in zip(KWS[:2], (7, 2), strict=True)]
    lines = EembcSession(infers, mode="accuracy").log().split(b"\n")
    load, command = (next(n for n, line in enumerate(lines) if token in line) for token in (b'Command "bload', b'Command "dut infer'))
    second = next(n for n, line in enumerate(lines) if n > command and b'Command "bload' in line)
    lines.insert(command + 1, lines.pop(second))
    session = read(tmp_path, "accuracy", log=b"\n".join(lines))
    assert load < command
    assert session.scores is not None and session.scores.files == tuple(KWS[:2])
    assert session.scores.top().tolist() == [7, 2]


@pytest.mark.parametrize("damage", [(b'infer 100 1"', b'infer 10\xe20 1"'), (b"m-infer-start-100", b"m-infer-start-10")])
def test_an_inference_whose_count_is_not_certain_gives_no_throughput(tmp_path: Path, damage: tuple[bytes, bytes]) -> None:
    log = five_windows().log()
    at = log.rindex(damage[0])
    session = read(tmp_path, log=log[:at] + damage[1] + log[at + len(damage[0]) :])
    assert len(session.windows) < 5 or session.windows[-1].throughput is None
    assert tolerated(session)


def test_a_time_stamp_outside_an_inference_or_of_the_monitor_belongs_to_no_window(tmp_path: Path) -> None:
    log = five_windows().log()
    at = log.index(b"m-results-")
    start = log.rindex(b"\n", 0, at) + 1
    end = log.index(b"\n", at) + 1
    with_monitor = log[:start] + b"00001.000 emon: m-lap-us-4000\n" + log[start:end] + b"00001.000 dut: m-lap-us-5\n" + log[end:]
    session = read(tmp_path, log=with_monitor)
    assert session.windows[0].lap_us == (1000, 12_001_000)
    assert session.windows[1].lap_us == (20_001_000, 32_002_000)


def test_segments_of_anomaly_detection_are_averaged_and_a_file_that_comes_twice_is_recorded(tmp_path: Path) -> None:
    infers = [Infer("normal_id_01_00000003_hist_librosa.bin", 1, (1, 2), [value], segment) for segment, value in enumerate([1.0, 2.0, 6.0])]
    session = read(tmp_path, "accuracy", "ad", log=EembcSession(infers, mode="accuracy", model="ad01").log())
    assert session.scores is not None
    assert session.scores.values.tolist() == [[3.0]]
    assert session.scores.segments.tolist() == [3]
    assert "file-again" not in tolerated(session)
    again = [Infer(KWS[0], 1, (1, 2), vector(7)), Infer(KWS[0], 1, (3, 4), vector(7))]
    session = read(tmp_path, "accuracy", log=EembcSession(again, mode="accuracy").log())
    assert "file-again" in tolerated(session)


def test_a_vector_of_another_width_is_left_out_and_recorded(tmp_path: Path) -> None:
    infers = [Infer(KWS[0], 1, (1, 2), vector(7)), Infer(KWS[1], 1, (3, 4), [0.5, 0.5])]
    session = read(tmp_path, "accuracy", log=EembcSession(infers, mode="accuracy").log())
    assert session.scores is not None and session.scores.files == (KWS[0],)
    assert "vector-width" in tolerated(session)


def test_only_the_last_part_of_a_path_in_a_log_is_kept(tmp_path: Path) -> None:
    log = five_windows().log().replace(b"C:\\Users\\someone\\eembc\\runner\\datasets\\kws01\\", b"/home/someone/../../etc/")
    session = read(tmp_path, log=log)
    assert [window.file for window in session.windows] == KWS


def test_two_sessions_in_one_log_and_device_errors_are_recorded(tmp_path: Path) -> None:
    session = five_windows()
    session.lines += ["session: m-session-start-id[20220921150000]", "dut: e-[Unknown command]"]
    read_back = read(tmp_path, log=session.log())
    assert "second-session" in tolerated(read_back)
    assert read_back.errors == ("Unknown command",)


# --- energy -------------------------------------------------------------------------------------------------------------------
def energy_session() -> tuple[EembcSession, bytes, bytes]:
    session = EembcSession([Infer(file, 10, (0, 0), vector(7)) for file in KWS], mode="energy")
    stamps = [0.018] + [round(1 + 0.05 * number, 3) for number in range(10)]
    return session, trace([2.0] * 3000), json.dumps(stamps).encode()


def test_an_energy_session_sums_the_samples_between_its_time_stamps(tmp_path: Path) -> None:
    session, samples, stamps = energy_session()
    found = read(tmp_path, "energy", log=session.log(), trace=samples, timestamps=stamps)
    assert found.voltage_mv == "1800"
    assert len(found.energy) == 5
    assert [(window.start_s, window.stop_s, window.iterations) for window in found.energy][:2] == [(1.0, 1.05, 10), (1.1, 1.15, 10)]
    assert found.windows[0].runtime_s == pytest.approx(0.05)
    assert found.energy[0].uj_per_inference == found.energy[0].energy_uj / 10


def test_time_is_counted_by_adding_up_the_sample_period() -> None:
    """The runner's way: after 1000 steps of 0.001 the sum is a little above 1, so the sample at "1.0" lies outside."""
    samples = np.ones(2001, dtype="<f4")
    added = 0.0
    for _ in range(1000):
        added += 0.001
    assert added != 1.0
    (window,) = window_energies(samples, 1000.0, (0.0, 0.5, 1.0))
    by_hand, time = 0.0, 0.0
    for value in samples:
        by_hand += float(value) if 0.5 <= time <= 1.0 else 0.0
        time += 0.001
    assert window == (0.5, 1.0, by_hand)


def test_the_samples_at_both_time_stamps_count() -> None:
    samples = np.ones(100, dtype="<f4")
    assert window_energies(samples, 1000.0, (0.0, 0.001, 0.002)) == [(0.001, 0.002, 2.0)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "header"),
        (b"\xf0" + bytes(8), "header"),
        (trace([1.0])[:-1], "middle of a sample"),
        (b"\xf1" + bytes(8), "sample rate"),
        (trace([float("nan")]), "not finite"),
    ],
)
def test_a_damaged_trace_is_named_and_gives_no_energy(tmp_path: Path, data: bytes, why: str) -> None:
    session, _, stamps = energy_session()
    found = read(tmp_path, "energy", log=session.log(), trace=data, timestamps=stamps)
    assert found.energy == ()
    assert why in found.notes[0]


@pytest.mark.parametrize("text", ["{}", "[1, 2", '["1"]', "[2, 1]", "[-1, 2, 3]", "[1e400]", "[" * 100_000, "[true]"])
def test_time_stamps_that_are_no_ascending_numbers_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stamps.json"
    path.write_text(text)
    with pytest.raises(TraceProblem, match="time stamps"):
        read_timestamps(path)


def test_a_trace_of_unheard_size_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "trace").open("wb") as stream:
        stream.truncate(100 << 20)
    with pytest.raises(TraceProblem, match="at most"):
        read_samples(tmp_path / "trace")


def test_stamps_beyond_the_trace_give_no_window_and_are_noted(tmp_path: Path) -> None:
    session, _, stamps = energy_session()
    found = read(tmp_path, "energy", log=session.log(), trace=trace([2.0] * 1100), timestamps=stamps)
    assert len(found.energy) == 1
    assert "time stamps reach beyond the trace" in found.notes


# --- MLCommons ----------------------------------------------------------------------------------------------------------------
def mlc(mode: str = "performance") -> MlcSession:
    return MlcSession([Infer(i.file, i.iterations, i.laps, [round(v, 3) for v in i.values]) for i in five_windows().infers], mode=mode)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_mlcommons_log_alone_gives_the_printed_throughput(tmp_path: Path, end: str) -> None:
    session = read(tmp_path, log=mlc().log(end))
    assert session.runner == "mlc"
    assert (session.model, session.device, session.session_id) == ("kws01", "someone", "20250726_010147")
    assert [window.file for window in session.windows] == KWS
    assert session.windows[0].throughput == 8.333
    assert (session.begun, session.ended) == (True, True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Throughput   :      8.333", b"Throughput   :      9.333"),
        (b"Runtime      :     12.000", b"Runtime      :     11.000"),
        (b"# Inferences :           100", b"# Inferences :           101"),
        (b"Throughput   :      8.333", b"Thruput      :      8.333"),
    ],
)
def test_a_window_whose_figures_contradict_each_other_is_not_believed(tmp_path: Path, old: bytes, new: bytes) -> None:
    log = mlc().log()
    assert old in log
    session = read(tmp_path, log=log.replace(old, new, 1))
    assert session.windows[0].throughput is None
    assert "bad-window" in tolerated(session)


def test_results_json_makes_the_windows_exact(tmp_path: Path) -> None:
    session = read(tmp_path, log=mlc().log(), json=mlc().json())
    assert session.windows[1].throughput == 1e6 * 100 / 12_001_000
    assert session.notes == ()


def test_a_log_and_a_results_json_that_contradict_each_other_are_noted(tmp_path: Path) -> None:
    other = mlc()
    other.infers[2].laps = (0, 11_000_000)
    assert read(tmp_path, log=mlc().log(), json=other.json()).notes == ("log.txt and results.json have different numbers",)
    other = mlc("accuracy")
    other.infers[2].values = vector(3)
    session = read(tmp_path / "a", "accuracy", log=mlc("accuracy").log(), json=other.json())
    assert session.notes == ("log.txt and results.json have different numbers",)


def test_a_window_that_was_run_again_stands_in_the_log_only(tmp_path: Path) -> None:
    again = mlc()
    again.infers.insert(2, Infer(KWS[2], 10, (0, 1_000_000), vector(6)))
    session = read(tmp_path, log=again.log(), json=mlc().json())
    assert session.notes == ()
    assert len(session.windows) == 5


def test_energy_of_results_json_lies_between_the_last_two_time_stamps(tmp_path: Path) -> None:
    power = [{"samples": [1e-6] * 100, "timestamps": [["00", 5], ["01", 10], ["02", 60]], "voltage": 3} for _ in range(5)]
    session = read(tmp_path, "energy", log=mlc("energy").log(), json=mlc("energy").json(power))
    assert session.energy[0].energy_uj == pytest.approx(50.0)
    assert session.energy[0].runtime_s == pytest.approx(0.05)
    assert session.voltage_mv == "3000"


@pytest.mark.parametrize(
    "power",
    [
        None,
        {"samples": [1e-6], "timestamps": [["00", 5], ["01", 10]]},
        {"samples": [1e-6] * 20, "timestamps": [["00", 10], ["01", 5]]},
        {"samples": ["x"] * 20, "timestamps": [["00", 1], ["01", 5]]},
        {"samples": [1e-6] * 20, "timestamps": [["00", 1]]},
        {"samples": [1e-6] * 20, "timestamps": [["00", 1.5], ["01", 5]]},
    ],
)
def test_power_data_that_cannot_be_used_gives_no_energy(tmp_path: Path, power: dict[str, object] | None) -> None:
    session = read(tmp_path, "energy", log=mlc("energy").log(), json=mlc("energy").json([power] * 5))  # type: ignore[list-item]
    assert session.energy == ()
    assert "bad-power" in tolerated(session)


@pytest.mark.parametrize("data", [b"{}", b"[", b"[" * 200_000, b"null", b"\xff\xfe", b"[" + b"[]," * 400_001 + b"1]"])
def test_a_results_json_that_is_none_is_noted_and_the_log_counts(tmp_path: Path, data: bytes) -> None:
    session = read(tmp_path, log=mlc().log(), json=data)
    assert len(session.windows) == 5
    assert session.notes and "results.json" in session.notes[0]


def test_times_that_do_not_agree_with_the_stated_length_are_not_believed(tmp_path: Path) -> None:
    entries = json.loads(mlc().json())
    entries[0]["infer"]["elapsed_time"] = 1
    session = read(tmp_path, json=json.dumps(entries).encode())
    assert session.windows[0].throughput is None


def test_a_simulated_session_is_known_as_such(tmp_path: Path) -> None:
    simulated = mlc()
    simulated.lines.append("SIMULATED: virtual board; these numbers were not measured on hardware and cannot be submitted")
    assert read(tmp_path, log=simulated.log()).simulated


def test_streaming_figures_come_from_a_verbose_log_where_there_is_no_json(tmp_path: Path) -> None:
    session = MlcSession([], lines=[
        "print_dutycycle%", "RX:Duty cycle start times (s)", "RX:100, 200, 300,", "RX:Duty cycle stop times (s)", "RX:150, 250,",
        "RX:350, m-ready",
        "[74, 9960, 9992]", "Duty cycle = 0.189, Period = 32.0 ms",
    ])  # fmt: skip
    found = read(tmp_path, "energy", "sww", log=session.log()).streaming
    assert found is not None
    assert found.detections_ms == (74, 9960, 9992)
    assert found.on_s == pytest.approx((0.001, 0.002, 0.003))
    assert found.off_s == pytest.approx((0.0015, 0.0025, 0.0035))


def test_a_log_of_neither_runner_gives_an_empty_session(tmp_path: Path) -> None:
    session = read(tmp_path, log=b"\x00\x05\x16\x07 Mac OS X \xff" * 50)
    assert (session.windows, session.infers, session.begun) == ((), 0, False)


def test_a_folder_without_files_gives_an_empty_session(tmp_path: Path) -> None:
    session = read(tmp_path)
    assert (session.runner, session.printed, session.windows) == ("", None, ())


def test_a_link_to_a_log_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "real", log=five_windows().log())
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / "log.txt").symlink_to(tmp_path / "real" / "log.txt")
    assert read_session_folder(tmp_path / "session", "performance", "kws").windows == ()


# --- claims and scripts -------------------------------------------------------------------------------------------------------
def test_of_a_claim_that_stands_several_times_the_last_one_counts(tmp_path: Path) -> None:
    text = five_windows().results() + five_windows().results(median="9.000")
    (tmp_path / "results.txt").write_bytes(text)
    found = read_printed(tmp_path / "results.txt")
    assert (found.throughput, found.counts["throughput"], found.repeats, len(found.windows)) == ("9.000", 2, 2, 10)


def test_both_runners_claims_are_read(tmp_path: Path) -> None:
    path = tmp_path / "results.txt"
    path.write_bytes(EembcSession([], mode="accuracy").results(top_1="90.1", auc="0.99"))
    assert (read_printed(path).top_1, read_printed(path).auc) == ("90.1", "0.99")
    path.write_bytes(MlcSession([], mode="accuracy").results(top_1="90.2", auc="0.995"))
    assert (read_printed(path).top_1, read_printed(path).auc) == ("90.2", "0.995")
    path.write_bytes(
        b"  Power         : 4.3188 mW.\nEnergy data for trial 0\n  Power         : 4.3189 mW.\n"
        b"Accuracy: 44 True positives, 6 False negatives, 4 False positives\nAverage duty cycle: 0.18901\n"
        b"Average period: 0.031993 s\nEstimated throughput: 165.37 inf./sec.\n"
    )
    found = read_printed(path)
    assert found.detections == "44 True positives, 6 False negatives, 4 False positives"
    assert (found.duty_cycle, found.period, found.sww_throughput, found.power_mw) == ("0.18901", "0.031993", "165.37", "4.3189")


def test_device_errors_in_results_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.txt"
    path.write_bytes(b"00514.974 ulp-ml: e-[The run must take at least 10 seconds and 10 iterations to be valid]\n")
    assert read_printed(path).errors == ("The run must take at least 10 seconds and 10 iterations to be valid",)


def test_a_script_is_read_without_being_evaluated(tmp_path: Path) -> None:
    path = tmp_path / "script.async"
    path.write_text(
        "[ { cmd: 'dut profile' },\n { cmd: 'bload dut \"C:\\\\Users\\\\x\\\\ad01\\\\normal_a.bin\" 0 2560', ms: 7840 },\n"
        "{ cmd: 'dut infer 100 1', ms: -1, ack: /dut.?: m-ready/ },\n"
        " { cmd: 'bload dut \"/x/ad01/normal_a.bin\" 512 2560' }, { cmd: 'io dut infer 20 1' } ]"
    )
    script = read_script(path)
    assert (script.loads, script.infers, script.iterations) == ({"normal_a.bin": 2}, 2, (20, 100))


# --- numbers ------------------------------------------------------------------------------------------------------------------
def test_numbers_are_plain_decimals_only() -> None:
    assert (real("1.5"), real("1e3"), real("nan"), real("1_0"), real("\u0663"), real("1e999")) == (1.5, 1000.0, None, None, None, None)
    assert (whole(b"18446744073709551615"), whole(b"18446744073709551616"), whole(b""), whole("\u00b2")) == (2**64 - 1, None, None, None)
    assert (numbers(b"1,2,"), numbers(b" 1 , -2e1"), numbers(b","), numbers(b"1" + b",1" * 5000)) == ((1.0, 2.0), (1.0, -20.0), None, None)
    assert (number_in_json(True), number_in_json(10**400), number_in_json("1")) == (None, None, None)


def test_the_median_of_an_even_count_is_the_mean_of_the_middle_two() -> None:
    assert (median([3, 1, 2]), median([4, 1, 2, 3])) == (2, 2.5)
    assert median([]) != median([])


@pytest.mark.parametrize("mode", ["performance", "energy"])
@pytest.mark.parametrize(
    ("infer", "bad"),
    [
        ({"iterations": 10, "elapsed_time": 10_000_000}, set()),
        ({"iterations": 10}, {"performance"}),  # an energy run has its times from the monitor
        ({"elapsed_time": 10_000_000}, {"performance", "energy"}),
    ],
)
def test_a_window_without_inferences_or_length_is_noted(tmp_path: Path, mode: Mode, infer: dict[str, int], bad: set[str]) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps([{"file": "a.bin", "infer": {"results": [0.5, 0.5], **infer}}]), encoding="utf-8")
    found = read_mlc_json(path, mode)
    assert [row.kind for row in found.tolerated if row.kind == "bad-window"] == ["bad-window"] * (mode in bad)
    assert len(found.windows) == 1


def test_what_a_benchmark_without_facts_says_of_segments_is_nothing_or_a_number() -> None:
    valid = fields._segment_text("stride")
    assert [valid(value, None, "performance") for value in (None, "40", "x", 4.5)] == [True, True, False, False]
