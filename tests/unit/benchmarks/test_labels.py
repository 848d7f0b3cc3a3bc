# SPDX-License-Identifier: Apache-2.0
"""y_labels.csv comes from anywhere: whatever is wrong with it is refused with file, line and hint, and nothing in it leaves its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm4tiny.benchmarks import BENCHMARKS, Benchmark, Sample, read_labels
from cm4tiny.errors import AssetError

AD, KWS, VWW = BENCHMARKS["ad"], BENCHMARKS["kws"], BENCHMARKS["vww"]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return tmp_path / "y_labels.csv"


def test_a_line_becomes_a_sample(labels: Path) -> None:
    labels.write_text("tst_000000_Stop_7.bin,12,7\ntst_000001_Left_2.bin,12,2\n")
    first, second = read_labels(labels, KWS)
    assert first == Sample("tst_000000_Stop_7.bin", 12, 7, offset_bytes=0, length_bytes=490, stride_bytes=0)
    assert second.label == 2


def test_an_anomaly_line_has_window_and_stride(labels: Path) -> None:
    labels.write_text("normal_id_01_00000003_hist_librosa.bin,2,0,2560,512\n")
    assert read_labels(labels, AD) == (Sample("normal_id_01_00000003_hist_librosa.bin", 2, 0, 0, 2560, 512),)


@pytest.mark.parametrize(
    "text",
    [
        "a.bin, 12, 7\nb.bin, 12, 1\n",
        "a.bin,12,7\r\nb.bin,12,1\r\n",
        "\ufeffa.bin,12,7\nb.bin,12,1",
        "\na.bin,12,7\n\nb.bin,12,1\n\n",
    ],
)
def test_blanks_line_ends_and_byte_order_marks_of_real_files_are_accepted(labels: Path, text: str) -> None:
    labels.write_bytes(text.encode())
    assert [(s.file, s.label) for s in read_labels(labels, KWS)] == [("a.bin", 7), ("b.bin", 1)]


@pytest.mark.parametrize(
    "name",
    ["../a.bin", "..", ".", "", "/etc/passwd", "sub/a.bin", "..\\a.bin", "C:a.bin", 'a".bin', "a\tb.bin", "a\x00.bin", "\x1b[m", "x" * 256],
)
def test_a_name_that_leaves_the_folder_or_is_no_name_is_refused(labels: Path, name: str) -> None:
    labels.write_bytes(f"good.bin,12,0\n{name},12,7\n".encode())
    with pytest.raises(AssetError, match=r"y_labels\.csv:2: .* is not a file name") as caught:
        read_labels(labels, KWS)
    assert "directly in the data set's folder" in caught.value.why and caught.value.hint


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a.bin,12", "3 fields expected, 2 found"),
        ("a.bin,12,7,0", "3 fields expected, 4 found"),
        ("a.bin,twelve,7", "number of classes is 'twelve'"),
        ("a.bin,12,seven", "label is 'seven'"),
        ("a.bin,12,7.0", "label is '7.0'"),
        ("a.bin,12,-1", "label is '-1'"),
        ("a.bin,12,0x7", "label is '0x7'"),
        ("a.bin,12,7_0", "label is '7_0'"),
        ("a.bin,12,\u0667", "label is '\u0667'"),
        ("a.bin,12," + "9" * 5000, "label is '9999"),
        ("a.bin,12,", "label is ''"),
        ("a.bin,12,12", "label 12 is out of range"),
        ("a.bin,10,7", "10 classes"),
        ("a.bin,0,0", "0 classes"),
        ("good.bin,12,7", "'good.bin' is listed twice"),
    ],
)
def test_a_wrong_line_is_refused_with_file_and_line(labels: Path, line: str, expected: str) -> None:
    labels.write_bytes(f"good.bin,12,0\n\n{line}\n".encode())
    with pytest.raises(AssetError) as caught:
        read_labels(labels, KWS)
    assert caught.value.what.startswith(f"{labels}:3: ") and expected in caught.value.what
    assert caught.value.why and "file,classes,label" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a.bin,2,1", "5 fields expected, 3 found"),
        ("a.bin,2,1,2048,512", "a window of 2048 bytes"),
        ("a.bin,2,1,2560,0", "a stride of 0 bytes"),
        ("a.bin,2,1,2560,511", "a stride of 511 bytes"),
        ("a.bin,2,1,2560,-512", "the stride is '-512'"),
    ],
)
def test_a_wrong_anomaly_line_is_refused(labels: Path, line: str, expected: str) -> None:
    labels.write_text(line + "\n")
    with pytest.raises(AssetError) as caught:
        read_labels(labels, AD)
    assert expected in caught.value.what and "window bytes,stride bytes" in caught.value.hint


def test_an_empty_list_is_refused(labels: Path) -> None:
    labels.write_text("\n\n")
    with pytest.raises(AssetError, match="lists no samples"):
        read_labels(labels, KWS)


def test_a_missing_list_is_refused(labels: Path) -> None:
    with pytest.raises(AssetError, match="cannot be read") as caught:
        read_labels(labels, KWS)
    assert "y_labels.csv" in caught.value.hint


def test_a_folder_in_place_of_the_list_is_refused(labels: Path) -> None:
    labels.mkdir()
    with pytest.raises(AssetError, match="cannot be read"):
        read_labels(labels, KWS)


def test_a_binary_in_place_of_the_list_is_refused(labels: Path) -> None:
    labels.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(AssetError, match="is not text"):
        read_labels(labels, KWS)


def test_a_huge_list_is_refused_unread(labels: Path) -> None:
    with labels.open("wb") as file:
        file.truncate(17 * 1024 * 1024)
    with pytest.raises(AssetError, match="not a list of samples"):
        read_labels(labels, KWS)


@given(data=st.binary(max_size=200), benchmark=st.sampled_from(list(BENCHMARKS.values())))
def test_any_bytes_give_samples_inside_the_folder_or_an_asset_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, benchmark: Benchmark
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(data)
    try:
        samples = read_labels(path, benchmark)
    except AssetError:
        return
    assert all((path.parent / s.file).resolve().parent == path.parent.resolve() and 0 <= s.label < benchmark.classes for s in samples)
