# SPDX-License-Identifier: Apache-2.0
"""The two engines: the virtual board, and qemu-system-arm as an oracle that shares no file with it."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

from support.instructions.images import ALL_WORDS, DONE, DUMP, RESULTS, Image, Plan, build

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.virtual.cycle_model import CycleModel
from cm4tiny.boards.virtual.machine import StopReason

QEMU = "qemu-system-arm"
_LIMIT_S = 30.0
_FAST_SOON = CycleModel(profile_max=1_000_000, unprofiled_limit=5_000_000)
"""The board leaves its profiling phase, which hooks reads, after a million cycles: both ways of running are used."""


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
    plan: Plan, folder: Path, *, step_ps: int = 10**12, only: int | None = None, code: list[int] | None = None, image: Image | None = None
) -> bytes:
    """The same on the virtual board, which the host stops every ``step_ps`` of virtual time."""
    elf = folder / "board.elf"
    elf.write_bytes((image or build(plan, qemu=False, only=only, code=code)).elf())
    with VirtualBoard(elf, model=_FAST_SOON, exact=plan.faults) as board, board.guard as machine:
        limit = machine.time_ps + int(_LIMIT_S * 10**12)
        reason = StopReason.LIMIT
        while reason in (StopReason.LIMIT, StopReason.QUIET) and machine.time_ps < limit:
            reason = machine.run(machine.time_ps + step_ps)
        if reason is StopReason.FAULT:
            board.raise_fault()
        count = plan.runs if only is None else 2
        if struct.unpack("<I", machine.read_memory(DONE, 4))[0] != 1:
            raise RuntimeError(f"the board did not come to the end: {reason.name}, {board.position()}")
        results = machine.read_memory(RESULTS, 4 * count)
        return results if only is None else results + machine.read_memory(DUMP, 4 * ALL_WORDS)
