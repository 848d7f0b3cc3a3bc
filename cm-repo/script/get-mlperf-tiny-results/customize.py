# SPDX-License-Identifier: Apache-2.0
"""Gets the public results of a round at the pinned commit."""

from cm4tiny import cm
from cm4tiny.fetch import Mirror
from cm4tiny.results.rounds.sources import get_results


@cm.step
def preprocess(step):
    round_id = step.env["CM_TINY_RESULTS_ROUND"]
    tree = get_results(round_id, step.folder, mirror=Mirror.named(step.path("CM_TINY_MIRROR")), events=step.events)
    step.env["CM_TINYMLPERF_REPO_PATH"] = str(tree)
    step.env["CM_TINYMLPERF_REPO_VERSION"] = round_id[1:]
    step.env[f"CM_MLPERF_TINY_RESULTS_{round_id.upper().replace('.', '_')}"] = str(tree)
