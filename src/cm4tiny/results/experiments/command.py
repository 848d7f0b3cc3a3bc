# SPDX-License-Identifier: Apache-2.0
"""What ``import,mlperf,tiny,to-experiment`` asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Step, from_env
from cm4tiny.results.experiments.importer import Imported, import_results


@dataclass(frozen=True)
class _Options:
    """What the step is asked for."""

    rounds: tuple[Path, ...] = from_env("CM_TINY_VIEW_ROUNDS")
    runs: tuple[Path, ...] = from_env("CM_TINY_VIEW_RUNS")
    metrics: str = from_env("CM_TINY_VIEW_METRICS")
    target: str = from_env("CM_IMPORT_TINYMLPERF_TARGET_REPO")


def definitions(text: str) -> tuple[str, ...]:
    """The metrics of a list separated by semicolons."""
    return tuple(part.strip() for part in str(text).split(";") if part.strip())


def import_from_step(step: Step) -> tuple[Imported, str]:
    """Imports what a step asks for; returns what was written and what to tell the user.

    Raises:
        Cm4TinyError: as :func:`import_results`.
    """
    options = step.options(_Options)
    imported = import_results(
        rounds=options.rounds,
        runs=options.runs,
        metrics=definitions(options.metrics),
        repo=options.target,
        events=step.events,
    )
    names = "\n".join(f"  {name}" for name in imported.experiments)
    return imported, f"{imported.results} results in {len(imported.experiments)} CM experiments:\n{names}"
