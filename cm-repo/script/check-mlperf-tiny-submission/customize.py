# SPDX-License-Identifier: Apache-2.0
"""Checks a submission: every claim recomputed, every rule applied."""

from cm4tiny import cm
from cm4tiny.results.submission import refuse
from cm4tiny.results.submission.steps import check_step


@cm.step
def preprocess(step):
    found = check_step(step)
    print(f"\n{found.text}\n\nAudit: {step.env['CM_TINY_AUDIT_JSON']}")
    refuse(found, "this")
