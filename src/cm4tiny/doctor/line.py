# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a serial line and with the firmware at its other end.

The order is that of EEMBC's runner README ("UART Device Detection"), done by a program: listen, ask ``name%``, try the usual speeds, ask it
eight times in a row, load and read back what a run would load. Each step decides one thing; the first that fails names the fault.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cm4tiny.boards.commands import TERMINATOR
from cm4tiny.boards.links import Link, SerialLink
from cm4tiny.deadline import Deadline
from cm4tiny.doctor.finding import BenchCheck, BenchFinding, found
from cm4tiny.errors import Cm4TinyError, LinkError, ProtocolError
from cm4tiny.runner.dut import Dut
from cm4tiny.runner.loading import SAFE_CHUNK_BYTES
from cm4tiny.runner.retry import DAMAGE

SPEEDS = (115200, 9600, 921600, 460800, 230400, 57600, 38400, 19200)
"""Speeds that benchmark firmware was published with, the most common first."""
BURST = 8
"""How often ``name%`` is asked in a row: EEMBC's number."""
LOADS = 6
LOAD_BYTES = 2 * SAFE_CHUNK_BYTES
LONG_BYTES = 128
"""Data bytes of a line that does not fit a command buffer of 80 characters."""
TEXT_SHARE = 0.8
"""So many of the bytes are printable if what came is text."""
_READY = b"m-ready"
_NAME = b"name" + TERMINATOR
_BOOT = (b"m-init-done", b"m-timestamp-mode")
_MOST = 4096

OpenLink = Callable[[str, int], Link]


@dataclass(frozen=True)
class Waits:
    """How long each step waits, in seconds: for words that nobody asked for, for an answer, for an answer at a speed that is tried,
    and for what firmware says when it starts, which had its time before."""

    listen_s: float = 0.5
    answer_s: float = 1.5
    sweep_s: float = 0.6
    boot_s: float = 0.2


def open_serial(port: str, baud: int) -> Link:
    """The port, opened for this process alone."""
    return SerialLink(port, baud=baud)


@dataclass(frozen=True)
class LineQuestion:
    """What is examined.

    Attributes:
        port: device or URL.
        baud: the speed that a run would use.
        adapter: the port is that of a serial adapter on the board's pins, whose wires can be swapped.
        expect: ``performance``, ``energy``, or empty if any image is right.
    """

    port: str
    baud: int
    adapter: bool = False
    expect: str = ""


def examine_line(question: LineQuestion, opener: OpenLink = open_serial, waits: Waits | None = None) -> BenchCheck:
    """Examines a port: at most one finding about the line, one about its firmware, and notes.

    The port must be free; it is closed again.
    """
    return _Examination(question, opener, waits or Waits()).check()


