# SPDX-License-Identifier: Apache-2.0
"""Re-runs the submitters' own images of rounds that are on disk: each boots on the virtual board of its chip and is asked who it is.

Where its outputs can be compared (there is a published log, and the inputs are available) they are, string by string; where the chip has
a cycle model its throughput is predicted. An image that is absent, or that fails, is named and does not end the others. What was run is
kept by image and emulator, so that a run that was interrupted continues.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

from cm4tiny.boards.boards import find_board
from cm4tiny.boards.virtual.build import package_sha256
from cm4tiny.boards.virtual.cycle_model import has_cycle_model
from cm4tiny.errors import AssetError, Cm4TinyError, HashMismatchError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import write_atomically
from cm4tiny.images.fidelity import measure
from cm4tiny.images.run import NO_CYCLE_MODEL, ImageRun, boot, run_images
from cm4tiny.images.table import PublishedImage, all_images

ANSWERS, ABSENT, FAILED = "answers", "absent", "failed"
EXECUTED_CSV, _KEPT = "executed.csv", "executed"


@dataclass(frozen=True)
class Executed:
    """What one image did.

    Attributes:
        status: ``"answers"`` (with the published model's name), ``"absent"`` (the file is not in the checkout) or ``"failed"``.
        outputs_equal, outputs_compared: ``m-results`` equal to the published accuracy run's, of how many; empty where none were compared.
        predicted, published: inferences per second; ``predicted`` is empty where it is not predicted.
        why: what failed, or why there is no figure.
        sha256: of the image as the table has it.
        emulator: what ran it: one digest of the virtual board's sources and descriptions.
    """

    id: str
    round: str
    submitter: str
    board: str
    benchmark: str
    mode: str
    status: str
    outputs_equal: int | None = None
    outputs_compared: int | None = None
    predicted: float | None = None
    published: float | None = None
    why: str = ""
    sha256: str = ""
    emulator: str = ""

    @property
    def failure(self) -> str:
        """What is wrong; empty if nothing is. An absent image is none."""
        if self.status == FAILED:
            return f"{self.id}: {self.why}"
        if self.outputs_compared and self.outputs_equal != self.outputs_compared:
            return f"{self.id}: {self.outputs_equal} of {self.outputs_compared} outputs equal the published log"
        return ""


@dataclass(frozen=True)
class Execution:
    """What to run.

    Attributes:
        checkouts: round -> checkout of its repository; images of other rounds are left out.
        out: receives ``executed.csv``, and a folder with what is kept.
        data_sets: benchmark -> folder of samples, for the comparison of outputs.
        jobs: images side by side.
    """

    checkouts: Mapping[str, Path]
    out: Path
    data_sets: Mapping[str, Path]
    jobs: int = 1


def execute(execution: Execution, events: EventStream = SILENT) -> tuple[Executed, ...]:
    """Runs all images of the rounds, in the order of the table, and writes ``executed.csv``."""
    images = [image for image in all_images() if image.round in execution.checkouts]
    kept = execution.out / _KEPT
    kept.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max(1, execution.jobs)) as pool:
        rows = tuple(pool.map(partial(_kept_or_run, execution, events), images))
    write_atomically(execution.out / EXECUTED_CSV, csv_text(rows))
    return rows


def csv_text(rows: Iterable[Executed]) -> str:
    """The rows as CSV; what is not there is empty."""
    text = io.StringIO()
    names = [field.name for field in fields(Executed)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if value is None else value for name, value in asdict(row).items()})
    return text.getvalue()


def summary(rows: Iterable[Executed]) -> str:
    """Human-readable, a line a board."""
    rows = tuple(rows)
    lines = []
    for board in dict.fromkeys(row.board for row in rows):
        of_board = [row for row in rows if row.board == board]
        answering = sum(row.status == ANSWERS for row in of_board)
        equal, compared = (sum(getattr(row, name) or 0 for row in of_board) for name in ("outputs_equal", "outputs_compared"))
        absent = sum(row.status == ABSENT for row in of_board)
        text = f"{find_board(board).name}: {answering} of {len(of_board)} images boot and answer"
        text += f", {equal} of {compared} outputs equal the published logs" if compared else ""
        text += f", {absent} absent" if absent else ""
        lines.append(text + ("" if has_cycle_model(find_board(board).chip) else f" ({NO_CYCLE_MODEL}: no throughput)"))
    return "\n".join(lines)


def _kept_or_run(execution: Execution, events: EventStream, image: PublishedImage) -> Executed:
    path = execution.out / _KEPT / f"{image.id}.json"
    emulator = package_sha256(find_board(image.board))
    compares = bool(image.accuracy_log) and image.benchmark in execution.data_sets
    try:
        kept = Executed(**json.loads(path.read_text(encoding="utf-8")))
        current = (kept.id, kept.sha256, kept.emulator, kept.status) == (image.id, image.sha256, emulator, ANSWERS)
        if current and (kept.outputs_compared is not None or not compares):
            return kept
    except (OSError, ValueError, TypeError):
        pass  # not run yet, or not whole
    row = replace(_run(execution, image, events), sha256=image.sha256, emulator=emulator)
    write_atomically(path, json.dumps(asdict(row), indent=1) + "\n")
    return row


def _run(execution: Execution, image: PublishedImage, events: EventStream) -> Executed:
    board = find_board(image.board)
    published = image.result()
    row = Executed(image.id, image.round, image.submitter, image.board, image.benchmark, image.mode, FAILED)
    row = replace(row, published=published.throughput_inf_per_s if published else None)
    try:
        file = image.locate(execution.checkouts[image.round])
    except HashMismatchError as error:
        return replace(row, why=error.what)
    except AssetError as error:
        return replace(row, status=ABSENT, why=error.why)
    try:
        said = boot(file, image.baud, events, name=image.id, board=board)
        if said["model"] != image.model_id:
            return replace(row, why=f"it answers as {said['model']}")
        row = replace(row, status=ANSWERS)
        if image.accuracy_log and image.benchmark in execution.data_sets:
            row = _with_outputs(execution, image, file, row, events)
        if published is None:
            return row
        if not has_cycle_model(board.chip):
            return replace(row, why=NO_CYCLE_MODEL)
        return replace(row, predicted=measure(file, image.benchmark, row_id=image.id, constants=False).predicted)
    except Cm4TinyError as error:
        return replace(row, status=FAILED, why=f"{error.what}: {error.why}")


def _with_outputs(execution: Execution, image: PublishedImage, file: Path, row: Executed, events: EventStream) -> Executed:
    data_sets = {image.benchmark: execution.data_sets[image.benchmark]}
    run = ImageRun(((image.id, file, image),), "accuracy", execution.out / _KEPT / image.id, data_sets, execution.checkouts)
    entry = json.loads(run_images(run, events).read_text(encoding="utf-8"))["images"][0]
    return replace(row, outputs_equal=entry["outputs_equal"], outputs_compared=entry["outputs_compared"])
