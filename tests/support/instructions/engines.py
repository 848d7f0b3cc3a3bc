# SPDX-License-Identifier: Apache-2.0
"""The two engines: the virtual board, and qemu-system-arm as an oracle that shares no file with it."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

from support.instructions.images import ALL_WORDS, DONE, DUMP, INDEX, RESULTS, Image, Plan, build

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.virtual.cycle_model import CycleModel
from cm4tiny.boards.virtual.machine import Machine, StopReason
from cm4tiny.errors import BoardError

QEMU = "qemu-system-arm"
_LIMIT_S = 30.0
_LOOK_PS = 10**11
"""After so much virtual time the board is asked whether the image came to its end: with SysTick on it never parks."""
_FAST_SOON = CycleModel(profile_max=1_000_000, unprofiled_limit=5_000_000)
"""The board leaves its profiling phase, which hooks reads, after a million cycles: both ways of running are used."""


class BoardEndedError(Exception):
    """The board did not come to the end of an image.

    Attributes:
        run: the run in which it ended.
        results: those of the runs before.
    """

    def __init__(self, why: str, run: int, results: bytes) -> None:
        super().__init__(why)
        self.run = run
        self.results = results


def qemu_is_there() -> bool:
    return shutil.which(QEMU) is not None


def run_on_qemu(plan: Plan, folder: Path, *, only: int | None = None, code: list[int] | None = None) -> bytes:
    """The results, one word a run; with ``only`` two runs of it and the dump."""
    elf = folder / "qemu.elf"
    elf.write_bytes(build(plan, qemu=True, only=only, code=code).elf())
    command = [QEMU, "-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "none"]
    command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(elf)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    wanted = 4 * plan.runs if only is None else 8 + 4 * ALL_WORDS
    if done.returncode != 0 or len(done.stdout) != wanted:
        raise RuntimeError(
            f"{QEMU} ended with status {done.returncode} after {len(done.stdout)} of {wanted} bytes: {done.stderr.decode()[-500:]}"
        )
    return done.stdout


def run_on_board(
    plan: Plan,
    folder: Path,
    *,
    step_ps: int = 10**12,
    only: int | None = None,
    code: list[int] | None = None,
    image: Image | None = None,
    start: int = 0,
    in_process: bool = False,
) -> bytes:
    """The same on the virtual board, which the host stops every ``step_ps`` of virtual time.

    Args:
        in_process: emulate in this process, where a stop costs a twentieth of what it costs across two.

    Raises:
        BoardEndedError: the board crashed, was refused by a rule, hung, or ran into a defect of its own.
    """
    elf = folder / "board.elf"
    elf.write_bytes((image or build(plan, qemu=False, only=only, code=code, start=start)).elf())
    count = plan.runs if only is None else 2
    with VirtualBoard(elf, model=_FAST_SOON, exact=plan.faults, in_process=in_process) as board, board.guard as machine:
        limit = machine.time_ps + int(_LIMIT_S * 10**12)
        reason = StopReason.LIMIT
        try:
            while reason in (StopReason.LIMIT, StopReason.QUIET) and machine.time_ps < limit and not _is_done(machine):
                look = machine.time_ps + _LOOK_PS
                while reason in (StopReason.LIMIT, StopReason.QUIET) and machine.time_ps < look:
                    reason = machine.run(machine.time_ps + min(step_ps, _LOOK_PS))
            if reason is StopReason.FAULT:
                board.raise_fault()
            if not _is_done(machine):
                raise RuntimeError(f"the board did not come to the end: {reason.name}, {board.position()}")
        except Exception as error:  # whatever it is: the campaign records it and continues
            raise _ended(machine, error, count) from error
        results = machine.read_memory(RESULTS, 4 * count)
        return results if only is None else results + machine.read_memory(DUMP, 4 * ALL_WORDS)


def _is_done(machine: Machine) -> bool:
    return bool(struct.unpack("<I", machine.read_memory(DONE, 4))[0] == 1)


def _ended(machine: Machine, error: Exception, count: int) -> BoardEndedError:
    try:
        run = min(struct.unpack("<I", machine.read_memory(INDEX, 4))[0], count - 1)
        results = machine.read_memory(RESULTS, 4 * run)
    except BoardError:  # its process is gone
        run, results = 0, b""
    return BoardEndedError(f"{type(error).__name__}: {error}", run, results)
