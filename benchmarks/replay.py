# SPDX-License-Identifier: Apache-2.0
"""How long the replay of past rounds takes, and how much memory: reading every session and recomputing every claim.

    python benchmarks/replay.py FOLDER [--labels CHECKOUT_OF_MLCOMMONS_TINY] [--jobs 1 2]

FOLDER holds checkouts of results repositories, or the archives of past rounds (*.tar.xz), which are unpacked into a temporary folder first.
Processor time counts on a machine that has other work; wall time on one that has none.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from cm4tiny.results.replay import replay
from cm4tiny.results.rounds import LabelLists


def log_megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*log.txt") if path.is_file()) / 1e6


def measure(folder: Path, labels: Path | None, jobs: int) -> str:
    """One replay in this process: figures as a line."""
    began, wall = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    found = replay([folder], LabelLists.open(labels), jobs=jobs)
    wall = time.monotonic() - wall
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime - began.ru_utime - began.ru_stime + children.ru_utime + children.ru_stime
    largest = max(own.ru_maxrss, children.ru_maxrss) / 1024
    total = (own.ru_maxrss + (children.ru_maxrss * jobs if jobs > 1 else 0)) / 1024
    counts = ", ".join(f"{found.count(status)} {status}" for status in ("match", "mismatch", "no-claim", "unverifiable"))
    spent = f"{wall:6.1f} s wall, {cpu:6.1f} s processor, largest process {largest:.0f} MiB, all at most {total:.0f} MiB"
    return f"{jobs} processes: {spent}; {counts}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(measure(options.folder, options.labels, options.jobs[0]))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder
        archives = sorted(folder.glob("v*.tar.xz"))
        if archives:
            folder = Path(temporary)
            for archive in archives:
                with tarfile.open(archive) as tar:
                    tar.extractall(folder, filter="data")
        print(f"{log_megabytes(folder):.1f} MB of logs", flush=True)
        for jobs in options.jobs:  # a process of its own for each, so that peaks of memory are its own
            command = [sys.executable, __file__, str(folder), "--one", "--jobs", str(jobs)]
            subprocess.run([*command, *(["--labels", str(options.labels)] if options.labels else [])], check=True)


if __name__ == "__main__":
    main()
