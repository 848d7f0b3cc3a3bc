# SPDX-License-Identifier: Apache-2.0
"""Random sequences of Cortex-M4 instructions: what the virtual board makes of them against qemu's Cortex-M4.

    PYTHONPATH=src:tests python -m support.instructions.campaign --first 0 --count 1000000 --state FILE

runs that many sequences (in images of 1000, or 250 that lie in RAM), shows progress and ends with exit status 1 if a run differs; it then
prints the registers and the fewest instructions that show it. An image's number decides everything in it. With ``--state`` a campaign that
was interrupted goes on where it was. ``--record`` writes what qemu computed for the first images into expected.yaml, with which the tests
check a machine that has no qemu.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from pathlib import Path

import yaml
from support.instructions.engines import QEMU, qemu_is_there, run_on_board, run_on_qemu
from support.instructions.examine import smallest
from support.instructions.images import Plan, build

EXPECTED = Path(__file__).with_name("expected.yaml")
RECORDED = 25
"""Images in expected.yaml: 20,500 sequences."""
_IN_FLASH, _IN_RAM = 1000, 250
_UNALIGN_TRP, _DIV_0_TRP = 8, 16
_TICKS = (0, 997, 0, 499, 251)
_STEPS_PS = (10**12, 20_000_003, 50_000_017)
_SHOWN = 3


def plan_of(number: int) -> Plan:
    """Where the sequences of an image lie, what may fault, and how often SysTick interrupts: each combination comes up."""
    in_ram = number % 4 == 3
    traps = {2: _DIV_0_TRP, 7: _DIV_0_TRP | _UNALIGN_TRP}.get(number % 8, 0)
    return Plan(number, _IN_RAM if in_ram else _IN_FLASH, in_ram, traps, _TICKS[number % 5], faults=number % 4 in (1, 3))


def step_of(number: int) -> int:
    """After how much virtual time the host stops the board, in picoseconds: never, or every 80 or 200 cycles."""
    return _STEPS_PS[number % 3]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def compare(number: int, folder: Path) -> list[int]:
    """The runs of an image that differ."""
    plan = plan_of(number)
    qemu, board = run_on_qemu(plan, folder), run_on_board(plan, folder, step_ps=step_of(number))
    return [i for i in range(plan.runs) if qemu[4 * i : 4 * i + 4] != board[4 * i : 4 * i + 4]]


def explain(number: int, run: int, folder: Path) -> str:
    lines, found = smallest(plan_of(number), run, folder)
    what = ", ".join(f"{name}: board 0x{board:08x}, qemu 0x{qemu:08x}" for name, (board, qemu) in found.items())
    return f"image {number}, run {run}: {what or 'only among others'}\n    " + "\n    ".join(lines)


def record(folder: Path) -> None:
    rows = []
    for number in range(RECORDED):
        plan = plan_of(number)
        image = build(plan, qemu=False).elf()
        rows.append({"image": digest(image), "sequences": plan.sequences, "results": digest(run_on_qemu(plan, folder))})
        print(f"{number + 1} of {RECORDED}", flush=True)
    version = f"{QEMU} 7.2.22 (Debian), -M mps2-an386"
    text = f"# Results of {version}: python -m support.instructions.campaign --record\n" + yaml.safe_dump(rows, sort_keys=False, width=200)
    EXPECTED.write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0, help="number of the first image")
    parser.add_argument("--count", type=int, default=20_000, help="sequences")
    parser.add_argument("--state", type=Path, help="file that keeps what was done")
    parser.add_argument("--record", action="store_true", help="write expected.yaml")
    options = parser.parse_args()
    if not qemu_is_there():
        print(f"{QEMU} is not installed (Debian: apt-get install qemu-system-arm)")
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.record:
            record(folder)
            return 0
        number, done, different = options.first, 0, 0
        if options.state and options.state.exists():
            number, done, different = (int(word) for word in options.state.read_text(encoding="ascii").split())
        began, at_start = time.monotonic(), done
        while done < options.count:
            bad = compare(number, folder)
            for run in bad[:_SHOWN]:
                print(explain(number, run, folder), flush=True)
            different += len(bad)
            done += plan_of(number).sequences
            number += 1
            if options.state:
                options.state.write_text(f"{number} {done} {different}\n", encoding="ascii")
            rate = (done - at_start) / (time.monotonic() - began)
            print(f"{done} of {options.count} sequences, {rate:.0f} a second, {different} runs differ", flush=True)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
