# SPDX-License-Identifier: Apache-2.0
"""The doctor at a serial line: each fault that users reported is found by its name, and a healthy line has none."""

from __future__ import annotations

import os

import pytest
from support.sick_line import SickLine, SickPort, dropping, healthy

from cm4tiny.doctor.finding import BenchCheck, by_id
from cm4tiny.doctor.line import SPEEDS, LineQuestion, Waits, examine_line

PORT = "/dev/ttyACM0"


def examined(line: SickLine, *, baud: int = 115200, adapter: bool = False, expect: str = "") -> BenchCheck:
    return examine_line(LineQuestion(PORT, baud, adapter, expect), line)


@pytest.mark.parametrize("dialect", ["own", "reference"])
@pytest.mark.parametrize("energy", [False, True])
def test_a_healthy_board_has_no_fault_and_says_what_it_is(dialect: str, energy: bool) -> None:
    check = examined(SickLine(healthy(dialect=dialect, energy=energy)), expect="energy" if energy else "performance")
    assert [finding.id for finding in check.findings if finding.kind.severity != "note"] == []
    assert f"{dialect}, kws01, {'energy' if energy else 'performance'} image" in check.note and "115200 baud" in check.note


FAULTS = [
    # fault of the line, how it is examined, finding, words of what was seen
    (lambda: SickLine(fault="silent"), {}, ["line.silent"], "115200, 9600, 921600"),
    (lambda: SickLine(fault="silent"), {"adapter": True}, ["line.swapped"], "name% was asked"),
    (lambda: SickLine(fault="echo"), {}, ["line.echo"], "name%"),
    (lambda: SickLine(fault="noise"), {}, ["line.noise"], r"\xfe\x81"),
    (lambda: SickLine(fault="console"), {}, ["line.other-firmware"], "uart:~$"),
    (lambda: SickLine(fault="absent"), {}, ["line.cannot-open"], "No such file"),
    (lambda: SickLine(fault="first-lost"), {}, ["line.stuck-byte"], "answered with nothing"),
    (lambda: SickLine(fault="chatter"), {}, ["line.chatter"], "debug: tick"),
    (lambda: SickLine(baud=9600), {}, ["line.wrong-speed"], "answered at 9600 baud, and not at 115200"),
    (lambda: SickLine(baud=115200), {"baud": 9600}, ["line.wrong-speed"], "answered at 115200 baud, and not at 9600"),
    (lambda: SickLine(baud=19200), {}, ["line.wrong-speed"], "answered at 19200 baud"),
    (lambda: SickLine(baud=31250), {}, ["line.noise"], r"\xfe\x81"),
    (lambda: SickLine(healthy(energy=True)), {"expect": "performance"}, ["firmware.energy-image"], "without m-lap-us"),
    (lambda: SickLine(healthy()), {"expect": "energy"}, ["firmware.performance-image"], "with m-lap-us"),
    (lambda: SickLine(healthy(dialect="reference", disturb=dropping(97, "from"))), {}, ["line.drops"], "answers to name% differ"),
    (lambda: SickLine(healthy(dialect="reference", disturb=dropping(251, "to"))), {}, ["line.drops"], "bytes had to start again"),
    (lambda: SickLine(healthy(dialect="own", disturb=dropping(251, "to"))), {}, ["line.drops"], "bytes had to start again"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "how", "wanted", "seen"), FAULTS, ids=lambda value: value[0] if isinstance(value, list) else None)
def test_each_fault_is_found_by_its_name(line, how, wanted: list[str], seen: str) -> None:  # type: ignore[no-untyped-def]
    check = examined(line(), **how)
    serious = [finding for finding in check.findings if finding.kind.severity != "note"]
    assert by_id(serious) == wanted, [f"{finding.id}: {finding.why}" for finding in check.findings]
    assert seen in serious[0].why and serious[0].subject == PORT


def test_only_a_buffer_of_the_reference_is_called_small() -> None:
    (finding,) = examined(SickLine(healthy(dialect="reference"))).findings
    assert finding.id == "line.small-buffer" and "259 characters" in finding.why
    assert examined(SickLine(healthy(dialect="own"))).findings == ()


def test_the_hint_for_a_wrong_speed_names_the_right_one() -> None:
    (finding,) = examined(SickLine(baud=921600)).findings
    assert "--baud=921600" in finding.hint and finding.facts == {"found": 921600, "asked": 115200}


def test_each_speed_is_tried_once_and_a_healthy_line_is_opened_at_no_other() -> None:
    silent, well = SickLine(fault="silent"), SickLine()
    examined(silent)
    examined(well)
    assert silent.opened == list(SPEEDS) and set(well.opened) == {115200}


QUICK = Waits(listen_s=0.1, answer_s=0.4, sweep_s=0.3, boot_s=0.2)


@pytest.mark.parametrize(("baud", "wanted"), [(115200, []), (9600, ["line.wrong-speed"])])
def test_a_terminal_of_this_machine_is_examined_as_a_port(baud: int, wanted: list[str]) -> None:
    port = SickPort(SickLine(baud=baud))
    try:
        check = examine_line(LineQuestion(port.device, 115200), waits=QUICK)
    finally:
        port.close()
    assert by_id(check.findings) == wanted, [f"{finding.id}: {finding.why}" for finding in check.findings]
    assert ("kws01" in check.note) == (not wanted)


def test_a_port_that_is_gone_is_found() -> None:
    master, slave = os.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    os.close(master)
    assert by_id(examine_line(LineQuestion(name, 115200), waits=QUICK).findings) == ["line.cannot-open"]
