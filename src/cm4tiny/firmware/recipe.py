"""One recipe, one firmware image: model and engine to ELF, with a record of what went in (``firmware.json``)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cm4tiny
from cm4tiny.benchmarks import get_benchmark
from cm4tiny.errors import FirmwareError, ModelError, NotAvailableError, UsageError, nearest
from cm4tiny.events import SILENT, EventStream
from cm4tiny.firmware.build import FirmwareImage, build_firmware
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.firmware.tvm_package import PACKAGE, installed_tvm

ENGINES = ("microtvm", "tflm")
MODES = ("performance", "energy")
RECORD = "firmware.json"


@dataclass(frozen=True)
class Recipe:
    """What to build.

    Args:
        benchmark: ``"ad"``, ``"ic"``, ``"kws"`` or ``"vww"``.
        engine: who makes the inference code.
        mode: ``"performance"`` (serves accuracy runs too) or ``"energy"``.
        model: path of the int8 ``.tflite``.
        toolchain: kind of tool chain, as :func:`~cm4tiny.firmware.toolchain.find_toolchain` takes it.
    """

    benchmark: str
    engine: str
    mode: str
    model: str
    toolchain: str = "auto"

    def check(self) -> None:
        """Raises UsageError for unknown names, NotAvailableError for an engine that is not there yet."""
        get_benchmark(self.benchmark)
        for name, value, known in (("engine", self.engine, ENGINES), ("image", self.mode, MODES)):
            if value not in known:
                raise UsageError(f"there is no {name} called '{value}'", cure=nearest(value, known) or f"choose one of {', '.join(known)}")
        if self.engine != "microtvm":
            raise NotAvailableError(
                f"the engine {self.engine} is not part of this version",
                why="building TensorFlow Lite for Microcontrollers from its pinned sources is not built yet",
                cure="use the default engine: leave out _tflm, or say _microtvm",
            )


def build(recipe: Recipe, folder: Path, events: EventStream = SILENT) -> FirmwareImage:
    """Builds the image and writes ``firmware.json`` beside it.

    Raises:
        UsageError, NotAvailableError: see :meth:`Recipe.check`.
        FirmwareError: no model, no compiler, a model outside the engine's limits, an image too large.
    """
    recipe.check()
    benchmark = get_benchmark(recipe.benchmark)
    path = Path(recipe.model)
    try:
        tflite = path.read_bytes()
    except OSError as error:
        raise ModelError(f"the model {path} cannot be read", why=error.strerror or str(error), cure="give an int8 .tflite file") from error
    toolchain = find_toolchain(recipe.toolchain, install=False)
    from cm4tiny.firmware.microtvm import compile_model  # TVM takes seconds to import

    step = f"firmware {recipe.benchmark} {recipe.mode}"
    with events.step(step) as outcome:
        model = compile_model(tflite, name=benchmark.model_id, events=events)
        image = build_firmware(benchmark, model, mode=recipe.mode, toolchain=toolchain, out_dir=folder, events=events)
        image = replace(image, elf=image.elf.rename(folder / f"{recipe.benchmark}-{recipe.mode}.elf"))
        outcome.note = f"{image.flash_bytes / 1000:.0f} kB flash, {image.ram_bytes / 1000:.0f} kB RAM"
    record = {
        "benchmark": recipe.benchmark,
        "engine": recipe.engine,
        "mode": recipe.mode,
        "model": {"name": path.name, "sha256": hashlib.sha256(tflite).hexdigest(), "bytes": len(tflite)},
        "elf": {"name": image.elf.name, "sha256": image.sha256, "bytes": image.elf.stat().st_size},
        "flash_bytes": image.flash_bytes,
        "ram_bytes": image.ram_bytes,
        "tools": {"cm4tiny": cm4tiny.__version__, PACKAGE: installed_tvm(), "compiler": f"{toolchain.version} ({toolchain.kind})"},
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return image


def read_record(elf: Path) -> dict[str, Any]:
    """The record beside an ELF that :func:`build` made.

    Raises:
        FirmwareError: there is none, or it is damaged.
    """
    path = elf.parent / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["elf"]["sha256"] != hashlib.sha256(elf.read_bytes()).hexdigest():
            raise ValueError(f"{elf.name} is not the image that {RECORD} describes")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FirmwareError(
            f"{elf} has no usable {RECORD} beside it", why=str(error), cure="build the firmware anew: add --new to the command"
        ) from error
    return dict(record)
