# SPDX-License-Identifier: Apache-2.0
"""A build that ends in a verified image, or in an error."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.boards.boards import find_board
from cm4tiny.boards.virtual.build import native_library  # not in a key: what executes an image does not shape it
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


def build(spec: BuildSpec, folder: Path, events: EventStream = SILENT) -> FirmwareImage:
    """Builds an image (:func:`cm4tiny.firmware.build_spec.build`), executes it and compares its answers, unless ``spec.verify`` is off.

    Raises:
        As the build does; and:
        VerificationError: the image answers something else than the reference. NotAvailableError: no reference is installed.
    """

    if spec.verify or spec.engine in tflm.VARIANTS:
        _prepare_board(spec, events)
    if spec.engine in tflm.VARIANTS and not spec.arena_bytes:
        return _build_with_arena(spec, folder, events)
    return build_spec.build(spec, folder, events, _verifier(spec, events))


def _build_with_arena(spec: BuildSpec, folder: Path, events: EventStream) -> FirmwareImage:
    """Asks the interpreter how much of a large arena it uses, and builds with so much.

    Setting up takes temporary memory, too; if it does not fit into what the model uses afterwards, the arena gets a reserve.
    """
    with tempfile.TemporaryDirectory() as name:
        roomy = build_spec.build(spec, Path(name), events)
        used = read_word(roomy.elf, tflm.ARENA_USED, find_board(spec.board))
    events.message(f"build {spec.benchmark} {spec.mode}", f"the interpreter uses {used} bytes of its arena")
    for reserve in _RESERVES:
        chosen = replace(spec, arena_bytes=round_up(used + reserve, 16))
        try:
            return build_spec.build(chosen, folder, events, _verifier(chosen, events))
        except SetUpError:
            if reserve == _RESERVES[-1]:
                raise
    raise AssertionError("there is at least one reserve")


def _verifier(spec: BuildSpec, events: EventStream) -> Verifier | None:
    """None: nothing is executed."""
    board = find_board(spec.board)

    def verify(image: FirmwareImage, code: InferenceCode, tflite: bytes) -> dict[str, Any]:
        benchmark = spec.subject(tflite)
        with events.step(f"verify {spec.benchmark} {spec.mode}") as outcome:
            found = verify_image(image.elf, benchmark, spec.engine, tflite, (code.input, code.output), events, board)
            outcome.note = f"{found.values} values on {found.inputs} inputs as {found.reference}"
            return found.record()

    def verify_submitted(image: FirmwareImage, code: InferenceCode, tflite: bytes) -> dict[str, Any]:
        with events.step(f"verify {spec.benchmark} {spec.mode}") as outcome, tempfile.TemporaryDirectory() as name:
            benchmark = get_benchmark(spec.benchmark)
            plain = replace(code, flags=(*code.flags, *_PLAIN))
            toolchain = find_toolchain(spec.toolchain, install=False)
            other = build_firmware(benchmark, plain, mode=spec.mode, toolchain=toolchain, out_dir=Path(name), board=board, events=events)
            found = verify_images(image.elf, other.elf, benchmark, spec.engine, (code.input, code.output), events, board)
            outcome.note = f"{found.values} values on {found.inputs} inputs as {found.reference}"
            return found.record()

    def boot(image: FirmwareImage, code: InferenceCode, tflite: bytes) -> dict[str, Any]:
        boot_image(image.elf, board)
        return dict(build_spec.NOT_VERIFIED)

    if spec.verify:
        return verify if takes_model(spec.engine) else verify_submitted
    return boot if spec.engine in tflm.VARIANTS else None


def _prepare_board(spec: BuildSpec, events: EventStream) -> None:
    """Compiles the virtual board's C code if that was not done yet."""
    native_library(find_board(spec.board), install=True, events=events)
