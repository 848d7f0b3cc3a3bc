"""Makes sure that the board which was asked for can be used."""

from cm4tiny import cm
from cm4tiny.boards.catalogue import check_board
from cm4tiny.boards.nucleo import Wishes


@cm.step
def preprocess(step):
    check_board(step.env["CM_TINY_BOARD_KIND"], Wishes.from_env(step.env), step.events)
