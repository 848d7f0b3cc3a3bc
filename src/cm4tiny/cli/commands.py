# SPDX-License-Identifier: Apache-2.0
"""How every command of the line looks: options below headings, ``--json``, examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from cm4tiny.cli.group import NORMAL
from cm4tiny.cli.output import VerbResult, finish
from cm4tiny.cli.parameters import COMMAND, HEADINGS, SectionedOption, option


class Command(click.Command):
    """A command whose help has its options below headings.

    Args:
        argument: name and meaning of its argument, where it has one.
        examples: command lines for the help.
    """

    def __init__(self, name: str, *, argument: tuple[str, str] = ("", ""), examples: Sequence[str] = (), **more: Any) -> None:
        super().__init__(name, context_settings=NORMAL, **more)
        self.argument = argument
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Argument, options below their headings, examples."""
        if self.argument[0]:
            with formatter.section("Argument"):
                formatter.write_dl([self.argument])
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                sections.setdefault(param.section if isinstance(param, SectionedOption) else COMMAND, []).append(record)
        for heading in filter(sections.__contains__, HEADINGS):
            with formatter.section(heading):
                formatter.write_dl(sections[heading])
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write_text(line)


def json_option() -> SectionedOption:
    """``--json``."""
    return option("json", COMMAND, help="print one JSON object on standard output, and nothing else there", is_flag=True)


def simple(
    name: str,
    help: str,
    work: Callable[..., VerbResult],
    params: Iterable[click.Parameter] = (),
    *,
    argument: tuple[str, str] = ("", ""),
    examples: Sequence[str] = (),
) -> Command:
    """A command whose function takes its parameters and returns an :class:`~cm4tiny.cli.output.VerbResult`."""

    def called(json: bool, **typed: Any) -> int:
        return finish(name, work(**typed), json_wanted=json)

    return Command(name, callback=called, params=[*params, json_option()], help=help, argument=argument, examples=examples)
