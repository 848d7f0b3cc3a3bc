# SPDX-License-Identifier: Apache-2.0
"""What a device under test says: one typed message per line, parsed once.

The spellings are those of the EEMBC/MLCommons reference API (``mlcommons/tiny``: ``benchmark/api/internally_implemented.cpp`` and
``submitter_implemented.h``). A token is looked for anywhere in its line, because published logs show echoed commands, debug text and
prompts glued in front of it (``timestampm-lap-us-604250223``, ``infer 1 0%m-warmup-start-0``), and a line may hold several
(``m-results-[0.1,0.9]m-ready``). Nothing a device sends can make the parser fail: what is not understood is :class:`Text`, what is almost
right is :class:`Malformed`.

``m-check`` and ``m-buffer-crc`` are extensions of this project's firmware (``docs/firmware.md``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class DutMessage:
    """Base of all messages. ``line`` is the cleaned line it came from."""

    line: str


@dataclass(frozen=True)
class Ready(DutMessage):
    """``m-ready``: the answer to a command is complete."""


@dataclass(frozen=True)
class Name(DutMessage):
    """``m-name-dut-[vendor]``."""

    vendor: str


@dataclass(frozen=True)
class ProfileMessage(DutMessage):
    """``m-profile-[text]``."""

    profile: str


@dataclass(frozen=True)
class ModelMessage(DutMessage):
    """``m-model-[kws01]``."""

    model_id: str


@dataclass(frozen=True)
class InitDone(DutMessage):
    """``m-init-done``: the firmware has just started."""


@dataclass(frozen=True)
class TimestampMode(DutMessage):
    """``m-timestamp-mode-performance`` or ``-energy``: printed once, when the firmware starts."""

    mode: str


@dataclass(frozen=True)
class LapUs(DutMessage):
    """``m-lap-us-N``: the device's clock in microseconds (it may wrap at 2**32)."""

    us: int


@dataclass(frozen=True)
class Results(DutMessage):
    """``m-results-[a,b,...]``: finite numbers, at least one."""

    values: tuple[float, ...]


@dataclass(frozen=True)
class Expecting(DutMessage):
    """``m-[Expecting N bytes]``: the answer to ``db load N``."""

    count: int


@dataclass(frozen=True)
class LoadDone(DutMessage):
    """``m-load-done``: the last byte of a load arrived."""


@dataclass(frozen=True)
class Buffer(DutMessage):
    """``m-buffer-aa-bb-...``: a line of the answer to ``db print``."""

    data: bytes


@dataclass(frozen=True)
class BufferCrc(DutMessage):
    """``m-buffer-crc-XXXXXXXX``: CRC-32 of the loaded bytes."""

    crc: int


@dataclass(frozen=True)
class CheckMessage(DutMessage):
    """``m-check-XXXXXXXX-N``: CRC-32 of the answer before, and the characters that a command may have."""

    crc: int
    command_size: int


@dataclass(frozen=True)
class Warmup(DutMessage):
    """``m-warmup-start-N`` (count N) or ``m-warmup-done`` (count None)."""

    count: int | None


@dataclass(frozen=True)
class Infer(DutMessage):
    """``m-infer-start-N`` (count N) or ``m-infer-done`` (count None)."""

    count: int | None


@dataclass(frozen=True)
class Error(DutMessage):
    """``e-[text]``: the device refused a command."""

    text: str


@dataclass(frozen=True)
class Malformed(DutMessage):
    """A line that starts like a message but holds nonsense, such as a result that is not a number."""

    why: str


@dataclass(frozen=True)
class Text(DutMessage):
    """Any other line: help texts, debug output, noise."""


_NUMBER = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?\s*\Z")
_MAX_RESULTS = 4096
_UINT64 = 2**64


def _results(line: str, inside: str) -> DutMessage:
    parts = inside.split(",")
    if parts and not parts[-1].strip():  # some firmware ends the list with a comma
        parts.pop()
    if not parts or len(parts) > _MAX_RESULTS:
        return Malformed(line, f"{len(parts)} results")
    for part in parts:
        if not _NUMBER.match(part):
            return Malformed(line, f"the result {part.strip()[:40]!r} is not a number")
    values = tuple(float(part) for part in parts)
    return Results(line, values) if all(map(math.isfinite, values)) else Malformed(line, "a result is not finite")


