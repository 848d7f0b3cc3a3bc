# SPDX-License-Identifier: Apache-2.0
"""The five rounds next to the checkout, replayed: every row of ``expected.csv``, in its order, and the tally of the study."""

from __future__ import annotations

import csv
import os
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cm4tiny.results.replay import COLUMNS, Replay, differences, known_mismatches, replay
from cm4tiny.results.replay.output import csv_text
from cm4tiny.results.rounds import ROUNDS, LabelLists, read_script, read_system, walk

NO_FETCH = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}
TINY = "mirror/github/mlcommons/tiny/1afd2c9820f795965a6134facd0b4dfae41ef23f"


@pytest.fixture(scope="session")
def upstream_clones() -> Path:
    """The folder of clones that ``CM4TINY_UPSTREAM`` names."""
    folder = Path(os.environ.get("CM4TINY_UPSTREAM", "/nonexistent"))
    if not folder.is_dir():
        pytest.skip("CM4TINY_UPSTREAM names no folder of clones")
    return folder


@pytest.fixture(scope="session")
def rounds_folder(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``../shared/replay``, unpacked."""
    archives = sorted((shared / "replay").glob("v*.tar.xz"))
    if not archives:
        pytest.skip("needs ../shared/replay")
    folder = tmp_path_factory.mktemp("rounds")
    for archive in archives:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def official_lists(shared: Path) -> LabelLists:
    return LabelLists.open(shared / TINY)


@pytest.fixture(scope="session")
def replayed(rounds_folder: Path, official_lists: LabelLists) -> Replay:
    return replay([rounds_folder], official_lists, jobs=2)


def test_every_row_of_the_expected_table_is_reproduced_in_its_order(replayed: Replay, shared: Path) -> None:
    expected = shared / "replay" / "expected.csv"
    assert differences(replayed.checks, expected) == []
    assert csv_text(replayed.checks) == expected.read_text(encoding="utf-8")


def test_the_known_mismatches_are_all_there_are(replayed: Replay) -> None:
    found = {check for check in replayed.checks if check.status == "mismatch"}
    assert len(found) == 4
    assert known_mismatches(replayed.checks) == found


def test_without_lists_the_names_of_the_files_give_all_but_visual_wake_words_and_streaming(replayed: Replay, rounds_folder: Path) -> None:
    names_only = {(c.round, c.path, c.metric): c for c in replay([rounds_folder], LabelLists(), round_id="v1.1", jobs=1).checks}
    wanted = {(c.round, c.path, c.metric): c for c in replayed.checks if c.round == "v1.1"}
    differing = [key for key in wanted if names_only[key] != wanted[key]]
    assert differing
    assert all("/vww/accuracy" in path for _, path, _ in differing)
    assert all(names_only[key].status == "unverifiable" for key in differing)


def test_every_published_result_is_found_with_its_description(replayed: Replay, shared: Path) -> None:
    with (shared / "replay" / "published.csv").open(newline="", encoding="utf-8") as stream:
        published = {row["result_path"]: row for row in csv.DictReader(stream) if row["round"] != "v1.2"}
    found = {f"{r.result.round.folder}/{r.result.path}": r.result for r in replayed.results}
    assert set(found) == set(published)
    for path, result in found.items():
        row = published[path]
        assert (result.division, result.submitter, result.system, result.variant, result.benchmark) == (
            row["division"], row["submitter"], row["system"], row["variant"], row["benchmark"],
        )  # fmt: skip
        assert (result.system_json.relative_to(result.root).as_posix() if result.system_json else "") == row["system_json"]


def test_the_oddities_of_the_layouts_are_seen(replayed: Replay) -> None:
    kinds = Counter(quirk.kind for r in replayed.results for quirk in r.result.quirks)
    assert kinds == {
        "prefixed-files": 65, "system-json-name": 65, "model-level": 17, "framework-level": 12, "mode-name": 10, "long-benchmark-name": 8,
        "odd-characters": 4,
    }  # fmt: skip


def test_what_is_tolerated_in_real_logs_is_recorded(replayed: Replay) -> None:
    kinds: Counter[str] = Counter()
    for result in replayed.results:
        for session in result.sessions.values():
            kinds.update({record.kind for record in session.tolerated if record.file.endswith("log.txt")})
    assert kinds["crlf"] >= 75
    assert kinds["mixed-line-ends"] >= 39
    assert kinds["glued-line"] > 0 and kinds["stray-cr"] >= 16 and kinds["colour-code"] > 0
    assert not {"nul", "byte-order-mark", "bad-vector", "bad-lap", "long-line", "vector-width"} & set(kinds)


def test_descriptions_that_are_no_json_are_repaired_and_duplicate_keys_keep_their_value(rounds_folder: Path) -> None:
    systems = [read_system(path) for path in rounds_folder.glob("*/*/*/systems/**/*.json")]
    assert len(systems) == 86
    assert not any(system.problem for system in systems)
    assert sum(bool(system.repaired) for system in systems) == 6
    assert sum(bool(system.lost) for system in systems) >= 19


def test_scripts_name_the_files_of_their_sessions(rounds_folder: Path) -> None:
    root = rounds_folder / "tiny_results_v0.7"
    script = read_script(root / "closed/plumerai/results/NUCLEO_L4R5ZI/ad/accuracy/accuracy_script.async")
    assert (script.infers, len(script.loads)) == (14283, 73)
    assert not any(name.startswith("anomaly") for name in script.loads)


# --- v1.2, whose files lie in a clone -----------------------------------------------------------------------------------------
def blobs(clone: Path, commit: str) -> Iterator[tuple[str, bytes]]:
    """Results and descriptions of a clone that may lack large files."""
    git = ["git", "-C", str(clone)]
    listing = subprocess.run([*git, "ls-tree", "-r", "-z", commit], check=True, capture_output=True, text=True).stdout.split("\0")
    wanted = [(line.split()[2], line.split("\t", 1)[1]) for line in listing if "/results/" in line or "/systems/" in line]
    ids = "\n".join(blob for blob, _ in wanted).encode()
    data = subprocess.run([*git, "cat-file", "--batch"], input=ids, check=True, capture_output=True, env=NO_FETCH).stdout
    at = 0
    for _, path in wanted:
        end = data.index(b"\n", at)
        head, at = data[at:end].split(), end + 1
        if head[1] != b"missing":
            yield path, data[at : at + int(head[2])]
            at += int(head[2]) + 1


@pytest.mark.upstream
def test_round_v1_2_gives_the_counts_of_the_study(upstream_clones: Path, tmp_path: Path, official_lists: LabelLists) -> None:
    clone = upstream_clones / "tiny_results_v1.2"
    if not clone.is_dir():
        pytest.skip("needs a clone of tiny_results_v1.2")
    root = tmp_path / "tiny_results_v1.2"
    for path, data in blobs(clone, ROUNDS["v1.2"].commit):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    found = replay([root], official_lists, jobs=2)
    assert len(found.results) == 73
    assert Counter((check.metric, check.status) for check in found.checks) == {
        ("throughput", "match"): 72, ("throughput", "mismatch"): 1, ("top-1", "match"): 51, ("top-1", "unverifiable"): 22,
        ("auc", "match"): 51, ("auc", "unverifiable"): 22, ("energy", "match"): 18, ("throughput(energy run)", "match"): 18,
    }  # fmt: skip
    assert len(known_mismatches(found.checks)) == 1


def test_the_columns_are_those_of_the_expected_table(shared: Path) -> None:
    header = (shared / "replay" / "expected.csv").read_text(encoding="utf-8").splitlines()[0]
    assert tuple(header.split(",")) == COLUMNS


@pytest.mark.upstream
def test_the_table_of_large_files_is_what_the_pinned_commits_hold(upstream_clones: Path) -> None:
    """Needs clones with all blobs for sizes; a clone without large files must lack exactly these (scripts aside)."""
    for round_ in ROUNDS.values():
        clone = upstream_clones / round_.folder
        if not round_.repository or not clone.is_dir():
            continue
        git = ["git", "-C", str(clone)]
        listing = subprocess.run([*git, "ls-tree", "-r", round_.commit], check=True, capture_output=True, text=True).stdout.splitlines()
        paths = {line.split("\t", 1)[1]: line.split()[2] for line in listing}
        assert round_.large_files <= set(paths)
        ids = "\n".join(paths.values()).encode()
        answer = subprocess.run(
            [*git, "cat-file", "--batch-check"], input=ids, check=True, capture_output=True, env=NO_FETCH
        ).stdout.decode()
        large = {line.split()[0] for line in answer.splitlines() if line.endswith("missing") or int(line.split()[-1]) > 4 << 20}
        named = {path for path, blob in paths.items() if blob in large and "/results/" in path and "script" not in path.rsplit("/", 1)[1]}
        assert named == round_.large_files


def test_walking_twice_gives_the_same(rounds_folder: Path) -> None:
    root = rounds_folder / "tiny_results_v1.3"
    assert [r.path for r in walk(root, ROUNDS["v1.3"])] == [r.path for r in walk(root, ROUNDS["v1.3"])]
