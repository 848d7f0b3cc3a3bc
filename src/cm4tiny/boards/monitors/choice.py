# SPDX-License-Identifier: Apache-2.0
"""Which power monitor a run means, and a board that it supplies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cm4tiny.boards.monitors.lpm01a import Lpm01a, open_lpm01a
from cm4tiny.boards.nucleo.ports import Listed, all_ports
from cm4tiny.errors import PowerError, UsageError, nearest

LPM01A = "lpm01a"
MONITORS = (LPM01A,)
USB_ID = "0483:5740"
"""Of the X-NUCLEO-LPM01A (mlcommons/tiny, benchmark/runner/devices_*.yaml); ST gives it to other devices with a serial port, too."""


def parse_monitor(wanted: str) -> tuple[str, str]:
    """Kind and port of ``lpm01a`` or ``lpm01a:/dev/ttyACM1``; the port is empty where it is to be found.

    Raises:
        UsageError: no such kind.
    """
    kind, _, port = wanted.partition(":")
    if kind.casefold() not in MONITORS:
        hint = (
            nearest(kind.casefold(), MONITORS) or f"use {' or '.join(MONITORS)}, with its port if there are several: {LPM01A}:/dev/ttyACM1"
        )
        raise UsageError(f"there is no driver of a power monitor '{kind}'", why=f"there are drivers of {', '.join(MONITORS)}", hint=hint)
    return kind.casefold(), port


def find_monitor(port: str = "", listed: Listed | None = None) -> str:
    """The port of the LPM01A.

    Raises:
        PowerError: there is none, or several.
    """
    if port:
        return port
    found = [one for one in all_ports(listed) if one.usb_id == USB_ID]
    if not found:
        raise PowerError(
            "no X-NUCLEO-LPM01A is plugged in",
            why=f"no serial port has the USB id {USB_ID}",
            hint=f"connect it, or name its port: --monitor={LPM01A}:/dev/ttyACM1",
        )
    if len(found) > 1:
        why = "; ".join(f"{one.device} has the serial number {one.serial or 'none'}" for one in found)
        raise PowerError(f"{len(found)} power monitors are plugged in", why=why, hint=f"name one: --monitor={LPM01A}:{found[-1].device}")
    return found[0].device


class PoweredBoard:
    """A board whose supply is a power monitor: ``power``; everything else is the board's own.

    The monitor is switched on before the board is opened, and off after it was closed.

    Args:
        opener: opens the board.
        monitor: as :func:`parse_monitor` takes it.
        voltage_v: the supply.
        raw: keeps what the monitor sends.

    Raises:
        PowerError, LinkError: of the monitor. Else as the opener.
    """

    def __init__(self, opener: Callable[[], Any], monitor: str, voltage_v: float, raw: Path) -> None:
        _, port = parse_monitor(monitor)
        device = find_monitor(port)
        raw.parent.mkdir(parents=True, exist_ok=True)
        self.power: Lpm01a = open_lpm01a(device, voltage_v, raw)
        try:
            self.power.power_on()
            self._board = opener()
        except BaseException:
            self.power.close()
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._board, name)

    def close(self) -> None:
        """Closes the board, then switches it off."""
        try:
            self._board.close()
        finally:
            self.power.close()
