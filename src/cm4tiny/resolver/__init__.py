# SPDX-License-Identifier: Apache-2.0
"""The ``script`` automation: CM's script language with a dependency resolver, environment and cache of our own.

It knows nothing of MLPerf Tiny. Each package uses those below it only:

- ``adapter``: CM's side, cmind's dictionaries in and out;
- ``workers``: scripts that are run ahead in other processes;
- ``run``: the life of one run;
- ``store``: cached results, provenance, lock files;
- ``plan``: what a request would do, and the key of its result;
- ``catalogue``: which scripts there are;
- ``language``: what metas, tags and options mean.
"""

from cm4tiny.resolver.catalogue.repository import Repository
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.plan.resolve import Request
from cm4tiny.resolver.run.runner import RunResult
from cm4tiny.resolver.run.session import Session, cm_home
from cm4tiny.resolver.workers.pool import new_session

__all__ = ["Repository", "Request", "RunResult", "Script", "Session", "cm_home", "new_session"]
