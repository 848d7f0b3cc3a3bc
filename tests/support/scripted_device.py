# SPDX-License-Identifier: Apache-2.0
"""A device under test without hardware, emulator or waiting: what the firmware does with every byte, on a clock of its own.

Two dialects: ``"own"`` is ``firmware/harness`` of this repository; ``"reference"`` is the public API of MLPerf Tiny (``mlcommons/tiny``:
``benchmark/api/internally_implemented.cpp``) with its command buffer of 80 characters, its silence about missing bytes and its raw echo.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cm4tiny.deadline import Deadline

BYTE_S = 10 / 115200
OWN_COMMAND, REFERENCE_COMMAND = 1040, 80


def hashed_softmax(data: bytes, count: int) -> tuple[str, ...]:
    """Printed probabilities that depend on every byte and on their order; they add up to 1."""
    digest = hashlib.sha256(data).digest()
    weights = [1 + digest[i] for i in range(count)]
    parts = [round(1000 * w / sum(weights)) for w in weights]
    parts[digest[-1] % count] += 1000 - sum(parts)
    return tuple(f"{p / 1000:.3f}" for p in parts)


@dataclass
class ScriptedDevice:
    """A link to such a device.

    Attributes:
        dialect: ``"own"`` or ``"reference"``.
        energy: an energy image: time stamps are edges on a pin.
        disturb: what happens to bytes on the line: (direction, bytes) -> bytes; direction is ``"to"`` or ``"from"`` the device.
        rate: how fast the device's clock runs.
        start_us: what its clock says when it starts.
        command_size: characters that a command of the own dialect may have.
        failure: why its model cannot be set up, or an empty text.
        edit: what becomes of the lines of an answer on their way: (command, lines) -> lines.
        edges: times of the time stamps of an energy image.
        laps: the pairs of time stamps that were printed.
        infers: measured and unmeasured inferences of each ``infer`` that ran.
    """

    model_id: str = "kws01"
    input_bytes: int = 24
    results: int = 3
    inference_s: float = 0.05
    dialect: str = "own"
    energy: bool = False
    running: bool = True
    disturb: Callable[[str, bytes], bytes] = lambda direction, data: data
    rate: float = 1.0
    start_us: int = 1000
    command_size: int = OWN_COMMAND
    failure: str = ""
    edit: Callable[[str, list[bytes]], list[bytes]] = lambda command, lines: lines
    name: str = "scripted device"
    edges: list[float] = field(default_factory=list)
    laps: list[tuple[int, int]] = field(default_factory=list)
    infers: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = 0.0  # host
        self.time = 0.0  # device: busy until then
        self.said = 0
        self._out: deque[tuple[float, bytes]] = deque()
        self._line = bytearray()
        self._too_long = False
        self._memory = bytearray(2 * self.input_bytes + 8)
        self._level = self._size = 0
        self._output: tuple[str, ...] = ()
        self._tensor = bytes(self.input_bytes)
        self._sum = self._last_sum = 0
        if not self.running:
            self.restart()

    # --- link -----------------------------------------------------------------------------------------------------------------
    def clock(self) -> float:
        return self.now

    def close(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        data = self.disturb("to", data)
        self.now += len(data) * BYTE_S
        self.time = max(self.time, self.now)
        for byte in data:
            self._receive(byte)

    def read(self, deadline: Deadline) -> bytes:
        end = self.now + deadline.remaining
        while self._out and self._out[0][0] <= end:
            at, data = self._out.popleft()
            self.now = max(self.now, at)
            data = self.disturb("from", data)
            if data:
                return data
        self.now = max(end, self.now + 1e-9)
        return b""

    @property
    def cycles(self) -> int:
        return round(self.now * 120e6)

    # --- firmware -------------------------------------------------------------------------------------------------------------
    def say(self, text: str, end: str = "\r\n") -> None:
        data = (text + end).encode("latin-1")
        self._sum = zlib.crc32(data, self._sum)
        self.time += len(data) * BYTE_S
        self._out.append((self.time, data))

    def restart(self) -> None:
        if self.failure:
            self.say(f"e-[The model cannot be set up: {self.failure}]")
        self.say(f"m-timestamp-mode-{'energy' if self.energy else 'performance'}")
        self._stamp()
        self.say("m-init-done")
        self.say("m-ready")

    def _stamp(self) -> int:
        us = (self.start_us + round(self.time * self.rate * 1e6)) % 2**32
        if self.energy:
            self.edges.append(self.time)
        else:
            self.say(f"m-lap-us-{us}")
        return us

    def _receive(self, byte: int) -> None:
        own = self.dialect == "own"
        if byte == ord("%"):
            self._complete()
        elif own and byte in b"\r\n\0":
            return
        elif own and len(self._line) < self.command_size:
            self._line.append(byte)
        elif own:
            self._too_long = True
        elif len(self._line) < REFERENCE_COMMAND - 1:
            self._line.append(byte)
        else:
            self._line[-1] = byte  # the API: the rest overwrites the last character

    def _complete(self) -> None:
        command, self._line = self._line.decode("latin-1"), bytearray()
        before = len(self._out)
        self._answer(command)
        lines = [self._out.pop() for _ in range(len(self._out) - before)][::-1]
        edited = self.edit(command, [data for _, data in lines])
        times = [at for at, _ in lines] + [self.time] * len(edited)
        self._out.extend(zip(times, edited, strict=False))

    def _answer(self, command: str) -> None:
        too_long, self._too_long = self._too_long, False
        if self.dialect == "own" and command == "check" and not too_long:
            self.say(f"m-check-{self._last_sum:08x}-{self.command_size}")
        else:
            self._sum = 0
            if too_long:
                self.say(f"e-[Command longer than {self.command_size} characters, ignored]")
            else:
                self._obey([word for word in command.split(" ") if word])
            self._last_sum = self._sum
        self.say("m-ready")

    def _obey(self, words: Sequence[str]) -> None:
        word = words[0] if words else ""
        if word == "name":
            self.say(f"m-name-dut-[{self.dialect}]")
        elif word == "timestamp":
            self._stamp()
        elif word == "profile":
            self.say("m-profile-[ULPMark for tinyML Firmware V0.0.1]")
            self.say(f"m-model-[{self.model_id}]")
        elif word == "results":
            self._print_results()
        elif word == "db":
            self._db(words[1:])
        elif word == "infer":
            self._infer(words[1:])
        elif word == "reset" and self.dialect == "own":
            self.restart()
        else:
            shown = "".join(c if " " <= c <= "~" else "?" for c in word[:80])
            self._refuse(f"'{shown}' is not a command", f"Unknown command: {word}")

    def _refuse(self, ours: str, theirs: str) -> None:
        """An error in the words of this project's firmware, or of the public API's."""
        self.say(f"e-[{ours if self.dialect == 'own' else theirs}]")

    def _db(self, words: Sequence[str]) -> None:
        own = self.dialect == "own"
        if not words:
            self._refuse("db: 'load', 'print' or data missing", "Command 'db' requires a subcommand")
        elif words[0] == "load":
            self._load(words[1:])
        elif words[0] == "print":
            for start in range(0, self._size, 8):
                self.say("m-buffer-" + bytes(self._memory[start : min(start + 8, self._size)]).hex("-"))
            if self._size % 8:
                self.say("")
        elif words[0] == "crc" and own:
            self.say(f"m-buffer-crc-{zlib.crc32(self._memory[: self._level]):08x}")
        elif len(words[0]) % 2:
            self._refuse("db: the last byte has one digit", "Insufficent number of hex digits")
        else:
            self._append(words[0])

    def _load(self, words: Sequence[str]) -> None:
        if not words:
            self._refuse("db load: the number of bytes is missing", "Command 'db load' requires the # of bytes")
            return
        size = atoi(words[0])
        self._level = self._size = 0
        if size <= 0:
            self._refuse("db load: N must be a number above 0", "Command 'db load' must be >0 bytes")
        elif size > self.input_bytes:
            ours = f"e-[db load: {size} bytes, but the input has only {self.input_bytes}]"
            self.say(ours if self.dialect == "own" else f"Supplied buffer size {size} exceeds maximum of {self.input_bytes}")
        else:
            self._size = size
            self.say(f"m-[Expecting {size} bytes]")

    def _append(self, digits: str) -> None:
        own = self.dialect == "own"
        pairs = [digits[i : i + 2] for i in range(0, len(digits), 2)]
        bad = next((pair for pair in pairs if not all(c in "0123456789abcdefABCDEF" for c in pair)), None)
        if own and bad is not None:
            self.say(f"e-[db: '{bad}' is not a byte]")
            return
        if own and self._level >= self._size:
            self.say("e-[db: more bytes than announced, begin again with 'db load N']")
            return
        for pair in pairs:
            if pair == bad:
                self.say(f"e-[Invalid hex digit '{bad}']")
                return
            if self._level == len(self._memory):
                return  # the API writes on behind its buffer
            self._memory[self._level] = int(pair, 16)
            self._level += 1
            if self._level == self._size:
                self.say("m-load-done")
                return

    def _infer(self, words: Sequence[str]) -> None:
        n = atoi(words[0]) if words else 1
        warmups = atoi(words[1]) if len(words) > 1 else 10
        if self.failure:
            self.say(f"e-[The model cannot be set up: {self.failure}]")
            return
        if n <= 0:
            self._refuse("infer: N must be a number above 0", "Inference iterations must be >0")
            return
        if warmups < 0:
            self._refuse("infer: W must not be negative", "Inference warmup must be >=0")
            return
        if self._level != self.input_bytes:
            if self.dialect == "own":
                self.say(f"e-[infer: {self._level} of {self.input_bytes} bytes of input are loaded]")
                return
            self.say(f"Input db has {self._level} elemented, expected {self.input_bytes}")
        else:
            self._tensor = bytes(self._memory[: self._level])
        self.infers.append((n, warmups))
        self.say(f"m-warmup-start-{warmups}")
        self.time += warmups * self.inference_s
        self.say("m-warmup-done")
        self.say(f"m-infer-start-{n}")
        start = self._stamp()
        self.time += n * self.inference_s
        self.laps.append((start, self._stamp()))
        self.say("m-infer-done")
        self._output = hashed_softmax(self._tensor, self.results)
        self._print_results()

    def _print_results(self) -> None:
        if not self._output:
            self.say("e-[No inference has been run]" if self.dialect == "own" else f"m-results-[{','.join(['0.000'] * self.results)}]")
            return
        self.say(f"m-results-[{','.join(self._output)}]")


def atoi(text: str) -> int:
    """C's ``atoi``, saturated to 32 bits as the harness does."""
    digits = text[1:] if text[:1] in "+-" else text
    length = next((i for i, c in enumerate(digits) if c not in "0123456789"), len(digits))
    value = int(digits[:length] or "0") * (-1 if text[:1] == "-" else 1)
    return max(-(2**31), min(2**31 - 1, value))
