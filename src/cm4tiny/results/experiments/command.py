"""What ``import,mlperf,tiny,to-experiment`` asks for, and how lists are given to a step."""

from __future__ import annotations

from pathlib import Path

from cm4tiny.cm import Step
from cm4tiny.paths import expanded
from cm4tiny.results.experiments.importer import Imported, import_results


def places(step: Step, key: str) -> tuple[Path, ...]:
    """The paths of a comma-separated list in the env; relative ones count from where ``cm`` was called."""
    here = Path(step.env.get("CM_TMP_CURRENT_PATH") or step.folder)
    return tuple(here / expanded(part.strip()) for part in str(step.env.get(key, "")).split(",") if part.strip())


def definitions(text: str) -> tuple[str, ...]:
    """The metrics of a list separated by semicolons."""
    return tuple(part.strip() for part in str(text).split(";") if part.strip())


def import_from_step(step: Step) -> tuple[Imported, str]:
    """Imports what a step asks for; returns what was written and what to tell the user.

    Raises:
        Cm4TinyError: as :func:`import_results`.
    """
    imported = import_results(
        rounds=places(step, "CM_TINY_VIEW_ROUNDS"),
        runs=places(step, "CM_TINY_VIEW_RUNS"),
        metrics=definitions(step.env.get("CM_TINY_VIEW_METRICS", "")),
        repo=str(step.env.get("CM_IMPORT_TINYMLPERF_TARGET_REPO", "")).strip(),
        events=step.events,
    )
    names = "\n".join(f"  {name}" for name in imported.experiments)
    return imported, f"{imported.results} results in {len(imported.experiments)} CM experiments:\n{names}"
