# SPDX-License-Identifier: Apache-2.0
"""Every layout variant of the published rounds is found, and nothing leads out of the tree."""

from __future__ import annotations

import dataclasses
import json
import pickle
import runpy
import subprocess
from pathlib import Path

import pytest
from support.sessions import five_windows, result_folder, write

from cm4tiny.errors import AssetError, NotAvailableError, ResultsError, UsageError
from cm4tiny.fetch import Mirror
from cm4tiny.results.rounds import ROUNDS, ResultDir, find_rounds, get_round, layouts, read, read_system, sources, walk
from cm4tiny.results.rounds.model import LoggedWindow
from cm4tiny.results.rounds.table import load_rounds
from cm4tiny.workflows import get_mlperf_tiny_results


def one(root: Path, round_id: str = "v1.1") -> ResultDir:
    (found,) = walk(root / f"tiny_results_{round_id}", get_round(round_id))
    return found


def kinds(result: ResultDir) -> set[str]:
    return {quirk.kind for quirk in result.quirks}


def test_the_usual_layout_has_no_quirks(tmp_path: Path) -> None:
    folder = result_folder(tmp_path)
    write(folder / "performance", log=five_windows().log(), results=b"", script=b"")
    result = one(tmp_path)
    assert (result.division, result.submitter, result.system, result.variant, result.benchmark) == ("closed", "someone", "board", "", "kws")
    assert result.path == "closed/someone/results/board/kws"
    files = result.files("performance")
    assert files is not None and files.log == folder / "performance" / "log.txt"
    assert (files.folder, files.others, result.quirks, result.marker) == ("closed/someone/results/board/kws/performance", (), (), False)
    assert result.system_json is not None and result.system_json.name == "board.json"


@pytest.mark.parametrize(
    ("path", "benchmark", "system", "variant", "quirk"),
    [
        ("board/keyword_spotting/accuracy", "kws", "board", "", "long-benchmark-name"),
        ("board/ic/RN07/power", "ic", "board", "RN07", "mode-name"),
        ("board/ic/enegy", "ic", "board", "", "mode-name"),
        ("microtvm/board/vww/performance", "vww", "microtvm/board", "", "framework-level"),
        ("Alibaba Cloud (RISC-V)/ad/performance", "ad", "Alibaba Cloud (RISC-V)", "", "odd-characters"),
        ("board/ad/ad_fp32/performance", "ad", "board", "ad_fp32", "model-level"),
    ],
)
def test_variants_of_the_layout_are_understood(tmp_path: Path, path: str, benchmark: str, system: str, variant: str, quirk: str) -> None:
    write(result_folder(tmp_path).parents[1] / path, log=b"x")
    result = one(tmp_path)
    assert (result.benchmark, result.system, result.variant) == (benchmark, system, variant)
    assert quirk in kinds(result)


def test_files_with_the_mode_as_prefix_are_found(tmp_path: Path) -> None:
    folder = result_folder(tmp_path) / "performance"
    folder.mkdir()
    for name in ("performance_log.txt", "performance_results.txt", "performance_script.txt"):
        (folder / name).touch()
    files = one(tmp_path).files("performance")
    assert files is not None
    assert [path.name for path in (files.log, files.results, files.script) if path] == sorted(path.name for path in folder.iterdir())
    assert "prefixed-files" in kinds(one(tmp_path))


def test_apple_double_files_are_seen_and_never_read(tmp_path: Path) -> None:
    folder = write(result_folder(tmp_path) / "performance", results=b"")
    (folder / "._log.txt").write_bytes(b"\x00\x05\x16\x07")
    files = one(tmp_path).files("performance")
    assert files is not None and files.log is None and files.others == ("._log.txt",)
    assert "apple-double" in kinds(one(tmp_path))


def test_the_marker_of_eembc_sessions_lies_in_the_benchmarks_folder(tmp_path: Path) -> None:
    folder = result_folder(tmp_path)
    write(folder / "performance", log=b"x")
    (folder / "EEMBC_RUNNER").touch()
    assert one(tmp_path).marker


def test_symbolic_links_are_recorded_and_not_followed(tmp_path: Path) -> None:
    secret = write(tmp_path / "elsewhere" / "kws" / "performance", log=b"secret")
    folder = result_folder(tmp_path)
    write(folder / "accuracy", results=b"")
    (folder / "accuracy" / "log.txt").symlink_to(secret / "log.txt")
    (folder / "performance").symlink_to(secret, target_is_directory=True)
    result = one(tmp_path)
    assert [files.mode for files in result.modes] == ["accuracy"]
    assert result.modes[0].log is None
    assert result.modes[0].others == ("log.txt",)
    assert {quirk.path.rsplit("/", 1)[-1] for quirk in result.quirks if quirk.kind == "symlink"} == {"log.txt", "performance"}


@pytest.mark.parametrize("level", ["closed", "closed/someone", "closed/someone/results", "closed/someone/systems"])
def test_a_link_above_the_results_is_not_followed_either(tmp_path: Path, level: str) -> None:
    real = tmp_path / "real"
    write(result_folder(real) / "performance", log=b"x")
    tree = tmp_path / "tiny_results_v1.1"
    (tree / level).parent.mkdir(parents=True)
    (tree / level).symlink_to(real / "tiny_results_v1.1" / level, target_is_directory=True)
    found = list(walk(tree, get_round("v1.1")))
    assert found == []


