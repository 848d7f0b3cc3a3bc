# SPDX-License-Identifier: Apache-2.0
"""Damaged sessions: no crash, no hang, and never a "match" that the damaged evidence does not support.

The short run belongs to every test run; the long one (``pytest -m long``) reads at least 100,000 damaged logs.
"""

from __future__ import annotations

import math
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from support.log_mutations import (
    MAKERS,
    Case,
    eembc_accuracy,
    eembc_energy,
    eembc_performance,
    mlc_accuracy,
    mlc_energy,
    mlc_performance,
    mlc_streaming,
    mutated,
)
from support.sessions import trace, write

from cm4tiny.benchmarks import metrics
from cm4tiny.results.replay import check_session
from cm4tiny.results.rounds import (
    MODES,
    Check,
    LabelLists,
    Mode,
    ModeFiles,
    ResultDir,
    get_round,
    read_files,
    read_script,
    read_system,
    session_files,
)
from cm4tiny.results.rounds import labels as labels_module

NAMES = [f"tst_{number:06d}_Word_{number % 12}.bin" for number in range(12)]
WORDS = ((10.0, 10.5), (20.0, 20.5), (30.0, 30.5))
PER_EXAMPLE = 20
LONG_EXAMPLES = 5_800
SHARDS = 4
SLOWEST_S = 20.0
Maker = Callable[[random.Random], Case]


@pytest.fixture(autouse=True)
def small_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list kws01 of 12 files in place of the official one."""
    row = {**labels_module.table()["lists"]["kws01"], "files": 12, "names_digest": labels_module.names_digest(NAMES)}
    changed = {**labels_module.table(), "lists": {**labels_module.table()["lists"], "kws01": row}}
    monkeypatch.setattr(labels_module, "table", lambda: changed)


def replayed(folder: Path, case: Case) -> tuple[Check, ...]:
    """Reads and checks a session; everything else in the folder goes."""
    for old in folder.iterdir():
        old.unlink()
    write(folder, **case.files)
    mode: Mode = next(mode for mode in MODES if mode == case.mode)
    files: ModeFiles = session_files(folder, mode)
    result = ResultDir(
        get_round("v1.3"), folder, "closed/a/results/b", "closed", "a", "b", "", case.benchmark, "closed/a/results/b", (files,)
    )
    began = time.monotonic()
    session = read_files(files, case.benchmark)
    checks = check_session(result, files, session, LabelLists(windows={"sww01": WORDS}))
    assert time.monotonic() - began < SLOWEST_S
    return checks


# --- a second opinion, by other means ------------------------------------------------------------------------------------------
def _text(data: bytes) -> str:
    return data.replace(b"\r", b"").replace(b"\0", b"").decode("latin-1")


def _eembc_infers(text: str) -> list[tuple[int, str, list[int], list[float]]]:
    """Iterations, file, time stamps and vector of each inference whose results came."""
    found: list[tuple[int, str, list[int], list[float]]] = []
    file, current = "", None
    pattern = (  # of several tokens in a line the first one counts
        r'Command "(?:io )?dut infer (\d+)(?: +\d+)? *"|Command "bloadp? (?:dut )?"([^"\n]*)"|m-lap-us-(\d+)|m-results-(\[[^\]\n]*\])?'
        r"|m-infer-start-\d+|m-infer-done"
        r"|m-bm-cfg-name\[[^\]]*\]-key\[(?:runMode|iterInfer)\]-val\[[^\]]*\]|m-session-(?:start|stop)-id\[[^\]]*\]"
        r"|m-(?:name-dut-|profile-|model-|voltage-mv)\[[^\]]*\]|(?<![a-z])e-\["
    )
    for line in text.split("\n"):
        match = re.search(pattern, line)
        if match is None:
            continue
        if match[1]:
            current = (int(match[1]), file, [], [])
            found.append(current)
        elif match[2] is not None:
            file = re.split(r"[/\\]", match[2])[-1]
        elif match[3] and current:
            current[2].append(int(match[3]))
        elif match[0].startswith("m-results") and current:
            values = match[4] or "[]"
            number = r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*"
            if re.fullmatch(rf"\[{number}(?:,{number})*,?\s*\]", values):
                current[3].extend(float(part) for part in values[1:-1].split(",") if part.strip())
            current = None
    return found


def _mlc_speeds(text: str) -> list[float]:
    """Throughput of each window of an MLCommons log: what it printed last before the window's vector."""
    found = []
    for block in re.split(r"(?m)^\d{4}\.\d{6} ulp-mlperf:\s+Performance results for window \d+:", text)[1:]:
        body, vector, _ = block.partition("m-results")
        speeds = re.findall(r"(?m)^\d{4}\.\d{6} ulp-mlperf:\s+Throughput\s*:\s*(\d+(?:\.\d+)?)", body)
        if vector and speeds:
            found.append(float(speeds[-1]))
    return found


