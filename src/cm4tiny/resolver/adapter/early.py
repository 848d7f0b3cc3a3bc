# SPDX-License-Identifier: Apache-2.0
"""What is checked before a run begins, so that a wrong input costs no download and no build.

In order: the flags' names, their values (:mod:`~cm4tiny.resolver.language.inputs`), the plan (a dependency that cannot be resolved) and the
script's own function ``check_inputs`` in ``customize.py``, which sees the environment as it is before the first dependency runs. Upstream's
engine does not call ``check_inputs``; whatever it checks is checked again where the value is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cm4tiny.errors import DependencyError, ScriptFailedError, UsageError
from cm4tiny.resolver.adapter import plan_view
from cm4tiny.resolver.catalogue.suggestions import flags_of, for_flag
from cm4tiny.resolver.language import options
from cm4tiny.resolver.language.inputs import check_request
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.plan.fingerprint import content_of
from cm4tiny.resolver.plan.resolve import Request, pick, resolve
from cm4tiny.resolver.run import hooks
from cm4tiny.resolver.run.session import Session

HOOK = "check_inputs"


def checked_flags(session: Session, script: Script, flags: Mapping[str, Any], *, defaults: bool) -> dict[str, Any]:
    """The flags, each of them known and with a possible value; paths are expanded. ``defaults``: folders of defaults are checked as well.

    Raises:
        UsageError: an unknown flag or a value that is not possible. NotAvailableError: a flag that only upstream's engine has.
    """
    given = [key for key in flags if key != "script_name"]
    asked = str(flags.get("tags") or "").split(",")
    options.check_flags(
        given, flags_of(script), script.alias, lambda flag: for_flag(flag, flags[flag], script, session.store.scripts, asked)
    )
    return check_request(script, flags, Path.cwd(), defaults=defaults)


def check_run(session: Session, script: Script, request: Request) -> None:
    """Checks the plan of one of this project's scripts, and what its ``check_inputs`` checks.

    Raises:
        DependencyError: a dependency that certainly runs cannot be resolved. UsageError: ``check_inputs`` refuses the inputs.
    """
    if not script.own:
        return
    problems = plan_view.plan_of(session, request).problems()
    if problems:
        raise DependencyError(
            f"script '{script.alias}' cannot run: {'a dependency' if len(problems) == 1 else 'dependencies'} cannot be resolved",
            why="\n       ".join(problems),
            hint="correct the tags and flags; nothing was run",
        )
    if HOOK in content_of(script.path).code_words:
        place = hooks.Place(script, logs=session.logs)
        _, query = pick(session.store, request, quiet=session.quiet)
        given = {"env": dict(resolve(script, query, request).env)}
        try:
            hooks.call(hooks.load(script, place), HOOK, given, place)
        except ScriptFailedError as error:
            raise UsageError(error.what.removeprefix(f"{place} failed in {HOOK}: "), why=error.why, hint=error.hint) from error
