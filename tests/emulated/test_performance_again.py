# SPDX-License-Identifier: Apache-2.0
"""Generated pages cannot go stale unnoticed: what a checkout can measure of docs/performance.md is measured again, digit by digit."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tiny_images import tool_chain

from pages.performance.again import AGAIN, measure_again
from pages.performance.rows import Again, read_rows

ROWS = read_rows(Path(__file__).resolve().parents[2] / "benchmarks" / "embedded_rows.json", Again)


def test_the_page_has_a_row_of_each_embedded_model_that_is_measured_again() -> None:
    assert tuple(row.benchmark for row in ROWS) == AGAIN


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.benchmark)
def test_a_row_of_the_performance_page_is_what_this_checkout_measures(row: Again) -> None:
    version = tool_chain().version
    if version != row.compiler:
        pytest.skip(f"the page's rows are of {row.compiler}, this machine has {version}")
    assert measure_again(row.benchmark) == row, (
        "the code gives other figures than docs/performance.md says. Measure again:\n"
        "python benchmarks/engines.py --only microtvm microtvm_no_skip microtvm_low_ram microtvm_no_dead --mirror DIR\n"
        "or, without the official models, the embedded ones alone: python benchmarks/engines.py --only microtvm --benchmarks"
    )
