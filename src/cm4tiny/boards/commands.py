# SPDX-License-Identifier: Apache-2.0
"""How a host talks with the firmware on a board: where a command ends, and what firmware says when it is ready for the next one.

A board knows no protocol of its own: who opens it says which one its firmware speaks.
"""

from __future__ import annotations

from dataclasses import dataclass

from cm4tiny.errors import UsageError

TERMINATOR = b"%"
"""Ends a command of the benchmark protocol (MLPerf Tiny's reference API)."""
READY = b"m-ready\r\n"
"""The last line of an answer of that protocol: the device waits for the next command."""
MAX_PROMPT_BYTES = 16


@dataclass(frozen=True)
class CommandProtocol:
    """A question and answer over a serial line.

    Attributes:
        terminator: ends a command; commands reach the firmware whole, one at a time. Empty: bytes go as they are written.
        prompt: how the line ends with which firmware asks for the next command, at most 16 bytes with the line feed. Firmware that polls
            shows by its polls that it waits; for firmware that receives by interrupt or DMA this line is the sign. Empty: a virtual second
            of silence is.
        settle_cycles: so long after the prompt firmware has armed its receiver again.
        repeated: the function that a command calls again and again on the same input, by its name in C; empty: none does.
    """

    terminator: bytes = b""
    prompt: bytes = b""
    settle_cycles: int = 20_000
    repeated: str = ""

    def __post_init__(self) -> None:
        if len(self.prompt) > MAX_PROMPT_BYTES or (self.prompt and not self.prompt.endswith(b"\n")):
            raise UsageError(
                f"{self.prompt!r} cannot be a prompt",
                why=f"a prompt is the end of a line: at most {MAX_PROMPT_BYTES} bytes, the last one a line feed",
                hint="give the end of the line only, or no prompt",
            )
        if not 0 <= self.settle_cycles < 1 << 32:
            raise UsageError(f"{self.settle_cycles} cycles cannot be waited for", hint="give a number of cycles from 0 to 2**32 - 1")


MLPERF_TINY = CommandProtocol(TERMINATOR, READY, repeated="th_infer")
"""The benchmark's. 20,000 cycles are enough for every firmware that was tried (the published images of rounds 1.0 to 1.3)."""
