# SPDX-License-Identifier: Apache-2.0
"""The embedded models and samples are the files that their index names, or are not handed out."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from cm4tiny.benchmarks import BENCHMARKS, SAMPLED, embedded_data_set, embedded_index, embedded_model
from cm4tiny.benchmarks.embedded import EMBEDDED
from cm4tiny.errors import AssetError, HashMismatchError, NotAvailableError, UsageError

COUNTS = {"ad": 24, "ic": 100, "kws": 200, "vww": 80, "ic02": 100}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The embedded files without the large sets."""
    shutil.copytree(EMBEDDED, tmp_path / "embedded", ignore=shutil.ignore_patterns("vww01", "ad01", "ic01"))
    return tmp_path / "embedded"


@pytest.mark.parametrize("benchmark", SAMPLED)
def test_every_benchmark_has_an_embedded_model_and_samples(benchmark: str) -> None:
    assert embedded_model(benchmark).read_bytes()[4:8] == b"TFL3"
    data_set = embedded_data_set(benchmark)
    assert len(data_set) == COUNTS[benchmark] and data_set.benchmark is SAMPLED[benchmark]


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_every_segment_has_the_size_that_is_sent(benchmark: str) -> None:
    data_set = embedded_data_set(benchmark)
    for sample in (data_set.samples[0], data_set.samples[-1]):
        segments = list(data_set.segments(sample))
        assert {len(s) for s in segments} == {data_set.benchmark.input_bytes}
        assert len(segments) == data_set.segment_count(sample) == (64 if benchmark == "ad" else 1)


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_the_classes_of_the_embedded_samples_are_balanced(benchmark: str) -> None:
    labels = [sample.label for sample in embedded_data_set(benchmark).samples]
    counts = [labels.count(label) for label in range(BENCHMARKS[benchmark].classes)]
    assert max(counts) - min(counts) <= 1


def test_all_embedded_files_are_in_the_index_and_named_as_this_projects_own() -> None:
    shipped = {p.relative_to(EMBEDDED).as_posix() for p in EMBEDDED.glob("*/*")}
    assert shipped == set(embedded_index())
    assert all(Path(name).name.startswith("emb_") or name.endswith("/y_labels.csv") for name in shipped)


def test_every_embedded_file_has_the_digest_of_the_index() -> None:
    """Lists of labels too: accuracy rests on them."""
    wrong = [file for file, row in embedded_index().items() if hashlib.sha256((EMBEDDED / file).read_bytes()).hexdigest() != row.sha256]
    assert wrong == []


def test_the_embedded_files_stay_small() -> None:
    index = embedded_index()
    assert all((EMBEDDED / file).stat().st_size == row.bytes for file, row in index.items())
    assert sum(row.bytes for row in index.values()) <= 8_000_000


def test_an_unknown_benchmark_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        embedded_model("zzz")
    with pytest.raises(UsageError):
        embedded_data_set("zzz")


@pytest.mark.parametrize("benchmark", ["sww"])
def test_a_benchmark_without_embedded_assets_names_the_variation_that_has_them(benchmark: str) -> None:
    for get in (embedded_model, embedded_data_set):
        with pytest.raises(NotAvailableError, match=f"no embedded model or data set for {benchmark}") as caught:
            get(benchmark)
        assert "_mlcommons" in caught.value.hint


def test_a_damaged_model_is_a_hash_mismatch(copy: Path) -> None:
    path = copy / "models" / "emb_kws01_int8.tflite"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(HashMismatchError, match="emb_kws01_int8"):
        embedded_model("kws", root=copy)


def test_a_missing_model_is_an_asset_error(copy: Path) -> None:
    (copy / "models" / "emb_kws01_int8.tflite").unlink()
    with pytest.raises(AssetError, match="cannot be read"):
        embedded_model("kws", root=copy)


def test_a_model_that_the_index_does_not_name_is_an_asset_error(copy: Path) -> None:
    index = copy / "index.yaml"
    index.write_text("".join(line for line in index.read_text().splitlines(keepends=True) if "emb_kws01_int8" not in line))
    with pytest.raises(AssetError, match="no embedded model for kws"):
        embedded_model("kws", root=copy)


def test_a_damaged_sample_is_a_hash_mismatch(copy: Path) -> None:
    path = sorted((copy / "kws01").glob("*.bin"))[0]
    path.write_bytes(bytes(490))
    with pytest.raises(HashMismatchError, match=path.name):
        embedded_data_set("kws", root=copy)


@pytest.mark.parametrize("text", ["version: 1\n", "version: 1\nfiles: {../x: {sha256: a, bytes: 1}}\n", "version: 2\nfiles: {}\n", "[1, 2"])
def test_a_damaged_index_is_an_asset_error(copy: Path, text: str) -> None:
    (copy / "index.yaml").write_text(text)
    with pytest.raises(AssetError, match=r"index\.yaml"):
        embedded_index(copy)
