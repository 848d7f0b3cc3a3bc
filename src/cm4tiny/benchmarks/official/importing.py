# SPDX-License-Identifier: Apache-2.0
"""Takes a user's own copy of a data set: a folder or an archive that already holds the samples in the benchmark's format."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from cm4tiny.benchmarks.data_set import LABELS_FILE
from cm4tiny.benchmarks.labels import Sample, read_labels
from cm4tiny.benchmarks.official.pieces import pieces
from cm4tiny.benchmarks.official.table import OfficialTable, SetRow
from cm4tiny.benchmarks.table import get_benchmark
from cm4tiny.errors import AssetError, HashMismatchError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.fetch import Item
from cm4tiny.fetch.lfs import NOTE, is_pointer

MAX_SAMPLE_BYTES = 4 << 20


def imports_samples(source: Path, samples: Sequence[Sample]) -> bool:
    """Whether a source holds ready samples (any file of the list) rather than what they are made from. Archives are looked into."""
    wanted = {sample.file for sample in samples}
    return any(member.path.name in wanted for member in pieces(source))


def import_files(
    source: Path, row: SetRow, samples: Sequence[Sample], target: Path, table: OfficialTable, events: EventStream = SILENT
) -> None:
    """Copies the samples that the list names from a folder or an archive into ``target``.

    Raises:
        AssetError: samples are missing, occur twice or are too large, or the source's own ``y_labels.csv`` is another list.
    """
    missing = {sample.file for sample in samples}
    step = f"import {row.id}"
    with events.step(step, len(samples), "files"):
        for member in pieces(source):
            name = member.path.name
            if name == LABELS_FILE:
                if member.size <= MAX_SAMPLE_BYTES:
                    _check_list(source, member.read(), row, samples, table)
            elif name in missing:
                if member.size > MAX_SAMPLE_BYTES:
                    raise AssetError(
                        f"{member.path} in {source} is not a sample of {row.id}", why=f"it has {member.size} bytes", hint=_hint(row)
                    )
                member.copy_to(target / name)
                missing.discard(name)
                events.progress(step, len(samples) - len(missing), len(samples))
    if missing:
        some = ", ".join(sorted(missing)[:3]) + (", ..." if len(missing) > 3 else "")
        raise AssetError(f"{source} lacks {len(missing)} of the {len(samples)} files of {row.id}", why=f"missing: {some}", hint=_hint(row))


def given_source(path: Path) -> Path:
    """A user's archive or folder, if it is there and is not a Git LFS pointer.

    Raises:
        AssetError: it is not there, or only a pointer to it is.
    """
    if not path.exists():
        raise AssetError(
            f"{path} does not exist", why="it was given to import a data set from", hint="give the path of an existing file or folder"
        )
    if is_pointer(path):
        raise AssetError(f"{path} cannot be imported", why=NOTE, hint="fetch the file itself:\ngit lfs pull")
    return path


def check_original(path: Path, item: Item) -> None:
    """Raises HashMismatchError, with both digests, if a user's file is not the one of the table; the file stays as it is."""
    try:
        found = item.digest.of(path)
    except OSError as error:
        raise AssetError(f"{path} cannot be read", why=error.strerror or str(error), hint="give an existing file") from error
    if found != item.digest.value:
        why = f"its {item.digest.algorithm} is {found}, expected is {item.digest.value}"
        raise HashMismatchError(f"{path} is not {item.name}", why=why, hint="get the original file; yours was left as it is")


def _hint(row: SetRow) -> str:
    lists = f", or choose another list ({', '.join(f'_{name}' for name in row.lists)})" if len(row.lists) > 1 else ""
    return f"give a folder or an archive with all files of the list{lists}"


def _check_list(source: Path, data: bytes, row: SetRow, samples: Sequence[Sample], table: OfficialTable) -> None:
    """Refuses a source whose own list names other samples than the one that was asked for."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, LABELS_FILE)
        path.write_bytes(data)
        try:
            theirs = read_labels(path, get_benchmark(row.benchmark))
        except AssetError as error:
            raise AssetError(
                f"the {LABELS_FILE} in {source} cannot be used", why=error.what.replace(folder, ""), hint=_hint(row)
            ) from error
        known = next(
            (name for name, file_id in row.lists.items() if table.item(file_id).digest.of(path) == table.item(file_id).digest.value), ""
        )
    names, wanted = {sample.file for sample in theirs}, {sample.file for sample in samples}
    if not wanted <= names:
        which = f"it is the list _{known}" if known else f"{len(wanted - names)} of {len(wanted)} samples are not in it"
        hint = f"add _{known} to the tags" if known else _hint(row)
        raise AssetError(f"the {LABELS_FILE} in {source} is another list of {row.id}", why=which, hint=hint)
