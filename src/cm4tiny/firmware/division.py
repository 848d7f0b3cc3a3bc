# SPDX-License-Identifier: Apache-2.0
"""Which division of MLPerf Tiny a firmware image belongs to, from its record (``firmware.json``). docs/closed-division.md has the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cm4tiny.errors import FirmwareError

CLOSED, OPEN = "closed", "open"
FOREIGN_MODEL = "the model is not MLPerf Tiny's for this benchmark, and not this project's stand-in for it"
"""Why an image of a benchmark is one of the open division whose model the user brought."""
SESSION_MARK = "OPEN DIVISION"
"""Begins the line that says so in a session's log.txt and results.txt; a colon and the reason follow."""


def with_foreign_model(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says about an image whose model is not the benchmark's; ``facts`` is what it says without that."""
    reasons = [FOREIGN_MODEL, *filter(None, [facts.get("division_reason")])]
    return {**facts, "division": OPEN, "division_reason": "; ".join(reasons), "own_model": True}


def open_division(record: Mapping[str, Any]) -> str:
    """Why an image is one of the open division; empty if its record does not say that it is.

    Raises:
        FirmwareError: the record names a division that does not exist.
    """
    division = record.get("division", CLOSED)
    if division == CLOSED:
        return ""
    if division != OPEN:
        raise FirmwareError(
            f"the image's record names the division {division!r}",
            why="there are closed and open",
            hint="build the firmware again: add --new",
        )
    return str(record.get("division_reason") or "the firmware leaves out parts of the model")
