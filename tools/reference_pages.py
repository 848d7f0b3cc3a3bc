# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/scripts.md from the metas of this repository's scripts: ``python tools/reference_pages.py``."""

from __future__ import annotations

from pathlib import Path

from cm4tiny.resolver.catalogue.reference import whole_page
from cm4tiny.resolver.catalogue.repository import ScriptStore, own_repositories

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "scripts.md"


def main() -> None:
    """Writes the page."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(whole_page(ScriptStore(own_repositories()).scripts), encoding="utf-8")


if __name__ == "__main__":
    main()
