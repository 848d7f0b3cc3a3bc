# SPDX-License-Identifier: Apache-2.0
"""How each data set is made from its source, on small sources that the tests make."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import official_sources as sources

from cm4tiny.benchmarks import BENCHMARKS, read_labels
from cm4tiny.benchmarks.labels import Sample
from cm4tiny.benchmarks.official import cifar10, coco96, logmel, toycar, wakeword
from cm4tiny.errors import AssetError, NotAvailableError
from cm4tiny.events import Event, EventStream, Message


def listed(tmp_path: Path, text: str, benchmark: str) -> tuple[Sample, ...]:
    path = tmp_path / "y_labels.csv"
    path.write_text(text, encoding="ascii")
    return read_labels(path, BENCHMARKS[benchmark])


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


# --- ic01 -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cifar(tmp_path: Path) -> tuple[Path, dict[bytes, Any], str, str]:
    archive, table = sources.cifar_archive(tmp_path / "cifar.tar.gz")
    return archive, table, *sources.cifar_lists(table)


@pytest.mark.parametrize("which", ["current", "old"])
def test_ic01_holds_the_listed_pictures_with_their_colours_side_by_side(
    tmp_path: Path, target: Path, cifar: tuple[Path, dict[bytes, Any], str, str], which: str
) -> None:
    archive, table, current, old = cifar
    samples = listed(tmp_path, current if which == "current" else old, "ic")
    cifar10.make(archive, samples, which, target)
    assert sorted(path.name for path in target.iterdir()) == sorted(sample.file for sample in samples)
    place = int(samples[3].file.removeprefix("thing_s_").removesuffix(".bin"))
    planes = table[b"data"][place].reshape(3, 32, 32)
    data = np.frombuffer((target / samples[3].file).read_bytes(), dtype=np.uint8).reshape(32, 32, 3)
    assert tuple(data[5, 9]) == tuple(planes[:, 5, 9]) and np.array_equal(data.transpose(2, 0, 1), planes)


def test_the_draw_of_todays_list_is_that_of_seed_8108() -> None:
    """The first places for 1000 pictures of each class in a row, computed by numpy's documented generator (get_perf_samples_idxs.py)."""
    labels = np.repeat(np.arange(10), 1000)
    places = cifar10.current_indices(labels)
    assert len(places) == len(set(places.tolist())) == 200
    assert np.bincount(labels[places]).tolist() == [20] * 10
    assert hashlib.sha256(places.astype("<i8").tobytes()).hexdigest().startswith(PLACES_SHA256)


PLACES_SHA256 = "f86be42a503fede9"


def test_a_draw_that_gives_another_list_is_told_and_names_decide(
    tmp_path: Path, target: Path, cifar: tuple[Path, dict[bytes, Any], str, str]
) -> None:
    heard: list[Event] = []
    cifar10.make(cifar[0], listed(tmp_path, cifar[3], "ic"), "current", target, EventStream(heard.append))
    assert any(isinstance(event, Message) and "default_rng(8108)" in event.text for event in heard)
    assert len(list(target.iterdir())) == 20


def test_a_list_with_another_class_than_the_batch_is_refused(
    tmp_path: Path, target: Path, cifar: tuple[Path, dict[bytes, Any], str, str]
) -> None:
    archive, _, current, _ = cifar
    wrong = current.splitlines()
    wrong[0] = f"{wrong[0].rpartition(',')[0]},{(int(wrong[0][-1]) + 1) % 10}"
    with pytest.raises(AssetError, match="does not belong to this CIFAR-10") as caught:
        cifar10.make(archive, listed(tmp_path, "\n".join(wrong), "ic"), "current", target)
    assert "the list says" in caught.value.why and "_old" in caught.value.hint


def test_a_picture_that_is_not_in_the_batch_is_named(tmp_path: Path, target: Path, cifar: tuple[Path, dict[bytes, Any], str, str]) -> None:
    with pytest.raises(AssetError, match="does not belong") as caught:
        cifar10.make(cifar[0], listed(tmp_path, "emu_s_1.bin,10,2\n", "ic"), "old", target)
    assert "emu_s_1.bin occurs 0 times" in caught.value.why


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path / 'owned'}",)

    with pytest.raises(AssetError, match="is not a batch of CIFAR-10") as caught:
        cifar10.read_batch(io.BytesIO(pickle.dumps({b"data": Evil()}, 2)))
    assert "system" in caught.value.why and not (tmp_path / "owned").exists()


