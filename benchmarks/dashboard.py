# SPDX-License-Identifier: Apache-2.0
"""Times the dashboard in headless Chromium: building, loading, and filters on all published results and on 10,000 results.

The 10,000 are the published ones with figures scattered by chance (fixed seed), every one of them with an energy, so that the plot is full.
A filter's time is from the user's input until table, front and plots are drawn, as the page itself measures it. Needs Chromium and the
Python packages playwright and vl-convert-python.

    python benchmarks/dashboard.py
"""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cm4tiny.results.dashboard.data import make_table, site_data
from cm4tiny.results.dashboard.page import page
from cm4tiny.results.dashboard.vega import vega_bundle
from cm4tiny.results.experiments.records import Record, published_records

ROUNDS = 7
AIM_MS = 200


def scattered(count: int) -> tuple[Record, ...]:
    """Published results with figures times 0.5 to 2."""
    chance = random.Random(1)
    base = published_records()

    def one(number: int) -> Record:
        record = base[number % len(base)]
        values = {**record.values, "source": f"result {number}"}
        for name in ("throughput_inf_per_s", "energy_uj_per_inf"):
            figure = record.figure(name)
            values[name] = chance.uniform(0.5, 2) * (figure if figure is not None else 1000.0)
        return dataclasses.replace(record, id=f"{number:016x}", values=values)

    return tuple(one(number) for number in range(count))


class Page:
    """The page and the time that its last update took."""

    def __init__(self, browser: Any, path: Path) -> None:
        self.page = browser.new_page(viewport={"width": 1440, "height": 900})
        began = time.monotonic()
        self.page.goto(f"{path.as_uri()}#benchmark=")
        self._settle(0)
        self.loaded_s = time.monotonic() - began

    def _settle(self, since: int) -> None:
        """Waits for an update; asks from outside, because the page's policy forbids Playwright's own waiting."""
        while not self.page.evaluate(f"Number(document.documentElement.dataset.updated || 0) > {since}"):
            self.page.wait_for_timeout(10)

    def timed(self, action: Callable[[], object]) -> float:
        """Milliseconds from an input to the last plot."""
        before = self.page.evaluate("document.documentElement.dataset.updated")
        action()
        self._settle(before)
        return float(self.page.evaluate("document.documentElement.dataset.milliseconds"))

    def filters(self) -> dict[str, list[float]]:
        """Each kind of filter, set and unset several times."""
        locate = self.page.locator
        latency, search, box = (
            locate('[data-constraint="latency_ms<="]'),
            locate("#search"),
            locate('input[data-facet="round"][value="v1.1"]'),
        )
        times: dict[str, list[float]] = {"constraint": [], "round": [], "search": [], "benchmark": []}
        for n in range(ROUNDS):
            times["constraint"] += [self.timed(lambda n=n: latency.fill(str(100 - n))), self.timed(lambda: latency.fill(""))]
            times["round"] += [self.timed(box.check), self.timed(box.uncheck)]
            times["search"] += [self.timed(lambda: search.fill("cortex")), self.timed(lambda: search.fill(""))]
            times["benchmark"] += [self.timed(locate(f'[data-benchmark="{name}"]').click) for name in ("kws", "")]
        return times


def measure(browser: Any, records: tuple[Record, ...], folder: Path) -> None:
    """Prints the figures of one set of results."""
    began = time.monotonic()
    text = page(site_data(make_table(records)), vega_bundle(), title="MLPerf Tiny results")
    (folder / "index.html").write_text(text, encoding="utf-8")
    built = time.monotonic() - began
    shown = Page(browser, folder / "index.html")
    print(f"{len(records)} results: built in {built:.1f} s, {len(text) / 1e6:.1f} MB, loaded and drawn in {shown.loaded_s:.1f} s")
    for name, times in shown.filters().items():
        figures = (statistics.median(times), min(times), max(times))
        print(f"  {name:11} median {figures[0]:5.0f} ms   fastest {figures[1]:5.0f} ms   slowest {figures[2]:5.0f} ms   (aim {AIM_MS} ms)")


def main() -> None:
    """Measures both sets."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    program = os.environ.get("CM4TINY_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        print(f"Chromium {browser.version}, load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        for records in (published_records(), scattered(10_000)):
            measure(browser, records, Path(folder))
        browser.close()


if __name__ == "__main__":
    main()
