# SPDX-License-Identifier: Apache-2.0
"""What a prediction says, in each of its forms: with labels, errors and reasons, and whatever a model file calls its parts."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
from support.predictions import prediction

from cm4tiny.benchmarks.own import model_name, own_model
from cm4tiny.errors import ResultsError
from cm4tiny.prediction.engines import with_error
from cm4tiny.prediction.page import page
from cm4tiny.prediction.places import benchmark_macs, nearest
from cm4tiny.prediction.predict import check, write
from cm4tiny.prediction.text import interval, markdown, number, text
from cm4tiny.results.conditions import NOT_MLPERF, model_errors


@pytest.mark.parametrize("form", [text, markdown, page])
def test_every_form_has_the_labels_the_error_and_the_reason_of_a_missing_row(form: object) -> None:
    shown = " ".join(form(prediction()).split())  # type: ignore[operator]
    assert prediction()["labels"]["text"] in shown and NOT_MLPERF in shown and "simulated" in shown
    assert "8.00 (7.55 to 8.66)" in shown and "21.0 (19.8 to 22.7)" in shown
    assert "sources are not available" in shown and "no network" in shown
    assert "STMicroelectronics v1.2" in shown and "does not fit" in shown


def test_the_interval_is_the_model_error_of_unseen_code_turned_to_the_boards_side() -> None:
    stated = model_errors()["throughput"]
    low, high = stated["lowest_pct"] / 100, stated["highest_pct"] / 100
    time, rate = with_error(10.0, "throughput"), with_error(10.0, "throughput", rate=True)
    assert time == pytest.approx({"value": 10.0, "lowest": 10 * (1 + low), "highest": 10 * (1 + high)})
    assert rate["lowest"] / (1 / time["highest"]) == pytest.approx(100)
    assert rate["highest"] == pytest.approx(10 / (1 + low))


def test_texts_of_a_file_neither_end_a_cell_nor_begin_a_tag() -> None:
    assert "<b>" not in page(prediction()) and "&lt;b&gt;wake" in page(prediction())
    assert "<too>" not in page(prediction()) and "<too>" not in markdown(prediction())
    assert "src=" not in page(prediction()) and "<script" not in page(prediction()) and "url(" not in page(prediction())


def test_a_narrow_terminal_gets_fewer_columns_and_no_longer_lines() -> None:
    for width in (60, 80, 100):
        assert max(map(len, text(prediction(), width).splitlines())) <= max(width, 76)
    assert "flash B" in text(prediction(), 120)


def test_what_breaks_the_schema_is_not_written(tmp_path: Path) -> None:
    check(prediction())
    for path, value in ((("engines", 0, "cycles"), None), (("labels", "figures"), "measured"), (("model", "name"), "a b")):
        wrong = copy.deepcopy(prediction())
        place = wrong
        for key in path[:-1]:
            place = place[key]  # type: ignore[index]
        place[path[-1]] = value
        with pytest.raises(ResultsError, match="breaks its schema"):
            write(wrong, tmp_path / "out", {})
    assert not (tmp_path / "out").exists()
    write(prediction(), tmp_path / "out", {"md": "text\n"})
    assert json.loads((tmp_path / "out" / "prediction.json").read_text(encoding="utf-8")) == prediction()


def test_nearest_means_the_ratio_of_the_macs() -> None:
    sizes = benchmark_macs()
    assert sizes["ad"] < sizes["kws"] < sizes["vww"] < sizes["ic"]
    assert nearest(sizes["kws"])[0]["benchmark"] == "kws"
    assert [row["benchmark"] for row in nearest(10**9)] == ["ic", "vww", "kws", "ad"]
    assert all(row["published"] for row in nearest(1000)) and nearest(0) == []


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("models/My model (v2).tflite", "My_model_v2"),
        ("kws01.tflite", "own-kws01"),
        ("KWS.tflite", "own-KWS"),
        ("ünïcode.tflite", "n_code"),
        ("..tflite", "model"),
        ("%]m-ready.tflite", "m-ready"),
        (f"{'x' * 90}.tflite", "x" * 40),
        ("", "model"),
    ],
)
def test_the_name_of_a_model_is_that_of_its_file_and_of_no_benchmark(file: str, name: str) -> None:
    assert model_name(file) == name
    assert re.fullmatch(r"[\w.+-]{1,48}", model_name(file), re.ASCII)
    assert own_model(model_name(file), (1, 2, 3), (1, 4)).input_bytes == 6


def test_figures_have_three_digits() -> None:
    assert [number(value) for value in (None, 0.0123456, 1.23456, 12.3456, 123456.7)] == ["-", "0.0123", "1.23", "12.3", "123,457"]
    assert interval(None) == "-"
