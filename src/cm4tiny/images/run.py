# SPDX-License-Identifier: Apache-2.0
"""Runs firmware images on the virtual board: published ones by set, or a file that the user gives.

Each image is booted and asked its name and profile. A performance image of a benchmark with fixed inputs is then measured by this project's
runner over the same protocol as a real board, at the image's own baud rate; where a data set is given its accuracy is measured too and the
outputs are compared with the published run. Everything measured is simulated and says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks import BENCHMARKS, DataSet, embedded_data_set, get_benchmark
from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.boards import BoardDescription, default_board, find_board
from cm4tiny.boards.catalogue import simulated_label
from cm4tiny.boards.nucleo import BoardOptions
from cm4tiny.boards.virtual.cycle_model import has_cycle_model
from cm4tiny.digests import file_sha256
from cm4tiny.errors import Cm4TinyError, DeadlineError, ProtocolError, UsageError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import write_atomically
from cm4tiny.images.logs import as_printed, published_outputs
from cm4tiny.images.table import PublishedImage
from cm4tiny.results.conditions import EMBEDDED, FIGURES, SIMULATED, Conditions
from cm4tiny.results.published import PublishedResult, published_conditions
from cm4tiny.runner.accuracy import AccuracyResult
from cm4tiny.runner.dut import Dut
from cm4tiny.runner.job_pool import Job, JobResult, run_jobs
from cm4tiny.runner.performance import PerformanceResult
from cm4tiny.runner.rules import Rules

OUTCOME = "images.json"
MODES = ("boot", "performance", "accuracy", "standard")
NO_CYCLE_MODEL = "no cycle model"
"""What an entry says of a chip whose throughput is not predicted."""
BOOT_S = 30.0
"""Virtual seconds; ST's v1.3 images wait three before they say anything."""


@dataclass(frozen=True)
class ImageRun:
    """What to run.

    Attributes:
        images: (id, file, published image or None for a file of the user's).
        mode: ``"boot"`` (name and profile only), ``"performance"``, ``"accuracy"``, ``"standard"`` (performance; accuracy with data sets).
        out: folder of the sessions and ``images.json``.
        data_sets: benchmark -> folder of samples; the performance windows use the embedded samples without one.
        checkouts: round -> checkout of its repository.
        jobs: boards side by side.
        baud: of a file of the user's; None: bytes take no time.
        rules: of the performance windows; None: the official ones.
        strict: of a file of the user's: what the chip would not run is an error. Published images always run on, with notes.
        full_windows: execute every inference, those that are proven to be like the one before as well.
        board: of a file of the user's, by its description's name; empty: the default board. Published images have theirs in the table.
    """

    images: tuple[tuple[str, Path, PublishedImage | None], ...]
    mode: str
    out: Path
    data_sets: Mapping[str, Path] = field(default_factory=dict)
    checkouts: Mapping[str, Path] = field(default_factory=dict)
    jobs: int = 1
    baud: int | None = None
    rules: Rules | None = None
    strict: bool = True
    full_windows: bool = False
    board: str = ""


def run_images(run: ImageRun, events: EventStream = SILENT) -> Path:
    """Runs all; returns the path of ``images.json``.

    Raises:
        Cm4TinyError: that of the first image that failed; what was measured before is kept.
    """
    run.out.mkdir(parents=True, exist_ok=True)
    entries = [_run_one(run, name, file, image, events) for name, file, image in run.images]
    path = run.out / OUTCOME
    boards = ", ".join(dict.fromkeys(entry["board"] for entry in entries))
    return write_atomically(path, json.dumps({"board": boards, "simulated": True, "images": entries}, indent=1) + "\n")


def boot(
    file: Path,
    baud: int | None,
    events: EventStream = SILENT,
    *,
    name: str = "",
    strict: bool = False,
    board: BoardDescription | None = None,
) -> dict[str, Any]:
    """What an image says of itself, and what it used that the board does not model.

    Args:
        board: that runs it; None: the default board.

    Raises:
        SiliconRuleError: strict, and the chip would not run it.
        FirmwareError: it cannot be loaded. DeviceFaultError: it crashes. DeadlineError: it stays silent; says where it is then.
    """
    step = f"boot {name or file.name}"
    opened = VirtualBoard(file, baud=baud, board=board, events=events, name=name or file.name, strict=strict)
    with events.step(step) as outcome, opened as virtual:
        try:
            identity = Dut(virtual.link, events=events).connect(boot_s=BOOT_S)
        except (DeadlineError, ProtocolError) as error:
            raise type(error)(error.what, why=f"{error.why}; the firmware is at {virtual.position()}", hint=error.hint) from error
        statistics = virtual.statistics()
        optr = virtual.option_bytes()
        outcome.note = f"answers as {identity.model}"
        return {
            "name": identity.name,
            "profile": identity.profile,
            "model": identity.model,
            "hclk_hz": statistics.hclk_hz,
            "exceptions": statistics.exceptions,
            "strict": statistics.strict,
            **({} if optr is None else {"option_bytes": f"0x{optr:08x}"}),
            "notes": list(statistics.notes),
        }


