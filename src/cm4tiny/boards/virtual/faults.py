"""A crash of the firmware as an error that a firmware developer can work with."""

from __future__ import annotations

from cm4tiny.boards.virtual.loader import LoadedElf
from cm4tiny.boards.virtual.machine import Fault, FaultKind, Note, NoteKind
from cm4tiny.errors import DeviceFaultError

_WHAT = {
    FaultKind.READ: "read of an address where nothing is: 0x{address:08x}",
    FaultKind.WRITE: "write to an address where nothing is: 0x{address:08x}",
    FaultKind.FETCH: "jump to an address where no code can be: 0x{address:08x}",
    FaultKind.INSTRUCTION: "invalid instruction",
    FaultKind.FLASH_WRITE: "write to flash at 0x{address:08x}",
    FaultKind.BREAKPOINT: "BKPT instruction, and no debugger is there",
    FaultKind.SUPERVISOR_CALL: "SVC instruction; the virtual board takes no exceptions",
    FaultKind.FPU_DISABLED: "floating-point instruction while the FPU is off",
    FaultKind.EXCEPTION_RETURN: "return from an exception outside of one",
    FaultKind.OTHER: "the core stopped (code {detail})",
}
_CURE = {
    FaultKind.FPU_DISABLED: "enable it at start-up: SCB->CPACR |= 0xF << 20, then DSB and ISB",
    FaultKind.READ: "look for a wild pointer, or for a stack that ran over",
    FaultKind.WRITE: "look for a wild pointer, or for a stack that ran over",
    FaultKind.FETCH: "look for a wrong function pointer, a return address overwritten on the stack, or code built for another core",
    FaultKind.INSTRUCTION: "build with -mcpu=cortex-m4; UDF is also what compilers put where code must not be reached",
    FaultKind.FLASH_WRITE: "constant data was written; flash programming is not modelled",
}


def _place(elf: LoadedElf, address: int) -> str:
    function = elf.function_at(address & ~1)
    return f"0x{address:08x} ({function})" if function else f"0x{address:08x}"


def fault_error(fault: Fault, elf: LoadedElf, board: str) -> DeviceFaultError:
    """The error for a crash; it carries the :class:`Fault` as ``error.fault``."""
    what = _WHAT[fault.kind].format(address=fault.address, detail=fault.detail)
    registers = " ".join(f"r{i}=0x{value:08x}" for i, value in enumerate(fault.registers))
    error = DeviceFaultError(
        f"the firmware on {board} crashed: {what}",
        why=f"at PC {_place(elf, fault.pc)}, called from LR {_place(elf, fault.lr)}; "
        f"SP=0x{fault.sp:08x} xPSR=0x{fault.xpsr:08x} {registers}",
        cure=_CURE.get(fault.kind, "debug the firmware at this place"),
    )
    error.fault = fault  # type: ignore[attr-defined]
    return error


def note_text(note: Note, elf: LoadedElf) -> str:
    """One line for people about something that happened once."""
    place = f"near PC {_place(elf, note.pc)}"
    if note.kind is NoteKind.READ:
        return f"read of the unmodelled peripheral register 0x{note.address:08x} gave 0, {place}"
    if note.kind is NoteKind.WRITE:
        return f"write to the unmodelled peripheral register 0x{note.address:08x} was ignored, {place}"
    if note.kind is NoteKind.INTERRUPT:
        return f"an interrupt was enabled by register 0x{note.address:08x}, but the virtual board takes no interrupts, {place}"
    return f"the firmware ended in an endless loop at {_place(elf, note.address)}"
