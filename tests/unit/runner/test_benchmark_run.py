# SPDX-License-Identifier: Apache-2.0
"""What a request reads from CM's env, what it refuses, and what it says about the firmware's division."""

import errno
import hashlib
import json
import os
import platform
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_dut import FakeDut, make_data_set

from cm4tiny.boards import PowerSettings
from cm4tiny.boards.virtual.build import native_library
from cm4tiny.cm import Step
from cm4tiny.errors import FirmwareError, ResultsError, UsageError
from cm4tiny.events import SILENT
from cm4tiny.results.collect import collect
from cm4tiny.results.rounds.record.fields import entry_faults
from cm4tiny.runner import benchmark_run as module
from cm4tiny.runner.benchmark_run import BenchmarkRun, run_benchmarks
from cm4tiny.runner.job_pool import option_bytes_text
from cm4tiny.runner.session import utc_now
from cm4tiny.workflows.run_mlperf_tiny import RunOptions, benchmark_run

KWS = {
    "CM_TINY_BENCHMARK": "kws",
    "CM_TINY_MODE": "standard",
    "CM_TINY_BOARD_KIND": "virtual",
    "CM_TINY_FIRMWARE_KWS_PERFORMANCE": "/f/kws.elf",
    "CM_MLPERF_TINY_DATASETS_KWS": "/d/kws01",
}


def asked(env: dict[str, str]) -> BenchmarkRun:
    return benchmark_run(Step(env, SILENT, Path.cwd()).options(RunOptions))


def test_the_env_names_firmware_and_samples() -> None:
    request = asked(KWS | {"CM_TINY_OUTDIR": "/out", "CM_TINY_JOBS": "3"})
    assert request.benchmarks == ("kws",)
    assert request.modes == ("performance", "accuracy")
    assert request.firmware == {("kws", "performance"): Path("/f/kws.elf")}
    assert request.data_sets == {"kws": Path("/d/kws01")}
    assert (request.out, request.jobs) == (Path("/out"), 3)


def test_all_means_the_four_benchmarks() -> None:
    env = {"CM_TINY_MODE": "energy"}
    for name in ("AD", "IC", "KWS", "VWW"):
        env |= {f"CM_TINY_FIRMWARE_{name}_ENERGY": "/f", f"CM_MLPERF_TINY_DATASETS_{name}": "/d"}
    request = asked(env)
    assert request.benchmarks == ("ad", "ic", "kws", "vww")
    assert {image for _, image in request.firmware} == {"energy"}


def test_without_a_directory_the_results_go_below_the_current_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert asked(KWS).out == tmp_path / "mlperf-tiny-results"


def test_a_relative_directory_is_below_the_current_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert asked(KWS | {"CM_TINY_OUTDIR": "out"}).out == tmp_path / "out"


