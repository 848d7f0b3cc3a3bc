# SPDX-License-Identifier: Apache-2.0
"""Whether a report follows from what lies next to it: every digest and every figure is computed again, and no field is taken on trust.

``docs/verify.md`` says which field has which witness.
"""

from cm4tiny.results.verify.check import ReportCheck, verify_report
from cm4tiny.results.verify.statement import PREDICATE_TYPE, STATEMENT, statement_of, write_statement

__all__ = ["PREDICATE_TYPE", "STATEMENT", "ReportCheck", "statement_of", "verify_report", "write_statement"]
