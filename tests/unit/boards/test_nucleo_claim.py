# SPDX-License-Identifier: Apache-2.0
"""One run a board, whatever the board is called; nothing is written before the board is held; a port that comes back is found."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.fake_usb import FakeBoard, FakeOpenOcd, listing
from support.tiny_elf import tiny_elf

from cm4tiny.boards.boards import find_board
from cm4tiny.boards.catalogue import board_identity, exact_board_name
from cm4tiny.boards.links import SerialLink
from cm4tiny.boards.nucleo import board as nucleo_board
from cm4tiny.boards.nucleo import ports
from cm4tiny.boards.nucleo.board import BoardOptions, NucleoBoard, await_port
from cm4tiny.boards.nucleo.claim import Claim, ClaimTarget, locate
from cm4tiny.boards.nucleo.flashers import OpenOcd, check_drive
from cm4tiny.deadline import Deadline
from cm4tiny.errors import BoardError, BusyError, LinkError, UsageError
from cm4tiny.events import Event, EventStream, Progress

ROW = find_board()


class Desk:
    """Boards that are plugged in, and one flash tool for all of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.boards: list[FakeBoard] = []
        self.tool = FakeOpenOcd()
        self.elf = folder / "a.elf"
        self.elf.write_bytes(tiny_elf())

    def plug(self, serial: str = "066BFF01", name: str = "ttyACM0") -> FakeBoard:
        self.boards.append(FakeBoard(self.folder, serial, name))
        return self.boards[-1]

    def open(self, port: str | Path = "", flasher: str = "auto", probe: str = "") -> NucleoBoard:
        return NucleoBoard(self.elf, BoardOptions(port=str(port), flasher=flasher, probe=probe))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    found = Desk(tmp_path)
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(nucleo_board, "RESTART_S", 0.0)
    monkeypatch.setattr(nucleo_board, "choose", lambda row, wiring, wanted: OpenOcd(row, wiring, found.tool))
    monkeypatch.setattr(ports.list_ports, "comports", lambda: listing(*found.boards))
    yield found
    for board in found.boards:
        board.unplug()


# --- one board, many names ---------------------------------------------------------------------------------------------------------
NAMES: dict[str, Callable[[FakeBoard], dict[str, str]]] = {
    "usb": lambda board: {},
    "probe": lambda board: {"probe": "bff01"},
    "device": lambda board: {"port": str(board.device)},
    "by-id": lambda board: {"port": str(board.by_id)},
    "terminal": lambda board: {"port": os.path.realpath(board.device)},
    "socket": lambda board: {"port": "socket://127.0.0.1:9"},
    "socket-and-probe": lambda board: {"port": "socket://localhost:9", "probe": "066BFF01"},
}


@pytest.mark.parametrize("second", NAMES)
@pytest.mark.parametrize("first", ["usb", "device", "by-id"])
def test_a_second_run_is_refused_by_any_name_before_it_writes(desk: Desk, first: str, second: str) -> None:
    plugged = desk.plug()
    held = desk.open(**NAMES[first](plugged))
    with pytest.raises(BusyError, match="another run uses the NUCLEO-L4R5ZI") as caught:
        desk.open(**NAMES[second](plugged))
    assert desk.tool.writes == 1
    assert "this process, since 20" in caught.value.why
    held.close()
    desk.open(**NAMES["by-id"](plugged)).close()


