# SPDX-License-Identifier: Apache-2.0
"""Makes sure that the board which was asked for can be used."""

from cm4tiny import cm
from cm4tiny.workflows.get_tiny_board import BoardOptions, get_board

preprocess = cm.step(BoardOptions, get_board)
