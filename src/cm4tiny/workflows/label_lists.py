# SPDX-License-Identifier: Apache-2.0
"""Where the lists of the data sets come from."""

from __future__ import annotations

from pathlib import Path

from cm4tiny.events import EventStream
from cm4tiny.fetch import Fetcher, Mirror
from cm4tiny.network import is_offline
from cm4tiny.results.rounds import LabelLists


def label_lists(
    labels: Path | None, sources: Path | None, mirror: Path | str | None, events: EventStream, *, offline: bool = False
) -> LabelLists:
    """The lists of ``--labels``, of a clone of mlcommons/tiny or of a mirror; else what is known without them.

    Args:
        offline: never use the network, even where the variable for that allows it.

    Raises:
        AssetError: lists were named that are not available.
    """
    place = labels or sources
    if place:
        return LabelLists.open(place)
    found = Mirror.named(mirror)
    return LabelLists.known() if found is None else LabelLists.fetch(Fetcher(mirror=found, events=events, offline=offline or is_offline()))
