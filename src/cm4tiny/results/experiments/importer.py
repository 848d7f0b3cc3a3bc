# SPDX-License-Identifier: Apache-2.0
"""Writes results into CM experiments with CM's own calls, so that ``cm find experiment`` and upstream's tools see them.

Upstream's ``experiment`` automation need not be there: entries are found and added with its uid and CM's common actions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.errors import ResultsError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import write_atomically
from cm4tiny.results.derived import BUILT_IN, parse_metrics
from cm4tiny.results.experiments.entries import Result, experiment_tags, make_entries, merge
from cm4tiny.results.experiments.own_runs import own_records
from cm4tiny.results.experiments.records import COLUMN_IDS, Record, harmonise, published_records
from cm4tiny.results.experiments.rounds import round_records

AUTOMATION = "experiment,a0a2d123ef064bcb"
RESULT_FILE = "cm-result.json"
_STEP = "experiments"
CmAccess = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Imported:
    """What was written: experiment name -> its folder, and how many results were read."""

    experiments: dict[str, Path]
    results: int


def import_results(
    *,
    rounds: Sequence[Path] = (),
    runs: Sequence[Path] = (),
    metrics: Sequence[str] = (),
    repo: str = "",
    access: CmAccess | None = None,
    events: EventStream = SILENT,
) -> Imported:
    """Brings the experiments of all given results up to date.

    Args:
        rounds: checkouts of results repositories; without any and without ``runs``, the packaged table of published results is taken.
        runs: own runs (reports, outcomes, folders).
        metrics: a user's derived metrics.
        repo: alias of the CM repository that receives new experiments; empty for CM's local one.
        access: ``cmind.access``, to be replaced in tests.

    Raises:
        ResultsError: an input cannot be read, CM refuses, or an entry cannot be written.
        UsageError: a metric is wrong.
    """
    records: list[Record] = [] if rounds or runs else list(published_records())
    records += [record for place in rounds for record in round_records(place, events)]
    records += [record for place in runs for record in own_records(place)]
    parsed = parse_metrics(metrics, [*COLUMN_IDS, *(metric.heading.id for metric in BUILT_IN)])
    entries = make_entries(harmonise(records), parsed)
    call = access or _cmind_access()
    written: dict[str, Path] = {}
    with events.step(_STEP, total=len(entries), unit="experiments"):
        for name, results in sorted(entries.items()):
            written[name] = _update(call, name, results, repo)
            events.progress(_STEP, len(written), len(entries))
    return Imported(written, len(records))


def _cmind_access() -> CmAccess:
    import cmind

    access: CmAccess = cmind.access
    return access


def _asked(call: CmAccess, request: dict[str, Any], name: str) -> dict[str, Any]:
    answer = call({"automation": AUTOMATION, "common": True, **request})
    if answer["return"]:
        raise ResultsError(
            f"CM refused the experiment {name}",
            why=str(answer.get("error", "")),
            hint="check the repository given by --target_repo; these exist:\ncm find repo",
        )
    return answer


def _update(call: CmAccess, name: str, results: list[Result], repo: str) -> Path:
    """Finds or adds an experiment and merges the results into its first run folder."""
    artifact = f"{repo}:{name}" if repo else name
    found = _asked(call, {"action": "find", "artifact": artifact}, name)["list"]
    if found:
        folder = Path(found[0].path)
    else:
        folder = Path(_asked(call, {"action": "add", "artifact": artifact, "tags": experiment_tags(name)}, name)["path"])
    try:
        points = sorted(path for path in folder.iterdir() if path.is_dir())
        point = points[0] if points else folder / time.strftime("%Y-%m-%d.%H-%M-%S")
        point.mkdir(exist_ok=True)
        _write(point / RESULT_FILE, merge(_existing(point / RESULT_FILE), results))
    except OSError as error:
        raise ResultsError(f"the experiment {name} cannot be written", why=str(error), hint=f"check the folder {folder}") from error
    return folder


def _existing(path: Path) -> list[Any]:
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        content = error
    if not isinstance(content, list):
        why = str(content) if isinstance(content, Exception) else "it is not a list of results"
        raise ResultsError(f"{path} cannot be read", why=why, hint="repair it or move it away; it is not overwritten")
    return content


def _write(path: Path, results: list[Result]) -> None:
    write_atomically(path, json.dumps(results, indent=2, sort_keys=True) + "\n")
