# SPDX-License-Identifier: Apache-2.0
"""The published energies of the board next to the model of its supply current: prints the table, and writes ``docs/energy.md``.

    python benchmarks/energy.py [--out FILE.md]

Needs nothing but the package: the facts are in ``benchmarks/pages/energies.yaml``. Run it after a change of ``current.yaml`` and then
``python tools/model_error.py``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pages.energy_page import page

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "energy.md", metavar="FILE.md")
    text = page()
    parser.parse_args().out.write_text(text, encoding="utf-8")
    print(text[text.index("## How far off") : text.index("## What the images clock")])


if __name__ == "__main__":
    main()
