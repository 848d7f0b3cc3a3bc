# SPDX-License-Identifier: Apache-2.0
"""Flags of the actions around a run: one that nobody reads is refused, because the action would do something else than was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cm4tiny.errors import UsageError, nearest
from cm4tiny.resolver.language.options import FROM_CMIND

_EVERYWHERE = ("tags", "quiet", "silent", "s", "verbose", "v", "j", "json", "help")
"""How the action speaks, and on what it acts."""


def refuse_unknown(i: Mapping[str, Any], *known: str) -> None:
    """Raises UsageError for a flag that an action does not have: ``cm rm cache -f --plan`` must not remove anything.

    Args:
        i: cmind's input.
        known: the action's own flags.
    """
    for key in sorted(i):
        if key in known or key in _EVERYWHERE or key in FROM_CMIND:
            continue
        named = [_named(name) for name in (*known, "tags")]
        raise UsageError(
            f"the flag {_named(key)} is unknown",
            why=f"flags of this action: {', '.join(named)}",
            hint=nearest(_named(key), named) or "leave it out; nothing was done",
        )


def _named(flag: str) -> str:
    return f"--{flag}" if len(flag) > 1 else f"-{flag}"
