# SPDX-License-Identifier: Apache-2.0
"""Accuracy runs: every sample, the figures, going on after an interruption."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fake_dut import FIXED_NOW, FakeDut, Faults, make_data_set

import cm4tiny
from cm4tiny.benchmarks import get_benchmark
from cm4tiny.errors import DeviceResetError, InterruptedRunError, LinkError, ProtocolError, RunnerError
from cm4tiny.events import Event, EventStream, Finished, Message, Progress, Started
from cm4tiny.runner import AccuracyResult, Dut, SessionWriter, run_accuracy

FILES = 40


def run(tmp_path: Path, fake: FakeDut, *, files: int = FILES, folder: str = "s", **options: object) -> tuple[AccuracyResult, Path]:
    data_set = make_data_set(tmp_path / "data", fake.benchmark.id, files)
    stop = options.pop("stop", None)
    with SessionWriter(tmp_path / folder, now=lambda: FIXED_NOW) as session:
        return run_accuracy(Dut(fake, stop=stop), fake.benchmark, data_set, session, **options), session.folder  # type: ignore[arg-type]


def test_every_sample_is_judged_once_and_its_class_comes_from_the_list(tmp_path: Path) -> None:
    fake = FakeDut(own=True)
    result, folder = run(tmp_path, fake)
    assert (result.samples, result.inferences, result.resumed) == (FILES, FILES, 0)
    assert result.top_1 == 80.0 and result.value == 80.0
    assert (result.metric, result.target, result.target_met) == ("top-1", 90.0, False)
    assert fake.infers == [(1, 0)] * FILES
    lines = (folder / "results.txt").read_text().splitlines()
    assert [m[1] for line in lines if (m := re.match(r".* Top[- ]1%?\s?[:=] ([\d.]+)", line))] == ["80.0"]
    assert [m[1] for line in lines if (m := re.match(r".* AUC\s?[:=] ([\d.]+)", line))] == [f"{result.auc:.3f}"]
    assert len(json.loads((folder / "results.json").read_text())) == FILES


def test_anomaly_detection_averages_all_segments_of_a_file(tmp_path: Path) -> None:
    ad = get_benchmark("ad")
    fake = FakeDut(own=True, benchmark=ad)
    result, folder = run(tmp_path, fake, files=8)
    assert (result.samples, result.inferences) == (8, 24)
    entries = json.loads((folder / "results.json").read_text())
    assert [e["total_length"] for e in entries] == [3] * 24
    scores = np.array([np.mean([e["infer"]["results"][0] for e in entries[i : i + 3]]) for i in range(0, 24, 3)])
    labels = np.array([int(entries[i]["class"]) for i in range(0, 24, 3)])
    pairs = [(p > n) + 0.5 * (p == n) for p in scores[labels == 1] for n in scores[labels == 0]]
    assert result.auc == pytest.approx(np.mean(pairs))
    assert result.value == result.auc
    log = (folder / "log.txt").read_text()
    assert "Loading file sample_000.bin segment 2" in log
    assert "Performance results for window 24:" in log


def test_progress_counts_inferences_of_a_known_total(tmp_path: Path) -> None:
    heard: list[Event] = []
    run(tmp_path, FakeDut(own=True, benchmark=get_benchmark("ad")), files=4, events=EventStream(heard.append))
    assert isinstance(heard[0], Started) and (heard[0].total, heard[0].unit) == (12, "inferences")
    assert [(e.done, e.total) for e in heard if isinstance(e, Progress)] == [(n, 12) for n in range(1, 13)]
    assert isinstance(heard[-1], Finished) and heard[-1].note.startswith("AUC ")


def test_a_stopped_run_goes_on_where_it_stopped_and_ends_the_same(tmp_path: Path) -> None:
    stop = threading.Event()
    journal = tmp_path / "j.jsonl"
    fake = FakeDut(own=True)
    fake.faults.before = lambda count, command: stop.set() if len(fake.infers) == 23 and command.startswith("db load") else None
    with pytest.raises(InterruptedRunError):
        run(tmp_path, fake, folder="first", stop=stop, journal=journal)
    assert [p.name for p in next((tmp_path / "first").iterdir()).iterdir()] == ["log.txt"]
    assert len(journal.read_text().splitlines()) == 24
    heard: list[Event] = []
    again = FakeDut(own=True)
    result, folder = run(tmp_path, again, folder="second", journal=journal, events=EventStream(heard.append))
    assert result.resumed == 23 and len(again.infers) == FILES - 23
    assert any("23 inferences were measured" in e.text for e in heard if isinstance(e, Message))
    assert not journal.exists()
    assert (folder / "log.txt").read_text().count("Loading file") == FILES
    plain, reference = run(tmp_path, FakeDut(own=True), folder="third")
    assert (folder / "results.txt").read_bytes() == (reference / "results.txt").read_bytes()
    assert (plain.top_1, plain.auc, plain.eembc_auc) == (result.top_1, result.auc, result.eembc_auc)


@pytest.mark.parametrize(("fault", "error"), [({"disconnect_at": 200}, LinkError), ({"reset_at": 200}, DeviceResetError)])
def test_a_lost_device_loses_no_measured_sample(tmp_path: Path, fault: dict[str, int], error: type[Exception]) -> None:
    journal = tmp_path / "j.jsonl"
    with pytest.raises(error):
        run(tmp_path, FakeDut(own=True, faults=Faults(**fault)), journal=journal)
    measured = len(journal.read_text().splitlines()) - 1
    assert measured > 5
    assert run(tmp_path, FakeDut(own=True), journal=journal)[0].resumed == measured


def test_a_torn_last_line_is_measured_again(tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    run(tmp_path, FakeDut(own=True), journal=journal, keep_journal=True)
    data = journal.read_bytes()
    journal.write_bytes(data[:-9])
    heard: list[Event] = []
    fake = FakeDut(own=True)
    result, _ = run(tmp_path, fake, journal=journal, keep_journal=True, events=EventStream(heard.append))
    assert (result.resumed, len(fake.infers)) == (FILES - 1, 1)
    assert any("torn line" in e.text for e in heard if isinstance(e, Message))
    assert len(journal.read_bytes().splitlines()) == FILES + 1


@pytest.mark.parametrize(
    ("change", "word"), [("image", "firmware image"), ("data", "data set"), ("benchmark", "benchmark"), ("format", "format")]
)
def test_a_journal_of_something_else_is_put_aside_with_a_message(tmp_path: Path, change: str, word: str) -> None:
    journal = tmp_path / "j.jsonl"
    run(tmp_path, FakeDut(own=True), journal=journal, image="a" * 64, keep_journal=True)
    options = {"image": "a" * 64}
    fake = FakeDut(own=True)
    if change == "image":
        options["image"] = "b" * 64
    elif change == "format":
        journal.write_bytes(b"\x00garbage\n")
    elif change == "benchmark":
        journal.write_text(journal.read_text().replace('"benchmark":"kws"', '"benchmark":"ic"'))
    else:
        journal.write_text(journal.read_text().replace('"data_set":"', '"data_set":"0'))
    heard: list[Event] = []
    result, _ = run(tmp_path, fake, journal=journal, events=EventStream(heard.append), **options)
    assert (result.resumed, len(fake.infers)) == (0, FILES)
    assert any(f"of another {word}" in e.text for e in heard if isinstance(e, Message))
    assert journal.with_name("j.jsonl.old").exists()


def test_a_changed_sample_makes_it_another_data_set(tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    data_set = make_data_set(tmp_path / "data", "kws", FILES)
    for expected in (0, FILES, 0):
        with SessionWriter(tmp_path / "s") as session:
            result = run_accuracy(Dut(FakeDut(own=True)), data_set.benchmark, data_set, session, journal=journal, keep_journal=True)
        assert result.resumed == expected
        if expected:
            (tmp_path / "data" / "sample_007.bin").write_bytes(bytes(490))


def test_a_damaged_answer_is_asked_for_again(tmp_path: Path) -> None:
    heard: list[Event] = []
    fake = FakeDut(own=True, faults=Faults(garble_results_at=7, damage_every=50))
    result, _ = run(tmp_path, fake, events=EventStream(heard.append))
    assert result.top_1 == 80.0
    assert len(fake.infers) == FILES + 1
    assert any("retried" in e.text for e in heard if isinstance(e, Message))


def test_an_answer_that_stays_damaged_ends_the_run(tmp_path: Path) -> None:
    fake = FakeDut(own=True, results_of=lambda benchmark, data: (1.0,))
    with pytest.raises(ProtocolError, match="printed 1 results, kws01 has 12"):
        run(tmp_path, fake)
    assert len(fake.infers) == 3


def test_the_wrong_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="flash the image of kws01"):
        run(tmp_path, FakeDut(own=True, model_id="vww01"))


def test_an_energy_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="the performance image is needed"):
        run(tmp_path, FakeDut(own=True, energy=True))


def test_an_empty_data_set_is_refused(tmp_path: Path) -> None:
    data_set = make_data_set(tmp_path / "data", "kws", 3)
    object.__setattr__(data_set, "samples", ())
    with SessionWriter(tmp_path / "s") as session, pytest.raises(RunnerError, match="empty"):
        run_accuracy(Dut(FakeDut(own=True)), data_set.benchmark, data_set, session)


CHILD = """
    import sys, time
    from pathlib import Path
    from fake_dut import FakeDut, make_data_set
    from cm4tiny.runner import Dut, SessionWriter, run_accuracy
    root = Path(sys.argv[1])
    fake = FakeDut(own=True)
    fake.faults.before = lambda count, command: time.sleep(0.01 if command.startswith("infer") else 0)
    data_set = make_data_set(root / "data", "kws", 400)
    with SessionWriter(root / "s") as session:
        run_accuracy(Dut(fake), data_set.benchmark, data_set, session, journal=root / "j.jsonl")
"""


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_run_goes_on_from_its_journal(tmp_path: Path, kind: signal.Signals) -> None:
    folders = (Path(__file__).parent, Path(cm4tiny.__file__).parents[1])  # the same package as in this process
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path)], env=environment, stderr=subprocess.DEVNULL)
    journal = tmp_path / "j.jsonl"
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and not (journal.exists() and journal.read_bytes().count(b"\n") > 30):
            time.sleep(0.02)
        child.send_signal(kind)
        assert child.wait(20) != 0
    finally:
        child.kill()
        child.wait()
    measured = journal.read_bytes().count(b"\n") - 1
    assert 30 <= measured < 400
    fake = FakeDut(own=True)
    result, folder = run(tmp_path, fake, files=400, folder="again", journal=journal)
    assert result.resumed == measured
    assert len(fake.infers) == 400 - measured
    assert len(json.loads((folder / "results.json").read_text())) == 400
