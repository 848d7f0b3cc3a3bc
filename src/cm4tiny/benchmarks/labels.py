# SPDX-License-Identifier: Apache-2.0
"""Reads ``y_labels.csv``, the list of a data set's files and their true classes.

Format (mlcommons/tiny, benchmark/evaluation/datasets/README.md): one line per sample, ``file,classes,label``, and for anomaly detection
``file,classes,label,window bytes,stride bytes``. Blanks after a comma occur in upstream's own files and are accepted. The list may come
from anywhere, so nothing in it is trusted: a name must stay in its folder and every number must be one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks.table import Benchmark
from cm4tiny.errors import AssetError

_MAX_LABELS_BYTES = 16 * 1024 * 1024
_NUMBER = re.compile(r"[0-9]{1,9}")
_FORBIDDEN = re.compile(r'[/\\:"\x00-\x1f\x7f]')


@dataclass(frozen=True)
class Sample:
    """One line of ``y_labels.csv``.

    Attributes:
        file: name inside the data set's folder.
        classes: number of classes, as the line states it.
        label: true class, 0 <= label < classes.
        offset_bytes: where the first inference's input begins in the file.
        length_bytes: bytes per inference.
        stride_bytes: distance of two inferences; 0: the file holds one inference.
    """

    file: str
    classes: int
    label: int
    offset_bytes: int = 0
    length_bytes: int = 0
    stride_bytes: int = 0


def read_labels(path: Path, benchmark: Benchmark) -> tuple[Sample, ...]:
    """The samples that a ``y_labels.csv`` lists, in its order.

    Raises:
        AssetError: the file is missing, empty or not text, or a line is wrong; the text names file, line and hint.
    """
    samples: list[Sample] = []
    first_line: dict[str, int] = {}
    for number, line in enumerate(_text(path).replace("\r\n", "\n").split("\n"), start=1):
        if not line.strip():
            continue
        sample = _sample(_Place(path, number, benchmark), line)
        if sample.file in first_line:
            why = f"it is already in line {first_line[sample.file]}"
            raise _Place(path, number, benchmark).error(f"{sample.file!r} is listed twice", why)
        first_line[sample.file] = number
        samples.append(sample)
    if not samples:
        raise AssetError(f"{path} lists no samples", why="the file is empty", hint="use the y_labels.csv that belongs to the data set")
    return tuple(samples)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes() if path.stat().st_size <= _MAX_LABELS_BYTES else None
    except OSError as error:
        hint = "give the folder that holds y_labels.csv and the files it lists"
        raise AssetError(f"the list of samples {path} cannot be read", why=error.strerror or str(error), hint=hint) from error
    if data is None:
        why = f"it is larger than {_MAX_LABELS_BYTES} bytes"
        raise AssetError(f"{path} is not a list of samples", why=why, hint="give the benchmark's y_labels.csv")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AssetError(f"{path} is not text", why=str(error), hint="give the benchmark's y_labels.csv, saved as UTF-8") from error


@dataclass(frozen=True)
class _Place:
    path: Path
    line: int
    benchmark: Benchmark

    def error(self, what: str, why: str) -> AssetError:
        layout = "file,classes,label,window bytes,stride bytes" if self.benchmark.stride_bytes else "file,classes,label"
        hint = f"correct the line ({layout}) or take the list from its source again"
        return AssetError(f"{self.path}:{self.line}: {what}", why=why, hint=hint)


def _sample(place: _Place, line: str) -> Sample:
    benchmark = place.benchmark
    fields = [field.strip() for field in line.split(",")]
    wanted = 5 if benchmark.stride_bytes else 3
    if len(fields) != wanted:
        raise place.error(f"{wanted} fields expected, {len(fields)} found", f"a line of {benchmark.data_set} has {wanted} fields")
    name, classes, label = _name(place, fields[0]), _number(place, "number of classes", fields[1]), _number(place, "label", fields[2])
    if classes != benchmark.classes:
        raise place.error(f"{classes} classes", f"benchmark {benchmark.id} has {benchmark.classes} classes; is this another data set?")
    if label >= classes:
        raise place.error(f"label {label} is out of range", f"labels go from 0 to {classes - 1}")
    if not benchmark.stride_bytes:
        return Sample(name, classes, label, length_bytes=benchmark.input_bytes)
    length, stride = _number(place, "window", fields[3]), _number(place, "stride", fields[4])
    if length != benchmark.input_bytes:
        raise place.error(f"a window of {length} bytes", f"benchmark {benchmark.id} takes {benchmark.input_bytes} bytes per inference")
    if stride == 0 or stride % benchmark.input_item_bytes:
        raise place.error(f"a stride of {stride} bytes", f"a stride is a positive multiple of {benchmark.input_item_bytes} bytes")
    return Sample(name, classes, label, length_bytes=length, stride_bytes=stride)


def _name(place: _Place, name: str) -> str:
    if not name or name in (".", "..") or len(name.encode()) > 255 or _FORBIDDEN.search(name):
        why = "a sample is a file directly in the data set's folder; its name has no '/', '\\', ':', '\"' or control characters"
        raise place.error(f"{name[:80]!r} is not a file name", why)
    return name


def _number(place: _Place, what: str, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise place.error(f"the {what} is {text[:40]!r}", "a whole number of at most nine digits is expected")
    return int(text)
