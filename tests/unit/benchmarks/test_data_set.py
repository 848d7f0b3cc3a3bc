# SPDX-License-Identifier: Apache-2.0
"""A data set opens only if every listed file is there, fits, and (with hashes) is the right one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cm4tiny.benchmarks import BENCHMARKS, DataSet, Sample
from cm4tiny.errors import AssetError, HashMismatchError

AD, KWS = BENCHMARKS["ad"], BENCHMARKS["kws"]


def keywords(root: Path, count: int = 3) -> dict[str, str]:
    """Write a small kws set; its table of hashes."""
    for index in range(count):
        (root / f"s{index}.bin").write_bytes(bytes([index]) * 490)
    (root / "y_labels.csv").write_text("".join(f"s{index}.bin,12,{index}\n" for index in range(count)))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.iterdir()}


def test_a_data_set_knows_its_samples_in_the_order_of_the_list(tmp_path: Path) -> None:
    keywords(tmp_path)
    data_set = DataSet.open(tmp_path, KWS)
    assert data_set.id == "kws01" and data_set.root == tmp_path and data_set.benchmark is KWS and len(data_set) == 3
    assert [s.file for s in data_set.samples] == ["s0.bin", "s1.bin", "s2.bin"]
    assert data_set.labels_sha256 == hashlib.sha256((tmp_path / "y_labels.csv").read_bytes()).hexdigest()


def test_a_sample_of_one_inference_is_one_segment(tmp_path: Path) -> None:
    keywords(tmp_path)
    data_set = DataSet.open(tmp_path, KWS)
    assert list(data_set.segments(data_set.samples[2])) == [b"\x02" * 490]
    assert data_set.segment_count(data_set.samples[2]) == 1


def test_anomaly_segments_are_sliding_windows(tmp_path: Path) -> None:
    frames = b"".join(bytes([index]) * 512 for index in range(9))
    (tmp_path / "a.bin").write_bytes(frames)
    (tmp_path / "y_labels.csv").write_text("a.bin,2,1,2560,512\n")
    data_set = DataSet.open(tmp_path, AD)
    windows = list(data_set.segments(data_set.samples[0]))
    assert len(windows) == data_set.segment_count(data_set.samples[0]) == 5
    assert windows == [frames[512 * i : 512 * i + 2560] for i in range(5)]


def test_the_official_anomaly_files_have_196_segments(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(200 * 512))
    (tmp_path / "y_labels.csv").write_text("a.bin,2,0,2560,512\n")
    data_set = DataSet.open(tmp_path, AD)
    assert data_set.segment_count(data_set.samples[0]) == 196


def test_another_list_of_the_same_folder_can_be_chosen(tmp_path: Path) -> None:
    keywords(tmp_path)
    (tmp_path / "y_labels_alt.csv").write_text("s1.bin,12,1\n")
    assert [s.file for s in DataSet.open(tmp_path, KWS, labels="y_labels_alt.csv").samples] == ["s1.bin"]


def test_missing_files_are_counted_and_named(tmp_path: Path) -> None:
    keywords(tmp_path, 6)
    for index in range(1, 6):
        (tmp_path / f"s{index}.bin").unlink()
    with pytest.raises(AssetError, match="5 of 6 files") as caught:
        DataSet.open(tmp_path, KWS)
    assert caught.value.why == "missing: s1.bin, s2.bin, s3.bin, ..." and "copy the files" in caught.value.hint


@pytest.mark.parametrize("size", [0, 489, 491, 980])
def test_a_file_of_a_wrong_size_is_refused(tmp_path: Path, size: int) -> None:
    keywords(tmp_path)
    (tmp_path / "s1.bin").write_bytes(bytes(size))
    with pytest.raises(AssetError, match=r"s1\.bin has a wrong size") as caught:
        DataSet.open(tmp_path, KWS)
    assert f"it has {size} bytes, 490 are expected" in caught.value.why


@pytest.mark.parametrize("size", [0, 2559, 2561, 3000])
def test_an_anomaly_file_that_is_no_whole_number_of_windows_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(size))
    (tmp_path / "y_labels.csv").write_text("a.bin,2,1,2560,512\n")
    with pytest.raises(AssetError, match="wrong size") as caught:
        DataSet.open(tmp_path, AD)
    assert "2560 plus a multiple of 512" in caught.value.why


def test_files_that_match_their_hashes_are_accepted(tmp_path: Path) -> None:
    hashes = keywords(tmp_path)
    data_set = DataSet.open(tmp_path, KWS, hashes={name: value.upper() for name, value in hashes.items()})
    assert len(list(data_set.segments(data_set.samples[0]))) == 1


@pytest.mark.parametrize("changed", ["s1.bin", "y_labels.csv"])
def test_a_changed_file_is_a_hash_mismatch(tmp_path: Path, changed: str) -> None:
    hashes = keywords(tmp_path)
    data = bytearray((tmp_path / changed).read_bytes())
    data[-1] ^= 1
    (tmp_path / changed).write_bytes(data)
    with pytest.raises(HashMismatchError, match=changed) as caught:
        DataSet.open(tmp_path, KWS, hashes=hashes)
    assert hashes[changed] in caught.value.why and caught.value.hint


def test_a_file_without_a_hash_is_refused(tmp_path: Path) -> None:
    hashes = keywords(tmp_path)
    del hashes["s2.bin"]
    with pytest.raises(AssetError, match=r"s2\.bin is in no table of hashes"):
        DataSet.open(tmp_path, KWS, hashes=hashes)


def test_a_missing_list_is_an_asset_error_with_hashes_too(tmp_path: Path) -> None:
    hashes = keywords(tmp_path)
    (tmp_path / "y_labels.csv").unlink()
    with pytest.raises(AssetError, match=r"y_labels\.csv cannot be read"):
        DataSet.open(tmp_path, KWS, hashes=hashes)


def test_a_sample_that_changes_after_opening_is_noticed(tmp_path: Path) -> None:
    hashes = keywords(tmp_path)
    data_set = DataSet.open(tmp_path, KWS, hashes=hashes)
    (tmp_path / "s0.bin").write_bytes(b"\x55" * 490)
    with pytest.raises(HashMismatchError):
        next(data_set.segments(data_set.samples[0]))
    (tmp_path / "s0.bin").write_bytes(b"\x55" * 10)
    with pytest.raises(AssetError, match="wrong size"):
        next(data_set.segments(data_set.samples[0]))
    (tmp_path / "s0.bin").unlink()
    with pytest.raises(AssetError, match="cannot be read"):
        next(data_set.segments(data_set.samples[0]))
    with pytest.raises(AssetError, match="cannot be read"):
        data_set.segment_count(data_set.samples[0])


def test_an_offset_moves_the_first_inference(tmp_path: Path) -> None:
    keywords(tmp_path)
    data_set = DataSet.open(tmp_path, KWS)
    (tmp_path / "s0.bin").write_bytes(bytes(10) + b"\x07" * 490)
    assert list(data_set.segments(Sample("s0.bin", 12, 0, offset_bytes=10, length_bytes=490))) == [b"\x07" * 490]
