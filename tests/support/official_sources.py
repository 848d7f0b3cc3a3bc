# SPDX-License-Identifier: Apache-2.0
"""Small stand-ins for the archives that MLPerf Tiny's data sets are made from, and a table that names them. Nothing official is in them."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cm4tiny.benchmarks.official.cifar10 import current_indices
from cm4tiny.benchmarks.official.table import OfficialTable, official_table

PICTURES = 40
"""Of each class in the small test batch."""


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def targz(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def cifar_batch(seed: int = 5, *, protocol: int = 2) -> tuple[bytes, dict[bytes, Any]]:
    """A pickled test batch with ``PICTURES`` random pictures of each class, in mixed order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(10), PICTURES))
    table = {
        b"batch_label": b"testing batch 1 of 1",
        b"labels": [int(label) for label in labels],
        b"data": rng.integers(0, 256, (len(labels), 3072), dtype=np.uint8),
        b"filenames": [f"thing_s_{place:06d}.png".encode() for place in range(len(labels))],
    }
    return pickle.dumps(table, protocol), table


def cifar_archive(path: Path) -> tuple[Path, dict[bytes, Any]]:
    batch, table = cifar_batch()
    return targz(path, {"cifar-10-batches-py/data_batch_1": b"other", "cifar-10-batches-py/test_batch": batch}), table


def cifar_lists(table: dict[bytes, Any]) -> tuple[str, str]:
    """Today's list and an old one for the small batch."""
    labels = np.array(table[b"labels"])

    def line(place: int) -> str:
        return f"{table[b'filenames'][place].decode()[:-3]}bin,10,{labels[place]}\n"

    return "".join(line(place) for place in current_indices(labels)), "".join(line(place) for place in range(7, 27))


def jpeg(colour: tuple[int, int, int], size: tuple[int, int] = (96, 96), mode: str = "RGB") -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.new(mode, size, colour if mode == "RGB" else colour[0]).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def coco_archive(path: Path, count: int = 6) -> tuple[Path, str]:
    """An archive of one-coloured pictures, half of them with a "person", and a list of all but the last two."""
    files, lines = {}, []
    for number in range(count):
        folder = ("non_person", "person")[number % 2]
        files[f"vw_coco2014_96/{folder}/COCO_val2014_{number:012d}.jpg"] = jpeg((40 * number, 255 - 40 * number, 7))
        lines.append(f"{number:012d}.bin,2,{number % 2}\n")
    return targz(path, files), "".join(lines[:-2])


def clip(seed: int, *, seconds: float = 8.2, rate_hz: int = 16_000, channels: int = 1, width: int = 2) -> bytes:
    stream = io.BytesIO()
    rng = np.random.default_rng(seed)
    count = int(seconds * rate_hz)
    tone = 6000 * np.sin(2 * np.pi * (200 + 50 * seed) * np.arange(count) / rate_hz) + rng.normal(0, 800, count)
    with wave.open(stream, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        file.writeframes(np.repeat(tone.astype("<i2"), channels).tobytes() * (width // 2 if width > 1 else 1))
    return stream.getvalue()


def toycar_archive(path: Path) -> tuple[Path, str]:
    """Two clips in the test folder, and others of the same names in the training folder."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ToyCar/train/normal_id_01_00000003.wav", clip(9))
        archive.writestr("ToyCar/test/normal_id_01_00000003.wav", clip(1))
        archive.writestr("ToyCar/test/anomaly_id_01_00000007.wav", clip(2))
    names = ("normal_id_01_00000003", "anomaly_id_01_00000007")
    return path, "".join(f"{name}_hist_librosa.bin,2,{label},2560,512\n" for label, name in enumerate(names))


class SmallWorld:
    """A folder with small sources, a local mirror that serves them, and a table that names them by their digests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = root / "mirror" / "files"
        self.files.mkdir(parents=True)
        self._rows: list[str] = []
        self.table_text: dict[str, Any] = yaml.safe_load(official_table().path.read_text(encoding="utf-8"))

    def put(self, file_id: str, path: Path) -> None:
        """Makes ``path`` the table's file ``file_id`` and puts it into the mirror."""
        url = f"https://example.invalid/{path.name}-{file_id}"
        row = {"urls": [url], "name": path.name, "sha256": sha256(path), "bytes": path.stat().st_size}
        self.table_text["files"][file_id] = {**row, "terms": self.table_text["files"][file_id]["terms"]}
        copy = self.files / file_id
        copy.write_bytes(path.read_bytes())
        self._rows.append(f"{url}\t{row['sha256']}\t{row['bytes']}\tfiles/{file_id}")
        self._index()

    def put_text(self, file_id: str, text: str, name: str = "y_labels.csv") -> None:
        path = self.root / f"{file_id}-{name}"
        path.write_text(text, encoding="ascii")
        self.put(file_id, path)

    def take_away(self, file_id: str) -> None:
        (self.files / file_id).unlink()
        self._rows = [row for row in self._rows if not row.endswith(f"files/{file_id}")]
        self._index()

    def _index(self) -> None:
        (self.root / "mirror" / "index.tsv").write_text("\n".join(["url\tsha256\tbytes\tpath", *self._rows]) + "\n", encoding="utf-8")

    def table(self) -> OfficialTable:
        """The table as it is now, written next to the package's own schema and lists."""
        folder = self.root / "table"
        folder.mkdir(exist_ok=True)
        path = folder / "official.yaml"
        path.write_text(yaml.safe_dump(self.table_text, sort_keys=False), encoding="utf-8")
        return OfficialTable(path)
