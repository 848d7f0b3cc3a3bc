# SPDX-License-Identifier: Apache-2.0
"""What a request asks for: tags and variations, wanted and excluded.

``_x`` among the tags asks for the variation ``x``, ``-_x`` (or ``_-x``) excludes it, ``-x`` excludes scripts that have the tag ``x``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cm4tiny.errors import UsageError
from cm4tiny.resolver.language.meta import Script


@dataclass(frozen=True)
class ScriptQuery:
    """What is asked for: tags, excluded tags, variations, excluded variations."""

    tags: tuple[str, ...] = ()
    excluded_tags: tuple[str, ...] = ()
    variations: tuple[str, ...] = ()
    excluded_variations: tuple[str, ...] = ()

    @classmethod
    def parse(cls, tags: Any) -> ScriptQuery:
        """Splits a string of comma-separated tags (or a list of tags).

        Raises:
            UsageError: a tag or a variation is asked for and excluded at once.
        """
        words = tags.split(",") if isinstance(tags, str) else [str(tag) for tag in tags]
        lists: dict[str, dict[str, None]] = {"tags": {}, "excluded_tags": {}, "variations": {}, "excluded_variations": {}}
        for word in (word.strip() for word in words):
            if word.startswith(("-_", "_-")):
                lists["excluded_variations"][word[2:]] = None
            elif word.startswith("_"):
                lists["variations"][word[1:]] = None
            elif word.startswith("-"):
                lists["excluded_tags"][word[1:]] = None
            elif word:
                lists["tags"][word] = None
        for wanted, excluded in (("tags", "excluded_tags"), ("variations", "excluded_variations")):
            both = [word for word in lists[wanted] if word in lists[excluded]]
            if both:
                raise UsageError(f"'{both[0]}' is asked for and excluded at once", hint=f"remove it once from the tags '{','.join(words)}'")
        return cls(**{name: tuple(found) for name, found in lists.items()})

    def __str__(self) -> str:
        parts = [
            *self.tags,
            *(f"-{tag}" for tag in self.excluded_tags),
            *(f"_{name}" for name in self.variations),
            *(f"-_{name}" for name in self.excluded_variations),
        ]
        return ",".join(parts)


def dynamic_name(variation: str) -> str | None:
    """The name under which the meta holds a dynamic variation: ``size.#`` for ``size.12``; None if there is no suffix."""
    if "." not in variation or variation.endswith("."):
        return None
    return variation[: variation.index(".") + 1] + "#"


def has_variation(script: Script, variation: str) -> bool:
    """True if the script has the variation, literally or as a dynamic one."""
    return variation in script.variations or dynamic_name(variation) in script.variations
