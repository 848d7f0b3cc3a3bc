# SPDX-License-Identifier: Apache-2.0
"""Submissions: sessions found, questions asked, trees that are whole or not there."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import session_maker as maker
from support import streaming_maker
from support.submission_maker import answers, sessions, valid_submission

from cm4tiny.benchmarks import embedded_model
from cm4tiny.errors import AssetError, BusyError, ResultsError, RuleError, UsageError
from cm4tiny.paths import firmware_sources
from cm4tiny.results.submission.answers import Answers, from_options, parse_answers, read_answers
from cm4tiny.results.submission.code import find_image
from cm4tiny.results.submission.generator import generate
from cm4tiny.results.submission.sessions import find_sessions, recognise
from cm4tiny.results.submission.system import FIELDS, boards, describe


def submit(given: Answers, root: Path, **choices: Any) -> Any:
    return generate(given, root, labels=maker.small_lists(), **choices)


# --- sessions -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda folder: maker.performance(folder, "ic"), ("ic", "performance", "mlc")),
        (lambda folder: maker.accuracy(folder, "ad"), ("ad", "accuracy", "mlc")),
        (lambda folder: maker.energy(folder, "kws"), ("kws", "energy", "mlc")),
        (lambda folder: maker.eembc_performance(folder, "kws"), ("kws", "performance", "eembc")),
        (lambda folder: streaming_maker.streaming(folder, "energy"), ("sww", "energy", "mlc")),
        (lambda folder: streaming_maker.streaming(folder), ("sww", "performance", "mlc")),
    ],
)
def test_files_tell_benchmark_mode_and_runner(tmp_path: Path, make: Callable[[Path], Path], expected: tuple[str, str, str]) -> None:
    found = recognise(make(tmp_path / "20260102_030405"))
    assert (found.benchmark, found.mode, found.runner) == expected
    assert found.unfit == ()


def test_energy_pictures_and_traces_come_along(tmp_path: Path) -> None:
    folder = maker.energy(tmp_path / "e")
    (folder / "energy_inf_000.png").write_bytes(b"png")
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    assert set(recognise(folder).files) == {"log.txt", "results.txt", "results.json", "energy_inf_000.png"}
    eembc = maker.eembc_performance(tmp_path / "x")
    maker.eembc_trace(eembc)
    assert set(recognise(eembc).files) == {"log.txt", "results.txt", "script.async", "trace1-energy.bin", "trace1-timestamps.json"}


def test_sessions_are_found_below_a_folder_and_unfinished_ones_are_not(tmp_path: Path) -> None:
    sessions(tmp_path / "runs", ("kws",))
    (tmp_path / "runs" / "unfinished").mkdir()
    (tmp_path / "runs" / "unfinished" / "log.txt").write_text("x", encoding="utf-8")
    assert [(found.benchmark, found.mode) for found in find_sessions([tmp_path])] == [
        ("kws", "accuracy"),
        ("kws", "energy"),
        ("kws", "performance"),
    ]


def test_a_session_named_twice_counts_once(tmp_path: Path) -> None:
    folder = maker.performance(tmp_path / "p")
    assert len(find_sessions([folder, tmp_path])) == 1


def test_two_sessions_for_one_thing_are_refused(tmp_path: Path) -> None:
    maker.performance(tmp_path / "one")
    maker.performance(tmp_path / "two")
    with pytest.raises(UsageError, match="2 sessions of kws performance were found"):
        find_sessions([tmp_path])


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no finished session"):
        find_sessions([tmp_path])
    with pytest.raises(UsageError, match="there are no sessions at"):
        find_sessions([tmp_path / "missing"])


def test_a_session_of_nothing_known_is_refused(tmp_path: Path) -> None:
    folder = maker.performance(tmp_path / "p")
    (folder / "log.txt").write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ResultsError, match="not a session of a benchmark") as caught:
        recognise(folder)
    assert "the device's model is not in log.txt" in str(caught.value)
    with pytest.raises(ResultsError, match="is not a finished session"):
        recognise(tmp_path)


def test_what_is_simulated_or_embedded_is_recognised(tmp_path: Path) -> None:
    assert recognise(maker.performance(tmp_path / "s", simulated="virtual board")).unfit == ("simulated: virtual board",)
    folder = maker.performance(tmp_path / "e")
    log = folder / "log.txt"
    log.write_text(log.read_text(encoding="utf-8").replace("tst_000000_Word_0", "emb_0000_Down_0"), encoding="utf-8")
    assert [reason.split(":")[0] for reason in recognise(folder).unfit] == ["embedded"]


def test_what_is_of_the_open_division_is_recognised(tmp_path: Path) -> None:
    folder = maker.performance(tmp_path / "s", open_division="9 channels removed")
    assert recognise(folder).open_division == "9 channels removed"
    for name in ("log.txt", "results.txt"):
        lines = (folder / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / name).write_text("".join(line for line in lines if not line.startswith("OPEN")), encoding="utf-8")
    assert recognise(folder).open_division == "its session says so", "results.json still does"
    assert recognise(maker.performance(tmp_path / "c")).open_division == ""


def outcome(folder: Path, **changes: Any) -> Path:
    maker.performance(folder / "sessions" / "p")
    entry = {"benchmark": "kws", "mode": "performance", "session": "sessions/p", "firmware_sha256": "ab" * 32, "simulated": False}
    derived = {**entry, "mode": "energy", "derived": True}
    document = {"assets": "mlcommons", "engine": "microtvm", "tools": {"cm4tiny": "0.1.0"}, "results": [entry, derived], **changes}
    (folder / "outcome.json").write_text(json.dumps(document), encoding="utf-8")
    return folder / "outcome.json"


def test_an_outcome_names_its_sessions_firmware_and_tools(tmp_path: Path) -> None:
    (found,) = find_sessions([outcome(tmp_path)])
    assert (found.firmware, found.engine, found.unfit) == ("ab" * 32, "microtvm", ())
    assert find_sessions([tmp_path])[0].firmware == found.firmware


def test_an_outcome_with_embedded_assets_is_unfit(tmp_path: Path) -> None:
    (found,) = find_sessions([outcome(tmp_path, assets="embedded")])
    assert found.unfit == ("embedded: model and samples are this project's own, not MLPerf Tiny's",)


def test_an_outcome_can_say_that_a_session_is_of_the_open_division(tmp_path: Path) -> None:
    assert find_sessions([outcome(tmp_path / "closed")])[0].open_division == ""
    path = outcome(tmp_path / "open")
    document = json.loads(path.read_text(encoding="utf-8"))
    document["results"][0] |= {"division": "open", "division_reason": "9 channels removed"}
    path.write_text(json.dumps(document), encoding="utf-8")
    assert find_sessions([path])[0].open_division == "9 channels removed"
    del document["results"][0]["division_reason"]
    path.write_text(json.dumps(document), encoding="utf-8")
    assert find_sessions([path])[0].open_division == "the run's outcome says so"
    silent = outcome(tmp_path / "silent")
    shutil.rmtree(tmp_path / "silent" / "sessions")
    maker.performance(tmp_path / "silent" / "sessions" / "p", open_division="9 channels removed")
    assert find_sessions([silent])[0].open_division == "9 channels removed", "the session's own mark stays"


@pytest.mark.parametrize("changes", [{"results": 3}, {"results": [{}]}, {"results": [{"session": "../../etc"}]}, {"tools": 3}])
def test_a_damaged_outcome_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ResultsError):
        find_sessions([outcome(tmp_path, **changes)])


# --- systems ------------------------------------------------------------------------------------------------------------------
def test_a_description_has_every_field_once_in_the_templates_order() -> None:
    found = describe(
        "Example", "closed", "rdi", "NUCLEO_L4R5ZI", {"Hardware Notes": "3 V", "SoC Name": "mine"}, {"Inference Framework": "f"}
    )
    assert tuple(found) == FIELDS
    assert (found["Board Name"], found["SoC Name"], found["Inference Framework"]) == ("NUCLEO-L4R5ZI", "mine", "f")


def test_wrong_fields_and_boards_are_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="not a field of a system description") as caught:
        describe("a", "closed", "rdi", "", {"Board Nam": "x"}, {})
    assert "'Board Name'" in str(caught.value)
    with pytest.raises(UsageError, match="is not part of the description"):
        describe("a", "closed", "rdi", "", {"Status": "x"}, {})
    with pytest.raises(UsageError, match="NUCLEO_L4R5Z") as caught:
        describe("a", "closed", "rdi", "NUCLEO_L4R5Z", {}, {})
    assert "'NUCLEO_L4R5ZI'" in str(caught.value)


def test_the_table_of_boards_is_checked(tmp_path: Path) -> None:
    assert "NUCLEO_L4R5ZI" in boards()
    table = tmp_path / "boards.yaml"
    table.write_text("version: 1\nboards: {A: {source: x, fields: {Board Name: A, Processor(s) Name: B, Colour: red}}}\n", encoding="utf-8")
    with pytest.raises(AssetError, match="table of boards") as caught:
        boards(table)
    assert "Colour" in str(caught.value)


# --- answers ------------------------------------------------------------------------------------------------------------------
EXAMPLE = """
submitter: Example
division: open
round: v1.3
checklist: docs/list.pdf
systems:
  - name: A
    board: NUCLEO_L4R5ZI
    sessions: [runs]
    description: {Hardware Notes: at 3 V}
  - name: B
    sessions: [/elsewhere]
    status: rdi
