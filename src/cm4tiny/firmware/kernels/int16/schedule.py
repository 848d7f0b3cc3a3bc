# SPDX-License-Identifier: Apache-2.0
"""Orders loads and multiply-accumulates, and counts what code costs.

On the Cortex-M4 an SMLAD takes one cycle for two products, and n loads in a row take n + 1 cycles (DDI0439, 3.3.3): so loads are issued
in groups as large as the free registers allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cm4tiny.firmware.kernels.int16.assembly import Assembly
from cm4tiny.firmware.kernels.registers import Register

ACCUMULATORS = tuple(f"r{i}" for i in range(4, 12))
SPARE = ("r2", "r3", "r12", "lr")
TAKEN = 2
LINE_BYTES = 32


class Costed(Assembly):
    """An assembly that adds up cycles; :attr:`times` says how often the code that is being written runs per call.

    ``loop_lines`` are the lines of the instruction cache that the largest loop touches; functions start at a line.
    """

    def __init__(self, *tables: Iterable[Register]) -> None:
        super().__init__(*tables)
        self.cycles = 0.0
        self.times = 1.0
        self.loop_lines = self.outer_lines = 0
        self._last = ""

    def emit(self, instruction: str) -> None:
        super().emit(instruction)
        mnemonic, _, operands = instruction.partition(" ")
        kind, cost = "", 1
        if mnemonic in ("push", "pop", "vpush", "vpop"):
            cost = 1 + count_registers(operands)
        elif mnemonic in ("vldmia", "ldmia", "stmia"):
            cost = 1 + count_registers(self.registers.plain(operands))
        elif mnemonic.startswith("ldr"):
            kind, cost = "memory", 1 if self._last == "memory" else 2
        elif mnemonic.startswith("str"):
            kind = "memory"
        self._last = kind
        self.cycles += self.times * cost

    def repeat_end(self, label: str, iterations: int, *, outer: bool = False) -> None:
        """The branch that ends a loop of so many iterations, where :attr:`times` counts the iterations. ``outer`` loops may leave the
        cache."""
        start = self._starts[label]
        if outer:
            self.emit(f"bne {label}b")
        else:
            self.loop_end(label)
        lines = (self.bytes - 1) // LINE_BYTES - start // LINE_BYTES + 1
        self.loop_lines, self.outer_lines = (self.loop_lines, lines) if outer else (max(self.loop_lines, lines), self.outer_lines)
        self.cycles += self.times * TAKEN * (iterations - 1) / iterations


def count_registers(operands: str) -> int:
    """Registers in a list such as ``{r4-r11, lr}`` or ``r2, {s0-s15}``."""
    count = 0
    for part in operands[operands.index("{") + 1 : operands.index("}")].split(","):
        first, _, last = part.strip().partition("-")
        count += int(last[1:]) - int(first[1:]) + 1 if last else 1
    return count


def schedule(
    pairs: Sequence[tuple[Sequence[str], Sequence[str]]],
    acc: Sequence[str],
    temps: Sequence[str],
    first: Sequence[str | None] | None = None,
    *,
    resident: bool = False,
) -> list[str]:
    """Loads and SMLADs of some pairs, with the loads in as few groups as the registers allow.

    Args:
        pairs: of each pair the addresses of its pixels' words and of its channels' words, such as ``"[r0, #4]"``.
        acc: registers of the sums, pixel by pixel.
        temps: free registers.
        first: what the first pair's products are added to, per channel: a register, or None for zero; default: the sums themselves.
        resident: the channels' words are FPU registers instead of addresses: VMOV fetches them in one cycle wherever it stands.
    """
    return _Schedule(pairs, acc, temps, first, merged=False, resident=resident).lines


def schedule_merged(
    pairs: Sequence[tuple[Sequence[str], Sequence[str]]],
    acc: Sequence[str],
    temps: Sequence[str],
    first: Sequence[str | None] | None = None,
) -> list[str]:
    """The same for words that hold the weights of two channels, see :mod:`.weights`; half as many addresses of words as channels."""
    return _Schedule(pairs, acc, temps, first, merged=True).lines


class _Schedule:
    """Takes as many loads as there are free registers, then all multiplications that they allow, until nothing is left.

    A merged word is first used as it is, for the even channel, then its low bytes for the odd one. They replace the word if all pixels fit
    into registers next to it, else they take a register of their own at once.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[Sequence[str], Sequence[str]]],
        acc: Sequence[str],
        temps: Sequence[str],
        first: Sequence[str | None] | None,
        *,
        merged: bool,
        resident: bool = False,
    ) -> None:
        self.resident = resident
        self.pairs, self.acc, self.first, self.stages = pairs, acc, first, 2 if merged else 1
        self.pixels, self.words = len(pairs[0][0]), len(pairs[0][1])
        self.apart = merged and self.pixels + 1 > len(temps)
        self.free, self.lines = list(temps), list[str]()
        self.loads = [load for j in range(len(pairs)) for load in self._order(j)]
        self.waiting = [
            (j, w, p, stage)
            for j in range(len(pairs))
            for w in range(self.words)
            for stage in range(self.stages)
            for p in reversed(range(self.pixels))
        ]
        self.held: dict[tuple[str, int, int], str] = {}
        while self.waiting:
            self._load()
            for stage in range(self.stages):
                if stage:
                    self._convert()
                self._multiply(stage)
            self._release()

    def _order(self, j: int) -> list[tuple[str, int, int]]:
        x = [("x", j, p) for p in reversed(range(self.pixels))]
        w = [("w", j, i) for i in range(self.words)]
        if self.resident:
            return x + w
        return w + x if self.pixels > self.words * self.stages or self.apart else x + w

    def _load(self) -> None:
        found: list[str] = []
        while self.loads and len(self.free) > (1 if self.apart and self._wants_low() else 0):
            key = self.loads.pop(0)
            self.held[key] = self.free.pop(0)
            kind, j, index = key
            word = "vmov" if self.resident and kind == "w" else "ldr"
            found.append(f"{word} {self.held[key]}, {self.pairs[j][0 if kind == 'x' else 1][index]}")
        self.lines += sorted(found, key=lambda line: line.startswith("vmov"))

    def _wants_low(self) -> bool:
        """Whether a register must be kept for the low bytes of a word that is loaded or will be next."""
        lows = {key[1:] for key in self.held if key[0] == "low"}
        return any(key[0] == "w" and key[1:] not in lows for key in [*self.held, *self.loads[:1]])

    def _convert(self) -> None:
        for key in [k for k in self.held if k[0] == "w" and ("low", *k[1:]) not in self.held]:
            if self.apart:
                low = self.free.pop(0)
                self.lines.append(f"sxtb16 {low}, {self.held[key]}")
            elif any(m[:2] == key[1:] and m[3] == 0 for m in self.waiting):
                continue
            else:
                low = self.held.pop(key)
                self.lines.append(f"sxtb16 {low}, {low}")
            self.held["low", key[1], key[2]] = low

    def _multiply(self, stage: int) -> None:
        for mac in list(self.waiting):
            j, w, p, own = mac
            word = ("low" if stage else "w", j, w)
            if own != stage or ("x", j, p) not in self.held or word not in self.held:
                continue
            self.waiting.remove(mac)
            channel = w * self.stages + stage
            a = self.acc[p * self.words * self.stages + channel]
            addend = self.first[channel] if self.first is not None and j == 0 else a
            operands = f"{a}, {self.held['x', j, p]}, {self.held[word]}"
            self.lines.append(f"smuad {operands}" if addend is None else f"smlad {operands}, {addend}")

    def _release(self) -> None:
        for key in list(self.held):
            kind, j, index = key
            stages = {"x": (0, 1), "w": (0,), "low": (1,)}[kind]
            if kind == "w" and self.stages == 2 and ("low", j, index) not in self.held:
                continue  # its low bytes are wanted
            if not any(m[0] == j and m[2 if kind == "x" else 1] == index and m[3] in stages for m in self.waiting):
                self.free.append(self.held.pop(key))


