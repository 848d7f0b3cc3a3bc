# SPDX-License-Identifier: Apache-2.0
"""Reads ``script.async``: the commands that EEMBC's runner played.

It is a JavaScript list of objects, not JSON (``{ cmd: 'dut infer 100 1', ms: -1, ack: /dut.?: m-ready/ }``), of up to 28,000 entries. Only
the commands are looked for; nothing is evaluated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.results.rounds.eembc_log import basename
from cm4tiny.results.rounds.lines import LineFile, Sink
from cm4tiny.results.rounds.model import Tolerated
from cm4tiny.results.rounds.numbers import whole

MAX_FILES = 20_000
_COMMAND = re.compile(
    rb"cmd:\s*(?:'|\")\s*(?:(?P<infer>(?:io )?dut infer (?P<count>[0-9]+))"
    rb"|bloadp? (?:dut )?\\?\"(?P<file>[^\"']*?)\\?\")"
)


@dataclass(frozen=True)
class RunScript:
    """What a script loads and runs.

    Attributes:
        loads: how often each file (basename) is loaded, in the order of first appearance.
        infers: number of ``infer`` commands.
        iterations: the distinct numbers of iterations, ascending.
        tolerated: what was overlooked while reading.
    """

    loads: dict[str, int]
    infers: int
    iterations: tuple[int, ...]
    tolerated: tuple[Tolerated, ...] = ()


def read_script(path: Path) -> RunScript:
    """Reads a script, streaming. No content makes it fail.

    Raises:
        OSError: the file cannot be read.
    """
    sink = Sink(path.name)
    loads: dict[str, int] = {}
    counts: set[int] = set()
    infers = 0
    for number, line in LineFile(path, sink):
        for match in _COMMAND.finditer(line):
            if match["infer"]:
                infers += 1
                counts.add(whole(match["count"]) or 0)
                continue
            name = basename(match["file"])
            if name not in loads and len(loads) >= MAX_FILES:
                sink.add("too-many-files", number)
                continue
            loads[name] = loads.get(name, 0) + 1
    return RunScript(loads, infers, tuple(sorted(counts)[:100]), sink.records())
