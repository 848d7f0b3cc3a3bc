"""A build that ends in a verified image, or in an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.boards.virtual.build import native_library
from cm4tiny.errors import CompileError, ToolchainError, UsageError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.firmware import recipe as recipes
from cm4tiny.firmware.build import FirmwareImage
from cm4tiny.firmware.inference_code import InferenceCode
from cm4tiny.firmware.recipe import Recipe
from cm4tiny.verification.comparison import verify_image

_YES, _NO = ("yes", "true", "on", "1"), ("", "no", "false", "off", "0")


def wanted(no_verify: str) -> bool:
    """Whether images are verified, by the text of the option ``--no_verify``.

    Raises:
        UsageError: it is neither a yes nor a no.
    """
    word = str(no_verify).strip().lower()
    if word not in (*_YES, *_NO):
        raise UsageError(f"--no_verify={no_verify} is neither yes nor no", cure="give it without a value, or leave it out")
    return word in _NO


def build(recipe: Recipe, folder: Path, events: EventStream = SILENT) -> FirmwareImage:
    """Builds an image (:func:`cm4tiny.firmware.recipe.build`), executes it and compares its answers, unless ``recipe.verify`` is off.

    Raises:
        As the build does; and:
        VerificationError: the image answers something else than the reference. NotAvailableError: no reference is installed.
    """

    def verifier(image: FirmwareImage, code: InferenceCode, tflite: bytes) -> dict[str, Any]:
        with events.step(f"verify {recipe.benchmark} {recipe.mode}") as outcome:
            _prepare_board(events)
            found = verify_image(image.elf, get_benchmark(recipe.benchmark), recipe.engine, tflite, (code.input, code.output), events)
            outcome.note = f"{found.values} values on {found.inputs} inputs as {found.reference}"
            return found.record()

    return recipes.build(recipe, folder, events, verifier if recipe.verify else None)


def _prepare_board(events: EventStream) -> None:
    """Compiles the virtual board's native part if that was not done yet; without a compiler it runs slowly, in Python."""
    try:
        native_library(install=True, events=events)
    except (ToolchainError, CompileError):
        return
