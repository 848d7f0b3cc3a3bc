# SPDX-License-Identifier: Apache-2.0
"""A crash of the firmware as an error that a firmware developer can work with."""

from __future__ import annotations

from cm4tiny.boards.chips import Memory
from cm4tiny.boards.virtual.loader import LoadedElf
from cm4tiny.boards.virtual.machine import Fault, FaultKind, Note, NoteKind
from cm4tiny.boards.virtual.peripheral_map import register_name
from cm4tiny.errors import DeviceFaultError

_WHAT = {
    FaultKind.READ: "read of an address where nothing is: 0x{address:08x}",
    FaultKind.WRITE: "write to an address where nothing is: 0x{address:08x}",
    FaultKind.FETCH: "jump to an address where no code can be: 0x{address:08x}",
    FaultKind.INSTRUCTION: "invalid instruction",
    FaultKind.FLASH_WRITE: "write to {memory} at 0x{address:08x}",
    FaultKind.BREAKPOINT: "BKPT instruction, and no debugger is there",
    FaultKind.SUPERVISOR_CALL: "SVC instruction where no SVC can be taken",
    FaultKind.FPU_DISABLED: "floating-point instruction while the FPU is off",
    FaultKind.EXCEPTION_RETURN: "return from an exception outside of one",
    FaultKind.OTHER: "the core stopped (code {detail})",
    FaultKind.STACKING: "no stack for an exception: the stack pointer is 0x{address:08x}",
    FaultKind.VECTOR: "no vector table at 0x{address:08x} (exception {detail})",
    FaultKind.DIVISION: "division by zero, which the firmware asked to fault",
    FaultKind.UNALIGNED: "unaligned access to 0x{address:08x}, which the firmware asked to fault",
    FaultKind.STATE: "jump to Arm code at 0x{address:08x}; this core knows only Thumb",
}
_HINT = {
    FaultKind.FPU_DISABLED: "enable it at start-up: SCB->CPACR |= 0xF << 20, then DSB and ISB",
    FaultKind.READ: "look for a wild pointer, or for a stack that ran over",
    FaultKind.WRITE: "look for a wild pointer, or for a stack that ran over",
    FaultKind.FETCH: "look for a wrong function pointer, a return address overwritten on the stack, or code built for another core",
    FaultKind.INSTRUCTION: "build with -mcpu=cortex-m4; UDF is also what compilers put where code must not be reached",
    FaultKind.SUPERVISOR_CALL: "an SVC with interrupts masked, or in a handler of the same priority, becomes a HardFault",
    FaultKind.STACKING: "the stack ran over, or the stack pointer was lost",
    FaultKind.STATE: "function pointers to Thumb code have bit 0 set",
    FaultKind.FLASH_WRITE: "constant data was written; flash programming is not modelled",
}
_AT_AN_ADDRESS = {FaultKind.READ, FaultKind.WRITE, FaultKind.FLASH_WRITE, FaultKind.STACKING}
_STACK_HINT = "look for a recursion that does not end, or for large local arrays; the linker script says how much room the stack has"
_NEAR_STACK = 4096
"""Bytes between the stack pointer and what a function of usual size pushes or addresses by it."""


