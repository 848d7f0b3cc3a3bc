# SPDX-License-Identifier: Apache-2.0
"""Lines of unknown origin are read in bounded memory, and what is odd about them is recorded."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm4tiny.results.rounds import lines as lines_module
from cm4tiny.results.rounds.lines import MAX_LINE_BYTES, LineFile, Sink, printable


def read(path: Path, data: bytes, wanted: tuple[bytes, ...] = ()) -> tuple[list[tuple[int, bytes]], LineFile, dict[str, tuple[int, int]]]:
    path.write_bytes(data)
    sink = Sink("log.txt")
    file = LineFile(path, sink, wanted)
    found = list(file)
    return found, file, {record.kind: (record.line, record.count) for record in sink.records()}


def test_lines_have_numbers_and_no_line_ends(tmp_path: Path) -> None:
    found, file, odd = read(tmp_path / "a", b"one\n\ntwo\n")
    assert found == [(1, b"one"), (2, b""), (3, b"two")]
    assert (file.whole, file.last, file.size, file.sha256) == (True, 3, 9, hashlib.sha256(b"one\n\ntwo\n").hexdigest())
    assert odd == {}


def test_a_last_line_without_end_is_known_to_be_open_when_it_is_delivered(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\ntw")
    file = LineFile(tmp_path / "a", Sink("a"))
    seen = [(number, line, file.whole, file.last) for number, line in file]
    assert seen[1] == (2, b"tw", False, 2)


def test_only_wanted_lines_are_delivered_with_their_numbers(tmp_path: Path) -> None:
    found, file, _ = read(tmp_path / "a", b"x\nm-a m-a\ny\nm-b\nm-a", (b"m-a", b"m-b"))
    assert found == [(2, b"m-a m-a"), (4, b"m-b"), (5, b"m-a")]
    assert file.last == 5


def test_a_file_of_windows_lines_is_recorded_as_such(tmp_path: Path) -> None:
    found, _, odd = read(tmp_path / "a", b"one\r\ntwo\r\n")
    assert found == [(1, b"one"), (2, b"two")]
    assert odd == {"crlf": (1, 2)}


def test_both_line_ends_in_one_file_are_recorded(tmp_path: Path) -> None:
    _, _, odd = read(tmp_path / "a", b"one\ntwo\r\nthree\n")
    assert odd == {"crlf": (2, 1), "mixed-line-ends": (0, 1)}


def test_a_carriage_return_inside_a_line_does_not_split_it(tmp_path: Path) -> None:
    found, _, odd = read(tmp_path / "a", b"one\ndut: \rm-lap-us-1\r\n")
    assert found == [(1, b"one"), (2, b"dut: m-lap-us-1")]
    assert odd["stray-cr"] == (2, 1)


def test_nul_and_colours_and_byte_order_mark_are_recorded(tmp_path: Path) -> None:
    found, _, odd = read(tmp_path / "a", b"\xef\xbb\xbfone\nt\0wo\n\x1b[32mOK\n")
    assert found[:2] == [(1, b"one"), (2, b"two")]
    assert odd == {"byte-order-mark": (1, 1), "nul": (2, 1), "colour-code": (3, 1)}


@pytest.mark.parametrize("tail", [b"", b"\n", b"\nlast\n", b"\nlast"])
def test_an_endless_line_is_cut_and_what_follows_is_read(tmp_path: Path, tail: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "CHUNK_BYTES", 10_000)
    found, file, odd = read(tmp_path / "a", b"one\n" + b"x" * (5 * MAX_LINE_BYTES) + tail)
    assert found[0] == (1, b"one")
    assert found[1] == (2, b"x" * MAX_LINE_BYTES)
    assert found[2:] == ([(3, b"last")] if b"last" in tail else [])
    assert odd["long-line"] == (2, 1)
    assert file.size == 4 + 5 * MAX_LINE_BYTES + len(tail)


@given(st.lists(st.binary(max_size=30).filter(lambda b: b"\n" not in b), max_size=30), st.booleans(), st.integers(1, 50))
def test_any_bytes_give_the_lines_that_a_simple_split_gives(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], end: bool, chunk: int
) -> None:
    data = b"\n".join(parts) + (b"\n" if end else b"")
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "CHUNK_BYTES", chunk)
        folder = tmp_path_factory.mktemp("lines")
        found, _, _ = read(folder / "a", data)
        chosen, _, _ = read(folder / "a", data, (b"a", b"m-"))
    simple = data.split(b"\n")[: -1 if data.endswith(b"\n") or not data else None]
    cleaned = [(number, line.replace(b"\r", b"").replace(b"\0", b"")) for number, line in enumerate(simple, 1)]
    assert found == cleaned
    assert chosen == [(n, line) for (n, line), raw in zip(cleaned, simple, strict=True) if b"a" in raw or b"m-" in raw]


def test_what_is_shown_of_a_line_is_plain_ascii() -> None:
    assert printable(b"a\x1b[32m\xff" + b"b" * 200).startswith("a\\x1b[32m\\xff")
    assert len(printable(b"b" * 200)) == 80
    assert printable("\u2028z") == "\\xe2\\x80\\xa8z"
