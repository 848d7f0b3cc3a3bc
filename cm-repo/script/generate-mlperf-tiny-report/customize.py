# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of a round or a submission."""

from cm4tiny import cm
from cm4tiny.results.submission.steps import report_step


@cm.step
def preprocess(step):
    print("\n".join(f"Written: {path}" for path in report_step(step)))
