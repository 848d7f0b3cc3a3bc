# SPDX-License-Identifier: Apache-2.0
"""What rows say together, on rows with known answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm4tiny.boards.virtual import CycleModel
from cm4tiny.errors import ResultsError
from cm4tiny.images import fidelity
from cm4tiny.images.fidelity import Row, errors_of, fit, read_rows, synthetic_input, write_rows
from cm4tiny.images.table import published_images
from pages.fidelity_page import render
from pages.foreign import read_foreign

USED = CycleModel()


def row(name: str, cycles: float, pairs: float, *, pair: float) -> Row:
    """A row whose published result is exactly what this constant gives."""
    change = (pair - USED.pair_per_mille / 1000) * pairs
    return Row(name, "image", "kws", 120e6 / cycles, 120e6 / (cycles + change), cycles=cycles, pairs=pairs)


ROWS = [row("a", 7e6, 1e5, pair=0.4), row("b", 6e5, 1.4e5, pair=0.4), row("c", 2e7, 2e4, pair=0.4), row("d", 1e7, 3e5, pair=0.4)]


def test_the_constant_that_made_the_results_is_found_and_cross_validated() -> None:
    found = fit(ROWS)
    assert found.pair == 0.4
    assert found.rms < 1e-9
    assert found.left_out_rms < 1e-9


def test_a_row_that_fits_no_constants_shows_in_the_left_out_error() -> None:
    odd = [replace(ROWS[0], published=ROWS[0].published * 1.3), *ROWS[1:]]  # type: ignore[operator]
    found = fit(odd)
    assert abs(found.left_out_worst) > 0.1
    assert found.left_out_rms >= found.rms


def test_errors_name_the_worst_row() -> None:
    rows = [Row("good", "image", "ad", 101.0, 100.0), Row("bad", "image", "ad", 90.0, 100.0), Row("new", "build", "ad", 5.0)]
    errors = errors_of(rows)
    assert errors is not None
    assert (errors.worst_id, errors.rows) == ("bad", 2)
    assert errors.rms == pytest.approx(((0.01**2 + 0.1**2) / 2) ** 0.5)
    assert errors_of([rows[2]]) is None


def test_two_rows_are_too_few_for_a_fit() -> None:
    with pytest.raises(ResultsError, match="too few rows"):
        fit(ROWS[:2])


def test_rows_survive_a_file(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.json", ROWS)
    assert read_rows(tmp_path / "rows.json") == tuple(ROWS)
    (tmp_path / "rows.json").write_text('[{"name": 1}]')
    with pytest.raises(ResultsError, match="holds no rows"):
        read_rows(tmp_path / "rows.json")


def test_the_page_says_that_figures_are_simulated_and_names_every_row() -> None:
    build = Row("octoml-v1.0-native-kws", "build", "kws", 7.0, 6.943, equal=99, compared=100, note="gcc 12")
    page = render([*ROWS, build], ["a note"])
    assert "**simulated**" in page
    assert all(f"| {name} |" in page for name in ("a", "b", "c", "d", "octoml-v1.0-native-kws"))
    assert "99 of 100" in page
    assert "leave-one-out" in page
    assert "- a note" in page
    assert "builds of published sources | 1 |" in page


@pytest.mark.parametrize("benchmark", ["ad", "ic", "kws", "vww"])
def test_synthetic_inputs_have_the_size_of_real_ones(benchmark: str) -> None:
    from cm4tiny.benchmarks import get_benchmark

    assert len(synthetic_input(get_benchmark(benchmark))) == get_benchmark(benchmark).input_bytes


@given(st.floats(0.5, 2.0))
def test_the_ratio_is_predicted_over_published(ratio: float) -> None:
    assert Row("x", "image", "ad", 100.0 * ratio, 100.0).ratio == pytest.approx(ratio)


def test_the_committed_page_is_the_one_made_from_the_committed_rows() -> None:
    root = Path(__file__).parents[3]
    rows = read_rows(root / "benchmarks" / "fidelity_rows.json")
    page = (root / "docs" / "fidelity.md").read_text(encoding="utf-8")
    count = len(published_images())
    booted = f"{count} of {count} published images were booted in this run; all of them answered `name` and `profile`."
    foreign = read_foreign(root / "benchmarks" / "pqm4_rows.json")
    assert page == render(rows, [booted], foreign), "run: python benchmarks/fidelity.py"


def test_each_row_is_judged_by_a_fit_to_all_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [SimpleNamespace(ratio=1.0, pairs=name) for name in "abcd"]
    fitted: list[str] = []
    monkeypatch.setattr(fidelity, "_best", lambda some, pair: fitted.append("".join(row.pairs for row in some)) or 0)
    monkeypatch.setattr(fidelity, "_deviation", lambda row, constant: 0.0)
    fidelity.fit([*rows, SimpleNamespace(ratio=None, pairs="x"), SimpleNamespace(ratio=1.0, pairs=None)])  # type: ignore[list-item]
    assert fitted == ["abcd", "bcd", "acd", "abd", "abc"]
