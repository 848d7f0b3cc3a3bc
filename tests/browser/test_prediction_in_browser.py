# SPDX-License-Identifier: Apache-2.0
"""The prediction's page in headless Chromium: light and dark, on a telephone, and with the keyboard alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.predictions import prediction
from test_profile_in_browser import CONTRAST, opened

from cm4tiny.prediction.page import page as page_text


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prediction") / "prediction.html"
    path.write_text(page_text(prediction()), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_and_the_page_does_not_scroll_sideways(scheme: str, width: int, browser: Any, file: Path) -> None:
    page = opened(browser, file, color_scheme=scheme, viewport={"width": width, "height": 844})
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 25)"
    assert dark == (scheme == "dark")
    shown, hidden = ("narrow", "wide") if width < 900 else ("wide", "narrow")
    assert page.locator(f"svg.{shown}").count() == page.locator(f"svg.{hidden}").count() == 3
    assert page.locator(f"svg.{shown}").first.is_visible() and not page.locator(f"svg.{hidden}").first.is_visible()
    heights = page.evaluate(f"[...document.querySelectorAll('svg.{shown} text')].map((node) => node.getBoundingClientRect().height)")
    assert min(heights) >= 12
    inside = page.evaluate(
        f"[...document.querySelectorAll('svg.{shown}')].every((svg) => [...svg.querySelectorAll('text, rect, path')].every((node) => "
        "node.getBoundingClientRect().right <= svg.getBoundingClientRect().right + 1))"
    )
    assert inside


def test_a_wide_table_is_reached_and_scrolled_with_the_keyboard(browser: Any, file: Path) -> None:
    page = opened(browser, file, viewport={"width": 390, "height": 844})
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "scroll"
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    assert page.evaluate("document.activeElement.scrollLeft") > 0
