# SPDX-License-Identifier: Apache-2.0
"""Rows, variants, targets and compilers of the performance page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cm4tiny.errors import ResultsError, UsageError
from cm4tiny.firmware.build_spec import BuildSpec
from cm4tiny.firmware.engines.catalogue import ENGINES
from pages.performance.compilers import compilers_section, loss, worst_loss
from pages.performance.energy import energy_lines, own_energy_uj
from pages.performance.rows import BENCHMARKS, Compiled, MeasuredRow, read_rows, replace_rows, write_rows
from pages.performance.targets import PerformanceTarget, judge, targets_section
from pages.performance.variants import DEFAULT, LOW_RAM, TFLM_CMSIS_NN, VARIANTS, variant

KWS = MeasuredRow(DEFAULT, "kws", 4e6, 3e6, 30.0, 50_000, 60_000)
SLOW = replace(KWS, engine=TFLM_CMSIS_NN, inf_per_s=10.0)


def test_rows_survive_being_kept(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    write_rows(path, [KWS, replace(SLOW, top_1=90.1)])
    assert read_rows(path, MeasuredRow) == [KWS, replace(SLOW, top_1=90.1)]


def test_without_a_file_there_are_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "none.json", MeasuredRow) == []


@pytest.mark.parametrize("text", ["{", "[1]", '[{"engine": "x"}]', '[{"nonsense": 1}]'])
def test_a_file_of_something_else_is_refused_with_the_hint(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text)
    with pytest.raises(ResultsError, match="holds no rows of the performance page") as caught:
        read_rows(path, MeasuredRow)
    assert caught.value.why and "measure everything again" in caught.value.hint


def test_a_fresh_row_replaces_that_of_the_same_engine_and_benchmark_only() -> None:
    other = replace(KWS, benchmark="ic")
    fresh = replace(KWS, cycles=1.0)
    assert replace_rows([KWS, other, SLOW], [fresh]) == [fresh, other, SLOW]


def test_every_variant_is_of_an_engine_and_has_a_name_of_its_own() -> None:
    assert {one.engine for one in VARIANTS} == set(ENGINES)
    assert len({one.id for one in VARIANTS}) == len({one.label for one in VARIANTS}) == len(VARIANTS)
    assert all(one.note for one in VARIANTS if one.own)


def test_the_options_of_a_variant_are_those_of_a_recipe() -> None:
    for one in VARIANTS:
        BuildSpec("kws", one.engine, "performance", "", **one.options).check()  # type: ignore[arg-type]
        assert all(one.options[name] != getattr(BuildSpec("kws", one.engine, "performance", ""), name) for name in one.options)


def test_only_the_plan_that_drops_dead_channels_is_of_the_open_division() -> None:
    assert [dict(one.options) for one in VARIANTS if one.division == "open"] == [{"prune_channels": True}]


def test_a_mistyped_variant_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match="no variant called 'mikrotvm'") as caught:
        variant("mikrotvm")
    assert DEFAULT in caught.value.hint


# --- targets --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "limit", "met"),
    [
        ("inf_per_s", 30.0, True),
        ("inf_per_s", 30.1, False),
        ("ram_bytes", 60_000, True),
        ("ram_bytes", 59_999, False),
        ("inf_per_s", TFLM_CMSIS_NN, True),
        ("ram_bytes", TFLM_CMSIS_NN, True),
        ("inf_per_s", "tflm", None),
    ],
)
def test_throughput_is_to_reach_the_limit_and_memory_to_stay_below_it(quantity: str, limit: float | str, met: bool | None) -> None:
    (verdict,) = judge([KWS, SLOW], [PerformanceTarget("kws", DEFAULT, quantity, limit)])
    assert verdict.met is met


def test_a_target_is_not_met_by_another_benchmark_s_row_or_another_plan_s() -> None:
    verdicts = judge([KWS], [PerformanceTarget("ic", DEFAULT, "inf_per_s", 1.0), PerformanceTarget("kws", LOW_RAM, "inf_per_s", 1.0)])
    assert [verdict.measured for verdict in verdicts] == [None, None]


def test_the_table_says_what_is_not_met_and_what_was_not_measured() -> None:
    targets = [
        PerformanceTarget("kws", DEFAULT, "inf_per_s", 32.0),
        PerformanceTarget("kws", DEFAULT, "inf_per_s", TFLM_CMSIS_NN),
        PerformanceTarget("ic", LOW_RAM, "ram_bytes", 7),
    ]
    assert targets_section([KWS, SLOW], targets)[2:] == [
        "| kws | cm4tiny | at least 32 inf/s | 30.000 | **no** |",
        "| kws | cm4tiny | as TFLM + CMSIS-NN: 10.000 inf/s | 30.000 | yes |",
        "| ic | cm4tiny, low RAM | at most 7 bytes of static RAM | not measured |  |",
    ]


# --- compilers ------------------------------------------------------------------------------------------------------------------------

REFERENCE = Compiled("gcc-12", "gcc 12.2", "kws", 1000.0, 1, 1, 8, 8, reference=True)
OTHER = Compiled("gcc-14", "gcc 14.2", "kws", 1040.0, 1, 1, 8, 8)


def test_a_loss_is_counted_against_the_reference_compiler_of_the_same_model() -> None:
    rows = [REFERENCE, OTHER, replace(REFERENCE, benchmark="ic", cycles=1.0)]
    assert loss(OTHER, rows) == pytest.approx(0.04)
    assert loss(OTHER, rows[1:]) is None
    assert worst_loss(rows) == (pytest.approx(0.04), OTHER)
    assert worst_loss([REFERENCE]) is None


def test_compilers_within_the_limit_are_said_to_be() -> None:
    lines = compilers_section([REFERENCE, OTHER])
    assert "| kws | 1,000 | 1,040 (+4.0 %) |" in lines
    assert lines[-1].startswith("Outputs: 8 of 8 output tensors equal those of gcc-12, byte for byte. ")
    assert lines[-1].endswith("No compiler loses more than 5 %; the most is gcc-14 in kws, +4.0 %.")


def test_a_compiler_beyond_the_limit_and_different_outputs_are_told() -> None:
    lines = compilers_section([REFERENCE, OTHER, Compiled("clang", "clang 22", "kws", 1100.0, 1, 1, 7, 8)])
    assert "15 of 16 output tensors" in lines[-1]
    assert lines[-1].endswith("More than 5 % slower somewhere: clang; most of all clang in kws, +10.0 %.")


def test_a_loss_that_rounds_to_nothing_has_no_minus() -> None:
    assert "| kws | 1,000 | 1,000 (+0.0 %) |" in compilers_section([REFERENCE, replace(OTHER, cycles=999.9)])


def test_a_model_that_a_compiler_has_no_row_of_leaves_its_cell_empty() -> None:
    lines = compilers_section([REFERENCE, OTHER, replace(REFERENCE, benchmark="ic")])
    assert "| ic | 1,000 |  |" in lines


def test_without_rows_the_section_is_empty() -> None:
    assert compilers_section([]) == []


# --- energy ---------------------------------------------------------------------------------------------------------------------------


def test_energy_follows_from_cycles_and_less_where_they_wait_for_flash() -> None:
    assert own_energy_uj(2e6, None) == pytest.approx(2 * own_energy_uj(1e6, None))
    assert own_energy_uj(1e6, 0.0) > own_energy_uj(1e6, None) > own_energy_uj(1e6, 2e5)
    assert 330 < own_energy_uj(1e6, None) < 380  # mbed's images, which clock as much, took 334 to 360 uJ per million cycles at 1.8 V


def test_the_page_names_the_damaged_publication_and_the_errors() -> None:
    text = "\n".join(energy_lines())
    assert "47 valid published energies" in text
    assert "ic of STMicroelectronics v1.1, published as 7,019 uJ" in text and "10,021 uJ" in text


def test_every_benchmark_of_a_variant_is_one_of_the_page() -> None:
    assert all(set(one.benchmarks) <= set(BENCHMARKS) for one in VARIANTS)
