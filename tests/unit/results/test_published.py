# SPDX-License-Identifier: Apache-2.0
"""The table of published results: facts with a source, and a damaged table says where."""

from dataclasses import fields
from pathlib import Path

import pytest

from cm4tiny.errors import ResultsError
from cm4tiny.results.published import PublishedResult, published_for, published_results
from cm4tiny.results.report import make_report

HEADER = ",".join(field.name for field in fields(PublishedResult))


def table(tmp_path: Path, **cells: str) -> Path:
    row = {field.name: "" for field in fields(PublishedResult)} | {"throughput_inf_per_s": "1.5"} | cells
    path = tmp_path / "published.csv"
    path.write_text(f"{HEADER}\n{','.join(row.values())}\n", encoding="utf-8")
    return path


def test_published_rows_are_facts_with_a_source() -> None:
    rows = published_results()
    assert {row.benchmark for row in rows} == {"ad", "ic", "kws", "vww", "sww"}
    assert all(row.source.startswith(f"tiny_results_{row.round}/{row.division}/{row.submitter}/") for row in rows)
    assert all(row.throughput_source for row in rows)
    best = published_for("kws")[0]
    assert isinstance(best, PublishedResult)
    assert (best.label, best.throughput_inf_per_s) == ("STMicroelectronics v1.2", 23.155)


def test_published_for_is_the_reproduced_board_unless_all_are_asked_for() -> None:
    own, every = published_for("kws"), published_for("kws", board="")
    assert {row.board for row in own} == {"NUCLEO-L4R5ZI", "Nucleo-L4R5ZI"}
    with_variants = published_for("kws", variants=True)
    assert {row.board for row in with_variants} - {row.board for row in own} == {"NUCLEO-L4R5ZI-P"}
    assert len(own) < len(every) == 89
    assert [row.throughput_inf_per_s for row in every] == sorted((row.throughput_inf_per_s for row in every), reverse=True)


def test_a_report_compares_with_its_own_board_only() -> None:
    entry = {"benchmark": "sww", "mode": "energy", "simulated": True, "energy_uj_per_inf": 1.0, "derived": False}
    for benchmark in ("ad", "ic", "kws", "vww"):
        made = make_report(
            board="virtual", engine="microtvm", assets="embedded", results=[{**entry, "benchmark": benchmark}], files=[], tools={}
        )
        sources = {row["source"] for row in made["published"]}
        assert sources == {row.source for row in published_for(benchmark, variants=True)}


def test_streaming_wakeword_claims_power_and_counts() -> None:
    rows = published_for("sww", board="")
    assert len(rows) == 9
    assert all(row.power_mw and row.metric == "F1" and row.false_positives is not None and row.energy_uj_per_inf is None for row in rows)


@pytest.mark.parametrize("figure", ["fast", "-1", "nan", "1e9", "inf"])
def test_a_damaged_table_of_published_results_names_the_line(tmp_path: Path, figure: str) -> None:
    with pytest.raises(ResultsError, match=f"line 2: '{figure}'"):
        published_results(table(tmp_path, throughput_inf_per_s=figure))


def test_a_row_without_throughput_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="line 2: no throughput"):
        published_results(table(tmp_path, throughput_inf_per_s=""))


def test_a_table_that_lacks_a_column_says_which(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("round,division\nv1,closed\n", encoding="utf-8")
    with pytest.raises(ResultsError, match="line 2: no column 'submitter'"):
        published_results(path)


def test_a_table_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="cannot be read"):
        published_results(tmp_path / "absent.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ResultsError, match="cannot be read"):
        published_results(tmp_path / "binary.csv")
