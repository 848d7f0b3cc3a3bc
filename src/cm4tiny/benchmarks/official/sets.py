# SPDX-License-Identifier: Apache-2.0
"""MLPerf Tiny's own data sets, ready to use: made once per machine, whole or not at all.

A set lies in ``<cache>/datasets/<set>-<list>-<first digits of the list's sha256>/``: the folder ``<set>`` with ``y_labels.csv`` and the
samples, and next to it ``data-set.json``, which says where they came from and which bytes they have. It appears only when it is complete;
its bytes are compared whenever it is handed out.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cm4tiny.benchmarks.data_set import LABELS_FILE, DataSet
from cm4tiny.benchmarks.labels import Sample, read_labels
from cm4tiny.benchmarks.official import cifar10, coco96, toycar, wakeword
from cm4tiny.benchmarks.official.importing import check_original, given_source, import_files, imports_samples
from cm4tiny.benchmarks.official.table import OfficialTable, SetRow, official_table
from cm4tiny.benchmarks.table import get_benchmark
from cm4tiny.disk import naming_full_disk
from cm4tiny.errors import AssetError, BusyError, HashMismatchError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.fetch import Fetcher
from cm4tiny.fetch.archives import new_folder
from cm4tiny.fetch.hashes import file_digest
from cm4tiny.files import replace_folder
from cm4tiny.locks import acquire
from cm4tiny.paths import user_cache

RECORD = "data-set.json"
LOCK_TIMEOUT_S = 3600
Recipe = Callable[[Path, Sequence[Sample], str, Path, EventStream], None]
RECIPES: dict[str, Recipe] = {"cifar10": cifar10.make, "coco96": coco96.make, "toycar": toycar.make}


@dataclass(frozen=True)
class Provenance:
    """What a prepared set is: the content of ``data-set.json``.

    Attributes:
        set, list: which one.
        origin: what it was made from, as a text.
        checked: true if the bytes of the source were compared with the table; false for files that a user imported.
        files: sha256 by file name.
    """

    set: str
    list: str
    origin: str
    checked: bool
    files: dict[str, str]


def official_set(
    set_id: str,
    *,
    list_name: str = "",
    source: str | Path = "",
    fetcher: Fetcher,
    root: Path | None = None,
    table: OfficialTable | None = None,
) -> tuple[Path, Provenance]:
    """The folder of a set, made if it is not there yet.

    Args:
        set_id: ``ad01``, ``ic01``, ``kws01``, ``vww01``, ``sww01``.
        list_name: which samples; the default list if empty.
        source: a user's archive or folder to make it from, instead of the mirror and the network; replaces an earlier import.
        fetcher: where files may come from.

    Raises:
        UsageError: no such set or list.
        AssetError: the set cannot be had (the text says where to get it, under which terms, how to import it), or the source is damaged
            or not this set's.
        HashMismatchError: an archive is not the one that the table names.
    """
    table = table or official_table()
    row = table.set_row(set_id)
    list_name = row.list_name(list_name)
    given = given_source(Path(source).expanduser()) if source else None
    home = _home(root, table, row, list_name)
    with naming_full_disk(f"preparing {set_id}", home.parent):
        home.parent.mkdir(parents=True, exist_ok=True)
        with acquire(home.with_name(f"{home.name}.lock"), wait_s=LOCK_TIMEOUT_S, subject=f"the data set {set_id}"):
            ready = None if source else _ready(home, row, fetcher.events)
            if ready is None:
                _make(home, table, row, list_name, given, fetcher)
                ready = _ready(home, row, fetcher.events)
    assert ready is not None
    return home / row.id, ready


def official_set_if_here(
    set_id: str, *, list_name: str = "", fetcher: Fetcher, root: Path | None = None, table: OfficialTable | None = None
) -> tuple[Path, Provenance] | None:
    """As :func:`official_set` if that needs no download: the set was prepared before, or its source is available; else None."""
    table = table or official_table()
    row = table.set_row(set_id)
    list_name = row.list_name(list_name)
    if _ready(_home(root, table, row, list_name), row, fetcher.events) is None:
        needed = table.folder(row.source)[:1] if row.recipe == "files" else [table.item(row.source)] if row.source else []
        if any(fetcher.local(item) is None for item in (*needed, table.item(row.lists[list_name]))):
            return None
    return official_set(set_id, list_name=list_name, fetcher=fetcher, root=root, table=table)


def is_prepared(set_id: str, *, root: Path | None = None, table: OfficialTable | None = None) -> bool:
    """Whether the default list of a set was prepared before and its bytes are still those of then; makes and fetches nothing."""
    table = table or official_table()
    row = table.set_row(set_id)
    return _ready(_home(root, table, row, row.list_name("")), row, SILENT) is not None


def recorded_files(folder: Path) -> dict[str, str] | None:
    """The digests that a prepared set's folder has next to it; None for a folder that this module did not prepare."""
    try:
        provenance = Provenance(**json.loads((folder.parent / RECORD).read_text(encoding="utf-8")))
        return dict(provenance.files) if provenance.set == folder.name else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _home(root: Path | None, table: OfficialTable, row: SetRow, list_name: str) -> Path:
    return (root or user_cache() / "datasets") / f"{row.id}-{list_name}-{table.item(row.lists[list_name]).digest.value[:12]}"


