# SPDX-License-Identifier: Apache-2.0
"""The metrics of every result, and those a user defines."""

import pytest

from cm4tiny.errors import UsageError
from cm4tiny.results.derived import BUILT_IN, Heading, apply, parse_heading, parse_metrics
from cm4tiny.results.experiments.records import published_records

FIGURES = {"throughput_inf_per_s": 20.0, "energy_uj_per_inf": 2500.0, "frequency_mhz": 120.0, "supply_v": 1.8}


def test_the_built_in_metrics() -> None:
    assert apply(BUILT_IN, FIGURES) == {
        "latency_ms": pytest.approx(50.0),
        "inferences_per_joule": pytest.approx(400.0),
        "energy_delay_uj_s": pytest.approx(125.0),
        "throughput_per_mhz": pytest.approx(1 / 6),
        "charge_uc": pytest.approx(2500 / 1.8),
    }


def test_what_a_result_lacks_its_metrics_lack() -> None:
    found = apply(BUILT_IN, {"throughput_inf_per_s": 20.0})
    assert found["latency_ms"] == 50.0
    assert {name for name, value in found.items() if value is None} == found.keys() - {"latency_ms"}


def test_a_users_metric_may_use_the_ones_before_it() -> None:
    first, second = parse_metrics(
        ["Worth [inf/J/EUR] more = inferences_per_joule / price", "half=worth/2"], ["inferences_per_joule", "price"]
    )
    assert (first.heading, second.heading) == (Heading("worth", "inf/J/EUR", "more"), Heading("half"))
    assert apply((first, second), {"inferences_per_joule": 10.0, "price": 4.0}) == {"worth": 2.5, "half": 1.25}


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("price [EUR] less", Heading("price", "EUR", "less")),
        ("price", Heading("price")),
        (" Area [mm²] ", Heading("area", "mm²")),
        ("x more", Heading("x", "", "more")),
    ],
)
def test_headings(text: str, heading: Heading) -> None:
    assert parse_heading(text) == heading


@pytest.mark.parametrize("text", ["", "1a", "a b", "a [x", "a [x] best", "a-b", "a" * 41, "__class__", "a\n", "<b>"])
def test_a_wrong_heading_is_refused(text: str) -> None:
    if text.strip() == "a":
        assert parse_heading(text) == Heading("a")
        return
    with pytest.raises(UsageError, match="not the heading of a column"):
        parse_heading(text)


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ("latency_ms", "no '='"),
        ("a = latency + ", "invalid syntax"),
        ("throughput = 1", "a column of that name"),
        ("a = nothing", "no column 'nothing'"),
    ],
)
def test_a_wrong_definition_says_why(definition: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        parse_metrics([definition], ["throughput", "latency"])
    assert refused.value.hint


def test_charge_explains_the_same_firmware_at_two_voltages() -> None:
    """Rounds v1.0 (1.8 V) and v1.1 (3.0 V): same board, framework version and speed; energies differ by 64 %, charges by less than 2 %."""
    charges = {}
    for record in published_records():
        if (
            record.text("framework") == "X-CUBE-AI v7.3.0"
            and record.text("benchmark") == "ad"
            and record.text("board").upper() == "NUCLEO-L4R5ZI"
        ):
            charges[record.figure("supply_v")] = apply(BUILT_IN, record.values)["charge_uc"]
    assert charges == {1.8: pytest.approx(179.43, abs=0.01), 3.0: pytest.approx(176.43, abs=0.01)}
