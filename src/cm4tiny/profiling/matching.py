# SPDX-License-Identifier: Apache-2.0
"""Which layer of the model is a callee of the root? Only where that is certain; otherwise a layer has no name and no MACs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cm4tiny.firmware.layers import operator_layers
from cm4tiny.firmware.model_tables import ModelTables

Record = Mapping[str, Any]
Matched = list["Record | None"]
MAX_STEPS = 20_000
"""A model for which so many partial orders do not settle the question is not matched."""


def by_name(callees: Sequence[str], records: Sequence[Record]) -> Matched:
    """A callee is the layer of its name, if both occur once.

    Compilers fold functions of equal code into one, so one name may stand for several layers. If as many callees as there are layers have a
    layer's name, they are the layers in their order; each must be of the kind of the layer whose name it has.
    """
    counts, names = Counter(callees), Counter(str(record.get("name")) for record in records)
    known = {str(record.get("name")): record for record in records}
    matched: Matched = [known[name] if counts[name] == 1 == names[name] else None for name in callees]
    places = [i for i, name in enumerate(callees) if name in known]
    if len(places) == len(records) and all(
        known[callees[i]].get("kind") == record.get("kind") for i, record in zip(places, records, strict=True)
    ):
        for i, record in zip(places, records, strict=True):
            matched[i] = record
    return matched


def by_order(count: int, records: Sequence[Record]) -> Matched:
    """The n-th callee is the n-th layer, if there are as many."""
    return list(records) if len(records) == count else [None] * count


@dataclass(frozen=True)
class Seen:
    """A callee that may be a layer of fused operators: the kinds that its functions speak of, and the distinct bytes of flash it read."""

    kinds: tuple[str, ...]
    const_bytes: int


@dataclass(frozen=True)
class _Heavy:
    """An operator that multiplies: ``before`` are those of the others whose results it needs."""

    index: int
    kinds: frozenset[str]
    weights: int
    before: frozenset[int]

    def may_be(self, seen: Seen) -> bool:
        """A layer reads each of its weights from flash, at least a byte for each."""
        return not self.kinds.isdisjoint(seen.kinds) and seen.const_bytes >= self.weights


def by_operators(seen: Sequence[Seen], tables: ModelTables) -> Matched:
    """Layers of fused operators: those that multiply, by kind, weights and place.

    A compiler keeps the order that the data flow demands and may change any other. So all orders are tried in which each callee can be the
    operator; an operator that has the same place in all of them is there for certain. Nothing is matched if the numbers differ. If all have
    their places, the other callees do not multiply.
    """
    records = operator_layers(tables)
    heavy = _heavy(tables, records)
    kinds = frozenset().union(*(operator.kinds for operator in heavy))
    callees = [i for i, callee in enumerate(seen) if not kinds.isdisjoint(callee.kinds)]
    matched: Matched = [None] * len(seen)
    if not heavy or len(heavy) != len(callees):
        return matched
    certain = _certain(heavy, [seen[i] for i in callees])
    for place, operator in zip(callees, certain, strict=False):
        matched[place] = None if operator is None else records[operator]
    if certain and None not in certain:
        return [record or {"macs": 0} for record in matched]
    return matched


def _certain(heavy: Sequence[_Heavy], seen: Sequence[Seen]) -> list[int | None]:
    """The operator of each place, None where orders differ; nothing if no order is possible, or too many are."""
    certain: list[int | None] = []
    for steps, order in enumerate(_orders(heavy, seen)):
        if steps >= MAX_STEPS:
            return []
        if len(order) == len(heavy):
            certain = [a if a == b else None for a, b in zip(certain or order, order, strict=True)]
    return certain


def _heavy(tables: ModelTables, records: Sequence[Record]) -> list[_Heavy]:
    made_by: dict[int, int] = {}
    before: list[set[int]] = []
    for i, operator in enumerate(tables.operators):  # files list operators in an order of execution
        direct = {made_by[tensor] for tensor in operator.inputs if tensor in made_by}
        before.append(direct.union(*(before[j] for j in direct)))
        made_by.update(dict.fromkeys(operator.outputs, i))
    chosen = {i for i, record in enumerate(records) if record["macs"]}
    found = []
    for i in sorted(chosen):
        weights = tables.tensors[tables.operators[i].inputs[1]]
        kinds = {tables.operators[i].kind}
        if kinds == {"CONV_2D"} and weights.shape[3:] == (1,):
            kinds.add("DEPTHWISE_CONV_2D")  # the same with one input channel, and some compilers choose it
        found.append(_Heavy(i, frozenset(kinds), weights.size, frozenset(before[i] & chosen)))
    return found


def _orders(heavy: Sequence[_Heavy], seen: Sequence[Seen], done: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """All beginnings of orders that the data flow allows and that what was seen does not contradict, as operator numbers by place."""
    yield done
    if len(done) == len(heavy):
        return
    for operator in heavy:
        if operator.index not in done and operator.before.issubset(done) and operator.may_be(seen[len(done)]):
            yield from _orders(heavy, seen, (*done, operator.index))
