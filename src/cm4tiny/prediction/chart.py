# SPDX-License-Identifier: Apache-2.0
"""The pictures of a prediction's page, as SVG that is part of the page: each is drawn for a wide and for a narrow screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from cm4tiny.prediction.engines import PREDICTED
from cm4tiny.prediction.text import count, interval
from cm4tiny.profiling.text import shorten

WIDE, NARROW = 980, 350
_LINE, _BAR = 17, 13
_LETTER = 7.3  # of 13 px text, roughly


@dataclass(frozen=True)
class Bar:
    """A bar: what it is, its length, the interval around its end (None: none is drawn), and its words."""

    name: str
    value: float
    words: str
    ends: tuple[float, float] | None = None
    tip: str = ""


def latency(prediction: Mapping[str, Any], width: int) -> str:
    """A bar per engine, with the interval of the model's error."""
    bars = []
    for row in prediction["engines"]:
        if row["state"] == PREDICTED:
            figure = row["latency_ms"]
            bars.append(Bar(row["engine"], figure["value"], f"{interval(figure)} ms", (figure["lowest"], figure["highest"])))
        else:
            bars.append(Bar(row["engine"], 0.0, "no figures"))
    return _bars(bars, width, f"Latency by engine. {prediction['labels']['text']}")


def layers(row: Mapping[str, Any], labels: str, width: int) -> str:
    """A bar per layer, by its cycles."""
    bars = [
        Bar(
            f"{layer['number']} {layer['operator'] or layer['name']}",
            layer["cycles"],
            f"{count(layer['cycles'])} cycles, {layer['share_pct']:.1f} %",
            tip=f"{layer['name']}: {layer['kernel']}",
        )
        for layer in row["layers"]
    ]
    return _bars(bars, width, f"Cycles by layer, {row['engine']}. {labels}")


def _bars(bars: Sequence[Bar], width: int, title: str) -> str:
    """Name and figure of each bar stand above it on a narrow screen, else at its ends."""
    narrow = width <= NARROW
    names = 0 if narrow else min(300, 14 + int(max((len(bar.name) for bar in bars), default=0) * _LETTER))
    room = width - names - (4 if narrow else 230)
    longest = max((bar.ends[1] if bar.ends else bar.value for bar in bars), default=0.0) or 1.0
    step = _LINE + _BAR + 9 if narrow else _LINE + 8
    height = step * len(bars) + 4
    parts = [
        f'<svg class="{"narrow" if narrow else "wide"}" viewBox="0 0 {width} {height}" role="img" xmlns="http://www.w3.org/2000/svg">',
        f"<title>{escape(title)}</title>",
    ]
    for i, bar in enumerate(bars):
        top, scale = 2 + i * step, room / longest
        at = top + _LINE if narrow else top + 3
        parts += [f"<g><title>{escape(bar.tip)}</title>" if bar.tip else "<g>"]
        parts.append(f'<rect class="bar" x="{names}" y="{at}" width="{max(0.0, bar.value * scale):.1f}" height="{_BAR}" rx="2"/>')
        if bar.ends:
            low, high = (names + end * scale for end in bar.ends)
            middle = at + _BAR / 2
            parts.append(
                f'<path class="error" d="M{low:.1f} {middle - 5}v10M{low:.1f} {middle}H{high:.1f}M{high:.1f} {middle - 5}v10" fill="none"/>'
            )
        if narrow:
            letters = int((width - 8 - len(bar.words) * _LETTER) / _LETTER)
            parts.append(f'<text x="0" y="{top + 13}">{escape(shorten(bar.name, max(8, letters)))}</text>')
            parts.append(f'<text class="n" x="{width}" y="{top + 13}" text-anchor="end">{escape(bar.words)}</text>')
        else:
            end = names + (bar.ends[1] if bar.ends else bar.value) * scale
            parts.append(f'<text x="{names - 10}" y="{top + 14}" text-anchor="end">{escape(shorten(bar.name, 40))}</text>')
            parts.append(f'<text class="n" x="{end + 8:.1f}" y="{top + 14}">{escape(bar.words)}</text>')
        parts.append("</g>")
    return "".join([*parts, "</svg>"])
