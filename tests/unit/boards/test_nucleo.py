# SPDX-License-Identifier: Apache-2.0
"""Real boards without one: what the tools are asked, what their answers mean, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.tiny_elf import EM_386, EM_ARM
from support.tiny_elf import tiny_elf as elf_bytes

from cm4tiny.boards.boards import find_board
from cm4tiny.boards.nucleo import board as nucleo_board
from cm4tiny.boards.nucleo import flashers, ports
from cm4tiny.boards.nucleo.board import BoardOptions, NucleoBoard, flash
from cm4tiny.boards.nucleo.flashers import MassStorage, OpenOcd, PyOcd, StFlash, Wiring, choose, raw_image
from cm4tiny.boards.nucleo.tools import ToolOutcome, run_tool
from cm4tiny.cm import Step
from cm4tiny.errors import BoardError, BusyError, LinkError, ToolchainError, UsageError, WrongTargetError
from cm4tiny.events import SILENT
from cm4tiny.workflows.board_flags import BoardFlags
from cm4tiny.workflows.real_board import board_options_of

ROW = find_board()


def tiny_elf(path: Path, machine: int = EM_ARM) -> Path:
    path.write_bytes(elf_bytes(machine=machine))
    return path


OPENOCD_ID = """Info : STLINK V2J36M26 (API v2) VID:PID 0483:374B
Info : Target voltage: 3.239526
Info : [stm32l4x.cpu] Cortex-M4 r0p1 processor detected
0xe0042000: {}

shutdown command invoked
"""
OPENOCD_DONE = """** Programming Started **
Info : device idcode = 0x10016470 (STM32L4R/L4Sxx - Rev V : 0x1001)
** Programming Finished **
** Verify Started **
** Verified OK **
** Resetting Target **
shutdown command invoked
"""
ST_INFO = """Found {} stlink programmers
{}"""
ST_BLOCK = """  version:    V2J36S26
  serial:     {}
  flash:      2097152 (pagesize: 4096)
  sram:       655360
  chipid:     0x{}
  descr:      STM32L4Rxx
