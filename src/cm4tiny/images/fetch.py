# SPDX-License-Identifier: Apache-2.0
"""Gets the images of a set, and what was published next to them, out of their round's repository at its pinned commit: those files only."""

from __future__ import annotations

from pathlib import Path

from cm4tiny.events import SILENT, EventStream
from cm4tiny.fetch import GitSource, Mirror, checkout
from cm4tiny.images.table import all_images, require_set
from cm4tiny.results.rounds.table import get_round


def sources_of(set_name: str) -> dict[str, GitSource]:
    """Round -> the files of a set: images, accuracy logs, streaming summaries.

    Raises:
        UsageError: the set is unknown.
    """
    require_set(set_name)
    wanted: dict[str, set[str]] = {}
    for image in all_images():
        if image.set == set_name:
            files = wanted.setdefault(image.round, set())
            files.update(path for path in (image.file, image.accuracy_log, image.streaming_result) if path)
    sources = {}
    for round_id, files in wanted.items():
        row = get_round(round_id)
        url = f"https://github.com/{row.repository}"
        sources[round_id] = GitSource(row.repository, row.commit, (url,), "as the submitters state", tuple(sorted(files)))
    return sources


def get_images(set_name: str, mirror: Mirror | None = None, events: EventStream = SILENT) -> dict[str, str]:
    """Fetches a set; returns the environment ``CM_MLPERF_TINY_RESULTS_V1_2`` = tree with its files, for each round.

    Raises:
        UsageError: the set is unknown. AssetError: the repository is not available.
    """
    return {key_of(round_id): str(tree) for round_id, tree in _trees(set_name, mirror, events).items()}


def _trees(set_name: str, mirror: Mirror | None, events: EventStream) -> dict[str, Path]:
    return {round_id: checkout(source, mirror=mirror, events=events) for round_id, source in sources_of(set_name).items()}


def key_of(round_id: str) -> str:
    """``CM_MLPERF_TINY_RESULTS_V1_2`` for ``v1.2``."""
    return f"CM_MLPERF_TINY_RESULTS_{round_id.upper().replace('.', '_')}"