def test_where_cm_has_changed_into_the_directory_already_it_is_not_nested(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert asked(KWS | {"CM_TINY_OUTDIR": "out", "CM_OUTDIRNAME": str(tmp_path)}).out == tmp_path


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"CM_TINY_FIRMWARE_KWS_PERFORMANCE": ""}, "build,firmware,mlperf,tiny,_kws"),
        ({"CM_MLPERF_TINY_DATASETS_KWS": ""}, "get,mlperf,tiny,dataset,_kws"),
        ({"CM_TINY_BENCHMARK": "kwz"}, "did you mean 'kws'"),
        ({"CM_TINY_MODE": "energie"}, "did you mean 'energy'"),
        ({"CM_TINY_JOBS": "many"}, "is not a number"),
        ({"CM_TINY_JOBS": "0"}, "is not a number"),
    ],
)
def test_what_is_missing_or_unknown_is_named_with_its_hint(change: dict[str, str], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        asked(KWS | change)


def test_firmware_without_its_record_is_refused(tmp_path: Path) -> None:
    elf = tmp_path / "kws.elf"
    elf.write_bytes(b"\x7fELF")
    request = asked(KWS | {"CM_TINY_FIRMWARE_KWS_PERFORMANCE": str(elf), "CM_TINY_OUTDIR": str(tmp_path / "out")})
    with pytest.raises(FirmwareError, match=r"firmware\.json"):
        run_benchmarks(request)


def test_firmware_that_is_not_the_recorded_one_is_refused(tmp_path: Path) -> None:
    elf = tmp_path / "kws.elf"
    elf.write_bytes(b"\x7fELF")
    (tmp_path / "firmware.json").write_text('{"elf": {"sha256": "00"}}', encoding="utf-8")
    request = asked(KWS | {"CM_TINY_FIRMWARE_KWS_PERFORMANCE": str(elf)})
    with pytest.raises(FirmwareError, match="not the image"):
        run_benchmarks(request)


class CountingBoard:
    """A scripted board with a cycle counter."""

    def __init__(self) -> None:
        self.link = FakeDut()
        self.power = SimpleNamespace(voltage_v=1.8)

    def power_settings(self) -> PowerSettings:
        return PowerSettings(120.0, "boost", True, 2, 2.0)

    @property
    def cycles(self) -> int:
        return self.link.cycles

    def close(self) -> None:
        pass


def run_fake(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str = "performance",
    board: Any = None,
    flags: dict[str, str] | None = None,
    **division: str,
) -> dict[str, Any]:
    """The outcome of a performance run on a scripted board; its session's ``results.txt`` is in ``"text"``, how the board was asked for in
    ``"opened"``."""
    opened: list[dict[str, Any]] = []
    elf = tmp_path / "kws.elf"
    elf.write_bytes(b"\x7fELF")
    digest = hashlib.sha256(elf.read_bytes()).hexdigest()
    record = {"engine": "microtvm", "elf": {"name": elf.name, "sha256": digest, "bytes": 4}, "tools": {}}
    (tmp_path / "firmware.json").write_text(json.dumps(record | {"model": {"name": "m", "sha256": digest, "bytes": 1}} | division))
    data_set = make_data_set(tmp_path / "kws01", "kws", 6)
    plain = SimpleNamespace(link=FakeDut(), close=lambda: None, cycles=0)
    monkeypatch.setattr(module, "open_board", lambda *_, **wanted: (opened.append(wanted), board() if board else plain)[1])
    env = KWS | {"CM_TINY_MODE": mode, "CM_TINY_FIRMWARE_KWS_PERFORMANCE": str(elf), "CM_TINY_OUTDIR": str(tmp_path / "out")}
    path = run_benchmarks(asked(env | {"CM_MLPERF_TINY_DATASETS_KWS": str(data_set.root)} | (flags or {})))
    outcome: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return outcome | {
        "opened": opened,
        "text": (path.parent / outcome["results"][0]["session"] / "results.txt").read_text(encoding="utf-8"),
    }


def test_equal_runs_leave_equal_bytes_in_every_time_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that a simulated run leaves, sessions and report included; only ``timing.json`` is of this run alone."""
    found = []
    for number, zone in enumerate(("UTC", "Asia/Kathmandu", "America/St_Johns")):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        place = tmp_path / str(number)
        place.mkdir()
        run_fake(place, monkeypatch, mode="standard", board=CountingBoard)
        collect(str(place / "out" / "outcome.json"))
        files = sorted(path for path in (place / "out").rglob("*") if path.is_file() and path.name not in (module.TIMING, ".lock"))
        found.append({path.relative_to(place / "out").as_posix(): path.read_bytes() for path in files})
        time.sleep(1.1)  # the next run begins in another second
    monkeypatch.delenv("TZ")
    time.tzset()
    assert found[0].keys() >= {"report.json", "report.md", "outcome.json"} and any(name.endswith("log.txt") for name in found[0])
    for other in found[1:]:
        assert [name for name in found[0] if other.get(name) != found[0][name]] == [] and other.keys() == found[0].keys()


def test_a_real_boards_session_is_stamped_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    assert abs((utc_now() - datetime.now(timezone.utc)).total_seconds()) < 5
    assert utc_now().utcoffset() == timedelta(0)


def test_firmware_of_the_open_division_marks_outcome_and_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run_fake(tmp_path, monkeypatch, board=CountingBoard, division="open", division_reason="9 channels removed")
    marks = {(entry["mode"], entry["division"], entry["division_reason"]) for entry in outcome["results"]}
    assert marks == {("performance", "open", "9 channels removed"), ("energy", "open", "9 channels removed")}
    assert "OPEN DIVISION: 9 channels removed;" in outcome["text"]


@pytest.mark.parametrize("division", [{}, {"division": "closed"}])
def test_other_firmware_is_not_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, division: dict[str, str]) -> None:
    outcome = run_fake(tmp_path, monkeypatch, **division)
    assert not any("division" in entry for entry in outcome["results"])
    assert "OPEN" not in outcome["text"]


class LaxBoard(CountingBoard):
    """One that went on where the chip would not have."""

    def statistics(self) -> Any:
        return SimpleNamespace(strict=False, notes=("the chip would not do this: a rule",), hclk_hz=120_000_000)

    def option_bytes(self) -> int:
        return 0xFFEF_F8AA


def test_a_run_that_was_not_strict_says_so_wherever_its_figures_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run_fake(tmp_path, monkeypatch, mode="standard", board=LaxBoard, flags={"CM_TINY_NO_STRICT": "yes"})
    assert {asked["strict"] for asked in outcome["opened"]} == {False}
    assert all(entry["strict"] is False and entry["board_notes"] for entry in outcome["results"])
    assert all(entry["option_bytes"] == "0xffeff8aa" for entry in outcome["results"])
    assert outcome["text"].startswith("SIMULATED: virtual NUCLEO-L4R5ZI, not strict; ")
    for entry in outcome["results"][:2]:
        session = tmp_path / "out" / entry["session"]
        written = json.loads((session / "results.json").read_text(encoding="utf-8"))
        assert all(one["strict"] is False for one in written)
        assert [fault.text for one in written for fault in entry_faults(one, entry["mode"], "kws") if "strict" in fault.text] == []
        log = (session / "log.txt").read_text(encoding="utf-8")
        assert "Board: FLASH_OPTR is 0xffeff8aa: DBANK = 1 (two banks" in log
        assert "Board: the chip would not do this: a rule" in log
    collect(str(tmp_path / "out" / "outcome.json"))
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert "were not strict" in report["notice"]
    assert all(entry["labels"]["text"].startswith("simulated (not strict), ") for entry in report["results"])
    assert "not strict" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


def test_a_run_is_strict_unless_it_is_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run_fake(tmp_path, monkeypatch, board=CountingBoard)
    assert {asked["strict"] for asked in outcome["opened"]} == {True}
    assert not any("strict" in entry or "board_notes" in entry for entry in outcome["results"])
    assert "strict" not in outcome["text"]
    with pytest.raises(UsageError, match="--no_strict=perhaps"):
        asked(KWS | {"CM_TINY_NO_STRICT": "perhaps"})


def test_option_bytes_say_how_wide_flash_is_read() -> None:
    assert "DBANK = 0 (one bank, read in words of 128 bits)" in option_bytes_text(0xFFAF_F8AA)


def test_a_record_with_an_unknown_division_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FirmwareError, match="names the division 'half'"):
        run_fake(tmp_path, monkeypatch, division="half")


def test_what_is_of_the_machine_is_in_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run_fake(tmp_path, monkeypatch)
    host = json.loads((tmp_path / "out" / "host.json").read_text(encoding="utf-8"))
    built = native_library()
    assert outcome["emulator"] | host["emulator"] == built.facts()
    assert host["emulator"]["library_sha256"] == hashlib.sha256(built.path.read_bytes()).hexdigest()
    assert host["packages"]["unicorn"] == outcome["emulator"]["unicorn"]
    assert host["python"] == platform.python_version()


def test_two_machines_leave_the_same_outcome_and_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another Python, other packages, another compiler, another processor, other folders: all of it is in ``host.json``."""
    found = []
    for name in ("one", "another"):
        (tmp_path / name).mkdir()
        with monkeypatch.context() as machine:
            if name == "another":
                facts = native_library().facts() | {"library_sha256": "1" * 64, "compiler": "cc 99", "unicorn_sha256": "2" * 64}
                machine.setattr(module, "emulator_facts", lambda *_, facts=facts: facts)
                machine.setattr(module.packages, "versions", lambda: {"numpy": "99"})
                machine.setattr(platform, "python_version", lambda: "3.99.0")
                machine.setattr(platform, "machine", lambda: "riscv64")
                machine.setenv("HOME", str(tmp_path / "elsewhere"))
            run_fake(tmp_path / name, machine, mode="standard", board=CountingBoard)
        collect(str(tmp_path / name / "out" / "outcome.json"))
        out = tmp_path / name / "out"
        found.append({path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()})
    differing = {name for name in found[0] if found[0][name] != found[1][name]}
    assert found[0].keys() == found[1].keys() and differing - {"timing.json"} == {"host.json"}
    report = found[0]["report.json"].decode()
    assert str(tmp_path) not in report and platform.python_version() not in report


def test_tools_of_images_from_different_builds_are_all_named() -> None:
    records = [{"tools": {"compiler": "gcc 12"}}, {"tools": {"compiler": "gcc 13", "apache-tvm": "1"}}, {"tools": {"compiler": "gcc 12"}}]
    tools = module._tools(records)
    assert (tools["compiler"], tools["apache-tvm"]) == ("gcc 12; gcc 13", "1")


def test_a_disk_that_is_full_at_the_end_costs_the_outcome_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.open

    def full(path: Path, *arguments: Any, **options: Any) -> Any:
        if "outcome.json" in path.name and arguments == ("wb",):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(ResultsError, match=r"cannot write .*outcome\.json") as error:
            run_fake(tmp_path, monkeypatch)
    assert "the disk is full" in error.value.why and "free some space" in error.value.hint
    assert [p.name for p in (tmp_path / "out").glob("*outcome*")] == []
    assert len(list((tmp_path / "out" / "sessions").rglob("results.txt"))) == 1
    assert run_fake(tmp_path, monkeypatch)["results"]


@pytest.mark.parametrize("refusal", ["no boost", None])
def test_no_energy_is_derived_where_no_current_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: str | None) -> None:
    class Board(CountingBoard):
        def power_settings(self) -> PowerSettings:
            return PowerSettings(120.0, "range_1", True, 2, 2.0, refusal=refusal or "")

    modes = {entry["mode"] for entry in run_fake(tmp_path, monkeypatch, board=Board)["results"]}
    assert modes == ({"performance"} if refusal else {"performance", "energy"})


