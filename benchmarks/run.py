# SPDX-License-Identifier: Apache-2.0
"""All benchmarks with one command: ``python benchmarks/run.py``, or some of them by name: ``python benchmarks/run.py job``.

Figures are printed, not asserted; what was measured last, and on what, is in docs/benchmarks.md.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PARTS = ("instructions", "emulator_speed", "job", "official_kws", "dashboard", "replay", "engine", "planning", "jobs", "kernels", "predict")


def main(names: list[str]) -> None:
    """Runs the named parts, or all, each as a process of its own."""
    for name in names:
        if name not in PARTS:
            raise SystemExit(f"no benchmark called '{name}'; there are {', '.join(PARTS)}")
    for name in names or PARTS:
        print(f"\n== {name}", flush=True)
        subprocess.run([sys.executable, str(Path(__file__).parent / f"{name}.py")], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