@pytest.mark.parametrize("protocol", [2, 4])
def test_batches_of_old_and_new_pythons_are_read(protocol: int) -> None:
    data, table = sources.cifar_batch(protocol=protocol)
    batch = cifar10.read_batch(io.BytesIO(data))
    assert batch.names[0] == "thing_s_000000.png" and batch.labels.tolist() == table[b"labels"]


@pytest.mark.parametrize(
    "value",
    [b"", b"no pickle", pickle.dumps([1, 2]), pickle.dumps({b"data": 1}), pickle.dumps({b"data": b"x", b"filenames": [], b"labels": []})],
)
def test_what_is_no_batch_is_named(value: bytes) -> None:
    with pytest.raises(AssetError, match="is not a batch of CIFAR-10"):
        cifar10.read_batch(io.BytesIO(value))


def test_an_archive_without_a_test_batch_is_named(tmp_path: Path, target: Path) -> None:
    archive = sources.targz(tmp_path / "x.tar.gz", {"cifar-10-batches-bin/test_batch.bin": b"1"})
    with pytest.raises(AssetError, match="holds no test_batch"):
        cifar10.make(archive, (), "old", target)


# --- vww01 ------------------------------------------------------------------------------------------------------------------


def test_vww01_holds_the_decoded_pixels_of_the_listed_pictures(tmp_path: Path, target: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    archive, text = sources.coco_archive(tmp_path / "vw.tar.gz")
    coco96.make(archive, listed(tmp_path, text, "vww"), "full", target)
    assert sorted(path.name for path in target.iterdir()) == [f"{n:012d}.bin" for n in range(4)]
    data = (target / "000000000002.bin").read_bytes()
    expected = image.open(io.BytesIO(sources.jpeg((80, 175, 7)))).convert("RGB")
    assert len(data) == 27648 and data == expected.tobytes() and tuple(data[:3]) == expected.getpixel((0, 0))


def test_a_grey_picture_becomes_three_equal_colours() -> None:
    pytest.importorskip("PIL.Image", reason="needs Pillow")
    data = coco96.pixels(io.BytesIO(sources.jpeg((100, 0, 0), mode="L")), "grey.jpg")
    assert data == bytes([data[0]]) * 27648


@pytest.mark.parametrize(("data", "what"), [(b"no picture", "not a usable JPEG"), (b"", "not a usable JPEG")])
def test_a_damaged_picture_is_named(data: bytes, what: str) -> None:
    pytest.importorskip("PIL.Image", reason="needs Pillow")
    with pytest.raises(AssetError, match=what):
        coco96.pixels(io.BytesIO(data), "x.jpg")


def test_a_picture_of_another_size_is_named() -> None:
    pytest.importorskip("PIL.Image", reason="needs Pillow")
    with pytest.raises(AssetError, match="is 95 x 96"):
        coco96.pixels(io.BytesIO(sources.jpeg((1, 2, 3), (95, 96))), "x.jpg")


def test_missing_pictures_and_pictures_of_the_other_class_are_named(tmp_path: Path, target: Path) -> None:
    pytest.importorskip("PIL.Image", reason="needs Pillow")
    archive, text = sources.coco_archive(tmp_path / "vw.tar.gz")
    with pytest.raises(AssetError, match="lacks 1 of 5 pictures") as caught:
        coco96.make(archive, listed(tmp_path, text + "999999999999.bin,2,1\n", "vww"), "full", target)
    assert "999999999999.bin" in caught.value.why
    with pytest.raises(AssetError, match="of another class"):
        coco96.make(archive, listed(tmp_path, "000000000001.bin,2,0\n", "vww"), "full", tmp_path)


def test_without_pillow_the_extra_is_named(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(NotAvailableError, match="cannot be decoded") as caught:
        coco96.make(tmp_path, (), "full", target)
    assert "cm4tiny[data]" in caught.value.hint


# --- ad01 -------------------------------------------------------------------------------------------------------------------


def test_ad01_holds_200_frames_of_128_bands_of_the_test_clip_and_not_of_its_namesake(tmp_path: Path, target: Path) -> None:
    archive, text = sources.toycar_archive(tmp_path / "toy.zip")
    toycar.make(archive, listed(tmp_path, text, "ad"), "full", target)
    name = "normal_id_01_00000003_hist_librosa.bin"
    frames = np.frombuffer((target / name).read_bytes(), dtype="<f4").reshape(200, 128)
    expected = logmel.log_mel_frames(toycar.read_wave(io.BytesIO(sources.clip(1)), "clip"))
    np.testing.assert_array_equal(frames, expected)


def slow_log_mel(samples: np.ndarray, frame: int, band: int) -> float:
    """The definition, term by term: Hann window, DFT, triangle over Slaney's mel scale, decibels."""
    signal = samples.astype(np.float64) / 32768
    start = (50 + frame) * 512 - 512
    piece = signal[start : start + 1024] * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024))
    k, n = np.arange(513), np.arange(1024)
    power = np.abs(np.exp(-2j * np.pi * np.outer(k, n) / 1024) @ piece) ** 2

    def hz(mel: float) -> float:
        return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)

    top = 15 + 27 * np.log(8000 / 1000) / np.log(6.4)
    left, centre, right = (hz(top * (band + i) / 129) for i in range(3))
    bins = k * 16000 / 1024
    triangle = np.clip(np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)), 0, None)
    return float(10 * np.log10(power @ triangle * 2 / (right - left) + 2.220446049250313e-16))


