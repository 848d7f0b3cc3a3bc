# SPDX-License-Identifier: Apache-2.0
"""``cm4tiny cache``: lists this package's results with age and size, removes what is asked for and nothing else."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.cli.exit_status import ExitStatus
from cm4tiny.cli.main import main
from cm4tiny.cli.tables import age, size

TOOLCHAIN = "get-tiny-toolchain"


def entry(root: Path, name: str, uid: str, days: float = 0, count: int = 1000) -> Path:
    folder = root / "repos" / "local" / "cache" / name
    folder.mkdir(parents=True)
    meta = {
        "automation_uid": "541d6f712a6b464e",
        "automation_alias": "cache",
        "alias": name,
        "uid": uid,
        "tags": ["get", "toolchain", "_path", "version-12.2", "cm4tiny-engine"],
        "associated_script_artifact_uid": uid,
    }
    (folder / "_cm.json").write_text(json.dumps(meta), encoding="utf-8")
    (folder / "data").write_bytes(b"x" * count)
    then = time.time() - days * 86400
    os.utime(folder / "_cm.json", (then, then))
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    from cm4tiny.cli.engine import script_of

    monkeypatch.setenv("CM_REPOS", str(tmp_path / "CM"))
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "tools"))
    uid = script_of(TOOLCHAIN).uid
    (tmp_path / "tools" / "virtual-board").mkdir(parents=True)
    return {
        "new": entry(tmp_path / "CM", "new_0", uid),
        "old": entry(tmp_path / "CM", "old_0", uid, days=40, count=2_000_000),
        "foreign": entry(tmp_path / "CM", "foreign_0", "0123456789abcdef", days=400),
        "tools": tmp_path / "tools" / "virtual-board",
    }


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(capsys.readouterr().out)["result"]
    return result


def test_the_list_has_age_size_and_what_uninstalling_leaves(home: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache"]) == 0
    out = capsys.readouterr().out
    assert "40 d" in out and "2.0 MB" in out and "Get a tool chain for the Cortex-M4" in out and "foreign" not in out
    assert str(home["new"].parent) in out and str(home["tools"].parent) in out and "pip uninstall" in out
    assert main(["cache", "--json"]) == 0
    listed = told(capsys)
    assert [row["path"] for row in listed["results"]] == [str(home["new"]), str(home["old"])]
    assert listed["results"][1]["age_s"] >= 40 * 86400


def test_pruning_by_age_takes_the_old_results_of_this_package(home: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "prune", "--older-than", "30", "--yes", "--json"]) == 0
    assert told(capsys)["removed"] == [str(home["old"])]
    assert {name: place.exists() for name, place in home.items()} == {"new": True, "old": False, "foreign": True, "tools": True}


def test_pruning_all_takes_tools_as_well_and_leaves_what_others_made(home: dict[str, Path]) -> None:
    assert main(["cache", "prune", "--all", "--yes"]) == 0
    assert {name: place.exists() for name, place in home.items()} == {"new": False, "old": False, "foreign": True, "tools": False}


def test_a_dry_run_removes_nothing(home: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "prune", "--all", "--dry-run"]) == 0
    assert "would be removed; nothing was" in capsys.readouterr().out
    assert all(place.exists() for place in home.values())


def test_without_a_terminal_nothing_is_removed_unasked(home: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "prune", "--all"]) == ExitStatus.USAGE
    assert "cm4tiny cache prune --all --yes" in capsys.readouterr().err
    assert all(place.exists() for place in home.values())


def test_a_link_in_the_cache_is_not_followed(home: dict[str, Path], tmp_path: Path) -> None:
    outside = tmp_path / "mine"
    outside.mkdir()
    (outside / "file").write_text("kept", encoding="utf-8")
    (home["old"] / "link").symlink_to(outside)
    (home["tools"].parent / "link").symlink_to(outside)
    assert main(["cache", "prune", "--all", "--yes"]) == 0
    assert (outside / "file").exists()


@pytest.mark.parametrize(("seconds", "text"), [(3, "3 s"), (200, "3 min"), (7300, "2 h"), (90000, "1 d"), (-1, "0 s")])
def test_an_age_is_said_in_its_largest_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0.0 kB"), (1500, "1.5 kB"), (2_000_000, "2.0 MB")])
def test_a_size_is_said_in_kilobytes_or_megabytes(count: int, text: str) -> None:
    assert size(count) == text
