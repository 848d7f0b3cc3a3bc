# SPDX-License-Identifier: Apache-2.0
"""A profile as a picture: one bar per layer, in order of execution, split into what its cycles went to. Plain SVG, no library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from cm4tiny.profiling.model import LABEL, Cost, LayerProfile, Profile
from cm4tiny.profiling.text import hottest, shorten, summary
from cm4tiny.results.conditions import HOME_BOARD

PARTS = (
    ("issue", "instructions", "#3f74b5"),
    ("icache_stall", "waiting for code from flash", "#e39a3b"),
    ("dcache_stall", "waiting for data from flash", "#c4483f"),
)
"""Part of a cost, its name in the legend, its colour (apart in hue and in lightness, so also without colours)."""
_WIDTH, _TOP, _ROW, _BAR, _MARGIN = 1080, 138, 26, 16, 28
_BARS_FROM, _BARS_TO = 300, 790
_COLUMNS = (880, 950, 1052)
_STYLE = """
text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 12.5px; fill: #1d2733; }
.title { font-size: 19px; font-weight: 600; } .sub { fill: #55616e; } .small { font-size: 11.5px; fill: #6a7683; }
.head { font-size: 11.5px; fill: #55616e; } .num { text-anchor: end; font-variant-numeric: tabular-nums; } .grid { stroke: #e3e7ec; }
.axis { stroke: #aeb7c1; } .stripe { fill: #f6f8fa; } .mark { font-size: 11.5px; font-weight: 600; fill: #8a4b00; }
.paper { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
text { fill: #e7eaee; } .sub, .head, .small { fill: #a3adb8; } .grid { stroke: #323a44; } .axis { stroke: #59636e; }
.stripe { fill: #20262d; } .mark { fill: #f0b35b; } .paper { fill: #1b2026; } }
@media print { text { fill: #1d2733; } .paper { fill: #ffffff; } .stripe { fill: #f6f8fa; } .mark { fill: #8a4b00; } }
"""


@dataclass(frozen=True)
class _Bar:
    number: str
    name: str
    detail: str
    cost: Cost
    per_mac: str
    tip: str


def svg(profile: Profile) -> str:
    """The text of an SVG file."""
    bars = _bars(profile)
    longest = max((bar.cost.cycles for bar in bars), default=1.0) or 1.0
    step = _step(longest)
    scale = (_BARS_TO - _BARS_FROM) / longest
    bottom = _TOP + _ROW * len(bars)
    height = bottom + 62
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img">',
        f"<title>{escape(profile.title)}: cycles by layer, {escape(profile.conditions.text)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        *_header(profile),
        *(_stripe(row) for row in range(0, len(bars), 2)),
        *_grid(step, scale, longest, bottom),
    ]
    for row, bar in enumerate(bars):
        parts += _row(row, bar, scale, profile)
    parts += _footer(profile, bottom)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bars(profile: Profile) -> list[_Bar]:
    bars = [_layer(i, layer) for i, layer in enumerate(profile.layers)]
    bars.append(_Bar("", "between the layers", "", profile.own, "", _tip("between the layers", profile.own)))
    if profile.interrupts is not None:
        bars.append(_Bar("", "interrupts", "", profile.interrupts, "", _tip("interrupts", profile.interrupts)))
    return bars


def _layer(number: int, layer: LayerProfile) -> _Bar:
    per_mac = layer.cycles_per_mac
    detail = "x".join(map(str, layer.output_shape))
    lines = [f"most of it in {hottest(layer)}"] if layer.functions else []
    lines.append(f"distinct bytes: code {layer.footprint.code_bytes:,}, constants {layer.footprint.const_bytes:,}")
    lines[-1] += f", RAM {layer.footprint.ram_bytes:,}"
    if layer.stored_bytes is not None:
        lines.append(f"constants stored in flash: {layer.stored_bytes:,} bytes")
    return _Bar(
        str(number),
        shorten(layer.name, 24),
        detail,
        layer.cost,
        "-" if per_mac is None else f"{per_mac:.2f}",
        _tip(layer.name, layer.cost, *lines),
    )


def _tip(name: str, cost: Cost, *more: str) -> str:
    parts = [f"{_part(cost, key):,.0f} {words}" for key, words, _ in PARTS]
    lines = [f"{name}: {cost.cycles:,.0f} cycles", ", ".join(parts), f"{cost.icache_misses:,} I-misses, {cost.dcache_misses:,} D-misses"]
    return "\n".join([*lines, *more])


def _part(cost: Cost, key: str) -> float:
    return float(getattr(cost, f"{key}_cycles"))


def _header(profile: Profile) -> list[str]:
    total = profile.whole
    macs = f"{profile.macs / 1e6:,.2f} M MACs, {total.cycles / profile.macs:.2f} cycles per MAC" if profile.macs else ""
    lines = [
        f'<text class="title" x="{_MARGIN}" y="36">{escape(profile.title)}</text>',
        f'<text class="sub" x="{_MARGIN}" y="58">{escape(", ".join(part for part in (summary(profile), macs) if part))}</text>',
        f'<text class="mark num" x="{_COLUMNS[2]}" y="36">{LABEL}</text>',
        f'<text class="mark" x="{_MARGIN}" y="78">{escape(profile.conditions.text)}</text>',
    ]
    x = _MARGIN
    for key, words, colour in PARTS:
        text = f"{words} {100 * _part(total, key) / total.cycles:.1f} %" if total.ticks else words
        lines.append(f'<rect x="{x}" y="95" width="12" height="12" rx="2" fill="{colour}"/>')
        lines.append(f'<text class="sub" x="{x + 18}" y="105">{text}</text>')
        x += 34 + round(6.9 * len(text))
    for column, words in zip(_COLUMNS, ("cycles", "%", "cycles / MAC"), strict=True):
        lines.append(f'<text class="head num" x="{column}" y="{_TOP - 9}">{words}</text>')
    return lines


def _step(longest: float) -> float:
    """A round distance of grid lines: 1, 2 or 5 times a power of ten, four to ten of them."""
    power = 10.0 ** math.floor(math.log10(longest / 4))
    return next((power * factor for factor in (1, 2, 5) if longest / (power * factor) <= 6), power * 10)


def _grid(step: float, scale: float, longest: float, bottom: int) -> list[str]:
    lines = []
    for i in range(math.floor(longest / step) + 1):
        x = _BARS_FROM + i * step * scale
        kind = "grid" if i else "axis"
        lines.append(f'<line class="{kind}" x1="{x:.1f}" y1="{_TOP - 3}" x2="{x:.1f}" y2="{bottom + 3}"/>')
        lines.append(f'<text class="small" text-anchor="middle" x="{x:.1f}" y="{bottom + 19}">{_amount(i * step)}</text>')
    return lines


def _amount(cycles: float) -> str:
    for unit, words in ((1e6, " M"), (1e3, " k")):
        if cycles >= unit:
            return f"{cycles / unit:g}{words}"
    return f"{cycles:g}"


def _stripe(row: int) -> str:
    return f'<rect class="stripe" x="{_MARGIN - 8}" y="{_TOP + _ROW * row}" width="{_WIDTH - 2 * _MARGIN + 16}" height="{_ROW}"/>'


def _row(row: int, bar: _Bar, scale: float, profile: Profile) -> list[str]:
    total = profile.whole
    top = _TOP + _ROW * row
    baseline = top + 17.5
    lines = [f"<g><title>{escape(bar.tip)}\n{escape(profile.conditions.text)}</title>"]
    lines.append(f'<text class="small num" x="{_MARGIN + 14}" y="{baseline}">{bar.number}</text>')
    lines.append(f'<text x="{_MARGIN + 24}" y="{baseline}">{escape(bar.name)}</text>')
    lines.append(f'<text class="small num" x="{_BARS_FROM - 10}" y="{baseline}">{escape(bar.detail)}</text>')
    x = float(_BARS_FROM)
    for key, _, colour in PARTS:
        width = _part(bar.cost, key) * scale
        if width > 0:
            lines.append(f'<rect x="{x:.2f}" y="{top + (_ROW - _BAR) / 2}" width="{width:.2f}" height="{_BAR}" fill="{colour}"/>')
        x += width
    share = f"{100 * bar.cost.ticks / total.ticks:.1f}" if total.ticks else ""
    for column, text in zip(_COLUMNS, (f"{bar.cost.cycles:,.0f}", share, bar.per_mac), strict=True):
        lines.append(f'<text class="num" x="{column}" y="{baseline}">{text}</text>')
    return [*lines, "</g>"]


def _footer(profile: Profile, bottom: int) -> Sequence[str]:
    words = f"One inference of {profile.image} on a virtual {HOME_BOARD}; layers are what {profile.root} calls, in order."
    return [f'<text class="small" x="{_MARGIN}" y="{bottom + 46}">{escape(words)}</text>']
