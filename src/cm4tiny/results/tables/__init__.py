# SPDX-License-Identifier: Apache-2.0
"""Tables of results with the columns of MLCommons' own: ``summary.csv`` of the submission checker, and the final report."""

from cm4tiny.results.tables.files import write_tables
from cm4tiny.results.tables.final import FinalTable, final_tables
from cm4tiny.results.tables.summary import COLUMNS, SummaryRow, summary_rows

__all__ = ["COLUMNS", "FinalTable", "SummaryRow", "final_tables", "summary_rows", "write_tables"]
