# SPDX-License-Identifier: Apache-2.0
"""vww01 from the published archive of COCO 2014 pictures scaled to 96 x 96 (``person/`` and ``non_person/COCO_val2014_<id>.jpg``).

A file of vww01 is one picture as height-width-channel bytes, named by its COCO id. The pictures are decoded as they are: no scaling, no
colour conversion beyond JPEG's own. Decoders may differ by a level here and there: the archive's hash is checked, for the pixels nobody
publishes one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from cm4tiny.benchmarks.labels import Sample
from cm4tiny.benchmarks.official.pieces import pieces
from cm4tiny.errors import AssetError, NotAvailableError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.packages import extra_hint

SIZE = (96, 96)
MAX_PICTURE_BYTES = 1 << 20
_PICTURE = re.compile(r"(?:COCO_(?:val|train)2014_)?(\d{12})\.jpg")
_LABELS = {"non_person": 0, "person": 1}
_HINT = "get vw_coco2014_96.tar.gz from its source again"


def make(source: Path, samples: Sequence[Sample], list_name: str, target: Path, events: EventStream = SILENT) -> None:
    """Writes the samples of vww01 into ``target``.

    Args:
        source: the archive, or the folder ``vw_coco2014_96``.

    Raises:
        NotAvailableError: Pillow is not installed.
        AssetError: pictures are missing, damaged, of another size, or in the other class's folder.
    """
    _pillow()
    missing = {sample.file: sample for sample in samples}
    step = "make vww01"
    with events.step(step, len(samples), "files"):
        for member in pieces(source):
            match = _PICTURE.fullmatch(member.path.name)
            sample = missing.pop(f"{match[1]}.bin", None) if match else None
            if sample is None:
                continue
            folder = member.path.parent.name
            if _LABELS.get(folder, sample.label) != sample.label:
                raise AssetError(f"{member.path} is of another class than in the list", why=f"the list says {sample.label}", hint=_HINT)
            if member.size > MAX_PICTURE_BYTES:
                raise AssetError(f"{member.path} is not a picture of 96 x 96", why=f"it has {member.size} bytes", hint=_HINT)
            (target / sample.file).write_bytes(pixels(io.BytesIO(member.read()), str(member.path)))
            events.progress(step, len(samples) - len(missing), len(samples))
            if not missing:
                return
    some = ", ".join(list(missing)[:3]) + (", ..." if len(missing) > 3 else "")
    raise AssetError(f"{source} lacks {len(missing)} of {len(samples)} pictures of the list", why=f"missing: {some}", hint=_HINT)


def pixels(stream: IO[bytes], name: str) -> bytes:
    """A picture of 96 x 96 as 27,648 bytes: height, width, red-green-blue. Raises AssetError for anything else."""
    image = _pillow()
    try:
        with image.open(stream, formats=["JPEG"]) as picture:
            if picture.size != SIZE:
                raise AssetError(f"{name} is {picture.size[0]} x {picture.size[1]}", why="96 x 96 are expected", hint=_HINT)
            return bytes(picture.convert("RGB").tobytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise AssetError(f"{name} is not a usable JPEG picture", why=str(error), hint=_HINT) from error


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise NotAvailableError(
            "pictures cannot be decoded",
            why="the Python package Pillow is not installed",
            hint=extra_hint("data"),
        ) from error
    return Image
