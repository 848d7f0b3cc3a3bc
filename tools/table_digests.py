# SPDX-License-Identifier: Apache-2.0
"""Writes ``tests/unit/table_digests.json``; run it after a change of a table on purpose, and compare what changed with its source."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "cm4tiny"
PAGES = ROOT / "benchmarks" / "pages"
FILE = ROOT / "tests" / "unit" / "table_digests.json"
KINDS = (".yaml", ".json", ".csv", ".tsv")
ELSEWHERE = (
    "benchmarks/embedded/",  # index.yaml has the digest of every other file there, and each is read back (tests/unit/benchmarks)
    "results/dashboard/site/",  # files of the page
    "results/published_digests.json",  # checked when the tables are loaded
)


def digests() -> dict[str, str]:
    """Table (below the package; ``pages/...``: of the pages made of measurements) -> the first 32 hexadecimal digits of its SHA-256."""
    tables = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*")}
    tables |= {f"pages/{path.relative_to(PAGES).as_posix()}": path for path in PAGES.rglob("*")}
    found = {name: hashlib.sha256(path.read_bytes()).hexdigest()[:32] for name, path in sorted(tables.items()) if path.suffix in KINDS}
    return {name: digest for name, digest in found.items() if not name.startswith(ELSEWHERE)}


if __name__ == "__main__":
    FILE.write_text(json.dumps(digests(), indent=0) + "\n", encoding="utf-8")