"""
ST_DONE = "st-flash 1.7.0\nINFO common.c: Flash written and verified! jolly good!\n"


class Tool:
    """Stands in for a flash tool: answers in turn, remembers what it was asked."""

    def __init__(self, *answers: str, code: int = 0) -> None:
        self.answers, self.code = list(answers), code
        self.asked: list[list[str]] = []

    def __call__(self, command: list[str], timeout_s: float) -> ToolOutcome:
        self.asked.append(list(command))
        return ToolOutcome(tuple(command), self.code, self.answers.pop(0))


# --- chips -----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "right", "wrong"),
    [
        (lambda run: OpenOcd(ROW, Wiring(), run), OPENOCD_ID.format("10016470"), OPENOCD_ID.format("10076415")),
        (
            lambda run: StFlash(ROW, Wiring(), run),
            ST_INFO.format(1, ST_BLOCK.format("066BFF", "470")),
            ST_INFO.format(1, ST_BLOCK.format("06", "415")),
        ),
    ],
)
def test_only_the_tables_chip_is_accepted(make: Callable[[Tool], flashers.Flasher], right: str, wrong: str) -> None:
    assert make(Tool(right)).identify() == "STM32L4R5 (chip id 0x470)"
    with pytest.raises(BoardError) as caught:
        make(Tool(wrong)).identify()
    assert "has not been flashed" in caught.value.what and "0x415" in caught.value.why and "--probe" in caught.value.hint


def test_pyocd_checks_the_pack_before_it_asks_the_board(tmp_path: Path) -> None:
    pack = tmp_path / "l4.pack"
    pack.write_bytes(b"pack")
    digest = "5be3ec0e3ef17a5b1ae3ea1ec5b1ff8a6d1bda1ab4d5c6b0f6d8a5d0c0e2b1a3"
    with pytest.raises(BoardError, match="not the pack") as caught:
        PyOcd(ROW, Wiring(pack=str(pack), pack_sha256=digest), Tool()).identify()
    assert digest in caught.value.why
    tool = Tool("e0042000:  10016470   |..dp|\n", "")
    flasher = PyOcd(ROW, Wiring(pack=str(pack)), tool)
    assert "0x470" in flasher.identify()
    flasher.write(tmp_path / "a.bin")
    assert tool.asked[1][-1] == f"{tmp_path / 'a.bin'}@0x08000000" and "stm32l4r5zitx" in tool.asked[1]
    with pytest.raises(BoardError, match="cannot be read"):
        PyOcd(ROW, Wiring(pack=str(tmp_path / "gone.pack")), Tool()).identify()


def test_a_board_with_another_chip_is_never_written(tmp_path: Path) -> None:
    tool = Tool(OPENOCD_ID.format("10076415"))
    with pytest.raises(BoardError):
        flash(tiny_elf(tmp_path / "a.elf"), BoardOptions(), flasher=OpenOcd(ROW, Wiring(), tool))
    assert len(tool.asked) == 1


def test_an_image_for_another_chip_never_reaches_a_tool(tmp_path: Path) -> None:
    tool = Tool()
    with pytest.raises(WrongTargetError):
        flash(tiny_elf(tmp_path / "a.elf", machine=EM_386), BoardOptions(), flasher=OpenOcd(ROW, Wiring(), tool))
    assert tool.asked == []


# --- writing -----------------------------------------------------------------------------------------------------------------------
def test_openocd_programs_verifies_and_resets(tmp_path: Path) -> None:
    tool = Tool(OPENOCD_ID.format("10016470"), OPENOCD_DONE)
    assert "0x470" in flash(tiny_elf(tmp_path / "a.elf"), BoardOptions(), flasher=OpenOcd(ROW, Wiring("0669FF"), tool))
    assert tool.asked[1][:5] == ["openocd", "-f", "interface/stlink.cfg", "-f", "target/stm32l4x.cfg"]
    assert "adapter serial 0669FF" in tool.asked[1]
    assert tool.asked[1][-1].endswith("0x08000000 verify reset exit")


def test_st_flash_writes_to_the_probe_that_was_identified(tmp_path: Path) -> None:
    blocks = ST_BLOCK.format("066BFF01", "470") + ST_BLOCK.format("066BFF02", "470")
    tool = Tool(ST_INFO.format(2, blocks), ST_DONE)
    flasher = StFlash(ROW, Wiring("ff02"), tool)
    flasher.identify()
    flasher.write(tmp_path / "a.bin")
    assert tool.asked[1][:3] == ["st-flash", "--serial", "066BFF02"]
    with pytest.raises(BoardError, match="2 boards are plugged in"):
        StFlash(ROW, Wiring(), Tool(ST_INFO.format(2, blocks))).identify()
    with pytest.raises(BoardError, match="found no such board"):
        StFlash(ROW, Wiring("AA"), Tool(ST_INFO.format(2, blocks))).identify()


@pytest.mark.parametrize(
    ("text", "code"),
    [(OPENOCD_DONE.replace("** Verified OK **", "Error: checksum mismatch"), 0), ("Error: failed erasing sectors 0 to 20", 1)],
)
def test_a_write_that_was_not_verified_is_an_error(text: str, code: int, tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="did not flash the board") as caught:
        OpenOcd(ROW, Wiring(), Tool(text, code=code)).write(tmp_path / "a.bin")
    assert "Error:" in caught.value.why


@pytest.mark.parametrize(
    "text", ["Error: open failed\n", "WARN usb.c: Couldn't find any ST-Link devices\n", "Found 0 stlink programmers\n"]
)
def test_without_a_probe_the_hint_is_the_cable(text: str) -> None:
    with pytest.raises(BoardError, match="no ST-LINK was found") as caught:
        OpenOcd(ROW, Wiring(), Tool(text, code=1)).identify()
    assert "cable" in caught.value.hint


def test_without_permission_the_hint_holds_the_udev_rules() -> None:
    text = "Error: libusb_open() failed with LIBUSB_ERROR_ACCESS\nError: open failed\n"
    with pytest.raises(BoardError, match="may not be opened") as caught:
        OpenOcd(ROW, Wiring(), Tool(text, code=1)).identify()
    assert 'ATTRS{idVendor}=="0483", ATTRS{idProduct}=="374b"' in caught.value.hint and ports.RULES_FILE in caught.value.hint


# --- the drive ---------------------------------------------------------------------------------------------------------------------
def drive(folder: Path, name: str = "NODE_L4R5ZI") -> Path:
    path = folder / name
    path.mkdir()
    (path / "DETAILS.TXT").write_text("Version: 0221\n")
    return path


def test_the_drive_takes_the_file(tmp_path: Path) -> None:
    path = drive(tmp_path)
    flasher = MassStorage(ROW, Wiring(), lambda: [path, tmp_path])
    assert flasher.missing() == "" and "NODE_L4R5ZI" in flasher.identify()
    taken: list[bytes] = []

    def probe() -> None:  # the ST-LINK: reads the file, then it is gone
        while not taken:
            target = path / "FIRMWARE.BIN"
            if target.is_file() and target.stat().st_size:
                taken.append(target.read_bytes())
                target.unlink()

    thread = threading.Thread(target=probe)
    thread.start()
    (tmp_path / "a.bin").write_bytes(b"image")
    flasher.write(tmp_path / "a.bin")
    thread.join(10)
    assert taken == [b"image"]


def test_a_drive_that_failed_says_what_it_wrote(tmp_path: Path) -> None:
    path = drive(tmp_path)
    flasher = MassStorage(ROW, Wiring(drive=str(path)))
    (tmp_path / "a.bin").write_bytes(b"image")
    thread = threading.Timer(0.3, lambda: (path / "FAIL.TXT").write_text("The application file format is unknown\n"))
    thread.start()
    with pytest.raises(BoardError) as caught:
        flasher.write(tmp_path / "a.bin")
    thread.join()
    assert "file format is unknown" in caught.value.why


def test_a_drive_that_ignores_the_file_is_an_error(tmp_path: Path) -> None:
    flasher = MassStorage(ROW, Wiring(drive=str(drive(tmp_path))))
    flasher.settle_s = 0.1
    (tmp_path / "a.bin").write_bytes(b"image")
    with pytest.raises(BoardError, match="did not take the file"):
        flasher.write(tmp_path / "a.bin")


def test_some_other_drive_is_not_written(tmp_path: Path) -> None:
    other = tmp_path / "NODE_L4R5ZI"
    other.mkdir()
    with pytest.raises(BoardError, match="not the drive of an ST-LINK"):
        MassStorage(ROW, Wiring(), lambda: [other]).identify()
    assert "NODE_L4R5ZI" in MassStorage(ROW, Wiring(), lambda: [tmp_path]).missing()


# --- choosing ------------------------------------------------------------------------------------------------------------------------
def test_the_first_installed_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flashers, "mounted", list)
    monkeypatch.setattr(flashers.shutil, "which", lambda name: f"/usr/bin/{name}" if name.startswith("st-") else None)
    assert choose(ROW, Wiring()).name == "st-flash"
    with pytest.raises(ToolchainError, match="openocd cannot be used"):
        choose(ROW, Wiring(), "openocd")
    monkeypatch.setattr(flashers.shutil, "which", lambda name: None)
    with pytest.raises(ToolchainError) as caught:
        choose(ROW, Wiring())
    assert all(name in caught.value.why for name in ("openocd", "st-flash", "pyocd", "drive"))


def test_pyocd_says_which_pack_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flashers.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert "Keil.STM32L4xx_DFP" in PyOcd(ROW, Wiring()).missing()


def asked(env: dict[str, str]) -> BoardOptions:
    return board_options_of(Step(env, SILENT, Path("/folder")).options(BoardFlags))


@pytest.mark.parametrize(
    ("env", "meant"),
    [
        ({"CM_TINY_FLASHER": "opencd"}, "openocd"),
        ({"CM_TINY_BAUD": "fast"}, "from 1200 to 4000000"),
        ({"CM_TINY_PROBE": "x; reboot"}, "st-info --probe"),
        ({"CM_TINY_BAUD": "12"}, "from 1200 to 4000000"),
    ],
)
def test_impossible_wishes_are_refused(env: dict[str, str], meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(env)
    assert meant in caught.value.hint


def test_wishes_come_from_the_environment() -> None:
    board_options = asked({"CM_TINY_PORT": "/dev/ttyACM1", "CM_TINY_BAUD": "921600", "CM_TINY_PROBE": "0669FF", "CM_TINY_DRIVE": "/m"})
    assert (board_options.port, board_options.baud, board_options.flasher, board_options.wiring.drive) == (
        "/dev/ttyACM1",
        921600,
        "auto",
        "/m",
    )
    with pytest.raises(UsageError, match="NUCLEO_L4R5"):
        find_board("NUCLEO_L4R5XI")


# --- ports ---------------------------------------------------------------------------------------------------------------------------
def listed(*serials: str, pid: int = 0x374B, device: str = "/dev/nonexistent{}") -> Callable[[], list[SimpleNamespace]]:
    return lambda: (
        [
            SimpleNamespace(device=device.format(i), vid=0x0483, pid=pid, serial_number=serial, description="ST-LINK")
            for i, serial in enumerate(serials)
        ]
        + [SimpleNamespace(device="/dev/ttyS0", vid=None, pid=None, serial_number=None, description="")]
    )


def test_the_port_is_found_by_its_usb_id() -> None:
    assert ports.find_port(ROW, listed=listed("A1")) == "/dev/nonexistent0"
    assert ports.find_port(ROW, "b2", listed=listed("A1", "B2")) == "/dev/nonexistent1"
    assert ports.find_port(ROW, device="socket://host:1", listed=listed()) == "socket://host:1"


def test_no_board_and_several_boards_are_told_apart() -> None:
    with pytest.raises(LinkError, match="is plugged in") as caught:
        ports.find_port(ROW, listed=listed("A1", pid=0x0001))
    assert "0483:374b" in caught.value.why
    with pytest.raises(LinkError, match="2 boards are plugged in") as caught:
        ports.find_port(ROW, listed=listed("A1", "B2"))
    assert "--probe" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_port_without_permission_gets_the_rules(tmp_path: Path) -> None:
    device = tmp_path / "ttyACM0"
    device.touch(mode=0o000)
    with pytest.raises(LinkError) as caught:
        ports.find_port(ROW, listed=listed("A1", device=str(device)))
    assert "udevadm" in caught.value.hint


def test_the_rules_cover_probe_and_port() -> None:
    lines = ports.udev_rules(ROW).splitlines()[1:]
    assert len(lines) == 2 * len(ROW.usb_ids)
    assert all('TAG+="uaccess"' in line for line in lines)


# --- tools and images ----------------------------------------------------------------------------------------------------------------
def test_a_tool_that_hangs_is_ended_and_named() -> None:
    with pytest.raises(BoardError, match="did not end within") as caught:
        run_tool([sys.executable, "-c", "import time; print('waiting', flush=True); time.sleep(60)"], 1.0)
    assert "waiting" in caught.value.why


def test_a_tool_that_is_not_there_is_named() -> None:
    with pytest.raises(BoardError, match="does not run"):
        run_tool(["/nonexistent/openocd"], 1.0)


def test_the_raw_image_fills_gaps_with_erased_bytes() -> None:
    assert raw_image(ROW, [(0x08000000, b"ab"), (0x08000004, b"cd"), (0x20000000, b"ram")]) == b"ab\xff\xffcd"
    with pytest.raises(BoardError, match="does not fit"):
        raw_image(ROW, [(0x20000000, b"ram")])
    with pytest.raises(BoardError, match="does not fit"):
        raw_image(ROW, [(0x081FFFFF, b"ab")])


# --- the board -----------------------------------------------------------------------------------------------------------------------
def test_a_board_is_flashed_and_spoken_to_and_belongs_to_one_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path))
    monkeypatch.setattr(nucleo_board, "RESTART_S", 0.0)
    tool = Tool(OPENOCD_ID.format("10016470"), OPENOCD_DONE)
    monkeypatch.setattr(nucleo_board, "choose", lambda row, wiring, wanted: OpenOcd(row, wiring, tool))
    board_options = BoardOptions(port="loop://")
    board = NucleoBoard(tiny_elf(tmp_path / "a.elf"), board_options)
    with pytest.raises(BusyError, match="another run uses"):
        NucleoBoard(tmp_path / "a.elf", board_options)
    assert len(tool.asked) == 2 and "loop://" in board.name
    board.close()
    other = NucleoBoard(tmp_path / "a.elf", BoardOptions(port="loop://", flasher="none"))  # on the board already: nothing is written
    other.close()
    assert len(tool.asked) == 2


def test_a_board_that_cannot_be_opened_is_free_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path))
    board_options = BoardOptions(port="/dev/nonexistent", flasher="none")
    for _ in range(2):
        with pytest.raises(LinkError):
            NucleoBoard(tiny_elf(tmp_path / "a.elf"), board_options)


@pytest.mark.parametrize("tool", ["openocd", "st-flash"])
def test_the_real_tools_without_a_board_say_that_there_is_none(tool: str) -> None:
    """Runs what is installed; a machine with a board, or without the tool, skips."""
    flasher = flashers.FLASHERS[tool](ROW, Wiring())
    if flasher.missing():
        pytest.skip(flasher.missing())
    if subprocess.run(["sh", "-c", "grep -l 0483 /sys/bus/usb/devices/*/idVendor"], capture_output=True, check=False).returncode == 0:
        pytest.skip("an ST device is plugged in")
    with pytest.raises(BoardError) as caught:
        flasher.identify()
    assert caught.value.hint
