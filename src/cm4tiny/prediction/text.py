# SPDX-License-Identifier: Apache-2.0
"""A prediction as text for a terminal, and as Markdown; :func:`tables` is what both and the page show."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cm4tiny.prediction.engines import PREDICTED

_NARROWEST = 60
Row = Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table of a prediction.

    Attributes:
        title: of its section.
        head: of its columns; ``left``: numbers of those that are texts.
        notes: below it.
        dispensable: columns that are left out first where a terminal is narrow.
    """

    title: str
    head: Row
    rows: Sequence[Row]
    left: frozenset[int] = frozenset({0})
    notes: tuple[str, ...] = ()
    dispensable: tuple[int, ...] = ()


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many significant digits, thousands separated; ``-`` where there is none."""
    if value is None:
        return "-"
    whole = len(str(int(abs(value))))
    return f"{value:,.{max(0, digits - whole)}f}" if abs(value) >= 1 else f"{value:.{digits}g}"


def interval(figure: Mapping[str, float] | None, digits: int = 3) -> str:
    """``"12.3 (11.6 to 13.3)"``."""
    if figure is None:
        return "-"
    return f"{number(figure['value'], digits)} ({number(figure['lowest'], digits)} to {number(figure['highest'], digits)})"


def count(value: float | None) -> str:
    """A whole number, thousands separated; ``-`` where there is none."""
    return "-" if value is None else f"{value:,.0f}"


def exactness(row: Mapping[str, Any]) -> str:
    """Whether an engine's image answered what the reference answers."""
    found = row["bit_exact"]
    if found is None:
        return "-"
    if not found.get("verified"):
        return "not compared"
    if not found["differing"]:
        return "yes"
    return f"{found['differing']} of {found['values']} differ by {found['largest']}"


