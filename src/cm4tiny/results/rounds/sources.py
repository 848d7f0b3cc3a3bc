# SPDX-License-Identifier: Apache-2.0
"""The public results of a round, at the pinned commit."""

from __future__ import annotations

from pathlib import Path

from cm4tiny.errors import NotAvailableError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.fetch import GitSource, Mirror, checkout
from cm4tiny.results.rounds.table import get_round

LINK = "repo"


def get_results(round_id: str, folder: Path, *, mirror: Mirror | None = None, events: EventStream = SILENT) -> Path:
    """The tree of a round's results repository, kept below ``folder`` and reachable there as ``repo``, which is where upstream looks.

    Raises:
        UsageError: the round does not exist.
        NotAvailableError: its results are not public.
        AssetError: the repository cannot be fetched.
    """
    round_ = get_round(round_id)
    if not round_.repository:
        raise NotAvailableError(f"the results of round {round_.id} are not public", hint="give your own checkout with --path=DIR")
    source = GitSource(round_.repository, round_.commit, (f"https://github.com/{round_.repository}",), "as the submitters state")
    tree = checkout(source, mirror=mirror, root=folder, events=events)
    link = folder / LINK
    link.unlink(missing_ok=True)
    link.symlink_to(tree.relative_to(folder), target_is_directory=True)
    return tree
