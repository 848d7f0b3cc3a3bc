# SPDX-License-Identifier: Apache-2.0
"""A prediction as one HTML file: figures, pictures, tables. Nothing is loaded from elsewhere, and no script runs."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from cm4tiny.prediction import chart
from cm4tiny.prediction.engines import PREDICTED
from cm4tiny.prediction.text import Table, headline, tables, title

_STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def page(prediction: Mapping[str, Any]) -> str:
    """The text of the file."""
    labels = prediction["labels"]["text"]
    engines, *others = tables(prediction)
    shown = {f"Layers, {row['engine']}": row for row in prediction["engines"] if row["state"] == PREDICTED}
    body = [_head(prediction), _section(engines, labels, "".join(chart.latency(prediction, w) for w in (chart.WIDE, chart.NARROW)))]
    for table in others:
        row = shown.get(table.title)
        pictures = "".join(chart.layers(row, labels, width) for width in (chart.WIDE, chart.NARROW)) if row else ""
        body.append(_section(table, labels, pictures))
    name = escape(f"Prediction for {prediction['model']['name']}")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _head(prediction: Mapping[str, Any]) -> str:
    model = prediction["model"]
    figures = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in headline(prediction))
    operators = ", ".join(f"{n} {kind}" for kind, n in model["operators"].items())
    notices = "".join(f'<p class="note">{escape(note)}</p>' for note in prediction["notices"])
    file = f"<code>{escape(model['file'])}</code>, {model['bytes']:,} bytes, SHA-256 <code>{model['sha256']}</code>"
    return (
        f"<section><h1>{escape(title(prediction))}</h1>"
        f'<p class="labels">{escape(prediction["labels"]["text"])}</p>'
        f'<dl>{figures}</dl>{notices}<p class="note">{file}. Operators: {escape(operators)}.</p></section>'
    )


def _section(table: Table, labels: str, pictures: str) -> str:
    notes = "".join(f'<p class="note">{escape(" ".join(note.split()))}</p>' for note in table.notes)
    return f"<section><h2>{escape(table.title)}</h2>{pictures}{_table(table, labels)}{notes}</section>"


def _table(table: Table, labels: str) -> str:
    def cells(tag: str, row: Any) -> str:
        return "".join(f"<{tag}{' class=l' if i in table.left else ''}>{escape(cell)}</{tag}>" for i, cell in enumerate(row))

    caption = "measured by their submitters, other models" if table.title.startswith("Nearest") else labels
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in table.rows)
    inner = f"<table><tr>{cells('th', table.head)}</tr>{body}</table>"
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title)}, scrolls sideways">{inner}</div>'
    return f'<p class="labels">{escape(caption)}</p>{region}'
