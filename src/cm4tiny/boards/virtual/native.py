# SPDX-License-Identifier: Apache-2.0
"""The machine: ctypes around the C library. Calls into it release the interpreter's lock, so boards run in parallel threads."""

from __future__ import annotations

import ctypes
import fcntl
import os
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cm4tiny.boards.virtual import layout
from cm4tiny.boards.virtual.build import NativeLibrary, native_library
from cm4tiny.boards.virtual.cycle_model import TICKS_PER_CYCLE, BlockCoster, CycleModel
from cm4tiny.boards.virtual.machine import (
    ALL_GUARDS,
    Calls,
    ClockChange,
    Counters,
    Fault,
    FaultKind,
    Note,
    NoteKind,
    PinChange,
    Refusal,
    SettingChange,
    StopReason,
)
from cm4tiny.boards.virtual.silicon import BrokenRule, clock_gates, pin_functions
from cm4tiny.boards.virtual.steps import StepReader
from cm4tiny.boards.virtual.trace import MAX_SEGMENTS, Ranges, Traced, TraceKind, TraceSegment
from cm4tiny.boards.virtual.unicorn_core import check_core
from cm4tiny.errors import BoardError
from cm4tiny.scratch import scratch_folder

PAGE_BYTES = 4096
"""unicorn's page size for this machine; its own default of 1 KB cuts blocks and slows jumps between pages."""

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_HINT_START = "close other programs, or install unicorn again:\npip install --force-reinstall unicorn==2.1.4"
_FPU_NONE = 0xFFFF_FFFF
_FOR_EVER = 2**64 - 1
MAX_LINES = 64
"""Of an answer that are heard in one run; the longest of the protocol that is not a list of bytes has 14."""
_u8p, _u32, _u64 = ctypes.POINTER(ctypes.c_uint8), ctypes.c_uint32, ctypes.c_uint64


_Classify = ctypes.CFUNCTYPE(None, _u32, _u32, ctypes.POINTER(layout.BlockFactsStruct))
_Describe = ctypes.CFUNCTYPE(None, _u32, ctypes.POINTER(layout.StepStruct))


