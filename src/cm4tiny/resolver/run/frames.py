# SPDX-License-Identifier: Apache-2.0
"""A list of dependencies that is being worked off."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cm4tiny.resolver.language.deps import Dep
from cm4tiny.resolver.language.environment import Env
from cm4tiny.resolver.plan.resolve import Resolved

#: Names or wildcards of what a script hands over: of env keys and of state keys.
Exports = tuple[list[str], list[str]]


@dataclass
class Frame:
    """See the module.

    Args:
        resolved: whose list.
        deps: the list; ``index`` is the place of the one that runs, -1 before the first.
        env, state: the script's, as they are now.
        hidden: patterns of keys that dependencies do not see.
        depth: of the dependencies.
        level: how many runs are in progress without them.
        names: those runs, the nearest first.
        folder: the current folder when their turn comes.
        decided: those that need no second look, with what they hand over.
    """

    resolved: Resolved
    deps: list[Dep]
    env: Env
    state: dict[str, Any]
    hidden: list[str]
    depth: int
    level: int
    names: tuple[str, ...]
    folder: Path
    index: int = -1
    decided: dict[int, Exports] = field(default_factory=dict)
