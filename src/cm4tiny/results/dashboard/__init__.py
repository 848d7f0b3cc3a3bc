# SPDX-License-Identifier: Apache-2.0
"""The dashboard: a static, private site of published results and own runs, in one folder that opens from disk.

``build`` makes it; ``query`` holds the rules of filtering and of the Pareto front that the site follows.
"""

from cm4tiny.results.dashboard.builder import Site, build, collect
from cm4tiny.results.dashboard.query import Constraint, Query, judged, pareto, select

__all__ = ["Constraint", "Query", "Site", "build", "collect", "judged", "pareto", "select"]
