# SPDX-License-Identifier: Apache-2.0
"""Random firmware that means no good, and a process that runs it on the native machine: peripheral storms, DMA, random code, wild vectors,
and what hostile_fragments.py aims at single parts of the machine.

    PYTHONPATH=src:tests python -m support.hostile_firmware --first 0 --count 100000 --jobs 2 --sanitize

runs firmwares 0 to 99,999 under the sanitizers, shows progress, and ends with exit status 1 if one of them crashed, hung, or raised what is
not this project's error. The number of a firmware is its seed: ``--first N --count 1`` runs that one again. Twenty in a row run on one
machine, since making a machine takes longer than running a firmware; so those of the same twenty before it run again, too.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import queue
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from support.hostile_fragments import AIMED, constant
from support.hostile_loops import FUNCTION, looping

if "ASAN_OPTIONS" in os.environ:
    os.RTLD_DEEPBIND = 0  # capstone's loader asks for it, and AddressSanitizer does not support it

from cm4tiny.boards.virtual.cycle_model import CycleModel
from cm4tiny.boards.virtual.machine import StopReason
from cm4tiny.boards.virtual.native import NativeMachine
from cm4tiny.errors import Cm4TinyError

ROOT = Path(__file__).parents[2]
FLASH, ALIAS, RAM, RAM2, SYSTEM = 0x08000000, 0, 0x20000000, 0x10000000, 0x1FFF0000
CODE, HANDLERS, FLASH_BYTES, VECTORS = 0x200, 0x2000, 0x4000, 111
HANG_S = 20
"""Of processor time. No firmware here runs for more than some milliseconds of virtual time."""
GROUP = 20
"""So many firmwares run on one machine."""
MOST_FAILURES = 20
"""A campaign ends then."""
PROVEN: list[int] = []
"""Calls that were advanced so far by the machine of each firmware that ran in this process: that the campaign reaches the proof at all."""
_DMA = (0x40020000, 0x40020400)
_UARTS = (0x40008000, 0x40013800, 0x40004400, 0x40004800, 0x40004C00, 0x40005000)
_TIMERS = (0x40000000, 0x40000400, 0x40001000, 0x40012C00, 0x40014000, 0x40014800)
_BUSY = (*_DMA, *_DMA, 0x40020800, *_UARTS, *_TIMERS, 0x40015400, 0x40021000, 0x40007000, 0x40022000, 0x40023000, 0x50060800)
_CORE = (0xE000ED00, 0xE000ED00, 0xE000E100, 0xE000E010, 0xE0001000, 0xE000E000, 0xE000EF00, 0xE0042000, 0xE0000000)


class _Writer:
    """Makes fragments of code from one random source."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def register_address(self) -> int:
        c = self.chance
        kind = c.randrange(20)
        if kind < 9:
            return c.choice(_BUSY) + 4 * c.randrange(0, 24)
        if kind < 11:
            return 0x48000000 + 0x400 * c.randrange(9) + 4 * c.randrange(12)
        if kind < 15:
            return c.choice(_CORE) + 4 * c.randrange(0, 80)
        if kind < 16:
            return c.choice((0x42000000, 0x22000000)) + 4 * c.randrange(1 << 22)
        if kind < 17:
            return c.choice((0x40000000, 0x50000000, 0xE0000000)) + 4 * c.randrange(1 << 18)
        if kind < 18:
            return c.choice(_BUSY) + c.randrange(0x400)
        return c.choice((RAM, RAM + 0x9FFF0, RAM2, RAM2 + 0xFFF0, FLASH, ALIAS, SYSTEM, FLASH + 0x1FFFF0)) + c.randrange(32)

    def value(self) -> int:
        c = self.chance
        return c.choice(
            (
                lambda: 0,
                lambda: 1,
                lambda: 0xFFFFFFFF,
                lambda: c.getrandbits(32),
                lambda: c.getrandbits(16),
                lambda: c.randrange(64),
                lambda: 1 << c.randrange(32),
                lambda: c.getrandbits(32) & c.getrandbits(32) & c.getrandbits(32),
                lambda: self.register_address(),
                lambda: RAM + c.randrange(0xA0000),
            )
        )()

    def store(self, address: int, value: int) -> list[int]:
        opcode = self.chance.choice((0x6000, 0x6000, 0x6000, 0x8000, 0x7000))
        return [*constant(6, address), *constant(7, value), opcode | 6 << 3 | 7]

    def all_clocks(self) -> list[int]:
        """Most random firmware would forget them, and its storms would then reach nothing."""
        code = [h for at in (0x48, 0x4C, 0x50, 0x58, 0x5C, 0x60) for h in (*constant(6, 0x40021000 + at), *constant(7, 0xFFFFFFFF), 0x6037)]
        pins = ((0x40007004, 1 << 9), (0x48001820, 8 << 28), (0x48001824, 0x78), (0x48001800, 0xFFFABFFF))
        return [*code, *(h for address, value in pins for h in (*constant(6, address), *constant(7, value), 0x6037))]

    # --- fragments ------------------------------------------------------------------------------------------------------------------

    def storm(self) -> list[int]:
        c = self.chance
        code: list[int] = []
        for _ in range(c.randrange(1, 24)):
            if c.random() < 0.25:
                code += [*constant(6, self.register_address()), c.choice((0x6800, 0x8800, 0x7800)) | 6 << 3 | c.randrange(6)]
            else:
                code += self.store(self.register_address(), self.value())
        return code

    def dma(self) -> list[int]:
        """A channel with all its registers, often aimed at the controller itself or at a UART's data register."""
        c = self.chance
        code: list[int] = []
        for _ in range(c.randrange(1, 4)):
            unit, channel = c.choice(_DMA), c.randrange(7)
            base = unit + 8 + 0x14 * channel
            ends = [self.register_address(), RAM + 4 * c.randrange(64), c.choice(_DMA) + 8 + 0x14 * c.randrange(7), c.choice(_UARTS) + 0x28]
            code += self.store(0x40020800 + 4 * (channel + 7 * (unit == _DMA[1])), c.randrange(24, 40))
            code += self.store(base + 8, c.choice(ends))
            code += self.store(base + 12, c.choice(ends))
            code += self.store(base + 4, c.choice((1, 2, 3, 16, c.getrandbits(16), 0xFFFF, self.value())))
            code += self.store(base, c.getrandbits(15) | 1 | (0x4000 if c.random() < 0.5 else 0))
        for at in range(c.randrange(6)):
            code += self.store(RAM + 4 * at, c.choice((0, 0x4A91, c.getrandbits(15) | 1, self.value())))
        return code

    def duel(self) -> list[int]:
        """Channels that copy memory to memory, each over the registers of another."""
        c = self.chance
        channels = [c.choice(_DMA) + 8 + 0x14 * c.randrange(7) for _ in range(2)]
        code: list[int] = []
        for i, base in enumerate(channels):
            control = 0x4A11 | c.choice((0x80, 0x80, 0xC0, 0xA0, c.getrandbits(8)))
            for k in range(0, 4, 2):
                code += [*constant(6, RAM + 16 * i + 4 * k), *constant(7, c.choice((0, 0, c.getrandbits(15)))), 0x6037]
                code += [*constant(6, RAM + 16 * i + 4 * k + 4), *constant(7, control), 0x6037]
            for offset, value in ((8, channels[1 - i] + c.choice((0, 0, 0, 4))), (12, RAM + 16 * i), (4, c.choice((2, 4, 0xFFFF)))):
                code += [*constant(6, base + offset), *constant(7, value), 0x6037]
            if i:
                code += [*constant(6, base), *constant(7, control), 0x6037]
        return code

    def forged_return(self) -> list[int]:
        """In a handler inside a handler: a return over a frame in which anything may stand."""
        c = self.chance
        frame = RAM + 0x1000 + 8 * c.randrange(64)
        code = [*constant(6, 0xE000ED04), *constant(7, c.choice((1 << 31, 1 << 31, 1 << 28))), 0x6037, 0xBF00]
        for at in range(8):
            code += [*constant(6, frame + 4 * at), *constant(7, c.choice((self.value(), FLASH + HANDLERS))), 0x6037]
        code += [*constant(6, frame + 28), *constant(7, 0x01000000 | c.choice((c.getrandbits(9), c.randrange(120), 0))), 0x6037]
        return [*code, *constant(5, frame), 0x46AD, *constant(5, c.choice((0xFFFFFFF1, 0xFFFFFFF1, 0xFFFFFFF9, 0xFFFFFFE1))), 0x4728]

    def uart(self) -> list[int]:
        c = self.chance
        base = c.choice(_UARTS)
        code = self.store(0x40021088, self.value())
        baud = c.choice((0, 1, 8, c.getrandbits(5), c.getrandbits(20)))
        for offset, value in ((0, c.getrandbits(31)), (8, c.getrandbits(24)), (0x0C, baud), (0x2C, c.getrandbits(4)),
                              (0, c.getrandbits(31) | 0xD), (0x28, c.getrandbits(8)), (8, 0xC0)):  # fmt: skip
            if c.random() < 0.8:
                code += self.store(base + offset, value)
        return code

    def clocks(self) -> list[int]:
        return [h for _ in range(3) for h in self.store(0x40021000 + self.chance.choice((0, 8, 12, 0x88, 0x94)), self.value())]

    def timers(self) -> list[int]:
        c = self.chance
        base = c.choice(_TIMERS)
        code: list[int] = []
        for offset in (0x28, 0x2C, 0x24, 0x34, 0x0C, 0x14, 0x00):
            if c.random() < 0.7:
                code += self.store(base + offset, c.choice((0, 1, 2, 0x1F, 0x8D, self.value())))
        return code + self.store(0xE000E100 + 4 * c.randrange(3), c.getrandbits(32))

    def exceptions(self) -> list[int]:
        """Supervisor calls, masks, stacks, returns to anywhere, from frames that hold anything."""
        c = self.chance
        choices: tuple[Callable[[], list[int]], ...] = (
            lambda: [0xDF00 | c.randrange(256)],
            lambda: [c.choice((0xB672, 0xB662, 0xB671, 0xB661))],
            lambda: [*constant(5, self.value()), 0xF385, 0x8800 | c.choice((0, 5, 8, 9, 16, 17, 18, 19, 20))],
            lambda: [*constant(5, c.choice((RAM, RAM + 0xA0000, RAM + 8, self.value()))), 0x46AD],
            lambda: [*constant(5, 0xFFFFFF00 | c.choice((0xE1, 0xE9, 0xED, 0xF1, 0xF9, 0xFD, c.getrandbits(8)))), 0x4728],
            lambda: self.store(0xE000ED08, c.choice((self.value() & ~0x7F, RAM, FLASH))),
            lambda: self.store(0xE000ED04, 1 << c.choice((25, 26, 27, 28, 31))),
            lambda: self.store(0xE000ED88, c.choice((0, 0xF00000))),
            lambda: self.store(0xE000ED14, self.value()),
            lambda: self.store(0xE000EF00, c.getrandbits(9)),
            lambda: [*constant(5, self.value()), 0xB420, 0xB420],
            lambda: [c.choice((0xBF30, 0xBF20, 0xBF40, 0xBE00, 0xDE00))],
            lambda: [0xED2D, 0x8A00 | c.randrange(1, 17)],
            lambda: self.store(0xE000E010 + 4 * c.randrange(3), c.choice((0, 1, 7, c.getrandbits(8), self.value()))),
        )
        return [h for _ in range(c.randrange(1, 8)) for h in c.choice(choices)()]

    def noise(self) -> list[int]:
        c = self.chance
        wide = tuple(high << 8 for high in (*range(0xE8, 0xF1), 0xF2, 0xF3, 0xF8, 0xF9, 0xFA, 0xFB, 0xFE))
        code: list[int] = []
        for _ in range(c.randrange(1, 40)):
            if c.random() < 0.4:
                code += [c.choice(wide) | c.getrandbits(8 if c.random() < 0.7 else 10), c.getrandbits(16)]
            else:
                code.append(c.getrandbits(16))
        return code

    def changing_code(self) -> list[int]:
        """Code in RAM that is written, run, written again under the same address."""
        c = self.chance
        place = RAM + 0x400 * c.randrange(4) + 2 * c.randrange(8)
        code: list[int] = []
        for _ in range(c.randrange(1, 5)):
            body = [c.choice((0xBF00, 0x3001, 0xEE30, 0xFB90, 0x4770, c.getrandbits(16))) for _ in range(c.randrange(1, 5))] + [0x4770]
            for i, halfword in enumerate(body):
                code += [*constant(6, place + 2 * i), *constant(7, halfword), 0x8000 | 6 << 3 | 7]
            code += [*constant(5, place | 1), 0x47A8]
        return code

    def jump(self) -> list[int]:
        c = self.chance
        ends = (FLASH + 0x1FFFFE, FLASH + 0x1FFFFC, ALIAS + 0x1FFFFE, RAM + 0x9FFFE, RAM2 + 0xFFFE, SYSTEM + 0x7590, SYSTEM + 0xFFFE,
                FLASH + HANDLERS, ALIAS + CODE, 0xFFFFFFFE, 0xE000E000, 0x40020000, self.value())  # fmt: skip
        return [*constant(5, c.choice(ends) | (c.random() < 0.9)), 0x4728]

    def loop(self, body: Sequence[int]) -> list[int]:
        """The body again and again; the counter is a register that the body may destroy."""
        distance = -(len(body) + 3)
        if distance < -1000:
            return list(body)
        return [*constant(4, self.chance.choice((2, 10, 1000))), *body, 0x3C01, 0xD001, 0xE000 | distance & 0x7FF, 0xBF00]


