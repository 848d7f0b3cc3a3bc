# SPDX-License-Identifier: Apache-2.0
"""A request: some benchmarks in some modes on one kind of board, from firmware and samples to sessions and ``outcome.json``.

The outcome holds what was measured, in the form of the report's entries (``results/report.schema.json``); judging the whole is left to
``cm4tiny.results``.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cm4tiny
from cm4tiny import packages
from cm4tiny.benchmarks import DataSet, get_benchmark
from cm4tiny.benchmarks.assets import inputs_kind, prepared_set
from cm4tiny.boards import energy_uj
from cm4tiny.boards.bench import BenchBoard, BoardPool, boards_for
from cm4tiny.boards.bench.hardware_map import baud_of
from cm4tiny.boards.boards import find_board
from cm4tiny.boards.catalogue import board_identity, emulator_facts, open_board, side_by_side, simulated_label
from cm4tiny.boards.energy.current import TYPICAL_STALL
from cm4tiny.boards.monitors.choice import PoweredBoard
from cm4tiny.boards.nucleo import BoardOptions
from cm4tiny.events import SILENT, Event, EventStream, Finished, Started
from cm4tiny.files import write_atomically
from cm4tiny.firmware.build_spec import is_verified, read_record
from cm4tiny.firmware.division import open_division
from cm4tiny.runner.accuracy import AccuracyResult, below_target
from cm4tiny.runner.energy import EnergyResult
from cm4tiny.runner.job_pool import Job, JobResult, run_jobs
from cm4tiny.runner.performance import PerformanceResult
from cm4tiny.runner.session import file_errors
from cm4tiny.settings import cores

MODES: dict[str, tuple[str, ...]] = {
    "standard": ("performance", "accuracy"),
    "performance": ("performance",),
    "accuracy": ("accuracy",),
    "energy": ("energy",),
}
"""Variation of the mode -> modes that it runs."""

IMAGES = {"performance": "performance", "accuracy": "performance", "energy": "energy"}
"""Mode -> firmware image that it needs."""

OUTCOME = "outcome.json"
TRACES = "power-traces"
"""Folder of what power monitors sent, byte by byte."""
TIMING = "timing.json"
"""Host seconds of each step: the only file of a simulated run that differs from run to run."""
HOST = "host.json"
"""What is of the machine and not of the figures: Python, packages, the emulator's library. With :data:`TIMING` the only file of a simulated
run that differs from machine to machine."""
FOREIGN_INPUTS = "the inputs are not MLPerf Tiny's own"
_OF_THE_HOST = ("library_sha256", "compiler", "unicorn_sha256")
"""Facts of the emulator that depend on the machine's own compiler and on the wheel for its processor."""


@dataclass(frozen=True)
class BenchmarkRun:
    """What to run.

    Attributes:
        benchmarks: ids, in the order of the report.
        modes: of ``"performance"``, ``"accuracy"``, ``"energy"``.
        board: ``"virtual"`` or ``"NUCLEO"``.
        firmware: (benchmark, image) -> ELF.
        data_sets: benchmark -> folder of samples.
        out: folder of the outcome and the sessions.
        jobs: boards side by side.
        assets: whose models and samples these are.
        board_options: which real board, and how to flash it.
        strict: what the chip would not run is an error; with False the virtual board continues, and the results say so.
        full_windows: execute every inference on the virtual board, those that are proven to be like the one before as well.
        bench: a hardware map, whose boards run side by side instead of the one that ``board_options`` names.
        bauds: speed of a real board's line by image; ``board_options`` has that of the others.
        monitor: the power monitor of a real board's energy runs (:func:`cm4tiny.boards.monitors.choice.parse_monitor`).
        supply_v: what it supplies; None: the board's usual supply.
    """

    benchmarks: tuple[str, ...]
    modes: tuple[str, ...]
    board: str
    firmware: Mapping[tuple[str, str], Path]
    data_sets: Mapping[str, Path]
    out: Path
    jobs: int = field(default_factory=cores)
    assets: str = "embedded"
    board_options: BoardOptions = field(default_factory=BoardOptions)
    strict: bool = True
    full_windows: bool = False
    bench: Path | None = None
    bauds: Mapping[str, int] = field(default_factory=dict)
    monitor: str = ""
    supply_v: float | None = None


