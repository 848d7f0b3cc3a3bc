# SPDX-License-Identifier: Apache-2.0
"""A profile as a table for a terminal or a text file."""

from __future__ import annotations

from collections.abc import Sequence

from cm4tiny.profiling.model import LABEL, Cost, Footprint, LayerProfile, Profile
from cm4tiny.profiling.names import plain_name

NAME_WIDTH = 30
_HEAD = (
    "",
    "layer",
    "output",
    "MACs",
    "cycles",
    "%",
    "per MAC",
    "instr.",
    "I-miss",
    "D-miss",
    "code B",
    "const B",
    "stored B",
    "RAM B",
    "most of it in",
)
_LEFT = (1, 2, 14)
_DISPENSABLE = (14, 7, 2)


def table(profile: Profile, width: int = 0) -> str:
    """Lines of a table: one row per layer, what lies between them, and the sum.

    Args:
        width: of the terminal; columns that are not needed to understand the rest are left out if they do not fit. 0: as wide as it takes.
    """
    total = profile.whole
    rows = [_layer(i, layer, total) for i, layer in enumerate(profile.layers)]
    rows.append(_row("between the layers", profile.own, total))
    if profile.interrupts is not None:
        rows.append(_row("interrupts", profile.interrupts, total))
    per_mac = f"{total.cycles / profile.macs:.2f}" if profile.macs else "-"
    macs = f"{profile.macs:,}" if profile.macs is not None else "-"
    last = _row("inference", total, total, macs, per_mac, profile.footprint, profile.stored_bytes)
    widths = [max(len(row[i]) for row in (_HEAD, *rows, last)) for i in range(len(_HEAD))]
    shown = list(range(len(_HEAD)))
    for column in _DISPENSABLE:
        if width and _total(widths, shown) > width:
            shown.remove(column)
    rule = "-" * _total(widths, shown)
    lines = [_line(_HEAD, widths, shown), rule, *(_line(row, widths, shown) for row in rows), rule, _line(last, widths, shown)]
    return "\n".join([*_title(profile), "", *lines, "", *_foot(profile)]) + "\n"


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[i] for i in shown) + 2 * (len(shown) - 1)


def summary(profile: Profile) -> str:
    """``"13,010,222 cycles = 9.22 inferences/s at 120 MHz"``."""
    cycles = profile.whole.cycles + (profile.outside_cycles or 0.0)
    return f"{profile.whole.cycles:,.0f} cycles = {profile.hclk_hz / cycles:,.2f} inferences/s at {profile.hclk_hz / 1e6:g} MHz"


def _title(profile: Profile) -> list[str]:
    return [
        f"{profile.title}: {summary(profile)}",
        f"{LABEL}; layers called by {profile.root} of {profile.image}",
        f"Labels: {profile.conditions.text}",
    ]


def _layer(number: int, layer: LayerProfile, total: Cost) -> Sequence[str]:
    per_mac = layer.cycles_per_mac
    cells = list(
        _row(
            shorten(layer.name, NAME_WIDTH),
            layer.cost,
            total,
            "-" if layer.macs is None else f"{layer.macs:,}",
            "-" if per_mac is None else f"{per_mac:.2f}",
            layer.footprint,
            layer.stored_bytes,
        )
    )
    cells[0], cells[2], cells[14] = str(number), "x".join(map(str, layer.output_shape)) or "-", hottest(layer)
    return cells


def _row(
    name: str, cost: Cost, total: Cost, macs: str = "", per_mac: str = "", footprint: Footprint | None = None, stored: int | None = None
) -> Sequence[str]:
    used: tuple[str, ...] = ("", "", "", "")
    if footprint:
        kept = "-" if stored is None else f"{stored:,}"
        used = (f"{footprint.code_bytes:,}", f"{footprint.const_bytes:,}", kept, f"{footprint.ram_bytes:,}")
    share = f"{100 * cost.ticks / total.ticks:.1f}" if total.ticks else "-"
    counts = [f"{value:,}" for value in (cost.instructions, cost.icache_misses, cost.dcache_misses)]
    return ("", name, "", macs, f"{cost.cycles:,.0f}", share, per_mac, *counts, *used, "")


def hottest(layer: LayerProfile) -> str:
    """The function that takes most of a layer, and its share."""
    if not layer.functions or not layer.cost.ticks:
        return ""
    first = layer.functions[0]
    name = shorten(plain_name(first.name) or "code without a symbol", NAME_WIDTH)
    return f"{name} {100 * first.cost.ticks / layer.cost.ticks:.0f} %"


def shorten(name: str, width: int) -> str:
    """A name of at most ``width`` letters: its beginning and its end."""
    if len(name) <= width:
        return name
    tail = (width - 1) // 3
    return f"{name[: width - 1 - tail]}…{name[-tail:]}"


def _line(cells: Sequence[str], widths: Sequence[int], shown: Sequence[int]) -> str:
    padded = [cells[i].ljust(widths[i]) if i in _LEFT else cells[i].rjust(widths[i]) for i in shown]
    return "  ".join(padded).rstrip()


def _foot(profile: Profile) -> list[str]:
    total = profile.whole
    stalls = [
        f"{100 * part / total.cycles:.1f} % {what}"
        for part, what in (
            (total.issue_cycles, "issue"),
            (total.icache_stall_cycles, "instructions from flash (I-miss)"),
            (total.dcache_stall_cycles, "data from flash (D-miss)"),
        )
    ]
    lines = [
        f"Cycles: {', '.join(stalls)}.",
        "Distinct bytes used: of flash, code B ran and const B were read as data; of RAM, with the stack. Layers may share them.",
        "stored B: the layer's constants in flash by the record of the build, also those that are copied to RAM at boot.",
    ]
    if profile.outside_cycles is not None:
        lines.append(f"Outside of {profile.root}: {profile.outside_cycles:,.0f} cycles per inference by the device's clock.")
    return lines + [f"Note: {note}." for note in profile.notes]
