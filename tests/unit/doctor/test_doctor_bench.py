# SPDX-License-Identifier: Apache-2.0
"""The doctor at a bench without one: USB, ports, permissions, programs, tools, disk and network are a fake machine."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.sick_line import SickLine, healthy
from support.virtual_lpm01a import VirtualLpm01a

from cm4tiny.boards.boards import find_board
from cm4tiny.boards.monitors.lpm01a import BAUD
from cm4tiny.boards.nucleo.claim import Claim, locate
from cm4tiny.boards.nucleo.ports import RULES_FILE
from cm4tiny.doctor import checks
from cm4tiny.doctor.checks import BenchQuestion
from cm4tiny.doctor.devices import bench_devices, known_devices
from cm4tiny.doctor.diagnose import DoctorRequest, diagnose
from cm4tiny.doctor.finding import Diagnosis, by_id, check_document, finding_kinds
from cm4tiny.doctor.machine import HostMachine, UsbDevice
from cm4tiny.doctor.udev import all_rules, install_rules
from cm4tiny.errors import BenchError, BoardError

NUCLEO, LPM01A, JS220 = "0483:374b", "0483:5740", "16d0:10ba"


@dataclass
class FakeMachine(HostMachine):
    """A machine whose every answer a test chooses; a healthy bench unless told otherwise."""

    usb: list[UsbDevice] = field(default_factory=list)
    tty: list[tuple[str, str, str]] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)
    open_in: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=lambda: {RULES_FILE})
    tools: dict[str, str] = field(default_factory=dict)
    free: int | None = 50_000_000_000
    cut_off: str = ""

    def plug(self, usb_id: str = NUCLEO, serial: str = "066BFF01", tty: str = "/dev/ttyACM0") -> FakeMachine:
        self.usb.append(UsbDevice(usb_id, serial, "STM32 STLink", f"/dev/bus/usb/001/{len(self.usb):03}"))
        if tty:
            self.tty.append((tty, usb_id, serial))
        return self

    def usb_devices(self) -> list[UsbDevice]:
        return self.usb

    def serial_ports(self) -> Iterable[Any]:
        for device, usb_id, serial in self.tty:
            vendor, product = (int(part, 16) for part in usb_id.split(":"))
            yield SimpleNamespace(device=device, vid=vendor, pid=product, serial_number=serial, description="")

    def may_open(self, path: str) -> bool:
        return path not in self.forbidden

    def group_of(self, path: str) -> str:
        return "dialout"

    def users_of(self, path: str) -> list[tuple[int, str]]:
        return self.open_in.get(path, [])

    def programs(self) -> set[str]:
        return self.running

    def which(self, program: str) -> str:
        return f"/usr/bin/{program}" if program in self.tools else ""

    def output_of(self, *command: str) -> str:
        return self.tools[command[0]]

    def exists(self, path: str) -> bool:
        return path in self.files

    def free_bytes(self, folder: Path) -> int | None:
        return self.free

    def connects(self, host: str, port: int) -> str:
        return self.cut_off


def diagnosed(machine: HostMachine, line: SickLine | None = None, *, host: bool = False, baud: int = 115200, **bench: str) -> Diagnosis:
    """The diagnosis with ``line`` at every port but that of an LPM01A."""
    dut, monitor = line or SickLine(), VirtualLpm01a(time.monotonic)

    def opener(port: str, speed: int) -> Any:
        return monitor if speed == BAUD else dut(port, speed)

    return diagnose(DoctorRequest(BenchQuestion(**bench), host=host, baud=baud), machine, opener)


@pytest.fixture(autouse=True)
def _flash_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("cm4tiny.boards.nucleo.flashers.shutil.which", lambda name: f"/usr/bin/{name}")


def test_a_healthy_bench_has_no_finding() -> None:
    machine = (
        FakeMachine(tools={"st-info": "  version:    V2J37S27\n"}).plug().plug(LPM01A, "1234", "/dev/ttyACM1").plug(JS220, "000042", "")
    )
    diagnosis = diagnosed(machine)
    assert by_id(diagnosis.findings) == [] and diagnosis.as_json()["ok"] is True
    assert [(d["role"], d["ports"]) for d in diagnosis.devices] == [("board", ["/dev/ttyACM0"]), ("power", ["/dev/ttyACM1"]), ("power", [])]
    assert [check.name for check in diagnosis.checks if check.skipped] == []
    diagnosis.need()


FAULTS = [
    (FakeMachine, {}, ["usb.no-board"]),
    (lambda: FakeMachine().plug(), {"probe": "77"}, ["usb.no-board"]),
    (lambda: FakeMachine().plug("0483:374f", "003A", "/dev/ttyACM0"), {}, ["usb.no-board", "usb.unknown-probe"]),
    (lambda: FakeMachine().plug().plug(serial="066BFF02", tty="/dev/ttyACM1"), {}, ["usb.several-boards"]),
    (lambda: FakeMachine().plug(serial="").plug(serial="", tty="/dev/ttyACM1"), {}, ["usb.several-boards"]),
    (lambda: FakeMachine().plug(tty=""), {}, ["usb.no-port"]),
    (lambda: FakeMachine(forbidden={"/dev/bus/usb/001/000"}).plug(), {}, ["usb.permission"]),
    (lambda: FakeMachine(forbidden={"/dev/ttyACM0"}).plug(), {}, ["port.permission"]),
    (lambda: FakeMachine(open_in={"/dev/ttyACM0": [(4711, "minicom")]}).plug(), {}, ["port.busy"]),
    (lambda: FakeMachine(running={"ModemManager"}, files={"/etc/udev/rules.d/60-openocd.rules"}).plug(), {}, ["port.modem-manager"]),
    (lambda: FakeMachine(files=set()).plug(), {}, ["udev.no-rules"]),
    (lambda: FakeMachine(tools={"st-info": "  version:    V2J28S18\n"}).plug(), {}, ["probe.old-firmware"]),
]  # fmt: skip


@pytest.mark.parametrize(("machine", "bench", "wanted"), FAULTS, ids=[row[2][0] + f"-{n}" for n, row in enumerate(FAULTS)])
def test_each_fault_of_a_bench_is_found_by_its_name(machine: Any, bench: dict[str, str], wanted: list[str]) -> None:
    diagnosis = diagnosed(machine(), **bench)
    assert by_id(diagnosis.findings) == wanted
    assert check_document(diagnosis.as_json()) == []


def test_a_port_that_cannot_be_opened_is_not_asked() -> None:
    line = SickLine()
    for machine in (FakeMachine(forbidden={"/dev/ttyACM0"}).plug(), FakeMachine(open_in={"/dev/ttyACM0": [(1, "screen")]}).plug()):
        diagnosis = diagnosed(machine, line)
        assert [check.note for check in diagnosis.checks if check.name == "serial line /dev/ttyACM0"] == ["it cannot be opened, see above"]
        with pytest.raises(BenchError) as caught:
            diagnosis.need()
        assert caught.value.hint == diagnosis.errors[0].hint and caught.value.cm_code == 3
    assert line.opened == []


def test_a_board_that_a_run_uses_is_left_alone() -> None:
    line, machine = SickLine(), FakeMachine().plug()
    with_run = Claim(locate(find_board(), "/dev/ttyACM0", writes=False, listed=machine.serial_ports))
    try:
        assert by_id(diagnosed(machine, line).findings) == ["port.busy"] and line.opened == []
    finally:
        with_run.release()
    assert by_id(diagnosed(machine, line).findings) == []


def test_the_fault_of_a_line_is_one_of_the_bench() -> None:
    diagnosis = diagnosed(FakeMachine().plug(), SickLine(baud=9600))
    assert by_id(diagnosis.findings) == ["line.wrong-speed"]
    assert "error: line.wrong-speed: /dev/ttyACM0: the board speaks at another speed" in diagnosis.text


def test_a_serial_adapter_is_the_port_where_there_is_no_board() -> None:
    machine = FakeMachine().plug("0403:6001", "A9", "/dev/ttyUSB0")
    assert by_id(diagnosed(machine, SickLine(fault="silent")).findings) == ["line.swapped", "usb.no-board"]
    assert by_id(diagnosed(machine, SickLine(fault="silent"), port="/dev/ttyUSB0").findings) == ["line.swapped"]


def test_a_port_that_is_named_counts_alone() -> None:
    line = SickLine(healthy())
    machine = FakeMachine().plug().plug(serial="2", tty="/dev/ttyACM1")
    diagnosis = diagnosed(machine, line, port="/dev/ttyACM1")
    assert [check.name for check in diagnosis.checks if check.name.startswith("serial")] == ["serial line /dev/ttyACM1"]
    assert by_id(diagnosis.findings) == []


def test_nothing_to_flash_with_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cm4tiny.boards.nucleo.flashers.shutil.which", lambda name: None)
    (finding,) = checks.check_flash_tools(BenchQuestion()).findings
    assert finding.id == "flash.no-tool" and "openocd is not installed" in finding.why


def test_a_full_disk_and_a_network_that_is_down_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CM_TINY_OFFLINE", raising=False)
    machine = FakeMachine(free=1_000_000, cut_off="Network is unreachable")
    assert set(by_id(checks.check_disk(machine).findings)) == {"disk.little"}
    assert set(by_id(checks.check_network(machine).findings)) == {"network.unreachable"}
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert [finding.subject for finding in checks.check_network(machine).findings] == ["proxy.example:3128"]
    monkeypatch.setenv("CM_TINY_OFFLINE", "yes")
    assert by_id(checks.check_network(machine).findings) == ["network.forbidden"]
    assert checks.check_disk(FakeMachine(free=None)).findings == ()


def test_tools_and_data_that_are_missing_are_notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(**_: object) -> object:
        raise BoardError("no compiler", why="tried all")

    monkeypatch.setattr(checks, "find_toolchain", refuse)
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path))
    for check in (checks.check_compiler(), checks.check_data()):
        assert [finding.kind.severity for finding in check.findings] == ["note"]


def test_rules_are_for_all_boards_and_instruments_and_keep_modem_manager_away() -> None:
    rules = all_rules()
    for usb_id in (NUCLEO, "0483:3752", LPM01A, JS220, "0483:374e", "2341:0043"):
        vendor, product = usb_id.split(":")
        ids = f'ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}"'
        assert f'SUBSYSTEM=="usb", {ids}, MODE="0660", GROUP="plugdev", TAG+="uaccess"\n' in rules
        assert f'{ids}, ENV{{ID_MM_DEVICE_IGNORE}}="1"\n' in rules


def test_rules_are_written_only_where_they_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cm4tiny.doctor.udev._RELOAD", (("false",),))
    said = install_rules(tmp_path / "rules")
    assert (tmp_path / "rules").read_text() == all_rules() and "udev did not read it" in said
    monkeypatch.setattr("cm4tiny.doctor.udev._RELOAD", (("true",),))
    assert "udev has read it" in install_rules(tmp_path / "rules")
    with pytest.raises(BoardError, match="cannot be written") as caught:
        install_rules(tmp_path / "rules" / "below a file")
    assert "sudo cm4tiny doctor --install-rules" in caught.value.hint


def test_this_machine_answers_every_question_without_an_error() -> None:
    machine = HostMachine()
    devices = bench_devices(machine)
    assert all(device.role in ("board", "interface", "power", "adapter", "probe") for device in devices)
    assert machine.programs() and machine.which("sh") and machine.free_bytes(Path("/nowhere/at/all"))
    assert machine.may_open("/dev/does-not-exist") and machine.group_of("/dev/does-not-exist") == "dialout"
    assert machine.output_of("does-not-exist") == "" and machine.connects("127.0.0.1", 9) != ""


def test_every_report_of_users_has_a_finding() -> None:
    """The reports about boards that are not seen and lines that break, as the table of findings cites them."""
    sources = " ".join(kind.source for kind in finding_kinds().values())
    reports = (
        "energyrunner issue 6 ",
        *(f"energyrunner issue {number}" for number in (18, 20, 27)),
        "energyrunner issue 32",
        *(f"tiny issue {number}" for number in (60, 65, 79)),
        *("ck issue 606", "16851", "21240", "50565", "No response to command name", "ResourceBusy", "SerialException"),
        *("Tx/Rx lines are labeled backwards", "two devices with one VID:PID", "left-over messages", "small buffer"),
        *("Always update the STLink firmware", "Debugging Device Auto-detection", "UART Device Detection"),
    )
    assert [report for report in reports if report not in sources] == []


def test_the_manual_lists_what_can_be_found() -> None:
    page = (Path(__file__).parents[3] / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = [f"| `{kind.id}` | {kind.severity} | {kind.title} | {kind.source} |" for kind in finding_kinds().values()]
    table = page.partition("<!-- findings -->\n")[2].partition("<!-- end of findings -->")[0]
    assert table.splitlines()[2:] == rows, "\n".join(rows)


def test_the_table_names_a_source_for_each_and_every_kind_is_found_by_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [kind for kind in finding_kinds() if f'"{kind}"' not in tests and kind not in ("tools.no-compiler", "data.missing")] == []
    assert all(len(kind.source) > 4 and kind.hint.format_map(dict.fromkeys(
        ("port", "serial", "group", "pid", "found", "data_set"), "x")) for kind in finding_kinds().values())  # fmt: skip
    assert not set(known_devices()) & {NUCLEO, "0483:3752"}, "boards are known by their descriptions"
