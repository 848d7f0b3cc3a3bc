# SPDX-License-Identifier: Apache-2.0
"""A prediction as a whole: the model, a row per engine, boards and published results next to them; and its files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

import cm4tiny
from cm4tiny.benchmarks.own import model_name
from cm4tiny.boards.boards import find_board
from cm4tiny.errors import FirmwareError, ModelError, ResultsError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import write_atomically
from cm4tiny.firmware.build_spec import checked_ends, read_model_file
from cm4tiny.firmware.inference_code import TensorInfo
from cm4tiny.firmware.model_file import read_tables
from cm4tiny.firmware.model_tables import TYPE_BYTES, ModelTables
from cm4tiny.prediction.engines import PREDICTED, PredictionRequest, engine_row, refused
from cm4tiny.prediction.places import NEAREST, fitting, macs_of, nearest
from cm4tiny.results.conditions import HOME_BOARD, NOT_MLPERF, OWN, SIMULATED, Conditions, assets_of_model

Prediction = dict[str, Any]
SCHEMA_NAME = "cm4tiny-prediction-1"
SCHEMA_FILE = Path(__file__).with_name("prediction.schema.json")
NOTICES = (
    f"Every figure is simulated: predicted on the virtual {HOME_BOARD}, not measured on a board.",
    f"This is {NOT_MLPERF}: no benchmark's model, data or quality target is part of it.",
    "The intervals hold the virtual board's error for code that none of its constants was fitted to (docs/fidelity.md, docs/energy.md).",
)


def predict(request: PredictionRequest, folder: Path, events: EventStream = SILENT) -> Prediction:
    """Predicts what a model costs.

    Args:
        folder: receives the images, one folder per engine.

    Raises:
        ModelError, UnsupportedOpError: no engine takes the model; that of the first engine.
        Cm4TinyError: no engine gave figures; what the first one says.
    """
    tflite = read_model_file(str(request.model))
    digest = hashlib.sha256(tflite).hexdigest()
    tables = read_tables(tflite)
    errors = _refusals(request, tflite)
    rows = [
        refused(engine, errors[engine]) if engine in errors else engine_row(request, engine, tflite, folder / engine, events)
        for engine in request.engines
    ]
    if first_predicted({"engines": rows}) is None:
        raise _as_error(rows[0])
    model = {"name": model_name(request.model), "file": request.model.name, "sha256": digest, "bytes": len(tflite)}
    board = find_board(request.board)
    labels = Conditions(
        HOME_BOARD, SIMULATED, assets_of_model(digest) or OWN, "", board.supply_v, board.clock.hclk_hz / 1e6, ("throughput", "energy")
    )
    engine = next((name for name in request.engines if name not in errors), request.engines[0])
    return {
        "schema": SCHEMA_NAME,
        "notices": list(NOTICES),
        "model": {**model, **_of_model(tables, checked_ends(engine, tflite))},
        "board": board.name,
        "labels": labels.as_json(),
        "engines": rows,
        "boards": fitting(rows),
        "nearest": {"means": NEAREST, "benchmarks": nearest(macs_of(tables))},
        "tools": {"cm4tiny": cm4tiny.__version__},
    }


def _as_error(row: Mapping[str, Any]) -> FirmwareError:
    """No engine gave figures: what the first one said."""
    return FirmwareError(row["reason"]["what"], why=row["reason"]["why"], hint=row["reason"]["hint"])


def check_model(request: PredictionRequest) -> None:
    """What can be said of a model before anything is fetched or compiled.

    Raises:
        ModelError, UnsupportedOpError: no engine takes it; that of the first engine.
    """
    _refusals(request, read_model_file(str(request.model)))


def _refusals(request: PredictionRequest, tflite: bytes) -> dict[str, ModelError]:
    """What each engine says of a model before anything is compiled; raises the first one's error if none takes it."""
    found = {}
    for engine in request.engines:
        try:
            checked_ends(engine, tflite)
        except ModelError as error:
            found[engine] = error
    if len(found) == len(request.engines):
        raise found[request.engines[0]]
    return found


def _of_model(tables: ModelTables, ends: tuple[TensorInfo, TensorInfo]) -> dict[str, Any]:
    constants = [tensor for tensor in tables.tensors if tensor.constant]
    return {
        "macs": macs_of(tables),
        "operators": dict(sorted(Counter(operator.kind for operator in tables.operators).items())),
        "parameters": sum(tensor.size for tensor in constants),
        "constants_bytes": sum(tensor.size * TYPE_BYTES.get(tensor.dtype, 0) for tensor in constants),
        "input": _tensor(ends[0]),
        "output": _tensor(ends[1]),
    }


def _tensor(info: TensorInfo) -> dict[str, Any]:
    return {"shape": list(info.shape), "dtype": info.dtype, "scale": info.scale, "zero_point": info.zero_point, "values": info.size}


def first_predicted(prediction: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The row whose layers are shown: of the first engine that gave figures."""
    return next((row for row in prediction["engines"] if row["state"] == PREDICTED), None)


def check(prediction: Mapping[str, Any]) -> None:
    """Raises ResultsError unless a prediction follows its schema."""
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    failures = sorted(jsonschema.Draft202012Validator(schema).iter_errors(prediction), key=lambda e: list(map(str, e.absolute_path)))
    if failures:
        place = "/".join(str(part) for part in failures[0].absolute_path) or "the top level"
        raise ResultsError(f"the prediction breaks its schema at {place}", why=failures[0].message, hint="make it again")


def json_text(prediction: Mapping[str, Any]) -> str:
    """The content of ``prediction.json``."""
    return json.dumps(prediction, indent=1, ensure_ascii=False) + "\n"


def write(prediction: Mapping[str, Any], folder: Path, texts: Mapping[str, str]) -> None:
    """Writes ``prediction.json`` and the texts by the end of their file name, after a check against the schema.

    Raises:
        ResultsError: it breaks its schema. OSError: the folder cannot be written.
    """
    check(prediction)
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in {"json": json_text(prediction), **texts}.items():
        write_atomically(folder / f"prediction.{suffix}", text)
