# SPDX-License-Identifier: Apache-2.0
"""What an experiment of the ledger comes to, and how it gets there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cm4tiny.errors import Cm4TinyError

Verdict = Literal["correct", "refused", "finding", "noted", "wrong"]


@dataclass(frozen=True)
class Outcome:
    """One outcome.

    Attributes:
        verdict: as in ``ledger.schema.json``; ``"wrong"`` is never expected: a false figure, or a fault that nothing reported.
        name: class of the error or name of the rule; may be empty.
        text: all that a person would read.
    """

    verdict: Verdict
    name: str = ""
    text: str = ""


Experiment = Callable[[Mapping[str, Any], Path], Outcome]
"""``experiment(inputs, folder)``: ``folder`` is empty and belongs to this call alone."""


def attempt(action: Callable[[], Outcome]) -> Outcome:
    """The outcome of ``action``, or ``refused`` with the error it raised.

    Only this project's errors count as a refusal, and only with a hint; any other exception is a defect and propagates.
    """
    try:
        return action()
    except Cm4TinyError as error:
        if not error.hint:
            return Outcome("wrong", type(error).__name__, f"an error without a hint: {error}")
        return Outcome("refused", type(error).__name__, str(error))