"""


def test_answers_are_read_with_paths_from_their_folder(tmp_path: Path) -> None:
    (tmp_path / "answers.yaml").write_text(EXAMPLE, encoding="utf-8")
    found = read_answers(tmp_path / "answers.yaml")
    assert (found.submitter, found.division, found.round) == ("Example", "open", "v1.3")
    assert found.checklist == tmp_path / "docs" / "list.pdf"
    assert [system.sessions for system in found.systems] == [(tmp_path / "runs",), (Path("/elsewhere"),)]
    assert [system.status for system in found.systems] == ["available", "rdi"]
    assert found.systems[0].implementation == "A"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("submitter: Example\n", ""), "'submitter' is a required property"),
        (("division: open", "division: network"), "network"),
        (("name: A", "name: a/../b"), "does not match"),
        (("name: B", "name: a"), "two systems are called a"),
        (("round: v1.3", "round: v1.1"), "v1.1"),
        (("systems:", "systems: ["), "cannot be read"),
    ],
)
def test_wrong_answers_are_refused_with_the_place(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    (tmp_path / "answers.yaml").write_text(EXAMPLE.replace(*change), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_answers(tmp_path / "answers.yaml")
    assert message in str(caught.value)


def test_missing_answers_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_answers(tmp_path / "missing.yaml")


def test_options_make_one_system(tmp_path: Path) -> None:
    options = {"submitter": "Example", "board": "NUCLEO_L4R5ZI", "sessions": "/a,/b", "framework": "F", "division": "", "system": ""}
    found = parse_answers(from_options(options), tmp_path, "options")
    assert found.systems[0].name == "NUCLEO_L4R5ZI"
    assert found.systems[0].sessions == (Path("/a"), Path("/b"))
    assert found.systems[0].description == {"Inference Framework": "F"}


# --- generation ---------------------------------------------------------------------------------------------------------------
def test_a_submission_is_complete(tmp_path: Path) -> None:
    done = valid_submission(tmp_path)
    names = {path.relative_to(done.folder).as_posix() for path in done.folder.rglob("*") if path.is_file()}
    modes = [f"results/BOARD_A/{b}/{m}/{f}" for b in ("ic", "kws") for m in ("accuracy", "energy", "performance")
             for f in ("log.txt", "results.json", "results.txt")]  # fmt: skip
    code = [f"code/{b}/example/{f}" for b in ("ic", "kws") for f in ("README.md", "main.c")]
    systems = ["systems/BOARD_A.json", "systems/Energy-Hookup.png", "systems/TinyMLPerf_v1.4_Submission_Checklist.pdf"]
    assert names == {"README.md", "SHA256SUMS", *modes, *code, *systems}
    assert done.review.passed
    assert done.draft_reasons == ()
    assert "| BOARD_A | kws | 22.856 | 95.8 | 2220.7313 uJ/inf. |" in (done.folder / "README.md").read_text(encoding="utf-8")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_the_checksums_are_those_of_sha256sum(tmp_path: Path) -> None:
    done = valid_submission(tmp_path)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=done.folder, check=True)


def test_the_same_sessions_give_the_same_bytes(tmp_path: Path) -> None:
    sums = [(valid_submission(tmp_path / name).folder / "SHA256SUMS").read_bytes() for name in ("a", "b")]
    assert sums[0] == sums[1]


def test_an_open_submission_and_the_older_round(tmp_path: Path) -> None:
    assert valid_submission(tmp_path, division="open", round_id="v1.3").folder == tmp_path / "submission" / "open" / "Example"


def test_a_second_system_is_added_and_the_first_stays(tmp_path: Path) -> None:
    done = valid_submission(tmp_path)
    maker.performance(tmp_path / "more" / "p", "kws", seconds=11)
    maker.accuracy(tmp_path / "more" / "a", "kws", wrong=2)
    given = answers(tmp_path / "documents", tmp_path / "more", name="BOARD_B")
    added = submit(given, done.root, add=True)
    assert {path.name for path in (added.folder / "results").iterdir()} == {"BOARD_A", "BOARD_B"}
    assert len(added.review.replay.results) == 3
    assert "BOARD_B" in (added.folder / "README.md").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="has a system BOARD_B already"):
        submit(given, done.root, add=True)


def test_a_submission_is_never_written_over_another(tmp_path: Path) -> None:
    done = valid_submission(tmp_path)
    before = (done.folder / "SHA256SUMS").read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        submit(answers(tmp_path / "documents", tmp_path / "sessions"), done.root)
    assert (done.folder / "SHA256SUMS").read_bytes() == before


def test_eembc_sessions_get_their_marker(tmp_path: Path) -> None:
    maker.eembc_performance(tmp_path / "s" / "p")
    maker.eembc_accuracy(tmp_path / "s" / "a")
    done = submit(answers(tmp_path / "documents", tmp_path / "s", round_id="v1.3"), tmp_path / "out")
    assert (done.folder / "results" / "BOARD_A" / "kws" / "EEMBC_RUNNER").is_file()


def test_what_the_audit_refuses_is_not_written(tmp_path: Path) -> None:
    maker.performance(tmp_path / "s" / "p", seconds=9)
    maker.accuracy(tmp_path / "s" / "a")
    with pytest.raises(RuleError, match="the audit refuses the submission; nothing was written") as caught:
        submit(answers(tmp_path / "documents", tmp_path / "s"), tmp_path / "out")
    assert "windows.too-short" in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".submission-*"))


def test_simulated_results_are_refused_but_for_a_marked_draft(tmp_path: Path) -> None:
    maker.performance(tmp_path / "s" / "p", simulated="virtual board")
    maker.accuracy(tmp_path / "s" / "a")
    given = dataclasses.replace(answers(tmp_path / "documents", tmp_path / "s"), checklist=None)
    with pytest.raises(RuleError, match="these results cannot be submitted") as caught:
        submit(given, tmp_path / "out")
    assert "BOARD_A kws performance: simulated: virtual board" in str(caught.value)
    done = submit(given, tmp_path / "out", draft=True)
    assert "virtual board" in (done.folder / "DRAFT.md").read_text(encoding="utf-8")
    assert "draft" in (done.folder / "README.md").read_text(encoding="utf-8")
    description = json.loads((done.folder / "systems" / "BOARD_A.json").read_text(encoding="utf-8"))
    assert description["Hardware Notes"].startswith("DRAFT")
    assert {finding.rule for finding in done.review.errors} == {"documents.draft", "documents.checklist", "evidence.simulated"}


@pytest.mark.parametrize("draft", [False, True])
def test_results_of_the_open_division_are_refused_in_the_closed_one(tmp_path: Path, draft: bool) -> None:
    maker.performance(tmp_path / "s" / "p", open_division="9 channels removed")
    maker.accuracy(tmp_path / "s" / "a")
    with pytest.raises(RuleError, match="cannot be submitted to the closed one") as caught:
        submit(answers(tmp_path / "documents", tmp_path / "s"), tmp_path / "out", draft=draft)
    assert "BOARD_A kws performance: 9 channels removed" in str(caught.value)
    assert "--division=open" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_results_of_the_open_division_can_be_submitted_there(tmp_path: Path) -> None:
    maker.performance(tmp_path / "s" / "p", open_division="9 channels removed")
    maker.accuracy(tmp_path / "s" / "a")
    done = submit(answers(tmp_path / "documents", tmp_path / "s", division="open"), tmp_path / "out")
    assert done.folder == tmp_path / "out" / "open" / "Example"
    assert "open division" in (done.folder / "README.md").read_text(encoding="utf-8").splitlines()[0]
    assert not any(finding.rule == "evidence.open-division" for finding in done.review.findings)


def test_a_draft_is_held_to_all_other_rules(tmp_path: Path) -> None:
    maker.performance(tmp_path / "s" / "p", seconds=9, simulated="virtual board")
    maker.accuracy(tmp_path / "s" / "a")
    with pytest.raises(RuleError, match="the audit refuses the draft"):
        submit(answers(tmp_path / "documents", tmp_path / "s"), tmp_path / "out", draft=True)


def test_missing_code_and_documents_are_named(tmp_path: Path) -> None:
    sources = sessions(tmp_path / "s", ("kws",))
    given = answers(tmp_path / "documents", sources)
    without = dataclasses.replace(given, systems=(dataclasses.replace(given.systems[0], code=None),))
    with pytest.raises(UsageError, match="comes without the code of kws"):
        submit(without, tmp_path / "out")
    nowhere = dataclasses.replace(given, systems=(dataclasses.replace(given.systems[0], code=tmp_path / "nowhere"),))
    with pytest.raises(UsageError, match="missing or empty"):
        submit(nowhere, tmp_path / "out")
    with pytest.raises(UsageError, match="is not a file"):
        submit(dataclasses.replace(given, checklist=tmp_path / "nowhere.pdf"), tmp_path / "out")
    with pytest.raises(RuleError, match=r"documents\.checklist"):
        raise_from(lambda: submit(dataclasses.replace(given, checklist=None), tmp_path / "out"))


def raise_from(function: Callable[[], object]) -> None:
    """Calls and puts an error's whole text into its message."""
    try:
        function()
    except RuleError as error:
        raise RuleError(str(error)) from error


