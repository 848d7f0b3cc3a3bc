# SPDX-License-Identifier: Apache-2.0
"""Published accuracy runs: the ``m-results`` of every input, in the order of the data set.

Two kinds of file: the log of the EEMBC runner (rounds up to v1.2), in which the device's lines stand as it printed them, and
``results.json`` of the MLCommons runner (v1.3), which holds the numbers.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from cm4tiny.errors import ResultsError

_LINE = re.compile(r"m-results-\[(?P<numbers>[^\]]*)\]")
_STREAMING = re.compile(r"Estimated throughput: (?P<throughput>[0-9.]+) inf")
_CHECK_OUT = "check its repository out again"
DECIMALS = 3
"""As the reference API prints results."""


def as_printed(numbers: tuple[float, ...]) -> str:
    """``"0.000,0.996,0.004"``: results as a device prints them, for a comparison string by string."""
    return ",".join(f"{number:.{DECIMALS}f}" for number in numbers)


def published_outputs(log: Path) -> tuple[str, ...]:
    """The printed results of every inference of a published accuracy run.

    Raises:
        ResultsError: the file is missing, or holds no results.
    """
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ResultsError(
            f"the published log {log} cannot be read", why=error.strerror or str(error), hint="check its repository out"
        ) from error
    try:
        found = _of_json(text) if log.suffix == ".json" else [match["numbers"] for match in _LINE.finditer(text)]
        outputs = tuple(as_printed(tuple(float(number) for number in item.split(","))) for item in found)
    except (ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"the published log {log} is damaged", why=str(error), hint="check its repository out again") from error
    if not outputs:
        raise ResultsError(f"the published log {log} holds no results", hint="give the log of an accuracy run")
    return outputs


def published_streaming(summary: Path) -> float:
    """The estimated throughput of a published streaming run, inferences per second.

    Raises:
        ResultsError: the file is missing, or does not say it.
    """
    try:
        match = _STREAMING.search(summary.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise ResultsError(f"the published summary {summary} cannot be read", why=error.strerror or str(error), hint=_CHECK_OUT) from error
    if match is None:
        raise ResultsError(f"{summary} names no throughput", hint=_CHECK_OUT)
    return float(match["throughput"])


def _of_json(text: str) -> list[str]:
    return [",".join(str(number) for number in entry["infer"]["results"]) for entry in json.loads(text)]
