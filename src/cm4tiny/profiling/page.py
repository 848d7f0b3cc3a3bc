# SPDX-License-Identifier: Apache-2.0
"""A profile as one HTML file: the picture, the table, and the functions of each layer. Nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from cm4tiny.profiling.model import LABEL, Cost, LayerProfile, Profile
from cm4tiny.profiling.names import short_name
from cm4tiny.profiling.plot import PARTS, svg
from cm4tiny.profiling.text import hottest

FUNCTIONS_SHOWN = 12
_STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
_HEAD = (
    "",
    "layer",
    "output",
    "MACs",
    "cycles",
    "%",
    "per MAC",
    "instructions",
    "I-misses",
    "D-misses",
    "code",
    "constants",
    "stored",
    "RAM",
)
_LEFT = ("layer", "output", "function")


def page(profile: Profile) -> str:
    """The text of an HTML file."""
    functions = [_functions(i, layer, profile.conditions.text) for i, layer in enumerate(profile.layers)]
    body = [
        f'<section><div class="wide">{svg(profile)}</div>{_narrow(profile)}</section>',
        f"<section><h2>Layers</h2>{_layers(profile)}{_notes(profile)}</section>",
        f"<section><h2>Functions within each layer</h2>{''.join(functions)}",
        '<p class="note">Cost of a function without what it called.</p></section>',
    ]
    title = escape(f"Profile of {profile.title}")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _narrow(profile: Profile) -> str:
    """The picture for a screen that is too narrow for it: a bar a layer, with its share of the inference."""
    costs = [(f"{i} {layer.name}", layer.cost) for i, layer in enumerate(profile.layers)] + [("between the layers", profile.own)]
    costs += [("interrupts", profile.interrupts)] if profile.interrupts is not None else []
    longest = max((cost.cycles for _, cost in costs), default=0.0) or 1.0
    keys = "".join(f'<span><i class="key" style="background:{colour}"></i>{words}</span>' for _, words, colour in PARTS)
    rows = []
    for name, cost in costs:
        share = f"{100 * cost.ticks / profile.whole.ticks:.1f} %" if profile.whole.ticks else ""
        widths = [(getattr(cost, f"{key}_cycles") / longest, colour) for key, _, colour in PARTS]
        bars = "".join(f'<i style="width:{100 * width:.2f}%;background:{colour}"></i>' for width, colour in widths if width > 0)
        numbers = f'<span class="n">{cost.cycles:,.0f} cycles, {share}</span>'
        rows.append(f'<li>{numbers}<b>{escape(name)}</b><div class="bar">{bars}</div></li>')
    labels = f"<p>{escape(profile.conditions.text)}</p>"
    return f'<div class="narrow"><h1>{escape(profile.title)}</h1>{labels}<div class="keys">{keys}</div><ol>{"".join(rows)}</ol></div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], labels: str, last: Sequence[str] = ()) -> str:
    left = [name in _LEFT for name in head]

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(f"<{tag}{' class=l' if is_left else ''}>{cell}</{tag}>" for cell, is_left in zip(row, left, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    end = f'<tr class="sum">{cells("td", last)}</tr>' if last else ""
    table = f"<table><caption>{escape(labels)}</caption><tr>{cells('th', head)}</tr>{body}{end}</table>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="table, scrolls sideways">{table}</div>'


def _counts(cost: Cost, total: Cost, per_mac: str) -> list[str]:
    share = f"{100 * cost.ticks / total.ticks:.1f}" if total.ticks else ""
    return [f"{cost.cycles:,.0f}", share, per_mac, f"{cost.instructions:,}", f"{cost.icache_misses:,}", f"{cost.dcache_misses:,}"]


def _layers(profile: Profile) -> str:
    total, rows = profile.whole, []
    for i, layer in enumerate(profile.layers):
        per_mac = "-" if layer.cycles_per_mac is None else f"{layer.cycles_per_mac:.2f}"
        used = layer.footprint
        rows.append([
            str(i),
            escape(layer.name),
            "x".join(map(str, layer.output_shape)) or "-",
            "-" if layer.macs is None else f"{layer.macs:,}",
            *_counts(layer.cost, total, per_mac),
            f"{used.code_bytes:,}",
            f"{used.const_bytes:,}",
            "-" if layer.stored_bytes is None else f"{layer.stored_bytes:,}",
            f"{used.ram_bytes:,}",
        ])  # fmt: skip
    rows.append(["", "between the layers", "", "", *_counts(profile.own, total, ""), "", "", "", ""])
    if profile.interrupts is not None:
        rows.append(["", "interrupts", "", "", *_counts(profile.interrupts, total, ""), "", "", "", ""])
    macs = "-" if profile.macs is None else f"{profile.macs:,}"
    per_mac = f"{total.cycles / profile.macs:.2f}" if profile.macs else "-"
    used = profile.footprint
    sizes = (used.code_bytes, used.const_bytes, profile.stored_bytes, used.ram_bytes)
    bytes_used = ["-" if n is None else f"{n:,}" for n in sizes]
    return _table(_HEAD, rows, profile.conditions.text, ["", "inference", "", macs, *_counts(total, total, per_mac), *bytes_used])


def _notes(profile: Profile) -> str:
    words = [
        f"{LABEL[0].upper()}{LABEL[1:]}.",
        "Distinct bytes used: of flash, code ran and constants were read as data; of RAM, with the stack. Layers may share them.",
        "Stored: the layer's constants in flash by the record of the build, also those that are copied to RAM at boot.",
    ]
    if profile.outside_cycles is not None:
        words.append(f"{profile.outside_cycles:,.0f} cycles per inference lie outside of {escape(profile.root)}, by the device's clock.")
    return f'<p class="note">{" ".join([*words, *(f"{escape(note)}." for note in profile.notes)])}</p>'


def _functions(number: int, layer: LayerProfile, labels: str) -> str:
    shown, total = layer.functions[:FUNCTIONS_SHOWN], layer.cost
    rows = [
        [
            f"<code>{escape(short_name(f.name) or 'code without a symbol')}</code>",
            *_counts(f.cost, total, "")[:2],
            *_counts(f.cost, total, "")[3:],
        ]
        for f in shown
    ]
    head = ("function", "cycles", "%", "instructions", "I-misses", "D-misses")
    rest = len(layer.functions) - len(shown)
    more = f'<p class="note">and {rest} more</p>' if rest else ""
    title = f"{number} {escape(layer.name)} <span>{escape(hottest(layer))}</span>"
    return f"<details><summary>{title}</summary>{_table(head, rows, labels)}{more}</details>"
