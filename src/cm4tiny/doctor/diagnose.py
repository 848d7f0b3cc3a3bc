# SPDX-License-Identifier: Apache-2.0
"""All checks of a bench, in the order in which one thing rests on another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cm4tiny.boards.boards import find_board
from cm4tiny.boards.links import DEFAULT_BAUD
from cm4tiny.boards.monitors.choice import USB_ID as LPM01A_USB_ID
from cm4tiny.boards.nucleo.claim import Claim, locate
from cm4tiny.doctor import checks
from cm4tiny.doctor.checks import BenchQuestion
from cm4tiny.doctor.devices import BOARD, BenchDevice, bench_devices
from cm4tiny.doctor.finding import BenchCheck, Diagnosis, found
from cm4tiny.doctor.line import LineQuestion, OpenLink, Waits, examine_line, open_serial
from cm4tiny.doctor.machine import HostMachine
from cm4tiny.doctor.monitor import examine_monitor
from cm4tiny.errors import BusyError
from cm4tiny.events import SILENT, EventStream

_BLOCKING = frozenset({"port.permission", "port.busy"})


@dataclass(frozen=True)
class DoctorRequest:
    """What is examined.

    Attributes:
        bench: which board is meant.
        baud: the speed that a run would use.
        expect: the image that should be on the board: ``performance``, ``energy``, or empty.
        hardware: look at USB and serial lines.
        host: look at tools, data sets, disk and network.
        waits: how long the line is waited for.
    """

    bench: BenchQuestion = field(default_factory=BenchQuestion)
    baud: int = DEFAULT_BAUD
    expect: str = ""
    hardware: bool = True
    host: bool = True
    waits: Waits = field(default_factory=Waits)


def diagnose(
    request: DoctorRequest, machine: HostMachine | None = None, opener: OpenLink = open_serial, events: EventStream = SILENT
) -> Diagnosis:
    """Carries out the checks; none of them changes anything, but a board is asked for its name and its input buffer is filled."""
    machine = machine or HostMachine()
    devices = bench_devices(machine) if request.hardware else []
    done: list[BenchCheck] = []

    def do(check: Callable[[], BenchCheck]) -> None:
        with events.step(f"check {len(done) + 1}") as outcome:
            done.append(check())
            outcome.note = done[-1].name

    if request.hardware:
        ports = _ports_of(devices, request.bench)
        do(lambda: checks.check_usb(machine, devices, request.bench))
        do(lambda: checks.check_access(machine, devices, _all_ports(devices, request.bench)))
        do(lambda: checks.check_probe_firmware(machine, devices))
        blocked = {finding.subject for finding in done[1].findings if finding.id in _BLOCKING}
        for port, adapter in ports.items():
            if port in blocked:
                done.append(BenchCheck(f"serial line {port}", note="it cannot be opened, see above", skipped=True))
                continue
            question = LineQuestion(port, request.baud, adapter, request.expect)
            do(lambda question=question: _examined(question, request, machine, opener))  # type: ignore[misc]
        for port in _monitor_ports(devices):
            if port in blocked:
                done.append(BenchCheck(f"power monitor {port}", note="it cannot be opened, see above", skipped=True))
                continue
            do(lambda port=port: examine_monitor(port, opener, request.waits))  # type: ignore[misc]
        do(lambda: checks.check_flash_tools(request.bench))
    if request.host:
        do(checks.check_compiler)
        do(checks.check_data)
        do(lambda: checks.check_disk(machine))
        do(lambda: checks.check_network(machine))
    return Diagnosis(tuple(done), tuple(device.as_json() for device in devices))


def _examined(question: LineQuestion, request: DoctorRequest, machine: HostMachine, opener: OpenLink) -> BenchCheck:
    """The line, under the lock that keeps it off a board that a run uses."""
    try:
        claim = Claim(locate(find_board(request.bench.board), question.port, writes=False, listed=machine.serial_ports))
    except BusyError as error:
        return BenchCheck(f"serial line {question.port}", (found("port.busy", question.port, error.why, pid="PID"),))
    try:
        return examine_line(question, opener, request.waits)
    finally:
        claim.release()


def _ports_of(devices: list[BenchDevice], bench: BenchQuestion) -> dict[str, bool]:
    """The ports of boards, and whether each is that of an adapter; one that was named counts alone."""
    adapters = {port for device in devices if device.role == "adapter" for port in device.ports}
    if bench.port:
        return {bench.port: bench.port in adapters}
    chosen = [d for d in devices if d.role == BOARD and d.usb.serial.upper().endswith(bench.probe.upper())]
    found = {port: False for device in chosen for port in device.ports}
    return found or dict.fromkeys(sorted(adapters), True)


def _monitor_ports(devices: list[BenchDevice]) -> list[str]:
    return [port for device in devices if device.usb.usb_id == LPM01A_USB_ID for port in device.ports]


def _all_ports(devices: list[BenchDevice], bench: BenchQuestion) -> list[str]:
    return [*([bench.port] if bench.port else []), *(port for device in devices for port in device.ports)]
