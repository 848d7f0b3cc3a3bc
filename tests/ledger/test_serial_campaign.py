# SPDX-License-Identifier: Apache-2.0
"""Single-byte faults on the serial line: none may become a wrong figure or a wrong record.

In CI a seeded sample of about 2,000; the long test tries 120,000 of the 250,000 that there are. ``python tools/serial_campaign.py`` shows
its progress and takes a seed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.serial_campaign import MODES, Bench, sample, try_all

SEED = 20261130
TRIES = 350
"""In each of the six parts of the sample."""


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("mode", MODES)
def test_a_fault_of_one_byte_never_becomes_a_wrong_record(mode: str, part: int, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    tally = try_all(bench, sample(bench, SEED + part, TRIES, modes=(mode,)))
    print(f"seed {SEED + part}\n{tally.table()}")
    assert tally.wrong == []
    assert tally.total["correct"] > 0.95 * TRIES, tally.table()


@pytest.mark.long
def test_no_fault_of_one_byte_at_any_position_becomes_a_wrong_record() -> None:
    program = Path(__file__).parents[2] / "tools" / "serial_campaign.py"
    done = subprocess.run([sys.executable, str(program), "--tries", "120000"], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
