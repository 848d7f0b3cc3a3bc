# SPDX-License-Identifier: Apache-2.0
"""Whether measured rows still belong to the code next to them.

A row carries a digest of the sources that decide its figures. Where the sources are others now, the figures may be too: the page that is
made of the rows says so at its head, until somebody measures again. Blank lines and lines of comment do not count.

The digest cannot tell a change that moves a figure from one that does not. What a plain checkout can measure itself, it does: the rows of
the embedded models (:class:`~pages.performance.rows.Again`) are measured and compared exactly by the tests.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.errors import ResultsError
from pages.performance.rows import BENCHMARKS, Compiled, Harsher, MeasuredRow
from pages.performance.variants import variant

OWN, OTHERS = "own", "others"
"""Whose kernels an image holds: this project's, or those of the engines that the page compares with."""

_BOARD = ("src/cm4tiny/boards/virtual", "src/cm4tiny/boards/chips", "src/cm4tiny/boards/boards")
_HARNESS = (
    "firmware/chips",
    "firmware/harness",
    "firmware/include",
    *(f"src/cm4tiny/firmware/{name}.py" for name in ("flags", "board_files", "build")),
)
_COMPILER = ("src/cm4tiny/firmware/kernels", "src/cm4tiny/firmware/microtvm", "src/cm4tiny/firmware/microtvm_image.py")
_ENGINES = ("firmware/engines", "src/cm4tiny/firmware/engines")
SOURCES: Mapping[str, tuple[str, ...]] = {OWN: (*_BOARD, *_HARNESS, *_COMPILER), OTHERS: (*_BOARD, *_HARNESS, *_ENGINES)}
"""What decides the cycles of an image: the virtual board with its cycle model, harness and board support, compiler and kernels."""

_SUFFIXES = frozenset({".py", ".c", ".h", ".ld", ".s", ".yaml", ".json"})
_COMMENTS = {".py": "#", ".yaml": "#", ".c": "//", ".h": "//"}


def source_digest(root: Path, parts: Sequence[str]) -> str:
    """16 hexadecimal digits for the files of these folders and files of a checkout.

    Raises:
        ResultsError: a part is not there.
    """
    digest = hashlib.sha256()
    for part in parts:
        files = _files(root / part)
        if not files:
            raise ResultsError(
                f"there are no sources at {part} in {root}",
                why="the performance page's rows are tied to them",
                hint="name the place where they are now in benchmarks/pages/performance/freshness.py",
            )
        for file in files:
            digest.update(f"{file.relative_to(root).as_posix()}\n".encode())
            digest.update(_content(file))
    return digest.hexdigest()[:16]


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(file for file in place.rglob("*") if file.suffix in _SUFFIXES and file.is_file())


def _content(file: Path) -> bytes:
    comment = _COMMENTS.get(file.suffix)
    lines = (line.rstrip() for line in file.read_text(encoding="utf-8").splitlines())
    code = (line for line in lines if line and not (comment and line.lstrip().startswith(comment)))
    return "\n".join(line for line in code if "SPDX-License-Identifier" not in line).encode()


@dataclass(frozen=True)
class Code:
    """The sources of today, by their digests; empty where they are not known, and then nothing is called outdated."""

    digests: Mapping[str, str]

    def of(self, name: str) -> str:
        """The digest for a row of a variant."""
        return self.digests.get(OWN if variant(name).own else OTHERS, "")

    @property
    def own(self) -> str:
        """The digest for all rows of this project's engine."""
        return self.digests.get(OWN, "")


UNKNOWN = Code({})


@functools.lru_cache(maxsize=4)
def code_of(root: Path) -> Code:
    """The sources of a checkout."""
    return Code({name: source_digest(root, parts) for name, parts in SOURCES.items()})


def outdated(code: Code, measured: Sequence[MeasuredRow], compiled: Sequence[Compiled], harsher: Sequence[Harsher]) -> list[str]:
    """Names of the rows whose sources have changed since they were measured, as the page's head gives them."""
    found = []
    for name in dict.fromkeys(row.engine for row in measured):
        old = [row.benchmark for row in measured if row.engine == name and row.code != code.of(name)]
        if old and code.of(name):
            every = len(old) == sum(row.engine == name for row in measured)
            found.append(variant(name).label + ("" if every else f" ({', '.join(_sorted(old))})"))
    for title, rows in (("the compilers", compiled), ("the harsher cores", harsher)):
        if code.own and any(row.code != code.own for row in rows):
            found.append(title)
    return found


def _sorted(benchmarks: Iterable[str]) -> list[str]:
    return sorted(benchmarks, key=BENCHMARKS.index)


def banner(names: Sequence[str]) -> list[str]:
    """Lines of Markdown; none if everything is of today's code."""
    if not names:
        return []
    return [
        f"**Measured with an older version of the code: {'; '.join(names)}.**",
        "What decides these figures has changed since: compiler, kernels, firmware, the virtual board or its cycle model.",
        "[How they are measured again](benchmarks.md#engines-plans-compilers).",
        "",
    ]
