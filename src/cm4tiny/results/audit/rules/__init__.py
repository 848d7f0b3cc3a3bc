# SPDX-License-Identifier: Apache-2.0
"""The rules, by what they look at. Importing this package registers all of them, in the order of the documentation."""

from cm4tiny.results.audit.rules import (  # noqa: I001 - the order is that of the documentation
    structure,
    documents,
    files,
    systems,
    claims,
    windows,
    witnesses,
    data,
    values,
    evidence,
    record,
)

__all__ = ["claims", "data", "documents", "evidence", "files", "record", "structure", "systems", "values", "windows", "witnesses"]
