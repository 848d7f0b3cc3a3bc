# SPDX-License-Identifier: Apache-2.0
"""The performance page and its chart."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from cm4tiny.images.fidelity import Row
from cm4tiny.images.fidelity import read_rows as read_fidelity
from cm4tiny.results.published import published_for
from pages.performance.chart import Bar, BarGroup, bar_chart
from pages.performance.energy import own_energy_uj
from pages.performance.freshness import code_of
from pages.performance.page import CHART, Evidence, chart, fastest, page, shown_published
from pages.performance.rows import Again, Compiled, Harsher, MeasuredRow, read_rows
from pages.performance.variants import DEFAULT, NO_SKIP, PRUNED

BEST = 23.155
"""kws of STMicroelectronics in round v1.2."""
OURS = MeasuredRow(DEFAULT, "kws", 4e6, 3e6, BEST * 1.5, 50_000, 60_000)
FIDELITY = (Row("one", "image", "kws", 11.0, 10.0), Row("two", "image", "ic", 10.0, 10.0), Row("three", "build", "ic", 8.0, 10.0))
SVG = "{http://www.w3.org/2000/svg}"


def rows_of(text: str, heading: str) -> list[str]:
    """Lines of the table under a heading."""
    part = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in part.splitlines() if line.startswith("|")][2:]


def test_the_page_says_that_its_figures_are_predicted_and_how_well() -> None:
    text = page(Evidence([OURS], fidelity=FIDELITY))
    assert "**predicted on the virtual board**" in " ".join(text.split())
    assert "for 2 published images, run byte for byte: error 7.1 % rms, worst +10.0 % (one)" in text
    assert "for 1 builds of published sources: error 20.0 % rms, worst -20.0 % (three)" in text
    assert "Energy is supply voltage times current times time" in text and "[All rows](energy.md)" in text


def test_a_row_has_throughput_share_counts_memory_and_energy() -> None:
    (row,) = [line for line in rows_of(page(Evidence([OURS])), "kws") if line.startswith("| **cm4tiny**")]
    figures, _, labels = row.removesuffix(" |").rpartition(" | ")
    assert (
        figures
        == f"| **cm4tiny** | closed | {BEST * 1.5:.3f} | 1.50 | 4,000,000 | 3,000,000 | 50,000 | 60,000 | {own_energy_uj(4e6, None):,.0f}"
    )
    assert labels.startswith("simulated, official model, NUCLEO-L4R5ZI, 1.8 V, 120 MHz, closed division, model error: throughput -")
    assert "energy -" in labels and labels.endswith("LDO, boost, clocked: GPIO F G, TIM2, LPUART1")


def test_a_published_row_of_another_board_or_voltage_says_so_and_is_not_compared() -> None:
    rows = rows_of(page(Evidence([OURS])), "kws")
    (other,) = [line for line in rows if "NUCLEO-L4R5ZI-P" in line]
    cells = [cell.strip() for cell in other.strip("|").split("|")]
    assert cells[3] == "" and cells[-1].endswith("**another board: NUCLEO-L4R5ZI-P; another supply voltage: 3 V**")
    assert all("measured by the submitter, official model, " in line for line in rows if "published" in line)
    assert fastest("ad").board == "NUCLEO-L4R5ZI"  # type: ignore[union-attr]


def test_the_table_is_sorted_by_throughput_with_the_published_results_in_it() -> None:
    rows = rows_of(page(Evidence([OURS, replace(OURS, engine="tflm", inf_per_s=1.0)])), "kws")
    assert rows[0].startswith("| **cm4tiny**") and rows[-1].startswith("| TFLM |")
    assert rows[1].startswith("| *published: STMicroelectronics v1.2") and " at 1.8 V |" in rows[1]


def test_the_open_division_is_named_at_its_row() -> None:
    assert "| **cm4tiny, open division** | open |" in page(Evidence([replace(OURS, engine=PRUNED)]))


def test_plans_that_come_out_as_the_default_plan_are_named_but_shown_once() -> None:
    evidence = Evidence([OURS, replace(OURS, engine=NO_SKIP), replace(OURS, engine=PRUNED, cycles=3e6)])
    text = page(evidence)
    assert "The default plan's figures also hold for: cm4tiny, nothing skipped.\n" in text
    assert "**cm4tiny, nothing skipped** | closed" not in text and "**cm4tiny, open division** | open" in text
    assert "cm4tiny, nothing skipped" not in chart(evidence)


def test_each_submitter_is_shown_once_with_its_fastest_result() -> None:
    shown = shown_published("kws")
    names = [(row.submitter, row.board) for row in shown]
    assert len(names) == len(set(names)) and {"OctoML", "plumerai", "bosch"} <= {name for name, _ in names}
    assert shown[0] == published_for("kws")[0]


def test_a_lead_within_the_model_s_error_is_not_called_one() -> None:
    def lead(ratio: float) -> str:
        text = page(Evidence([replace(OURS, inf_per_s=BEST * ratio)], fidelity=FIDELITY))
        return next(line for line in text.splitlines() if line.startswith("The default plan"))

    worst = Evidence([]).worst_error
    assert lead(1.5).endswith(f"{1.5 / (1 + worst):.2f} to {1.5 / (1 - worst):.2f} times with the model's worst error: ahead of it.")
    assert lead(1.05).endswith("a difference within the model's worst error.")
    assert lead(0.95).endswith("a difference within the model's worst error.")
    assert lead(0.5).endswith("behind it.")


def test_the_streaming_benchmark_is_not_compared_with_published_duty_cycles() -> None:
    sww = replace(OURS, benchmark="sww", inf_per_s=77.0)
    text = page(Evidence([sww]))
    assert "the two cannot be compared" in text
    assert fastest("sww") is None
    assert all(line.split("|")[4].strip() == "" for line in rows_of(text, "sww"))
    assert "sww" not in chart(Evidence([sww]))


def test_compilers_and_accuracy_are_on_the_page_when_there_are_rows() -> None:
    text = page(Evidence([replace(OURS, top_1=90.1)], [Compiled("gcc-12", "gcc 12.2", "kws", 1.0, 1, 1, 8, 8, reference=True)]))
    assert "\n## Compilers\n" in text and "| cm4tiny | 90.1 % |" in text
    bare = page(Evidence([OURS]))
    assert "## Compilers" not in bare and "kws01" not in bare


def test_a_page_without_any_row_still_tells_what_is_not_measured() -> None:
    assert page(Evidence([])).count("not measured") > 5


def test_the_page_in_the_manual_is_made_of_the_kept_rows() -> None:
    root = Path(__file__).resolve().parents[3]
    kept = root / "benchmarks"
    rows, compiled = read_rows(kept / "engine_rows.json", MeasuredRow), read_rows(kept / "compiler_rows.json", Compiled)
    harsher, again = read_rows(kept / "core_rows.json", Harsher), read_rows(kept / "embedded_rows.json", Again)
    evidence = Evidence(rows, compiled, read_fidelity(kept / "fidelity_rows.json"), harsher, again, code_of(root))
    assert rows and compiled and harsher and again
    hint = "what decides its figures has changed: measure again (docs/benchmarks.md), or say so:\npython benchmarks/engines.py --only"
    assert (root / "docs" / "performance.md").read_text(encoding="utf-8") == page(evidence), hint
    assert (root / "docs" / CHART).read_text(encoding="utf-8") == chart(evidence), hint


def test_harsher_cores_and_embedded_models_are_on_the_page_when_there_are_rows() -> None:
    harsher = [Harsher("the virtual board", "kws", 38.0), Harsher("slow", "kws", 32.04), Harsher("slow", "ad", 300.0)]
    text = page(Evidence([OURS], harsher=harsher, again=[Again("kws", "gcc 12.2", 5e6, 4e6, 70_000, 110_000)]))
    assert rows_of(text, "Harsher cores") == ["| the virtual board |  | 38.0 |", "| slow | 300.0 | 32.0 |"]
    assert rows_of(text, "Embedded models") == ["| kws | 5,000,000 | 4,000,000 | 70,000 | 110,000 |"]
    assert "simulated, embedded model" in text and "gcc 12.2" in text
    assert "Harsher" not in page(Evidence([OURS])) and "Embedded" not in page(Evidence([OURS]))


def test_the_page_shows_its_chart() -> None:
    assert f"]({CHART})" in page(Evidence([OURS]))


# --- the chart ------------------------------------------------------------------------------------------------------------------------


def widths(svg: str) -> dict[str, float]:
    """Label -> width of its bar."""
    root = ElementTree.fromstring(svg)
    labels = [node.text or "" for node in root.iter(f"{SVG}text") if node.get("text-anchor") == "end"]
    bars = [float(node.get("width", "0")) for node in root.iter(f"{SVG}rect")][1:]
    return dict(zip(labels, bars, strict=True))


def test_bars_are_as_long_as_their_values() -> None:
    found = widths(
        bar_chart([BarGroup("g", (Bar("a", 2.0, "own"), Bar("b", 0.5, "other"), Bar("c", 1.0, "published")))], title="t", subtitle="s")
    )
    assert abs(found["a"] / found["b"] - 4) < 0.01 and abs(found["a"] / found["c"] - 2) < 0.01


def test_everything_stays_inside_the_picture() -> None:
    svg = bar_chart(
        [BarGroup("g", (Bar("a", 3.0, "own"),)), BarGroup("h", (Bar("b", 1.0, "published"),))], title="t", subtitle="s", error=0.1
    )
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    for node in root.iter(f"{SVG}rect"):
        assert float(node.get("x", "0")) + float(node.get("width", "0")) <= width
    assert all(float(node.get("x", "0")) < width and float(node.get("y", "0")) < height for node in root.iter(f"{SVG}text"))


def test_whiskers_show_the_error_of_predicted_bars_only() -> None:
    bars = (Bar("a", 1.0, "own"), Bar("c", 1.0, "published"))
    assert bar_chart([BarGroup("g", bars)], title="t", subtitle="s", error=0.1).count("<path") == 1
    assert bar_chart([BarGroup("g", bars)], title="t", subtitle="s").count("<path") == 0


def test_the_chart_has_colours_for_a_dark_page_and_each_is_told_from_its_background() -> None:
    """Text by 4.5 to 1 (WCAG 2.2, section 1.4.3); bars, which carry their labels next to them, by less on a light page."""
    svg = bar_chart([BarGroup("g", tuple(Bar(kind, 1.0, kind) for kind in ("own", "plan", "other", "published")))], title="t", subtitle="s")
    style = ElementTree.fromstring(svg).findtext(f"{SVG}style") or ""
    light, dark = style.split("@media (prefers-color-scheme:dark)")
    for colours, night in ((light, False), (dark, True)):
        found = dict(re.findall(r"(\.?\w+)\{fill:(#[0-9a-f]+)", colours))
        paper = found.pop(".paper")
        assert (luminance(paper) < 0.1) is night
        for name in ("text", ".soft"):
            assert contrast(found[name], paper) >= 4.5, (name, found[name])
        for name in (".own", ".plan", ".other", ".published"):
            assert contrast(found[name], paper) >= (3.0 if night else 2.0), (name, found[name])
    assert "fill=" not in svg.replace('fill="none"', "")


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_names_are_escaped_and_the_figures_are_readable_without_the_picture() -> None:
    svg = bar_chart([BarGroup("<g>", (Bar('a & "b"', 1.25, "own"),))], title="a < b", subtitle="s")
    root = ElementTree.fromstring(svg)
    described = root.find(f"{SVG}desc")
    assert described is not None and described.text == '<g>: a & "b" 1.25'


def test_the_chart_has_a_group_for_each_benchmark_with_rows_and_the_published_result_as_one() -> None:
    svg = chart(Evidence([OURS, replace(OURS, benchmark="ic", inf_per_s=3.028)], fidelity=FIDELITY))
    assert f"worst error on code of others, {100 * Evidence([]).worst_error:.1f} %" in svg
    assert re.findall(r'class="group"[^>]*>(\w+)<', svg) == ["ic", "kws"]
    assert "published: STMicroelectronics v1.2 1.00" in svg and "cm4tiny 1.50" in svg and "cm4tiny 0.50" in svg
