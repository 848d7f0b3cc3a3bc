# SPDX-License-Identifier: Apache-2.0
"""Builds the dashboard of published results and own runs."""

from cm4tiny import cm
from cm4tiny.results.dashboard.command import build_from_step


@cm.step
def preprocess(step):
    site, summary = build_from_step(step)
    step.env["CM_TINY_DASHBOARD"] = str(site.index)
    print(f"\n{summary}")
