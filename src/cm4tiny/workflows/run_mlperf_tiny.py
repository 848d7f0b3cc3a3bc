# SPDX-License-Identifier: Apache-2.0
"""The step ``run,mlperf,tiny``: benchmarks on a board, from firmware and samples to sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks import ROUNDS, SAMPLED, chosen_benchmarks
from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.errors import UsageError, nearest
from cm4tiny.firmware.build import DEFAULT_BAUD
from cm4tiny.runner.benchmark_run import IMAGES, MODES, BenchmarkRun, run_benchmarks
from cm4tiny.settings import JOBS, cores
from cm4tiny.workflows.board_flags import BoardFlags
from cm4tiny.workflows.real_board import board_options_of, check_bench, check_monitor


@dataclass(frozen=True, kw_only=True)
class RunOptions(BoardFlags):
    """What the step is asked for."""

    outdirname: Path = flag("CM_TINY_OUTDIR", default="mlperf-tiny-results")
    jobs: int | None = flag("CM_TINY_JOBS", limits=JOBS)
    no_strict: bool = flag("CM_TINY_NO_STRICT")
    full_windows: bool = flag("CM_TINY_FULL_WINDOWS")
    bench: Path | None = flag("CM_TINY_BENCH")
    monitor: str = flag("CM_TINY_MONITOR")
    supply_mv: int | None = flag("CM_TINY_SUPPLY_MV", limits=(1800, 3300))
    benchmark: str = value("CM_TINY_BENCHMARK", default="all")
    mode: str = value("CM_TINY_MODE", default="standard")
    assets: str = value("CM_TINY_ASSETS", default="embedded")
    firmware: dict[str, str] = value("CM_TINY_FIRMWARE_*")
    data_sets: dict[str, str] = value("CM_MLPERF_TINY_DATASETS_*")


def benchmark_run(options: RunOptions) -> BenchmarkRun:
    """What to run.

    Raises:
        UsageError: firmware or samples are missing, or a word is unknown; says which step sets it.
    """
    check_bench(options.bench, options)
    benchmarks = chosen_benchmarks(_known("CM_TINY_BENCHMARK", options.benchmark, ("all", *SAMPLED, *ROUNDS)))
    modes = MODES[_known("CM_TINY_MODE", options.mode, MODES)]
    check_monitor(options.monitor, options.supply_mv, options.bench, modes, options)
    images = sorted({IMAGES[mode] for mode in modes})
    firmware = {(b, i): _need(options.firmware, f"CM_TINY_FIRMWARE_{b}_{i}".upper(), _build(b, i)) for b in benchmarks for i in images}
    data_sets = {b: _need(options.data_sets, f"CM_MLPERF_TINY_DATASETS_{b.upper()}", f"get,mlperf,tiny,dataset,_{b}") for b in benchmarks}
    return BenchmarkRun(
        benchmarks=benchmarks,
        modes=modes,
        board=options.kind,
        firmware=firmware,
        data_sets=data_sets,
        out=options.outdirname,
        jobs=options.jobs or (JOBS[1] if options.bench else cores()),
        assets=options.assets,
        board_options=board_options_of(options),
        strict=not options.no_strict,
        full_windows=options.full_windows,
        bench=options.bench,
        bauds={image: options.baud or DEFAULT_BAUD[image] for image in images},
        monitor=options.monitor,
        supply_v=None if options.supply_mv is None else options.supply_mv / 1000,
    )


def _build(benchmark: str, image: str) -> str:
    return f"build,firmware,mlperf,tiny,_{benchmark}" + (",_energy" if image == "energy" else "")


def _known(key: str, given: str, names: Iterable[str]) -> str:
    known = tuple(names)
    if given not in known:
        raise UsageError(f"{key}={given} is not known", hint=nearest(given, known) or f"use one of {', '.join(known)}")
    return given


def _need(paths: Mapping[str, str], key: str, step: str) -> Path:
    if key not in paths:
        raise UsageError(f"{key} is not set", hint=f"run the step {step} first, or the whole chain: reproduce,mlperf,tiny")
    return Path(paths[key])


def check_run(options: RunOptions, step: Step) -> None:
    """Checks what is asked for, before the board is looked for; raises as :func:`benchmark_run`."""
    benchmark_run(options)


def run_step(options: RunOptions, step: Step) -> Outputs:
    """Runs them.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.runner.benchmark_run.run_benchmarks`.
    """
    return {"CM_TINY_OUTCOME": run_benchmarks(benchmark_run(options), step.events)}