_EXCEPTIONS = {
    **{2: "NMI", 3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault"},
    **{11: "SVCall", 12: "DebugMonitor", 14: "PendSV", 15: "SysTick"},
}
_FIRST_INTERRUPT = 16


def place(elf: LoadedElf, address: int) -> str:
    """An address with its function, if that is known."""
    function = elf.function_at(address & ~1)
    return f"0x{address:08x} ({function})" if function else f"0x{address:08x}"


def exception_name(number: int) -> str:
    """``"SysTick"``, ``"interrupt 70"``."""
    return _EXCEPTIONS.get(number, f"interrupt {number - _FIRST_INTERRUPT}" if number >= _FIRST_INTERRUPT else f"exception {number}")


def _taken_as(fault: Fault) -> str:
    """How the core took it: ``"; taken as HardFault (CFSR=0x00008200 HFSR=0x40000000)"``."""
    status = f"CFSR=0x{fault.cfsr:08x} HFSR=0x{fault.hfsr:08x}"
    inside = f" in the handler of {exception_name(fault.interrupted)}" if fault.interrupted else ""
    if fault.exception:
        return (
            f"{inside}; taken as {exception_name(fault.exception)} ({status}){', and the core locked up there' if fault.locked_up else ''}"
        )
    return f"{inside}; the core locked up ({status})" if fault.locked_up else inside


def _memory_at(elf: LoadedElf, address: int) -> Memory | None:
    return next((m for m in elf.chip.memory if any(start <= address < start + m.size for start in (m.start, *m.aliases))), None)


def _stack_ran_over(fault: Fault, elf: LoadedElf) -> bool:
    """Whether the fault is an access near the stack pointer, which has reached the start of a memory or left it."""
    if fault.kind not in _AT_AN_ADDRESS or abs(fault.address - fault.sp) >= _NEAR_STACK:
        return False
    memory = _memory_at(elf, fault.address)
    return memory is None or memory.kind != "ram"


def fault_error(fault: Fault, elf: LoadedElf, board: str) -> DeviceFaultError:
    """The error for a crash; it carries the :class:`Fault` as ``error.fault``."""
    memory = _memory_at(elf, fault.address)
    what = _WHAT[fault.kind].format(address=fault.address, detail=fault.detail, memory=memory.name if memory else "memory")
    hint = _HINT.get(fault.kind, "debug the firmware at this place")
    if _stack_ran_over(fault, elf):
        what, hint = f"the stack ran over: {what}, and the stack pointer is 0x{fault.sp:08x}", _STACK_HINT
    registers = " ".join(f"r{i}=0x{value:08x}" for i, value in enumerate(fault.registers))
    error = DeviceFaultError(
        f"the firmware on {board} crashed: {what}",
        why=f"at PC {place(elf, fault.pc)}, called from LR {place(elf, fault.lr)}{_taken_as(fault)}; "
        f"SP=0x{fault.sp:08x} xPSR=0x{fault.xpsr:08x} {registers}",
        hint=hint,
    )
    error.fault = fault  # type: ignore[attr-defined]
    return error


_FEATURES = {
    0x4002_2000: "flash that is switched off while the core runs (RUN_PD)",
    0x4002_2020: "programming of option bytes: they keep their values",
    0xE000_ED10: "deep sleep: Stop and Standby are taken as plain sleep",
    0xE000_ED94: "the MPU: it protects nothing",
}


_LISTS = {
    1: "different things that are noted",
    2: "falling edges of the time-stamp pin",
    3: "changes of output pins",
    4: "changes of the clock",
    5: "instructions that are watched because they may fault",
    6: "bytes of output that nobody reads",
    7: "changes of registers of clocks and power",
    8: "times of waiting and sleep",
    9: "broken rules of silicon",
}
"""By ``enum list`` in core.h."""


def note_text(note: Note, elf: LoadedElf) -> str:
    """A human-readable line about something that happened once."""
    near = f"near PC {place(elf, note.pc)}"
    register = f"{register_name(note.address, elf.chip)} (0x{note.address:08x})"
    if note.kind is NoteKind.READ:
        return f"read of {register}, which is not modelled, gave 0, {near}"
    if note.kind is NoteKind.WRITE:
        return f"write to {register}, which is not modelled, was ignored, {near}"
    if note.kind is NoteKind.FEATURE:
        return f"not modelled: {_FEATURES.get(note.address, f'a mode that {register} was set to')}, {near}"
    if note.kind is NoteKind.LIST_FULL:
        return f"no more {_LISTS[note.address]} are kept: the limit is reached, {near}"
    if note.kind is NoteKind.SATURATION:
        return f"code that reads the Q flag appeared after SMLAD had run: Q may be set where the chip has it clear, {near}"
    if note.kind is NoteKind.FAULT:
        return f"the firmware had a fault at PC {place(elf, note.address)} and its handler went on"
    return f"the firmware ended in an endless loop, or in a sleep that nothing ends, at {place(elf, note.address)}"