def supported(case: Case, check: Check) -> bool:
    """True if the files themselves, read in another way, give the claimed figure."""
    text = _text(case.files.get("log", b""))
    if check.metric == "throughput" and check.runner == "eembc":
        infers = _eembc_infers(text)
        speeds = [n * 1e6 / (laps[1] - laps[0]) for n, _, laps, _ in infers if len(laps) == 2 and laps[1] > laps[0]]
        return len(speeds) == len(infers) and f"{statistics.median(speeds):.3f}" == check.claimed
    if check.metric in ("top-1", "auc") and check.runner == "eembc":
        vectors = {file: values for _, file, _, values in _eembc_infers(text) if len(values) == 12}
        if set(vectors) != set(NAMES):
            return False
        labels = np.array([int(name.rsplit("_", 1)[1][:-4]) for name in vectors])
        if check.metric == "top-1":
            right = sum(
                max(range(12), key=lambda k, v=values: (v[k], -k)) == label for values, label in zip(vectors.values(), labels, strict=True)
            )
            return f"{100 * right / 12:.1f}" == check.claimed
        return f"{metrics.eembc_auc(np.array(list(vectors.values())), labels):.2f}" == check.claimed
    if check.metric == "throughput":
        data = case.files.get("json", b"").decode("latin-1")
        exact = [float(value) for value in re.findall(r'"throughput": (\d+(?:\.\d+)?(?:e[+-]?\d+)?)', data)]
        return any(
            values and math.isclose(statistics.median(values), float(check.claimed), abs_tol=6e-4) for values in (exact, _mlc_speeds(text))
        )
    return True  # the other kinds: see the tests of known changes below


def examine(folder: Path, seed: int, counts: Counter[str]) -> None:
    case = mutated(seed)
    for check in replayed(folder, case):
        counts[f"{case.kind}: {check.status}"] += 1
        if check.status == "match":
            assert check.claimed and check.recomputed
            assert supported(case, check), (seed, check)
    counts["logs"] += case.changed == "log"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**48))
def test_damaged_sessions_are_read_and_never_match_wrongly(tmp_path: Path, seed: int) -> None:
    counts: Counter[str] = Counter()
    for offset in range(PER_EXAMPLE):
        examine(tmp_path, seed + offset, counts)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_hundred_thousand_damaged_logs_are_read_and_never_match_wrongly(tmp_path: Path, shard: int) -> None:
    """Each shard reads its part of them; what the seeds give differs from shard to shard."""
    counts: Counter[str] = Counter()

    @hypothesis_seed(shard)
    @settings(max_examples=LONG_EXAMPLES // SHARDS, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(seed=st.integers(0, 2**48))
    def run(seed: int) -> None:
        for offset in range(PER_EXAMPLE):
            examine(tmp_path, seed + offset, counts)

    run()
    print(f"shard {shard}: {', '.join(f'{count} {kind}' for kind, count in sorted(counts.items()))}")
    assert counts["logs"] >= 100_000 / SHARDS


# --- known changes --------------------------------------------------------------------------------------------------------------
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), slower=st.integers(2, 50))
@pytest.mark.parametrize("maker", [eembc_performance, mlc_performance])
def test_a_log_whose_windows_took_longer_never_matches(tmp_path: Path, maker: Maker, seed: int, slower: int) -> None:
    case = maker(random.Random(seed))
    case.files.pop("json", None)
    text = case.files["log"].decode()
    stops = iter(range(1, 20))

    def late(match: re.Match[str]) -> str:
        return f"m-lap-us-{int(match[1]) + (slower * 10_000 if next(stops) % 2 == 0 else 0)}"

    if "m-lap-us" in text:
        head, tail = text.split('Command "bload', 1)
        text = head + 'Command "bload' + re.sub(r"m-lap-us-(\d+)", late, tail)
    else:
        text = re.sub(r"Throughput   : +([0-9.]+)", lambda m: f"Throughput   : {float(m[1]) - slower / 500:.3f}", text)
    case.files["log"] = text.encode()
    assert [check.status for check in replayed(tmp_path, case)] != ["match"]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), lost=st.integers(0, 11), name=st.sampled_from(["lost", "other", "wrong"]))
@pytest.mark.parametrize("maker", [eembc_accuracy, mlc_accuracy])
def test_a_log_that_lost_a_file_or_has_a_wrong_one_never_matches(tmp_path: Path, maker: Maker, seed: int, lost: int, name: str) -> None:
    case = maker(random.Random(seed))
    old = NAMES[lost].encode()
    new = {"lost": NAMES[lost - 1].encode(), "other": b"another.bin", "wrong": b"tst_999999_Word_1.bin"}[name]
    case.files["log"] = case.files["log"].replace(old, new)
    assert all(check.status != "match" for check in replayed(tmp_path, case))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), factor=st.sampled_from([0.5, 0.99, 1.01, 2.0]), scaled=st.sampled_from(["energy", "detections"]))
