# SPDX-License-Identifier: Apache-2.0
"""A scripted device under test: speaks the protocol of the reference firmware on a clock of its own, with faults on demand."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from cm4tiny.benchmarks import Benchmark, DataSet, get_benchmark
from cm4tiny.deadline import Deadline
from cm4tiny.errors import LinkError

FIXED_NOW = datetime(2026, 1, 2, 3, 4, 5)


def softmax_like(benchmark: Benchmark, data: bytes) -> tuple[float, ...]:
    """Results that depend on every byte of the input; the first byte is the class."""
    if benchmark.results == 1:
        return (round(float(np.frombuffer(data, "<f4").mean()), 3),)
    spread = (sum(data) % 97) / 1000.0
    values = [round(spread / benchmark.results, 3)] * benchmark.results
    values[data[0] % benchmark.results] = round(1.0 - spread, 3)
    return tuple(values)


@dataclass
class Faults:
    """What goes wrong. Counters count commands of the kind, from 1."""

    silent_after: int | None = None  # commands answered before the device falls silent
    noise: bool = False  # answers are noise
    endless_line: bool = False  # answers have no line end
    endless_lines: bool = False  # answers never come to m-ready
    damage_every: int | None = None  # every nth db chunk loses a byte on its way
    shorten_every: int | None = None  # every nth db chunk loses a whole byte, which leaves sound hex digits
    drop_every: int | None = None  # every nth db chunk loses its terminator
    flip_every: int | None = None  # every nth db chunk has a changed digit
    reset_at: int | None = None  # the device restarts at this command
    disconnect_at: int | None = None  # the device is gone at this command
    garble_results_at: int | None = None  # this infer's results are damaged
    before: Callable[[int, str], None] = lambda count, command: None  # called before each command


@dataclass
class FakeDut:
    """A link to a device that runs the firmware of one benchmark."""

    benchmark: Benchmark = field(default_factory=lambda: get_benchmark("kws"))
    inference_s: float = 0.05
    energy: bool = False
    running: bool = True  # False: the start-up messages come first
    faults: Faults = field(default_factory=Faults)
    model_id: str = ""
    line_bytes: int = 80
    own: bool = False  # this project's firmware: knows `check` and `db crc`, and long commands
    start_us: int = 1000
    name: str = "fake device"
    results_of: Callable[[Benchmark, bytes], tuple[float, ...]] = softmax_like
    timing: Callable[[int], float] | None = None  # seconds of the nth infer's inferences, by count
    cycle_rate: float = 120e6

    def __post_init__(self) -> None:
        self.now = 0.0
        self.commands: list[str] = []
        self.loads: list[bytes] = []
        self.infers: list[tuple[int, int]] = []
        self.edges: list[float] = []
        self.closed = False
        self._out = bytearray()
        self._in = bytearray()
        self._buffer = bytearray()
        self._size = 0
        self._chunks = 0
        self._answered = 0  # checksum of the last answer
        if self.own:
            self.line_bytes = 1040
        if not self.running:
            self._boot()

    # --- link -----------------------------------------------------------------------------------------------------------------
    def clock(self) -> float:
        return self.now

    def close(self) -> None:
        self.closed = True

    @property
    def cycles(self) -> int:
        return int(self.now * self.cycle_rate)

    def read(self, deadline: Deadline) -> bytes:
        if self.faults.noise and self.commands:
            self.now += 0.01
            return bytes((i * 37 + 128) & 0xFF for i in range(50))
        if self._out:
            data, self._out = bytes(self._out[:97]), self._out[97:]
            return data
        if self.faults.endless_line and self.commands:
            self.now += 0.001
            return b"x" * 1000
        if self.faults.endless_lines and self.commands:
            return b"debug: all is well\r\n" * 500
        self.now += max(deadline.remaining, 1e-9)
        return b""

    def write(self, data: bytes) -> None:
        self.now += len(data) * 1e-5
        self._in += self._disturbed(data)
        while b"%" in self._in:
            command, _, rest = bytes(self._in).partition(b"%")
            self._in = bytearray(rest)
            self._run(command.decode("latin-1")[: self.line_bytes])

    def _disturbed(self, data: bytes) -> bytes:
        if not (data.startswith(b"db ") and data[3:5] not in (b"lo", b"pr")):
            return data
        self._chunks += 1
        f = self.faults
        if f.damage_every and self._chunks % f.damage_every == 0:
            return data[:5] + data[6:]
        if f.shorten_every and self._chunks % f.shorten_every == 0:
            return data[:3] + data[5:]
        if f.drop_every and self._chunks % f.drop_every == 0:
            return data[:-1]
        if f.flip_every and self._chunks % f.flip_every == 0:
            return data[:3] + (b"0" if data[3:4] != b"0" else b"1") + data[4:]
        return data

    # --- firmware -------------------------------------------------------------------------------------------------------------
    def say(self, text: str) -> None:
        self._out += text.encode("latin-1") + b"\r\n"

    def _boot(self) -> None:
        self.say(f"m-timestamp-mode-{'energy' if self.energy else 'performance'}")
        self._stamp()
        self.say("m-init-done")
        self.say("m-ready")

    def _stamp(self) -> None:
        if self.energy:
            self.edges.append(self.now)
        else:
            self.say(f"m-lap-us-{(self.start_us + round(self.now * 1e6)) % 2**32}")

    def _run(self, command: str) -> None:
        self.commands.append(command)
        count = len(self.commands)
        self.faults.before(count, command)
        if self.faults.disconnect_at is not None and count >= self.faults.disconnect_at:
            raise LinkError("the device is gone", hint="plug it in")
        if self.faults.silent_after is not None and count > self.faults.silent_after:
            return
        if self.faults.reset_at == count:
            self._boot()
            return
        if self.own and command == "check":
            self.say(f"m-check-{self._answered:08x}-{self.line_bytes}")
        else:
            before = len(self._out)
            self._answer(command.split(" "))
            self._answered = zlib.crc32(self._out[before:])
        self.say("m-ready")

    def _answer(self, words: list[str]) -> None:
        if words == ["name"]:
            self.say("m-name-dut-[fake]")
        elif words == ["profile"]:
            self.say("m-profile-[ULPMark for tinyML Firmware V0.0.1]")
            self.say(f"m-model-[{self.model_id or self.benchmark.model_id}]")
        elif words == ["timestamp"]:
            self._stamp()
        elif words[0] == "db" and len(words) > 1:
            self._db(words[1:])
        elif words[0] == "infer":
            self._infer(int(words[1]), int(words[2]) if len(words) > 2 else 10)
        elif words == ["results"]:
            self._results()
        else:
            self.say(f"e-[Unknown command: {words[0]}]")

    def _db(self, words: list[str]) -> None:
        if words[0] == "load":
            self._size, self._buffer = int(words[1]), bytearray()
            if self._size > 96 * 96 * 3:
                self._out += f"Supplied buffer size {self._size} exceeds maximum of {96 * 96 * 3}\n".encode()
            else:
                self.say(f"m-[Expecting {self._size} bytes]")
        elif words[0] == "print":
            for start in range(0, len(self._buffer), 8):
                self.say("m-buffer-" + self._buffer[start : start + 8].hex("-"))
        elif words == ["crc"] and self.own:
            self.say(f"m-buffer-crc-{zlib.crc32(self._buffer):08x}")
        elif len(words[0]) % 2:
            self.say("e-[Insufficent number of hex digits]")
        else:
            try:
                data = bytes.fromhex(words[0])
            except ValueError:
                self.say("e-[Invalid hex digit 'xx']")
                return
            self._buffer += data[: self._size - len(self._buffer)]
            if len(self._buffer) == self._size:
                self.loads.append(bytes(self._buffer))
                self.say("m-load-done")

    def _infer(self, n: int, warmups: int) -> None:
        self.infers.append((n, warmups))
        each = self.timing(len(self.infers)) if self.timing else self.inference_s
        self.say(f"m-warmup-start-{warmups}")
        self.now += each * warmups
        self.say("m-warmup-done")
        self.say(f"m-infer-start-{n}")
        self._stamp()
        self.now += each * n
        self._stamp()
        self.say("m-infer-done")
        self._results()

    def _results(self) -> None:
        if self.faults.garble_results_at == len(self.infers):
            self.say("m-results-[0.1,0.x]")
            return
        values = self.results_of(self.benchmark, bytes(self._buffer))
        self.say("m-results-[" + ",".join(f"{value:.3f}" for value in values) + "]")


def make_data_set(root: Path, benchmark_id: str, files: int) -> DataSet:
    """A small data set; the class of each sample is in its first byte, so that :func:`softmax_like` gets most of them right."""
    benchmark = get_benchmark(benchmark_id)
    root.mkdir(parents=True, exist_ok=True)
    lines = []
    generator = np.random.default_rng(7)
    for index in range(files):
        name = f"sample_{index:03d}.bin"
        label = index % benchmark.classes
        if benchmark.stride_bytes:
            frames = generator.normal(3.0 + label + (index % 3), 0.5, size=(128 * 7,)).astype("<f4")
            (root / name).write_bytes(frames.tobytes())
            lines.append(f"{name},{benchmark.classes},{label},{benchmark.input_bytes},{benchmark.stride_bytes}")
        else:
            body = generator.integers(0, 256, benchmark.input_bytes, dtype=np.uint8).tobytes()
            shown = label if index % 5 else (label + 1) % benchmark.classes
            (root / name).write_bytes(struct.pack("B", shown) + body[1:])
            lines.append(f"{name},{benchmark.classes},{label}")
    (root / "y_labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return DataSet.open(root, benchmark)