def _run_one(run: ImageRun, name: str, file: Path, image: PublishedImage | None, events: EventStream) -> dict[str, Any]:
    baud = image.baud if image else run.baud
    strict = run.strict and image is None
    board = find_board(image.board if image else run.board)
    said = boot(file, baud, events, name=name, strict=strict, board=board)
    if image and said["model"] != image.model_id:
        raise ProtocolError(f"{name} answers as {said['model']}", why=f"the table says {image.model_id}", hint="check images.yaml")
    label = simulated_label("virtual", BoardOptions(board=board.key))
    entry: dict[str, Any] = {"id": name, "board": label, "sha256": file_sha256(file), "simulated": True, **said}
    if not has_cycle_model(board.chip):
        entry["cycle_model"] = NO_CYCLE_MODEL
    benchmark = next((b for b in BENCHMARKS.values() if b.model_id == said["model"]), None)
    if benchmark is None or (image and image.mode == "energy"):
        return entry
    modes = _modes(run, benchmark.id, board)
    if not modes:
        return entry
    data = run.data_sets.get(benchmark.id)
    data_set = DataSet.open(data, benchmark) if data else embedded_data_set(benchmark.id)
    jobs = [
        Job(
            # outputs do not depend on the line's speed
            board=_opener(run, file, baud if mode == "performance" else None, name, strict, board),
            benchmark=benchmark,
            data_set=data_set,
            mode=mode,
            simulated=label,
            image=entry["sha256"],
            name=f"{name}-{mode}",
            rules=run.rules,
        )
        for mode in modes
    ]
    published = image.result() if image else None
    entry["labels"] = image_conditions(image, said["hclk_hz"], modes, embedded_inputs=data is None, strict=strict, board=board).as_json()
    for result in run_jobs(jobs, run.out, workers=run.jobs, events=events):
        entry |= _figures(run, image, result, published)
    return entry


def image_conditions(
    image: PublishedImage | None,
    hclk_hz: int,
    modes: Iterable[str],
    *,
    embedded_inputs: bool,
    strict: bool = False,
    board: BoardDescription | None = None,
) -> Conditions:
    """The labels of an image's figures. A published image holds its submitter's model, MLPerf Tiny's own in the closed division."""
    published = image.result() if image else None
    assets = published_conditions(published).assets if published else ""
    figures = tuple(FIGURES[mode] for mode in modes)
    inputs = EMBEDDED if embedded_inputs else ""
    board = board or default_board()
    return Conditions(board.name, SIMULATED, assets, "", board.supply_v, hclk_hz / 1e6, figures, inputs, strict=strict)


def _opener(run: ImageRun, file: Path, baud: int | None, name: str, strict: bool, board: BoardDescription) -> Callable[[], VirtualBoard]:
    return lambda: VirtualBoard(file, baud=baud, board=board, name=name, strict=strict, full_windows=run.full_windows)


def _modes(run: ImageRun, benchmark: str, board: BoardDescription) -> tuple[str, ...]:
    """What is run; of a chip without a cycle model outputs only."""
    has_data = benchmark in run.data_sets
    predicts = has_cycle_model(board.chip)
    if run.mode == "performance" and not predicts:
        raise UsageError(
            f"the throughput of images on a {board.name} is not predicted",
            why=f"there is no cycle model of the {board.chip.name} that was compared with published results",
            hint="compare outputs: the variation _accuracy with a data set; or see that it boots: _boot",
        )
    if run.mode == "accuracy" and not has_data:
        raise UsageError(
            f"an accuracy run of {benchmark} needs a data set",
            hint=f"run the step get,mlperf,tiny,dataset,_{benchmark} first, or set CM_MLPERF_TINY_DATASETS_{benchmark.upper()}",
        )
    return {
        "boot": (),
        "performance": ("performance",),
        "accuracy": ("accuracy",),
        "standard": (("performance",) if predicts else ()) + (("accuracy",) if has_data else ()),
    }[run.mode]


def _figures(run: ImageRun, image: PublishedImage | None, done: JobResult, published: PublishedResult | None) -> dict[str, Any]:
    result = done.result
    session = done.session.relative_to(run.out).as_posix()
    if isinstance(result, PerformanceResult):
        figures: dict[str, Any] = {"throughput_inf_per_s": result.throughput, "performance_session": session}
        if done.calls and done.calls.proven:
            figures["inferences"] = {"total": done.calls.count, "executed": done.calls.executed}
        if published:
            figures |= {
                "published_inf_per_s": published.throughput_inf_per_s,
                "predicted_to_published": result.throughput / published.throughput_inf_per_s,
                "published_labels": published_conditions(published).as_json(),
            }
        return figures
    assert isinstance(result, AccuracyResult)
    figures = {"metric": result.metric, "value": result.value, "samples": result.samples, "accuracy_session": session}
    if image and image.accuracy_log:
        equal, compared = compare_outputs(done.session, run.checkouts[image.round] / image.accuracy_log)
        figures |= {"outputs_equal": equal, "outputs_compared": compared}
    return figures


def compare_outputs(session: Path, log: Path) -> tuple[int, int]:
    """How many printed results of a session equal the published ones, and how many there are to compare.

    Raises:
        ResultsError: a file is damaged. Cm4TinyError: the session's results are not those of as many inputs.
    """
    entries = json.loads((session / "results.json").read_text(encoding="utf-8"))
    ours = [as_printed(tuple(entry["infer"]["results"])) for entry in entries]
    theirs = published_outputs(log)
    if len(ours) != len(theirs):
        raise Cm4TinyError(
            f"{len(ours)} inputs were run, the published run has {len(theirs)}",
            why="the outputs are compared input by input",
            hint=f"use the whole data set {get_benchmark('kws').data_set}",
        )
    return sum(a == b for a, b in zip(ours, theirs, strict=True)), len(ours)
