# SPDX-License-Identifier: Apache-2.0
"""The verbs of ``cm4tiny``. A verb is imported when it is called, so that ``cm4tiny --help`` and completion stay fast."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import click

import cm4tiny
from cm4tiny.errors import UsageError, nearest

NORMAL = {"help_option_names": ["-h", "--help"], "token_normalize_func": lambda name: name.replace("_", "-"), "max_content_width": 100}
"""Of every command: ``--no_strict`` is ``--no-strict``."""

VERBS: dict[str, tuple[str, str]] = {
    "run": ("step_verbs", "Build, boot and measure benchmarks; report them next to the published results."),
    "profile": ("step_verbs", "Show what each layer of a benchmark, or of an image of yours, costs."),
    "predict": ("step_verbs", "Say what an int8 model of yours costs: latency, energy, RAM, flash, layer by layer."),
    "replay": ("step_verbs", "Recompute the claims of a past round from its logs."),
    "audit": ("step_verbs", "Check a submission or a round against the rules."),
    "verify": ("step_verbs", "Compute a report's digests and figures again from the sessions next to it."),
    "submit": ("step_verbs", "Turn finished sessions into a submission."),
    "view": ("step_verbs", "Write a static page of all rounds and your runs."),
    "boards": ("boards", "List the boards, virtual and real."),
    "doctor": ("doctor", "Find what is wrong with a bench: boards, ports, instruments, the line, tools."),
    "flash": ("step_verbs", "Write an image to a board and ask it who it is."),
    "virtual-board": ("virtual_board", "Serve an image's serial port on the virtual board until interrupted."),
    "cache": ("cache", "List what is kept between runs, with age and size; remove it."),
    "steps": ("steps", "List the steps, with titles and tags, as `cm run script` takes them."),
    "completion": ("completion", "Print the completion script of a shell."),
}
"""Module and one-line help of each verb."""


class Verbs(click.Group):
    """The verbs, imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """One of them; None if there is none of that name."""
        if name not in VERBS:
            return None
        module = import_module(f"cm4tiny.cli.{VERBS[name][0]}")
        command: click.Command = module.command(name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with a suggestion for a verb that does not exist."""
        name = args[0].casefold().replace("_", "-") if args else ""
        if args and name not in VERBS:
            raise UsageError(f"'{args[0]}' is not a verb of cm4tiny", why=f"verbs are {', '.join(VERBS)}", hint=_meant(args))
        return super().resolve_command(ctx, [name, *args[1:]])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


def _meant(words: Sequence[str]) -> str:
    """What a first word that is not a verb may mean."""
    word = words[0]
    close = nearest(word, VERBS, count=2)
    if close:
        return close
    from cm4tiny.benchmarks import SAMPLED  # here: reading the table takes longer than the rest of `--help`

    if word.lstrip("_").casefold() in ("all", *SAMPLED):
        return f"run that benchmark:\ncm4tiny run {word.lstrip('_').casefold()}"
    if word.casefold().lstrip("v")[:2] in ("0.", "1."):
        return f"replay that round:\ncm4tiny replay v{word.casefold().lstrip('v')}"
    if "," in word:
        return "tags go with CM's own command:\ncm run script --tags=..."
    return "list the verbs:\ncm4tiny --help"


@click.command(
    cls=Verbs, context_settings=NORMAL, epilog="`cm4tiny VERB --help` shows a verb's options. Documentation: docs/command-line.md"
)
@click.version_option(cm4tiny.__version__, prog_name="cm4tiny", message="%(prog)s %(version)s")
def cli() -> None:
    """Reproducible MLPerf Tiny on a virtual or real NUCLEO-L4R5ZI."""
