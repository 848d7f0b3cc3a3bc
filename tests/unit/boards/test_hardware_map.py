# SPDX-License-Identifier: Apache-2.0
"""Hardware maps in three forms, what is wrong in them, and the pool that lends the boards out."""

from __future__ import annotations

import json
import threading
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from cm4tiny.boards.bench import BenchBoard, BoardPool, boards_for, read_map
from cm4tiny.boards.bench.hardware_map import Quarantine, baud_of
from cm4tiny.boards.boards import find_board
from cm4tiny.boards.nucleo.claim import Claim, locate
from cm4tiny.cli.main import main
from cm4tiny.errors import BusyError, DescriptionError, LinkError, UsageError
from cm4tiny.events import Event, EventStream

OWN = """
version: 1
boards:
  - {name: left, probe: 066BFF01}
  - {name: right, port: "socket://127.0.0.1:5000", baud: 9600, flasher: none}
  - {name: middle, probe: 066BFF02, board: nucleo-l4r5zi-p}
  - {name: worn, probe: 066BFF03, quarantine: {reason: flash fails at 0x080E0000, until: 2026-12-31}}
"""
TWISTER = """
- {connected: true, id: 066BFF01, platform: nucleo_l4r5zi, product: STM32, runner: openocd, serial: /dev/ttyACM0}
- {connected: true, id: "000683759358", platform: nrf52840dk/nrf52840, product: J-Link, runner: nrfjprog, serial: /dev/ttyACM1}
- {connected: false, id: 066BFF02, platform: nucleo_l4r5zi, runner: openocd, serial: null}
- {connected: true, id: unknown, platform: nucleo_l4r5zi nucleo_f746zg, runner: pyocd, serial: /dev/ttyACM3, baud: 921600}
"""
LABGRID = """
bench-1:
  location: room 3
  USBSerialPort: {match: {ID_SERIAL_SHORT: 066BFF01}, speed: 115200}
bench-2:
  NetworkSerialPort: {host: lab, port: 4002, speed: 9600, protocol: raw}
bench-3:
  RawSerialPort: {port: /dev/ttyUSB0}
bench-4:
  NetworkSerialPort: {host: lab, port: 4003}
bench-5:
  USBDebugger: {match: {ID_PATH: pci-0}}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "bench.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_map_of_this_projects_own_names_boards_and_those_left_out(tmp_path: Path) -> None:
    found = read_map(written(tmp_path, OWN))
    assert found.kind == "map" and [board.name for board in found.boards] == ["left", "right", "middle", "worn"]
    row = find_board()
    assert [board.name for board in found.usable(row, date(2026, 12, 31))] == ["left", "right"]
    assert [board.name for board in found.usable(row, date(2027, 1, 1))] == ["left", "right", "worn"], "a quarantine ends with its last day"
    assert [board.name for board in found.usable(find_board("nucleo-l4r5zi-p"), date(2027, 1, 1))] == ["middle"]
    assert [baud_of(board) for board in found.boards] == [115200, 9600, 115200, 115200]


def test_a_twister_map_gives_the_connected_boards_that_are_described(tmp_path: Path) -> None:
    found = read_map(written(tmp_path, TWISTER))
    assert (found.kind, found.boards) == ("twister", (
        BenchBoard("board-1", "nucleo-l4r5zi", "/dev/ttyACM0", "066BFF01", None, "openocd"),
        BenchBoard("board-4", "nucleo-l4r5zi", "/dev/ttyACM3", "unknown", 921600, "pyocd"),
    ))  # fmt: skip


def test_an_exporters_configuration_gives_its_serial_ports(tmp_path: Path) -> None:
    found = read_map(written(tmp_path, LABGRID))
    assert (found.kind, found.boards) == ("labgrid", (
        BenchBoard("bench-1", probe="066BFF01", baud=115200),
        BenchBoard("bench-2", port="socket://lab:4002", baud=9600),
        BenchBoard("bench-3", port="/dev/ttyUSB0"),
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version: 1\nboards: [{name: a}]", "boards/0"),
        ("version: 1\nboards: [{name: a, probe: '06 6B'}]", "boards/0/probe"),
        ("version: 1\nboards: [{name: a, port: x, colour: red}]", "colour"),
        ("version: 1\nboards: []", "boards"),
        ("version: 1\nboards: [{name: a, probe: '01'}, {name: b, probe: 066B01}]", "a has the same probe"),
        ("version: 1\nboards: [{name: a, port: x}, {name: b, port: x}]", "a has the same port"),
        ("version: 1\nboards: [{name: a, port: x}, {name: a, port: y}]", "a has the same name"),
        ("version: 1\nboards: [{name: a, port: x, quarantine: {until: 2026-01-01}}]", "reason"),
        ("version: 1\nboards: [{name: a, port: x, quarantine: {reason: worn out, until: '2026-13-01'}}]", "month"),
        ("- {platform: frdm_k64f, connected: true, serial: /dev/ttyACM0}", "no entry is connected"),
        ("group: {location: here}", "no group has"),
        ("12", "12"),
        ("a: &x [1]\nb: *x", "anchor"),
        ("boards: [", "plain YAML"),
    ],
)
def test_a_map_that_cannot_be_used_names_the_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DescriptionError) as caught:
        read_map(written(tmp_path, text))
    assert says in str(caught.value)


def test_a_bench_without_a_usable_board_says_why_each_is_not(tmp_path: Path) -> None:
    text = OWN.replace("{name: left, probe: 066BFF01}", "{name: left, probe: 066BFF01, quarantine: {reason: drops bytes}}")
    text = text.replace("flasher: none}", "flasher: none, quarantine: {reason: lent to a colleague}}")
    with pytest.raises(UsageError) as caught:
        read_map(written(tmp_path, text)).usable(find_board(), date(2026, 6, 1))
    for part in ("left is in quarantine: drops bytes", "flash fails at 0x080E0000 (until 2026-12-31)", "middle is a NUCLEO-L4R5ZI-P"):
        assert part in caught.value.why
    with pytest.raises(UsageError, match="no description of a board 'nucelo'"):
        read_map(written(tmp_path, "version: 1\nboards: [{name: a, port: x, board: nucelo}]"))
    assert Quarantine("worn").text == "worn"


class Rig:
    """Boards that can be opened, with how many are at a time."""

    def __init__(self, busy: tuple[str, ...] = (), broken: tuple[str, ...] = ()) -> None:
        self.busy, self.broken = set(busy), set(broken)
        self.open_now: list[str] = []
        self.most = 0

    def __call__(self, board: BenchBoard, elf: Path) -> SimpleNamespace:
        if board.name in self.busy:
            raise BusyError(f"another run uses {board.name}", why="process 7 holds it")
        if board.name in self.broken:
            raise LinkError(f"{board.name} is gone")
        assert board.name not in self.open_now, "lent twice"
        self.open_now.append(board.name)
        self.most = max(self.most, len(self.open_now))
        return SimpleNamespace(link=board.name, close=lambda: self.open_now.remove(board.name))


def boards(count: int) -> list[BenchBoard]:
    return [BenchBoard(f"b{number}", port=f"/dev/tty{number}") for number in range(count)]


def test_jobs_run_side_by_side_and_no_board_is_lent_twice() -> None:
    rig = Rig()
    pool = BoardPool(boards(3), rig)
    meet = threading.Barrier(3, timeout=10)

    def job(number: int) -> None:
        board = pool.open(Path(f"{number}.elf"))
        if number < 3:
            meet.wait()
        board.close()
        board.close()

    threads = [threading.Thread(target=job, args=(number,)) for number in range(9)]
    for thread in threads[:3]:
        thread.start()
    for thread in threads[:3]:
        thread.join(10)
    for thread in threads[3:]:
        thread.start()
    for thread in threads[3:]:
        thread.join(10)
    assert rig.most == 3 and rig.open_now == [] and len(pool.used) == 9


def test_a_board_of_another_run_is_skipped_and_named() -> None:
    events: list[Event] = []
    pool = BoardPool(boards(2), Rig(busy=("b0",)), EventStream(events.append))
    board = pool.open(Path("a.elf"))
    assert board.link == "b1" and any("process 7 holds it" in str(event) for event in events)
    board.close()
    with pytest.raises(BusyError, match="all 2 boards of the map are in use") as caught:
        BoardPool(boards(2), Rig(busy=("b0", "b1"))).open(Path("a.elf"))
    assert "b0: process 7 holds it; b1: process 7 holds it" in caught.value.why


def test_a_job_waits_while_this_run_holds_the_other_boards() -> None:
    rig = Rig(busy=("b0",))
    pool = BoardPool(boards(2), rig)
    first = pool.open(Path("a.elf"))
    got: list[object] = []
    waiting = threading.Thread(target=lambda: got.append(pool.open(Path("b.elf"))))
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive() and got == []
    first.close()
    waiting.join(10)
    assert len(got) == 1


def test_a_board_that_breaks_is_free_again() -> None:
    pool = BoardPool(boards(1), Rig(broken=("b0",)))
    for _ in range(2):
        with pytest.raises(LinkError):
            pool.open(Path("a.elf"))


def test_boards_that_are_not_there_are_left_out_with_their_reason(tmp_path: Path) -> None:
    plugged = [SimpleNamespace(device="/dev/null", vid=0x0483, pid=0x374B, serial_number="066BFF01", description="")]
    events: list[Event] = []
    text = OWN + "  - {name: gone, port: /dev/does-not-exist, flasher: none}\n  - {name: away, probe: 'A1'}\n"
    path = written(tmp_path, text)
    found = boards_for(path, "", EventStream(events.append), listed=lambda: plugged, today=date(2026, 6, 1))
    assert [board.name for board in found] == ["left", "right"]
    said = " ".join(str(event) for event in events)
    for part in (
        "flash fails at 0x080E0000",
        "/dev/does-not-exist does not exist",
        "no NUCLEO-L4R5ZI is plugged in whose probe ends with A1",
    ):
        assert part in said
    alone = written(tmp_path, "version: 1\nboards: [{name: away, probe: 'A1'}]")
    with pytest.raises(LinkError, match="none of the 1 usable boards") as caught:
        boards_for(alone, listed=lambda: plugged)
    assert "away: no NUCLEO-L4R5ZI is plugged in" in caught.value.why


def test_the_list_of_a_bench_says_what_each_board_is_doing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "cache"))
    rows = "{name: one, port: 'socket://127.0.0.1:1', flasher: none}, {name: two, port: 'socket://127.0.0.1:2', flasher: none}"
    more = "{name: three, port: /dev/none, flasher: none}, {name: four, port: x, quarantine: {reason: worn out}}"
    path = written(tmp_path, f"version: 1\nboards: [{rows}, {more}]")
    held = Claim(locate(find_board(), "socket://127.0.0.1:2", writes=False))
    try:
        assert main(["boards", "--bench", str(path), "--json"]) == 0
    finally:
        held.release()
    states = [row["state"] for row in json.loads(capsys.readouterr().out)["result"]["boards"]]
    assert states[0] == "ready" and states[1].startswith("in use: this process, since")
    assert states[2:] == ["not there: /dev/none does not exist", "in quarantine: worn out"]
