"""The committed table of published results equals what the importer makes of the full table."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FULL_TABLE = ROOT.parent / "shared" / "replay" / "published.csv"


@pytest.mark.skipif(not FULL_TABLE.exists(), reason="needs the table of all published results beside the checkout")
def test_the_committed_table_is_what_the_importer_makes(tmp_path: Path) -> None:
    importer = runpy.run_path(str(ROOT / "tools" / "import_published.py"))
    importer["write"](importer["rows"](FULL_TABLE), tmp_path / "published.csv")
    assert (tmp_path / "published.csv").read_bytes() == (ROOT / "src/cm4tiny/results/published.csv").read_bytes()
