# SPDX-License-Identifier: Apache-2.0
"""A report follows from its sessions, and nothing in it can be changed unnoticed."""

from __future__ import annotations

import copy
import json
import os
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runner"))

from fake_dut import FakeDut
from test_benchmark_run import CountingBoard, LaxBoard, run_fake
from test_energy_run import Monitor

import cm4tiny
from cm4tiny.benchmarks.embedded import embedded_data_set
from cm4tiny.cm import Step
from cm4tiny.errors import MismatchError, ResultsError, UsageError
from cm4tiny.events import SILENT
from cm4tiny.results.collect import collect, lock_beside
from cm4tiny.results.evidence_files import inside
from cm4tiny.results.report import write_report
from cm4tiny.results.verify import PREDICATE_TYPE, statement_of, verify_report
from cm4tiny.results.verify.leaves import differences, leaves
from cm4tiny.results.verify.sessions import check_labels
from cm4tiny.workflows.verify_mlperf_tiny import VerifyOptions, verify_step

Report = dict[str, Any]


class EnergyBoard(CountingBoard):
    """A scripted board with the energy image, under a scripted monitor."""

    def __init__(self) -> None:
        self.link = FakeDut(energy=True)
        self.power = Monitor(self.link)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of finished runs: all modes on a board that counts cycles, one that was not strict and of the open division, energy."""
    found = {}
    energy = {"CM_TINY_FIRMWARE_KWS_ENERGY": ""}
    for name, mode, board, division in (
        ("standard", "standard", CountingBoard, {}),
        ("marked", "standard", LaxBoard, {"division": "open", "division_reason": "9  channels removed"}),
        ("energy", "energy", EnergyBoard, {}),
    ):
        root = tmp_path_factory.mktemp(name)
        with pytest.MonkeyPatch.context() as patch:
            flags = {"CM_TINY_NO_STRICT": "yes"} if name == "marked" else {**energy, "CM_TINY_FIRMWARE_KWS_ENERGY": str(root / "kws.elf")}
            run_fake(root, patch, mode=mode, board=board, flags=flags, **division)
        (root / "cm-lock.json").write_text('{"format": 1, "digest": "", "request": {}}', encoding="utf-8")
        collect(str(root / "out" / "outcome.json"), str(root / "cm-lock.json"))
        found[name] = root / "out"
    return found


@pytest.fixture
def run(made: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the run in all modes, to be changed."""
    shutil.copytree(made["standard"].parent, tmp_path / "copy")
    return tmp_path / "copy" / "out"


def report_of(folder: Path) -> Report:
    found: Report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return found