@lru_cache(maxsize=4)
def load_library(built: NativeLibrary) -> ctypes.CDLL:
    """Loads the bytes that were compared, from a sealed file in memory, so that nothing can change them in between or later."""
    ctypes.CDLL(str(built.unicorn.library))  # found again by its name when the board's library needs it
    try:
        descriptor = os.memfd_create(built.path.name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(built.content)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        # The descriptor stays open: the loader knows a library by its path, and would give the next one of the same number this one's code.
        library = ctypes.CDLL(f"/proc/self/fd/{descriptor}")
    except OSError:  # a system that forbids programs in memory, or has no /proc
        with scratch_folder("board") as folder:
            copy = folder / built.path.name
            copy.write_bytes(built.content)
            library = ctypes.CDLL(str(copy))
    layout.check_layout(library)
    machine = ctypes.c_void_p
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "cm4_new": (machine, [ctypes.POINTER(layout.ConstantsStruct), _Classify, _Describe, _u32]),
        "cm4_steady": (ctypes.c_int, [machine, _u32, _u32]),
        "cm4_steady_report": (None, [machine, ctypes.POINTER(layout.SteadyStruct)]),
        "cm4_skip_polls": (None, [machine, _u32]),
        "cm4_silence": (None, [machine, _u64]),
        "cm4_output_waits": (_u64, [machine]),
        "cm4_free": (None, [machine]),
        "cm4_write_memory": (ctypes.c_int, [machine, _u32, ctypes.c_char_p, _u32]),
        "cm4_read_memory": (ctypes.c_int, [machine, _u32, ctypes.c_char_p, _u32]),
        "cm4_reset": (None, [machine]),
        "cm4_run": (ctypes.c_int, [machine, _u64]),
        "cm4_stop": (None, [machine]),
        "cm4_skip_until": (ctypes.c_int, [machine, _u64]),
        "cm4_receive": (ctypes.c_int, [machine, ctypes.c_char_p, _u32]),
        "cm4_set_prompt": (ctypes.c_int, [machine, ctypes.c_char_p, _u32, _u32]),
        "cm4_play": (ctypes.c_int, [machine, ctypes.c_char_p, _u32, _u32]),
        "cm4_line_baud": (_u32, [machine]),
        "cm4_program_counter": (_u32, [machine]),
        "cm4_take_output": (_u32, [machine, ctypes.c_char_p, _u32]),
        "cm4_time_ps": (_u64, [machine]),
        "cm4_ticks": (_u64, [machine]),
        "cm4_hclk_hz": (_u64, [machine]),
        "cm4_fault": (None, [machine, ctypes.POINTER(layout.FaultStruct)]),
        "cm4_edges": (_u32, [machine, _u32, ctypes.POINTER(_u64), _u32]),
        "cm4_pin_changes": (_u32, [machine, _u32, ctypes.POINTER(layout.PinChangeStruct), _u32]),
        "cm4_clock_changes": (_u32, [machine, _u32, ctypes.POINTER(layout.ClockChangeStruct), _u32]),
        "cm4_peek": (ctypes.c_int, [machine, _u32, ctypes.POINTER(_u32)]),
        "cm4_setting_changes": (_u32, [machine, _u32, ctypes.POINTER(layout.SettingChangeStruct), _u32]),
        "cm4_spans": (_u32, [machine, _u32, ctypes.POINTER(layout.SpanStruct), _u32]),
        "cm4_set_rules": (
            ctypes.c_int,
            [machine, _u32, ctypes.POINTER(layout.ClockGateStruct), _u32, ctypes.POINTER(layout.PinFunctionStruct), _u32],
        ),
        "cm4_broken_rules": (_u32, [machine, _u32, ctypes.POINTER(layout.BrokenRuleStruct), _u32]),
        "cm4_rule_name": (ctypes.c_char_p, [_u32]),
        "cm4_strict": (_u32, [machine]),
        "cm4_refused_by": (_u32, [machine]),
        "cm4_take_notes": (_u32, [machine, ctypes.POINTER(layout.NoteStruct), _u32]),
        "cm4_statistics": (None, [machine, ctypes.POINTER(layout.StatisticsStruct)]),
        "cm4_trace_start": (ctypes.c_int, [machine, _u32, _u32, ctypes.POINTER(_u32), ctypes.POINTER(_u32), _u32]),
        "cm4_trace_stop": (None, [machine]),
        "cm4_trace_overflow": (ctypes.c_int, [machine]),
        "cm4_trace_segments": (_u32, [machine, _u32, ctypes.POINTER(layout.SegmentStruct), _u32]),
        "cm4_trace_cells": (_u32, [machine, _u32, ctypes.POINTER(layout.CellStruct)]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _no_memory() -> BoardError:
    return BoardError(
        "the virtual board stopped: the host has no memory left",
        why="what the firmware made it record, or other programs, took it",
        hint="close other programs or boards, and run again",
    )


class NativeMachine:
    """One emulated chip in C. See :class:`~cm4tiny.boards.virtual.machine.Machine`."""

    fed = False
    before_slice: Callable[[], None] | None = None
    """Called before each slice of a run."""

    def __init__(
        self, model: CycleModel, *, exact: bool, baud: int | None, strict: bool = True, library: NativeLibrary | None = None
    ) -> None:
        self._machine: int | None = None
        built = library or native_library()
        self._library = load_library(built)
        self._coster = BlockCoster(model)
        self._steps = StepReader()
        self._callback_error: BaseException | None = None
        self._stopped = False
        self.exact = exact
        self._classify = _Classify(self._on_classify)  # kept: the library holds only its address
        self._describe = _Describe(self._on_describe)
        constants = layout.ConstantsStruct(
            taken_transfer_ticks=model.taken_transfer * TICKS_PER_CYCLE,
            icache_lines=model.icache_lines,
            dcache_lines=model.dcache_lines,
            receive_pace=model.receive_pace,
            idle_polls=model.idle_polls,
            idle_gap=model.idle_gap,
            profile_min=model.profile_min,
            profile_max=model.profile_max,
            unprofiled_window=model.unprofiled_window,
            unprofiled_limit=model.unprofiled_limit,
            exact=int(exact),
            baud=baud or 0,
            pair_per_mille=model.pair_per_mille,
            bank_wait_ticks=model.bank_wait * TICKS_PER_CYCLE,
            bank_change_ticks=model.bank_change * TICKS_PER_CYCLE,
        )
        self._machine = self._library.cm4_new(ctypes.byref(constants), self._classify, self._describe, PAGE_BYTES)
        if not self._machine:
            check_core()  # says what is wrong with it, if that is the cause
            raise BoardError(
                "the virtual board did not start", why="there is no memory for it, or unicorn did not open a Cortex-M4", hint=_HINT_START
            )
        gates, pins = clock_gates(built.board.chip), pin_functions(built.board.chip)
        given = (layout.ClockGateStruct * len(gates))(*(layout.ClockGateStruct(*row) for row in gates))
        functions = (layout.PinFunctionStruct * len(pins))(*(layout.PinFunctionStruct(*row) for row in pins))
        if self._library.cm4_set_rules(self._machine, int(strict), given, len(gates), functions, len(pins)) != 0:
            raise BoardError("the virtual board did not start", why="its tables of clocks and pins are too long", hint=_HINT_START)
        self._broken: list[BrokenRule] = []
        self._buffer = ctypes.create_string_buffer(1 << 16)
        self._lines: list[tuple[int, bytes]] = []
        self._edges: list[int] = []
        self._clock_changes: list[ClockChange] = []
        self._pin_changes: list[PinChange] = []
        self._setting_changes: list[SettingChange] = []
        self._traced_functions = 0

    def _on_classify(self, address: int, size: int, facts: Any) -> None:
        code = ctypes.create_string_buffer(size)
        if self._library.cm4_read_memory(self._handle, address, code, size) != 0:
            return  # from one memory into another: as the library filled it in
        try:
            known = self._coster.facts(code.raw, address)
        except BaseException as error:  # must not unwind through C: raised again when the run returns
            self._callback_error = error
            self._library.cm4_stop(self._handle)
            return
        facts[0].cost_ticks, facts[0].instructions = known.cost_ticks, known.instructions
        facts[0].fpu_offset = _FPU_NONE if known.fpu_offset is None else known.fpu_offset
        facts[0].exit_ticks, facts[0].entry_ticks = known.exit_ticks, known.entry_ticks
        facts[0].access_count = len(known.accesses)
        for i, access in enumerate(known.accesses):
            facts[0].accesses[i] = layout.BlockAccessStruct(access.displacement, access.register, access.size, access.flags)

    def _on_describe(self, address: int, step: Any) -> None:
        code = ctypes.create_string_buffer(4)
        if self._library.cm4_read_memory(self._handle, address, code, 4) != 0:
            return  # stays unknown: what runs there is not proven to be anything
        try:
            known = self._steps.facts(code.raw, address)
        except BaseException as error:  # as above
            self._callback_error = error
            self._library.cm4_stop(self._handle)
            return
        for name in layout.STEP_FIELDS:
            setattr(step[0], name, int(getattr(known, name)))

    @property
    def _handle(self) -> int:
        if not self._machine:
            raise BoardError("the virtual board is closed", hint="make a new one")
        return self._machine

    @property
    def time_ps(self) -> int:
        return int(self._library.cm4_time_ps(self._handle))

    @property
    def ticks(self) -> int:
        return int(self._library.cm4_ticks(self._handle))

    @property
    def hclk_hz(self) -> int:
        return int(self._library.cm4_hclk_hz(self._handle))

    def write_memory(self, address: int, data: bytes) -> None:
        if self._library.cm4_write_memory(self._handle, address, data, len(data)) != 0:
            raise BoardError(f"0x{address:08x} is not memory of this chip", why=f"{len(data)} bytes were to be written there")

    def read_memory(self, address: int, size: int) -> bytes:
        data = ctypes.create_string_buffer(size)
        if self._library.cm4_read_memory(self._handle, address, data, size) != 0:
            raise BoardError(f"0x{address:08x} is not memory of this chip", why=f"{size} bytes were to be read there")
        return data.raw

    def reset(self) -> None:
        self._library.cm4_reset(self._handle)

    def run(self, until_ps: int, silent_until_ps: int = 0, command: bytes = b"") -> StopReason:
        self.fed = False
        self._library.cm4_silence(self._handle, min(silent_until_ps, _FOR_EVER))
        reason = self._in_slices(self._library.cm4_run, until_ps)
        if command and reason in (StopReason.IDLE, StopReason.QUIET):
            self.receive(command)
            self.fed = True
            if self.time_ps < until_ps and not self._library.cm4_output_waits(self._handle):
                reason = self._in_slices(self._library.cm4_run, until_ps)
        return reason

    def hear(self, until_ps: int, silent_until_ps: int, command: bytes, prompt: bytes) -> StopReason:
        reason = self.run(until_ps, silent_until_ps, command)
        while reason is StopReason.LINE and len(self._lines) < MAX_LINES:
            self._lines.append((self.time_ps, self.take_output()))
            last = self._lines[-1][1]
            if last.endswith(prompt) or not last.endswith(b"\n"):  # the end of an answer, or a piece of a line without an end
                break
            reason = self._in_slices(self._library.cm4_run, until_ps)
        if reason in (StopReason.IDLE, StopReason.PARKED) and not (self.fed or self._lines or self._library.cm4_output_waits(self._handle)):
            self.skip_until(until_ps)
        return reason

    def take_lines(self) -> list[tuple[int, bytes]]:
        lines, self._lines = self._lines, []
        return lines

    def _in_slices(self, run: Callable[[int, int], int], until_ps: int) -> StopReason:
        """Runs on from slice to slice: between two the interpreter serves signals, such as Ctrl-C."""
        until_ps = min(until_ps, _FOR_EVER)
        while True:
            if self._stopped:
                raise BoardError("the virtual board was stopped", why="it was closed while it ran", hint="open a new one")
            if self.before_slice is not None:
                self.before_slice()
            reason = StopReason(run(self._handle, until_ps))
            if self._callback_error is not None:
                error, self._callback_error = self._callback_error, None
                raise error
            if reason is StopReason.MEMORY:
                raise _no_memory()
            if reason is not StopReason.SLICE:
                return reason

    def stop(self) -> None:
        self._stopped = True

    def skip_until(self, time_ps: int) -> None:
        self._in_slices(self._library.cm4_skip_until, time_ps)

    def receive(self, data: bytes) -> None:
        if self._library.cm4_receive(self._handle, data, len(data)) != 0:
            raise _no_memory()

    def set_prompt(self, prompt: bytes, settle_cycles: int) -> None:
        if self._library.cm4_set_prompt(self._handle, prompt, len(prompt), settle_cycles) != 0:
            raise BoardError(f"the prompt {prompt!r} is too long for the machine", hint="give the end of the line only")

    def play(self, frames: bytes, rate_hz: int) -> None:
        if not 0 < rate_hz <= 0xFFFF_FFFF or self._library.cm4_play(self._handle, frames, len(frames) // 4, rate_hz) != 0:
            raise BoardError(
                f"{len(frames) // 4} frames at {rate_hz} Hz cannot be played",
                why="the rate is not a positive number, or more than an hour of audio waits to be played",
                hint="play shorter pieces",
            )

    def advance_calls(self, function: int, guards: int = ALL_GUARDS) -> None:
        if self._library.cm4_steady(self._handle, function, guards) != 0:
            raise BoardError(f"0x{function:08x} is not the address of a function in flash", hint="give one of the image's functions")

    def skip_polls(self, on: bool) -> None:
        self._library.cm4_skip_polls(self._handle, int(on))

    def calls(self) -> Calls:
        raw = layout.SteadyStruct()
        self._library.cm4_steady_report(self._handle, ctypes.byref(raw))
        refused = {Refusal(number): count for number, count in enumerate(raw.refused) if count and number}
        return Calls(raw.calls, raw.proven, refused, raw.looked_ahead)

    def line_baud(self) -> int:
        return int(self._library.cm4_line_baud(self._handle))

    def program_counter(self) -> int:
        return int(self._library.cm4_program_counter(self._handle))

    def take_output(self) -> bytes:
        output = b""
        while count := self._library.cm4_take_output(self._handle, self._buffer, len(self._buffer)):
            output += self._buffer.raw[:count]
        return output

    def edges_ps(self) -> tuple[int, ...]:
        chunk = (_u64 * 256)()
        while count := self._library.cm4_edges(self._handle, len(self._edges), chunk, 256):
            self._edges.extend(chunk[:count])
        return tuple(self._edges)

    def pin_changes(self) -> tuple[PinChange, ...]:
        chunk = (layout.PinChangeStruct * 256)()
        while count := self._library.cm4_pin_changes(self._handle, len(self._pin_changes), chunk, 256):
            self._pin_changes.extend(PinChange(c.time_ps, c.pin, c.level) for c in chunk[:count])
        return tuple(self._pin_changes)

    def clock_changes(self) -> tuple[ClockChange, ...]:
        chunk = (layout.ClockChangeStruct * 64)()
        while count := self._library.cm4_clock_changes(self._handle, len(self._clock_changes), chunk, 64):
            self._clock_changes.extend(ClockChange(c.time_ps, c.ticks, c.hclk_hz) for c in chunk[:count])
        return tuple(self._clock_changes)

    def peek(self, address: int) -> int:
        value = _u32()
        if not 0 <= address <= 0xFFFF_FFFF or self._library.cm4_peek(self._handle, address, ctypes.byref(value)) != 0:
            raise BoardError(
                f"0x{address:08x} is not a register of this board",
                why="no peripheral is modelled there, or it is not the address of a word",
                hint="see cm4tiny/boards/chips for addresses, and docs/virtual-board.md for what is modelled",
            )
        return int(value.value)

    def setting_changes(self) -> tuple[SettingChange, ...]:
        chunk = (layout.SettingChangeStruct * 256)()
        while count := self._library.cm4_setting_changes(self._handle, len(self._setting_changes), chunk, 256):
            self._setting_changes.extend(SettingChange(c.time_ps, c.ticks, c.address, c.value) for c in chunk[:count])
        return tuple(self._setting_changes)

    def spans(self) -> NDArray[np.uint64]:
        chunk, pieces, known = (layout.SpanStruct * 4096)(), [], 0  # from the start: the last one known may have grown since
        while count := self._library.cm4_spans(self._handle, known, chunk, 4096):
            words = np.frombuffer(memoryview(chunk).cast("B"), dtype="<u8").reshape(-1, 3)[:count].copy()
            words[:, 2] &= 0xFFFF_FFFF
            pieces.append(words)
            known += count
        return np.concatenate(pieces) if pieces else np.empty((0, 3), dtype="<u8")

    @property
    def strict(self) -> bool:
        """Whether a broken rule ends the run: read back from the machine."""
        return bool(self._library.cm4_strict(self._handle))

    def refused_by(self) -> BrokenRule:
        """In strict mode, the rule that ended the run."""
        return self.broken_rules()[int(self._library.cm4_refused_by(self._handle))]

    def broken_rules(self) -> tuple[BrokenRule, ...]:
        chunk = (layout.BrokenRuleStruct * 32)()
        while count := self._library.cm4_broken_rules(self._handle, len(self._broken), chunk, 32):
            for raw in chunk[:count]:
                code = ctypes.create_string_buffer(raw.block_size)
                known = self._library.cm4_read_memory(self._handle, raw.block, code, raw.block_size) == 0
                self._broken.append(
                    BrokenRule(
                        self._library.cm4_rule_name(raw.rule).decode(),
                        raw.address,
                        raw.value,
                        raw.detail,
                        raw.limit,
                        bool(raw.is_store),
                        raw.block,
                        code.raw if known else b"",
                        tuple(raw.r),
                        raw.hclk_hz,
                    )
                )
        return tuple(self._broken)

    def take_notes(self) -> tuple[Note, ...]:
        chunk = (layout.NoteStruct * 256)()
        count = self._library.cm4_take_notes(self._handle, chunk, 256)
        return tuple(Note(NoteKind(n.kind), n.address, n.pc) for n in chunk[:count])

    def fault(self) -> Fault | None:
        raw = layout.FaultStruct()
        self._library.cm4_fault(self._handle, ctypes.byref(raw))
        if raw.kind == FaultKind.NONE:
            return None
        return Fault(
            FaultKind(raw.kind),
            raw.address,
            raw.detail,
            raw.pc,
            raw.lr,
            raw.sp,
            raw.xpsr,
            tuple(raw.r),
            exception=raw.exception,
            interrupted=raw.interrupted,
            cfsr=raw.cfsr,
            hfsr=raw.hfsr,
            locked_up=bool(raw.locked_up),
        )

    def counters(self) -> Counters:
        raw = layout.StatisticsStruct()
        self._library.cm4_statistics(self._handle, ctypes.byref(raw))
        return Counters(**{name: getattr(raw, name) for name in layout.COUNTERS})

    def start_trace(self, root: tuple[int, int], functions: Ranges) -> None:
        count = len(functions)
        starts, sizes = ((_u32 * max(count, 1))(*(entry[i] for entry in functions)) for i in (0, 1))
        if self._library.cm4_trace_start(self._handle, *root, starts, sizes, count) != 0:
            raise BoardError("the trace cannot start", why="it needs exact simulation, memory, and no other trace")
        self._traced_functions = count

    def stop_trace(self) -> Traced:
        self._library.cm4_trace_stop(self._handle)
        raw, cells = (layout.SegmentStruct * MAX_SEGMENTS)(), (layout.CellStruct * (self._traced_functions + 1))()
        count = self._library.cm4_trace_segments(self._handle, 0, raw, MAX_SEGMENTS)
        segments = []
        for i, s in enumerate(raw[:count]):
            known = self._library.cm4_trace_cells(self._handle, i, cells)
            by_function = {cell.function: cell.cost.value() for cell in cells[:known]}
            kind, complete = TraceKind(s.kind), bool(s.complete)
            sizes = (s.code_bytes, s.data_bytes, s.ram_bytes)
            segments.append(TraceSegment(s.call, kind, s.address, complete, s.cost.value(), *sizes, functions=by_function))
        return Traced(tuple(segments), bool(self._library.cm4_trace_overflow(self._handle)))

    def processor_s(self) -> float:
        return time.process_time()

    def close(self) -> None:
        if self._machine:
            self._library.cm4_free(self._machine)
            self._machine = None

    def __del__(self) -> None:
        self.close()
