# SPDX-License-Identifier: Apache-2.0
"""Recomputes the claims of rounds and says which ones hold."""

from cm4tiny import cm
from cm4tiny.workflows.replay import replay_request, run_replay


@cm.step
def check_inputs(step):
    replay_request(step)


@cm.step
def preprocess(step):
    outcome = run_replay(replay_request(step), step.events)
    for key, path in zip(("CSV", "AUDIT", "JUNIT"), outcome.files, strict=True):
        step.env[f"CM_TINY_REPLAY_{key}"] = str(path)
    print(f"\n{outcome.summary}\n\nWritten: {', '.join(map(str, outcome.files))}")
    outcome.raise_if_failed()
