# SPDX-License-Identifier: Apache-2.0
"""Performance runs: calibration, windows, rules, files."""

import itertools
import json
import re
from pathlib import Path

import pytest
from fake_dut import FIXED_NOW, FakeDut, Faults, make_data_set

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.errors import AssetError, DeviceResetError, ProtocolError, RuleError
from cm4tiny.events import Event, EventStream, Failed, Finished, Message, Progress, Started
from cm4tiny.runner import Dut, PerformanceResult, Rules, SessionWriter, official_rules, run_performance

KWS = get_benchmark("kws")


def run(tmp_path: Path, fake: FakeDut, **options: object) -> tuple[PerformanceResult, Path]:
    data_set = make_data_set(tmp_path / "data", fake.benchmark.id, 6)
    with SessionWriter(tmp_path / "sessions", now=lambda: FIXED_NOW) as session:
        return run_performance(Dut(fake), fake.benchmark, data_set, session, **options), session.folder  # type: ignore[arg-type]


def test_five_windows_of_ten_seconds_on_the_first_five_files(tmp_path: Path) -> None:
    fake = FakeDut(inference_s=0.0437)
    result, _ = run(tmp_path, fake)
    assert [w.file for w in result.windows] == [f"sample_{i:03d}.bin" for i in range(5)]
    assert all(10.0 <= w.elapsed_us * 1e-6 <= 10.4 and w.iterations == 234 and w.warmups == 10 for w in result.windows)
    assert result.throughput == pytest.approx(1 / 0.0437, rel=1e-5)
    assert result.breaches == ()
    loads = [load for load, _ in itertools.groupby(fake.loads)]
    assert len(loads) == 5


def test_a_slow_device_makes_ten_inferences_at_least(tmp_path: Path) -> None:
    result, _ = run(tmp_path, FakeDut(inference_s=3.0))
    assert all(w.iterations == 10 and w.elapsed_us == 30_000_000 for w in result.windows)


def test_a_fast_device_is_calibrated_on_more_than_one_inference(tmp_path: Path) -> None:
    fake = FakeDut(inference_s=0.00047)
    result, _ = run(tmp_path, fake)
    assert fake.infers[0] == (1, 0)
    assert 300 < fake.infers[1][0] < 1000
    assert all(10.0 <= w.elapsed_us * 1e-6 < 10.3 for w in result.windows)


def test_a_window_that_falls_short_is_run_again_with_more_inferences(tmp_path: Path) -> None:
    fake = FakeDut(timing=lambda count: 0.10 if count < 3 else 0.08)
    result, _ = run(tmp_path, fake)
    assert all(w.elapsed_us >= 10_000_000 for w in result.windows)
    assert [n for n, _ in fake.infers] == [1, 4, 102, 128, 128, 128, 128, 128]
    assert result.breaches == ()


def test_windows_that_never_get_long_enough_break_the_rule(tmp_path: Path) -> None:
    times = (0.1 / 2**count for count in itertools.count())
    with pytest.raises(RuleError, match="4 attempts at a window of 10 s") as error:
        run(tmp_path, FakeDut(timing=lambda count: next(times)))
    assert error.value.hint


def test_a_clock_that_hardly_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="more than 100000000 inferences") as error:
        run(tmp_path, FakeDut(timing=lambda count: 0.1e-6, inference_s=0.0))
    assert "microseconds" in error.value.hint


def test_a_clock_that_stands_still_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="no time between two time stamps"):
        run(tmp_path, FakeDut(timing=lambda count: 0.0))


def test_a_coarse_clock_that_shows_nothing_for_one_inference_is_probed_for_longer(tmp_path: Path) -> None:
    fake = FakeDut(inference_s=0.0003)
    fake._stamp = lambda: fake.say(f"m-lap-us-{int(fake.now * 100) * 10000}")  # type: ignore[method-assign]
    result, _ = run(tmp_path, fake)
    assert result.throughput == pytest.approx(1 / 0.0003, rel=2e-3)


def test_shorter_windows_are_possible_but_their_result_says_so(tmp_path: Path) -> None:
    official = official_rules()
    short = Rules(windows=2, min_window_s=1.0, min_iterations=3, performance_files=2, warmups=official.warmups)
    result, folder = run(tmp_path, FakeDut(inference_s=0.1), rules=short)
    assert result.breaches[0] == "2 windows instead of 5"
    assert "window 1 took 1.100 s, less than 10 s" in result.breaches
    text = (folder / "results.txt").read_text()
    assert "e-[2 windows instead of 5]" in text
    assert "Runtime requirements have been met." not in text


