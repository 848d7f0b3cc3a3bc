# SPDX-License-Identifier: Apache-2.0
"""One-line faults in the firmware's start-up code, and whether the virtual board notices them.

    PYTHONPATH=src:tests python -m support.silicon_faults

Each fault deletes a statement, changes a constant, a bit or a register, or swaps two statements in ``clock.c``, ``board.c`` or
``startup.c``. It is compiled (one file), linked with a small model in both modes, and booted up to the first difference.
A fault whose object code is that of the unchanged source is none; one that a chip would not show either stands in
``silicon_faults.yaml`` with the argument why. All others should end in an error of the board, in another conversation, clock, pin
or time than those of the unchanged firmware, or leave a register with another value than the table declares for the end of start-up.
"""

from __future__ import annotations

import argparse
import fnmatch
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from support import tiny_tflite as tt
from support.tiny_images import benchmark_of

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.boards import default_board
from cm4tiny.deadline import Deadline
from cm4tiny.errors import Cm4TinyError, SiliconRuleError
from cm4tiny.firmware import build
from cm4tiny.firmware.board_files import board_files
from cm4tiny.firmware.microtvm import CompileOptions, compile_model
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.paths import firmware_sources

FILES = ("clock.c", "board.c", "startup.c")
BAUD = 115200
REGISTERS = (
    ("RCC_CR", "RCC_CFGR", "RCC_PLLCFGR", "RCC_APB1ENR1", "RCC_CCIPR"),
    ("PWR_CR1", "PWR_CR2", "PWR_CR5"),
    ("VCP_CR1", "VCP_CR2", "VCP_CR3", "VCP_BRR"),
    ("TIM2_CR1", "TIM2_PSC", "TIM2_ARR", "TIM2_EGR"),
    ("GPIO_MODER", "GPIO_OTYPER", "GPIO_PUPDR"),
    ("VCP_TX_PORT", "VCP_RX_PORT", "TIMESTAMP_PORT"),
    ("VCP_ENABLE_REGISTER", "PINS_ENABLE_REGISTER"),
)
_BIT = re.compile(r"\b(?:RCC|PWR|FLASH|UART|TIM)_[A-Z0-9]+_[A-Z0-9_]+\b(?!\()")
_NUMBER = re.compile(r"(?<![\w.])(0x[0-9A-Fa-f]+|\d+)(?=u?\b)")
_STATEMENT = re.compile(r"^    [ ]*(?!const |return|static |extern |else|if|for|while|_Static|__asm volatile\($)[^{}#/\s\"].*;(?: /\*.*)?$")
_DATA = Path(__file__).with_name("silicon_faults.yaml")


@dataclass(frozen=True)
class Fault:
    """Lines ``first`` to ``last`` (from 0, both included) of a file become ``new``."""

    file: str
    first: int
    last: int
    kind: str
    old: str
    new: str

    @property
    def label(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.file}:{self.first + 1} {self.kind}: {old} -> {new}"

    def apply(self, text: str) -> str:
        lines = text.split("\n")
        lines[self.first : self.last + 1] = self.new.split("\n")
        return "\n".join(lines)


# --- making faults ------------------------------------------------------------------------------------------------------------------


def _in_scope(file: str, lines: Sequence[str]) -> Iterator[int]:
    """Lines of code that a boot runs, and definitions of constants. Not the fault handlers and errors on the line, which no conversation
    without errors reaches."""
    skipping, comment, other = False, False, False
    for i, line in enumerate(lines):
        other = (other or line.startswith(("#else", "#if TIMESTAMP_ON"))) and not line.startswith("#endif")
        if other:
            continue  # what is compiled for another board
        comment = comment or line.lstrip().startswith("/*")
        ended = comment and "*/" in line
        if comment:
            comment = not ended
            if line.lstrip().startswith("/*") or not line.startswith("    "):
                continue
        if re.match(r"(?:static |_Noreturn |__attribute__|void |int |bool |uint32_t )", line) and "(" in line and not line.endswith(";"):
            skipping = any(name in line for name in ("HardFault_Handler", "Default_Handler"))
        if line.startswith("__attribute__((section"):
            skipping = True  # the vector table
        if skipping or (file == "board.c" and ("_ISR_ORE" in line or "_ISR_FE" in line or "ICR_ERRORS" in line or "OVERRUN" in line)):
            continue
        yield i


