# SPDX-License-Identifier: Apache-2.0
"""The virtual board: firmware in, serial link, time stamps and power out. A driver like that of a real board."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cm4tiny.boards.boards import BoardDescription, default_board
from cm4tiny.boards.commands import MLPERF_TINY, CommandProtocol
from cm4tiny.boards.energy import PowerSettings, SimulatedPowerMonitor
from cm4tiny.boards.energy.monitor import Phase, Span
from cm4tiny.boards.power import PowerMonitor
from cm4tiny.boards.virtual.build import native_library
from cm4tiny.boards.virtual.confine import DEFAULT_MEMORY_BYTES, Confinement
from cm4tiny.boards.virtual.cycle_model import TICKS_PER_CYCLE, CycleModel, cycle_model_of
from cm4tiny.boards.virtual.energy_history import idle_history, models_current, power_history, stalled_and_worked
from cm4tiny.boards.virtual.faults import fault_error, note_text, place
from cm4tiny.boards.virtual.image_files import load_image
from cm4tiny.boards.virtual.link import Guard, VirtualLink
from cm4tiny.boards.virtual.loader import FunctionSymbol
from cm4tiny.boards.virtual.machine import PS_PER_S, Calls, Counters, Machine, NoteKind, SettingChange, StopReason
from cm4tiny.boards.virtual.native import NativeMachine
from cm4tiny.boards.virtual.process import open_machine
from cm4tiny.boards.virtual.silicon import BrokenRule, checked, malformed, rule_error, rule_note
from cm4tiny.boards.virtual.trace import MAX_SEGMENTS, TraceSegment
from cm4tiny.errors import BoardError, LinkError, UsageError
from cm4tiny.events import SILENT, EventStream

STEP = "virtual board"
_FLASH_OPTR = 0x20
BAUD_TOLERANCE = 0.045
"""A receiver that samples ten bits per byte reads garbage beyond about 4.5 %: RM0432 section "USART receiver tolerance"."""


@dataclass(frozen=True)
class BoardStatistics(Counters):
    """Totals of a board since it was made; ``notes`` are the things it met that it does not model, or that the chip would not do.

    Attributes:
        strict: whether firmware that breaks a rule of silicon ends with an error; otherwise each is a note.
    """

    time_s: float = 0.0
    hclk_hz: int = 0
    exact: bool = False
    strict: bool = True
    notes: tuple[str, ...] = ()


class VirtualBoard:
    """A board that runs firmware, as its description says it is.

    Args:
        elf: firmware for the board's chip: an ELF, an Intel hex file, or the bytes of flash.
        baud: the host's baud rate; bytes on the serial line then take the time that the firmware's own settings give them. None lets them
            pass at once.
        board: its description; None: the default board.
        name: what messages call this board; empty: its printed name after "virtual".
        exact: simulate the flash's data cache on every access, instead of charging measured means after a profiling phase.
        commands: how the firmware is talked to; None: bytes pass as they are written.
        in_process: emulate in this process instead of one of its own: a crash of the emulator is then a crash of this program.
        memory_bytes: limit of the process's memory (its address space); 0: none.
        full_windows: execute every call of the function that the protocol's commands repeat. With False, calls that are proven to be the
            same as the one before are advanced exactly (:meth:`calls` counts both).
        strict: what the chip would not run is a SiliconRuleError (``silicon.yaml`` lists the rules); with False it is a note, and the
            firmware continues with what the chip would do.
        backend: obsolete; empty, ``"auto"`` and ``"native"`` mean the same.
        events: receives accesses to peripherals that are not modelled.

    A read of its link raises SiliconRuleError in strict mode.

    Raises:
        FirmwareError, WrongTargetError, ImageTooLargeError: the image is damaged, or not for this board.
        DescriptionError: the board's chip is not one that can be emulated.
        ToolchainError, CompileError: the machine's C code cannot be built. UsageError: ``backend`` asks for a machine in Python.
    """

    def __init__(
        self,
        elf: Path,
        *,
        baud: int | None = None,
        board: BoardDescription | None = None,
        name: str = "",
        exact: bool = False,
        events: EventStream = SILENT,
        model: CycleModel | None = None,
        commands: CommandProtocol | None = MLPERF_TINY,
        strict: bool = True,
        full_windows: bool = False,
        backend: str = "",
        in_process: bool = False,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
    ) -> None:
        _check_backend(backend)
        if baud is not None and baud <= 0:
            raise UsageError(f"a baud rate of {baud} is not possible", hint="give a positive number, or None for a line without delay")
        self.description = board or default_board()
        self.name = name or f"virtual {self.description.name}"
        self.closed = False
        self._events = events
        self._exact = exact
        self._baud = baud
        self._notes: list[str] = []
        protocol = commands or CommandProtocol()
        self._elf = load_image(Path(elf), self.description.chip)
        settings: dict[str, Any] = {"model": model or cycle_model_of(self.description.chip), "exact": exact, "baud": baud, "strict": strict}
        label = f"'{Path(elf).name}' on {self.name}"
        self.guard = Guard(self._machine(label, in_process, memory_bytes, settings))
        with self.guard as machine:
            self._strict = machine.strict  # read back
            for address, data in self._elf.segments:
                machine.write_memory(address, data)
            machine.set_prompt(protocol.prompt, protocol.settle_cycles)
            machine.skip_polls(not full_windows)
            repeated = None if full_windows else self._elf.function_named(protocol.repeated)
            if repeated is not None:
                machine.advance_calls(repeated.address)
            machine.reset()
        self.link = VirtualLink(self, protocol.terminator, protocol.prompt)
        self.power: PowerMonitor = SimulatedPowerMonitor(self, self.description.supply_v)

    def _machine(self, label: str, in_process: bool, memory_bytes: int, settings: dict[str, Any]) -> Machine:
        if in_process:
            return NativeMachine(**settings, library=native_library(self.description))
        return open_machine(label, board=self.description, memory_bytes=memory_bytes, **settings)

    @property
    def cycles(self) -> int:
        """Core cycles since the board was made, those of waiting included."""
        with self.guard as machine:
            return machine.ticks // TICKS_PER_CYCLE

    @property
    def time_s(self) -> float:
        """Virtual time in seconds since the board was made."""
        with self.guard as machine:
            return machine.time_ps / PS_PER_S

    @property
    def confinement(self) -> Confinement | None:
        """What the kernel keeps the board's process from; None if it is emulated in this one."""
        return getattr(self.guard.machine, "confinement", None)

    @property
    def processor_s(self) -> float:
        """Processor time in seconds of the process that emulates this board."""
        with self.guard as machine:
            return machine.processor_s()

    def statistics(self) -> BoardStatistics:
        """Totals so far."""
        with self.guard as machine:
            counters = machine.counters()
            return BoardStatistics(
                **{field.name: getattr(counters, field.name) for field in fields(Counters)},
                time_s=machine.time_ps / PS_PER_S,
                hclk_hz=machine.hclk_hz,
                exact=self._exact,
                strict=self._strict,
                notes=tuple(self._notes),
            )

    def calls(self) -> Calls:
        """How often the function that the protocol's commands repeat was called, and how many of the calls ran."""
        with self.guard as machine:
            return machine.calls()

    def check_line(self) -> None:
        """Raises LinkError if the host's baud rate is not the firmware's: a real line would carry garbage. The caller holds the guard."""
        actual = self.guard.machine.line_baud() if self._baud else 0
        if self._baud and actual and abs(actual / self._baud - 1) > BAUD_TOLERANCE:
            raise LinkError(
                f"{self.name} sends at {actual} baud, and the host listens at {self._baud}",
                why="the firmware set its UART so",
                hint="open the board with the firmware's baud rate, or with none",
            )

    def reset(self) -> None:
        """The reset button: the firmware starts again; RAM, virtual time and totals continue."""
        with self.guard as machine:
            self.link.clear()
            machine.reset()

    def close(self) -> None:
        """Frees the machine; a run in another thread ends with an error first. Further use of its link raises LinkError."""
        self.guard.machine.stop()
        with self.guard as machine:
            if not self.closed:
                self.closed = True
                machine.close()

    def __enter__(self) -> VirtualBoard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of flash or RAM, as a debugger would read them."""
        with self.guard as machine:
            return machine.read_memory(address, size)

    def write_memory(self, address: int, data: bytes) -> None:
        """Changes bytes of RAM, as a debugger would; no time passes."""
        with self.guard as machine:
            machine.write_memory(address, data)

    def play(self, samples: NDArray[np.int16], rate_hz: int = 16000) -> None:
        """Plays audio into SAI1 from now on, as the I2S master of the benchmark's interface board does.

        Args:
            samples: shape (frames,) for mono, which goes to both channels, or (frames, 2).
        """
        frames = np.asarray(samples, dtype="<i2")
        if frames.ndim == 1:
            frames = np.stack([frames, frames], axis=1)
        if frames.ndim != 2 or frames.shape[1] != 2:
            raise UsageError(f"audio of shape {frames.shape} cannot be played", hint="give (frames,) or (frames, 2)")
        with self.guard as machine:
            machine.play(np.ascontiguousarray(frames).tobytes(), rate_hz)

    def peek(self, address: int) -> int:
        """A peripheral register of 32 bits as the firmware would read it, without any effect of that read; no time passes.

        Raises:
            BoardError: no register is modelled at this address.
        """
        with self.guard as machine:
            return machine.peek(address)

    def option_bytes(self) -> int | None:
        """FLASH_OPTR of a chip whose flash interface is modelled, else None."""
        flash = next((p for p in self.description.chip.peripherals if p.driver == "flash-l4"), None)
        return None if flash is None else self.peek(flash.base + _FLASH_OPTR)

    def setting_changes(self) -> tuple[SettingChange, ...]:
        """When registers of clocks and power got which values: RCC, PWR, FLASH_ACR, and the pins that switch an external SMPS."""
        with self.guard as machine:
            return machine.setting_changes()

    def spans(self) -> NDArray[np.uint64]:
        """When the core polled a UART, slept or looped: see :meth:`~cm4tiny.boards.virtual.machine.Machine.spans`."""
        with self.guard as machine:
            return machine.spans()

    @property
    def functions(self) -> tuple[FunctionSymbol, ...]:
        """The functions of the ELF by address; none if it was stripped, or for an image without symbols."""
        return self._elf.functions

    @contextlib.contextmanager
    def trace(self, root: FunctionSymbol) -> Iterator[list[TraceSegment]]:
        """Traces every call of a function for the length of a ``with`` block; the list is filled when it ends.

        Args:
            root: one of :attr:`functions`; its callees are what is told apart.

        Raises:
            UsageError: the board does not simulate exactly, or the function's size is not known.
            BoardError: there is no memory for it, another trace is on, or the function makes more calls than are kept.
        """
        with self.guard as machine:
            if not self._exact:
                raise UsageError("a trace needs exact simulation", hint="open the board with exact=True")
            if root.size < 2:
                raise UsageError(
                    f"the size of the function {root.name} is not known", hint="name a function with a size in the symbol table"
                )
            machine.start_trace((root.address, root.size), tuple((s.address, s.size) for s in self._elf.functions))
        found: list[TraceSegment] = []
        try:
            yield found
        finally:
            with self.guard as machine:
                traced = machine.stop_trace()
        if traced.overflow:
            raise BoardError(
                f"{root.name} makes more than {MAX_SEGMENTS} calls",
                why="it is not a function that calls one layer after the other, or it was traced for too long",
                hint="choose another function, or fewer inferences",
            )
        found.extend(traced.segments)

    def position(self) -> str:
        """Where the firmware is now, human-readable: ``"PC 0x08001234 (main+0x12)"``."""
        return f"PC {self.place(self.program_counter())}"

    def program_counter(self) -> int:
        """The address of the instruction that is next."""
        with self.guard as machine:
            return machine.program_counter()

    def place(self, address: int) -> str:
        """A human-readable address: ``"0x08001234 (main+0x12)"``, with its function if the image has symbols."""
        return place(self._elf, address)

    def function_at(self, address: int) -> str | None:
        """The function around an address by the ELF's symbols."""
        return self._elf.function_at(address)

    def run_guarded(self, until_ps: int) -> StopReason:
        """Runs the machine; the caller holds the guard. Reports notes, raises on a crash."""
        return self._reported(self.guard.machine.run(until_ps))

    def hear_guarded(self, until_ps: int, silent_until_ps: int, command: bytes, prompt: bytes) -> StopReason:
        """The same for a reader of the line: :meth:`~cm4tiny.boards.virtual.machine.Machine.hear`."""
        return self._reported(self.guard.machine.hear(until_ps, silent_until_ps, command, prompt))

    def _reported(self, reason: StopReason) -> StopReason:
        for note in self.guard.machine.take_notes():
            is_rule = note.kind is NoteKind.RULE
            text = rule_note(self._broken_rule(note.address), self._elf) if is_rule else note_text(note, self._elf)
            self._notes.append(text)
            if not (is_rule and self._strict):  # then it is an error, too
                self._events.message(STEP, text, "warning")
        if reason is StopReason.REFUSED:
            raise rule_error(checked(self.guard.machine.refused_by()), self._elf, self.name)
        if reason is StopReason.FAULT:
            self.raise_fault()
            raise BoardError("the virtual board stopped for no known reason", hint="report this with the firmware")
        return reason

    def _broken_rule(self, place: int) -> BrokenRule:
        broken = self.guard.machine.broken_rules()
        if not 0 <= place < len(broken):
            raise malformed("a note on a rule that was not broken")
        return checked(broken[place])

    def raise_fault(self) -> None:
        """Raises DeviceFaultError if the firmware is in a fault handler, or worse; the caller holds the guard."""
        machine = self.guard.machine
        fault = machine.fault()
        if fault is not None:
            raise fault_error(fault, self._elf, self.name)

    # --- what the simulated power monitor asks -------------------------------------------------------------------------------------

    @property
    def models_current(self) -> bool:
        """Whether energies can be given; without that :attr:`power` has time stamps only."""
        return models_current(self.description)

    def power_settings(self) -> PowerSettings:
        """What the chip clocks and powers now, as far as its current depends on it."""
        with self.guard as machine:
            return power_history(machine, machine.time_ps / PS_PER_S, self.description)[-1][1]

    def power_phases(self, from_s: float) -> list[Phase]:
        """The same from a point of virtual time on: (from this time on, these settings), the ones in force then first.

        Raises:
            PowerError: there were more changes than are kept.
        """
        with self.guard as machine:
            return power_history(machine, from_s, self.description)

    def idle_spans(self, from_s: float) -> list[Span]:
        """From, to, and what the core did other than to work, from a point of virtual time on.

        Raises:
            PowerError: there were more than are kept.
        """
        with self.guard as machine:
            return idle_history(machine, from_s)

    def stalled_and_worked(self) -> tuple[float, float]:
        """Cycles so far that waited for flash, and cycles of work, those included."""
        with self.guard as machine:
            return stalled_and_worked(machine.counters())

    def pin_changes(self, port: str, pin: int) -> tuple[tuple[float, int], ...]:
        """Virtual time and new level of each change of an output pin so far, e.g. of ``"F", 13``; the first million over all pins are kept.

        Raises:
            UsageError: the pin does not exist.
        """
        ports = "ABCDEFGHI"
        if len(port) != 1 or port not in ports or not 0 <= pin < 16:
            raise UsageError(f"there is no pin P{port}{pin}", hint="give a port from A to I and a pin from 0 to 15")
        with self.guard as machine:
            wanted = ports.index(port) * 16 + pin
            return tuple((change.time_ps / PS_PER_S, change.level) for change in machine.pin_changes() if change.pin == wanted)

    def timestamp_edges_s(self) -> tuple[float, ...]:
        """Virtual times of all falling edges of the time-stamp pin (PF13, D7) so far."""
        with self.guard as machine:
            return tuple(edge / PS_PER_S for edge in machine.edges_ps())


def _check_backend(asked: str) -> None:
    """``backend`` is kept for callers of earlier versions; there is one machine, in C."""
    if asked not in ("", "auto", "native"):
        raise UsageError(
            f"there is no backend '{asked}'",
            why="the machine in Python was removed: the board is one machine, in C",
            hint="leave the argument out; a host without a C compiler gets one by:\ncm run script --tags=get,tiny,board",
        )
