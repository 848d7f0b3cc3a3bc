# SPDX-License-Identifier: Apache-2.0
"""Tables of results: the official columns, in CSV, Markdown and a workbook."""

from __future__ import annotations

import csv
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from support import session_maker as maker
from support import streaming_maker
from support.submission_maker import valid_submission
from support.xlsx import rows as sheet_rows
from support.xlsx import sheets

from cm4tiny.errors import NotAvailableError, ResultsError, UsageError
from cm4tiny.results.replay import replay
from cm4tiny.results.tables import COLUMNS, SummaryRow, final_tables, summary_rows, write_tables
from cm4tiny.results.tables import files as table_files


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[SummaryRow, ...]:
    done = valid_submission(tmp_path_factory.mktemp("valid"))
    return summary_rows(replay([done.root], maker.small_lists(), round_id="v1.4", jobs=1).results)


def row(**cells: str) -> SummaryRow:
    base = dict.fromkeys(COLUMNS, "")
    base.update(
        Division="closed", Organization="A", Availability="available", BoardName="B", SystemDesc="S", Model="kws", MlperfModel="kws"
    )
    base.update(cells)
    return SummaryRow(
        f"closed/A/{base['SystemDesc']}/{base['Model']}", float(base["Result"] or 10), float(base["Power"] or 0) or None, base
    )


def test_a_row_holds_the_printed_claims_and_the_description(rows: tuple[SummaryRow, ...]) -> None:
    kws = next(row for row in rows if row.cells["Model"] == "kws")
    expected = {
        "Organization": "Example", "Availability": "available", "Division": "closed", "BoardName": "NUCLEO-L4R5ZI", "SystemDesc": "BOARD_A",
        "Result": "22.856", "ResultUnit": "inf./sec.", "Accuracy": "95.8", "HasPower": "True", "Power": "2220.7313", "PowerUnit": "uJ/inf.",
        "HostProcessorFrequency": "120 MHz", "InferenceFramework": "Example 1.0", "FalsePositives": "",
    }  # fmt: skip
    assert {column: kws.cells[column] for column in expected} == expected
    assert tuple(kws.cells) == COLUMNS


def test_a_simulated_system_says_so_in_every_format(tmp_path: Path) -> None:
    result = tmp_path / "closed" / "A" / "results" / "S"
    maker.performance(result / "kws" / "performance", simulated="virtual board")
    maker.performance(result / "ic" / "performance", "ic")
    for path in (result / "ic" / "performance").iterdir():
        path.write_text(path.read_text(encoding="utf-8").replace("airplane_s_000000", "emb_0000"), encoding="utf-8")
    found = summary_rows(replay([tmp_path], maker.small_lists(), round_id="v1.4", jobs=1).results)
    assert len({one.cells["SystemDesc"] for one in found}) == 1 and len(found) == 2
    write_tables(found, final_tables(found, "1.4", "tiny_results_v1.4"), tmp_path / "out")
    (cells,) = sheets(tmp_path / "out" / "summary.xlsx").values()
    texts = [(tmp_path / "out" / f"summary.{suffix}").read_text(encoding="utf-8") for suffix in ("csv", "md")]
    for text in [*texts, " ".join(cells.values())]:
        assert "S [simulated, embedded model, " in text
        assert "clock not stated, closed division, model error: throughput -" in text


def test_a_measured_system_is_called_by_its_name_alone(rows: tuple[SummaryRow, ...]) -> None:
    assert {one.cells["SystemDesc"] for one in rows} == {"BOARD_A"}


def test_streaming_results_show_the_f1_score_and_power(tmp_path: Path) -> None:
    folder = tmp_path / "closed" / "A" / "results" / "S" / "sww"
    streaming_maker.streaming(folder / "energy", "energy", missed=4, false=5)
    (found,) = summary_rows(replay([tmp_path], maker.small_lists(), round_id="v1.4", jobs=1).results)
    assert found.cells["Accuracy"] == str(2 * 46 / (2 * 46 + 5 + 4))
    assert (found.cells["Power"], found.cells["PowerUnit"], found.cells["DutyCycle"]) == ("4.3137", "mW", "0.18902")
    assert (found.cells["FalsePositives"], found.cells["FalseNegatives"]) == ("5", "4")


def test_an_impossible_throughput_is_no_row(tmp_path: Path) -> None:
    folder = tmp_path / "closed" / "A" / "results" / "S" / "kws" / "performance"
    maker.performance(folder)
    path = folder / "results.txt"
    path.write_text(path.read_text(encoding="utf-8").replace("    22.856 inf./sec.", "     0.000 inf./sec."), encoding="utf-8")
    assert summary_rows(replay([tmp_path], maker.small_lists(), round_id="v1.4", jobs=1).results) == ()


def test_quotes_in_a_name_stay_inside_the_link() -> None:
    (table,) = final_tables([row(Organization='a","b')], "1.4", "r")
    assert table.rows[0].index[-2] == '=HYPERLINK("https://github.com/mlcommons/r/tree/main/closed/a"",""b/results","details")'