def test_a_given_number_of_inferences_is_used(tmp_path: Path) -> None:
    fake = FakeDut(inference_s=0.1)
    run(tmp_path, fake, iterations=150)
    assert fake.infers == [(150, 10)] * 5


def test_cycles_are_counted_where_the_board_counts_them(tmp_path: Path) -> None:
    fake = FakeDut(inference_s=0.05)
    result, _ = run(tmp_path, fake, cycles=lambda: fake.cycles)
    assert result.cycles_per_inference == pytest.approx(0.05 * 120e6, rel=1e-4)
    assert run(tmp_path, FakeDut())[0].cycles_per_inference is None


def test_progress_is_in_seconds_of_measured_time_with_a_total(tmp_path: Path) -> None:
    heard: list[Event] = []
    run(tmp_path, FakeDut(), events=EventStream(heard.append))
    assert isinstance(heard[0], Started) and (heard[0].step, heard[0].total, heard[0].unit) == ("kws performance", 50.0, "s")
    steps = [e for e in heard if isinstance(e, Progress)]
    assert len(steps) == 5
    assert steps[-1].done == pytest.approx(steps[-1].total) == pytest.approx(51.0)
    assert isinstance(heard[-1], Finished) and heard[-1].note == "20.000 inf/s"


def test_a_window_whose_results_were_damaged_is_retried(tmp_path: Path) -> None:
    heard: list[Event] = []
    fake = FakeDut(faults=Faults(garble_results_at=5))
    result, _ = run(tmp_path, fake, events=EventStream(heard.append))
    assert len(result.windows) == 5
    assert any(isinstance(e, Message) and "retried" in e.text for e in heard)


@pytest.mark.parametrize("damage", [{"damage_every": 40}, {"drop_every": 40}])
def test_damaged_loads_do_not_change_the_outcome(tmp_path: Path, damage: dict[str, int]) -> None:
    fake = FakeDut(faults=Faults(**damage))
    assert run(tmp_path, fake)[0].throughput == pytest.approx(20.0)


def test_the_wrong_image_fails_before_anything_is_measured(tmp_path: Path) -> None:
    heard: list[Event] = []
    fake = FakeDut(model_id="ic01")
    with pytest.raises(ProtocolError, match="ic01"):
        run(tmp_path, fake, events=EventStream(heard.append))
    assert fake.infers == [] and isinstance(heard[-1], Failed)


def test_an_energy_image_fails_before_anything_is_measured(tmp_path: Path) -> None:
    fake = FakeDut(energy=True, running=False)
    with pytest.raises(ProtocolError, match="energy"):
        run(tmp_path, fake)
    assert fake.infers == []


def test_results_of_a_wrong_width_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="printed 2 results, kws01 has 12"):
        run(tmp_path, FakeDut(results_of=lambda benchmark, data: (0.5, 0.5)))


def test_a_restart_in_a_window_ends_the_run_and_leaves_no_results(tmp_path: Path) -> None:
    fake = FakeDut(faults=Faults(reset_at=30))
    with pytest.raises(DeviceResetError):
        run(tmp_path, fake)
    folder = next((tmp_path / "sessions").iterdir())
    assert [p.name for p in folder.iterdir()] == ["log.txt"]


def test_a_data_set_of_four_files_is_too_small(tmp_path: Path) -> None:
    data_set = make_data_set(tmp_path / "data", "kws", 4)
    with SessionWriter(tmp_path) as session, pytest.raises(AssetError, match="has 4 files, a performance run needs 5"):
        run_performance(Dut(FakeDut()), KWS, data_set, session)


def test_anomaly_detection_sends_the_first_segment_of_each_file(tmp_path: Path) -> None:
    fake = FakeDut(benchmark=get_benchmark("ad"), inference_s=0.5)
    _, folder = run(tmp_path, fake)
    assert all(len(load) == 2560 for load in fake.loads)
    entries = json.loads((folder / "results.json").read_text())
    assert [(e["bytes_to_send"], e["stride"], e["total_length"]) for e in entries] == [("2560", "512", 1)] * 5


def test_the_files_are_the_same_to_the_byte_for_the_same_run(tmp_path: Path) -> None:
    first = run(tmp_path / "a", FakeDut())[1]
    second = run(tmp_path / "b", FakeDut())[1]
    for name in ("log.txt", "results.txt", "results.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_median_line_is_the_one_that_the_submission_checker_reads(tmp_path: Path) -> None:
    _, folder = run(tmp_path, FakeDut(inference_s=0.0437))
    found = [
        m[1] for line in (folder / "results.txt").open() if (m := re.match(r".* Median throughput is\s+([\d\.]+) inf\./sec\..*", line))
    ]
    assert found == ["22.883"]
