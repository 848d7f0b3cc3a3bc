# SPDX-License-Identifier: Apache-2.0
"""A build that ends in a verified image, or in an error."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.boards.boards import find_board
from cm4tiny.boards.virtual.build import native_library
from cm4tiny.events import SILENT, EventStream
from cm4tiny.firmware import build_spec
from cm4tiny.firmware.build import FirmwareImage, build_firmware
from cm4tiny.firmware.build_spec import BuildSpec, Verifier
from cm4tiny.firmware.engines import tflm
from cm4tiny.firmware.engines.catalogue import takes_model
from cm4tiny.firmware.inference_code import InferenceCode
from cm4tiny.firmware.kernels.base import round_up
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.settings import parse_switch
from cm4tiny.verification.comparison import verify_image, verify_images
from cm4tiny.verification.image_run import SetUpError, boot_image, read_word

_PLAIN = ("-O0", "-fno-strict-aliasing")  # for the engine's units: after its own switches, so these count
_RESERVES = (0, 1024, 8192)  # bytes of arena beyond what the interpreter says it uses


def wanted(no_verify: str) -> bool:
    """Whether images are verified, by the text of the option ``--no_verify``.

    Raises:
        UsageError: it is neither a yes nor a no.
    """
    return not parse_switch("no_verify", no_verify)


def build(recipe: BuildSpec, folder: Path, events: EventStream = SILENT) -> FirmwareImage:
    """Builds an image (:func:`cm4tiny.firmware.build_spec.build`), executes it and compares its answers, unless ``recipe.verify`` is off.

    Raises:
        As the build does; and:
        VerificationError: the image answers something else than the reference. NotAvailableError: no reference is installed.
    """

    if recipe.verify or recipe.engine in tflm.VARIANTS:
        _prepare_board(recipe, events)
    if recipe.engine in tflm.VARIANTS and not recipe.arena_bytes:
        return _build_with_arena(recipe, folder, events)
    return build_spec.build(recipe, folder, events, _verifier(recipe, events))


def _build_with_arena(recipe: BuildSpec, folder: Path, events: EventStream) -> FirmwareImage:
    """Asks the interpreter how much of a large arena it uses, and builds with so much.

    Setting up takes temporary memory, too; if it does not fit into what the model uses afterwards, the arena gets a reserve.
    """
    with tempfile.TemporaryDirectory() as name:
        roomy = build_spec.build(recipe, Path(name), events)
        used = read_word(roomy.elf, tflm.ARENA_USED, find_board(recipe.board))
    events.message(f"build {recipe.benchmark} {recipe.mode}", f"the interpreter uses {used} bytes of its arena")
    for reserve in _RESERVES:
        chosen = replace(recipe, arena_bytes=round_up(used + reserve, 16))
        try:
            return build_spec.build(chosen, folder, events, _verifier(chosen, events))
        except SetUpError:
            if reserve == _RESERVES[-1]:
                raise
    raise AssertionError("there is at least one reserve")


def _verifier(recipe: BuildSpec, events: EventStream) -> Verifier | None:
    """None: nothing is executed."""
    board, benchmark = find_board(recipe.board), get_benchmark(recipe.benchmark)

    def verify(image: FirmwareImage, code: InferenceCode, tflite: bytes) -> dict[str, Any]:
        with events.step(f"verify {recipe.benchmark} {recipe.mode}") as outcome:
            found = verify_image(image.elf, benchmark, recipe.engine, tflite, (code.input, code.output), events, board)
            outcome.note = f"{found.values} values on {found.inputs} inputs as {found.reference}"
            return found.record()

    def verify_submitted(image: FirmwareImage, code: InferenceCode, tflite: bytes) -> dict[str, Any]:
        with events.step(f"verify {recipe.benchmark} {recipe.mode}") as outcome, tempfile.TemporaryDirectory() as name:
            plain = replace(code, flags=(*code.flags, *_PLAIN))
            toolchain = find_toolchain(recipe.toolchain, install=False)
            other = build_firmware(benchmark, plain, mode=recipe.mode, toolchain=toolchain, out_dir=Path(name), board=board, events=events)
            found = verify_images(image.elf, other.elf, benchmark, recipe.engine, (code.input, code.output), events, board)
            outcome.note = f"{found.values} values on {found.inputs} inputs as {found.reference}"
            return found.record()

    def boot(image: FirmwareImage, code: InferenceCode, tflite: bytes) -> dict[str, Any]:
        boot_image(image.elf, board)
        return dict(build_spec.NOT_VERIFIED)

    if recipe.verify:
        return verify if takes_model(recipe.engine) else verify_submitted
    return boot if recipe.engine in tflm.VARIANTS else None


def _prepare_board(recipe: BuildSpec, events: EventStream) -> None:
    """Compiles the virtual board's C code if that was not done yet."""
    native_library(find_board(recipe.board), install=True, events=events)
