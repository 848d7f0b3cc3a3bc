# SPDX-License-Identifier: Apache-2.0
"""Writes rounds and own runs into CM experiments."""

from cm4tiny import cm
from cm4tiny.results.experiments.command import import_from_step


@cm.step
def preprocess(step):
    imported, summary = import_from_step(step)
    step.env["CM_TINY_EXPERIMENTS"] = ",".join(imported.experiments)
    print(f"\n{summary}")
