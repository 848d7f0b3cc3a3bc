# SPDX-License-Identifier: Apache-2.0
"""One specification, one firmware image: model and engine to ELF, with a record of what went in (``firmware.json``)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cm4tiny
from cm4tiny.benchmarks import Benchmark, get_benchmark
from cm4tiny.benchmarks.own import OWN, model_name, own_model
from cm4tiny.benchmarks.whose import whose_model
from cm4tiny.boards.boards import default_board, find_board
from cm4tiny.digests import file_sha256, known_sha256
from cm4tiny.errors import FirmwareError, ModelError, UsageError, nearest
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import move_into_place
from cm4tiny.firmware.build import FirmwareImage, build_firmware, check_sizes
from cm4tiny.firmware.c_library import find_c_library, fingerprint
from cm4tiny.firmware.division import with_foreign_model
from cm4tiny.firmware.engines import octoml, tflm
from cm4tiny.firmware.engines.catalogue import MICROTVM, check_engine, read_library, takes_model
from cm4tiny.firmware.inference_code import InferenceCode, TensorInfo
from cm4tiny.firmware.microtvm_image import build_microtvm, harness_ram
from cm4tiny.firmware.model_file import model_ends
from cm4tiny.firmware.obstacles import file_obstacles, joined, repeats
from cm4tiny.firmware.toolchain import Toolchain, find_toolchain
from cm4tiny.firmware.tvm_package import PACKAGE, installed_tvm

MODES = ("performance", "energy")
_INTERPRETER_BYTES = 4096  # static data of TensorFlow Lite for Microcontrollers besides the arena: under 1 KB was measured
RECORD = "firmware.json"
NOT_VERIFIED = {"verified": False, "reason": "the image was never executed on test inputs (no_verify)"}


def skips_zeros(word: str) -> bool:
    """Whether work on weights that are zero is left out, by the variation's word (``CM_TINY_ZEROS``)."""
    return word != "keep_zeros"


def prunes_channels(word: str) -> bool:
    """Whether constant channels are pruned, by the variation's word (``CM_TINY_DEAD``): today's or its name of before."""
    return word in ("prune_channels", "drop_dead")


@dataclass(frozen=True)
class BuildSpec:
    """What to build.

    Args:
        benchmark: id of the benchmark; ``own`` (:data:`cm4tiny.benchmarks.own.OWN`): the model belongs to none.
        engine: who makes the inference code (:data:`cm4tiny.firmware.engines.catalogue.ENGINES`).
        mode: ``"performance"`` (serves accuracy runs too) or ``"energy"``.
        model: path of the int8 ``.tflite``; not used by an engine that brings the compiled model.
        toolchain: kind of tool chain, as :func:`~cm4tiny.firmware.toolchain.find_toolchain` takes it.
        sources: repository name -> checkout, for the engines that need some.
        library: path of the engine's library, if it has one (:func:`cm4tiny.firmware.engines.catalogue.build_library`).
        ram_budget: bytes of RAM for the whole image, stack included; None: all of the chip's. This and the fields below are for the own
            engine only.
        skip_zero: dot products whose weights are all zero are not computed (closed division).
        prune_channels: channels that cannot change the result are removed with their weights (open division).
        costs: path of a table of kernel costs (:mod:`cm4tiny.tuning`); empty: the one that comes with the package.
        arena_bytes: of the interpreter's arena (TensorFlow Lite for Microcontrollers); 0: all that the chip has left.
        board: that the image is for, as :func:`~cm4tiny.boards.boards.find_board` takes it; empty: the default board.
        verify: the finished image is executed and its answers compared with a reference (:mod:`cm4tiny.verification`).
        name: what the firmware of an ``own`` model answers as its model; empty: the name of the model file.
    """

    benchmark: str
    engine: str
    mode: str
    model: str
    toolchain: str = "auto"
    sources: Mapping[str, str] = field(default_factory=dict)
    library: str = ""
    ram_budget: int | None = None
    skip_zero: bool = True
    prune_channels: bool = False
    costs: str = ""
    arena_bytes: int = 0
    board: str = ""
    verify: bool = True
    name: str = ""

    def check(self) -> None:
        """Raises UsageError for unknown names and for what the engine does not have."""
        check_engine(self.engine)
        if self.mode not in MODES:
            raise UsageError(
                f"there is no image called '{self.mode}'", hint=nearest(self.mode, MODES) or f"choose one of {', '.join(MODES)}"
            )
        if self.engine != MICROTVM and (self.ram_budget is not None or not self.skip_zero or self.prune_channels or self.costs):
            raise UsageError(
                f"the engine {self.engine} has no RAM budget, no choice of skipped channels and no tuning",
                hint=f"leave them out, or use the engine {MICROTVM}",
            )
        find_board(self.board)
        if self.benchmark != OWN:
            get_benchmark(self.benchmark)
        elif not takes_model(self.engine):
            raise UsageError(
                f"the engine {self.engine} runs no model of yours",
                why="it is code that its submitter compiled from MLPerf Tiny's models",
                hint=f"use the engine {MICROTVM}",
            )

    def subject(self, tflite: bytes) -> Benchmark:
        """The benchmark, or the model of these bytes as if it were one.

        Raises:
            UsageError, ModelError, UnsupportedOpError: as :meth:`check` and :func:`check_model`.
        """
        self.check()
        return subject(self.benchmark, self.engine, self.name or self.model, tflite)


