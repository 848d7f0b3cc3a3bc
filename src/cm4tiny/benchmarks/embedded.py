# SPDX-License-Identifier: Apache-2.0
"""The models and samples that are part of this package, so that every benchmark runs without a download.

They were made by this project (``tools/assets``, docs/embedded-assets.md) and are not MLPerf's: same topologies and formats, other data
and other weights. ``embedded/index.yaml`` names the bytes of every file; nothing is handed out that differs from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks.data_set import DataSet, check_hash
from cm4tiny.benchmarks.table import ALL_BENCHMARKS, Benchmark, get_benchmark
from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import AssetError, NotAvailableError

_HERE = Path(__file__).resolve().parent
EMBEDDED = _HERE / "embedded"


@dataclass(frozen=True)
class EmbeddedFile:
    """A row of the index: path relative to the folder of the embedded files, sha256 in hex, size in bytes."""

    file: str
    sha256: str
    bytes: int


def embedded_index(root: Path = EMBEDDED) -> Mapping[str, EmbeddedFile]:
    """The index of the embedded files by relative path.

    Raises:
        AssetError: the index is missing or breaks its schema.
    """
    table = load_table(root / "index.yaml", _HERE / "index.schema.json")
    return {file: EmbeddedFile(file, row["sha256"], row["bytes"]) for file, row in table["files"].items()}


def embedded_model(benchmark_id: str, *, root: Path = EMBEDDED) -> Path:
    """The embedded int8 ``.tflite`` of a benchmark, after its bytes were compared with the index.

    Raises:
        UsageError: the benchmark does not exist.
        NotAvailableError: this project has made none for it.
        AssetError, HashMismatchError: the file is missing or not the one that the index names.
    """
    file = f"models/emb_{_embedded(benchmark_id).model_id}_int8.tflite"
    index = embedded_index(root)
    if file not in index:
        why = f"{root / 'index.yaml'} does not name {file}"
        raise AssetError(f"there is no embedded model for {benchmark_id}", why=why, hint="reinstall the package")
    check_hash(root / file, index[file].sha256)
    return root / file


def embedded_data_set(benchmark_id: str, *, root: Path = EMBEDDED) -> DataSet:
    """The embedded samples of a benchmark, after the bytes of every file were compared with the index.

    Raises:
        UsageError: the benchmark does not exist.
        NotAvailableError: this project has made none for it.
        AssetError, HashMismatchError: a file is missing or not the one that the index names.
    """
    benchmark = _embedded(benchmark_id)
    prefix = f"{benchmark.data_set}/"
    hashes = {file.removeprefix(prefix): row.sha256 for file, row in embedded_index(root).items() if file.startswith(prefix)}
    return DataSet.open(root / benchmark.data_set, benchmark, hashes=hashes)


def _embedded(benchmark_id: str) -> Benchmark:
    benchmark = get_benchmark(benchmark_id)
    if not benchmark.embedded:
        raise NotAvailableError(
            f"there is no embedded model or data set for {benchmark_id}",
            why=f"this project has made its own for {', '.join(key for key, row in ALL_BENCHMARKS.items() if row.embedded)} only",
            hint="use MLPerf Tiny's own: add _mlcommons to the tags",
        )
    return benchmark
