# SPDX-License-Identifier: Apache-2.0
"""What the site shows, as one JSON-able object: columns, figures column by column, links, notes and findings row by row.

Texts repeat, so a text column is a list of its different texts and an index for each row. The site's ``data.js`` reads this.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cm4tiny.results.conditions import HOME_BOARD, VIRTUAL_SUFFIX, differences, virtual_name
from cm4tiny.results.dashboard.columns import UserTable
from cm4tiny.results.dashboard.findings import Audit, RowFinding, findings_by_record
from cm4tiny.results.derived import BUILT_IN, Metric, Value, apply, parse_metrics
from cm4tiny.results.experiments.records import COLUMNS, OWN_RUN, Column, Record, conditions_of, harmonise

DIFFERS = Column("differs", "differs from own run")


@dataclass(frozen=True)
class Table:
    """All results, complete with derived figures and a user's columns.

    Attributes:
        columns: in the order in which the site offers them.
        rows: by column; what is not known is absent.
        records: the record of each row.
        findings: by record id.
        own: ids of the columns that the user added.
        audited: rounds whose audit was given.
        unmatched: lines of the user's table that are for no result.
    """

    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Value], ...]
    records: tuple[Record, ...]
    findings: Mapping[str, tuple[RowFinding, ...]]
    own: frozenset[str] = frozenset()
    audited: tuple[str, ...] = ()
    unmatched: tuple[int, ...] = ()


def make_table(
    records: Iterable[Record],
    *,
    user: UserTable | None = None,
    metrics: Sequence[str] = (),
    audits: Sequence[Audit] = (),
) -> Table:
    """Joins everything.

    Args:
        metrics: a user's definitions (see :mod:`cm4tiny.results.derived.metrics`); they may use the user's columns.
        audits: what was found, by whichever audits there were.

    Raises:
        UsageError: a definition is wrong.
    """
    listed = harmonise(_once(records))
    own = user.columns if user else ()
    joined, unmatched = user.join(listed) if user else ({}, ())
    apart = _differences(listed)
    known = [*COLUMNS, *([DIFFERS] if apart else []), *(_metric_column(metric) for metric in BUILT_IN), *own]
    defined = parse_metrics(metrics, [column.id for column in known])
    columns = (*known, *(_metric_column(metric) for metric in defined))
    rows = []
    for record in listed:
        values = {**record.values, **({DIFFERS.id: apart[record.id]} if record.id in apart else {}), **joined.get(record.id, {})}
        derived = apply((*BUILT_IN, *defined), values)
        rows.append({**values, **{name: value for name, value in derived.items() if value is not None}})
    return Table(
        columns=columns,
        rows=tuple(rows),
        records=listed,
        findings=findings_by_record(listed, [finding for audit in audits for finding in audit.findings]),
        own=frozenset(column.id for column in own) | {metric.heading.id for metric in defined},
        audited=tuple(dict.fromkeys(name for audit in audits for name in audit.rounds)),
        unmatched=unmatched,
    )


def _once(records: Iterable[Record]) -> tuple[Record, ...]:
    """Of records of one result the last one: a round on disk says more than the published table."""
    return tuple({record.id: record for record in records}.values())


def _metric_column(metric: Metric) -> Column:
    return Column(metric.heading.id, metric.title, "number", metric.heading.unit, metric.heading.better)


def site_data(table: Table) -> dict[str, Any]:
    """The object that is embedded in the page."""
    filled = [column for column in table.columns if any(_known(row.get(column.id)) for row in table.rows)]
    return {
        "columns": [{**dataclasses.asdict(column), "own": column.id in table.own, **_cells(column, table.rows)} for column in filled],
        "ids": [record.id for record in table.records],
        "boards": {"home": HOME_BOARD, "virtual": _virtual_boards(table.records)},
        "links": [list(map(list, record.links.items())) for record in table.records],
        "audited": list(table.audited),
        "notes": _shared([list(record.notes) for record in table.records]),
        "findings": [[[f.severity, f.rule, f.path, f.message] for f in table.findings.get(r.id, ())] for r in table.records],
    }


def _virtual_boards(records: Iterable[Record]) -> dict[str, str]:
    """Board -> the name of its virtual model, where there are results of both or of the model."""
    names = {record.text("board") for record in records}
    real = sorted({name.removesuffix(VIRTUAL_SUFFIX) for name in names})
    return {name: virtual_name(name) for name in real if virtual_name(name) in names}


def _differences(records: Sequence[Record]) -> dict[str, Value]:
    """Record id -> what sets a published result apart from the own runs of its benchmark; nothing where nothing does."""
    runs: dict[str, list[Record]] = {}
    for record in records:
        if record.text("origin") == OWN_RUN:
            runs.setdefault(record.text("benchmark"), []).append(record)
    found: dict[str, Value] = {}
    for record in records:
        words = [_apart(run, record) for run in runs.get(record.text("benchmark"), ()) if record.text("origin") != OWN_RUN]
        if any(words):
            found[record.id] = "; ".join(dict.fromkeys(word for one in words for word in one))
    return found


def _apart(run: Record, other: Record) -> tuple[str, ...]:
    both = (run.figure("energy_uj_per_inf"), other.figure("energy_uj_per_inf"))
    return differences(conditions_of(run), conditions_of(other), energy=None not in both)


def _known(value: Value) -> bool:
    return value is not None and value != ""


def _cells(column: Column, rows: Sequence[Mapping[str, Value]]) -> dict[str, Any]:
    if column.kind == "number":
        return {"values": [row.get(column.id) for row in rows]}
    texts = [str(row.get(column.id) or "") for row in rows]
    return _shared(texts)


def _shared(values: Sequence[Any]) -> dict[str, Any]:
    """Each different value once, and for each row which one it has."""
    different: dict[str, int] = {}
    kept: list[Any] = []
    index = []
    for value in values:
        key = repr(value)
        if key not in different:
            different[key] = len(kept)
            kept.append(value)
        index.append(different[key])
    return {"dictionary": kept, "index": index}
