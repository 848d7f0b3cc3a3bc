"""The rules, by what they look at. Importing this package registers all of them, in the order of the documentation."""

from cm4tiny.results.audit.rules import (  # noqa: I001 - the order is that of the documentation
    structure,
    documents,
    files,
    systems,
    claims,
    windows,
    data,
    values,
    evidence,
)

__all__ = ["claims", "data", "documents", "evidence", "files", "structure", "systems", "values", "windows"]
