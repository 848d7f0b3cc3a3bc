# SPDX-License-Identifier: Apache-2.0
"""The structures that the machine's C code and Python share, and the check that both mean the same ones (``layout.c``)."""

from __future__ import annotations

import ctypes
import dataclasses
from typing import Any

from cm4tiny.boards.virtual.accesses import MOST_ACCESSES
from cm4tiny.boards.virtual.machine import Counters
from cm4tiny.boards.virtual.trace import TraceCost
from cm4tiny.errors import BoardError

LAYOUT_VERSION = 1
"""As in ``layout.c``: counts changes that leave the sizes as they are."""
_u32, _u64 = ctypes.c_uint32, ctypes.c_uint64


class ConstantsStruct(ctypes.Structure):
    _fields_ = [
        *((name, _u32) for name in ("taken_transfer_ticks", "icache_lines", "dcache_lines", "receive_pace", "idle_polls", "idle_gap")),
        *((name, _u64) for name in ("profile_min", "profile_max", "unprofiled_window", "unprofiled_limit")),
        *((name, _u32) for name in ("exact", "baud", "pair_per_mille", "bank_wait_ticks", "bank_change_ticks")),
    ]


class BlockAccessStruct(ctypes.Structure):
    _fields_ = [("displacement", ctypes.c_int32), *((name, ctypes.c_uint8) for name in ("reg", "size", "flags", "unused"))]


class BlockFactsStruct(ctypes.Structure):
    _fields_ = [
        *((name, _u32) for name in ("cost_ticks", "instructions", "fpu_offset", "exit_ticks", "entry_ticks", "access_count")),
        ("accesses", BlockAccessStruct * MOST_ACCESSES),
    ]


class FaultStruct(ctypes.Structure):
    _fields_ = [
        *((name, _u32) for name in ("kind", "address", "detail", "pc", "lr", "sp", "xpsr")),
        ("r", _u32 * 13),
        *((name, _u32) for name in ("exception", "interrupted", "cfsr", "hfsr", "locked_up")),
    ]


class NoteStruct(ctypes.Structure):
    _fields_ = [(name, _u32) for name in ("kind", "address", "pc")]


class CostStruct(ctypes.Structure):
    _fields_ = [(entry.name, _u64) for entry in dataclasses.fields(TraceCost)]  # in the order of the C structure

    def value(self) -> TraceCost:
        return TraceCost(*(getattr(self, entry.name) for entry in dataclasses.fields(TraceCost)))


class SegmentStruct(ctypes.Structure):
    _fields_ = [
        *((name, _u32) for name in ("call", "kind", "address", "complete")),
        ("cost", CostStruct),
        *((name, _u64) for name in ("code_bytes", "data_bytes", "ram_bytes")),
    ]


class CellStruct(ctypes.Structure):
    _fields_ = [("function", _u32), ("unused", _u32), ("cost", CostStruct)]


class StepStruct(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_uint8) for name in ("kind", "size", "result", "first", "second", "condition", "flag_reads", "flag_writes")),
        ("constant", _u32),
        *((name, ctypes.c_uint16) for name in ("reads", "writes", "moved", "covers")),
    ]


class SteadyStruct(ctypes.Structure):
    _fields_ = [("calls", _u64), ("proven", _u64), ("looked_ahead", _u64), ("refused", _u32 * 16)]


class ClockChangeStruct(ctypes.Structure):
    _fields_ = [(name, _u64) for name in ("time_ps", "ticks", "hclk_hz")]


class PinChangeStruct(ctypes.Structure):
    _fields_ = [("time_ps", _u64), ("pin", _u32), ("level", _u32)]


class SettingChangeStruct(ctypes.Structure):
    _fields_ = [("time_ps", _u64), ("ticks", _u64), ("address", _u32), ("value", _u32)]


class ClockGateStruct(ctypes.Structure):
    _fields_ = [(name, _u32) for name in ("base", "size", "enable_offset", "enable_mask")]


class PinFunctionStruct(ctypes.Structure):
    _fields_ = [(name, _u32) for name in ("uart", "transmits", "pin", "function")]


class BrokenRuleStruct(ctypes.Structure):
    _fields_ = [
        *((name, _u32) for name in ("rule", "address", "value", "detail", "limit", "is_store", "block", "block_size", "hclk_hz")),
        ("r", _u32 * 15),
    ]


class SpanStruct(ctypes.Structure):
    _fields_ = [("from_ticks", _u64), ("to_ticks", _u64), ("kind", _u32), ("unused", _u32)]


STEP_FIELDS = tuple(entry[0] for entry in StepStruct._fields_)
COUNTERS = tuple(field.name for field in dataclasses.fields(Counters))  # in the order of the C structure


class StatisticsStruct(ctypes.Structure):
    _fields_ = [(name, _u64) for name in COUNTERS]


SHARED: dict[str, type[ctypes.Structure]] = {
    "timing_constants": ConstantsStruct,
    "block_access": BlockAccessStruct,
    "block_facts": BlockFactsStruct,
    "fault": FaultStruct,
    "note": NoteStruct,
    "trace_cost": CostStruct,
    "trace_segment": SegmentStruct,
    "trace_cell": CellStruct,
    "step": StepStruct,
    "steady_report": SteadyStruct,
    "clock_change": ClockChangeStruct,
    "pin_change": PinChangeStruct,
    "setting_change": SettingChangeStruct,
    "span": SpanStruct,
    "clock_gate": ClockGateStruct,
    "pin_function": PinFunctionStruct,
    "broken_rule": BrokenRuleStruct,
    "statistics": StatisticsStruct,
}
"""By their names in C."""


def check_layout(library: Any) -> None:
    """Compares version and sizes with those of a loaded library.

    Raises:
        BoardError: the library was built from other sources than this Python code belongs to.
    """
    library.cm4_layout_version.restype, library.cm4_layout_version.argtypes = _u32, []
    library.cm4_layout_size.restype, library.cm4_layout_size.argtypes = _u32, [ctypes.c_char_p]
    version = library.cm4_layout_version()
    if version != LAYOUT_VERSION:
        raise _mismatch(f"its structures have version {version}, this package's have version {LAYOUT_VERSION}")
    for name, structure in SHARED.items():
        size = library.cm4_layout_size(name.encode())
        if size != ctypes.sizeof(structure):
            raise _mismatch(f"its structure '{name}' has {size} bytes, this package's has {ctypes.sizeof(structure)}")


def _mismatch(why: str) -> BoardError:
    return BoardError(
        "the virtual board's library does not belong to this version of cm4tiny",
        why=why,
        hint="install cm4tiny again; if you changed the C code, change layout.py and LAYOUT_VERSION with it",
    )
