# SPDX-License-Identifier: Apache-2.0
"""Random models, compiled, linked and executed on the board's core, against TensorFlow Lite's reference kernels.

Many models share an image, so that a link costs little: each is compiled with the firmware's own switches and linked with the board's
linker script and start-up code, and each is called in the linked image. Options vary with the seed: RAM budgets down to the least that the
compiler says it needs, skipped zeros or not, int8 kernels only, channels dropped.

    python tests/support/model_campaign.py --count 10000 --state campaign.jsonl     # resumes where it stopped; one line per model
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from board_model import BoardCore
from random_models import random_model

from cm4tiny.boards.boards import default_board
from cm4tiny.errors import Cm4TinyError, ModelError, RamBudgetError
from cm4tiny.firmware.board_files import board_files
from cm4tiny.firmware.build import source_folders
from cm4tiny.firmware.flags import compile_flags, link_flags
from cm4tiny.firmware.microtvm import CompiledModel, CompileOptions, compile_model
from cm4tiny.firmware.reference import reference_run
from cm4tiny.firmware.toolchain import Toolchain, find_toolchain
from cm4tiny.paths import firmware_sources
from cm4tiny.verification.comparison import candidate_inputs

BATCH = 25
_ROOM = default_board().chip.ram.size - 64 * 1024  # for the models of an image: what start-up code and stack leave
_BOARD_UNITS = ("board/startup.c", "board/fault.c", "board/board.c", "board/clock.c", "harness/memory.c", "main.c")
_CONFIG = "#pragma once\n#define CM4TINY_BAUD 115200u\n#define EE_CFG_ENERGY_MODE 0\n#define CM4TINY_INPUT_BYTES 1u\n"


@dataclass(frozen=True)
class Case:
    """A compiled model, its inputs and what the reference answers."""

    seed: int
    operators: tuple[str, ...]
    options: str
    model: CompiledModel
    inputs: np.ndarray
    expected: np.ndarray

    @property
    def function(self) -> str:
        return f"model_{self.seed}_run"


@dataclass(frozen=True)
class Verdict:
    """``verdict``: "correct", "wrong", "refused" (TensorFlow Lite accepts the model), "invalid" (it does not either), or "disputed".

    Disputed: TensorFlow Lite and tflite-micro differ, and the image equals the latter. tflite-runtime 2.14 apparently lets a RESHAPE and
    an ADD work in place although the tensor is read again afterwards (seed 2707: the softmax of a single value came out as 0).
    """

    seed: int
    verdict: str
    operators: tuple[str, ...] = ()
    options: str = ""
    text: str = ""


def prepare(seed: int) -> Case | Verdict:
    """Makes a model, asks the reference, compiles."""
    tflite, operators = random_model(seed)
    try:
        entry = compile_free(tflite)
    except ModelError as error:
        return _refusal(seed, tflite, operators, "default", error)
    inputs = candidate_inputs(entry.input, seed)[:4]
    try:
        expected = reference_run(tflite, inputs)
    except ModelError as error:
        return Verdict(seed, "invalid", operators, text=str(error))
    rng = np.random.default_rng([seed, 1])
    budget, skip, dead, int16 = None, bool(rng.random() < 0.7), bool(rng.random() < 0.2), bool(rng.random() < 0.85)
    if rng.random() < 0.6:
        budget = int(entry.ram_bytes * rng.choice([0.0, 0.2, 0.5, 0.8, 1.0]))
    options = CompileOptions(ram_budget=budget, skip_zero=skip, prune_channels=dead, int16=int16)
    try:
        try:
            model = compile_model(tflite, options=options)
        except RamBudgetError as error:
            budget = error.needed
            model = compile_model(tflite, options=CompileOptions(ram_budget=budget, skip_zero=skip, prune_channels=dead, int16=int16))
        if budget is not None and model.ram_bytes > budget:
            return Verdict(seed, "wrong", operators, str(options), f"{model.ram_bytes} bytes of RAM in a budget of {budget}")
    except ModelError as error:
        return _refusal(seed, tflite, operators, str(options), error)
    return Case(seed, operators, f"budget={budget} skip={skip} dead={dead} int16={int16}", model, inputs, expected)


def compile_free(tflite: bytes) -> CompiledModel:
    return compile_model(tflite)


def _refusal(seed: int, tflite: bytes, operators: tuple[str, ...], options: str, error: Cm4TinyError) -> Verdict:
    from cm4tiny.firmware.reference import _runner

    try:
        run, shape = _runner(tflite)
        run(np.zeros(shape, np.int8))
    except ModelError:
        return Verdict(seed, "invalid", operators, options, str(error))
    return Verdict(seed, "refused", operators, options, str(error))


class ImageMaker:
    """Links models into images; the board's own objects are compiled once."""

    def __init__(self, folder: Path, toolchain: Toolchain | None = None) -> None:
        self.folder = folder
        self.toolchain = toolchain or find_toolchain("auto", install=False)
        sources = firmware_sources()
        board = default_board()
        for name, origin in source_folders(board.chip.start_up).items():
            (folder / name).symlink_to(sources / origin, target_is_directory=True)
        (folder / "generated").mkdir()
        for name, text in board_files(board).items():
            (folder / "generated" / name).write_text(text)
        (folder / "build_config.h").write_text(_CONFIG)
        (folder / "main.c").write_text("int main(void);\nint main(void)\n{\n    for (;;) {\n    }\n}\n")
        self._board = [self._compile(unit, unit, []) for unit in _BOARD_UNITS]

    def _compile(self, unit: str, flags_of: str, extra: Sequence[str]) -> str:
        target = unit.replace("/", "-").removesuffix(".c") + ".o"
        flags = [f for f in compile_flags(Path(flags_of).name, self.toolchain.family) if f not in ("-Werror",)]
        self._run(
            [*flags, *extra, "-I", ".", "-I", "generated", "-I", "board", "-I", "harness", "-isystem", "include", "-c", unit, "-o", target]
        )
        return target

    def _run(self, command: list[str]) -> None:
        done = self.toolchain.run(command, cwd=self.folder, timeout_s=600)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)

    def link(self, cases: Sequence[Case]) -> Path:
        """An image with all models."""
        objects = []
        for case in cases:
            place = self.folder / f"m{case.seed}"
            place.mkdir(exist_ok=True)
            (place / "model.c").write_text(case.model.source)
            (place / "model.h").write_text(case.model.header)
            objects.append(self._compile(f"m{case.seed}/model.c", "model.c", ["-I", place.name, f"-Dcm4tiny_model_run={case.function}"]))
        wanted = [f"-Wl,--undefined={case.function}" for case in cases]
        shared = ["-Wl,--allow-multiple-definition", "-Wl,-T,board/link.ld"]  # micro-kernels of one name are equal: it is their digest
        self._run([*link_flags(self.toolchain.family), *shared, *wanted, *self._board, *objects, "-o", "image.elf"])
        return self.folder / "image.elf"


