# SPDX-License-Identifier: Apache-2.0
"""The verbs that run a step (:mod:`cm4tiny.cli.verbs`)."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from cm4tiny.cli.commands import Command, json_option
from cm4tiny.cli.engine import run_step, script_of
from cm4tiny.cli.group import VERBS as SUMMARIES
from cm4tiny.cli.output import VerbResult, finish, stdout_to_stderr
from cm4tiny.cli.parameters import COMMAND, argument_help, option, parameters_of, requests_of
from cm4tiny.cli.verbs import VERBS, Verb
from cm4tiny.console import watch
from cm4tiny.events import SILENT
from cm4tiny.resolver.language.meta import Script


def command(name: str) -> Command:
    """The command of a verb."""
    verb = VERBS[name]
    script = script_of(verb.alias)
    verbose = option("verbose", COMMAND, help="report details, and show what tools print", is_flag=True, short="-v")

    def called(json: bool, verbose: bool, **typed: Any) -> int:
        return finish(name, run_verb(verb, script, typed, json_wanted=json, verbose=verbose), json_wanted=json)

    return Command(
        name,
        callback=called,
        params=[*parameters_of(verb, script), verbose, json_option()],
        help=f"{SUMMARIES[name][1]}\n\nThe same as: cm run script --tags={verb.tags}",
        argument=argument_help(verb, script),
        examples=verb.examples,
    )


def run_verb(verb: Verb, script: Script, typed: Mapping[str, Any], *, json_wanted: bool = False, verbose: bool = False) -> VerbResult:
    """Carries out a verb.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.cli.engine.run_step`.
    """
    requests = requests_of(verb, script, typed)
    if typed.get("plan"):
        return _planned(requests, json_wanted=json_wanted)
    results = []
    for flags in requests:
        with stdout_to_stderr() if json_wanted else contextlib.nullcontext(), watch(sys.stderr) as events:
            answer = run_step(flags, events, verbose=verbose)
        results.append({"tags": flags["tags"], "new_env": answer["new_env"], **({"lock": answer["lock"]} if answer.get("lock") else {})})
    return VerbResult({"runs": results})


def _planned(requests: Sequence[Mapping[str, Any]], *, json_wanted: bool) -> VerbResult:
    """The plan of each request: the tree on standard output, or all of it for ``--json``."""
    plans = []
    for flags in requests:
        answer = run_step({**flags, **({} if json_wanted else {"out": "con"})}, SILENT)
        plans.append({"tags": flags["tags"], **{key: value for key, value in answer.items() if key != "return"}})
    return VerbResult({"plans": plans})
