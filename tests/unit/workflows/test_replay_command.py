# SPDX-License-Identifier: Apache-2.0
"""The replay as a command: files, summary and an exit status that tells the truth."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from support.sessions import five_windows, result_folder, write

from cm4tiny.cm import Step
from cm4tiny.errors import MismatchError, ResultsError, UsageError
from cm4tiny.events import SILENT, Event, EventStream, Finished, Progress
from cm4tiny.results.files import write_whole
from cm4tiny.results.replay import COLUMNS, expected, replay
from cm4tiny.results.replay.output import junit_text
from cm4tiny.results.rounds import Check, LabelLists
from cm4tiny.workflows.replay_mlperf_tiny import ReplayOptions, ReplayOutcome, ReplayRequest, replay_request, run_replay


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two rounds: a true claim in v1.1, a false one in v0.7."""
    write(result_folder(tmp_path) / "performance", log=five_windows().log(), results=five_windows().results())
    write(
        result_folder(tmp_path, round_id="v0.7") / "performance", log=five_windows().log(), results=five_windows().results(median="9.000")
    )
    return tmp_path


def run(root: Path, **changes: object) -> ReplayOutcome:
    request = ReplayRequest((root,), root / "out", offline=True, jobs=1)
    return run_replay(dataclasses.replace(request, **changes))  # type: ignore[arg-type]


def test_three_files_are_written_and_a_mismatch_fails(root: Path) -> None:
    outcome = run(root)
    rows = list(csv.DictReader((root / "out" / "replay.csv").open()))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["round"], row["status"]) for row in rows] == [("v0.7", "mismatch"), ("v1.1", "match")]
    assert json.loads((root / "out" / "audit.json").read_text())["rounds"] == ["v0.7", "v1.1"]
    suites = ElementTree.parse(root / "out" / "junit.xml").getroot()
    assert (suites.get("tests"), suites.get("failures"), suites.get("skipped")) == ("2", "1", "0")
    assert outcome.failures == ("v0.7 closed/someone/results/board/kws/performance: throughput 9.000 claimed, 8.332 recomputed",)
    assert "MISMATCH: v0.7 closed/someone" in outcome.summary
    with pytest.raises(MismatchError, match=r"9\.000 claimed, 8\.332 recomputed") as caught:
        outcome.raise_if_failed()
    assert caught.value.as_cm()["return"] == 3


def test_a_round_whose_claims_hold_does_not_fail(root: Path) -> None:
    outcome = run(root, round_id="v1.1")
    assert outcome.failures == ()
    outcome.raise_if_failed()


def test_what_cannot_be_checked_fails_only_if_asked(root: Path) -> None:
    (root / "tiny_results_v1.1/closed/someone/results/board/kws/performance/log.txt").unlink()
    assert run(root, round_id="v1.1").failures == ()
    assert "cannot be checked" in run(root, round_id="v1.1", strict=True).failures[0]


