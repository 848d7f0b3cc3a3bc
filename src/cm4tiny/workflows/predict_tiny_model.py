# SPDX-License-Identifier: Apache-2.0
"""The step ``predict,tiny,model``: what a model of the user's costs on the board, engine by engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks.own import model_name
from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.console import terminal_width
from cm4tiny.errors import UsageError, nearest
from cm4tiny.fetch import Mirror
from cm4tiny.firmware.engines.catalogue import ENGINES, MICROTVM, takes_model
from cm4tiny.firmware.microtvm_image import parse_ram_budget
from cm4tiny.prediction.engines import PredictionRequest
from cm4tiny.prediction.page import page
from cm4tiny.prediction.predict import check_model, predict, write
from cm4tiny.prediction.text import markdown, text
from cm4tiny.runner.session import file_errors

_WIDEST = 120
_NO_MODEL = "name the model: --model=FILE.tflite"


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """What the step is asked for."""

    model: Path | None = flag("CM_TINY_MODEL_FILE")
    engines: tuple[str, ...] = flag("CM_TINY_ENGINES", default=MICROTVM)
    ram_budget: str = flag("CM_TINY_RAM_BUDGET")
    outdirname: Path = flag("CM_TINY_OUTDIR", default="tiny-predictions")
    toolchain: str = flag("CM_TINY_TOOLCHAIN", default="auto")
    mirror: Path | None = flag("CM_TINY_MIRROR")
    toolchain_kind: str = value("CM_TINY_TOOLCHAIN_KIND", default="auto")


def prediction_request(options: PredictOptions) -> PredictionRequest:
    """What to predict.

    Raises:
        UsageError: no model was named, an engine does not exist or runs submitted code only, a size that is not possible.
    """
    if options.model is None:
        raise UsageError("no model was named", hint=_NO_MODEL)
    known = tuple(name for name in ENGINES if takes_model(name))
    for name in options.engines:
        if name not in known:
            raise UsageError(
                f"--engines={name} is not an engine that takes a model of yours",
                why=f"those are {', '.join(known)}",
                hint=nearest(name, known) or "choose among them",
            )
    return PredictionRequest(
        options.model,
        tuple(dict.fromkeys(options.engines)),
        toolchain=options.toolchain_kind,
        mirror=Mirror.named(options.mirror),
        ram_budget=parse_ram_budget(options.ram_budget),
    )


def check_prediction(options: PredictOptions, step: Step) -> None:
    """Checks the model before a tool chain is fetched.

    Raises:
        Cm4TinyError: as :func:`prediction_request`. ModelError: no engine takes the model; the text names everything that is in the way.
    """
    check_model(prediction_request(options))


def predict_step(options: PredictOptions, step: Step) -> Outputs:
    """Predicts, writes ``prediction.json``, ``.md`` and ``.html`` and the images, and shows the text.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.prediction.predict.predict`.
    """
    request = prediction_request(options)
    folder = options.outdirname / model_name(request.model)
    with file_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    found = predict(request, folder, step.events)
    with file_errors(folder):
        write(found, folder, {"md": markdown(found), "html": page(found)})
    width = min(_WIDEST, terminal_width(100))
    step.show(f"\n{text(found, width)}\nPage: {folder / 'prediction.html'}\n      {folder / 'prediction.json'} (also .md, and each image)")
    return {"CM_TINY_PREDICTION_JSON": folder / "prediction.json", "CM_TINY_PREDICTION_DIR": folder}
