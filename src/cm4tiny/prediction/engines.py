# SPDX-License-Identifier: Apache-2.0
"""One engine's row of a prediction: image, comparison with the reference, profile, and the figures that follow from them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks.own import OWN
from cm4tiny.boards import energy_uj
from cm4tiny.boards.boards import BoardDescription, find_board
from cm4tiny.boards.elf_image import read_elf
from cm4tiny.errors import Cm4TinyError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.fetch import Mirror
from cm4tiny.firmware.build import FirmwareImage
from cm4tiny.firmware.build_spec import BuildSpec, read_record
from cm4tiny.firmware.engines import tflm
from cm4tiny.firmware.model_file import read_tables
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.prediction.libraries import engine_library
from cm4tiny.prediction.places import macs_of
from cm4tiny.profiling.measure import ProfileRequest, measure_profile
from cm4tiny.profiling.model import LayerProfile, Profile
from cm4tiny.profiling.text import hottest
from cm4tiny.results.conditions import model_errors
from cm4tiny.verification import build

PREDICTED, REFUSED = "predicted", "refused"
_ARENAS = ("cm4tiny_arena", "tflm_arena")
"""Symbols of an engine's activations and scratch memory."""


@dataclass(frozen=True)
class PredictionRequest:
    """What to predict.

    Attributes:
        model: path of the ``.tflite``.
        engines: by name, in the order of the table.
        toolchain: kind of tool chain.
        mirror: of sources, asked before the network.
        ram_budget: bytes for the whole image of the microTVM engine; None: all of the chip's.
        board: as :func:`~cm4tiny.boards.boards.find_board` takes it.
        assets: whose model it is, for the labels.
    """

    model: Path
    engines: tuple[str, ...] = ("microtvm",)
    toolchain: str = "auto"
    mirror: Mirror | None = None
    ram_budget: int | None = None
    board: str = ""
    assets: str = OWN


def engine_row(request: PredictionRequest, engine: str, tflite: bytes, folder: Path, events: EventStream = SILENT) -> dict[str, Any]:
    """Builds, verifies and profiles; the image stays in ``folder``. What fails becomes a row that says why.

    Raises:
        Nothing of this project's: the errors stand in the row.
    """
    try:
        return _predicted(request, engine, tflite, folder, events)
    except Cm4TinyError as error:
        shutil.rmtree(folder, ignore_errors=True)
        return refused(engine, error)


def refused(engine: str, error: Cm4TinyError) -> dict[str, Any]:
    """The row of an engine that gives no figures."""
    empty = dict.fromkeys(
        ("cycles", "cycles_per_mac", "latency_ms", "throughput_inf_per_s", "energy_uj", "memory", "bit_exact", "image", "clocked")
    )
    reason = {"what": error.what, "why": error.why, "hint": error.hint}
    return {"engine": engine, "state": REFUSED, "reason": reason, **empty, "layers": [], "between_layers_cycles": None}


def _predicted(request: PredictionRequest, engine: str, tflite: bytes, folder: Path, events: EventStream) -> dict[str, Any]:
    sources: Mapping[str, str] = {}
    library = ""
    if engine in tflm.VARIANTS:
        sources, library = engine_library(engine, find_toolchain(request.toolchain, install=False), request.mirror, events)
    spec = BuildSpec(
        benchmark=OWN,
        engine=engine,
        mode="performance",
        model=str(request.model),
        toolchain=request.toolchain,
        sources=sources,
        library=library,
        ram_budget=request.ram_budget if engine not in tflm.VARIANTS else None,
        board=request.board,
    )
    image = build(spec, folder, events)
    record = read_record(image.elf)
    profile = measure_profile(
        ProfileRequest(image.elf, engine=engine, layers=tuple(record["layers"]), model=tflite, assets=request.assets), events
    )
    return _row(engine, image, record, profile, find_board(request.board), macs_of(read_tables(tflite)))


