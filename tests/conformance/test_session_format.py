# SPDX-License-Identifier: Apache-2.0
"""Our sessions against those that the MLCommons runner wrote for round v1.3: the same device, the same files, line by line.

A replayed device gives the numbers that a published ``results.json`` holds; the session that our runner writes from them must be the
published one, apart from time stamps, names of ports and the head of the log.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "runner"))

from fake_dut import FIXED_NOW, FakeDut
from support.prompt_dut import PromptDut

from cm4tiny.benchmarks import DataSet, get_benchmark
from cm4tiny.runner import Dut, Rules, SessionWriter, run_accuracy, run_energy, run_performance
from cm4tiny.runner.values import impossible

REPLAY = Path(__file__).resolve().parents[3] / "shared" / "replay"
needs_replay = pytest.mark.skipif(
    not (REPLAY / "v1.3.rjson.tar.xz").exists(), reason="the published sessions are not here (../shared/replay)"
)
MODES = {"performance": "p", "accuracy": "a", "energy": "e"}
OLDER_RUNNER = "Next_Generation_Snapdragon_Mobile_Platform_MTP"
"""Its sessions come from an earlier build of the runner: results.txt without the windows, other digits, no line before the summary."""

NO_SOFTMAX = {(OLDER_RUNNER, "ic"), (OLDER_RUNNER, "kws"), ("VCU128", "vww")}
"""These devices print numbers below 0, above 1, or with another sum than 1: refused unless the table says that any numbers are right."""


@cache
def published() -> dict[tuple[str, str, str], dict[str, bytes]]:
    """Files by (system, benchmark, mode) of all v1.3 results that have a results.json."""
    found: dict[tuple[str, str, str], dict[str, bytes]] = defaultdict(dict)
    for archive in ("v1.3.tar.xz", "v1.3.rjson.tar.xz"):
        with tarfile.open(REPLAY / archive) as tar:
            for member in tar:
                match = re.search(r"results/([^/]+)/(ad|ic|kws|vww)/(\w+)/(log\.txt|results\.txt|results\.json)$", member.name)
                if match and member.isfile():
                    stream = tar.extractfile(member)
                    assert stream is not None
                    found[match[1], match[2], match[3]][match[4]] = stream.read()
    return {key: files for key, files in found.items() if "results.json" in files}


class Replay(FakeDut):
    """A device that gives a published session's numbers, one inference after the other."""

    entries: list[dict[str, Any]]

    def _infer(self, n: int, warmups: int) -> None:
        infer = self.entries[len(self.infers)]["infer"]
        self.infers.append((n, warmups))
        assert (n, warmups) == (infer["iterations"], infer["warmups"])
        if "start_time" in infer:
            self.say(f"m-lap-us-{infer['start_time']}")
            self.now += infer["elapsed_time"] * 1e-6 * (n + warmups) / n
            self.say(f"m-lap-us-{infer['end_time']}")
        self.say(f"m-results-[{','.join(map(repr, infer['results']))}]")


class EnergyReplay(PromptDut):
    """The same with a monitor: the clock continues as the samples and time stamps of a published recording say."""

    entries: list[dict[str, Any]]

    def _infer(self, n: int, warmups: int) -> None:
        entry = self.entries[len(self.infers)]
        self.infers.append((n, warmups))
        assert (n, warmups) == (entry["infer"]["iterations"], entry["infer"]["warmups"])
        began = self.now
        first, last = (int(captured) / 1000 for _, captured in entry["power"]["timestamps"][-2:])
        self.now = began + first
        self.say(f"m-infer-start-{n}")
        self.now = began + last
        self.say("m-infer-done")
        self.now = began + len(entry["power"]["samples"]) / 1000
        self.say(f"m-results-[{','.join(map(repr, entry['infer']['results']))}]")


@dataclass(frozen=True)
class Trace:
    sample_period_s: float
    joules: Any
    timestamps_s: tuple[float, ...]


class ReplayMonitor:
    simulated = False
    name = "replayed"

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.entries = iter(entries)
        self.voltage_v = entries[0]["power"]["voltage"]

    def start(self) -> None:
        pass

    def stop(self) -> Trace:
        power = next(self.entries)["power"]
        return Trace(0.001, np.array(power["samples"]), tuple(int(n) / 1000 for _, n in power["timestamps"]))


