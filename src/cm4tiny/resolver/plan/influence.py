# SPDX-License-Identifier: Apache-2.0
"""Can what an earlier script hands over change a later one?

A later script may be made ahead of its turn if nothing that runs before it can change its result. What counts as its input is decided as in
its key (see :mod:`.planner`): keys that occur as words in the files of its scripts, apart from those that such a script makes
itself. A script whose exports cannot be known beforehand can change everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cached_property
from typing import Any

from cm4tiny.resolver.language.environment import is_pattern
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.plan.fingerprint import content_of
from cm4tiny.resolver.plan.planner import matches
from cm4tiny.resolver.plan.tree import PlanNode

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DECLARING = ("default_env", "env", "const")


@dataclass
class Unknown:
    """What the scripts between now and a later script may set.

    Args:
        env, state: names or wildcards of keys.
        everything: it cannot be known.
    """

    env: list[str] = field(default_factory=list)
    state: list[str] = field(default_factory=list)
    everything: bool = False

    def add(self, env: Iterable[str], state: Iterable[str]) -> None:
        """Adds what one more script hands over."""
        for target, patterns in ((self.env, env), (self.state, state)):
            for pattern in patterns:
                if "<<<" in pattern:
                    self.everything = True
                elif pattern not in target:
                    target.append(pattern)
        self.__dict__.pop("_matcher", None)

    @property
    def nothing(self) -> bool:
        """Nothing is set."""
        return not (self.everything or self.env or self.state)

    @cached_property
    def _matcher(self) -> re.Pattern[str]:
        patterns = [*(pattern.lstrip("+:;") for pattern in self.env), *self.state]
        return re.compile("|".join(translate(pattern) if is_pattern(pattern) else f"{re.escape(pattern)}\\Z" for pattern in patterns))

    def touches_text(self, value: Any) -> bool:
        """True if a word of a meta's part is one of the keys."""
        if self.nothing:
            return False
        return self.everything or any(self._matcher.match(word) for word in _WORD.findall(str(value)))

    def touches(self, node: PlanNode) -> bool:
        """True if what is set may change the result of a plan."""
        if self.nothing:
            return False
        if self.everything or any(pattern.startswith("+") for pattern in self.env):
            return True
        return any(self._touches_one(below) for below in node.walk())

    def _touches_one(self, node: PlanNode) -> bool:
        words = [word for word in content_of(node.script.path).words if self._matcher.match(word)]
        if not words:
            return False
        conditions = {key for dep in node.deps for condition in dep.condition.values() for key in condition or ()}
        needed = conditions | _declared(node.script)
        return any(word in needed or matches(word, self.state) or not matches(word, node.new_env_keys) for word in words)


def _declared(script: Script) -> set[str]:
    """Keys that a meta declares as input anywhere."""
    versions: Mapping[str, Any] = script.meta.get("versions") or {}
    blocks = [script.meta, *script.variations.values(), *(block or {} for block in versions.values())]
    found = {str(key) for block in blocks for name in _DECLARING for key in block.get(name) or ()}
    found.update(str(key) for block in blocks for key in (block.get("input_mapping") or {}).values())
    return found
