# SPDX-License-Identifier: Apache-2.0
"""The step ``run,mlperf,tiny,image``: images of others, or a file, on the virtual board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks import BENCHMARKS
from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.errors import UsageError, nearest
from cm4tiny.images.run import MODES, ImageRun, run_images
from cm4tiny.images.table import PublishedImage, images_of
from cm4tiny.settings import JOBS


@dataclass(frozen=True, kw_only=True)
class RunImageOptions:
    """What ``run,mlperf,tiny,image`` is asked for. The flags of the profile are read by the step ``profile`` before it."""

    image: Path | None = flag("CM_TINY_IMAGE_FILE")
    baud: int | None = flag("CM_TINY_IMAGE_BAUD")
    dataset: Path | None = flag("CM_TINY_IMAGE_DATASET")
    outdirname: Path = flag("CM_TINY_OUTDIR", default="mlperf-tiny-images")
    jobs: int = flag("CM_TINY_JOBS", default=1, limits=JOBS)
    model: Path | None = flag("CM_TINY_MODEL_FILE")
    profile: bool = flag("CM_TINY_PROFILE")
    root: str = flag("CM_TINY_PROFILE_ROOT")
    symbols: Path | None = flag("CM_TINY_PROFILE_SYMBOLS")
    mirror: Path | None = flag("CM_TINY_MIRROR")
    no_strict: bool = flag("CM_TINY_NO_STRICT")
    full_windows: bool = flag("CM_TINY_FULL_WINDOWS")
    board: str = value("CM_TINY_BOARD")
    image_set: str = value("CM_TINY_IMAGE_SET")
    benchmark: str = value("CM_TINY_BENCHMARK", default="all")
    mode: str = value("CM_TINY_IMAGE_MODE", default="standard")
    build: str = value("CM_TINY_IMAGE_BUILD")
    rounds: dict[str, str] = value("CM_MLPERF_TINY_RESULTS_*")
    round_path: str = value("CM_TINYMLPERF_REPO_PATH")
    round_version: str = value("CM_TINYMLPERF_REPO_VERSION")
    data_sets: dict[str, str] = value("CM_MLPERF_TINY_DATASETS_*")


def check_images(options: RunImageOptions, step: Step) -> None:
    """Checks what was asked for, before anything is fetched.

    Raises:
        UsageError: no image or two, an unknown mode, a data set without its benchmark.
    """
    if options.mode not in MODES:
        raise UsageError(
            f"there is no mode '{options.mode}' for images", hint=nearest(options.mode, MODES) or f"use one of {', '.join(MODES)}"
        )
    if options.dataset and options.benchmark not in BENCHMARKS:
        raise UsageError("a data set belongs to one benchmark", hint="name it too, e.g. run,mlperf,tiny,image,_bosch-v1.2,_kws")
    if (options.image is not None) == bool(options.image_set):
        raise UsageError(
            "it is not clear which image is meant", hint="give a set, e.g. run,mlperf,tiny,image,_bosch-v1.2, or --image=FILE, not both"
        )


def image_run(options: RunImageOptions, step: Step) -> ImageRun:
    """What to run.

    Raises:
        UsageError: as :func:`check_images`. AssetError, HashMismatchError: the published image is not there, or another file.
    """
    check_images(options, step)
    checkouts = _checkouts(options)
    sets = {b: Path(options.data_sets[key]) for b in BENCHMARKS if (key := f"CM_MLPERF_TINY_DATASETS_{b.upper()}") in options.data_sets}
    if options.dataset:
        sets[options.benchmark] = options.dataset
    images: tuple[tuple[str, Path, PublishedImage | None], ...]
    if options.image is not None:
        images = ((options.image.stem, options.image, None),)
    else:
        rows = images_of(options.image_set, benchmark=options.benchmark, mode="energy" if options.build == "energy" else "performance")
        images = tuple((row.id, row.locate(_checkout(checkouts, row)), row) for row in rows)
    return ImageRun(
        images,
        options.mode,
        options.outdirname,
        sets,
        checkouts,
        options.jobs,
        options.baud,
        strict=not options.no_strict,
        full_windows=options.full_windows,
        board=options.board,
    )


def _checkouts(options: RunImageOptions) -> dict[str, Path]:
    prefix = "CM_MLPERF_TINY_RESULTS_"
    found = {key[len(prefix) :].lower().replace("_", "."): Path(path) for key, path in options.rounds.items()}
    if options.round_path and options.round_version:
        found[f"v{options.round_version}"] = Path(options.round_path)
    return found


def _checkout(checkouts: dict[str, Path], image: PublishedImage) -> Path:
    if image.round not in checkouts:
        raise UsageError(
            f"the repository of round {image.round} is not there", hint=f"run the step get,mlperf,tiny,published-images,_{image.set} first"
        )
    return checkouts[image.round]


def run_image_step(options: RunImageOptions, step: Step) -> Outputs:
    """Runs the images.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.images.run.run_images`.
    """
    return {"CM_TINY_IMAGES_OUTCOME": run_images(image_run(options, step), step.events)}
