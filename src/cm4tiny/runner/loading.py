# SPDX-License-Identifier: Apache-2.0
"""One input into the device's buffer, and the proof that it arrived.

The reference firmware answers the last ``db`` line with ``m-load-done`` whatever it got, so counting bytes proves nothing about digits that
changed. This project's firmware reports the CRC-32 of what it holds (``db crc``); other firmware prints its buffer (``db print``).

A ``db`` line holds 31 bytes of data, which fits the reference command buffer of 80 characters. Longer lines are used only on a device that
reports how long its commands may be (``check``), and continue only if a load of such lines is proved.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from cm4tiny.errors import DeadlineError, ProtocolError
from cm4tiny.runner.command_channel import HINT_DAMAGE, Answer
from cm4tiny.runner.messages import Buffer, BufferCrc, Error, Expecting, LoadDone, Malformed

SAFE_CHUNK_BYTES = 31
"""Data bytes in a ``db`` line that every firmware takes: the official runner sends as many."""
MAX_CHUNK_BYTES = 512
_COMMAND = "db "
Ask = Callable[..., Answer]
"""``ask(command, seconds)``"""


class DamagedLoadError(ProtocolError):
    """A part of a load was lost or changed; the load starts again."""


def chunk_bytes_for(command_size: int) -> int:
    """Data bytes that fit into a command of so many characters, two hexadecimal digits each; never fewer than every firmware takes."""
    return max(SAFE_CHUNK_BYTES, min(MAX_CHUNK_BYTES, (command_size - len(_COMMAND)) // 2))


class Loader:
    """Loads and proves.

    Args:
        ask: puts a question to the device.
        ask_s: seconds for a short answer.

    Attributes:
        proof: how loads are proved: ``"crc"``, ``"print"``, ``"none"`` if the device can do neither, ``""`` before the first load.
        has_crc: whether the device knows ``db crc``.
    """

    def __init__(self, ask: Ask, ask_s: float) -> None:
        self._ask = ask
        self._ask_s = ask_s
        self.chunk_bytes = SAFE_CHUNK_BYTES
        self.has_crc = False
        self.proof = ""
        self._unprintable = 0

    def load(self, data: bytes) -> None:
        """Loads once.

        Raises:
            DamagedLoadError: something was lost or changed. DeadlineError: silence. ProtocolError: the device's buffer is too small.
        """
        self._announce(data)
        for start in range(0, len(data), self.chunk_bytes):
            chunk = data[start : start + self.chunk_bytes]
            answer = self._ask(_COMMAND + chunk.hex(), self._ask_s)
            done = len(answer.all(LoadDone))
            last = start + len(chunk) == len(data)
            if answer.one(Error) or answer.one(Malformed) or done != int(last):
                raise DamagedLoadError(
                    f"bytes {start} to {start + len(chunk)} of {len(data)} were answered with {answer.lines}", hint=HINT_DAMAGE
                )
            _checked(answer)
        if self.has_crc:
            self._prove_by_crc(data)
        else:
            self._prove_by_print(data)

    def distrust(self) -> None:
        """After damage: a device that takes long lines has yet to prove it; until a load is proved the lines are short."""
        if self.proof == "":
            self.chunk_bytes = min(self.chunk_bytes, SAFE_CHUNK_BYTES)

    def _announce(self, data: bytes) -> None:
        command = f"db load {len(data)}"
        answer = self._ask(command, self._ask_s)
        if any("exceeds maximum" in m.line for m in answer.messages):
            raise ProtocolError(
                f"the device's buffer is smaller than the input of {len(data)} bytes",
                why=answer.lines,
                hint="flash the image of the benchmark that is run",
            )
        expecting = answer.one(Expecting)
        if expecting is None or expecting.count != len(data):
            raise DamagedLoadError(f"'{command}' was answered with {answer.lines}", hint=HINT_DAMAGE)
        _checked(answer)

    def _prove_by_crc(self, data: bytes) -> None:
        told = _checked(self._ask("db crc", self._ask_s)).one(BufferCrc)
        if told is None or told.crc != zlib.crc32(data):
            shown = "nothing" if told is None else f"{told.crc:08x}"
            raise DamagedLoadError(
                f"the checksum of the device's buffer is {shown}, not {zlib.crc32(data):08x}",
                why="bytes changed on their way",
                hint=HINT_DAMAGE,
            )
        self.proof = "crc"

    def _prove_by_print(self, data: bytes) -> None:
        if self.proof == "none":
            return
        try:
            answer = self._ask("db print", self._ask_s + 0.002 * len(data))
        except DeadlineError:
            self._give_up_print("it is not answered")
            return
        printed = b"".join(m.data for m in answer.all(Buffer))
        if not printed or answer.one(Error):
            self._give_up_print(answer.lines)
            return
        if printed != data:
            first = next((i for i, (a, b) in enumerate(zip(printed, data, strict=False)) if a != b), min(len(printed), len(data)))
            raise DamagedLoadError(
                f"the device's buffer differs from byte {first} on ({len(printed)} of {len(data)} bytes printed)", hint=HINT_DAMAGE
            )
        self.proof = "print"

    def _give_up_print(self, answered: str) -> None:
        """A device that never printed its buffer cannot; one that did was disturbed."""
        self._unprintable += 1
        if self.proof == "print" or self._unprintable < 2:
            raise DamagedLoadError(f"'db print' was answered with {answered}", hint=HINT_DAMAGE)
        self.proof = "none"


def _checked(answer: Answer) -> Answer:
    try:
        return answer.check()
    except ProtocolError as error:
        raise DamagedLoadError(error.what, why=error.why, hint=error.hint) from None
