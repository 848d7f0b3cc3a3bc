# SPDX-License-Identifier: Apache-2.0
"""The dashboard in headless Chromium: it loads from disk without a request, and shows the numbers that Python computes.

Needs a Chromium (``chromium``, ``chromium-browser``, ``google-chrome``, or the one named by CM4TINY_CHROMIUM) and the Python packages
``playwright`` and ``vl-convert-python``; skipped with a reason where one is missing.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.results.dashboard import Constraint, Query, collect, judged, pareto, select
from cm4tiny.results.dashboard.builder import build
from cm4tiny.results.dashboard.data import make_table, site_data
from cm4tiny.results.dashboard.page import page as page_text
from cm4tiny.results.experiments.records import make_record, published_records

pytest.importorskip("vl_convert", reason="needs the Python package vl-convert-python (extra dashboard)")

HOSTILE = "</script><img src=x onerror=alert(1)><b>\"'&{{script}}"
OBJECTIVES = [("latency_ms", "less"), ("energy_uj_per_inf", "less")]
OWN: dict[str, Any] = {
    "board": "virtual",
    "engine": "microtvm",
    "assets": "embedded",
    "results": [
        {
            "benchmark": "kws",
            "mode": "performance",
            "simulated": True,
            "throughput_inf_per_s": 22.25,
            "windows": [],
            "cycles_per_inference": 5.39e6,
        },
        {"benchmark": "kws", "mode": "energy", "simulated": True, "energy_uj_per_inf": 2371.6, "derived": True},
    ],
    "files": [],
    "tools": {},
}
RESULT = "closed/STMicroelectronics/results/NUCLEO_L4R5ZI/ic"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "outcome.json").write_text(json.dumps(OWN), encoding="utf-8")
    (folder / "own.csv").write_text("board,price [EUR] less\nNUCLEO-L4R5ZI,19.5\nNUCLEO-H7A3ZI-Q,27\n", encoding="utf-8")
    finding = {"rule": "window.short", "severity": "error", "round": "v1.1", "path": f"{RESULT}/energy", "message": HOSTILE}
    (folder / "audit.json").write_text(json.dumps({"findings": [finding], "rounds": ["v1.1"]}), encoding="utf-8")
    return {
        "runs": [folder],
        "columns": folder / "own.csv",
        "findings": [folder / "audit.json"],
        "metrics": ["worth [inf/s/EUR] more = throughput_inf_per_s / price"],
    }


@pytest.fixture(scope="module")
def site(inputs: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("site"), **inputs).index


@pytest.fixture(scope="module")
def rows(inputs: dict[str, Any]) -> list[Any]:
    return list(collect(**inputs).rows)


class View:
    """The page, and what a user does with it."""

    def __init__(self, browser: Any, site: Path, *, state: str = "", **context: Any) -> None:
        self.page = browser.new_context(accept_downloads=True, **context).new_page()
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.blocked: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.blocked.append(request.url) if request.failure == "csp" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        self.page.goto(site.as_uri() + state)
        self.settle(0)

    @property
    def updates(self) -> int:
        return int(self.page.evaluate("document.documentElement.dataset.updated || 0"))

    def settle(self, since: int) -> None:
        self.until(f"Number(document.documentElement.dataset.updated || 0) > {since}")

    def until(self, condition: str) -> None:
        """Waits for a condition; asks from outside, because the page's policy forbids Playwright's own waiting."""
        deadline = time.monotonic() + 60
        while not self.page.evaluate(condition):
            assert time.monotonic() < deadline, condition
            self.page.wait_for_timeout(10)

    def benchmark(self, name: str) -> None:
        self.act(lambda: self.page.locator(f'[data-benchmark="{name}"]').click())

    def choose(self, facet: str, value: str) -> None:
        self.page.locator(f'[data-group="{facet}"]').evaluate("node => { node.open = true; }")
        self.act(lambda: self.page.locator(f'input[data-facet="{facet}"][value="{value}"]').check())

    def constrain(self, column: str, sense: str, value: float) -> None:
        self.act(lambda: self.page.locator(f'[data-constraint="{column}{sense}"]').fill(str(value)))

    def act(self, action: Any) -> None:
        before = self.updates
        action()
        self.settle(before)

    @property
    def count(self) -> str:
        return str(self.page.locator("#count").inner_text())

    def saved(self) -> list[dict[str, str]]:
        with self.page.expect_download() as download:
            self.page.locator("#save-csv").click()
        return list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))


def expected(rows: list[Any], query: Query) -> tuple[list[str], list[str]]:
    chosen = select(rows, query)
    return sorted(r["source"] for r in chosen), sorted(r["source"] for r in pareto(judged(chosen), OBJECTIVES))


def shown(view: View) -> tuple[list[str], list[str]]:
    saved = view.saved()
    return sorted(r["source"] for r in saved), sorted(r["source"] for r in saved if r["pareto_front"] == "yes")


def test_it_loads_from_disk_and_asks_nobody_for_anything(browser: Any, site: Path) -> None:
    view = View(browser, site)
    assert view.count == "90 results, 2 on the Pareto front"
    assert view.page.locator("#plot canvas").count() == 1
    assert view.page.locator("#history canvas").count() == 1
    assert view.requests == [site.as_uri()]
    assert view.problems == []


def test_the_policy_stops_what_the_page_does_not_bring(browser: Any, site: Path) -> None:
    view = View(browser, site)
    view.page.evaluate(
        """() => { const s = document.createElement("script"); s.textContent = "window.ran = 1"; document.body.append(s);
                   const i = new Image(); i.src = "https://example.org/x.png"; fetch("https://example.org/").catch(() => 0); }"""
    )
    view.page.wait_for_timeout(200)
    assert view.page.evaluate("window.ran") is None
    assert [url for url in view.requests if url not in view.blocked] == [site.as_uri()]
    assert any("Content Security Policy" in problem for problem in view.problems)


@pytest.mark.parametrize(
    ("benchmark", "choices", "search", "constraints"),
    [
        ("kws", {}, "", []),
        ("", {}, "", []),
        ("vww", {"round": ["v1.1", "v1.2"]}, "", []),
        ("ic", {"core": ["Cortex-M4", "Cortex-M7"], "submitter": ["STMicroelectronics", "OctoML"]}, "", []),
        ("ad", {"board": ["NUCLEO-L4R5ZI"]}, "", [("energy_uj_per_inf", "<=", 400.0)]),
        ("", {"framework_family": ["ST X-CUBE-AI"], "division": ["closed"]}, "nucleo stm32", [("accuracy_pct", ">=", 86.0)]),
        ("kws", {}, "", [("latency_ms", "<=", 75.058), ("memory_kib", "<=", 640.0)]),
        ("kws", {}, "", [("price", "<=", 20.0), ("accuracy_pct", ">=", 90.2)]),
        ("", {"label": ["simulated, embedded model"]}, "", []),
        ("kws", {"quality_target_met": ["no", ""]}, "", []),
    ],
)
def test_filters_constraints_and_front_give_the_numbers_that_python_gives(
    browser: Any, site: Path, rows: list[Any], benchmark: str, choices: dict[str, list[str]], search: str, constraints: list[Any]
) -> None:
    view = View(browser, site)
    if benchmark != "kws":
        view.benchmark(benchmark)
    for facet, values in choices.items():
        for value in values:
            view.choose(facet, value)
    if search:
        view.act(lambda: view.page.locator("#search").fill(search))
    for column, sense, value in constraints:
        view.constrain(column, sense, value)
    chosen = {facet: frozenset(values) for facet, values in choices.items()}
    query = Query({**chosen, "benchmark": frozenset({benchmark} - {""})}, search, tuple(Constraint(*c) for c in constraints))
    assert shown(view) == expected(rows, query)
    results, front = expected(rows, query)
    assert view.count.startswith(f"{len(results)} result")
    assert view.page.locator("#front tbody tr").count() == len(front)
    assert view.problems == []


def test_the_front_follows_the_axes_and_a_third_objective(browser: Any, site: Path, rows: list[Any]) -> None:
    view = View(browser, site)
    for axis, column in (("x", "throughput_per_mhz"), ("y", "accuracy_pct"), ("z", "energy_delay_uj_s")):
        view.act(lambda axis=axis, column=column: view.page.locator(f"#{axis}").select_option(column))
    front = pareto(
        judged(select(rows, Query({"benchmark": frozenset({"kws"})}))),
        [("throughput_per_mhz", "more"), ("accuracy_pct", "more"), ("energy_delay_uj_s", "less")],
    )
    assert sorted(r["source"] for r in view.saved() if r["pareto_front"] == "yes") == sorted(str(r["source"]) for r in front)
    view.act(lambda: view.page.locator("#x").select_option("supply_v"))
    assert "supply voltage has no better side" in view.page.locator("#front-note").inner_text()
    assert view.count == "90 results"


def test_the_front_leaves_out_what_misses_the_quality_target_unless_told_otherwise(browser: Any, site: Path, rows: list[Any]) -> None:
    view = View(browser, site)
    whole = [row for row in rows if row["benchmark"] == "kws" and all(row.get(column) is not None for column, _ in OBJECTIVES)]
    missing = [row for row in whole if row.get("quality_target_met") == "no"]
    assert len(missing) == 2
    assert "2 results miss the quality target and are left out." in view.page.locator("#front-note").inner_text()
    with view.page.expect_download() as download:
        view.page.locator("#save-svg").click()
    assert "2 results miss the quality target and are left out." in Path(download.value.path()).read_text(encoding="utf-8")
    said = {row["source"]: row["pareto_front"] for row in view.saved()}
    assert all(said[row["source"]] == "left out: misses the quality target" for row in missing)
    view.act(lambda: view.page.locator("#judge").uncheck())
    assert "left out" not in view.page.locator("#front-note").inner_text()
    front = sorted(r["source"] for r in view.saved() if r["pareto_front"] == "yes")
    assert front == sorted(str(r["source"]) for r in pareto(whole, OBJECTIVES)) and len(front) == 3
    view.until("location.hash.includes('judge=no')")
    assert not View(browser, site, state="#judge=no").page.locator("#judge").is_checked()


FIND_OWN_POINT = """() => {
  const canvas = document.querySelector("#plot canvas"), box = canvas.getBoundingClientRect();
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const own = [];
  for (let i = 0; i < data.length; i += 4)
    if (data[i] > 200 && Math.abs(data[i + 1] - 0x5e) < 24 && data[i + 2] < 40) own.push(i / 4);
  const inPlot = own.filter((n) => n % canvas.width < 0.75 * canvas.width);
  const n = inPlot[Math.floor(inPlot.length / 2)];
  return [box.x + ((n % canvas.width) * box.width) / canvas.width, box.y + (Math.floor(n / canvas.width) * box.height) / canvas.height];
}"""
"""The middle of the orange diamond, on the screen; the same colour in the legend, on the right, does not count."""
LABELS = ("simulated", "embedded model", "NUCLEO-L4R5ZI", "1.8 V", "120 MHz", "no division claimed", "model error: throughput")


def test_an_own_run_carries_its_labels_in_plot_file_tip_front_and_table(browser: Any, site: Path) -> None:
    view = View(browser, site, state="#is.round=own+run", viewport={"width": 1600, "height": 1400})
    with view.page.expect_download() as download:
        view.page.locator("#save-svg").click()
    svg = re.sub(r"<[^>]*>", " ", re.sub(r"</tspan>|</text>", " ", Path(download.value.path()).read_text(encoding="utf-8")))
    svg = " ".join(svg.split())
    (line,) = view.saved()
    x, y = view.page.evaluate(FIND_OWN_POINT)
    view.page.mouse.move(x, y)
    view.until("!document.querySelector('#tip').hidden")
    tip, front = view.page.locator("#tip").inner_text(), view.page.locator("#front").inner_text()
    row = view.page.locator("#table .row").first
    assert "simulated, embedded model" in row.inner_text() and "NUCLEO-L4R5ZI (virtual)" in row.inner_text()
    for label in LABELS:
        assert label in svg and label in tip and label in front and label in line["conditions"], label
    assert (line["label"], line["supply_v"], line["frequency_mhz"]) == ("simulated, embedded model", "1.8", "120")
    cut = view.page.evaluate("""() => [...document.querySelectorAll("#table .row:first-of-type td")].concat(
        [...document.querySelectorAll("#table .row td")]).filter((td) => /virtual|embedded model$/.test(td.textContent)
        && (td.scrollWidth > td.clientWidth || td.scrollHeight > td.clientHeight + 1)).map((td) => td.textContent)""")
    assert cut == []


def test_results_of_another_board_clock_or_voltage_say_so_beside_an_own_run(browser: Any, site: Path) -> None:
    lines = {line["source"]: line for line in View(browser, site).saved()}
    differs = {source.partition("/results/")[2]: line["differs"] for source, line in lines.items()}
    assert differs["NUCLEO_L4R5ZI-P/kws"] == "another board: NUCLEO-L4R5ZI-P; another supply voltage: 3 V"
    assert differs["NUCLEO_L4R5ZI/kws"] == ""
    assert differs["NUCLEO-L4R5ZI_X-CUBE-AI-8.0/kws"] == "another supply voltage: 3 V"


def test_counts_beside_the_filters_say_what_each_would_give(browser: Any, site: Path, rows: list[Any]) -> None:
    view = View(browser, site)
    view.choose("round", "v1.1")
    view.choose("core", "Cortex-M4")
    kws = [row for row in rows if row["benchmark"] == "kws"]
    option = view.page.locator('[data-group="round"] .option', has=view.page.locator('input[value="v1.2"]'))
    assert option.locator(".n").inner_text() == str(sum(r["round"] == "v1.2" and r["core"] == "Cortex-M4" for r in kws))


def test_the_saved_table_is_exact(browser: Any, site: Path, rows: list[Any]) -> None:
    by_source = {row["source"]: row for row in rows}
    saved = View(browser, site).saved()
    for line in saved:
        row = by_source[line["source"]]
        assert float(line["throughput_inf_per_s"]) == row["throughput_inf_per_s"]
        assert line["worth"] == "" if "worth" not in row else float(line["worth"]) == row["worth"]
    speeds = [float(line["throughput_inf_per_s"]) for line in saved]
    assert speeds == sorted(speeds, reverse=True)


def test_the_saved_plot_is_an_svg_of_the_points(browser: Any, site: Path) -> None:
    view = View(browser, site)
    with view.page.expect_download() as download:
        view.page.locator("#save-svg").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert text.startswith("<svg")
    assert "latency (ms)" in text
    assert text.count("<path") > 43


def test_details_show_evidence_notes_and_findings(browser: Any, site: Path) -> None:
    view = View(browser, site, state="#benchmark=ic&is.round=v1.1&search=STMicroelectronics+NUCLEO_L4R5ZI")
    view.page.locator("#table .row").first.click()
    dialog = view.page.locator("#details")
    assert HOSTILE in dialog.inner_text()
    assert dialog.locator("img, b").count() == 0
    link = dialog.get_by_text("logs and results").get_attribute("href")
    assert link == f"https://github.com/mlcommons/tiny_results_v1.1/tree/HEAD/{RESULT}"
    view.page.keyboard.press("Escape")
    assert not dialog.is_visible()
    other = View(browser, site, state="#benchmark=ic&is.round=v1.0")
    other.page.locator("#table .row").first.click()
    assert "The audit did not cover this result." in other.page.locator("#details").inner_text()


def test_an_own_run_is_marked_wherever_it_is_shown(browser: Any, site: Path) -> None:
    view = View(browser, site, state="#is.round=own+run")
    assert view.count.startswith("1 result")
    view.page.locator("#table .row").first.click()
    text = view.page.locator("#details").inner_text()
    assert "simulated, embedded model" in text
    assert "not MLPerf Tiny's" in text


def test_a_boards_history_is_its_results_by_round(browser: Any, site: Path, rows: list[Any]) -> None:
    view = View(browser, site)
    assert view.page.locator("#board").input_value() == "NUCLEO-L4R5ZI"
    rounds = {r["round"] for r in rows if r["board"] == "NUCLEO-L4R5ZI" and r["benchmark"] == "kws"}
    label = view.page.locator("#history").get_attribute("aria-label")
    assert label == f"throughput (inf/s) of NUCLEO-L4R5ZI over {len(rounds)} rounds"
    view.act(lambda: view.page.locator("#board").select_option("NDP9120"))
    assert "NDP9120 over 6 rounds" in (view.page.locator("#history").get_attribute("aria-label") or "")


def test_everything_can_be_done_with_the_keyboard(browser: Any, site: Path) -> None:
    view = View(browser, site)
    keys = view.page.keyboard
    keys.press("/")
    assert view.page.evaluate("document.activeElement.id") == "search"
    view.act(lambda: keys.type("plumerai"))
    view.page.locator("#table").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "End", "Home", "PageDown", "ArrowDown"):
        keys.press(key)
    assert view.page.locator("#table .row.active").count() == 1
    keys.press("Enter")
    assert view.page.locator("#details").is_visible()
    keys.press("Escape")
    view.page.locator('[data-benchmark="kws"]').focus()
    view.act(lambda: keys.press("ArrowRight"))
    assert view.page.evaluate("document.activeElement.dataset.benchmark") == "vww"


def test_nothing_found_says_so_and_can_be_undone(browser: Any, site: Path) -> None:
    view = View(browser, site)
    view.act(lambda: view.page.locator("#search").fill("no such board"))
    assert view.count == "0 results"
    assert view.page.locator("#plot-empty").inner_text() == "No result meets the filters."
    view.act(lambda: view.page.locator("#table-empty button").click())
    assert view.count.startswith("90 results")
    assert view.page.locator("#search").input_value() == ""


def test_a_view_can_be_bookmarked(browser: Any, site: Path) -> None:
    view = View(browser, site)
    view.benchmark("ic")
    view.choose("round", "v1.2")
    view.constrain("accuracy_pct", ">=", 87)
    view.until("location.hash.includes('accuracy')")
    again = View(browser, site, state=view.page.evaluate("location.hash"))
    assert again.count == view.count
    assert again.page.locator('[data-constraint="accuracy_pct>="]').input_value() == "87"


def test_a_damaged_bookmark_is_ignored(browser: Any, site: Path) -> None:
    view = View(
        browser,
        site,
        state="#benchmark=<b>&x=submitter&y=__proto__&is.round=constructor&if=latency_ms%3E%3D1e&z=toString&board=%00&color=x",
    )
    assert view.count.startswith("90 results")
    assert view.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colour_scheme_is_the_systems_and_can_be_changed(browser: Any, site: Path, scheme: str) -> None:
    view = View(browser, site, color_scheme=scheme)
    assert view.page.evaluate("document.documentElement.dataset.theme") == scheme
    view.act(lambda: view.page.locator("#theme").click())
    assert view.page.evaluate("document.documentElement.dataset.theme") != scheme


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_page_never_scrolls_sideways(browser: Any, site: Path, width: int) -> None:
    view = View(browser, site, viewport={"width": width, "height": 800})
    assert view.page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_control_has_a_name(browser: Any, site: Path) -> None:
    view = View(browser, site)
    nameless = view.page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, summary, [role=grid], [role=img]")]
             .filter((node) => !["aria-label", "aria-labelledby"].some((name) => node.getAttribute(name)))
             .filter((node) => !(node.labels && node.labels.length) && !node.textContent.trim())
             .map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert nameless == []


def test_hostile_names_stay_text(browser: Any, tmp_path: Path) -> None:
    from cm4tiny.results.dashboard.vega import vega_bundle

    figures = {"throughput_inf_per_s": 1.0, "energy_uj_per_inf": 2.0, "frequency_mhz": 3.0}
    names = ("submitter", "system", "board", "framework", "framework_family", "core", "round", "division", "label")
    texts = dict.fromkeys(names, HOSTILE)
    hostile = make_record(HOSTILE, {**figures, **texts, "benchmark": "kws"}, links={"x": "javascript:alert(1)"}, notes=(HOSTILE,))
    formula = make_record("=1+1", {**figures, "benchmark": "kws", "submitter": "=HYPERLINK(1)", "origin": "published"})
    (tmp_path / "index.html").write_text(
        page_text(site_data(make_table([hostile, formula])), vega_bundle(), title=HOSTILE), encoding="utf-8"
    )
    view = View(browser, tmp_path / "index.html")
    assert view.count.startswith("2 results")
    view.page.locator("#table .row").first.click()
    assert view.page.locator("img").count() == 0
    assert view.page.locator("#details a").count() == 0
    view.page.keyboard.press("Escape")
    view.page.locator("#plot canvas").hover()
    assert view.problems == []
    assert view.requests == [(tmp_path / "index.html").as_uri()]
    assert {row["submitter"] for row in view.saved()} == {HOSTILE, "'=HYPERLINK(1)"}


def test_ten_thousand_results_are_shown_with_python_s_numbers(browser: Any, tmp_path: Path) -> None:
    from cm4tiny.results.dashboard.vega import vega_bundle

    base = published_records()
    many = [
        dataclasses.replace(r, id=f"{n:016x}", values={**r.values, "source": f"s{n}", "energy_uj_per_inf": 50.0 + (n * 7919) % 9973})
        for n in range(10_000)
        for r in (base[n % len(base)],)
    ]
    table = make_table(many)
    (tmp_path / "index.html").write_text(page_text(site_data(table), vega_bundle(), title="many"), encoding="utf-8")
    view = View(browser, tmp_path / "index.html", state="#benchmark=")
    view.constrain("latency_ms", "<=", 100)
    query = Query(constraints=(Constraint("latency_ms", "<=", 100.0),))
    assert shown(view) == expected(list(table.rows), query)
    assert view.page.locator("#table .row").count() < 100  # only rows in sight are in the page