@dataclass(frozen=True)
class Firmware:
    """What goes to flash, and what the host does with the board."""

    flash: bytes
    trace: bool
    calls: bool
    actions: tuple[tuple[str, int], ...] = field(default=())


def firmware(seed: int) -> Firmware:
    """The firmware of this number."""
    chance = random.Random(f"hostile firmware {seed}")
    writer = _Writer(chance)
    fragments = (writer.storm, writer.storm, writer.dma, writer.dma, writer.duel, writer.uart, writer.clocks, writer.timers,
                 writer.exceptions, writer.exceptions, writer.noise, writer.changing_code, writer.jump,
                 *(partial(make, chance) for make in AIMED))  # fmt: skip

    def section(most: int, choices: Sequence[Callable[[], list[int]]]) -> list[int]:
        code = writer.all_clocks() if chance.random() < 0.9 else []
        for _ in range(chance.randrange(1, most)):
            part = chance.choice(choices)()
            code += writer.loop(part) if chance.random() < 0.3 else part
        return code

    image = bytearray(b"\xff" * FLASH_BYTES)
    vectors = [RAM + 8 * chance.randrange(1, 0x14001), FLASH + CODE | 1]
    for _ in range(2, VECTORS):
        vectors.append(chance.choice((FLASH + HANDLERS | 1, FLASH + HANDLERS + 4 | 1, FLASH + HANDLERS + 4 | 1, writer.value())))
    image[: 4 * VECTORS] = struct.pack(f"<{VECTORS}I", *vectors)
    handler_fragments = (*fragments, writer.forged_return, writer.forged_return, writer.forged_return)
    for place, code in (
        (CODE, [*section(8, fragments), 0xE7FE]),
        (HANDLERS, [0x4770, 0xBF00, *section(4, handler_fragments), 0x4770]),
    ):
        room = (HANDLERS if place == CODE else FLASH_BYTES) - place
        data = struct.pack(f"<{len(code)}H", *code)[:room]
        image[place : place + len(data)] = data
    actions = tuple(
        (chance.choice(("run", "run", "run", "skip", "receive", "receive", "play", "reset", "ask")), chance.getrandbits(16))
        for _ in range(chance.randrange(2, 7))
    )
    trace, calls = chance.random() < 0.3, random.Random(f"calls {seed}")
    if calls.random() < 0.4:
        for place, data in zip((CODE, FUNCTION), looping(calls, CODE, writer.noise), strict=True):
            image[place : place + len(data)] = data
    return Firmware(bytes(image), trace, calls.random() < 0.9, actions)