class _Examination:
    def __init__(self, question: LineQuestion, opener: OpenLink, waits: Waits) -> None:
        self.question, self.opener, self.waits = question, opener, waits
        self.port = question.port

    def check(self) -> BenchCheck:
        name = f"serial line {self.port}"
        findings: list[BenchFinding] = []
        note = ""
        try:
            baud = self._speed(findings)
            if any(finding.id == "line.chatter" for finding in findings):
                note = "the firmware was not examined, since words without a question spoil its answers"
            elif baud and not any(finding.kind.severity == "error" for finding in findings):
                note = self._firmware(baud, findings)
        except LinkError as error:
            findings.append(found("line.cannot-open", self.port, f"{error.what}: {error.why}"))
        return BenchCheck(name, tuple(findings), note)

    # --- the line ---------------------------------------------------------------------------------------------------------------
    def _speed(self, findings: list[BenchFinding]) -> int:
        """The speed at which the board answers; 0 if there is none."""
        with self._opened(self.question.baud) as link:
            unasked = self._unasked(link)
            if unasked:
                findings.append(found("line.chatter", self.port, f"{unasked} came in {self.waits.listen_s:g} s"))
            first = self._name(link, self.waits.answer_s)
            if _is_answer(first):
                return self.question.baud
            second = self._name(link, self.waits.answer_s)
            if _is_answer(second):
                findings.append(found("line.stuck-byte", self.port, f"the first name% was answered with {_shown(first)}"))
                return self.question.baud
        other = self._sweep()
        if other:
            why = f"name% is answered at {other} baud, and not at {self.question.baud}"
            findings.append(found("line.wrong-speed", self.port, why, found=other, asked=self.question.baud))
        else:
            findings[:] = [self._no_answer(first + second)]
        return 0

    def _unasked(self, link: Link) -> str:
        """What came without a question, if it does not stop; what firmware says when it starts is none of that."""
        first = self._heard(link, self.waits.listen_s)
        if not first or any(word in first for word in _BOOT):
            return ""
        again = self._heard(link, self.waits.listen_s)
        return f"{_shown(again)}" if again else ""

    def _sweep(self) -> int:
        for baud in SPEEDS:
            if baud == self.question.baud:
                continue
            with self._opened(baud) as link:
                link.write(TERMINATOR)  # ends what the wrong speed left in the device's command buffer
                self._heard(link, self.waits.sweep_s / 4)
                if _is_answer(self._name(link, self.waits.sweep_s)):
                    return baud
        return 0

    def _no_answer(self, heard: bytes) -> BenchFinding:
        if not heard:
            return found("line.swapped" if self.question.adapter else "line.silent", self.port, f"name% was asked at {_listed()} baud")
        if heard.replace(_NAME, b"").strip() == b"":
            return found("line.echo", self.port, f"name% was answered with {_shown(heard)}")
        if _is_text(heard):
            return found("line.other-firmware", self.port, f"name% was answered with {_shown(heard)}")
        return found("line.noise", self.port, f"name% was answered with {_shown(heard)}")

    def _name(self, link: Link, seconds: float) -> bytes:
        self._drop(link)
        link.write(_NAME)
        heard = b""
        deadline = Deadline(seconds, link.clock)
        while not deadline.expired and len(heard) < _MOST:
            heard += link.read(deadline)
            if _READY in heard:
                break
        return heard

    def _heard(self, link: Link, seconds: float) -> bytes:
        heard, deadline = b"", Deadline(seconds, link.clock)
        while not deadline.expired and len(heard) < _MOST:
            heard += link.read(deadline)
        return heard

    @staticmethod
    def _drop(link: Link) -> None:
        discard = getattr(link, "discard_input", None)
        if discard is not None:
            discard()

    @contextlib.contextmanager
    def _opened(self, baud: int) -> Iterator[Link]:
        link = self.opener(self.port, baud)
        try:
            yield link
        finally:
            with contextlib.suppress(LinkError):
                link.close()

    # --- the firmware -----------------------------------------------------------------------------------------------------------
    def _firmware(self, baud: int, findings: list[BenchFinding]) -> str:
        """What runs on the board, for a note; appends what is wrong with it."""
        with self._opened(baud) as link:
            if any(finding.id == "line.stuck-byte" for finding in findings):
                self._name(link, self.waits.answer_s)
            lost = self._burst(link)
            if lost:
                findings.append(found("line.drops", self.port, lost))
                return ""
            dut = Dut(link, chunk_bytes=SAFE_CHUNK_BYTES)
            try:
                identity = dut.connect(boot_s=self.waits.boot_s)
                lost = self._loads(dut)
                if lost:
                    findings.append(found("line.drops", self.port, lost))
                    return identity.model_id
                findings += self._small_buffer(link, dut)
                image = "performance" if dut.timestamp() is not None else "energy"
            except Cm4TinyError as error:
                findings.append(found("line.drops", self.port, f"{error.what}: {error.why}"))
                return ""
        if self.question.expect not in ("", image):
            why = f"it answers 'timestamp' {'with' if image == 'performance' else 'without'} m-lap-us"
            findings.append(found(f"firmware.{image}-image", self.port, why))
        return f"{identity.name}, {identity.model_id}, {image} image, {identity.profile}, {baud} baud"

    def _burst(self, link: Link) -> str:
        """What was wrong with eight answers in a row, which must be equal; empty if nothing was."""
        answers = [self._name(link, self.waits.answer_s) for _ in range(BURST)]
        whole = [answer for answer in answers if _is_answer(answer)]
        common = max(set(answers), key=answers.count)
        odd = [answer for answer in answers if answer != common]
        if len(whole) == BURST and not odd:
            return ""
        return f"{len(odd) or BURST - len(whole)} of {BURST} answers to name% differ: {_shown((odd or answers)[0])}"

    def _loads(self, dut: Dut) -> str:
        """What was wrong with loads of random bytes; the runner would repeat such a load, and the doctor counts it."""
        bits = random.Random(1)
        try:
            for _ in range(LOADS):
                dut.load(bits.randbytes(LOAD_BYTES))
        except ProtocolError as error:
            return f"{error.what} ({error.why})"
        counts = dut.statistics
        if counts.load_restarts or counts.resyncs > 1 or counts.repeats:
            return f"{counts.load_restarts} of {LOADS} loads of {LOAD_BYTES} bytes had to start again"
        return ""

    def _small_buffer(self, link: Link, dut: Dut) -> list[BenchFinding]:
        """Whether a line that is longer than the reference's command buffer arrives whole."""
        data = bytes(range(LONG_BYTES))
        answers = []
        for command in (f"db load {LONG_BYTES}", f"db {data.hex()}"):
            self._drop(link)
            link.write(command.encode() + TERMINATOR)
            heard, deadline = b"", Deadline(self.waits.answer_s, link.clock)
            while _READY not in heard and not deadline.expired and len(heard) < _MOST:
                heard += link.read(deadline)
            answers.append(heard)
        taken = b"m-load-done" in answers[1] and b"e-[" not in answers[1]
        if not taken:
            with contextlib.suppress(*DAMAGE):
                dut.recover()
            why = f"a command of {3 + 2 * LONG_BYTES} characters was answered with {_shown(answers[1])}"
            return [found("line.small-buffer", self.port, why)]
        return []


def _is_answer(heard: bytes) -> bool:
    return b"m-name-dut-[" in heard and _READY in heard


def _is_text(heard: bytes) -> bool:
    printable = sum(32 <= byte < 127 or byte in b"\r\n\t" for byte in heard)
    return printable >= TEXT_SHARE * len(heard)


def _shown(heard: bytes) -> str:
    return f"{len(heard)} bytes, {heard[:60]!r}" if heard else "nothing"


def _listed() -> str:
    return ", ".join(map(str, SPEEDS))
