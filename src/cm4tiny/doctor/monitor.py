# SPDX-License-Identifier: Apache-2.0
"""Whether an LPM01A answers, and how old its firmware is. Nothing is set or switched: the board that it supplies stays as it is."""

from __future__ import annotations

import re

from cm4tiny.boards.links import Link
from cm4tiny.boards.monitors.lpm01a import BAUD
from cm4tiny.boards.monitors.stream import LineSplitter, values_of
from cm4tiny.deadline import Deadline
from cm4tiny.doctor.finding import BenchCheck, found
from cm4tiny.doctor.line import OpenLink, Waits
from cm4tiny.errors import LinkError

OLDEST = (1, 0, 6)
_VERSION = re.compile(r"\b([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\b")
_SAMPLE = re.compile(r"[0-9]{4}[+-][0-9]{2}")
_MOST = 65536


def examine_monitor(port: str, opener: OpenLink, waits: Waits) -> BenchCheck:
    """Listens, asks ``version``, and reads what comes; the port must be free, and is closed again."""
    name = f"power monitor {port}"
    try:
        link = opener(port, BAUD)
    except LinkError as error:
        return BenchCheck(name, (found("line.cannot-open", port, f"{error.what}: {error.why}"),))
    try:
        unasked = _heard(link, waits.listen_s)
        if any(_SAMPLE.match(line) and values_of(line) for line in unasked):
            return BenchCheck(name, (found("monitor.left-over", port, f"{len(unasked)} lines came in {waits.listen_s:g} s"),))
        link.write(b"version\r\n")
        answer = _heard(link, waits.answer_s, until=_VERSION)
    except LinkError as error:
        return BenchCheck(name, (found("line.cannot-open", port, f"{error.what}: {error.why}"),))
    finally:
        link.close()
    version = next((match for line in answer if (match := _VERSION.search(line))), None)
    if version is None:
        why = f"version was answered with {' | '.join(answer)[:80]!r}" if answer else "version was not answered"
        return BenchCheck(name, (found("monitor.silent", port, why, port=port),))
    numbers = tuple(int(part) for part in version.groups())
    text = ".".join(map(str, numbers))
    findings = () if numbers >= OLDEST else (found("monitor.old-firmware", port, f"it is {text}", version=text),)
    return BenchCheck(name, findings, f"LPM01A, firmware {text}")


def _heard(link: Link, seconds: float, until: re.Pattern[str] | None = None) -> list[str]:
    """The lines that come in that time, or up to the first one that matches."""
    splitter, lines, count = LineSplitter(), list[str](), 0
    deadline = Deadline(seconds, link.clock)
    while not deadline.expired and count < _MOST:
        data = link.read(deadline)
        count += len(data)
        lines += [line for line in splitter.feed(data) if line]
        if until is not None and any(until.search(line) for line in lines):
            break
    return lines
