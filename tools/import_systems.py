# SPDX-License-Identifier: Apache-2.0
"""Makes ``src/cm4tiny/results/published_systems.csv``: supply voltage and memory of published results, as their files tell.

Input: a folder that holds checkouts of ``mlcommons/tiny_results_v0.5`` ... ``v1.3``. The voltage is what the energy log records, memory and
storage are what the system description names. Results of which none is known have no row.

    python tools/import_systems.py FOLDER src/cm4tiny/results/published_systems.csv
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from cm4tiny.results.experiments.rounds import source_of, system_facts
from cm4tiny.results.rounds import find_rounds, walk

COLUMNS = ("source", "supply_mv", "memory", "storage", "processor_memory")


def rows(folder: Path) -> list[dict[str, str]]:
    """What is known of the results of all rounds in a folder, by source."""
    found = [{"source": source_of(result), **system_facts(result)} for round_, root in find_rounds(folder) for result in walk(root, round_)]
    return sorted((row for row in found if any(row[name] for name in COLUMNS[1:])), key=lambda row: row["source"])


def write(table: list[dict[str, str]], target: Path) -> None:
    """Writes the table as CSV with ``\\n`` line ends."""
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    write(rows(Path(sys.argv[1])), Path(sys.argv[2]))
