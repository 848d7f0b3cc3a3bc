# SPDX-License-Identifier: Apache-2.0
"""How close the virtual board comes to published results: measures every published image and writes ``docs/fidelity.md``.

    python benchmarks/fidelity.py --upstream FOLDER [--kws FOLDER] [--sww FOLDER] [--rows FILE.json ...] [--keep FILE.json] [--out FILE.md]

FOLDER of ``--upstream`` holds checkouts ``tiny_results_v1.1`` to ``tiny_results_v1.3`` (default: env CM4TINY_UPSTREAM). ``--kws`` is the
folder of the official kws01 inputs with ``y_labels.csv``: with it the outputs of all 1000 are compared. ``--sww`` is the folder of the
streaming benchmark's recordings (``short_wav_easy10s.wav``, ``sww_short_test.json``). ``--rows`` adds rows that were measured before or by
other programs (builds of published sources); images among them are not measured again. ``--only`` measures some images, for a quick look.
The rows of pqm4 (``benchmarks/pqm4.py``) are put on the page as
they are kept. Takes about fifteen minutes of one core.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from cm4tiny.images.fidelity import Row, measure, measure_streaming, read_rows, write_rows
from cm4tiny.images.logs import published_streaming
from cm4tiny.images.run import ImageRun, boot, run_images
from cm4tiny.images.streaming import Recording, read_recording
from cm4tiny.images.table import PublishedImage, published_images
from pages.fidelity_page import render
from pages.foreign import read_foreign

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def outputs(image: PublishedImage, file: Path, checkout: Path, kws: Path) -> tuple[int, int]:
    """Runs the accuracy mode of an image and compares its outputs."""
    with tempfile.TemporaryDirectory() as folder:
        run = ImageRun(((image.id, file, image),), "accuracy", Path(folder), {"kws": kws}, {image.round: checkout})
        entry = json.loads(run_images(run).read_text())["images"][0]
        return entry["outputs_equal"], entry["outputs_compared"]


def row_of(image: PublishedImage, file: Path, checkout: Path, kws: Path | None, recording: Recording | None) -> Row | None:
    """The row of an image; None for one that is only booted."""
    if image.streaming_result and recording is not None:
        return measure_streaming(file, recording, row_id=image.id, published=published_streaming(checkout / image.streaming_result))
    published = image.result()
    if image.mode != "performance" or published is None:
        return None
    row = measure(file, image.benchmark, row_id=image.id, published=published.throughput_inf_per_s)
    if kws is None or not image.accuracy_log:
        return row
    equal, compared = outputs(image, file, checkout, kws)
    return replace(row, equal=equal, compared=compared)


def measure_all(options: argparse.Namespace, known: set[str]) -> tuple[list[Row], int]:
    """Rows of the images that are not known yet, and how many images were booted."""
    recording = read_recording(options.sww / "short_wav_easy10s.wav", options.sww / "sww_short_test.json") if options.sww else None
    rows: list[Row] = []
    booted = 0
    for image in published_images():
        if options.only and not any(part in image.id for part in options.only):
            continue
        checkout = Path(options.upstream) / f"tiny_results_{image.round}"
        file = image.locate(checkout)
        say(f"{image.id}: answers as {boot(file, image.baud, name=image.id)['model']}")
        booted += 1
        row = None if image.id in known else row_of(image, file, checkout, options.kws, recording)
        if row is not None:
            rows.append(row)
            say(f"{image.id}: {row.predicted:.3f} / {row.published} = {row.ratio:.3f}, outputs {row.equal} of {row.compared}")
    return rows, booted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", type=Path, default=os.environ.get("CM4TINY_UPSTREAM"))
    parser.add_argument("--kws", type=Path)
    parser.add_argument("--sww", type=Path)
    parser.add_argument("--rows", type=Path, nargs="*", default=[])
    parser.add_argument("--keep", type=Path, help="also write all rows as JSON")
    parser.add_argument("--only", nargs="*", default=[], help="ids, or parts of ids, of images")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "fidelity.md")
    options = parser.parse_args()
    rows = [row for path in options.rows for row in read_rows(path)]
    notes = []
    if options.upstream:
        fresh, booted = measure_all(options, {row.id for row in rows})
        order = {image.id: number for number, image in enumerate(published_images())}
        rows = sorted([*rows, *fresh], key=lambda row: order.get(row.id, len(order)))
        total = len(published_images())
        notes.append(f"{booted} of {total} published images were booted in this run; all of them answered `name` and `profile`.")
    if not rows:
        raise SystemExit("nothing was measured: give --upstream FOLDER or --rows FILE.json")
    if options.keep:
        write_rows(options.keep, rows)
    options.out.write_text(render(rows, notes, read_foreign(HERE / "pqm4_rows.json")), encoding="utf-8")
    print(options.out)


if __name__ == "__main__":
    main()