def _ready(home: Path, row: SetRow, events: EventStream) -> Provenance | None:
    """The record of a prepared set whose bytes are still those of the record; a damaged one is reported and prepared again."""
    try:
        provenance = Provenance(**json.loads((home / RECORD).read_text(encoding="utf-8")))
        for name, sha256 in provenance.files.items():
            if file_digest(home / row.id / name) != sha256:
                raise HashMismatchError(f"{home / row.id / name} was changed", why=f"its sha256 is not {sha256}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, HashMismatchError) as error:
        events.message(row.id, f"the prepared data set {home} is damaged and is prepared again: {error}", "warning")
        return None
    return provenance


def _make(home: Path, table: OfficialTable, row: SetRow, list_name: str, source: Path | None, fetcher: Fetcher) -> None:
    samples_list = _need(table, row, list_name, fetcher, lambda: fetcher.get(table.item(row.lists[list_name])))
    old = home.with_name(f".{home.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    fresh = home.with_name(f".{home.name}.fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    with new_folder(fresh) as folder:
        target = folder / row.id
        target.mkdir()
        if row.recipe == "wakeword":
            origin, checked = wakeword.make(table, row, list_name, source, target, fetcher)
        else:
            samples = read_labels(samples_list, get_benchmark(row.benchmark))
            origin, checked = _fill(table, row, list_name, samples, source, target, fetcher)
            shutil.copyfile(samples_list, target / LABELS_FILE)
            DataSet.open(target, get_benchmark(row.benchmark))
        files = {path.name: file_digest(path) for path in sorted(target.iterdir())}
        record = asdict(Provenance(row.id, list_name, origin, checked, files))
        (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    replace_folder(fresh, home, old)
    shutil.rmtree(old, ignore_errors=True)


def _fill(
    table: OfficialTable, row: SetRow, list_name: str, samples: Sequence[Sample], source: Path | None, target: Path, fetcher: Fetcher
) -> tuple[str, bool]:
    """Makes the samples; returns what they were made from and whether its bytes were checked."""
    if row.recipe == "files":
        items = {item.name: item for item in table.folder(row.source)}
        wanted = [items[sample.file] for sample in samples]
        if source is not None:
            import_files(source, row, samples, target, table, fetcher.events)
            for item in wanted:
                check_original(target / item.name, item)
            return f"imported from {source.name}", True
        _need(table, row, list_name, fetcher, lambda: fetcher.all_into(wanted, target, f"get {row.id}"))
        return f"{row.source} of official.yaml", True
    archive = table.item(row.source)
    original = source is not None and source.is_file() and file_digest(source, archive.digest.algorithm) == archive.digest.value
    if source is not None and not original and _holds_samples(source, samples):
        import_files(source, row, samples, target, table, fetcher.events)
        note = f"the {len(samples)} samples of {row.id} were imported as they are: nobody publishes digests of them to compare with"
        fetcher.events.message(row.id, note, "warning")
        return f"samples imported from {source.name}", False
    if source is None:
        fetcher.events.message(row.id, f"{archive.name} ({archive.bytes / 1e6:.0f} MB): {row.terms.text}")
        path = _need(table, row, list_name, fetcher, lambda: fetcher.get(archive))
        origin, checked = f"{archive.name}, {archive.digest}", True
    elif source.is_file():
        check_original(source, archive)
        path, origin, checked = source, f"{archive.name}, {archive.digest}", True
    else:
        path, origin, checked = source, f"the folder {source.name}", False
    RECIPES[row.recipe](path, samples, list_name, target, fetcher.events)
    return origin, checked


def _holds_samples(source: Path, samples: Sequence[Sample]) -> bool:
    if source.is_file():
        with contextlib.suppress(AssetError):  # no archive: its digest says so better
            return imports_samples(source, samples)
        return False
    return imports_samples(source, samples)


def _need(table: OfficialTable, row: SetRow, list_name: str, fetcher: Fetcher, get: Callable[[], Path | None]) -> Path:
    """Runs ``get``; its failure becomes the one text that says where a missing set is to be had."""
    try:
        return get() or Path()
    except (HashMismatchError, BusyError):
        raise
    except AssetError as error:
        archive = table.item(row.source) if row.source and row.recipe != "files" else None
        where = (
            f"download {archive.urls[0]} ({archive.bytes / 1e6:.0f} MB)"
            if archive
            else f"get the files of {row.id} (docs/official-assets.md)"
        )
        variation = f"_{row.id}" if list_name == row.list_name() else f"_{row.id},_{list_name}"
        raise AssetError(
            f"MLPerf Tiny's data set {row.id} is not here",
            why=f"{error.what} ({error.why}). It is not part of this package: {row.terms.text}",
            hint=f"check the network, or give a mirror (--mirror=DIR), or {where} and import it (or a folder with --path=DIR):\n"
            f"cm run script --tags=get,mlperf,tiny,dataset,{variation} --archive=FILE",
        ) from error
