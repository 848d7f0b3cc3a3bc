# SPDX-License-Identifier: Apache-2.0
"""From the segments of a trace to a profile: which callee is which layer, and what the rest is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cm4tiny.boards.energy.settings import PowerSettings
from cm4tiny.boards.virtual.loader import FunctionSymbol
from cm4tiny.boards.virtual.trace import TraceCost, TraceKind, TraceSegment
from cm4tiny.errors import RunnerError
from cm4tiny.firmware.layers import operator_layers
from cm4tiny.firmware.model_tables import ModelTables
from cm4tiny.profiling.matching import Matched, Record, Seen, by_name, by_operators, by_order
from cm4tiny.profiling.model import Cost, Footprint, FunctionCost, LayerProfile, Profile
from cm4tiny.profiling.names import base_name, plain_name, short_name
from cm4tiny.profiling.roots import Root, kinds_of

_HINT = "name the function that calls the layers: --root=NAME"
_MAIN_KEYS = ("name", "kind", "output_shape", "macs")


@dataclass(frozen=True)
class Parts:
    """What was measured.

    Attributes:
        segments: of the trace; the last call is the one to show.
        functions: those that the trace was given.
        calls: of the root, per inference.
        outside, power: see :class:`~cm4tiny.profiling.model.Profile`.
    """

    segments: tuple[TraceSegment, ...]
    functions: tuple[FunctionSymbol, ...]
    calls: int
    hclk_hz: int
    outside: float | None
    power: PowerSettings | None = None


@dataclass(frozen=True)
class _Callee:
    segment: TraceSegment
    name: str
    functions: tuple[FunctionCost, ...]


def calls_of(segments: Sequence[TraceSegment], root: Root, inferences: int) -> list[TraceSegment]:
    """The calls of the root, as many for each inference.

    Raises:
        RunnerError: it was not called, not as often for each inference, or did not return.
    """
    calls = [segment for segment in segments if segment.kind is TraceKind.WHOLE]
    name = short_name(root.symbol.name)
    if not calls:
        raise RunnerError(f"the firmware never called {name}", why=f"{inferences} inferences ran without it", hint=_HINT)
    if not all(call.complete for call in calls):
        raise RunnerError(f"{name} did not return", why="it was left in another way, or the firmware restarted", hint=_HINT)
    if len(calls) % inferences:
        raise RunnerError(f"{name} was called {len(calls)} times by {inferences} inferences", hint=_HINT)
    return calls


def assemble(
    parts: Parts, root: Root, records: Sequence[Record], tables: ModelTables | None, *, strict: bool = True, **about: str
) -> Profile:
    """The profile of the last call.

    Args:
        records: what the build knows of the layers.
        tables: the model file, if it is available.
        strict: see :class:`~cm4tiny.profiling.model.Profile`.
        about: the profile's ``benchmark``, ``model_id``, ``engine``, ``image`` and ``sha256``.

    Raises:
        RunnerError: the root calls nothing but helpers.
    """
    last = max(segment.call for segment in parts.segments)
    of_kind: dict[TraceKind, list[TraceSegment]] = {kind: [] for kind in TraceKind}
    for segment in parts.segments:
        if segment.call == last:
            of_kind[segment.kind].append(segment)
    callees = _callees(of_kind[TraceKind.CALLEE], parts.functions)
    layers = [callee for callee in callees if not root.is_helper(callee.name)]
    if not layers:
        raise RunnerError(
            f"{short_name(root.symbol.name)} calls no layers",
            why="the compiler inlined them, or it is another function that calls them",
            hint="mark the layers noinline, or name the function that calls them: --root=NAME",
        )
    matched, match = _match(root, layers, records, tables)
    helpers = [callee.segment for callee in callees if root.is_helper(callee.name)]
    own = sum((segment.cost for segment in (*of_kind[TraceKind.OWN], *helpers)), TraceCost())
    (whole,), interrupts = of_kind[TraceKind.WHOLE], of_kind[TraceKind.INTERRUPT]
    return Profile(
        **about,
        strict=strict,
        hclk_hz=parts.hclk_hz,
        root=short_name(root.symbol.name),
        match=match,
        layers=tuple(_layer(layer, record) for layer, record in zip(layers, matched, strict=True)),
        own=Cost.of(own),
        interrupts=Cost.of(interrupts[0].cost) if interrupts else None,
        whole=Cost.of(whole.cost),
        footprint=_footprint(whole),
        outside_cycles=parts.outside,
        power=parts.power,
        notes=tuple(_notes(parts.calls, matched, match, root)),
    )


def _callees(segments: Sequence[TraceSegment], functions: Sequence[FunctionSymbol]) -> list[_Callee]:
    names = {symbol.address: symbol.name for symbol in functions}
    return [_Callee(s, names.get(s.address, f"0x{s.address:08x}"), _functions(s, functions)) for s in segments]


def _functions(segment: TraceSegment, functions: Sequence[FunctionSymbol]) -> tuple[FunctionCost, ...]:
    found = [FunctionCost(functions[i - 1].name if i else "", Cost.of(cost)) for i, cost in segment.functions.items()]
    return tuple(sorted(found, key=lambda f: (-f.cost.ticks, f.name)))


def _match(root: Root, layers: Sequence[_Callee], records: Sequence[Record], tables: ModelTables | None) -> tuple[Matched, str]:
    """The record of each layer and how it was found."""
    if root.match == "operators":
        seen = [Seen(kinds_of(c.name, [f.name for f in c.functions]), c.segment.data_bytes) for c in layers]
        found: Matched = by_operators(seen, tables) if tables is not None else [None] * len(layers)
        # the image stores the constants in a form of its own
        found = [{key: value for key, value in record.items() if key != "const_bytes"} if record else None for record in found]
        # what does not multiply is known by its kind alone
        kinds = [{"kind": s.kinds[0]} if len(s.kinds) == 1 else {} for s in seen]
        combined: Matched = [{**kind, **(record or {})} or None for kind, record in zip(kinds, found, strict=True)]
        return combined, root.match if any(found) else ""
    if root.match == "order":
        found = by_order(len(layers), records or (operator_layers(tables) if tables is not None else ()))
    else:
        found = by_name([base_name(callee.name) for callee in layers], records)
    return found, root.match if any(found) else ""


def _notes(calls: int, matched: Matched, match: str, root: Root) -> list[str]:
    notes = []
    if calls != 1:
        notes.append(f"{short_name(root.symbol.name)} runs {calls} times per inference; the last is shown")
    unknown = sum(record is None or "macs" not in record for record in matched)
    if not match:
        notes.append("the layers are not matched with a model: give the model file or the record of the build to see MACs")
    elif unknown:
        notes.append(f"{unknown} callees are not matched with a layer of the model for certain")
    return notes


def _layer(callee: _Callee, record: Record | None) -> LayerProfile:
    known: Mapping[str, Any] = record or {}
    macs = known.get("macs")
    return LayerProfile(
        name=str(known.get("name") or known.get("kind", "").lower() or plain_name(callee.name)),
        function=callee.name,
        kind=str(known.get("kind") or ""),
        output_shape=tuple(known.get("output_shape") or ()),
        macs=macs if isinstance(macs, int) else None,
        cost=Cost.of(callee.segment.cost),
        footprint=_footprint(callee.segment),
        functions=callee.functions,
        planned={key: value for key, value in known.items() if key not in _MAIN_KEYS},
    )


def _footprint(segment: TraceSegment) -> Footprint:
    return Footprint(segment.code_bytes, segment.data_bytes, segment.ram_bytes)