def execute(cases: Sequence[Case], folder: Path) -> list[Verdict]:
    """Links and runs a batch."""
    core = BoardCore(ImageMaker(folder).link(cases))
    verdicts = []
    for case in cases:
        found = np.stack([core.call(case.function, row, case.expected.shape[1]) for row in case.inputs])
        differing = int(np.count_nonzero(found != case.expected))
        text = f"{differing} of {found.size} values differ" if differing else ""
        verdict = ("disputed" if _second_opinion(case, found) else "wrong") if differing else "correct"
        verdicts.append(Verdict(case.seed, verdict, case.operators, case.options, text))
    return verdicts


def _second_opinion(case: Case, found: np.ndarray) -> bool:
    """Whether tflite-micro, which shares no memory between tensors, gives every value that the image gives."""
    from cm4tiny.firmware.reference import _micro_runner

    run, shape = _micro_runner(random_model(case.seed)[0])
    micro = np.stack([np.array(run(row.reshape(shape))).reshape(-1) for row in case.inputs])
    return bool(np.array_equal(micro, found))


def campaign(seeds: Sequence[int], *, batch: int = BATCH) -> Iterator[Verdict]:
    """A verdict for each seed, in batches."""
    waiting: list[Case] = []

    def flush() -> list[Verdict]:
        with tempfile.TemporaryDirectory() as name:
            found = execute(waiting, Path(name)) if waiting else []
        waiting.clear()
        return found

    for seed in seeds:
        case = prepare(seed)
        if isinstance(case, Verdict):
            yield case
            continue
        if sum(c.model.ram_bytes for c in waiting) + case.model.ram_bytes > _ROOM:
            yield from flush()
        waiting.append(case)
        if len(waiting) >= batch:
            yield from flush()
    yield from flush()


def finished(state: Path) -> dict[int, dict[str, Any]]:
    """What an earlier run wrote."""
    if not state.is_file():
        return {}
    rows = [json.loads(line) for line in state.read_text().splitlines() if line.endswith("}")]
    return {row["seed"]: row for row in rows}


def run(first: int, count: int, state: Path, *, quiet: bool = False) -> Counter[str]:
    """Runs what is not in ``state`` yet and appends to it; returns the counts of all."""
    done = finished(state)
    left = [seed for seed in range(first, first + count) if seed not in done]
    counts = Counter(row["verdict"] for seed, row in done.items() if first <= seed < first + count)
    with state.open("a") as log:
        for verdict in campaign(left):
            counts[verdict.verdict] += 1
            log.write(json.dumps(verdict.__dict__) + "\n")
            log.flush()
            if not quiet and (sum(counts.values()) % 100 == 0 or verdict.verdict in ("wrong", "refused")):
                print(
                    f"{sum(counts.values())} of {count}: {dict(counts)} {verdict if verdict.verdict in ('wrong', 'refused') else ''}",
                    flush=True,
                )
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--state", type=Path, default=Path("campaign.jsonl"))
    given = parser.parse_args()
    counts = run(given.first, given.count, given.state)
    print(f"seeds {given.first} to {given.first + given.count - 1}: {dict(counts)}")
    return int(counts["wrong"] > 0 or counts["refused"] > 0)


if __name__ == "__main__":
    sys.exit(main())
