# SPDX-License-Identifier: Apache-2.0
"""The engine's firmware built by several compilers: cycles on the virtual board, and whether the outputs are the same.

    python benchmarks/compilers.py --mirror FOLDER [--cc NAME=PATH ...] [--only BENCHMARK ...] [--plan VARIANT]
        [--inputs N] [--out FILE.json]

NAME is a label, PATH an ``arm-none-eabi-gcc``, ``zig``, or a kind of tool chain ("debian", "pip", "zig"). The first one is the reference;
without ``--cc`` these are gcc-12=debian, gcc-13=pip, clang=zig. ``--mirror`` (default: env CM_TINY_MIRROR) holds the official models. The
generated C is the same for all compilers. Outputs are the bytes of the model's output tensor in the board's memory, for N random inputs
(default 8). ``--plan`` is one of our engine's variants (default: the default plan). Prints a table; ``--out`` keeps the rows for
``benchmarks/engines.py``, which puts them on the performance page. Takes about three minutes of one core.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cm4tiny.benchmarks import Benchmark, get_benchmark
from cm4tiny.benchmarks.assets import AssetSource, model_file
from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.elf_image import read_elf
from cm4tiny.events import SILENT
from cm4tiny.firmware.build import build_firmware
from cm4tiny.firmware.build_spec import BuildSpec
from cm4tiny.firmware.engines.catalogue import MICROTVM
from cm4tiny.firmware.microtvm import CompiledModel
from cm4tiny.firmware.microtvm_image import build_microtvm
from cm4tiny.firmware.toolchain import KINDS, Toolchain, find_toolchain, toolchain_at
from cm4tiny.images import measure
from cm4tiny.images.fidelity import synthetic_input
from cm4tiny.runner import Dut
from pages.performance.compilers import compilers_section
from pages.performance.freshness import code_of
from pages.performance.rows import BENCHMARKS, Compiled, write_rows
from pages.performance.variants import DEFAULT as DEFAULT_PLAN
from pages.performance.variants import variant

HERE = Path(__file__).resolve().parent
DEFAULT = ("gcc-12=debian", "gcc-13=pip", "clang=zig")
OUTPUT = "model_output"


def named(text: str) -> tuple[str, Toolchain]:
    """``NAME=PATH`` or ``NAME=KIND``."""
    name, _, where = text.partition("=")
    if not where:
        raise SystemExit(f"--cc {text}: write NAME=PATH")
    return name, find_toolchain(where) if where in KINDS else toolchain_at(Path(where))


def outputs(elf: Path, benchmark: Benchmark, count: int) -> list[bytes]:
    """The output tensor for each of some random inputs."""
    symbol = read_elf(elf).symbols[OUTPUT]
    found = []
    with VirtualBoard(elf) as board:
        dut = Dut(board.link)
        dut.expect_model(benchmark.model_id)
        for seed in range(count):
            dut.load(synthetic_input(benchmark, seed))
            dut.infer(1)
            found.append(board.read_memory(symbol.address, symbol.size))
    return found


def compiled(benchmark: Benchmark, file: Path, toolchain: Toolchain, plan: str) -> CompiledModel:
    """The generated C of a plan, as the reference compiler gets it."""
    spec = BuildSpec(benchmark.id, MICROTVM, "performance", str(file), **variant(plan).options)
    with tempfile.TemporaryDirectory() as folder:
        return build_microtvm(spec, benchmark, file.read_bytes(), toolchain, Path(folder), SILENT).model


def rows_of(benchmark: Benchmark, model: CompiledModel, compilers: list[tuple[str, Toolchain]], inputs: int) -> Iterator[Compiled]:
    """A model built by each compiler."""
    expected: list[bytes] = []
    for name, toolchain in compilers:
        with tempfile.TemporaryDirectory() as folder:
            image = build_firmware(benchmark, model, mode="performance", toolchain=toolchain, out_dir=Path(folder))
            row = measure(image.elf, benchmark.id, row_id=name, kind="build", constants=False)
            found = outputs(image.elf, benchmark, inputs)
        expected = expected or found
        equal = sum(one == other for one, other in zip(found, expected, strict=True))
        yield Compiled(
            name,
            toolchain.version,
            benchmark.id,
            row.cycles,
            image.flash_bytes,
            image.ram_bytes,
            equal,
            inputs,
            reference=name == compilers[0][0],
            code=code_of(HERE.parent).own,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cc", action="append", metavar="NAME=PATH")
    parser.add_argument("--mirror", default=os.environ.get("CM_TINY_MIRROR", ""))
    parser.add_argument("--only", nargs="*", default=list(BENCHMARKS))
    parser.add_argument("--inputs", type=int, default=8)
    parser.add_argument("--plan", default=DEFAULT_PLAN)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    compilers = [named(text) for text in options.cc or DEFAULT]
    rows: list[Compiled] = []
    for benchmark in map(get_benchmark, options.only):
        file = model_file(benchmark.id, "mlcommons", source=AssetSource(mirror=options.mirror))
        model = compiled(benchmark, file, compilers[0][1], options.plan)
        print(f"{benchmark.id}: model.c {hashlib.sha256(model.source.encode()).hexdigest()[:12]}", file=sys.stderr)
        for row in rows_of(benchmark, model, compilers, options.inputs):
            print(f"  {row.compiler}: {row.cycles:,.0f} cycles, outputs {row.equal} of {row.compared}", file=sys.stderr, flush=True)
            rows.append(row)
    if options.out:
        write_rows(options.out, rows)
    print("\n".join(compilers_section(rows)))


if __name__ == "__main__":
    main()
