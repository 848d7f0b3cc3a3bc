# SPDX-License-Identifier: Apache-2.0
"""Every figure of an embedded, simulated run carries its labels, in everything that is made of the run."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from support.labelled import EXPECTED, OUTPUTS, elements, missing

from cm4tiny.boards.catalogue import board_identity
from cm4tiny.errors import ResultsError
from cm4tiny.images.fidelity import read_rows
from cm4tiny.results import conditions
from cm4tiny.results.conditions import Conditions, differences, is_variant, model_error, model_errors, same_board
from cm4tiny.results.dashboard.page import SITE
from pages.foreign import read_foreign, spread_of

ROOT = Path(__file__).parents[3]
NAMES = (*OUTPUTS, "terminal")
AT_LEAST = {"report_json": 12, "report_md": 8, "dashboard_data": 4, "experiments": 4, "profiles": 9, "draft_tables": 3, "performance": 1}


@pytest.mark.parametrize("name", NAMES)
def test_every_element_with_a_figure_carries_all_labels(name: str, tmp_path: Path) -> None:
    found = elements(name, tmp_path / "run")
    assert len(found) >= AT_LEAST.get(name, 2), found
    assert missing(found) == []


@pytest.mark.parametrize("label", range(len(EXPECTED)), ids=EXPECTED)
def test_a_label_that_is_dropped_is_noticed_in_every_output(label: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above must be able to fail, for every label and every output."""
    whole = Conditions.words.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(Conditions, "words", property(lambda self: tuple(w for n, w in enumerate(whole(self)) if n != label)))
    quiet = [name for name in NAMES if not missing(elements(name, tmp_path / name))]
    assert quiet == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("origin", "measured"),
        ("assets", "submitter's"),
        ("board", "NUCLEO-L4R5ZI-P"),
        ("supply_v", 3.0),
        ("clock_mhz", 80.0),
        ("division", "open"),
    ],
)
def test_a_label_that_is_wrong_is_noticed_in_every_output(
    field: str, value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Conditions.words.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(Conditions, "words", property(lambda self: whole(replace(self, **{field: value}))))
    quiet = [name for name in NAMES if not missing(elements(name, tmp_path / name))]
    assert quiet == []


# --- the page's scripts: what a browser test shows where there is a browser --------------------------------------------------------------

SINKS = {
    "data.js": ['`${text("submitter", row)} · ${parts.join(" · ")}${mark ? ` (${mark})` : ""}`', 'text("conditions", row)'],
    "plot.js": ["labels(datum.row)"],
    "details.js": ["labels(row)"],
    "front.js": ["labels(row)", 'text("differs", row)', "leftOut(excluded)"],
    "comparison.js": [
        "plotTitle(state, shown, ownRows)",
        "leftOut(candidates(state, shown, objectives).excluded)",
        "subtitle: scope.title",
        "layers.push(...namesLayers(x, y))",
    ],
    "history.js": ["layers.push(...namesLayers(x, y))", "supplies(rows, state)", "DATA.boards.home"],
    "scales.js": ["own run: ${marks(row)}"],
    "query.js": ["state.judge ? whole.filter((row) => !misses(row)) : whole"],
    "state.js": ["judge: true", '"label"', '"supply_v"', '"frequency_mhz"', '"division"', '"model_error"'],
    "export.js": ["const ids = [...COLUMNS.keys()]", "left out: misses the quality target"],
    "controls.js": ['"X axis"', '"Y axis"'],
}


@pytest.mark.parametrize("script", SINKS)
def test_the_page_s_scripts_put_the_labels_where_a_figure_is_shown(script: str) -> None:
    text = (SITE / script).read_text(encoding="utf-8")
    assert [piece for piece in SINKS[script] if piece not in text] == []


# --- one home for the facts --------------------------------------------------------------------------------------------------------------


def test_the_stated_error_is_that_of_the_fidelity_rows_and_the_published_energies() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "model_error.py"))
    assert tool["text"]() == (ROOT / "src/cm4tiny/results/model_error.yaml").read_text(encoding="utf-8"), "run: python tools/model_error.py"