def _deletions(file: str, lines: Sequence[str], scope: set[int]) -> Iterator[Fault]:
    for i in sorted(scope):
        if _STATEMENT.match(lines[i]) or re.match(r'^ +"[^:]*\\n"', lines[i]):
            yield Fault(file, i, i, "delete", lines[i], "")
        elif re.match(r"^    while \(.*\) \{$", lines[i]) and lines[i + 1].strip() == "}":
            yield Fault(file, i, i + 1, "delete", lines[i], "")


def _swaps(file: str, lines: Sequence[str], scope: set[int]) -> Iterator[Fault]:
    for i in sorted(scope):
        if i + 1 in scope and _STATEMENT.match(lines[i]) and _STATEMENT.match(lines[i + 1]):
            yield Fault(file, i, i + 1, "swap", lines[i] + " " + lines[i + 1], lines[i + 1] + "\n" + lines[i])


def _replacements(file: str, lines: Sequence[str], scope: set[int]) -> Iterator[Fault]:
    for i in sorted(scope):
        code, mark, comment = lines[i].partition(" /*")
        if not (code.startswith("    ") or code.startswith("#define")) or code.startswith("#define CM4"):
            continue
        for match, text, kind in (*_constants(code), *_bits(code), *_registers(code), *_operators(code)):
            yield Fault(file, i, i, kind, lines[i], code[: match.start()] + text + code[match.end() :] + mark + comment)


Replacement = tuple[re.Match[str], str, str]
"""What is replaced, by what, and the kind of fault."""


