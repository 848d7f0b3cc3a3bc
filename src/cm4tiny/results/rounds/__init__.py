# SPDX-License-Identifier: Apache-2.0
"""The rounds of MLPerf Tiny as data: which there are, how their results lie, and readers for every file of a session.

Readers say what files hold and what they had to tolerate; :mod:`cm4tiny.results.replay` compares, :mod:`cm4tiny.results.audit` judges.
"""

from cm4tiny.results.rounds.labels import LabelLists
from cm4tiny.results.rounds.layout import find_rounds, walk
from cm4tiny.results.rounds.model import (
    MODES,
    Check,
    LoggedEnergyWindow,
    LoggedSession,
    LoggedWindow,
    Mode,
    ModeFiles,
    Printed,
    PrintedWindow,
    Quirk,
    ResultDir,
    Round,
    Scores,
    Status,
    Streaming,
    Tolerated,
)
from cm4tiny.results.rounds.printed import read_printed
from cm4tiny.results.rounds.read import read_files, read_session, read_session_folder, session_files
from cm4tiny.results.rounds.scripts import RunScript, read_script
from cm4tiny.results.rounds.systems import System, read_system
from cm4tiny.results.rounds.table import ROUNDS, get_round, layouts

__all__ = [
    "MODES",
    "ROUNDS",
    "Check",
    "LabelLists",
    "LoggedEnergyWindow",
    "LoggedSession",
    "LoggedWindow",
    "Mode",
    "ModeFiles",
    "Printed",
    "PrintedWindow",
    "Quirk",
    "ResultDir",
    "Round",
    "RunScript",
    "Scores",
    "Status",
    "Streaming",
    "System",
    "Tolerated",
    "find_rounds",
    "get_round",
    "layouts",
    "read_files",
    "read_printed",
    "read_script",
    "read_session",
    "read_session_folder",
    "read_system",
    "session_files",
    "walk",
]
