# SPDX-License-Identifier: Apache-2.0
"""The committed table of published results equals what the importer makes of the full table."""

import runpy
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from cm4tiny.results.published import published_results

ROOT = Path(__file__).parents[2]
FULL_TABLE = ROOT.parent / "shared" / "replay" / "published.csv"
STREAMING_ROUND = FULL_TABLE.with_name("v1.3.tar.xz")


@pytest.mark.skipif(
    not (FULL_TABLE.exists() and STREAMING_ROUND.exists()),
    reason="needs the table of all published results and round v1.3 next to the checkout",
)
def test_the_committed_table_is_what_the_importer_makes(tmp_path: Path) -> None:
    importer = runpy.run_path(str(ROOT / "tools" / "import_published.py"))
    with tarfile.open(STREAMING_ROUND) as tar:
        tar.extractall(tmp_path, members=[m for m in tar if m.name.endswith("sww/performance/results.txt")], filter="data")
    importer["write"](importer["rows"](FULL_TABLE, tmp_path), tmp_path / "published.csv")
    assert (tmp_path / "published.csv").read_bytes() == (ROOT / "src/cm4tiny/results/published.csv").read_bytes()


def test_every_published_result_is_there_once() -> None:
    rows = published_results()
    assert len(rows) == 365
    assert len({row.source for row in rows}) == 365
    by_round = Counter(row.round for row in rows)
    assert by_round == {"v0.5": 19, "v0.7": 59, "v1.0": 60, "v1.1": 111, "v1.2": 73, "v1.3": 43}
