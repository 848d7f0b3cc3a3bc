# SPDX-License-Identifier: Apache-2.0
"""Random sequences of Cortex-M4 instructions: what the virtual board makes of them against qemu's Cortex-M4.

    PYTHONPATH=src:tests python -m support.instructions.campaign --first 25 --count 1000000 --state FILE

runs that many sequences (in images of 1000, or 250 that lie in RAM), shows progress with the time that is left, and ends with exit status 1
if a run differs. A run in which the board crashes, hangs or fails differs, too; the runs behind it follow. Each difference is printed and
kept in FILE: its registers and the fewest instructions that show it. An image's number decides everything in it. With ``--state`` a
campaign that was interrupted continues where it was; an image in which the whole process died is run again in a process of its own, and
what happens there is a difference. ``--images N ...`` runs those only. ``--record`` writes what qemu computed for the first images into
expected.yaml, with which the tests check a machine that has no qemu.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

import yaml
from support.instructions.engines import QEMU, BoardEndedError, qemu_is_there, run_on_board, run_on_qemu
from support.instructions.examine import Case, smallest
from support.instructions.images import Plan, build

EXPECTED = Path(__file__).with_name("expected.yaml")
RECORDED = 25
"""Images in expected.yaml: 20,500 sequences."""
_IN_FLASH, _IN_RAM = 1000, 250
_UNALIGN_TRP, _DIV_0_TRP = 8, 16
_TICKS = (0, 997, 0, 499, 251)
_STEPS_PS = (10**12, 20_000_003, 50_000_017)
_LATER_STEPS_PS = (10**12, 150_000_001, 400_000_009)
_EXPLAINED = 3
_MOST_ENDINGS = 5
"""So often the board may fail in one image; what is left of it counts as different."""


def plan_of(number: int) -> Plan:
    """Where the sequences of an image lie, what may fault, and how often SysTick interrupts: each combination comes up."""
    in_ram = number % 4 == 3
    traps = {2: _DIV_0_TRP, 7: _DIV_0_TRP | _UNALIGN_TRP}.get(number % 8, 0)
    return Plan(number, _IN_RAM if in_ram else _IN_FLASH, in_ram, traps, _TICKS[number % 5], faults=number % 4 in (1, 3))


def step_of(number: int) -> int:
    """After how much virtual time the host stops the board, in picoseconds: never; every 80 or 200 cycles in the recorded images, every 600
    or 1600 in the many of a campaign (which then take a quarter of the time)."""
    return (_STEPS_PS if number < RECORDED else _LATER_STEPS_PS)[number % 3]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Difference:
    """A run in which the board and qemu differ, or one of them failed; ``what`` says it for a person."""

    image: int
    run: int
    what: str


@dataclass
class Progress:
    """What a campaign did, and its file."""

    number: int
    done: int = 0
    runs: int = 0
    began: int = -1
    """The image that was begun and not ended."""
    differences: list[Difference] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path | None, first: int) -> Progress:
        if path is None or not path.exists():
            return cls(first)
        known = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**known, "differences": [Difference(**row) for row in known["differences"]]})

    def save(self, path: Path | None) -> None:
        if path is not None:
            new = path.with_name(path.name + ".new")
            new.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
            new.replace(path)


Runner = Callable[..., bytes]


def _runs_of(number: int, folder: Path, on_board: Runner, in_process: bool) -> tuple[bytes, dict[int, str]]:
    """The results of an image on the board, and the runs in which it failed."""
    plan, results, failed, start = plan_of(number), b"", dict[int, str](), 0
    while start < plan.runs:
        try:
            return results + on_board(plan, folder, step_ps=step_of(number), start=start, in_process=in_process)[4 * start :], failed
        except Exception as error:  # it may not even have started
            at, found = (max(start, error.run), error.results) if isinstance(error, BoardEndedError) else (start, b"")
            results = (results + found[4 * start :]).ljust(4 * at, b"\0")[: 4 * at] + bytes(4)
            failed[at] = str(error)
            start = at + 1
            if len(failed) == _MOST_ENDINGS:
                failed |= dict.fromkeys(range(start, plan.runs), "not run: the board failed too often in this image")
                return results.ljust(4 * plan.runs, b"\0"), failed
    return results, failed


def compare(number: int, folder: Path, *, on_board: Runner = run_on_board, in_process: bool = True) -> dict[int, str]:
    """The runs of an image that differ, each with the reason if one of the two failed."""
    plan = plan_of(number)
    try:
        qemu = run_on_qemu(plan, folder)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        return {0: f"{QEMU} failed, nothing was compared: {error}"}
    board, failed = _runs_of(number, folder, on_board, in_process)
    return {i: failed.get(i, "") for i in range(plan.runs) if i in failed or qemu[4 * i : 4 * i + 4] != board[4 * i : 4 * i + 4]}


def explain(number: int, run: int, folder: Path, *, in_process: bool = True) -> str:
    """Registers that differ, and the fewest instructions that show it."""
    try:
        lines, found = smallest(Case(plan_of(number), run, folder, step_of(number), in_process))
    except Exception as error:  # the difference counts and the campaign continues, whatever happens while it is looked at
        return f"it could not be made smaller: {type(error).__name__}: {error}"
    what = ", ".join(f"{name}: board 0x{board:08x}, qemu 0x{qemu:08x}" for name, (board, qemu) in found.items())
    return "\n    ".join([what or "only among others: it depends on when interrupts and stops come", *lines])


def _one_image(number: int, folder: Path, in_process: bool) -> list[Difference]:
    found = []
    for shown, (run, why) in enumerate(compare(number, folder, in_process=in_process).items()):
        more = explain(number, run, folder, in_process=in_process) if shown < _EXPLAINED else ""
        found.append(Difference(number, run, "; ".join(part for part in (why, more) if part)))
    return found


def campaign(first: int, count: int, state: Path | None, *, progress: bool = False) -> Progress:
    """Runs ``count`` sequences from the image ``first`` on, or what an interrupted campaign has left of them."""
    done = Progress.load(state, first)
    clock, at_start = time.monotonic(), done.done
    with tempfile.TemporaryDirectory() as name:
        while done.done < count:
            died, done.began = done.began == done.number, done.number
            done.save(state)
            new = _one_image(done.number, Path(name), in_process=not died)
            done.differences += new
            done.done += plan_of(done.number).sequences
            done.runs += plan_of(done.number).runs
            done.number, done.began = done.number + 1, -1
            done.save(state)
            for row in new[:_EXPLAINED]:
                print(f"image {row.image}, run {row.run}: {row.what}", flush=True)
            if progress:
                rate = (done.done - at_start) / (time.monotonic() - clock)
                left = timedelta(seconds=max(0, round((count - done.done) / rate)))
                print(
                    f"{done.done} of {count} sequences, {rate:.0f} a second, {left} left, {len(done.differences)} runs differ", flush=True
                )
    return done


def record(folder: Path) -> None:
    rows = []
    for number in range(RECORDED):
        plan = plan_of(number)
        image = build(plan, qemu=False).elf()
        rows.append({"image": digest(image), "sequences": plan.sequences, "results": digest(run_on_qemu(plan, folder))})
        print(f"{number + 1} of {RECORDED}", flush=True)
    version = f"{QEMU} 7.2.22 (Debian), -M mps2-an386"
    text = (
        f"# SPDX-License-Identifier: Apache-2.0\n# Results of {version}: python -m support.instructions.campaign --record\n"
        + yaml.safe_dump(rows, sort_keys=False, width=200)
    )
    EXPECTED.write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0, help="number of the first image")
    parser.add_argument("--count", type=int, default=20_000, help="sequences")
    parser.add_argument("--state", type=Path, help="file that keeps what was done")
    parser.add_argument("--images", type=int, nargs="+", metavar="N", help="these images only")
    parser.add_argument("--record", action="store_true", help="write expected.yaml")
    options = parser.parse_args()
    if not qemu_is_there():
        print(f"{QEMU} is not installed (Debian: apt-get install qemu-system-arm)")
        return 2
    if options.record:
        with tempfile.TemporaryDirectory() as name:
            record(Path(name))
        return 0
    if options.images:
        with tempfile.TemporaryDirectory() as name:
            found = [row for number in options.images for row in _one_image(number, Path(name), in_process=True)]
        for row in found:
            print(f"image {row.image}, run {row.run}: {row.what}")
        print(f"{sum(plan_of(number).sequences for number in options.images)} sequences, {len(found)} runs differ")
        return 1 if found else 0
    done = campaign(options.first, options.count, options.state, progress=True)
    return 1 if done.differences else 0


if __name__ == "__main__":
    sys.exit(main())