def test_known_mismatches_can_be_accepted_but_only_with_their_own_figures(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {
        "round": "v0.7",
        "path": "closed/someone/results/board/kws/performance",
        "metric": "throughput",
        "claimed": "9.000",
        "recomputed": "8.332",
    }
    monkeypatch.setattr(expected, "load_table", lambda *_: {"mismatches": [row]})
    outcome = run(root, accept_known=True)
    assert outcome.failures == ()
    assert "MISMATCH (known)" in outcome.summary
    assert ElementTree.parse(root / "out" / "junit.xml").getroot().get("failures") == "0"
    row["recomputed"] = "8.331"
    assert len(run(root, accept_known=True).failures) == 1


def test_the_outcome_can_be_compared_with_an_earlier_one(root: Path) -> None:
    run(root)
    expected = root / "expected.csv"
    expected.write_bytes((root / "out" / "replay.csv").read_bytes())
    assert run(root, expect=expected).failures == ()
    assert run(root, expect=expected, round_id="v1.1").failures == ()
    changed = expected.read_text().replace("8.332,8.332,match", "8.333,8.332,mismatch")
    expected.write_text(changed + "v0.7,closed/x,kws,performance,eembc,throughput,1,1,match,\n")
    failures = run(root, expect=expected).failures
    assert failures[0].endswith("expected, but not found")
    assert "claimed '8.332' instead of '8.333', status 'match' instead of 'mismatch'" in failures[1]
    expected.write_text("\n".join(line for line in changed.splitlines() if "v0.7" not in line) + "\n")
    assert "not expected" in run(root, expect=expected).failures[0]


@pytest.mark.parametrize("content", [None, "a,b\n1,2\n", "\xff"])
def test_an_expected_table_that_is_none_is_an_error(root: Path, content: str | None) -> None:
    path = root / "expected.csv"
    if content is not None:
        path.write_text(content, encoding="latin-1")
    with pytest.raises(ResultsError, match=r"expected\.csv"):
        run(root, expect=path)


def test_nothing_to_replay_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to replay"):
        run_replay(ReplayRequest((), tmp_path))
    (tmp_path / "tiny_results_v1.1" / "closed").mkdir(parents=True)
    with pytest.raises(ResultsError, match="no result was found"):
        run(tmp_path)


def test_a_round_that_is_there_twice_is_an_error(root: Path) -> None:
    (root / "copy").mkdir()
    (root / "copy" / "tiny_results_v1.1" / "closed").mkdir(parents=True)
    with pytest.raises(ResultsError, match=r"round v1\.1 is there twice"):
        replay([root, root / "copy"], LabelLists(), jobs=1)


def test_an_unwritable_folder_is_named(root: Path) -> None:
    (root / "out").write_text("a file")
    with pytest.raises(ResultsError, match="cannot be written"):
        run(root)


def test_several_processes_find_the_same_as_one(root: Path) -> None:
    alone, together = replay([root], LabelLists(), jobs=1), replay([root], LabelLists(), jobs=2)
    assert alone.checks == together.checks
    assert together.results[0].sessions["performance"].windows == alone.results[0].sessions["performance"].windows


def test_progress_is_told(root: Path) -> None:
    seen: list[Event] = []
    stream = EventStream()
    stream.subscribe(seen.append)
    replay([root], LabelLists(), jobs=1, events=stream)
    assert [event.done for event in seen if isinstance(event, Progress)] == [1, 2]
    assert isinstance(seen[-1], Finished) and seen[-1].note == "2 claims"


def test_hostile_names_do_not_break_the_files(tmp_path: Path) -> None:
    name = 'a\x01"<&>\udcff,b'
    folder = result_folder(tmp_path, system=name)
    write(folder / "performance", log=five_windows().log(), results=five_windows().results())
    run(tmp_path)
    suites = ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()
    assert suites.get("tests") == "1"
    assert len(list(csv.DictReader((tmp_path / "out" / "replay.csv").open(encoding="utf-8")))) == 1


def test_a_junit_case_tells_figures_and_cause() -> None:
    check = Check("v1.1", "closed/a", "kws", "performance", "eembc", "throughput", "", "8.3", "no-claim", "no results file submitted")
    assert 'skipped message="no-claim: claimed nothing, recomputed 8.3: no results file submitted"' in junit_text([check])
    noted = dataclasses.replace(check, claimed="8.3", status="match", cause="window &lt;10 s")
    assert "<system-out>" in junit_text([noted])


def test_a_request_is_made_from_an_environment() -> None:
    env: dict[str, Any] = {"CM_TINY_ROUND": "all", "CM_TINY_JOBS": "3", "CM_TINY_REPLAY_STRICT": True, "CM_TINY_REPLAY_ACCEPT_KNOWN": "no"}
    env |= {"CM_TINY_REPLAY_LABELS": "labels", "CM_TINY_OUTDIR": "/out", "CM_TMP_CURRENT_PATH": "/user"}
    request = replay_request(Step({**env, "CM_TINY_REPLAY_PATH": "/a"}, SILENT, Path("/folder")).options(ReplayOptions))
    assert request == ReplayRequest((Path("/a"),), Path("/out"), labels=Path("/user/labels"), jobs=3, strict=True)
    fetched = {"CM_MLPERF_TINY_RESULTS_V1_1": "/one", "CM_MLPERF_TINY_RESULTS_V1_0": "/zero"}
    assert replay_request(Step({**env, **fetched}, SILENT, Path("/folder")).options(ReplayOptions)).paths == (Path("/zero"), Path("/one"))
    with pytest.raises(UsageError, match="--jobs=x"):
        replay_request(Step({"CM_TINY_JOBS": "x"}, SILENT, Path("/folder")).options(ReplayOptions))


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    assert write_whole(tmp_path / "a" / "b.txt", "\udcff\u00e4").read_bytes() == b"\\udcff\xc3\xa4"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]
