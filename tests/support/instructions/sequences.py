# SPDX-License-Identifier: Apache-2.0
"""Random sequences from the catalogue: straight code, IT blocks, branches, loops, tables, calls, atomic updates, and forms that fault.

A sequence begins and ends with the same stack pointer, leaves no address of code in a register, and touches memory only in its window; so
its results do not depend on where it lies.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection

from support.instructions.catalogue import REGISTERS, Fields, Form, forms, random_fields

WINDOW, WINDOW_BYTES = 0x20001F80, 0x100
"""What a sequence may read and write: across the end of a page."""
_MARGIN = 0x50
_LOW = tuple(range(8))
_FAULTY_ADDRESS = 0.03
"""So often a base of a load or store of several words is not aligned, which ends the sequence with a fault."""


def constant(register: int, value: int) -> list[int]:
    """MOVW, and MOVT where it is needed."""
    code = []
    for opcode, half in ((0xF240, value & 0xFFFF), (0xF2C0, value >> 16)):
        if half or opcode == 0xF240:
            code += [opcode | half >> 12 | (half >> 11 & 1) << 10, (half >> 8 & 7) << 12 | register << 8 | half & 0xFF]
    return code


def branch(source: int, target: int, *, link: bool = False) -> list[int]:
    """B.W or BL."""
    offset = target - source - 4
    sign, i1, i2 = offset >> 24 & 1, offset >> 23 & 1, offset >> 22 & 1
    high, low = 0xF000 | sign << 10 | offset >> 12 & 0x3FF, (i1 ^ 1 ^ sign) << 13 | (i2 ^ 1 ^ sign) << 11 | offset >> 1 & 0x7FF
    return [high, low | (0xD000 if link else 0x9000)]


def conditional_branch(condition: int, halfwords: int, wide: bool) -> list[int]:
    """Over so many halfwords that come after it, or back by a negative number."""
    if not wide:
        return [0xD000 | condition << 8 | (halfwords - 1) & 0xFF]
    offset = 2 * halfwords
    sign, high, low = offset >> 20 & 1, offset >> 12 & 0x3F, offset >> 1 & 0x7FF
    return [0xF000 | sign << 10 | condition << 6 | high, 0x8000 | (offset >> 18 & 1) << 13 | (offset >> 19 & 1) << 11 | low]


class SequenceWriter:
    """Makes sequences from one random source."""

    def __init__(self, chance: random.Random, *, faults: bool, divisions_trap: bool) -> None:
        self.chance = chance
        self._faulty = _FAULTY_ADDRESS if faults else 0.0
        self._avoid: int | None = None
        self._divisions_trap = divisions_trap
        self._plain = tuple(form for form in forms() if not form.memory)
        self._safe = tuple(form for form in self._plain if not {"sdiv", "udiv"} & set(form.names))
        self._memory = tuple(form for form in forms() if form.memory)
        self._units: tuple[tuple[int, Callable[[int, Collection[int]], list[int]]], ...] = (
            (560, self.plain), (240, self.access), (80, self.it_block), (40, self.skip), (25, self.loop), (15, self.literal),
            (10, self.call), (8, self.call_by_register), (8, self.table), (10, self.stack), (10, self.atomic), (5, self.service),
            (5, self.masked), (4, self.lost_monitor), (3, self.undefined))  # fmt: skip
        self._weights = [weight for weight, _ in self._units]

    def sequence(self, address: int) -> list[int]:
        """Halfwords for a place; what comes behind is another's."""
        code: list[int] = []
        for _ in range(self.chance.randrange(3, 11)):
            code += self.unit(address + 2 * len(code), ())
        return code

    def unit(self, at: int, spare: Collection[int]) -> list[int]:
        [(_, make)] = self.chance.choices(self._units, self._weights)
        return make(at, spare)

    def simple(self, at: int, spare: Collection[int]) -> list[int]:
        return (self.plain if self.chance.random() < 0.7 else self.access)(at, spare)

    def without_link(self, at: int, spare: Collection[int]) -> list[int]:
        """A body that neither reads nor writes LR, which holds an address of code."""
        self._avoid = 14
        code = self.simple(at, spare)
        self._avoid = None
        return code

    def register(self, spare: Collection[int], choices: Collection[int] = REGISTERS) -> int:
        return self.chance.choice([number for number in choices if number not in spare])

    # --- straight code ----------------------------------------------------------------------------------------------------------------

    def plain(self, at: int, spare: Collection[int]) -> list[int]:
        form = self.chance.choice(self._plain)
        code = form.encode(random_fields(form, self.chance, spare, self._avoid))
        if self._divisions_trap and form not in self._safe:
            return [0xF3BF, 0x8F6F, *code]  # ISB: see known.yaml
        if "smlad" in form.names and self.chance.random() < 0.3:
            # the operands whose products overflow: of 2 to the power of 64 pairs, one
            fields = random_fields(form, self.chance, spare, self._avoid)
            code = [*constant(fields["n"], 0x80008000), *constant(fields["m"], 0x80008000), *form.encode(fields)]
            return code if spare == () else form.encode(fields)
        return code

    def harmless(self, spare: Collection[int]) -> list[int]:
        """What cannot fault: with FAULTMASK set the core would lock up."""
        form = self.chance.choice(self._safe)
        return form.encode(random_fields(form, self.chance, spare, self._avoid))

    def _prepared(self, spare: Collection[int]) -> tuple[Form, Fields, list[int]]:
        """A load or store, and what sets its base and index."""
        while True:
            form = self.chance.choice(self._memory)
            fields = random_fields(form, self.chance, spare, self._avoid)
            if fields["n"] in spare or (fields.get("m") in spare and form.memory == "index"):
                continue
            return form, fields, self._set_up(form, fields)

    def _set_up(self, form: Form, fields: Fields) -> list[int]:
        c, kind = self.chance, form.memory
        target = WINDOW + _MARGIN + c.randrange(WINDOW_BYTES - 2 * _MARGIN)
        if form.strict and c.random() >= self._faulty:
            target &= ~3
        count = len(form.listed(fields)) if form.words else fields.get("i", 0)
        offset = 0
        code: list[int] = []
        if kind in ("offset", "below", "before"):
            offset = fields["i"]
        elif kind == "scaled":
            offset = fields["i"] * form.size
        elif kind == "words":
            offset = fields["i"] * 4
        elif kind == "down":
            offset = -4 * count if not form.words else 0
        elif kind == "index":
            index = c.randrange(-64, 64)
            offset = index << fields.get("k", 0)
            code = constant(fields["m"], index & 0xFFFFFFFF)
        if kind == "below" or (kind in ("before", "words") and not fields["U"]):
            offset = -offset
        return [*constant(fields["n"], (target - offset) & 0xFFFFFFFF), *code]

    def access(self, at: int, spare: Collection[int]) -> list[int]:
        form, fields, code = self._prepared(spare)
        return [*code, *form.encode(fields)]

    def literal(self, at: int, spare: Collection[int]) -> list[int]:
        """A load from behind the next branch: LDR, LDRH, LDRSB, VLDR."""
        c = self.chance
        kind, target = c.randrange(3), self.register(spare)
        place = (at + 6 + 3) & ~3
        offset, data = place - (at + 4 & ~3), [c.getrandbits(16), c.getrandbits(16)]
        if kind == 0:
            load = [c.choice((0xF8DF, 0xF8BF, 0xF99F, 0xF89F, 0xF9BF)), target << 12 | offset]
        else:
            load = [0xED9F | c.randrange(2) << 6, c.randrange(16) << 12 | 0xA00 | offset >> 2]
        padding = [0xBF00] * ((place - at - 6) // 2)
        return [*load, 0xE000 | len(padding) + 1, *padding, *data]

    def stack(self, at: int, spare: Collection[int]) -> list[int]:
        """PUSH, something, POP; or room on the stack, a word there and back."""
        c = self.chance
        if c.random() < 0.5:
            pushed, popped = c.randrange(1, 256), 0
            while popped.bit_count() != pushed.bit_count():
                popped = c.randrange(1, 256)
            if any(popped >> number & 1 for number in spare if number < 8):
                popped = pushed
            return [0xB400 | pushed, *self.simple(at + 2, spare), 0xBC00 | popped]
        room, one, two = c.randrange(4, 32), self.register(spare, _LOW), self.register(spare, _LOW)
        word = c.randrange(room)
        return [0xB080 | room, 0x9000 | one << 8 | word, *self.simple(at + 4, spare), 0x9800 | two << 8 | word, 0xB000 | room]

    # --- flow -------------------------------------------------------------------------------------------------------------------------

    def it_block(self, at: int, spare: Collection[int]) -> list[int]:
        """Up to four instructions under IT, at most one of them a load or store; its base is set before."""
        c = self.chance
        count, condition = c.randrange(1, 5), c.randrange(14)
        form, fields, before = self._prepared(spare)
        place = c.randrange(count) if c.random() < 0.6 else -1
        base = {fields["n"], fields["m"]} if form.memory == "index" else {fields["n"]}
        inside: list[int] = []
        for i in range(count):
            if i == place:
                inside += form.encode(fields)
                continue
            other = c.choice(self._safe if self._divisions_trap else self._plain)
            inside += other.encode(random_fields(other, c, {*spare, *base}))
        mask = 0
        for i in range(1, count):
            mask |= (c.randrange(2) ^ condition & 1) << 4 - i
        return [*(before if place >= 0 else []), 0xBF00 | condition << 4 | mask | 1 << 4 - count, *inside]

    def skip(self, at: int, spare: Collection[int]) -> list[int]:
        c = self.chance
        kind = c.randrange(3)
        size = 2 if kind == 1 else 1
        body = [half for _ in range(c.randrange(1, 3)) for half in self.simple(at + 2 * size, spare)]
        if kind == 2:
            length = len(body) - 1
            return [0xB100 | c.randrange(2) << 11 | (length >> 5 & 1) << 9 | (length & 31) << 3 | c.randrange(8), *body]
        return [*conditional_branch(c.randrange(14), len(body), kind == 1), *body]

    def loop(self, at: int, spare: Collection[int]) -> list[int]:
        """A body that runs some times; its counter is one of the registers that a body leaves alone."""
        counter = self.register(spare)
        start = constant(counter, self.chance.randrange(2, 6))
        body: list[int] = []
        for _ in range(self.chance.randrange(1, 4)):
            inner = self.it_block if self.chance.random() < 0.3 else self.simple
            body += inner(at + 2 * len(start + body), {*spare, counter})
        body += [0xF1B0 | counter, counter << 8 | 1]
        return [*start, *body, *conditional_branch(1, -len(body) - 2, True)]

    def call(self, at: int, spare: Collection[int]) -> list[int]:
        """BL over a branch; the function lies in between, and LR holds no address afterwards."""
        if 14 in spare:
            return self.plain(at, spare)
        body = self.without_link(at + 6, spare)
        return [*branch(at, at + 6, link=True), 0xE000 | len(body), *body, 0x4770, *constant(14, self.chance.getrandbits(32))]

    def call_by_register(self, at: int, spare: Collection[int]) -> list[int]:
        """ADR, BLX, and neither register keeps the address."""
        if 14 in spare:
            return self.plain(at, spare)
        register = self.register({*spare, 14})
        target = at + 8
        offset = target + 1 - (at + 4 & ~3)
        body = [*constant(register, self.chance.getrandbits(32)), *self.without_link(target, spare)]
        clear = constant(14, self.chance.getrandbits(32))
        return [0xF20F, register << 8 | offset, 0x4780 | register << 3, 0xE000 | len(body), *body, 0x4770, *clear]

    def table(self, at: int, spare: Collection[int]) -> list[int]:
        """TBB or TBH over three cases."""
        c = self.chance
        index, halves = self.register(spare), c.randrange(2)
        start = constant(index, c.randrange(3))
        cases = [self.simple(at, spare) for _ in range(3)]
        table = 3 if halves else 2
        offsets, position = [], table
        for case in cases:
            offsets.append(position)
            position += len(case) + 1
        entries = offsets if halves else [offsets[0] | offsets[1] << 8, offsets[2]]
        code = []
        for offset, case in zip(offsets, cases, strict=True):
            code += [*case, 0xE000 | (position - offset - len(case) - 2) & 0x7FF]
        return [*start, 0xE8DF, 0xF000 | halves << 4 | index, *entries, *code]

    # --- atomic updates, exceptions, masks --------------------------------------------------------------------------------------------

    def atomic(self, at: int, spare: Collection[int]) -> list[int]:
        """LDREX and STREX again and again until nothing came in between; now and then at an address that is not aligned."""
        c = self.chance
        base, value, done = c.sample([number for number in REGISTERS if number not in spare], 3)
        kind, offset = c.randrange(3), 0
        address = WINDOW + _MARGIN + c.randrange(64)
        if c.random() >= self._faulty:
            address &= ~3
        start = constant(base, address)
        if kind == 0:
            offset = c.randrange(8)
            load, store = [0xE850 | base, value << 12 | 0xF00 | offset], [0xE840 | base, value << 12 | done << 8 | offset]
        else:
            size = 0x40 | kind - 1 << 4
            load, store = [0xE8D0 | base, value << 12 | 0xF0F | size], [0xE8C0 | base, value << 12 | 0xF00 | size | done]
        change = [0xF1B0 | value, value << 8 | c.randrange(1, 256)]
        again = [0xF1B0 | done, 0x0F00]
        body = [*load, *change, *store, *again]
        return [*start, *body, *conditional_branch(1, -len(body) - 2, True)]

    def lost_monitor(self, at: int, spare: Collection[int]) -> list[int]:
        """Between LDREX and STREX an exception, or CLREX: the store fails."""
        base, value, done = self.chance.sample([number for number in REGISTERS if number not in spare], 3)
        between = [0xDF00] if self.chance.random() < 0.5 else [0xF3BF, 0x8F2F]
        start = constant(base, WINDOW + _MARGIN)
        return [*start, 0xE850 | base, value << 12 | 0xF00, *between, 0xE840 | base, value << 12 | done << 8]

    def service(self, at: int, spare: Collection[int]) -> list[int]:
        return [0xDF00 | self.chance.getrandbits(8)]

    def masked(self, at: int, spare: Collection[int]) -> list[int]:
        """CPSID, something, the mask read, CPSIE; or BASEPRI by MSR."""
        c = self.chance
        target = self.register(spare)
        if c.random() < 0.5:
            which = c.choice((0xB672, 0xB671))
            number = 16 if which == 0xB672 else 19
            inside = self.simple(at + 2, spare) if which == 0xB672 else self.harmless(spare)
            return [which, *inside, 0xF3EF, 0x8000 | target << 8 | number, which & ~0x10]
        priority = constant(target, c.randrange(16) << 4)
        write = [0xF380 | target, 0x8800 | c.choice((17, 18))]
        zero = [*constant(target, 0), 0xF380 | target, 0x8811]
        return [*priority, *write, *self.simple(at, {*spare, target}), 0xF3EF, 0x8011 | target << 8, *zero]

    def undefined(self, at: int, spare: Collection[int]) -> list[int]:
        """Ends the sequence with a UsageFault: UDF, another coprocessor, a jump to Arm code, what only other cores have."""
        c = self.chance
        target = self.register(spare)
        return c.choice(
            (
                [0xDE00 | c.getrandbits(8)],
                [0xF7F0 | c.randrange(16), 0xA000 | c.getrandbits(12)],
                [0xEE00 | c.getrandbits(5), 0x0010 | c.choice((0, 1, 5, 7)) << 8 | target << 12],
                [*constant(target, WINDOW), 0x4700 | target << 3],
                [0xFE00, 0x0A81],
                [0xEE31, 0x0B02],
            )
        )
