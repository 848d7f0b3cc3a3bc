# SPDX-License-Identifier: Apache-2.0
"""Builds the dashboard: a folder with one page that shows published results and own runs, private and without a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.errors import ResultsError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import write_atomically
from cm4tiny.results.dashboard.columns import read_columns
from cm4tiny.results.dashboard.data import Table, make_table, site_data
from cm4tiny.results.dashboard.findings import read_findings
from cm4tiny.results.dashboard.page import SITE, page
from cm4tiny.results.dashboard.vega import vega_bundle
from cm4tiny.results.experiments.own_runs import own_records
from cm4tiny.results.experiments.records import OWN_RUN, Record, published_records
from cm4tiny.results.experiments.rounds import round_records

INDEX = "index.html"
NOTICES = "third-party.txt"
TITLE = "MLPerf Tiny results"

_PRIVATE = 0o600
"""Permissions of the site: it may hold own runs and prices."""


@dataclass(frozen=True)
class Site:
    """What was built.

    Attributes:
        index: the page to open.
        results: how many results it shows.
        own: how many of them are own runs.
        findings: how many findings of the audit are shown.
        unmatched: lines of the user's table that are for no result.
    """

    index: Path
    results: int
    own: int
    findings: int
    unmatched: tuple[int, ...]


def build(
    outdir: Path,
    *,
    runs: Sequence[Path] = (),
    rounds: Sequence[Path] = (),
    columns: Path | None = None,
    metrics: Sequence[str] = (),
    findings: Sequence[Path] = (),
    events: EventStream = SILENT,
) -> Site:
    """Builds the site of all published results and of what is given.

    Args:
        outdir: folder of the site; made if need be, its page replaced.
        runs: reports, outcomes, or folders that hold them.
        rounds: checkouts of results repositories; they add what the published table lacks (supply voltage, memory, unpublished results).
        columns: a user's own columns (CSV).
        metrics: a user's derived metrics.
        findings: ``audit.json`` files.

    Raises:
        ResultsError: an input cannot be read, or the folder not be written.
        UsageError: a heading or a metric is wrong.
        NotAvailableError: the extra ``dashboard`` is not installed.
    """
    vega = vega_bundle()
    table = collect(runs=runs, rounds=rounds, columns=columns, metrics=metrics, findings=findings, events=events)
    text = page(site_data(table), vega, title=TITLE)
    try:
        outdir.mkdir(parents=True, exist_ok=True)
        for name, content in ((NOTICES, (SITE / NOTICES).read_text(encoding="utf-8")), (INDEX, text)):
            write_atomically(outdir / name, content, mode=_PRIVATE)
    except OSError as error:
        raise ResultsError(
            f"the dashboard cannot be written to {outdir}",
            why=error.strerror or str(error),
            hint="free disk space or choose another directory with --outdirname=DIR",
        ) from error
    own = sum(record.text("origin") == OWN_RUN for record in table.records)
    return Site(outdir / INDEX, len(table.records), own, sum(map(len, table.findings.values())), table.unmatched)


def collect(
    *,
    runs: Iterable[Path] = (),
    rounds: Iterable[Path] = (),
    columns: Path | None = None,
    metrics: Sequence[str] = (),
    findings: Iterable[Path] = (),
    events: EventStream = SILENT,
) -> Table:
    """The table that the site shows; arguments and errors as of :func:`build`."""
    records: list[Record] = list(published_records())
    records += [record for place in rounds for record in round_records(place, events)]
    records += [record for place in runs for record in own_records(place)]
    audits = [read_findings(path) for path in findings]
    return make_table(records, user=read_columns(columns) if columns else None, metrics=metrics, audits=audits)
