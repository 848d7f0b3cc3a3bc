# SPDX-License-Identifier: Apache-2.0
"""The committed table of supply voltages and memory equals what the importer reads from the rounds next to the checkout."""

import runpy
import tarfile
from pathlib import Path

import pytest

from cm4tiny.results.experiments.records import published_records
from cm4tiny.results.published import published_results, published_systems

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "src" / "cm4tiny" / "results" / "published_systems.csv"


def test_every_row_is_of_a_published_result() -> None:
    assert published_systems().keys() <= {row.source for row in published_results()}


def test_the_voltages_are_those_of_the_study() -> None:
    volts = {
        (r.text("round"), r.text("submitter")): r.figure("supply_v")
        for r in published_records()
        if r.figure("supply_v") and r.text("board") in ("NUCLEO-L4R5ZI", "Nucleo-L4R5ZI") and r.text("benchmark") == "kws"
    }
    assert volts[("v1.1", "Krai")] == 3.0
    assert {volts[key] for key in volts if key != ("v1.1", "Krai")} == {1.8}


def test_the_committed_table_is_what_the_importer_makes(shared: Path, tmp_path: Path) -> None:
    archives = sorted((shared / "replay").glob("v*.tar.xz"))
    if not archives:
        pytest.skip("needs ../shared/replay")
    for archive in archives:
        with tarfile.open(archive) as tar:
            tar.extractall(tmp_path / "rounds", filter="data")
    importer = runpy.run_path(str(ROOT / "tools" / "import_systems.py"))
    made = importer["rows"](tmp_path / "rounds")
    here = {row["source"].partition("/")[0] for row in made}
    importer["write"](made, tmp_path / "made.csv")
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    expected = [lines[0], *(line for line in lines[1:] if line.partition("/")[0] in here)]
    assert (tmp_path / "made.csv").read_text(encoding="utf-8").splitlines() == expected
    assert len(here) == 5
