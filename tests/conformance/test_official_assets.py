# SPDX-License-Identifier: Apache-2.0
"""MLPerf Tiny's own files in ``../shared/mirror``: everything that the table names and the mirror has is what the table says."""

from __future__ import annotations

import csv
import json
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.report_files import read_report

from cm4tiny.benchmarks import ALL_BENCHMARKS, get_benchmark, read_labels
from cm4tiny.benchmarks.assets import AssetSource, data_set, model_file, streaming_set
from cm4tiny.benchmarks.official.cifar10 import current_indices
from cm4tiny.benchmarks.official.table import official_table
from cm4tiny.fetch import Fetcher, Mirror
from cm4tiny.firmware.reference import reference_run

Cm = Callable[..., object]
TABLE = official_table()


@pytest.fixture
def source(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AssetSource:
    """The mirror, an empty cache, no network."""
    if not (shared / "mirror" / "index.tsv").is_file():
        pytest.skip("needs ../shared/mirror")
    monkeypatch.setenv("CM_TINY_OFFLINE", "yes")
    return AssetSource(mirror=str(shared / "mirror"), root=tmp_path)


def test_the_mirrors_rows_of_pinned_files_agree_with_the_table(source: AssetSource) -> None:
    mirror = Mirror(Path(source.mirror))
    items = [TABLE.item(key) for key in TABLE._table["files"]] + TABLE.folder("kws01-features")
    found = [(item, mirror.find(item.urls)) for item in items]
    rows = [(item, row) for item, row in found if row is not None]
    assert len(rows) >= 1021
    assert [(row.sha256, row.bytes) for _, row in rows] == [(item.digest.value, item.bytes) for item, _ in rows]


@pytest.mark.parametrize("benchmark", ALL_BENCHMARKS)
def test_official_models_have_the_tables_shapes(source: AssetSource, benchmark: str) -> None:
    runtime = pytest.importorskip("tflite_runtime.interpreter", reason="needs tflite-runtime (Python up to 3.11)")
    row = get_benchmark(benchmark)
    interpreter = runtime.Interpreter(str(model_file(benchmark, "mlcommons", source=source)))
    assert tuple(interpreter.get_input_details()[0]["shape"]) == row.model_input_shape
    assert tuple(interpreter.get_output_details()[0]["shape"]) == row.model_output_shape
    assert interpreter.get_input_details()[0]["dtype"] is np.int8


@pytest.mark.parametrize("benchmark", ["ad", "ic", "ic02", "kws", "vww"])
def test_official_float_models_are_there(source: AssetSource, benchmark: str) -> None:
    assert model_file(benchmark, "mlcommons", precision="float", source=source).read_bytes()[4:8] == b"TFL3"


def test_kws01_is_whole_without_a_network(source: AssetSource) -> None:
    samples = data_set("kws", "mlcommons", source=source)
    assert len(samples) == 1000
    assert all(sample.file.endswith(f"_{sample.label}.bin") for sample in samples.samples)


def test_sww01_has_the_short_test(source: AssetSource) -> None:
    folder = streaming_set(source=source)
    (test,) = json.loads((folder / "sww_short_test.json").read_text(encoding="utf-8"))
    with wave.open(str(folder / test["wav_file"])) as recording:
        assert (recording.getframerate(), recording.getnframes()) == (16000, 16000 * test["length_sec"])


@pytest.mark.parametrize(
    ("file_id", "benchmark", "count"), [("ad01-list", "ad", 248), ("ad01-list-alt", "ad", 72), ("vww01-list", "vww", 1000)]
)
def test_the_lists_are_read(source: AssetSource, file_id: str, benchmark: str, count: int) -> None:
    path = Fetcher(Mirror(Path(source.mirror)), offline=True).get(TABLE.item(file_id))
    assert len(read_labels(path, get_benchmark(benchmark))) == count


def test_the_draw_by_seed_8108_gives_the_classes_of_the_official_list_of_ic01_in_its_order(source: AssetSource) -> None:
    fetcher = Fetcher(Mirror(Path(source.mirror)), offline=True)
    labels = [int(row[2]) for row in csv.reader(fetcher.get(TABLE.item("ic01-list")).read_text(encoding="ascii").splitlines())]
    batch = np.repeat(np.arange(10), 1000)  # CIFAR-10's test batch has 1000 of each class; the draw sees only their order within a class
    assert batch[current_indices(batch)].tolist() == labels


def test_the_draws_ranks_are_those_of_the_published_indices(shared: Path) -> None:
    """``perf_samples_idxs.npy`` holds the places in the real test batch: within a class they must rise as the drawn ranks do."""
    indices = np.load(next(shared.glob("mirror/**/perf_samples_idxs.npy")))
    batch = np.repeat(np.arange(10), 1000)
    drawn = current_indices(batch)
    for label in range(10):
        mine = batch[drawn] == label
        assert np.array_equal(np.argsort(drawn[mine]), np.argsort(indices[mine]))


def test_the_official_kws_model_reaches_0_901_on_kws01_on_this_machine(source: AssetSource) -> None:
    samples = data_set("kws", "mlcommons", source=source)
    model = model_file("kws", "mlcommons", source=source).read_bytes()
    inputs = np.concatenate([np.frombuffer(next(samples.segments(s)), dtype=np.int8).reshape(1, 49, 10, 1) for s in samples.samples])
    outputs = reference_run(model, inputs).reshape(1000, 12)
    assert np.mean(outputs.argmax(axis=1) == [sample.label for sample in samples.samples]) == pytest.approx(0.901)


@pytest.mark.long
def test_the_job_with_mlcommons_models_and_data_works_from_the_mirror_alone(shared: Path, cm: Cm, tmp_path: Path) -> None:
    done = cm(
        "run",
        "script",
        "--tags=reproduce,mlperf,tiny,_mlcommons,_kws",
        f"--mirror={shared / 'mirror'}",
        f"--outdirname={tmp_path / 'out'}",
        env={"CM_TINY_OFFLINE": "yes"},
    )
    assert done.returncode == 0, done.stdout + done.stderr  # type: ignore[attr-defined]
    report = read_report(tmp_path / "out" / "report.json")
    by_mode = {entry["mode"]: entry for entry in report["results"]}
    assert report["assets"] == "mlcommons" and "embedded" not in report["notice"]
    assert by_mode["accuracy"]["value"] == pytest.approx(90.1) and by_mode["accuracy"]["samples"] == 1000
    assert by_mode["accuracy"]["quality_target_met"] and not by_mode["performance"]["broken_rules"]
