# SPDX-License-Identifier: Apache-2.0
"""Makes ``src/cm4tiny/results/published.csv``: the printed claims of all past rounds, as facts with their source.

Input: a table of all published results (365 rows, one per result folder of the rounds' public repositories
``mlcommons/tiny_results_v0.5`` ... ``v1.3``), with the columns named in ``COLUMNS`` below; and a folder that holds checkouts of these
repositories. Where a round printed no figure the table holds the one that its log gives, and ``throughput_source`` or
``accuracy_source`` says so. The table of the input has a streaming result's throughput from its energy session; where the checkout
holds a performance session, what that printed is taken instead.

    python tools/import_published.py ALL_RESULTS.csv FOLDER src/cm4tiny/results/published.csv

Then run ``python tools/published_digests.py``.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from cm4tiny.results.rounds import read_printed

COLUMNS = {  # column here -> column of the input
    "round": "round",
    "division": "division",
    "submitter": "submitter",
    "system": "system",
    "variant": "variant",
    "board": "board",
    "soc": "soc",
    "processor": "processor",
    "frequency": "frequency",
    "accelerator": "accelerator",
    "framework": "framework",
    "status": "status",
    "benchmark": "benchmark",
    "throughput_inf_per_s": "throughput_inf_s",
    "throughput_source": "throughput_source",
    "accuracy": "accuracy",
    "metric": "metric",
    "auc": "auc",
    "top1": "top1",
    "accuracy_source": "accuracy_source",
    "energy_uj_per_inf": "energy_uJ_inf",
    "power_mw": "sww_power_mW",
    "false_positives": "sww_fp",
    "false_negatives": "sww_fn",
    "duty_cycle": "sww_duty",
    "runner": "runner",
    "system_file": "system_json",
    "source": "result_path",
}
STREAMING = "sww"


def rows(source: Path, rounds: Path) -> list[dict[str, str]]:
    """All rows, in the input's order."""
    with source.open(newline="", encoding="utf-8") as file:
        return [_row({ours: row[theirs] for ours, theirs in COLUMNS.items()}, rounds) for row in csv.DictReader(file)]


def _row(row: dict[str, str], rounds: Path) -> dict[str, str]:
    printed = rounds / row["source"] / "performance" / "results.txt"
    if row["benchmark"] != STREAMING or not printed.is_file():
        return row
    return {**row, "throughput_inf_per_s": read_printed(printed).sww_throughput, "throughput_source": "results.txt"}


def write(table: list[dict[str, str]], target: Path) -> None:
    """Writes the table as CSV with ``\\n`` line ends."""
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    write(rows(Path(sys.argv[1]), Path(sys.argv[2])), Path(sys.argv[3]))