def run_benchmarks(request: BenchmarkRun, events: EventStream = SILENT) -> Path:
    """Runs all, writes the sessions, ``outcome.json``, ``host.json`` and ``timing.json``; returns the path of ``outcome.json``.

    Raises:
        Cm4TinyError: that of the first job that failed; sessions and journals of the others are kept.
    """
    records = {key: read_record(elf) for key, elf in request.firmware.items()}
    data_sets = {b: prepared_set(b, folder) for b, folder in request.data_sets.items()}
    host_seconds = _Stopwatch()
    events.subscribe(host_seconds)
    pool = _pool(request, events)
    jobs = [
        _job(request, records, data_sets, benchmark, mode, _opener(request, pool, events)) for benchmark, mode in _longest_first(request)
    ]
    workers = side_by_side(request.board, request.jobs) if pool is None else min(request.jobs, len(pool))
    done = run_jobs(jobs, request.out, workers=workers, events=events)
    by_id = {result.job.id: result for result in done}
    ordered = [by_id[f"{benchmark}-{mode}"] for benchmark in request.benchmarks for mode in request.modes]
    emulator = emulator_facts(request.board, request.board_options)
    outcome = {
        "board": request.board,
        "engine": next(iter(records.values()))["engine"],
        "assets": request.assets,
        "results": [entry for result in ordered for entry in _entries(request, result)],
        "files": _files(request, records, data_sets, ordered),
        "tools": _tools(records.values()),
        "emulator": {key: fact for key, fact in emulator.items() if key not in _OF_THE_HOST},
    }
    for name, content in ((TIMING, host_seconds.seconds), (HOST, _host(emulator, pool)), (OUTCOME, outcome)):
        with file_errors(request.out / name):
            write_atomically(request.out / name, json.dumps(content, indent=1) + "\n", sync=True)
    return request.out / OUTCOME


def _pool(request: BenchmarkRun, events: EventStream) -> BoardPool | None:
    """The boards of the hardware map; None without one."""
    if request.bench is None:
        return None
    given = request.board_options

    def opened(board: BenchBoard, elf: Path) -> Any:
        flasher = given.flasher if board.flasher == "auto" else board.flasher
        named = replace(given, port=board.port, probe=board.probe, baud=baud_of(board, given.baud), flasher=flasher)
        return open_board(request.board, elf, named, events)

    return BoardPool(boards_for(request.bench, given.board, events), opened, events)


def _host(emulator: Mapping[str, Any], pool: BoardPool | None = None) -> dict[str, Any]:
    """The content of :data:`HOST`."""
    return {
        **({"bench": [{"image": image, "board": board} for image, board in pool.used]} if pool else {}),
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "packages": packages.versions(),
        "emulator": {key: emulator[key] for key in _OF_THE_HOST if key in emulator},
    }


def _longest_first(request: BenchmarkRun) -> list[tuple[str, str]]:
    """Performance runs first: each takes the same long time, accuracy runs fill the gaps."""
    order = {"performance": 0, "energy": 0, "accuracy": 1}
    pairs = [(benchmark, mode) for mode in request.modes for benchmark in request.benchmarks]
    return sorted(pairs, key=lambda pair: order[pair[1]])


def _job(
    request: BenchmarkRun,
    records: Mapping[tuple[str, str], Any],
    data_sets: Mapping[str, DataSet],
    benchmark: str,
    mode: str,
    opener: Callable[[Path, str], Callable[[], Any]],
) -> Job:
    key = (benchmark, IMAGES[mode])
    return Job(
        board=opener(request.firmware[key], key[1]),
        benchmark=get_benchmark(benchmark),
        data_set=data_sets[benchmark],
        mode=mode,
        simulated=simulated_label(request.board, request.board_options),
        open_division=open_division(records[key]),
        own_model=records[key].get("own_model") is True,
        verified=is_verified(records[key]),
        image=records[key]["elf"]["sha256"],
    )


def _opener(request: BenchmarkRun, pool: BoardPool | None, events: EventStream) -> Callable[[Path, str], Callable[[], Any]]:
    def opened(elf: Path, image: str) -> Any:
        read_record(elf)  # the board may be opened minutes after the run began
        if pool is not None:
            return pool.open(elf)
        options = replace(request.board_options, baud=request.bauds.get(image, request.board_options.baud))
        board = partial(open_board, request.board, elf, options, events, strict=request.strict, full_windows=request.full_windows)
        if image != "energy" or not request.monitor:
            return board()
        supply_v = find_board(options.board).supply_v if request.supply_v is None else request.supply_v
        return PoweredBoard(board, request.monitor, supply_v, request.out / TRACES / f"{elf.stem}.txt")

    return lambda elf, image: partial(opened, elf, image)


