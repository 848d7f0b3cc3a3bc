"""Every engine with MLPerf Tiny's own models: builds the images, measures them on the virtual board, writes ``docs/engine-comparison.md``.

    python benchmarks/engines.py --upstream FOLDER --mirror FOLDER [--only ENGINE ...] [--kws] [--keep FILE.json] [--fidelity FILE.json]

``--upstream`` (default: env CM4TINY_UPSTREAM) holds clones of the engines' sources, ``--mirror`` (default: env CM_TINY_MIRROR) the
official models; without them they are fetched. ``--kws`` also runs the 1000 official kws01 inputs on every engine, on all cores. ``--keep``
writes the rows as JSON; rows of engines that are not measured again are taken from there. ``--fidelity`` writes the rows of the published
code for ``benchmarks/fidelity.py --rows``. Takes about ten minutes of two cores; ``--kws`` adds six.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from cm4tiny.benchmarks import DataSet, get_benchmark
from cm4tiny.benchmarks.assets import AssetSource, data_set, model_file
from cm4tiny.boards import VirtualBoard
from cm4tiny.fetch import Mirror
from cm4tiny.firmware.build import FirmwareImage
from cm4tiny.firmware.engines.catalogue import ENGINES, build_library, published_folders, takes_model
from cm4tiny.firmware.engines.sources import engine_sources, read_sources
from cm4tiny.firmware.recipe import Recipe, build
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.images import Row, measure
from cm4tiny.images.fidelity import write_rows
from cm4tiny.results.published import published_for, published_results
from cm4tiny.runner import Dut

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ("ad", "ic", "kws", "vww", "sww")


@dataclass(frozen=True)
class Measured:
    """One image: cycles and instructions of an inference, bytes of flash and static RAM, and for kws the share of right answers."""

    engine: str
    benchmark: str
    cycles: float
    instructions: float
    inf_per_s: float
    flash_bytes: int
    ram_bytes: int
    build_s: float
    top_1: float | None = None
    accuracy_s: float | None = None


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def images(engine: str, mirror: str, folder: Path) -> Iterator[tuple[str, FirmwareImage, float]]:
    """Builds an engine's images: benchmark, image, seconds (those of the engine's library count with the first)."""
    toolchain = find_toolchain("auto")
    start = time.monotonic()
    env = engine_sources(engine, Mirror.named(mirror))
    roots, commits = read_sources(engine, env)
    library = build_library(engine, roots, folder / engine / "library", toolchain=toolchain, commits=commits)
    for benchmark in BENCHMARKS:
        if not takes_model(engine) and benchmark == "sww":
            continue
        recipe = Recipe(
            benchmark=benchmark,
            engine=engine,
            mode="performance",
            model=str(model_file(benchmark, "mlcommons", source=AssetSource(mirror=mirror))) if takes_model(engine) else "",
            toolchain=toolchain.kind,
            sources={name: str(path) for name, path in roots.items()},
            library=str(library.archive) if library else "",
        )
        yield benchmark, build(recipe, folder / engine / benchmark), time.monotonic() - start
        start = time.monotonic()


def part(arguments: tuple[Path, Path, int, int]) -> int:
    """Right answers among every n-th kws01 input."""
    elf, root, first, step = arguments
    kws = get_benchmark("kws")
    samples = DataSet.open(root, kws)
    right = 0
    with VirtualBoard(elf) as board:
        dut = Dut(board.link, chunk_bytes=512)
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


def measure_engine(engine: str, mirror: str, kws01: Path | None, folder: Path) -> tuple[list[Measured], list[Row]]:
    rows, fidelity = [], []
    for benchmark, image, seconds in images(engine, mirror, folder):
        published = published_of(engine, benchmark)
        row = measure(
            image.elf, benchmark, row_id=f"{engine}-{benchmark}", kind="build", published=published, constants=published is not None
        )
        top_1, took = accuracy(image.elf, kws01) if kws01 and benchmark == "kws" else (None, None)
        assert row.predicted and row.cycles and row.instructions
        rows.append(
            Measured(
                engine, benchmark, row.cycles, row.instructions, row.predicted, image.flash_bytes, image.ram_bytes, seconds, top_1, took
            )
        )
        say(str(rows[-1]))
        if published is not None:
            fidelity.append(row)
    return rows, fidelity


def page(rows: list[Measured]) -> str:
    """The tables as Markdown."""
    lines = [
        "# Engines side by side",
        "",
        "Generated by `python benchmarks/engines.py`; do not edit. MLPerf Tiny's own models, one firmware image each, **predicted on the",
        "virtual board** at 120 MHz ([how well it predicts](fidelity.md)). RAM is static data with the protocol's buffers, without the",
        "stack. The fastest published result is that of the real board; its firmware is closed.",
        "",
    ]
    for benchmark in BENCHMARKS:
        lines += [
            f"## {benchmark}",
            "",
            "| engine | inf/s | cycles | instructions | flash, bytes | RAM, bytes |",
            "|---|---|---|---|---|---|",
        ]
        for row in sorted((row for row in rows if row.benchmark == benchmark), key=lambda row: -row.inf_per_s):
            counts = f"{row.cycles:,.0f} | {row.instructions:,.0f} | {row.flash_bytes:,} | {row.ram_bytes:,}"
            lines.append(f"| {row.engine} | {row.inf_per_s:.3f} | {counts} |")
        best = next(iter(published_for(benchmark)), None)
        if best:
            lines.append(f"| published: {best.submitter} {best.round}, {best.framework} | {best.throughput_inf_per_s:.3f} | | | | |")
        lines.append("")
    judged = [row for row in rows if row.top_1 is not None]
    if judged:
        lines += ["## All 1000 inputs of kws01", "", "| engine | top-1 | seconds on this machine's cores |", "|---|---|---|"]
        lines += [f"| {row.engine} | {row.top_1:.1f} % | {row.accuracy_s:.0f} |" for row in judged]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", default=os.environ.get("CM4TINY_UPSTREAM"))
    parser.add_argument("--mirror", default=os.environ.get("CM_TINY_MIRROR", ""))
    parser.add_argument("--only", nargs="*", default=list(ENGINES))
    parser.add_argument("--kws", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--fidelity", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "engine-comparison.md")
    options = parser.parse_args()
    if options.upstream:
        os.environ["CM4TINY_UPSTREAM"] = options.upstream
    kws01 = data_set("kws", "mlcommons", source=AssetSource(mirror=options.mirror)).root if options.kws else None
    known = [Measured(**row) for row in json.loads(options.keep.read_text())] if options.keep and options.keep.is_file() else []
    rows = [row for row in known if row.engine not in options.only]
    fidelity = []
    with tempfile.TemporaryDirectory() as folder:
        for engine in options.only:
            fresh, published = measure_engine(engine, options.mirror, kws01, Path(folder))
            rows += fresh
            fidelity += published
    if options.keep:
        options.keep.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    if options.fidelity:
        write_rows(options.fidelity, fidelity)
    options.out.write_text(page(rows), encoding="utf-8")
    print(options.out)


if __name__ == "__main__":
    main()
