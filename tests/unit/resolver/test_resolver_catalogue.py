# SPDX-License-Identifier: Apache-2.0
"""The catalogue of a repository: what a query finds, when a change on the disk is seen, and what damage does."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.resolver.catalogue import index as catalogue
from cm4tiny.resolver.catalogue.index import Catalogue
from cm4tiny.resolver.catalogue.repository import Repository, ScriptStore

LONG_AGO = 1_600_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for alias in ("a", "b", "c"):
        write(tmp_path, alias, tags=["all", alias])
    settle(tmp_path)
    return tmp_path


def write(root: Path, alias: str, **meta: Any) -> Path:
    folder = root / "script" / alias
    folder.mkdir(parents=True, exist_ok=True)
    full = {"alias": alias, "uid": f"uid-{alias}", "automation_uid": "5b4e0237da074764", **meta}
    (folder / "_cm.json").write_text(json.dumps(full))
    return folder


def settle(root: Path) -> None:
    """As if the last script had been added long ago."""
    os.utime(root / "script", (LONG_AGO, LONG_AGO))


def names(rows: list[catalogue.Row]) -> list[str]:
    return [row.file.parent.name for row in rows]


def opened(root: Path) -> Catalogue:
    return Catalogue(root, root / "state")


@pytest.mark.parametrize("in_memory", [True, False])
def test_scripts_are_found_by_tags_alias_and_uid(root: Path, in_memory: bool) -> None:
    write(root, "other", automation_uid="0000000000000000")
    for _ in range(2):
        found = Catalogue(root, None if in_memory else root / "state")
        assert names(found.with_tags(["all"])) == ["a", "b", "c"]
        assert names(found.with_tags(["b", "all", "b"])) == ["b"]
        assert names(found.with_tags(["a", "b"])) == []
        assert names(found.named("b")) == names(found.named("uid-b")) == ["b"]
        assert names(found.named("other")) == []
        assert names(found.all()) == ["a", "b", "c"]
        assert (found.has_uid("uid-c"), found.has_uid("c")) == (True, False)


@pytest.mark.parametrize("checked_one_by_one", [1000, 1])
def test_what_changes_on_the_disk_is_seen(root: Path, checked_one_by_one: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "CHECKED_ONE_BY_ONE", checked_one_by_one)
    opened(root)
    write(root, "a", tags=["all", "a", "more"])
    assert names(opened(root).with_tags(["more"])) == ["a"], "a query that found nothing looks again"
    assert opened(root).with_tags(["a"])[0].meta == json.loads((root / "script" / "a" / "_cm.json").read_text())
    write(root, "b", tags=["all", "b"], env={"T": "new"})
    (row,) = opened(root).with_tags(["b"])
    assert row.meta is not None
    assert row.meta["env"] == {"T": "new"}, "a script that was found is compared with its file"
    write(root, "d", tags=["all", "d"])
    assert names(opened(root).with_tags(["all"])) == ["a", "b", "c", "d"], "an added folder changes the time of its parent"
    settle(root)
    opened(root)
    (root / "script" / "d" / "_cm.json").unlink()
    assert names(opened(root).with_tags(["d"])) == []
    assert names(opened(root).all()) == ["a", "b", "c"]


def test_only_a_large_repository_takes_unasked_scripts_on_trust(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(root)
    write(root, "a", tags=["all", "a", "b"])
    assert names(opened(root).with_tags(["b"])) == ["a", "b"]
    write(root, "a", tags=["all", "a", "c", "c2"])
    monkeypatch.setattr(catalogue, "CHECKED_ONE_BY_ONE", 1)
    assert names(opened(root).with_tags(["c"])) == ["c"]
    assert names(opened(root).with_tags(["c2"])) == ["a"]
    assert names(opened(root).with_tags(["c"])) == ["a", "c"]


def test_a_large_repository_is_not_read_for_one_query(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "CHECKED_ONE_BY_ONE", 1)
    opened(root)
    looked: list[str] = []
    stamp = catalogue._stamp
    monkeypatch.setattr(catalogue, "_stamp", lambda file: looked.append(Path(file).name) or stamp(file))
    assert names(opened(root).with_tags(["b"])) == ["b"]
    assert looked == ["script", "_cm.json"]


@pytest.mark.parametrize("damage", ["no database", "", None])
def test_a_damaged_or_foreign_file_is_made_anew(root: Path, damage: str | None) -> None:
    opened(root)
    (file,) = (root / "state").glob("scripts-*.sqlite")
    if damage is None:
        file.unlink()
        with sqlite3.connect(file) as db:
            db.execute("create table info (key text, value text)")
            db.execute("insert into info values ('format', 'of the future')")
        db.close()
    else:
        file.write_text(damage)
    assert names(opened(root).with_tags(["b"])) == ["b"]
    assert names(opened(root).with_tags(["b"])) == ["b"]
    assert [place.name for place in (root / "state").iterdir()] == [file.name]


def test_a_state_folder_that_cannot_be_made_only_costs_time(root: Path) -> None:
    (root / "state").write_text("a file")
    assert names(opened(root).with_tags(["b"])) == ["b"]


def test_a_meta_reads_the_same_the_first_time_and_from_the_catalogue(root: Path) -> None:
    folder = write(root, "v")
    (folder / "_cm.json").unlink()
    text = "alias: v\nuid: uid-v\nautomation_alias: script\ntags: [v]\nversions: {3.8: {env: {T: on}}}\nenv: {T_DAY: 2024-05-06, 1: true}\n"
    (folder / "_cm.yaml").write_text(text)
    first, second = (opened(root).named("v")[0].meta for _ in range(2))
    assert first == second
    assert first is not None
    assert first["versions"] == {"3.8": {"env": {"T": True}}}
    assert first["env"] == {"T_DAY": "2024-05-06", "1": True}


def test_threads_may_share_a_store(root: Path) -> None:
    store = ScriptStore([Repository(root, "r")], catalogue_dir=root / "state")
    assert [script.alias for script in store.with_tags(["a"])] == ["a"]
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.extend(script.alias for script in store.with_tags(["b"]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["b"] * 4


def test_the_first_repository_wins_where_two_have_a_script_with_the_same_uid(root: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    write(second, "a", tags=["all", "a"])
    write(second, "e", tags=["all", "e"])
    store = ScriptStore([Repository(root, "r"), Repository(second, "s")])
    assert [(script.repo_alias, script.alias) for script in store.with_tags(["all"])] == [("r", "a"), ("r", "b"), ("r", "c"), ("s", "e")]
    assert [script.alias for script in store.find("a,uid-a")] == ["a"]
    assert store.with_tags(["a"])[0] is store.find("uid-a")[0]


def test_a_broken_meta_of_another_repository_is_a_warning_until_it_is_mended(root: Path) -> None:
    (root / "script" / "b" / "_cm.json").write_text("{")
    for _ in range(2):
        store = ScriptStore([Repository(root, "r")], catalogue_dir=root / "state")
        assert [script.alias for script in store.scripts] == ["a", "c"]
        (warning,) = store.warnings
        assert "line 1, column 2" in warning
    write(root, "b", tags=["b"])
    assert len(ScriptStore([Repository(root, "r")], catalogue_dir=root / "state").scripts) == 3


def damaged(root: Path, change: str) -> None:
    """Changes the stored catalogue as damage would, behind the back of its format."""
    (file,) = (root / "state").glob("*.sqlite")
    with sqlite3.connect(file) as db:
        db.execute(change)


@pytest.mark.parametrize(
    "change",
    [
        """update script set meta = replace(meta, '"b"]', '"c"]') where alias = 'b'""",
        "update script set meta = '{' where alias = 'b'",
        "update script set digest = 'x' where alias = 'b'",
        "update tag set id = (select id from script where alias = 'a') where tag = 'b'",
        "update script set alias = 'b', uid = 'uid-b' where alias = 'c'",
        "drop table script",
    ],
)
def test_a_damaged_catalogue_is_read_again_and_gives_no_other_script(root: Path, change: str) -> None:
    opened(root)
    damaged(root, change)
    for ask in (lambda found: found.with_tags(["b"]), lambda found: found.named("b")):
        (row,) = ask(opened(root))
        assert row.meta is not None
        assert (row.meta["alias"], row.meta["tags"]) == ("b", ["all", "b"])


def test_a_flipped_bit_anywhere_in_the_catalogue_gives_no_other_meta(root: Path) -> None:
    opened(root)
    (file,) = (root / "state").glob("*.sqlite")
    good = file.read_bytes()
    for place in range(0, len(good), 61):
        data = bytearray(good)
        data[place] ^= 1 << (place % 8)
        file.write_bytes(data)
        for row in opened(root).with_tags(["b"]):
            assert row.meta is not None
            assert (row.meta["alias"], row.meta["tags"]) == ("b", ["all", "b"])