def test_links_and_leftovers_do_not_get_into_the_code(tmp_path: Path) -> None:
    sources = sessions(tmp_path / "s", ("kws",), energy=False)
    given = answers(tmp_path / "documents", sources)
    code = tmp_path / "documents" / "code"
    (code / "__pycache__").mkdir()
    (code / "__pycache__" / "x.pyc").write_bytes(b"x")
    (code / ".git").mkdir()
    (code / ".git" / "HEAD").write_text("x", encoding="utf-8")
    (code / "empty" / "deep").mkdir(parents=True)
    done = submit(given, tmp_path / "out")
    assert {path.name for path in (done.folder / "code" / "kws" / "example").iterdir()} == {"main.c", "README.md"}
    (code / "link").symlink_to("/etc")
    with pytest.raises(UsageError, match="is a symbolic link"):
        submit(given, tmp_path / "other")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    given = answers(tmp_path / "documents", sessions(tmp_path / "s", ("kws",), energy=False))
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ResultsError, match="nothing can be written next to"):
        submit(given, tmp_path / "file" / "out" / "deep")


def test_the_old_submission_comes_back_if_the_new_one_cannot_take_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = valid_submission(tmp_path)
    before = (done.folder / "SHA256SUMS").read_bytes()
    maker.performance(tmp_path / "more" / "p", "kws", seconds=11)
    maker.accuracy(tmp_path / "more" / "a", "kws", wrong=2)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if ".submission-" in str(self) and "replaced" not in self.name:
            raise OSError(16, "Device or resource busy")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(BusyError, match="cannot be replaced"):
        submit(answers(tmp_path / "documents", tmp_path / "more", name="BOARD_B"), done.root, add=True)
    assert (done.folder / "SHA256SUMS").read_bytes() == before


