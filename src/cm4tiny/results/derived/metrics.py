# SPDX-License-Identifier: Apache-2.0
"""The metrics that every result gets where its figures allow, and those that a user defines.

A definition reads ``name [unit] more = expression``: the unit and which way is better (``more`` or ``less``) may be left out. Columns of a
user's table have the same heading.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cm4tiny.errors import UsageError
from cm4tiny.results.derived.expression import Expression, Value

_HEADING = re.compile(r"(?P<id>[A-Za-z][A-Za-z0-9_]{0,39})(\s*\[(?P<unit>[^\]\n]{0,20})\])?(\s+(?P<better>more|less))?")
_SAMPLE = "write it as 'name [unit] more = expression', e.g. 'worth [inf/J/EUR] more = inferences_per_joule / price'"


@dataclass(frozen=True)
class Heading:
    """Name, unit and sense of a column of figures."""

    id: str
    unit: str = ""
    better: str = ""


@dataclass(frozen=True)
class Metric:
    """A derived column: its heading, a human-readable title and the expression that gives it."""

    heading: Heading
    title: str
    expression: Expression


def definitions(text: str) -> tuple[str, ...]:
    """The definitions of a list separated by semicolons."""
    return tuple(part.strip() for part in text.split(";") if part.strip())


def parse_heading(text: str) -> Heading:
    """``"price [EUR] less"`` -> ``Heading("price", "EUR", "less")``.

    Raises:
        UsageError: it is not a heading.
    """
    found = _HEADING.fullmatch(text.strip())
    if not found:
        raise UsageError(
            f"'{text[:60]}' is not the heading of a column",
            why="a name is a letter followed by at most 39 letters, digits and _",
            hint="write it as 'name', 'name [unit]', or 'name [unit] more|less'",
        )
    return Heading(found["id"].lower(), found["unit"] or "", found["better"] or "")


_FACTS = ("throughput_inf_per_s", "energy_uj_per_inf", "frequency_mhz", "supply_v")


def _built_in(*definitions: tuple[str, str, str]) -> tuple[Metric, ...]:
    names = list(_FACTS)
    metrics = []
    for heading, title, text in definitions:
        parsed = parse_heading(heading)
        metrics.append(Metric(parsed, title, Expression.parse(text, names)))
        names.append(parsed.id)
    return tuple(metrics)


BUILT_IN = _built_in(
    ("latency_ms [ms] less", "latency", "1000 / throughput_inf_per_s"),
    ("inferences_per_joule [inf/J] more", "inferences per joule", "1e6 / energy_uj_per_inf"),
    ("energy_delay_uj_s [µJ·s] less", "energy-delay product", "energy_uj_per_inf / throughput_inf_per_s"),
    ("throughput_per_mhz [inf/s/MHz] more", "throughput per MHz", "throughput_inf_per_s / frequency_mhz"),
    ("charge_uc [µC] less", "charge per inference", "energy_uj_per_inf / supply_v"),
)
"""In the order in which they are computed; each may use those before it.

Charge sets results side by side that were measured at different supply voltages: behind a linear regulator a core draws the same current at
any voltage, so the energy grows with it and the charge does not. The voltage is the one that the energy log records.
"""


def parse_metrics(definitions: Iterable[str], columns: Collection[str]) -> tuple[Metric, ...]:
    """A user's metrics; each may use ``columns`` and the metrics before it.

    Raises:
        UsageError: a definition is wrong or takes a name that is in use.
    """
    names = list(columns)
    metrics = []
    for definition in definitions:
        left, equals, right = definition.partition("=")
        if not equals:
            raise UsageError(f"'{definition[:60]}' does not define a metric", why="there is no '=' in it", hint=_SAMPLE)
        heading = parse_heading(left)
        if heading.id in names:
            raise UsageError(
                f"the metric '{heading.id}' cannot be defined", why="there is a column of that name", hint="choose another name"
            )
        metrics.append(Metric(heading, heading.id.replace("_", " "), Expression.parse(right, names)))
        names.append(heading.id)
    return tuple(metrics)


def apply(metrics: Iterable[Metric], values: Mapping[str, Value]) -> dict[str, float | None]:
    """The metrics of one result, in their order."""
    known: dict[str, Value] = dict(values)
    found: dict[str, float | None] = {}
    for metric in metrics:
        found[metric.heading.id] = known[metric.heading.id] = metric.expression.evaluate(known)
    return found
