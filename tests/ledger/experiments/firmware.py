# SPDX-License-Identifier: Apache-2.0
"""Hostile firmware and firmware files: each is run or read by the product, and an outcome says what came of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.foreign_instructions import FOREIGN, OWN
from support.hostile_firmware import RAM, constant
from support.hostile_loops import FUNCTION, loop_image
from support.hostile_programs import PARK, PROGRAMS, poke, write_program
from support.tiny_elf import FLASH, VECTORS, Load, tiny_elf

from cm4tiny.boards import Calls, VirtualBoard
from cm4tiny.boards.virtual.image_files import load_image
from cm4tiny.boards.virtual.machine import ALL_GUARDS, WRONG_END
from cm4tiny.deadline import Deadline
from ledger.outcome import Outcome, attempt

_PROCESSOR_S = 5.0


def program(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A program of ``support.hostile_programs`` for some virtual time: time passes as it should, and whoever asks is told what was odd."""
    began, seconds = time.process_time(), inputs.get("seconds", 0.2)

    def run() -> Outcome:
        with VirtualBoard(
            write_program(folder, PROGRAMS[inputs["program"]]), baud=inputs.get("baud"), strict=bool(inputs.get("strict"))
        ) as board:
            deadline = Deadline(seconds, board.link.clock)
            while not deadline.expired:
                board.link.read(deadline)
            spent = time.process_time() - began + board.processor_s
            if spent > _PROCESSOR_S:
                return Outcome("wrong", text=f"{seconds} virtual seconds took {spent:.1f} s of the host's processor")
            notes = [note for note in board.statistics().notes if "endless loop" not in note]
            return Outcome("noted" if notes else "correct", text="\n".join(notes))

    return attempt(run)


def _lying_elf(kind: str) -> bytes:
    data = bytearray(tiny_elf(Load(VECTORS, FLASH)))
    place, value = {"p_filesz": (52 + 16, 0xFFFFFFFF), "p_offset": (52 + 4, 0xFFFFFF00), "e_shoff": (32, 0xFFFFFF00)}[kind]
    data[place : place + 4] = value.to_bytes(4, "little")
    return bytes(data)


def image_file(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A firmware file that is not what it seems."""
    path = folder / "image"
    if "lie" in inputs:
        path.write_bytes(_lying_elf(inputs["lie"]))
    elif "attributes" in inputs:
        tags = bytes(inputs["attributes"])
        part = b"\x01" + (5 + len(tags)).to_bytes(4, "little") + tags
        path.write_bytes(tiny_elf(marks=b"A" + (10 + len(part)).to_bytes(4, "little") + b"aeabi\0" + part))
    elif "empty_records" in inputs:
        path.write_bytes(b":0000000000\n" * inputs["empty_records"] + b":00000001FF\n")
    else:
        path = Path(inputs["path"])
    began = time.process_time()

    def read() -> Outcome:
        load_image(path)
        return Outcome("wrong", text="it was taken for firmware")

    outcome = attempt(read)
    spent = time.process_time() - began
    return outcome if spent < _PROCESSOR_S else Outcome("wrong", text=f"it took {spent:.1f} s")


def instruction(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """One instruction by its name in ``support.foreign_instructions``, with the FPU on and R1 pointing to RAM."""
    encoding = {**FOREIGN, **OWN}[inputs["name"]]
    code = [*poke((0xE000ED88, 0xF00000)), *constant(1, RAM + 0x100), *(int(part, 16) for part in encoding.split()), *poke((RAM, 1)), PARK]

    def run() -> Outcome:
        with VirtualBoard(write_program(folder, code), strict=False) as board:
            board.link.read(Deadline(0.001, board.link.clock))
            done = board.read_memory(RAM, 1) == b"\1"
            return Outcome("correct" if done and inputs["name"] in OWN else "wrong", text=f"{inputs['name']} ran")

    return attempt(run)


def crash(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The process of one of two boards ends by a signal; the other board must continue."""
    elf = write_program(folder, [PARK])
    with VirtualBoard(elf) as other:

        def run() -> Outcome:
            with VirtualBoard(elf) as board:
                os.kill(board.guard.machine.pid, signal.Signals[inputs["signal"]])  # type: ignore[attr-defined]
                board.link.read(Deadline(0.001, board.link.clock))
                return Outcome("wrong", text="nothing was noticed")

        outcome = attempt(run)
        other.link.read(Deadline(0.001, other.link.clock))
        return outcome if other.time_s >= 0.001 else Outcome("wrong", text="the other board stopped as well")


def repeated(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A loop of ``support.hostile_loops``: with its calls advanced where they are proven periodic it must end as when all of them run."""
    elf = folder / "loop.elf"
    elf.write_bytes(tiny_elf(Load(loop_image(inputs["loop"]), FLASH)))
    guards = ALL_GUARDS | (WRONG_END if inputs.get("wrong_end") else 0)

    def run(guards: int | None) -> tuple[tuple[Any, ...], Calls]:
        with VirtualBoard(elf, exact=True, strict=False) as board:
            if guards is not None:
                board.guard.machine.advance_calls(FLASH + FUNCTION, guards)
            board.link.read(Deadline(0.05, board.link.clock))
            counters = board.statistics()
            return (counters, board.cycles, board.read_memory(RAM, 0x10000)), board.calls()

    short, calls = run(guards)
    if short != run(None)[0]:
        return Outcome("wrong", text=f"it ended in another state: {calls}")
    refused = ", ".join(reason.name for reason in calls.refused)
    return Outcome("refused" if not calls.proven else "correct", text=f"{calls.proven} of {calls.count} advanced; refused: {refused}")
