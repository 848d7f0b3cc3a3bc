# SPDX-License-Identifier: Apache-2.0
"""Sessions on disk: streaming log, results that are there completely or not at all, labels."""

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from fake_dut import FIXED_NOW, FakeDut, make_data_set

from cm4tiny.errors import ResultsError
from cm4tiny.runner import Dut, SessionWriter, run_accuracy, run_performance
from cm4tiny.runner import session as session_module
from cm4tiny.runner.journal import Journal, JournalKey

KEY = JournalKey("kws", "image", "data")


def test_a_session_has_a_folder_named_after_its_time_and_never_takes_another_ones(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        with SessionWriter(tmp_path / "sessions", now=lambda: FIXED_NOW) as session:
            names.append(session.folder.name)
    assert names == ["20260102_030405", "20260102_030405_2", "20260102_030405_3"]


def test_the_log_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    with SessionWriter(tmp_path, now=lambda: FIXED_NOW) as session:
        session.stamped("Load complete.")
        session.log("   leading blanks go")
        session.log("two\nlines become one")
        assert (session.folder / "log.txt").read_text().splitlines() == [
            "Logging initialized. Writing output to sessions/20260102_030405/log.txt",
            "0102.030405 ulp-mlperf: Load complete.",
            "leading blanks go",
            "two lines become one",
        ]
        assert not (session.folder / "results.txt").exists()


def test_results_appear_at_the_end_and_the_log_has_their_lines_too(tmp_path: Path) -> None:
    with SessionWriter(tmp_path, now=lambda: FIXED_NOW) as session:
        session.result("    Runtime: 10.5 sec.")
        session.result("AUC = 0.995", stamped=True)
        session.entry({"file": "a.bin"})
        folder = session.finish()
    assert (folder / "results.txt").read_text() == "    Runtime: 10.5 sec.\n0102.030405 ulp-mlperf: AUC = 0.995\n"
    assert json.loads((folder / "results.json").read_text()) == [{"file": "a.bin"}]
    assert "\nRuntime: 10.5 sec.\n" in (folder / "log.txt").read_text()
    assert sorted(p.name for p in folder.iterdir()) == ["log.txt", "results.json", "results.txt"]


def test_what_is_simulated_says_so_first_and_everywhere(tmp_path: Path) -> None:
    data_set = make_data_set(tmp_path / "data", "kws", 6)
    with SessionWriter(tmp_path / "s", simulated="virtual NUCLEO-L4R5ZI", now=lambda: FIXED_NOW) as session:
        run_performance(Dut(FakeDut()), data_set.benchmark, data_set, session)
    for name in ("log.txt", "results.txt"):
        first = (session.folder / name).read_text().splitlines()[0]
        assert first.startswith("SIMULATED: virtual NUCLEO-L4R5ZI;")
    assert all(entry["simulated"] is True for entry in json.loads((session.folder / "results.json").read_text()))


def test_the_label_is_not_taken_for_a_result(tmp_path: Path) -> None:
    data_set = make_data_set(tmp_path / "data", "kws", 24)
    with SessionWriter(tmp_path / "s", simulated="virtual board", now=lambda: FIXED_NOW) as session:
        result = run_accuracy(Dut(FakeDut()), data_set.benchmark, data_set, session)
    found = [m[1] for line in (session.folder / "results.txt").open() if (m := re.match(r".* Top[- ]1%?\s?[:=] ([\d.]+)", line))]
    assert found == [f"{result.top_1:.1f}"]
    with pytest.raises(ValueError, match="must not look like a result"):
        SessionWriter(tmp_path / "s", simulated="x Top 1% = 99.9")


def test_what_is_of_the_open_division_says_so_at_the_top_and_everywhere(tmp_path: Path) -> None:
    data_set = make_data_set(tmp_path / "data", "kws", 6)
    with SessionWriter(tmp_path / "s", simulated="virtual board", open_division="9 channels removed", now=lambda: FIXED_NOW) as session:
        run_performance(Dut(FakeDut()), data_set.benchmark, data_set, session)
    for name in ("log.txt", "results.txt"):
        lines = (session.folder / name).read_text().splitlines()
        assert lines[1] == "OPEN DIVISION: 9 channels removed; these numbers cannot be submitted to the closed division"
    entries = json.loads((session.folder / "results.json").read_text())
    assert all((entry["division"], entry["simulated"]) == ("open", True) for entry in entries)
    with pytest.raises(ValueError, match="must not look like a result"):
        SessionWriter(tmp_path / "s", open_division="x Top 1% = 99.9")


def test_hardware_is_not_labelled(tmp_path: Path) -> None:
    with SessionWriter(tmp_path) as session:
        session.entry({"file": "a"})
        session.finish()
    assert "SIMULATED" not in (session.folder / "log.txt").read_text()
    assert "OPEN" not in (session.folder / "log.txt").read_text()
    assert json.loads((session.folder / "results.json").read_text()) == [{"file": "a"}]


def full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_is_full_at_the_end_leaves_no_half_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SessionWriter(tmp_path) as session:
        session.result("AUC = 1.000", stamped=True)
        session.entry({"file": "a"})
        calls = []

        def full_the_second_time(fd: int) -> None:
            calls.append(fd)
            if len(calls) == 2:
                full_disk()

        monkeypatch.setattr(session_module.os, "fsync", full_the_second_time)
        with pytest.raises(ResultsError, match=r"results\.txt") as error:
            session.finish()
    assert "the disk is full" in error.value.why and "free some space" in error.value.hint
    assert [p.name for p in session.folder.iterdir()] == ["log.txt"]


class FullAfter:
    """A file that takes some bytes of a write and then no more, as a full disk does."""

    def __init__(self, stream: Any, room: int) -> None:
        self.stream, self.room, self.closed = stream, room, False

    def write(self, data: bytes) -> int:
        count: int = self.stream.write(data[: self.room])
        self.room -= count
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def test_a_log_on_a_full_disk_ends_with_a_whole_line(tmp_path: Path) -> None:
    with SessionWriter(tmp_path, now=lambda: FIXED_NOW) as session:
        session._log = FullAfter(session._log, 10)  # type: ignore[assignment]
        with pytest.raises(ResultsError, match=r"log\.txt") as error:
            session.log("a line that does not fit")
    assert error.value.why == "the disk is full"
    assert (session.folder / "log.txt").read_text().splitlines() == [
        "Logging initialized. Writing output to sessions/20260102_030405/log.txt"
    ]


def test_a_journal_on_a_full_disk_keeps_its_whole_lines(tmp_path: Path) -> None:
    data_set = make_data_set(tmp_path / "data", "kws", 20)
    path = tmp_path / "j.jsonl"
    key = JournalKey("kws", "image", "data")
    with Journal(path, key) as journal:
        dut = Dut(FakeDut())
        dut.load(next(iter(data_set.segments(data_set.samples[0]))))
        inference = dut.infer(1)
        journal.add(0, 0, inference)
        journal._stream = FullAfter(journal._stream, 7)  # type: ignore[assignment]
        with pytest.raises(ResultsError, match="cannot write") as error:
            journal.add(1, 0, inference)
    assert error.value.hint
    with Journal(path, key) as journal:
        assert list(journal.inferences) == [(0, 0)] and journal.note == ""


def test_a_folder_that_may_not_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ResultsError, match="cannot write") as error:
        SessionWriter(tmp_path / "file" / "sessions")
    assert "may write" in error.value.hint


