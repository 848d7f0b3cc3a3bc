# SPDX-License-Identifier: Apache-2.0
"""The files of an MLCommons session held against each other.

The runner prints the same figures up to four times: in the log as they come, in ``results.json`` exactly, in ``results.txt``, and as the
log's summary. :func:`examine` computes from ``results.json`` what the other files must say and returns every difference, and whatever in
``results.json`` itself is missing, malformed or contradictory. The formats are those of ``mlcommons/tiny``
``benchmark/runner/{main,script,streaming_ww_utils}.py``; all sessions of round v1.3 whose ``results.json`` is public agree with them.
"""

from __future__ import annotations

from cm4tiny.results.rounds.record.examine import Files, examine
from cm4tiny.results.rounds.record.log_lines import LogRecord
from cm4tiny.results.rounds.record.strict_json import LoadedJson, load_json

__all__ = ["Files", "LoadedJson", "LogRecord", "examine", "load_json"]