def test_a_tree_deeper_than_any_rounds_is_not_searched_to_its_end(tmp_path: Path) -> None:
    folder = result_folder(tmp_path)
    write(folder / "a/b/c/d/e/f/g/performance", log=b"x")
    assert list(walk(tmp_path / "tiny_results_v1.1", get_round("v1.1"))) == []


def test_an_endless_tree_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(result_folder(tmp_path) / "performance", log=b"x", results=b"x")
    monkeypatch.setattr("cm4tiny.results.rounds.layout.MAX_ENTRIES", 3)
    with pytest.raises(ResultsError, match="more than 3 entries"):
        list(walk(tmp_path / "tiny_results_v1.1", get_round("v1.1")))


def test_a_large_file_that_the_copy_lacks_is_known_as_such(tmp_path: Path) -> None:
    path = "closed/plumerai/results/NUCLEO-L4R5ZI/ad/accuracy"
    assert f"{path}/log.txt" in ROUNDS["v1.1"].large_files
    write(tmp_path / "tiny_results_v1.1" / path, results=b"")
    results = {result.system: result for result in walk(tmp_path / "tiny_results_v1.1", get_round("v1.1"))}
    files = results["NUCLEO-L4R5ZI"].files("accuracy")
    assert files is not None and files.lacks("log") and not files.lacks("trace")
    assert set(results) == {path.split("/")[3] for path in ROUNDS["v1.1"].large_files if "/plumerai/" in path}


# --- which rounds -------------------------------------------------------------------------------------------------------------
def test_a_checkout_and_a_folder_of_checkouts_are_both_understood(tmp_path: Path) -> None:
    for round_id in ("v1.1", "v0.7"):
        write(result_folder(tmp_path, round_id=round_id) / "performance", log=b"x")
    (tmp_path / "notes").mkdir()
    assert [round_.id for round_, _ in find_rounds(tmp_path)] == ["v0.7", "v1.1"]
    assert find_rounds(tmp_path, "v1.1") == ((ROUNDS["v1.1"], tmp_path / "tiny_results_v1.1"),)
    assert find_rounds(tmp_path / "tiny_results_v0.7")[0][0].id == "v0.7"


def test_a_folder_whose_name_does_not_tell_the_round_needs_to_be_told(tmp_path: Path) -> None:
    (tmp_path / "mine" / "closed").mkdir(parents=True)
    with pytest.raises(UsageError, match="not known which round"):
        find_rounds(tmp_path / "mine")
    assert find_rounds(tmp_path / "mine", "1.3")[0][0].id == "v1.3"
    (tmp_path / "source.json").write_text(json.dumps({"repository": "mlcommons/tiny_results_v1.2", "commit": "x"}))
    assert find_rounds(tmp_path / "mine")[0][0].id == "v1.2"


def test_wrong_folders_and_rounds_are_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="is not a directory"):
        find_rounds(tmp_path / "absent")
    with pytest.raises(UsageError, match="no checkout of a round"):
        find_rounds(tmp_path)
    (tmp_path / "tiny_results_v1.1" / "closed").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"holds round v1\.1, v1\.3 was asked for"):
        find_rounds(tmp_path / "tiny_results_v1.1", "v1.3")
    with pytest.raises(UsageError, match="did you mean"):
        get_round("v1.33")


def test_the_tables_of_rounds_and_layouts_are_sound() -> None:
    assert list(ROUNDS) == ["v0.5", "v0.7", "v1.0", "v1.1", "v1.2", "v1.3", "v1.4"]
    assert [round_.number for round_ in ROUNDS.values()] == sorted(round_.number for round_ in ROUNDS.values())
    assert ROUNDS["v1.3"].label_lists["ic"] == ("ic01",)
    assert set(layouts()["benchmarks"]) >= {benchmark for round_ in ROUNDS.values() for benchmark in round_.benchmarks}
    assert pickle.loads(pickle.dumps(ROUNDS["v1.3"])) == ROUNDS["v1.3"]


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "rounds.yaml").write_text("rounds: {v1.3: {commit: 12}}")
    with pytest.raises(AssetError, match="breaks its schema"):
        load_rounds(tmp_path / "rounds.yaml")


