# SPDX-License-Identifier: Apache-2.0
"""Times the first answer about a model: ``cm4tiny predict`` in a fresh process, on a machine whose tools are there; aim 10 s for 5 M MACs.

The model is this project's vww, 7.5 M MACs, under another name; nothing of a prediction comes from a cache, so every run is a first one but
for the virtual board's library, which the run before the timed ones makes.

    python benchmarks/predict.py            # or with a model of yours: python benchmarks/predict.py FILE.tflite
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cm4tiny.benchmarks.embedded import embedded_model

RUNS = 3
AIM_S = 10


def main(arguments: list[str]) -> None:
    """Prints a line."""
    model = Path(arguments[0]) if arguments else embedded_model("vww")
    with tempfile.TemporaryDirectory(prefix="cm4tiny-predict-") as name:
        file = Path(name) / "timed.tflite"
        shutil.copyfile(model, file)
        _predict(file)
        walls, processors = zip(*(_predict(file) for _ in range(RUNS)), strict=True)
        macs = json.loads((Path(name) / "out" / "timed" / "prediction.json").read_text(encoding="utf-8"))["model"]["macs"]
    print(
        f"{macs / 1e6:.2f} M MACs: {statistics.median(walls):.1f} s to the answer (median of {RUNS}, {min(walls):.1f} to {max(walls):.1f})"
        f", {statistics.median(processors):.1f} s of processor time; aim {AIM_S} s; load of the machine {os.getloadavg()[0]:.1f}"
    )


def _predict(file: Path) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "cm4tiny", "predict", str(file), "-o", str(file.parent / "out")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main(sys.argv[1:])