def test_a_field_that_stands_twice_keeps_its_filled_value(tmp_path: Path) -> None:
    done = valid_submission(tmp_path)
    path = done.folder / "systems" / "BOARD_A.json"
    text = path.read_text(encoding="utf-8").rstrip().removesuffix("}")
    path.write_text(text + ', "Inference Framework": "", "Software Notes": {"TVM": {"SHA": "abc"}}}', encoding="utf-8")
    found = summary_rows(replay([done.root], maker.small_lists(), round_id="v1.4", jobs=1).results)[0]
    assert found.cells["InferenceFramework"] == "Example 1.0"
    assert found.cells["SoftwareNotes"] == str({"TVM": {"SHA": "abc"}})


def test_the_csv_reads_back(rows: tuple[SummaryRow, ...], tmp_path: Path) -> None:
    (path,) = write_tables(rows, (), tmp_path, formats=["csv"])
    header, *body = csv.reader(path.read_text(encoding="utf-8").splitlines())
    assert tuple(header) == COLUMNS
    assert [line[5] for line in body] == ["ic", "kws"]
    assert path.read_text(encoding="utf-8").splitlines()[1].startswith('"Example","available","closed"')


def test_the_final_table_has_one_line_a_system_with_latencies() -> None:
    rows = [row(Result="20", Power="5"), row(Model="ic", MlperfModel="ic", Result="4"), row(SystemDesc="T", Result="8", BoardName="C")]
    (table,) = final_tables(rows, "1.4", "repo")
    assert table.models == ("ic", "kws")
    assert [line.latency_ms for line in table.rows] == [{"ic": 250.0, "kws": 50.0}, {"kws": 125.0}]
    assert [line.power for line in table.rows] == [{"kws": 5.0}, {}]
    assert [line.index[0] for line in table.rows] == ["1.4-0001", "1.4-0002"]
    assert table.rows[0].index[-1] == '=HYPERLINK("https://github.com/mlcommons/repo/tree/main/closed/A/code","details")'


def test_what_pandas_takes_for_nothing_is_blank_as_in_upstreams_report() -> None:
    (table,) = final_tables([row(AcceleratorModelName="N/A", HardwareNotes="N/A yet")], "1.4", "repo")
    index = dict(zip(table.index, table.rows[0].index, strict=True))
    assert (index["AcceleratorModelName"], index["HardwareNotes"]) == ("", "N/A yet")


def test_open_results_show_model_and_accuracy_in_a_table_of_their_own() -> None:
    tables = final_tables([row(Division="open", Model="mine", Accuracy="85.0"), row()], "1.4", "repo")
    assert [table.division for table in tables] == ["closed", "open"]
    index = tables[1].rows[0].index
    assert index[tables[1].index.index("UsedModel")] == "mine"
    assert index[tables[1].index.index("Accuracy")] == "85.0"


def test_text_of_descriptions_cannot_break_the_tables(tmp_path: Path) -> None:
    evil = row(BoardName='=cmd|"/c calc"!A1', InferenceFramework="a|b\n<script>", Organization="=1+1")
    tables = final_tables([evil], "1.4", "repo")
    pytest.importorskip("xlsxwriter")
    paths = write_tables([evil], tables, tmp_path)
    text = paths[1].read_text(encoding="utf-8")
    assert "a\\|b &lt;script>" in text
    cells = sheets(paths[2])["closed"]
    formulas = [cell for cell in cells.values() if cell.startswith("=HYPERLINK") or cell.startswith("HYPERLINK")]
    assert len(formulas) == 2
    import zipfile

    with zipfile.ZipFile(paths[2]) as archive:
        assert archive.read("xl/worksheets/sheet1.xml").count(b"<f>") == 2


def test_the_workbook_has_the_tables_cells(rows: tuple[SummaryRow, ...], tmp_path: Path) -> None:
    pytest.importorskip("xlsxwriter")
    tables = final_tables(rows, "1.4", "repo")
    (path,) = write_tables(rows, tables, tmp_path, formats=["xlsx"])
    found = sheet_rows(sheets(path)["closed"])
    width = len(tables[0].index)
    assert tuple(found[2][:width]) == tables[0].index
    assert [(found[0][column], found[1][column]) for column in range(width, width + 4)] == [
        ("Result", "ic"), ("Result", "kws"), ("Power", "ic"), ("Power", "kws"),
    ]  # fmt: skip
    assert float(found[3][width + 1]) == pytest.approx(1000 / 22.856)


def test_a_workbook_without_the_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(NotAvailableError, match="XlsxWriter") as caught:
        write_tables([row()], final_tables([row()], "1.4", "r"), tmp_path)
    assert "pip install XlsxWriter" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_tables_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ResultsError, match="cannot be written"):
        write_tables([row()], (), tmp_path / "file" / "x", formats=["csv"])
    assert table_files.FORMATS == ("csv", "md", "xlsx")
    assert json.dumps(UsageError("x").as_cm())
