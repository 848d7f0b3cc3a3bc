# SPDX-License-Identifier: Apache-2.0
"""The table of published images, published logs, and what the step's env means."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cm4tiny.boards.boards import find_board
from cm4tiny.cm import Step
from cm4tiny.errors import AssetError, Cm4TinyError, HashMismatchError, ResultsError, UsageError
from cm4tiny.events import SILENT
from cm4tiny.images.logs import as_printed, published_outputs
from cm4tiny.images.run import ImageRun, compare_outputs, image_conditions
from cm4tiny.images.table import all_images, images_of, published_images
from cm4tiny.results.conditions import is_variant
from cm4tiny.workflows.run_mlperf_tiny_image import RunImageOptions, image_run


def test_the_table_holds_28_images_and_17_published_results() -> None:
    images = published_images()
    assert len(images) == 28
    assert Counter(image.mode for image in images) == {"performance": 18, "energy": 10}
    with_result = [image for image in images if image.result() is not None]
    assert len(with_result) == 17
    assert all(image.result().benchmark == image.benchmark for image in with_result)  # type: ignore[union-attr]
    assert [image.id for image in images if image.accuracy_log] == ["bosch-v1.1-kws", "bosch-v1.2-kws", "st-v1.2-kws", "st-v1.3-kws"]


def test_images_of_another_board_name_it_and_are_not_among_those_of_this_one() -> None:
    others = [image for image in all_images() if image not in published_images()]
    assert Counter(image.board for image in others) == {
        "nucleo-u575zi-q": 28,
        "nucleo-h7a3zi-q": 23,
        "disco-f746ng": 9,
        "nucleo-g0b1re": 8,
    }
    for chip, board, uarts in (
        ("u575", "nucleo-u575zi-q", {"LPUART1"}),
        ("h7a3", "nucleo-h7a3zi-q", {"USART1"}),
        ("f746", "disco-f746ng", set()),
        ("g0b1", "nucleo-g0b1re", set()),
    ):
        of_chip = [image for image in others if image.board == board]
        assert all(chip.upper() in image.file and f"-{chip}" in image.set for image in of_chip)
        assert {image.uart for image in of_chip if image.mode == "energy"} == uarts
    assert [image.id for image in others if image.accuracy_log] == [
        "bosch-v1.1-u575-kws",
        "bosch-v1.2-u575-kws",
        "st-v1.2-u575-kws",
        "st-v1.3-u575-kws",
        "bosch-v1.1-h7a3-kws",
        "bosch-v1.2-h7a3-kws",
        "st-v1.2-h7a3-kws",
        "bosch-v1.1-f746-kws",
        "bosch-v1.2-f746-kws",
        "bosch-v1.1-g0b1-kws",
        "bosch-v1.2-g0b1-kws",
    ]
    assert all(is_variant(find_board(image.board).name, image.result().board) for image in others if image.published)  # type: ignore[union-attr]


def test_every_key_of_a_result_is_in_the_table_of_results() -> None:
    assert all(image.result() is not None for image in all_images() if image.published)


def test_images_are_chosen_by_set_benchmark_and_mode() -> None:
    assert [image.id for image in images_of("st-v1.2")] == ["st-v1.2-ad", "st-v1.2-ic", "st-v1.2-kws", "st-v1.2-vww"]
    assert [image.id for image in images_of("st-v1.3", benchmark="sww", mode="energy")] == ["st-v1.3-sww-energy"]
    with pytest.raises(UsageError, match="no image of kws") as caught:
        images_of("bosch-v1.2-max", benchmark="kws")
    assert "ad (performance)" in caught.value.why
    with pytest.raises(UsageError, match="no set of images") as caught:
        images_of("bosh-v1.2")
    assert "bosch-v1.2" in caught.value.hint


def test_an_image_is_found_by_path_and_checked_by_hash(tmp_path: Path) -> None:
    image = images_of("bosch-v1.1", benchmark="kws")[0]
    with pytest.raises(AssetError, match="is not in") as caught:
        image.locate(tmp_path)
    assert "get,mlperf,tiny,published-images,_bosch-v1.1" in caught.value.hint
    path = tmp_path / image.file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else")
    with pytest.raises(HashMismatchError, match="not the published image") as wrong:
        image.locate(tmp_path)
    assert image.sha256 in wrong.value.why
    mine = replace(image, sha256="2b1b7e7e6d6c4f3e0f2e3b9fd35e7a3f4f7f4b2c7c6f1d0a9b8c7d6e5f4a3b2c")
    with pytest.raises(HashMismatchError):
        mine.locate(tmp_path)


def test_outputs_are_read_from_both_kinds_of_log(tmp_path: Path) -> None:
    text = tmp_path / "log.txt"
    text.write_text("00309.2 dut: m-results-[0.000,0.996,0.004]\n00310.1 dut: m-ready\n00311.2 dut: m-results-[1.000,0.000,0.000]\n")
    assert published_outputs(text) == ("0.000,0.996,0.004", "1.000,0.000,0.000")
    numbers = tmp_path / "results.json"
    numbers.write_text(json.dumps([{"infer": {"results": [0.0, 0.996, 0.004]}}]))
    assert published_outputs(numbers) == ("0.000,0.996,0.004",)
    assert as_printed((0.1, 2.0)) == "0.100,2.000"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [("log.txt", "nothing", "holds no results"), ("results.json", "{", "is damaged"), ("x.json", "[{}]", "is damaged")],
)
def test_a_log_without_results_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ResultsError, match=message):
        published_outputs(tmp_path / name)
    with pytest.raises(ResultsError, match="cannot be read"):
        published_outputs(tmp_path / "missing.txt")


def test_outputs_are_compared_string_by_string(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps([{"infer": {"results": [0.0, 1.0]}}, {"infer": {"results": [0.5, 0.501]}}]))
    log = tmp_path / "log.txt"
    log.write_text("m-results-[0.000,1.000]\nm-results-[0.500,0.500]\n")
    assert compare_outputs(tmp_path, log) == (1, 2)
    log.write_text("m-results-[0.000,1.000]\n")
    with pytest.raises(Cm4TinyError, match="2 inputs were run, the published run has 1"):
        compare_outputs(tmp_path, log)


# --- the step's env -----------------------------------------------------------------------------------------------------------------


def read(env: dict[str, str]) -> ImageRun:
    step = Step(env, SILENT, Path.cwd())
    return image_run(step.options(RunImageOptions), step)


def test_a_file_of_the_users_needs_nothing_else(tmp_path: Path) -> None:
    run = read({"CM_TINY_IMAGE_FILE": str(tmp_path / "mine.hex"), "CM_TINY_IMAGE_BAUD": "115200", "CM_TINY_IMAGE_MODE": "boot"})
    assert run.images == (("mine", tmp_path / "mine.hex", None),)
    assert (run.mode, run.baud, run.jobs) == ("boot", 115200, 1)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({}, "not clear which image"),
        ({"CM_TINY_IMAGE_FILE": "a.bin", "CM_TINY_IMAGE_SET": "st-v1.2"}, "not clear which image"),
        ({"CM_TINY_IMAGE_FILE": "a.bin", "CM_TINY_IMAGE_MODE": "performence"}, "no mode 'performence'"),
        ({"CM_TINY_IMAGE_FILE": "a.bin", "CM_TINY_IMAGE_BAUD": "fast"}, "--baud=fast is not a number"),
        ({"CM_TINY_IMAGE_FILE": "a.bin", "CM_TINY_JOBS": "0"}, "--jobs=0 is not a number"),
        ({"CM_TINY_IMAGE_FILE": "a.bin", "CM_TINY_IMAGE_DATASET": "x"}, "belongs to one benchmark"),
        ({"CM_TINY_IMAGE_SET": "st-v1.2"}, "repository of round v1.2 is not there"),
    ],
)
def test_wrong_use_is_refused_with_a_hint(env: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(env)
    assert caught.value.hint


def test_checkouts_come_from_the_step_that_gets_results(tmp_path: Path) -> None:
    for key in (
        {"CM_MLPERF_TINY_RESULTS_V1_1": str(tmp_path)},
        {"CM_TINYMLPERF_REPO_PATH": str(tmp_path), "CM_TINYMLPERF_REPO_VERSION": "1.1"},
    ):
        with pytest.raises(AssetError, match="is not in"):
            read({"CM_TINY_IMAGE_SET": "bosch-v1.1", **key})


def test_the_figures_of_an_image_are_labelled_with_its_clock_and_whose_model_it_holds() -> None:
    image = next(image for image in published_images() if image.result() is not None)
    official = image_conditions(image, 80_000_000, ("performance",), embedded_inputs=False)
    assert official.text.startswith(
        "simulated (not strict), official model, NUCLEO-L4R5ZI, 1.8 V, 80 MHz, no division claimed, model error: throughput -"
    )
    u575 = next(image for image in all_images() if image.id == "bosch-v1.1-u575-kws")
    text = image_conditions(u575, 160_000_000, ("accuracy",), embedded_inputs=False, board=find_board(u575.board)).text
    assert ", official model, NUCLEO-U575ZI-Q, 1.8 V, 160 MHz" in text
    own = image_conditions(None, 120_000_000, ("performance", "accuracy"), embedded_inputs=True, strict=True)
    assert own.text.startswith("simulated, model not identified")
    assert own.words[1] == "model not identified, embedded inputs" and ", outputs equal in " in own.text
    assert "measured" not in official.text + own.text
