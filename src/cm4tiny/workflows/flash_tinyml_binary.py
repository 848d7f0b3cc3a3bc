# SPDX-License-Identifier: Apache-2.0
"""The step ``flash,tiny``: puts an image on a board and asks it who it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Outputs, Step, flag
from cm4tiny.runner.smoke_test import find_image, smoke_test
from cm4tiny.workflows.board_flags import BoardFlags
from cm4tiny.workflows.real_board import board_options_of


@dataclass(frozen=True, kw_only=True)
class FlashOptions(BoardFlags):
    """What ``flash,tiny`` is asked for."""

    build_dir: Path | None = flag("CM_TINY_BUILD_DIR")
    elf: Path | None = flag("CM_TINY_ELF")
    no_strict: bool = flag("CM_TINY_NO_STRICT")


def check_image(options: FlashOptions, step: Step) -> None:
    """Checks that one image is named, before the board is looked for; raises as :func:`cm4tiny.runner.smoke_test.find_image`."""
    find_image(str(options.elf or ""), str(options.build_dir or ""))


def flash_image(options: FlashOptions, step: Step) -> Outputs:
    """Puts an image on a board and asks it who it is.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.runner.smoke_test.smoke_test`.
    """
    elf = find_image(str(options.elf or ""), str(options.build_dir or ""))
    answer = smoke_test(elf, options.kind, step.events, board_options_of(options), strict=not options.no_strict)
    return {"CM_TINY_FLASHED_ELF": elf, "CM_TINY_FLASHED_PROFILE": answer.profile, "CM_TINY_FLASHED_MODEL": answer.model}
