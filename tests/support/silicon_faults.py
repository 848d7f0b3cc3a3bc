# SPDX-License-Identifier: Apache-2.0
"""One-line faults in the firmware's start-up code, and whether the virtual board notices them.

    PYTHONPATH=src:tests python -m support.silicon_faults --count 300 --jobs 2

Each fault deletes a statement, changes a constant, a bit or a register, or swaps two statements in ``clock.c``, ``board.c`` or
``startup.c``. It is compiled (one file), linked with a small model in both modes, and booted up to the first difference.
A fault whose object code is that of the unchanged source is none; one that a chip would not show either stands in
``silicon_faults.yaml`` with the argument why. All others should end in an error of the board, or in another conversation, clock, pin
or time than those of the unchanged firmware.
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
def _equivalents() -> tuple[tuple[str, str], ...]:
    rows = yaml.safe_load(_DATA.read_text(encoding="utf-8"))["equivalents"]
    return tuple((pattern, row["argument"]) for row in rows for pattern in row["faults"])


def sample() -> list[tuple[Fault, str]]:
    """The faults that the default tests boot, and how each is noticed. LookupError if the source has no such fault any more."""
    made = {nameless(fault): fault for fault in all_faults()}
    rows = yaml.safe_load(_DATA.read_text(encoding="utf-8"))["sample"]
    return [(made[row["fault"]], row["noticed"]) for row in rows]


def nameless(fault: Fault) -> str:
    """The label without the line's number, which another edit moves."""
    return re.sub(r":\d+ ", " ", fault.label, count=1)


def equivalent(fault: Fault) -> str | None:
    """The argument why a chip would behave alike; None if there is none."""
    label = nameless(fault)
    return next((argument for pattern, argument in _equivalents() if fnmatch.fnmatchcase(label, _escaped(pattern))), None)


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
                for key, expected in self.good[mode].items():
                    if not (_about(found[key], expected) if key == "inference time" else found[key] == expected):
                        return f"another {key}"
            return "unnoticed"
        finally:
            source.write_text(text, encoding="utf-8")
            for mode in build.MODES:
                (self.folders[mode] / build._object(f"board/{fault.file}")).write_bytes(self.objects[fault.file])

    def converse(self, mode: str, expected: Sequence[str] | None = None) -> dict[str, object]:
        """Boots, talks, resets and talks again: what a host could tell apart. Ends at the first answer that is not the expected one."""
        said: list[str] = []
        laps: list[bool] = []
        took: list[int] = []
        with VirtualBoard(self.folders[mode] / "firmware.elf", baud=BAUD) as board:
            data = bytes(range(self.size)).hex()
            for command in (
                "",
                "name",
                "profile",
                f"db load {self.size}",
                f"db {data}",
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
            }

    def _lap_is_true(self, board: VirtualBoard, times: list[int]) -> bool:
        """The firmware's own microseconds against virtual time, over a pause of two milliseconds."""
        start = board.time_s
        board.link.write(b"timestamp%")
        first = int(re.findall(r"m-lap-us-(\d+)", self._answer(board))[0])
        middle = board.time_s
        board.link.read(Deadline(0.1, board.link.clock))
        board.link.write(b"timestamp%")
        second = int(re.findall(r"m-lap-us-(\d+)", self._answer(board))[0])
        passed = (board.time_s - middle + middle - start) * 1e6
        return abs((second - first) / passed - 1) < 0.06 and 0 < times[1] - times[0] < 1e6

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


def campaign(faults: Sequence[Fault], jobs: int) -> list[tuple[Fault, str]]:
    """Each fault with what came of it, in their order."""
    with tempfile.TemporaryDirectory() as parent:
        if jobs == 1:
            _start(parent)
            return [_try(fault) for fault in faults]
        with ProcessPoolExecutor(jobs, initializer=_start, initargs=(parent,)) as pool:
            return list(pool.map(_try, faults, chunksize=4))


def summary(results: Sequence[tuple[Fault, str]]) -> tuple[int, int, list[str]]:
    """Faults that count, those that were noticed, and the labels of the others."""
    counted = [(fault, how) for fault, how in results if how not in ("same code", "does not build")]
    unnoticed = [fault.label for fault, how in counted if how == "unnoticed"]
    return len(counted), len(counted) - len(unnoticed), unnoticed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    results = campaign(chosen_faults(options.count, options.seed), options.jobs)
    counted, noticed, unnoticed = summary(results)
    if options.verbose:
        for fault, how in results:
            print(f"{how:28} {fault.label}")
    for how, number in Counter(how for _, how in results).most_common():
        print(f"{number:5}  {how}")
    print(
        f"{len(all_faults())} faults can be made; {sum(equivalent(f) is not None for f in all_faults())} of them are equivalent by argument"
    )
    print(f"{noticed} of {counted} that count were noticed: {100 * noticed / max(counted, 1):.1f} %")
    for label in unnoticed:
        print("unnoticed:", label)
    return 0


if __name__ == "__main__":
    sys.exit(main())
