# SPDX-License-Identifier: Apache-2.0
"""The step ``get,mlperf,tiny,results``: the public results of a round at the pinned commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.fetch import Mirror
from cm4tiny.results.rounds.sources import get_results


@dataclass(frozen=True, kw_only=True)
class ResultsOptions:
    """What the step is asked for."""

    mirror: Path | None = flag("CM_TINY_MIRROR")
    round_id: str = value("CM_TINY_RESULTS_ROUND")


def get_round_results(options: ResultsOptions, step: Step) -> Outputs:
    """The tree of the round.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.results.rounds.sources.get_results`.
    """
    round_id = options.round_id
    tree = get_results(round_id, step.folder, mirror=Mirror.named(options.mirror), events=step.events)
    return {
        "CM_TINYMLPERF_REPO_PATH": tree,
        "CM_TINYMLPERF_REPO_VERSION": round_id[1:],
        f"CM_MLPERF_TINY_RESULTS_{round_id.upper().replace('.', '_')}": tree,
    }