# --- one process that runs some --------------------------------------------------------------------------------------------------------


def _machine(group: int) -> NativeMachine:
    chance = random.Random(f"machine {group}")
    model = CycleModel(profile_min=20_000, profile_max=100_000, unprofiled_window=50_000, unprofiled_limit=1_000)
    return NativeMachine(model, exact=chance.random() < 0.3, baud=chance.choice((None, None, 115200, 9600, 1)), strict=False)


def run_one(machine: NativeMachine, seed: int) -> str:
    """Runs a firmware; how it ended, for the statistics."""
    plan, reason = firmware(seed), StopReason.LIMIT
    machine.write_memory(RAM, bytes(0xA0000))
    machine.write_memory(FLASH, plan.flash)
    machine.reset()
    machine.skip_polls(seed % 4 != 0)
    machine.advance_calls(FLASH + FUNCTION if plan.calls else 0)
    tracing = False
    try:
        if plan.trace and machine.exact:
            tracing = True
            machine.start_trace((FLASH + HANDLERS, 4), ((FLASH + CODE, 0x400), (FLASH + HANDLERS, 0x200), (RAM, 0xFFFFFFFF)))
        for action, number in (("run", 20000), *plan.actions):
            until = machine.time_ps + (1 + number) * 20_000
            if action == "skip":
                machine.skip_until(until)
            elif action == "receive":
                machine.receive(struct.pack("<H", number) * (number % 32))
            elif action == "play":
                machine.play(struct.pack("<H", number) * 2 * (number % 4096), 1 + number)
            elif action == "reset":
                machine.reset()
            elif action == "ask":
                machine.edges_ps(), machine.pin_changes(), machine.clock_changes(), machine.counters(), machine.take_notes()
                machine.fault(), machine.line_baud(), machine.program_counter(), machine.take_output()
            else:
                reason = machine.run(until, until + number * 1_000_000)
        machine.counters(), machine.take_notes(), machine.fault(), machine.take_output()
        PROVEN.append(machine.calls().proven)
    except Cm4TinyError as error:
        return f"{type(error).__name__}: {error.what}"
    finally:
        if tracing:
            machine.stop_trace()
    return reason.name


