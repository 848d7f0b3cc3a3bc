# SPDX-License-Identifier: Apache-2.0
"""Every engine with MLPerf Tiny's own models: builds the images, measures them on the virtual board, writes ``docs/performance.md``.

    python benchmarks/engines.py --upstream FOLDER --mirror FOLDER [--only [VARIANT ...]] [--benchmarks ID ...] [--kws] [--fidelity FILE]

``--upstream`` (default: env CM4TINY_UPSTREAM) holds clones of the engines' sources, ``--mirror`` (default: env CM_TINY_MIRROR) the
official models; without them they are fetched. ``--only`` measures some variants (``pages.performance.variants``), without a name
none: the rows of the others are taken from ``--keep`` (default ``benchmarks/engine_rows.json``), which gets the new ones; the embedded
models are measured each time but for ``--only`` without a name, which just writes the page. ``--kws`` also
runs the 1000 official kws01 inputs, on all cores. ``--fidelity`` writes the rows of the published code for ``benchmarks/fidelity.py
--rows``. The page and its chart also take the rows of ``benchmarks/fidelity.py`` (the model's error), ``benchmarks/compilers.py`` and
``benchmarks/sensitivity.py``.
Takes about fifteen minutes of one core; ``--kws`` adds a minute and a half a variant.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from cm4tiny.benchmarks import DataSet, get_benchmark
from cm4tiny.benchmarks.assets import AssetSource, data_set, model_file
from cm4tiny.boards import VirtualBoard
from cm4tiny.fetch import Mirror
from cm4tiny.firmware.build import FirmwareImage
from cm4tiny.firmware.build_spec import BuildSpec
from cm4tiny.firmware.engines.catalogue import build_library, published_folders, takes_model
from cm4tiny.firmware.engines.sources import engine_sources, read_sources
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.images import Row, measure
from cm4tiny.images.fidelity import read_rows as read_fidelity
from cm4tiny.images.fidelity import write_rows as write_fidelity
from cm4tiny.results.published import published_results
from cm4tiny.runner import Dut
from cm4tiny.verification import build
from pages.performance.again import AGAIN, measure_again
from pages.performance.freshness import code_of
from pages.performance.page import CHART, Evidence, chart, page
from pages.performance.rows import BENCHMARKS, Again, Compiled, Harsher, MeasuredRow, read_rows, replace_rows, write_rows
from pages.performance.variants import VARIANTS, Variant, variant

HERE = Path(__file__).resolve().parent
ROWS = HERE / "engine_rows.json"
COMPILERS = HERE / "compiler_rows.json"
FIDELITY = HERE / "fidelity_rows.json"
CORES = HERE / "core_rows.json"
EMBEDDED = HERE / "embedded_rows.json"
PAGE = HERE.parent / "docs" / "performance.md"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def images(one: Variant, benchmarks: Sequence[str], mirror: str, folder: Path) -> Iterator[tuple[str, FirmwareImage, float]]:
    """Builds a variant's images: benchmark, image, seconds (those of the engine's library count with the first)."""
    toolchain = find_toolchain("auto")
    start = time.monotonic()
    env = engine_sources(one.engine, Mirror.named(mirror))
    roots, commits = read_sources(one.engine, env)
    library = build_library(one.engine, roots, folder / one.id / "library", toolchain=toolchain, commits=commits)
    for benchmark in benchmarks:
        model = model_file(benchmark, "mlcommons", source=AssetSource(mirror=mirror)) if takes_model(one.engine) else ""
        spec = BuildSpec(
            benchmark=benchmark,
            engine=one.engine,
            mode="performance",
            model=str(model),
            toolchain=toolchain.kind,
            sources={name: str(path) for name, path in roots.items()},
            library=str(library.archive) if library else "",
            **one.options,
        )
        yield benchmark, build(spec, folder / one.id / benchmark), time.monotonic() - start
        start = time.monotonic()


def part(arguments: tuple[Path, Path, int, int]) -> int:
    """Right answers among every n-th kws01 input."""
    elf, root, first, step = arguments
    kws = get_benchmark("kws")
    samples = DataSet.open(root, kws)
    right = 0
    with VirtualBoard(elf) as board:
        dut = Dut(board.link)
        dut.connect()
        for sample in samples.samples[first::step]:
            (data,) = samples.segments(sample)
            dut.load(data)
            results = dut.infer(1, 0).results
            right += results.index(max(results)) == sample.label
    return right


def accuracy(elf: Path, root: Path) -> tuple[float, float]:
    """Top-1 on all kws01 inputs in per cent, and the seconds it took on all cores."""
    start = time.monotonic()
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores) as pool:
        right = sum(pool.map(part, [(elf, root, i, cores) for i in range(cores)]))
    return right / 10, time.monotonic() - start


def published_of(engine: str, benchmark: str) -> float | None:
    """Throughput of the engine's very code on the real board, as its submitter published it."""
    folders = published_folders(engine)
    sources = {f"{folders[0]}/{benchmark}"} if folders else set()
    return next((row.throughput_inf_per_s for row in published_results() if row.source in sources), None)


