# SPDX-License-Identifier: Apache-2.0
"""Measures the kernels for the official and the embedded models and writes the table that comes with the package.

    python benchmarks/tune.py --mirror FOLDER [--only BENCHMARK ...] [--new]

``--mirror`` (default: env CM_TINY_MIRROR) holds the official models; without it they are fetched. Models whose layers are in the table
already cost seconds; after a change of the kernels (``KERNELS_VERSION``) the table starts empty and the whole takes about half an hour of
two cores. An interrupted run continues where it stopped. ``--new`` forgets the present table.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks.assets import AssetSource, model_file
from cm4tiny.console import watch
from cm4tiny.firmware import microtvm
from cm4tiny.firmware.kernels import KERNELS_VERSION
from cm4tiny.firmware.microtvm.costs import SHIPPED, Costs
from cm4tiny.tuning import TuneRequest, tune

TABLE = Path(microtvm.__file__).parent / SHIPPED
OFFICIAL = ("kws", "ad", "ic", "vww", "sww", "ic02")
EMBEDDED = ("kws", "ad", "ic", "vww")
VARIANTS: tuple[dict[str, Any], ...] = ({}, {"skip_zero": False}, {"prune_channels": True})
"""Only where they change the layers; equal layers are not measured twice."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", default=os.environ.get("CM_TINY_MIRROR", ""))
    parser.add_argument("--only", nargs="+", choices=OFFICIAL, default=list(OFFICIAL))
    parser.add_argument("--new", action="store_true")
    wanted = parser.parse_args(arguments)
    if wanted.new:
        TABLE.write_text(Costs(KERNELS_VERSION).text(), encoding="utf-8")
    for assets, names in (("mlcommons", OFFICIAL), ("embedded", EMBEDDED)):
        for name in (n for n in names if n in wanted.only):
            model = Path(model_file(name, assets, source=AssetSource(mirror=wanted.mirror)))
            for variant in VARIANTS if name in ("vww", "ic02") else VARIANTS[:1]:
                with watch() as events:
                    tune(TuneRequest(name, model, **variant), TABLE, events=events)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
