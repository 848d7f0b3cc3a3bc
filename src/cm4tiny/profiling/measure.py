# SPDX-License-Identifier: Apache-2.0
"""Runs an image on the virtual board with exact caches, traces one inference, and says which layer cost what."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cm4tiny.benchmarks import ALL_BENCHMARKS, Benchmark
from cm4tiny.benchmarks.own import OWN
from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.virtual.cycle_model import TICKS_PER_CYCLE
from cm4tiny.boards.virtual.image_files import load_image
from cm4tiny.digests import file_sha256
from cm4tiny.errors import DeadlineError, FirmwareError, ProtocolError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.firmware.build_spec import subject
from cm4tiny.firmware.engines.catalogue import ENGINES, MICROTVM, takes_model
from cm4tiny.firmware.model_file import check_scheme, read_model, read_tables
from cm4tiny.firmware.model_tables import ModelTables
from cm4tiny.images.fidelity import synthetic_input
from cm4tiny.profiling.assemble import Parts, assemble, calls_of
from cm4tiny.profiling.matching import Record
from cm4tiny.profiling.model import Profile
from cm4tiny.profiling.roots import Root, find_root
from cm4tiny.results.conditions import assets_of_model
from cm4tiny.runner.dut import Dut, Inference

TRACED = 2
"""Inferences that are traced; the last is shown: caches are as within a window."""
BOOT_S = 30.0
_TFLITE_MARK = b"TFL3"
"""Bytes 4 to 8 of the file: ``file_identifier`` of TensorFlow Lite's ``schema.fbs``."""


@dataclass(frozen=True)
class ProfileRequest:
    """What to profile.

    Attributes:
        image: firmware.
        symbols: the ELF of the same build, for an image without symbols.
        root: name of the function whose callees are the layers; empty: a known one.
        engine: of the build; empty: what the root says.
        layers: what the build knows of the layers (``firmware.json``).
        model: bytes of the ``.tflite``; empty if it is not available.
        strict: what the chip would not run is an error; with False the image runs on, and the profile says so.
        assets, division: labels that the record of the build gives; see :class:`~cm4tiny.profiling.model.Profile`.
    """

    image: Path
    symbols: Path | None = None
    root: str = ""
    engine: str = ""
    layers: Sequence[Record] = field(default_factory=tuple)
    model: bytes = b""
    assets: str = ""
    division: str = ""
    strict: bool = True


def measure_profile(wanted: ProfileRequest, events: EventStream = SILENT) -> Profile:
    """Profiles one inference.

    Raises:
        FirmwareError: the image cannot be loaded, has no symbols, or no function that is known to call layers.
        UsageError: the function does not exist.
        DeviceFaultError, RunnerError: it crashes, does not answer, never infers, or runs no layers. ModelError: the model file is damaged.
    """
    elf = _with_symbols(wanted)
    loaded = load_image(elf)
    root = find_root(loaded.functions, wanted.image.name, wanted.root)
    tables = _tables(wanted, root, loaded.segments)
    with events.step(f"profile {wanted.image.name}") as outcome:
        benchmark, parts = _run(elf, wanted, root, events)
        profile = assemble(
            parts,
            root,
            wanted.layers,
            tables,
            benchmark="" if benchmark.id == OWN else benchmark.id,
            model_id=benchmark.model_id,
            engine=wanted.engine or root.engine,
            image=wanted.image.name,
            sha256=file_sha256(wanted.image),
            assets=wanted.assets or (assets_of_model(hashlib.sha256(wanted.model).hexdigest()) if wanted.model else ""),
            division=wanted.division,
            strict=wanted.strict,
        )
        outcome.note = f"{len(profile.layers)} layers, {profile.whole.cycles:,.0f} cycles"
    return profile


def _run(elf: Path, wanted: ProfileRequest, root: Root, events: EventStream) -> tuple[Benchmark, Parts]:
    with VirtualBoard(elf, exact=True, events=events, strict=wanted.strict) as board:
        dut = Dut(board.link, events=events)
        with _position(board):
            benchmark = _benchmark(dut.connect(boot_s=BOOT_S).model, wanted)
            dut.load(synthetic_input(benchmark))
            dut.infer(1)
            with board.trace(root.symbol) as segments:
                inference = dut.infer(TRACED)
        hclk_hz = board.statistics().hclk_hz
        calls = calls_of(segments, root, TRACED)
        inside = sum(call.cost.ticks for call in calls) / TICKS_PER_CYCLE / TRACED
        outside = _outside(inference, hclk_hz, inside)
        return benchmark, Parts(tuple(segments), board.functions, len(calls) // TRACED, hclk_hz, outside, board.power_settings())


@contextlib.contextmanager
def _position(board: VirtualBoard) -> Iterator[None]:
    """A firmware that does not answer: where it is then."""
    try:
        yield
    except DeadlineError as error:
        raise DeadlineError(error.what, why=f"{error.why}; the firmware is at {board.position()}", hint=error.hint) from error


def _outside(inference: Inference, hclk_hz: int, inside: float) -> float | None:
    """Cycles of an inference by the device's own time stamps, without those inside of the root."""
    return None if inference.elapsed_us is None else inference.elapsed_us * hclk_hz / 1e6 / TRACED - inside


def _benchmark(model_id: str, wanted: ProfileRequest) -> Benchmark:
    """What the firmware says it is; the model file describes what belongs to no benchmark."""
    found = next((b for b in ALL_BENCHMARKS.values() if b.model_id == model_id), None)
    if found is None and wanted.model:
        engine = wanted.engine if wanted.engine in ENGINES and takes_model(wanted.engine) else MICROTVM
        return replace(subject(OWN, engine, model_id, wanted.model), model_id=model_id)
    if found is None:
        raise ProtocolError(
            f"{wanted.image.name} answers as the model '{model_id}', which belongs to no benchmark",
            why=f"known are {', '.join(b.model_id for b in ALL_BENCHMARKS.values())}",
            hint="give its model file, which says what to send as an input: --model=FILE.tflite",
        )
    return found


# --- files ------------------------------------------------------------------------------------------------------------------------------


def _with_symbols(wanted: ProfileRequest) -> Path:
    """The file to run: the image, or the ELF with its symbols if both hold the same bytes."""
    if wanted.symbols is None:
        return wanted.image
    memory = load_image(wanted.image).segments
    for address, data in load_image(wanted.symbols).segments:
        if not any(start <= address and piece[address - start :][: len(data)] == data for start, piece in memory):
            raise FirmwareError(
                f"{wanted.symbols.name} is not the ELF that {wanted.image.name} was made from",
                why=f"the {len(data)} bytes at 0x{address:08x} differ",
                hint="give the ELF of the same build",
            )
    return wanted.symbols


def _tables(wanted: ProfileRequest, root: Root, segments: Sequence[tuple[int, bytes]]) -> ModelTables | None:
    if wanted.model:
        tables = read_tables(wanted.model)
        check_scheme(tables)
        return tables
    return model_inside(segments) if root.match == "order" else None


def model_inside(segments: Sequence[tuple[int, bytes]]) -> ModelTables | None:
    """The one ``.tflite`` file that lies in an image, as an interpreter needs it; None if there is none, or more than one."""
    found = []
    for address, data in segments:
        at = data.find(_TFLITE_MARK)
        while at >= 0:
            if at >= 4 and (address + at) % 4 == 0:
                with contextlib.suppress(FirmwareError):  # chance, or a model that this project cannot read
                    found.append(read_model(data[at - 4 :]))
            at = data.find(_TFLITE_MARK, at + 1)
    return found[0] if len(found) == 1 else None
