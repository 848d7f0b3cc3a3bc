# SPDX-License-Identifier: Apache-2.0
"""Flash tools that misbehave: output without end, a child that stays, a drive that vanishes in the middle."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cm4tiny.boards.boards import find_board
from cm4tiny.boards.nucleo import flashers, tools
from cm4tiny.boards.nucleo.flashers import MassStorage, OpenOcd, PyOcd, StFlash, Wiring
from cm4tiny.boards.nucleo.tools import ToolOutcome, run_tool
from cm4tiny.errors import BoardError

ROW = find_board()


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


# --- tools -----------------------------------------------------------------------------------------------------------------------
def test_output_without_end_is_ended_and_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "FLOOD_BYTES", 4_000_000)
    began = time.monotonic()
    with pytest.raises(BoardError, match="did not stop writing") as caught:
        run_tool(python("while True: print('Error: timed out while waiting for target halted')"), 60)
    assert time.monotonic() - began < 20 and len(str(caught.value)) < 3000 and "timed out" in caught.value.why


def test_start_and_end_of_a_long_output_are_kept() -> None:
    outcome = run_tool(python("print('first'); print('x' * 3_000_000); print('last')"), 60)
    assert outcome.text.startswith("first\n") and outcome.text.endswith("last\n") and len(outcome.text) <= tools.MAX_OUTPUT_BYTES
    assert outcome.code == 0 and max(map(len, outcome.tail.splitlines())) <= 200


def test_a_child_that_keeps_the_output_open_does_not_keep_the_run(tmp_path: Path) -> None:
    grandchild = f"import time, os; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    program = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {grandchild!r}]); time.sleep(1); print('done')"
    began = time.monotonic()
    assert run_tool(python(program), 30).text == "done\n"
    assert time.monotonic() - began < 20
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("the grandchild still runs")


def test_a_tool_that_hangs_is_ended_with_what_it_started() -> None:
    program = "import subprocess, sys; print('waiting', flush=True); subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    began = time.monotonic()
    with pytest.raises(BoardError, match="did not end within 1 s") as caught:
        run_tool(python(program), 1.0)
    assert time.monotonic() - began < 15 and "waiting" in caught.value.why
    assert caught.value.hint.splitlines()[-1].startswith(sys.executable)  # a command to copy stands alone


def test_what_a_tool_prints_cannot_disturb_the_terminal() -> None:
    outcome = run_tool(python(r"print('\x1b[2J\x07Error: \x00bad\xff', flush=True)"), 30)
    assert all(c.isprintable() for c in outcome.tail) and "Error:" in outcome.tail


def test_a_hostile_list_of_probes_is_read_in_linear_time() -> None:
    text = "serial: A\n" * 25_000
    began = time.monotonic()
    with pytest.raises(BoardError, match="cannot read the chip's id"):
        StFlash(ROW, Wiring(), lambda command, timeout_s: ToolOutcome(tuple(command), 0, text)).identify()
    assert time.monotonic() - began < 5


def test_the_chip_of_one_probe_is_not_taken_for_anothers() -> None:
    text = "  serial: AA01\n  serial: AA02\n  chipid: 0x470\n  chipid: 0x415\n"
    flasher = StFlash(ROW, Wiring(), lambda command, timeout_s: ToolOutcome(tuple(command), 0, text))
    assert "0x470" in flasher.identify() and flasher.probe == "AA02" and flasher.identities == ("probe-AA02",)


@pytest.mark.parametrize(
    "flasher", [lambda run: OpenOcd(ROW, Wiring(), run), lambda run: StFlash(ROW, Wiring(), run), lambda run: PyOcd(ROW, Wiring(), run)]
)
def test_a_tool_that_fails_in_the_middle_says_that_the_flash_may_be_half_written(flasher: Callable[..., flashers.Flasher]) -> None:
    text = "** Programming Started **\nError: libusb_bulk_read error: LIBUSB_ERROR_NO_DEVICE\n"
    with pytest.raises(BoardError, match="did not flash the board") as caught:
        flasher(lambda command, timeout_s: ToolOutcome(tuple(command), 1, text)).write(Path("a.bin"))
    assert "LIBUSB_ERROR_NO_DEVICE" in caught.value.why and "a part of the image" in caught.value.why


def test_the_chips_unique_id_is_part_of_what_is_locked() -> None:
    text = "0xe0042000: 10016470\n0x1fff7590: 00430031 3131510B 38383334\n"
    flasher = OpenOcd(ROW, Wiring(), lambda command, timeout_s: ToolOutcome(tuple(command), 0, text))
    flasher.identify()
    assert flasher.identities == ("chip-00430031-3131510b-38383334",)


# --- the drive ---------------------------------------------------------------------------------------------------------------------
class Drive:
    """The drive of an ST-LINK on a clock of its own; ``script`` is called with the seconds since the start before each look."""

    def __init__(self, folder: Path, script: Callable[[Drive, float], None]) -> None:
        self.path, self.away = folder / "NODE_L4R5ZI", folder / "away"
        self.path.mkdir()
        (self.path / "DETAILS.TXT").write_text("Version: 0221\n")
        self.image = folder / "a.bin"
        self.image.write_bytes(b"image")
        self.now, self.script = 0.0, script
        self.flasher = MassStorage(ROW, Wiring(drive=str(self.path)), clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.script(self, self.now)

    def take(self) -> None:
        (self.path / "FIRMWARE.BIN").unlink(missing_ok=True)

    def unmount(self) -> None:
        if self.path.exists():
            self.path.rename(self.away)

    def mount(self) -> None:
        if self.away.exists():
            self.away.rename(self.path)

    def write(self) -> None:
        self.flasher.write(self.image)


def test_a_drive_that_is_mounted_again_and_clean_is_a_success(tmp_path: Path) -> None:
    def script(drive: Drive, now: float) -> None:
        if now >= 5:
            drive.mount()
        elif now >= 2:
            drive.take()
            drive.unmount()

    drive = Drive(tmp_path, script)
    drive.write()
    assert 6 <= drive.now < 8


def test_a_failure_that_shows_only_when_the_drive_is_back_is_an_error(tmp_path: Path) -> None:
    def script(drive: Drive, now: float) -> None:
        if now >= 5:
            drive.mount()
            (drive.path / "FAIL.TXT").write_text("SWD/JTAG communication failure\n")
        elif now >= 2:
            drive.take()
            drive.unmount()

    with pytest.raises(BoardError, match="did not flash the board") as caught:
        Drive(tmp_path, script).write()
    assert caught.value.why == "SWD/JTAG communication failure"


def test_a_failure_that_shows_a_moment_after_the_file_is_gone_is_an_error(tmp_path: Path) -> None:
    def script(drive: Drive, now: float) -> None:
        drive.take()
        if now >= 0.7:
            (drive.path / "FAIL.TXT").write_text("x" * 100_000)

    with pytest.raises(BoardError, match="did not flash the board") as caught:
        Drive(tmp_path, script).write()
    assert len(caught.value.why) <= 200


def test_a_drive_that_is_unplugged_in_the_middle_is_not_a_success(tmp_path: Path) -> None:
    drive = Drive(tmp_path, lambda drive, now: drive.unmount())
    with pytest.raises(BoardError, match="went away") as caught:
        drive.write()
    assert "a part of the image" in caught.value.why and 20 <= drive.now < 22


def test_a_drive_whose_device_reports_errors_is_not_a_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drive = Drive(tmp_path, lambda drive, now: None)
    real = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        if drive.now > 1 and path.parent == drive.path:
            raise OSError(5, "Input/output error")
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(BoardError, match="went away"):
        drive.write()


def test_a_file_that_nobody_takes_is_removed_again(tmp_path: Path) -> None:
    drive = Drive(tmp_path, lambda drive, now: None)
    with pytest.raises(BoardError, match="did not take the file"):
        drive.write()
    assert not (drive.path / "FIRMWARE.BIN").exists()


def test_a_drive_that_is_gone_before_it_is_written_is_an_error() -> None:
    with pytest.raises(BoardError, match="is gone") as caught:
        MassStorage(ROW, Wiring(), list).write(Path("a.bin"))
    assert caught.value.hint
