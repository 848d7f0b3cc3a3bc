# SPDX-License-Identifier: Apache-2.0
"""What a replay or an audit leaves for a CI service: a summary for the run's page, annotations, and findings as SARIF.

Findings are grouped: of 251 lines nobody reads the 40th. Texts of a submission are hostile: each form has one place that escapes them.
"""

from cm4tiny.results.ci.commands import workflow_commands
from cm4tiny.results.ci.markdown import summary_markdown
from cm4tiny.results.ci.outcome import CiOutcome, RoundPlaces, places_of
from cm4tiny.results.ci.publish import publish
from cm4tiny.results.ci.sarif import sarif_text

__all__ = ["CiOutcome", "RoundPlaces", "places_of", "publish", "sarif_text", "summary_markdown", "workflow_commands"]
