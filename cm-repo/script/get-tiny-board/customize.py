# SPDX-License-Identifier: Apache-2.0
"""Makes sure that the board which was asked for can be used."""

from cm4tiny import cm
from cm4tiny.boards.catalogue import check_board, emulator_facts
from cm4tiny.boards.nucleo import Wishes


@cm.step
def preprocess(step):
    check_board(step.env["CM_TINY_BOARD_KIND"], Wishes.from_env(step.env), step.events)
    facts = emulator_facts(step.env["CM_TINY_BOARD_KIND"])
    if facts:
        step.env["CM_TINY_BOARD_UNICORN_VERSION"] = facts["unicorn"]
        step.env["CM_TINY_BOARD_UNICORN_FINGERPRINT"] = facts.get("unicorn_sha256", "")
        step.env["CM_TINY_BOARD_SOURCES_FINGERPRINT"] = facts["sources_sha256"]
        step.digests.update({"virtual board": facts["library_sha256"]} if "library_sha256" in facts else {})