# --- code of this project's own images ----------------------------------------------------------------------------------------
def built(cache: Path) -> str:
    """A folder as the build step leaves it; returns the image's hash."""
    folder = cache / "build_1" / "firmware"
    folder.mkdir(parents=True)
    (folder / "kws-performance.elf").write_bytes(b"\x7fELF image")
    for name in ("model.c", "model.h"):
        (folder / name).write_text(name, encoding="utf-8")
    digest = hashlib.sha256(b"\x7fELF image").hexdigest()
    model = embedded_model("kws")
    record = {
        "benchmark": "kws", "engine": "microtvm", "mode": "performance", "tools": {"cm4tiny": "0.1.0"},
        "model": {"name": model.name, "sha256": hashlib.sha256(model.read_bytes()).hexdigest(), "bytes": 1},
        "elf": {"name": "kws-performance.elf", "sha256": digest, "bytes": 10},
    }  # fmt: skip
    sources = {"generated/model.c": hashlib.sha256(b"model.c").hexdigest(), "generated/model.h": hashlib.sha256(b"model.h").hexdigest()}
    sources["harness/main.c"] = hashlib.sha256((firmware_sources() / "harness" / "main.c").read_bytes()).hexdigest()
    (folder / "firmware.json").write_text(json.dumps(record), encoding="utf-8")
    (folder / "build.json").write_text(
        json.dumps({"board": {"start_up": "stm32l4r5"}, "sources": sources, "commands": []}), encoding="utf-8"
    )
    return digest


