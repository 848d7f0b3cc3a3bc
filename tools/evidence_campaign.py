# SPDX-License-Identifier: Apache-2.0
"""Mutates every field and number of a valid submission's evidence and asks the audit (docs/audit.md, The mutation campaign).

``python tools/evidence_campaign.py --count=20000 --seed=1 --jobs=2 --protocol=evidence.jsonl``; the same command continues where it
stopped.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.evidence.campaign import Tally, run


def main() -> int:
    """Returns 1 if a mutation of a claim or its evidence was accepted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="mutations; 0: every one (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--protocol", type=Path, default=Path("evidence-campaign.jsonl"), help="a line for each verdict")
    asked = parser.parse_args()
    last = time.monotonic()

    def progress(done: int, total: int, tally: Tally) -> None:
        nonlocal last
        if time.monotonic() - last > 5 or done == total:
            last = time.monotonic()
            print(f"{done}/{total}, seed {asked.seed}: {tally.text}", file=sys.stderr, flush=True)

    tally = run(asked.count, asked.seed, asked.jobs, asked.protocol, progress)
    print(f"seed {asked.seed}: {tally.text}")
    for rule, number in tally.rules.most_common():
        print(f"{number:8d} {rule}")
    for site in tally.accepted:
        print(f"ACCEPTED: {site}")
    return 1 if tally.accepted else 0


if __name__ == "__main__":
    sys.exit(main())
