# SPDX-License-Identifier: Apache-2.0
"""How much the predicted speed of our engine rests on single constants of the cycle model: the default plans under harsher cores.

    python benchmarks/sensitivity.py [--mirror FOLDER] [--out FILE.json]

``--mirror`` (default: env CM_TINY_MIRROR) holds the official models; without it they are fetched. Prints the table; ``--out`` (default
``benchmarks/core_rows.json``) keeps the rows for ``benchmarks/engines.py``, which puts them on the performance page. Takes a minute.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.benchmarks.assets import AssetSource, model_file
from cm4tiny.boards.virtual.cycle_model import CycleModel
from cm4tiny.firmware.build_spec import BuildSpec
from cm4tiny.tuning.measure import trace_layers
from cm4tiny.verification import build
from pages.performance.freshness import code_of
from pages.performance.ours import harsher_section
from pages.performance.rows import Harsher, write_rows

HERE = Path(__file__).resolve().parent
CLOCK_HZ = 120_000_000
CORES = {
    "the virtual board": CycleModel(),
    "a load after a load takes 2 cycles, not 1": CycleModel(load_pipelined=2),
    "a taken branch takes 1 cycle more": CycleModel(taken_transfer=2),
    "both": CycleModel(load_pipelined=2, taken_transfer=2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", default=os.environ.get("CM_TINY_MIRROR", ""))
    parser.add_argument("--out", type=Path, default=HERE / "core_rows.json")
    options = parser.parse_args()
    names = ("ad", "ic", "kws", "vww")
    with tempfile.TemporaryDirectory() as folder:
        images = {}
        for name in names:
            tflite = model_file(name, "mlcommons", source=AssetSource(mirror=options.mirror))
            images[name] = build(
                BuildSpec(benchmark=name, engine="microtvm", mode="performance", model=str(tflite)), Path(folder) / name
            ).elf
        rows = [
            Harsher(core, name, CLOCK_HZ / sum(trace_layers(images[name], get_benchmark(name), model)), code_of(HERE.parent).own)
            for core, model in CORES.items()
            for name in names
        ]
    write_rows(options.out, rows)
    print("\n".join(harsher_section(rows)))


if __name__ == "__main__":
    main()
