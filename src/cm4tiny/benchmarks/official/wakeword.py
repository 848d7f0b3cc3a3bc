# SPDX-License-Identifier: Apache-2.0
"""sww01: the streaming wakeword test, a list of recordings (json) and the recordings themselves (wav).

The short test is complete in mlcommons/tiny (benchmark/runner/sww_data_dir). The recordings of the medium and the long test are published
nowhere; they are built from Speech Commands and MUSAN (benchmark/training/streaming_wakeword/build_long_wav.py) and can be imported.
"""

from __future__ import annotations

import json
import wave
from pathlib import Path

from cm4tiny.benchmarks.official.pieces import pieces
from cm4tiny.benchmarks.official.table import OfficialTable, SetRow
from cm4tiny.errors import AssetError
from cm4tiny.fetch import Fetcher

SAMPLE_RATE_HZ = 16_000
MAX_WAVE_BYTES = 256 << 20


def make(table: OfficialTable, row: SetRow, list_name: str, source: Path | None, target: Path, fetcher: Fetcher) -> tuple[str, bool]:
    """Brings a test's json and its recordings into ``target``; returns what it was made from and whether its bytes were checked.

    Raises:
        AssetError: a recording is not published and not in ``source``, or is not 16-bit at 16 kHz.
    """
    listing = table.item(row.lists[list_name])
    fetcher.into(listing, target / listing.name)
    published = {item.name: item for item in map(table.item, row.sounds)}
    checked = True
    for name in recordings(target / listing.name):
        if name in published:
            fetcher.into(published[name], target / name)
        else:
            _import(row, list_name, name, source, target / name)
            checked = False
    return listing.name if checked else f"{listing.name}, recordings imported", checked


def recordings(listing: Path) -> list[str]:
    """The recordings that a test's json names. Raises AssetError for anything that is not such a list."""
    try:
        names = [str(row["wav_file"]) for row in json.loads(listing.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssetError(f"{listing} is not a list of recordings", why=f"{type(error).__name__}: {error}", hint="get it again") from error
    if not names or any(Path(name).name != name or name in ("", ".", "..") for name in names):
        raise AssetError(f"{listing} is not a list of recordings", why=f"it names {names[:3]}", hint="get it again")
    return names


def _import(row: SetRow, list_name: str, name: str, source: Path | None, path: Path) -> None:
    if source is not None:
        for member in pieces(source):
            if member.path.name == name and member.size <= MAX_WAVE_BYTES:
                member.copy_to(path)
                _check(path)
                return
    raise AssetError(
        f"the recording {name} of {row.id} is not here",
        why=f"nobody publishes it{f', and {source} does not hold it' if source else ''}; it is built from Speech Commands and MUSAN",
        hint=f"use the short test (_{row.id}), or build it with benchmark/training/streaming_wakeword/build_long_wav.py of mlcommons/tiny "
        f"and import its folder:\ncm run script --tags=get,mlperf,tiny,dataset,_{row.id},_{list_name} --path=DIR",
    )


def _check(path: Path) -> None:
    try:
        with wave.open(str(path)) as file:
            form = (8 * file.getsampwidth(), file.getframerate())
    except (wave.Error, EOFError) as error:
        raise AssetError(f"{path.name} is not a wave file", why=str(error) or "it ends too early", hint="build it again") from error
    if form != (16, SAMPLE_RATE_HZ):
        raise AssetError(
            f"{path.name} has {form[0]} bits at {form[1]} Hz", why=f"16 bits at {SAMPLE_RATE_HZ} Hz are expected", hint="build it again"
        )
