# SPDX-License-Identifier: Apache-2.0
"""Four ways to write the board's flash: OpenOCD, st-flash, pyOCD, and the drive that the ST-LINK shows.

Each one first reads which chip is there (:meth:`Flasher.identify`), then writes and verifies (:meth:`Flasher.write`). What the tools
print was taken from OpenOCD 0.12, stlink-tools 1.7 and pyOCD 0.46 without a board, and from their documentation and trackers for the
rest; nothing here has been tried on hardware (docs/real-board.md).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cm4tiny.boards.boards import BoardDescription, all_boards
from cm4tiny.boards.nucleo.claim import probe_key
from cm4tiny.boards.nucleo.ports import permission_hint
from cm4tiny.boards.nucleo.tools import ToolOutcome, run_tool, tail_of
from cm4tiny.digests import file_sha256
from cm4tiny.errors import BoardError, ToolchainError
from cm4tiny.scratch import scratch_folder

IDENTIFY_TIMEOUT_S = 30.0
WRITE_TIMEOUT_S = 180.0
DEV_ID_MASK = 0xFFF
DRIVE_SETTLES_S = 20.0
DRIVE_STAYS_S = 1.0
"""How long the drive must show neither the file nor a failure: FAIL.TXT appears when the drive is mounted again, after the file is gone."""
_IMAGE, _FAILED, _MARKS = "FIRMWARE.BIN", "FAIL.TXT", ("DETAILS.TXT", "MBED.HTM")
_NO_PROBE = ("open failed", "couldn't find any st-link", "found 0 stlink", "no connected debug probes", "no available debug probes")
_NO_PERMISSION = ("libusb_error_access", "permission", "access denied", "insufficient permissions")

Run = Callable[[list[str], float], ToolOutcome]


@dataclass(frozen=True)
class Wiring:
    """Which of several probes is meant, and what a tool needs besides the table: ``probe`` serial number, ``pack`` for pyOCD, ``drive``
    for the mass storage."""

    probe: str = ""
    pack: str = ""
    pack_sha256: str = ""
    drive: str = ""


class Flasher(Protocol):
    """A way to write the flash.

    Attributes:
        identities: what :meth:`identify` found out about the board, as keys of its lock: the probe, the chip's unique id, the drive.
    """

    name: str
    identities: tuple[str, ...]

    def missing(self) -> str:
        """Why this way cannot be used on this machine; empty if it can."""

    def identify(self) -> str:
        """What the board is, checked against the table: its family and ``"(chip id 0x470)"``.

        Raises:
            BoardError: no probe, no permission, another chip.
        """

    def write(self, image: Path) -> None:
        """Writes, verifies and restarts; ``image`` is raw bytes for the start of the flash.

        Raises:
            BoardError: it did not work.
        """


def _failure(row: BoardDescription, outcome: ToolOutcome, what: str) -> BoardError:
    if outcome.says(*_NO_PERMISSION):
        return BoardError(f"{what}: the probe may not be opened by this user", why=outcome.tail, hint=permission_hint(row))
    if outcome.says(*_NO_PROBE):
        return BoardError(
            f"{what}: no ST-LINK was found",
            why=outcome.tail or "the tool found none",
            hint="connect the board's ST-LINK connector with a data cable; close other programs that use the probe",
        )
    return BoardError(
        what, why=outcome.tail or f"exit code {outcome.code}", hint="plug the board in again, or choose another way: --flasher=NAME"
    )


def _write_failure(row: BoardDescription, outcome: ToolOutcome, what: str) -> BoardError:
    """As :func:`_failure`, for a tool that may have stopped half-way."""
    error = _failure(row, outcome, what)
    return BoardError(error.what, why=f"{error.why}\nthe flash may hold a part of the image", hint=error.hint)


def _chip_key(words: Iterable[str]) -> tuple[str, ...]:
    """The lock of a chip by the words of its unique id; none for the patterns of a chip that cannot be read."""
    found = [word.lower() for word in words]
    return () if not found or set(found) <= {"00000000", "ffffffff"} else (f"chip-{'-'.join(found)}",)


def _words(text: str, address: str, count: int) -> list[str]:
    """So many words of 32 bits that a tool printed after an address, or none."""
    found = re.search(rf"\b{address}:((?:\s+[0-9a-f]{{8}}){{{count}}})\b", text, re.IGNORECASE)
    return found[1].split() if found else []


def check_chip(row: BoardDescription, dev_id: int) -> str:
    """The chip, for messages.

    Raises:
        BoardError: it is not the table's; nothing has been written.
    """
    if dev_id not in row.chip.identity.dev_ids:
        known = " or ".join(f"0x{known:03x}" for known in row.chip.identity.dev_ids)
        raise BoardError(
            f"the connected board is not a {row.name}: it has not been flashed",
            why=f"its chip id is 0x{dev_id:03x}, a {row.chip.family} has {known}",
            hint="connect the right board, or name its probe: --probe=SERIAL",
        )
    return f"{row.chip.family} (chip id 0x{dev_id:03x})"


class OpenOcd:
    """OpenOCD, what ``west flash`` uses for this board."""

    name = "openocd"

    def __init__(self, row: BoardDescription, wiring: Wiring, run: Run = run_tool) -> None:
        self.row, self.run = row, run
        self.identities: tuple[str, ...] = ()
        self.base = ["openocd", *(part for name in row.openocd for part in ("-f", name))]
        if wiring.probe:
            self.base += ["-c", f"adapter serial {wiring.probe}"]

    def missing(self) -> str:
        return "" if shutil.which("openocd") else "openocd is not installed"

    def identify(self) -> str:
        read = f"init; mdw 0x{self.row.chip.identity.idcode_address:08X}; mdw 0x{self.row.chip.identity.uid_address:08X} 3; shutdown"
        outcome = self.run([*self.base, "-c", read], IDENTIFY_TIMEOUT_S)
        self.identities = _chip_key(_words(outcome.text, f"0x{self.row.chip.identity.uid_address:08x}", 3))
        found = re.search(rf"0x{self.row.chip.identity.idcode_address:08x}:\s*([0-9a-f]{{8}})", outcome.text, re.IGNORECASE)
        if found is None:
            raise _failure(self.row, outcome, "OpenOCD cannot read the chip's id")
        return check_chip(self.row, int(found[1], 16) & DEV_ID_MASK)

    def write(self, image: Path) -> None:
        command = f"program {{{image}}} 0x{self.row.chip.flash.start:08X} verify reset exit"
        outcome = self.run([*self.base, "-c", command], WRITE_TIMEOUT_S)
        if outcome.code != 0 or not outcome.says("** Verified OK **"):
            raise _write_failure(self.row, outcome, "OpenOCD did not flash the board")


class StFlash:
    """stlink-tools."""

    name = "st-flash"

    def __init__(self, row: BoardDescription, wiring: Wiring, run: Run = run_tool) -> None:
        self.row, self.run, self.probe = row, run, wiring.probe
        self.identities: tuple[str, ...] = ()

    def missing(self) -> str:
        absent = [tool for tool in ("st-flash", "st-info") if not shutil.which(tool)]
        return f"{' and '.join(absent)} not installed (Debian: stlink-tools)" if absent else ""

    def identify(self) -> str:
        outcome = self.run(["st-info", "--probe"], IDENTIFY_TIMEOUT_S)
        blocks = _probes(outcome.text)
        chosen = [(serial, chip) for serial, chip in blocks if serial.upper().endswith(self.probe.upper())]
        if not chosen:
            raise _failure(self.row, outcome, "st-info found no such board" if blocks else "st-info cannot read the chip's id")
        if len(chosen) > 1:
            raise BoardError(
                f"{len(chosen)} boards are plugged in", why=", ".join(serial for serial, _ in chosen), hint="name one: --probe=SERIAL"
            )
        self.probe = chosen[0][0]
        self.identities = (probe_key(self.probe),)
        return check_chip(self.row, int(chosen[0][1], 16) & DEV_ID_MASK)

    def write(self, image: Path) -> None:
        serial = ["--serial", self.probe] if self.probe else []
        outcome = self.run(["st-flash", *serial, "--reset", "write", str(image), f"0x{self.row.chip.flash.start:08X}"], WRITE_TIMEOUT_S)
        if outcome.code != 0 or not outcome.says("written and verified"):
            raise _write_failure(self.row, outcome, "st-flash did not flash the board")


def _probes(text: str) -> list[tuple[str, str]]:
    """Serial number and chip id of each probe in the output of ``st-info --probe``."""
    found, serial = [], ""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "serial":
            serial = value.strip()
        elif key.strip() == "chipid" and serial and re.fullmatch(r"0x[0-9a-fA-F]{1,8}", value.strip()):
            found.append((serial, value.strip()))
            serial = ""
    return found


class PyOcd:
    """pyOCD; it knows the chip only from a CMSIS pack, which the user gives by file and, to be sure of it, by hash."""

    name = "pyocd"

    def __init__(self, row: BoardDescription, wiring: Wiring, run: Run = run_tool) -> None:
        self.row, self.run, self.wiring = row, run, wiring
        self.identities: tuple[str, ...] = ()
        self.options = ["-W", *(["-u", wiring.probe] if wiring.probe else [])]

    def missing(self) -> str:
        if not shutil.which("pyocd"):
            return "pyocd is not installed"
        if not self.wiring.pack:
            chip = self.row.chip
            return f"pyocd has no built-in {chip.family}; it needs the pack {chip.pyocd_pack} (--pack=FILE --pack_sha256=HASH)"
        return ""

    def identify(self) -> str:
        self._check_pack()
        reads = [
            "-c",
            f"read32 0x{self.row.chip.identity.idcode_address:08X}",
            "-c",
            f"read32 0x{self.row.chip.identity.uid_address:08X} 12",
        ]
        outcome = self.run(["pyocd", "commander", *self.options, "-t", "cortex_m", *reads], IDENTIFY_TIMEOUT_S)
        self.identities = _chip_key(_words(outcome.text, f"{self.row.chip.identity.uid_address:08x}", 3))
        found = re.search(rf"{self.row.chip.identity.idcode_address:08x}:\s*([0-9a-f]{{8}})", outcome.text, re.IGNORECASE)
        if found is None:
            raise _failure(self.row, outcome, "pyOCD cannot read the chip's id")
        return check_chip(self.row, int(found[1], 16) & DEV_ID_MASK)

    def write(self, image: Path) -> None:
        target = ["-t", self.row.chip.pyocd_target, "--pack", self.wiring.pack]
        outcome = self.run(["pyocd", "flash", *self.options, *target, f"{image}@0x{self.row.chip.flash.start:08X}"], WRITE_TIMEOUT_S)
        if outcome.code != 0:
            raise _write_failure(self.row, outcome, "pyOCD did not flash the board")

    def _check_pack(self) -> None:
        try:
            digest = file_sha256(Path(self.wiring.pack))
        except OSError as error:
            raise BoardError(f"the pack {self.wiring.pack} cannot be read", why=str(error), hint="give --pack=FILE.pack") from error
        if self.wiring.pack_sha256 and digest != self.wiring.pack_sha256.lower():
            raise BoardError(
                f"{self.wiring.pack} is not the pack that was asked for",
                why=f"its SHA-256 is {digest}, expected {self.wiring.pack_sha256}",
                hint="get the pack again",
            )


class MassStorage:
    """The ST-LINK's drive: a copied file is written to the flash. The name of the drive identifies the board; there is no other check."""

    name = "drive"

    def __init__(
        self,
        row: BoardDescription,
        wiring: Wiring,
        mounts: Callable[[], Iterable[Path]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.row, self.wiring = row, wiring
        self.identities: tuple[str, ...] = ()
        self._mounts = mounts or mounted
        self._clock, self._sleep = clock, sleep
        self.settle_s, self.stays_s = DRIVE_SETTLES_S, DRIVE_STAYS_S

    def missing(self) -> str:
        return "" if self._drives() else f"no drive called {' or '.join(self.row.volume_labels[:2])} is mounted"

    def identify(self) -> str:
        drives = self._drives()
        if len(drives) != 1:
            raise BoardError(
                f"{len(drives)} drives of a {self.row.name} are mounted" if drives else f"no drive of a {self.row.name} is mounted",
                why=", ".join(map(str, drives)),
                hint="name one: --drive=FOLDER" if drives else "mount the board's drive, or choose another way: --flasher=NAME",
            )
        if not any(_there(drives[0] / name) for name in _MARKS):
            raise BoardError(
                f"{drives[0]} is not the drive of an ST-LINK",
                why="it holds neither DETAILS.TXT nor MBED.HTM",
                hint="name the board's drive: --drive=FOLDER",
            )
        self.identities = (f"drive-{drives[0].resolve()}",)
        return f"{self.row.name} (by the name of its drive {drives[0].name})"

    def write(self, image: Path) -> None:
        drives = self._drives()
        if not drives:
            raise BoardError(f"the drive of the {self.row.name} is gone", hint="plug the board in again and mount its drive")
        drive = drives[0]
        try:
            (drive / _FAILED).unlink(missing_ok=True)
            with (drive / _IMAGE).open("wb") as target:
                target.write(image.read_bytes())
                target.flush()
                os.fsync(target.fileno())
        except OSError as error:
            raise BoardError(
                f"{drive} cannot be written", why=str(error), hint="mount the drive for writing, or plug the board in again"
            ) from error
        self._wait(drive)

    def _wait(self, drive: Path) -> None:
        """The probe takes the file away once it is in the flash, and leaves FAIL.TXT if it could not write it.

        Meanwhile the drive may vanish and come back. One that stays away is an error: nobody can say then what the flash holds.
        """
        end, clean_since = self._clock() + self.settle_s, None
        while True:
            failed = _read(drive / _FAILED)
            if failed is not None:
                raise BoardError("the ST-LINK did not flash the board", why=tail_of(failed), hint="try --flasher=openocd")
            present = any(_there(drive / name) for name in _MARKS)
            if present and not _there(drive / _IMAGE):
                clean_since = self._clock() if clean_since is None else clean_since
                if self._clock() - clean_since >= self.stays_s:
                    return
            else:
                clean_since = None
                if self._clock() >= end:
                    break
            self._sleep(0.2)
        if not present:
            raise BoardError(
                "the ST-LINK's drive went away while the board was flashed",
                why=f"{drive} did not come back within {self.settle_s:g} s; the flash may hold a part of the image",
                hint="plug the board in again and mount its drive, or try --flasher=openocd",
            )
        with contextlib.suppress(OSError):
            (drive / _IMAGE).unlink()
        raise BoardError(
            "the ST-LINK did not take the file",
            why=f"{drive / _IMAGE} is still there after {self.settle_s:g} s",
            hint="try --flasher=openocd",
        )

    def _drives(self) -> list[Path]:
        if self.wiring.drive:
            return [Path(self.wiring.drive)]
        return [path for path in self._mounts() if path.name in self.row.volume_labels and _there(path, folder=True)]


def _there(path: Path, *, folder: bool = False) -> bool:
    """Whether a file (or folder) is there; a drive that was unplugged answers with an error of the device, which means no."""
    try:
        return path.is_dir() if folder else path.is_file()
    except OSError:
        return False


def _read(path: Path) -> str | None:
    """The start of a text file, or None if there is none that can be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(2000).decode("utf-8", "replace")
    except OSError:
        return None


def mounted() -> list[Path]:
    """Folders where something is mounted (``/proc/mounts``; on macOS the folders of ``/Volumes``)."""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
        return [Path(line.split()[1].replace("\\040", " ")) for line in lines if len(line.split()) > 1]
    except OSError:
        return sorted(Path("/Volumes").glob("*"))


def check_drive(row: BoardDescription, mounts: Callable[[], Iterable[Path]] | None = None) -> None:
    """Looks at the mounted drives: they distinguish boards that have the same chip and the same probe.

    Raises:
        BoardError: only the drive of another board of the table is there.
    """
    names = {path.name for path in (mounts or mounted)()}
    if names & set(row.volume_labels):
        return
    for other in all_boards():
        found = sorted(names & set(other.volume_labels))
        if found:
            raise BoardError(
                f"the connected board is a {other.name}, a {row.name} was asked for",
                why=f"its drive is called {found[0]}",
                hint=f"connect a {row.name}, or choose the other board: --env.CM_TINY_BOARD={other.env_name}",
            )


FLASHERS: dict[str, Callable[[BoardDescription, Wiring], Flasher]] = {
    OpenOcd.name: OpenOcd,
    StFlash.name: StFlash,
    PyOcd.name: PyOcd,
    MassStorage.name: MassStorage,
}
"""In the order in which they are tried."""


def choose(row: BoardDescription, wiring: Wiring, wanted: str = "auto") -> Flasher:
    """The first way that this machine offers, or the one asked for.

    Raises:
        ToolchainError: it (or every one) is missing; says why each.
    """
    reasons = []
    for name, make in FLASHERS.items():
        if wanted not in ("auto", name):
            continue
        flasher = make(row, wiring)
        reason = flasher.missing()
        if not reason:
            return flasher
        reasons.append(f"{name}: {reason}")
    raise ToolchainError(
        "there is no way to flash the board" if wanted == "auto" else f"{wanted} cannot be used",
        why="; ".join(reasons),
        hint="mount the board's drive, or install OpenOCD (or stlink-tools):\napt-get install openocd",
    )


def raw_image(row: BoardDescription, segments: Iterable[tuple[int, bytes]]) -> bytes:
    """Segments as the bytes of the flash from its start, gaps erased (0xFF); segments in RAM are left out.

    Raises:
        BoardError: nothing lies in the flash, or something lies beyond it.
    """
    end = row.chip.flash.start + row.chip.flash.size
    inside = [(address, data) for address, data in segments if data and row.chip.flash.start <= address < end]
    if not inside or any(address + len(data) > end for address, data in inside):
        raise BoardError(
            "the image does not fit the board's flash",
            why=f"it has {row.chip.flash.size} bytes from 0x{row.chip.flash.start:08X}",
            hint=f"give an image that was linked for the {row.chip.family}",
        )
    image = bytearray(b"\xff" * max(address + len(data) - row.chip.flash.start for address, data in inside))
    for address, data in inside:
        image[address - row.chip.flash.start : address - row.chip.flash.start + len(data)] = data
    return bytes(image)


def with_raw_image(image: bytes, use: Callable[[Path], None]) -> None:
    """Hands a temporary file with the image to ``use``."""
    with scratch_folder("flash") as folder:
        path = folder / "firmware.bin"
        path.write_bytes(image)
        use(path)