def test_a_terminal_and_the_socket_that_serves_it_are_one_board(desk: Desk) -> None:
    plugged = desk.plug(serial="")
    program = """
import os, socket, sys, time
device = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
time.sleep(60)
"""
    server = subprocess.Popen([sys.executable, "-c", program, str(plugged.device)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        url = f"socket://127.0.0.1:{int(server.stdout.readline())}"
        held = desk.open(url, "none")
        for name in (plugged.device, plugged.by_id, url.replace("127.0.0.1", "localhost")):
            with pytest.raises(BusyError, match="another run uses"):
                desk.open(name, "none")
        held.close()
        held = desk.open(plugged.by_id, "none")
        with pytest.raises(BusyError, match="another run uses"):
            desk.open(url, "none")
        held.close()
    finally:
        server.kill()
        server.communicate()


def test_a_chip_that_another_run_holds_is_not_written_though_nothing_else_is_known_of_it(desk: Desk) -> None:
    first = desk.plug(serial="", name="ttyACM0")
    other = desk.plug(serial="", name="ttyACM1")
    held = NucleoBoard(desk.elf, BoardOptions(port=os.path.realpath(first.device)))
    with pytest.raises(BusyError):
        NucleoBoard(desk.elf, BoardOptions(port=os.path.realpath(other.device)))
    assert desk.tool.writes == 1
    desk.tool.uid = "ffffffff ffffffff ffffffff"  # a chip that cannot be read has no id
    NucleoBoard(desk.elf, BoardOptions(port=os.path.realpath(other.device))).close()
    held.close()


def test_two_boards_do_not_exclude_each_other(desk: Desk) -> None:
    first, second = desk.plug("066BFF01", "ttyACM0"), desk.plug("066BFF02", "ttyACM1")
    boards = [desk.open(first.device, "none"), desk.open(second.by_id, "none")]
    for board in boards:
        board.close()


# --- which probe -------------------------------------------------------------------------------------------------------------------
def test_the_board_that_is_spoken_to_is_the_one_that_is_flashed(desk: Desk) -> None:
    desk.plug("066BFF01", "ttyACM0")
    second = desk.plug("066BFF02", "ttyACM1")
    desk.open(second.device).close()
    assert all("adapter serial 066BFF02" in command for command in desk.tool.asked) and desk.tool.writes == 1


def test_a_port_that_does_not_show_its_probe_needs_one_where_there_are_several(desk: Desk) -> None:
    desk.plug("066BFF01", "ttyACM0")
    desk.plug("066BFF02", "ttyACM1")
    with pytest.raises(LinkError, match="2 boards are plugged in") as caught:
        desk.open("loop://")
    assert "--probe" in caught.value.hint and desk.tool.asked == []
    desk.open("loop://", probe="ff02").close()
    assert "adapter serial 066BFF02" in desk.tool.asked[0]
    assert locate(ROW, "loop://", writes=False) == ClaimTarget(ROW, "loop://", "")


def test_a_port_of_another_probe_than_the_one_that_was_named_is_refused(desk: Desk) -> None:
    plugged = desk.plug("066BFF01")
    with pytest.raises(UsageError, match="not the port of the probe 02") as caught:
        desk.open(plugged.by_id, probe="02")
    assert "066BFF01" in caught.value.why and desk.tool.asked == []


def test_a_serial_number_is_not_read_as_a_command(desk: Desk) -> None:
    desk.plug("1; exec touch /tmp/x", "ttyACM0")
    desk.open().close()
    assert not any("exec" in part for command in desk.tool.asked for part in command)
    desk.plug("066BFF02", "ttyACM1")
    with pytest.raises(LinkError, match="cannot be given to a flash tool"):
        desk.open(desk.boards[0].device)


def test_a_listing_that_breaks_in_the_middle_is_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unplugged() -> list[object]:
        raise TypeError("int() argument must be a string, not 'NoneType'")

    monkeypatch.setattr(ports.list_ports, "comports", unplugged)
    with pytest.raises(LinkError, match="is plugged in"):
        ports.find_port(ROW)


# --- held before it is written ---------------------------------------------------------------------------------------------------
def test_a_port_that_another_program_locked_is_not_flashed(desk: Desk) -> None:
    plugged = desk.plug()
    other = SerialLink(os.path.realpath(plugged.device))
    with pytest.raises(LinkError, match="cannot open"):
        desk.open()
    assert desk.tool.asked == []
    other.close()
    desk.open().close()


def test_a_port_that_is_open_elsewhere_is_named_and_not_flashed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plugged = desk.plug()
    monkeypatch.setattr("cm4tiny.boards.nucleo.claim.is_pty", lambda device: False)
    program = "import os, sys, time; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print(flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", program, str(plugged.device)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    try:
        other.stdout.readline()
        with pytest.raises(BusyError, match="another program uses") as caught:
            desk.open()
        assert f"process {other.pid} (" in caught.value.why and desk.tool.asked == []
    finally:
        other.kill()
        other.communicate()
    desk.open().close()


def test_a_board_that_could_not_be_flashed_is_free_again(desk: Desk) -> None:
    desk.plug()

    def fail() -> None:
        raise BoardError("the tool failed")

    desk.tool.on_write = fail
    for _ in range(2):
        with pytest.raises(BoardError, match="the tool failed"):
            desk.open()


# --- a port that comes back ----------------------------------------------------------------------------------------------------------
class Clock:
    """A clock that only sleeping moves; ``at`` holds what happens when."""

    def __init__(self, **at: Callable[[], None]) -> None:
        self.now = 0.0
        self.at = {float(key.lstrip("s").replace("_", ".")): action for key, action in at.items()}

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for moment in [m for m in self.at if m <= self.now]:
            self.at.pop(moment)()


def waited(board: FakeBoard, clock: Clock, link: SerialLink, events: EventStream | None = None) -> SerialLink:
    target = ClaimTarget(ROW, str(board.folder / "ttyACM0"), board.serial)
    return await_port(link, target, 115200, events or EventStream(), clock=clock, sleep=clock.sleep)


@pytest.mark.parametrize("name", ["ttyACM0", "ttyACM7"])
@pytest.mark.parametrize("gone_at", ["s0_0", "s0_5"])
def test_a_port_that_comes_back_after_flashing_is_opened_again_by_whatever_name(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str, gone_at: str
) -> None:
    monkeypatch.setattr(nucleo_board, "RESTART_S", 1.0)
    board = desk.plug()
    link = SerialLink(str(board.device))
    clock = Clock(**{gone_at: board.unplug, "s2_5": lambda: board.plug(name)})
    heard: list[Event] = []
    again = waited(board, clock, link, EventStream(heard.append))
    assert again.name == str(board.folder / name) and 3.4 < clock.now < 4.5
    assert any("gone" in e.note or "cannot open" in e.note for e in heard if isinstance(e, Progress))
    board.say(b"m-ready\r\n")
    assert again.read(Deadline(5)) == b"m-ready\r\n"
    again.close()


def test_a_port_that_stays_away_is_an_error_in_time(desk: Desk) -> None:
    board = desk.plug()
    link = SerialLink(str(board.device))
    board.unplug()
    clock = Clock()
    with pytest.raises(LinkError, match="did not come back within 20 s") as caught:
        waited(board, clock, link)
    assert 20 <= clock.now < 21 and "066BFF01" in caught.value.why and "--flasher=none" in caught.value.hint


def test_a_port_that_keeps_coming_and_going_is_an_error_in_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nucleo_board, "RESTART_S", 1.0)
    board = desk.plug()
    link = SerialLink(str(board.device))
    clock = Clock()

    def flap(seconds: float) -> None:
        clock.now += seconds
        if int(clock.now * 10) % 6 == 0:
            board.unplug()
        elif not board.descriptors:
            board.plug("ttyACM0")

    with pytest.raises(LinkError, match="did not come back"):
        await_port(link, ClaimTarget(ROW, str(board.device), board.serial), 115200, clock=clock, sleep=flap)
    assert clock.now < 22


def test_a_port_that_stays_is_kept_and_what_the_old_firmware_said_is_dropped(desk: Desk) -> None:
    board = desk.plug()
    desk.tool.on_write = lambda: board.say(b"m-timestamp-mode-performance\r\nm-init-done\r\nm-ready\r\n")
    opened = desk.open()
    time.sleep(0.05)
    assert opened.link.read(Deadline(0.1)) == b"" and opened.link.name == str(board.device)
    opened.close()


def test_a_board_that_was_unplugged_closes_without_an_error_and_is_free(desk: Desk) -> None:
    board = desk.plug()
    opened = desk.open()
    board.unplug()
    opened.close()
    board.plug("ttyACM3")
    assert desk.open().name == f"NUCLEO-L4R5ZI at {board.folder / 'ttyACM3'}"


# --- which board ---------------------------------------------------------------------------------------------------------------------
def test_the_p_variant_is_another_board() -> None:
    assert find_board("NUCLEO_L4R5ZI_P").name == "NUCLEO-L4R5ZI-P"
    assert not set(ROW.volume_labels) & set(find_board("NUCLEO_L4R5ZI_P").volume_labels)
    assert [exact_board_name(text) for text in ("nucleo_l4r5zi", "NUCLEO-L4R5ZI-P", "Nucleo L4R5ZI", "NUCLEO-L4R5ZI-Q", "L4R5ZI", "")] == [
        "NUCLEO-L4R5ZI",
        "NUCLEO-L4R5ZI-P",
        "NUCLEO-L4R5ZI",
        "",
        "",
        "",
    ]


def test_the_identity_of_a_board_is_decided_in_one_place() -> None:
    virtual, real = board_identity("virtual"), board_identity("NUCLEO", BoardOptions(board="NUCLEO_L4R5ZI_P"), 3.0)
    assert (virtual.name, virtual.simulated, virtual.supply_v, virtual.clock_hz) == ("NUCLEO-L4R5ZI", True, 1.8, 120_000_000)
    assert virtual.label == "virtual NUCLEO-L4R5ZI at 1.8 V" and real.label == "NUCLEO-L4R5ZI-P at 3 V"
    assert board_identity("NUCLEO").supply_v is None and board_identity("NUCLEO").label == "NUCLEO-L4R5ZI"
    with pytest.raises(UsageError):
        board_identity("nucleo")


def test_a_drive_of_the_other_variant_is_noticed() -> None:
    other = Path("/media/NODE_L4R5ZI-P")
    with pytest.raises(BoardError, match="is a NUCLEO-L4R5ZI-P, a NUCLEO-L4R5ZI was asked for") as caught:
        check_drive(ROW, lambda: [Path("/"), other])
    assert "CM_TINY_BOARD=NUCLEO_L4R5ZI_P" in caught.value.hint
    check_drive(find_board("NUCLEO_L4R5ZI_P"), lambda: [other])
    check_drive(ROW, lambda: [other, Path("/media/NODE_L4R5ZI")])
    check_drive(ROW, lambda: [Path("/")])


def test_locks_are_files_that_can_be_read(desk: Desk) -> None:
    plugged = desk.plug()
    claim = Claim(locate(ROW, str(plugged.by_id), writes=True))
    names = sorted(path.name for path in (desk.folder / "cache" / "boards").iterdir())
    assert names[0] == "probe-066BFF01.lock" and names[1].startswith("tty-136-")
    claim.release()