def measure_variant(
    one: Variant, benchmarks: Sequence[str], *, mirror: str, folder: Path, kws01: Path | None = None, constants: bool = False
) -> Iterator[tuple[MeasuredRow, Row]]:
    """The rows of a variant: for the performance page, and for the fidelity report where its code was published.

    Args:
        constants: also measure what the fidelity report's fit takes, where the code was published.
    """
    for benchmark, image, seconds in images(one, [name for name in benchmarks if name in one.benchmarks], mirror, folder):
        published = published_of(one.engine, benchmark)
        row = measure(
            image.elf,
            benchmark,
            row_id=f"{one.id}-{benchmark}",
            kind="build",
            published=published,
            constants=constants and published is not None,
        )
        top_1, took = accuracy(image.elf, kws01) if kws01 and benchmark == "kws" else (None, None)
        flash, ram = image.flash_bytes, image.ram_bytes
        figures = (row.cycles, row.instructions, row.predicted, flash, ram, seconds, top_1, took)
        yield MeasuredRow(one.id, benchmark, *figures, code=code_of(HERE.parent).of(one.id), stall_cycles=row.stall_cycles), row


def write_page(rows: Sequence[MeasuredRow], out: Path) -> None:
    """The page and its chart from all rows there are."""
    fidelity = read_fidelity(FIDELITY) if FIDELITY.is_file() else ()
    kept = (read_rows(COMPILERS, Compiled), fidelity, read_rows(CORES, Harsher), read_rows(EMBEDDED, Again))
    evidence = Evidence(rows, *kept, code=code_of(HERE.parent))
    out.write_text(page(evidence), encoding="utf-8")
    (out.parent / CHART).write_text(chart(evidence), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", default=os.environ.get("CM4TINY_UPSTREAM"))
    parser.add_argument("--mirror", default=os.environ.get("CM_TINY_MIRROR", ""))
    parser.add_argument("--only", nargs="*", default=[one.id for one in VARIANTS])
    parser.add_argument("--benchmarks", nargs="*", default=list(BENCHMARKS))
    parser.add_argument("--kws", action="store_true")
    parser.add_argument("--keep", type=Path, default=ROWS)
    parser.add_argument("--fidelity", type=Path)
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    if options.upstream:
        os.environ["CM4TINY_UPSTREAM"] = options.upstream
    kws01 = data_set("kws", "mlcommons", source=AssetSource(mirror=options.mirror)).root if options.kws else None
    rows = read_rows(options.keep, MeasuredRow)
    fidelity: list[Row] = []
    for one in [variant(name) for name in options.only]:
        with tempfile.TemporaryDirectory() as folder:
            pairs = measure_variant(
                one, options.benchmarks, mirror=options.mirror, folder=Path(folder), kws01=kws01, constants=options.fidelity is not None
            )
            for row, fidelity_row in pairs:
                say(str(row))
                rows = replace_rows(rows, [row])
                write_rows(options.keep, rows)
                if fidelity_row.published is not None:
                    fidelity.append(fidelity_row)
    if options.only:
        write_rows(EMBEDDED, [measure_again(name) for name in AGAIN])
    if options.fidelity:
        write_fidelity(options.fidelity, fidelity)
    write_page(rows, options.out)
    print(options.out)


if __name__ == "__main__":
    main()