def _row(
    engine: str, image: FirmwareImage, record: Mapping[str, Any], profile: Profile, board: BoardDescription, macs: int
) -> dict[str, Any]:
    cycles = profile.whole.cycles + (profile.outside_cycles or 0.0)
    seconds = cycles / profile.hclk_hz
    return {
        "engine": engine,
        "state": PREDICTED,
        "reason": None,
        "cycles": cycles,
        "cycles_per_mac": cycles / macs if macs else None,
        "latency_ms": with_error(1e3 * seconds, "throughput"),
        "throughput_inf_per_s": with_error(1 / seconds, "throughput", rate=True),
        "energy_uj": _energy(profile, cycles, board),
        "memory": _memory(image, record),
        "bit_exact": dict(record["verification"]),
        "image": {"name": image.elf.name, "model_id": record["model_id"], "sha256": image.sha256, "bytes": record["elf"]["bytes"]},
        "clocked": profile.power.words if profile.power else None,
        "layers": [_layer(i, layer, profile) for i, layer in enumerate(profile.layers)],
        "between_layers_cycles": profile.own.cycles,
    }


def with_error(value: float, figure: str, *, rate: bool = False) -> dict[str, float]:
    """A predicted figure and where the board's own lies, by the model's error for code that nothing was fitted to.

    The error is stated as predicted over measured minus one, of throughput and of energy: a time is too long by as much as the throughput
    is too low.

    Args:
        figure: whose error: ``"throughput"`` or ``"energy"``.
        rate: the value is a throughput, or an energy; else it is a time.
    """
    stated = model_errors()[figure]
    factors = [1 + stated[end] / 100 for end in ("lowest_pct", "highest_pct")]
    ends = [value / factor if rate else value * factor for factor in factors]
    return {"value": value, "lowest": min(ends), "highest": max(ends)}


def _energy(profile: Profile, cycles: float, board: BoardDescription) -> dict[str, float] | None:
    """Current by what the firmware clocked, times the supply voltage and the time; None where no current is known for it."""
    if profile.power is None or profile.power.refusal:
        return None
    whole = profile.whole
    stall = (whole.icache_stall_cycles + whole.dcache_stall_cycles) / whole.cycles
    return with_error(energy_uj(profile.power, cycles, board.supply_v, stall), "energy", rate=True)


def _memory(image: FirmwareImage, record: Mapping[str, Any]) -> dict[str, int]:
    """Of the image: flash, and RAM by what it is for. Weights in flash count those that are copied to RAM at boot."""
    symbols = read_elf(image.elf).symbols
    arena = sum(symbols[name].size for name in _ARENAS if name in symbols)
    weights = sum(int(layer.get("ram_bytes", 0)) for layer in record["layers"])
    return {
        "flash_bytes": image.flash_bytes,
        "flash_weights_bytes": sum(int(layer["const_bytes"]) for layer in record["layers"]),
        "ram_bytes": image.ram_bytes + image.stack_bytes,
        "activations_bytes": arena,
        "weights_in_ram_bytes": weights,
        "input_output_bytes": image.ram_bytes - arena - weights,
        "stack_bytes": image.stack_bytes,
    }


def _layer(number: int, layer: LayerProfile, profile: Profile) -> dict[str, Any]:
    planned = layer.planned
    return {
        "number": number,
        "name": layer.name,
        "operator": layer.kind or None,
        "kernel": str(planned.get("choice") or "") or hottest(layer) or layer.function,
        "output_shape": list(layer.output_shape),
        "macs": layer.macs,
        "cycles": layer.cost.cycles,
        "share_pct": 100 * layer.cost.ticks / profile.whole.ticks if profile.whole.ticks else 0.0,
        "cycles_per_mac": layer.cycles_per_mac,
        "ram_bytes": layer.footprint.ram_bytes,
        "flash_bytes": layer.stored_bytes,
        "fallback": str(planned.get("fallback") or "") or None,
    }