def _entries(request: BenchmarkRun, done: JobResult) -> list[dict[str, Any]]:
    """The report entries of one job."""
    simulated = bool(simulated_label(request.board, request.board_options))
    common: dict[str, Any] = {
        "benchmark": done.job.benchmark.id,
        "mode": done.job.mode,
        "simulated": simulated,
        "session": done.session.relative_to(request.out).as_posix(),
        "firmware_sha256": done.job.image,
    }
    identity = board_identity(request.board, request.board_options, done.supply_v)
    common |= {"board_name": identity.name, "clock_mhz": done.clock_mhz or identity.clock_hz / 1e6}
    common |= {"supply_v": identity.supply_v} if identity.supply_v else {}
    common |= {"clocked": done.power.words} if done.power else {}
    common |= {"option_bytes": f"0x{done.option_bytes:08x}"} if done.option_bytes is not None else {}
    common |= {"inferences": {"total": done.calls.count, "executed": done.calls.executed}} if done.calls and done.calls.proven else {}
    common |= {} if done.strict else {"strict": False, "board_notes": list(done.notes)}
    if done.job.verified is not None:
        common["verified"] = done.job.verified
    if done.job.open_division:
        common |= {"division": "open", "division_reason": done.job.open_division}
    common |= {"model": "own"} if done.job.own_model else {}
    stand_in = request.assets == "mlcommons" and inputs_kind(done.job.data_set.root) == "embedded"
    if stand_in:
        common["inputs"] = "embedded"
    foreign = [FOREIGN_INPUTS] if stand_in else []
    result = done.result
    if isinstance(result, PerformanceResult):
        windows = [
            {"file": w.file, "iterations": w.iterations, "elapsed_us": w.elapsed_us, "throughput_inf_per_s": w.throughput}
            for w in result.windows
        ]
        entry = common | {
            "throughput_inf_per_s": result.throughput,
            "windows": windows,
            "cycles_per_inference": result.cycles_per_inference,
            "broken_rules": [*result.breaches, *foreign],
        }
        return [entry, *_derived_energy(common, result, done)]
    if isinstance(result, AccuracyResult):
        broken = below_target(result.metric, result.value, result.target)
        return [
            common
            | {
                "metric": result.metric,
                "value": result.value,
                "auc_eembc": result.eembc_auc,
                "auc_mlcommons": result.auc,
                "samples": result.samples,
                "quality_target": result.target,
                "quality_target_met": result.target_met,
                "broken_rules": [*broken, *result.doubts],
            }
        ]
    assert isinstance(result, EnergyResult)
    windows = [
        {
            "file": w.file,
            "iterations": w.iterations,
            "elapsed_us": round(w.elapsed_s * 1e6),
            "throughput_inf_per_s": w.iterations / w.elapsed_s,
            "energy_uj_per_inf": w.joules / w.iterations * 1e6,
        }
        for w in result.windows
    ]
    return [
        common
        | {
            "simulated": result.simulated,
            "energy_uj_per_inf": result.microjoules_per_inference,
            "derived": False,
            "windows": windows,
            "broken_rules": [*result.breaches, *foreign],
        }
    ]


def _derived_energy(common: Mapping[str, Any], result: PerformanceResult, done: JobResult) -> list[dict[str, Any]]:
    """An energy figure from the performance windows' cycles; none where it counts no cycles or no current is known."""
    if result.cycles_per_inference is None or done.power is None or done.supply_v is None or done.power.refusal:
        return []
    stall = TYPICAL_STALL if done.stall is None else done.stall
    energy = energy_uj(done.power, result.cycles_per_inference, done.supply_v, stall)
    state = {name: getattr(done.power, name) for name in ("hclk_mhz", "range", "pll", "bus_blocks", "kernel_blocks", "apb1_divider")}
    derived = {"derived": True, "derived_from": {**state, "stall": stall}}
    return [{**common, "mode": "energy", "simulated": True, "energy_uj_per_inf": energy, **derived}]


def _files(
    request: BenchmarkRun, records: Mapping[tuple[str, str], Any], data_sets: Mapping[str, DataSet], done: Iterable[JobResult]
) -> list[dict[str, Any]]:
    files = [{"role": "model", **records[key]["model"]} for key in records if key[1] == min(k[1] for k in records)]
    files += [{"role": "firmware", **record["elf"]} for record in records.values()]
    for benchmark, data_set in data_sets.items():
        labels = data_set.root / "y_labels.csv"
        files.append(_file("data set", labels, f"{data_set.id}/y_labels.csv"))
        files += [_file("data set", data_set.root / s.file, f"{get_benchmark(benchmark).data_set}/{s.file}") for s in data_set.samples]
    for result in done:
        files += [_file("session", p, p.relative_to(request.out).as_posix()) for p in sorted(result.session.iterdir()) if p.is_file()]
    return files


def _file(role: str, path: Path, name: str) -> dict[str, Any]:
    data = path.read_bytes()
    return {"role": role, "name": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _tools(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    tools = {"cm4tiny": cm4tiny.__version__, "unicorn": version("unicorn")}
    found: dict[str, list[str]] = {}
    for record in records:
        for name, text in record["tools"].items():
            found.setdefault(name, []).append(text)
    return tools | {name: "; ".join(dict.fromkeys(texts)) for name, texts in found.items()}  # images may come from several builds


class _Stopwatch:
    """Host seconds of each step, for the benchmarks: where the time of a run went."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self._began[event.step] = time.monotonic()
        elif isinstance(event, Finished):
            self.seconds[event.step] = round(time.monotonic() - self._began.pop(event.step, time.monotonic()), 3)
