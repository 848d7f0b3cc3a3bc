# SPDX-License-Identifier: Apache-2.0
"""ic01 from CIFAR-10's python archive.

The archive holds pickled batches of 10,000 pictures as planes (1024 red, 1024 green, 1024 blue); a file of ic01 is one picture with the
colours side by side (height, width, channel) and has the picture's own name (mlcommons/tiny, benchmark/evaluation/datasets/README.md).
Today's list: of each class 20 of the test batch's 1000 pictures, drawn by numpy's ``default_rng(8108)``, then shuffled
(benchmark/training/image_classification/get_perf_samples_idxs.py); that draw is repeated here and compared with the list.
"""

from __future__ import annotations

import io
import pickle
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from cm4tiny.benchmarks.labels import Sample
from cm4tiny.benchmarks.official.importing import check_original, given_source
from cm4tiny.benchmarks.official.pieces import pieces
from cm4tiny.benchmarks.official.table import official_table
from cm4tiny.errors import AssetError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.fetch import Fetcher, extract
from cm4tiny.files import move_into_place
from cm4tiny.locks import acquire
from cm4tiny.scratch import scratch_folder
from cm4tiny.sealed import damage, seal

TEST_BATCH = "test_batch"
SEED = 8108
PER_CLASS = 20
CLASSES = 10
MAX_BATCH_BYTES = 64 << 20
LOCK_TIMEOUT_S = 3600
_HINT = "get cifar-10-python.tar.gz from its source again"
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


@dataclass(frozen=True)
class Batch:
    """A batch: names of the pictures (``emu_s_002009.png``), their labels, and the pictures as (n, 3, 32, 32) uint8."""

    names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    pictures: npt.NDArray[np.uint8]


class _Unpickler(pickle.Unpickler):
    """Makes numpy arrays and plain values, nothing else: a pickle could otherwise run any code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        if name == "_reconstruct":
            return np.zeros(0).__reduce__()[0]
        return super().find_class(module, name)


def read_batch(stream: IO[bytes], name: str = TEST_BATCH) -> Batch:
    """A batch of the archive. Raises AssetError for anything else."""
    try:
        table = _Unpickler(stream, encoding="bytes").load()
        pictures = np.asarray(table[b"data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
        names = tuple(picture.decode("ascii") for picture in table[b"filenames"])
        labels = np.asarray(table[b"labels"], dtype=np.int64)
        if not len(pictures) == len(names) == len(labels) or not len(labels) or labels.min() < 0 or labels.max() >= CLASSES:
            raise ValueError(f"{len(pictures)} pictures, {len(names)} names, {len(labels)} labels")
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError, AttributeError, ImportError, IndexError) as error:
        raise AssetError(f"{name} is not a batch of CIFAR-10", why=f"{type(error).__name__}: {error}", hint=_HINT) from error
    return Batch(names, labels, pictures)


def current_indices(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The pictures of today's list by their place in the test batch, in the list's order."""
    rng = np.random.default_rng(SEED)
    places = np.arange(len(labels))
    drawn = [rng.choice(places[labels == label], size=PER_CLASS, replace=False) for label in range(CLASSES)]
    indices = np.concatenate(drawn)
    rng.shuffle(indices)
    return np.asarray(indices, dtype=np.int64)


def make(source: Path, samples: Sequence[Sample], list_name: str, target: Path, events: EventStream = SILENT) -> None:
    """Writes the samples of ic01 into ``target``.

    Args:
        source: the archive, or a folder that holds ``test_batch``.
        samples: the list.
        list_name: ``current``: the draw is repeated and must give the list; if not, or for another list, pictures are found by name.

    Raises:
        AssetError: no test batch, a damaged one, or one that is not what the list was drawn from.
    """
    batch = _test_batch(source)
    places = _drawn(batch, samples) if list_name == "current" else None
    if places is None:
        if list_name == "current":
            note = (
                "the draw by numpy's default_rng(8108) gives other pictures than the list (another numpy?): they are taken by their names"
            )
            events.message("ic01", note, "warning")
        places = _named(batch, samples)
    step = "make ic01"
    with events.step(step, len(samples), "files"):
        for sample, place in zip(samples, places, strict=True):
            if batch.labels[place] != sample.label:
                raise _wrong_list(f"{batch.names[place]} has class {batch.labels[place]}, the list says {sample.label}")
            (target / sample.file).write_bytes(np.ascontiguousarray(batch.pictures[place].transpose(1, 2, 0)).tobytes())


def unpacked(fetcher: Fetcher, given: str | Path = "") -> Path:
    """The folder ``cifar-10-batches-py``, unpacked once from the archive (a user's own, else the mirror's or a downloaded one).

    Raises:
        HashMismatchError: the archive is another one. AssetError: it cannot be had or is unsafe.
    """
    item = official_table().item("cifar-10-python")
    if given:
        given_source(Path(given))
    home = fetcher.root.parent / "unpacked" / f"cifar-10-{item.digest.value[:12]}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with acquire(home.with_name(f"{home.name}.lock"), wait_s=LOCK_TIMEOUT_S, subject="the unpacking of CIFAR-10"):
        problem = damage(home) if home.is_dir() else ""
        if problem:
            fetcher.events.message("ic01", f"{home} is damaged ({problem}): it is unpacked again", "warning")
            shutil.rmtree(home)
        if not home.is_dir():
            if given:
                check_original(Path(given), item)
            with scratch_folder("unpack", home.parent) as scratch:
                extract(Path(given) if given else fetcher.get(item), scratch / home.name, events=fetcher.events)
                seal(scratch / home.name)
                move_into_place(scratch / home.name, home)
    return home / "cifar-10-batches-py"


def _test_batch(source: Path) -> Batch:
    for member in pieces(source):
        if member.path.name == TEST_BATCH:
            if member.size > MAX_BATCH_BYTES:
                raise AssetError(f"{member.path} is not a batch of CIFAR-10", why=f"it has {member.size} bytes", hint=_HINT)
            return read_batch(io.BytesIO(member.read()))
    raise AssetError(f"{source} holds no {TEST_BATCH}", why="it is not CIFAR-10's python version", hint="give cifar-10-python.tar.gz")


def _drawn(batch: Batch, samples: Sequence[Sample]) -> list[int] | None:
    """The places of the draw, or None if it does not give the list."""
    try:
        places = [int(place) for place in current_indices(batch.labels)]
    except ValueError:  # fewer than 20 pictures of a class
        return None
    return places if [_file(batch.names[place]) for place in places] == [sample.file for sample in samples] else None


def _named(batch: Batch, samples: Sequence[Sample]) -> list[int]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(batch.names):
        places.setdefault(_file(name), []).append(place)
    found = []
    for sample in samples:
        candidates = places.get(sample.file, [])
        if len(candidates) != 1:
            raise _wrong_list(f"{sample.file} occurs {len(candidates)} times in {TEST_BATCH}")
        found.append(candidates[0])
    return found


def _file(picture: str) -> str:
    return f"{picture.rpartition('.')[0]}.bin"


def _wrong_list(why: str) -> AssetError:
    return AssetError(
        "the list of samples does not belong to this CIFAR-10", why=why, hint=f"{_HINT}, or choose the other list (_current, _old)"
    )