Verifier = Callable[[FirmwareImage, InferenceCode, bytes], dict[str, Any]]
"""Executes an image made from inference code and a model's bytes; returns what the record says about it, or raises."""


def build(spec: BuildSpec, folder: Path, events: EventStream = SILENT, verifier: Verifier | None = None) -> FirmwareImage:
    """Builds the image and writes ``firmware.json`` next to it.

    Args:
        verifier: is asked before the record is written, so that an image that failed has none and is never used. The steps call
            :func:`cm4tiny.verification.build`, which brings it.

    Raises:
        UsageError: see :meth:`BuildSpec.check`.
        FirmwareError: no model, no compiler, a model outside the engine's limits, an image too large.
        AssetError: an engine's sources are missing.
    """
    spec.check()
    tflite = read_model_file(spec.model) if takes_model(spec.engine) else b""
    benchmark = spec.subject(tflite)
    if takes_model(spec.engine):
        check_model(spec.engine, benchmark, tflite)
    toolchain = find_toolchain(spec.toolchain, install=False)
    step = f"firmware {spec.benchmark} {spec.mode}"
    with events.step(step) as outcome:
        image, code, facts = _build(spec, benchmark, tflite, toolchain, folder, events)
        image = replace(image, elf=move_into_place(image.elf, folder / f"{spec.benchmark}-{spec.mode}.elf"))
        verification = NOT_VERIFIED if verifier is None else verifier(image, code, tflite)
        outcome.note = f"{image.flash_bytes / 1000:.0f} kB flash, {image.ram_bytes / 1000:.0f} kB RAM"
    if takes_model(spec.engine) and spec.benchmark != OWN and not whose_model(hashlib.sha256(tflite).hexdigest()):
        facts = with_foreign_model(facts)
    record = {
        "benchmark": spec.benchmark,
        "model_id": benchmark.model_id,
        "engine": spec.engine,
        "mode": spec.mode,
        "model": _model_record(spec, tflite, code),
        "elf": {"name": image.elf.name, "sha256": image.sha256, "bytes": image.elf.stat().st_size},
        "flash_bytes": image.flash_bytes,
        "ram_bytes": image.ram_bytes,
        **facts,
        "verification": verification,
        "tools": {
            "cm4tiny": cm4tiny.__version__,
            **_tools(spec, code),
            "compiler": f"{toolchain.version} ({toolchain.kind})",
            **_digests(toolchain, code),
        },
        "layers": [dict(layer) for layer in code.layers],
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return image


def check_model(engine: str, benchmark: Benchmark, tflite: bytes) -> None:
    """What can be said of a model before anything is compiled: takes milliseconds.

    Raises:
        ModelError: it is damaged, not int8, or its input and output are not the benchmark's.
        UnsupportedOpError: the engine does not implement its operators.
    """
    if takes_model(engine):
        check_sizes(benchmark, *checked_ends(engine, tflite))


@lru_cache(maxsize=4)
def checked_ends(engine: str, tflite: bytes) -> tuple[TensorInfo, TensorInfo]:
    """Input and output of a model that the engine takes; raises as :func:`check_model`, with all that is in the way."""
    flash = default_board().chip.flash.size
    found = list(file_obstacles(tflite, flash_bytes=flash))
    try:
        ends = _engine_ends(engine, tflite)
    except ModelError as error:
        if found and repeats(error, found):  # the engine stopped before it looked at the operators
            from cm4tiny.firmware.operators.registry import by_kind

            supported = by_kind() if engine == MICROTVM else tflm.operators()
            raise joined(file_obstacles(tflite, flash_bytes=flash, supported=supported)) from error
        raise joined([*found, error]) from error
    if found:
        raise joined(found)
    return ends


def _engine_ends(engine: str, tflite: bytes) -> tuple[TensorInfo, TensorInfo]:
    """What the engine itself says."""
    if engine == MICROTVM:
        from cm4tiny.firmware.microtvm.importer import check_model as check_own

        return check_own(tflite)
    return model_ends(tflm.check_model(tflite))


def subject(benchmark: str, engine: str, name: str, tflite: bytes) -> Benchmark:
    """A benchmark by its id; for ``own`` the model as if it were one, with the name of its file. Raises as :func:`check_model`."""
    if benchmark != OWN:
        return get_benchmark(benchmark)
    entry, result = checked_ends(engine, tflite)
    return own_model(model_name(name), entry.shape, result.shape)


def check_given_model(engine: str, benchmark: str, model: str) -> None:
    """For the steps in front of a build: a model that cannot be used is refused before anything is fetched or compiled for it.

    Args:
        engine, benchmark: by name (``own``: none of them); empty: not known yet, nothing is checked.
        model: the path of a file that the user named; empty: none was.

    Raises:
        ModelError, UnsupportedOpError: as :func:`check_model`.
    """
    if model and engine and benchmark and takes_model(engine):
        tflite = read_model_file(model)
        check_model(engine, subject(benchmark, engine, model, tflite), tflite)


def read_model_file(name: str) -> bytes:
    """The bytes of a model file; raises ModelError if it cannot be read."""
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise ModelError(f"the model {name} cannot be read", why=error.strerror or str(error), hint="give an int8 .tflite file") from error


def _build(
    spec: BuildSpec, benchmark: Benchmark, tflite: bytes, toolchain: Toolchain, folder: Path, events: EventStream
) -> tuple[FirmwareImage, InferenceCode, dict[str, Any]]:
    """The image, its inference code, and what the record says about them besides."""
    if spec.engine == MICROTVM:
        own = build_microtvm(spec, benchmark, tflite, toolchain, folder, events, find_board(spec.board))
        return own.image, own.model.code, own.facts()
    code = _code(spec, benchmark, tflite, toolchain, events)
    facts = {"arena_bytes": _arena(spec, benchmark)} if spec.engine in tflm.VARIANTS else {}
    board = find_board(spec.board)
    image = build_firmware(benchmark, code, mode=spec.mode, toolchain=toolchain, out_dir=folder, board=board, events=events)
    return image, code, facts


def _arena(spec: BuildSpec, benchmark: Benchmark) -> int:
    board = find_board(spec.board)
    return spec.arena_bytes or board.chip.ram.size - harness_ram(benchmark, board) - _INTERPRETER_BYTES


def _code(spec: BuildSpec, benchmark: Benchmark, tflite: bytes, toolchain: Toolchain, events: EventStream) -> InferenceCode:
    roots = {name: Path(path) for name, path in spec.sources.items()}
    library = find_c_library(toolchain, events=events)
    built = read_library(Path(spec.library)) if spec.library else None
    if spec.engine in octoml.VARIANTS:
        return octoml.inference_code(spec.engine, benchmark, roots, built, library)
    if built is None:
        raise FirmwareError(f"the engine {spec.engine} needs its library", hint="run the step build,tiny,engine,library first")
    return tflm.inference_code(tflite, built, library, arena_bytes=_arena(spec, benchmark))


def _model_record(spec: BuildSpec, tflite: bytes, code: InferenceCode) -> dict[str, Any]:
    if takes_model(spec.engine):
        return {"name": Path(spec.model).name, "sha256": hashlib.sha256(tflite).hexdigest(), "bytes": len(tflite)}
    size = sum(len(text.encode()) for text in code.files.values())
    return {"name": f"compiled by its submitter: {spec.engine}", "sha256": code.tools["submitted code"], "bytes": size}


def _digests(toolchain: Toolchain, code: InferenceCode) -> dict[str, str]:
    """Digests of the programs and libraries that shaped the image."""
    found = {"compiler sha256": toolchain.fingerprint}
    if code.library is not None:
        found |= {"C library": code.library.version, "C library sha256": fingerprint(code.library)}
    found |= {f"{path.name} sha256": known_sha256(path) for path in code.archives}
    return found


def _tools(spec: BuildSpec, code: InferenceCode) -> dict[str, str]:
    return {PACKAGE: installed_tvm()} if spec.engine == MICROTVM else dict(code.tools)


def is_verified(record: Mapping[str, Any]) -> bool:
    """Whether a record says that its image was executed and answered as the reference."""
    verification = record.get("verification")
    return isinstance(verification, Mapping) and verification.get("verified") is True


def read_record(elf: Path) -> dict[str, Any]:
    """The record next to an ELF that :func:`build` made.

    Raises:
        FirmwareError: there is none, or it is damaged.
    """
    path = elf.parent / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["elf"]["sha256"] != file_sha256(elf):
            raise ValueError(f"{elf.name} is not the image that {RECORD} describes")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FirmwareError(
            f"{elf} has no usable {RECORD} next to it", why=str(error), hint="build the firmware again: add --new to the command"
        ) from error
    return dict(record)
