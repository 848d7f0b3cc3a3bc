# SPDX-License-Identifier: Apache-2.0
"""Which board, and how to write to a real one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import flag, value


@dataclass(frozen=True, kw_only=True)
class BoardFlags:
    """Which board, and how to write to a real one; a virtual one needs its name at most."""

    port: str = flag("CM_TINY_PORT")
    probe: str = flag("CM_TINY_PROBE")
    flasher: str = flag("CM_TINY_FLASHER", default="auto")
    baud: int | None = flag("CM_TINY_BAUD", limits=(1200, 4_000_000))
    pack: Path | None = flag("CM_TINY_PACK")
    pack_sha256: str = flag("CM_TINY_PACK_SHA256")
    drive: Path | None = flag("CM_TINY_DRIVE")
    board: str = value("CM_TINY_BOARD")
    kind: str = value("CM_TINY_BOARD_KIND", default="virtual")
