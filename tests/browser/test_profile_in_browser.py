# SPDX-License-Identifier: Apache-2.0
"""The profile's page in headless Chromium: light and dark, on a telephone, and with the keyboard alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.profiles import profile

from cm4tiny.profiling.page import page as page_text

CONTRAST = """() => {
  const channel = (c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const light = (c) => { const [r, g, b] = c.match(/[0-9.]+/g).map(Number).map(channel); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const card = light(getComputedStyle(document.querySelector("section")).backgroundColor);
  return [...document.querySelectorAll("td, th, caption, b, p, h1, h2, summary, svg text")]
    .filter((node) => node.getClientRects().length && node.textContent.trim())
    .map((node) => {
      const style = getComputedStyle(node), ink = light(node.tagName === "text" ? style.fill : style.color);
      return [(Math.max(ink, card) + 0.05) / (Math.min(ink, card) + 0.05), node.tagName + " " + node.textContent.slice(0, 40)];
    })
    .filter(([ratio]) => ratio < 4.5);
}"""
"""Text whose contrast with its card is below that of WCAG 2.1, level AA."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("profile") / "profile.html"
    path.write_text(page_text(profile()), encoding="utf-8")
    return path


def opened(browser: Any, file: Path, **context: Any) -> Any:
    page = browser.new_context(**context).new_page()
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_as_light_as_the_system_and_all_text_can_be_read(scheme: str, width: int, browser: Any, file: Path) -> None:
    page = opened(browser, file, color_scheme=scheme, viewport={"width": width, "height": 844})
    level = sum(map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]))
    assert (level < 150) == (scheme == "dark")
    assert page.evaluate(CONTRAST) == []
    picture = page.screenshot(full_page=True)
    assert len(picture) > 5000


def test_on_a_telephone_the_page_does_not_scroll_sideways_and_shows_bars_instead_of_the_picture(browser: Any, file: Path) -> None:
    page = opened(browser, file, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.locator("svg").is_visible() and page.locator(".narrow").is_visible()
    shown = page.locator(".narrow").inner_text()
    assert profile().conditions.text in shown and profile().title in shown
    assert page.locator(".narrow li").count() >= len(profile().layers)
    sizes = page.evaluate("[...document.querySelectorAll('.narrow li b')].map((node) => parseFloat(getComputedStyle(node).fontSize))")
    assert min(sizes) >= 12
    wide = opened(browser, file, viewport={"width": 1440, "height": 844})
    assert wide.locator("svg").is_visible() and not wide.locator(".narrow").is_visible()


def test_a_wide_table_can_be_scrolled_and_a_layer_opened_with_the_keyboard(browser: Any, file: Path) -> None:
    page = opened(browser, file, viewport={"width": 390, "height": 844})
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "scroll"
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    assert page.evaluate("document.activeElement.scrollLeft") > 0
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('details').open")
