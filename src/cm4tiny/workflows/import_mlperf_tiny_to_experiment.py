# SPDX-License-Identifier: Apache-2.0
"""The step ``import,mlperf,tiny,to-experiment``: rounds and own runs as CM experiments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Outputs, Step, flag
from cm4tiny.results.derived.metrics import definitions
from cm4tiny.results.experiments.importer import import_results


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What ``import,mlperf,tiny,to-experiment`` is asked for."""

    target_repo: str = flag("CM_IMPORT_TINYMLPERF_TARGET_REPO")
    runs: tuple[Path, ...] = flag("CM_TINY_VIEW_RUNS")
    path: tuple[Path, ...] = flag("CM_TINY_VIEW_ROUNDS")
    metrics: str = flag("CM_TINY_VIEW_METRICS")


def import_step(options: ImportOptions, step: Step) -> Outputs:
    """Imports results into CM experiments.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.results.experiments.importer.import_results`.
    """
    imported = import_results(
        rounds=options.path, runs=options.runs, metrics=definitions(options.metrics), repo=options.target_repo, events=step.events
    )
    names = "\n".join(f"  {name}" for name in imported.experiments)
    step.show(f"\n{imported.results} results in {len(imported.experiments)} CM experiments:\n{names}")
    return {"CM_TINY_EXPERIMENTS": ",".join(imported.experiments)}
