# SPDX-License-Identifier: Apache-2.0
"""Times the main job as a user runs it: cold, warm, and the overhead of one warm benchmark outside the emulator.

Each run is a process of its own with a fresh home (``HOME``, ``CM_REPOS``, ``CM_TINY_CACHE``), standard input closed.
Needs the package installed (``pip install .``), so that ``cm`` finds the repository.

    python benchmarks/job.py

``python benchmarks/job.py --full_windows`` runs the warm default job twice, with the short cut for periodic inferences and without, and
compares the sessions' ``results.json`` as well.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

JOB = "--tags=reproduce,mlperf,tiny"
GIB = 1024**3


@dataclass(frozen=True)
class Run:
    """Wall-clock and processor seconds, and peak memory (sum over the processes of the run, sampled ten times a second)."""

    wall_s: float
    peak_bytes: int
    processor_s: float


def _memory_of(root: int) -> int:
    """Resident bytes of a process and all its descendants, from /proc."""
    children: dict[int, list[int]] = {}
    resident: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                resident[int(folder.name)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
                children.setdefault(int(fields[1]), []).append(int(folder.name))
            except (OSError, IndexError, ValueError):
                continue
    total, queue = 0, [root]
    while queue:
        process = queue.pop()
        total += resident.get(process, 0)
        queue += children.get(process, [])
    return total


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(tags: str, home: Path, out: Path, *flags: str) -> Run:
    """One run of ``cm``; raises SystemExit with its output if it fails."""
    program = Path(sys.executable).parent / "cm"
    environment = {**os.environ, "HOME": str(home), "CM_REPOS": str(home / "CM"), "CM_TINY_CACHE": str(home / "cache")}
    peak = 0
    done = threading.Event()
    log = home / "run.log"
    used = _processor_s()
    with log.open("w", encoding="utf-8") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            [str(program), "run", "script", tags, f"--outdirname={out}", *flags],
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.1):
                peak = max(peak, _memory_of(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        status = process.wait()
        wall = time.monotonic() - began
        done.set()
        watcher.join()
    if status:
        raise SystemExit(f"the job failed ({status}):\n{log.read_text(encoding='utf-8')}")
    return Run(wall, peak, _processor_s() - used)


def _results(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).parts[1]: path.read_bytes() for path in sorted(out.glob("sessions/*/*/results.json"))}


def compare(home: Path) -> None:
    """The default job with and without the short cut for periodic inferences; SystemExit if a result differs."""
    run(JOB, home, home / "cold")
    print("default job, warm cache        wall s   processor s")
    found = []
    for name, flags in (("periodic ones advanced", ()), ("all inferences executed", ("--full_windows",))):
        out = home / name.replace(" ", "-")
        took = run(JOB, home, out, *flags)
        found.append(_results(out))
        print(f"  {name:<26} {took.wall_s:8.1f}   {took.processor_s:11.1f}")
    differing = [session for session in found[0] if found[0][session] != found[1].get(session)]
    if len(found[0]) != 8 or differing:
        raise SystemExit(f"results.json differs: {', '.join(differing) or 'sessions are missing'}")
    print(f"results.json of {len(found[0])} sessions: byte for byte the same")


def main() -> None:
    """Runs all and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--full_windows", action="store_true", help="compare with a run that executes all inferences")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="cm4tiny-job-"))
    try:
        if options.full_windows:
            compare(home)
            return
        cold = run(JOB, home, home / "cold")
        warm = run(JOB, home, home / "warm")
        kws = run(f"{JOB},_kws,_performance", home, home / "kws")
        emulated = json.loads((home / "kws" / "timing.json").read_text(encoding="utf-8"))["kws performance"]
        print(
            f"default job, cold cache      {cold.wall_s:7.1f} s   (target 240 s)   peak memory {cold.peak_bytes / GIB:.2f} GiB (target 2)"
        )
        print(
            f"default job, warm cache      {warm.wall_s:7.1f} s   (target 150 s)   peak memory {warm.peak_bytes / GIB:.2f} GiB (target 2)"
        )
        print(f"_kws,_performance, warm      {kws.wall_s:7.1f} s")
        print(f"  of that in the emulator    {emulated:7.1f} s")
        print(f"  overhead outside           {kws.wall_s - emulated:7.1f} s   (target 3 s)")
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
