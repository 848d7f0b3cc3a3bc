"""Makes sure that the board which was asked for can be used."""

from cm4tiny import cm
from cm4tiny.boards.catalogue import check_board


@cm.step
def preprocess(step):
    check_board(step.env["CM_TINY_BOARD_KIND"], step.events)