def requantise_relu(asm: Assembly, acc: Sequence[str], mantissa: str, rounding: str, shift: str) -> None:
    """Doubled sums of one channel to stored values, in place."""
    asm.emit_all(*[f"smmlar {a}, {a}, {mantissa}, {rounding}" for a in acc])
    clamp_relu(asm, acc, shift)


def clamp_relu(asm: Assembly, acc: Sequence[str], shift: str) -> None:
    """The last steps of it: shift and clamp."""
    asm.emit_all(*[f"asr {a}, {a}, {shift}" for a in acc])
    asm.emit_all(*[f"usat {a}, #8, {a}" for a in acc])


def requantise_linear(asm: Assembly, acc: Sequence[str], temp: str, mantissa: str, rounding: str, shift: str, zero_point: int) -> None:
    """The same without an activation.

    The sign that moves ties away from zero is taken from the sum, not from the product: they differ only where the product rounds to zero,
    and there one less than ``rounding`` gives the same, because the shift is at least 1 (see :func:`parameter_words`).
    """
    scale_linear(asm, acc, temp, mantissa, rounding)
    clamp_linear(asm, acc, shift, zero_point)


def scale_linear(asm: Assembly, acc: Sequence[str], temp: str, mantissa: str, rounding: str) -> None:
    """The first steps of it: product, rounding, ties."""
    for a in acc:
        asm.emit_all(f"smmlar {temp}, {a}, {mantissa}, {rounding}", f"add {a}, {temp}, {a}, asr #31")


def clamp_linear(asm: Assembly, acc: Sequence[str], shift: str, zero_point: int) -> None:
    """The last steps of it: shift, clamp, zero point."""
    asm.emit_all(*[f"asr {a}, {a}, {shift}" for a in acc])
    asm.emit_all(*[f"ssat {a}, #8, {a}" for a in acc])
    if zero_point:
        word = "sub" if zero_point > 0 else "add"
        asm.emit_all(*[f"{word} {a}, {a}, #{abs(zero_point)}" for a in acc])


def requantise_uniform(asm: Assembly, acc: Sequence[str], mantissa: str, rounding: str, shift: int) -> None:
    """Scaled sums of one channel to stored values, in place; see :mod:`.uniform`."""
    asm.emit_all(*[f"smmla {a}, {a}, {mantissa}, {rounding}" for a in acc])
    asm.emit_all(*[f"usat {a}, #8, {a}, asr #{shift}" for a in acc])
