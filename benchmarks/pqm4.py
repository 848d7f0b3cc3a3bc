# SPDX-License-Identifier: Apache-2.0
"""Cycles of pqm4's implementations on the virtual board against those that pqm4 publishes: measures ``benchmarks/pqm4_rows.json`` again.

    python benchmarks/pqm4.py --pqm4 FOLDER [--only PART ...] [--rows FILE.json]

FOLDER is a checkout of mupq/pqm4 with its submodules (``git clone --recursive https://github.com/mupq/pqm4``); its own Makefile builds
there what is missing, with ``arm-none-eabi-gcc`` from the PATH. The rows say which implementations are measured. Afterwards
``python benchmarks/fidelity.py --rows benchmarks/fidelity_rows.json`` writes the page. Takes about ten minutes of one core.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cm4tiny.boards import VirtualBoard
from cm4tiny.deadline import Deadline
from cm4tiny.errors import AssetError, CompileError, ResultsError, ToolchainError, UsageError
from pages.foreign import ForeignRow, published_cycles, read_foreign, write_foreign

HERE = Path(__file__).resolve().parent
OPERATIONS = {"kem": ("keygen", "encaps", "decaps"), "sign": ("keygen", "sign", "verify")}
PLACES = ("", "mupq/", "mupq/pqclean/")
NEEDED = ("benchmarks.csv", "Makefile", "mupq/crypto_sign/speed.c", "mupq/pqclean/crypto_kem", "libopencm3/Makefile")
ITERATIONS = {"ml-kem": 10, "ml-dsa": 10, "fndsa": 3}
"""Runs of which the mean is taken, by family; one of the others, whose cycles hardly vary."""
VIRTUAL_SECONDS = 1e5
_CYCLES = re.compile(rb"cycles:\s*\r?\n?(\d+)")


def check_checkout(folder: Path | None) -> Path:
    """Raises UsageError or AssetError if pqm4 is not there, or without its submodules."""
    clone = "git clone --recursive https://github.com/mupq/pqm4"
    if folder is None:
        raise UsageError(
            "no checkout of pqm4 was given", why="its code is not part of this repository", hint=f"{clone}\nthen --pqm4 FOLDER"
        )
    missing = [name for name in NEEDED if not (folder / name).exists()]
    if missing:
        raise AssetError(
            f"{folder} is not a complete checkout of pqm4",
            why=f"there is no {missing[0]}",
            hint=f"{clone}\nor, in a checkout: git submodule update --init --recursive",
        )
    return folder


def implementation_path(checkout: Path, scheme: str, implementation: str) -> tuple[str, str]:
    """Where an implementation lies in the checkout, and what it is: ``"kem"`` or ``"sign"``.

    Raises:
        AssetError: this checkout has none.
    """
    for place in PLACES:
        for kind in OPERATIONS:
            path = f"{place}crypto_{kind}/{scheme}/{implementation}"
            if (checkout / path).is_dir():
                return path, kind
    raise AssetError(f"pqm4 has no {scheme}/{implementation}", why=f"it is nowhere in {checkout}", hint="check out the commit of the rows")


def build(checkout: Path, path: str, iterations: int) -> Path:
    """The program that measures an implementation, by pqm4's own Makefile.

    Raises:
        ToolchainError: there is no compiler. CompileError: the build failed.
    """
    if shutil.which("arm-none-eabi-gcc") is None:
        raise ToolchainError("arm-none-eabi-gcc is not installed", hint="on Debian: apt install gcc-arm-none-eabi")
    elf = checkout / "elf" / f"{path.replace('/', '_')}_speed.elf"
    if not elf.is_file():
        name = f"elf/{elf.name}"
        command = [
            "make",
            "-C",
            str(checkout),
            "PLATFORM=nucleo-l4r5zi",
            f"MUPQ_ITERATIONS={iterations}",
            f"IMPLEMENTATION_PATH={path}",
            name,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not elf.is_file():
            raise CompileError(f"pqm4 did not build {path}", why=done.stderr[-800:], hint="build it by hand:\n" + " ".join(command))
    return elf


def operation_cycles(output: bytes) -> tuple[list[int], ...]:
    """Cycles of the three operations, one entry per iteration, from what the program printed.

    Raises:
        ResultsError: it printed something else.
    """
    values = [int(value) for value in _CYCLES.findall(output)]
    if not values or len(values) % 3:
        raise ResultsError(
            "the program printed no cycles", why=f"it said: {output[-200:]!r}", hint="run it by hand, with run,mlperf,tiny,image"
        )
    return tuple(values[start::3] for start in range(3))


def run(elf: Path) -> tuple[list[int], ...]:
    """Runs a program to its end, marked by ``#``."""
    with VirtualBoard(elf, strict=False) as board:  # others' start-up code
        deadline, output = Deadline(VIRTUAL_SECONDS, board.link.clock), b""
        while b"#" not in output:
            part = board.link.read(deadline)
            if not part:
                break
            output += part
    return operation_cycles(output)


def measured(checkout: Path, rows: Sequence[ForeignRow]) -> list[ForeignRow]:
    """The rows of one implementation, measured again."""
    first = rows[0]
    path, kind = implementation_path(checkout, first.scheme, first.implementation)
    published = published_cycles(checkout / "benchmarks.csv").get((first.scheme, first.implementation))
    if published is None:
        raise ResultsError(f"pqm4 publishes no cycles of {first.scheme}/{first.implementation}", hint="check out the commit of the rows")
    cycles = run(build(checkout, path, ITERATIONS.get(first.family, 1)))
    fresh = []
    for row in rows:
        index = OPERATIONS[kind].index(row.operation)
        mean = round(sum(cycles[index]) / len(cycles[index]))
        fresh.append(replace(row, published=published[index].mean, spread=round(published[index].spread, 4), predicted=mean))
    return fresh


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pqm4", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="parts of SCHEME/IMPLEMENTATION")
    parser.add_argument("--rows", type=Path, default=HERE / "pqm4_rows.json")
    options = parser.parse_args(arguments)
    checkout = check_checkout(options.pqm4)
    table: dict[tuple[str, str], list[ForeignRow]] = {}
    for row in read_foreign(options.rows, HERE / "pqm4_rows.schema.json"):
        table.setdefault((row.scheme, row.implementation), []).append(row)
    chosen = [key for key in table if not options.only or any(part in "/".join(key) for part in options.only)]
    if not chosen:
        raise UsageError(f"no row is named {' or '.join(options.only)}", hint=f"the rows are in {options.rows}")
    for number, key in enumerate(chosen, 1):
        table[key] = measured(checkout, table[key])
        write_foreign(options.rows, [row for rows in table.values() for row in rows])  # an interrupted run loses nothing
        errors = ", ".join(f"{row.operation} {100 * row.error:+.1f} %" for row in table[key])
        print(f"[{number} of {len(chosen)}] {'/'.join(key)} {errors}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
