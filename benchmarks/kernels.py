# SPDX-License-Identifier: Apache-2.0
"""This project's engine under its plans, with MLPerf Tiny's own models on the virtual board: prints cycles, inf/s, flash and RAM.

    python benchmarks/kernels.py [--mirror FOLDER] [--only VARIANT ...] [--benchmarks ID ...]

``--mirror`` (default: env CM_TINY_MIRROR, else ``../shared/mirror`` where it exists) holds the official models; without it they are
fetched. Nothing is kept: ``benchmarks/engines.py`` measures all engines and writes the page. Takes about a minute a plan.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from engines import measure_variant
from pages.performance.rows import BENCHMARKS
from pages.performance.variants import VARIANTS, variant

NEIGHBOUR = Path(__file__).resolve().parents[2] / "shared" / "mirror"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", default=os.environ.get("CM_TINY_MIRROR") or (str(NEIGHBOUR) if NEIGHBOUR.is_dir() else ""))
    parser.add_argument("--only", nargs="*", default=[one.id for one in VARIANTS if one.own])
    parser.add_argument("--benchmarks", nargs="*", default=list(BENCHMARKS))
    options = parser.parse_args()
    print("| plan | benchmark | cycles | predicted inf/s | flash, bytes | RAM, bytes |")
    print("|---|---|---|---|---|---|")
    for one in [variant(name) for name in options.only]:
        with tempfile.TemporaryDirectory() as folder:
            for row, _ in measure_variant(one, options.benchmarks, mirror=options.mirror, folder=Path(folder)):
                figures = f"{row.cycles:,.0f} | {row.inf_per_s:.3f} | {row.flash_bytes:,} | {row.ram_bytes:,}"
                print(f"| {one.label} | {row.benchmark} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