@pytest.mark.parametrize("maker", [eembc_energy, mlc_energy, mlc_streaming])
def test_evidence_with_another_energy_or_other_detections_never_matches(
    tmp_path: Path, maker: Maker, seed: int, factor: float, scaled: str
) -> None:
    case = maker(random.Random(seed))
    metric = {"eembc energy": "energy", "mlc energy": "energy"}.get(case.kind, "TP/FN/FP" if scaled == "detections" else "sww throughput")
    if "trace" in case.files:
        case.files["trace"] = trace([2.0 * factor] * 700)
    elif "json" in case.files:
        case.files["json"] = case.files["json"].replace(b"1e-06", str(1e-6 * factor).encode())
    elif scaled == "detections":
        case.files["log"] = case.files["log"].replace(b"10074, ", b"")
    else:
        case.files["log"] = case.files["log"].replace(b"RX:1100, 4300,", b"RX:%d, 4300," % round(1100 * factor))
    assert next(check for check in replayed(tmp_path, case) if check.metric == metric).status == "mismatch"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), digit=st.integers(1, 9), kind=st.sampled_from(MAKERS))
def test_a_claim_with_another_digit_never_matches(tmp_path: Path, seed: int, digit: int, kind: Maker) -> None:
    case = kind(random.Random(seed))
    honest = {check.metric: check for check in replayed(tmp_path, case)}
    assert {check.status for check in honest.values()} <= {"match", "unverifiable"}
    text = case.files["results"].decode()
    changed = re.sub(
        r"(Median throughput is +|Top-1: |Top 1% = |AUC[:=] |AUC = |Median energy cost is |Accuracy: |Estimated throughput: )(\d+)",
        lambda match: f"{match[1]}{int(match[2]) + digit}",
        text,
    )
    assert changed != text
    case.files["results"] = changed.encode()
    assert all(check.status != "match" for check in replayed(tmp_path, case))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=600))
@pytest.mark.parametrize("role", ["log", "results", "json", "trace", "timestamps"])
@pytest.mark.parametrize("mode", ["accuracy", "performance", "energy"])
def test_any_bytes_can_be_read_as_any_file(tmp_path: Path, role: str, mode: str, data: bytes) -> None:
    case = Case("bytes", mode, "kws", {"log": b"00001.000 dut: x\n", role: data})
    assert all(check.status in ("unverifiable", "no-claim") for check in replayed(tmp_path, case))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=400) | st.text('{}[]",:\n ab1.\\', max_size=200).map(str.encode))
def test_any_bytes_can_be_read_as_a_description_or_a_script(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    read_system(path)
    read_script(path)


HOSTILE = [
    b"m-bm-cfg-name[" * 5000,
    b"m-results-[" * 6000,
    b"m-name-dut-[" * 5000,
    b'Command "bload dut "' * 3000,
    b"e-[" * 20000,
    b"0726.010150 ulp-mlperf: Runtime :" + b" " * 65000 + b"x",
    b"Device name retrieved: " + b" " * 65000 + b"x",
    b"Writing output to " + b" " * 65000 + b"x",
    b"RX:Duty cycle start times (s)\nRX:1" + b" " * 65000 + b"x",
    b"RX:Duty cycle start times (s)\n" + b"1 ," * 20000,
    b"[1" + b", " * 30000,
    b"Median throughput is " * 3000,
    b"Energy data for window 1 at time " + b"1" * 65000,
    b"Performance results for window 1\n" + b"Runtime   :   " * 4000,
    b"Top-1: " * 9000,
    b"cmd: 'bload \"" * 5000,
    b"00001.000 dut: " * 4000,
]


@pytest.mark.parametrize("line", HOSTILE, ids=lambda line: line[:20].decode())
@pytest.mark.parametrize("head", [b"00001.000 parser: x\n", b"Logging initialized. Writing output to a\n"], ids=["eembc", "mlc"])
def test_lines_made_to_take_long_do_not(tmp_path: Path, head: bytes, line: bytes) -> None:
    case = Case("hostile", "performance", "kws", {"log": head + (line + b"\n") * 20, "results": (line + b"\n") * 20, "script": line * 2})
    began = time.process_time()
    replayed(tmp_path, case)
    read_script(tmp_path / "script.async")
    assert time.process_time() - began < 5.0


def test_a_description_made_to_take_long_does_not(tmp_path: Path) -> None:
    began = time.process_time()
    for text in ('{"a": "b"' + "\n" * 500_000, '{"a": "b",' + " " * 900_000, '"' + "\n" * 300_000 + '"', '{"a": 1,' * 60_000):
        (tmp_path / "a.json").write_text(text)
        read_system(tmp_path / "a.json")
    assert time.process_time() - began < 10.0