def test_a_journal_that_cannot_be_read_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="cannot read the journal") as error:
        Journal(tmp_path, KEY)
    assert error.value.hint


@pytest.mark.parametrize(
    "line", [b"[]\n", b"{}\n", b'{"s":0,"g":0,"n":1,"w":0,"t":[1],"r":[0.5]}\n', b'{"s":0,"g":0,"n":1,"w":0,"t":null,"r":5}\n']
)
def test_a_damaged_line_in_a_journal_ends_what_is_taken_from_it(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "j.jsonl"
    with Journal(path, KEY):
        pass
    whole = path.read_bytes()
    good = b'{"s":0,"g":0,"n":1,"w":0,"t":[1,2],"r":[0.5]}\n'
    path.write_bytes(whole + good + line + good.replace(b'"s":0', b'"s":2'))
    with Journal(path, KEY) as journal:
        assert list(journal.inferences) == [(0, 0)]
        assert journal.inferences[0, 0].elapsed_us == 1
    assert path.read_bytes() == whole + good


def test_numbers_that_json_cannot_hold_are_not_written(tmp_path: Path) -> None:
    with SessionWriter(tmp_path) as session:
        session.entry({"value": float("nan")})
        with pytest.raises(ValueError, match="not JSON compliant"):
            session.finish()
    assert [p.name for p in session.folder.iterdir()] == ["log.txt"]