# --- system descriptions ------------------------------------------------------------------------------------------------------
def test_of_a_key_that_stands_twice_the_value_that_is_not_empty_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"Inference Framework": "X", "Status ": " RDI", "Inference Framework": "", "Libraries": {"a": "1", "b": ["c", ""]}}')
    system = read_system(path)
    assert (system.text("Inference Framework"), system.duplicates, system.lost) == ("X", ("Inference Framework",), ("Inference Framework",))
    assert system.status == "rdi"
    assert system.text("Libraries") == "a: 1, b: c, "
    assert (system.repaired, system.problem) == ("", "")


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ('{"a": "1"\n "b": "2"}', "missing comma"),
        ('{"a": "1", "b": "2",}', "superfluous comma"),
        ('{"a": "1", "b": "2",', "brace"),
        ('{"a": "1", "b": "2\x01"}', "control character"),
        ('{"a": "1", "b": "2,\n\tmore"}', "control character"),
    ],
)
def test_the_damages_of_published_descriptions_are_repaired_and_said(tmp_path: Path, text: str, repaired: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    system = read_system(path)
    assert repaired in system.repaired
    assert system.text("b").startswith("2")


@pytest.mark.parametrize("data", [b"", b"[]", b"{" * 100_000, b"\xff\xfe\x00", b'{"a": ' * 50_000])
def test_what_cannot_be_repaired_is_said(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    assert read_system(path).problem
    assert read_system(tmp_path / "absent.json").problem


@pytest.mark.parametrize(
    ("system", "place"),
    [
        ("NUCLEO-H7A3ZI-Q", "NUCLEO-H7A3ZI-Q/NUCLEO_H7A3ZI_Q_system_description.json"),
        ("arty-a7-100t", "system_description_arty.json"),
        ("microtvm_native/NUCLEO_L4R5ZI", "system_description_NUCLEO_L4R5ZI_microtvm_native.json"),
        ("EK-RA6M4", "EK-RA6M4_System_Description.json"),
    ],
)
def test_a_description_with_another_name_is_found(tmp_path: Path, system: str, place: str) -> None:
    write(result_folder(tmp_path, system=system) / "performance", log=b"x")
    systems = tmp_path / "tiny_results_v1.1/closed/someone/systems"
    for file in systems.rglob("*.json"):
        file.unlink()
    (systems / place).parent.mkdir(exist_ok=True)
    (systems / place).write_text("{}")
    (systems / "other.json").write_text("{}")
    result = one(tmp_path)
    assert result.system_json == systems / place
    assert "system-json-name" in kinds(result)


# --- fetching -----------------------------------------------------------------------------------------------------------------
def test_a_rounds_repository_is_fetched_at_its_pinned_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    write(result_folder(tmp_path / "work", round_id="v1.3") / "performance", log=b"x")
    clone = tmp_path / "mirror/github/mlcommons/tiny_results_v1.3.git"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path / "work/tiny_results_v1.3")]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["git", "clone", "-q", "--bare", str(tmp_path / "work/tiny_results_v1.3"), str(clone)], check=True)
    pinned = dataclasses.replace(ROUNDS["v1.3"], commit=commit)
    monkeypatch.setattr(sources, "get_round", lambda _: pinned)
    (tmp_path / "cache").mkdir()
    for _ in range(2):
        tree = sources.get_results("v1.3", tmp_path / "cache", mirror=Mirror(tmp_path / "mirror"))
        assert (tmp_path / "cache" / "repo").resolve() == tree.resolve()
    ((round_, root),) = find_rounds(tree)
    assert round_.id == "v1.3"
    assert len(list(walk(root, round_))) == 1


def test_a_round_that_is_not_public_cannot_be_fetched(tmp_path: Path) -> None:
    with pytest.raises(NotAvailableError, match=r"v1\.4 are not public"):
        sources.get_results("v1.4", tmp_path)


def test_the_script_tells_where_the_round_lies_under_upstreams_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Path(__file__).parents[3] / "cm-repo/script/get-mlperf-tiny-results/customize.py"
    monkeypatch.setattr(get_mlperf_tiny_results, "get_results", lambda round_id, folder, **_: tmp_path / round_id)
    env = {"CM_TINY_RESULTS_ROUND": "v0.7"}
    assert runpy.run_path(str(script))["preprocess"]({"env": env}) == {"return": 0}
    assert env["CM_TINYMLPERF_REPO_PATH"] == env["CM_MLPERF_TINY_RESULTS_V0_7"] == str(tmp_path / "v0.7")
    assert env["CM_TINYMLPERF_REPO_VERSION"] == "0.7"


@pytest.mark.parametrize(("folders", "found"), [(2, 1), (4, 1), (5, 0)])
def test_results_lie_at_most_six_folders_deep(tmp_path: Path, folders: int, found: int) -> None:
    place = result_folder(tmp_path).parents[1].joinpath(*(f"level-{n}" for n in range(folders)), "kws", "performance")
    write(place, log=b"x")
    assert len(list(walk(tmp_path / "tiny_results_v1.1", get_round("v1.1")))) == found


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"runtime_s": 10.0005}, True),
        ({"runtime_s": 9.9995}, True),
        ({"runtime_s": 10.0006}, False),
        ({"runtime_s": 9.9994}, False),
        ({"runtime_s": None}, True),
        ({"values": ()}, True),
        ({"values": (0.5, 0.6)}, False),
        ({"file": "b.bin"}, False),
        ({"iterations": 11}, False),
    ],
)
def test_a_window_is_the_one_that_the_log_prints_in_milliseconds(changes: dict[str, object], same: bool) -> None:
    exact = LoggedWindow(1, "a.bin", 10, None, 10.0, (0.5, 0.5))
    assert read._same_window(exact, dataclasses.replace(exact, **changes)) is same  # type: ignore[arg-type]