def test_the_stated_error_is_that_of_the_fidelity_page() -> None:
    foreign = [(1 / (1 + row.error) - 1) for row in read_foreign(ROOT / "benchmarks" / "pqm4_rows.json")]
    others = [row.ratio - 1 for row in read_rows(ROOT / "benchmarks" / "fidelity_rows.json") if row.kind != "image" and row.ratio]
    errors, stated = spread_of([*foreign, *others]), model_errors()["throughput"]
    assert errors is not None and (stated["rows"], stated["rms_pct"]) == (errors.rows, round(100 * errors.rms, 1))
    assert (stated["lowest_pct"], stated["highest_pct"]) == (round(100 * errors.lowest, 1), round(100 * errors.highest, 1))
    page = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
    assert f"| cryptography of pqm4 | {len(foreign)} |" in page
    assert model_error("throughput") == f"{stated['lowest_pct']:+g} to {stated['highest_pct']:+g} % ({stated['rms_pct']:g} % rms)"


@pytest.mark.parametrize("text", ["", "[]", "throughput: {rows: x}", "throughput: {}\nenergy: {}\n", "\t"])
def test_a_damaged_table_of_errors_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model_error.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ResultsError, match="does not state the virtual board's error"):
        model_errors(path)


def test_a_board_is_known_by_its_exact_name() -> None:
    assert same_board("NUCLEO-L4R5ZI", "Nucleo_L4R5ZI") and same_board("NUCLEO-L4R5ZI (virtual)", "NUCLEO-L4R5ZI")
    assert not same_board("NUCLEO-L4R5ZI", "NUCLEO-L4R5ZI-P") and is_variant("NUCLEO-L4R5ZI", "NUCLEO-L4R5ZI-P")
    assert not is_variant("NUCLEO-L4R5ZI", "NUCLEO-H7A3ZI-Q")


def test_the_board_is_the_one_that_the_catalogue_of_boards_means() -> None:
    assert conditions.HOME_BOARD == board_identity("virtual").name == board_identity("NUCLEO").name


def test_no_other_module_spells_the_board_s_name() -> None:
    """Identity is decided in conditions.py; a text about the board may name it in a docstring or a comment."""
    found = []
    for folder in ("results/dashboard", "results/experiments", "results", "profiling", "images/performance"):
        for path in sorted((ROOT / "src/cm4tiny" / folder).glob("*.py")):
            code = [
                line
                for line in path.read_text(encoding="utf-8").splitlines()
                if "L4R5ZI" in line.replace("STM32L4R5ZI", "") and not line.lstrip().startswith(("#", '"""'))
            ]
            found += [f"{path.name}: {line.strip()}" for line in code if '"' in line.partition("#")[0] and "``" not in line]
    assert [line for line in found if not line.startswith("conditions.py")] == []


def test_what_sets_a_result_apart_depends_on_the_figure() -> None:
    run = Conditions("NUCLEO-L4R5ZI", "simulated", "embedded", supply_v=1.8, clock_mhz=120.0)
    other = replace(run, supply_v=3.0)
    assert differences(run, other, energy=False) == ()
    assert differences(run, other, energy=True) == ("another supply voltage: 3 V",)
    assert differences(run, replace(run, supply_v=None), energy=True) == ("supply voltage not stated",)
    assert differences(run, replace(run, board="NUCLEO-L4R5ZI-P", clock_mhz=70.0), energy=False) == (
        "another board: NUCLEO-L4R5ZI-P",
        "another clock: 70 MHz",
    )


def test_a_model_is_known_by_its_hash() -> None:
    from cm4tiny.benchmarks.embedded import embedded_index
    from cm4tiny.benchmarks.official.table import official_table

    embedded = next(row.sha256 for name, row in embedded_index().items() if name.endswith(".tflite"))
    assert conditions.assets_of_model(embedded) == "embedded"
    assert conditions.assets_of_model(official_table().model("kws01").digest.value) == "official"
    assert conditions.assets_of_model("0" * 64) == ""
