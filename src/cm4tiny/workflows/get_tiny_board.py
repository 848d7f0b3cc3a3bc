# SPDX-License-Identifier: Apache-2.0
"""The step ``get,tiny,board``: makes sure that the board can be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.boards.bench import boards_for
from cm4tiny.boards.catalogue import check_board, emulator_facts
from cm4tiny.cm import Outputs, Step, flag
from cm4tiny.workflows.board_flags import BoardFlags
from cm4tiny.workflows.real_board import board_options_of, check_bench


@dataclass(frozen=True, kw_only=True)
class BoardOptions(BoardFlags):
    """What ``get,tiny,board`` is asked for."""

    bench: Path | None = flag("CM_TINY_BENCH")


def get_board(options: BoardOptions, step: Step) -> Outputs:
    """Makes sure that the board can be used, and says what a virtual one is computed by.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.boards.catalogue.check_board` and :func:`cm4tiny.boards.bench.boards_for`.
    """
    check_bench(options.bench, options)
    if options.bench is not None:
        boards_for(options.bench, options.board, step.events)
        return {}
    check_board(options.kind, board_options_of(options), step.events)
    facts = emulator_facts(options.kind, board_options_of(options))
    if not facts:
        return {}
    if "library_sha256" in facts:
        step.digests["virtual board"] = facts["library_sha256"]
    return {
        "CM_TINY_BOARD_UNICORN_VERSION": facts["unicorn"],
        "CM_TINY_BOARD_UNICORN_FINGERPRINT": facts.get("unicorn_sha256", ""),
        "CM_TINY_BOARD_SOURCES_FINGERPRINT": facts["sources_sha256"],
    }