@pytest.mark.parametrize(("frame", "band"), [(0, 0), (3, 14), (77, 15), (150, 60), (199, 127)])
def test_the_features_are_those_of_the_definition(frame: int, band: int) -> None:
    samples = toycar.read_wave(io.BytesIO(sources.clip(3)), "clip")
    assert logmel.log_mel_frames(samples)[frame, band] == pytest.approx(slow_log_mel(samples, frame, band), abs=1e-3)


def test_the_features_are_librosas() -> None:
    librosa = pytest.importorskip("librosa", reason="needs librosa (the oracle)")
    samples = toycar.read_wave(io.BytesIO(sources.clip(4, seconds=11.0)), "clip")
    mel = librosa.feature.melspectrogram(
        y=samples.astype(np.float32) / 32768, sr=16000, n_fft=1024, hop_length=512, n_mels=128, power=2.0, pad_mode="reflect"
    )
    expected = (10.0 * np.log10(mel + np.finfo(float).eps))[:, 50:250].T
    np.testing.assert_allclose(logmel.log_mel_frames(samples), expected, rtol=0, atol=1e-4)


def test_silence_gives_the_lowest_value_and_not_an_infinity() -> None:
    frames = logmel.log_mel_frames(np.zeros(logmel.MIN_SAMPLES, dtype=np.int16))
    assert frames.shape == (200, 128) and frames.dtype == np.float32
    assert np.all(frames == np.float32(10 * np.log10(2.220446049250313e-16)))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"rate_hz": 44100}, "44100 Hz"),
        ({"channels": 2}, "2 channel"),
        ({"width": 4}, "32 bits"),
        ({"seconds": 5.0}, "at least"),
    ],
)
def test_a_clip_of_another_form_is_named(tmp_path: Path, target: Path, options: dict[str, Any], why: str) -> None:
    (tmp_path / "dev" / "test").mkdir(parents=True)
    (tmp_path / "dev" / "test" / "normal_id_01_00000001.wav").write_bytes(sources.clip(1, **options))
    samples = listed(tmp_path, "normal_id_01_00000001_hist_librosa.bin,2,0,2560,512\n", "ad")
    with pytest.raises(AssetError, match="is not a clip of ToyCar") as caught:
        toycar.make(tmp_path / "dev", samples, "full", target)
    assert why in caught.value.why


@pytest.mark.parametrize("data", [b"", b"RIFF", sources.clip(1)[:40]])
def test_what_is_no_wave_file_is_named(data: bytes) -> None:
    with pytest.raises(AssetError, match="is not a clip"):
        toycar.read_wave(io.BytesIO(data), "x.wav")


def test_missing_recordings_are_named(tmp_path: Path, target: Path) -> None:
    archive, text = sources.toycar_archive(tmp_path / "toy.zip")
    samples = listed(tmp_path, text + "normal_id_02_00000009_hist_librosa.bin,2,0,2560,512\n", "ad")
    with pytest.raises(AssetError, match="lacks 1 of 3 recordings") as caught:
        toycar.make(archive, samples, "full", target)
    assert "normal_id_02_00000009.wav" in caught.value.why


# --- sww01 ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "[]", "{}", '[{"wav": "x"}]', '[{"wav_file": "../x.wav"}]', '[{"wav_file": ".."}]'])
def test_a_list_of_recordings_must_be_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(AssetError, match="not a list of recordings"):
        wakeword.recordings(tmp_path / "x.json")
