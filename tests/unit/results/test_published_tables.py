# SPDX-License-Identifier: Apache-2.0
"""The data tables of published results: one changed point is noticed, and what rows say of one system agrees."""

import csv
import random
import runpy
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from cm4tiny.errors import ResultsError
from cm4tiny.results.experiments.records import published_records
from cm4tiny.results.published import SYSTEMS, TABLE, published_results, published_systems
from cm4tiny.results.published_digests import DIGESTS

ROOT = Path(__file__).parents[3]
SEED = 20261129
Rows = list[list[str]]


def read(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def other_cell(rows: Rows, rng: random.Random) -> str:
    """One cell gets what stands in the same column of another row."""
    while True:
        a, b, column = rng.randrange(1, len(rows)), rng.randrange(1, len(rows)), rng.randrange(len(rows[0]))
        if rows[a][column] != rows[b][column]:
            rows[a][column] = rows[b][column]
            return f"row {a} column {column} from row {b}"


def figure(rows: Rows, rng: random.Random) -> str:
    """A figure times ten, its last digit changed, or blank."""
    while True:
        row, column = rng.randrange(1, len(rows)), rng.randrange(len(rows[0]))
        cell = rows[row][column]
        if cell.replace(".", "", 1).isdigit() and float(cell):
            rows[row][column] = rng.choice([str(float(cell) * 10), cell[:-1] + str((int(cell[-1]) + 1) % 10), ""])
            return f"row {row} column {column}: {cell} -> {rows[row][column]}"


def row_lost(rows: Rows, rng: random.Random) -> str:
    return f"lost {rows.pop(rng.randrange(1, len(rows)))[-1]}"


def row_twice(rows: Rows, rng: random.Random) -> str:
    at = rng.randrange(1, len(rows))
    rows.insert(at, list(rows[at]))
    return f"twice {rows[at][-1]}"


CHANGES: tuple[Callable[[Rows, random.Random], str], ...] = (other_cell, figure, figure, row_lost, row_twice)


@pytest.mark.parametrize(("table", "load"), [(TABLE, published_results), (SYSTEMS, published_systems)], ids=["claims", "systems"])
def test_a_changed_point_in_a_table_is_refused(table: Path, load: Callable[[Path], object], tmp_path: Path) -> None:
    rng, original = random.Random(SEED), read(table)
    shutil.copy(table.with_name(DIGESTS), tmp_path / DIGESTS)
    for number in range(50):
        rows = [list(row) for row in original]
        what = rng.choice(CHANGES)(rows, rng)
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copy(tmp_path / DIGESTS, folder / DIGESTS)
        with (folder / table.name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        with pytest.raises(ResultsError) as refused:
            load(folder / table.name)
            pytest.fail(f"seed {SEED}, change {number} was not noticed: {what}")
        assert refused.value.hint


def test_the_unchanged_tables_are_accepted_elsewhere_too(tmp_path: Path) -> None:
    for name in (TABLE.name, SYSTEMS.name, DIGESTS):
        shutil.copy(TABLE.with_name(name), tmp_path / name)
    assert published_results(tmp_path / TABLE.name) == published_results()
    assert published_systems(tmp_path / SYSTEMS.name) == published_systems()


def test_the_digests_are_those_that_the_tool_writes() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "published_digests.py"))
    assert tool["text"]() == TABLE.with_name(DIGESTS).read_text(encoding="utf-8")


def test_damaged_digests_are_refused(tmp_path: Path) -> None:
    shutil.copy(TABLE, tmp_path / TABLE.name)
    (tmp_path / DIGESTS).write_text('{"published.csv": []}', encoding="utf-8")
    with pytest.raises(ResultsError, match="holds no digests"):
        published_results(tmp_path / TABLE.name)


def test_rows_of_one_system_description_say_the_same_of_the_system() -> None:
    said = defaultdict(set)
    for r in published_results():
        said[r.source.partition("/")[0], r.system_file].add((r.submitter, r.board, r.soc, r.processor, r.frequency, r.framework, r.status))
    assert {key: facts for key, facts in said.items() if len(facts) > 1} == {}


def test_the_power_of_one_system_hardly_depends_on_the_benchmark() -> None:
    """Energy times throughput: a figure of another magnitude in one row stands out."""
    power = defaultdict(list)
    for r in published_results():
        if r.energy_uj_per_inf:
            power[r.round, r.submitter, r.system].append(r.energy_uj_per_inf * r.throughput_inf_per_s)
    assert {key: values for key, values in power.items() if max(values) > 2 * min(values)} == {}


def test_an_accuracy_is_that_of_its_metric() -> None:
    for r in published_results():
        if r.accuracy is not None and r.metric in ("top-1", "auc"):
            assert r.accuracy == (r.top1 if r.metric == "top-1" else r.auc), r.source


def test_a_streaming_results_throughput_is_that_of_its_performance_session() -> None:
    """The energy sessions printed 235.22, 55.742, 51.44, 165.37 and 85.789; four systems have no performance session."""
    rows = {r.system: (r.throughput_inf_per_s, r.throughput_source) for r in published_results() if r.benchmark == "sww"}
    assert {system: value for system, (value, source) in rows.items() if source == "results.txt"} == {
        "NUCLEO_H7A3ZI_Q": 235.23,
        "NUCLEO_L4R5ZI-P": 55.908,
        "NUCLEO_U385RG_Q": 51.67,
        "NUCLEO_U3C5ZIT6_Q": 166.28,
        "NUCLEO_U575ZI_Q": 85.981,
    }
    assert {source for _, source in rows.values()} == {"results.txt", "results.txt(energy)"}
    assert len(rows) == 9


def test_memory_of_the_soc_and_of_the_processor_are_two_figures() -> None:
    by_board = defaultdict(list)
    for record in published_records():
        by_board[record.text("board")].append(tuple(record.figure(name) for name in ("memory_kib", "processor_memory_kib", "storage_kib")))
    assert by_board["NDP9120"] == [(None, 304.0, None)] * 28
    assert by_board["GAP9 EVK"] == [(1664.0, None, 2048.0)] * 8
    assert by_board["RX65N-Cloud-Kit"] == [(640.0, None, 2080.0)] * 4
