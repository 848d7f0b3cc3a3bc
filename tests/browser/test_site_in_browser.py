# SPDX-License-Identifier: Apache-2.0
"""The manual as a site in headless Chromium: three entrances, light and dark, a telephone, search by keyboard, no request elsewhere.

Needs mkdocs-material, which the extra ``dev`` brings; the extra ``test`` does without the manual.
"""

from __future__ import annotations

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(find_spec("material") is None, reason="needs mkdocs-material (extra dev)")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def opened(browser: Any, address: str, **context: Any) -> tuple[Any, list[str]]:
    page = browser.new_context(**context).new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    return page, requests


def test_the_home_page_has_three_entrances_and_asks_nobody_else(browser: Any, site: str) -> None:
    page, requests = opened(browser, site)
    headings = [heading.removesuffix("\u00b6") for heading in page.locator("article h2").all_inner_texts()]
    assert headings[:3] == ["Reproduce MLPerf Tiny", "A model of your own", "Past rounds"]
    assert [url for url in requests if not url.startswith((site, "data:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_site_is_as_light_as_the_system_and_can_be_changed(scheme: str, browser: Any, site: str) -> None:
    page, _ = opened(browser, site, color_scheme=scheme)

    def is_dark() -> bool:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return all(float(part) < 90 for part in re.findall(r"[0-9.]+", colour)[:3])

    assert is_dark() == (scheme == "dark")
    chosen = set()
    for _ in range(3):
        page.locator("form[data-md-component=palette] label:not([hidden])").click()
        page.wait_for_timeout(150)
        chosen.add(is_dark())
    assert chosen == {True, False}


@pytest.mark.parametrize("path", ["", "verify/", "ci/", "peers/", "replay/"])
def test_on_a_telephone_no_page_scrolls_sideways(path: str, browser: Any, site: str) -> None:
    page, _ = opened(browser, site + path, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert len(page.screenshot()) > 5000


def test_a_page_is_found_by_search_with_the_keyboard_alone(browser: Any, site: str) -> None:
    page, _ = opened(browser, site)
    page.keyboard.press("/")
    page.keyboard.type("in-toto statement", delay=20)
    first = "document.querySelector('.md-search-result__item a')?.href"
    page.wait_for_function(f"{first}?.includes('/verify/')", timeout=30_000)  # the results of the whole text, not of its beginning
    for _ in range(20):  # a list that is drawn again takes the focus away
        page.keyboard.press("ArrowDown")
        if page.evaluate("document.activeElement?.href?.includes('/verify/')"):
            break
        page.locator("input.md-search__input").focus()
        page.wait_for_timeout(250)
    page.keyboard.press("Enter")
    page.wait_for_url("**/verify/**", timeout=10_000)
