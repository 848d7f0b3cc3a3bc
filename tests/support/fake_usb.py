# SPDX-License-Identifier: Apache-2.0
"""Boards on USB without one: pseudo terminals with names that come and go, and the list of ports that pyserial would show."""

from __future__ import annotations

import contextlib
import os
import tty
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from cm4tiny.boards.nucleo.tools import ToolOutcome

OPENOCD_ID = "0xe0042000: 10016470\n\n0x1fff7590: {}\n"
OPENOCD_DONE = "** Programming Finished **\n** Verify Started **\n** Verified OK **\n** Resetting Target **\n"


@dataclass
class FakeBoard:
    """A probe with its virtual COM port: ``folder/ttyACM0`` and a link to it in ``folder/by-id``."""

    folder: Path
    serial: str = "066BFF01"
    name: str = "ttyACM0"
    pid: int = 0x374B
    descriptors: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.by_id = self.folder / "by-id" / f"usb-STLINK_{self.serial}"
        self.by_id.parent.mkdir(parents=True, exist_ok=True)
        self.plug(self.name)

    @property
    def device(self) -> Path:
        return self.folder / self.name

    def plug(self, name: str) -> None:
        """Appears as this device."""
        master, slave = os.openpty()
        tty.setraw(slave)
        self.descriptors = [master, slave]
        self.name = name
        self.device.symlink_to(os.ttyname(slave))
        self.by_id.unlink(missing_ok=True)
        self.by_id.symlink_to(self.device)

    def unplug(self) -> None:
        """The device and its names are gone; whoever has it open sees a hang-up."""
        self.device.unlink(missing_ok=True)
        self.by_id.unlink(missing_ok=True)
        for descriptor in self.descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self.descriptors = []

    def say(self, text: bytes) -> None:
        """What the firmware prints."""
        os.write(self.descriptors[0], text)


def listing(*boards: FakeBoard) -> list[SimpleNamespace]:
    """What pyserial lists: the boards whose device is there."""
    return [
        SimpleNamespace(device=str(b.device), vid=0x0483, pid=b.pid, serial_number=b.serial, description="ST-LINK")
        for b in boards
        if b.device.exists()
    ]


class FakeOpenOcd:
    """Stands in for OpenOCD: remembers what it was asked; ``on_write`` happens while it programs."""

    def __init__(self, uid: str = "00430031 3131510b 38383334") -> None:
        self.asked: list[list[str]] = []
        self.uid = uid
        self.on_write = lambda: None

    def __call__(self, command: list[str], timeout_s: float) -> ToolOutcome:
        self.asked.append(list(command))
        if "mdw" in command[-1]:
            return ToolOutcome(tuple(command), 0, OPENOCD_ID.format(self.uid))
        self.on_write()
        return ToolOutcome(tuple(command), 0, OPENOCD_DONE)

    @property
    def writes(self) -> int:
        """How often the flash was written."""
        return sum("program" in command[-1] for command in self.asked)