def data_set(root: Path, benchmark_id: str, entries: list[dict[str, Any]]) -> DataSet:
    benchmark = get_benchmark(benchmark_id)
    root.mkdir(parents=True)
    lines = []
    for entry in {e["file"]: e for e in entries}.values():
        segmented = [entry["bytes_to_send"], entry["stride"]] if entry["stride"] else []
        lines.append(",".join([entry["file"], entry["classes"], entry["class"], *segmented]))
        (root / entry["file"]).write_bytes(bytes(benchmark.input_bytes))
    (root / "y_labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return DataSet.open(root, benchmark)


def replay(tmp_path: Path, benchmark_id: str, mode: str, entries: list[dict[str, Any]], output_kind: str = "") -> Path:
    benchmark = get_benchmark(benchmark_id)
    benchmark = replace(benchmark, output_kind=output_kind or benchmark.output_kind)
    device = (EnergyReplay if mode == "energy" else Replay)(benchmark=benchmark, energy=mode == "energy", own=True)
    device.entries = entries
    warmups = {mode: {benchmark_id: entries[0]["infer"]["warmups"]}}
    rules = Rules(windows=len(entries), min_window_s=0.001, min_iterations=1, performance_files=len(entries), warmups=warmups)
    files = data_set(tmp_path / "data", benchmark_id, entries)
    iterations = entries[0]["infer"]["iterations"]
    with SessionWriter(tmp_path / "sessions", now=lambda: FIXED_NOW) as session:
        dut = Dut(device)
        dut.load = lambda data: None  # type: ignore[method-assign]
        if mode == "performance":
            run_performance(dut, benchmark, files, session, iterations=iterations, rules=rules)
        elif mode == "energy":
            run_energy(dut, ReplayMonitor(entries), benchmark, files, session, iterations=iterations, rules=rules)
        else:
            run_accuracy(dut, benchmark, files, session)
    return session.folder


def body(data: bytes) -> list[str]:
    """A text file's lines from the first input on, without what cannot be the same: time stamps, ports, the log's own name."""
    lines = [line.rstrip("\r\n") for line in io.StringIO(data.decode("ascii", "backslashreplace"), newline="")]
    lines = [re.sub(r"^\d{4}\.\d{6} ", "T ", line) for line in lines]
    first = next((i for i, line in enumerate(lines) if "Loading file" in line), 0)
    return [
        line for line in lines[first:] if not line.startswith(("SerialDevice", "Session logged", "WARNING: Ignoring", "e-[", "ERROR: Not"))
    ]


def cases() -> list[tuple[str, str, str]]:
    return sorted(key for key in published() if key[2] in MODES) if (REPLAY / "v1.3.rjson.tar.xz").exists() else []


@needs_replay
@pytest.mark.parametrize("case", cases(), ids="-".join)
def test_a_replayed_session_is_the_published_one(tmp_path: Path, case: tuple[str, str, str]) -> None:
    system, benchmark_id, mode = case
    files = published()[case]
    entries = [e for e in json.loads(files["results.json"]) if "infer" in e]
    for entry in entries:  # some lists of labels have a blank after the comma, which the official runner hands on
        entry.update({"classes": entry["classes"].strip(), "class": entry["class"].strip()})
    possible = not any(impossible(tuple(e["infer"]["results"]), get_benchmark(benchmark_id).output_kind) for e in entries)
    assert possible == ((system, benchmark_id) not in NO_SOFTMAX)
    folder = replay(tmp_path, benchmark_id, mode, entries, "" if possible else "numbers")
    assert json.loads((folder / "results.json").read_bytes()) == entries
    assert [list(e) for e in json.loads((folder / "results.json").read_bytes())] == [list(e) for e in entries]
    ours, theirs = (body(text) for text in ((folder / "results.txt").read_bytes(), files["results.txt"]))
    assert [line for line in ours if line.startswith("T ")] == [line for line in theirs if line.startswith("T ")]
    if system == OLDER_RUNNER:
        return
    assert ours == theirs
    assert body((folder / "log.txt").read_bytes()) == body(files["log.txt"])
