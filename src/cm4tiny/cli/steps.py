# SPDX-License-Identifier: Apache-2.0
"""``cm4tiny steps``: the steps of this package, for those who run one of them by its tags."""

from __future__ import annotations

from typing import Any

from cm4tiny.cli.commands import Command, simple
from cm4tiny.cli.group import VERBS
from cm4tiny.cli.output import VerbResult


def command(name: str) -> Command:
    """The command."""
    return simple(name, VERBS[name][1], list_steps, examples=("cm4tiny steps", "cm4tiny steps --json"))


def list_steps() -> VerbResult:
    """Titles and tags of all steps, ordered by name."""
    from cm4tiny.cli.engine import own_scripts
    from cm4tiny.cli.verbs import VERBS as STEP_VERBS
    from cm4tiny.resolver.catalogue.reference import title_of

    verbs = {verb.alias: verb.name for verb in STEP_VERBS.values()}
    rows: list[dict[str, Any]] = [
        {
            "name": script.alias,
            "title": title_of(script),
            "tags": [tag for tag in script.tag_list if tag != "cm4tiny"],
            "variations": sorted(script.variations),
            "verb": verbs.get(script.alias, ""),
            "cached": bool(script.meta.get("cache")),
        }
        for script in sorted(own_scripts().scripts, key=lambda script: script.alias)
    ]
    lines = []
    for row in rows:
        lines.append(row["title"] + (f"  (cm4tiny {row['verb']})" if row["verb"] else ""))
        lines.append(f"    {','.join(row['tags'])}")
    return VerbResult(
        {"steps": rows}, "\n".join([*lines, "", "Run one by its tags: cm run script --tags=TAGS; more: cm run script --tags=TAGS --help"])
    )
