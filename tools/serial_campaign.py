# SPDX-License-Identifier: Apache-2.0
"""Disturbs one byte of a short exchange with a scripted device, again and again: ``python tools/serial_campaign.py --tries 100000``.

Prints what came of it; the exit status is 1 if a fault became a wrong figure or a wrong record. The same seed tries the same faults.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.serial_campaign import MODES, Bench, Tally, sample, try_all

CHUNK = 250
"""Faults between two signs of life."""


def part(arguments: tuple[str, int, int, int, int]) -> Tally:
    """Faults number ``first`` to ``first + count`` of a seeded campaign."""
    folder, seed, tries, first, count = arguments
    with tempfile.TemporaryDirectory(dir=folder) as own:
        bench = Bench(Path(own) / "bench")
        return try_all(bench, _chosen(bench, seed, tries)[first : first + count])


_known: dict[tuple[int, int], list[object]] = {}


def _chosen(bench: Bench, seed: int, tries: int) -> list[object]:
    if (seed, tries) not in _known:
        _known[seed, tries] = list(sample(bench, seed, tries))
    return _known[seed, tries]


def main() -> int:
    """Runs the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=100_000, help="how many faults; more than there are: all (default 100000)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a processor)")
    chosen = parser.parse_args()
    began = time.monotonic()
    total = Tally(Counter(), [])
    with tempfile.TemporaryDirectory() as folder:
        count = len(sample(Bench(Path(folder) / "count"), chosen.seed, chosen.tries))
        print(f"{count} faults in {', '.join(MODES)}, seed {chosen.seed}", flush=True)
        parts = [(folder, chosen.seed, chosen.tries, first, CHUNK) for first in range(0, count, CHUNK)]
        with multiprocessing.Pool(chosen.jobs) as pool:
            try:
                for number, tally in enumerate(pool.imap_unordered(part, parts), 1):
                    total.counts.update(tally.counts)
                    total.wrong += tally.wrong
                    for fault, text in tally.wrong:
                        print(f"\nWRONG {fault}: {text}", flush=True)
                    done, took = min(number * CHUNK, count), time.monotonic() - began
                    rest = took / done * (count - done)
                    print(f"\r{done}/{count}, {len(total.wrong)} wrong, {rest:.0f} s left   ", end="", file=sys.stderr, flush=True)
            except KeyboardInterrupt:
                pool.terminate()
                print("\ninterrupted", file=sys.stderr)
    print(f"\n{total.table()}\n{time.monotonic() - began:.0f} s on {chosen.jobs} processes")
    return 1 if total.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
