# SPDX-License-Identifier: Apache-2.0
"""The verbs that run a step (:mod:`cm4tiny.cli.verbs`)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from cm4tiny.cli.commands import Command, json_option
from cm4tiny.cli.endings import ending, report_of, verdicts
from cm4tiny.cli.engine import StepRun, script_of
from cm4tiny.cli.group import VERBS as SUMMARIES
from cm4tiny.cli.output import VerbResult, finish
from cm4tiny.cli.parameters import COMMAND, argument_help, option, parameters_of, requests_of
from cm4tiny.cli.runs import FinishedRun, run_with_all_output, run_with_progress
from cm4tiny.cli.verbs import VERBS, Verb
from cm4tiny.errors import Cm4TinyError
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
        UsageError: what was typed contradicts itself.
    """
    requests = requests_of(verb, script, typed)
    if typed.get("plan"):
        return _planned(requests, json_wanted=json_wanted)
    done: list[FinishedRun] = []
    for flags in requests:
        texts: list[str] = []
        try:
            done.append(run_with_all_output(flags, json_wanted=json_wanted) if verbose else run_with_progress(verb.name, flags, texts))
        except Cm4TinyError as error:
            shown = "\n\n".join(text.strip("\n") for text in texts)
            told = {"runs": [_as_result(run) for run in done], "shown": texts}
            return VerbResult({key: value for key, value in told.items() if value}, shown, error)
        if not json_wanted:
            sys.stdout.write(f"{ending(done[-1])}\n")
    return VerbResult({"runs": [_as_result(run) for run in done]})


def _as_result(run: FinishedRun) -> dict[str, Any]:
    """A run for ``--json``: what the step set, and the content of its report."""
    seconds = round(run.took_s, 1)
    told: dict[str, Any] = {"tags": run.flags["tags"], "set": dict(run.new_env), "seconds": seconds, "from_cache": run.from_cache}
    told |= {key: value for key, value in (("lock", run.lock), ("shown", run.texts)) if value}
    report = report_of(run)
    if report is not None:
        told |= {"report": report, "verdicts": verdicts(report)}
    return told


def _planned(requests: Sequence[Mapping[str, Any]], *, json_wanted: bool) -> VerbResult:
    """The plan of each request: the tree on standard output, or all of it for ``--json``."""
    plans = []
    for flags in requests:
        answer = StepRun({**flags, **({} if json_wanted else {"out": "con"})}, SILENT).run()
        plans.append({"tags": flags["tags"], **{key: value for key, value in answer.items() if key != "return"}})
    return VerbResult({"plans": plans})