def headline(prediction: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures of the first engine that gave some: (name, value)."""
    row = next((row for row in prediction["engines"] if row["state"] == PREDICTED), None)
    if row is None:
        return []
    memory = row["memory"]
    return [
        ("latency", f"{interval(row['latency_ms'])} ms"),
        ("energy per inference", f"{interval(row['energy_uj'])} uJ" if row["energy_uj"] else "not known for these clock settings"),
        ("cycles", f"{count(row['cycles'])} ({number(row['cycles_per_mac'])} per MAC)"),
        ("RAM", f"{count(memory['ram_bytes'])} bytes, {count(memory['activations_bytes'])} of them activations"),
        ("flash", f"{count(memory['flash_bytes'])} bytes, {count(memory['flash_weights_bytes'])} of them weights"),
        ("outputs equal the reference's", exactness(row)),
    ]


def tables(prediction: Mapping[str, Any]) -> list[Table]:
    """Engines, memory, layers, boards, published results."""
    shown = [row for row in prediction["engines"] if row["state"] == PREDICTED]
    found = [_engines(prediction["engines"])]
    if shown:
        found += [_memory(shown), *(_layers(row) for row in shown)]
    return [*found, _boards(prediction["boards"], [row["engine"] for row in shown]), _nearest(prediction)]


def _engines(rows: Sequence[Mapping[str, Any]]) -> Table:
    cells = [
        (
            row["engine"],
            interval(row["latency_ms"]),
            count(row["cycles"]),
            number(row["cycles_per_mac"]),
            interval(row["energy_uj"]),
            count(row["memory"] and row["memory"]["ram_bytes"]),
            count(row["memory"] and row["memory"]["flash_bytes"]),
            exactness(row),
        )
        for row in rows
    ]
    notes = tuple(f"{row['engine']}: {reason(row)}" for row in rows if row["state"] != PREDICTED)
    head = ("engine", "latency ms", "cycles", "per MAC", "energy uJ", "RAM B", "flash B", "bit-exact")
    return Table("Engines", head, cells, frozenset({0, 7}), notes, (3, 6, 5, 4))


def reason(row: Mapping[str, Any]) -> str:
    """Why an engine gave no figures."""
    given = row["reason"]
    return "; ".join(part for part in (f"no figures, {given['what']}", given["why"]) if part)


def _memory(rows: Sequence[Mapping[str, Any]]) -> Table:
    keys = {
        "activations_bytes": "activations and scratch",
        "weights_in_ram_bytes": "weights in RAM",
        "input_output_bytes": "input, output, protocol",
        "stack_bytes": "stack",
        "ram_bytes": "RAM in all",
        "flash_weights_bytes": "weights in flash",
        "flash_bytes": "flash in all",
    }
    cells = [(words, *(count(row["memory"][key]) for row in rows)) for key, words in keys.items()]
    return Table("Memory in bytes", ("", *(row["engine"] for row in rows)), cells)


def _layers(row: Mapping[str, Any]) -> Table:
    cells = [
        (
            str(layer["number"]),
            layer["operator"] or layer["name"],
            layer["kernel"],
            "x".join(map(str, layer["output_shape"])) or "-",
            count(layer["macs"] or None),
            count(layer["cycles"]),
            f"{layer['share_pct']:.1f}",
            "-" if layer["cycles_per_mac"] is None else f"{layer['cycles_per_mac']:.2f}",
            count(layer["ram_bytes"]),
            count(layer["flash_bytes"]),
        )
        for layer in row["layers"]
    ]
    cells.append(("", "between the layers", "", "", "", count(row["between_layers_cycles"]), "", "", "", ""))
    notes = tuple(f"Layer {layer['number']} has a portable kernel: {layer['fallback']}" for layer in row["layers"] if layer["fallback"])
    head = ("", "operator", "kernel", "output", "MACs", "cycles", "%", "per MAC", "RAM B", "flash B")
    return Table(f"Layers, {row['engine']}", head, cells, frozenset({1, 2, 3}), notes, (3, 9, 8, 2))


def _boards(rows: Sequence[Mapping[str, Any]], engines: Sequence[str]) -> Table:
    cells = [
        (
            row["board"],
            count(row["flash_bytes"] / 1024),
            count(row["ram_bytes"] / 1024),
            *("fits" if row["fits"][engine] else "does not fit" for engine in engines),
            row["basis"],
        )
        for row in rows
    ]
    last = len(engines) + 4
    head = ("board", "flash KB", "RAM KB", *engines, "how it is known")
    return Table("Boards", head, cells, frozenset({0, *range(3, last)}), dispensable=(last - 1, 1, 2))


def _nearest(prediction: Mapping[str, Any]) -> Table:
    rows = [
        (
            f"{near['benchmark']} ({near['macs'] / 1e6:.2f} M MACs)",
            row["who"],
            row["framework"],
            number(row["latency_ms"]),
            number(row["cycles_per_mac"]),
            number(row["energy_uj"]),
        )
        for near in prediction["nearest"]["benchmarks"]
        for row in near["published"]
    ]
    head = ("benchmark", "submitter", "framework", "latency ms", "per MAC", "energy uJ")
    return Table("Nearest published results", head, rows, frozenset({0, 1, 2}), (prediction["nearest"]["means"],), (2,))


# --- terminal --------------------------------------------------------------------------------------------------------------------------


def title(prediction: Mapping[str, Any]) -> str:
    """``"digits: 0.05 M MACs, 28x28x1 -> 10 values"``."""
    model = prediction["model"]
    shape = "x".join(map(str, model["input"]["shape"]))
    return f"{model['name']}: {model['macs'] / 1e6:,.2f} M MACs, input {shape}, {model['output']['values']:,} outputs"


def text(prediction: Mapping[str, Any], width: int = 100) -> str:
    """For a terminal of so many columns."""
    width = max(_NARROWEST, width)
    lines = [title(prediction), *_wrapped(prediction["labels"]["text"], width), ""]
    lines += [f"  {name:32}{value}" for name, value in headline(prediction)]
    for table in tables(prediction):
        lines += ["", table.title, *_terminal(table, width)]
        lines += [line for note in table.notes for line in _wrapped(note, width)]
    return "\n".join([*lines, "", *(line for note in prediction["notices"] for line in _wrapped(note, width))]) + "\n"


def _wrapped(line: str, width: int) -> list[str]:
    return textwrap.wrap(" ".join(line.split()), width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _terminal(table: Table, width: int) -> Iterator[str]:
    """The rows with the columns that fit; texts that are too long are cut."""
    widths = [max(len(row[i]) for row in (table.head, *table.rows)) for i in range(len(table.head))]
    shown = list(range(len(table.head)))
    for column in table.dispensable:
        if _total(widths, shown) > width:
            shown.remove(column)
    over = _total(widths, shown) - width
    if over > 0:
        longest = max((i for i in shown if i in table.left), key=lambda i: widths[i])
        widths[longest] = max(8, widths[longest] - over)
    for row in (table.head, ["-" * n for n in widths], *table.rows):
        cells = (_fitted(row[i], widths[i], left=i in table.left) for i in shown)
        yield "  ".join(cells).rstrip()


def _total(widths: Sequence[int], shown: Iterable[int]) -> int:
    return sum(widths[i] + 2 for i in shown) - 2


def _fitted(cell: str, width: int, *, left: bool) -> str:
    short = cell if len(cell) <= width else f"{cell[: width - 1]}…"
    return short.ljust(width) if left else short.rjust(width)


# --- Markdown --------------------------------------------------------------------------------------------------------------------------


def markdown(prediction: Mapping[str, Any]) -> str:
    """The content of ``prediction.md``."""
    lines = [f"# {_plain(title(prediction))}", "", *(f"> {note}" for note in prediction["notices"]), ""]
    lines += [f"Labels: {prediction['labels']['text']}.", ""]
    if figures := headline(prediction):
        lines += [*_markdown(Table("", ("figure", "value"), figures, frozenset({0, 1}))), ""]
    for table in tables(prediction):
        lines += [f"## {table.title}", "", *_markdown(table), ""]
        lines += [line for note in table.notes for line in (f"- {_plain(' '.join(note.split()))}",)]
        lines += [""] if table.notes else []
    model = prediction["model"]
    lines += ["## Model", "", f"`{_plain(model['file'])}`, {model['bytes']:,} bytes, SHA-256 `{model['sha256']}`", ""]
    return "\n".join(lines)


def _markdown(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(map(_plain, table.head))} |"
    yield f"|{'|'.join('---' if i in table.left else '--:' for i in range(len(table.head)))}|"
    for row in table.rows:
        yield f"| {' | '.join(map(_plain, row))} |"


def _plain(text: str) -> str:
    """Texts of a model file cannot end a cell or a line, or begin a tag."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").replace("`", "'").split())
