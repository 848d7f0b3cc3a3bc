# SPDX-License-Identifier: Apache-2.0
"""Data sets as a whole: made from a mirror, imported, missing, damaged; never half there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support import official_sources as sources

from cm4tiny.benchmarks.official.eembc import EembcFolders, fill_datasets
from cm4tiny.benchmarks.official.sets import official_set, official_set_if_here
from cm4tiny.benchmarks.official.table import official_table
from cm4tiny.errors import AssetError, HashMismatchError, UsageError
from cm4tiny.events import Event, EventStream, Message
from cm4tiny.fetch import Fetcher, Mirror


class World(sources.SmallWorld):
    """Small sources of ic01 and ad01, kws01 with three files, and how to ask for a set offline."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.heard: list[Event] = []
        self.cifar, table = sources.cifar_archive(root / "cifar-10-python.tar.gz")
        self.current, self.old = sources.cifar_lists(table)
        self.put("cifar-10-python", self.cifar)
        self.put_text("ic01-list", self.current)
        self.put_text("ic01-list-old", self.old)
        self.toycar, text = sources.toycar_archive(root / "dev_data_ToyCar.zip")
        self.put("dev-data-toycar", self.toycar)
        self.put_text("ad01-list", text)
        self.put_text("ad01-list-alt", text.splitlines()[1] + "\n")

    def get(self, set_id: str, **options: Any) -> tuple[Path, Any]:
        return official_set(set_id, fetcher=self.fetcher(), root=self.root / "sets", table=self.table(), **options)

    def fetcher(self) -> Fetcher:
        return Fetcher(Mirror(self.root / "mirror"), self.root / "downloads", EventStream(self.heard.append), offline=True)

    def said(self) -> str:
        return "\n".join(event.text for event in self.heard if isinstance(event, Message))

    def rests(self) -> list[str]:
        return [path.name for path in (self.root / "sets").iterdir() if not path.name.endswith(".lock")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_ic01_is_made_from_the_mirrors_archive_and_its_terms_are_told(world: World) -> None:
    folder, provenance = world.get("ic01")
    assert folder.name == "ic01" and len(list(folder.glob("*.bin"))) == 200
    assert (folder / "y_labels.csv").read_text() == world.current
    assert provenance.checked and "sha256" in provenance.origin and len(provenance.files) == 201
    assert "asks to cite the report" in world.said()


def test_the_old_list_is_another_set(world: World) -> None:
    old, _ = world.get("ic01", list_name="old")
    current, _ = world.get("ic01")
    assert old != current and len(list(old.glob("*.bin"))) == 20


def test_the_alternative_list_of_ad01_decides_which_samples_there_are(world: World) -> None:
    folder, _ = world.get("ad01", list_name="alt")
    assert sorted(path.name for path in folder.iterdir()) == ["anomaly_id_01_00000007_hist_librosa.bin", "y_labels.csv"]
    assert len((folder / "anomaly_id_01_00000007_hist_librosa.bin").read_bytes()) == 200 * 128 * 4


def test_a_set_is_made_once(world: World) -> None:
    first, _ = world.get("ic01")
    shutil.rmtree(world.root / "mirror" / "files")
    assert world.get("ic01")[0] == first


@pytest.mark.parametrize("damage", ["change", "remove", "record"])
def test_a_damaged_set_is_noticed_and_made_anew(world: World, damage: str) -> None:
    folder, provenance = world.get("ic01")
    victim = folder / next(iter(provenance.files))
    if damage == "change":
        victim.write_bytes(bytes(3072))
    elif damage == "remove":
        victim.unlink()
    else:
        (folder.parent / "data-set.json").write_text('{"set": "ic01"}')
    again, fresh = world.get("ic01")
    assert again == folder and fresh.files == provenance.files
    assert "prepared again" in world.said() or damage == "remove"


def test_a_missing_set_says_where_to_get_it_under_which_terms_and_how_to_import_it(world: World) -> None:
    world.take_away("cifar-10-python")
    with pytest.raises(AssetError, match="MLPerf Tiny's data set ic01 is not here") as caught:
        world.get("ic01", list_name="old")
    error = caught.value
    assert "asks to cite the report" in error.why and "not part of this package" in error.why
    assert "download https://" in error.hint and "--mirror=DIR" in error.hint
    assert "--tags=get,mlperf,tiny,dataset,_ic01,_old --archive=FILE" in error.hint
    assert world.rests() == []


def test_a_users_archive_is_imported_and_found_by_later_runs(world: World) -> None:
    world.take_away("cifar-10-python")
    folder, provenance = world.get("ic01", source=world.cifar)
    assert provenance.checked and len(list(folder.glob("*.bin"))) == 200
    assert world.get("ic01")[0] == folder


def test_a_users_archive_with_other_bytes_is_refused_with_both_digests_and_stays(world: World) -> None:
    other = world.root / "mine.tar.gz"
    other.write_bytes(world.cifar.read_bytes()[:-1] + b"x")
    with pytest.raises(HashMismatchError) as caught:
        world.get("ic01", source=other)
    assert sources.sha256(other) in caught.value.why and sources.sha256(world.cifar) in caught.value.why
    assert other.exists() and world.rests() == []


def test_an_unpacked_folder_is_imported_and_marked_as_unchecked(world: World) -> None:
    data, _ = sources.cifar_batch()
    (world.root / "cifar-10-batches-py").mkdir()
    (world.root / "cifar-10-batches-py" / "test_batch").write_bytes(data)
    folder, provenance = world.get("ic01", source=world.root / "cifar-10-batches-py")
    assert not provenance.checked and len(list(folder.glob("*.bin"))) == 200


def ready_samples(world: World, text: str) -> Path:
    folder = world.root / "mine"
    folder.mkdir()
    for line in text.splitlines():
        (folder / line.split(",")[0]).write_bytes(bytes(3072))
    return folder


def test_ready_samples_are_imported_as_they_are_and_the_user_hears_that_nobody_can_check_them(world: World) -> None:
    folder, provenance = world.get("ic01", source=ready_samples(world, world.current))
    assert not provenance.checked and "imported as they are" in world.said()
    assert len(list(folder.glob("*.bin"))) == 200


def test_ready_samples_with_the_list_of_another_round_are_refused_and_the_variation_is_named(world: World) -> None:
    mine = ready_samples(world, world.old)
    (mine / "y_labels.csv").write_text(world.old)
    (mine / world.current.split(",")[0]).write_bytes(bytes(3072))
    with pytest.raises(AssetError, match="is another list of ic01") as caught:
        world.get("ic01", source=mine)
    assert "it is the list _old" in caught.value.why and "add _old" in caught.value.hint


def test_incomplete_samples_are_counted_and_nothing_stays(world: World) -> None:
    mine = ready_samples(world, world.current)
    (mine / world.current.split(",")[0]).unlink()
    with pytest.raises(AssetError, match="lacks 1 of the 200 files of ic01"):
        world.get("ic01", source=mine)
    assert world.rests() == []


def test_samples_of_a_wrong_size_are_refused(world: World) -> None:
    mine = ready_samples(world, world.current)
    (mine / world.current.split(",")[0]).write_bytes(b"short")
    with pytest.raises(AssetError, match="wrong size"):
        world.get("ic01", source=mine)
    assert world.rests() == []


def test_a_folder_with_something_else_is_refused(world: World) -> None:
    (world.root / "empty").mkdir()
    with pytest.raises(AssetError, match="holds no test_batch"):
        world.get("ic01", source=world.root / "empty")


@pytest.mark.parametrize("name", ["nowhere", "nowhere.tar.gz"])
def test_a_source_that_does_not_exist_is_named(world: World, name: str) -> None:
    with pytest.raises(AssetError, match="does not exist"):
        world.get("ic01", source=world.root / name)


def test_an_import_replaces_an_earlier_one(world: World) -> None:
    first, _ = world.get("ic01", source=ready_samples(world, world.current))
    again, provenance = world.get("ic01", source=world.cifar)
    assert first == again and provenance.checked


def test_a_run_that_fails_keeps_the_set_that_was_there(world: World) -> None:
    folder, provenance = world.get("ic01")
    (world.root / "empty").mkdir()
    with pytest.raises(AssetError):
        world.get("ic01", source=world.root / "empty")
    assert world.get("ic01")[1] == provenance and folder.is_dir()


# --- kws01: files by digest ---------------------------------------------------------------------------------------------------


@pytest.fixture
def kws(world: World) -> tuple[World, dict[str, bytes]]:
    """kws01 with three files in the mirror."""
    files = {f"tst_{n:06d}_Stop_7.bin": bytes([n]) * 490 for n in range(3)}
    rows = ["file\tsha256\tbytes"]
    for name, data in files.items():
        path = world.root / name
        path.write_bytes(data)
        rows.append(f"{name}\t{sources.sha256(path)}\t490")
    (world.root / "table").mkdir()
    (world.root / "table" / "kws01.tsv").write_text("\n".join(rows) + "\n")
    world.put_text("kws01-list", "".join(f"{name},12,7\n" for name in files))
    urls = [item.urls[0] for item in world.table().folder("kws01-features")]
    for url, row, (name, data) in zip(urls, rows[1:], files.items(), strict=True):
        (world.files / name).write_bytes(data)
        world._rows.append(f"{url}\t{row.split(chr(9))[1]}\t490\tfiles/{name}")
    world._index()
    return world, files


def test_kws01_is_fetched_file_by_file(kws: tuple[World, dict[str, bytes]]) -> None:
    world, files = kws
    folder, provenance = world.get("kws01")
    assert {path.name: path.read_bytes() for path in folder.glob("*.bin")} == files and provenance.checked


def test_a_wrong_file_of_kws01_in_the_mirror_is_a_hash_mismatch(kws: tuple[World, dict[str, bytes]]) -> None:
    world, files = kws
    (world.files / next(iter(files))).write_bytes(bytes(489) + b"x")
    with pytest.raises(HashMismatchError, match=next(iter(files))):
        world.get("kws01")
    assert world.rests() == []


def test_imported_files_of_kws01_are_compared_with_the_published_digests(kws: tuple[World, dict[str, bytes]]) -> None:
    world, files = kws
    archive = sources.targz(world.root / "mine.tar.gz", {f"datasets/kws01/{name}": data for name, data in files.items()})
    assert world.get("kws01", source=archive)[1].checked
    wrong = sources.targz(world.root / "wrong.tar.gz", {name: bytes(490)[:-1] + b"x" for name in files})
    with pytest.raises(HashMismatchError):
        world.get("kws01", source=wrong)


# --- without a download -------------------------------------------------------------------------------------------------------


def test_a_set_is_here_if_the_mirror_has_its_source(world: World) -> None:
    def ask(set_id: str) -> Any:
        return official_set_if_here(set_id, fetcher=world.fetcher(), root=world.root / "sets", table=world.table())

    assert ask("ic01") is not None
    world.take_away("dev-data-toycar")
    assert ask("ad01") is None and ask("vww01") is None
    world.get("ad01", source=world.toycar)
    assert ask("ad01") is not None


# --- sww01 --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def sww(world: World) -> World:
    for name, wave in (("short", "short_wav_easy10s.wav"), ("long", "long_wav.wav")):
        text = json.dumps([{"wav_file": wave, "sample_rate": 16000, "length_sec": 10.0, "detection_windows": [[1.0, 1.6]]}])
        world.put_text(f"sww01-sww-{name}-test-json", text, f"sww_{name}_test.json")
    path = world.root / "short_wav_easy10s.wav"
    path.write_bytes(sources.clip(1))
    world.put("sww01-short-wav-easy10s-wav", path)
    return world


def test_the_short_test_is_complete(sww: World) -> None:
    folder, provenance = sww.get("sww01")
    assert sorted(path.name.rpartition("-")[2] for path in folder.iterdir()) == ["short_wav_easy10s.wav", "sww_short_test.json"]
    assert provenance.checked


def test_the_long_recording_must_be_imported(sww: World) -> None:
    with pytest.raises(AssetError, match=r"long_wav\.wav of sww01 is not here") as caught:
        sww.get("sww01", list_name="long")
    assert "build_long_wav.py" in caught.value.hint and "_long --path=DIR" in caught.value.hint
    (sww.root / "mine").mkdir()
    (sww.root / "mine" / "long_wav.wav").write_bytes(sources.clip(2))
    folder, provenance = sww.get("sww01", list_name="long", source=sww.root / "mine")
    assert (folder / "long_wav.wav").is_file() and not provenance.checked


def test_a_recording_of_another_form_is_refused(sww: World) -> None:
    (sww.root / "mine").mkdir()
    (sww.root / "mine" / "long_wav.wav").write_bytes(sources.clip(2, rate_hz=44100))
    with pytest.raises(AssetError, match="44100 Hz"):
        sww.get("sww01", list_name="long", source=sww.root / "mine")


# --- names ---------------------------------------------------------------------------------------------------------------------


def test_unknown_sets_and_lists_are_usage_errors(world: World) -> None:
    with pytest.raises(UsageError, match="no data set 'ic1'"):
        world.get("ic1")
    with pytest.raises(UsageError, match="no list called"):
        world.get("ic01", list_name="alt")


# --- EEMBC's folders -----------------------------------------------------------------------------------------------------------


def test_eembcs_folders_are_filled_as_its_runner_expects(tmp_path: Path) -> None:
    source = tmp_path / "kws01"
    source.mkdir()
    (source / "y_labels.csv").write_text("new")
    folders = EembcFolders.at(str(tmp_path / "eembc"))
    target = fill_datasets(folders, source, "kws01")
    assert target == tmp_path / "eembc" / "runner" / "benchmarks" / "ulp-mlperf" / "datasets" / "kws01"
    assert (target / "y_labels.csv").read_text() == "new" and folders.sessions.is_dir()
    assert [path.name for path in target.iterdir()] == ["y_labels.csv"]


def test_a_list_that_is_there_stays_if_asked(tmp_path: Path) -> None:
    (tmp_path / "datasets" / "ic01").mkdir(parents=True)
    (tmp_path / "datasets" / "ic01" / "y_labels.csv").write_text("old")
    folders = EembcFolders(tmp_path / "eembc")
    (folders.datasets / "ic01").mkdir(parents=True)
    (folders.datasets / "ic01" / "y_labels.csv").write_text("mine")
    fill_datasets(folders, tmp_path / "datasets", replace=False)
    assert (folders.datasets / "ic01" / "y_labels.csv").read_text() == "mine"
    fill_datasets(folders, tmp_path / "datasets")
    assert (folders.datasets / "ic01" / "y_labels.csv").read_text() == "old"


def test_eembcs_default_is_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert EembcFolders.at().root == tmp_path / "eembc"


def test_a_folder_that_cannot_be_written_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "eembc").write_text("a file")
    (tmp_path / "kws01").mkdir()
    with pytest.raises(AssetError, match="cannot be filled") as caught:
        fill_datasets(EembcFolders(tmp_path / "eembc"), tmp_path / "kws01", "kws01")
    assert "--eembc_root" in caught.value.hint


def test_the_packages_own_table_is_the_default() -> None:
    assert official_table() is official_table()