def own_run(folder: Path, digest: str) -> Answers:
    path = outcome(folder / "run")
    document = json.loads(path.read_text(encoding="utf-8"))
    document["results"][0]["firmware_sha256"] = digest
    maker.accuracy(folder / "run" / "sessions" / "a")
    document["results"].append({**document["results"][0], "mode": "accuracy", "session": "sessions/a"})
    path.write_text(json.dumps(document), encoding="utf-8")
    given = answers(folder / "documents", path)
    return dataclasses.replace(given, systems=(dataclasses.replace(given.systems[0], code=None, description={}),))


def test_the_code_of_an_own_run_is_found_by_the_images_hash(tmp_path: Path) -> None:
    digest = built(tmp_path / "cache")
    done = submit(own_run(tmp_path, digest), tmp_path / "out", caches=[tmp_path / "nothing", tmp_path / "cache"])
    folder = done.folder / "code" / "kws" / "example" / "performance"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    own = {"README.md", "build.json", "firmware.json", "kws-performance.elf", embedded_model("kws").name}
    assert names == {*own, "generated/model.c", "generated/model.h", "harness/main.c"}
    description = json.loads((done.folder / "systems" / "BOARD_A.json").read_text(encoding="utf-8"))
    assert description["Inference Framework"] == "microtvm (cm4tiny 0.1.0)"
    assert "build,firmware,mlperf,tiny,_kws" in (done.folder / "README.md").read_text(encoding="utf-8")


