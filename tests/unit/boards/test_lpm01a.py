# SPDX-License-Identifier: Apache-2.0
"""The client of an LPM01A against the virtual instrument: what it sends, what it believes, and how each fault shows itself."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.virtual_lpm01a import LpmPort, VirtualLpm01a, value_text

from cm4tiny.boards.monitors import lpm01a as module
from cm4tiny.boards.monitors.lpm01a import Lpm01a, open_lpm01a, voltage_of
from cm4tiny.boards.monitors.stream import Acquisition, LineSplitter, values_of
from cm4tiny.boards.power import check_trace, check_voltage, stamps_in_samples
from cm4tiny.errors import LinkError, PowerError, PowerTraceError

NOW = [0.0]
EDGES: list[float] = []


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    NOW[0] = 5.0
    EDGES.clear()
    monkeypatch.setattr(module, "COMMAND_S", 0.6)
    monkeypatch.setattr(module, "STOP_S", 0.6)
    yield


def instrument(**faults: object) -> VirtualLpm01a:
    return VirtualLpm01a(lambda: NOW[0], EDGES, **faults)  # type: ignore[arg-type]


def client(virtual: VirtualLpm01a, raw: Path | None = None) -> Lpm01a:
    return Lpm01a(virtual, 1.8, raw, settles_s=0.0)


def recorded(monitor: Lpm01a, seconds: float = 3.0, edges: tuple[float, ...] = (0.5, 2.5)) -> object:
    monitor.start()
    EDGES.extend(NOW[0] + edge for edge in edges)
    NOW[0] += seconds
    return monitor.stop()


def test_it_is_set_up_as_upstreams_runner_does_it_and_gives_the_monitor_back() -> None:
    virtual = instrument()
    with client(virtual) as monitor:
        monitor.power_on()
        assert virtual.powered
    assert [word for word in virtual.asked if word] == [
        "stop", "htc", 'lcd 1 "MLPerf Tiny"', 'lcd 2 "     monitor    "', "pwr off", "acqtime inf", "trigdelay 0", "trigsrc sw",
        "eventsrc d7 fal", "output energy", "format ascii_dec", "freq 1k", "volt 1800m", "pwr on nostatus", "pwr off", "hrc",
    ]  # fmt: skip
    assert not virtual.powered


@pytest.mark.parametrize("packed", [1, 7])
def test_a_recording_has_its_samples_stamps_and_marks(packed: int) -> None:
    with client(instrument(watts=lambda at: 0.03 if 5.5 <= at < 7.5 else 0.005, packed=packed)) as monitor:
        for number in range(2):
            trace = recorded(monitor, edges=(0.5, 2.5) if number == 0 else (0.25,))
            assert len(trace.joules) == 3000 and trace.timestamps_s == ((0.5, 2.5) if number == 0 else (0.25,))
            assert trace.counters == ((0, 1) if number == 0 else (2,)) and trace.marks == ((1000, 1.0), (2000, 2.0))
            check_trace(trace, monitor.name, set_v=1.8, recorded_s=(3.0, 3.0), same_clock=False)
            if number == 0:
                first, last = stamps_in_samples(trace)
                assert math.fsum(trace.joules[first:last]) == pytest.approx(0.06, rel=1e-3)
        check_voltage(monitor, 1.8)


def edit(pattern: str, change: Callable[[str], str | None], at: int = 0) -> Callable[[list[str]], list[str]]:
    """Changes the line number ``at`` of those that match; None takes it away."""

    def damage(lines: list[str]) -> list[str]:
        places = [number for number, line in enumerate(lines) if re.fullmatch(pattern, line)]
        if len(places) > at:
            changed = change(lines[places[at]])
            lines[places[at] : places[at] + 1] = [] if changed is None else [changed]
        return lines

    return damage


SAMPLE = r"\d{4}[+-]\d\d"
FAULTS = [
    ("a sample is torn", edit(SAMPLE, lambda line: line[2:], 700), "is not a number"),
    ("its end is torn", edit(SAMPLE, lambda line: line[:-1], 700), "is not a number"),
    ("a damaged digit", edit(SAMPLE, lambda line: "x" + line[1:], 700), "lines of the X-NUCLEO-LPM01A are not understood"),
    ("a damaged exponent", edit(SAMPLE, lambda line: line[:4] + "+09", 700), "is more than 50 W"),
    ("a damaged stamp", edit("event .*", lambda line: "evnt 00 ris"), "are not understood"),
    ("a lost stamp", edit("event .*", lambda line: None, 1), "follows on time stamp"),
    ("a doubled stamp", edit("event .*", lambda line: line.replace("01", "00"), 1), "follows on time stamp"),
    ("lost samples", lambda lines: lines[:1200] + lines[1400:] if len(lines) > 1400 else lines, "samples in 1 s of its own time"),
    ("the second half is missing", lambda lines: lines[: len(lines) // 3], "stopped in the middle"),
    ("its time goes back", edit("TimeStamp.*", lambda line: line.replace("002s", "000s"), 1), "went back"),
    ("it is silent", lambda lines: [], "delivered no samples"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "damage", "says"), FAULTS, ids=[row[0] for row in FAULTS])
def test_what_was_damaged_on_its_way_is_an_error_and_never_another_energy(what: str, damage: object, says: str) -> None:
    with client(instrument(damage=damage)) as monitor, pytest.raises(PowerTraceError, match=re.escape(says)):
        trace = recorded(monitor, edges=(0.2, 0.5, 2.5))
        check_trace(trace, monitor.name, set_v=1.8, recorded_s=(3.0, 3.0), same_clock=False)


@pytest.mark.parametrize("command", ["htc", "volt 1800m", "freq"])
def test_a_command_without_an_answer_or_with_an_error_ends_the_set_up(command: str) -> None:
    with pytest.raises(PowerError, match=r"did not answer '.*' within 0\.6 s"):
        client(instrument(silent_on=(command,)))
    with pytest.raises(PowerError, match="refuses") as caught:
        client(instrument(refuses=(command,)))
    assert caught.value.why == "parameter not supported"


def test_a_monitor_that_does_not_start_or_stop_is_an_error() -> None:
    with client(instrument(silent_on=("start",))) as monitor:
        for _ in range(2):
            with pytest.raises(PowerError, match="did not answer 'start'"):
                monitor.start()
    with client(instrument()) as monitor:
        with pytest.raises(PowerError, match="did not end the acquisition"):
            monitor.stop()
        monitor.start()
        with pytest.raises(PowerError, match="records already"):
            monitor.start()


def test_what_an_interrupted_run_left_streaming_is_ended_first() -> None:
    virtual = instrument(streaming=True)
    NOW[0] += 2.0
    with client(virtual) as monitor:
        assert len(recorded(monitor).joules) == 3000


@pytest.mark.parametrize("volts", [1.7, 3.31, float("nan")])
def test_only_voltages_that_it_can_supply_are_set(volts: float) -> None:
    with pytest.raises((PowerError, ValueError)):
        Lpm01a(instrument(), volts)


def test_another_supply_than_the_one_that_was_set_is_an_error() -> None:
    with client(instrument(supply_v=3.3)) as monitor, pytest.raises(PowerError, match=r"supplies 3\.300 V, 1\.8 V were set"):
        check_voltage(monitor, 1.8)
    with client(instrument(silent_on=("volt get",))) as monitor, pytest.raises(PowerError, match="did not answer 'volt get'"):
        check_voltage(monitor, 1.8)


@pytest.mark.parametrize(("text", "volts"), [("1800m", 1.8), ("3300-03", 3.3), ("1.800", 1.8), ("2500m V", 2.5)])
def test_a_voltage_is_read_in_each_of_the_instruments_spellings(text: str, volts: float) -> None:
    assert voltage_of(text) == pytest.approx(volts)
    with pytest.raises(PowerError, match="does not say its voltage"):
        voltage_of("none")


def test_the_raw_trace_holds_every_byte_and_every_command(tmp_path: Path) -> None:
    raw = tmp_path / "trace.txt"
    with client(instrument(watts=lambda at: 0.0123), raw) as monitor:
        recorded(monitor)
    text = raw.read_text(encoding="latin-1")
    assert text.count(value_text(0.0123e-3)) == 3000 and "# start" in text and "event 01 ris" in text and "# pwr off" in text


def test_a_port_that_goes_away_is_a_link_error() -> None:
    virtual = instrument()
    monitor = client(virtual)

    def gone(deadline: object) -> bytes:
        raise LinkError("the connection broke", why="unplugged", hint="")

    virtual.read = gone  # type: ignore[method-assign]
    with pytest.raises(LinkError, match="broke"):
        recorded(monitor)
    monitor.close()


def test_values_of_a_line() -> None:
    assert values_of("6409-07") == [pytest.approx(640.9e-6)]
    assert values_of("6409-076410-07") == values_of("6409-07 6410-07") == [pytest.approx(640.9e-6), pytest.approx(641.0e-6)]
    for torn, count in (("09-07", 1), ("09-076410-07", 2), ("6409-076410-", 2), ("6409", 1), ("-07", 1)):
        found = values_of(torn)
        assert len(found) == count and any(math.isnan(value) for value in found)


def test_lines_are_cut_where_they_have_no_end() -> None:
    lines = LineSplitter()
    assert lines.feed(b"PowerShield > ack htc\r\n6409") == ["ack htc"]
    assert lines.feed(b"-07\r\n") == ["6409-07"]
    assert [len(line) for line in lines.feed(b"7" * 5000)] == [4096]
    assert not Acquisition().take("ack start")


def test_the_client_speaks_over_a_terminal_in_host_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BAUD", 115200)
    monkeypatch.setattr(module, "COMMAND_S", 3.0)
    monkeypatch.setattr(module, "STOP_S", 3.0)
    monkeypatch.setattr(module, "SUPPLY_SETTLES_S", 0.0)
    port = LpmPort(instrument())
    try:
        with open_lpm01a(port.device, 1.8) as monitor:
            assert monitor.read_voltage_v() == 1.8
            trace = recorded(monitor, seconds=2.0, edges=(0.5, 1.5))
            assert len(trace.joules) == 2000 and trace.timestamps_s == (0.5, 1.5)
    finally:
        port.close()
