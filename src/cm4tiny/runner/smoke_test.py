# SPDX-License-Identifier: Apache-2.0
"""Bring-up: put an image on a board and make sure that it answers the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.boards.catalogue import open_board
from cm4tiny.boards.nucleo import BoardOptions
from cm4tiny.errors import FirmwareError, UsageError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.runner.dut import Dut


@dataclass(frozen=True)
class SmokeTestResult:
    """What the firmware said about itself: ``name``, ``profile`` and ``model`` as in its ``m-...-[...]`` lines."""

    name: str
    profile: str
    model: str


def find_image(elf: str, build_dir: str) -> Path:
    """The image that was asked for: a file, or the one ``.elf`` in a folder.

    Raises:
        UsageError: nothing or both were given. FirmwareError: the file does not exist, or there are several.
    """
    if bool(elf) == bool(build_dir):
        raise UsageError("it is not clear which image is meant", hint="give either --elf=FILE.elf or --build_dir=DIR")
    if elf:
        path = Path(elf).absolute()
        if not path.is_file():
            raise FirmwareError(f"{path} does not exist", hint="build it:\ncm run script --tags=build,firmware,mlperf,tiny,_kws")
        return path
    found = sorted(Path(build_dir).absolute().rglob("*.elf"))
    if len(found) != 1:
        raise FirmwareError(
            f"{build_dir} holds {len(found)} ELF files, one is needed",
            hint="name the file: --elf=FILE.elf" if found else "build the firmware first",
        )
    return found[0]


def smoke_test(
    elf: Path, kind: str, events: EventStream = SILENT, board_options: BoardOptions | None = None, *, strict: bool = True
) -> SmokeTestResult:
    """Loads the image, boots it, asks ``name`` and ``profile``.

    Args:
        strict: of the virtual board: what the chip would not run is an error.

    Raises:
        SiliconRuleError: the chip would not run it.
        WrongTargetError: an image for another chip. DeviceFaultError: it crashed. DeadlineError: it stays silent.
    """
    with events.step(f"boot {elf.name}") as outcome:
        board = open_board(kind, elf, board_options, events, strict=strict)
        try:
            identity = Dut(board.link, events=events).connect()
        finally:
            board.close()
        outcome.note = f"answers as {identity.model}"
    return SmokeTestResult(identity.name, identity.profile, identity.model)
