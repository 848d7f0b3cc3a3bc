# SPDX-License-Identifier: Apache-2.0
"""Runs that scripts ask for through ``i['automation']``, and how the outcome of any run becomes cmind's answer."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cm4tiny.errors import Cm4TinyError
from cm4tiny.resolver.adapter.command_input import request_of, with_tags
from cm4tiny.resolver.adapter.proxies import AutomationProxy
from cm4tiny.resolver.language.environment import merge
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.run import hooks
from cm4tiny.resolver.run.runner import RunResult, run
from cm4tiny.resolver.run.session import Session


class _Cmind:
    """cmind for scripts, created when one first asks for it."""

    def __init__(self) -> None:
        self._created: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._created is None:
            from cmind.core import CM

            self._created = CM()
        return getattr(self._created, name)


class _Automation:
    """The part of cmind's automation object that the engine reads."""

    def __init__(self, folder: str) -> None:
        self.path = folder
        self.meta: dict[str, Any] = {"alias": "script"}
        self.cmind = _Cmind()


def give_automation(session: Session, automation: Any) -> None:
    """Makes what scripts get as ``i['automation']`` from cmind's automation object."""
    session.attach = attach
    session.automation = AutomationProxy(automation, session, lambda given: guarded(lambda: _nested(session, given), session))


def _nested(session: Session, i: Mapping[str, Any]) -> dict[str, Any]:
    """A run that a script asks for through ``automation.cmind.access``; ``env`` and ``state`` are changed in place, as upstream does it."""
    request = request_of(with_tags(i))
    request.depth = len(session.chain)
    if session.chain:
        request.needed_by = session.chain[-1][0].script.alias
        if not request.const:
            request.const = dict(session.chain[-1][0].const)
    result = run(session, request)
    for name, new in (("env", result.new_env), ("state", result.new_state)):
        if isinstance(i.get(name), dict):
            merge(i[name], new)
    return answer_of(result)


def answer_of(result: RunResult) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "return": 0, "env": result.env, "new_env": result.new_env, "state": result.state, "new_state": result.new_state,
        "deps": result.deps, "version": result.version, "cached": result.cached,
    }  # fmt: skip
    if result.path is not None:
        answer["path"] = str(result.path)
    if result.skipped:
        answer["skipped"] = True
    return answer


def guarded(work: Any, session: Session) -> dict[str, Any]:
    """Runs ``work`` and turns what it raises into cmind's error; an interrupt passes."""
    try:
        answer: dict[str, Any] = work()
        return answer
    except Cm4TinyError as error:
        return as_cm(error, session)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            from cm4tiny.disk import disk_full

            return as_cm(disk_full("the run", str(error), session.cache.root, Path.cwd()), session)
        return as_cm(internal_error(error, session), session)


def internal_error(error: Exception, session: Session) -> Cm4TinyError:
    """What is reported to a user about an exception that nobody expected; it is being handled, and its traceback goes to a file."""
    place = hooks.Place(Script(Path(), {"alias": "engine"}), logs=session.logs)
    log = hooks.write_log(place)
    return Cm4TinyError(
        f"the engine itself failed: {type(error).__name__}: {error}",
        why="this is a defect of cm4tiny",
        hint=f"report it with the traceback in {log}" if log else "run it again with -v and report the traceback",
    )


def as_cm(error: Cm4TinyError, session: Session | None) -> dict[str, Any]:
    if session is not None and session.verbose:
        sys.stderr.write(traceback.format_exc())
    return error.as_cm()


def attach(session: Session, folder: str) -> None:
    """Gives the session of a worker process what scripts get as ``i['automation']``; ``folder`` is that of the CM automation."""
    give_automation(session, _Automation(folder))