def write(folder: Path, report: Report) -> None:
    (folder / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def wrong(folder: Path) -> str:
    """What is found, as text; empty for nothing."""
    try:
        return "\n".join(map(str, verify_report(folder / "report.json").findings))
    except ResultsError as error:
        return str(error)


@pytest.mark.parametrize("name", ["standard", "marked", "energy"])
def test_a_report_as_the_run_left_it_is_verified(name: str, made: dict[str, Path]) -> None:
    found = verify_report(made[name] / "report.json")
    assert found.findings == () and found.ok
    assert {"sessions", "files", "tables", "outcome"} == set(found.witnesses)
    assert sum(found.witnesses.values()) == len(list(leaves(found.report, "$"))), "every field has a witness"
    assert found.open == ("1 file (model) are named by digest and do not lie next to the report",) or "firmware" in " ".join(found.open)
    figures = [path for path, _ in leaves(found.report["results"], "$") if re.search(r"windows|inf_per_s|value|auc_|samples|uj_per", path)]
    assert found.witnesses["sessions"] >= len(figures) > 5


# --- every field changed ------------------------------------------------------------------------------------------------------
def changed(value: Any, dice: random.Random) -> Any:
    """Another value of the same type, near to the old one."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return value + dice.choice([1, -1, 7])
    if isinstance(value, float):
        return value * dice.choice([1 + 1e-9, 1.01, 0.5])
    if isinstance(value, str):
        if re.fullmatch(r"[0-9a-f]{64}", value):
            at = dice.randrange(64)
            return value[:at] + ("0" if value[at] != "0" else "1") + value[at + 1 :]
        at = dice.randrange(len(value) + 1)
        return value[:at] + dice.choice("ax1 ") + value[at:]
    return [*value, "more"] if isinstance(value, list) else {**value, "more": 1}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of every field that holds no others."""
    for key, one in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(one, dict | list) and one:
            yield from places(one)
        else:
            yield value, key


def unnoticed(folder: Path, numbers: list[int], seed: int) -> list[str]:
    """The fields, by number, whose change is not found."""
    dice, original, missed = random.Random(seed), report_of(folder), []
    for number in numbers:
        report = copy.deepcopy(original)
        container, key = list(places(report))[number]
        container[key] = changed(container[key], dice)
        write(folder, report)
        if not wrong(folder):
            missed.append(f"{list(leaves(original, '$'))[number][0]} -> {container[key]!r}")
    write(folder, original)
    return missed


def one_of_each_kind(report: Report, dice: random.Random) -> list[int]:
    kinds: dict[str, list[int]] = {}
    for number, (path, _) in enumerate(leaves(report, "$")):
        kinds.setdefault(re.sub(r"\[\d+\]", "[]", path), []).append(number)
    return [dice.choice(numbers) for numbers in kinds.values()]


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("name", ["standard", "marked", "energy"])
def test_a_change_of_any_kind_of_field_is_found(name: str, part: int, made: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(made[name].parent, tmp_path / "copy")
    folder = tmp_path / "copy" / "out"
    numbers = one_of_each_kind(report_of(folder), random.Random(14))
    assert len(numbers) > 60 and unnoticed(folder, numbers[part::3], 14) == []


@pytest.mark.long
@pytest.mark.parametrize("name", ["standard", "marked", "energy"])
def test_a_change_of_any_field_is_found(name: str, made: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(made[name].parent, tmp_path / "copy")
    folder = tmp_path / "copy" / "out"
    assert unnoticed(folder, list(range(len(list(places(report_of(folder)))))), 15) == []


def test_a_field_that_is_removed_or_added_is_found(run: Path) -> None:
    original = report_of(run)
    at = {(entry["mode"], entry.get("derived", False)): number for number, entry in enumerate(original["results"])}
    changes: dict[str, Callable[[Report], Any]] = {
        "a value": lambda r: r["results"][at["accuracy", False]].pop("auc_eembc"),
        "a rule": lambda r: r["results"][at["performance", False]]["broken_rules"].append("a rule"),
        "the origin of an energy": lambda r: r["results"][at["energy", True]].pop("derived_from"),
        "a window": lambda r: r["results"][at["performance", False]]["windows"].pop(),
        "a file": lambda r: r["files"].pop(),
        "an entry": lambda r: r["results"].pop(),
        "a published result": lambda r: r["published"].pop(0),
        "the emulator": lambda r: r.pop("emulator"),
    }
    for name, change in changes.items():
        report = copy.deepcopy(original)
        change(report)
        write(run, report)
        assert wrong(run), name


# --- evidence changed ---------------------------------------------------------------------------------------------------------
def session(folder: Path, mode: str) -> Path:
    return folder / next(
        str(entry["session"]) for entry in report_of(folder)["results"] if entry["mode"] == mode and not entry.get("derived")
    )


def forge(folder: Path) -> None:
    """Makes outcome.json and report.json agree with the files that lie there: what a forger with this program would do."""
    import hashlib

    outcome = json.loads((folder / "outcome.json").read_text())
    for file in outcome["files"]:
        if file["role"] == "session":
            data = (folder / file["name"]).read_bytes()
            file |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (folder / "outcome.json").write_text(json.dumps(outcome))
    collect(str(folder / "outcome.json"), str(folder.parent / "cm-lock.json"))


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_figure_that_is_raised_in_outcome_and_report_alike_is_found_by_the_session(run: Path) -> None:
    outcome = json.loads((run / "outcome.json").read_text())
    entry = next(e for e in outcome["results"] if e["mode"] == "performance")
    entry["throughput_inf_per_s"] *= 1.02
    for window in entry["windows"]:
        window["throughput_inf_per_s"] *= 1.02
    (run / "outcome.json").write_text(json.dumps(outcome))
    forge(run)
    assert "$.results[0].throughput_inf_per_s: the report says" in wrong(run) and "sessions/kws-performance" in wrong(run)


@pytest.mark.parametrize(
    ("mode", "file", "old", "new"),
    [
        ("performance", "results.json", '"iterations": ', '"iterations": 1'),
        ("performance", "results.txt", "Median throughput is ", "Median throughput is 9"),
        ("performance", "log.txt", "# Inferences :", "# Inferences : 1"),
        ("performance", "results.txt", "SIMULATED: virtual NUCLEO-L4R5ZI", "SIMULATED: virtual NUCLEO-L4R5ZI-P"),
        ("accuracy", "results.txt", "Top 1% = ", "Top 1% = 1"),
    ],
)
def test_a_session_whose_files_contradict_each_other_or_the_report_is_no_evidence(
    mode: str, file: str, old: str, new: str, run: Path
) -> None:
    replace_in(session(run, mode) / file, old, new)
    assert f"{file} gives" in wrong(run), "its digest"
    forge(run)
    assert "is not evidence" in wrong(run) or "the report says" in wrong(run)


def test_labels_that_were_changed_in_the_session_change_the_figures(run: Path) -> None:
    path = session(run, "accuracy") / "results.json"
    path.write_text(re.sub(r'"class": "\d+"', '"class": "3"', path.read_text()))
    forge(run)
    assert "is not evidence" in wrong(run) or "$.results[1].value" in wrong(run)


def test_labels_of_embedded_samples_are_those_of_this_package() -> None:
    labels = {sample.file: sample.label for sample in embedded_data_set("kws").samples}
    name = next(iter(labels))
    one = {"file": name, "class": str(labels[name]), "stride": None, "infer": {"results": [1.0]}}
    check_labels([one], labels)
    with pytest.raises(ValueError, match=f"{name} is labelled {labels[name]}"):
        check_labels([{**one, "class": "999"}], labels)
    with pytest.raises(ValueError, match="is not a sample"):
        check_labels([{**one, "file": "x.bin"}], labels)


def test_a_session_that_calls_itself_simulated_cannot_be_reported_as_measured(run: Path) -> None:
    outcome = json.loads((run / "outcome.json").read_text())
    for entry in outcome["results"]:
        entry["simulated"] = False
    (run / "outcome.json").write_text(json.dumps(outcome))
    forge(run)
    assert "$.results[0].simulated: the report says False" in wrong(run)


@pytest.mark.parametrize("name", ["log.txt", "results.txt", "results.json"])
def test_a_file_of_a_session_that_is_gone_is_named(name: str, run: Path) -> None:
    (session(run, "performance") / name).unlink()
    assert f"{name} is not there" in wrong(run) and "is not evidence" in wrong(run)


def test_a_file_too_many_is_named(run: Path) -> None:
    (session(run, "performance") / "results2.json").write_text("[]")
    assert "results2.json: it lies in a session of the report, which does not list it" in wrong(run)


def test_the_page_for_people_is_that_of_the_report(run: Path) -> None:
    replace_in(run / "report.md", "inf/s", "inf/h")
    assert wrong(run) == "report.md: it is not the text of this report"
    (run / "report.md").unlink()
    assert wrong(run) == "" and "report.md does not lie next to the report" in verify_report(run / "report.json").open


def test_without_the_outcome_what_only_the_runner_knows_has_no_witness(run: Path) -> None:
    report = report_of(run)
    report["files"] = [file for file in report["files"] if file["role"] != "outcome"]
    write_report(report, run)
    (run / "outcome.json").unlink()
    found = verify_report(run / "report.json")
    assert found.ok and any("fields have no witness here, the first is $.schema" in one for one in found.open)
    assert "cycles" not in found.text and found.witnesses["sessions"] > 20


def test_of_another_version_words_and_published_results_are_not_compared(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = report_of(run)
    report["notice"], report["published"] = "as it was said then", report["published"][1:]
    for entry in report["results"]:
        entry["labels"]["model_error"] = "another"
    write(run, report)
    assert "$.notice" in wrong(run)
    monkeypatch.setattr(cm4tiny, "__version__", "99")
    found = verify_report(run / "report.json")
    assert found.ok and any(f"this is {cm4tiny.__version__}" in one for one in found.open)
    report["results"][0]["cycles_per_inference"] += 1
    write(run, report)
    assert "cycles_per_inference" in wrong(run)


# --- hostile files ------------------------------------------------------------------------------------------------------------
def duplicate_key(run: Path) -> None:
    replace_in(run / "report.json", '"engine":', '"engine": "microtvm", "engine":')


def nan(run: Path) -> None:
    text = (run / "report.json").read_text()
    (run / "report.json").write_text(re.sub(r'"cycles_per_inference": [\d.]+', '"cycles_per_inference": NaN', text, count=1))


def too_long(run: Path) -> None:
    with (run / "report.json").open("r+b") as file:
        file.truncate(9 << 20)


def too_deep(run: Path) -> None:
    (run / "report.json").write_text("[" * 100_000)


def a_pipe(run: Path) -> None:
    (run / "outcome.json").unlink()
    os.mkfifo(run / "outcome.json")


def a_link(run: Path) -> None:
    folder = session(run, "performance")
    (folder / "log.txt").rename(run / "elsewhere")
    (folder / "log.txt").symlink_to(run / "elsewhere")


def outside(name: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        report = report_of(run)
        next(file for file in report["files"] if file["role"] == "session")["name"] = name
        write(run, report)

    return change


def session_outside(run: Path) -> None:
    report = report_of(run)
    report["results"][0]["session"] = "../../etc"
    write(run, report)


def lock_outside(run: Path) -> None:
    report = report_of(run)
    report["lock"] = "../../../etc/passwd"
    write(run, report)


def outcome_of_lists(run: Path) -> None:
    (run / "outcome.json").write_text('{"board": [], "engine": {}, "assets": 1, "results": [[]], "files": [1], "tools": []}')


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (duplicate_key, "the key 'engine' occurs 2 times in one object"),
        (nan, "NaN is not a JSON number"),
        (too_long, "at most 8388608 are read"),
        (too_deep, "is not a report"),
        (a_pipe, "outcome.json is not a regular file"),
        (a_link, "log.txt is a symbolic link"),
        (outside("../../secret"), "names a file outside of its folder: '../../secret'"),
        (outside("/etc/passwd"), "names a file outside of its folder: '/etc/passwd'"),
        (outside("a\0b"), "names a file outside of its folder"),
        (session_outside, "names a file outside of its folder: '../../etc'"),
        (lock_outside, "names a file outside of its folder: '../../etc/passwd'"),
        (outcome_of_lists, "is not the outcome of a run"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_hostile_file_is_refused_by_name(change: Callable[[Path], None], said: str, run: Path) -> None:
    change(run)
    assert said in wrong(run)


def test_many_keys_that_occur_twice_take_no_time(run: Path) -> None:
    pairs = ",".join(f'"{number}":0,"{number}":0' for number in range(200_000))
    (run / "report.json").write_text("{" + pairs + "}")
    assert "occurs 2 times" in wrong(run)


@pytest.mark.parametrize("content", ["[]", "[1]", "[{}]", '[{"infer": {}}]', '[{"infer": {"results": [1e999], "iterations": 1}}]', "{", ""])
def test_a_hostile_session_is_no_evidence(content: str, run: Path) -> None:
    for mode in ("performance", "accuracy"):
        (session(run, mode) / "results.json").write_text(content)
    forge(run)
    assert wrong(run).count("is not evidence") >= 2


# --- statement, step ----------------------------------------------------------------------------------------------------------
def test_the_statement_names_what_was_made_and_says_what_the_report_says(run: Path) -> None:
    found = verify_report(run / "report.json")
    statement = statement_of(found)
    assert (statement["_type"], statement["predicateType"]) == ("https://in-toto.io/Statement/v1", PREDICATE_TYPE)
    names = [subject["name"] for subject in statement["subject"]]
    assert names[:2] == ["report.json", "report.md"] and "outcome.json" in names and len(set(names)) == len(names)
    assert len(names) == 2 + sum(file["role"] in ("session", "outcome") for file in found.report["files"])
    assert all(re.fullmatch(r"[0-9a-f]{64}", subject["digest"]["sha256"]) for subject in statement["subject"])
    said = statement["predicate"]
    files = len(statement["subject"]) - 2 + len(said["inputs"])
    assert files == len(found.report["files"]) and said["report"].keys() | {"files"} == found.report.keys()
    assert said["verification"]["verified"] is True


def test_equal_reports_in_two_places_give_equal_statements(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run.parent, tmp_path / "elsewhere")
    texts = [json.dumps(statement_of(verify_report(folder / "report.json"))) for folder in (run, tmp_path / "elsewhere" / "out")]
    assert texts[0] == texts[1] and str(tmp_path) not in texts[0]


def test_there_is_no_statement_of_a_report_that_is_not_verified(run: Path) -> None:
    replace_in(run / "report.md", "inf/s", "inf/h")
    with pytest.raises(MismatchError, match="does not follow from what lies next to it"):
        statement_of(verify_report(run / "report.json"))


def step(options: VerifyOptions, capsys: pytest.CaptureFixture[str]) -> tuple[Any, str]:
    made = verify_step(options, Step({}, SILENT, Path.cwd()))
    return made, capsys.readouterr().out


def test_the_step_shows_what_was_verified_and_writes_the_statement(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, shown = step(VerifyOptions(report=(run,), statement=True), capsys)
    assert "report.json: verified (" in shown and "computed again from the sessions" in shown
    assert made["CM_TINY_STATEMENTS"] == str(run / "report.intoto.json")
    assert json.loads((run / "report.intoto.json").read_text())["subject"]
    assert verify_report(run / "report.json").ok, "the statement is not in the way"


def test_the_step_fails_with_status_3_for_a_report_that_does_not_follow(
    run: Path, made: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    report = report_of(run)
    report["results"][0]["throughput_inf_per_s"] += 1
    write(run, report)
    with pytest.raises(MismatchError) as caught:
        step(VerifyOptions(report=(made["marked"], run / "report.json"), statement=True), capsys)
    assert caught.value.cm_code == 3 and "$.results[0].throughput_inf_per_s" in str(caught.value)
    shown = capsys.readouterr().out
    assert "wrong: $.results[0]" in shown and shown.count("verified (") == 1
    assert not (run / "report.intoto.json").exists()


def test_the_step_says_where_a_report_is_looked_for(tmp_path: Path) -> None:
    for named, place in (((tmp_path,), "report.json"), ((), "mlperf-tiny-results")):
        with pytest.raises(UsageError, match=f"there is no report at {tmp_path}/{place}"):
            verify_step(VerifyOptions(report=named, statement=False), Step({}, SILENT, tmp_path))


# --- small parts --------------------------------------------------------------------------------------------------------------
def test_a_lock_file_elsewhere_is_not_named_because_its_path_is_of_one_machine(tmp_path: Path) -> None:
    assert lock_beside(str(tmp_path / "cm-lock.json"), tmp_path / "out") == "../cm-lock.json"
    assert lock_beside(str(tmp_path / "out" / "lock.json"), tmp_path / "out") == "lock.json"
    assert lock_beside("/etc/lock.json", tmp_path / "out") == "" == lock_beside("", tmp_path)


def test_true_is_not_1_and_a_rounding_is_no_difference() -> None:
    assert [str(one) for one in differences({"a": 1}, {"a": True}, "$", "x")] == ["$.a: the report says 1, x gives True"]
    assert list(differences([0.1 + 0.2], [0.3], "$", "x")) == []
    assert [one.where for one in differences([1, {"b": 2}], [1], "$", "x")] == ["$"]


def test_names_of_files_have_a_limit(tmp_path: Path) -> None:
    assert inside(tmp_path, "a/" * 511 + "ab") == tmp_path / ("a/" * 511 + "ab")
    with pytest.raises(ResultsError, match="outside of its folder"):
        inside(tmp_path, "a/" * 511 + "abc")
