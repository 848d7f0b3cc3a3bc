# SPDX-License-Identifier: Apache-2.0
"""Submissions: from sessions and a submitter's answers to a complete tree, and the review of such a tree.

``docs/submit.md`` is the guide.
"""

from cm4tiny.results.submission.answers import Answers, SystemAnswers, parse_answers, read_answers
from cm4tiny.results.submission.generator import Generated, generate
from cm4tiny.results.submission.reviewer import Review, refuse, review, write_review
from cm4tiny.results.submission.sessions import Found, find_sessions

__all__ = [
    "Answers",
    "Found",
    "Generated",
    "Review",
    "SystemAnswers",
    "find_sessions",
    "generate",
    "parse_answers",
    "read_answers",
    "refuse",
    "review",
    "write_review",
]