def _serve(first: int, count: int) -> None:
    """One line after each firmware: the parent sees in which one this process died."""
    faulthandler.register(signal.SIGPROF, chain=True)
    machine = None
    for seed in range(first - first % GROUP, first + count):
        signal.setitimer(signal.ITIMER_PROF, HANG_S)
        if machine is None or seed % GROUP == 0:
            if machine is not None:
                machine.close()
            machine = _machine(seed // GROUP)
        how = run_one(machine, seed)
        if seed >= first:
            print(f"end {seed} {how}", flush=True)


# --- many processes ------------------------------------------------------------------------------------------------------------------


@dataclass
class Campaign:
    """What came of it."""

    tried: int = 0
    endings: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def sanitizer_environment() -> dict[str, str] | None:
    """Environment for a Python process that loads the sanitized library; None where the host has no gcc with AddressSanitizer."""
    try:
        found = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, timeout=60).stdout.strip()
    except OSError:
        return None
    if not Path(found).is_file():
        return None
    options = "detect_leaks=0:abort_on_error=0:exitcode=99:allocator_may_return_null=1:detect_stack_use_after_return=0"
    return {"CC": "gcc", "CM_TINY_SANITIZE": "yes", "LD_PRELOAD": str(Path(found).resolve()), "ASAN_OPTIONS": options,
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99", "PYTHONMALLOC": "malloc"}  # fmt: skip


def _chunks(first: int, count: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(first, first + count, size):
        yield start, min(size, first + count - start)


def _run_chunk(start: int, count: int, environment: dict[str, str], campaign: Campaign, lock: threading.Lock) -> None:
    """Runs a chunk in a process of its own; after a failure the groups behind it in another."""
    while count:
        command = [sys.executable, "-m", "support.hostile_firmware", "--serve", "--first", str(start), "--count", str(count)]
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment, cwd=ROOT)
        lines = result.stdout.splitlines()
        ended = [line.split(" ", 2) for line in lines if line.startswith("end ")]
        with lock:
            campaign.tried += len(ended)
            for _, _, how in ended:
                campaign.endings[how] = campaign.endings.get(how, 0) + 1
            if result.returncode == 0:
                return
            bad = start + len(ended)
            campaign.tried += 1
            campaign.failures.append(f"firmware {bad}: exit status {result.returncode}\n{result.stderr[-6000:]}")
            if len(campaign.failures) >= MOST_FAILURES:
                return
        after = bad - bad % GROUP + GROUP
        start, count = after, max(0, start + count - after)


def run_benchmarks(first: int, count: int, *, jobs: int, sanitize: bool, progress: bool = False, chunk: int = 500) -> Campaign:
    """Runs the firmwares ``first`` to ``first + count - 1``."""
    extra = sanitizer_environment() if sanitize else {}
    if extra is None:
        raise RuntimeError("gcc with libasan is not installed (Debian: apt-get install gcc)")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}", **extra}
    campaign, lock, work = Campaign(), threading.Lock(), queue.SimpleQueue[tuple[int, int]]()
    for part in _chunks(first, count, chunk):
        work.put(part)
    began = time.monotonic()

    def worker() -> None:
        shown = 0
        while len(campaign.failures) < MOST_FAILURES:
            try:
                start, size = work.get_nowait()
            except queue.Empty:
                return
            _run_chunk(start, size, environment, campaign, lock)
            if progress:
                print(f"{campaign.tried} of {count}, {campaign.tried / (time.monotonic() - began):.1f} a second", flush=True)
                print("".join(f"{failure}\n" for failure in campaign.failures[shown:]), end="", flush=True)
                shown = len(campaign.failures)

    threads = [threading.Thread(target=worker, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return campaign


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--sanitize", action="store_true", help="build the C core with AddressSanitizer and UndefinedBehaviorSanitizer")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve(options.first, options.count)
        return 0
    campaign = run_benchmarks(options.first, options.count, jobs=options.jobs, sanitize=options.sanitize, progress=True)
    for how, times in sorted(campaign.endings.items(), key=lambda entry: -entry[1])[:20]:
        print(f"{times:8} {how}")
    for failure in campaign.failures:
        print(failure)
    print(f"{campaign.tried} firmwares, {len(campaign.failures)} failed")
    return 1 if campaign.failures else 0


if __name__ == "__main__":
    sys.exit(main())
