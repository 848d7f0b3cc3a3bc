# SPDX-License-Identifier: Apache-2.0
"""The published energies and the model: the facts are those of published.csv, the errors are within what is promised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cm4tiny.boards.energy.table import current_table
from cm4tiny.errors import ResultsError
from cm4tiny.results.conditions import HOME_BOARD, is_variant, model_errors
from cm4tiny.results.published import published_results, published_systems
from pages import energies as module
from pages.energies import (
    FITTED,
    damaged_energies,
    energies,
    error_of,
    fitted,
    left_out_errors,
    ports,
    streaming_energies,
)
from pages.energy_page import page

ROOT = Path(__file__).resolve().parents[3]


def test_every_published_energy_of_the_board_is_a_row_or_named_as_damaged() -> None:
    published = {row.source for row in published_results() if is_variant(row.board, HOME_BOARD) and (row.energy_uj_per_inf or row.power_mw)}
    rows = [row.source for row in (*energies(), *streaming_energies())] + [row.source for row in damaged_energies()]
    assert len(rows) == len(set(rows)) == 47 + 2 + 1
    assert set(rows) == published


def test_voltages_and_throughputs_agree_with_what_was_published() -> None:
    for row in energies():
        system = published_systems().get(row.source)
        assert system is None or system.supply_mv in (None, 1000 * row.supply_v), row.source
        assert row.inf_per_s == pytest.approx(row.result.throughput_inf_per_s, rel=0.035), row.source


def test_all_valid_energies_are_within_six_per_cent_rms() -> None:
    error = error_of(row.error() for row in energies())
    assert error.results == 47 and error.rms < 0.06 and max(-error.lowest, error.highest) < 0.14


def test_they_are_too_when_each_submitter_is_left_out() -> None:
    error = error_of(left_out_errors(energies()).values())
    assert error.results == 47 and error.rms < 0.06 and max(-error.lowest, error.highest) < 0.14


def test_every_image_whose_registers_are_known_is_within_five_per_cent() -> None:
    known = [row for row in energies() if row.port.evidence == "registers"]
    assert len(known) == 8 and all(abs(row.error()) < 0.05 for row in known)


def test_the_streaming_results_are_within_six_per_cent() -> None:
    assert len(streaming_energies()) == 2 and all(abs(row.error()) < 0.06 for row in streaming_energies())


def test_the_fitted_constants_are_what_the_results_give() -> None:
    solved, used = fitted(energies()), current_table()
    assert [solved[name] for name in FITTED] == pytest.approx([used[name] for name in FITTED], rel=0.03)


def test_leaving_out_uses_nothing_of_the_submitter() -> None:
    mine = next(row for row in energies() if row.result.submitter == "Krai")
    wrong = [replace(row, published=9 * row.published) if row.result.submitter == "Krai" else row for row in energies()]
    right, other = left_out_errors(energies()), left_out_errors(wrong)
    assert (other[mine.source] + 1) * 9 == pytest.approx(right[mine.source] + 1)


def test_every_port_says_why_and_is_used() -> None:
    used = {row.port.id for row in (*energies(), *streaming_energies())} | {module.OWN_PORT}
    assert set(ports()) == used
    assert all(len(port.reason) > 40 and not port.settings.refusal for port in ports().values())


def test_the_damaged_publication_is_not_counted_and_its_true_figure_is_predicted() -> None:
    (damaged,) = damaged_energies()
    assert (damaged.published, damaged.energy.published) == (7019.085, 10021)
    assert abs(damaged.energy.error()) < 0.08 and damaged.energy.predicted() / damaged.published > 1.3


def test_a_source_that_is_no_published_energy_is_refused() -> None:
    with pytest.raises(ResultsError, match="not a published energy") as error:
        module._published("tiny_results_v1.1/closed/bosch/results/nothing", streaming=False)
    assert error.value.hint
    with pytest.raises(ResultsError, match="does not describe"):
        module._port("contiki")


def test_the_stated_error_is_that_of_submitters_left_out() -> None:
    error, stated = error_of(left_out_errors(energies()).values()), model_errors()["energy"]
    assert (stated["rows"], stated["rms_pct"]) == (47, round(100 * error.rms, 1))
    assert (stated["lowest_pct"], stated["highest_pct"]) == (round(100 * error.lowest, 1), round(100 * error.highest, 1))


def test_the_committed_page_is_the_one_made_from_the_tables() -> None:
    assert (ROOT / "docs" / "energy.md").read_text(encoding="utf-8") == page(), "run: python benchmarks/energy.py"
