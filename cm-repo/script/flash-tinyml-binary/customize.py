# SPDX-License-Identifier: Apache-2.0
"""Puts a firmware image on a board and makes sure that it answers."""

from cm4tiny import cm
from cm4tiny.boards.nucleo import Wishes
from cm4tiny.runner.bring_up import bring_up, find_image
from cm4tiny.settings import parse_switch


@cm.step
def preprocess(step):
    elf = find_image(step.path("CM_TINY_ELF"), step.path("CM_TINY_BUILD_DIR"))
    strict = not parse_switch("no_strict", step.env.get("CM_TINY_NO_STRICT", ""))
    answer = bring_up(elf, step.env["CM_TINY_BOARD_KIND"], step.events, Wishes.from_env(step.env), strict=strict)
    step.env["CM_TINY_FLASHED_ELF"] = str(elf)
    step.env["CM_TINY_FLASHED_PROFILE"] = answer.profile
    step.env["CM_TINY_FLASHED_MODEL"] = answer.model
