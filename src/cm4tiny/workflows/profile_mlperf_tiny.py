# SPDX-License-Identifier: Apache-2.0
"""The step ``profile,mlperf,tiny``: which images are profiled, and the files that come of it.

Each profile has a folder of its own below ``profile`` in the run's folder, with ``profile.json``, ``.txt``, ``.svg`` and ``.html``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks.assets import AssetSource, model_file
from cm4tiny.benchmarks.own import OWN, model_name
from cm4tiny.benchmarks.table import ALL_BENCHMARKS, ROUNDS, chosen_benchmarks
from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.console import terminal_width
from cm4tiny.errors import Cm4TinyError, FirmwareError, ModelError, UsageError, nearest
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import write_atomically
from cm4tiny.firmware.build_spec import RECORD, read_record
from cm4tiny.firmware.division import OPEN, open_division
from cm4tiny.firmware.engines import octoml
from cm4tiny.profiling.measure import ProfileRequest, measure_profile
from cm4tiny.profiling.model import Profile
from cm4tiny.profiling.page import page
from cm4tiny.profiling.plot import svg
from cm4tiny.profiling.text import table
from cm4tiny.results.conditions import OFFICIAL, assets_of_model
from cm4tiny.results.conditions import OWN as OWN_MODEL
from cm4tiny.runner.session import file_errors
from cm4tiny.workflows.build_flags import BuildFlags, check_build_flags

FOLDER = "profile"
STEP = "profile"
IMAGES = ("performance", "energy")


@dataclass(frozen=True, kw_only=True)
class ProfileOptions(BuildFlags):
    """What the step is asked for; without ``--image`` the flags of the build are those of the step ``build`` before it."""

    image: Path | None = flag("CM_TINY_IMAGE_FILE")
    symbols: Path | None = flag("CM_TINY_PROFILE_SYMBOLS")
    root: str = flag("CM_TINY_PROFILE_ROOT")
    model: Path | None = flag("CM_TINY_MODEL_FILE")
    outdirname: Path = flag("CM_TINY_OUTDIR", default="mlperf-tiny-results")
    no_strict: bool = flag("CM_TINY_NO_STRICT")
    benchmark: str = value("CM_TINY_BENCHMARK", default="all")
    memory: str = value("CM_TINY_MEMORY")
    image_set: str = value("CM_TINY_IMAGE_SET")
    firmware: dict[str, str] = value("CM_TINY_FIRMWARE_*")


@dataclass(frozen=True)
class ProfileRun:
    """What to profile, in order, and the folder of the results.

    Attributes:
        requests: (name of the result's folder, what to profile).
    """

    requests: tuple[tuple[str, ProfileRequest], ...]
    out: Path


def profile_run(options: ProfileOptions, events: EventStream = SILENT) -> ProfileRun:
    """What the options ask for.

    Raises:
        UsageError: an unknown benchmark, no firmware, or published images, which have no symbols. ModelError: no such model file.
    """
    out = options.outdirname / FOLDER
    root, model = options.root, _model(options.model)
    if options.image_set:
        raise UsageError(
            f"the published images of the set {options.image_set} cannot be profiled",
            why="they are .hex and .bin files without symbols, so their layers cannot be told apart",
            hint="profile an ELF (--image=FILE.elf), or an engine whose sources are public (_octoml_cmsis_nn, _tflm_cmsis_nn)",
        )
    strict = not options.no_strict
    if options.image is not None:
        request = replace(_request(options.image, options.symbols, root, model, events), strict=strict)
        return ProfileRun(((options.image.stem, request),), out)
    wanted = options.benchmark
    if wanted not in ("all", *ROUNDS, *ALL_BENCHMARKS):
        raise UsageError(f"there is no benchmark '{wanted}'", hint=nearest(wanted, ALL_BENCHMARKS) or f"use {', '.join(ALL_BENCHMARKS)}")
    requests = []
    for benchmark in _named(options):
        request = replace(_request(_firmware(options.firmware, benchmark), None, root, model, events), strict=strict)
        if request.engine in octoml.VARIANTS and not model:
            request = _with_official_model(request, benchmark, str(options.mirror or ""), events)
        name = model_name(options.model) if benchmark == OWN and options.model else benchmark
        requests.append(("-".join(part for part in (name, request.engine) if part), request))
    return ProfileRun(tuple(requests), out)


def _named(options: ProfileOptions) -> tuple[str, ...]:
    """The benchmarks that are profiled; a model without a benchmark stands for itself."""
    return (OWN,) if options.model and options.benchmark == "all" else chosen_benchmarks(options.benchmark)


def check_profile(options: ProfileOptions, step: Step) -> None:
    """Checks the firmware that would be built; the model next to ``--image`` is not built.

    Raises:
        Cm4TinyError: as :func:`check_build_flags`.
    """
    model = None if options.image else options.model
    wanted = OWN if model and options.benchmark == "all" else options.benchmark
    check_build_flags(options, wanted, model, options.memory)


def profile_step(options: ProfileOptions, step: Step) -> Outputs:
    """Measures the images, writes the files and shows the tables.

    Raises:
        Cm4TinyError: as :func:`run_profiles`.
    """
    run = profile_run(options, step.events)
    for folder, text in run_profiles(run, step.events, width=terminal_width(170)):
        step.show(f"\n{text}\nProfile: {folder / 'profile.html'}\n         {folder / 'profile.json'} (also .txt, .svg)")
    return {"CM_TINY_PROFILE_DIR": run.out}


def _model(path: Path | None) -> bytes:
    try:
        return path.read_bytes() if path else b""
    except OSError as error:
        raise ModelError(
            f"the model {path} cannot be read", why=error.strerror or str(error), hint="give the image's .tflite file"
        ) from error


def _firmware(built: Mapping[str, str], benchmark: str) -> Path:
    keys = [f"CM_TINY_FIRMWARE_{benchmark}_{image}".upper() for image in IMAGES]
    found = next((built[key] for key in keys if key in built), "")
    if not found:
        raise UsageError(
            f"{keys[0]} is not set",
            hint=f"run the step build,firmware,mlperf,tiny,_{benchmark} first, or the whole chain: profile,mlperf,tiny",
        )
    return Path(found)


def _request(image: Path, symbols: Path | None, root: str, model: bytes, events: EventStream) -> ProfileRequest:
    """With what the record of the build says, if there is one next to the image or its ELF."""
    elf = symbols or image
    if not (elf.parent / RECORD).is_file():
        return ProfileRequest(image, symbols, root, model=model)
    try:
        record = read_record(elf)
    except FirmwareError as error:
        events.message(STEP, f"{elf.parent / RECORD} is not used: {error.why}", "warning")
        return ProfileRequest(image, symbols, root, model=model)
    engine, layers = str(record.get("engine", "")), tuple(record.get("layers", ()))
    return ProfileRequest(image, symbols, root, engine, layers, model, _assets(record), OPEN if open_division(record) else "")


def _assets(record: Mapping[str, Any]) -> str:
    """Whose model an image was built from. A submission's code was compiled from MLPerf Tiny's own."""
    if record.get("engine") in octoml.VARIANTS:
        return OFFICIAL
    known = assets_of_model(str(record.get("model", {}).get("sha256", "")))
    return known or (OWN_MODEL if record.get("benchmark") == OWN else "")


def _with_official_model(request: ProfileRequest, benchmark: str, mirror: str, events: EventStream) -> ProfileRequest:
    """OctoML's submission was compiled from MLPerf Tiny's own model; without it the layers have no MACs."""
    try:
        model = model_file(benchmark, "mlcommons", source=AssetSource(mirror=mirror)).read_bytes()
    except (Cm4TinyError, OSError) as error:
        what = error.what if isinstance(error, Cm4TinyError) else str(error)
        events.message(STEP, f"the model of {benchmark} is not available, so no MACs are shown ({what})", "warning")
        return request
    return replace(request, model=model)


def run_profiles(run: ProfileRun, events: EventStream = SILENT, *, width: int = 0) -> list[tuple[Path, str]]:
    """Measures and writes all; returns for each its folder and the table for a terminal of that width.

    Raises:
        Cm4TinyError: that of the first that failed; what was written before is kept.
    """
    done = []
    for name, request in run.requests:
        profile = measure_profile(request, events)
        done.append((write_profile(profile, run.out / name), table(profile, width)))
    return done


def write_profile(profile: Profile, folder: Path) -> Path:
    """Writes the four files into ``folder``.

    Raises:
        ResultsError: the folder cannot be written.
    """
    with file_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        texts = {"json": profile.json_text(), "txt": table(profile), "svg": svg(profile), "html": page(profile)}
        for suffix, text in texts.items():
            write_atomically(folder / f"profile.{suffix}", text)
    return folder
