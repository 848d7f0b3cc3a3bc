# SPDX-License-Identifier: Apache-2.0
"""All published firmware images that the table knows, unmodified, on the virtual boards.

Needs checkouts ``tiny_results_v1.1`` to ``tiny_results_v1.3`` (sparse ones do) below the folder that ``CM4TINY_UPSTREAM`` names. The kws01
inputs and the streaming benchmark's recording are those of ``../shared/mirror``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.boards import find_board
from cm4tiny.images import ImageRun, PublishedImage, all_images, measure, published_images, run_images
from cm4tiny.images.fidelity import errors_of
from cm4tiny.images.logs import published_streaming
from cm4tiny.images.run import boot
from cm4tiny.images.streaming import read_recording, run_streaming
from cm4tiny.runner.dut import Dut

UPSTREAM = Path(os.environ.get("CM4TINY_UPSTREAM", "/nonexistent"))
MIRROR = Path(__file__).resolve().parents[3] / "shared" / "mirror"
IMAGES = published_images()
OTHERS = tuple(image for image in all_images() if image not in IMAGES)
UNMODELLED = {"sww": {"GPDMA1", "SAI1", "DMA1", "DMAMUX1", "FMC_registers", "MDMA"}}
"""What images of other boards touch and nothing answers: the audio input of the streaming benchmark."""
BROKEN = "the chip would not do this"
BREAKS = {name: {"flash-latency", "ahb-step"} for name in ("st-v1.3", "st-v1.3-70mhz")}
"""v1.3 lowers the wait states to 3 while the core still runs at 120 MHz, for half a microsecond, and leaves that clock without a step."""
RMS_TARGET, WORST_TARGET = 0.03, 0.06

pytestmark = [
    pytest.mark.upstream,
    pytest.mark.skipif(
        not all((UPSTREAM / f"tiny_results_{r}").is_dir() for r in ("v1.1", "v1.2", "v1.3")),
        reason="CM4TINY_UPSTREAM names no folder with checkouts of mlcommons/tiny_results_v1.1 to v1.3",
    ),
]


def checkout(image: PublishedImage) -> Path:
    return UPSTREAM / f"tiny_results_{image.round}"


def kws_inputs() -> Path:
    found = sorted(MIRROR.glob("github/eembc/energyrunner/*/datasets/kws01/y_labels.csv"))
    if not found:
        pytest.skip("the kws01 inputs are not in ../shared/mirror")
    return found[0].parent


@pytest.mark.parametrize("image", IMAGES, ids=[image.id for image in IMAGES])
def test_every_published_image_boots_and_answers_unmodified(image: PublishedImage) -> None:
    said = boot(image.locate(checkout(image)), image.baud)
    assert said["model"] == image.model_id
    assert said["hclk_hz"] == image.hclk_hz
    broken = [note for note in said["notes"] if note.startswith(BROKEN)]
    assert [note for note in said["notes"] if note not in broken] == []  # everything that it touches is modelled
    assert {rule for note in broken for rule in re.findall(r"rule (\S+)", note)} == BREAKS.get(image.set, set())


@pytest.mark.parametrize("image", OTHERS, ids=[image.id for image in OTHERS])
def test_every_published_image_of_another_chip_boots_and_answers_unmodified(image: PublishedImage) -> None:
    said = boot(image.locate(checkout(image)), image.baud, board=find_board(image.board))
    assert (said["model"], said["hclk_hz"]) == (image.model_id, image.hclk_hz)
    absent = {match[1] for note in said["notes"] for match in re.finditer(r"^(?:read of|write to) (\w+)\+.*not modelled", note)}
    assert absent <= UNMODELLED.get(image.benchmark, set())
    broken = {rule for note in said["notes"] if note.startswith(BROKEN) for rule in re.findall(r"rule (\S+)", note)}
    assert broken <= {"clock-off"}  # ports are read while their clocks are off


@pytest.mark.parametrize("image", [i for i in all_images() if i.accuracy_log], ids=lambda image: image.id)
@pytest.mark.long
def test_kws_outputs_equal_the_published_accuracy_run_on_every_input(image: PublishedImage, tmp_path: Path) -> None:
    import json

    run = ImageRun(
        ((image.id, image.locate(checkout(image)), image),), "accuracy", tmp_path, {"kws": kws_inputs()}, {image.round: checkout(image)}
    )
    entry = json.loads(run_images(run).read_text())["images"][0]
    assert (entry["outputs_equal"], entry["outputs_compared"]) == (1000, 1000)
    published = image.result()
    assert published is not None and entry["value"] == pytest.approx(published.accuracy, abs=0.05)


@pytest.mark.long
def test_throughput_is_within_three_per_cent_rms_and_six_at_worst() -> None:
    rows = []
    for image in IMAGES:
        published = image.result()
        if published is not None:
            rows.append(
                measure(
                    image.locate(checkout(image)),
                    image.benchmark,
                    row_id=image.id,
                    published=published.throughput_inf_per_s,
                    constants=False,
                )
            )
    errors = errors_of(rows)
    assert errors is not None and errors.rows == 17
    assert errors.rms <= RMS_TARGET
    assert abs(errors.worst) <= WORST_TARGET


@pytest.mark.parametrize("image", [i for i in IMAGES if i.id in ("bosch-v1.1-kws", "st-v1.3-kws")], ids=lambda image: image.id)
def test_two_runs_of_an_image_count_the_same(image: PublishedImage) -> None:
    def cycles() -> int:
        with VirtualBoard(image.locate(checkout(image)), baud=image.baud, strict=False) as board:
            dut = Dut(board.link)
            dut.expect_model(image.model_id)
            dut.load(bytes(490))
            dut.infer(2)
            return board.cycles

    assert cycles() == cycles()


@pytest.mark.parametrize("image", [i for i in IMAGES if i.id in ("st-v1.2-kws-energy", "st-v1.3-kws-energy")], ids=lambda image: image.id)
def test_energy_images_signal_their_time_stamps_on_the_pin(image: PublishedImage) -> None:
    with VirtualBoard(image.locate(checkout(image)), baud=image.baud, strict=False) as board:
        dut = Dut(board.link)
        dut.expect_model(image.model_id)
        dut.load(bytes(490))
        dut.infer(1)  # v1.3 leaves the line low from its start to the first inference, as its published energy log shows
        board.power.start()
        dut.infer(3)
        edges = board.power.stop().timestamps_s
    assert len(edges) == 2
    assert edges[1] - edges[0] == pytest.approx(3 / 23.0, rel=0.05)


@pytest.mark.long
@pytest.mark.parametrize("image", [i for i in IMAGES if i.streaming_result], ids=lambda image: image.id)
def test_streaming_images_hear_the_word_and_work_as_long_as_published(image: PublishedImage) -> None:
    found = sorted(MIRROR.glob("github/mlcommons/tiny/*/benchmark/runner/sww_data_dir"))
    if not found:
        pytest.skip("the streaming benchmark's recording is not in ../shared/mirror")
    recording = read_recording(found[0] / "short_wav_easy10s.wav", found[0] / "sww_short_test.json")
    result = run_streaming(image.locate(checkout(image)), recording)
    assert result.period_s == pytest.approx(0.032, abs=1e-6)
    assert result.found >= 2
    assert result.false_positives == 0
    assert result.throughput == pytest.approx(published_streaming(checkout(image) / image.streaming_result), rel=WORST_TARGET)
