# SPDX-License-Identifier: Apache-2.0
"""``cm4tiny completion``: the script that makes a shell complete verbs, options, choices and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cm4tiny.cli.commands import Command, simple
from cm4tiny.cli.group import VERBS
from cm4tiny.cli.output import VerbResult
from cm4tiny.cli.parameters import WordType
from cm4tiny.errors import NotAvailableError

SHELLS = {
    "bash": 'eval "$(cm4tiny completion bash)"          # in ~/.bashrc',
    "zsh": 'eval "$(cm4tiny completion zsh)"           # in ~/.zshrc',
    "fish": "cm4tiny completion fish | source          # in ~/.config/fish/config.fish",
}
"""Shell -> the line that switches completion on."""


def command(name: str) -> Command:
    """The command."""
    return simple(
        name,
        VERBS[name][1],
        completion,
        [click.Argument(["shell"], type=WordType("shell", SHELLS), metavar="|".join(SHELLS))],
        argument=("|".join(SHELLS), "the shell"),
        examples=tuple(SHELLS.values()),
    )


def completion(shell: str) -> VerbResult:
    """The script of a shell."""
    from cm4tiny.cli.group import cli

    found = get_completion_class(shell)
    if found is None:
        raise NotAvailableError(f"there is no completion for {shell}", hint=f"shells are {', '.join(SHELLS)}")
    script = found(cli, {}, "cm4tiny", "_CM4TINY_COMPLETE").source_vars()
    text = found.source_template % script
    return VerbResult({"shell": shell, "script": text}, text)
