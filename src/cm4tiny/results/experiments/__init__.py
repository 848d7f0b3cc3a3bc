# SPDX-License-Identifier: Apache-2.0
"""Results as records, and records as CM experiments.

A record is one result with named figures, wherever it comes from: the packaged table, a round on disk, an own run. The dashboard shows
records; ``import_results`` writes them into CM experiments in upstream's format.
"""

from cm4tiny.results.experiments.importer import Imported, import_results
from cm4tiny.results.experiments.own_runs import own_records
from cm4tiny.results.experiments.records import COLUMNS, Column, Record, published_records
from cm4tiny.results.experiments.rounds import round_records

__all__ = ["COLUMNS", "Column", "Imported", "Record", "import_results", "own_records", "published_records", "round_records"]