def _constants(code: str) -> Iterator[Replacement]:
    for number in _NUMBER.finditer(code):
        value = int(number[0], 0)
        for other in sorted({value + 1, value - 1, value * 2, value // 2} - {value}):
            if other >= 0:
                yield number, str(other), "constant"


def _bits(code: str) -> Iterator[Replacement]:
    for bit in _BIT.finditer(code):
        yield bit, f"({bit[0]} << 1)", "bit"
        yield bit, f"({bit[0]} >> 1)", "bit"


def _registers(code: str) -> Iterator[Replacement]:
    for group in REGISTERS:
        for name in re.finditer(rf"\b(?:{'|'.join(group)})\b(?!_)", code):
            yield from ((name, other, "register") for other in group if other != name[0])


def _operators(code: str) -> Iterator[Replacement]:
    for old, new in _OPERATORS:
        for found in re.finditer(re.escape(old), code):
            yield found, new, "operator"


_OPERATORS = (
    ("|=", "&="),
    ("&= ~", "|= "),
    ("==", "!="),
    ("!=", "=="),
    ("< ", "<= "),
    ("true", "false"),
    (" | ", " & "),
    ("*to++ = *from++", "*to++ = *from"),
)


@cache
def all_faults() -> tuple[Fault, ...]:
    """Every fault that the generator can make, in a fixed order."""
    found: list[Fault] = []
    for file in FILES:
        lines = (firmware_sources() / "chips" / default_board().chip.start_up / file).read_text(encoding="utf-8").split("\n")
        scope = set(_in_scope(file, lines))
        for make in (_deletions, _swaps, _replacements):
            found += make(file, lines, scope)
    return tuple(found)


def chosen_faults(count: int, seed: int = 1) -> list[Fault]:
    """A seeded choice of them, without the documented equivalents."""
    faults = [fault for fault in all_faults() if equivalent(fault) is None]
    return random.Random(seed).sample(faults, min(count, len(faults)))


@cache
def _data() -> Any:
    return yaml.safe_load(_DATA.read_text(encoding="utf-8"))


@cache
def _equivalents() -> tuple[tuple[str, str], ...]:
    rows = _data()["equivalents"]
    return tuple((pattern, row["argument"]) for row in rows for pattern in row["faults"])


def sample() -> list[tuple[Fault, str]]:
    """The faults that the default tests boot, and how each is noticed. LookupError if the source has no such fault any more."""
    made = {nameless(fault): fault for fault in all_faults()}
    rows = _data()["sample"]
    return [(made[row["fault"]], row["noticed"]) for row in rows]


def nameless(fault: Fault) -> str:
    """The label without the line's number, which another edit moves."""
    return re.sub(r":\d+ ", " ", fault.label, count=1)


def equivalent(fault: Fault) -> str | None:
    """The argument why a chip would behave alike; None if there is none."""
    label = nameless(fault)
    return next((argument for pattern, argument in _equivalents() if fnmatch.fnmatchcase(label, _escaped(pattern))), None)


def faults_of(pattern: str) -> list[Fault]:
    """Those whose label without the line's number fits."""
    return [fault for fault in all_faults() if fnmatch.fnmatchcase(nameless(fault), _escaped(pattern))]


@dataclass(frozen=True)
class Setting:
    """What a register holds when start-up has ended, by the manual and the board's description."""

    register: str
    address: int
    value: int


@cache
def declared_settings() -> tuple[Setting, ...]:
    """The table's; the unchanged firmware is checked against them, too."""
    rows = _data()["settings"]
    return tuple(Setting(row["register"], row["address"], row["value"]) for row in rows)


def other_settings(board: VirtualBoard) -> list[str]:
    """The registers that do not hold what is declared."""
    return [s.register for s in declared_settings() if board.peek(s.address) != s.value]


def _about(found: Sequence[int], expected: Sequence[int]) -> bool:
    """Microseconds, within 5 % or the timer's step."""
    return len(found) == len(expected) and all(abs(a - b) <= max(1, b * 0.05) for a, b in zip(found, expected, strict=True))


def _escaped(pattern: str) -> str:
    return pattern.replace("[", "[[]")


# --- building and booting --------------------------------------------------------------------------------------------------------------


def _model() -> bytes:
    rng = np.random.default_rng(3)
    g = tt.TinyTflite()
    x, y = g.tensor("x", (1, 4, 6, 2), "int8", 0.05, -3), g.tensor("y", (1, 4, 6, 4), "int8", 0.08, 2)
    w = g.tensor("w", (4, 3, 3, 2), "int8", 0.01, data=rng.integers(-127, 128, (4, 3, 3, 2)))
    b = g.tensor("b", (4,), "int32", 0.0005, data=rng.integers(-500, 500, 4))
    tt.conv(g, x, w, b, y, padding="SAME", strides=(1, 1))
    return g.build([x], [y])


class Workshop:
    """The unchanged firmware in both modes, with its objects; builds and boots changed ones in the same folders."""

    def __init__(self, folder: Path) -> None:
        self.toolchain = find_toolchain("auto", install=False)
        self.model = compile_model(_model(), options=CompileOptions())
        benchmark = benchmark_of(self.model)
        self.folders = {}
        for mode in build.MODES:
            staging = self.folders[mode] = folder / mode
            staging.mkdir(parents=True)
            board = default_board()
            files = {**self.model.code.files, **board_files(board), "build_config.h": build.build_config(benchmark, mode, BAUD)}
            build._lay_out(staging, board, files, self.model.code)
            build._compile(staging, board, self.toolchain, self.model.code, build.SILENT, "")
            build._link(staging, board, self.toolchain, self.model.code)
        self.size = self.model.code.input.size
        self.objects = {file: self._object(file).read_bytes() for file in FILES}
        self.good: dict[str, dict[str, Any]] = {mode: self.converse(mode) for mode in build.MODES}
        assert all(good["guard"] == [True] * 4 and not good["settings"] for good in self.good.values()), self.good

    def _object(self, file: str) -> Path:
        return self.folders["performance"] / build._object(f"board/{file}")

    def try_fault(self, fault: Fault) -> str:
        """``"same code"``, ``"does not build"``, ``"unnoticed"``, or how it was noticed."""
        staging = self.folders["performance"]
        source = staging / "board" / fault.file
        text = source.read_text(encoding="utf-8")
        try:
            source.write_text(fault.apply(text), encoding="utf-8")
            command = [
                *build._unit_flags(f"board/{fault.file}", default_board(), self.toolchain, self.model.code),
                "-Wno-error",
                "-c",
                f"board/{fault.file}",
            ]
            done = build._tool(self.toolchain, [*command, "-o", build._object(f"board/{fault.file}")], staging)
            if done.returncode != 0:
                return "does not build"
            if self._object(fault.file).read_bytes() == self.objects[fault.file]:
                return "same code"
            shutil.copy(self._object(fault.file), self.folders["energy"] / build._object(f"board/{fault.file}"))
            for mode in build.MODES:
                try:
                    build._link(self.folders[mode], default_board(), self.toolchain, self.model.code)
                except Cm4TinyError:
                    return "does not build"
                try:
                    found = self.converse(mode, self.good[mode]["conversation"])
                except SiliconRuleError as error:
                    return f"rule {error.broken.rule}"  # type: ignore[attr-defined]
                except Cm4TinyError as error:
                    return type(error).__name__
                if other := self._difference(mode, found):
                    return other
            return "unnoticed"
        finally:
            source.write_text(text, encoding="utf-8")
            for mode in build.MODES:
                (self.folders[mode] / build._object(f"board/{fault.file}")).write_bytes(self.objects[fault.file])

    def _difference(self, mode: str, found: dict[str, Any]) -> str:
        """What is not as with the unchanged firmware; empty if nothing is."""
        for key, expected in self.good[mode].items():
            if _about(found[key], expected) if key == "inference time" else found[key] == expected:
                continue
            if key == "settings":
                return f"setting {found[key][0]}"
            return "stack guard" if key == "guard" else f"another {key}"
        return ""

    def converse(self, mode: str, expected: Sequence[str] | None = None) -> dict[str, Any]:
        """Boots, talks, resets and talks again: what a host could tell apart. Ends at the first answer that is not the expected one."""
        said: list[str] = []
        laps: list[bool] = []
        took: list[int] = []
        with VirtualBoard(self.folders[mode] / "firmware.elf", baud=BAUD) as board:
            for command in (
                "",
                "name",
                "profile",
                *self._load(),
                "infer 5 2",
                "results",
                "timestamp",
                "reset",
                "name",
                "infer 1 0",
            ):
                if command:
                    board.link.write(command.encode() + b"%")
                text = self._answer(board)
                said.append(re.sub(r"m-lap-us-\d+", "m-lap-us", text))
                if expected is not None and said[-1] != expected[len(said) - 1]:
                    return {"conversation": said}
                times = [int(lap) for lap in re.findall(r"m-lap-us-(\d+)", text)]
                if command == "infer 5 2" and len(times) == 2:
                    took.append(times[1] - times[0])
                    laps.append(self._lap_is_true(board, times))
            pin = [level for _, level in board.pin_changes("F", 13)]
            return {
                "conversation": said,
                "clock": board.statistics().hclk_hz,
                "time stamp": laps,
                "inference time": took,
                "pin": pin,
                "edges": len(board.timestamp_edges_s()),
                "guard": self._guard(board),
                "settings": other_settings(board),
            }

    def _lap_is_true(self, board: VirtualBoard, times: list[int]) -> bool:
        """The firmware's own microseconds against virtual time, over a pause of a tenth of a second, to 0.3 %: a digit more or less
        in the second answer is a byte's time."""
        stamps, ends = [], []
        for _ in range(2):
            board.link.write(b"timestamp%")
            said = re.search(r"m-lap-us-(\d+)", self._answer(board))
            if said is None:
                return False
            stamps.append(int(said[1]))
            ends.append(board.time_s)
            board.link.read(Deadline(0.1, board.link.clock))
        passed_us = (ends[1] - ends[0]) * 1e6
        return abs((stamps[1] - stamps[0]) / passed_us - 1) < 0.003 and 0 < times[1] - times[0] < 1e6

    def _load(self) -> tuple[str, str]:
        return f"db load {self.size}", f"db {bytes(range(self.size)).hex()}"

    def _guard(self, board: VirtualBoard) -> list[bool]:
        """The guard's words are there and no more of them; damage to the first or the last is reported after an inference."""
        guard = _data()["guard"]
        word, size = guard["value"].to_bytes(4, "little"), 4 * guard["words"]
        held = board.read_memory(guard["address"], size + 4)
        found = [held[:size] == word * guard["words"], held[size:] != word]
        for command in self._load():
            board.link.write(command.encode() + b"%")
            self._answer(board)
        for place in (guard["address"], guard["address"] + size - 4):
            board.write_memory(place, b"\0\0\0\0")
            board.link.write(b"infer 1 0%")
            found.append("e-[Stack overflow]" in self._answer(board))
            board.write_memory(place, word)
        return found

    @staticmethod
    def _answer(board: VirtualBoard) -> str:
        deadline, text = Deadline(0.5, board.link.clock), b""
        while b"m-ready\r\n" not in text:
            part = board.link.read(deadline)
            if not part:
                break
            text += part
        return text.decode("latin-1")


_workshop: Workshop | None = None


def _start(parent: str) -> None:
    global _workshop
    _workshop = Workshop(Path(tempfile.mkdtemp(dir=parent)))


def _try(fault: Fault) -> tuple[Fault, str]:
    assert _workshop is not None
    return fault, _workshop.try_fault(fault)


def campaign(faults: Sequence[Fault], jobs: int, *, verbose: bool = False) -> list[tuple[Fault, str]]:
    """Each fault with what came of it, in their order."""
    done = []
    with tempfile.TemporaryDirectory() as parent, ProcessPoolExecutor(jobs, initializer=_start, initargs=(parent,)) as pool:
        for fault, how in pool.map(_try, faults, chunksize=4):
            done.append((fault, how))
            if verbose:
                print(f"{how:28} {fault.label}", flush=True)
    return done


SEEN, READ_BACK = "noticed by rule, error or behaviour", "by a register or the stack guard read back"
NO_FAULT = ("same code", "does not build")


@dataclass(frozen=True)
class Share:
    """Of faults: how many were booted, ended as an error of the board or in something that a host sees, showed only in a register or
    the stack guard's words that were read back, or in nothing."""

    booted: int
    seen: int
    read_back: int
    unnoticed: tuple[str, ...]

    @property
    def noticed(self) -> float:
        return (self.seen + self.read_back) / max(self.booted, 1)


def summary(results: Sequence[tuple[Fault, str]]) -> Share:
    """Without faults that the compiler refuses or does not see."""
    booted = [(fault, how) for fault, how in results if how not in NO_FAULT]
    unnoticed = tuple(fault.label for fault, how in booted if how == "unnoticed")
    read_back = sum(how.startswith(("setting ", "stack guard")) for _, how in booted)
    return Share(len(booted), len(booted) - len(unnoticed) - read_back, read_back, unnoticed)


def _print_table(results: Sequence[tuple[Fault, str]]) -> None:
    print(f"| file | generated | equivalent | booted | {SEEN} | {READ_BACK} | unnoticed | share |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for file in (*FILES, ""):
        made = [fault for fault in all_faults() if file in ("", fault.file)]
        share = summary([(fault, how) for fault, how in results if file in ("", fault.file)])
        equal = sum(equivalent(fault) is not None for fault in made)
        print(
            f"| {file or 'all'} | {len(made)} | {equal} | {share.booted} | {share.seen} | {share.read_back} | {len(share.unnoticed)} "
            f"| {100 * share.noticed:.1f} % |"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=len(all_faults()), help="draw so many; default: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--equivalents", action="store_true", help="boot those that are set aside, to see that nothing notices them")
    options = parser.parse_args()
    chosen = [f for f in all_faults() if equivalent(f)] if options.equivalents else chosen_faults(options.count, options.seed)
    results = campaign(chosen, options.jobs, verbose=options.verbose)
    for how, number in Counter(how for _, how in results).most_common():
        print(f"{number:5}  {how}")
    if options.equivalents:
        return 0
    _print_table(results)
    for label in summary(results).unnoticed:
        print("unnoticed:", label)
    return 0


if __name__ == "__main__":
    sys.exit(main())
