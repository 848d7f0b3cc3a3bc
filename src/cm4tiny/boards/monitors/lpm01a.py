# SPDX-License-Identifier: Apache-2.0
"""ST's X-NUCLEO-LPM01A over its serial port: supplies the board, records energy at 1 kHz and falling edges on D7.

Source: ``mlcommons/tiny`` ``benchmark/runner/power_manager/power_manager_lpm.py`` (the commands that it sends, in its order, and the
instrument's own list of commands). Upstream waits for every answer without a limit; here each wait has one. Upstream starts one
acquisition for a whole run; here each window has its own, between which the supply voltage is read back.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType

from cm4tiny.boards.links import Link, SerialLink
from cm4tiny.boards.monitors.stream import COMPLETED, Acquisition, LineSplitter
from cm4tiny.boards.power import PowerTrace
from cm4tiny.deadline import Deadline
from cm4tiny.errors import LinkError, PowerError, PowerTraceError

BAUD = 3_686_400
LOWEST_MV, HIGHEST_MV = 1800, 3300
COMMAND_S = 3.0
STOP_S = 5.0
SUPPLY_SETTLES_S = 1.0
"""How long the supplied board may take to be up: upstream waits as long after ``pwr on``."""
_READ_S = 0.05
_SET_UP = ("pwr off", "acqtime inf", "trigdelay 0", "trigsrc sw", "eventsrc d7 fal", "output energy", "format ascii_dec", "freq 1k")
_HINT = "switch the monitor off and on, check its cable, close other programs that use it, then run again"
_NUMBER = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,6})?)(m|[+-][0-9]{2})?(?:V|\b)")


class Lpm01a:
    """The monitor, taken over from whatever it did, its supply off.

    Args:
        link: to its port.
        voltage_v: what it is to supply, 1.8 to 3.3 V.
        raw: a file that receives every byte of its answers and streams, and the commands; None: none is kept.
        settles_s: how long the supplied board may take to be up.

    Raises:
        PowerError: it does not answer, refuses a command, or cannot supply this voltage. LinkError: its port broke.
    """

    simulated = False
    name = "X-NUCLEO-LPM01A"

    def __init__(self, link: Link, voltage_v: float, raw: Path | None = None, settles_s: float = SUPPLY_SETTLES_S) -> None:
        millivolts = round(voltage_v * 1000)
        if not LOWEST_MV <= millivolts <= HIGHEST_MV:
            raise PowerError(
                f"the {self.name} cannot supply {voltage_v:g} V", why="it supplies 1.8 to 3.3 V", hint="choose another --supply_mv"
            )
        self.voltage_v = millivolts / 1000
        self._link, self._settles_s = link, settles_s
        self._changed = threading.Condition()
        self._answers: deque[str] = deque(maxlen=1000)
        self._acquired: Acquisition | None = None
        self._broken: LinkError | None = None
        self._ended = False
        self._raw = raw.open("ab", buffering=0) if raw is not None else None
        self._reader = threading.Thread(target=self._read, name="lpm01a", daemon=True)
        self._reader.start()
        try:
            self._quiet()
            self._ask("htc")
            for command in ('lcd 1 "MLPerf Tiny"', 'lcd 2 "     monitor    "', *_SET_UP, f"volt {millivolts}m"):
                self._ask(command)
        except BaseException:
            self._end()
            raise

    # --- as a power monitor -----------------------------------------------------------------------------------------------------
    def power_on(self) -> None:
        """Supplies the board, and waits until that is up."""
        self._ask("pwr on nostatus")
        time.sleep(self._settles_s)

    def start(self) -> None:
        """Begins an acquisition."""
        with self._changed:
            if self._acquired is not None:
                raise PowerError(f"the {self.name} records already", hint="stop the running recording first")
            self._acquired = Acquisition()
        try:
            self._ask("start")
        except BaseException:
            with self._changed:
                self._acquired = None
            raise

    def stop(self) -> PowerTrace:
        """Ends it and hands it over.

        Raises:
            PowerError: it does not end. PowerTraceError: lines came that are not understood.
        """
        self._send("stop")
        self._await(lambda line: COMPLETED in line, STOP_S, "end the acquisition")
        with self._changed:
            acquired, self._acquired = self._acquired, None
        if acquired is None:
            raise PowerError(f"the {self.name} does not record", hint="start it first")
        if acquired.strange:
            raise PowerTraceError(
                f"{len(acquired.strange)} lines of the {self.name} are not understood, the first is {acquired.strange[0]!r}",
                why="a line was damaged on its way, so that samples or time stamps may be missing",
                hint="use another USB port for the monitor, keep the host idle, then run again",
            )
        return acquired.trace()

    def read_voltage_v(self) -> float:
        """The voltage that it says it is set to."""
        return voltage_of(self._ask("volt get"))

    def close(self) -> None:
        """Switches the supply off, gives the monitor back to its buttons, closes the port; a second call does nothing."""
        if self._ended:
            return
        try:
            if self._acquired is not None:
                with contextlib.suppress(PowerError, PowerTraceError):
                    self.stop()
            for command in ("pwr off", "hrc"):
                with contextlib.suppress(PowerError, LinkError):
                    self._ask(command)
        finally:
            self._end()

    def __enter__(self) -> Lpm01a:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # --- questions and answers --------------------------------------------------------------------------------------------------
    def _quiet(self) -> None:
        """Ends what an interrupted run left behind: an acquisition that still streams, words in the buffer."""
        self._send("")
        self._send("stop")
        end = Deadline(COMMAND_S)
        with self._changed:
            while not end.expired:
                self._answers.clear()
                if not self._changed.wait(_READ_S * 4):
                    return
        raise PowerError(f"the {self.name} does not stop speaking", why=f"it was told to stop {COMMAND_S:g} s ago", hint=_HINT)

    def _ask(self, command: str) -> str:
        """What stands after the command in its answer, and the answer's next line."""
        self._send(command)
        answer = self._await(lambda line: command in line and line.startswith(("ack", "error")), COMMAND_S, f"answer {command!r}")
        if answer.startswith("error"):
            with contextlib.suppress(PowerError):
                answer = self._await(lambda line: line.startswith("Error detail"), COMMAND_S, "explain an error")
            raise PowerError(f"the {self.name} refuses {command!r}", why=answer.removeprefix("Error detail:").strip(), hint=_HINT)
        rest = answer.partition(command)[2].strip()
        return rest or (self._next_line() if command.endswith("get") else "")

    def _next_line(self) -> str:
        with contextlib.suppress(PowerError):
            return self._await(bool, COMMAND_S, "say more")
        return ""

    def _send(self, command: str) -> None:
        with self._changed:
            if self._broken is not None:
                raise self._broken
            self._answers.clear()
        self._keep(f"\n# {command}\n".encode())
        self._link.write(f"{command}\r\n".encode())

    def _await(self, wanted: object, seconds: float, what: str) -> str:
        assert callable(wanted)
        end = Deadline(seconds)
        seen: deque[str] = deque(maxlen=3)
        with self._changed:
            while True:
                while self._answers:
                    line = self._answers.popleft()
                    if wanted(line):
                        return line
                    if line:
                        seen.append(line)
                if self._broken is not None:
                    raise self._broken
                if end.expired:
                    raise PowerError(
                        f"the {self.name} did not {what} within {seconds:g} s",
                        why=f"it said {' | '.join(seen)[:200]!r}" if seen else "it said nothing",
                        hint=_HINT,
                    )
                self._changed.wait(min(0.1, end.remaining))

    # --- the reader's thread ----------------------------------------------------------------------------------------------------
    def _read(self) -> None:
        lines = LineSplitter()
        while not self._ended:
            try:
                data = self._link.read(Deadline(_READ_S))
            except LinkError as error:
                with self._changed:
                    self._broken = error
                    self._changed.notify_all()
                return
            if data:
                self._keep(data)
                self._hear(lines.feed(data))

    def _hear(self, lines: list[str]) -> None:
        with self._changed:
            for line in lines:
                if self._acquired is None or not self._acquired.take(line):
                    self._answers.append(line)
            self._changed.notify_all()

    def _keep(self, data: bytes) -> None:
        if self._raw is not None and not self._raw.closed:
            with contextlib.suppress(OSError, ValueError):
                self._raw.write(data)

    def _end(self) -> None:
        self._ended = True
        self._reader.join(2.0)
        with contextlib.suppress(LinkError):
            self._link.close()
        if self._raw is not None:
            self._raw.close()


def voltage_of(text: str) -> float:
    """Volts of an answer: ``1800m``, ``1800-03``, ``1.8``.

    Raises:
        PowerError: none stands in it.
    """
    found = _NUMBER.search(text)
    if found is None:
        raise PowerError("the X-NUCLEO-LPM01A does not say its voltage", why=f"it said {text[:60]!r}", hint=_HINT)
    scale = found[2] or "+00"
    return float(found[1]) * (1e-3 if scale == "m" else 10.0 ** int(scale))


def open_lpm01a(port: str, voltage_v: float, raw: Path | None = None) -> Lpm01a:
    """The monitor at a port, opened for this process alone.

    Raises:
        As :class:`Lpm01a` and :class:`~cm4tiny.boards.links.SerialLink`.
    """
    link = SerialLink(port, baud=BAUD)
    try:
        return Lpm01a(link, voltage_v, raw)
    except BaseException:
        with contextlib.suppress(LinkError):
            link.close()
        raise
