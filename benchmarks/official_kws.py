# SPDX-License-Identifier: Apache-2.0
"""Times the official kws model over all 1000 inputs of kws01 on the virtual board, as a user runs it: aim 90 s on two cores.

Takes model and inputs from the mirror that ``CM_TINY_MIRROR`` names, else ``../shared/mirror``, else from the network. Needs the package
installed (``pip install .``), so that ``cm`` finds the repository.

    python benchmarks/official_kws.py                # or with variations: python benchmarks/official_kws.py _microtvm
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from job import JOB, run

SHARED = Path(__file__).resolve().parents[2] / "shared" / "mirror"
AIM_S = 90


def main(variations: list[str]) -> None:
    """Runs each engine, or the default one, and prints a line for each."""
    if SHARED.is_dir():
        os.environ.setdefault("CM_TINY_MIRROR", str(SHARED))
    home = Path(tempfile.mkdtemp(prefix="cm4tiny-kws01-"))
    try:
        for variation in variations or ["_microtvm"]:
            done = run(f"{JOB},_mlcommons,_kws,_accuracy,{variation}", home, home / variation)
            outcome = json.loads((home / variation / "outcome.json").read_text(encoding="utf-8"))
            (entry,) = outcome["results"]
            emulated = json.loads((home / variation / "timing.json").read_text(encoding="utf-8"))["kws accuracy"]
            print(
                f"{variation:20s} top-1 {entry['value']:.1f} % of {entry['samples']}   {done.wall_s:6.1f} s, "
                f"{emulated:.1f} s of it the 1000 inferences (aim {AIM_S} s)"
            )
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
