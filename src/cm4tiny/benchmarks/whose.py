# SPDX-License-Identifier: Apache-2.0
"""Whose model a file is. A module of its own, since a build asks this and needs nothing else of the assets."""

from __future__ import annotations

import contextlib

from cm4tiny.benchmarks.embedded import embedded_index
from cm4tiny.benchmarks.official.table import PRECISIONS, official_table
from cm4tiny.benchmarks.table import ALL_BENCHMARKS
from cm4tiny.errors import UsageError


def whose_model(sha256: str) -> str:
    """Whose model a file is, by its hash: ``embedded``, ``official``, or empty for any other."""
    if any(file.sha256 == sha256 for file in embedded_index().values()):
        return "embedded"
    for row in ALL_BENCHMARKS.values():
        for precision in PRECISIONS:
            with contextlib.suppress(UsageError):  # MLPerf Tiny publishes no such file
                if official_table().model(row.model_id, precision).digest.value == sha256:
                    return "official"
    return ""
