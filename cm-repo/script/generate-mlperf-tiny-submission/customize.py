# SPDX-License-Identifier: Apache-2.0
"""Makes a submission from sessions."""

from cm4tiny import cm
from cm4tiny.results.submission.steps import generate_step


@cm.step
def preprocess(step):
    done = generate_step(step)
    print(f"\n{done.review.text}\n\nSubmission: {done.folder}")
