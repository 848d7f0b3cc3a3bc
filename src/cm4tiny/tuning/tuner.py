# SPDX-License-Identifier: Apache-2.0
"""Which candidates to measure in which image, and the work of measuring them.

One image measures one candidate of every layer, because the board separates the layers. So a model needs as many images as its layer with
the most candidates has. If the candidates of one round do not fit into the chip together, the round is cut in two. Every round is written
to the table at once: an interrupted run loses nothing and continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from cm4tiny.errors import FirmwareError, ImageTooLargeError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import write_atomically
from cm4tiny.firmware.kernels import KERNELS_VERSION
from cm4tiny.firmware.microtvm.compiled import CompileOptions
from cm4tiny.firmware.microtvm.compiler import survey
from cm4tiny.firmware.microtvm.costs import Costs, content, read_costs
from cm4tiny.firmware.microtvm.layout import Action
from cm4tiny.scratch import scratch_folder
from cm4tiny.settings import cores
from cm4tiny.tuning.measure import measure_layers

Choice = Mapping[int, str]
"""Number of an action -> id of the candidate to measure."""

Measured = list[tuple[str, str, int]]
"""(content, candidate id, cycles)."""

HOPELESS = 1.1
"""Candidates whose estimate is so many times the best one's, with no less RAM, are not measured."""


@dataclass(frozen=True)
class TuneRequest:
    """What to tune.

    Attributes:
        benchmark: id of the benchmark whose inputs the model takes.
        model: path of the ``.tflite``.
        toolchain: kind of tool chain.
        skip_zero, prune_channels: as in a BuildSpec: they change what the layers are.
        jobs: images at a time; 0: one per core.
    """

    benchmark: str
    model: Path
    toolchain: str = "auto"
    skip_zero: bool = True
    prune_channels: bool = False
    jobs: int = 0

    @property
    def options(self) -> CompileOptions:
        return CompileOptions(skip_zero=self.skip_zero, prune_channels=self.prune_channels)


def tune(wanted: TuneRequest, table: Path, *, base: Costs | None = None, events: EventStream = SILENT) -> Costs:
    """Measures what the table does not hold yet and writes the table after each image.

    Args:
        table: the file; made if it is not there, continued if it is.
        base: costs that need no measuring again; they go into the table.

    Raises:
        FirmwareError: the table is damaged, or a model or an image cannot be made.
        BoardError: the virtual board cannot run an image.
    """
    costs = (base or Costs(KERNELS_VERSION)).merged({})
    if table.exists():
        costs = costs.merged(read_costs(table).merged({}).layers)
    actions = survey(wanted.model.read_bytes(), wanted.options)
    rounds = plan_rounds(actions, costs)
    step = f"tune {wanted.benchmark}"
    with events.step(step, total=len(rounds), unit="images") as outcome:
        done = 0
        waiting = list(rounds)
        jobs = wanted.jobs or cores()
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            running: dict[Future[Measured | None], Choice] = {}
            try:
                while waiting or running:
                    while waiting and len(running) < jobs:
                        choice = waiting.pop(0)
                        running[pool.submit(_measure, wanted, dict(choice))] = choice
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        choice = running.pop(future)
                        measured = _result(future, table)
                        if measured is None:
                            waiting += halves(choice)
                            continue
                        costs = costs.merged(_updated(costs, measured))
                        _write(table, costs)
                        done += 1
                        events.progress(step, done, done + len(waiting) + len(running))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        outcome.note = f"{sum(len(row) for row in costs.layers.values())} costs of {len(costs.layers)} layers"
    _write(table, costs)
    return costs


def _result(future: Future[Measured | None], table: Path) -> Measured | None:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise FirmwareError(
            "a process that measured an image died",
            why=str(error),
            hint=f"give the same command again: {table} keeps what was measured; if memory is short, add --jobs=1",
        ) from error


def plan_rounds(actions: Sequence[Action], costs: Costs) -> list[Choice]:
    """One choice per image; layers of equal content share the work."""
    todo: dict[str, list[str]] = {}
    places: dict[str, list[int]] = {}
    for number, action in enumerate(actions):
        key = content(action)
        places.setdefault(key, []).append(number)
        known = costs.layers.get(key, {})
        todo.setdefault(key, [c for c in worth_measuring(action) if c not in known] if len(action.candidates) > 1 else [])
    rounds: list[dict[int, str]] = []
    for key, ids in todo.items():
        for n, choice in enumerate(ids):
            turn, place = divmod(n, len(places[key]))
            while len(rounds) <= turn:
                rounds.append({})
            rounds[turn][places[key][place]] = choice
    return [round_ for round_ in rounds if round_]


def worth_measuring(action: Action) -> list[str]:
    """Ids of candidates that may win somewhere, best estimates first."""
    ranked = sorted(action.candidates, key=lambda c: (c.cycles, c.ram_bytes))
    kept = []
    for candidate in ranked:
        rivals = [c for c in ranked if c.ram_bytes + c.workspace_bytes <= candidate.ram_bytes + candidate.workspace_bytes]
        if candidate.cycles <= HOPELESS * min(c.cycles for c in rivals):
            kept.append(candidate.id)
    return kept


def halves(choice: Choice) -> list[Choice]:
    """A round in two; a single candidate that does not fit into the chip is given up: it can never be chosen."""
    items = sorted(choice.items())
    middle = len(items) // 2
    return [dict(part) for part in (items[:middle], items[middle:]) if part] if len(items) > 1 else []


def _measure(wanted: TuneRequest, choice: Choice) -> Measured | None:
    """In a process of its own; None if the image does not fit into the chip."""
    with scratch_folder("tune") as folder:
        try:
            layers = measure_layers(wanted.benchmark, wanted.model, wanted.options, choice, folder, toolchain=wanted.toolchain)
        except ImageTooLargeError:
            return None
    return [(layer.content, layer.choice, cycles) for number, (layer, cycles) in enumerate(layers) if number in choice]


def _updated(costs: Costs, measured: Measured) -> dict[str, dict[str, int]]:
    rows: dict[str, dict[str, int]] = {}
    for key, choice, cycles in measured:
        rows.setdefault(key, dict(costs.layers.get(key, {})))[choice] = cycles
    return rows


def _write(table: Path, costs: Costs) -> None:
    """Replaces the file at once."""
    write_atomically(table, costs.text())
