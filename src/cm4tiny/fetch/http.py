# SPDX-License-Identifier: Apache-2.0
"""One download over HTTP, resumable: what arrived is kept in a ``.part`` file and asked for no second time.

A server that knows no ranges, or another content length than before, makes it start again. Whether the bytes are right is not judged here;
:mod:`cm4tiny.fetch.fetcher` compares the digest.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3

from cm4tiny.deadline import Deadline
from cm4tiny.errors import AssetError

CHUNK_BYTES = 1 << 16
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
Report = Callable[[int, "int | None"], None]


class DownloadError(AssetError):
    """A download did not come to its end; ``again`` says whether the same address may be tried once more."""

    again: bool = False


@dataclass(frozen=True)
class DownloadLimits:
    """How long a download may take.

    Attributes:
        connect_s: for a connection.
        silent_s: between two pieces.
        grace_s, bytes_per_s: in all, ``grace_s`` and one second more for each ``bytes_per_s`` of the expected size.
        attempts: in a row at one address that bring nothing new; each continues where the last one stopped.
        pause_s: before the second attempt; doubles from then on, until one brings something.
    """

    connect_s: float = 15.0
    silent_s: float = 30.0
    grace_s: float = 120.0
    bytes_per_s: float = 16_000.0
    attempts: int = 4
    pause_s: float = 1.0

    def deadline(self, size: int | None) -> Deadline:
        """The deadline of one address."""
        return Deadline(self.grace_s + (size or 64_000_000) / self.bytes_per_s)


def download(
    session: requests.Session, url: str, part: Path, size: int | None, limits: DownloadLimits, report: Report = lambda done, total: None
) -> None:
    """Brings ``url`` into ``part``; continues with what is in it already.

    Args:
        size: expected bytes; more than that is refused, less is a truncated download.
        report: receives (bytes done, bytes in all).

    Raises:
        DownloadError: no connection, an HTTP error, too slow, truncated, too long. What arrived stays in ``part``.
        OSError: the file cannot be written.
    """
    deadline = limits.deadline(size)
    pause = limits.pause_s
    attempts, most = 0, _size(part)
    while True:
        try:
            return _attempt(session, url, part, size, limits, deadline, report)
        except DownloadError as error:
            if _size(part) > most:  # it went on: that was not an attempt in vain
                attempts, pause, most = 0, limits.pause_s, _size(part)
            attempts += 1
            if not error.again or attempts >= limits.attempts or deadline.remaining <= pause:
                raise
        time.sleep(pause)
        pause *= 2


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _failure(url: str, why: str, *, again: bool = False) -> DownloadError:
    error = DownloadError(f"{url} cannot be downloaded", why=why, hint="check the network, or give a local mirror: --mirror=DIR")
    error.again = again
    return error


def _attempt(
    session: requests.Session, url: str, part: Path, size: int | None, limits: DownloadLimits, deadline: Deadline, report: Report
) -> None:
    have = _size(part)
    if size is not None and have >= size > 0:
        if have == size:
            return
        part.unlink()
        have = 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with session.get(url, headers=headers, stream=True, timeout=(limits.connect_s, limits.silent_s)) as answer:
            total = _total(url, answer, have, size, part)
            start = have if answer.status_code == 206 else 0
            _receive(url, answer, part, start, total, deadline, report)
    except requests.exceptions.TooManyRedirects as error:
        raise _failure(url, f"it redirects for ever ({error})") from error
    except requests.exceptions.Timeout as error:
        raise _failure(url, f"the server was silent for {limits.silent_s:g} s", again=True) from error
    except requests.exceptions.ConnectionError as error:
        if "Read timed out" in str(error):
            raise _failure(url, f"the server was silent for {limits.silent_s:g} s", again=True) from error
        raise _failure(url, _reason(error), again=_passing(error)) from error
    except requests.exceptions.ChunkedEncodingError as error:  # the connection ended before the last byte
        raise _failure(url, f"it ended after {_size(part)} of {size or 'an unknown number of'} bytes", again=True) from error
    except requests.exceptions.RequestException as error:
        raise _failure(url, _reason(error)) from error


def _passing(error: Exception) -> bool:
    """False for a name that nobody knows: asking again at once will not help."""
    return "NameResolution" not in repr(error) and "Name or service not known" not in repr(error)


def _reason(error: Exception) -> str:
    """The cause in a few words: requests wraps it in several exceptions, each with all the text of the next."""
    text = str(error) or type(error).__name__
    if not _passing(error):
        return "its host's name is not known (is there a network?)"
    inner = re.findall(r"(?:Errno -?\d+\] |Error\(['\"])([^'\")]+)", text)
    text = inner[-1] if inner else text
    return text if len(text) < 200 else text[:200] + "..."


def _total(url: str, answer: requests.Response, have: int, size: int | None, part: Path) -> int | None:
    """The length of the whole file as far as the server reports it; raises for an answer that brings no file."""
    status = answer.status_code
    if status == 416:  # the part is longer than the file: begin again
        part.unlink(missing_ok=True)
        raise _failure(url, "the server has less than what was downloaded before", again=True)
    if status not in (200, 206):
        raise _failure(url, f"the server answers {status} {answer.reason}", again=status in RETRIED)
    if status == 206:
        match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != have:
            part.unlink(missing_ok=True)
            raise _failure(url, "the server sent another range than the one that was asked for", again=True)
        total = int(match[3]) if match[3] != "*" else size
    else:
        length = answer.headers.get("Content-Length", "")
        coded = answer.headers.get("Content-Encoding", "identity") != "identity"
        total = int(length) if length.isdigit() and not coded else size
    if size is not None and total is not None and total != size:
        raise _failure(url, f"the server has {total} bytes, {size} are expected")
    return total


def _arriving(answer: requests.Response) -> Iterator[bytes]:
    """The body as it arrives: no waiting for full pieces, so that slowness is noticed and little is lost at a sudden end."""
    read1 = getattr(answer.raw, "read1", None)
    if read1 is None or answer.headers.get("Content-Encoding", "identity") != "identity":  # urllib3 before 2.1, or a coded body
        yield from answer.iter_content(1 << 10)
        return
    try:
        while piece := read1(CHUNK_BYTES):
            yield piece
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(error) from error
    except (urllib3.exceptions.ProtocolError, urllib3.exceptions.SSLError, OSError) as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error


def _receive(url: str, answer: requests.Response, part: Path, start: int, total: int | None, deadline: Deadline, report: Report) -> None:
    done = start
    with part.open("ab" if start else "wb") as file:
        for piece in _arriving(answer):
            file.write(piece)
            done += len(piece)
            if total is not None and done > total:
                raise _failure(url, f"the server sent more than {total} bytes")
            if deadline.expired:
                why = f"it is too slow: {done} bytes of {total or 'an unknown number'} in {deadline.seconds:.0f} s"
                raise _failure(url, why)
            report(done, total)
    if total is not None and done < total:
        raise _failure(url, f"it ended after {done} of {total} bytes", again=True)
