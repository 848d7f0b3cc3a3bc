# SPDX-License-Identifier: Apache-2.0
"""A bar chart as SVG text: groups of labelled horizontal bars, relative to one, with a range of error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 900
LABELS = 240
"""Width of the labels left of the bars."""
RIGHT = 60
BAR, GAP, GROUP_GAP, HEAD, FOOT = 16, 4, 26, 62, 30
_LIGHT, _PAPER = {"own": "#0b5cad", "plan": "#7fb2e5", "other": "#9a9a9a", "published": "#d98324"}, "#fff"
_DARK, _NIGHT = {"own": "#6cb0f5", "plan": "#3a6ea5", "other": "#8b949e", "published": "#e39a3b"}, "#1b2026"
"""Colours of bars and background; the dark ones count where the reader's system is dark."""


def _colours(ink: str, soft: str, paper: str, bars: Mapping[str, str]) -> str:
    fills = "".join(f".{kind}{{fill:{colour}}}" for kind, colour in bars.items())
    return f"text{{fill:{ink};stroke:{paper}}}.soft{{fill:{soft}}}.paper{{fill:{paper}}}.line{{stroke:{ink}}}{fills}"


_STYLE = (
    "text{font-family:system-ui,'DejaVu Sans',Arial,sans-serif;font-size:12px;paint-order:stroke;stroke-width:3px}"
    ".title{font-size:16px;font-weight:600}.group{font-size:14px;font-weight:600}.line{fill:none}"
    f"{_colours('#222', '#666', _PAPER, _LIGHT)}"
    f"@media (prefers-color-scheme:dark){{{_colours('#e7eaee', '#a3adb8', _NIGHT, _DARK)}}}"
)


@dataclass(frozen=True)
class Bar:
    """One bar; ``kind`` is ``"own"``, ``"plan"``, ``"other"`` or ``"published"``."""

    label: str
    value: float
    kind: str


@dataclass(frozen=True)
class BarGroup:
    """Bars under a heading."""

    name: str
    bars: tuple[Bar, ...]


def bar_chart(groups: Sequence[BarGroup], *, title: str, subtitle: str, error: float = 0.0) -> str:
    """The chart.

    Args:
        error: share of a bar's value by which it may be off; drawn as a whisker on every bar that is not published. 0 draws none.
    """
    top = max((bar.value for group in groups for bar in group.bars), default=1.0) * (1.0 + error)
    scale = (WIDTH - LABELS - RIGHT) / max(top, 1.0)
    height = HEAD + FOOT + sum(GROUP_GAP + len(group.bars) * (BAR + GAP) for group in groups)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-labelledby="title desc">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(_description(groups))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" class="paper"/>',
        f'<text class="title" x="12" y="24">{escape(title)}</text>',
        f'<text class="soft" x="12" y="44">{escape(subtitle)}</text>',
    ]
    one, bottom = LABELS + scale, height - FOOT
    lines.append(f'<line x1="{one:.1f}" y1="{HEAD}" x2="{one:.1f}" y2="{bottom}" class="line" stroke-dasharray="4 3"/>')
    lines.append(f'<text x="{one:.1f}" y="{bottom + 18}" text-anchor="middle">1 = fastest published</text>')
    y = HEAD
    for group in groups:
        lines.append(f'<text class="group" x="12" y="{y + 16}">{escape(group.name)}</text>')
        y += GROUP_GAP
        for bar in group.bars:
            lines += _bar(bar, y, scale, error)
            y += BAR + GAP
    lines.append("</svg>")
    return "\n".join(lines) + "\n"


def _bar(bar: Bar, y: int, scale: float, error: float) -> list[str]:
    width, middle = bar.value * scale, y + BAR / 2
    lines = [
        f'<text x="{LABELS - 8}" y="{y + 12}" text-anchor="end">{escape(bar.label)}</text>',
        f'<rect x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR}" class="{bar.kind}"/>',
    ]
    end = LABELS + width
    if error and bar.kind != "published":
        low, high = LABELS + width * (1.0 - error), LABELS + width * (1.0 + error)
        path = f"M{low:.1f} {y + 4}v{BAR - 8}M{low:.1f} {middle:g}H{high:.1f}M{high:.1f} {y + 4}v{BAR - 8}"
        lines.append(f'<path d="{path}" class="line"/>')
        end = high
    lines.append(f'<text x="{end + 5:.1f}" y="{y + 12}">{bar.value:.2f}</text>')
    return lines


def _description(groups: Sequence[BarGroup]) -> str:
    return ". ".join(f"{group.name}: " + ", ".join(f"{bar.label} {bar.value:.2f}" for bar in group.bars) for group in groups)
