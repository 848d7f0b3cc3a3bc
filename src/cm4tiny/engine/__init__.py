"""The ``script`` automation: CM's script language with a dependency resolver, environment and cache of our own.

It knows nothing of MLPerf Tiny. From metas to results: :mod:`~cm4tiny.engine.repository` finds scripts,
:mod:`~cm4tiny.engine.selection` picks one, :mod:`~cm4tiny.engine.resolve` works out what it would do, :mod:`~cm4tiny.engine.plan` names
that by a key, :mod:`~cm4tiny.engine.runner` does it, :mod:`~cm4tiny.engine.cache` keeps it, and :mod:`~cm4tiny.engine.cm_edge` speaks
to cmind.
"""

from cm4tiny.engine.meta import Script
from cm4tiny.engine.repository import Repository
from cm4tiny.engine.resolve import Request
from cm4tiny.engine.runner import Result, run
from cm4tiny.engine.session import Session, cm_home, new_session

__all__ = ["Repository", "Request", "Result", "Script", "Session", "cm_home", "new_session", "run"]