def _lap(line: str, digits: str) -> DutMessage:
    value = int(digits) if len(digits) <= 20 else _UINT64
    return LapUs(line, value) if value < _UINT64 else Malformed(line, "a time stamp of more than 64 bits")


def _buffer(line: str, digits: str) -> DutMessage:
    return Buffer(line, bytes.fromhex(digits.replace("-", "")))


def _check(line: str, text: str) -> DutMessage:
    crc, _, size = text.partition("-")
    return CheckMessage(line, int(crc, 16), int(size)) if len(size) <= 6 else Malformed(line, "a command size of more than 6 digits")


def _count(kind: Callable[[str, int], DutMessage]) -> Callable[[str, str], DutMessage]:
    return lambda line, digits: kind(line, int(digits)) if len(digits) <= 10 else Malformed(line, "a count of more than 10 digits")


_END = r"(?=\s|[me]-|\Z)"
"""What may follow a number: a digit that became a letter must not shorten it."""

# Name of the group, pattern, what to make of the line and the text of the pattern's own group.
_TOKENS: tuple[tuple[str, str, Callable[[str, str], DutMessage]], ...] = (
    ("ready", r"m-ready", lambda line, _: Ready(line)),
    ("results", r"m-results-\[([^\]]*)\]", _results),
    ("broken_results", r"m-results\b", lambda line, _: Malformed(line, "a list of results without its brackets")),
    ("lap", rf"m-lap-us-(\d+){_END}", _lap),
    ("broken_lap", r"m-lap-us-", lambda line, _: Malformed(line, "a time stamp that is not a number")),
    ("name", r"m-name-dut-\[([^\]]*)\]", Name),
    ("profile", r"m-profile-\[([^\]]*)\]", ProfileMessage),
    ("model", r"m-model-\[([^\]]*)\]", ModelMessage),
    ("mode", r"m-timestamp-mode-(performance|energy)", TimestampMode),
    ("init", r"m-init-done", lambda line, _: InitDone(line)),
    ("expecting", r"m-\[Expecting (\d+) bytes\]", _count(Expecting)),
    ("load_done", r"m-load-done", lambda line, _: LoadDone(line)),
    ("buffer_crc", rf"m-buffer-crc-([0-9a-f]{{8}}){_END}", lambda line, digits: BufferCrc(line, int(digits, 16))),
    ("broken_buffer_crc", r"m-buffer-crc", lambda line, _: Malformed(line, "a checksum that is not one")),
    ("check", rf"m-check-([0-9a-f]{{8}}-\d+){_END}", _check),
    ("broken_check", r"m-check-", lambda line, _: Malformed(line, "a checksum that is not one")),
    ("buffer", r"m-buffer-([0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2})*)-?", _buffer),
    ("warmup", rf"m-warmup-start-(\d+){_END}", _count(Warmup)),
    ("warmup_done", r"m-warmup-done", lambda line, _: Warmup(line, None)),
    ("infer", rf"m-infer-start-(\d+){_END}", _count(Infer)),
    ("infer_done", r"m-infer-done", lambda line, _: Infer(line, None)),
    ("error", r"e-\[([^\]]*)\]?", Error),
)
_MAKE = {name: make for name, _, make in _TOKENS}
_TOKEN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern, _ in _TOKENS), re.ASCII)


def clean(raw: bytes) -> str:
    """A line's bytes as text: NUL and CR removed, bytes that are not printable ASCII shown as ``\\xNN``."""
    text = raw.replace(b"\0", b"").replace(b"\r", b"").decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in text)


def parse_messages(raw: bytes | str) -> tuple[DutMessage, ...]:
    """All messages in one line (without its line end), at least one. Never raises for any input."""
    line = clean(raw) if isinstance(raw, bytes) else raw
    found = tuple(_message(line, match) for match in _TOKEN.finditer(line))
    return found or (Text(line),)


def _message(line: str, match: re.Match[str]) -> DutMessage:
    assert match.lastgroup is not None
    inner = next((g for g in match.groups()[match.re.groupindex[match.lastgroup] :] if g is not None), "")
    return _MAKE[match.lastgroup](line, inner)


def noise(data: bytes) -> float:
    """The share of bytes that no text answer holds (0.0 to 1.0): a wrong baud rate gives 0.3 or more, a sound line 0."""
    if not data:
        return 0.0
    bad = sum(1 for b in data if b >= 0x7F or (b < 0x20 and b not in b"\r\n\t"))
    return bad / len(data)
