# SPDX-License-Identifier: Apache-2.0
"""The documentation's pages can all be reached, and what they point to exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
ROOT_PAGES = sorted(path.name for path in ROOT.glob("*.md"))
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.M | re.S)


def links(path: Path) -> list[str]:
    return LINK.findall(CODE.sub("", path.read_text(encoding="utf-8")))


def anchors(path: Path) -> set[str]:
    """As mkdocs makes them: lower case, punctuation away, spaces to dashes; a repeated one gets a number."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S), re.M):
        name = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower())
        found[name] = found.get(name, 0) + 1
        names.add(name if found[name] == 1 else f"{name}_{found[name] - 1}")
    return names


def leaves(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    else:
        for item in tree if isinstance(tree, list) else tree.values():
            yield from leaves(item)


def test_every_page_is_in_the_navigation_once() -> None:
    nav = list(leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    assert sorted(nav) == PAGES
    assert nav[0] == "index.md"


def test_the_home_page_leads_to_every_page() -> None:
    assert {link.partition("#")[0] for link in links(DOCS / "index.md") if "://" not in link} == set(PAGES) - {"index.md"}


@pytest.mark.parametrize("page", [*ROOT_PAGES, *(f"docs/{page}" for page in PAGES)])
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    broken = []
    for link in links(path):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        if not target.exists() or (page not in ROOT_PAGES and DOCS not in target.parents):
            broken.append(link)  # a page of the site may only lead to pages of the site
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            broken.append(link)
    assert broken == []
