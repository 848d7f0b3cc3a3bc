# SPDX-License-Identifier: Apache-2.0
"""Scripts side by side: wall-clock time of the main job from an empty CM home, with one job and with more.

``python benchmarks/jobs.py [--jobs 1,2] [--whole] [--tags reproduce,mlperf,tiny,_performance]``. The time is that until all dependencies of
the main job but the run itself are there (virtual board, tool chain, models, firmware images); the run is ended then. ``--whole`` measures
it to its end as well. Both depend on what else the machine does; run it alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
TAGS = "reproduce,mlperf,tiny,_performance"
RUN = '* cm run script "run mlperf tiny benchmark'


def measure(jobs: int, tags: str, whole: bool) -> tuple[float, float]:
    """Seconds until the run begins, and until the end (0 if not ``whole``), in a home of its own."""
    with tempfile.TemporaryDirectory() as place:
        base = Path(place)
        env = {**os.environ, "HOME": place, "CM_REPOS": str(base / "CM"), "CM_TINY_CACHE": str(base / "cache")}
        cm = [sys.executable, "-m", "cmind"]
        subprocess.run(
            [*cm, "add", "repo", f"--path={ROOT}"], cwd=place, env=env, stdin=subprocess.DEVNULL, check=True, capture_output=True
        )
        begun = time.monotonic()
        command = [*cm, "run", "tinyscript", f"--tags={tags}", f"--jobs={jobs}", "--quiet"]
        first = 0.0
        with subprocess.Popen(
            command, cwd=place, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if RUN in line and not first:
                    first = time.monotonic() - begun
                    if not whole:
                        process.terminate()
        if not first or (whole and process.returncode):
            raise SystemExit(f"the run with --jobs={jobs} failed with status {process.returncode}")
        return first, time.monotonic() - begun if whole else 0.0


def main() -> None:
    """Prints one row per number of jobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", default="1,2", help="numbers of jobs, separated by commas")
    parser.add_argument("--whole", action="store_true", help="measure to the end of the run")
    parser.add_argument("--tags", default=TAGS, help="what to run")
    given = parser.parse_args()
    print(f"{'jobs':>4} {'dependencies s':>15} {'whole s':>9}   load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    for jobs in (int(word) for word in given.jobs.split(",")):
        first, whole = measure(jobs, given.tags, given.whole)
        print(f"{jobs:>4} {first:>15.1f} {whole:>9.1f}   load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()
