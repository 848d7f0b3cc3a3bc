# SPDX-License-Identifier: Apache-2.0
"""A model that belongs to no benchmark, from file to page: predicted, built, profiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.predictions import small_model
from support.tiny_images import tool_chain
from support.tiny_tflite import TinyTflite, fully_connected

from cm4tiny.benchmarks.embedded import embedded_model
from cm4tiny.benchmarks.whose import whose_model
from cm4tiny.boards import VirtualBoard
from cm4tiny.digests import file_sha256
from cm4tiny.errors import NotAvailableError
from cm4tiny.firmware.build_spec import BuildSpec, read_record
from cm4tiny.firmware.division import FOREIGN_MODEL
from cm4tiny.prediction import engines
from cm4tiny.prediction.engines import PredictionRequest
from cm4tiny.prediction.predict import check, json_text, predict
from cm4tiny.profiling.measure import ProfileRequest, measure_profile
from cm4tiny.runner.dut import Dut
from cm4tiny.verification import build


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Folder and prediction; the sources of the second engine are not at hand."""
    tool_chain()
    folder = tmp_path_factory.mktemp("predict")
    (folder / "kws01.tflite").write_bytes(small_model())
    with pytest.MonkeyPatch.context() as patch:

        def absent(*arguments: Any) -> Any:
            raise NotAvailableError("the sources are not here", why="no network", hint="give a mirror")

        patch.setattr(engines, "engine_library", absent)
        found = predict(PredictionRequest(folder / "kws01.tflite", ("microtvm", "tflm")), folder / "out")
    return folder, found


def test_a_prediction_has_figures_for_one_engine_and_the_reason_for_the_other(made: tuple[Path, dict[str, Any]]) -> None:
    _, found = made
    check(found)
    ours, theirs = found["engines"]
    assert (ours["state"], theirs["state"], theirs["reason"]["what"]) == ("predicted", "refused", "the sources are not here")
    assert ours["bit_exact"]["verified"] and ours["bit_exact"]["differing"] == 0 and ours["bit_exact"]["values"] == 12
    assert found["model"]["macs"] == 4 * 4 * 10 * 27 + 640
    memory = ours["memory"]
    parts = [memory[f"{name}_bytes"] for name in ("activations", "weights_in_ram", "input_output", "stack")]
    assert sum(parts) == memory["ram_bytes"] and min(parts) >= 0 and parts[0] > 0
    cycles = sum(layer["cycles"] for layer in ours["layers"]) + ours["between_layers_cycles"]
    assert cycles < ours["cycles"] < 1.5 * cycles
    assert ours["energy_uj"]["lowest"] < ours["energy_uj"]["value"] < ours["energy_uj"]["highest"]
    assert all(row["fits"] == {"microtvm": True} for row in found["boards"])


def test_the_image_answers_with_the_models_name_and_never_as_a_benchmark(made: tuple[Path, dict[str, Any]]) -> None:
    folder, found = made
    elf = folder / "out" / "microtvm" / found["engines"][0]["image"]["name"]
    with VirtualBoard(elf) as board:
        assert Dut(board.link).connect(boot_s=10).model == "own-kws01"
    assert read_record(elf)["model_id"] == found["engines"][0]["image"]["model_id"] == found["model"]["name"] == "own-kws01"
    assert not (folder / "out" / "tflm").exists()


def test_an_image_of_it_is_profiled_with_its_model_file(made: tuple[Path, dict[str, Any]]) -> None:
    folder, found = made
    elf = folder / "out" / "microtvm" / found["engines"][0]["image"]["name"]
    profile = measure_profile(ProfileRequest(elf, model=small_model()))
    assert (profile.benchmark, profile.model_id, profile.title) == ("", "own-kws01", "own-kws01, microTVM of this project")
    assert profile.whole.cycles + (profile.outside_cycles or 0) == pytest.approx(found["engines"][0]["cycles"])


def test_equal_files_give_equal_bytes(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, found = made
    again = predict(PredictionRequest(folder / "kws01.tflite"), tmp_path)
    assert json_text({**again, "engines": []}) == json_text({**found, "engines": []})
    assert again["engines"][0] == found["engines"][0]


def test_a_model_of_the_users_for_a_benchmark_is_marked_open(tmp_path: Path) -> None:
    """kws's sizes, and bytes that are nobody's; the closed side of the same condition is that of every other build."""
    tool_chain()
    graph = TinyTflite()
    entry, result = graph.tensor("in", (1, 490), scale=0.1), graph.tensor("out", (1, 12), scale=0.1)
    weights = graph.tensor("weights", (12, 490), scale=0.1, data=np.ones((12, 490)))
    fully_connected(graph, entry, weights, None, result)
    (tmp_path / "mine.tflite").write_bytes(graph.build([entry], [result]))
    image = build(BuildSpec("kws", "microtvm", "performance", str(tmp_path / "mine.tflite"), verify=False), tmp_path / "out")
    record = read_record(image.elf)
    assert (record["division"], record["division_reason"], record["own_model"]) == ("open", FOREIGN_MODEL, True)
    assert record["model_id"] == "kws01"
    assert whose_model(record["model"]["sha256"]) == "" and whose_model(file_sha256(embedded_model("kws"))) == "embedded"
