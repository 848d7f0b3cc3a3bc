# SPDX-License-Identifier: Apache-2.0
"""A data set in the benchmark's own format: a folder with ``y_labels.csv`` and one binary file per sample.

Layouts (mlcommons/tiny, benchmark/evaluation/datasets/README.md): vww and ic are height-width-channel uint8 (not CIFAR's planes), kws is
49 x 10 MFCC as int8, ad is 128-band spectrogram frames as float32 LE, of which each inference takes five, one frame further each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cm4tiny.benchmarks.labels import Sample, read_labels
from cm4tiny.benchmarks.table import Benchmark
from cm4tiny.digests import file_sha256
from cm4tiny.errors import AssetError, HashMismatchError, UsageError

LABELS_FILE = "y_labels.csv"


@dataclass(frozen=True)
class DataSet:
    """Samples of one benchmark in a folder; every file was seen and has a fitting size when the object exists.

    Attributes:
        id: name of the data set, e.g. ``kws01``.
        root: the folder.
        benchmark: the benchmark whose inputs the files are.
        samples: in the order of ``y_labels.csv``.
        labels_sha256: sha256 of ``y_labels.csv``, which identifies the selection and its order.
    """

    id: str
    root: Path
    benchmark: Benchmark
    samples: tuple[Sample, ...]
    labels_sha256: str
    _hashes: Mapping[str, str] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def open(cls, root: Path, benchmark: Benchmark, *, hashes: Mapping[str, str] | None = None, labels: str = LABELS_FILE) -> DataSet:
        """The data set in ``root``.

        Args:
            root: folder with the list and the files.
            benchmark: what the files must fit.
            hashes: sha256 (hex) by file name; if given, the list and every file in it must be in this table and match it.
            labels: name of the list; upstream's ad01 also has ``y_labels_alt.csv``.

        Raises:
            AssetError: the list is wrong, or files are missing or of a wrong size.
            HashMismatchError: a file's bytes are not those that ``hashes`` names.
            UsageError: the benchmark is judged on a recording.
        """
        root = Path(root)
        if benchmark.streaming:
            why = "it is judged on a recording that is played to the device"
            raise UsageError(f"{benchmark.id} has no set of single samples", why=why, hint="choose ad, ic, kws or vww")
        list_path = root / labels
        if hashes is not None:
            check_hash(list_path, _expected(list_path, hashes))
        samples = read_labels(list_path, benchmark)
        _check_presence(root, list_path, samples)
        for sample in samples:
            path = root / sample.file
            _check_size(path, path.stat().st_size, sample)
            if hashes is not None:
                check_hash(path, _expected(path, hashes))
        return cls(benchmark.data_set, root, benchmark, samples, file_sha256(list_path), hashes)

    def __len__(self) -> int:
        return len(self.samples)

    def path(self, sample: Sample) -> Path:
        """The sample's file."""
        return self.root / sample.file

    def segment_count(self, sample: Sample) -> int:
        """Number of inferences that a sample needs (1, or the number of windows in its file)."""
        path = self.path(sample)
        try:
            size = path.stat().st_size
        except OSError as error:
            raise AssetError(f"the sample {path} cannot be read", why=error.strerror or str(error), hint="restore the data set") from error
        return _segment_count(size, sample)

    def segments(self, sample: Sample) -> Iterator[bytes]:
        """The inputs of a sample, one item per inference, each exactly ``benchmark.input_bytes`` long.

        Raises:
            AssetError: the file vanished or changed its size since the data set was opened.
            HashMismatchError: the data set was opened with hashes and the file's bytes are others now.
        """
        path = self.path(sample)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise AssetError(f"the sample {path} cannot be read", why=error.strerror or str(error), hint="restore the data set") from error
        _check_size(path, len(data), sample)
        if self._hashes is not None:
            _compare(path, data, _expected(path, self._hashes))
        for index in range(_segment_count(len(data), sample)):
            start = sample.offset_bytes + index * sample.stride_bytes
            yield data[start : start + sample.length_bytes]


def check_hash(path: Path, sha256: str) -> None:
    """Raise HashMismatchError if the file's sha256 is another one, AssetError if it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AssetError(f"the file {path} cannot be read", why=error.strerror or str(error), hint="restore it from its source") from error
    _compare(path, data, sha256)


def _compare(path: Path, data: bytes, sha256: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256.lower():
        why = f"its sha256 is {found}, {sha256} is expected"
        raise HashMismatchError(f"{path} is not the file that its table names", why=why, hint="restore the file from its source")


def _expected(path: Path, hashes: Mapping[str, str]) -> str:
    try:
        return hashes[path.name]
    except KeyError:
        hint = "use the list that belongs to the table of hashes"
        raise AssetError(f"{path} is in no table of hashes", why="the list names a file that the table does not know", hint=hint) from None


def _check_presence(root: Path, list_path: Path, samples: tuple[Sample, ...]) -> None:
    missing = [sample.file for sample in samples if not (root / sample.file).is_file()]
    if missing:
        some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        hint = f"copy the files of the data set into {root}, or let the step get,mlperf,tiny,dataset make it (docs/official-assets.md)"
        raise AssetError(f"{len(missing)} of {len(samples)} files listed in {list_path} are missing", why=f"missing: {some}", hint=hint)


def _segment_count(size: int, sample: Sample) -> int:
    return 1 + (size - sample.offset_bytes - sample.length_bytes) // sample.stride_bytes if sample.stride_bytes else 1


def _check_size(path: Path, size: int, sample: Sample) -> None:
    rest = size - sample.offset_bytes - sample.length_bytes
    fits = rest == 0 if not sample.stride_bytes else rest >= 0 and rest % sample.stride_bytes == 0
    if not fits:
        more = f" plus a multiple of {sample.stride_bytes}" if sample.stride_bytes else ""
        why = f"it has {size} bytes, {sample.offset_bytes + sample.length_bytes}{more} are expected"
        raise AssetError(f"{path} has a wrong size", why=why, hint="make or copy the file again in the benchmark's binary format")
