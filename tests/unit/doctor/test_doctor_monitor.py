# SPDX-License-Identifier: Apache-2.0
"""The doctor at a power monitor: the virtual LPM01A with one fault each, and nothing switched."""

from __future__ import annotations

import time
from typing import Any

import pytest
from support.virtual_lpm01a import VirtualLpm01a

from cm4tiny.boards.links import Link
from cm4tiny.doctor.finding import by_id
from cm4tiny.doctor.line import Waits
from cm4tiny.doctor.monitor import examine_monitor
from cm4tiny.errors import LinkError

QUICK = Waits(listen_s=0.05, answer_s=0.2)


def examined(virtual: VirtualLpm01a) -> Any:
    def opener(port: str, baud: int) -> Link:
        assert baud == 3_686_400
        return virtual

    return examine_monitor("/dev/ttyACM1", opener, QUICK)


@pytest.mark.parametrize(
    ("faults", "wanted"),
    [
        ({}, []),
        ({"version": "1.0.6"}, []),
        ({"version": "1.0.5"}, ["monitor.old-firmware"]),
        ({"silent_on": ("version",)}, ["monitor.silent"]),
        ({"refuses": ("version",)}, ["monitor.silent"]),
        ({"streaming": True}, ["monitor.left-over"]),
    ],
)
def test_each_fault_of_a_monitor_is_found_and_nothing_is_switched(faults: dict[str, Any], wanted: list[str]) -> None:
    virtual = VirtualLpm01a(time.monotonic, **faults)
    check = examined(virtual)
    assert by_id(check.findings) == wanted
    assert set(virtual.asked) <= {"version"}
    assert ("firmware" in check.note) == (wanted in ([], ["monitor.old-firmware"]))


def test_a_monitor_whose_port_cannot_be_opened_is_named() -> None:
    def opener(port: str, baud: int) -> Link:
        raise LinkError(f"cannot open {port}", why="no such file", hint="")

    assert by_id(examine_monitor("/dev/ttyACM1", opener, QUICK).findings) == ["line.cannot-open"]
