# SPDX-License-Identifier: Apache-2.0
"""Compares what an image answers with TensorFlow Lite's reference kernels, on inputs that a seed decides.

How far they may differ is data with its sources (``references.yaml``): for the microTVM engine not at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cm4tiny.benchmarks import Benchmark
from cm4tiny.benchmarks.tables import load_table
from cm4tiny.boards.boards import BoardDescription
from cm4tiny.errors import VerificationError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.firmware.inference_code import TensorInfo
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN
from cm4tiny.firmware.reference import keeps_values, oracle_name, reference_run
from cm4tiny.verification.image_run import ImageAnswers, Int8, run_image

SEED = 1
_INPUTS = 3
_HERE = Path(__file__).resolve().parent
_PRINTED = 0.00051  # results have three digits, rounded
_PRINTED_ERROR = 2e-3  # relative, of the mean squared error that the harness sums in float32


@dataclass(frozen=True)
class Verification:
    """That an image answers as the reference does.

    Attributes:
        reference: which interpreter, or what else, said what is right.
        inputs, values: how many inputs were inferred, and how many output values were compared.
        seed: of the inputs.
        differing, largest: how many values differ, and by how much at most, in steps of the output.
        allowed: the largest difference that counts as equal, by ``references.yaml``.
    """

    reference: str
    inputs: int
    values: int
    seed: int
    differing: int
    largest: int
    allowed: int

    def record(self) -> dict[str, Any]:
        """For the record of a build."""
        return {"verified": True, **{name: getattr(self, name) for name in self.__dataclass_fields__}}


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return load_table(_HERE / "references.yaml", _HERE / "references.schema.json")


def candidate_inputs(entry: TensorInfo, seed: int = SEED) -> Int8:
    """Inputs of several kinds, [n, values]: noise of both extremes; noise over all values, small noise around zero, smooth waves."""
    rng, size = np.random.default_rng(seed), entry.size
    at = np.arange(size) / max(1, size)
    rows = [rng.choice([INT8_MIN, INT8_MAX], size), rng.integers(INT8_MIN, INT8_MAX + 1, size)]
    for spread in (8, 30, 60):
        wave = sum(rng.normal() * np.cos(2 * np.pi * (rng.uniform(0, 12) * at + rng.random())) for _ in range(4))
        rows += [np.rint(rng.normal(entry.zero_point, spread, size)), np.rint(spread * wave + entry.zero_point / 2)]
    inputs: Int8 = np.clip(np.stack(rows), INT8_MIN, INT8_MAX).astype(np.int8)
    return inputs


def choose_inputs(tflite: bytes, entry: TensorInfo, seed: int = SEED) -> tuple[Int8, Int8]:
    """The inputs to verify with, and what the reference answers: the extremes, and those that tell most.

    Many inputs saturate a classifier, and an answer of -128 and 127 hides what led to it. So the reference is asked first, and the inputs
    with the most values between the ends of int8 are taken.
    """
    inputs = candidate_inputs(entry, seed)
    outputs = reference_run(tflite, inputs)
    telling = ((outputs > INT8_MIN) & (outputs < INT8_MAX)).sum(axis=1)
    chosen = [0, *(1 + np.argsort(-telling[1:], kind="stable")[: _INPUTS - 1])]
    if keeps_values(tflite):  # the answers depend on the order
        return inputs[chosen], reference_run(tflite, inputs[chosen])
    return inputs[chosen], outputs[chosen]


def verify_image(
    elf: Path,
    benchmark: Benchmark,
    engine: str,
    tflite: bytes,
    tensors: tuple[TensorInfo, TensorInfo],
    events: EventStream = SILENT,
    board: BoardDescription | None = None,
) -> Verification:
    """Executes an image and compares its answers with the reference's.

    Args:
        engine: whose row of ``references.yaml`` says how far they may differ.
        tflite: the model that the image was made from.
        tensors: the model's input and output, as the engine's inference code describes them.

    Raises:
        VerificationError: the image answers something else, errors, or nothing.
        NotAvailableError: no reference interpreter is installed.
    """
    reference = oracle_name(tflite)
    inputs, expected = choose_inputs(tflite, tensors[0])
    run = run_image(elf, benchmark, inputs, tensors, events, board)
    rows = (_table()["engines"][engine], _table()["references"][reference])
    most, share = sum(row["most"] for row in rows), sum(row["share"] for row in rows)
    found = compare(run.outputs, expected, elf.name, most=most, share=share)
    _check_printed(run, inputs, benchmark, tensors, elf.name)
    return Verification(reference, len(inputs), expected.size, SEED, *found, most)


def verify_images(
    elf: Path,
    plain: Path,
    benchmark: Benchmark,
    engine: str,
    tensors: tuple[TensorInfo, TensorInfo],
    events: EventStream = SILENT,
    board: BoardDescription | None = None,
) -> Verification:
    """Executes an image of code that came without a model file, and one of the same code that was compiled without optimisation.

    Raises:
        VerificationError: they answer differently.
    """
    inputs = candidate_inputs(tensors[0])[1:2]  # unoptimised code takes seconds for one
    found, expected = (run_image(path, benchmark, inputs, tensors, events, board).outputs.astype(np.float64) for path in (elf, plain))
    row = _table()["engines"][engine]
    if tensors[1].dtype == "float32":  # an engine that quantises on its own; in steps of one part in 65536 of the largest value
        step = float(np.abs(expected).max()) / 65536 or 1.0
        found, expected = (np.rint(values / step) for values in (found, expected))
    differing, largest = compare(found, expected, elf.name, most=row["most"], share=row["share"])
    return Verification("the same code without optimisation", len(inputs), expected.size, SEED, differing, largest, row["most"])


def compare(found: npt.NDArray[Any], expected: npt.NDArray[Any], name: str, *, most: int = 0, share: float = 0.0) -> tuple[int, int]:
    """How many values differ, and by how much at most.

    Args:
        found, expected: [inputs, values].
        most: the largest difference that may be; ``share``: of all values, how many may differ at all.

    Raises:
        VerificationError: more, or by more.
    """
    difference = np.abs(found.astype(np.int64) - expected.astype(np.int64))
    differing, largest = int(np.count_nonzero(difference)), int(difference.max(initial=0))
    if largest > most or differing > math.ceil(share * expected.size):
        row, column = np.unravel_index(int(difference.argmax()), difference.shape)
        raise VerificationError(
            f"{name} does not compute what its model says",
            why=f"{differing} of {expected.size} output values on {len(expected)} inputs differ from the reference's, e.g. value {column}"
            f" of input {row}: {found[row, column]} instead of {expected[row, column]}",
            hint="report the model with this message; an image that is built with --no_verify all the same measures a wrong program",
        )
    return differing, largest


def _check_printed(run: ImageAnswers, inputs: Int8, benchmark: Benchmark, tensors: tuple[TensorInfo, TensorInfo], name: str) -> None:
    """What the image printed is what its output means."""
    entry, result = tensors
    for row, output, printed in zip(inputs, run.outputs, run.printed, strict=True):
        real = (output.astype(np.float64) - result.zero_point) * result.scale
        limit = np.full(benchmark.results, _PRINTED)
        if benchmark.input_kind == "float32":
            real = np.array([np.mean((real - (row.astype(np.float64) - entry.zero_point) * entry.scale) ** 2)])
            limit += _PRINTED_ERROR * real
        if len(printed) != len(real) or (np.abs(np.array(printed) - real) > limit).any():
            raise VerificationError(
                f"{name} prints results that are not its output",
                why=f"it printed {list(printed)[:4]}, its output means {[round(float(v), 3) for v in real[:4]]}",
                hint="report the model with this message",
            )
