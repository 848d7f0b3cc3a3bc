# SPDX-License-Identifier: Apache-2.0
"""How fast the virtual board runs, and how far the fast phase's cycle counts are from the exact simulation.

For each benchmark: firmware is built from a model, one sample is loaded, inferences are run on two boards, one exact, one not.
Speed is virtual seconds per second of processor time. Run it on a quiet machine:

    python benchmarks/emulator_speed.py [--models FOLDER] [ad ic kws vww]

FOLDER holds ad.tflite, ic.tflite, kws.tflite, vww.tflite; without it the embedded models are used.
"""

from __future__ import annotations

import argparse
import random
import struct
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks import Benchmark, embedded_model, get_benchmark
from cm4tiny.boards import VirtualBoard
from cm4tiny.deadline import Deadline
from cm4tiny.firmware.build_spec import BuildSpec
from cm4tiny.firmware.engines.catalogue import MICROTVM
from cm4tiny.verification import build

READY = b"m-ready\r\n"
PROFILED_CYCLES = 50_000_000
MEASURED_CYCLES = 360_000_000


@dataclass(frozen=True)
class Run:
    """One command: cycles it took, virtual and processor seconds."""

    cycles: int
    virtual_s: float
    host_s: float

    @property
    def speed(self) -> float:
        return self.virtual_s / self.host_s


def command(board: VirtualBoard, text: str) -> Run:
    cycles, virtual_s, host_s = board.cycles, board.time_s, time.process_time() + board.processor_s
    if text:
        board.link.write(text.encode() + b"%")
    deadline, output = Deadline(1000.0, board.link.clock), b""
    while READY not in output:
        part = board.link.read(deadline)
        if not part:
            raise SystemExit(f"no answer to {text[:30]!r}")
        output += part
    return Run(board.cycles - cycles, board.time_s - virtual_s, time.process_time() + board.processor_s - host_s)


def sample(benchmark: Benchmark, seed: int) -> bytes:
    chance = random.Random(seed)
    if benchmark.input_kind == "float32":
        return b"".join(struct.pack("<f", chance.gauss(-5, 10)) for _ in range(benchmark.input_bytes // 4))
    return chance.randbytes(benchmark.input_bytes)


def load(board: VirtualBoard, benchmark: Benchmark, seed: int) -> None:
    data = sample(benchmark, seed)
    command(board, f"db load {len(data)}")
    for start in range(0, len(data), 500):
        command(board, "db " + data[start : start + 500].hex())


def measure(elf: Path, benchmark: Benchmark, *, exact: bool) -> tuple[float, Run]:
    """Cycles of one inference, and a command of three virtual seconds, with another input than the one that was profiled."""
    with VirtualBoard(elf, exact=exact) as board:
        command(board, "")
        load(board, benchmark, 1)
        one = command(board, "infer 2 0").cycles - command(board, "infer 1 0").cycles
        command(board, f"infer {PROFILED_CYCLES // one + 1} 0")
        load(board, benchmark, 2)
        inferences = MEASURED_CYCLES // one + 1
        fast = command(board, f"infer {inferences} 0")
        return fast.cycles / inferences, fast


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path)
    parser.add_argument("benchmarks", nargs="*", default=["ad", "ic", "kws", "vww"])
    options = parser.parse_args()
    print("| benchmark | Mcycles per inference | exact simulation | fast phase | error of the fast phase |")
    print("|---|---|---|---|---|")
    for name in options.benchmarks:
        benchmark = get_benchmark(name)
        model = options.models / f"{name}.tflite" if options.models else embedded_model(name)
        with tempfile.TemporaryDirectory() as folder:
            image = build(BuildSpec(name, MICROTVM, "performance", str(model)), Path(folder))
            one, fast = measure(image.elf, benchmark, exact=False)
            _, exact = measure(image.elf, benchmark, exact=True)
        print(
            f"| {name} | {one / 1e6:.2f} | {exact.speed:.2f}x | {fast.speed:.2f}x | {100 * abs(fast.cycles / exact.cycles - 1):.4f} % |",
            flush=True,
        )


if __name__ == "__main__":
    main()
