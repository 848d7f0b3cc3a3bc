"""Makes ``src/cm4tiny/results/published.csv``: the printed claims of past rounds for NUCLEO-L4R5ZI, as facts with their source.

Input: a table of all published results (365 rows, one per result folder of the rounds' public repositories
``mlcommons/tiny_results_v0.5`` ... ``v1.3``), with the columns named in ``COLUMNS`` below.

    python tools/import_published.py ALL_RESULTS.csv src/cm4tiny/results/published.csv
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

COLUMNS = {  # column here -> column of the input
    "round": "round",
    "division": "division",
    "submitter": "submitter",
    "system": "system",
    "board": "board",
    "frequency": "frequency",
    "framework": "framework",
    "benchmark": "benchmark",
    "throughput_inf_per_s": "throughput_inf_s",
    "accuracy": "accuracy",
    "metric": "metric",
    "energy_uj_per_inf": "energy_uJ_inf",
    "source": "result_path",
}
BOARD = "l4r5zi"


def rows(source: Path) -> list[dict[str, str]]:
    """The NUCLEO-L4R5ZI rows, in the input's order."""
    with source.open(newline="", encoding="utf-8") as file:
        return [{ours: row[theirs] for ours, theirs in COLUMNS.items()} for row in csv.DictReader(file) if BOARD in row["board"].lower()]


def write(table: list[dict[str, str]], target: Path) -> None:
    """Writes the table as CSV with ``\\n`` line ends."""
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    write(rows(Path(sys.argv[1])), Path(sys.argv[2]))
