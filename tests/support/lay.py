# SPDX-License-Identifier: Apache-2.0
"""Lays what a documented command takes for granted: ``python -m support.lay rounds|sessions|documents FOLDER ...`` (docs/commands.yaml)."""

from __future__ import annotations

import sys
from pathlib import Path

from support.sessions import five_windows, result_folder, write
from support.submission_maker import documents, sessions


def rounds(folder: Path) -> None:
    """A checkout of a round, named as it is, whose one claim follows from its log."""
    round_id = folder.name.rpartition("_")[2]
    found = folder.parent if round_id.startswith("v") else folder
    round_id = round_id if round_id.startswith("v") else "v1.1"
    write(result_folder(found, round_id=round_id) / "performance", log=five_windows().log(), results=five_windows().results())


KINDS = {"rounds": rounds, "sessions": sessions, "documents": documents}


if __name__ == "__main__":
    for name in sys.argv[2:]:
        KINDS[sys.argv[1]](Path(name))  # type: ignore[operator]
