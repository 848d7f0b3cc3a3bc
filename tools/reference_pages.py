# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/scripts.md from the steps' metas and command-line.md from the verbs: ``python tools/reference_pages.py``."""

from __future__ import annotations

from pathlib import Path

import click

from cm4tiny.cli.group import VERBS, cli
from cm4tiny.resolver.catalogue.reference import whole_page
from cm4tiny.resolver.catalogue.repository import ScriptStore, own_repositories

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
WIDTH = 100
VERBS_HEAD = """# Verbs of the command line

What `cm4tiny VERB --help` shows; [The command line](../command-line.md) explains it. The page is written by
`python tools/reference_pages.py`.
"""


def help_of(name: str) -> str:
    """What ``cm4tiny NAME --help`` prints on a terminal of :data:`WIDTH` columns; an empty name: ``cm4tiny --help``."""
    above = click.Context(cli, info_name="cm4tiny", terminal_width=WIDTH, max_content_width=WIDTH)
    if not name:
        return cli.get_help(above)
    command = cli.get_command(above, name)
    assert command is not None
    return command.get_help(click.Context(command, info_name=name, parent=above, terminal_width=WIDTH, max_content_width=WIDTH))


def verbs_page() -> str:
    """The reference of the verbs."""
    parts = [VERBS_HEAD]
    for name in VERBS:
        parts.append(f"\n## {name}\n\n```text\n{help_of(name).rstrip()}\n```\n")
    return "".join(parts)


def main() -> None:
    """Writes the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "scripts.md").write_text(whole_page(ScriptStore(own_repositories()).scripts), encoding="utf-8")
    (FOLDER / "command-line.md").write_text(verbs_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
