# SPDX-License-Identifier: Apache-2.0
"""Downloads against a server that behaves badly: resuming, several addresses, digests, deadlines."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from support.faulty_server import FaultyServer, faulty_server

from cm4tiny.errors import AssetError, HashMismatchError
from cm4tiny.events import Event, EventStream, Message, Progress
from cm4tiny.fetch import Digest, Fetcher, Item, http
from cm4tiny.fetch.http import DownloadLimits

CONTENT = bytes(range(256)) * 40
IMPATIENT = DownloadLimits(connect_s=5, silent_s=0.5, grace_s=5, bytes_per_s=1e9, attempts=3, pause_s=0.01)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server(CONTENT) as running:
        yield running


def item(server: FaultyServer, *paths: str, size: int = len(CONTENT)) -> Item:
    return Item("file.bin", tuple(server.url(path) for path in paths), Digest("sha256", hashlib.sha256(CONTENT).hexdigest()), size)


def fetcher(tmp_path: Path, heard: list[Event] | None = None, limits: DownloadLimits = IMPATIENT) -> Fetcher:
    events = EventStream(heard.append) if heard is not None else EventStream()
    return Fetcher(None, tmp_path / "downloads", events, offline=False, limits=limits)


def leftovers(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "downloads").rglob("*") if path.is_file() and not path.name.endswith(".lock"))


@pytest.mark.parametrize("path", ["good", "noranges", "redirect", "500-once", "truncated"])
def test_a_file_arrives_whole_in_spite_of_what_a_server_does(server: FaultyServer, tmp_path: Path, path: str) -> None:
    assert fetcher(tmp_path, limits=DownloadLimits(pause_s=0.01)).get(item(server, path)).read_bytes() == CONTENT
    assert leftovers(tmp_path) == ["file.bin"]


def test_a_truncated_download_goes_on_where_it_stopped(server: FaultyServer, tmp_path: Path) -> None:
    fetcher(tmp_path, limits=DownloadLimits(pause_s=0.01)).get(item(server, "truncated"))
    starts = [int(asked.removeprefix("bytes=").rstrip("-") or 0) for _, asked in server.asked]
    assert starts[0] == 0 and len(starts) > 2 and starts == sorted(set(starts))


def test_an_interrupted_download_is_resumed_by_the_next_run(server: FaultyServer, tmp_path: Path) -> None:
    wanted = item(server, "good")
    part = fetcher(tmp_path).cached(wanted).with_name("file.bin.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:5000])
    assert fetcher(tmp_path).get(wanted).read_bytes() == CONTENT
    assert server.asked == [("good", "bytes=5000-")]


def test_a_part_of_another_file_costs_one_fresh_start_only(server: FaultyServer, tmp_path: Path) -> None:
    wanted = item(server, "good")
    part = fetcher(tmp_path).cached(wanted).with_name("file.bin.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 5000)
    assert fetcher(tmp_path).get(wanted).read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == ["bytes=5000-", ""]


def test_a_part_longer_than_the_file_is_thrown_away(server: FaultyServer, tmp_path: Path) -> None:
    wanted = item(server, "good")
    part = fetcher(tmp_path).cached(wanted).with_name("file.bin.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (len(CONTENT) + 1))
    assert fetcher(tmp_path).get(wanted).read_bytes() == CONTENT


def test_a_server_that_sends_another_range_is_asked_for_the_whole_file(server: FaultyServer, tmp_path: Path) -> None:
    wanted = item(server, "badrange")
    part = fetcher(tmp_path).cached(wanted).with_name("file.bin.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:5000])
    assert fetcher(tmp_path).get(wanted).read_bytes() == CONTENT
    assert server.asked == [("badrange", "bytes=5000-"), ("badrange", "")]


def test_wrong_bytes_are_kept_aside_and_both_digests_are_told(server: FaultyServer, tmp_path: Path) -> None:
    with pytest.raises(HashMismatchError) as caught:
        fetcher(tmp_path).get(item(server, "wrong"))
    wrong = hashlib.sha256(bytes(byte ^ 1 for byte in CONTENT)).hexdigest()
    text = str(caught.value)
    assert wrong in text and hashlib.sha256(CONTENT).hexdigest() in text and "hint" in text
    assert leftovers(tmp_path) == [f"file.bin.bad-{wrong[:16]}"]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("404", "404"),
        ("500", "500"),
        ("loop", "redirects for ever"),
        ("silent", "silent for"),
        ("cut-always", "ended after 10 of"),
        ("longer", "are expected"),
        ("shorter", "are expected"),
        ("endless", "more than"),
    ],
)
def test_a_download_that_fails_says_what_happened_and_leaves_no_file(server: FaultyServer, tmp_path: Path, path: str, why: str) -> None:
    with pytest.raises(AssetError) as caught:
        fetcher(tmp_path).get(item(server, path))
    text = str(caught.value)
    assert why in text and server.url(path) in text and "--mirror" in text
    assert "file.bin" not in leftovers(tmp_path)


def test_a_slow_server_meets_the_deadline_and_the_part_stays(server: FaultyServer, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="not available") as caught:
        fetcher(tmp_path, limits=DownloadLimits(grace_s=0.3, bytes_per_s=1e9)).get(item(server, "slow"))
    assert "too slow" in caught.value.why
    (part,) = leftovers(tmp_path)
    assert part == "file.bin.part"


@pytest.mark.parametrize("bad", ["404", "wrong", "loop", "shorter", "cut-always"])
def test_the_next_address_is_tried_and_the_user_hears_of_it(server: FaultyServer, tmp_path: Path, bad: str) -> None:
    heard: list[Event] = []
    assert fetcher(tmp_path, heard).get(item(server, bad, "good")).read_bytes() == CONTENT
    assert (
        any(isinstance(event, Message) and "another address" in event.text and server.url(bad) in event.text for event in heard)
        or bad == "wrong"
    )


def test_a_404_is_not_asked_for_twice(server: FaultyServer, tmp_path: Path) -> None:
    with pytest.raises(AssetError):
        fetcher(tmp_path).get(item(server, "404"))
    assert len(server.asked) == 1


def test_all_failures_are_told_when_no_address_works(server: FaultyServer, tmp_path: Path) -> None:
    with pytest.raises(AssetError) as caught:
        fetcher(tmp_path).get(item(server, "404", "loop"))
    assert "404" in caught.value.why and "redirects" in caught.value.why


def test_a_file_in_the_cache_is_not_asked_for_again(server: FaultyServer, tmp_path: Path) -> None:
    wanted = item(server, "good")
    assert fetcher(tmp_path).get(wanted) == fetcher(tmp_path).get(wanted)
    assert len(server.asked) == 1


def test_a_damaged_file_in_the_cache_is_kept_aside_and_fetched_again(server: FaultyServer, tmp_path: Path) -> None:
    wanted = item(server, "good")
    heard: list[Event] = []
    path = fetcher(tmp_path).get(wanted)
    path.write_bytes(b"damaged")
    assert fetcher(tmp_path, heard).get(wanted).read_bytes() == CONTENT
    assert any(isinstance(event, Message) and "damaged" in event.text for event in heard)
    assert any(".bad-" in name for name in leftovers(tmp_path))


def test_offline_never_asks(server: FaultyServer, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="not available") as caught:
        Fetcher(None, tmp_path, offline=True).get(item(server, "good"))
    assert "network must not be used" in caught.value.why and server.asked == []


def test_offline_is_the_users_wish(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CM_TINY_OFFLINE", "yes")
    assert Fetcher(None, tmp_path).offline
    monkeypatch.setenv("CM_TINY_OFFLINE", "no")
    assert not Fetcher(None, tmp_path).offline


def test_a_host_that_nobody_knows_is_told_in_a_few_words(tmp_path: Path) -> None:
    unknown = Item("f", ("http://no-such-host.invalid/f",), Digest("sha256", "0" * 64), 1)
    with pytest.raises(AssetError) as caught:
        fetcher(tmp_path).get(unknown)
    assert "is there a network?" in caught.value.why and len(caught.value.why) < 250


def test_two_runs_that_want_one_file_download_it_once(server: FaultyServer, tmp_path: Path) -> None:
    wanted = item(server, "good")
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetcher(tmp_path).get(wanted))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(server.asked) == 1


def test_many_files_are_fetched_into_one_folder_with_progress(server: FaultyServer, tmp_path: Path) -> None:
    heard: list[Event] = []
    digest = Digest("sha256", hashlib.sha256(CONTENT).hexdigest())
    items = [Item(f"{n}.bin", (server.url("good"),), digest, len(CONTENT)) for n in range(20)]
    fetcher(tmp_path, heard).all_into(items, tmp_path / "set", "get set")
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == sorted(f"{n}.bin" for n in range(20))
    assert max(event.done for event in heard if isinstance(event, Progress)) == 20


def test_when_one_of_many_fails_the_others_are_not_asked_for_again(server: FaultyServer, tmp_path: Path) -> None:
    good = item(server, "good")
    bad = Item("bad.bin", (server.url("wrong"),), good.digest, good.bytes)
    with pytest.raises(HashMismatchError):
        fetcher(tmp_path).all_into([good, bad], tmp_path / "set", "get set")
    assert any(".bad-" in name for name in leftovers(tmp_path))
    asked = len(server.asked)
    fetcher(tmp_path).all_into([good], tmp_path / "again", "get set")
    assert len(server.asked) == asked


def test_a_large_download_tells_its_progress(tmp_path: Path) -> None:
    content = bytes(3 << 20)
    heard: list[Event] = []
    with faulty_server(content) as server:
        large = Item("large.bin", (server.url("good"),), Digest("md5", hashlib.md5(content).hexdigest()), len(content))
        fetcher(tmp_path, heard).get(large)
    told = [event for event in heard if isinstance(event, Progress)]
    assert told[-1].done == told[-1].total == len(content) and told[0].step == "download large.bin"


def test_a_file_that_does_not_fit_on_the_disk_is_refused_before_it_is_asked_for(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    with pytest.raises(AssetError, match="does not fit on the disk") as caught:
        fetcher(tmp_path).get(item(server, "good"))
    assert "CM_TINY_CACHE" in caught.value.hint and server.asked == []


@pytest.mark.parametrize("value", ["", "abc", "A" * 64, "0" * 63])
def test_a_digest_must_be_one(value: str) -> None:
    with pytest.raises(ValueError, match="not a digest"):
        Digest("sha256", value)


@pytest.mark.parametrize(
    ("status", "again"),
    [(408, True), (425, True), (429, True), (500, True), (502, True), (503, True), (504, True)]
    + [(status, False) for status in (201, 204, 302, 400, 401, 403, 404, 407, 409, 410, 424, 426, 430, 501, 505, 511)],
)
def test_only_an_answer_that_may_pass_is_worth_another_attempt(tmp_path: Path, status: int, again: bool) -> None:
    answer = requests.Response()
    answer.status_code, answer.reason = status, "as it is"
    with pytest.raises(http.DownloadError, match="cannot be downloaded") as caught:
        http._total("https://example.org/file.bin", answer, 0, None, tmp_path / "part")
    assert caught.value.again is again and f"{status} as it is" in caught.value.why
