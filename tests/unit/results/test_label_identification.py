# SPDX-License-Identifier: Apache-2.0
"""Which list of samples a session used, and what it says about each file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from cm4tiny.benchmarks.official.table import official_table
from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import AssetError, HashMismatchError
from cm4tiny.fetch import Fetcher
from cm4tiny.results.rounds import LabelLists
from cm4tiny.results.rounds import labels as module

NAMES = [f"tst_{number:06d}_Stop_{number % 12}.bin" for number in range(20)]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small kws01 and a small vww01 in place of the official ones."""
    real = yaml.safe_load((Path(module.__file__).parent / "label_lists.yaml").read_text())
    for key, names in (("kws01", NAMES), ("vww01", ["000000000001.bin", "000000000002.bin"])):
        rows = [(name, index % (12 if key == "kws01" else 2)) for index, name in enumerate(names)]
        digest = module._digest(f"{name},{label}" for name, label in sorted(rows))
        real["lists"][key] |= {"files": len(names), "digest": digest, "names_digest": module.names_digest(names)}
    monkeypatch.setattr(module, "table", lambda: real)


def write_lists(folder: Path) -> Path:
    for data_set, lines in (
        ("kws01", [f"{name},12,{index % 12}" for index, name in enumerate(NAMES)]),
        ("vww01", ["000000000001.bin,2,0", "000000000002.bin, 2, 1"]),
    ):
        place = folder / "benchmark/evaluation/datasets" / data_set
        place.mkdir(parents=True)
        (place / "y_labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_whole_list_is_known_by_the_digest_of_its_names(table: None) -> None:
    found = LabelLists.open(None).identify("kws", list(reversed(NAMES)))
    assert (found.list_id, found.complete, found.unknown, found.files) == ("kws01", True, (), 20)
    assert found.labels.tolist() == [number % 12 for number in reversed(range(20))]


def test_a_part_of_a_list_is_known_as_a_part(table: None) -> None:
    found = LabelLists.open(None).identify("kws", NAMES[:3])
    assert (found.list_id, found.complete, found.labels.tolist()) == ("kws01", False, [0, 1, 2])


def test_names_that_no_list_has_are_told(table: None, tmp_path: Path) -> None:
    lists = LabelLists.open(write_lists(tmp_path))
    found = lists.identify("vww", ["000000000001.bin", "COCO_val2014_1.bin"])
    assert (found.complete, found.unknown, found.labels.tolist()) == (False, ("COCO_val2014_1.bin",), [0, -1])


def test_lists_in_a_checkout_are_read_and_checked(table: None, tmp_path: Path) -> None:
    lists = LabelLists.open(write_lists(tmp_path))
    assert lists.names("kws01") == tuple(NAMES)
    assert lists.label("vww01", "000000000002.bin") == 1
    assert lists.label("vww01", "000000000003.bin") is None
    path = tmp_path / "benchmark/evaluation/datasets/vww01/y_labels.csv"
    path.write_text(path.read_text().replace("bin,2,0", "bin,2,1"))
    with pytest.raises(HashMismatchError, match="none of the known lists of vww"):
        LabelLists.open(tmp_path)


def test_without_the_list_labels_that_names_do_not_tell_stay_unknown(table: None) -> None:
    found = LabelLists.open(None).identify("vww", ["000000000001.bin", "000000000002.bin"])
    assert found.complete
    assert found.labels.tolist() == [-1, -1]


def test_the_classes_of_cifar_names_follow_from_their_nouns() -> None:
    lists = LabelLists.open(None)
    assert [lists.label("ic01", name) for name in ("emu_s_002009.bin", "taxi_s_001241.bin", "unheard_s_000001.bin", "emu.bin")] == [
        2,
        1,
        None,
        None,
    ]
    assert lists.label("kws01", "tst_000001_Left_12.bin") is None
    assert [lists.label("ad01", f"{kind}_id_01_00000003_hist_librosa.bin") for kind in ("normal", "anomaly", "other")] == [0, 1, None]


def test_an_unknown_benchmark_has_no_list() -> None:
    found = LabelLists.open(None).identify("sww", ["a.bin"])
    assert (found.list_id, found.labels.tolist()) == ("", [-1])


def test_folders_without_lists_are_errors(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="does not exist"):
        LabelLists.open(tmp_path / "absent")
    with pytest.raises(AssetError, match="holds no label lists"):
        LabelLists.open(tmp_path)


@pytest.mark.parametrize(
    "content", ["[]", "{", '[{"wav_file": "long_wav.wav"}]', '[{"wav_file": "long_wav.wav", "detection_windows": [3]}]']
)
def test_a_damaged_list_of_spoken_words_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "sww_long_test.json").write_text(content)
    with pytest.raises(AssetError):
        LabelLists.open(tmp_path)


def test_other_spoken_words_are_not_taken_for_the_official_ones(tmp_path: Path) -> None:
    (tmp_path / "sww_long_test.json").write_text(json.dumps([{"wav_file": "long_wav.wav", "detection_windows": [[1.0, 2.0]]}]))
    with pytest.raises(HashMismatchError, match="sww01"):
        LabelLists.open(tmp_path)


def test_every_list_has_a_source_among_the_official_files() -> None:
    for row in (*module.table()["lists"].values(), *module.table()["streaming"].values()):
        assert official_table().item(row["official"]).urls


def test_a_list_that_is_not_to_be_had_is_an_error_only_if_names_do_not_tell(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"y_labels\.csv is not available"):
        LabelLists.fetch(Fetcher(root=tmp_path, offline=True))


def test_what_is_known_without_lists_covers_every_benchmark() -> None:
    lists = LabelLists.known()
    assert (len(lists.lists["vww01"]), sum(lists.lists["vww01"].values()), len(lists.windows["sww01"])) == (1000, 500, 50)
    assert tuple(lists.names("vww01")[:5]) == LabelLists.first("vww01")
    whole = lists.identify("vww", list(reversed(lists.names("vww01"))))
    assert whole.complete and whole.list_id == "vww01" and whole.labels.sum() == 500


def test_a_changed_fact_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = load_table(module._HERE / "facts.yaml", module._HERE / "facts.schema.json")
    facts["vww01"]["person"][0], facts["vww01"]["no_person"][0] = facts["vww01"]["no_person"][0], facts["vww01"]["person"][0]
    monkeypatch.setattr(module, "load_table", lambda path, schema: facts if path.name == "facts.yaml" else load_table(path, schema))
    with pytest.raises(HashMismatchError, match=r"facts\.yaml"):
        LabelLists.known()