def test_an_image_that_is_gone_or_has_other_sources_is_an_error(tmp_path: Path) -> None:
    digest = built(tmp_path / "cache")
    with pytest.raises(ResultsError, match="cannot be found with all its sources"):
        find_image("00" * 32, [tmp_path / "cache"])
    (tmp_path / "cache" / "build_1" / "firmware" / "model.c").write_text("changed", encoding="utf-8")
    with pytest.raises(ResultsError, match="cannot be found") as caught:
        find_image(digest, [tmp_path / "cache"])
    assert "generated/model.c has changed since" in str(caught.value)
    (tmp_path / "cache" / "build_1" / "firmware" / "build.json").write_text("{", encoding="utf-8")
    with pytest.raises(ResultsError, match="cannot be found"):
        find_image(digest, [tmp_path / "cache"])


def test_a_model_that_is_not_at_hand_is_asked_for(tmp_path: Path) -> None:
    digest = built(tmp_path / "cache")
    record = tmp_path / "cache" / "build_1" / "firmware" / "firmware.json"
    (tmp_path / "mine.tflite").write_bytes(b"mine")
    document = json.loads(record.read_text(encoding="utf-8"))
    document["model"].update(name="mine.tflite", sha256=hashlib.sha256(b"mine").hexdigest())
    record.write_text(json.dumps(document), encoding="utf-8")
    given = own_run(tmp_path, digest)
    with pytest.raises(ResultsError, match=r"the model mine\.tflite of kws cannot be found"):
        submit(given, tmp_path / "out", caches=[tmp_path / "cache"])
    named = dataclasses.replace(given, models={"kws": tmp_path / "mine.tflite"})
    done = submit(named, tmp_path / "out", caches=[tmp_path / "cache"])
    assert (done.folder / "code/kws/example/performance/mine.tflite").read_bytes() == b"mine"


def test_a_build_record_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    digest = built(tmp_path / "cache")
    path = tmp_path / "cache" / "build_1" / "firmware" / "build.json"
    outside = hashlib.sha256((firmware_sources() / "harness" / "main.c").read_bytes()).hexdigest()
    path.write_text(json.dumps({"sources": {"harness/../harness/../../../x/../firmware/harness/main.c": outside}}), encoding="utf-8")
    with pytest.raises(ResultsError):
        submit(own_run(tmp_path, digest), tmp_path / "out", caches=[tmp_path / "cache"])
    assert not (tmp_path / "out").exists()


# --- documentation ------------------------------------------------------------------------------------------------------------
def test_the_guide_lists_all_boards_and_fields_and_its_example_is_valid(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "submit.md").read_text(encoding="utf-8")
    for board in boards():
        assert f"| `{board}` |" in text
    for name in FIELDS[3:]:
        assert f"- {name}\n" in text
    (tmp_path / "answers.yaml").write_text(text.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    found = read_answers(tmp_path / "answers.yaml")
    assert [system.name for system in found.systems] == ["NUCLEO_L4R5ZI", "NUCLEO_L4R5ZI_70MHz"]
    for system in found.systems:
        describe(found.submitter, found.division, system.status, system.board, system.description, {})
