"""Damage on the serial line between the runner and a device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cm4tiny.runner.messages import Malformed, parse_line
from ledger.outcome import Outcome


def parsed_line(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """One line of an answer, parsed: ``line``."""
    message = parse_line(inputs["line"])
    if isinstance(message, Malformed):
        return Outcome("refused", "Malformed", message.why)
    return Outcome("wrong", type(message).__name__, message.line)
