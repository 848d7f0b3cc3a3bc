# SPDX-License-Identifier: Apache-2.0
"""udev rules for probes, interface boards and power monitors: shown to anyone, installed only when asked, by root."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from cm4tiny.boards.boards import all_boards
from cm4tiny.boards.nucleo.ports import RULES_FILE, udev_rules
from cm4tiny.doctor.devices import KnownDevice, known_devices
from cm4tiny.errors import BoardError
from cm4tiny.files import write_atomically

_RELOAD = (("udevadm", "control", "--reload"), ("udevadm", "trigger", "--subsystem-match=usb", "--subsystem-match=tty"))
_ROLES = ("interface", "power")


def all_rules() -> str:
    """The rules for all described boards and known instruments; ModemManager leaves them alone."""
    boards = {row.usb_ids: row for row in all_boards()}  # boards with the same probe need the same lines
    parts = [udev_rules(row) for row in boards.values()]
    parts += [_rules_of(device) for device in known_devices().values() if device.role in _ROLES]
    instruments = {device.usb_id for device in known_devices().values() if device.role in _ROLES}
    ids = sorted({usb_id for row in boards.values() for usb_id in row.usb_ids} | instruments)
    parts += ["# ModemManager does not probe these\n" + "".join(_ignored(usb_id) for usb_id in ids)]
    return "".join(parts)


def _ids(usb_id: str) -> str:
    vendor, product = usb_id.split(":")
    return f'ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}"'


def _rules_of(device: KnownDevice) -> str:
    access = f'{_ids(device.usb_id)}, MODE="0660", GROUP="plugdev", TAG+="uaccess"'
    lines = [f'SUBSYSTEM=="{subsystem}", {access}' for subsystem in ("usb", "tty")]
    return "\n".join([f"# {device.name}", *lines]) + "\n"


def _ignored(usb_id: str) -> str:
    return f'{_ids(usb_id)}, ENV{{ID_MM_DEVICE_IGNORE}}="1"\n'


def install_rules(file: Path = Path(RULES_FILE)) -> str:
    """Writes the rules and makes udev read them; returns what was done.

    Raises:
        BoardError: the file cannot be written (root is needed), or udev does not take it.
    """
    try:
        write_atomically(file, all_rules())
        file.chmod(0o644)
    except OSError as error:
        who = "" if os.geteuid() == 0 else ", and this is not root"
        raise BoardError(
            f"the udev rules cannot be written to {file}",
            why=f"{error.strerror or error}{who}",
            hint="run it as root:\nsudo cm4tiny doctor --install-rules",
        ) from error
    for command in _RELOAD:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
            wrong = (done.stderr.strip()[:300] or f"exit status {done.returncode}") if done.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            wrong = str(error)
        if wrong:
            return f"{file} was written, but udev did not read it ({wrong}): plug the devices in again, or restart the machine"
    return f"{file} was written and udev has read it: plug the devices in again"