def test_the_boards_of_a_hardware_map_run_side_by_side_and_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two jobs meet while both have a board."""
    meet = threading.Barrier(2, timeout=20)

    class MeetingBoard(CountingBoard):
        def __init__(self) -> None:
            meet.wait()
            super().__init__()

    bench = tmp_path / "bench.yaml"
    rows = [f"{{name: b{n}, port: 'socket://127.0.0.1:{n}', flasher: none, baud: 9600}}" for n in (1, 2)]
    bench.write_text(f"version: 1\nboards: [{', '.join(rows)}]\n", encoding="utf-8")
    flags = {"CM_TINY_BENCH": str(bench), "CM_TINY_BOARD_KIND": "NUCLEO"}
    outcome = run_fake(tmp_path, monkeypatch, mode="standard", board=MeetingBoard, flags=flags)
    assert [entry["mode"] for entry in outcome["results"] if not entry.get("derived")] == ["performance", "accuracy"]
    host = json.loads((tmp_path / "out" / "host.json").read_text(encoding="utf-8"))
    assert sorted(row["board"] for row in host["bench"]) == ["b1", "b2"] and {row["image"] for row in host["bench"]} == {"kws.elf"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"CM_TINY_BOARD_KIND": "virtual"}, "add _NUCLEO"),
        ({"CM_TINY_PORT": "/dev/ttyACM0"}, "leave one of them out"),
        ({"CM_TINY_PROBE": "066B"}, "leave one of them out"),
    ],
)
def test_a_hardware_map_excludes_what_it_replaces(change: dict[str, str], expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(KWS | {"CM_TINY_BENCH": "bench.yaml", "CM_TINY_BOARD_KIND": "NUCLEO"} | change)
    assert expected in caught.value.hint
